"""Configurations as users write them to digits: checked, and turned so that sites come first.

Blocks of configurations that the first cache holds are made small, and then turned, so that each
number is read once from memory, in order::

    configs (B, N) int64      -->  block (64, N) uint8  -->  digits (N, B) uint8
      s00 s01 s02 ...                                          s00 s10 s20 ...
      s10 s11 s12 ...                                          s01 s11 s21 ...
"""

from typing import Any

import numpy as np

from .compiled import as_rows, in_memory, in_threads, loop

BLOCK = 64  # of configurations that are turned together
LEAST = 2**18  # numbers that are worth a thread
LARGEST = 128  # local dimension of which a byte holds the sum of two digits
DTYPES = frozenset(map(np.dtype, ("int64", "int32", "int8", "uint8")))


@loop
def turn(x, out, start, stop):
    """Turn ``x[start:stop]`` of ``(B, N)`` to columns of ``out`` ``(N, B)``; the largest entry.

    255 stands for all that is larger, or negative.
    """
    N = x.shape[1]
    # an odd number of cache lines a row: the entries of a column share no set of the cache
    block = np.empty((BLOCK, ((N + 63) // 64 | 1) * 64), np.uint8)
    bits, largest = np.uint64(0), np.uint8(0)
    for begin in range(start, stop, BLOCK):
        some = x[begin : min(begin + BLOCK, stop)]
        for b in range(len(some)):
            wide, narrow = some[b], block[b]
            for n in range(N):
                bits |= np.uint64(wide[n])
                narrow[n] = np.uint8(wide[n])
            for n in range(N):
                largest = max(largest, narrow[n])
        for n in range(N):
            row = out[n, begin : begin + len(some)]
            for b in range(len(row)):
                row[b] = block[b, n]
    return np.uint8(255) if bits > 255 else largest


def entries(configs: Any, phys_dim: int) -> np.ndarray | None:
    """Configurations ``(B, *shape)``, numpy or torch, as an array ``(B, N)`` that `turn` reads.

    None if no loop reads the array, or if a byte cannot hold a digit.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.digits import entries
    >>> entries(np.array([[[0, 1], [1, 1]]]), 2)
    array([[0, 1, 1, 1]])
    """
    if phys_dim > LARGEST or not in_memory(configs):
        return None
    x = as_rows(configs)
    return x.reshape(len(x), -1) if x.dtype in DTYPES else None


def turned(configs: Any, phys_dim: int) -> np.ndarray | None:
    """Configurations ``(B, *shape)``, numpy or torch, as digits ``(N, B)``, uint8.

    None if an entry is out of range, if no loop reads the array, or if a byte cannot hold a digit.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.digits import turned
    >>> turned(np.array([[0, 1, 1]]), 2)
    array([[0],
           [1],
           [1]], dtype=uint8)
    >>> turned(np.array([[0, 1, -1]]), 2) is None
    True
    """
    x = entries(configs, phys_dim)
    if x is None:
        return None
    out = np.empty(x.shape[::-1], np.uint8)
    largest, part = [], lambda start, stop: largest.append(turn(x, out, start, stop))
    in_threads(part, len(x), LEAST // max(1, len(out)))
    return out if max(largest) < phys_dim else None
