"""Amplitudes by look-up, in one pass over the configurations: no array of codes, none of rows.

A block of configurations keeps its codes and its products in the first cache, and rows come from
the second, where the table is::

    words (W, B) uint64      all digits of a configuration, a few bits for each
       |  block of 64
       v
    codes (32, 64) --row of the table-->  product (64, r) --read-out-->  mantissa, exponent (B,)
       ^                                      |            or as it is   mantissa, exponent (B, r)
       '---- the next windows <--- rescale ---'

Products of up to ``room`` rows stay within the range of floats; between them each channel gives
its power of two to an exponent of its own.
"""

import math
from collections.abc import Callable

import numpy as np

from .compiled import in_threads, lean_loop, loop
from .row_products import row_product
from .words import PackedWindows, digit_bits, pack_configs, pack_digits, window_codes, word_count

BLOCK = 64  # configurations that are looked up together
WINDOWS = 32  # windows whose codes are held
LEAST = 2**19  # numbers to multiply that are worth a thread
BYTES = 2**15  # of words, which stay in the first cache
MOST = {4: 126, 8: 1022}  # the largest power of two that is moved, by the bytes of a real
FAR = 1100.0  # powers of two below a sum, of terms that do not count


@loop
def _rescale(x, exponent, most):
    """Move the power of two of each entry of ``x`` ``(n,)`` to ``exponent`` ``(n,)``."""
    for i in range(len(x)):
        shift = math.frexp(max(abs(x[i].real), abs(x[i].imag)))[1]
        shift = max(-most, min(most, shift))
        x[i] *= math.ldexp(1.0, -shift)
        exponent[i] += shift


@lean_loop
def _sum_apart(products, powers, vector, above):
    """``sum_c vector_c products_c 2**(powers_c + above_c)``, as a number and a power of two."""
    top = -math.inf
    for c in range(len(vector)):
        if products[c] * vector[c] != 0:
            top = max(top, powers[c] + above[c])
    total = products[0] * vector[0] * 0.0
    for c in range(len(vector)):
        drop = powers[c] + above[c] - top
        if drop > -FAR:  # zeros alone may be above the top
            total += products[c] * vector[c] * math.ldexp(1.0, int(min(drop, 0.0)))
    return total, 0.0 if top == -math.inf else top


@loop
def _look_up(words, windows, table, vector, above, limits, mantissa, exponent, start, stop):
    """Fill ``mantissa`` and ``exponent`` of configurations start to stop.

    With a ``vector`` ``(r,)`` they get the amplitudes ``(B, 1)``, of channels that differ by the
    powers of two ``above`` ``(r,)`` and by those that rescales move, unless that is empty; without
    one, the products ``(B, r)`` of each channel. ``limits`` are how many rows may be multiplied
    before a rescale, and the largest power of two that is moved.
    """
    room, most = limits
    P, r, summed, apart = len(windows.starts), table.shape[1], len(vector) > 0, len(above) > 0
    size = min(WINDOWS, room)
    codes, block = np.empty((size, BLOCK), np.uint32), np.empty((BLOCK, r), table.dtype)
    moved, ones = np.empty((BLOCK, len(above))), np.ones(r, table.dtype)
    weight = vector if summed else ones
    for begin in range(start, stop, BLOCK):
        some = slice(begin, min(begin + BLOCK, stop))
        out, here = mantissa[some], words[:, some]
        products, powers = block if summed else out, moved if apart else exponent[some]
        moved[:] = 0.0
        for p in range(0, P, size):
            rows = codes[: min(size, P - p)]
            window_codes(here, windows, p, rows)
            for b in range(len(out)):
                before = products[b] if p else ones
                total = row_product(table, rows, b, before, weight, products[b])
                if room < P:
                    _rescale(products[b], powers[b], most)
                elif summed:
                    out[b, 0] = total
        for b in range(len(out) if summed else 0):
            if apart:
                _rescale(products[b], powers[b], most)
                out[b, 0], power = _sum_apart(products[b], powers[b], vector, above)
                exponent[begin + b, 0] += power
            _rescale(out[b], exponent[begin + b], most)


def look_up(
    words: np.ndarray,
    windows: PackedWindows,
    table: np.ndarray,
    room: int,
    vector: np.ndarray | None = None,
    top: float | np.ndarray = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The products of the rows that configurations select, or the sums over their channels.

    Parameters
    ----------
    words : numpy.ndarray of uint64, shape (W, B)
        Configurations.
    windows : PackedWindows
    table : numpy.ndarray, shape (rows, r)
    room : int
        So many rows may be multiplied before a rescale.
    vector : numpy.ndarray, shape (r,), optional
        Weights of the channels in a sum.
    top : float or array, shape (r,), optional
        A power of two that multiplies all results. Or one for each channel in a sum, if floats
        may not hold all terms, or there is to be a rescale.

    Returns
    -------
    mantissa, exponent : numpy.ndarray
        Numbers ``mantissa * 2**exponent``: sums ``(B,)``, or products ``(B, r)``, of which only
        those of more than ``room`` rows are rescaled.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.lookup import look_up
    >>> from quimb_deepnets.kernels.words import FlatWindows, packed, packed_windows
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> pairs = packed_windows(pairs, 2)
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> look_up(packed(np.array([[0], [1], [1]], "uint8"), 2), pairs, table, 100, np.ones(1))
    (array([0.625]), array([4.]))
    """
    r, B = table.shape[1], words.shape[1]
    rest, mantissa, exponent = _results(B, table, room, vector, top)
    in_threads(
        lambda start, stop: _look_up(words, windows, table, *rest, mantissa, exponent, start, stop),
        B,
        LEAST // (len(windows.starts) * r),
    )
    return (mantissa, exponent) if vector is None else (mantissa[:, 0], exponent[:, 0])


def look_up_configs(
    configs: np.ndarray,
    windows: PackedWindows,
    phys_dim: int,
    table: np.ndarray,
    room: int,
    vector: np.ndarray,
    top: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The sums of `look_up` for configurations ``(B, N)``, as `entries` gives them.

    Some at a time are packed, and looked up while their words are in the cache. None if an entry is
    out of range.

    Examples
    --------
    >>> from quimb_deepnets.kernels.lookup import look_up_configs
    >>> from quimb_deepnets.kernels.words import FlatWindows, packed_windows
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> pairs = packed_windows(pairs, 2)
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> look_up_configs(np.array([[0, 1, 1]]), pairs, 2, table, 100, np.ones(1), 0.0)
    (array([0.625]), array([4.]))
    >>> look_up_configs(np.array([[0, 1, 2]]), pairs, 2, table, 100, np.ones(1), 0.0)
    """
    B, count = len(configs), word_count(configs.shape[1], phys_dim)
    rest, mantissa, exponent = _results(B, table, room, vector, top)
    size, wrong = max(BLOCK, BYTES // (8 * count) // BLOCK * BLOCK), []

    def _part(start, stop):
        words = np.empty((count, min(size, stop - start)), np.uint64)
        for begin in range(start, stop, size):
            end = min(begin + size, stop)
            if pack_configs(configs, digit_bits(phys_dim), begin, end, words) >= phys_dim:
                wrong.append(begin)
                return
            out = mantissa[begin:end], exponent[begin:end]
            _look_up(words, windows, table, *rest, *out, 0, end - begin)

    in_threads(_part, B, LEAST // (len(windows.starts) * table.shape[1]))
    return None if wrong else (mantissa[:, 0], exponent[:, 0])


def _results(B, table, room, vector, top):
    """What `_look_up` is told of the read-out and of rescales, and where it writes."""
    shape = (B, table.shape[1]) if vector is None else (B, 1)
    apart = isinstance(top, np.ndarray)
    mantissa, exponent = np.empty(shape, table.dtype), np.full(shape, 0.0 if apart else top)
    given = table[0, :0] if vector is None else vector
    above = top if apart else exponent[0:0, 0]
    return (given, above, (room, MOST[table.real.itemsize])), mantissa, exponent


def products_of_rows(
    windows: PackedWindows, phys_dim: int, table: np.ndarray
) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """A function from digits ``x`` ``(N, B)`` to the products ``(B, r)`` of all rows.

    It is called as ``f(x, start, stop)``, in one thread; what it returns for configurations but
    those from start to stop means nothing. Floats must hold the products.

    Examples
    --------
    >>> from quimb_deepnets.kernels.lookup import products_of_rows
    >>> from quimb_deepnets.kernels.words import FlatWindows, packed_windows
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> pairs = packed_windows(pairs, 2)
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> products = products_of_rows(pairs, 2, table)
    >>> products(np.array([[0, 1], [1, 1], [1, 0]], "uint8"), 0, 2)[1]
    array([15.])
    """
    r, exponent = table.shape[1], np.empty((0, 1))
    what = windows, table, table[0, :0], exponent[:, 0], (len(windows.starts), 0)

    def _products(x, start, stop):
        words = np.empty((word_count(len(x), phys_dim), x.shape[1]), np.uint64)
        pack_digits(x, digit_bits(phys_dim), start, stop, words)
        out = np.empty((x.shape[1], r), table.dtype)
        _look_up(words, *what, out, exponent, start, stop)
        return out

    return _products
