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

from .vectors import INDEX, Vectors

TOGETHER = 4  # configurations
LANES = 4  # numbers in double precision, or parts of them, of a vector
BYTES = 8 * LANES


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
        pairs = isinstance(signature.args[0].dtype, numba.types.Complex)
        sums = _RowSums(builder, pairs, *arrays)
        sums.write(sums.totals(b, start, count), b)
        return ctx.get_dummy_value()

    arguments = (weights, b, table, first, start, codes, count, out)
    return numba.types.void(*arguments), _generate


sum_rows: Any = (
    sum_rows_in_arrays if numba.config.DISABLE_JIT else _sum_rows  # type: ignore[attr-defined]
)


class _RowSums(Vectors):
    """Instructions for the sums of a few configurations, at the place where a builder stands."""

    def __init__(self, builder, pairs, weights, table, first, codes, out):
        super().__init__(builder, ir.DoubleType(), pairs)
        self.parts, self.first, self.codes = INDEX(1 + pairs), first, codes
        self.weights, self.table, self.out = map(self.reals, (weights, table, out))
        _, channels = cgutils.unpack_tuple(builder, table.shape)
        self.width = builder.mul(channels, self.parts)
        _, self.block = cgutils.unpack_tuple(builder, codes.shape)

    def totals(self, b, start, count):
        """For each configuration a vector, whose numbers are still to be added."""
        builder, vector = self.builder, self.vector(LANES)
        zero = ir.Constant(vector, None)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(TOGETHER)]
        products = [cgutils.alloca_once(builder, vector) for _ in range(TOGETHER)]
        begins = [builder.mul(builder.add(b, INDEX(i)), self.width) for i in range(TOGETHER)]
        last = builder.sub(count, INDEX(1))
        ends = self._rows(b, start, last)
        channels = cgutils.for_range_slice(builder, INDEX(0), self.width, INDEX(LANES), inc=True)
        with channels as (x, _):
            for begin, product in zip(begins, products):
                builder.store(self._row(self.weights, begin, x), product)
            with cgutils.for_range(builder, last) as each:
                for row, product in zip(self._rows(b, start, each.index), products):
                    values = self._row(self.table, row, x)
                    builder.store(self.times(builder.load(product), values), product)
            for row, product, total in zip(ends, products, sums):
                term = self.times(builder.load(product), self._row(self.table, row, x))
                builder.store(self._add(builder.load(total), term), total)
        return [builder.load(total) for total in sums]

    def write(self, totals, b):
        """Add the numbers of each vector, and store the sums of all."""
        builder, place = self.builder, self.builder.mul(b, self.parts)
        if not self.pairs:
            totals = [self._add_pairs(*totals[:2]), self._add_pairs(*totals[2:])]
        for i in range(0, len(totals), 2):
            sums = self._add_halves(*totals[i : i + 2])
            self.store(sums, self.out, builder.add(place, INDEX(LANES // 2 * i)))

    def _rows(self, b, start, k):
        """Where the rows of factor ``k`` begin."""
        builder, rows = self.builder, []
        first = builder.sext(
            builder.load(builder.gep(self.first.data, [builder.add(start, k)])), INDEX
        )
        place = builder.add(builder.mul(k, self.block), b)
        for i in range(TOGETHER):
            code = builder.load(builder.gep(self.codes.data, [builder.add(place, INDEX(i))]))
            rows.append(builder.mul(builder.add(first, builder.zext(code, INDEX)), self.width))
        return rows

    def _row(self, data, row, x):
        """The vector of an array that starts at an entry of a row."""
        return self.load(data, self.builder.add(row, x), LANES)

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
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(places))
        return self.builder.shuffle_vector(a, b, mask)
