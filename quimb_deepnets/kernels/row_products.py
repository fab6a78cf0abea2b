"""The product of a few rows of a table, and its weighted sum, in vector registers.

::

    codes (n, B), column b     table (rows, r)
      code 0  ---------------> [c0 ... c7][c8 ... c11][c12]     tiles of 8 numbers, then of 4, 2, 1
      code 1  ---------------> [c0 ... c7][c8 ... c11][c12]
                out (r,)   *=  the product of each channel      stays in a register
                total       =  sum of weight * out

Complex numbers are pairs of parts, next to each other. Loops over channels, whose number a
compiler does not know, take several times as long where there are few of them.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

LARGEST = 256  # bytes of a tile, in four registers or eight
FUSED = ["contract", "nsz"]  # a product and a sum may be one
FLAGS = [*FUSED, "reassoc"]  # and sums may be reordered
INDEX = ir.IntType(64)


def row_product_in_arrays(table, codes, b, before, weight, out):
    """What `row_product` does, in array calls: a specification, and the way without a compiler.

    Parameters
    ----------
    table : array, shape (rows, r)
    codes : array of uint32, shape (n, B)
    b : int
        The column of codes that select the rows.
    before, weight : array, shape (r,)
        The product of what came before, and the weights of channels.
    out : array, shape (r,)
        Overwritten by the product of ``before`` and all rows; it may be ``before``.

    Returns
    -------
    number
        The sum of ``weight * out``.
    """
    out[:] = before * table[codes[:, b]].prod(axis=0)
    return (weight * out).sum()


@intrinsic
def _row_product(context, table, codes, b, before, weight, out):
    """`row_product_in_arrays` as instructions on vectors."""

    def _generate(ctx, builder, signature, args):
        kinds = signature.args
        table, codes, *rows = (
            ctx.make_array(kinds[k])(ctx, builder, args[k]) for k in (0, 1, 3, 4, 5)
        )
        b = ctx.cast(builder, args[2], kinds[2], numba.types.intp)
        kind = signature.return_type
        pairs = isinstance(kind, numba.types.Complex)
        real = ctx.get_value_type(kind.underlying_float if pairs else kind)
        parts = _Product(builder, real, pairs, table, codes, b).multiply(*rows)
        if not pairs:
            return parts[0]
        total = ctx.make_complex(builder, kind)
        total.real, total.imag = parts
        return total._getvalue()

    return table.dtype(table, codes, b, before, weight, out), _generate


row_product: Any = (
    row_product_in_arrays if numba.config.DISABLE_JIT else _row_product  # type: ignore[attr-defined]
)


class _Product:
    """Instructions for one configuration, at the place where a builder stands."""

    def __init__(self, builder, real, pairs, table, codes, b):
        self.builder, self.real, self.pairs, self.codes = builder, real, pairs, codes
        _, r = cgutils.unpack_tuple(builder, table.shape)
        self.width = builder.mul(r, INDEX(2)) if pairs else r
        self.table = self._reals(table)
        self.count, self.block = cgutils.unpack_tuple(builder, codes.shape)
        self.b = b

    def multiply(self, before, weight, out):
        """Multiply tile by tile; the parts of the weighted sum."""
        builder, lanes = self.builder, LARGEST // self.align
        rows = self._reals(before), self._reals(weight), self._reals(out)
        sums = [cgutils.alloca_once(builder, self.real) for _ in range(1 + self.pairs)]
        for part in sums:
            builder.store(self.real(0.0), part)
        whole = builder.and_(self.width, INDEX(-lanes))
        with cgutils.for_range_slice(builder, INDEX(0), whole, INDEX(lanes), INDEX) as (x, _):
            self._tile(lanes, x, rows, sums)
        while lanes > 1 + self.pairs:
            lanes //= 2
            rest = builder.and_(self.width, INDEX(lanes))
            with builder.if_then(builder.icmp_unsigned("!=", rest, INDEX(0))):
                x = builder.and_(self.width, INDEX(-2 * lanes))
                self._tile(lanes, x, rows, sums)
        return [builder.load(part) for part in sums]

    def _tile(self, lanes, x, rows, sums):
        """Multiply ``lanes`` numbers from the ``x``-th on, and add to the sums."""
        builder, vector = self.builder, ir.VectorType(self.real, lanes)
        before, weight, out = rows
        product = cgutils.alloca_once(builder, vector)
        builder.store(self._load(vector, before, x), product)
        with cgutils.for_range(builder, self.count) as each:
            place = builder.add(builder.mul(each.index, self.block), self.b)
            code = builder.load(builder.gep(self.codes.data, [place]))
            start = builder.mul(builder.zext(code, INDEX), self.width)
            row = self._load(vector, self.table, builder.add(start, x))
            builder.store(self._times(builder.load(product), row), product)
        z = builder.load(product)
        builder.store(z, self._at(vector, out, x), align=self.align)
        self._add(self._times(z, self._load(vector, weight, x)), sums)

    def _add(self, z, sums):
        """Add the numbers of a vector, its even and its odd ones for pairs, to the sums."""
        builder, count = self.builder, len(sums)
        for part, total in enumerate(sums):
            some = self._picked(z, range(part, z.type.count, count)) if self.pairs else z
            added = builder.fadd(builder.load(total), self._sum(some), flags=FLAGS)
            builder.store(added, total)

    def _sum(self, vector):
        count = vector.type.count
        kind = ir.FunctionType(self.real, [self.real, vector.type])
        name = f"llvm.vector.reduce.fadd.v{count}f{8 * self.align}"
        add = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(add, [self.real(0.0), vector], fastmath=FLAGS)

    def _times(self, a, b):
        """Products of entries, or of pairs: ``a (re b, re b) + (-im a, re a) (im b, im b)``."""
        builder, lanes = self.builder, a.type.count
        if not self.pairs:
            return builder.fmul(a, b, flags=FUSED)
        swapped = self._picked(a, [k ^ 1 for k in range(lanes)])
        re = self._picked(b, [k & ~1 for k in range(lanes)])
        im = self._picked(b, [k | 1 for k in range(lanes)])
        signs = ir.Constant(a.type, [-1.0, 1.0] * (lanes // 2))
        cross = builder.fmul(swapped, builder.fmul(im, signs, flags=FUSED), flags=FUSED)
        return builder.fadd(builder.fmul(a, re, flags=FUSED), cross, flags=FUSED)

    def _picked(self, vector, order):
        order = list(order)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(vector, vector, mask)

    def _reals(self, array):
        return self.builder.bitcast(array.data, self.real.as_pointer())

    @property
    def align(self):
        """Bytes of a real number."""
        return 8 if isinstance(self.real, ir.DoubleType) else 4

    def _at(self, vector, start, x):
        return self.builder.bitcast(self.builder.gep(start, [x]), vector.as_pointer())

    def _load(self, vector, start, x):
        return self.builder.load(self._at(vector, start, x), align=self.align)
