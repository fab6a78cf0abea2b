"""Derivatives through tables in compiled loops: blocks of configurations that stay in the cache.

::

    digits --look-up--> product over rows --> share of each channel, x_c / psi
                          block of b --folded layer--> adjoints --layer--> ... --> (b, num_params)
"""

import math

import numpy as np
from autoray import do

from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.derivatives import count_rows, fold_back, layer_back, write_columns
from ..kernels.digits import LARGEST
from ..kernels.lookup import FlatWindows, look_up
from ..kernels.tiles import OUTS, filled, lanes, real_matrices
from ..numerics.scaled import Scaled, array_like, mutable
from .backprop import channel_shares
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


def _windows(tables):
    """The windows of all positions, and as many without sites as configurations use constants."""
    sites, first, starts = flat_windows(
        tables.geometry, tables.geometry.depth, (1,) * tables.geometry.ndim
    )
    rows = [row for row, times in tables.constants.items() for _ in range(times)]
    return FlatWindows(
        sites, np.append(first, np.full(len(rows), first[-1])), np.append(starts, rows).astype(int)
    )


class _BackLayer:
    """A layer below the folded one, as arrays for `layer_back`."""

    def __init__(self, saved, matrices, table, parts):
        self.readers = saved.step.by_tap
        self.cofactors = _inner(np.stack([as_rows(x) for x in saved.cofactors]), parts)
        ones = np.concatenate([table, np.ones_like(table[:1])])
        self.below = len(table)
        self.table = real_matrices(ones[None])[0]
        w = np.concatenate(matrices)  # (K r, r_in)
        pairs = real_matrices(w[None])[0]
        self.down = np.stack([np.ascontiguousarray(pairs[:, p::parts]) for p in range(parts)])
        self.widths = len(w), self.table.shape[0] * OUTS


class BlockDerivatives:
    """The derivatives of log psi by all parameters.

    Parameters
    ----------
    tables : TableDerivatives
    """

    def __init__(self, tables):
        g, self.readout = tables.geometry, tables.readout
        self.values = as_rows(tables.values)
        self.parts = 2 if self.values.dtype.kind == "c" else 1
        self.real = self.values.real.dtype
        self.lanes = lanes(self.real.itemsize)
        depth = -math.log2(np.abs(self.values).min())
        self.room = room_of(RowTable(self.values, None, None, int(depth) + 2))
        self.windows, self.phys_dim = _windows(tables), g.phys_dim
        matrices = [
            [as_rows(w.mantissa[tap]) for tap in taps]
            for w, taps in zip(tables.weights, tables.taps)
        ]
        rows = [as_rows(x) for x in tables.below]
        self._fold(tables.residuals[-1], matrices[-1], rows[-1], g.depth)
        self.layers = [
            _BackLayer(saved, matrix, row, self.parts)
            for saved, matrix, row in zip(tables.residuals[:-1], matrices, rows)
        ]
        self._places(tables)

    def _fold(self, saved, matrices, below, depth):
        """The folded layer: logarithmic derivatives of its rows."""
        cofactors = [as_rows(x) / self.values for x in saved.cofactors]
        gathered = [as_rows(x) for x in saved.gathered]
        n, r = self.values.shape
        shape = (n, len(cofactors) * r, filled(below.shape[1] * self.parts))
        columns = np.zeros(shape, self.real)
        for k, (cofactor, inputs) in enumerate(zip(cofactors, gathered)):
            found = np.ascontiguousarray(cofactor[:, :, None] * inputs[:, None])
            found = _inner(found, self.parts)
            columns[:, k * r : (k + 1) * r, : found.shape[2]] = found
        self.by_weight = real_matrices(columns.reshape(1, n, -1))[0]
        self.fold_width, self.below = shape[1:], len(below) if depth > 1 else 0
        self.reads = np.max(np.stack(saved.step.index), axis=0).astype(np.int32)
        rows = sum(c[:, :, None] * w[None] for c, w in zip(cofactors, matrices))
        self.by_row = real_matrices(rows if depth > 1 else rows[:0])

    def _places(self, tables):
        """Where the derivatives by each matrix start, and the powers of two of the weights."""
        g, sizes = tables.geometry, {k: math.prod(x.shape) for k, x in tables.net.params.items()}
        starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]) * self.parts))
        self.num_params, self.places = sum(sizes.values()), []
        for l, (w, taps) in enumerate(zip(tables.weights, tables.taps), 1):
            offsets = np.array([starts.get(g.weight_name(l, None, tap), -1) for tap in taps])
            powers = np.array([float(w.exponent[tap]) for tap in taps])
            width = w.mantissa.shape[-1] * self.parts
            self.places.append((offsets, np.exp2(-powers), width))

    def __call__(self, x):
        """The derivatives, ``(B, num_params)``, for digits ``(N, B)``."""
        x, batch = as_rows(x), x.shape[1]
        rest = Scaled(*look_up(x, self.windows, self.phys_dim, self.values, self.room))
        readout = Scaled(*map(as_rows, self.readout))
        ratio, share = channel_shares(rest, rest, readout)
        out = np.empty((batch, self.num_params), self.values.dtype)
        out[:, self.num_params - ratio.shape[1] :] = ratio
        share = _inner(np.ascontiguousarray(share, self.values.dtype), self.parts)
        real, size = _inner(out, self.parts), self._size(batch)

        def _part(start, stop):
            buffers = self._buffers(size)
            for begin in range(start, stop, size):
                end = min(stop, begin + size)
                self._block(x, share, begin, end, buffers, real)

        in_threads(_part, batch, size)
        return array_like(out, self.readout.mantissa)

    def _size(self, batch):
        """Configurations of a block: the adjoints of a table share the second cache."""
        floats = len(self.values) * self.fold_width[1]
        for layer in self.layers:
            floats = max(floats, layer.widths[0] * (layer.below + 1) * self.parts)
        fit = CACHE // (floats * self.real.itemsize)
        size = max(self.lanes, fit // self.lanes * self.lanes)
        return min(size, -(-batch // self.lanes) * self.lanes)

    def _buffers(self, size):
        """Arrays that a thread uses again and again."""
        new = lambda *shape: np.empty((*shape, size), self.real)
        n, r = self.values.shape
        rows = self.fold_width[1]
        fold = new(n), new(r * self.parts), new(*self.fold_width), new(rows), new(self.below, rows)
        layers = []
        for l, layer in enumerate(self.layers):
            adjoints = new(layer.below if l else 0, layer.widths[1])
            summed = new(layer.widths[0] * (layer.below + 1) * self.parts)
            layers.append((summed, new(*layer.widths), adjoints))
        return fold, layers

    def _block(self, x, shares, start, stop, buffers, out):
        (counts, share, column, scratch, adjoint), others = buffers
        share[:, : stop - start] = shares[start:stop].T
        share[:, stop - start :] = 0.0
        count_rows(x, self.windows, self.phys_dim, start, stop, counts)
        matrices = self.by_weight, self.by_row, self.reads, self.parts
        fold_back(counts, share, *matrices, column, scratch, adjoint)
        write_columns(column, *self.places[-1], start, stop, out)
        for l in reversed(range(len(self.layers))):
            layer, (summed, column, below) = self.layers[l], others[l]
            arrays = layer.readers, layer.cofactors, self.parts, layer.table, layer.down
            layer_back(adjoint, *arrays, summed, column, below)
            write_columns(column, *self.places[l], start, stop, out)
            adjoint = below
