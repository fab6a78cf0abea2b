"""Derivatives through tables in compiled loops: blocks of configurations that stay in the cache.

::

    digits --look-up--> product over rows --> share of each channel, x_c / psi
                          block of b --folded layer--> adjoints --layer--> ... --> (b, num_params)
"""

import functools
import itertools
import math

import numpy as np
from autoray import do

from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.derivatives import (
    BackLayer,
    Fold,
    Places,
    TopRows,
    fold_back,
    layer_back,
    start_back,
)
from ..kernels.digits import LARGEST
from ..kernels.lookup import look_up
from ..kernels.tiles import OUTS, filled, filled_up, lanes, real_matrices
from ..kernels.words import FlatWindows, packed, packed_windows
from ..numerics.scaled import Scaled, array_like, mutable
from .row_tables import RowTable, room_of
from .windows import flat_windows

CACHE = 2**19  # bytes of the second cache, for the adjoints of one table


def has_block_derivatives(tables):
    """Whether there are loops for a `TableDerivatives`: its arrays, and no zeros to divide by."""
    arrays = tables.values, *(w.mantissa for w in tables.weights), tables.readout.mantissa
    if not (has_loops(*arrays) and mutable(*arrays) and tables.geometry.phys_dim <= LARGEST):
        return False
    return bool(do("all", tables.values != 0))


def _inner(x, parts):
    """An array ``(..., r)`` as real numbers ``(..., r parts)``."""
    return x.view(x.real.dtype) if parts == 2 else x


@functools.lru_cache(64)
def _windows(geometry, constants):
    """The windows of all positions, and as many without sites as configurations use constants."""
    sites, first, starts = flat_windows(geometry, geometry.depth, (1,) * geometry.ndim)
    rows = [row for row, times in constants for _ in range(times)]
    return FlatWindows(
        sites, np.append(first, np.full(len(rows), first[-1])), np.append(starts, rows).astype(int)
    )


@functools.lru_cache(64)
def _pieces(geometry, constants):
    """The same windows as pieces of words."""
    return packed_windows(_windows(geometry, constants), geometry.phys_dim)


@functools.lru_cache(64)
def _offsets(geometry, sizes):
    """Where the derivatives by the matrices of each layer start, or -1; and how many there are.

    ``sizes`` are the names of all parameters, and how many numbers each has.
    """
    starts, total = {}, 0
    for name, size in sizes:
        starts[name], total = total, total + size
    names = [
        [geometry.weight_name(l, None, tap) for tap in geometry.tap_indices(l)]
        for l in range(1, geometry.depth + 1)
    ]
    return [np.array([starts.get(name, -1) for name in each]) for each in names], total


def _layer(saved, matrices, table, parts):
    """A layer below the folded one."""
    rows = real_matrices(np.concatenate([table, np.ones_like(table[:1])])[None])[0]
    pairs = real_matrices(matrices.reshape(1, -1, matrices.shape[2]))[0]
    down = np.stack([pairs[:, p::parts] for p in range(parts)])
    cofactors = filled_up(_inner(_stacked(saved.cofactors), parts))
    return BackLayer(saved.step.by_tap, cofactors, rows, down)


def _stacked(arrays):
    """Arrays of one shape as one of numpy."""
    return np.stack([as_rows(x) for x in arrays])


def _shapes(layer, parts, sites):
    """The shapes of what a layer writes for each configuration: sums, derivatives, adjoints."""
    (_, count, _), (tiles, each, _) = layer.down.shape[1:], layer.rows.shape
    rows = tiles * OUTS
    return (count * each,), (count, rows), (0 if sites else each // parts - 1, rows)


class BlockDerivatives:
    """The derivatives of log psi by all parameters.

    Parameters
    ----------
    tables : TableDerivatives
    """

    def __init__(self, tables):
        g, self.values = tables.geometry, as_rows(tables.values)
        self.like = tables.readout.mantissa
        self.parts = 2 if self.values.dtype.kind == "c" else 1
        self.real = self.values.real.dtype
        depth = -math.log2(np.abs(self.values).min())
        self.room = room_of(RowTable(self.values, None, None, int(depth) + 2))
        readout = Scaled.of(np.array(as_rows(tables.net.readout)))
        constants = tuple(tables.constants.items())
        windows, self.pieces = _windows(g, constants), _pieces(g, constants)
        self.top = TopRows(windows, g.phys_dim, readout.mantissa, 2.0**-readout.exponent)
        matrices = [as_rows(w.mantissa).reshape(-1, *w.mantissa.shape[-2:]) for w in tables.weights]
        rows = [as_rows(x) for x in tables.below]
        below = zip(tables.residuals[:-1], matrices, rows)
        self.layers = [_layer(*each, self.parts) for each in below]
        self.shapes = [_shapes(layer, self.parts, l == 0) for l, layer in enumerate(self.layers)]
        self.fold = self._fold(tables.residuals[-1], matrices[-1], rows[-1])
        self.rows = self.fold.by_row.shape[1] * OUTS
        self.below = len(rows[-1]) if self.layers else 0
        self.places = self._places(tables)

    def _fold(self, saved, matrices, below):
        """The folded layer: logarithmic derivatives of its rows."""
        cofactors = _stacked(saved.cofactors) / self.values
        (K, n, r), r_in = cofactors.shape, below.shape[1]
        columns = np.zeros((n, K, r, filled(r_in * self.parts) // self.parts), self.values.dtype)
        inputs = _stacked(saved.gathered)[:, :, None]
        np.multiply(cofactors[..., None], inputs, out=columns[..., :r_in].transpose(1, 0, 2, 3))
        tiles = _inner(columns, self.parts).reshape(n, -1, OUTS).transpose(1, 0, 2)
        rows = cofactors.transpose(2, 1, 0) @ matrices.transpose(1, 0, 2)  # (r, n, r_in)
        by_row = real_matrices(rows.transpose(1, 0, 2) if self.layers else rows[:0])
        reads = np.max(saved.step.gathers, axis=0).astype(np.int32)
        return Fold(np.ascontiguousarray(tiles), by_row, reads)

    def _places(self, tables):
        """Where the derivatives by the matrices of each layer go, and powers of two of these."""
        sizes = tuple((name, math.prod(x.shape)) for name, x in tables.net.params.items())
        offsets, self.num_params = _offsets(tables.geometry, sizes)
        return [
            Places(
                np.where(starts < 0, -1, starts * self.parts),
                np.exp2(-as_rows(w.exponent).reshape(-1)),
                w.mantissa.shape[-1] * self.parts,
            )
            for starts, w in zip(offsets, tables.weights)
        ]

    def __call__(self, x):
        """The derivatives, ``(B, num_params)``, for digits ``(N, B)``."""
        x, batch = as_rows(x), x.shape[1]
        words = packed(x, self.top.phys_dim)
        rest = look_up(words, self.pieces, self.values, self.room)
        out = np.empty((batch, self.num_params), self.values.dtype)
        real, size = _inner(out, self.parts), self._size(batch)

        def _part(start, stop):
            buffers = self._buffers(size)
            for begin in range(start, stop, size):
                self._block(x, rest, begin, min(stop, begin + size), buffers, real)

        in_threads(_part, batch, size)
        return array_like(out, self.like)

    def _size(self, batch):
        """Configurations of a block: the adjoints of a table share the second cache."""
        floats = max(len(self.values) * self.rows, *(shape[0][0] for shape in self.shapes), 0)
        step, fit = lanes(self.real.itemsize), CACHE // (floats * self.real.itemsize)
        return min(max(step, fit // step * step), -(-batch // step) * step)

    def _buffers(self, size):
        """Arrays that a thread uses again and again."""
        new = lambda *shape: np.empty((*shape, size), self.real)
        (n, r), taps = self.values.shape, len(self.places[-1].offsets)
        counts, share = new(n), new(r * self.parts)
        fold = new(taps * r, self.rows), new(self.rows), new(self.below, self.rows)
        return counts, share, fold, [tuple(itertools.starmap(new, each)) for each in self.shapes]

    def _block(self, x, rest, start, stop, buffers, out):
        counts, share, fold, others = buffers
        some = start, stop
        start_back(x, self.top, *rest, self.parts, *some, counts, share, out)
        fold_back(counts, share, self.fold, self.parts, self.places[-1], *some, *fold, out)
        adjoint = fold[-1]
        for layer, places, arrays in zip(self.layers[::-1], self.places[-2::-1], others[::-1]):
            layer_back(adjoint, layer, self.parts, places, *some, *arrays, out)
            adjoint = arrays[-1]
