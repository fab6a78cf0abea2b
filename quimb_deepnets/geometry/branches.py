"""Distinct branches: which nodes compute the same function of their windows.

A network re-uses information, so most of its branches are equal. Two nodes are of one *kind* when
they read the same kinds through the same weights, and the sites that they share stand at the same
places of their windows. One table then serves all of them::

    sites      0   1   2   3   4        kernel 2, periodic: each layer has a single kind,
                \\ / \\ / \\ / \\ /         whose window of l + 1 sites moves along; with open
    layer 1      a   a   a   a          edges each end adds kinds of its own
                  \\ / \\ / \\ /
    layer 2        b   b   b            b = Kind(3, (Part(tap 0, a, places (0, 1)),
                                                     Part(tap 1, a, places (1, 2))))

Sites stand in a window in the order in which its taps first read them. So a window that closes
around a small ring, and meets a site twice, needs no special rule. On a lattice all of this
is the product of its axes.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """One factor of a kind: the weights that ``label`` names, acting on a kind of the level below.

    ``label`` is ``(tap, position)``, position None for shared weights; ``child`` is None for a
    tap that falls outside; ``places`` says where the sites of the child stand in the window. In
    `Branches` label and child are tuples of one entry per axis.
    """

    label: tuple
    child: int | tuple[int, ...] | None
    places: tuple[int, ...]


class Kind(NamedTuple):
    """A function of ``width`` sites: the elementwise product of its parts."""

    width: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, eq=False)
class Level:
    """The kinds of a level along one axis, and the kind and window of each of its positions."""

    kinds: tuple[Kind, ...]
    kind_of: tuple[int, ...]
    windows: tuple[tuple[int, ...], ...]


def sites_level(length):
    """The level of the sites themselves: one kind, windows of one site."""
    return Level((Kind(1, ()),), (0,) * length, tuple((n,) for n in range(length)))


def combine(below, readings):
    """The level whose positions read ``readings[p] = [(label, position below or None), ...]``."""
    kinds, kind_of, windows = {}, [], []
    for reading in readings:
        window, parts = {}, []
        for label, q in reading:
            if q is None:
                parts.append(Part(label, None, ()))
                continue
            places = tuple(window.setdefault(site, len(window)) for site in below.windows[q])
            parts.append(Part(label, below.kind_of[q], places))
        kind = Kind(len(window), tuple(parts))
        kind_of.append(kinds.setdefault(kind, len(kinds)))
        windows.append(tuple(window))
    return Level(tuple(kinds), tuple(kind_of), tuple(windows))


@functools.lru_cache(64)
def branch_levels(axis, shared, boundary):
    """Levels 0..depth of one axis: the sites, then the output of each layer.

    Parameters
    ----------
    axis : Axis
    shared : tuple[bool]
        For each layer, whether all positions use the same weights.
    boundary : str

    Returns
    -------
    tuple[Level]
    """
    levels = [sites_level(axis.lengths[0])]
    for reads, same in zip(axis.reads, shared):
        readings = (
            [
                ((k, None if same else p), q)
                for k, q in enumerate(taps)
                if q is not None or boundary == "ones"
            ]
            for p, taps in enumerate(reads)
        )
        levels.append(combine(levels[-1], readings))
    return tuple(levels)


@functools.lru_cache(64)
def folded_level(axis, shared, boundary):
    """The last layer folded onto the nodes that it reads.

    All taps of the last layer end under one product over positions, channel by channel, so
    they can be regrouped by what they read: ``prod_n prod_k W[k] y[n + k] = prod_m F(y[m])`` with
    ``F(v) = prod_k W[k] v``. A tap that falls outside is a constant; it goes to the nearest tap
    of the same node that is inside. No window is wider than those of layer depth - 1.

    Returns
    -------
    Level
        One position for each of layer ``depth - 1``; its parts all act on that one child.
    """
    readings = [[] for _ in range(axis.lengths[-2])]
    for n, taps in enumerate(axis.reads[-1]):
        inside = [k for k, q in enumerate(taps) if q is not None]
        for k, q in enumerate(taps):
            label = k, None if shared[-1] else n
            if q is not None:
                readings[q].append((label, q))
            elif boundary == "ones":
                nearest = min(inside, key=lambda j: abs(j - k))
                readings[taps[nearest]].append((label, None))
    # the order of taps is free under the product: sort, so that equal ones are found equal
    order = [sorted(reading, key=lambda entry: entry[0][0]) for reading in readings]
    return combine(branch_levels(axis, shared, boundary)[-2], order)


@functools.lru_cache(256)
def grouped_level(level, size):
    """Runs of ``size`` neighbouring positions of a level, merged into one each."""
    positions = range(len(level.kind_of))
    runs = (positions[i : i + size] for i in range(0, len(positions), size))
    return combine(level, ([((j, None), p) for j, p in enumerate(run)] for run in runs))


class Branches:
    """The kinds of one level of a chain or lattice: the product of the levels of its axes.

    Parameters
    ----------
    levels : sequence of Level
        One per axis.
    """

    def __init__(self, levels):
        self.levels = tuple(levels)

    @property
    def kinds(self):
        """All kinds, as tuples with one int per axis."""
        return itertools.product(*(range(len(level.kinds)) for level in self.levels))

    @property
    def num_kinds(self):
        """Number of distinct branches."""
        return math.prod(len(level.kinds) for level in self.levels)

    @property
    def num_positions(self):
        """Number of positions."""
        return math.prod(len(level.kind_of) for level in self.levels)

    def width(self, kind):
        """How many sites a kind depends on."""
        return math.prod(level.kinds[i].width for level, i in zip(self.levels, kind))

    def parts(self, kind):
        """The parts of a kind, as `Part` with one label and child per axis."""
        axes = [level.kinds[i] for level, i in zip(self.levels, kind)]
        for parts in itertools.product(*(axis.parts for axis in axes)):
            child = tuple(part.child for part in parts)
            label = tuple(part.label for part in parts)
            if None in child:
                yield Part(label, None, ())
            elif len(axes) == 1:
                yield Part(label, child, parts[0].places)
            else:
                places = itertools.product(parts[0].places, parts[1].places)
                yield Part(label, child, tuple(a * axes[1].width + b for a, b in places))


def branches_of(geometry, l):
    """The `Branches` of layer ``l`` of a convolutional geometry, 0 for the sites."""
    return Branches(
        branch_levels(axis, geometry.shared, geometry.boundary)[l] for axis in geometry.axes
    )


def folded_branches(geometry):
    """The `Branches` of the folded last layer of a convolutional geometry."""
    return Branches(
        folded_level(axis, geometry.shared, geometry.boundary) for axis in geometry.axes
    )
