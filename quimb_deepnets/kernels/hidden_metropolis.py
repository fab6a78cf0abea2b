"""Metropolis chains of a real restricted Boltzmann machine: no exponential in a step.

Every chain keeps for each hidden unit the probabilities ``p`` and ``q = 1 - p`` that it is up or
down. A proposal multiplies them by rows of a table, and their sum is the unit's ratio::

    p exp(d) + q exp(-d) = cosh(angle + d) / cosh(angle)      d = -2 sum_n s_n W[j, n]

    prod_j of these, for all changed sites n: the ratio       accept: u < ratio^2
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import inner_loop, lean_loop
from .proposals import propose, uniform

FRESH = 1024  # steps after which the probabilities are made anew


class HiddenTables(NamedTuple):
    """What the loop reads of a machine of N sites.

    ``steps (4, N, hidden + 1)`` are ``exp(-2 W)`` and ``exp(2 W)`` by site for sites that were 0,
    the same for those that were 1; the last column is that of the visible bias, a unit that is
    always up. ``weights (N, hidden)``, ``hidden (hidden,)`` and ``visible (N,)`` are those of the
    machine, ``room`` is how many ratios of units a float surely holds the product of.
    """

    steps: np.ndarray
    weights: np.ndarray
    hidden: np.ndarray
    visible: np.ndarray
    room: int


class HiddenStates(NamedTuple):
    """Where C chains of K levels are, see `metropolis.ChainStates`; ``logabs (C, K)``."""

    digits: np.ndarray
    slots: np.ndarray
    words: np.ndarray
    logabs: np.ndarray
    counts: np.ndarray
    kept: np.ndarray
    logs: np.ndarray


@lean_loop
def _refresh(tables, x, up, down):
    """The probabilities at digits ``x``, and the logarithm of the amplitude."""
    hidden = len(tables.hidden)
    total = 0.0
    for j in range(hidden):
        up[j] = tables.hidden[j]
    for n in range(len(x)):
        s = 1.0 - 2.0 * x[n]
        total += s * tables.visible[n]
        for j in range(hidden):
            up[j] += s * tables.weights[n, j]
    for j in range(hidden):
        angle = up[j]
        total += abs(angle) + math.log1p(math.exp(-2 * abs(angle)))
        up[j], down[j] = 1 / (1 + math.exp(-2 * angle)), 1 / (1 + math.exp(2 * angle))
    up[hidden], down[hidden] = 1.0, 0.0
    return total


@inner_loop
def _log_ratio(tables, x, count, places, up, down, rise, fall):
    """The logarithm of the ratio of a change; the terms of each unit in ``rise`` and ``fall``."""
    units = len(up)
    for j in range(units):
        rise[j], fall[j] = up[j], down[j]
    for k in range(count):
        n = np.uint64(places[0, k])
        if places[1, k] != x[n]:
            s = np.uint64(2 * x[n])
            one, two = tables.steps[s, n], tables.steps[s + np.uint64(1), n]
            for j in range(units):
                rise[j] *= one[j]
                fall[j] *= two[j]
    total, begin = 0.0, 0
    while begin < units:
        part, end = 1.0, min(begin + tables.room, units)
        for j in range(begin, end):
            part *= rise[j] + fall[j]
        total += math.log(part)
        begin = end
    return total


@lean_loop
def _trade(slots, logabs, betas, first, words):
    """Exchange neighbouring levels ``first, first + 1``, then every second pair after them."""
    for k in range(first, len(slots) - 1, 2):
        a, b = slots[k], slots[k + 1]
        gain = 2 * (betas[k] - betas[k + 1]) * (logabs[b] - logabs[a])
        if math.log(uniform(words)) < gain:
            slots[k], slots[k + 1] = b, a


@lean_loop
def run_hidden_chains(first, last, states, tables, work, places, moves, betas, steps):
    """Run chains ``first`` to ``last``: sweeps of so many ``steps``, as many as there are notes.

    Parameters
    ----------
    first, last : int
    states : HiddenStates
        Changed in place.
    tables : HiddenTables
    work : array of float64, shape (K + 1, 2, hidden + 1)
        To work in, as is ``places (2, N)``: no two threads share them.
    moves : ChainMoves
    betas : array of float64, shape (K,)
        Inverse temperatures, the first of them 1.
    steps : int
    """
    _, K, N = states.digits.shape
    rise, fall = work[K, 0], work[K, 1]
    for c in range(first, last):
        slots, words, age = states.slots[c], states.words[c], 0
        logabs, counts = states.logabs[c], states.counts[c]
        for sweep in range(len(states.kept) + 1):
            if sweep == 0 or age >= FRESH:
                for s in range(K):
                    logabs[s] = _refresh(tables, states.digits[c, s], work[s, 0], work[s, 1])
                age = 0
            if sweep == len(states.kept):
                break
            for step in range(steps):
                for k in range(K):
                    s = slots[k]
                    x, up, down = states.digits[c, s], work[s, 0], work[s, 1]
                    count = propose(x, 2, moves, words, places)
                    if count == 0:
                        continue
                    gain = _log_ratio(tables, x, count, places, up, down, rise, fall)
                    accepted = math.log(uniform(words)) < 2 * betas[k] * gain
                    if accepted:
                        logabs[s] += gain
                        for j in range(len(up)):
                            whole = 1 / (rise[j] + fall[j])
                            up[j], down[j] = rise[j] * whole, fall[j] * whole
                        for i in range(count):
                            x[places[0, i]] = places[1, i]
                    if k == 0:
                        counts[0] += 1
                        counts[1] += np.int64(accepted)
                _trade(slots, logabs, betas, step % 2, words)
            age += steps
            s = slots[0]
            for n in range(N):
                states.kept[sweep, c, n] = states.digits[c, s, n]
            states.logs[sweep, c] = logabs[s]
