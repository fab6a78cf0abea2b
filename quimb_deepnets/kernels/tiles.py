"""Matrix products of a few rows and columns, held in registers, and rescales of what they make.

Channels come first and configurations last, so that a vector register holds the same channel of
neighbouring configurations. A tile is `OUTS` channels of as many configurations as `BYTES` hold;
all of it stays in registers while the sum over the channels below runs, and is then stored,
added, or multiplied into what stands there::

                   configurations                           x .. x + lanes
    y  first        . . . .                    out  row      # # # #     =, += or *=
       first + step . . . .   --- w (J, OUTS)--->            # # # #     sum_j w[j, .] y[j]
       ...          . . . .                        row + 3   # # # #

Or each channel has a weight of its own for each of a few rows that are added up.

Complex numbers are pairs of rows, real and imaginary parts: their matrices have real blocks
``(re, im; -im, re)``, and only products of entries differ from those of real numbers.
"""

from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from .compiled import lean_loop
from .vectors import Vectors

OUTS = 4  # rows of a tile
# two vector registers, or as many as hide the latency of a multiplication
BYTES = 128 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 64
STORE, ADD, MULTIPLY, MULTIPLY_PAIRS = range(4)


def multiply_tile_in_arrays(w, y, first, step, x, out, row, mode):
    """What `multiply_tile` does, in array calls: a specification, and the way without a compiler.

    Parameters
    ----------
    w : array, shape (J, OUTS)
    y : array, shape (rows, b)
        Its rows ``first + j * step`` are multiplied.
    first, step, x : int
    out : array, shape (rows, b)
        Changed in rows ``row`` to ``row + OUTS``, from column ``x`` on.
    row : int
    mode : int
        `STORE`, `ADD`, `MULTIPLY`, or `MULTIPLY_PAIRS` for complex numbers.
    """
    some = slice(x, x + BYTES // out.itemsize)
    z = w.T @ y[first : first + len(w) * step : step, some]
    old = out[row : row + OUTS, some]
    if mode == ADD:
        z += old
    elif mode == MULTIPLY:
        z *= old
    elif mode == MULTIPLY_PAIRS:
        (a, b), (c, d) = (old[::2], old[1::2]), (z[::2].copy(), z[1::2].copy())
        z[::2], z[1::2] = a * c - b * d, a * d + b * c
    old[...] = z


@intrinsic
def _multiply_tile(context, w, y, first, step, x, out, row, mode):
    """`multiply_tile_in_arrays` as instructions on vectors."""

    def _generate(ctx, builder, signature, args):
        w, y, first, step, x, out, row, mode = args
        w, y, out = (
            ctx.make_array(kind)(ctx, builder, value)
            for kind, value in zip((signature.args[j] for j in (0, 1, 5)), (w, y, out))
        )
        tile = _Tile(builder, ctx.get_data_type(signature.args[5].dtype))
        sums = tile.products(w, y, first, step, x)
        tile.write(sums, out, row, x, mode)
        return ctx.get_dummy_value()

    arguments = (w, y, first, step, x, out, row, mode)
    return numba.types.void(*arguments), _generate


multiply_tile: Any = (
    multiply_tile_in_arrays if numba.config.DISABLE_JIT else _multiply_tile  # type: ignore[attr-defined]
)


def add_rows_tile_in_arrays(weights, y, rows, c, x, out, place, step, count):
    """What `add_rows_tile` does, in array calls: a specification, and the way without a compiler.

    Parameters
    ----------
    weights : array, shape (n, r)
    y : array, shape (n, OUTS tiles, b)
    rows : array of int32, shape (any,)
        Which of the n are added up.
    c, x : int
        The first channel, a multiple of `OUTS`, and the first column.
    out : array, shape (any, b)
        Overwritten: channel ``c + i`` in row ``place + i * step``, from column ``x`` on.
    place, step : int
    count : int
        How many channels there are to be written, `OUTS` or fewer.
    """
    some = slice(x, x + BYTES // out.itemsize)
    for i in range(count):
        out[place + i * step, some] = weights[rows, c + i] @ y[rows, c + i, some]


@intrinsic
def _add_rows_tile(context, weights, y, rows, c, x, out, place, step, count):
    """`add_rows_tile_in_arrays` as instructions on vectors."""

    def _generate(ctx, builder, signature, args):
        weights, y, rows, out = (
            ctx.make_array(signature.args[j])(ctx, builder, args[j]) for j in (0, 1, 2, 5)
        )
        c, x, place, step, count = (
            ctx.cast(builder, args[j], signature.args[j], numba.types.intp) for j in (3, 4, 6, 7, 8)
        )
        tile = _Tile(builder, ctx.get_data_type(signature.args[5].dtype))
        tile.write_some(tile.sums_of_rows(weights, y, rows, c, x), out, place, step, count, x)
        return ctx.get_dummy_value()

    arguments = (weights, y, rows, c, x, out, place, step, count)
    return numba.types.void(*arguments), _generate


add_rows_tile: Any = (
    add_rows_tile_in_arrays if numba.config.DISABLE_JIT else _add_rows_tile  # type: ignore[attr-defined]
)


class _Tile(Vectors):
    """Instructions for one tile, at the place where a builder stands."""

    def __init__(self, builder, real):
        super().__init__(builder, real, pairs=False)
        self.lanes = BYTES // self.size

    def products(self, w, y, first, step, x):
        """The sums over j, `OUTS` vectors in registers."""
        builder = self.builder
        count, width = cgutils.unpack_tuple(builder, w.shape)
        sums = self._zeros()
        with cgutils.for_range(builder, count) as each:
            values = self._read(y, builder.add(first, builder.mul(each.index, step)), x)
            start = builder.mul(each.index, width)
            for r, total in enumerate(sums):
                self._add_times(w, builder.add(start, start.type(r)), values, total)
        return [builder.load(total) for total in sums]

    def sums_of_rows(self, weights, y, rows, c, x):
        """Sums over rows, each of `OUTS` channels by a weight of its own."""
        builder = self.builder
        (length,), (_, width) = (cgutils.unpack_tuple(builder, z.shape) for z in (rows, weights))
        _, channels, _ = cgutils.unpack_tuple(builder, y.shape)
        sums = self._zeros()
        with cgutils.for_range(builder, length) as each:
            row = builder.sext(builder.load(builder.gep(rows.data, [each.index])), c.type)
            start, first = (builder.add(builder.mul(row, n), c) for n in (width, channels))
            for i, total in enumerate(sums):
                values = self._read(y, builder.add(first, c.type(i)), x)
                self._add_times(weights, builder.add(start, c.type(i)), values, total)
        return [builder.load(total) for total in sums]

    def write(self, sums, out, row, x, mode):
        """Store the sums, add them, or multiply."""
        builder = self.builder
        places = [self._place(out, builder.add(row, row.type(r)), x) for r in range(OUTS)]
        for code, combine in enumerate((self._same, self._add, self._times, self._pairs)):
            with builder.if_then(builder.icmp_signed("==", mode, mode.type(code))):
                old = [self.load(self.reals(out), place, self.lanes) for place in places]
                for value, place in zip(combine(old, sums), places):
                    self.store(value, self.reals(out), place)

    def write_some(self, sums, out, row, step, count, x):
        """Store the first ``count`` sums, in rows that are ``step`` apart."""
        builder = self.builder
        for i, value in enumerate(sums):
            with builder.if_then(builder.icmp_signed(">", count, count.type(i))):
                where = builder.add(row, builder.mul(step, step.type(i)))
                self.store(value, self.reals(out), self._place(out, where, x))

    def _zeros(self):
        zero = ir.Constant(self.vector(self.lanes), None)
        return [cgutils.alloca_once_value(self.builder, zero) for _ in range(OUTS)]

    def _add_times(self, weights, place, values, total):
        """Add a vector times one of the weights."""
        builder = self.builder
        weight = builder.load(builder.gep(weights.data, [place]))
        term = builder.fmul(self._spread(weight), values, flags=["contract"])
        builder.store(builder.fadd(builder.load(total), term, flags=["contract"]), total)

    def _same(self, old, new):
        return new

    def _add(self, old, new):
        return [self.builder.fadd(a, b) for a, b in zip(old, new)]

    def _times(self, old, new):
        return [self.builder.fmul(a, b) for a, b in zip(old, new)]

    def _pairs(self, old, new):
        b, out = self.builder, []
        for re, im, new_re, new_im in zip(old[::2], old[1::2], new[::2], new[1::2]):
            out.append(b.fsub(b.fmul(re, new_re), b.fmul(im, new_im)))
            out.append(b.fadd(b.fmul(re, new_im), b.fmul(im, new_re)))
        return out

    def _place(self, array, row, x):
        """How many entries of an array ``(..., b)`` are before column ``x`` of a row."""
        *_, width = cgutils.unpack_tuple(self.builder, array.shape)
        return self.builder.add(self.builder.mul(row, width), x)

    def _read(self, array, row, x):
        return self.load(self.reals(array), self._place(array, row, x), self.lanes)

    def _spread(self, number):
        """A vector of one number."""
        vector, lane = self.vector(self.lanes), ir.IntType(32)
        undefined = ir.Constant(vector, ir.Undefined)
        one = self.builder.insert_element(undefined, number, lane(0))
        zeros = ir.Constant(ir.VectorType(lane, self.lanes), None)
        return self.builder.shuffle_vector(one, undefined, zeros)


@lean_loop
def rescale_columns(node, count, parts, sizes, small, exponent):
    """Rescale each column of ``node`` by a power of two, and say whether all were in range.

    Parameters
    ----------
    node : array, shape (rows, b)
        The first ``count`` rows are numbers, or pairs of parts; the largest of a column becomes
        of size 1/2 to 1.
    count, parts : int
    sizes : array of float64, shape (3, b)
        Overwritten.
    small : float
        How far below its largest, or 1, an entry of a column may be.
    exponent : array of float64, shape (b,)
        What is taken out is added here.
    """
    top, low, factor = sizes[0], sizes[1], sizes[2]
    b = node.shape[1]
    for x in range(b):
        top[x], low[x] = 0.0, np.inf
    for c in range(0, count, parts):
        first, last = node[c], node[c + parts - 1]
        for x in range(b):
            size, other = np.float64(abs(first[x])), np.float64(abs(last[x]))
            size = size if size > other else other
            top[x] = size if size > top[x] else top[x]
            low[x] = size if size < low[x] else low[x]
    safe = True
    code = top.view(np.int64)
    for x in range(b):
        if low[x] < small or low[x] < small * top[x]:
            safe = False
        shift = ((code[x] >> 52) & 0x7FF) - 1022 if top[x] > 0.0 else 0
        exponent[x] += shift
        code[x] = (1023 - shift) << 52
        factor[x] = top[x]
    for c in range(count):
        values = node[c]
        for x in range(b):
            values[x] = values[x] * factor[x]
    return safe


def lanes(itemsize: int) -> int:
    """How many configurations a tile holds; blocks are multiples of it.

    Examples
    --------
    >>> from quimb_deepnets.kernels.tiles import lanes
    >>> lanes(4) == 2 * lanes(8)
    True
    """
    return BYTES // itemsize


def real_matrices(w: np.ndarray) -> np.ndarray:
    """Matrices ``(m, r_in, r_out)`` as real columns for tiles, filled up to whole tiles.

    Returns
    -------
    numpy.ndarray
        Shape ``(m, tiles, r_in, OUTS)``, or with ``2 r_in`` for complex ones.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.tiles import real_matrices
    >>> real_matrices(np.array([[[1 + 2j]]]))
    array([[[[ 1.,  2.,  0.,  0.],
             [-2.,  1.,  0.,  0.]]]])
    """
    count, r_in, r_out = w.shape
    if w.dtype.kind == "c":
        blocks = np.empty((count, r_in, 2, r_out, 2), w.real.dtype)
        blocks[:, :, 0, :, 0] = blocks[:, :, 1, :, 1] = w.real
        blocks[:, :, 0, :, 1], blocks[:, :, 1, :, 0] = w.imag, -w.imag
        w = blocks.reshape(count, 2 * r_in, 2 * r_out)
    out = filled_up(w)
    tiles = out.reshape(*out.shape[:2], out.shape[2] // OUTS, OUTS).transpose(0, 2, 1, 3)
    return np.array(tiles, order="C")


def filled_up(x: np.ndarray) -> np.ndarray:
    """An array ``(..., rows)`` with zeros behind the rows, so that they fill whole tiles.

    The same array if they do so already.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.tiles import filled_up
    >>> filled_up(np.array([1.0, 2.0]))
    array([1., 2., 0., 0.])
    """
    rows = x.shape[-1]
    if rows == filled(rows):
        return x
    out = np.zeros((*x.shape[:-1], filled(rows)), x.dtype)
    out[..., :rows] = x
    return out


def filled(rows: int) -> int:
    """The next multiple of `OUTS`.

    Examples
    --------
    >>> from quimb_deepnets.kernels.tiles import filled
    >>> filled(3), filled(8)
    (4, 8)
    """
    return -(-rows // OUTS) * OUTS
