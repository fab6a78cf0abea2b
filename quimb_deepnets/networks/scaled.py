"""Numbers far outside the range of floats: a mantissa and a power of two.

A deep arithmetic circuit is a polynomial of degree ``kernel**depth`` or so, and plain products
of its nodes overflow at depth 5. Here a value is ``mantissa * 2**exponent``, with an integer
exponent held apart. Moving a power of two between them rounds nothing, so a pass through the
network is as exact as its additions and products are. The exponent is kept in float64: exact up
to 2**53, and beyond (depth 20 on a lattice reaches 10**31) rounded instead of wrapped around::

    mantissa   (B, P, r)   entries of size about 1           value = mantissa * 2**exponent
    exponent   (B, P)      float64, one for the r channels   largest |mantissa| in [1/2, 1)
"""

import functools
import math
import sys
from typing import NamedTuple

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend, stop_gradient, to_numpy

from ..errors import RangeError

LN2 = math.log(2)


class Scaled(NamedTuple):
    """An array ``mantissa * 2**exponent``; the exponent broadcasts over the last axes."""

    mantissa: object
    exponent: object


def float_info(x):
    """The ``numpy.finfo`` of the (real part of the) dtype of an array."""
    return _finfo(get_dtype_name(x))


_finfo = functools.lru_cache(16)(np.finfo)


def power_of_two(exponent, like):
    """``2.0**exponent``, exact, in the real dtype that belongs to ``like``.

    Exponents must be within the normal range of that dtype.
    """
    real = get_dtype_name(do("real", like))
    return do("exp2", astype(exponent, real))


def scaled(x, axes=1):
    """A plain array as a `Scaled` one, with one exponent for its last ``axes`` axes."""
    exponent = zeros_like_exponent(x)
    for _ in range(axes):
        exponent = exponent[..., 0]
    return rescale(Scaled(x, exponent), axes)


def rescale(x, axes=1, size=None):
    """Move powers of two from the mantissa to the exponent, without rounding.

    Parameters
    ----------
    x : Scaled
        Its exponent has the shape of the mantissa without the last ``axes`` axes.
    axes : int, optional
        How many of the last axes share an exponent.
    size : array, optional
        The largest modulus of each group, where it is known.

    Returns
    -------
    Scaled
        The same numbers, the largest of each group of size 1/2 to 1. Zeros stay as they are.
    """
    if not axes and infer_backend(x.mantissa) == "numpy" and x.mantissa.dtype.kind == "f":
        mantissa, shift = np.frexp(x.mantissa)
        return Scaled(mantissa, x.exponent + shift)
    size = largest(x.mantissa, axes) if size is None else size
    info = float_info(size)
    if infer_backend(x.mantissa) == "numpy":
        shift = np.frexp(size)[1].clip(info.minexp + 2, info.maxexp - 2)
        factor = np.ldexp(np.ones((), size.dtype), -shift)
        return Scaled(x.mantissa * factor[(..., *[None] * axes)], x.exponent + shift)
    shift = do("clip", do("frexp", size)[1], info.minexp + 2, info.maxexp - 2)
    factor = power_of_two(-shift, size)[(..., *[None] * axes)]
    return Scaled(x.mantissa * factor, x.exponent + astype(shift, "float64"))


def multiply_out(factors, every):
    """The elementwise product of scaled factors, rescaled as seldom as is safe.

    Parameters
    ----------
    factors : callable
        Gives an iterable of `Scaled` of one shape; called again if the first pass came close to
        underflow, with a rescale after each factor.
    every : int
        After how many factors to rescale.

    Returns
    -------
    Scaled
    """
    out = None
    for count, z in enumerate(factors(), 1):
        out = z if out is None else Scaled(out.mantissa * z.mantissa, out.exponent + z.exponent)
        if count % every == 0:
            out = rescale(out, axes=len(out.mantissa.shape) - len(out.exponent.shape))
    if out is None:
        return None
    axes = len(out.mantissa.shape) - len(out.exponent.shape)
    size = largest(out.mantissa, axes)
    if every > 1 and too_small(size):
        return multiply_out(factors, 1)
    return rescale(out, axes, size)


def too_small(size):
    """Whether a product came close to underflow, as far as that can be looked at."""
    return readable(size) and float(look(size).min()) < 2.0 ** (float_info(size).minexp // 2)


def largest(mantissa, axes=1):
    """The largest modulus over the last ``axes`` axes; no gradient flows through it."""
    size = do("abs", stop_gradient(mantissa))
    for _ in range(axes):
        size = do("max", size, axis=-1)
    return size


def zeros_like_exponent(x):
    """Exponents of zero, one for each entry of ``x``."""
    return astype(do("zeros_like", do("real", stop_gradient(x))), "float64")


def mutable(*arrays):
    """Whether results may be overwritten: nobody differentiates them or traces them."""
    return all(
        infer_backend(x) == "numpy"
        or (
            infer_backend(x) == "torch"
            and not _functorch().is_functorch_wrapped_tensor(x)
            and not (x.reshape(-1)[:1] * 1).requires_grad
            and sys.modules["torch"].autograd.forward_ad.unpack_dual(x).tangent is None
        )
        for x in arrays
    )


def readable(x):
    """Whether the numbers can be looked at: no compiler traces them, no vmap stacks them."""
    if infer_backend(x) == "torch":
        return not _functorch().is_batchedtensor(x)
    return infer_backend(x) == "numpy"


def look(x):
    """The numbers as a numpy array, whatever differentiates them."""
    if infer_backend(x) == "torch" and _functorch().is_functorch_wrapped_tensor(x):
        while _functorch().is_functorch_wrapped_tensor(x):
            x = _functorch().get_unwrapped(x)
        return np.array(x.tolist())  # any torch function would wrap it again
    return to_numpy(stop_gradient(x))


def _functorch():
    """Where torch, which is there if an array of it is, keeps its function transforms."""
    return sys.modules["torch"]._C._functorch


def transposed(w):
    """Scaled matrices ``(..., out, in)`` as ``(..., in, out)``, in the layout that is fastest."""
    mantissa = do("swapaxes", w.mantissa, -1, -2)
    if infer_backend(mantissa) == "numpy":
        mantissa = np.ascontiguousarray(mantissa)
    elif infer_backend(mantissa) == "torch":
        mantissa = mantissa.contiguous()
    return Scaled(mantissa, w.exponent)


def product(x):
    """The product over the first axis, channel by channel.

    Parameters
    ----------
    x : Scaled
        Shapes ``(P, B, r)``, and ``(P, B)`` or ``(P, B, r)``.

    Returns
    -------
    Scaled
        Shapes ``(B, r)`` and ``(B, r)``: each channel has an exponent of its own.
    """
    x = by_channel(x)
    out, room = None, float_info(x.mantissa).maxexp - 24  # a mantissa takes one bit at most
    for start in range(0, len(x.mantissa), room):
        part = Scaled(
            multiply_first(x.mantissa[start : start + room]),
            do("sum", x.exponent[start : start + room], axis=0),
        )
        if out is not None:
            part = Scaled(out.mantissa * part.mantissa, out.exponent + part.exponent)
        out = rescale(part, axes=0)
    return out


def multiply_first(x):
    """The plain product over the first axis."""
    if infer_backend(x) == "numpy":
        return np.multiply.reduce(x, axis=0)
    while (count := len(x)) > 1:
        half = count // 2
        pairs = x[:half] * x[half : 2 * half]
        x = do("concatenate", (pairs, x[2 * half :]), axis=0) if count % 2 else pairs
    return x[0]


def by_channel(x):
    """The same numbers with an exponent for each entry, of size 1/2 to 1 (or zero)."""
    exponent = x.exponent
    while len(exponent.shape) < len(x.mantissa.shape):
        exponent = exponent[..., None]
    return rescale(Scaled(x.mantissa, exponent + zeros_like_exponent(x.mantissa)), axes=0)


def take(x, index):
    """The rows ``x[index]`` of a scaled array, for an index array of any shape."""
    return Scaled(*(take_rows(part, index) for part in x))


def take_rows(x, index):
    """The rows ``x[index]`` of an array, by the gather whose gradient is the cheapest."""
    if infer_backend(x) == "numpy":
        if not x.flags.c_contiguous:  # take would copy all of it first
            return x[index]
        return np.take(x, index, axis=0, mode="clip")
    picked = do("take", x, index.reshape(-1), axis=0)
    return picked.reshape(*index.shape, *x.shape[1:])


def as_index(digits):
    """Digits in the integers that gathers take."""
    return digits.astype(np.int64) if infer_backend(digits) != "torch" else digits.long()


def array_like(x, like):
    """A numpy array with a dtype of its own, on the device where ``like`` is."""
    if infer_backend(like) != "torch":
        return x
    return do("asarray", x, like=like).to(like.device)


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


def plain(x, what="the amplitude", vanishing=False):
    """The plain numbers ``mantissa * 2**exponent``; with ``vanishing``, tiny ones may become 0.

    Raises
    ------
    RangeError
        If one of them leaves the range of the dtype: too large, or so small that digits are lost.
    """
    info = float_info(x.mantissa)
    if not len(x.exponent.shape):
        return _plain_uniform(x, info, what)
    exponent, mantissa = look(x.exponent), look(x.mantissa)
    wrong = (exponent > info.maxexp) | ((exponent <= info.minexp) & (not vanishing))
    wrong &= np.isfinite(mantissa) & (mantissa != 0)
    if wrong.any():
        _raise_range(exponent[wrong][abs(exponent[wrong]).argmax()], info, what)
    first = do("clip", x.exponent, info.minexp // 2, info.maxexp // 2)
    rest = do("clip", x.exponent - first, info.minexp, info.maxexp - 1)
    return x.mantissa * power_of_two(first, x.mantissa) * power_of_two(rest, x.mantissa)


def _plain_uniform(x, info, what):
    """The same for one exponent for all, and mantissas of any size: a few quick passes."""
    size = look(do("abs", x.mantissa))
    exponent, high = float(x.exponent), float(size.max())
    low = float(np.where(size == 0, high, size).min())
    for extreme in (high, low) if high else ():
        bits = math.frexp(extreme)[1] + exponent
        if not info.minexp < bits <= info.maxexp:
            _raise_range(bits, info, what)
    half = round(exponent / 2)
    return x.mantissa * 2.0**half * 2.0 ** (exponent - half) if exponent else x.mantissa


def _raise_range(bits, info, what):
    raise RangeError(
        f"{what} has size 2**{bits:.0f} (about 10**{bits * math.log10(2):.0f}), outside the "
        f"range of {info.dtype}, 2**{info.minexp} to 2**{info.maxexp}; "
        "use log_amplitudes, or scale the weights."
    )
