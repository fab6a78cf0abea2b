"""Products and sums of scaled numbers in which no channel is lost to underflow.

One exponent per node is quick, because a matrix product is then a plain one, and good as long as
the channels of a node are within some hundred powers of two. Where one came close to underflow, or
became zero, the product is done again with an exponent for each entry::

    one exponent per node   --product-->   all entries far from underflow?  --yes-->  done
            ^                                   | no
            |                                   v
        channels close again?   <--product--  an exponent for each entry
            | no: they keep their own; a matrix product then adds up terms one column at a time
"""

import math
from typing import Any

import numpy as np
from autoray import do, infer_backend, stop_gradient

from ..errors import RangeError
from .scaled import (
    Scaled,
    array_like,
    bits,
    float_info,
    is_wide,
    ldexp,
    look,
    modulus,
    mutable,
    readable,
    smallest_held,
)


class FarZeroError(RangeError):
    """An exact zero whose derivatives floats do not hold beside those of the rest."""


def shared_axes(x):
    """How many of the last axes share an exponent: 0 if each entry has its own."""
    return len(x.mantissa.shape) - len(x.exponent.shape)


def aligned(parts):
    """The same scaled arrays, all with exponents of one kind: their own, if one has these."""
    parts = list(parts)
    if len({shared_axes(x) for x in parts}) > 1:
        parts = [x.by_channel() for x in parts]
    return parts


def joined_rows(parts):
    """Scaled arrays one after the other, along the first axis."""
    return Scaled(*(do("concatenate", x, axis=0) for x in zip(*aligned(parts))))


def times(x, w):
    """The product ``x @ w`` of rows of channels with matrices.

    Parameters
    ----------
    x : Scaled
        Shape ``(..., r_in)``.
    w : Scaled
        Shape ``(r_in, r_out)``, or ``(P, r_in, r_out)`` for ``x`` of shape ``(P, B, r_in)``; one
        exponent for each matrix, or for each entry.

    Returns
    -------
    Scaled
        Shape ``(..., r_out)``; an exponent for each entry if ``x`` or ``w`` has that.
    """
    if shared_axes(x) == 1 and shared_axes(w) == 2:
        return Scaled(x.mantissa @ w.mantissa, x.exponent + w.exponent[..., None])
    x, w = x.by_channel(), w.by_channel()
    columns = (Scaled(*(part[..., None, :, i] for part in w)) for i in range(w.mantissa.shape[-1]))
    sums = [dot(x, column) for column in columns]
    return Scaled(*(do("stack", parts, axis=-1) for parts in zip(*sums)))


def times_ones(w):
    """``W @ 1`` for matrices ``(..., out, in)``."""
    if shared_axes(w) == 2:
        return Scaled(do("sum", w.mantissa, axis=-1), w.exponent)
    return total(w)


def dot(x, w):
    """``sum_c w_c x_c`` of channels with exponents of their own.

    Parameters
    ----------
    x : Scaled
        Shapes ``(..., r)`` and ``(..., r)``.
    w : Scaled
        Shapes ``(r,)`` and ``()`` or ``(r,)``.

    Returns
    -------
    Scaled
        Shapes ``(...)`` and ``(...)``.
    """
    return total(Scaled(x.mantissa * w.mantissa, x.exponent + w.exponent).rescale(axes=0))


def total(terms):
    """The sum over the last axis of numbers with exponents of their own."""
    top = highest(terms)
    drop, info = bits(terms.exponent - top[..., None]), float_info(terms.mantissa)
    if infer_backend(drop) == "numpy":  # nothing is above the top but zeros
        factor = np.exp2(drop.clip(2 * info.minexp, 0.0)).astype(info.dtype, copy=False)
        parts = terms.mantissa * factor
    else:  # whose factor matters to gradients
        check_zeros(terms.mantissa, drop)
        parts = ldexp(terms.mantissa, drop)
    return Scaled(do("sum", parts, axis=-1), top).rescale(axes=0)


def check_zeros(mantissa, drop):
    """Refuse to follow exact zeros whose power of two, ``drop``, is far above those of the rest.

    The sum does not see them, but their derivatives have that size, and floats do not hold it.

    Raises
    ------
    FarZeroError
    """
    if infer_backend(mantissa) != "torch" or not readable(mantissa) or mutable(mantissa):
        return
    far = float(look(drop).max()) if math.prod(drop.shape) else 0.0
    if far > float_info(mantissa).maxexp // 8:
        raise FarZeroError(
            f"an exact zero stands beside numbers 2**{far:.0f} times smaller than what it was made "
            "of, and floats cannot hold the products of its derivatives; use amplitude or "
            "log_amplitudes of the network, or detach the weights."
        )


def highest(x):
    """The largest exponent on the last axis; that of a zero only where there is nothing else."""
    there, exponent = stop_gradient(x.mantissa) != 0, x.exponent
    if not is_wide(exponent):
        top = do("max", do("where", there, exponent, -math.inf), axis=-1)
        if infer_backend(top) == "numpy" and (top > -math.inf).all():
            return top
        return do("where", do("isfinite", top), top, do("max", exponent, axis=-1))
    channels = array_like(np.arange(exponent.shape[-1]), exponent)
    top = exponent[..., 0]
    for _ in range(3):  # each time what is left of the difference is held more exactly
        rank = do("where", there, bits(exponent - top[..., None]), -math.inf)
        chosen = channels == do("argmax", rank, axis=-1)[..., None]
        top = do("sum", do("where", chosen, exponent, exponent * 0), axis=-1)
    return top


def settled(x):
    """The same numbers with one exponent for all channels, where floats can hold that."""
    if shared_axes(x) or not readable(x.mantissa):
        return x
    top = highest(x)
    drop = bits(x.exponent - top[..., None])
    shown, limit = look(drop), -math.log2(smallest_held(x.mantissa))
    # zeros far above would lose their derivatives
    if shown[look(x.mantissa) != 0].min(initial=0.0) <= -limit or shown.max(initial=0.0) >= limit:
        return x
    return Scaled(ldexp(x.mantissa, drop), top).rescale()


def multiply_out(factors, every):
    """The elementwise product of scaled factors, rescaled as seldom as is safe.

    Parameters
    ----------
    factors : callable
        Gives an iterable of `Scaled` of one shape; called again if the first pass came close to
        underflow, to be multiplied with an exponent for each entry.
    every : int
        After how many factors to rescale.

    Returns
    -------
    Scaled or None
        With an exponent for each entry, where a factor has that or one would not do.
    """
    out, safe, count = None, True, 0
    for count, z in enumerate(factors(), 1):
        out = z if out is None else multiply(out, z)
        if count % every == 0:
            out, in_range = checked(out)
            safe = safe and in_range
    if out is None:
        return None
    if count % every:
        out, in_range = checked(out)
        safe = safe and in_range
    return out if safe else multiply_entries(factors())


def multiply(x, y):
    """The elementwise product, not rescaled."""
    x, y = aligned((x, y))
    return Scaled(x.mantissa * y.mantissa, x.exponent + y.exponent)


def checked(x):
    """A product rescaled, and whether no entry came close to underflow, as far as one can look."""
    axes = shared_axes(x)
    if not axes:
        return x.rescale(axes=0), True
    top = size = modulus(stop_gradient(x.mantissa))
    for _ in range(axes):
        top = do("max", top, axis=-1)
    return x.rescale(axes, top), all_held(size, top)


def all_held(size, top):
    """Whether entries of these sizes, products of a few factors, are far from underflow.

    Relative to the largest of their node, ``top``, too, because they are to be multiplied again.
    """
    if not readable(size):
        return True
    if infer_backend(size) == "numpy":
        low, high = size.min(), top.max()
    else:
        low, high = float(look(do("min", size))), float(look(do("max", top)))
    return low >= smallest_held(size) * max(high, 1.0)


def multiply_entries(factors):
    """The elementwise product with an exponent for each entry."""
    out: Any = None
    for count, z in enumerate(map(Scaled.by_channel, factors), 1):
        out = z if out is None else multiply(out, z)
        if count % (float_info(out.mantissa).maxexp // 4) == 0:
            out = out.rescale(axes=0)
    return out.rescale(axes=0)


def transposed(w, fast=True):
    """Scaled matrices ``(..., out, in)`` as ``(..., in, out)``, in the layout that is fastest."""
    mantissa = do("swapaxes", w.mantissa, -1, -2)
    if fast and infer_backend(mantissa) == "numpy":
        mantissa = np.ascontiguousarray(mantissa)
    elif fast and infer_backend(mantissa) == "torch":
        mantissa = mantissa.contiguous()
    return Scaled(mantissa, w.exponent if shared_axes(w) else do("swapaxes", w.exponent, -1, -2))
