"""Layers of a ConvAC in compiled loops: blocks of configurations that stay in the cache.

What comes close to underflow in a loop is computed again by the array version, which gives each
channel an exponent of its own::

    codes (P, B) --> block of b --look up--> y --layer--> y --layer--> ... --product--> (r, b)
                     block of b --...                                                   (r, b)
"""

import numpy as np
from autoray import to_numpy

from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.layers import fill_ones, look_up, multiply_positions, multiply_taps
from ..kernels.tiles import OUTS, filled, lanes, real_matrices
from ..numerics.products import shared_axes
from ..numerics.scaled import Scaled, array_like, is_wide, mutable, smallest_held
from .tap_index import tap_index
from .window_tables import safe_factors

CACHE = 2**15  # bytes of the innermost cache, for what a node reads and writes


def has_blocks(table, weights):
    """Whether there are loops for these arrays, each node with one exponent for all channels."""
    return (
        has_loops(table.mantissa, *(w.mantissa for w in weights))
        and mutable(table.mantissa, *(w.mantissa for w in weights))
        and shared_axes(table) == 1
        and all(shared_axes(w) == 2 for w in weights)
        and not any(is_wide(x.exponent) for x in (table, *weights))
    )


class TapLayer:
    """One layer as arrays: real matrices, which of them each node uses, and what it reads."""

    def __init__(self, geometry, l, w):
        taps = list(geometry.tap_indices(l))
        below = int(np.prod(geometry.layer_shape(l - 1)))
        reads = np.stack([tap_index(geometry, l, tap) for tap in taps], axis=1)
        if geometry.boundary == "omit":
            reads[reads == below] = -1
        self.reads = np.ascontiguousarray(reads, np.int32)
        mantissa = as_rows(w.mantissa).reshape(-1, *w.mantissa.shape[-2:])
        self.w, self.powers = real_matrices(mantissa), to_numpy(w.exponent).reshape(-1)
        self.own = 0 if geometry.shared[l - 1] else len(taps)
        self.channels, self.every = mantissa.shape[-1], safe_factors(w.mantissa)


class Blocks:
    """Products over all positions of the last layer, for configurations given as codes.

    Parameters
    ----------
    geometry : ConvGeometry
    table : Scaled
        The rows that codes select, shapes ``(n, r)`` and ``(n,)``.
    weights : sequence of Scaled
        Of the layers above, transposed to ``(..., r_in, r_out)``.
    """

    def __init__(self, geometry, table, weights):
        first = geometry.depth - len(weights) + 1
        self.layers = [TapLayer(geometry, first + i, w) for i, w in enumerate(weights)]
        self.like, rows = table.mantissa, as_rows(table.mantissa)
        self.parts, self.real = (2 if rows.dtype.kind == "c" else 1), rows.real.dtype
        self.table, self.powers = (
            rows.view(self.real),
            np.ascontiguousarray(to_numpy(table.exponent)),
        )
        self.small = smallest_held(rows)
        self.lanes = lanes(self.real.itemsize)
        self.rows = [
            filled(self.table.shape[1]),
            *(layer.w.shape[1] * OUTS for layer in self.layers),
        ]

    def __call__(self, codes):
        """The channels, ``(B, r)`` and ``(B, r)``, or None if entries came close to underflow."""
        codes, batch = as_rows(codes), codes.shape[1]
        count = self.layers[-1].channels * self.parts
        total, powers, safe = np.empty((batch, count)), np.empty((batch, count)), []
        size = self._size(batch)

        def _part(start, stop):
            buffers = self._buffers(len(codes), size)
            for begin in range(start, stop, size):
                end = min(stop, begin + size)
                found = self._block(codes, begin, end, buffers)
                safe.append(found is not None)
                if found is None:
                    return
                total[begin:end], powers[begin:end] = (x.T[: end - begin] for x in found)

        in_threads(_part, batch, size)
        if not all(safe):
            return None
        mantissa = total.view("complex128") if self.parts == 2 else total
        mantissa = mantissa.astype(as_rows(self.like).dtype, copy=False)
        exponent = np.ascontiguousarray(powers[:, :: self.parts])
        return Scaled(array_like(mantissa, self.like), array_like(exponent, self.like))

    def _size(self, batch):
        """Configurations of a block: a node, and one that it reads, share the innermost cache."""
        fit = CACHE // (2 * max(self.rows) * self.real.itemsize)
        size = max(self.lanes, fit // self.lanes * self.lanes)
        return min(size, -(-batch // self.lanes) * self.lanes)

    def _buffers(self, positions, size):
        """Arrays that a thread uses again and again: two for nodes, and what is small."""
        counts = [positions, *(len(layer.reads) for layer in self.layers)]
        floats = max((count + 1) * rows for count, rows in zip(counts, self.rows)) * size
        pair = [np.empty(floats, self.real) for _ in range(2)]
        nodes = [
            pair[i % 2][: (count + 1) * rows * size].reshape(count + 1, rows, size)
            for i, (count, rows) in enumerate(zip(counts, self.rows))
        ]
        exponents = [np.empty((count + 1, size)) for count in counts]
        channels = self.layers[-1].channels * self.parts
        return nodes, exponents, np.empty((3, size)), *np.empty((2, channels, size))

    def _block(self, codes, start, stop, buffers):
        nodes, exponents, sizes, total, powers = buffers
        parts, y, exponent = self.parts, nodes[0], exponents[0]
        look_up(self.table, self.powers, codes, start, stop, y, exponent)
        for layer, out, new in zip(self.layers, nodes[1:], exponents[1:]):
            fill_ones(y, exponent, parts)
            matrices = layer.w, layer.powers, layer.own, layer.reads
            limits = layer.channels * parts, parts, layer.every, self.small
            if not multiply_taps(y, exponent, *matrices, *limits, sizes, out, new):
                return None
            y, exponent = out, new
        multiply_positions(y, exponent, len(total), parts, sizes, total, powers)
        return total, powers
