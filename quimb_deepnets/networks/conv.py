"""Convolutional arithmetic circuits: linear maps and products, slid over a chain or a lattice.

The network of Fig. 1 of arXiv:1803.09780, on one-hot inputs ``y[0][n] = e(s_n)``::

    psi(s) = sum_c w_c prod_n y[depth][n]_c                        read-out, global product

    y[l][n] = prod_k  W[l][k] @ y[l-1][n * S + k - anchor]         elementwise product over taps
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from autoray import do

from ..declared import ConvolutionalMethods
from ..errors import GeometryError, WeightError, check_positive_int
from ..evaluation.careful_gradients import follows_far_apart, with_gradients
from ..evaluation.chains import chain_tables
from ..evaluation.layerwise import Layers
from ..evaluation.log_derivatives import conv_derivatives
from ..evaluation.lookup import Lookup
from ..evaluation.plan import Plan, cached_plan, check_plan
from ..evaluation.ratios import conv_ratios
from ..evaluation.scaled_derivatives import CarefulDerivatives
from ..evaluation.whole_state import window_dense
from ..geometry import ConvGeometry, GCLayer
from ..geometry.layers import as_sizes
from ..numerics.weights import (
    as_array,
    check_arrays,
    check_budget,
    check_nonzero,
    check_numpy_dtype,
    check_sequence,
    make_rng,
    random_array,
)
from .base import DeepNetwork
from .entangled import entangled_weights
from .params import Params, needs_split, trainable_in_place


class ConvAC(ConvolutionalMethods, DeepNetwork, family="conv"):
    """A convolutional arithmetic circuit (CAC) on a chain or a lattice, from its arrays.

    Parameters
    ----------
    shape : int or (int, int)
        Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
    weights : sequence of array
        One array per layer: ``(*kernel, bond_out, bond_in)`` if all positions share it, else
        ``(*positions, *kernel, bond_out, bond_in)``. The first ``bond_in`` is the local
        dimension of a site.
    readout : array, shape (bond,)
        Weights of the channels of the last layer.
    strides : int or sequence, optional
        Stride of each layer, 1 by default. ``stride == kernel`` makes a tree tensor network.
    boundary : {"ones", "omit", "periodic", "valid"}, optional
        What a tap sees that falls outside: ``"ones"``, a neighbour that is the all-ones vector
        (zero padding in the log domain); ``"omit"``, nothing, its factor is 1;
        ``"periodic"``, the other end; ``"valid"``, only windows that fit are used.
    anchor : {"center", "corner"}, optional
        Whether tap ``(kernel - stride + 1) // 2`` or tap 0 sits on position ``n * stride``.
        Ignored for ``"valid"``.

    Attributes
    ----------
    shape, weights, readout, strides, boundary, anchor
        As given, ``strides`` as one entry per layer. A network is a value: none can be assigned.
    layers : tuple[GCLayer]
        Kernel, bond dimension and stride of each layer.
    shared : bool
        Whether every layer shares its weights over positions.
    params : Params
        ``"W{layer},{tap}"`` (``"W{layer},{position},{tap}"`` if unshared), then ``"READOUT"``: a
        read-only mapping. Weights of numpy are copied; weights of torch are the arrays given,
        and may be trained in place (of those that do not require grad, each matrix is a leaf).

    Raises
    ------
    GeometryError
        If kernels, strides, boundary and shape do not fit, or a site is read by no window.
    WeightError
        If an array has the wrong shape, dtype or backend, or is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> layer = np.array([[[1.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]]])  # (K, out, in)
    >>> net = qdn.ConvAC(3, weights=[layer], readout=np.array([1.0, -1.0]), boundary="periodic")
    >>> net.amplitudes([[0, 0, 0], [0, 1, 0], [1, 1, 1]])
    array([ 1.,  0., -1.])
    """

    _geometry_class = ConvGeometry
    _torch_follows = True

    if TYPE_CHECKING:

        @property
        def geometry(self) -> ConvGeometry: ...

    def __init__(
        self,
        shape: int | Sequence[int],
        weights: Sequence[Any],
        readout: Any,
        strides: Any = None,
        boundary: str = "ones",
        anchor: str = "center",
    ) -> None:
        sizes = as_sizes("shape", shape)
        weights = tuple(map(as_array, check_sequence("weights", weights)))
        leaves = {f"W{l}": w for l, w in enumerate(weights, 1)} | {"READOUT": as_array(readout)}
        layers, shared = _read_layers(weights, strides, len(sizes))
        phys_dim = weights[0].shape[-1]
        geometry = ConvGeometry(sizes, layers, shared, phys_dim, boundary, anchor)
        _check_layers(geometry, leaves)
        super().__init__(geometry, _named_params(geometry, leaves))

    @classmethod
    def rand(
        cls,
        shape: int | Sequence[int],
        depth: int | None = None,
        kernel: int | tuple[int, ...] | None = None,
        bond_dim: int | None = None,
        layers: Sequence[GCLayer] | None = None,
        phys_dim: int = 2,
        boundary: str = "ones",
        anchor: str = "center",
        shared: bool = True,
        dist: str = "normal",
        loc: float = 0.0,
        scale: float = 1.0,
        dtype: str = "float64",
        seed: Any = None,
    ) -> Self:
        """A network with random weights.

        Parameters
        ----------
        shape : int or (int, int)
            Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
        depth, kernel, bond_dim : int, optional
            That many equal layers of stride 1; ``kernel`` may be a pair on a lattice.
        layers : sequence of GCLayer, optional
            The layers, instead of ``depth``, ``kernel`` and ``bond_dim``.
        phys_dim : int, optional
            Local dimension.
        boundary, anchor : str, optional
            See `ConvAC`.
        shared : bool, optional
            Whether all positions of a layer use the same weights.
        dist : {"normal", "uniform", "rademacher", "entangled"}, optional
            Distribution of the entries, mean 0 and, but for ``"uniform"`` on [-1, 1), variance 1.
            Such states are nearly products, the deeper the more: amplitudes of independent weights
            spread like the number of their factors. ``"entangled"`` draws amplitudes of equal
            modulus, but for a small noise, with entropies near what the architecture allows, for
            two channels or more: a state to study. (Real weights that are shared, with ``"ones"``,
            take three channels for that; two have about half.) To train, start near uniform:
            ``dist="uniform", loc=1, scale=0.05``.
        loc, scale : float, optional
            Entries are multiplied by ``scale``, then ``loc`` is added. For ``"entangled"``,
            ``scale`` multiplies the noise, and ``loc`` must be 0.
        dtype : {"float32", "float64", "complex64", "complex128"}, optional
        seed : int or numpy.random.Generator, optional

        Returns
        -------
        ConvAC

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.ConvAC.rand((4, 4), depth=2, kernel=3, bond_dim=4, seed=0)
        ConvAC(shape=(4, 4), layers=[3x4, 3x4], phys_dim=2, boundary='ones', num_params=220)
        """
        sizes = as_sizes("shape", shape)
        stack = _layers_from(depth, kernel, bond_dim, layers)
        tied = (bool(shared),) * len(stack)
        geometry = ConvGeometry(sizes, stack, tied, phys_dim, boundary, anchor)
        rng = make_rng(seed)
        shapes = [weight_shape(geometry, l) for l in range(1, geometry.depth + 1)]
        check_budget(shapes, dtype)
        if dist == "entangled":
            arrays = entangled_weights(geometry, shapes, rng, loc, scale, check_numpy_dtype(dtype))
        else:
            last = (geometry.bond_dim(geometry.depth),)
            arrays = [random_array(x, rng, dist, loc, scale, dtype) for x in (*shapes, last)]
        leaves = {f"W{l}": x for l, x in enumerate(arrays, 1)}
        leaves["READOUT"] = leaves.pop(f"W{len(arrays)}")
        if dist != "entangled":
            _check_layers(geometry, leaves)
        return cls._of(geometry, _named_params(geometry, leaves))

    @classmethod
    def from_params(cls, geometry: Any, params: Mapping[str, Any]) -> Self:
        """The network with this geometry and these named parameters, see `params`."""
        params = cls._check_params(geometry, params)
        check_nonzero("READOUT", params["READOUT"])
        if not any(map(trainable_in_place, params.values())):
            layers = range(1, geometry.depth + 1)
            leaves = {f"W{l}": stacked_layer(geometry, l, params) for l in layers}
            params = _named_params(geometry, leaves | {"READOUT": params["READOUT"]})
        return cls._of(geometry, params)

    # ------------------------------------------------------------ properties

    @property
    def shape(self) -> int | tuple[int, ...]:
        """Number of sites: an int for a chain, ``(Lx, Ly)`` for a lattice."""
        return self.geometry.shape if self.geometry.ndim > 1 else self.geometry.shape[0]

    @property
    def layers(self) -> tuple[GCLayer, ...]:
        """The layers as `GCLayer` tuples."""
        return self.geometry.layers

    @property
    def strides(self) -> tuple[int | tuple[int, ...], ...]:
        """Stride of each layer."""
        return tuple(layer.stride for layer in self.layers)

    @property
    def shared(self) -> bool:
        """Whether every layer shares its weights over positions."""
        return all(self.geometry.shared)

    @property
    def boundary(self) -> str:
        """What a tap sees that falls outside."""
        return self.geometry.boundary

    @property
    def anchor(self) -> str:
        """Which tap sits on position ``n * stride``."""
        return self.geometry.anchor

    def __repr__(self) -> str:
        def _text(layer):
            stride = "" if layer.stride == 1 else f"/{layer.stride}"
            return f"{layer.kernel}{stride}x{layer.bond_dim}".replace(" ", "")

        return (
            f"{type(self).__name__}(shape={self.shape}, "
            f"layers=[{', '.join(map(_text, self.layers))}], phys_dim={self.phys_dim}, "
            f"boundary={self.boundary!r}"
            + ("" if self.shared else ", shared=False")
            + f"{self._arrays_in_words()}, num_params={self.num_params})"
        )

    # ------------------------------------------------------------ arrays

    @property
    def weights(self) -> tuple[Any, ...]:
        """The array of each layer, ``(*kernel, out, in)``, positions before it if unshared.

        The arrays that were given, if they are of numpy or were trainable when given; else new
        ones, stacked from the values of `params`, which are the arrays to train.
        """
        leaves = self.params.leaves
        return tuple(
            leaves[f"W{l}"] if f"W{l}" in leaves else stacked_layer(self.geometry, l, self.params)
            for l in range(1, self.depth + 1)
        )

    @property
    def readout(self) -> Any:
        """Weights of the channels of the last layer, ``(bond,)``."""
        return self.params["READOUT"]

    # ------------------------------------------------------------ evaluation

    def plan(
        self, batch: int, level: int | None = None, group: int | tuple[int, ...] | None = None
    ) -> Plan:
        """How a batch of amplitudes would be evaluated, decided in integers.

        Parameters
        ----------
        batch : int
            Number of configurations.
        level : int, optional
            Tabulate the layers up to this one; ``depth`` means all, the last one folded. By
            default whatever is the cheapest for the batch.
        group : int or (int, int), optional
            Merge this many neighbouring windows into one row, if all layers are tabulated.

        Returns
        -------
        Plan
            Prints as a table: which layers are looked up and which computed, the bytes of the
            tables, the flops. `amplitudes` and `log_amplitudes` take it as ``plan=``.

        Raises
        ------
        GeometryError
            If ``batch`` is not a positive int.
        OptionError
            If the level or group does not exist.
        BudgetError
            If the tables of that level would be too large.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", seed=0)
        >>> net.plan(4096)
        Plan for 4096 amplitudes, 4096 at a time:
          all layers looked up, the last one folded; 4 windows merged into rows of up to 10 sites
          tables: 65536 bytes, 64512 flops once
          each amplitude: 16 look-ups, 0 flops in matrix products
          chosen by the costs of a cpu with compiled loops
        """
        batch, size = check_positive_int("batch", batch), self._like.itemsize
        if level is None and group is None:
            return cached_plan(self.geometry, batch, size, machine=self._machine)
        return check_plan(self.geometry, batch, size, level, group, self._machine)

    def _evaluate_by(self, plan):
        quick: Any = functools.partial(Lookup, self, plan.group)
        if plan.group is None:
            quick = functools.partial(Layers, self, plan.level)
        return with_gradients(self, plan, quick, CarefulDerivatives)

    def _evaluate_by_layers(self, x):
        return self._evaluate_by(self.plan(max(1, x.shape[1]), level=0))(x)

    def _ratios_by(self, masks, batch):
        return conv_ratios(self, masks, batch)

    def _derivatives_by(self):
        return conv_derivatives(self)

    def _chain_tables(self):
        return chain_tables(self)

    def _scaled_state(self, max_bytes):
        state = None if follows_far_apart(self) else window_dense(self, max_bytes)
        return super()._scaled_state(max_bytes) if state is None else state


def _check_layers(geometry, leaves):
    """Refuse arrays of layers, or a read-out, that do not fit the geometry."""
    name = lambda key: key if key == "READOUT" else f"weights[{int(key[1:]) - 1}]"
    shapes = {f"W{l}": weight_shape(geometry, l) for l in range(1, geometry.depth + 1)}
    shapes["READOUT"] = (geometry.bond_dim(geometry.depth),)
    check_arrays(*({name(key): x[key] for key in shapes} for x in (leaves, shapes)))
    check_nonzero("READOUT", leaves["READOUT"])


def stacked_layer(geometry, l, params):
    """The array of weights of a layer from its named matrices; taps that have none are zero."""
    blank = do("zeros_like", params[geometry.weight_names(l)[0]])
    stack = tuple(params.get(name, blank) for name, _ in _names_of_layer(geometry, l))
    return do("reshape", do("stack", stack), weight_shape(geometry, l))


def _names_of_layer(geometry, l):
    """Names of the matrices in the array of a layer, with their indices, in its order."""
    positions = [()] if geometry.shared[l - 1] else geometry.positions(l)
    for p in positions:
        for tap in geometry.tap_indices(l):
            yield geometry.weight_name(l, p, tap), (*p, *tap)


def _named_params(geometry, leaves):
    """The parameters by name, as parts of the arrays of the layers.

    Arrays of torch that do not require grad are split, so that each name is a leaf that may.
    """
    kept, parts = {}, {}
    for l in range(1, geometry.depth + 1):
        leaf, whole = f"W{l}", not needs_split(leaves[f"W{l}"])
        for name, index in _names_of_layer(geometry, l):
            if name in geometry.param_shapes:
                parts[name] = (leaf, index) if whole else (name, ())
                kept |= {} if whole else {name: leaves[leaf][index]}
        kept |= {leaf: leaves[leaf]} if whole else {}
    kept["READOUT"] = leaves["READOUT"]
    return Params(kept, {**parts, "READOUT": ("READOUT", ())})


def weight_shape(geometry, l):
    """Shape of the array of weights of layer ``l``, positions and taps included."""
    positions = () if geometry.shared[l - 1] else geometry.layer_shape(l)
    return (*positions, *geometry.kernel(l), geometry.bond_dim(l), geometry.bond_dim(l - 1))


def _read_layers(weights, strides, ndim):
    """The layers that arrays of weights describe, and which of them are shared."""
    if not weights:
        raise GeometryError("weights is empty; give one array per layer.")
    shared = []
    for l, w in enumerate(weights):
        if len(w.shape) not in (ndim + 2, 2 * ndim + 2):
            raise WeightError(
                f"weights[{l}] has shape {tuple(w.shape)}; in {ndim} dimension(s) give "
                f"{ndim + 2} axes (*kernel, bond_out, bond_in), or {2 * ndim + 2} with one set "
                "per position."
            )
        shared.append(len(w.shape) == ndim + 2)
    if strides is None or hasattr(strides, "__index__"):
        strides = [1 if strides is None else operator.index(strides)] * len(weights)
    strides = check_sequence("strides", strides)
    if len(strides) != len(weights):
        raise GeometryError(
            f"strides={strides} has {len(strides)} entries for {len(weights)} layers; "
            "give one stride per layer."
        )
    layers = tuple(
        GCLayer(tuple(w.shape[-ndim - 2 : -2]), w.shape[-2], stride)
        for w, stride in zip(weights, strides)
    )
    return layers, tuple(shared)


def _layers_from(depth, kernel, bond_dim, layers):
    """Layers from ``layers``, or from ``depth``, ``kernel`` and ``bond_dim``."""
    equal = {"depth": depth, "kernel": kernel, "bond_dim": bond_dim}
    if layers is None:
        missing = [name for name, value in equal.items() if value is None]
        if missing:
            raise GeometryError(
                f"{', '.join(missing)} not given; give depth, kernel and bond_dim, or layers=."
            )
        return (GCLayer(kernel, bond_dim),) * check_positive_int("depth", depth)
    given = [name for name, value in equal.items() if value is not None]
    if given:
        raise GeometryError(
            f"layers= already says what {', '.join(given)} would; give one or the other."
        )
    layers = tuple(check_sequence("layers", layers))
    for layer in layers:
        if not isinstance(layer, GCLayer):
            raise GeometryError(f"layers holds {layer!r}; give GCLayer(kernel, bond_dim, stride).")
    return layers
