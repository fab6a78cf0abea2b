"""Products of rows that some factors leave and others enter, in vector registers.

Channels stand next to each other, in tiles of as many as a cache line holds. A tile of the product
stays in a register while all factors are multiplied into it, then it is stored, and its weighted
sum is taken::

    factors  new rows      [c0 ... c7][c8 ... ]  *          a row for each code, and last one of
             old, inverse  [c0 ... c7][c8 ... ]  *          ones; channels filled up to whole tiles
    acc                    [c0 ... c7][c8 ... ]
                               |
    out                    [c0 ... c7][c8 ... ]  * weight --> sum

Loops over channels, whose number a compiler does not know, take several times as long where there
are few of them.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import FLAGS, INDEX, Vectors

LINE = 64  # bytes of a tile, and of a line of the cache
TILE = LINE // 8


def change_rows_in_arrays(factors, rows, holders, change, acc, weight, out):
    """What `change_rows` does, in array calls: a specification, and the way without a compiler.

    Parameters
    ----------
    factors : array, shape (2, n, r)
        Rows, and their inverses.
    rows : array of int32, shape (P,)
        Which row each window selects.
    holders : array of int32, shape (T, 2)
        The windows that move to others, and by how many rows when a digit rises by 1.
    change : int
        By how much it rises.
    acc, weight : array, shape (r,)
        The product before, and the weights of channels.
    out : array, shape (r,)
        Overwritten by the product; it may be ``acc``.

    Returns
    -------
    float or complex
        The weighted sum of ``out``.
    """
    old = rows[holders[:, 0]]
    out[:] = acc * factors[0, old + change * holders[:, 1]].prod(0) * factors[1, old].prod(0)
    return (weight * out).sum()


@intrinsic
def _change_rows(context, factors, rows, holders, change, acc, weight, out):
    """`change_rows_in_arrays` as instructions on vectors, float64 or complex128."""

    def _generate(ctx, builder, signature, args):
        factors, rows, holders, acc, weight, out = (
            ctx.make_array(kind)(ctx, builder, value)
            for kind, value in zip(signature.args, args)
            if isinstance(kind, numba.types.Array)
        )
        kind = signature.return_type
        tiles = _Tiles(builder, kind is numba.types.complex128, factors)
        by = ctx.cast(builder, args[3], signature.args[3], numba.types.int32)
        return tiles.number(ctx, kind, tiles.change(rows, holders, by, acc, weight, out))

    arguments = (factors, rows, holders, change, acc, weight, out)
    return factors.dtype(*arguments), _generate


change_rows: Any = (
    change_rows_in_arrays if numba.config.DISABLE_JIT else _change_rows  # type: ignore[attr-defined]
)


@intrinsic
def _not_below(context, a, b):
    """`not_below` as instructions."""

    def _generate(ctx, builder, signature, args):
        code = builder.bitcast(builder.fsub(*args), INDEX)
        return builder.xor(builder.lshr(code, INDEX(63)), INDEX(1))

    return numba.types.uint64(numba.types.float64, numba.types.float64), _generate


def _not_below_in_numbers(a, b):
    """1 if a >= b, else 0, from the sign of a difference: no compiler makes it a branch."""
    return np.uint64(a >= b)


not_below: Any = (
    _not_below_in_numbers if numba.config.DISABLE_JIT else _not_below  # type: ignore[attr-defined]
)


class _Tiles(Vectors):
    """Instructions for all tiles, at the place where a builder stands."""

    def __init__(self, builder, pairs, factors):
        super().__init__(builder, ir.DoubleType(), pairs)
        _, rows, r = cgutils.unpack_tuple(builder, factors.shape)
        self.width = builder.mul(r, INDEX(2)) if pairs else r
        self.first = self.reals(factors)
        self.second = builder.gep(self.first, [builder.mul(rows, self.width)])

    def change(self, rows, holders, change, acc, weight, out):
        """Store the product; the parts of the weighted sum."""
        builder, vector = self.builder, self.vector(TILE)
        acc, weight, out = map(self.reals, (acc, weight, out))
        windows, _ = cgutils.unpack_tuple(builder, holders.shape)
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, None))
        product = cgutils.alloca_once(builder, vector)
        with cgutils.for_range_slice(builder, INDEX(0), self.width, INDEX(TILE), INDEX) as (x, _):
            builder.store(self.load(acc, x, TILE), product)
            with cgutils.for_range(builder, windows) as each:
                enters, leaves = self._rows(rows, holders, each.index, change)
                factor = self.times(
                    self._row(self.first, enters, x), self._row(self.second, leaves, x)
                )
                builder.store(self.times(builder.load(product), factor), product)
            z = builder.load(product)
            self.store(z, out, x)
            term = self.times(z, self.load(weight, x, TILE))
            builder.store(builder.fadd(builder.load(total), term, flags=FLAGS), total)
        return self.sums(builder.load(total))

    def _rows(self, rows, holders, i, change):
        """The rows that the i-th window enters and leaves."""
        builder = self.builder
        place = builder.mul(i, INDEX(2))
        window, step = (
            builder.load(builder.gep(holders.data, [builder.add(place, INDEX(k))])) for k in (0, 1)
        )
        old = builder.load(builder.gep(rows.data, [builder.zext(window, INDEX)]))
        return builder.add(old, builder.mul(change, step)), old

    def _row(self, factors, number, x):
        """A tile of a row."""
        start = self.builder.mul(self.builder.zext(number, INDEX), self.width)
        return self.load(factors, self.builder.add(start, x), TILE)


def filled(r: int, dtype: Any) -> int:
    """How many channels whole tiles hold, ``r`` or more.

    Examples
    --------
    >>> from quimb_deepnets.kernels.row_tiles import filled
    >>> filled(3, "float64"), filled(9, "float64"), filled(3, "complex128")
    (8, 16, 4)
    """
    each = LINE // np.dtype(dtype).itemsize
    return -(-r // each) * each


def aligned_ones(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of ones that begins at the start of a line of the cache.

    Examples
    --------
    >>> from quimb_deepnets.kernels.row_tiles import aligned_ones
    >>> x = aligned_ones((2, 8), "float64")
    >>> x.shape, x.ctypes.data % 64, float(x.sum())
    ((2, 8), 0, 16.0)
    """
    size, each = int(np.prod(shape)), np.dtype(dtype).itemsize
    x = np.ones(size + LINE // each, dtype)
    skip = -x.ctypes.data % LINE // each
    return x[skip : skip + size].reshape(shape)
