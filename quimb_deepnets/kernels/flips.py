"""Ratios of single changes, from tables of quotients: what a change makes of all windows together.

A site is in few windows, and together these hold few sites. So there is a row of quotients, new
product over old one, for each code of these sites: a change reads one row, or one for each of a
few runs of windows, and nothing is divided::

    digits (N, B) --> product of all rows (r,) --> share (r,) of each channel in psi(s)
    site n, its code ... 0 1 1 0 1 ...                |
      next site        ... 1 1 0 1 0 ...   --row-->  sum_c share_c * quotient_c

From site to site a code drops its first digits and appends new ones, for a block of
configurations at once.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import inner_loop, loop
from .rows import size_of

BLOCK = 64
LEAST = 2.0**-500  # a ratio; in smaller ones, channels that were too small may count
HELD = 8  # changes whose ratios are held, to be written next to each other


class FlipSteps(NamedTuple):
    """Which rows changes read, all arrays int32.

    Change ``i`` goes to column ``order[i]`` and reads the rows ``starts[i]`` to ``starts[i + 1]``,
    ``most`` of them or fewer. Row ``e`` is at ``offsets[e]`` plus the code of its slot, number
    ``e - starts[i]``. Of the code that is there, last digits that take ``keep[e]`` values stay,
    and those of ``sites[reads[e]:reads[e + 1]]`` are appended.
    """

    order: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    keep: np.ndarray
    reads: np.ndarray
    sites: np.ndarray
    most: int


@loop
def divide_rows(table, first, count, stride, phys_dim, added, out):
    """Quotients of ``count`` rows of a table, from row ``first`` on, when a digit changes.

    Parameters
    ----------
    table : array, shape (rows, r)
    first, count : int
    stride : int
        What the digit is multiplied with in the code of a row.
    phys_dim, added : int
        What is added to the digit, modulo its dimension.
    out : array, shape (count, r)
        Overwritten.
    """
    for i in range(count):
        digit = i // stride % phys_dim
        change = (digit + added) % phys_dim - digit
        new, old = table[first + i + change * stride], table[first + i]
        for c in range(out.shape[1]):
            out[i, c] = new[c] / old[c]


@inner_loop
def _append(x, begin, count, phys_dim, keep, sites, first, last, code):
    """Drop the first digits of codes ``(BLOCK,)``, append those of sites ``first`` to ``last``."""
    if phys_dim == 2:
        stay = np.uint32(keep - 1)
        for b in range(count):
            code[b] &= stay
        for j in range(first, last):
            digit = x[np.uint64(sites[j])]
            for b in range(count):
                code[b] = (code[b] << np.uint32(1)) | np.uint32(digit[np.uint64(begin + b)])
    else:
        stay, base = np.uint32(keep), np.uint32(phys_dim)
        for b in range(count):
            code[b] %= stay
        for j in range(first, last):
            digit = x[np.uint64(sites[j])]
            for b in range(count):
                code[b] = code[b] * base + np.uint32(digit[np.uint64(begin + b)])


@loop
def _divide_by_sum(vector, products, share):
    """The share of each channel in the sum of ``vector * products``, nan where that is zero."""
    for b in range(len(products)):
        total = vector[0] * products[b, 0]
        for c in range(1, len(vector)):
            total += vector[c] * products[b, c]
        inverse = math.nan if total == 0 else 1 / total
        for c in range(len(vector)):
            share[b, c] = vector[c] * products[b, c] * inverse


@inner_loop
def _multiply(table, first, code, count, weights, out):
    """The weights of so many configurations, times one row each."""
    for b in range(count):
        row, old, new = table[np.uint64(first) + code[b]], weights[b], out[b]
        for c in range(len(row)):
            new[c] = old[c] * row[c]


@inner_loop
def _sum_one(table, first, code, count, weights, out):
    """The sums of the weights of so many configurations, times one row each."""
    for b in range(count):
        row, old = table[np.uint64(first) + code[b]], weights[b]
        total = old[0] * row[0]
        for c in range(1, len(row)):
            total += old[c] * row[c]
        out[b] = total


@inner_loop
def _sum_two(table, first, code, second, other, count, weights, out):
    """The same, times two rows each."""
    for b in range(count):
        row, old = table[np.uint64(first) + code[b]], weights[b]
        more = table[np.uint64(second) + other[b]]
        total = old[0] * (row[0] * more[0])
        for c in range(1, len(row)):
            total += old[c] * (row[c] * more[c])
        out[b] = total


@loop
def flip_ratios(x, start, stop, phys_dim, vector, products, table, steps, largest, out, unsure):
    """The ratios of changes of single sites, for configurations ``start`` to ``stop``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    start, stop, phys_dim : int
    vector : array, shape (r,)
        Weights of the channels.
    products : array, shape (B, r)
        Of the rows that each configuration selects.
    table : array, shape (rows, r)
        Quotients.
    steps : FlipSteps
    largest : float
        What the dtype of ``out`` holds.
    out : array, shape (B, m)
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held.
    """
    # arrays by themselves: tuples of them are counted anew in each call of a function
    order, starts, offsets, keep = steps.order, steps.starts, steps.offsets, steps.keep
    reads, sites = steps.reads, steps.sites
    m, r = len(order), table.shape[1]
    codes = np.zeros((steps.most, BLOCK), np.uint32)
    share, work = np.empty((BLOCK, r), table.dtype), np.empty((BLOCK, r), table.dtype)
    found = np.empty((HELD, BLOCK), table.dtype)
    bad = np.zeros(BLOCK, np.bool_)
    for begin in range(start, stop, BLOCK):
        size = min(BLOCK, stop - begin)
        _divide_by_sum(vector, products[begin : begin + size], share)
        for i in range(m):
            e, count, held = starts[i], starts[i + 1] - starts[i], found[i % HELD]
            for k in range(count):
                fresh, end = reads[e + k], reads[e + k + 1]
                _append(x, begin, size, phys_dim, keep[e + k], sites, fresh, end, codes[k])
            weights, last = share, count - 1
            for k in range(count - 2):
                _multiply(table, offsets[e + k], codes[k], size, weights, work)
                weights = work
            if count == 1:
                _sum_one(table, offsets[e], codes[0], size, weights, held)
            else:
                first, second = offsets[e + last - 1], offsets[e + last]
                _sum_two(table, first, codes[last - 1], second, codes[last], size, weights, held)
            for b in range(size):
                bad[b] |= (size_of(held[b]) < LEAST) | (size_of(held[b]) > largest)  # nan is good
            if i % HELD == HELD - 1 or i == m - 1:
                for b in range(size):
                    row = out[begin + b]
                    for j in range(i - i % HELD, i + 1):
                        row[np.uint64(order[j])] = found[j % HELD, b]
        for b in range(size):
            unsure[begin + b] |= bad[b]
            bad[b] = False
