"""Tables of windows, each row a product of rows of smaller tables: forward, and back.

A table has a row for each code of its window, and each of its parts reads the rows that the code
selects there. Counting through the codes changes few digits at a time, so that a part only adds
what the last digit that changed carries over::

    code of the window    0 0 0   0 0 1   0 1 0   0 1 1   ...     digits of sites s0 s1 s2
    part of (s0, s1)       00      00      01      01             + 0  + 1  + 0
    part of (s1, s2)       00      01      10      11             + 1  + 1  + 1

    z (rows, r) --multiplied--> out (rows, r) * 2**power (rows,) --evened--> one power a channel

Rows of many factors are rescaled by their largest entry. Where another one comes close to
underflow beside it, the loops say so, and leave that table to others.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import lean_loop, loop


class TableStep(NamedTuple):
    """How tables of several kinds read the rows of products, in integers.

    ``starts`` ``(kinds + 1,)`` are their first rows, ``widths`` ``(kinds,)`` their sites,
    ``parts`` ``(kinds + 1,)`` and ``carries`` ``(kinds,)`` where their parts and carries begin.
    For each part ``rows`` is where its product begins, ``below`` where its power does. The
    carries of a kind have shape ``(width, parts)``. All are int64.
    """

    phys_dim: int
    starts: np.ndarray
    widths: np.ndarray
    parts: np.ndarray
    rows: np.ndarray
    below: np.ndarray
    carries: np.ndarray
    carried: np.ndarray


@loop
def spread(x):
    """The smallest size of an entry of ``x`` ``(n, r)`` but zero, the largest, and if any is zero.

    The largest is not finite where an entry is not.
    """
    r = x.shape[1]
    low, high, zeros, lost = np.full(r, np.inf), np.zeros(r), np.zeros(r), np.zeros(r)
    for i in range(len(x)):
        for c in range(r):  # each channel by itself
            re, im = np.float64(abs(x[i, c].real)), np.float64(abs(x[i, c].imag))
            size = re if re > im else im
            some = np.inf if size == 0.0 else size
            zeros[c] += 1.0 if size == 0.0 else 0.0
            low[c] = some if some < low[c] else low[c]
            high[c] = size if size > high[c] else high[c]
            lost[c] += 0.0 if re + im < np.inf else 1.0  # a sum times 0.0 may be compiled to 0.0
    least, most, any_zero = np.inf, 0.0, False
    for c in range(r):
        least, most = min(least, low[c]), max(most, high[c])
        any_zero |= zeros[c] > 0.0
        if lost[c] != 0.0:
            most = np.inf
            break
    return least, most, any_zero


@lean_loop
def _next_code(phys_dim, carried, digits, codes):
    """Count on: the next code of a kind, what its parts read, and the first that moves."""
    j = len(digits) - 1
    while j >= 0 and digits[j] == phys_dim - 1:
        digits[j] = 0
        j -= 1
    moved = len(codes)
    if j < 0:
        return moved
    digits[j] += 1
    first = j * len(codes)
    for p in range(len(codes) - 1, -1, -1):
        by = carried[first + p]
        codes[p] += by
        if by != 0:
            moved = p
    return moved


@lean_loop
def _rescale_row(row, small):
    """Rescale by a power of two; the power, and whether no entry but zero is close to underflow."""
    top, low = 0.0, np.inf
    for c in range(len(row)):
        size = np.float64(max(abs(row[c].real), abs(row[c].imag)))
        top = max(top, size)
        low = min(low, size if size > 0.0 else np.inf)
    shift = math.frexp(top)[1]
    factor = math.ldexp(1.0, -shift)
    for c in range(len(row)):
        row[c] *= factor
    return shift, low >= small * max(top, 1.0)


@lean_loop
def _multiply_kind(z, power, step, k, codes, digits, parts, powers, every, small, out, exponent):
    """The rows of kind ``k``, see `multiply_parts`.

    ``parts (P + 1, r)`` are products of its first parts, and ``powers (P + 1,)`` theirs: from one
    code to the next only those behind the first part that moves are made anew.
    """
    safe, first, count, r, moved = True, step.parts[k], len(codes), out.shape[1], 0
    carried = step.carried[step.carries[k] :]
    for c in range(r):
        parts[0, c] = 1
    powers[0] = 0.0
    for i in range(step.starts[k], step.starts[k + 1]):
        for p in range(moved, count):
            factor = z[np.uint64(step.rows[first + p] + codes[p])]
            before, product = parts[np.uint64(p)], parts[np.uint64(p + 1)]
            for c in range(r):
                product[c] = before[c] * factor[c]
            powers[p + 1] = powers[p] + power[np.uint64(step.below[first + p] + codes[p])]
            if (p + 1) % every == 0 or p + 1 == count > every:
                shift, held = _rescale_row(product, small)
                powers[p + 1] += shift
                safe &= held
        for c in range(r):
            out[i, c] = parts[count, c]
        exponent[i] = powers[count]
        moved = _next_code(step.phys_dim, carried, digits, codes)
    return safe


@loop
def multiply_parts(z, power, step, every, small, out, exponent):
    """The rows of all tables.

    Parameters
    ----------
    z : array, shape (products, r)
    power : array of float64, shape (rows below,)
        Of the row that each product was made from.
    step : TableStep
    every : int
        After how many factors to rescale, and after the last one if there are as many.
    small : float
        How far below its largest, or 1, an entry of a row may be where it is rescaled.
    out : array, shape (rows, r)
        Overwritten.
    exponent : array of float64, shape (rows,)
        Overwritten: their powers of two.

    Returns
    -------
    bool
        Whether no entry came close to underflow.
    """
    safe = True
    for k in range(len(step.widths)):
        first, last = step.parts[k], step.parts[k + 1]
        codes, digits = np.zeros(last - first, np.int64), np.zeros(step.widths[k], np.int64)
        parts, powers = (
            np.empty((last - first + 1, out.shape[1]), out.dtype),
            np.empty(last - first + 1),
        )
        safe &= _multiply_kind(
            z, power, step, k, codes, digits, parts, powers, every, small, out, exponent
        )
    return safe


@loop
def add_parts(given, step, out):
    """Add rows of ``given`` ``(rows, r)`` to all rows of ``out`` ``(products, r)`` they read."""
    for k in range(len(step.widths)):
        rows = step.rows[step.parts[k] : step.parts[k + 1]]
        codes, digits = np.zeros(len(rows), np.int64), np.zeros(step.widths[k], np.int64)
        for i in range(step.starts[k], step.starts[k + 1]):
            for p in range(len(codes)):
                sums = out[rows[p] + codes[p]]
                for c in range(len(sums)):
                    sums[c] += given[i, c]
            _next_code(step.phys_dim, step.carried[step.carries[k] :], digits, codes)


@loop
def even_rows(x, exponent, starts, most, centre):
    """Give each channel of a kind one power of two, in the middle of its entries.

    Parameters
    ----------
    x : array, shape (rows, r)
        Rescaled.
    exponent : array of float64, shape (rows,)
        The powers of two of its rows.
    starts : array of int64, shape (kinds + 1,)
    most : int
        How far the rows of a kind may be apart.
    centre : array of float64, shape (kinds, r)
        Overwritten: the powers of two that were taken out.

    Returns
    -------
    int
        No entry but zero is further than so many powers of two from 1; -1 where rows are too far
        apart.
    """
    bits, r = 1, x.shape[1]
    low, high, factor = np.empty(r), np.empty(r), np.empty(r)
    for k in range(len(centre)):
        near = far = exponent[starts[k]]
        for i in range(starts[k], starts[k + 1]):
            near, far = min(near, exponent[i]), max(far, exponent[i])
        if far - near > most:
            return -1
        near += math.floor((far - near) / 2)
        for c in range(r):
            low[c], high[c] = np.inf, 0.0
        for i in range(starts[k], starts[k + 1]):
            power = math.ldexp(1.0, int(exponent[i] - near))
            for c in range(r):
                x[i, c] *= power
                size = np.float64(max(abs(x[i, c].real), abs(x[i, c].imag)))
                high[c] = max(high[c], size)
                low[c] = min(low[c], size if size > 0.0 else np.inf)
        for c in range(r):
            below, above = math.frexp(min(low[c], high[c]))[1], math.frexp(high[c])[1]
            middle = (below + above + 1) // 2
            bits = max(bits, above - middle, middle - below + 1)
            centre[k, c], factor[c] = near + middle, math.ldexp(1.0, -middle)
        for i in range(starts[k], starts[k + 1]):
            for c in range(r):
                x[i, c] *= factor[c]
    return bits
