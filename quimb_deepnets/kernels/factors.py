"""The factors of rows, their product, and for each factor the product of all others.

::

    z (K, n, r)   factors of row i:  a b c  -->  out (n, r)   a b c
                                            -->  z            b c, a c, a b

Products of the first and of the last factors give those of all others without division. Rows are
rescaled by powers of two on the way, which drop out of derivatives of logarithms.
"""

import math

import numpy as np

from .compiled import lean_loop, loop
from .rows import size_of


@lean_loop
def _power_of(row):
    """The power of two of the largest entry."""
    top = 0.0
    for c in range(len(row)):
        top = max(top, size_of(row[c]))
    return math.frexp(top)[1]


@loop
def others(z, gone, out, least):
    """Rows of products, and what each factor is multiplied with.

    Parameters
    ----------
    z : array, shape (K, n, r)
        Factors; overwritten by the products of the others, over the size of their row, zero where
        a factor is missing.
    gone : array of bool, shape (K, n)
        Which factors are missing.
    out : array, shape (n, r)
        Overwritten by the products of all, of size 1/2 to 1.
    least : array of float64, shape (K + 1,)
        Overwritten by the smallest size of each factor but zero, its row of size 1/2 to 1; the last
        is that of the products.
    """
    K, n, r = z.shape
    before, powers = np.empty((K + 1, r), z.dtype), np.empty(K, np.int64)
    least[:] = 1.0
    for i in range(n):
        for c in range(r):
            before[0, c] = 1
        for k in range(K):
            row = z[k, i]
            if gone[k, i]:
                row[:] = 1
            powers[k] = _power_of(row)
            factor = math.ldexp(1.0, int(-powers[k]))
            for c in range(r):
                row[c] *= factor
                size = size_of(row[c])
                least[k] = size if 0.0 < size < least[k] else least[k]
                before[k + 1, c] = before[k, c] * row[c]
        whole = _power_of(before[K])
        factor = math.ldexp(1.0, -whole)
        for c in range(r):
            out[i, c] = before[K, c] * factor
            size = size_of(out[i, c])
            least[K] = size if 0.0 < size < least[K] else least[K]
            after = out[i, c] * 0 + 1
            for k in range(K - 1, -1, -1):
                own = z[k, i, c]
                z[k, i, c] = before[k, c] * after
                after *= own
        for k in range(K):
            factor = 0.0 if gone[k, i] else math.ldexp(1.0, int(-whole - powers[k]))
            for c in range(r):
                z[k, i, c] *= factor
