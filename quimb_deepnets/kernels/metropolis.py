"""Metropolis chains of amplitudes that are products of rows: only touched windows are evaluated.

Every chain keeps its digits, the row that each window selects, and the product of all rows channel
by channel. A proposal multiplies it by the new rows of the windows that it touches, and by the
inverses of the old ones, three at a time::

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
from .rows import Rows, multiply_rows, size_of, window_codes

NEAR = 500  # powers of two that the touched rows may hold, where a product is changed
FEWER = 200  # and where channels below 2**-1000 were left out
DRIFT = 100  # and those by which it may have changed before it is made anew
HIGH = 2.0**600  # of |psi|^2, in units of the largest channel, where weights are trusted
DEAD = 300  # powers of two by which a channel with zeros may be above the largest one
FRESH = 1024  # steps after which the products are made anew
LN2 = math.log(2)


class ChainTables(NamedTuple):
    """Rows to be multiplied, exchanged, and the windows of each site.

    ``factors (2, rows + 1, r)`` are all entries of the table and their inverses, ones instead of
    zeros and in the last row; ``missing (rows + 1, r)`` is 1 where there are zeros. Site ``n`` is
    in the windows ``holders[n, :, 0]`` ``(N, T)``, and a unit of it moves them by as many rows as
    stand beside them; where it is in fewer, by none, in a window ``P`` that selects the last row.
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
    """What the levels of one chain know of their products.

    ``rows (K, P + 1)`` are selected. A channel holds ``acc * 2**power``, times zero where ``dead``;
    ``weight`` is the read-out times that power, over ``2**top``. ``acc, dead (2, K, r)``, of which
    ``side (K,)`` counts; ``weight, powers (K, r)``; ``drift (K,)`` is by how many powers of two
    ``acc`` may have changed since it was made, and ``reach (K,)`` those that rows of a proposal
    may hold; ``squares (K,)`` are ``|psi|^2``.
    """

    rows: np.ndarray
    acc: np.ndarray
    dead: np.ndarray
    side: np.ndarray
    weight: np.ndarray
    powers: np.ndarray
    drift: np.ndarray
    reach: np.ndarray
    squares: np.ndarray


class Proposal(NamedTuple):
    """A change of digits: sites and new digits ``places (2, N)``, the touched ``old`` and ``new``.

    Both are rows, ``(N T + 2,)``: three at a time, filled up with the row of ones. ``acc``,
    ``powers`` and ``dead`` ``(r,)`` are a product that is made anew.
    """

    places: np.ndarray
    old: np.ndarray
    new: np.ndarray
    acc: np.ndarray
    powers: np.ndarray
    dead: np.ndarray


def work_arrays(tables, states):
    """Arrays for one thread to work in: `Replicas` of all levels of a chain, and a `Proposal`."""
    (_, K, N), P, r = states.digits.shape, len(tables.rows.offsets), len(tables.rows.readout)
    whole = lambda *shape: np.zeros(shape, np.int64)
    ones = lambda *shape: np.ones(shape, tables.rows.readout.dtype)
    most = N * tables.holders.shape[1] + 2
    levels = Replicas(
        np.full((K, P + 1), len(tables.missing) - 1, np.int32),
        *(ones(2, K, r), whole(2, K, r), whole(K)),
        *(ones(K, r), whole(K, r), whole(K), whole(K), np.ones(K)),
    )
    places, old, new = whole(2, N), np.zeros(most, np.int32), np.zeros(most, np.int32)
    return levels, Proposal(places, old, new, ones(r), whole(r), whole(r))


@inner_loop
def _touch(tables, rows, x, count, new):
    """Move the windows that hold changed sites to other rows; how many, in threes."""
    found, holders = 0, tables.holders
    for k in range(count):
        n = np.uint64(new.places[0, k])
        change = np.int32(new.places[1, k]) - np.int32(x[n])
        for h in range(holders.shape[1]):
            p = np.uint64(holders[n, h, 0])
            row = rows[p]
            new.old[found] = row
            row += change * holders[n, h, 1]
            new.new[found] = row
            rows[p] = row
            found += 1
    while found % 3:
        new.old[found] = new.new[found] = len(tables.missing) - 1
        found += 1
    return found


@inner_loop
def _settle(tables, rows, x, count, places, accepted):
    """Take the new digits, or move the windows back."""
    holders = tables.holders
    for k in range(count):
        n = np.uint64(places[0, k])
        change = np.int32(places[1, k]) - np.int32(x[n])
        x[n] = np.int32(x[n]) + change * np.int32(accepted)
        back = change * np.int32(1 - accepted)
        for h in range(holders.shape[1]):
            rows[np.uint64(holders[n, h, 0])] -= back * holders[n, h, 1]


@inner_loop
def _change(factors, found, new, weight, acc, out):
    """The product with new rows for the old ones, into ``out``; the sum of its channels."""
    total = weight[0] * 0
    for i in range(0, found, 3):
        a, b, c = (
            factors[0, np.uint64(new.new[i])],
            factors[0, np.uint64(new.new[i + 1])],
            factors[0, np.uint64(new.new[i + 2])],
        )
        d, e, f = (
            factors[1, np.uint64(new.old[i])],
            factors[1, np.uint64(new.old[i + 1])],
            factors[1, np.uint64(new.old[i + 2])],
        )
        total = weight[0] * 0
        for k in range(len(out)):
            z = acc[k] * (a[k] * b[k] * c[k]) * (d[k] * e[k] * f[k])
            out[k] = z
            total += weight[k] * z
        acc = out
    return total


@lean_loop
def _change_zeros(missing, found, new, weight, acc, dead, new_dead):
    """How many zeros each channel has then; the sum of those without."""
    total = weight[0] * 0
    for k in range(len(acc)):
        new_dead[k] = dead[k]
    for i in range(found):
        for k in range(len(acc)):
            new_dead[k] += missing[new.new[i], k] - missing[new.old[i], k]
    for k in range(len(acc)):
        if new_dead[k] == 0:
            total += weight[k] * acc[k]
    return total


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


@lean_loop
def _log_square(psi, top):
    """``log |psi 2**top|^2``, -inf for zero."""
    square = _square(psi)
    return math.log(square) + 2 * LN2 * top if square > 0 else -math.inf


@inner_loop
def _step(tables, levels, s, psi, top, x, count, new, beta, words):
    """Accept or reject a change of ``count`` sites of the digits ``x`` in slot ``s``.

    Returns
    -------
    int
        0 if rejected, 1 if accepted, 2 if the product has to be made anew, too.
    """
    rows, side, now, total = levels.rows[s], levels.side[s], 0.0, psi[s] * 0
    found, bits = _touch(tables, rows, x, count, new), tables.rows.bits
    near = found * bits <= levels.reach[s] and found < len(rows) + 3
    if near:
        acc, dead = levels.acc[side, s], levels.dead[side, s]
        out, weight = levels.acc[1 - side, s], levels.weight[s]
        total = _change(tables.factors, found, new, weight, acc, out)
        if tables.rows.zeros:
            new_dead = levels.dead[1 - side, s]
            total = _change_zeros(tables.missing, found, new, weight, out, dead, new_dead)
        now = _square(total)
        near = 1 / HIGH < now < HIGH and 1 / HIGH < levels.squares[s] < HIGH
    u = uniform(words)
    if near:
        if beta != 1:
            u = math.exp(math.log(u) / beta)
        accepted = np.int64(u * levels.squares[s] <= now)
        levels.side[s] = side ^ accepted
        levels.drift[s] += 2 * found * bits * accepted
        levels.squares[s] = now if accepted else levels.squares[s]
        psi[s] = total if accepted else psi[s]
    else:
        total, power = _evaluate(tables, rows, new.acc, new.powers, new.dead)
        before, after = _log_square(psi[s], top[s]), _log_square(total, power)
        accepted = np.int64(before == -math.inf or math.log(u) < beta * (after - before))
    _settle(tables, rows, x, count, new.places, accepted)
    if accepted and (not near or levels.drift[s] > DRIFT):
        acc = levels.acc[levels.side[s], s]
        for c in range(len(acc)):
            near = near and 2.0**-DRIFT < size_of(acc[c]) < 2.0**DRIFT
        levels.drift[s] = 0
        return 1 if near else 2
    return accepted


@lean_loop
def _refresh(tables, levels, s, psi, top):
    """Make the product anew from the selected rows, and weigh its channels by what they give."""
    acc, dead = levels.acc[levels.side[s], s], levels.dead[levels.side[s], s]
    psi[s], base = _evaluate(tables, levels.rows[s], acc, levels.powers[s], dead)
    top[s], levels.squares[s], levels.drift[s] = base, _square(psi[s]), 0
    levels.reach[s] = NEAR
    for c in range(len(acc)):
        drop = levels.powers[s, c] + tables.rows.powers[c] - base
        levels.weight[s, c] = 0
        if tables.rows.readout[c] != 0:
            if drop < -1000:
                levels.reach[s] = FEWER
                continue
            size = math.ldexp(1.0, int(drop)) if drop < DEAD else math.inf
            levels.weight[s, c] = tables.rows.readout[c] * size


@lean_loop
def _trade(slots, psi, top, betas, first, words):
    """Exchange neighbouring levels ``first, first + 1``, then every second pair after them."""
    for k in range(first, len(slots) - 1, 2):
        a, b = slots[k], slots[k + 1]
        gain = _log_square(psi[b], top[b]) - _log_square(psi[a], top[a])
        if math.log(uniform(words)) < (betas[k] - betas[k + 1]) * gain:
            slots[k], slots[k + 1] = b, a


@lean_loop
def _select(rows, tables, x, phys_dim):
    """The rows that digits ``x`` select."""
    window_codes(x, phys_dim, tables.sites, tables.starts, rows)
    for p in range(len(tables.offsets)):
        rows[p] += tables.offsets[p]


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
        slots, words, age = states.slots[c], states.words[c], 0
        psi, top, counts = states.psi[c], states.top[c], states.counts[c]
        for s in range(K):
            _select(levels.rows[s], tables.rows, states.digits[c, s], phys_dim)
        for sweep in range(len(states.kept) + 1):
            if sweep == 0 or age >= FRESH:
                for s in range(K):
                    _refresh(tables, levels, s, psi, top)
                age = 0
            if sweep == len(states.kept):
                break
            for step in range(steps):
                for k in range(K):
                    s = slots[k]
                    x = states.digits[c, s]
                    count = propose(x, phys_dim, moves, words, new.places)
                    if count:
                        done = _step(tables, levels, s, psi, top, x, count, new, betas[k], words)
                        if done == 2:
                            _refresh(tables, levels, s, psi, top)
                        if k == 0:
                            counts[0] += 1
                            counts[1] += min(done, 1)
                _trade(slots, psi, top, betas, step % 2, words)
            age += steps
            s = slots[0]
            for n in range(N):
                states.kept[sweep, c, n] = states.digits[c, s, n]
            states.logs[sweep, c] = _log_square(psi[s], top[s]) / 2
