"""Ratios of amplitudes of layers: for each mask the touched nodes of each layer, computed again.

All nodes of a configuration are computed once and kept, with what each tap makes of them. A mask
then needs the new nodes alone, and finds all others there::

    level 0   codes select rows of a table     y (nodes, r)      o o[o o]o o
    layer 1   z = y @ W, for all taps          z (nodes, K, r')   \\ | / \\ | /
    level 1   y' = prod_k z[node of tap k]     y (nodes, r')     o[o o o o]o       [touched]
      ...
    last      F = prod of z over the taps that read a node;      psi = sum_c w_c prod_nodes F_c

Nodes have a power of two each. What double precision cannot hold is marked, to be done otherwise.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import lean_loop, loop
from .ratios import new_code, read_codes, shares
from .rows import rescale, size_of

SMALL = 2.0**-400  # of channels of a node, the largest of size 1, and of all changes together
BOUND = 500  # powers of two of shares


class Stack(NamedTuple):
    """The layers above a table, all arrays flat, one after the other.

    Level ``i`` has ``sizes[i]`` nodes of ``dims[i]`` channels; layer ``i`` has ``kernels[i]`` taps
    and leads to level ``i + 1``, the last one to the product. ``weights`` of a layer are
    ``(dims[i], kernels[i] * dims[i + 1])``; ``outside`` is what a tap contributes where it finds
    no node; ``taps`` are ``(sizes[i + 1], kernels[i])`` nodes of level ``i``, -1 outside. The taps
    of the last layer that read node ``m`` are ``readers[read[m]:read[m + 1]]``. The rows of the
    table ``(rows, dims[0])`` have exponents ``scale``; window ``j`` stands for node ``nodes[j]``.
    """

    sizes: np.ndarray
    dims: np.ndarray
    kernels: np.ndarray
    weights: np.ndarray
    outside: np.ndarray
    taps: np.ndarray
    read: np.ndarray
    readers: np.ndarray
    table: np.ndarray
    scale: np.ndarray
    nodes: np.ndarray
    sites: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    readout: np.ndarray
    powers: np.ndarray


class Nodes(NamedTuple):
    """The touched nodes of levels 1, 2, ...: mask ``i`` of level ``l`` those of ``starts[l-1, i]``.

    ``starts`` has shape ``(levels - 1, m + 1)``, ``nodes`` is flat.
    """

    starts: np.ndarray
    nodes: np.ndarray


@loop
def _starts(counts):
    """Where parts of these sizes begin in a flat array, and the end."""
    out = np.zeros(len(counts) + 1, np.int64)
    for i in range(len(counts)):
        out[i + 1] = out[i] + counts[i]
    return out


@lean_loop
def _settled(y, at, r):
    """Scale the channels of a node to size 1: the power of two, and whether floats hold them."""
    high, low = 0.0, math.inf
    for c in range(at, at + r):
        size = size_of(y[c])
        high = max(high, size)
        if size > 0:
            low = min(low, size)
    if high == 0:
        return 0, True
    shift = math.frexp(high)[1]
    if shift > 900 or shift < -900:
        return 0, False
    factor = math.ldexp(1.0, -shift)
    for c in range(at, at + r):
        y[c] *= factor
    return shift, low >= high * SMALL


@lean_loop
def _product(y, at, r, count, which, spots, z, new, outside):
    """The product of channels that lie in three arrays, scaled: its power of two, and if held."""
    for k in range(count):
        source = z if which[k] == 0 else (new if which[k] == 1 else outside)
        spot = spots[k]
        if k == 0:
            for c in range(r):
                y[at + c] = source[spot + c]
        else:
            for c in range(r):
                y[at + c] *= source[spot + c]
    if count == 0:
        y[at : at + r] = 1
    for c in range(r):
        if y[at + c] == 0:  # is a factor zero too, or did they underflow?
            zero = False
            for k in range(count):
                source = z if which[k] == 0 else (new if which[k] == 1 else outside)
                zero = zero or source[spots[k] + c] == 0
            if not zero:
                return 0, False
    return _settled(y, at, r)


@lean_loop
def _node(taps, first, count, r, y, at, z, z_at, new, rank, up, outside, o_at, which, spots, e, f):
    """A node above a layer from old and new factors: its exponent, and whether it is held.

    Its taps are ``taps[first:first + count]``; ``rank[up + q]`` is where the factors of node ``q``
    stand among the new ones, -1 for those that stay; ``e`` and ``f`` are exponents of old and new.
    """
    power = 0
    for k in range(count):
        q = taps[first + k]
        if q < 0:
            which[k], spots[k] = 2, o_at + k * r
        elif rank[up + q] < 0:
            which[k], spots[k] = 0, z_at + (q * count + k) * r
            power += e[up + q]
        else:
            which[k], spots[k] = 1, z_at + (rank[up + q] * count + k) * r
            power += f[up + rank[up + q]]
    shift, held = _product(y, at, r, count, which, spots, z, new, outside)
    return power + shift, held


@lean_loop
def _factor(read, readers, m, place, kernel, r, y, at, z, z_at, which, spots, exponent):
    """What node ``m`` gives to the product over the last layer, from row ``place`` of its taps."""
    begin, count = read[m], read[m + 1] - read[m]
    for i in range(count):
        which[i] = 0
        spots[i] = z_at + (place * kernel + readers[begin + i]) * r
    shift, held = _product(y, at, r, count, which, spots, z, z, z)
    return count * exponent + shift, held


class Space(NamedTuple):
    """Where levels, what taps make of them, and exponents lie in flat arrays, and these arrays.

    ``y``, ``z`` and ``e`` are those of a configuration, ``new_y``, ``new_z`` and ``new_e`` of a
    mask; ``rank`` is where a node stands among the touched ones, -1 for others.
    """

    y_at: np.ndarray
    z_at: np.ndarray
    e_at: np.ndarray
    w_at: np.ndarray
    o_at: np.ndarray
    t_at: np.ndarray
    y: np.ndarray
    z: np.ndarray
    e: np.ndarray
    new_y: np.ndarray
    new_z: np.ndarray
    new_e: np.ndarray
    rank: np.ndarray
    which: np.ndarray
    spots: np.ndarray


@loop
def _taps(stack, space, layer, count, y, z):
    """What the taps of a layer make of the first nodes of the level below."""
    r, width = stack.dims[layer], stack.kernels[layer] * stack.dims[layer + 1]
    y_at, z_at, w_at = space.y_at[layer], space.z_at[layer], space.w_at[layer]
    np.dot(
        y[y_at : y_at + count * r].reshape((count, r)),
        stack.weights[w_at : w_at + r * width].reshape((r, width)),
        z[z_at : z_at + count * width].reshape((count, width)),
    )


@lean_loop
def _next_level(stack, space, layer, nodes, begin, count, y, e_out):
    """Nodes of the level above a layer, all of them or those listed; whether all are held."""
    s, held = space, True
    taps, outside, z, new, rank = stack.taps, stack.outside, s.z, s.new_z, s.rank
    kernel, r, which, spots, e, f = (
        stack.kernels[layer],
        stack.dims[layer + 1],
        s.which,
        s.spots,
        s.e,
        s.new_e,
    )
    y_at, z_at, o_at, t_at = s.y_at[layer + 1], s.z_at[layer], s.o_at[layer], s.t_at[layer]
    up, above = s.e_at[layer], s.e_at[layer + 1]
    for n in range(count):
        p = nodes[begin + n] if len(nodes) else n
        e_out[above + n], good = _node(
            taps,
            t_at + p * kernel,
            kernel,
            r,
            y,
            y_at + n * r,
            z,
            z_at,
            new,
            rank,
            up,
            outside,
            o_at,
            which,
            spots,
            e,
            f,
        )
        held = held and good
    return held


@loop
def _all_nodes(stack, space, codes):
    """All levels of a configuration, and the factors of the last product; whether all are held."""
    s, held, D, none = space, True, len(stack.sizes), np.empty(0, np.int32)
    for j in range(len(codes)):
        p, row = stack.nodes[j], stack.offsets[j] + codes[j]
        for c in range(stack.dims[0]):
            s.y[p * stack.dims[0] + c] = stack.table[row, c]
        s.e[p] = stack.scale[row]
    for layer in range(D):
        _taps(stack, s, layer, stack.sizes[layer], s.y, s.z)
        if layer + 1 < D:
            size = stack.sizes[layer + 1]
            held = _next_level(stack, s, layer, none, 0, size, s.y, s.e) and held
    y_at, z_at, e_at, r = s.y_at[D], s.z_at[D - 1], s.e_at[D - 1], stack.dims[D]
    for m in range(stack.sizes[D - 1]):
        s.e[s.e_at[D] + m], good = _factor(
            stack.read,
            stack.readers,
            m,
            m,
            stack.kernels[D - 1],
            r,
            s.y,
            y_at + m * r,
            s.z,
            z_at,
            s.which,
            s.spots,
            s.e[e_at + m],
        )
        held = held and good
    return held


@loop
def _new_nodes(stack, space, nodes, i, touched):
    """The touched nodes of all levels above the first, for mask ``i``; whether all are held.

    ``touched`` has their number at each level, and gets it.
    """
    s, held, D = space, True, len(stack.sizes)
    for layer in range(D - 1):
        _taps(stack, s, layer, touched[layer], s.new_y, s.new_z)
        begin, end = nodes.starts[layer, i], nodes.starts[layer, i + 1]
        touched[layer + 1] = end - begin
        held = (
            _next_level(stack, s, layer, nodes.nodes, begin, end - begin, s.new_y, s.new_e) and held
        )
        for n in range(end - begin):
            s.rank[s.e_at[layer + 1] + nodes.nodes[begin + n]] = n
    _taps(stack, s, D - 1, touched[D - 1], s.new_y, s.new_z)
    return held


@lean_loop
def _shares(stack, space, inverse, rest, power, dead, share):
    """The inverse of each factor of the last product, and the share of each channel: its state."""
    D, r = len(stack.sizes), len(share)
    at = space.y_at[D]
    rest[:] = 1
    power[:] = 0
    dead[:] = 0
    for m in range(stack.sizes[D - 1]):
        for c in range(r):
            factor = space.y[at + m * r + c]
            if factor == 0:
                inverse[m * r + c] = 1
                dead[c] += 1
            else:
                inverse[m * r + c] = 1 / factor
                rest[c] *= factor
        rescale(rest, power)
    return shares(rest, power, dead, stack.readout, stack.powers, BOUND, share)


@lean_loop
def _ratio(stack, space, changed, inverse, share, dead, state, change, left):
    """The ratio after the nodes ``changed`` of the last level, and whether it is held."""
    s, D, r, power = space, len(stack.sizes), len(share), 0
    at, z_at, kernel, y, new_y, new_z = (
        s.y_at[D],
        s.z_at[D - 1],
        stack.kernels[D - 1],
        s.y,
        s.new_y,
        s.new_z,
    )
    read, readers, which, spots, e, new_e = (
        stack.read,
        stack.readers,
        s.which,
        s.spots,
        s.e,
        s.new_e,
    )
    e_at, f_at = s.e_at[D], s.e_at[D - 1]
    change[:] = 1
    for c in range(r):
        left[c] = dead[c]
    high, low, total = 1.0, 1.0, share[0] * 0
    for n in range(len(changed)):
        m = changed[n]
        shift, held = _factor(
            read, readers, m, n, kernel, r, new_y, at, new_z, z_at, which, spots, new_e[f_at + n]
        )
        if not held:
            return total, False
        power += shift - e[e_at + m]
        high, low = 0.0, math.inf
        for c in range(r):
            left[c] -= y[at + m * r + c] == 0
            change[c] *= new_y[at + c] * inverse[m * r + c]
            size = size_of(change[c])
            high = max(high, size)
            if size > 0:
                low = min(low, size)
        if not (high <= 1 / SMALL) or low < SMALL:
            return total, False
    for c in range(r):
        if left[c] == 0:
            total += share[c] * change[c]
    if state == 1 and size_of(total) < high * 2.0 ** (64 - BOUND):
        return total, False
    if power > 400 or power < -400:
        return total, total == 0
    return total * math.ldexp(1.0, int(power)), True


@loop
def _space(stack):
    """Arrays for one configuration and one mask at a time."""
    D, like = len(stack.sizes), stack.readout
    sizes = np.append(stack.sizes, stack.sizes[D - 1])  # the last product has factors of nodes
    y_at = _starts(sizes * stack.dims)
    wide = stack.kernels * stack.dims[1:]
    z_at, e_at = _starts(stack.sizes * wide), _starts(sizes)
    w_at, o_at = _starts(stack.dims[:D] * wide), _starts(wide)
    t_at = _starts(stack.sizes[1:] * stack.kernels[: D - 1])
    most = max(1, stack.kernels.max(), (stack.read[1:] - stack.read[:-1]).max())
    y, z = np.empty(y_at[-1], like.dtype), np.empty(z_at[-1], like.dtype)
    e, rank = np.zeros(e_at[-1], np.int64), np.full(e_at[-1], -1)
    which, spots = np.empty(most, np.int64), np.empty(most, np.int64)
    new = np.empty_like(y), np.empty_like(z), np.zeros_like(e)
    return Space(y_at, z_at, e_at, w_at, o_at, t_at, y, z, e, *new, rank, which, spots)


@loop
def layer_ratios(x, first, last, phys_dim, stack, touches, nodes, largest, out, unsure):
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
    largest : float
        What the dtype of ``out`` holds.
    out : array, shape (B, m)
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held or not exact.
    """
    s, D, r = _space(stack), len(stack.sizes), len(stack.readout)
    digits, codes = np.empty(len(x), np.int64), np.empty(len(stack.nodes), np.int64)
    inverse = np.empty(stack.sizes[D - 1] * r, s.y.dtype)
    rest, share, change = np.empty(r, s.y.dtype), np.empty(r, s.y.dtype), np.empty(r, s.y.dtype)
    power, dead, left = np.empty(r, np.int64), np.empty(r, np.int64), np.empty(r, np.int64)
    picked, touched = np.empty(len(codes), np.int64), np.zeros(D, np.int64)
    changed = np.empty(stack.sizes.max(), np.int64)
    moves = (touches.moves, touches.sites, touches.added, touches.strides)
    for b in range(first, last):
        read_codes(x, b, phys_dim, stack.sites, stack.starts, digits, codes)
        state = 2
        if _all_nodes(stack, s, codes):
            state = _shares(stack, s, inverse, rest, power, dead, share)
        if state >= 2:
            out[b] = math.nan
            unsure[b] = state == 2
            continue
        for i in range(len(touches.order)):
            begin = touches.starts[i]
            touched[0] = touches.starts[i + 1] - begin
            if touched[0] == 0:
                out[b, touches.order[i]] = 1
                continue
            for n in range(touched[0]):
                t, p = begin + n, touches.windows[begin + n]
                code = codes[p] ^ touches.flips[t]
                if phys_dim > 2:
                    code = new_code(codes[p], t, digits, phys_dim, *moves)
                picked[n] = stack.offsets[p] + code
                for c in range(stack.dims[0]):
                    s.new_y[n * stack.dims[0] + c] = stack.table[picked[n], c]
                s.new_e[n] = stack.scale[picked[n]]
                changed[n] = stack.nodes[touches.windows[begin + n]]
                s.rank[changed[n]] = n
            held = _new_nodes(stack, s, nodes, i, touched)
            if D > 1:
                begin = nodes.starts[D - 2, i]
                for n in range(touched[D - 1]):
                    changed[n] = nodes.nodes[begin + n]
            s.rank[:] = -1
            if held:
                ratio, held = _ratio(
                    stack, s, changed[: touched[D - 1]], inverse, share, dead, state, change, left
                )
                size = size_of(ratio)
                if held and size <= largest:
                    out[b, touches.order[i]] = ratio
                    continue
            unsure[b] = True
