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
from .row_sums import TOGETHER, sum_rows
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
def _write(found, order, first, last, begin, size, out):
    """Write changes ``first`` to ``last``, which are held, to the columns of a block."""
    for b in range(size):
        row = out[begin + b]
        for i in range(first, last):
            row[np.uint64(order[i])] = found[i - first, b]


@inner_loop
def _write_values(found, order, first, last, begin, size, moves, x, phys_dim, out):
    """The same by site and value; a site that stays what it is has the ratio 1, or nan."""
    for j in range(last - first):
        moves[1, j], moves[0, j] = divmod(order[first + j], len(x))
    for b in range(size):
        row, some = out[begin + b], found[0, b]
        same = some * 0 + 1 if some == some else some
        for j in range(last - first):
            site, added, ratio = np.uint64(moves[0, j]), moves[1, j], found[j, b]
            value = np.int64(x[site, np.uint64(begin + b)])
            place = site * np.uint64(phys_dim)
            if phys_dim == 2:
                row[place] = ratio if value else same
                row[place + np.uint64(1)] = same if value else ratio
                continue
            row[place + np.uint64(value)] = same
            value += added + 1
            if value >= phys_dim:
                value -= phys_dim
            row[place + np.uint64(value)] = ratio


@loop
def flip_ratios(
    x, start, stop, phys_dim, vector, products, table, steps, largest, values, out, unsure
):
    """The ratios of changes of single sites, for configurations ``start`` to ``stop``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    start, stop, phys_dim : int
    vector : array, shape (r,)
        Weights of the channels.
    products : array, shape (B, r)
        Of the rows that each configuration selects.
    table : array, shape (rows, r or more)
        Quotients, in whole vectors, filled up with ones.
    steps : FlipSteps
    largest : float
        What the dtype of ``out`` holds.
    values : bool
        Write each change to the site and value that it leads to, and 1 where nothing changes, or
        nan if psi is zero; change i is of site ``i % N`` by ``i // N + 1``.
    out : array, shape (B, m) or (B, N phys_dim)
    unsure : array of bool, shape (B,)
        Becomes true where a ratio is not held.
    """
    # arrays by themselves: tuples of them are counted anew in each call of a function
    order, starts, offsets, keep = steps.order, steps.starts, steps.offsets, steps.keep
    reads, sites = steps.reads, steps.sites
    m, r = len(order), table.shape[1]
    codes = np.zeros((steps.most, BLOCK), np.uint32)
    share = np.zeros((BLOCK, r), table.dtype)
    found, moves = np.empty((HELD, BLOCK), table.dtype), np.empty((2, HELD), np.int64)
    bad = np.zeros(BLOCK, np.bool_)
    for begin in range(start, stop, BLOCK):
        size = min(BLOCK, stop - begin)
        codes[:, size:] = 0  # configurations that fill up the last few
        _divide_by_sum(vector, products[begin : begin + size], share)
        for i in range(m):
            e, count, held = starts[i], starts[i + 1] - starts[i], found[i % HELD]
            for k in range(count):
                fresh, end = reads[e + k], reads[e + k + 1]
                _append(x, begin, size, phys_dim, keep[e + k], sites, fresh, end, codes[k])
            for b in range(0, size, TOGETHER):
                sum_rows(share, b, table, offsets, np.int64(e), codes, np.int64(count), held)
            for b in range(size):
                bad[b] |= (size_of(held[b]) < LEAST) | (size_of(held[b]) > largest)  # nan is good
            if i % HELD == HELD - 1 or i == m - 1:
                first = i - i % HELD
                if values:
                    where = first, i + 1, begin, size
                    _write_values(found, order, *where, moves, x, phys_dim, out)
                else:
                    _write(found, order, first, i + 1, begin, size, out)
        for b in range(size):
            unsure[begin + b] |= bad[b]
            bad[b] = False
