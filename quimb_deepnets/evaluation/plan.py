"""How to evaluate a batch of amplitudes: which layers to tabulate, decided in integers.

A layer whose windows hold few sites has fewer inputs than a batch has positions: its outputs are
then computed once for each code of a window, and looked up. Above the last table the layers are
computed one by one, or, if even the folded last layer fits, there is nothing left to compute::

    sites -> layer 1 -> layer 2 -> | -> layer 3 -> layer 4 -> product -> read-out
             `--- tabulated ----'      `-- computed for each configuration --'

    sites -> layer 1 -> ... -> folded layer, neighbours merged -> | -> product -> read-out
             `------------------- tabulated ------------------'
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

from ..errors import BudgetError, OptionError
from ..geometry.branches import Branches, branches_of, folded_branches, grouped_level
from ..geometry.layers import as_sizes, broadcast
from ..numerics.shown import Shown
from .machine import CPU, Machine


@dataclass(frozen=True)
class Plan(Shown):
    """What is done to evaluate a batch of amplitudes.

    Attributes
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        The network that it is for.
    batch : int
        Number of configurations.
    level : int
        Layers 1..level are tabulated; ``depth`` means that all are, the last one folded.
    group : tuple[int] or None
        How many neighbouring windows share a row, per dimension, if all layers are tabulated.
    chunk : int
        How many configurations are evaluated together.
    chunk_bytes : int
        Size of the largest array of a chunk.
    table_bytes : int
        Size of the tables that are looked up.
    table_flops : int
        Multiplications and additions in matrix products to build them, once per call.
    flops : int
        Multiplications and additions in matrix products for each amplitude.
    lookups : int
        Rows that each amplitude looks up.
    cost : float
        Estimated nanoseconds for the batch; only good for comparing plans.
    lines : tuple[str]
        What is done, in words.
    machine : Machine
        Whose costs these are.
    """

    geometry: object
    batch: int
    level: int
    group: tuple | None
    chunk: int
    chunk_bytes: int
    table_bytes: int
    table_flops: int
    flops: int
    lookups: int
    cost: float
    lines: tuple = ()
    machine: Machine = CPU

    def __repr__(self):
        return "\n".join(
            (
                f"Plan for {self.batch} amplitudes, {self.chunk} at a time:",
                *(f"  {line}" for line in self.lines),
                f"  tables: {self.table_bytes} bytes, {self.table_flops} flops once",
                f"  each amplitude: {self.lookups} look-ups, {self.flops} flops in matrix products",
                f"  chosen by the costs of a {self.machine.name}",
            )
        )


def make_plan(geometry, batch, itemsize=8, level=None, group=None, machine=CPU):
    """The cheapest `Plan` to evaluate ``batch`` amplitudes of a convolutional geometry.

    Parameters
    ----------
    geometry : ConvGeometry
    batch : int
    itemsize : int, optional
        Bytes of a number.
    level : int, optional
        Tabulate just the layers up to this one; by default the cheapest choice.
    group : tuple[int], optional
        Merge just so many neighbouring windows, per dimension.
    machine : Machine, optional
        What things cost.
    """
    plans = []
    tables = TableSizes(geometry, itemsize, machine)
    for t in range(geometry.depth) if level is None else (level,):
        if t < geometry.depth:
            if t and len(tables.below) <= t:
                break
            plans.append(_layerwise(geometry, batch, itemsize, t, tables, machine))
    if level in (None, geometry.depth):
        plans.extend(_tabulated(geometry, batch, itemsize, tables, group, machine))
    return min(plans, key=lambda plan: plan.cost, default=None)


cached_plan = functools.lru_cache(256)(make_plan)


def check_plan(geometry, batch, itemsize, level, group, machine):
    """The `Plan` that a user asks for, or an error that says why it cannot be had."""
    whole = hasattr(level, "__index__") and not isinstance(level, bool)
    if level is not None and not (whole and 0 <= level <= geometry.depth):
        raise OptionError(
            f"level={level!r} is not a level of {geometry.depth} layers; use 0 (no table) to "
            f"{geometry.depth} (all of them, the last one folded)."
        )
    if group is not None:
        if level not in (None, geometry.depth):
            raise OptionError(
                f"group={group!r} merges windows of the folded last layer, but level={level} "
                f"stops below it; use level={geometry.depth}."
            )
        level, group = geometry.depth, broadcast("group", as_sizes("group", group), geometry.ndim)
    plan = make_plan(geometry, batch, itemsize, level, group, machine)
    if plan is None:
        raise BudgetError(
            f"the tables of level={level}, group={group} need more than the "
            f"{machine.max_table} bytes allowed; use a lower level, or leave it to the plan."
        )
    return plan


@dataclass(frozen=True)
class TableSizes:
    """Sizes of the tables of each level, in rows, bytes, flops and nanoseconds."""

    geometry: Any
    itemsize: int
    machine: Machine

    def fit(self, l):
        """Whether the tables of layer ``l`` (not folded) are small enough to think of."""
        need = self.bytes(branches_of(self.geometry, l), self.geometry.bond_dim(l))
        return need <= self.machine.max_table

    def bytes(self, branches, bond_dim):
        """Bytes of the tables of all kinds."""
        return self.rows(branches) * bond_dim * self.itemsize

    def rows(self, branches):
        """Rows of the tables of all kinds."""
        phys_dim = self.geometry.phys_dim
        return sum(phys_dim ** branches.width(kind) for kind in branches.kinds)

    def build(self, l, branches):
        """Flops and nanoseconds to make the tables of layer ``l`` from those below."""
        g = self.geometry
        below = branches_of(g, l - 1)
        flops = cost = 0
        for kind in branches.kinds:
            rows = g.phys_dim ** branches.width(kind)
            for part in branches.parts(kind):
                inputs = g.phys_dim ** below.width(part.child) if part.child is not None else 1
                if l > 1:  # the rows of the first layer are those of its matrices
                    flops += 2 * inputs * g.bond_dim(l) * g.bond_dim(l - 1)
                cost += 2 * rows * g.bond_dim(l) * self.machine.element + self.machine.part
        return flops, cost + flops * self.machine.flop

    @functools.cached_property
    def below(self):
        """Flops and nanoseconds to make the tables of layers 1..l, as a list over l."""
        total, sums = (0, 0), [(0, 0)]
        for l in range(1, self.geometry.depth):
            if not self.fit(l):
                break
            flops, cost = self.build(l, branches_of(self.geometry, l))
            total = total[0] + flops, total[1] + cost
            sums.append(total)
        return sums


def _layerwise(geometry, batch, itemsize, t, tables, machine):
    """Layers up to ``t`` looked up, the rest computed."""
    g = geometry
    branches = branches_of(g, t)
    size = tables.bytes(branches, g.bond_dim(t)) if t else 0
    widest = max(_volume(g, l) * g.bond_dim(l) for l in range(t, g.depth + 1))
    chunk = max(1, min(batch, 16 * machine.chunk // (itemsize * widest) or 1))
    calls = -(-batch // chunk)
    table_flops, cost = tables.below[t] if t < len(tables.below) else (0, 0)
    cost += 0 if t else 2 * g.phys_dim**2 * machine.element  # one-hot vectors of the sites
    positions = _volume(g, t)
    each = branches.width((0,) * g.ndim) * machine.digit + g.bond_dim(t) * machine.element
    cost += batch * positions * each
    lines = [f"layers 1..{t} looked up, {size} bytes"] if t else []
    flops = 0
    for l in range(t + 1, g.depth + 1):
        taps = _taps(g, l)
        each = 2 * _volume(g, l - 1) * taps * g.bond_dim(l) * g.bond_dim(l - 1)
        products = _volume(g, l) * taps * g.bond_dim(l) * machine.element
        cost += batch * (each * machine.flop + products)
        cost += calls * taps * 4 * machine.call
        flops += each
        lines.append(f"layer {l} computed at {_volume(g, l)} positions, {each} flops each time")
    return Plan(
        geometry=g,
        batch=batch,
        level=t,
        group=None,
        chunk=chunk,
        chunk_bytes=chunk * widest * itemsize,
        table_bytes=size,
        table_flops=table_flops,
        flops=flops,
        lookups=positions,
        cost=cost,
        lines=tuple(lines),
        machine=machine,
    )


def _tabulated(geometry, batch, itemsize, tables, group, machine):
    """All layers looked up, the last one folded, neighbours merged more and more."""
    g = geometry
    if len(tables.below) < g.depth:
        return
    bond_dim = g.bond_dim(g.depth)
    folded = folded_branches(g)
    if tables.bytes(folded, bond_dim) > machine.max_table:
        return
    base_flops, base_cost = tables.build(g.depth, folded)
    flops, cost = (a + b for a, b in zip((base_flops, base_cost), tables.below[-1]))
    chunk = min(batch, max(16, machine.chunk // (itemsize * bond_dim)))
    if machine.row:  # a loop holds a few rows at a time, whatever the batch
        chunk = batch
    for sizes in _groups(folded, tables, bond_dim) if group is None else (group,):
        merged = grouped(folded, sizes)
        size = tables.bytes(merged, bond_dim)
        if size > machine.max_table:
            break
        rows, count = tables.rows(merged), merged.num_positions
        width = max(map(merged.width, merged.kinds))
        members = math.prod(sizes)
        build = machine.merge(rows, bond_dim, members)
        build += merged.num_kinds * members * machine.part
        each = count * machine.look_up(width, bond_dim * itemsize, size, bond_dim)
        calls = 10 if machine.row else -(-batch // max(chunk, 1)) * (count + width) * 2
        line = (
            f"all layers looked up, the last one folded; {'x'.join(map(str, sizes))} windows "
            f"merged into rows of up to {width} sites"
        )
        yield Plan(
            geometry=g,
            batch=batch,
            level=g.depth,
            group=tuple(sizes),
            chunk=chunk,
            chunk_bytes=(1 if machine.row else chunk) * bond_dim * itemsize,
            table_bytes=size,
            table_flops=flops,
            flops=0,
            lookups=count,
            cost=cost + build + batch * each + calls * machine.call,
            lines=(line,),
            machine=machine,
        )


def recurrent_plan(geometry, batch, itemsize=8, machine=CPU):
    """The `Plan` of a RAC: the first input layer looked up, step after step for a chunk."""
    g = geometry
    chunk = max(1, min(batch, max(64, machine.chunk // (itemsize * g.bond_dim))))
    flops = 2 * g.L * (2 * g.depth - 1) * g.bond_dim**2
    line = f"{g.L} steps of {g.depth} layers, WI1 looked up, the other matrices multiplied"
    return Plan(
        geometry=g,
        batch=batch,
        level=0,
        group=None,
        chunk=chunk,
        chunk_bytes=chunk * g.bond_dim * itemsize,
        table_bytes=g.phys_dim * g.bond_dim * itemsize,
        table_flops=2 * g.phys_dim**2 * g.bond_dim,
        flops=flops,
        lookups=g.L,
        cost=batch * flops * machine.flop + g.L * g.depth * 4 * machine.call * -(-batch // chunk),
        lines=(line,),
        machine=machine,
    )


def grouped(folded, sizes):
    """The `Branches` of runs (blocks) of neighbours, ``sizes`` of them per dimension."""
    if set(sizes) == {1}:
        return folded
    return Branches(grouped_level(level, s) for level, s in zip(folded.levels, sizes))


def _groups(folded, tables, bond_dim):
    """Sizes of merged blocks of windows to try, along all axes, as long as their tables fit."""
    longest = [len(level.kind_of) for level in folded.levels]
    fits = lambda sizes: tables.bytes(grouped(folded, sizes), bond_dim) <= tables.machine.max_table
    for lead in range(1, longest[0] + 1 if len(longest) > 1 else 2):
        for last in range(1, longest[-1] + 1):
            sizes = (lead, last)[-len(longest) :]
            if not fits(sizes):
                break
            yield sizes
        if last == 1:
            return


def _volume(geometry, l):
    return math.prod(geometry.layer_shape(l))


def _taps(geometry, l):
    return math.prod(geometry.kernel(l))
