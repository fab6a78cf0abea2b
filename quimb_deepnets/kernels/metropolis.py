"""Metropolis chains of amplitudes that are products of rows: only touched windows are evaluated.

Every chain keeps its digits, the row that each window selects, and the product of all rows channel
by channel. A proposal multiplies it by the new rows of the windows that it touches, over the old::

    digits (N,)   0 1 1 0 1 0           one site changes, or two, or many
    rows (P,)    [. . .][. . .]         the windows that hold one of them select other rows
    acc (r,)     acc * new / old        psi = sum_c weight_c acc_c        accept: u < |new / old|^2

Once per sweep the product is made afresh, so that round-off does not pile up. Companions at higher
temperatures trade places with a chain. Each chain draws from a generator of its own, so that
results do not depend on how threads share the chains.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import lean_loop
from .proposals import propose, uniform

NEAR = 700  # powers of two that the touched rows may hold, where a product is changed
DRIFT = 300  # and those by which it may have changed before it is made anew
LOW = 2.0**-DRIFT
HIGH = 2.0**800  # of |psi|^2, in units of the largest channel, where weights are trusted
LN2 = math.log(2)


class ChainTables(NamedTuple):
    """Rows to be multiplied, the windows of each site, and the read-out.

    ``table (rows, r)``; site ``n`` is in the windows ``holders[firsts[n]:firsts[n + 1], 0]``, and
    a unit of it moves them by as many rows as stand beside them, int32; the read-out is
    ``readout * 2**powers`` ``(r,)``; entries are within ``2**bits`` of 1, or zero if ``zeros``.
    """

    table: np.ndarray
    firsts: np.ndarray
    holders: np.ndarray
    readout: np.ndarray
    powers: np.ndarray
    bits: int
    zeros: bool


class ChainStates(NamedTuple):
    """Where C chains of K levels are, and what is noted on their way.

    ``digits (C, K, N)`` uint8 and ``rows (C, K, P)``, of which level ``k`` is at ``slots[c, k]``;
    ``words (C, 4)`` uint64; amplitudes are ``psi * 2**top`` ``(C, K)``; ``counts (C, 2)``, the
    proposals of the first level that change something and those accepted; ``kept (T, C, N)`` and
    ``logs (T, C)``, its digits and logarithms after each sweep. Integers are int64.
    """

    digits: np.ndarray
    rows: np.ndarray
    slots: np.ndarray
    words: np.ndarray
    psi: np.ndarray
    top: np.ndarray
    counts: np.ndarray
    kept: np.ndarray
    logs: np.ndarray


class Replicas(NamedTuple):
    """What the levels of one chain know of their products.

    A channel holds ``acc * 2**power``, times zero where ``dead``; ``weight`` is the read-out times
    that power, over ``2**base``. ``acc, weight (K, r)``, ``powers (K, 2, r)`` are power and dead;
    ``bases (K, 2)`` are base and whether a weight is too small for a float.
    """

    acc: np.ndarray
    weight: np.ndarray
    powers: np.ndarray
    bases: np.ndarray


class Proposal(NamedTuple):
    """A change of digits, the windows that it touches, and the product that it would give.

    ``places (2, N)`` are sites and their new digits; ``touched (3, P)`` windows, the rows that they
    would select, and a mark for each window; ``acc (2, r)`` new over old; ``powers (2, r)``.
    """

    places: np.ndarray
    touched: np.ndarray
    acc: np.ndarray
    powers: np.ndarray


def work_arrays(tables, states):
    """Arrays for one thread to work in: `Replicas` of all levels of a chain, and a `Proposal`."""
    (_, K, N), P, r = states.digits.shape, states.rows.shape[2], len(tables.readout)
    whole = lambda *shape: np.zeros(shape, np.int64)
    ones = lambda *shape: np.ones(shape, tables.readout.dtype)
    levels = Replicas(ones(K, r), ones(K, r), whole(K, 2, r), whole(K, 2))
    return levels, Proposal(whole(2, N), whole(3, P) - 1, ones(2, r), whole(2, r))


@lean_loop
def _touch(tables, rows, x, count, places, touched):
    """The windows that hold a changed site, and the rows that they would select."""
    found = 0
    for k in range(count):
        n, change = places[0, k], places[1, k] - np.int64(x[places[0, k]])
        for h in range(tables.firsts[n], tables.firsts[n + 1]):
            p = tables.holders[h, 0]
            if touched[2, p] < 0:
                touched[0, found], touched[1, found], touched[2, p] = p, rows[p], found
                found += 1
            touched[1, touched[2, p]] += change * tables.holders[h, 1]
    for t in range(found):
        touched[2, touched[0, t]] = -1
    return found


@lean_loop
def _swap_rows(rows, found, touched):
    """Exchange the rows of the touched windows for those that they would select."""
    for t in range(found):
        p = touched[0, t]
        rows[p], touched[1, t] = touched[1, t], rows[p]


@lean_loop
def _change(tables, rows, acc, dead, found, touched, new, new_dead):
    """The product with the new rows of the touched windows for the old ones."""
    table, r = tables.table, len(acc)
    for c in range(r):
        new[0, c], new[1, c] = acc[c], 1
    if not tables.zeros:
        for t in range(found):
            before, after = rows[touched[0, t]], touched[1, t]
            for c in range(r):
                new[0, c] *= table[after, c]
                new[1, c] *= table[before, c]
    else:
        for c in range(r):
            new_dead[c] = dead[c]
        for t in range(found):
            before, after = rows[touched[0, t]], touched[1, t]
            for c in range(r):
                if table[after, c] == 0:
                    new_dead[c] += 1
                else:
                    new[0, c] *= table[after, c]
                if table[before, c] == 0:
                    new_dead[c] -= 1
                else:
                    new[1, c] *= table[before, c]
    for c in range(r):
        new[0, c] /= new[1, c]


@lean_loop
def _evaluate(tables, rows, acc, powers):
    """The product of all rows without their zeros, which are counted; the amplitude, its power."""
    table, room, r, P = tables.table, max(1, 900 // tables.bits), len(acc), len(rows)
    for c in range(r):
        acc[c], powers[0, c], powers[1, c] = 1, 0, 0
    for p in range(P):
        row = rows[p]
        for c in range(r):
            if tables.zeros and table[row, c] == 0:
                powers[1, c] += 1
            else:
                acc[c] *= table[row, c]
        if (p + 1) % room == 0 or p == P - 1:
            for c in range(r):
                shift = math.frexp(max(abs(acc[c].real), abs(acc[c].imag)))[1]
                acc[c] *= math.ldexp(1.0, -shift)
                powers[0, c] += shift
    top, found, total = 0, False, tables.readout[0] * 0
    for c in range(r):
        if powers[1, c] == 0 and tables.readout[c] != 0:
            power = powers[0, c] + tables.powers[c]
            if not found or power > top:
                top, found = power, True
    for c in range(r):
        drop = powers[0, c] + tables.powers[c] - top
        if powers[1, c] == 0 and drop > -1000:
            total += tables.readout[c] * acc[c] * math.ldexp(1.0, int(drop))
    return total, top


@lean_loop
def _square(z):
    """``|z|^2``."""
    return z.real * z.real + z.imag * z.imag


@lean_loop
def _log_square(psi, top):
    """``log |psi 2**top|^2``, -inf for zero."""
    square = _square(psi)
    return math.log(square) + 2 * LN2 * top if square > 0 else -math.inf


@lean_loop
def _step(tables, levels, s, rows, psi, top, x, count, new, beta, words):
    """Accept or reject a change of ``count`` sites of the digits ``x`` in slot ``s``.

    Returns
    -------
    int
        0 if rejected, 1 if accepted, 2 if its product has to be made anew.
    """
    acc, weight, dead = levels.acc[s], levels.weight[s], levels.powers[s, 1]
    found, r = _touch(tables, rows, x, count, new.places, new.touched), len(acc)
    near = found * tables.bits <= NEAR and 2 * found <= len(rows) and not levels.bases[s, 1]
    total, power = psi[s] * 0, levels.bases[s, 0]
    if near:
        _change(tables, rows, acc, dead, found, new.touched, new.acc, new.powers[1])
        for c in range(r):
            if not tables.zeros or new.powers[1, c] == 0:
                total += weight[c] * new.acc[0, c]
    square = _square(total)
    near = near and 1 / HIGH < square < HIGH
    _swap_rows(rows, found, new.touched)
    if not near:
        total, power = _evaluate(tables, rows, new.acc[0], new.powers)
    u = uniform(words)
    if near and beta == 1 and power == top[s]:
        before = _square(psi[s])
        accepted = u * before < square or before == 0
    else:
        now, before = _log_square(total, power), _log_square(psi[s], top[s])
        accepted = before == -math.inf or (u > 0 and math.log(u) < beta * (now - before))
    if not accepted:
        _swap_rows(rows, found, new.touched)
        return 0
    for k in range(count):
        x[new.places[0, k]] = new.places[1, k]
    psi[s], top[s] = total, power
    for c in range(r):
        acc[c], dead[c] = new.acc[0, c], new.powers[1, c]
        near = near and LOW < max(abs(acc[c].real), abs(acc[c].imag)) < 1 / LOW
    return 1 if near else 2


@lean_loop
def _refresh(tables, levels, s, rows, psi, top):
    """Make the product anew from the selected rows, and weigh its channels by what they give."""
    psi[s], base = _evaluate(tables, rows, levels.acc[s], levels.powers[s])
    levels.bases[s, 0], levels.bases[s, 1], top[s] = base, 0, base
    for c in range(len(tables.readout)):
        drop = levels.powers[s, 0, c] + tables.powers[c] - base
        levels.weight[s, c] = 0
        if tables.readout[c] != 0:
            levels.bases[s, 1] |= drop < -900
            size = math.ldexp(1.0, int(drop)) if drop < 900 else math.inf  # that of a dead channel
            levels.weight[s, c] = tables.readout[c] * size


@lean_loop
def _trade(slots, psi, top, betas, first, words):
    """Exchange neighbouring levels ``first, first + 1``, then every second pair after them."""
    for k in range(first, len(slots) - 1, 2):
        a, b = slots[k], slots[k + 1]
        gain = _log_square(psi[b], top[b]) - _log_square(psi[a], top[a])
        u = uniform(words)
        if u > 0 and math.log(u) < (betas[k] - betas[k + 1]) * gain:
            slots[k], slots[k + 1] = b, a


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
        To work in, as is ``new``: no two threads share them.
    new : Proposal
    moves : ChainMoves
    betas : array of float64, shape (K,)
        Inverse temperatures, the first of them 1.
    phys_dim, steps : int
    """
    _, K, N = states.digits.shape
    for c in range(first, last):
        slots, words = states.slots[c], states.words[c]
        psi, top = states.psi[c], states.top[c]
        for sweep in range(len(states.kept) + 1):
            for step in range(steps if sweep else 0):
                for k in range(K):
                    s = slots[k]
                    x, rows = states.digits[c, s], states.rows[c, s]
                    count = propose(x, phys_dim, moves, words, new.places)
                    if count == 0:
                        continue
                    found = _step(tables, levels, s, rows, psi, top, x, count, new, betas[k], words)
                    if found == 2:
                        _refresh(tables, levels, s, rows, psi, top)
                    if k == 0:
                        states.counts[c, 0] += 1
                        states.counts[c, 1] += min(found, 1)
                _trade(slots, psi, top, betas, step % 2, words)
            for s in range(K):
                _refresh(tables, levels, s, states.rows[c, s], psi, top)
            if sweep:
                s, t = slots[0], sweep - 1
                for n in range(N):
                    states.kept[t, c, n] = states.digits[c, s, n]
                states.logs[t, c] = _log_square(psi[s], top[s]) / 2
