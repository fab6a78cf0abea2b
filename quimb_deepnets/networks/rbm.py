"""Restricted Boltzmann machines: one layer of hidden units, each of which sees every site.

::

    psi(s) = exp(a . s)  prod_j 2 cosh(b_j + W_j . s)          s_n = +1, -1 for digits 0, 1

The neural state of Carleo and Troyer, Science 355, 602 (arXiv:1606.02318), with alpha hidden units
per site: the shallow rival of deep networks. Its spins are the eigenvalues of quimb's ``Z``.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from autoray import astype, do, get_dtype_name, stop_gradient

from ..declared import BoltzmannMethods
from ..errors import check_positive_int
from ..evaluation.factored_rows import FactoredRows
from ..evaluation.hidden_chains import hidden_chain_tables
from ..evaluation.hidden_ratios import boltzmann_ratios
from ..evaluation.plan import Plan
from ..geometry.boltzmann import BoltzmannGeometry
from ..geometry.layers import as_sizes
from ..numerics.scaled import Scaled, as_exponent, mutable, product
from ..numerics.torch_modes import full_precision
from ..numerics.weights import as_array, check_arrays, check_budget, make_rng, random_array
from .base import DeepNetwork
from .params import Params

LOG2E = math.log2(math.e)


class RBM(BoltzmannMethods, DeepNetwork, family="rbm"):
    """A restricted Boltzmann machine on a chain or a lattice, from its arrays.

    Parameters
    ----------
    shape : int or (int, int)
        Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
    visible_bias : array, shape (N,)
    hidden_bias : array, shape (hidden,)
    weights : array, shape (hidden, N)
        Sites flat, rows first.

    Attributes
    ----------
    shape, visible_bias, hidden_bias, weights
        As given.
    params : Params
        ``"VISIBLE"``, ``"HIDDEN"``, ``"WEIGHTS"``: a read-only mapping. Weights of numpy are
        copied; weights of torch are the arrays given, and may be trained in place.

    Raises
    ------
    GeometryError
        If a size is not positive.
    WeightError
        If an array has the wrong shape, dtype or backend, or is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RBM(2, np.zeros(2), np.zeros(1), np.array([[1.0, -1.0]]))
    >>> (net.to_dense() / 2).round(3).ravel().tolist()  # cosh of s_0 - s_1
    [1.0, 3.762, 3.762, 1.0]
    """

    _geometry_class = BoltzmannGeometry
    _torch_follows = True

    if TYPE_CHECKING:

        @property
        def geometry(self) -> BoltzmannGeometry: ...

    def __init__(
        self, shape: int | Sequence[int], visible_bias: Any, hidden_bias: Any, weights: Any
    ) -> None:
        arrays = map(as_array, (visible_bias, hidden_bias, weights))
        params = dict(zip(("VISIBLE", "HIDDEN", "WEIGHTS"), arrays))
        hidden = int(math.prod(params["HIDDEN"].shape))
        geometry = BoltzmannGeometry(as_sizes("shape", shape), hidden)
        check_arrays(params, geometry.param_shapes)
        super().__init__(geometry, Params(params))

    @classmethod
    def rand(
        cls,
        shape: int | Sequence[int],
        alpha: int = 1,
        dist: str = "normal",
        loc: float = 0.0,
        scale: float = 0.1,
        dtype: str = "float64",
        seed: Any = None,
    ) -> Self:
        """A machine with random weights.

        Parameters
        ----------
        shape : int or (int, int)
            Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
        alpha : int, optional
            Hidden units per site.
        dist : {"normal", "uniform", "rademacher"}, optional
            Distribution of the entries, see `ConvAC.rand`. Machines of small weights are near a
            product state: fit to be trained, not to be studied.
        loc, scale, dtype, seed
            See `ConvAC.rand`; small weights by default, because they stand in exponents.

        Returns
        -------
        RBM

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.RBM.rand((4, 4), alpha=2, seed=0)
        RBM(shape=(4, 4), hidden=32, num_params=560)
        """
        sizes = as_sizes("shape", shape)
        geometry = BoltzmannGeometry(sizes, check_positive_int("alpha", alpha) * math.prod(sizes))
        rng = make_rng(seed)
        check_budget(geometry.param_shapes.values(), dtype)
        options = {"dist": dist, "loc": loc, "scale": scale, "dtype": dtype}
        shapes = geometry.param_shapes.items()
        return cls.from_params(geometry, {k: random_array(x, rng, **options) for k, x in shapes})

    @property
    def visible_bias(self) -> Any:
        """Bias of each site, ``(N,)``."""
        return self.params["VISIBLE"]

    @property
    def hidden_bias(self) -> Any:
        """Bias of each hidden unit, ``(hidden,)``."""
        return self.params["HIDDEN"]

    @property
    def weights(self) -> Any:
        """Weights of each hidden unit, ``(hidden, N)``."""
        return self.params["WEIGHTS"]

    @property
    def shape(self) -> int | tuple[int, ...]:
        """Number of sites: an int for a chain, ``(Lx, Ly)`` for a lattice."""
        return self.geometry.shape if self.geometry.ndim > 1 else self.geometry.shape[0]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(shape={self.shape}, hidden={self.geometry.hidden}"
            f"{self._arrays_in_words()}, num_params={self.num_params})"
        )

    # ------------------------------------------------------------ evaluation

    def plan(self, batch: int) -> Plan:
        """How a batch of amplitudes would be evaluated, see `ConvAC.plan`."""
        batch, size = check_positive_int("batch", batch), self._like.itemsize
        hidden, sites, machine = self.geometry.hidden, self.nsites, self._machine
        chunk = max(1, min(batch, 4 * machine.chunk // (size * hidden)))  # a few calls for each
        flops = 2 * hidden * sites
        return Plan(
            geometry=self.geometry,
            batch=batch,
            level=0,
            group=None,
            chunk=chunk,
            chunk_bytes=chunk * hidden * size,
            table_bytes=0,
            table_flops=0,
            flops=flops,
            lookups=0,
            cost=batch * flops * machine.flop + 20 * machine.call * -(-batch // chunk),
            lines=(f"{hidden} hidden units, each the sum over {sites} sites",),
            machine=machine,
        )

    def _evaluate_by(self, plan):
        return self._evaluate

    @full_precision
    def _evaluate(self, x):
        s = self._spins(x)
        visible, angles = self.visible_bias @ s, self._angles(s)
        if type(angles) is np.ndarray and angles.dtype.kind == "f" and len(angles):
            size, units = _real_units(angles)
            visible = visible + size
        else:
            units = _two_cosh(angles)
        factors = zip(exp_scaled(visible[None]), units)
        stacked = Scaled(*(do("concatenate", parts, axis=0)[:, :, None] for parts in factors))
        return Scaled(*(part[:, 0] for part in product(stacked)))

    def _spins(self, x):
        """Digits ``(N, B)`` as +1 and -1, in the dtype of the weights."""
        return 1 - 2 * astype(x, get_dtype_name(self._like))

    def _angles(self, s):
        """``b_j + W_j . s``, shape ``(hidden, B)``."""
        return self.hidden_bias[:, None] + self.weights @ s

    def _derivatives_by(self):
        factored = self._derivative_factors_by()
        size = max(1, self._machine.chunk // self._like.itemsize // self.geometry.hidden)
        return lambda x: factored(x).rows(), size

    def _derivative_factors_by(self):
        def _factored(x):
            s = self._spins(x)
            t = do("transpose", do("tanh", self._angles(s)), (1, 0))  # (B, hidden)
            return FactoredRows((do("transpose", s, (1, 0)), t), ((0,), (1,), (1, 0)))

        return _factored

    def _ratios_by(self, masks, batch):
        return boltzmann_ratios(self, masks, batch)

    def _chain_tables(self):
        return hidden_chain_tables(self)


def exp_scaled(z: Any) -> Scaled:
    """``exp(z)`` as scaled numbers."""
    real = do("real", z)
    bits = as_exponent(real) * LOG2E
    whole = do("round", stop_gradient(bits))
    size = astype(do("exp2", bits - whole), get_dtype_name(real))
    return Scaled(size * do("exp", z - real), whole).rescale(axes=0)


def _real_units(angles):
    """``prod 2 cosh`` of real angles ``(hidden, B)`` as ``exp(size) * units``, one exp for each."""
    away = abs(angles)
    size = away.sum(0)
    away *= -2
    near = np.exp(away, out=away)
    near += 1  # from 1 to 2, so that a float holds the product of many
    starts = range(0, len(near), np.finfo(near.dtype).maxexp - 1)
    units = np.multiply.reduceat(near, list(starts), axis=0)
    return size, Scaled(units, np.zeros(units.shape)).rescale(axes=0)


def _two_cosh(z):
    """``2 cosh z`` as scaled numbers.

    Where it is differentiated, small angles go by ``2 + 4 sinh(z / 2)**2``, in whose derivative
    nothing cancels.
    """
    big = stop_gradient(do("abs", do("real", z)))
    small = None if mutable(z) else stop_gradient(do("abs", z)) < 1
    outer = exp_scaled(big if small is None else do("where", small, big * 0, big))
    inner = do("exp", z - big) + do("exp", -z - big)
    if small is not None:
        half = do("where", small, z / 2, z * 0)
        inner = do("where", small, 2 + 4 * do("sinh", half) ** 2, inner)
    return Scaled(outer.mantissa * inner, outer.exponent).rescale(axes=0)
