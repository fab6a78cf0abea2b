"""Amplitudes by look-up, in one pass over the configurations: no array of codes, none of rows.

A block of configurations keeps its codes and its products in the first cache, and rows come from
the second, where the table is::

    digits (N, B) uint8      sites (P, w)  holds the sites of window p, first[p] to first[p + 1]
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
from typing import NamedTuple

import numpy as np

from .compiled import in_threads, lean_loop, loop
from .digits import turn

BLOCK = 64  # configurations that are looked up together
WINDOWS = 32  # windows whose codes are held
LEAST = 2**19  # numbers to multiply that are worth a thread
BYTES = 2**18  # of digits, which stay in the second cache
MOST = {4: 126, 8: 1022}  # the largest power of two that is moved, by the bytes of a real
FAR = 1100.0  # powers of two below a sum, of terms that do not count


class FlatWindows(NamedTuple):
    """Windows of any widths one after the other, and where the table of each one starts.

    ``sites`` has shape ``(sum of widths,)``, int32, ``first`` ``(P + 1,)`` and ``starts``
    ``(P,)``, int64.
    """

    sites: np.ndarray
    first: np.ndarray
    starts: np.ndarray


@loop
def window_codes(x, windows, phys_dim, p, out):
    """The rows of the table ``(windows, BLOCK)`` that digits ``(N, B)`` select, from window p."""
    sites, first, starts = windows
    base, count = np.uint32(phys_dim), x.shape[1]
    for i in range(len(out)):
        code = out[i]
        for b in range(count):
            code[b] = 0
        for j in range(first[p + i], first[p + i + 1]):
            digit = x[np.uint64(sites[j])]
            for b in range(count):
                code[b] = np.uint32(code[b] * base) + np.uint32(digit[b])
        start = np.uint32(starts[p + i])
        for b in range(count):
            code[b] = np.uint32(code[b] + start)


@loop
def _multiply(table, codes, b, out):
    """Multiply ``out`` ``(r,)`` by the rows ``codes[:, b]`` of the table, four at a time."""
    count, r, i = len(codes), len(out), 0
    while i + 4 <= count:
        t0, t1 = table[np.uint64(codes[i, b])], table[np.uint64(codes[i + 1, b])]
        t2, t3 = table[np.uint64(codes[i + 2, b])], table[np.uint64(codes[i + 3, b])]
        for c in range(r):
            out[c] *= (t0[c] * t1[c]) * (t2[c] * t3[c])
        i += 4
    while i < count:
        t0 = table[np.uint64(codes[i, b])]
        for c in range(r):
            out[c] *= t0[c]
        i += 1


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
def _look_up(x, windows, phys_dim, table, vector, above, limits, mantissa, exponent, start, stop):
    """Fill ``mantissa`` and ``exponent`` of configurations start to stop.

    With a ``vector`` ``(r,)`` they get the amplitudes ``(B, 1)``, of channels that differ by the
    powers of two ``above`` ``(r,)`` and by those that rescales move, unless that is empty; without
    one, the products ``(B, r)`` of each channel. ``limits`` are how many rows may be multiplied
    before a rescale, and the largest power of two that is moved.
    """
    room, most = limits
    P, r, summed, apart = len(windows[2]), table.shape[1], len(vector) > 0, len(above) > 0
    size = min(WINDOWS, room)
    codes, block = np.empty((size, BLOCK), np.uint32), np.empty((BLOCK, r), table.dtype)
    moved = np.empty((BLOCK, len(above)))
    for begin in range(start, stop, BLOCK):
        some = slice(begin, min(begin + BLOCK, stop))
        digits, out = x[:, some], mantissa[some]
        products, powers = block if summed else out, moved if apart else exponent[some]
        moved[:] = 0.0
        for b in range(len(out)):
            for c in range(r):
                products[b, c] = 1
        for p in range(0, P, size):
            rows = codes[: min(size, P - p)]
            window_codes(digits, windows, phys_dim, p, rows)
            for b in range(len(out)):
                _multiply(table, rows, b, products[b])
                if room < P:
                    _rescale(products[b], powers[b], most)
        for b in range(len(out) if summed else 0):
            if apart:
                _rescale(products[b], powers[b], most)
                out[b, 0], power = _sum_apart(products[b], powers[b], vector, above)
                exponent[begin + b, 0] += power
            else:
                total = products[b, 0] * vector[0]
                for c in range(1, r):
                    total += products[b, c] * vector[c]
                out[b, 0] = total
            _rescale(out[b], exponent[begin + b], most)


def look_up(
    x: np.ndarray,
    windows: FlatWindows,
    phys_dim: int,
    table: np.ndarray,
    room: int,
    vector: np.ndarray | None = None,
    top: float | np.ndarray = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The products of the rows that configurations select, or the sums over their channels.

    Parameters
    ----------
    x : numpy.ndarray of uint8, shape (N, B)
        Digits.
    windows : FlatWindows
    phys_dim : int
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
    >>> from quimb_deepnets.kernels.lookup import FlatWindows, look_up
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> look_up(np.array([[0], [1], [1]], "uint8"), pairs, 2, table, 100, np.ones(1))
    (array([0.625]), array([4.]))
    """
    r, B = table.shape[1], x.shape[1]
    rest, mantissa, exponent = _results(B, table, room, vector, top)
    in_threads(
        lambda start, stop: _look_up(
            x, windows, phys_dim, table, *rest, mantissa, exponent, start, stop
        ),
        B,
        LEAST // (len(windows.starts) * r),
    )
    return (mantissa, exponent) if vector is None else (mantissa[:, 0], exponent[:, 0])


def look_up_configs(
    configs: np.ndarray,
    windows: FlatWindows,
    phys_dim: int,
    table: np.ndarray,
    room: int,
    vector: np.ndarray,
    top: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The sums of `look_up` for configurations ``(B, N)``, as `entries` gives them.

    Some at a time become digits and are looked up while these are in the cache. None if an entry
    is out of range.

    Examples
    --------
    >>> from quimb_deepnets.kernels.lookup import FlatWindows, look_up_configs
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> look_up_configs(np.array([[0, 1, 1]]), pairs, 2, table, 100, np.ones(1), 0.0)
    (array([0.625]), array([4.]))
    >>> look_up_configs(np.array([[0, 1, 2]]), pairs, 2, table, 100, np.ones(1), 0.0)
    """
    B, N = configs.shape
    rest, mantissa, exponent = _results(B, table, room, vector, top)
    size, wrong = max(BLOCK, BYTES // max(1, N) // BLOCK * BLOCK), []

    def _part(start, stop):
        x = np.empty((N, min(size, stop - start)), np.uint8)
        for begin in range(start, stop, size):
            some = slice(begin, min(begin + size, stop))
            count = some.stop - begin
            if turn(configs[some], x, 0, count) >= phys_dim:
                wrong.append(begin)
                return
            out = mantissa[some], exponent[some]
            _look_up(x, windows, phys_dim, table, *rest, *out, 0, count)

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
    windows: FlatWindows, phys_dim: int, table: np.ndarray
) -> Callable[[np.ndarray, int, int], np.ndarray]:
    """A function from digits ``x`` ``(N, B)`` to the products ``(B, r)`` of all rows.

    It is called as ``f(x, start, stop)``, in one thread; what it returns for configurations but
    those from start to stop means nothing. Floats must hold the products.

    Examples
    --------
    >>> from quimb_deepnets.kernels.lookup import FlatWindows, products_of_rows
    >>> pairs = FlatWindows(np.array([0, 1, 1, 2], "int32"), np.array([0, 2, 4]), np.zeros(2, int))
    >>> table = np.array([[1.0], [2.0], [3.0], [5.0]])
    >>> products = products_of_rows(pairs, 2, table)
    >>> products(np.array([[0, 1], [1, 1], [1, 0]], "uint8"), 0, 2)[1]
    array([15.])
    """
    r, exponent = table.shape[1], np.empty((0, 1))
    what = windows, phys_dim, table, table[0, :0], exponent[:, 0], (len(windows.starts), 0)

    def _products(x, start, stop):
        out = np.empty((x.shape[1], r), table.dtype)
        _look_up(x, *what, out, exponent, start, stop)
        return out

    return _products
