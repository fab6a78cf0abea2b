"""Ratios of amplitudes that are products of rows: the rows of touched windows are exchanged.

Per configuration the product of all rows and the share of each channel, once; for all masks that
touch the same windows these are divided out, once; per mask the new rows are multiplied::

    digits (N, B) --> codes (P,) --> rest (r,) --> share (r,)        psi(s) = sum_c w_c rest_c
                                                     |
    windows of some masks (T,) ----> base (r,) = share / prod of old rows
                                                     |
    codes of one mask (T,) --> ratio = sum_c base_c * prod of new rows, without division

Sums and products are in double precision. What it cannot hold is marked, to be done otherwise.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .compiled import inner_loop, lean_loop, loop
from .rows import multiply_rows, size_of, window_codes


class Touches(NamedTuple):
    """What masks do to codes, all arrays int32.

    ``order (m,)`` says which masks; ``sets`` where in that order others windows begin to be
    touched. Mask ``i`` of the order touches ``windows[starts[i]:starts[i + 1]]``; of bits, their
    codes change by the exclusive or with ``flips``; else touch ``t`` has the ``moves[t]`` to
    ``moves[t + 1]``, each a site, what is added to it, and its stride in the code.
    """

    order: np.ndarray
    sets: np.ndarray
    starts: np.ndarray
    windows: np.ndarray
    flips: np.ndarray
    moves: np.ndarray
    sites: np.ndarray
    added: np.ndarray
    strides: np.ndarray


class Limits(NamedTuple):
    """What floats hold of shares and ratios.

    Shares above ``2**bound`` are refused, those below ``2**-bound`` dropped. Ratios below are not
    exact: ``floor``, or ``lost`` where a share was dropped.
    """

    bound: int
    floor: float
    lost: float


@lean_loop
def shares(rest, power, dead, readout, powers, bound, share):
    """``w_c rest_c 2**power_c / psi`` for each channel, into ``share``.

    Where ``dead`` counts zeros the channel is not in psi, but may come to life.

    Returns
    -------
    int
        0 where all are held by floats, 1 where some below ``2**-bound`` were dropped, 2 where one
        is above ``2**bound``, 3 where psi is zero.
    """
    top, found = 0, False
    for c in range(len(rest)):
        share[c] = readout[c] * rest[c]
        if share[c] != 0 and dead[c] == 0 and (not found or power[c] + powers[c] > top):
            top, found = power[c] + powers[c], True
    psi = rest[0] * 0
    for c in range(len(rest)):
        if dead[c] == 0 and power[c] + powers[c] > top - 1100:
            psi += share[c] * math.ldexp(1.0, int(power[c] + powers[c] - top))
    size = size_of(psi)
    if not found or size == 0:
        return 3
    if not size < math.inf:
        return 2
    shift = math.frexp(size)[1]
    psi = psi * math.ldexp(1.0, -(shift // 2)) * math.ldexp(1.0, shift // 2 - shift)
    state = 0
    for c in range(len(rest)):
        if share[c] == 0:
            continue
        drop = power[c] + powers[c] - top - shift
        if drop > bound:
            return 2
        if drop < -bound:
            share[c], state = 0, 1
        else:
            share[c] = share[c] / psi * math.ldexp(1.0, int(drop))
    return state


@inner_loop
def _divided(table, picked, count, zeros, share, dead, work, base):
    """The shares over the rows of some windows; zero where another window has a zero."""
    r = len(share)
    for c in range(r):
        work[c] = 1
    for t in range(count):
        row = table[np.uint64(picked[t])]
        for c in range(r):
            if not zeros or row[c] != 0:
                work[c] *= row[c]
    for c in range(r):
        base[c] = share[c] / work[c]
    if zeros:
        for c in range(r):
            left = dead[c]
            for t in range(count):
                left -= table[picked[t], c] == 0
            if left:
                base[c] = work[c] = 0


@lean_loop
def _split(share, work, base, lift):
    """The shares over products ``work``, both not zero, as products ``base * lift``."""
    for c in range(len(share)):
        lift[c] = 1
        if share[c] != 0 and work[c] != 0:
            a, b = math.frexp(size_of(share[c]))[1], math.frexp(size_of(work[c]))[1]
            base[c] = (share[c] * math.ldexp(1.0, -a)) / (work[c] * math.ldexp(1.0, -b))
            half = (a - b) // 2
            base[c] *= math.ldexp(1.0, half)
            lift[c] = math.ldexp(1.0, a - b - half)


@lean_loop
def _changed_wide(base, lift, table, picked, count, work):
    """``sum_c base_c lift_c prod_t table[picked[t], c]``, the product before all else.

    Three loops, because in one the factors might be multiplied in another order.
    """
    total, r = base[0] * 0, len(base)
    for c in range(r):
        work[c] = 1
    for t in range(count):
        row = table[np.uint64(picked[t])]
        for c in range(r):
            work[c] *= row[c]
    for c in range(r):
        work[c] *= base[c]
    for c in range(r):
        total += work[c] * lift[c]
    return total


@inner_loop
def _changed(base, table, picked, count, work):
    """``sum_c base_c prod_t table[picked[t], c]``, three rows at a time."""
    start, r, total = 0, len(base), base[0] * 0
    if count > 3:
        for c in range(r):
            work[c] = base[c]
        while count - start > 3:
            i, j, k = picked[start], picked[start + 1], picked[start + 2]
            d, e, f = table[np.uint64(i)], table[np.uint64(j)], table[np.uint64(k)]
            for c in range(r):
                work[c] *= d[c] * e[c] * f[c]
            start += 3
        base = work
    d, f = table[np.uint64(picked[start])], table[np.uint64(picked[count - 1])]
    if count - start == 1:
        for c in range(r):
            total += base[c] * d[c]
    elif count - start == 2:
        for c in range(r):
            total += base[c] * (d[c] * f[c])
    else:
        e = table[np.uint64(picked[start + 1])]
        for c in range(r):
            total += (base[c] * d[c]) * (e[c] * f[c])
    return total


@lean_loop
def new_code(code, t, digits, phys_dim, moves, sites, added, strides):
    """The code of a touched window after its moves."""
    for move in range(moves[t], moves[t + 1]):
        old = np.int64(digits[sites[move]])
        new = old + added[move]
        if new >= phys_dim:
            new -= phys_dim
        code += (new - old) * strides[move]
    return code


@loop
def row_ratios(x, first, last, phys_dim, rows, touches, limits, largest, lift, out, unsure):
    """The ratios of masks for configurations ``first`` to ``last``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    first, last, phys_dim : int
    rows : Rows
    touches : Touches
    limits : Limits
    largest : float
        What the dtype of ``out`` holds.
    lift : array of float64, shape (r,), or None
        Overwritten. An array where floats hold products of new rows and of old ones, but perhaps
        not their quotients; the loop for that is compiled by itself.
    out : array, shape (B, m)
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held or not exact.
    """
    # arrays by themselves: tuples of them are counted anew in each call of a function
    table, offsets, bits, zeros = rows.table, rows.offsets, rows.bits, rows.zeros
    window_sites, window_starts, readout = rows.sites, rows.starts, rows.readout
    order, sets, starts, windows = touches.order, touches.sets, touches.starts, touches.windows
    flips, moves, sites = touches.flips, touches.moves, touches.sites
    added, strides, powers = touches.added, touches.strides, rows.powers
    digits, codes = np.empty(len(x), np.uint8), np.empty(len(offsets), np.int32)
    rest, share = np.empty_like(readout), np.empty_like(readout)
    work, base = np.empty_like(readout), np.empty_like(readout)
    power, dead = np.empty(len(readout), np.int64), np.empty(len(readout), np.int64)
    picked = np.empty_like(codes)
    for b in range(first, last):
        for n in range(len(digits)):
            digits[n] = x[n, b]
        window_codes(digits, phys_dim, window_sites, window_starts, codes)
        for p in range(len(codes)):
            picked[p] = offsets[p] + codes[p]
        multiply_rows(table, picked, bits, zeros, rest, power, dead)
        state = shares(rest, power, dead, readout, powers, limits.bound, share)
        if state >= 2:
            out[b] = math.nan
            unsure[b] = state == 2
            continue
        least = limits.lost if state == 1 else limits.floor
        for s in range(len(sets) - 1):
            begin, end = starts[sets[s]], starts[sets[s] + 1]
            for t in range(begin, end):
                picked[t - begin] = offsets[windows[t]] + codes[windows[t]]
            _divided(table, picked, end - begin, zeros, share, dead, work, base)
            if lift is not None:
                _split(share, work, base, lift)
            for i in range(sets[s], sets[s + 1]):
                begin, count = starts[i], starts[i + 1] - starts[i]
                if count == 0:
                    out[b, order[i]] = 1
                    continue
                for t in range(begin, begin + count):
                    p = windows[t]
                    code = codes[p] ^ flips[t]
                    if phys_dim > 2:
                        code = new_code(codes[p], t, digits, phys_dim, moves, sites, added, strides)
                    picked[t - begin] = offsets[p] + code
                if lift is None:
                    ratio = _changed(base, table, picked, count, work)
                else:
                    ratio = _changed_wide(base, lift, table, picked, count, work)
                if least <= size_of(ratio) <= largest:
                    out[b, order[i]] = ratio
                else:
                    unsure[b] = True


@loop
def spread(x, ratios, out):
    """From flips by 1..M-1 at all sites to each value, ``(B, (M - 1) N)`` to ``(B, N, M)``."""
    B, N, M = out.shape
    for b in range(B):
        row, found = out[b], ratios[b]
        same = found[0] * 0 + 1 if found[0] == found[0] else found[0]  # nan where psi is zero
        if M == 2:
            for n in range(N):
                digit = np.uint64(x[np.uint64(n), np.uint64(b)])
                row[np.uint64(n), digit] = same
                row[np.uint64(n), np.uint64(1) - digit] = found[n]
            continue
        for n in range(N):
            value: Any = np.int64(x[n, b])
            row[n, value] = same
            for m in range(1, M):
                value += 1
                if value == M:
                    value = 0
                row[n, value] = found[(m - 1) * N + n]
