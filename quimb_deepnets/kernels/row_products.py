"""The product of a few rows of a table, and its weighted sum, in vector registers.

::

    codes (n, B), column b     table (rows, r)
      code 0  ---------------> [c0 ... c7][c8 ... c11][c12]     tiles of 32, 16, 8, 4, 2, 1
      code 1  ---------------> [c0 ... c7][c8 ... c11][c12]
                out (r,)   *=  the product of each channel      stays in a register
                total       =  sum of weight * out

Complex numbers are pairs of parts, next to each other. Loops over channels, whose number a
compiler does not know, take several times as long where there are few of them.
"""

from typing import Any

import numba
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import FLAGS, INDEX, Vectors

LARGEST = 256  # bytes of a tile, in four registers or eight


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
        product = _Product(builder, real, pairs, table, codes, b)
        return product.number(ctx, kind, product.multiply(*rows))

    return table.dtype(table, codes, b, before, weight, out), _generate


row_product: Any = (
    row_product_in_arrays if numba.config.DISABLE_JIT else _row_product  # type: ignore[attr-defined]
)


class _Product(Vectors):
    """Instructions for one configuration, at the place where a builder stands."""

    def __init__(self, builder, real, pairs, table, codes, b):
        super().__init__(builder, real, pairs)
        _, r = cgutils.unpack_tuple(builder, table.shape)
        self.width = builder.mul(r, INDEX(2)) if pairs else r
        self.table, self.codes, self.b = self.reals(table), codes, b
        self.count, self.block = cgutils.unpack_tuple(builder, codes.shape)

    def multiply(self, before, weight, out):
        """Multiply tile by tile; the parts of the weighted sum."""
        builder, lanes = self.builder, LARGEST // self.size
        rows = self.reals(before), self.reals(weight), self.reals(out)
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
        """Multiply ``lanes`` parts from the ``x``-th on, and add to the sums."""
        builder, (before, weight, out) = self.builder, rows
        product = cgutils.alloca_once(builder, self.vector(lanes))
        builder.store(self.load(before, x, lanes), product)
        with cgutils.for_range(builder, self.count) as each:
            place = builder.add(builder.mul(each.index, self.block), self.b)
            code = builder.load(builder.gep(self.codes.data, [place]))
            start = builder.mul(builder.zext(code, INDEX), self.width)
            row = self.load(self.table, builder.add(start, x), lanes)
            builder.store(self.times(builder.load(product), row), product)
        z = builder.load(product)
        self.store(z, out, x)
        for part, total in zip(self.sums(self.times(z, self.load(weight, x, lanes))), sums):
            builder.store(builder.fadd(builder.load(total), part, flags=FLAGS), total)
