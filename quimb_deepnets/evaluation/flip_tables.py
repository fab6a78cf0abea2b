"""Ratios of single changes of a ConvAC whose windows are all tabulated, from quotients.

The windows that hold a site are cut into runs, and the product of each run is tabulated as that of
merged windows are; a row of quotients for each code says what a change makes of it::

    site n             x                      all in one run: a row for each code of 5 sites,
    windows      [. . x] [. x .] [x . .]      two runs: rows for 4 sites and for 3
    their sites   . . x . .

On a lattice runs are products of runs along the axes. Entries that are zero, or too far apart for
quotients of floats, are left to `table_ratios`.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from ..geometry.branches import Branches, Level, combine, folded_branches, sites_level
from ..kernels.compiled import as_rows
from ..kernels.flips import FlipSteps, divide_rows, flip_ratios
from ..kernels.lookup import products_of_rows
from ..kernels.row_sums import filled
from .lookup import Lookup
from .quick_tables import quick_table
from .table_steps import merged_steps

DOUBLE = {"float32": "float64", "complex64": "complex128"}
FAR = 400  # powers of two by which a change may change a channel


class Runs(NamedTuple):
    """The runs of windows that hold each site of an axis.

    Site ``n`` has runs ``starts[n]`` to ``starts[n + 1]``, positions of ``level``; it stands at
    ``places`` of their windows. ``kept`` is how many of their last sites are those of the run
    before, of site ``n - 1``, moved by one or more.
    """

    level: Level
    starts: tuple[int, ...]
    places: tuple[int, ...]
    kept: tuple[int, ...]


@functools.lru_cache(64)
def runs_of(level, size):
    """The `Runs` of at most ``size`` windows of a level along an axis."""
    holders = {}
    for p, window in enumerate(level.windows):
        for place, site in enumerate(window):
            holders.setdefault(site, []).append((-place, p))
    runs, sites, starts = [], [], [0]
    for n in range(len(holders)):
        windows = [p for _, p in sorted(holders[n])]
        parts = -(-len(windows) // size)
        edges = [len(windows) * i // parts for i in range(parts + 1)]
        runs.extend(
            [((j, None), p) for j, p in enumerate(windows[a:b])]
            for a, b in itertools.pairwise(edges)
        )
        sites.extend([n] * parts)
        starts.append(len(runs))
    merged = combine(level, runs)
    places = tuple(window.index(n) for window, n in zip(merged.windows, sites))
    kept = []
    for i, n in enumerate(sites):
        j = i - starts[n]
        there = n > 0 and starts[n - 1] + j < starts[n]
        kept.append(_overlap(merged.windows[starts[n - 1] + j], merged.windows[i]) if there else 0)
    return Runs(merged, tuple(starts), places, tuple(kept))


def _overlap(before, window):
    """How many last sites of one window are the first of another, fewer than all."""
    for count in range(min(len(before), len(window) - 1), 0, -1):
        if before[len(before) - count :] == window[:count]:
            return count
    return 0


class FlipPlan(NamedTuple):
    """Runs along each axis, as `Branches`, and the tables of quotients that they need.

    ``axes`` are two: a chain has a second one of one site. ``kinds`` are the numbers of a kind,
    the place of the site that changes, and the first row of their quotients, by the kind and place
    along each axis; ``rows`` is how many rows of quotients there are for one change of a digit.
    """

    axes: tuple[Runs, Runs]
    branches: Branches
    kinds: dict
    rows: int


@functools.lru_cache(64)
def flip_plan(geometry, sizes):
    """The `FlipPlan` of a geometry, at most ``sizes`` windows in a run, per axis."""
    runs = list(map(runs_of, folded_branches(geometry).levels, sizes))
    branches = Branches(axis.level for axis in runs)
    first, last = axes = (*runs, runs_of(sites_level(1), 1))[:2]
    kinds, rows = {}, 0
    for (a, x), (b, y) in itertools.product(*map(_distinct, axes)):
        width = last.level.kinds[b].width
        kinds[a, x, b, y] = a * len(last.level.kinds) + b, x * width + y, rows
        rows += geometry.phys_dim ** (first.level.kinds[a].width * width)
    return FlipPlan(axes, branches, kinds, rows)


def _distinct(axis):
    """The pairs of a kind and the place of the site that changes, along an axis."""
    return sorted(set(zip(axis.level.kind_of, axis.places)))


@functools.lru_cache(64)
def flip_steps(geometry, sizes, sites, added):
    """The `FlipSteps` of changes of ``sites`` (int64, as bytes), by what is ``added``."""
    sites, added = np.frombuffer(sites, np.int64), np.frombuffer(added, np.int64)
    (first, last), _, kinds, rows = flip_plan(geometry, sizes)
    M, width = geometry.phys_dim, geometry.shape[1] if geometry.ndim == 2 else 1
    order = np.lexsort((added, sites // width, sites % width))  # sites move along the first axis
    starts, offsets, keep, reads, read, before = [0], [], [], [0], [], None
    for n, a in zip(sites[order].tolist(), added[order].tolist()):
        x, y = divmod(n, width)
        for i, j in itertools.product(_some(first, x), _some(last, y)):
            long, short = first.level.windows[i], last.level.windows[j]
            kept = len(long) if before == n else first.kept[i] if before == n - width else 0
            _, _, row = kinds[
                first.level.kind_of[i], first.places[i], last.level.kind_of[j], last.places[j]
            ]
            offsets.append((a - 1) * rows + row)
            keep.append(M ** (kept * len(short)))
            read.extend(p * width + q for p in long[kept:] for q in short)
            reads.append(len(read))
        starts.append(len(offsets))
        before = n
    as_int32 = lambda x: np.array(x, np.int32)
    arrays = map(as_int32, (order, starts, offsets, keep, reads, read))
    return FlipSteps._make((*arrays, int(np.diff(starts).max(initial=1))))


def _some(axis, n):
    """The runs of a site."""
    return range(axis.starts[n], axis.starts[n + 1])


@functools.lru_cache(64)
def _steps(geometry, sizes):
    """How the tables of all runs are made."""
    return merged_steps(geometry, flip_plan(geometry, sizes).branches)


class FlipTables:
    """Quotients for changes of single sites, and the look-up of all windows.

    ``held`` says whether floats hold all of it.

    Parameters
    ----------
    net : ConvAC
    masks : Masks
        Of one site each.
    sizes : tuple[int]
        The most windows of a run, per axis.
    group : tuple[int]
        How many neighbouring windows are merged in the look-up.
    """

    def __init__(self, net, masks, sizes, group):
        self.largest = float(np.finfo(net.dtype).max)
        if net.dtype in DOUBLE:
            net = net.to(backend="numpy", dtype=DOUBLE[net.dtype])
        self.geometry, self.sizes, self.lookup = net.geometry, sizes, Lookup(net, group)
        self.steps = flip_steps(net.geometry, sizes, masks.sites.tobytes(), masks.added.tobytes())
        self.table = quick_table(net, sizes, steps=_steps(net.geometry, sizes))
        self.held = self._even() and self.table is not None
        self.held = self.held and 2 * self.table.bits * self.steps.most <= FAR
        self.held = self.held and bool((self.table.mantissa != 0).all())

    def _even(self):
        """Whether one product of all rows, and the sum of all channels, is held by floats."""
        lookup = self.lookup
        return lookup.room and lookup.count <= lookup.room and lookup.vector is not None

    def _quotients(self):
        """The quotients of all kinds, ``((M - 1) rows, r)``, filled up with ones."""
        table, M = as_rows(self.table.mantissa), self.geometry.phys_dim
        _, _, kinds, rows = flip_plan(self.geometry, self.sizes)
        starts = self.table.steps.offsets.tolist() + [len(table)]
        width = table.shape[1]
        out = np.empty(((M - 1) * rows, filled(width, table.itemsize)), table.dtype)
        out[:, width:] = 1
        for kind, place, row in kinds.values():
            begin, count = starts[kind], starts[kind + 1] - starts[kind]
            stride = count // M ** (place + 1)
            for a in range(1, M):
                first = (a - 1) * rows + row
                divide_rows(table, begin, count, stride, M, a, out[first : first + count, :width])
        return out

    def loop(self):
        """The compiled loop, as a function ``(x, start, stop, out, unsure)``.

        If ``out`` has shape ``(B, N, phys_dim)``, the changes must be those of `flips_of`.
        """
        lookup, steps, M, largest = self.lookup, self.steps, self.geometry.phys_dim, self.largest
        (vector, _), quotients = lookup.summed, self._quotients()
        products = products_of_rows(lookup.pieces, M, lookup.rows)

        def _loop(x, start, stop, out, unsure):
            flip_ratios(
                x,
                start,
                stop,
                M,
                vector,
                products(x, start, stop),
                quotients,
                steps,
                largest,
                out.ndim == 3,
                out.reshape(len(out), -1),
                unsure,
            )

        return _loop
