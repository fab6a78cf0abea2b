"""Recurrent arithmetic circuits: hidden states multiplied by what comes in, step by step.

The network of Fig. 2 of arXiv:1803.09780, on one-hot inputs ``h[0][t] = e(s_t)``::

    psi(s) = w . h[depth][N]

    h[l][t] = (WH[l] @ h[l][t-1]) * (WI[l] @ h[l-1][t])         elementwise product

Depth 1 is a matrix product state, with ``A_ijk = WH_ij WI_ik`` at every site.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from autoray import do, stop_gradient

from ..declared import RecurrentMethods
from ..errors import WeightError, check_positive_int
from ..evaluation.careful_gradients import follows_far_apart, with_gradients
from ..evaluation.log_derivatives import recurrent_derivatives
from ..evaluation.plan import Plan, recurrent_plan
from ..evaluation.ratios import recurrent_ratios
from ..evaluation.recurrence import Recursion
from ..evaluation.scaled_derivatives import CarefulRecurrentDerivatives
from ..evaluation.whole_state import recursive_dense
from ..geometry import RecurrentGeometry
from ..numerics.weights import (
    as_array,
    check_arrays,
    check_axes,
    check_budget,
    check_nonzero,
    check_numpy_dtype,
    check_sequence,
    make_rng,
    random_array,
)
from .base import DeepNetwork
from .entangled_recurrent import entangled_recurrence
from .params import Params


class RAC(RecurrentMethods, DeepNetwork, family="rac"):
    """A recurrent arithmetic circuit on a chain, from its arrays.

    Parameters
    ----------
    L : int
        Number of sites.
    hidden_weights : sequence of array, each of shape (R, R)
        ``WH`` of each layer, bond out before bond in.
    input_weights : sequence of array, (R, phys_dim) then (R, R)
        ``WI`` of each layer.
    initial : sequence of array, each of shape (R,), or None
        ``h[l][0]`` of each layer, non-zero; None for ones.
    readout : array, shape (R,)
        Weights of the channels of the last state.

    Attributes
    ----------
    L, hidden_weights, input_weights, initial, readout
        As given.
    params : Params
        ``"WH{l}"``, ``"WI{l}"``, ``"H0{l}"`` for each layer l = 1..depth, then ``"READOUT"``: a
        read-only mapping. Weights of numpy are copied; weights of torch are the arrays given,
        and may be trained in place.

    Raises
    ------
    GeometryError
        If a size is not positive.
    WeightError
        If an array has the wrong shape, dtype or backend, is not finite, or if an initial
        vector or the read-out is zero.

    Examples
    --------
    The GHZ state of 4 sites, with two channels that remember one bit each:

    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> eye = np.eye(2)
    >>> ghz = qdn.RAC(4, [eye], [eye], None, np.ones(2))
    >>> ghz.amplitudes([[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0]])
    array([1., 1., 0.])
    """

    _geometry_class = RecurrentGeometry
    _torch_follows = True

    if TYPE_CHECKING:

        @property
        def geometry(self) -> RecurrentGeometry: ...

    def __init__(
        self,
        L: int,
        hidden_weights: Sequence[Any],
        input_weights: Sequence[Any],
        initial: Sequence[Any] | None,
        readout: Any,
    ) -> None:
        hidden = list(map(as_array, check_sequence("hidden_weights", hidden_weights)))
        inputs = list(map(as_array, check_sequence("input_weights", input_weights)))
        readout = as_array(readout)
        if initial is None:
            initial = [do("ones_like", stop_gradient(readout)) for _ in hidden]
        initial = list(map(as_array, check_sequence("initial", initial)))
        depth = len(hidden)
        _check_lengths(depth, inputs, initial)
        check_axes("READOUT", readout, 1)
        check_axes("input_weights[0]", inputs[0], 2)
        params: dict[str, Any] = {}
        for l, arrays in enumerate(zip(hidden, inputs, initial), 1):
            params.update(zip((f"WH{l}", f"WI{l}", f"H0{l}"), arrays))
        geometry = RecurrentGeometry(L, depth, len(readout), inputs[0].shape[-1])
        params["READOUT"] = readout
        check_arrays(params, geometry.param_shapes)
        super().__init__(geometry, Params(_nonzero(params)))

    @classmethod
    def rand(
        cls,
        L: int,
        depth: int,
        bond_dim: int,
        phys_dim: int = 2,
        dist: str = "normal",
        loc: float = 0.0,
        scale: float = 1.0,
        dtype: str = "float64",
        seed: Any = None,
    ) -> Self:
        """A network with random weights; its initial vectors are ones.

        Parameters
        ----------
        L : int
            Number of sites.
        depth : int
            Number of layers.
        bond_dim : int
            Size R of the hidden states.
        phys_dim : int, optional
            Local dimension.
        dist : {"normal", "uniform", "rademacher", "entangled"}, optional
            Distribution of the entries, see `ConvAC.rand`. Independent entries make amplitudes of
            very different size and states that are nearly products. ``"entangled"`` draws
            moduli that spread by about 1 nat and phases that count: a state to study. Complex
            weights are much the better: about one bit per doubling of L from two layers of two
            channels; real ones have parities alone, at most
            ``(depth - 1) (bond_dim - 1) + 1`` bits at any L. To train, start near uniform:
            ``dist="uniform", loc=1, scale=0.05``.
        loc, scale, dtype, seed
            See `ConvAC.rand`.

        Returns
        -------
        RAC

        Notes
        -----
        How ``"entangled"`` works, and why flat moduli allow no more than
        ``log2(pi e L / 4) / 2 + 1`` bits of half a network of two layers of two channels, is
        written in `quimb_deepnets.networks.entangled_recurrent`.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.RAC.rand(8, depth=2, bond_dim=3, seed=0)
        RAC(L=8, depth=2, bond_dim=3, phys_dim=2, num_params=42)
        """
        geometry = RecurrentGeometry(L, depth, bond_dim, phys_dim)
        rng = make_rng(seed)
        check_budget(geometry.param_shapes.values(), dtype)
        if dist == "entangled":
            name = check_numpy_dtype(dtype)
            return cls._of(geometry, entangled_recurrence(geometry, rng, loc, scale, name))
        params = {
            name: random_array(shape, rng, dist, loc, scale, dtype)
            for name, shape in geometry.param_shapes.items()
            if not name.startswith("H0")
        }
        for l in range(1, geometry.depth + 1):
            params[f"H0{l}"] = np.ones_like(params["READOUT"])
        return cls.from_params(geometry, params)

    @classmethod
    def from_params(cls, geometry: Any, params: Mapping[str, Any]) -> Self:
        """The network with this geometry and these named parameters, see `params`."""
        return cls._of(geometry, _nonzero(cls._check_params(geometry, params)))

    @property
    def hidden_weights(self) -> tuple[Any, ...]:
        """``WH`` of each layer, ``(R, R)``."""
        return tuple(self.params[f"WH{l}"] for l in range(1, self.depth + 1))

    @property
    def input_weights(self) -> tuple[Any, ...]:
        """``WI`` of each layer, ``(R, phys_dim)`` then ``(R, R)``."""
        return tuple(self.params[f"WI{l}"] for l in range(1, self.depth + 1))

    @property
    def initial(self) -> tuple[Any, ...]:
        """``h[l][0]`` of each layer, ``(R,)``."""
        return tuple(self.params[f"H0{l}"] for l in range(1, self.depth + 1))

    @property
    def readout(self) -> Any:
        """Weights of the channels of the last state, ``(R,)``."""
        return self.params["READOUT"]

    @property
    def bond_dim(self) -> int:
        """Size of the hidden states."""
        return self.geometry.bond_dim

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(L={self.L}, depth={self.depth}, bond_dim={self.bond_dim}, "
            f"phys_dim={self.phys_dim}{self._arrays_in_words()}, num_params={self.num_params})"
        )

    # ------------------------------------------------------------ evaluation

    def plan(self, batch: int) -> Plan:
        """How a batch of amplitudes would be evaluated, decided in integers.

        Parameters
        ----------
        batch : int
            Number of configurations.

        Returns
        -------
        Plan
            Prints as a table. `amplitudes` and `log_amplitudes` take it as ``plan=``.

        Raises
        ------
        GeometryError
            If ``batch`` is not a positive int.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.RAC.rand(64, depth=2, bond_dim=8, seed=0).plan(1000)
        Plan for 1000 amplitudes, 1000 at a time:
          64 steps of 2 layers, WI1 looked up, the other matrices multiplied
          tables: 128 bytes, 64 flops once
          each amplitude: 64 look-ups, 24576 flops in matrix products
          chosen by the costs of a cpu with compiled loops
        """
        batch = check_positive_int("batch", batch)
        return recurrent_plan(self.geometry, batch, self._like.itemsize, self._machine)

    def _evaluate_by(self, plan):
        quick = functools.partial(Recursion, self)
        return with_gradients(self, plan, quick, CarefulRecurrentDerivatives)

    def _ratios_by(self, masks, batch):
        return recurrent_ratios(self, masks, batch)

    def _derivatives_by(self):
        return recurrent_derivatives(self)

    def _scaled_state(self, max_bytes):
        if follows_far_apart(self):
            return super()._scaled_state(max_bytes)
        return recursive_dense(self)


def _nonzero(params):
    """Refuse initial vectors and a read-out of zeros."""
    for name, x in params.items():
        if name.startswith("H0") or name == "READOUT":
            check_nonzero(name, x)
    return params


def _check_lengths(depth, input_weights, initial):
    """Refuse lists of arrays that do not all have one entry per layer."""
    if not depth:
        raise WeightError("hidden_weights is empty; give one (R, R) array per layer.")
    for name, arrays in (("input_weights", input_weights), ("initial", initial)):
        if len(arrays) != depth:
            raise WeightError(
                f"{name} has {len(arrays)} arrays for {depth} layers; give one per layer."
            )
