"""The layers of a ConvAC for a block of configurations that stays in the cache.

Each node is multiplied up tap by tap while it lies in the innermost cache: a tap's matrix product
is a few tiles in registers, and goes nowhere but into the product::

    y (positions + 1, rows, b)     rows: channels, or pairs of parts; the last position is ones
       | reads (P, K): which position each tap reads, -1 for no factor
       v
    out[p] (rows, b)  =  prod_k w[k] @ y[reads[p, k]],  rescaled by powers of two per column

    total (rows, b)   =  prod_p out[p], a power of two for each entry
"""

import numpy as np

from .compiled import lean_loop, loop
from .tiles import (
    BYTES,
    MULTIPLY,
    MULTIPLY_PAIRS,
    OUTS,
    STORE,
    multiply_tile,
    rescale_columns,
)


@loop
def look_up(table, powers, codes, start, stop, y, exponent):
    """The rows of a table, transposed to channels first, and a last position of ones.

    Parameters
    ----------
    table : array, shape (n, count)
    powers : array of float64, shape (n,)
    codes : array of int64, shape (P, B)
    start, stop : int
        Which configurations; the last fills up the block.
    y : array, shape (P + 1, rows, b)
    exponent : array of float64, shape (P + 1, b)
    """
    count = table.shape[1]
    for p in range(len(codes)):
        for x in range(y.shape[2]):
            row = codes[p, min(start + x, stop - 1)]
            exponent[p, x] = powers[row]
            for c in range(count):
                y[p, c, x] = table[row, c]


@loop
def fill_ones(y, exponent, parts):
    """Make the last position a vector of ones."""
    y[-1] = 0.0
    y[-1, ::parts] = 1.0
    exponent[-1] = 0.0


@lean_loop
def multiply_taps(y, exponent, w, powers, own, reads, count, parts, every, small, sizes, out, new):
    """One layer; whether no entry came close to underflow.

    Parameters
    ----------
    y : array, shape (P_below + 1, rows, b)
    exponent : array of float64, shape (P_below + 1, b)
    w : array, shape (K, tiles, J, OUTS), or with P K first if each position has weights of its own
    powers : array of float64, shape (K,) or (P K,)
        The exponents of the weights.
    own : int
        K if each position has weights of its own, else 0.
    reads : array of int32, shape (P, K)
    count, parts : int
        Rows of a node that are numbers or parts of numbers, and how many make up a number.
    every : int
        After how many factors to rescale.
    small : float
        How far below the largest of its node an entry may be.
    sizes : array of float64, shape (3, b)
    out : array, shape (P + 1, tiles * OUTS, b)
    new : array of float64, shape (P + 1, b)
    """
    b, lanes = y.shape[2], BYTES // y.itemsize
    mode, safe = (MULTIPLY_PAIRS if parts == 2 else MULTIPLY), True
    for p in range(len(reads)):
        node, done = out[p], 0
        new[p] = 0.0
        for k in range(reads.shape[1]):
            if reads[p, k] < 0:
                continue
            matrix, values = w[p * own + k], y[reads[p, k]]
            for t in range(len(matrix)):
                for x in range(0, b, lanes):
                    kind = mode if done else STORE
                    multiply_tile(matrix[t], values, 0, 1, x, node, t * OUTS, kind)
            below, power = exponent[reads[p, k]], powers[p * own + k]
            for x in range(b):
                new[p, x] += below[x] + power
            done += 1
            if done % every == 0:
                safe &= rescale_columns(node, count, parts, sizes, small, new[p])
        if done == 0:
            node[:] = 0.0
            node[:count:parts] = 1.0
        if done % every or done == 0:
            safe &= rescale_columns(node, count, parts, sizes, small, new[p])
    return safe


@loop
def multiply_positions(y, exponent, count, parts, sizes, total, powers):
    """The product over all positions but the last, a power of two for each entry.

    Parameters
    ----------
    y : array, shape (P + 1, rows, b)
    exponent : array of float64, shape (P + 1, b)
    count, parts : int
    sizes : array of float64, shape (3, b)
    total : array of float64, shape (count, b)
    powers : array of float64, shape (count, b)
        Of pairs the first row.
    """
    b = y.shape[2]
    size, code, common = sizes[0], sizes[0].view(np.int64), sizes[1]
    total[:] = 0.0
    total[::parts] = 1.0
    powers[:] = 0.0
    common[:] = 0.0
    for p in range(len(y) - 1):
        for x in range(b):
            common[x] += exponent[p, x]
        for c in range(0, count, parts):
            re, im = total[c], total[c + parts - 1]
            for x in range(b):
                if parts == 2:
                    first, second = np.float64(y[p, c, x]), np.float64(y[p, c + 1, x])
                    first, second = re[x] * first - im[x] * second, re[x] * second + im[x] * first
                    re[x], im[x] = first, second
                    size[x] = max(abs(first), abs(second))
                else:
                    re[x] *= y[p, c, x]
                    size[x] = abs(re[x])
            for x in range(b):
                shift = ((code[x] >> 52) & 0x7FF) - 1022 if size[x] > 0.0 else 0
                powers[c, x] += shift
                code[x] = (1023 - shift) << 52
                re[x] *= size[x]
                if parts == 2:
                    im[x] *= size[x]
    for c in range(0, count, parts):
        for x in range(b):
            powers[c, x] += common[x]
