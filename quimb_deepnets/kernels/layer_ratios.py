"""Ratios of amplitudes of layers: for each mask the touched nodes of each layer, computed again.

A mask touches the same nodes of all configurations, so a block of these is done at once, as
`layers` does them. New nodes lie behind the old ones, and layers read from both::

    level 0    [old nodes | ones | new]    rows of a table, configurations last
                  \\ taps, products /
    level 1    [old nodes | ones | new]    new: those that read a new one below
      ...
    factors    [old nodes | ones | new]    F = prod of what the last taps make of a node

    psi = sum_c w_c prod_nodes F_c         ratio = sum_c share_c prod_new F'_c / F_c

Nodes have a power of two for each configuration. What floats cannot hold is marked, to be done
otherwise.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import lean_loop
from .layers import multiply_positions, multiply_taps
from .ratios import shares
from .tiles import BYTES, OUTS

SMALL = 2.0**-400  # of channels of a node, the largest of size 1: so a factor changes by less
FAR = 2.0**-600  # of all changes together, so that no factor leads beyond floats
BOUND = 500  # powers of two of shares
LEAST = 2.0**-900  # of a sum: terms below the range of floats do not count
CACHE = 2**21  # bytes of a block


class Stack(NamedTuple):
    """The layers above a table, arrays of layers flat, one after the other.

    Level ``i`` has ``sizes[i]`` nodes of ``rows[i]`` rows, the first ``counts[i]`` of them numbers
    or parts of numbers. Layer ``i`` has ``kernels[i]`` taps and leads to level ``i + 1``, the last
    one to the factors of its nodes: its ``taps`` ``(sizes[i + 1], kernels[i])`` are nodes of level
    ``i``, -1 for no factor; ``weights`` are tiles, and products may have ``every`` factors before
    a rescale. The rows of the table ``(rows, counts[0])`` have exponents ``scale``; window ``j``
    stands for node ``nodes[j]``.
    """

    sizes: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    kernels: np.ndarray
    every: np.ndarray
    weights: np.ndarray
    taps: np.ndarray
    table: np.ndarray
    scale: np.ndarray
    nodes: np.ndarray
    sites: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    readout: np.ndarray
    powers: np.ndarray


class Nodes(NamedTuple):
    """The touched nodes of all levels but the first: mask ``i`` those of ``starts[level - 1, i]``.

    ``starts`` has shape ``(levels, m + 1)``, ``nodes`` is flat; ``most`` of them, or fewer, are
    touched in a level, the first one included.
    """

    starts: np.ndarray
    nodes: np.ndarray
    most: np.ndarray


class Space(NamedTuple):
    """Where levels, weights and taps lie in flat arrays, and arrays for a block of b.

    ``rank`` is where a node stands among the touched ones, -1 for others; ``every`` are all.
    ``first (2, levels)`` is where old and new nodes begin; ``bottom`` and ``top`` are ``y`` and
    ``e`` of the first and the last level.
    """

    y_at: np.ndarray
    e_at: np.ndarray
    w_at: np.ndarray
    t_at: np.ndarray
    y: np.ndarray
    e: np.ndarray
    rank: np.ndarray
    every: np.ndarray
    reads: np.ndarray
    sizes: np.ndarray
    one: np.ndarray
    first: np.ndarray
    bottom: tuple
    top: tuple


class Scratch(NamedTuple):
    """More arrays for a block: what is read ``(N, b)`` and ``(P, b)``, numbers as rows ``(., b)``.

    ``found`` are two arrays of numbers ``(r,)``, and the same ones as rows ``(rows,)``.
    """

    digits: np.ndarray
    codes: np.ndarray
    code: np.ndarray
    inverse: np.ndarray
    share: np.ndarray
    products: np.ndarray
    powers: np.ndarray
    change: np.ndarray
    columns: np.ndarray
    state: np.ndarray
    found: np.ndarray
    parts: np.ndarray
    whole: np.ndarray


def work_arrays(stack, nodes, nsites, count):
    """`Space` and `Scratch` of a thread: blocks of configurations that share the cache."""
    places = stack.sizes + 1 + nodes.most
    lanes = BYTES // stack.weights.itemsize
    fit = max(1, CACHE // (8 * (places * (stack.rows + 1)).sum()) // lanes)
    parts = max(1, -(-count // lanes))  # of a block: equal blocks of few enough
    b = -(-parts // -(-parts // fit)) * lanes
    starts = lambda counts: np.concatenate(([0], np.cumsum(counts)))
    largest, kernel, rows = max(*stack.sizes, *nodes.most), stack.kernels.max(), stack.counts[-1]
    y_at, e_at = starts(places * stack.rows * b), starts(places)
    y, e = np.zeros(y_at[-1], stack.weights.dtype), np.zeros((e_at[-1], b))
    levels = [
        (y[y_at[i] : y_at[i + 1]].reshape(-1, rows, b), e[e_at[i] : e_at[i + 1]])
        for i, rows in enumerate(stack.rows)
    ]
    step = 1 if stack.readout.dtype.kind == "f" else 2
    for (level, _), size, count in zip(levels, stack.sizes, stack.counts):
        level[size, :count:step] = 1
    space = Space(
        y_at,
        e_at,
        starts(stack.kernels * stack.rows[1:] * stack.counts[:-1]),
        starts(stack.sizes[1:] * stack.kernels),
        y,
        e,
        np.full(e_at[-1], -1),
        np.arange(largest, dtype=np.int32),
        np.empty((largest, kernel), np.int32),
        np.empty((3, b)),
        np.zeros(kernel),
        np.stack((0 * stack.sizes, stack.sizes + 1)),
        levels[0],
        levels[-1],
    )
    found = np.empty((2, len(stack.readout)), stack.readout.dtype)
    share, products, powers, change = np.empty((4, rows, b))
    work = Scratch(
        np.empty((nsites, b), np.int64),
        np.empty((len(stack.nodes), b), np.int64),
        np.empty(b, np.int64),
        np.empty((stack.sizes[-1], rows, b)),
        *(share, products, powers, change),
        np.empty((5, b)),
        np.empty(b, np.int64),
        found,
        found.view(float),
        np.zeros((2, len(stack.readout)), np.int64),
    )
    return space, work


@lean_loop
def _level(stack, space, level):
    """The nodes of a level, ``(nodes, rows, b)``, and their exponents ``(nodes, b)``."""
    e = space.e[space.e_at[level] : space.e_at[level + 1]]
    y = space.y[space.y_at[level] : space.y_at[level + 1]]
    return y.reshape((len(e), stack.rows[level], e.shape[1])), e


@lean_loop
def _compute(stack, space, layer, nodes, first, parts):
    """These nodes above a layer, into places from ``first`` on; whether floats hold them."""
    below, e = _level(stack, space, layer)
    y, new = _level(stack, space, layer + 1)
    kernel, size, rank = stack.kernels[layer], stack.sizes[layer], space.rank[space.e_at[layer] :]
    taps = stack.taps[space.t_at[layer] : space.t_at[layer + 1]].reshape((-1, kernel))
    reads = space.reads.reshape(-1)[: len(nodes) * kernel].reshape((len(nodes), kernel))
    for n in range(len(nodes)):
        for k in range(kernel):
            q = taps[nodes[n], k]
            reads[n, k] = q if q < 0 or rank[q] < 0 else size + 1 + rank[q]
    tiles, inputs = stack.rows[layer + 1] // OUTS, stack.counts[layer]
    w = stack.weights[space.w_at[layer] : space.w_at[layer + 1]]
    w = w.reshape((kernel, tiles, inputs, OUTS))
    count, every, one = stack.counts[layer + 1], stack.every[layer], space.one
    y, new = y[first : first + len(nodes)], new[first : first + len(nodes)]
    return multiply_taps(
        below, e, w, one, 0, reads, count, parts, every, SMALL, space.sizes, y, new
    )


@lean_loop
def _gather(table, scale, offset, codes, y, exponent):
    """The rows that a window selects, ``(rows, b)``."""
    for x in range(len(codes)):
        row = offset + codes[x]
        exponent[x] = scale[row]
        for c in range(table.shape[1]):
            y[c, x] = table[row, c]


@lean_loop
def _read(x, begin, stop, phys_dim, sites, starts, digits, codes):
    """The digits ``(N, b)`` of a block, and codes ``(P, b)``; the last one fills it up."""
    for n in range(len(digits)):
        for i in range(digits.shape[1]):
            digits[n, i] = x[n, min(begin + i, stop - 1)]
    for p in range(len(codes)):
        code = codes[p]
        code[:] = 0
        for j in range(starts[p], starts[p + 1]):
            digit = digits[sites[j]]
            for i in range(len(code)):
                code[i] = code[i] * phys_dim + digit[i]


@lean_loop
def _move(digits, phys_dim, first, last, sites, added, strides, code):
    """Codes after moves ``first`` to ``last``."""
    for move in range(first, last):
        digit = digits[sites[move]]
        for i in range(len(code)):
            new = digit[i] + added[move]
            new -= phys_dim if new >= phys_dim else 0
            code[i] += (new - digit[i]) * strides[move]


@lean_loop
def _invert(y, count, parts, inverse):
    """One over the first numbers of a node ``(rows, b)``."""
    for c in range(0, count, parts):
        for x in range(y.shape[1]):
            if parts == 2:
                re, im = y[c, x], y[c + 1, x]
                size = re * re + im * im
                inverse[c, x], inverse[c + 1, x] = re / size, -im / size
            else:
                inverse[c, x] = 1 / y[c, x]


@lean_loop
def _multiply(y, inverse, parts, change, high, low):
    """Multiply changes by a new factor over the old one; how large and small they have been."""
    for c in range(0, len(change), parts):
        if parts == 2:
            for x in range(change.shape[1]):
                a, b, p, q = y[c, x], y[c + 1, x], inverse[c, x], inverse[c + 1, x]
                a, b = a * p - b * q, a * q + b * p
                p, q = change[c, x], change[c + 1, x]
                a, b = a * p - b * q, a * q + b * p
                change[c, x], change[c + 1, x] = a, b
                size = max(abs(a), abs(b))
                high[x] = max(high[x], size)
                low[x] = min(low[x], size)
        else:
            for x in range(change.shape[1]):
                a = change[c, x] * (y[c, x] * inverse[c, x])
                change[c, x] = a
                a = abs(a)
                high[x] = a if a > high[x] else high[x]
                low[x] = a if a < low[x] else low[x]


@lean_loop
def _sum(share, change, parts, re, im):
    """``sum_c share_c change_c``, real and imaginary parts ``(b,)``."""
    re[:] = 0
    im[:] = 0
    for c in range(0, len(change), parts):
        for x in range(len(re)):
            if parts == 2:
                a, b, p, q = share[c, x], share[c + 1, x], change[c, x], change[c + 1, x]
                re[x] += a * p - b * q
                im[x] += a * q + b * p
            else:
                re[x] += share[c, x] * change[c, x]


@lean_loop
def _all_shares(stack, work, parts):
    """The share of each channel ``(rows, b)``, and what `shares` says of them ``(b,)``."""
    rest, found = work.found[0], work.found[1]
    power, dead = work.whole[0], work.whole[1]
    for x in range(len(work.state)):
        for c in range(len(rest)):
            power[c] = np.int64(work.powers[c * parts, x])
        for c in range(len(work.share)):
            work.parts[0, c] = work.products[c, x]
        work.state[x] = shares(rest, power, dead, stack.readout, stack.powers, BOUND, found)
        for c in range(len(work.share)):
            work.share[c, x] = work.parts[1, c]


@lean_loop
def _write(re, im, power, high, low, state, parts, largest, out, begin, size, column, unsure):
    """The ratios of a mask, where they are held."""
    for x in range(size):
        if state[x] >= 2:
            continue
        total, other = re[x], im[x]
        found = max(abs(total), abs(other))
        held = high[x] <= 1 / FAR and low[x] >= FAR
        held &= found >= LEAST or low[x] >= SMALL  # terms are not below 2**-BOUND * SMALL
        held &= state[x] == 0 or found >= high[x] * 2.0 ** (64 - BOUND)
        shift = int(min(max(power[x], -9999.0), 9999.0))
        total, other = math.ldexp(total, shift), math.ldexp(other, shift)
        found = max(abs(total), abs(other))
        if held and found <= largest:
            out[begin + x, column * parts] = total
            out[begin + x, (column + 1) * parts - 1] = other if parts == 2 else total
        else:
            unsure[begin + x] = True


@lean_loop
def _all_nodes(stack, space, codes, parts):
    """All nodes of a block, and the factors of the last product; whether floats hold them."""
    y, e = space.bottom
    for j in range(len(codes)):
        p = stack.nodes[j]
        _gather(stack.table, stack.scale, stack.offsets[j], codes[j], y[p], e[p])
    held = True
    for layer in range(len(stack.kernels)):
        every = space.every[: stack.sizes[layer + 1]]
        held &= _compute(stack, space, layer, every, space.first[0, layer + 1], parts)
    return held


@lean_loop
def _new_nodes(phys_dim, stack, touches, nodes, space, work, mask, parts):
    """The nodes that a mask touches, behind the old ones; whether floats hold them."""
    y, e = space.bottom
    code, held, D = work.code, True, len(stack.kernels)
    start, end = touches.starts[mask], touches.starts[mask + 1]
    for t in range(start, end):
        j, place = touches.windows[t], stack.sizes[0] + 1 + t - start
        for k in range(len(code)):
            code[k] = work.codes[j, k]
        moves = touches.moves[t], touches.moves[t + 1]
        _move(work.digits, phys_dim, *moves, touches.sites, touches.added, touches.strides, code)
        _gather(stack.table, stack.scale, stack.offsets[j], code, y[place], e[place])
        space.rank[stack.nodes[j]] = t - start
    for layer in range(D):
        above = nodes.nodes[nodes.starts[layer, mask] : nodes.starts[layer, mask + 1]]
        held &= _compute(stack, space, layer, above, space.first[1, layer + 1], parts)
        if layer + 1 < D:
            for n in range(len(above)):
                space.rank[space.e_at[layer + 1] + above[n]] = n
    space.rank[:] = -1
    return held


@lean_loop
def _changes(stack, nodes, space, work, mask, parts):
    """The product of new over old factors, channel by channel, and its powers of two."""
    factors, f = space.top
    D, change = len(stack.kernels), work.change
    new = stack.sizes[D] + 1
    power, high, low = work.columns[0], work.columns[1], work.columns[2]
    change[:] = 0
    change[::parts] = 1
    power[:] = 0
    high[:] = 1
    low[:] = 1
    first, last = nodes.starts[D - 1, mask], nodes.starts[D - 1, mask + 1]
    for n in range(last - first):
        p = nodes.nodes[first + n]
        for k in range(len(power)):
            power[k] += f[new + n, k] - f[p, k]
        _multiply(factors[new + n], work.inverse[p], parts, change, high, low)


@lean_loop
def layer_ratios(
    x, first, last, phys_dim, stack, touches, nodes, space, work, largest, out, unsure
):
    """The ratios of masks for configurations ``first`` to ``last``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    first, last, phys_dim : int
    stack : Stack
    touches : Touches
        Of the windows of level 0.
    nodes : Nodes
        Of all levels above, masks in the order of ``touches``.
    space, work : Space, Scratch
        No two threads share them.
    largest : float
        What the dtype of ``out`` holds.
    out : array, shape (B, m) or (B, 2 m)
        Numbers, or pairs of parts.
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held or not exact.
    """
    D, m = len(stack.kernels), len(touches.order)
    b, count = space.e.shape[1], stack.counts[D]
    parts = count // len(stack.readout)
    factors, f = space.top
    old, new = stack.sizes[D], stack.sizes[D] + 1
    digits, codes, inverse, state = work.digits, work.codes, work.inverse, work.state
    columns = work.columns
    power, high, low, re, im = columns[0], columns[1], columns[2], columns[3], columns[4]
    for begin in range(first, last, b):
        size = min(b, last - begin)
        _read(x, begin, last, phys_dim, stack.sites, stack.starts, digits, codes)
        if not _all_nodes(stack, space, codes, parts):
            unsure[begin : begin + size] = True
            continue
        multiply_positions(
            factors[:new], f[:new], count, parts, space.sizes, work.products, work.powers
        )
        _all_shares(stack, work, parts)
        for p in range(old):
            _invert(factors[p], count, parts, inverse[p])
        for i in range(size):
            if state[i] >= 2:
                out[begin + i] = math.nan
                unsure[begin + i] = state[i] == 2
        for i in range(m):
            if not _new_nodes(phys_dim, stack, touches, nodes, space, work, i, parts):
                unsure[begin : begin + size] = True
                continue
            _changes(stack, nodes, space, work, i, parts)
            _sum(work.share, work.change, parts, re, im)
            if touches.starts[i] == touches.starts[i + 1]:  # nothing changes
                re[:] = 1
                im[:] = 0
            column = touches.order[i]
            _write(
                re, im, power, high, low, state, parts, largest, out, begin, size, column, unsure
            )
