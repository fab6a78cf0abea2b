"""Amplitudes that are products of rows: what ratios and Markov chains of them share.

The digits of a configuration spell the code of each window, which selects a row of a table; the
product of all rows, channel by channel, is kept with a power of two and a count of zeros::

    digits (N,) --> codes (P,) --> rows of the table --> product (r,) * 2**power (r,), dead (r,)
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import lean_loop

ROOM = 1000  # powers of two that a product may gather before a rescale


class Rows(NamedTuple):
    """Tables of rows, the windows whose codes select them, and the read-out.

    ``table (rows, r)``; window ``p`` holds ``sites[starts[p]:starts[p + 1]]``, its rows begin at
    ``offsets[p]``; the read-out is ``readout * 2**powers`` ``(r,)``; entries are within
    ``2**bits`` of 1, or zero if ``zeros``.
    """

    table: np.ndarray
    sites: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    readout: np.ndarray
    powers: np.ndarray
    bits: int
    zeros: bool


@lean_loop
def size_of(x):
    """The larger part of a number, which cannot overflow."""
    return max(abs(x.real), abs(x.imag))


@lean_loop
def rescale(x, power):
    """Move the powers of two of numbers ``(r,)`` to integers ``(r,)``."""
    for c in range(len(x)):
        size = size_of(x[c])
        if size > 0 and size < math.inf:
            shift = math.frexp(size)[1]
            # in two steps: the inverse of a number below the normal range is above it
            x[c] = x[c] * math.ldexp(1.0, -(shift // 2)) * math.ldexp(1.0, shift // 2 - shift)
            power[c] += shift


@lean_loop
def window_codes(digits, phys_dim, sites, starts, codes):
    """The codes ``(P,)`` of the windows of digits ``(N,)``."""
    for p in range(len(starts) - 1):
        code = 0
        for i in range(starts[p], starts[p + 1]):
            code = code * phys_dim + np.int64(digits[sites[i]])
        codes[p] = code


@lean_loop
def multiply_rows(table, picked, bits, zeros, rest, power, dead):
    """The product of the ``picked`` rows ``(P,)`` without their zeros, which are counted."""
    r, room = len(rest), max(1, ROOM // bits)
    for c in range(r):
        rest[c], power[c], dead[c] = 1, 0, 0
    for p in range(len(picked)):
        row = table[np.uint64(picked[p])]
        if zeros:
            for c in range(r):
                if row[c] == 0:
                    dead[c] += 1
                else:
                    rest[c] *= row[c]
        else:
            for c in range(r):
                rest[c] *= row[c]
        if (p + 1) % room == 0:
            rescale(rest, power)
    rescale(rest, power)
