"""Contractions whose numbers may lie anywhere, inside or outside the range of floats.

A plain contraction is kept where a bound shows that no underflow inside it can have changed the
result. Elsewhere every intermediate is scaled by a power of two, which is exact, and a sum of
states is contracted term by term, so that no term hides another::

    arrays --> (entries up to 1, 2**k) --tree--> (entries up to 1, 2**bits)     Contracted
    switch of a sum: one contraction for each of its values, added with their powers of two
"""

import contextvars
import math
from typing import Any, NamedTuple

import numpy as np
from autoray import do, get_dtype_name, infer_backend, stop_gradient
from cotengra.contract import einsum, tensordot
from quimb.tensor import Tensor

from ..errors import RangeError
from ..numerics.scaled import (
    Scaled,
    binary,
    decimal,
    look,
    modulus,
    times_power,
)
from ..numerics.sizes import check_norm

KEPT = 10  # bits that must be left of a result that cancels, to be more than round-off
_taken: contextvars.ContextVar[Any] = contextvars.ContextVar(
    "bits that were taken out of intermediates"
)


class Contracted(NamedTuple):
    """``2**bits * data``, and the size of the largest term that was added, a power of two.

    ``data`` is an array or a `quimb.tensor.Tensor`; ``largest`` is None where it is not known.
    """

    data: object
    bits: float
    largest: float | None = None

    @property
    def array(self):
        """The data without legs."""
        return self.data.data if isinstance(self.data, Tensor) else self.data

    def map(self, function):
        """The same with a function of the data, that does not scale it, applied."""
        return self._replace(data=function(self.data))

    def in_range(self, power=1.0):
        """The result as plain numbers, to a ``power`` of 1, or 0.5 for the root of a real one.

        Raises
        ------
        RangeError
            If it leaves the range of its dtype.
        """
        check_finite(self.array)
        if not self.bits:
            return self.data if power == 1 else self.data**power
        data, bits = self.array, self.bits * power
        data = data if power == 1 else data**power
        top, limits = log2_size(data), limits_of(data)
        if top + bits >= limits.maxexp or -math.inf < top + bits < limits.minexp:
            raise_range_error(f"entries of about 10**{decimal(float(top + bits)):.0f}")
        data = times_power(data, bits)
        if isinstance(self.data, Tensor):
            self.data.modify(data=data)
            return self.data
        return data

    def decimal(self, power=1.0):
        """Mantissa, with a largest entry of 1, and decimal exponent; zero is ``(0, 0.0)``."""
        check_finite(self.array)
        size = do("max", do("abs", self.array))
        if not bool(size != 0):
            return self.in_range(), 0.0  # its derivatives have a scale
        exponent = (do("log10", size) + decimal(self.bits)) * power
        scale = lambda x: x / size if power == 1 else (x / size) ** power
        if isinstance(self.data, Tensor):
            self.data.modify(apply=scale)
            return self.data, exponent
        return scale(self.data), exponent

    def check_norm(self, size=None):
        """Refuse to divide by ``size``, by default the result, where it vanishes or is round-off.

        Raises
        ------
        RangeError
            If it is zero, not finite, or what is left when much larger terms cancel.
        """
        size = log2_size(self.array if size is None else size)
        check_norm(0.0 if size == -math.inf else 1.0 if size < math.inf else math.nan)
        if self.largest is not None:
            check_left(size + float(self.bits) - self.largest, self.array)


def check_left(bits, like):
    """Refuse a sum that is ``2**bits`` times its terms, if that is little more than round-off."""
    if bits < math.log2(limits_of(like).eps) + KEPT:
        raise RangeError(
            f"the terms of this sum are about 10**{decimal(-bits):.0f} times what is left of it, "
            "so that fewer than three digits of it are more than round-off; a state that vanishes "
            "has no expectation values and no entanglement. If it does not, compute the difference "
            "as a dense vector, or by other means."
        )


def check_finite(data):
    """Refuse inf and nan in an array."""
    if not bool(do("all", do("isfinite", data))):
        raise_range_error("inf or nan")


def raise_range_error(found):
    """Say that a contraction left the range of its dtype, and what to do."""
    raise RangeError(
        f"the contraction left the range of its dtype ({found}); use strip_exponent=True, "
        "which returns a mantissa and an exponent, or log_amplitudes for single amplitudes."
    )


def log2_size(x):
    """The binary logarithm of the largest entry of an array: -inf if it vanishes, nan for nan."""
    size = float(do("max", do("abs", stop_gradient(x)))) if math.prod(x.shape) else 0.0
    return math.log2(size) if size > 0 else size - math.inf if size == 0 else size


def limits_of(x):
    """The `numpy.finfo` of an array; where numpy has none for its dtype, that of float32."""
    try:
        return np.finfo(get_dtype_name(x))
    except (TypeError, ValueError):
        return np.finfo("float32")


# ---------------------------------------------------------------- when plain numbers will do


def growth(tn, output_inds):
    """Bits by which an underflow inside a contraction can grow until its end, at most.

    The entries of an intermediate are sums of products of entries, so the rest of the network
    multiplies them by no more than the product of its largest entries and summed sizes.
    """
    sizes, tops = {}, {}
    for x in tn.arrays:
        if id(x) not in sizes:
            sizes[id(x)] = max(0.0, log2_size(x))
        tops[id(x)] = tops.get(id(x), 0) + 1
    summed = (tn.ind_size(ix) for ix in tn.ind_map.keys() - set(output_inds))
    total = sum(sizes[key] * count for key, count in tops.items())
    return total + sum(map(math.log2, summed)) + math.log2(len(tn.tensor_map) + 1)


def is_certain(data, grown):
    """Whether no underflow can have changed a result, given the `growth` in its contraction."""
    top = log2_size(data)
    return top > limits_of(data).minexp + max(0.0, grown)


# ---------------------------------------------------------------- scaled contraction


def contract_scaled(tree, arrays, inds, switches=(), **kwargs):
    """Contract arrays along a tree, with intermediates of any size.

    Parameters
    ----------
    tree : cotengra.ContractionTree
    arrays : sequence of array
    inds : sequence of tuple of str
        The legs of each array.
    switches : sequence of str, optional
        Legs over the terms of sums, each contracted by itself.
    **kwargs
        Options of ``tree.contract``: backend, order, prefer_einsum, progbar.

    Returns
    -------
    Contracted
    """
    symbols = {ix: s for legs, names in zip(inds, tree.inputs) for ix, s in zip(legs, names)}
    switches = [ix for ix in switches if symbols[ix] not in tree.sliced_inds]
    terms = [_contract_term(tree, term, kwargs) for term in _terms(arrays, inds, switches)]
    if not terms:
        fixed = [_fixed(x, legs, dict.fromkeys(switches, 0)) for x, legs in zip(arrays, inds)]
        return Contracted(_contract_term(tree, fixed, kwargs)[0] * 0, 0.0)
    sizes = [log2_size(data) + bits for data, bits in terms]
    if not all(size < math.inf for size in sizes):
        return Contracted(sum(data for data, _ in terms), 0.0)
    top = max(sizes)
    base = max(bits for (_, bits), size in zip(terms, sizes) if size > -math.inf or size == top)
    data = sum(times_power(data, max(-4096, min(bits - base, 4096))) for data, bits in terms)
    return Contracted(data, float(base), top if top > -math.inf else None)


def _terms(arrays, inds, switches):
    """The arrays with every switch fixed, for all values at which none of them vanishes."""
    if not switches:
        yield arrays
        return
    ix, *rest = switches
    touching = [n for n, legs in enumerate(inds) if ix in legs]
    for value in range(arrays[touching[0]].shape[inds[touching[0]].index(ix)]):
        term = list(arrays)
        for n in touching:
            term[n] = _fixed(arrays[n], inds[n], {ix: value})
        if all(bool(do("any", stop_gradient(term[n]) != 0)) for n in touching):
            yield from _terms(term, inds, rest)


def _fixed(x, legs, values):
    """An array with some legs cut down to one value each."""
    cut = lambda ix: slice(values[ix], values[ix] + 1) if ix in values else slice(None)
    return x[tuple(map(cut, legs))]


def _contract_term(tree, arrays, kwargs):
    """The result of one contraction with entries of about 1, and the bits taken out of it."""
    scaled, start, seen = [], 0, {}
    for x in arrays:
        if id(x) not in seen:
            seen[id(x)] = Scaled.of(x)
        y, bits = seen[id(x)]
        scaled.append(y)
        start += bits
    if not tree.sliced_inds:
        data, taken = _run(lambda: tree.contract(scaled, implementation=_SCALED, **kwargs))
        check_kept(tree, scaled, data, taken)
        return data, start + sum(taken)
    slices = (
        _run(lambda i=i: tree.contract_slice(scaled, i, implementation=_SCALED, **kwargs))
        for i in range(tree.nslices)
    )
    parts = ((data, decimal(sum(taken))) for data, taken in slices)
    data, exponent = tree.gather_slices(parts, check_zero=True)
    return data, start + binary(float(exponent))


def _run(contract):
    """The result of a contraction and the bits that its steps took out, one by one."""
    taken: list[float] = []
    token = _taken.set(taken)
    try:
        data = contract()
    finally:
        _taken.reset(token)
    return data, taken


def check_kept(tree, arrays, data, taken):
    """Refuse a result whose terms vanished on the way, each beside larger ones that cancel or end.

    Entries of intermediates are at most 1, and what is smaller than floats is zero there. That
    shows where a step leaves almost nothing, or where nothing is left though some product of
    entries is not zero.

    Parameters
    ----------
    tree : cotengra.ContractionTree
    arrays : sequence of array
        As they were contracted, with entries up to 1.
    data : array
        The result.
    taken : sequence of float
        The bits that each step took out.

    Raises
    ------
    RangeError
    """
    info = limits_of(data)
    drops = sum(bits for bits in taken if bits < -(info.maxexp // 8))
    some = bool(do("any", stop_gradient(data) != 0))
    if (some and drops > info.minexp + 32) or not can_vanish(arrays):
        return
    if not some and not _has_support(tree, arrays):
        return
    raise RangeError(
        f"the contraction lost numbers more than 10**{decimal(-info.minexp):.0f} times smaller "
        "than others that do not contribute, so its result is not known; use log_amplitudes for "
        "single amplitudes, weights that are closer together, or a dtype of more bits."
    )


def can_vanish(arrays):
    """Whether a product of one entry of each array, but zeros, may be too small for floats."""
    lows = {}
    for x in arrays:
        if id(x) not in lows:
            size = modulus(look(x))
            lows[id(x)] = math.log2(size.min(where=size > 0, initial=1.0))
    return sum(lows[id(x)] for x in arrays) < limits_of(arrays[0]).minexp


def _has_support(tree, arrays):
    """Whether any product of entries is not zero."""
    there = [(look(x) != 0).astype(np.float64) for x in arrays]
    data, _ = _run(lambda: tree.contract(there, implementation=_SCALED))
    return bool(data.any())


def _einsum(eq, *arrays):
    like = einsum if infer_backend(arrays[0]) == "numpy" else lambda *args: do("einsum", *args)
    data, bits = Scaled.of(like(eq, *arrays))
    _taken.get().append(bits)
    return data


def _tensordot(a, b, axes):
    numpy = infer_backend(a) == "numpy"
    data, bits = Scaled.of(tensordot(a, b, axes) if numpy else do("tensordot", a, b, axes))
    _taken.get().append(bits)
    return data


_SCALED = _einsum, _tensordot
