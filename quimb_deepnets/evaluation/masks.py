"""Sets of masks, and what each one touches: windows, their codes, nodes; integers alone.

A mask adds digits to a few sites, modulo the local dimension. It touches the windows that hold
one of them; masks that touch the same windows stand next to each other::

    sites     . . 1 1 . . . .        mask: digits added
    windows  [. . 1] [1 . .] ...     touched: 0 and 1, codes changed by 1 and 4
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from ..geometry.branches import branch_levels
from ..kernels.ratios import Touches
from .windows import windows_of

FEW = 2**12  # entries of masks that are worth to be remembered


class Masks(NamedTuple):
    """What is added to which sites: mask ``i`` has the entries ``starts[i]`` to ``starts[i + 1]``.

    ``starts`` has shape ``(m + 1,)``, ``sites`` and ``added`` have one entry per changed site.
    """

    starts: np.ndarray
    sites: np.ndarray
    added: np.ndarray

    @property
    def count(self):
        """How many masks there are."""
        return len(self.starts) - 1

    @property
    def owners(self):
        """The mask of each entry."""
        return np.repeat(np.arange(self.count), np.diff(self.starts))

    @property
    def single(self):
        """Whether each of them changes one site."""
        return len(self.sites) == self.count > 0 and bool((np.diff(self.starts) == 1).all())

    def some(self, which):
        """Those masks that an array of their numbers names, in its order."""
        entries = runs(self.starts[which], self.starts[which + 1])
        counts = np.diff(self.starts)[which]
        return Masks(_starts(counts), self.sites[entries], self.added[entries])

    def digits(self, nsites, dtype):
        """All of them as columns of digits ``(N, m)``."""
        out = np.zeros((nsites, self.count), dtype)
        out[self.sites, self.owners] = self.added
        return out


def masks_of(digits):
    """The `Masks` of an array of digits ``(m, N)``."""
    owners, sites = np.nonzero(digits)
    counts = np.bincount(owners, minlength=len(digits))
    return Masks(_starts(counts), sites, digits[owners, sites].astype(np.int64))


def flips_of(nsites, phys_dim):
    """The `Masks` of all flips of one site: by 1 at all sites, then by 2, up to M - 1.

    Examples
    --------
    >>> from quimb_deepnets.evaluation.masks import flips_of
    >>> flips_of(2, 3).digits(2, int).T.tolist()
    [[1, 0], [0, 1], [2, 0], [0, 2]]
    """
    count = nsites * (phys_dim - 1)
    sites, added = np.arange(count) % nsites, np.arange(count) // nsites + 1
    return Masks(np.arange(count + 1), sites, added)


class Holders(NamedTuple):
    """The windows that hold each site: site ``n`` has entries ``starts[n]`` to ``starts[n + 1]``.

    ``strides`` is what one more unit of the site adds to the code of the window.
    """

    starts: np.ndarray
    windows: np.ndarray
    strides: np.ndarray


@functools.lru_cache(64)
def holders_of(geometry, level, group=None):
    """The `Holders` of the windows that `windows_of` lists, in its order."""
    parts: list[list[np.ndarray]] = [[], [], []]
    first = 0
    for some in windows_of(geometry, level, group):
        count, width = some.sites.shape
        powers = geometry.phys_dim ** np.arange(width)[::-1]
        parts[0].append(some.sites.reshape(-1))
        parts[1].append(np.repeat(np.arange(first, first + count), width))
        parts[2].append(np.broadcast_to(powers, (count, width)).reshape(-1))
        first += count
    sites, windows, strides = map(np.concatenate, parts)
    order = np.argsort(sites, kind="stable")
    counts = np.bincount(sites, minlength=int(np.prod(geometry.shape)))
    return Holders(_starts(counts), windows[order], strides[order])


def touched_windows(masks, geometry, level, group=None):
    """The `Touches` of masks, those of the same windows next to each other.

    The windows are those of `holders_of`. What a few masks touch is remembered.
    """
    if len(masks.sites) > FEW:
        return _touches(masks, holders_of(geometry, level, group), geometry.phys_dim)
    return _remembered(*(x.astype(np.int64).tobytes() for x in masks), geometry, level, group)


@functools.lru_cache(64)
def _remembered(starts, sites, added, geometry, level, group):
    masks = Masks(*(np.frombuffer(x, np.int64) for x in (starts, sites, added)))
    return _touches(masks, holders_of(geometry, level, group), geometry.phys_dim)


def _touches(masks, holders, phys_dim):
    owners, entry = masks.owners, np.arange(len(masks.sites))
    begin, end = holders.starts[masks.sites], holders.starts[masks.sites + 1]
    found, entry = runs(begin, end), np.repeat(entry, end - begin)
    window, owner = holders.windows[found], owners[entry]
    order = _by_windows(owner, window, masks.count)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    sort = np.lexsort((window, place[owner]))
    window, owner, entry, found = (x[sort] for x in (window, place[owner], entry, found))
    new = np.flatnonzero(_changes(owner, window))  # where the moves of a touch begin
    counts = np.bincount(owner[new], minlength=masks.count)
    starts, strides = _starts(counts), holders.strides[found]
    flips = np.add.reduceat(strides, new) if len(new) else strides
    sets = _equal_sets(starts, window[new])
    moves = np.append(new, len(entry)), masks.sites[entry], masks.added[entry], strides
    fields = order, sets, starts, window[new], flips, *moves
    return Touches(*(np.ascontiguousarray(x, dtype=np.int32) for x in fields))


def _by_windows(owner, window, count):
    """An order of the masks in which those that touch the same windows follow each other."""
    pairs = np.unique(owner * (window.max(initial=0) + 1) + window)
    owner, window = np.divmod(pairs, window.max(initial=0) + 1)
    counts = np.bincount(owner, minlength=count)
    rows = np.full((count, counts.max(initial=0)), -1)
    rows[owner, np.arange(len(owner)) - np.repeat(_starts(counts)[:-1], counts)] = window
    return np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(count)


def _equal_sets(starts, windows):
    """Where in a list of masks others windows begin to be touched, and the end."""
    counts = np.diff(starts)
    differ = counts[1:] != counts[:-1]
    same = np.flatnonzero(~differ)
    these, those = runs(starts[same], starts[same + 1]), runs(starts[same + 1], starts[same + 2])
    owner = np.repeat(same, counts[same])
    differ[owner[windows[these] != windows[those]]] = True
    return np.concatenate(([0], np.flatnonzero(differ) + 1, [len(counts)]))[: len(counts) + 1]


def touched_nodes(masks, geometry, l):
    """The nodes of layer ``l`` whose windows hold a changed site: ``(starts, positions)``."""
    starts, positions = _nodes_of_sites(geometry, l)
    begin, end = starts[masks.sites], starts[masks.sites + 1]
    size = int(np.prod(geometry.layer_shape(l)))
    owner = np.repeat(masks.owners, end - begin)
    pairs = np.unique(owner * size + positions[runs(begin, end)])
    owner, positions = np.divmod(pairs, size)
    return _starts(np.bincount(owner, minlength=masks.count)), positions


@functools.lru_cache(64)
def _nodes_of_sites(geometry, l):
    """For each site the flat positions of layer ``l`` whose windows hold it."""
    axes = []
    for axis, length in zip(geometry.axes, geometry.shape):
        level = branch_levels(axis, geometry.shared, geometry.boundary)[l]
        readers: list[list[int]] = [[] for _ in range(length)]
        for p, window in enumerate(level.windows):
            for site in window:
                readers[site].append(p)
        axes.append([np.array(each, dtype=int) for each in readers])
    if geometry.ndim == 1:
        nodes = axes[0]
    else:
        width = geometry.layer_shape(l)[1]
        pairs = itertools.product(*axes)
        nodes = [(a[:, None] * width + b).reshape(-1) for a, b in pairs]
    return _starts([len(each) for each in nodes]), np.concatenate(nodes)


def runs(begin, end):
    """The ranges ``begin[i]`` to ``end[i]``, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.evaluation.masks import runs
    >>> runs(np.array([3, 7]), np.array([5, 8])).tolist()
    [3, 4, 7]
    """
    counts = end - begin
    return np.arange(counts.sum()) + np.repeat(begin - _starts(counts)[:-1], counts)


def _starts(counts):
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))


def _changes(*columns):
    """Where any column differs from the entry before; true at the first."""
    out = np.ones(len(columns[0]), bool)
    out[1:] = np.any([x[1:] != x[:-1] for x in columns], axis=0)
    return out
