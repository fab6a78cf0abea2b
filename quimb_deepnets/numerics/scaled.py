"""Numbers far outside the range of floats: a mantissa and a power of two.

A deep arithmetic circuit is a polynomial of degree ``kernel**depth`` or so, and plain products
of its nodes overflow at depth 5. Here a value is ``mantissa * 2**exponent``, with an integer
exponent held apart. Moving a power of two between them rounds nothing, so a pass through the
network is as exact as its additions and products are::

    mantissa   (B, P, r)   entries of size about 1           value = mantissa * 2**exponent
    exponent   (B, P)      float64, one for the r channels   largest |mantissa| in [1/2, 1)
            or (B, P, r)   one for each, where channels lie further apart than floats reach

Integers in float64 are exact up to 2**53. Where a network is so deep that its exponents go beyond,
they have two parts, and because all that is done with them is to add, select and compare, these
are held as the parts of a complex number: ``exponent = real + 2**36 * imag``, exact up to 2**89.
Beyond, what is rounded is the imaginary part, which the channels of a node have in common: how far
they are apart stays exact.
"""

import contextlib
import functools
import importlib
import math
import sys
from typing import Any, NamedTuple

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend, stop_gradient, to_numpy

from ..errors import RangeError
from .torch_modes import functorch, is_compiling, is_stacked

LN2 = math.log(2)
LOG2_10 = math.log2(10)
UNIT = 2.0**36  # of the imaginary part of an exponent
MAX_FACTORS = 2**41  # of how many factors a float holds the exponent, each up to 2**11
MAX_FACTORS_WIDE = 2**78  # and how many the two parts of a complex number


class Scaled(NamedTuple):
    """An array ``mantissa * 2**exponent``, immutable: its methods return new ones.

    The exponent has the shape of the mantissa, or lacks the last axes, which then share it.
    """

    mantissa: Any
    exponent: Any

    @classmethod
    def of(cls, x, what=None):
        """An array as a scaled one, all of it with one exponent, a float.

        Parameters
        ----------
        x : array
        what : str, optional
            What to call it where inf or nan in it is refused; else they stay as they are.

        Returns
        -------
        Scaled
            The largest entry of size 1/2 to 1. Zeros stay as they are.

        Raises
        ------
        RangeError
            If an entry is not finite, and ``what`` is given.

        Examples
        --------
        >>> import numpy as np
        >>> from quimb_deepnets.numerics import Scaled
        >>> Scaled.of(np.array([3.0, -6.0]))
        Scaled(mantissa=array([ 0.375, -0.75 ]), exponent=3.0)
        """
        size = float(do("max", do("abs", stop_gradient(x)))) if math.prod(x.shape) else 0.0
        if what is not None and not math.isfinite(size):
            raise RangeError(f"{what} holds inf or nan; make its entries finite.")
        power = math.frexp(size)[1] if 0 < size < math.inf else 0
        return cls(times_power(x, -power) if power else x, float(power))

    def rescale(self, axes=1, size=None):
        """Move powers of two from the mantissa to the exponent, without rounding.

        Parameters
        ----------
        axes : int, optional
            How many of the last axes share an exponent; it has the shape of the mantissa without
            them.
        size : array, optional
            The largest modulus of each group, where it is known.

        Returns
        -------
        Scaled
            The same numbers, the largest of each group of size 1/2 to 1. Zeros stay as they are.
        """
        if not axes and infer_backend(self.mantissa) == "numpy" and self.mantissa.dtype.kind == "f":
            mantissa, shift = np.frexp(self.mantissa)
            return Scaled(mantissa, carried(self.exponent + shift))
        size = largest(self.mantissa, axes) if size is None else size
        info = float_info(size)
        if infer_backend(self.mantissa) == "numpy":
            shift = np.frexp(size)[1]
            shift = np.minimum(np.maximum(shift, info.minexp + 2), info.maxexp - 2)
            factor = np.ldexp(np.ones((), size.dtype), -shift)
            return Scaled(
                self.mantissa * factor[(..., *[None] * axes)], carried(self.exponent + shift)
            )
        shift = do("clip", _power_above(size), info.minexp + 2, info.maxexp - 2)
        factor = power_of_two(-shift, size)[(..., *[None] * axes)]
        return Scaled(self.mantissa * factor, carried(self.exponent + shift))

    def by_channel(self):
        """The same numbers with an exponent for each entry, of size 1/2 to 1 (or zero)."""
        exponent = self.exponent
        while len(exponent.shape) < len(self.mantissa.shape):
            exponent = exponent[..., None]
        return Scaled(self.mantissa, exponent + zeros_like_exponent(self.mantissa)).rescale(axes=0)

    def even_out(self, vanishing=False):
        """A scaled array as a plain one with entries up to 1, and one exponent for all of it.

        Raises
        ------
        RangeError
            If its entries differ by more than floats can, unless the small ones may vanish.
        """
        x = self.by_channel()
        first = x.exponent.reshape(-1)[0]  # differences stay exact where exponents are beyond 2**53
        exponent, there = look(bits(x.exponent - first)), look(x.mantissa) != 0
        if not there.size:
            return x.mantissa, 0.0
        if not there.any():  # the derivatives of zeros have a size
            there, vanishing = there | True, True
        top, low = float(exponent[there].max()), float(exponent[there].min())
        limit = -float_info(x.mantissa).minexp - 64
        if top - low > limit and not vanishing:
            raise RangeError(
                f"the entries of one window tensor differ by {top - low:.0f} powers of two, more "
                f"than {float_info(x.mantissa).dtype} can hold; use log_amplitudes, or fewer "
                "layers."
            )
        # zeros too: their derivatives have that exponent
        drop = array_like((exponent - top).clip(-math.inf, limit), x.mantissa)
        return ldexp(x.mantissa, drop), top + float(bits(first))

    def phase_and_log(self):
        """The phase ``z/|z|`` (0 for zero) and ``log|z|`` (-inf for zero)."""
        size = do("abs", self.mantissa)
        zero = size == 0
        if type(size) is np.ndarray and not zero.any():
            log = (np.log(size) + bits(self.exponent) * LN2).astype(size.dtype, copy=False)
            return self.mantissa / size, log
        safe = do("where", zero, do("ones_like", size), size)
        log = astype(do("log", safe) + bits(self.exponent) * LN2, get_dtype_name(size))
        return self.mantissa / safe, do("where", zero, do("full_like", size, -math.inf), log)

    def plain(self, what="the amplitude", vanishing=False):
        """The plain numbers ``mantissa * 2**exponent``; with ``vanishing``, tiny ones may become 0.

        Raises
        ------
        RangeError
            If one of them leaves the range of the dtype: too large, or so small that digits are
            lost.
        """
        info = float_info(self.mantissa)
        x = Scaled(self.mantissa, bits(self.exponent))
        if not len(x.exponent.shape):
            return _plain_uniform(x, info, what)
        exponent, mantissa = look(x.exponent), look(x.mantissa)
        wrong = (exponent > info.maxexp) | ((exponent <= info.minexp) & (not vanishing))
        wrong &= np.isfinite(mantissa) & (mantissa != 0)
        if wrong.any():
            _raise_range(exponent[wrong][abs(exponent[wrong]).argmax()], info, what)
        return ldexp(*x)


def float_info(x):
    """The ``numpy.finfo`` of the (real part of the) dtype of an array."""
    return _finfo(x.dtype if type(x) is np.ndarray else get_dtype_name(x))


_finfo = functools.lru_cache(16)(np.finfo)


def power_of_two(exponent, like):
    """``2.0**exponent``, exact, in the real dtype that belongs to ``like``.

    Exponents must be within the normal range of that dtype.
    """
    return do("exp2", astype(exponent, get_dtype_name(do("real", like))))


def scaled(x, axes=1, factors=1):
    """A plain array as a `Scaled` one, with one exponent for its last ``axes`` axes.

    Where one exponent cannot hold all entries, each has its own: the exponent then has the shape
    of the array. In a network of more than `MAX_FACTORS` ``factors`` it has two parts.
    """
    zero = zeros_like_exponent(x)
    zero = zero + 0j if factors > MAX_FACTORS else zero
    out = Scaled(x, zero[(..., *[0] * axes)]).rescale(axes)
    if axes and even(out.mantissa, x):
        return out
    return Scaled(x, zero).rescale(0).rescale(0)  # twice for what is below the normal range


def even(mantissa, like):
    """Whether the entries of `like`, rescaled, are zero or far from underflow in a product."""
    if not (readable(mantissa) and readable(like)):
        return True  # as far as that can be looked at
    size, small = modulus(look(mantissa)), 2.0 ** -(9 * float_info(mantissa).maxexp // 32)
    return size.min() >= small or size[look(like) != 0].min(initial=1.0) >= small


def smallest_held(like):
    """From which size on nodes, the largest of size 1, can be multiplied with `even` weights.

    That is 2**-512, or 2**-64 in single precision, and 2**-288 or 2**-36 for the weights: the
    product of both is still far from underflow.
    """
    return 2.0 ** -(float_info(like).maxexp // 2)


def is_wide(exponent):
    """Whether exponents have two parts."""
    return getattr(exponent, "shape", None) is not None and "complex" in get_dtype_name(exponent)


def carried(exponent):
    """The same exponents with real parts of a few `UNIT`, if they have two parts.

    What is carried is the same along the last axis, unless that holds very different numbers.
    """
    if not is_wide(exponent):
        return exponent
    units = do("real", exponent) / UNIT
    common = do("round", units[..., :1] if exponent.shape else units)
    carry = common + 8 * do("trunc", (units - common) / 8)
    return exponent + carry * complex(-UNIT, 1)


def bits(exponent):
    """Exponents as floats; rounded where they had two parts and are beyond 2**53."""
    if not is_wide(exponent):
        return exponent
    return do("real", exponent) + UNIT * do("imag", exponent)


def largest(mantissa, axes=1):
    """The largest modulus over the last ``axes`` axes; no gradient flows through it."""
    if type(mantissa) is np.ndarray:
        return modulus(mantissa).max(axis=tuple(range(-axes, 0)))
    size = modulus(stop_gradient(mantissa))
    for _ in range(axes):
        size = do("max", size, axis=-1)
    return size


def modulus(x):
    """The size of each number, of a complex one that of its larger part, which cannot overflow."""
    if type(x) is np.ndarray and x.dtype.kind == "f":
        return np.abs(x)
    if "complex" not in get_dtype_name(x):
        return do("abs", x)
    return do("maximum", do("abs", do("real", x)), do("abs", do("imag", x)))


def zeros_like_exponent(x):
    """Exponents of zero, one for each entry of ``x``."""
    if type(x) is np.ndarray:
        return np.zeros(x.shape)
    return as_exponent(do("zeros_like", do("real", stop_gradient(x))))


def as_exponent(x):
    """Whole numbers in the floats that hold exponents."""
    return astype(x, "float32" if _has_32_bits(x) else "float64")


def _power_above(size):
    """The exponents of the powers of two next to sizes; 0 for zeros."""
    if not is_compiling():
        return as_exponent(do("frexp", size)[1])
    safe = do("where", size == 0, do("ones_like", size), size)  # frexp of float64 does not compile
    return as_exponent(do("ceil", do("log2", safe)))


def _has_32_bits(x):
    """Whether an array is of jax without numbers of 64 bits, which would warn at each of them."""
    return infer_backend(x) == "jax" and not sys.modules["jax"].config.jax_enable_x64


def mutable(*arrays):
    """Whether results may be overwritten: they are neither differentiated nor traced."""
    return not is_compiling() and all(
        infer_backend(x) == "numpy"
        or (
            infer_backend(x) == "torch"
            and not functorch().is_functorch_wrapped_tensor(x)
            and not (x.reshape(-1)[:1] * 1).requires_grad
            and sys.modules["torch"].autograd.forward_ad.unpack_dual(x).tangent is None
        )
        for x in arrays
    )


def readable(x):
    """Whether the numbers can be looked at: no compiler traces them, no vmap stacks them."""
    if type(x) is not np.ndarray and infer_backend(x) == "torch":
        return not (is_compiling() or is_stacked(x))
    return type(x) is np.ndarray or infer_backend(x) == "numpy"


def look(x):
    """The numbers as a numpy array, whatever differentiates them."""
    if type(x) is np.ndarray:
        return x
    if infer_backend(x) == "torch" and functorch().is_functorch_wrapped_tensor(x):
        transforms = importlib.import_module("torch._functorch.pyfunctorch")
        while functorch().is_functorch_wrapped_tensor(x):
            x = functorch().get_unwrapped(x)
        with contextlib.ExitStack() as outside:  # within, any torch function would wrap it again
            while functorch().peek_interpreter_stack() is not None:
                outside.enter_context(transforms.temporarily_pop_interpreter_stack())
            return to_numpy(x.detach().clone())
    x = stop_gradient(x)
    return to_numpy(x.resolve_conj() if infer_backend(x) == "torch" else x)


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
    x = x.by_channel()
    out, room = None, float_info(x.mantissa).maxexp - 24  # a mantissa takes one bit at most
    for start in range(0, len(x.mantissa), room):
        part = Scaled(
            multiply_first(x.mantissa[start : start + room]),
            do("sum", x.exponent[start : start + room], axis=0),
        )
        if out is not None:
            part = Scaled(out.mantissa * part.mantissa, out.exponent + part.exponent)
        out = part.rescale(axes=0)
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
    return astype(digits, "int32" if _has_32_bits(digits) else "int64")


def array_like(x, like):
    """A numpy array with a dtype of its own, on the device where ``like`` is."""
    if infer_backend(like) != "torch":
        return x
    return do("asarray", x, like=like).to(like.device)


def times_power(x, power):
    """``2**power * x``, in steps, so that only the result must be in range."""
    whole = math.floor(power)
    x = x * 2.0 ** (power - whole) if power != whole else x
    while whole:
        step = max(-100, min(100, whole))
        x, whole = x * 2.0**step, whole - step
    return x


def decimal(power):
    """The exponent of ten of a power of two: ``2**power = 10**decimal(power)``.

    Examples
    --------
    >>> from quimb_deepnets.numerics.scaled import binary, decimal
    >>> round(decimal(10), 4), round(binary(decimal(10)), 4)
    (3.0103, 10.0)
    """
    return power / LOG2_10


def binary(power):
    """The exponent of two of a power of ten: ``10**power = 2**binary(power)``."""
    return power * LOG2_10


def ldexp(mantissa, exponent):
    """``mantissa * 2**exponent``, in two steps so that neither power leaves the range."""
    exponent, info = bits(exponent), float_info(mantissa)
    if type(mantissa) is np.ndarray and mantissa.dtype.kind == "f":
        return np.ldexp(mantissa, np.asarray(exponent).clip(-(2**14), 2**14).astype(np.int32))
    half = do("round", exponent / 2)
    first, second = (do("clip", e, info.minexp, info.maxexp - 1) for e in (half, exponent - half))
    return mantissa * power_of_two(first, mantissa) * power_of_two(second, mantissa)


def _plain_uniform(x, info, what):
    """The same for one exponent for all, and mantissas of any size: a few quick passes."""
    size = look(do("abs", x.mantissa))
    exponent, high = float(x.exponent), float(size.max())
    low = float(np.where(size == 0, high, size).min())
    for extreme in (high, low) if high else ():
        power = math.frexp(extreme)[1] + exponent
        if not info.minexp < power <= info.maxexp:
            _raise_range(power, info, what)
    return ldexp(*x) if exponent else x.mantissa


def _raise_range(power, info, what):
    raise RangeError(
        f"{what} has size 2**{power:.0f} (about 10**{decimal(power):.0f}), outside the "
        f"range of {info.dtype}, 2**{info.minexp} to 2**{info.maxexp}; "
        "use log_amplitudes, or scale the weights."
    )
