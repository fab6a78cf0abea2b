"""Metropolis chains of amplitudes that are products of rows: only touched windows are evaluated.

Every chain keeps its digits, the row that each window selects, and the product of all rows channel
by channel. A proposal multiplies it by the new rows of the windows that it touches, and by the
inverses of the old ones::

    digits (N,)   0 1 1 0 1 0           one site changes, or two, or many
    rows (P,)    [. . .][. . .]         the windows that hold one of them select other rows
    acc (r,)     acc * new * old^-1     psi = sum_c weight_c acc_c        accept: u < |new / old|^2

The new product is written beside the old one, and a bit says which of them counts: no step waits
for the outcome of a comparison. The product is made afresh now and then, so that round-off does
not pile up, and wherever floats might not hold a change. Companions at higher temperatures trade
places with a chain. Each chain draws from a generator of its own, so that results do not depend on
how threads share the chains.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import inner_loop, lean_loop
from .proposals import propose, uniform
from .row_tiles import aligned_ones, change_rows, not_below
from .rows import Rows, multiply_rows, size_of, window_codes

NEAR = 500  # powers of two that the touched rows may hold, where a product is changed
FEWER = 100  # and where channels below 2**-1000 were left out
DRIFT = 300  # and those by which it may have changed before it is looked at
EVEN = 100  # and those by which it may then be away from 1
HIGH = 2.0**600  # of |psi|^2, in units of the largest channel, where weights are trusted
DEAD = 300  # powers of two by which a channel with zeros may be above the largest one
FRESH = 1024  # steps after which the products are made anew
LN2 = math.log(2)
U0, U1 = np.uint64(0), np.uint64(1)


class ChainTables(NamedTuple):
    """Rows to be multiplied, exchanged, and the windows of each site.

    ``factors (2, rows + 1, f)`` are all entries of the table and their inverses, ones instead of
    zeros, in the last row and in channels that fill up tiles; ``missing (rows + 1, r)`` is 1 where
    there are zeros. Site ``n`` is in the windows ``holders[n, :, 0]`` ``(N, T)``, and a unit of it
    moves them by as many rows as stand beside them; where it is in fewer, by none, in a window
    ``P`` that selects the last row.
    """

    rows: Rows
    factors: np.ndarray
    missing: np.ndarray
    holders: np.ndarray


class ChainStates(NamedTuple):
    """Where C chains of K levels are, and what is noted on their way.

    ``digits (C, K, N)`` uint8, of which level ``k`` is at ``slots[c, k]``; ``words (C, 4)``
    uint64; amplitudes are ``psi * 2**top`` ``(C, K)``; ``counts (C, 2)``, the proposals of the
    first level that change something and those accepted; ``kept (T, C, N)`` and ``logs (T, C)``,
    its digits and logarithms after each sweep. Integers are int64.
    """

    digits: np.ndarray
    slots: np.ndarray
    words: np.ndarray
    psi: np.ndarray
    top: np.ndarray
    counts: np.ndarray
    kept: np.ndarray
    logs: np.ndarray


class Replicas(NamedTuple):
    """What all L levels of all chains, one after the other, know of their products.

    ``rows (L, P + 1)`` are selected. A channel holds ``acc * 2**power``, times zero where ``dead``;
    ``weight`` is the read-out times that power, over ``2**top``. ``acc (L, 2, f)``, ``dead
    (L, 2, r)``, ``psi`` and ``squares`` ``|psi|^2`` ``(L, 2)`` have two sides, of which ``side
    (L,)``, uint64, counts; ``weight (L, f)``, ``powers (L, r)``, ``top (L,)``; ``drift (L,)`` is by
    how many powers of two ``acc`` may have changed since it was looked at, and ``reach (L,)`` those
    that rows of a proposal may hold; ``age (L,)``, at the first level of a chain, is how many
    steps ago all its products were made, -1 where they were not.
    """

    rows: np.ndarray
    acc: np.ndarray
    dead: np.ndarray
    psi: np.ndarray
    squares: np.ndarray
    side: np.ndarray
    weight: np.ndarray
    powers: np.ndarray
    top: np.ndarray
    drift: np.ndarray
    reach: np.ndarray
    age: np.ndarray


class Proposal(NamedTuple):
    """A change of digits: sites and new digits ``places (2, N)``.

    ``acc``, ``powers`` and ``dead`` ``(r,)`` are a product that is made anew.
    """

    places: np.ndarray
    acc: np.ndarray
    powers: np.ndarray
    dead: np.ndarray


def replicas(tables: ChainTables, count: int) -> Replicas:
    """`Replicas` of so many levels, whose products are not made yet."""
    P, r, filled = len(tables.rows.offsets), len(tables.rows.readout), tables.factors.shape[2]
    whole = lambda *shape: np.zeros(shape, np.int64)
    ones = lambda *shape: aligned_ones((count, *shape), tables.rows.readout.dtype)
    return Replicas(
        np.full((count, P + 1), len(tables.missing) - 1, np.int32),
        *(ones(2, filled), whole(count, 2, r), ones(2), np.ones((count, 2))),
        *(np.zeros(count, np.uint64), 0 * ones(filled), whole(count, r)),
        *(whole(count), whole(count), whole(count), whole(count) - 1),
    )


def proposal(tables: ChainTables, nsites: int) -> Proposal:
    """A `Proposal` to be filled in."""
    r = len(tables.rows.readout)
    acc = np.ones(r, tables.rows.readout.dtype)
    return Proposal(np.zeros((2, nsites), np.int64), acc, *np.zeros((2, r), np.int64))


@inner_loop
def _move(holders, rows, change, mask=-1):
    """Move windows ``holders (T, 2)`` to the rows of a digit that is larger by ``change``.

    Where the ``mask`` is 0 instead of -1, nothing moves.
    """
    for h in range(len(holders)):
        rows[np.uint64(holders[h, 0])] += (change * holders[h, 1]) & mask


@lean_loop
def _count_zeros(missing, rows, holders, change, dead):
    """Change how many zeros each channel has, by a move of windows."""
    for h in range(len(holders)):
        old = rows[holders[h, 0]]
        new = old + change * holders[h, 1]
        for k in range(len(dead)):
            dead[k] += missing[new, k] - missing[old, k]


@lean_loop
def _sum_of_others(weight, acc, dead):
    """The sum of the channels without zeros."""
    total = weight[0] * 0
    for k in range(len(dead)):
        if dead[k] == 0:
            total += weight[k] * acc[k]
    return total


@inner_loop
def _change(tables, rows, x, count, places, weight, acc, dead, side):
    """Write the product after a change of digits on the other side; the sum of channels.

    All windows but those of the last site move.
    """
    out, total = acc[U1 - side], weight[0] * 0
    if tables.rows.zeros:
        for c in range(dead.shape[1]):
            dead[U1 - side, c] = dead[side, c]
    for k in range(count):
        n = np.uint64(places[0, k])
        holders, change = tables.holders[n], np.int32(places[1, k]) - np.int32(x[n])
        before = acc[side] if k == 0 else out
        total = change_rows(tables.factors, rows, holders, change, before, weight, out)
        if tables.rows.zeros:
            _count_zeros(tables.missing, rows, holders, change, dead[U1 - side])
        if k + 1 < count:
            _move(holders, rows, change)
    return _sum_of_others(weight, out, dead[U1 - side]) if tables.rows.zeros else total


@inner_loop
def _move_from(first, tables, rows, x, count, places):
    """Move the windows of the sites of a change, from the ``first`` one on."""
    for k in range(first, count):
        n = np.uint64(places[0, k])
        _move(tables.holders[n], rows, np.int32(places[1, k]) - np.int32(x[n]))


@inner_loop
def _settle(tables, rows, x, count, places, moved, accepted):
    """Take the new digits, or move the windows back, those of so many sites that were moved."""
    taken = -np.int32(accepted)
    for k in range(count):
        n = np.uint64(places[0, k])
        change = np.int32(places[1, k]) - np.int32(x[n])
        x[n] = np.int32(x[n]) + (change & taken)
        if k < moved:
            _move(tables.holders[n], rows, -change, ~taken)
        else:
            _move(tables.holders[n], rows, change, taken)


@lean_loop
def _evaluate(tables, rows, acc, powers, dead):
    """The product of all rows without their zeros, which are counted; the amplitude, its power."""
    table, readout, weights = tables.rows.table, tables.rows.readout, tables.rows.powers
    multiply_rows(
        table, rows[: len(rows) - 1], tables.rows.bits, tables.rows.zeros, acc, powers, dead
    )
    top, found, total = 0, False, readout[0] * 0
    for c in range(len(acc)):
        if dead[c] == 0 and readout[c] != 0:
            power = powers[c] + weights[c]
            if not found or power > top:
                top, found = power, True
    for c in range(len(acc)):
        drop = powers[c] + weights[c] - top
        if dead[c] == 0 and drop > -1000:
            total += readout[c] * acc[c] * math.ldexp(1.0, int(drop))
    return total, top


@inner_loop
def _square(z):
    """``|z|^2``."""
    return z.real * z.real + z.imag * z.imag


@inner_loop
def _log_square(square, top):
    """``log(square 2**(2 top))``, -inf for zero."""
    return math.log(square) + 2 * LN2 * top if square > 0 else -math.inf


@inner_loop
def _held(square):
    """Whether a change from or to ``|psi|^2`` may be judged by it."""
    return 1 / HIGH < square < HIGH


@lean_loop
def _weigh(tables, rows, new, before, u, beta):
    """1 if the selected rows are accepted, whose product is made anew, else 0."""
    total, power = _evaluate(tables, rows, new.acc, new.powers, new.dead)
    gain = _log_square(_square(total), power) - before
    return np.uint64(before == -math.inf or math.log(u) < beta * gain)


@lean_loop
def _is_even(acc):
    """Whether products may go on to change."""
    even = True
    for c in range(len(acc)):
        even = even and 2.0**-EVEN < size_of(acc[c]) < 2.0**EVEN
    return even


@inner_loop
def _walk(tables, levels, s, x, beta, phys_dim, moves, words, new, steps):
    """Propose so many changes of the digits ``x`` of a level.

    Returns
    -------
    tried, taken : int
        How many changed something, and how many were accepted.
    """
    rows, weight, acc, dead = levels.rows[s], levels.weight[s], levels.acc[s], levels.dead[s]
    psi, squares, side = levels.psi[s], levels.squares[s], levels.side[s]
    tried, taken, drift, now = 0, U0, levels.drift[s], 0.0
    for _ in range(steps):
        count = propose(x, phys_dim, moves, words, new.places)
        if count == 0:
            continue
        u, moved, changed = uniform(words), 0, count * tables.holders.shape[1]
        bits = changed * tables.rows.bits
        near = bits <= levels.reach[s] and changed < len(rows) + 3
        if near:
            total, moved = (
                _change(tables, rows, x, count, new.places, weight, acc, dead, side),
                count - 1,
            )
            now = _square(total)
            near = _held(now)
            psi[U1 - side], squares[U1 - side] = total, now
        if near:
            if beta != 1:
                u = math.exp(math.log(u) / beta)
            accepted = not_below(now, u * squares[side])
            side ^= accepted
            drift += 2 * bits * np.int64(accepted)
        else:
            _move_from(moved, tables, rows, x, count, new.places)
            moved, before = count, _log_square(squares[side], levels.top[s])
            accepted = _weigh(tables, rows, new, before, u, beta)
        _settle(tables, rows, x, count, new.places, moved, accepted)
        tried, taken = tried + 1, taken + accepted
        if (not near and accepted) or drift > DRIFT:
            levels.side[s], drift = side, 0
            if not near or not _is_even(acc[side, : dead.shape[1]]):
                _refresh(tables, levels, s)
    levels.side[s], levels.drift[s] = side, drift
    return tried, np.int64(taken)


@lean_loop
def _refresh(tables, levels, s):
    """Make the product anew from the selected rows, and weigh its channels by what they give."""
    side, readout, weights = levels.side[s], tables.rows.readout, tables.rows.powers
    acc, powers = levels.acc[s, side, : len(readout)], levels.powers[s]
    psi, base = _evaluate(tables, levels.rows[s], acc, powers, levels.dead[s, side])
    levels.psi[s, side], levels.squares[s, side] = psi, _square(psi)
    levels.top[s], levels.drift[s] = base, 0
    levels.reach[s] = NEAR if _held(_square(psi)) else -1
    for c in range(len(readout)):
        drop = powers[c] + weights[c] - base
        levels.weight[s, c] = 0
        if readout[c] != 0:
            if drop < -1000:
                levels.reach[s] = min(levels.reach[s], FEWER)
                continue
            size = math.ldexp(1.0, int(drop)) if drop < DEAD else math.inf
            levels.weight[s, c] = readout[c] * size


@inner_loop
def _log_level(levels, s):
    """``log |psi|^2`` of a level."""
    return _log_square(levels.squares[s, levels.side[s]], levels.top[s])


@lean_loop
def _trade(levels, first, slots, betas, step, words):
    """Exchange neighbouring levels 0 and 1, then every second pair after them, or from 1 and 2."""
    for k in range(step % 2, len(slots) - 1, 2):
        a, b = slots[k], slots[k + 1]
        gain = _log_level(levels, first + b) - _log_level(levels, first + a)
        if math.log(uniform(words)) < (betas[k] - betas[k + 1]) * gain:
            slots[k], slots[k + 1] = b, a


@lean_loop
def _begin(tables, levels, first, digits, phys_dim):
    """Make the products of a chain of digits ``(K, N)``, the first time or anew."""
    for s in range(len(digits)):
        rows = levels.rows[first + s]
        if levels.age[first] < 0:
            window_codes(digits[s], phys_dim, tables.rows.sites, tables.rows.starts, rows)
            for p in range(len(tables.rows.offsets)):
                rows[p] += tables.rows.offsets[p]
        _refresh(tables, levels, first + s)
    levels.age[first] = 0


@lean_loop
def run_chains(first, last, states, tables, levels, new, moves, betas, phys_dim, steps):
    """Run chains ``first`` to ``last``: sweeps of so many ``steps``, as many as there are notes.

    Parameters
    ----------
    first, last : int
    states : ChainStates
        Changed in place.
    tables : ChainTables
    levels : Replicas
        Changed in place.
    new : Proposal
        To work in: no two threads share it.
    moves : ChainMoves
    betas : array of float64, shape (K,)
        Inverse temperatures, the first of them 1.
    phys_dim, steps : int
    """
    _, K, N = states.digits.shape
    each = max(1, steps) if K == 1 else 1  # steps after which levels trade
    for c in range(first, last):
        slots, words, digits, lane = states.slots[c], states.words[c], states.digits[c], c * K
        for sweep in range(len(states.kept) + 1):
            if not 0 <= levels.age[lane] < FRESH:
                _begin(tables, levels, lane, digits, phys_dim)
            if sweep == len(states.kept):
                break
            for step in range(0, steps, each):
                for k in range(K):
                    s = slots[k]
                    tried, taken = _walk(
                        *(tables, levels, lane + s, digits[s], betas[k]),
                        *(phys_dim, moves, words, new, each),
                    )
                    if k == 0:
                        states.counts[c, 0] += tried
                        states.counts[c, 1] += taken
                if K > 1:
                    _trade(levels, lane, slots, betas, step, words)
            levels.age[lane] += steps
            s = slots[0]
            for n in range(N):
                states.kept[sweep, c, n] = digits[s, n]
            states.logs[sweep, c] = _log_level(levels, lane + s) / 2
        for s in range(K):
            side = levels.side[lane + s]
            states.psi[c, s], states.top[c, s] = levels.psi[lane + s, side], levels.top[lane + s]
