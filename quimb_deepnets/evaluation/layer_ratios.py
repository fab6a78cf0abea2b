"""Ratios of amplitudes of a ConvAC that is computed layer by layer, from touched nodes alone.

All that a compiled loop over configurations and masks needs is prepared here: the table of the
last tabulated level, the weights of the layers above, which node each tap reads, and for each
mask the nodes of each level whose windows hold a changed site::

    Layers  --> table, weights, taps -----.
    masks   --> windows, nodes ------------+--> loop(x, first, last, out, unsure)
"""

import math

import numpy as np

from ..kernels.compiled import as_rows
from ..kernels.layer_ratios import Nodes, Stack, layer_ratios
from ..numerics.products import shared_axes
from ..numerics.scaled import Scaled, look, product
from .layerwise import Layers
from .masks import touched_nodes, touched_windows
from .tap_index import tap_index


class LayerRatios:
    """The layers of a ConvAC above a table, and what its masks touch.

    ``even`` says whether one power of two for each matrix and each row of the table is enough,
    and all weights are shared, which the loop asks for.

    Parameters
    ----------
    net : ConvAC
    masks : Masks
    level : int
        Layers 1..level are looked up.
    """

    def __init__(self, net, masks, level):
        self.geometry, self.layers, self.masks = net.geometry, Layers(net, level), masks
        self.above = range(level + 1, net.depth + 1)
        layers = self.layers
        self.even = all(net.geometry.shared[l - 1] for l in self.above)
        self.even &= all(shared_axes(layers.weights[l - 1]) == 2 for l in self.above)
        self.even &= shared_axes(layers.table) == 1
        exponents = (layers.table.exponent, layers.readout.exponent)
        self.even &= all(look(x).dtype.kind == "f" for x in exponents)

    def loop(self):
        """The compiled loop, as a function ``(x, first, last, out, unsure)``."""
        g, level = self.geometry, self.layers.level
        stack, touches = self._stack(), touched_windows(self.masks, g, level)
        sorted_masks = self.masks.some(touches.order)
        nodes = _nodes([touched_nodes(sorted_masks, g, l) for l in self.above[:-1]])
        largest = float(np.finfo(as_rows(self.layers.table.mantissa).dtype).max)

        def _loop(x, first, last, out, unsure):
            layer_ratios(x, first, last, g.phys_dim, stack, touches, nodes, largest, out, unsure)

        return _loop

    def _stack(self):
        """The `Stack` of the layers above the table."""
        g, layers = self.geometry, self.layers
        mantissa = as_rows(layers.table.mantissa)
        wide = np.result_type(mantissa.dtype, np.float64)
        weights = [as_rows(layers.weights[l - 1].mantissa).astype(wide) for l in self.above]
        kernels = [math.prod(g.kernel(l)) for l in self.above]
        shapes = [(k, w.shape[-2], w.shape[-1]) for k, w in zip(kernels, weights)]
        weights = [w.reshape(shape) for w, shape in zip(weights, shapes)]
        ones = g.boundary == "ones"
        outside = [w.sum(1) if ones else np.ones_like(w[:, 0]) for w in weights]
        read, readers, beyond = self._last(kernels[-1])
        readout = self._readout(outside[-1] if ones else None, beyond, wide)
        windows = layers.windows
        widths = [group.sites.shape[1] for group in windows for _ in group.positions]
        scale = np.broadcast_to(look(layers.table.exponent), mantissa.shape[:1])
        levels = range(layers.level, g.depth)
        return Stack(
            np.array([math.prod(g.layer_shape(l)) for l in levels]),
            np.array([*(g.bond_dim(l) for l in levels), g.bond_dim(g.depth)]),
            np.array(kernels),
            np.concatenate([w.transpose(1, 0, 2).reshape(-1) for w in weights]),
            np.concatenate([x.reshape(-1) for x in outside]),
            self._taps(),
            read,
            readers,
            mantissa.astype(wide),
            scale.astype(np.int64),
            np.concatenate([group.positions for group in windows]).astype(np.int32),
            np.concatenate([group.sites.reshape(-1) for group in windows]).astype(np.int32),
            np.cumsum([0, *widths]).astype(np.int32),
            np.concatenate([layers.offsets[group.kinds] for group in windows]).astype(np.int64),
            readout.mantissa,
            readout.exponent.astype(np.int64),
        )

    def _taps(self):
        """Which node each tap of each node reads, of all layers but the last, -1 outside."""
        g, parts = self.geometry, [np.empty(0, int)]
        for l in self.above[:-1]:
            index = np.stack([tap_index(g, l, tap) for tap in g.tap_indices(l)], axis=1)
            parts.append(np.where(index == math.prod(g.layer_shape(l - 1)), -1, index).reshape(-1))
        return np.concatenate(parts).astype(np.int32)

    def _last(self, count):
        """The taps of the last layer that read each node, and how often each finds none."""
        g, size = self.geometry, math.prod(self.geometry.layer_shape(self.geometry.depth - 1))
        index = np.stack([tap_index(g, g.depth, tap) for tap in g.tap_indices(g.depth)])
        taps = np.broadcast_to(np.arange(count)[:, None], index.shape)
        order = np.argsort(index.reshape(-1), kind="stable")
        counts = np.bincount(index.reshape(-1), minlength=size + 1)
        read = np.cumsum([0, *counts[:size]])
        readers = taps.reshape(-1)[order][: read[-1]]
        beyond = (index == size).sum(1)
        return read.astype(np.int32), readers.astype(np.int32), beyond

    def _readout(self, outside, beyond, wide):
        """The read-out times what taps of the last layer contribute outside."""
        w = self.layers.readout
        w = Scaled(as_rows(w.mantissa).astype(wide), look(w.exponent)).by_channel()
        if outside is None or not beyond.any():
            return w
        factors = Scaled(np.repeat(outside, beyond, axis=0)[:, None], np.zeros((beyond.sum(), 1)))
        factor = Scaled(*(part[0] for part in product(factors)))
        return Scaled(w.mantissa * factor.mantissa, w.exponent + factor.exponent)


def _nodes(levels):
    """`Nodes` from pairs ``(starts, positions)`` of each level above the first."""
    if not levels:
        return Nodes(np.zeros((0, 1), np.int32), np.empty(0, np.int32))
    begins = np.cumsum([0, *(len(positions) for _, positions in levels[:-1])])
    starts = np.stack([starts + begin for (starts, _), begin in zip(levels, begins)])
    nodes = np.concatenate([positions for _, positions in levels])
    return Nodes(starts.astype(np.int32), nodes.astype(np.int32))
