"""What ratios of masks cost by compiled loops, and how many windows to merge for them, in integers.

Merged windows are fewer, so that a mask touches fewer rows, but their tables grow: they must be
built, and should stay in the cache::

    merged    1    rows  M**3    a flip touches 3 windows   [. x .] [x . .] [. . x]
              2          M**4                   2           [. x . .] [. . . x]
              3          M**5                   1.7

Changes of single sites read quotients instead: one row for each run of windows that hold the site.
"""

import functools
import itertools
import math
from collections import Counter
from typing import NamedTuple

from ..geometry.branches import branch_levels, folded_branches
from .flip_tables import flip_plan
from .plan import TableSizes, cached_plan, grouped

# nanoseconds in compiled loops: a row, an element of it, a mask
ROW, ELEMENT, MASK = 10, 0.25, 15
# a tap of a node of a layer for a block of configurations; and for each of them, at least so many
BLOCK_TAP, BLOCK, TAP, FLOP, LANES = 60, 64, 1, 0.0225, 16
# and where all changed configurations are evaluated: one of them, and each of its sites
CHANGED, SITE = 50, 0.5
# of quotients: a change, a row, and a byte of it, where tables have up to so many bytes
FLIP, QUOTIENT = 2.2, 0.6
BYTE = ((2**19, 0.014), (2**22, 0.02), (math.inf, 0.05))


@functools.lru_cache(256)
def best_group(geometry, count, changed, batch, itemsize, machine):
    """The cheapest merging of windows for ratios of masks: ``(nanoseconds, group)``.

    There are ``count`` masks of so many ``changed`` sites together. Infinite and None where the
    tables would be too large.
    """
    g, tables = geometry, TableSizes(geometry, itemsize, machine)
    folded, best = folded_branches(g), (math.inf, None)
    r = g.bond_dim(g.depth)
    if len(tables.below) < g.depth or tables.bytes(folded, r) > machine.max_table:
        return best
    base = tables.below[-1][1] + tables.build(g.depth, folded)[1]
    for group in _groups(folded):
        merged = grouped(folded, group)
        size, windows = tables.bytes(merged, r), merged.num_positions
        if size > machine.max_table:
            continue
        build = tables.rows(merged) * r * math.prod(group) * 2 * machine.element
        build += merged.num_kinds * math.prod(group) * 4 * machine.call
        width = max(map(merged.width, merged.kinds))
        touched = changed * windows * width / math.prod(g.shape)
        miss = ELEMENT * (1 if size <= machine.cache // 4 else 2 if size <= machine.cache else 4)
        each = (windows + touched) * (ROW + r * miss) + count * MASK + windows * width
        best = min(best, (base + build + batch * each, group))
    return best


class FlipCost(NamedTuple):
    """Nanoseconds by quotients, the most windows of a run, and how many the look-up merges."""

    cost: float
    runs: tuple | None
    group: tuple | None


@functools.lru_cache(256)
def best_runs(geometry, count, batch, itemsize, machine):
    """The cheapest runs of windows for so many changes of single sites: their `FlipCost`.

    Infinite where no table is small enough.
    """
    g, tables, best = (
        geometry,
        TableSizes(geometry, itemsize, machine),
        FlipCost(math.inf, None, None),
    )
    whole = cached_plan(g, batch, itemsize, g.depth, None, machine)
    if whole is None or not machine.row:
        return best
    r, changes = g.bond_dim(g.depth), g.phys_dim - 1
    for runs in itertools.product(*map(_run_sizes, folded_branches(g).levels)):
        if _fewest_rows(g, runs) * r * itemsize > machine.max_table:
            continue
        plan = flip_plan(g, runs)
        rows = tables.rows(plan.branches)
        size = plan.rows * changes * r * max(8, itemsize)
        if max(size, rows * r * itemsize) > machine.max_table:
            continue
        byte = next(cost for most, cost in BYTE if size <= most)
        reads = plan.branches.num_positions / math.prod(g.shape)
        build = machine.merge(rows, r, math.prod(runs)) + machine.merge(changes * plan.rows, r, 1)
        each = count * (FLIP + reads * (QUOTIENT + r * max(8, itemsize) * byte))
        best = min(best, FlipCost(whole.cost + build + batch * each, runs, whole.group))
    return best


def _run_sizes(level):
    """Sizes of runs to try along an axis: all windows of a site, half of them, ..., each alone."""
    most = max(Counter(itertools.chain.from_iterable(level.windows)).values())
    return sorted({-(-most // parts) for parts in range(1, most + 1)})


def _fewest_rows(geometry, runs):
    """No fewer rows than these has the table of a run, somewhere."""
    widths = [
        max(map(len, level.windows)) + min(size, len(level.kind_of)) - 1
        for level, size in zip(folded_branches(geometry).levels, runs)
    ]
    widths = [min(width, length) for width, length in zip(widths, geometry.shape)]
    return geometry.phys_dim ** math.prod(widths)


def _groups(folded):
    """Sizes to try along each axis, as long as windows have a chance to fit a table."""
    sizes = [range(1, min(len(level.kind_of), 8) + 1) for level in folded.levels]
    return itertools.product(*sizes)


def changed_cost(nsites, count, batch):
    """Nanoseconds to make the changed configurations of so many masks, and ratios in the end."""
    return batch * count * (CHANGED + nsites * SITE)


@functools.lru_cache(256)
def layer_cost(geometry, level, changed, batch, itemsize, machine):
    """Nanoseconds for ratios of masks by changed nodes, with layers 1..level looked up."""
    tables = TableSizes(geometry, itemsize, machine).below[level][1]
    g, every, some = geometry, 0.0, 0.0
    for l in range(level + 1, g.depth + 1):
        flops = 2 * g.bond_dim(l - 1) * g.bond_dim(l)
        each = -(-batch // BLOCK) * BLOCK_TAP + max(batch, LANES) * (TAP + flops * FLOP)
        each *= math.prod(g.kernel(l))
        above = min(l, g.depth - 1)  # the last layer makes a factor of each node below
        every += math.prod(g.layer_shape(above)) * each
        some += _nodes_of_a_site(g, above) * each
    return tables + every + changed * some


def _nodes_of_a_site(geometry, l):
    """How many nodes of layer ``l`` have a site in their windows, on average."""
    held = 1.0
    for axis, length in zip(geometry.axes, geometry.shape):
        level = branch_levels(axis, geometry.shared, geometry.boundary)[l]
        held *= sum(map(len, level.windows)) / length
    return held
