"""Numbers far outside the range of floats: a mantissa and a power of two.

A deep arithmetic circuit is a polynomial of degree ``kernel**depth`` or so, and plain products
of its nodes overflow at depth 5. Here a value is ``mantissa * 2**exponent``, with an integer
exponent held apart. Moving a power of two between them rounds nothing, so a pass through the
network is as exact as its additions and products are. The exponent is kept in float64: exact up
to 2**53, and beyond (depth 20 on a lattice reaches 10**31) rounded instead of wrapped around::

    mantissa   (B, P, r)   entries of size about 1           value = mantissa * 2**exponent
    exponent   (B, P)      float64, one for the r channels   largest |mantissa| in [1/2, 1)
"""

import math
from typing import NamedTuple

import numpy as np
from autoray import astype, do, get_dtype_name, stop_gradient, to_numpy

from ..errors import RangeError

LN2 = math.log(2)


class Scaled(NamedTuple):
    """An array ``mantissa * 2**exponent``; the exponent broadcasts over the last axes."""

    mantissa: object
    exponent: object


def float_info(x):
    """The ``numpy.finfo`` of the (real part of the) dtype of an array."""
    return np.finfo(get_dtype_name(x))


def power_of_two(exponent, like):
    """``2.0**exponent``, exact, in the real dtype that belongs to ``like``.

    Exponents must be within the normal range of that dtype.
    """
    real = get_dtype_name(do("real", like))
    return do("exp2", astype(exponent, real))


def scaled(x, axes=1):
    """A plain array as a `Scaled` one, with one exponent for its last ``axes`` axes."""
    exponent = _zero_exponent(x)
    for _ in range(axes):
        exponent = exponent[..., 0]
    return rescale(Scaled(x, exponent), axes)


def rescale(x, axes=1):
    """Move powers of two from the mantissa to the exponent, without rounding.

    Parameters
    ----------
    x : Scaled
        Its exponent has the shape of the mantissa without the last ``axes`` axes.
    axes : int, optional
        How many of the last axes share an exponent.

    Returns
    -------
    Scaled
        The same numbers, the largest of each group of size 1/2 to 1. Zeros stay as they are.
    """
    size = stop_gradient(do("abs", x.mantissa))
    for _ in range(axes):
        size = do("max", size, axis=-1)
    info = float_info(size)
    shift = do("clip", do("frexp", size)[1], info.minexp + 2, info.maxexp - 2)
    factor = power_of_two(-shift, size)[(..., *[None] * axes)]
    return Scaled(x.mantissa * factor, x.exponent + astype(shift, "float64"))


def _zero_exponent(x):
    return astype(do("zeros_like", do("real", stop_gradient(x))), "float64")


def product(x):
    """The product over the second axis, channel by channel, in ``log2`` of its length steps.

    Parameters
    ----------
    x : Scaled
        Shapes ``(B, P, r)`` and ``(B, P)``.

    Returns
    -------
    Scaled
        Shapes ``(B, r)`` and ``(B, r)``: each channel has an exponent of its own.
    """
    each = Scaled(x.mantissa, x.exponent[..., None] + _zero_exponent(x.mantissa))
    x = rescale(each, axes=0)
    while (count := x.mantissa.shape[1]) > 1:
        half = count // 2
        pairs = Scaled(
            x.mantissa[:, :half] * x.mantissa[:, half : 2 * half],
            x.exponent[:, :half] + x.exponent[:, half : 2 * half],
        )
        pairs = rescale(pairs, axes=0)
        x = Scaled(*(do("concatenate", (a, b[:, 2 * half :]), axis=1) for a, b in zip(pairs, x)))
    return Scaled(x.mantissa[:, 0], x.exponent[:, 0])


def dot(x, w):
    """``sum_c w_c x_c`` of channels with exponents of their own.

    Parameters
    ----------
    x : Scaled
        Shapes ``(B, r)`` and ``(B, r)``.
    w : Scaled
        Shapes ``(r,)`` and ``()``.

    Returns
    -------
    Scaled
        Shapes ``(B,)`` and ``(B,)``.
    """
    terms = rescale(Scaled(x.mantissa * w.mantissa, x.exponent + w.exponent), axes=0)
    present = do("where", stop_gradient(terms.mantissa) != 0, terms.exponent, -math.inf)
    top = do("max", present, axis=-1)
    top = do("where", do("isfinite", top), top, do("zeros_like", top))
    info = float_info(terms.mantissa)
    # terms of zero may stand above the top: their factor matters to gradients
    drop = do("clip", terms.exponent - top[..., None], info.minexp, info.maxexp - 1)
    total = do("sum", terms.mantissa * power_of_two(drop, terms.mantissa), axis=-1)
    return rescale(Scaled(total, top), axes=0)


def from_decimal(mantissa, exponent):
    """The numbers ``mantissa * 10**exponent`` as scaled ones; gradients flow through both."""
    bits = astype(exponent, "float64") / math.log10(2)
    whole = do("round", stop_gradient(bits))
    factor = astype(do("exp2", bits - whole), get_dtype_name(do("real", mantissa)))
    return rescale(Scaled(mantissa * factor, whole), axes=0)


def phase_and_log(x):
    """The phase ``z/|z|`` (0 for zero) and ``log|z|`` (-inf for zero) of scaled numbers."""
    size = do("abs", x.mantissa)
    zero = size == 0
    safe = do("where", zero, do("ones_like", size), size)
    log = astype(do("log", safe) + x.exponent * LN2, get_dtype_name(size))
    return x.mantissa / safe, do("where", zero, do("full_like", size, -math.inf), log)


def plain(x, what="the amplitude"):
    """The plain numbers ``mantissa * 2**exponent``.

    Raises
    ------
    RangeError
        If one of them leaves the range of the dtype: too large, or so small that digits are lost.
    """
    info = float_info(x.mantissa)
    exponent, zero = to_numpy(x.exponent), to_numpy(stop_gradient(x.mantissa)) == 0
    wrong = ~zero & ((exponent > info.maxexp) | (exponent <= info.minexp))
    if wrong.any():
        worst = exponent[wrong][abs(exponent[wrong]).argmax()]
        raise RangeError(
            f"{what} has size 2**{worst:.0f} (about 10**{worst * math.log10(2):.0f}), outside the "
            f"range of {info.dtype}, 2**{info.minexp} to 2**{info.maxexp}; "
            "use log_amplitudes, or scale the weights."
        )
    first = do("clip", x.exponent, info.minexp // 2, info.maxexp // 2)
    rest = do("clip", x.exponent - first, info.minexp, info.maxexp - 1)
    return x.mantissa * power_of_two(first, x.mantissa) * power_of_two(rest, x.mantissa)
