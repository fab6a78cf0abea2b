"""How window tables follow from each other, in integers: once for each geometry.

::

    rows of layer l - 1, and one of ones        matrices of layer l, or none where rows are merged
             low .. high  ----------- Products(first, last, low, high, place) ----> rows of products
                                                                                          |
    rows of layer l   <---------------------- TableStep: what each part reads ------------'
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from ..geometry.branches import branches_of, folded_branches
from ..kernels.tables import TableStep
from .plan import grouped


class Products(NamedTuple):
    """Matrices ``first`` to ``last`` act on rows ``low`` to ``high``; ``place`` is the first row
    of what they give."""

    first: int
    last: int
    low: int
    high: int
    place: int


class LevelSteps(NamedTuple):
    """A level of tables: its products, how many rows these have, and what is multiplied.

    Levels of merged windows have no products: their parts read rows of the level below.
    """

    products: tuple[Products, ...]
    size: int
    step: TableStep

    @property
    def most(self) -> int:
        """The largest number of rows of one array."""
        return max(self.size, int(self.step.starts[-1]))


class TableSteps(NamedTuple):
    """All that the tables of a geometry, folded and merged, are made by.

    ``offsets`` ``(kinds,)`` are where the tables of all kinds start, ``factors`` is how many
    weights an amplitude multiplies.
    """

    levels: tuple[LevelSteps, ...]
    offsets: np.ndarray
    factors: int


@functools.lru_cache(64)
def table_steps(geometry, sizes):
    """The `TableSteps` of a geometry whose windows are merged in blocks of so many per axis."""
    folded = folded_branches(geometry)
    return merged_steps(geometry, None if set(sizes) == {1} else grouped(folded, sizes))


def merged_steps(geometry, merged):
    """The `TableSteps` of a geometry, its windows merged as these `Branches` say, or not (None)."""
    g, starts, levels = geometry, np.array([0, geometry.phys_dim]), []
    index = lambda below: dict(zip(below.kinds, itertools.count()))
    below = branches_of(g, 0)
    folded = folded_branches(g)
    for l in range(1, g.depth + 1):
        branches = branches_of(g, l) if l < g.depth else folded
        shape = g.kernel(l) if g.shared[l - 1] else (*g.layer_shape(l), *g.kernel(l))
        levels.append(_level(branches, g.phys_dim, index(below), starts, shape))
        below, starts = branches, levels[-1].step.starts
    if merged is not None:
        levels.append(_level(merged, g.phys_dim, index(folded), starts, None))
    return TableSteps(tuple(levels), levels[-1].step.starts[:-1], g.num_tensors())


def _level(branches, phys_dim, index, starts, shape):
    """The steps of one level.

    Parameters
    ----------
    branches : Branches
    phys_dim : int
    index : dict
        The number of each kind below.
    starts : array of int64, shape (kinds below + 1,)
    shape : tuple[int] or None
        How matrices are numbered; None where there are none.
    """
    ones = len(starts) - 1, int(starts[-1])  # the row after the last is one of ones
    rows = [phys_dim ** branches.width(kind) for kind in branches.kinds]
    kinds = [list(branches.parts(kind)) for kind in branches.kinds]
    parts = list(itertools.chain.from_iterable(kinds))
    children = np.array([ones[0] if p.child is None else index[p.child] for p in parts], int)
    begin = np.asarray(starts, dtype=np.int64)[children]
    end = np.append(starts[1:], ones[1] + 1)[children]
    places, products, size = begin, (), 0
    if shape is not None:
        matrices = np.array([_matrix(part.label, shape) for part in parts], int)
        products, size, places = _products(matrices, begin, end, math.prod(shape))
    carried, carries = [np.zeros(0, int)], [0]
    for kind, some in zip(branches.kinds, kinds):
        carried.append(_carries(branches.width(kind), some, phys_dim).reshape(-1))
        carries.append(carries[-1] + carried[-1].size)
    flat = lambda x: np.ascontiguousarray(x, dtype=np.int64)
    step = TableStep(
        phys_dim,
        flat(np.cumsum([0, *rows])),
        flat([branches.width(kind) for kind in branches.kinds]),
        flat(np.cumsum([0, *map(len, kinds)])),
        flat(places),
        flat(begin),
        flat(carries[:-1]),
        flat(np.concatenate(carried)),
    )
    return LevelSteps(products, size, step)


def _matrix(label, shape):
    """The number of the matrix that a part names, in the array of its layer."""
    taps, positions = zip(*label)
    return int(np.ravel_multi_index(taps if None in positions else (*positions, *taps), shape))


def _products(matrices, begin, end, count):
    """Runs of matrices that act on the same rows, their size, and where each part's rows are."""
    low, high = np.full(count, np.iinfo(int).max), np.zeros(count, int)
    np.minimum.at(low, matrices, begin)
    np.maximum.at(high, matrices, end)
    used = np.flatnonzero(high)
    place = np.zeros(count, int)
    place[used] = np.cumsum([0, *(high - low)[used]])[:-1]
    runs = []
    for m in used.tolist():
        run = Products(m, m + 1, int(low[m]), int(high[m]), int(place[m]))
        if runs and runs[-1].last == m and runs[-1][2:4] == run[2:4]:
            runs[-1] = runs[-1]._replace(last=m + 1)
        else:
            runs.append(run)
    size = int((high - low)[used].sum())
    return tuple(runs), size, place[matrices] + begin - low[matrices]


def _carries(width, parts, phys_dim):
    """What parts add to their codes when a digit goes up and all behind it start anew.

    Returns
    -------
    array of int, shape (width, parts)
    """
    strides = np.zeros((width, len(parts)), int)
    for p, part in enumerate(parts):
        for j, place in enumerate(reversed(part.places)):
            strides[place, p] += phys_dim**j
    behind = np.cumsum(strides[::-1], axis=0)[::-1] - strides
    return strides - (phys_dim - 1) * behind
