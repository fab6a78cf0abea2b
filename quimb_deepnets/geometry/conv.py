"""Convolutional geometry in integers: positions, taps, windows, copies.

A lattice is a product of axes: a tap is inside if it is inside along each of them, a window is
the product of the windows of the axes, and the number of copies multiplies. So every number
here comes from one `Axis` per dimension::

    depth 2, kernel 3, periodic          copies of the branches = 3**(depth - l)
    layer 2     o   o   o   o            1 each
               /|\\ /|\\ /|\\ /|\\
    layer 1     o   o   o   o            3 each
               /|\\ /|\\ /|\\ /|\\
    sites       0   1   2   3            9 each
"""

import functools
import itertools
import math
import reprlib
from dataclasses import dataclass
from typing import Any

from ..errors import GeometryError, check_option, check_positive_int
from .branches import folded_branches
from .expansion import (
    CHANNEL,
    READOUT,
    WINDOW,
    CollapsedPiece,
    Fixed,
    Node,
    Site,
    Tap,
    leaf_ind,
)
from .layers import ANCHORS, BOUNDARIES, GCLayer, as_sizes, check_layers, check_sites, plan_axis
from .levels import level_pieces


@dataclass(frozen=True)
class ConvGeometry:
    """All the integers of a convolutional arithmetic circuit.

    Parameters
    ----------
    shape : tuple[int]
        Number of sites along each dimension, one or two of them.
    layers : tuple[GCLayer]
        The layers, from the sites upward.
    shared : tuple[bool]
        For each layer, whether all positions use the same weights.
    phys_dim : int
        Local dimension of a site.
    boundary, anchor : str
        See `ConvAC`.
    """

    shape: tuple[int, ...]
    layers: tuple[GCLayer, ...]
    shared: tuple[bool, ...]
    phys_dim: int = 2
    boundary: str = "ones"
    anchor: str = "center"

    def __post_init__(self):
        as_sizes("shape", self.shape)
        if len(self.shape) > 2:
            raise GeometryError(
                f"shape={self.shape} has {len(self.shape)} dimensions; give an int for a chain "
                "or (Lx, Ly) for a lattice."
            )
        check_sites(self.shape)
        if not self.layers:
            raise GeometryError("the network has no layers; give at least one GCLayer.")
        check_layers(len(self.layers))
        if len(self.shared) != len(self.layers) or set(map(type, self.shared)) != {bool}:
            raise GeometryError(
                f"shared={reprlib.repr(self.shared)} must say True or False for each of the "
                f"{len(self.layers)} layers."
            )
        layers = tuple(layer.canonical(self.ndim) for layer in self.layers)
        object.__setattr__(self, "layers", layers)
        check_positive_int("phys_dim", self.phys_dim)
        if self.phys_dim < 2:
            raise GeometryError(
                f"phys_dim={self.phys_dim} leaves a site only one state; use 2 or more."
            )
        if self.boundary in ("zero", "zeros"):
            raise GeometryError(
                f"boundary={self.boundary!r} would multiply a zero vector into every window at "
                "the edge, so the state would vanish identically; use 'ones' (zero padding in "
                "the log domain), 'omit', 'periodic' or 'valid'."
            )
        check_option("boundary", self.boundary, BOUNDARIES)
        check_option("anchor", self.anchor, ANCHORS)
        self.axes  # checks the strides, the kernels and that every site is read

    # ------------------------------------------------------------- positions

    @property
    def ndim(self) -> int:
        """Number of dimensions, 1 or 2."""
        return len(self.shape)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @functools.cached_property
    def _sizes(self):
        """Kernel and stride of each layer, as one tuple per dimension."""
        return [layer.per_axis(self.ndim) for layer in self.layers]

    @functools.cached_property
    def axes(self):
        """One `Axis` per dimension."""
        sizes = self._sizes
        return tuple(
            plan_axis(length, tuple((k[d], s[d]) for k, s in sizes), self.boundary, self.anchor)
            for d, length in enumerate(self.shape)
        )

    @functools.cached_property
    def sites(self) -> tuple[Any, ...]:
        """The labels of the sites: ints on a chain, pairs on a lattice."""
        return tuple(map(self._label, self.positions(0)))

    def _label(self, position):
        return position[0] if self.ndim == 1 else position

    def layer_shape(self, l):
        """Number of positions of layer ``l`` along each dimension (0 for the sites)."""
        return tuple(axis.lengths[l] for axis in self.axes)

    def positions(self, l):
        """All positions of layer ``l``, rows first."""
        return itertools.product(*map(range, self.layer_shape(l)))

    def bond_dim(self, l):
        """Number of channels of layer ``l``; of layer 0, ``phys_dim``."""
        return self.layers[l - 1].bond_dim if l else self.phys_dim

    def kernel(self, l):
        """Kernel of layer ``l`` along each dimension."""
        return self._sizes[l - 1][0]

    def stride(self, l):
        """Stride of layer ``l`` along each dimension."""
        return self._sizes[l - 1][1]

    def total_stride(self, l):
        """Distance, in sites, between neighbouring nodes of layer ``l``, per dimension."""
        strides = [self.stride(m) for m in range(1, l + 1)]
        return tuple(math.prod(s[d] for s in strides) for d in range(self.ndim))

    def receptive_field(self, l):
        """Linear size of the window of a node of layer ``l``, per dimension.

        ``w_l = 1 + sum_{m <= l} (K_m - 1) prod_{j < m} S_j``, the total receptive field of
        arXiv:1803.09780, Fig. 5.
        """
        return tuple(
            1 + sum((self.kernel(m)[d] - 1) * self.total_stride(m - 1)[d] for m in range(1, l + 1))
            for d in range(self.ndim)
        )

    def window(self, l, position):
        """The sites that node (l, position) depends on, in order."""
        windows = (axis.windows[l][p] for axis, p in zip(self.axes, position))
        return tuple(map(self._label, itertools.product(*windows)))

    # ------------------------------------------------------------------ taps

    def tap_inputs(self, l, tap):
        """For each position of layer ``l``, the flat input position of ``tap`` or None."""
        below = self.layer_shape(l - 1)
        rows = ([taps[k] for taps in axis.reads[l - 1]] for axis, k in zip(self.axes, tap))
        flat = []
        for inputs in itertools.product(*rows):
            if None in inputs:
                flat.append(None)
            else:
                flat.append(inputs[0] if self.ndim == 1 else inputs[0] * below[1] + inputs[1])
        return flat

    def tap_indices(self, l):
        """All taps of layer ``l``, as tuples with an int per dimension."""
        return itertools.product(*map(range, self.kernel(l)))

    def weight_name(self, l, position, tap):
        """Name of the weight matrix of one tap: one per tied set of tensors."""
        where = tap if self.shared[l - 1] else (*position, *tap)
        return f"W{l}," + ",".join(map(str, where))

    @property
    def roots(self):
        """The nodes under the global product."""
        return [Node(self.depth, p) for p in self.positions(self.depth)]

    def taps(self, node):
        """The taps of a node that are present in the network, as `Tap` tuples."""
        l, position = node
        for tap in self.tap_indices(l):
            inputs = tuple(axis.reads[l - 1][p][k] for axis, p, k in zip(self.axes, position, tap))
            if None not in inputs:
                child: Site | Node | Fixed
                child = Node(l - 1, inputs) if l > 1 else Site(self._label(inputs))
            elif self.boundary == "ones":
                child = Fixed(f"ONES{l - 1}")
            else:
                continue
            yield Tap(self.weight_name(l, position, tap), child)

    @functools.cached_property
    def fixed_vectors(self) -> dict[str, int]:
        """Name and length of each vector of ones that missing neighbours are replaced by."""
        return {f"ONES{l}": self.bond_dim(l) for l in range(self.depth)}

    @functools.cached_property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each independent parameter, in order.

        With ``boundary="omit"`` a tap that never falls inside is not a parameter.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        for l in range(1, self.depth + 1):
            shape = (self.bond_dim(l), self.bond_dim(l - 1))
            shapes.update(dict.fromkeys(self.weight_names(l), shape))
        shapes[READOUT] = (self.bond_dim(self.depth),)
        return shapes

    def weight_names(self, l):
        """Names of the weights of layer ``l`` that the network holds, in order."""
        if not self.shared[l - 1]:
            nodes = (Node(l, position) for position in self.positions(l))
            return [tap.weight for node in nodes for tap in self.taps(node)]
        return [
            self.weight_name(l, None, tap)
            for tap in self.tap_indices(l)
            if self.boundary == "ones" or all(map(self._ever_inside, self.axes, [l] * 2, tap))
        ]

    @staticmethod
    def _ever_inside(axis, l, k):
        """Whether tap ``k`` of layer ``l`` reads some position along this axis."""
        return axis.reads[l - 1].ever_inside(k)

    # -------------------------------------------------------------- collapsed

    @property
    def collapsed_dim(self):
        """Size of the channels of the collapsed network."""
        return self.bond_dim(self.depth)

    def collapsed_width(self):
        """Number of sites of the widest window of the folded last layer."""
        levels = folded_branches(self).levels
        return math.prod(max(kind.width for kind in level.kinds) for level in levels)

    def collapsed_pieces(self, level=None):
        """The pieces of the collapsed network: windows of the folded last layer, the read-out.

        Parameters
        ----------
        level : int, optional
            Windows of this lower layer instead, and what is above, see `level_pieces`.

        Yields
        ------
        CollapsedPiece
            A window for each position of the last layer, in order, ``kind`` its kind as
            `folded_branches` counts them.
        """
        if level not in (None, self.depth):
            yield from level_pieces(self, level)
            return
        branches = folded_branches(self)
        for position in itertools.product(*(range(len(x.kind_of)) for x in branches.levels)):
            kind = tuple(x.kind_of[p] for x, p in zip(branches.levels, position))
            places = (level.windows[p] for level, p in zip(branches.levels, position))
            sites = map(self._label, itertools.product(*places))
            yield CollapsedPiece(WINDOW, kind, (CHANNEL, *map(leaf_ind, sites)))
        yield CollapsedPiece(READOUT, None, (CHANNEL,))

    # ---------------------------------------------------------------- counts

    def num_copies(self, l):
        """How many branches with a root in layer ``l`` the expanded network holds."""
        return math.prod(sum(axis.copies[l]) for axis in self.axes)

    @functools.cached_property
    def duplication(self) -> dict[Any, int]:
        """For each site, how often the expanded network reads it."""
        counts = itertools.product(*(axis.copies[0] for axis in self.axes))
        return dict(zip(self.sites, map(math.prod, counts)))

    def num_tensors(self, nodes="hyper"):
        """Number of tensors of the expanded network: weights, fixed vectors, deltas, read-out."""
        total = math.prod(self.shape) + 1
        for l in range(1, self.depth + 1):
            inside = self.num_copies(l - 1)
            every = math.prod(self.kernel(l)) * self.num_copies(l)
            outside = every - inside if self.boundary == "ones" else 0
            total += outside + (inside + outside if nodes == "hyper" else self.num_copies(l))
        return total

    def dense_size(self):
        """Number of elements of the largest tensor of ``nodes="dense"``."""
        return max(
            self.bond_dim(l) * self.bond_dim(l - 1) ** math.prod(self.kernel(l))
            for l in range(1, self.depth + 1)
        )
