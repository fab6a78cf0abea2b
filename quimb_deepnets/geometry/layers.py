"""One layer in integers, and what the stack of layers reads along one axis.

A generalized convolutional layer (arXiv:1803.09780, appendix B) slides a kernel of
``kernel`` taps over its input in steps of ``stride``. Kernel 3, stride 1, centred::

    layer 1    .   o   o   o   o   .        tap 0, 1, 2 of a node read
                  /|\\ /|\\ /|\\ /|\\           positions n-1, n, n+1
    sites      -   0   1   2   3   -        '-' is outside: see ``boundary``
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BudgetError, GeometryError, check_positive_int

BOUNDARIES = ("ones", "omit", "periodic", "valid")
ANCHORS = ("center", "corner")
MAX_SITES, MAX_LAYERS = 2**24, 2**14
MAX_INTEGERS = 2**27  # that say what the layers read, their windows and their copies


@dataclass(frozen=True)
class GCLayer:
    """A generalized convolutional layer: linear maps on ``kernel`` taps, then their product.

    Parameters
    ----------
    kernel : int or (int, int)
        How many taps, per dimension. An int on a lattice means a square kernel.
    bond_dim : int
        Number of output channels.
    stride : int or (int, int), optional
        Step between neighbouring windows, at most the kernel. ``stride == kernel`` gives a
        pooling layer: no tap overlaps another, and the network is a tree.

    Raises
    ------
    GeometryError
        If a size is not a positive int, or the stride exceeds the kernel.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> qdn.GCLayer(3, bond_dim=4)
    GCLayer(kernel=3, bond_dim=4, stride=1)
    """

    kernel: int | tuple[int, ...]
    bond_dim: int
    stride: int | tuple[int, ...] = 1

    def __post_init__(self):
        for name in ("kernel", "stride"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_positive_int("bond_dim", self.bond_dim)
        kernel, stride = as_sizes("kernel", self.kernel), as_sizes("stride", self.stride)
        rank = max(len(kernel), len(stride))
        for k, s in zip(broadcast("kernel", kernel, rank), broadcast("stride", stride, rank)):
            if s > k:
                raise GeometryError(
                    f"stride={s} exceeds kernel={k}, so the window would skip positions; "
                    f"use a stride of at most {k} or a kernel of at least {s}."
                )

    def canonical(self, ndim):
        """The same layer for ``ndim`` dimensions, equal sizes written as one int."""
        kernel, stride = (s[0] if len(set(s)) == 1 else s for s in self.per_axis(ndim))
        return GCLayer(kernel, self.bond_dim, stride)

    def per_axis(self, ndim):
        """The kernel and the stride as one tuple of ``ndim`` ints each."""
        return (
            broadcast("kernel", as_sizes("kernel", self.kernel), ndim),
            broadcast("stride", as_sizes("stride", self.stride), ndim),
        )


def as_sizes(name, value):
    """A positive int, or a sequence of them, as a tuple of ints."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not values:
        raise GeometryError(f"{name}={value!r} is empty; give one int, or one per dimension.")
    return tuple(check_positive_int(name, v) for v in values)


def check_sites(shape):
    """Refuse more sites than can be listed."""
    if math.prod(shape) > MAX_SITES:
        raise GeometryError(
            f"shape={shape} has {math.prod(shape):.3g} sites, more than {MAX_SITES}; use fewer."
        )


def check_layers(depth):
    """Refuse more layers than can be listed."""
    if depth > MAX_LAYERS:
        raise BudgetError(f"depth={depth} is more than {MAX_LAYERS} layers; use fewer.")


def check_integers(length, layers):
    """Refuse an axis whose taps, windows and copies would take too much memory to write down.

    Raises
    ------
    BudgetError
    """
    positions, integers, width, step, bits = [length], 0, 1, 1, 0.0
    for kernel, stride in layers:
        positions.append(max(1, positions[-1] // stride))
        width = min(length, width + (kernel - 1) * step)
        step = min(length, step * stride)
        integers += positions[-1] * (kernel + width)
    for (kernel, _), count in zip(layers[::-1], positions[-2::-1]):
        bits += math.log2(kernel)
        integers += count * bits / 64  # the number of copies is K**depth
    if integers > MAX_INTEGERS:
        raise BudgetError(
            f"{len(layers)} layers on {length} positions read {integers:.3g} integers (taps, "
            f"windows, digits of the numbers of copies), more than {MAX_INTEGERS}; use fewer "
            "layers, smaller kernels or fewer sites."
        )


def broadcast(name, sizes, ndim):
    """Repeat a single size for each of ``ndim`` dimensions."""
    if len(sizes) == 1:
        return sizes * ndim
    if len(sizes) != ndim:
        raise GeometryError(
            f"{name}={sizes} has {len(sizes)} entries for {ndim} dimension(s); "
            f"give one int, or {ndim} of them."
        )
    return sizes


@dataclass(frozen=True, eq=False)
class LayerReads(Sequence):
    """What each position of one layer reads: a tuple for each, written out when one is looked at.

    Attributes
    ----------
    positions, length : int
        How many positions the layer has, and the layer below.
    kernel, stride, offset : int
        Tap ``k`` of position ``p`` reads ``p * stride + k - offset``.
    periodic : bool
        Whether that wraps.
    """

    positions: int
    length: int
    kernel: int
    stride: int
    offset: int
    periodic: bool

    def __len__(self):
        return self.positions

    def __getitem__(self, p):
        return self._rows[p]

    def __iter__(self):
        return iter(self._rows)

    @functools.cached_property
    def _rows(self):
        taps = [k - self.offset for k in range(self.kernel)]
        rows = ([p * self.stride + tap for tap in taps] for p in range(self.positions))
        return tuple(tuple(map(self._inside, row)) for row in rows)

    def _inside(self, position):
        if self.periodic:
            return position % self.length
        return position if 0 <= position < self.length else None

    def ever_inside(self, k):
        """Whether tap ``k`` of some position reads a position."""
        first = max(0, -(-(self.offset - k) // self.stride))
        read = first * self.stride + k - self.offset
        return self.periodic or (first < self.positions and read < self.length)

    def last_read(self, last):
        """The last position that the positions 0 to ``last`` read."""
        if self.periodic and last == self.positions - 1:
            return self.length - 1
        return min(self.length - 1, last * self.stride + self.kernel - 1 - self.offset)


@dataclass(frozen=True, eq=False)
class Axis:
    """What each layer reads along one dimension.

    Attributes
    ----------
    lengths : tuple[int]
        Number of positions of layer 0 (the sites), 1, ..., depth.
    reads : tuple[LayerReads, ...]
        ``reads[l - 1][p][k]`` is the position in layer ``l - 1`` that tap ``k`` of position
        ``p`` of layer ``l`` reads, or None if the tap falls outside.
    """

    lengths: tuple[int, ...]
    reads: tuple[LayerReads, ...]

    def all_read(self):
        """Whether windows read every site, found without looking at each.

        No stride exceeds its kernel, so that neighbouring windows leave nothing out between them:
        what is read is everything up to some position.
        """
        last = self.lengths[-1] - 1
        for layer in self.reads[::-1]:
            last = layer.last_read(last)
        return last == self.lengths[0] - 1

    @functools.cached_property
    def copies(self):
        """``copies[l][p]``: how often the expanded network holds the branch of node (l, p)."""
        counts = [[1] * self.lengths[-1]]
        for length, layer in zip(self.lengths[-2::-1], self.reads[::-1]):
            below = [0] * length
            for count, taps in zip(counts[0], layer):
                for q in taps:
                    if q is not None:
                        below[q] += count
            counts.insert(0, below)
        return tuple(map(tuple, counts))

    @functools.cached_property
    def windows(self):
        """``windows[l][p]``: the sorted tuple of sites that node (l, p) depends on."""
        levels = [tuple((n,) for n in range(self.lengths[0]))]
        for layer in self.reads:
            inside = ((q for q in taps if q is not None) for taps in layer)
            levels.append(
                tuple(tuple(sorted({s for q in qs for s in levels[-1][q]})) for qs in inside)
            )
        return tuple(levels)


@functools.lru_cache(256)
def plan_axis(length, layers, boundary, anchor):
    """Work out the `Axis` of a stack of layers.

    Parameters
    ----------
    length : int
        Number of sites along the axis.
    layers : tuple[(int, int)]
        Kernel and stride of each layer.
    boundary : {"ones", "omit", "periodic", "valid"}
        What happens to taps that fall outside.
    anchor : {"center", "corner"}
        Which tap sits on input position ``n * stride``.

    Raises
    ------
    GeometryError
        If a stride does not divide the length it acts on, a kernel is longer than a
        ``"valid"`` layer, or a site is read by no window.
    """
    check_integers(length, layers)
    lengths, reads = [length], []
    for number, (kernel, stride) in enumerate(layers, 1):
        reads.append(_layer_reads(number, lengths[-1], kernel, stride, boundary, anchor))
        lengths.append(len(reads[-1]))
    axis = Axis(tuple(lengths), tuple(reads))
    if not axis.all_read():
        unread = [site for site, count in enumerate(axis.copies[0]) if not count]
        raise GeometryError(
            f"no window reads position {unread[0]} of an axis of length {length} (kernels and "
            f"strides {list(layers)}, boundary={boundary!r}); every site must be read: "
            "change the length, a kernel or a stride, or the boundary."
        )
    return axis


def _layer_reads(number, length, kernel, stride, boundary, anchor):
    """What layer ``number`` reads of a layer of ``length`` positions."""
    if boundary == "valid":
        if kernel > length:
            raise GeometryError(
                f"kernel={kernel} of layer {number} is larger than its input of {length} "
                "positions, so no window fits with boundary='valid'; use a smaller kernel, "
                "fewer layers or another boundary."
            )
        count, offset = (length - kernel) // stride + 1, 0
    else:
        if length % stride:
            fits = (length // stride * stride or stride, (length // stride + 1) * stride)
            raise GeometryError(
                f"stride={stride} does not divide length {length} in layer {number}; use "
                f"boundary='valid' or a length in {sorted(set(fits))}."
            )
        count = length // stride
        offset = (kernel - stride + 1) // 2 if anchor == "center" else 0
    return LayerReads(count, length, kernel, stride, offset, boundary == "periodic")
