"""Layers that remember what their derivatives need: forward, then backward, in mantissas.

Write each layer as ``T[l] = prod_k (W[k] @ T[l-1][index_k])`` over rows. Rows are positions of
a configuration, or codes of windows, and the two differ in nothing else::

    T[l-1] rows --index_k--> gathered --W[k]--> factor_k --product over k--> T[l] rows
                                 |                 |
    adjoints   <--sum by index-- V_k  <---W[k]---  adjoint * product of the other factors

The adjoint of a row is the derivative of log psi by it. All values are mantissas of size about 1:
their powers of two drop out, because derivatives of log psi do not depend on the scale.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from autoray import do

from ..kernels.compiled import as_rows, has_loops
from ..kernels.derivatives import Readers
from ..kernels.factors import others
from ..numerics.products import dot
from ..numerics.scaled import (
    Scaled,
    array_like,
    float_info,
    ldexp,
    modulus,
    mutable,
    power_of_two,
    readable,
    smallest_held,
    take_rows,
    zeros_like_exponent,
)


@dataclass(frozen=True, eq=False)
class LayerStep:
    """A layer as gathers: for each tap the rows that it reads.

    An index of ``below`` (one beyond the last row) stands for a vector of ones, -1 for no factor.
    ``readers`` are the inverse, for each tap which rows read each row below, or given as one for
    all taps.
    """

    below: int
    index: list
    readers: list | None = None

    def __post_init__(self):
        if self.readers is None:
            readers = [readers_of(index, self.below) for index in self.index]
            object.__setattr__(self, "readers", readers)

    @functools.cached_property
    def gathers(self):
        """The row that each tap reads, ``(K, n)``, of those below and one of ones; any for none."""
        return np.maximum(np.stack(self.index), 0)

    @functools.cached_property
    def gone(self):
        """Which factors are missing, ``(K, n)``."""
        return np.stack(self.index) < 0

    @functools.cached_property
    def by_tap(self):
        """The `Readers` of each row below, and of the row of ones, by each tap."""
        index, count = np.stack(self.index), self.below + 2  # the last are those that read nothing
        taps = np.arange(len(index))[:, None]
        keys = (np.where(index < 0, count - 1, index) + count * taps).reshape(-1)
        counts = np.bincount(keys, minlength=count * len(index)).reshape(len(index), count)
        starts = index.shape[1] * taps + np.cumsum(counts, axis=1) - counts
        order = np.argsort(keys, kind="stable") % index.shape[1]
        return Readers(starts.astype(np.int32), order.astype(np.int32))


class Residuals(NamedTuple):
    """What a layer keeps for its backward pass, one entry of each list per tap."""

    step: LayerStep
    gathered: list
    cofactors: list  # product of the other factors; zero where a factor is missing
    safe: bool  # whether nothing came close to underflow


def forward(step, matrices, values):
    """One layer of mantissas, ``(n_in, ..., r_in)`` to ``(n_out, ..., r_out)``.

    There is a matrix for each tap, all in one array if the values are rows ``(n_in, r_in)``.

    Returns
    -------
    mantissas : array, of size about 1
    Residuals
    """
    if len(values.shape) == 2 and has_loops(values, *matrices) and mutable(values, *matrices):
        found = _by_loop(step, matrices, values)
        if found is not None:
            return found
    padded = do("concatenate", (values, do("ones_like", values[:1])), axis=0)
    gathered, factors, absent, shifts = [], [], [], []
    for index, matrix in zip(step.index, matrices):
        gathered.append(take_rows(padded, array_like(np.maximum(index, 0), values)))
        z = gathered[-1] @ do("swapaxes", matrix, -1, -2)
        gone = array_like((index < 0).reshape(-1, *[1] * (len(values.shape) - 1)), values)
        absent.append(gone)
        z = do("where", gone, do("ones_like", z), z) if (index < 0).any() else z
        z = Scaled(z, zeros_like_exponent(z[..., 0])).rescale()
        factors.append(z.mantissa)
        shifts.append(power_of_two(-z.exponent, z.mantissa)[..., None])
    before = list(itertools.accumulate(factors, lambda a, b: a * b))
    after = list(itertools.accumulate(factors[::-1], lambda a, b: a * b))[::-1]
    out = Scaled(before[-1], zeros_like_exponent(before[-1][..., 0])).rescale()
    shift = power_of_two(-out.exponent, out.mantissa)[..., None]
    cofactors, safe = [], fits_floats(values, factors, [*before, *after])
    for k, gone in enumerate(absent):
        parts = [*before[k - 1 : k], *after[k + 1 : k + 2]] if k else after[1:2]
        rest = do("ones_like", factors[k])
        for part in parts:
            rest = rest * part
        safe = safe and (len(parts) < 2 or fits_floats(rest, parts, [rest]))
        cofactors.append(do("where", gone, rest * 0, rest * shift * shifts[k]))
    return out.mantissa, Residuals(step, gathered, cofactors, safe and fits_floats(out.mantissa))


def _by_loop(step, matrices, values):
    """The same for rows of a table, or None where factors may be far from 1."""
    rows = as_rows(values)
    gathered = np.concatenate((rows, np.ones_like(rows[:1])))[step.gathers]
    z = gathered @ as_rows(matrices).swapaxes(1, 2)
    out, least = np.empty(z.shape[1:], z.dtype), np.empty(len(z) + 1)
    others(z, step.gone, out, least)
    bits, limit = -np.log2(least), float_info(values).maxexp // 2
    if not bits[:-1].sum() < limit:
        return None
    safe = fits_floats(values) and bool(bits[-1] <= limit)
    cofactors, gathered = ([array_like(x, values) for x in each] for each in (z, gathered))
    return array_like(out, values), Residuals(step, gathered, cofactors, safe)


def fits_floats(values, factors=(), products=()):
    """Whether floats hold the spread of values, and the products of factors.

    Zeros are fine, unless a product of numbers that are not zero became one. What a compiler
    traces cannot be looked at, and passes.
    """
    if not readable(values):
        return True
    bits, limit = -math.log2(smallest_held(values)), float_info(values).maxexp
    if _depth(values) > bits:
        return False
    if sum(map(_depth, factors)) < limit * 3 // 4:
        return True  # even all of them together are far from underflow
    there = functools.reduce(lambda a, b: a & b, [x != 0 for x in factors])
    return all(
        _depth(x) < limit * 3 // 4 and not bool(do("any", (x == 0) & there)) for x in products
    )


def _depth(x):
    """How many powers of two the smallest number but zero is below 1."""
    size = modulus(x)
    low = float(size.min())
    if low == 0:
        low = float(do("min", do("where", size == 0, do("ones_like", size), size)))
    return max(0.0, -math.log2(low)) if low == low else 0.0


def readers_of(index, below):
    """For each row below, the rows that read it, ``(below, m)``; filled up with ``len(index)``."""
    inside = np.flatnonzero((index >= 0) & (index < below))
    order = inside[np.argsort(index[inside], kind="stable")]
    counts = np.bincount(index[order], minlength=below)
    rows = np.full((below, max(1, counts.max(initial=0))), len(index))
    starts = np.cumsum(counts) - counts
    rows[index[order], np.arange(len(order)) - np.repeat(starts, counts)] = order
    return rows


def scatter(values, readers):
    """Add rows up where they were read from, the inverse of a gather: ``(below, ...)``."""
    if readers.shape == (len(values), 1) and (readers[:, 0] == np.arange(len(values))).all():
        return values
    if (readers == len(values)).any():
        values = do("concatenate", (values, values[:1] * 0), axis=0)
    parts = [take_rows(values, array_like(column, values)) for column in readers.T]
    return functools.reduce(lambda a, b: a + b, parts)


class Top(NamedTuple):
    """The read-out and the global product, backwards.

    ``ratio`` is ``x_c / psi`` of each channel, ``(B, r)``; ``adjoint`` is the derivative of log
    psi by each factor of the product, ``(n, B, r)``.
    """

    ratio: object
    adjoint: object


def shares(x, psi, readout):
    """``w_c x_c / psi`` of channels ``(B, r)``, as scaled numbers; nan where psi is zero."""
    size = do("where", psi.mantissa == 0, do("full_like", psi.mantissa, math.nan), psi.mantissa)
    return Scaled(
        (x.mantissa / size[:, None]) * readout.mantissa,
        x.exponent - psi.exponent[:, None] + readout.exponent,
    )


def channel_shares(x, rest, readout):
    """``x_c / psi`` and ``w_c rest_c / psi`` for ``psi = sum_c w_c x_c``, each ``(B, r)``."""
    psi = dot(x.by_channel(), readout)
    unit = Scaled(do("ones_like", readout.mantissa), readout.exponent * 0)
    return [ldexp(*shares(*each)) for each in ((x, psi, unit), (rest, psi, readout))]


def backward_top(values, counts, rest, readout):
    """Backwards through ``psi = sum_c w_c prod_n values[n, b, c]**counts[n, b]``.

    Parameters
    ----------
    values : array, shape (n, B, r) or (n, 1, r)
        Mantissas of the factors.
    counts : array, shape (n, B, 1) or (1, 1, 1)
    rest : Scaled, shape (B, r)
        The products of the factors that are not zero.
    readout : Scaled, shape (r,)
    """
    zero = values == 0
    x, some = rest, bool(do("any", zero))
    if some:
        dead = do("sum", counts * zero, axis=0)
        x = Scaled(do("where", dead == 0, rest.mantissa, rest.mantissa * 0), rest.exponent)
    ratio, weighted = channel_shares(x, rest, readout)
    if not some:
        return Top(ratio, counts * weighted[None] / values)
    safe = do("where", zero, do("ones_like", values), values)
    open_ = do("where", zero, dead[None] == 1, dead[None] == 0)
    return Top(ratio, counts * weighted[None] * open_ / safe)
