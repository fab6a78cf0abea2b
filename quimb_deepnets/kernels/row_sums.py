"""Sums over channels of weights times one row of each of a few tables, held in registers.

Four configurations at a time, a few channels of each in a vector register. Rows are filled up to
whole vectors, with ones, and weights with zeros::

    configuration   weights                rows of tables                     sum over channels
      b       . . . . | . . . .    x  . . . .  x . . . .   first[k] + codes[k, b]    -->  .
      ...                                                                                 .
      b + 3   . . . . | . . . .    x  . . . .  x . . . .                             -->  .

Complex numbers are pairs of parts, next to each other.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

TOGETHER = 4  # configurations
LANES = 4  # numbers in double precision, or parts of them, of a vector
BYTES = 8 * LANES

Real, Lane, Index = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
Vector = ir.VectorType(Real, LANES)


def filled(channels: int, itemsize: int) -> int:
    """So many channels that their numbers fill whole vectors.

    Examples
    --------
    >>> from quimb_deepnets.kernels.row_sums import filled
    >>> filled(5, 8), filled(5, 16)
    (8, 6)
    """
    return -(-channels * itemsize // BYTES) * BYTES // itemsize


def sum_rows_in_arrays(weights, b, table, first, start, codes, count, out):
    """What `sum_rows` does, in array calls: a specification, and the way without a compiler.

    Parameters
    ----------
    weights : array of float64 or complex128, shape (configurations, r)
    b : int
        The first of `TOGETHER` configurations.
    table : array, shape (rows, r)
    first : array of int32
        Where in the table the rows of each factor begin, from entry ``start`` on.
    start : int
    codes : array of uint32, shape (count or more, configurations)
    count : int
        How many rows multiply the weights, at least one.
    out : array, shape (configurations,)
    """
    some = slice(b, b + TOGETHER)
    rows = first[start : start + count, None] + codes[:count, some]
    out[some] = (weights[some] * table[rows].prod(axis=0)).sum(axis=1)


@intrinsic
def _sum_rows(context, weights, b, table, first, start, codes, count, out):
    """`sum_rows_in_arrays` as instructions on vectors."""

    def _generate(ctx, builder, signature, args):
        _, b, _, _, start, _, count, _ = args
        arrays = (ctx.make_array(signature.args[j])(ctx, builder, args[j]) for j in (0, 2, 3, 5, 7))
        parts = 2 if isinstance(signature.args[0].dtype, numba.types.Complex) else 1
        sums = _RowSums(builder, parts, *arrays)
        sums.write(sums.totals(b, start, count), b)
        return ctx.get_dummy_value()

    arguments = (weights, b, table, first, start, codes, count, out)
    return numba.types.void(*arguments), _generate


sum_rows: Any = (
    sum_rows_in_arrays if numba.config.DISABLE_JIT else _sum_rows  # type: ignore[attr-defined]
)


class _RowSums:
    """Instructions for the sums of a few configurations, at the place where a builder stands."""

    def __init__(self, builder, parts, weights, table, first, codes, out):
        self.builder, self.parts, self.first, self.codes = builder, parts, first, codes
        self.weights, self.table, self.out = (
            builder.bitcast(array.data, Real.as_pointer()) for array in (weights, table, out)
        )
        _, channels = cgutils.unpack_tuple(builder, table.shape)
        self.width = builder.mul(channels, Index(parts))
        _, self.block = cgutils.unpack_tuple(builder, codes.shape)

    def totals(self, b, start, count):
        """For each configuration a vector, whose numbers are still to be added."""
        builder, zero = self.builder, ir.Constant(Vector, None)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(TOGETHER)]
        products = [cgutils.alloca_once(builder, Vector) for _ in range(TOGETHER)]
        begins = [builder.mul(builder.add(b, Index(i)), self.width) for i in range(TOGETHER)]
        last = builder.sub(count, Index(1))
        ends = self._rows(b, start, last)
        channels = cgutils.for_range_slice(builder, Index(0), self.width, Index(LANES), inc=True)
        with channels as (x, _):
            for begin, product in zip(begins, products):
                builder.store(self._load(self.weights, begin, x), product)
            with cgutils.for_range(builder, last) as each:
                for row, product in zip(self._rows(b, start, each.index), products):
                    values = self._load(self.table, row, x)
                    builder.store(self._times(builder.load(product), values), product)
            for row, product, total in zip(ends, products, sums):
                term = self._times(builder.load(product), self._load(self.table, row, x))
                builder.store(self._add(builder.load(total), term), total)
        return [builder.load(total) for total in sums]

    def write(self, totals, b):
        """Add the numbers of each vector, and store the sums of all."""
        builder, place = self.builder, self.builder.mul(b, Index(self.parts))
        if self.parts == 1:
            totals = [self._add_pairs(*totals[:2]), self._add_pairs(*totals[2:])]
        for i in range(0, len(totals), 2):
            sums = self._add_halves(*totals[i : i + 2])
            where = builder.gep(self.out, [builder.add(place, Index(LANES // 2 * i))])
            builder.store(sums, builder.bitcast(where, Vector.as_pointer()), align=8)

    def _rows(self, b, start, k):
        """Where the rows of factor ``k`` begin."""
        builder, rows = self.builder, []
        first = builder.sext(
            builder.load(builder.gep(self.first.data, [builder.add(start, k)])), Index
        )
        place = builder.add(builder.mul(k, self.block), b)
        for i in range(TOGETHER):
            code = builder.load(builder.gep(self.codes.data, [builder.add(place, Index(i))]))
            rows.append(builder.mul(builder.add(first, builder.zext(code, Index)), self.width))
        return rows

    def _load(self, data, row, x):
        """The vector of an array that starts at an entry of a row."""
        place = self.builder.gep(data, [self.builder.add(row, x)])
        return self.builder.load(self.builder.bitcast(place, Vector.as_pointer()), align=8)

    def _times(self, a, b):
        """The products of the numbers of two vectors."""
        builder = self.builder
        if self.parts == 1:
            return builder.fmul(a, b, flags=["contract"])
        signs = ir.Constant(Vector, [-1.0, 1.0] * (LANES // 2))
        re, im = self._pick(a, a, 0, 0, 2, 2), self._pick(a, a, 1, 1, 3, 3)
        turned = builder.fmul(self._pick(b, b, 1, 0, 3, 2), signs)
        return self._add(
            builder.fmul(re, b, flags=["contract"]), builder.fmul(im, turned, flags=["contract"])
        )

    def _add(self, a, b):
        return self.builder.fadd(a, b, flags=["contract"])

    def _add_pairs(self, a, b):
        """``a0 + a1, b0 + b1, a2 + a3, b2 + b3``."""
        return self._add(self._pick(a, b, 0, 4, 2, 6), self._pick(a, b, 1, 5, 3, 7))

    def _add_halves(self, a, b):
        """``a0 + a2, a1 + a3, b0 + b2, b1 + b3``."""
        return self._add(self._pick(a, b, 0, 1, 4, 5), self._pick(a, b, 2, 3, 6, 7))

    def _pick(self, a, b, *places):
        """The entries of two vectors, one after the other, at these places."""
        mask = ir.Constant(ir.VectorType(Lane, LANES), [Lane(i) for i in places])
        return self.builder.shuffle_vector(a, b, mask)
