"""Ratios of amplitudes of a restricted Boltzmann machine: no hidden unit is computed again.

A mask moves the angle of a hidden unit by a sum over its sites, and for each unit, with the
probabilities ``p`` that it is up::

    cosh(angle + d) / cosh(angle) = p exp(d) + (1 - p) exp(-d)      d = -2 sum_n s_n W[j, n]

    changed sites --> rows of exp(+-2 W), multiplied --> prod over hidden units of the sum above

All terms of real machines are positive: no digits cancel.
"""

import math

import numpy as np

from .compiled import loop
from .rows import rescale, size_of


@loop
def hidden_ratios(x, first, last, starts, sites, tables, up, down, room, largest, out, unsure):
    """The ratios of masks for configurations ``first`` to ``last``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    first, last : int
    starts, sites : array of int32
        Mask ``i`` flips ``sites[starts[i]:starts[i + 1]]``.
    tables : array, shape (4, N, hidden + 1)
        ``exp(-2 W)`` and ``exp(2 W)`` by site for sites that were 0, the same for those that
        were 1; the last column is that of the visible bias alone.
    up, down : array, shape (B, hidden + 1)
        The probabilities; of the last column 1 and 0.
    room : int
        How many units can be multiplied before a rescale.
    largest : float
        What the dtype of ``out`` holds.
    out : array, shape (B, m)
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held.
    """
    hidden = tables.shape[2]
    rise, fall = np.empty(hidden, tables.dtype), np.empty(hidden, tables.dtype)
    total, power = np.ones(1, tables.dtype), np.zeros(1, np.int64)
    for b in range(first, last):
        for i in range(len(starts) - 1):
            rise[:] = up[b]
            fall[:] = down[b]
            for site in sites[starts[i] : starts[i + 1]]:
                s = 2 * x[site, b]
                for j in range(hidden):
                    rise[j] *= tables[s, site, j]
                    fall[j] *= tables[s + 1, site, j]
            total[0], power[0] = 1, 0
            for begin in range(0, hidden, room):
                part = total[0]
                for j in range(begin, min(begin + room, hidden)):
                    part *= rise[j] + fall[j]
                total[0] = part
                rescale(total, power)
            if power[0] > 1000:
                unsure[b] = True
                continue
            ratio = total[0] * math.ldexp(1.0, int(max(power[0], -1100)))
            if size_of(ratio) <= largest:
                out[b, i] = ratio
            else:
                unsure[b] = True
        for i in range(len(starts) - 1):
            if starts[i] == starts[i + 1]:
                out[b, i] = 1
