"""The way back of a look-up: what the rows of a table get from products of them.

The factor of a row is what stands before it and after it in its product, so nothing is divided,
and zeros are as good as any number::

    rows of one configuration      t0  t1  t2  t3
    before, kept                   1   t0  t0t1  t0t1t2
    after, from the last one on    t1t2t3 g   t2t3 g   t3 g   g        g: gradient of the product
                                   gradient of a row += before * after

Threads share the channels, not the configurations: each one adds in the same order.
"""

import numpy as np

from .compiled import in_threads, loop
from .lookup import BLOCK
from .words import PackedWindows, window_codes

CHANNELS = 8  # that are worth a thread


@loop
def _add_rows(words, windows, table, given, out, start, stop):
    """Add to channels start to stop of ``out`` ``(rows, r)`` for ``given`` ``(B, r)``."""
    P, B = len(windows.starts), words.shape[1]
    codes = np.empty((P, BLOCK), np.uint32)
    before, after = (
        np.empty((P + 1, stop - start), table.dtype),
        np.empty(stop - start, table.dtype),
    )
    before[0] = 1
    for begin in range(0, B, BLOCK):
        some = words[:, begin : min(begin + BLOCK, B)]
        window_codes(some, windows, 0, codes)
        for b in range(some.shape[1]):
            for p in range(P):
                row = table[np.uint64(codes[p, b]), start:stop]
                for c in range(len(after)):
                    before[p + 1, c] = before[p, c] * row[c]
            for c in range(len(after)):
                after[c] = given[begin + b, start + c]
            for p in range(P - 1, -1, -1):
                row = table[np.uint64(codes[p, b]), start:stop]
                sums = out[np.uint64(codes[p, b]), start:stop]
                for c in range(len(after)):
                    sums[c] += before[p, c] * after[c]
                    after[c] *= row[c]


def add_rows(
    words: np.ndarray, windows: PackedWindows, table: np.ndarray, given: np.ndarray
) -> np.ndarray:
    """The gradient of a table, given those of the products of its rows.

    Parameters
    ----------
    words : numpy.ndarray of uint64, shape (W, B)
        Configurations.
    windows : PackedWindows
    table : numpy.ndarray, shape (rows, r)
        Floats hold the products of as many rows as there are windows.
    given : numpy.ndarray, shape (B, r)

    Returns
    -------
    numpy.ndarray, shape (rows, r)
        ``sum_b given[b] * d product[b] / d table``.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.lookup_gradient import add_rows
    >>> from quimb_deepnets.kernels.words import FlatWindows, packed, packed_windows
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> words = packed(np.array([[0], [1], [1]], "uint8"), 2)
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> add_rows(words, packed_windows(pairs, 2), table, np.ones((1, 1))).ravel()
    array([0., 5., 0., 2.])
    """
    out = np.zeros_like(table)
    in_threads(
        lambda start, stop: _add_rows(words, windows, table, given, out, start, stop),
        table.shape[1],
        CHANNELS,
    )
    return out
