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
from ..kernels.layer_ratios import Nodes, Stack, layer_ratios, work_arrays
from ..kernels.tiles import OUTS, filled
from ..numerics.products import shared_axes
from ..numerics.scaled import Scaled, look, product
from .blockwise import TapLayer
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
        found = [touched_nodes(sorted_masks, g, l) for l in self.above[:-1]]
        found.append(touched_nodes(sorted_masks, g, g.depth - 1))  # whose factors change
        nodes = _nodes(touches.starts, found)
        largest = float(np.finfo(as_rows(self.layers.table.mantissa).dtype).max)

        def _loop(x, first, last, out, unsure):
            out = out.view(out.real.dtype)
            space, work = work_arrays(stack, nodes, len(x), last - first)
            what = stack, touches, nodes, space, work, largest
            layer_ratios(x, first, last, g.phys_dim, *what, out, unsure)

        return _loop

    def _stack(self):
        """The `Stack` of the layers above the table."""
        g, layers = self.geometry, self.layers
        mantissa = as_rows(layers.table.mantissa)
        wide = np.result_type(mantissa.dtype, np.float64)
        parts = 2 if wide.kind == "c" else 1
        weights = [layers.weights[l - 1] for l in self.above]
        weights = [Scaled(as_rows(w.mantissa).astype(wide), w.exponent) for w in weights]
        taps = [TapLayer(g, l, w) for l, w in zip(self.above, weights)]
        taps[-1].reads, beyond = self._last(len(taps[-1].w))
        outside = weights[-1].mantissa.reshape(-1, *weights[-1].mantissa.shape[-2:]).sum(1)
        readout = self._readout(outside if g.boundary == "ones" else None, beyond, wide)
        windows = layers.windows
        widths = [group.sites.shape[1] for group in windows for _ in group.positions]
        scale = np.broadcast_to(look(layers.table.exponent), mantissa.shape[:1])
        size = math.prod(g.layer_shape(layers.level))
        rows = parts * mantissa.shape[1]
        return Stack(
            np.array([size, *(len(tap.reads) for tap in taps)]),
            np.array([filled(rows), *(tap.w.shape[1] * OUTS for tap in taps)]),
            np.array([rows, *(tap.channels * parts for tap in taps)]),
            np.array([len(tap.w) for tap in taps]),
            np.array([tap.every for tap in taps]),
            np.concatenate([tap.w.reshape(-1) for tap in taps]),
            np.concatenate([tap.reads.reshape(-1) for tap in taps]),
            mantissa.astype(wide).view(float),
            scale.astype(float),
            np.concatenate([group.positions for group in windows]).astype(np.int32),
            np.concatenate([group.sites.reshape(-1) for group in windows]).astype(np.int32),
            np.cumsum([0, *widths]).astype(np.int32),
            np.concatenate([layers.offsets[group.kinds] for group in windows]).astype(np.int64),
            readout.mantissa,
            readout.exponent.astype(np.int64),
        )

    def _last(self, count):
        """Which taps of the last layer read each node, itself or -1; how often each finds none."""
        g, size = self.geometry, math.prod(self.geometry.layer_shape(self.geometry.depth - 1))
        reads, beyond = np.full((size + 1, count), -1, np.int32), np.empty(count, int)
        for k, tap in enumerate(g.tap_indices(g.depth)):
            index = tap_index(g, g.depth, tap)
            reads[index, k], beyond[k] = index, (index == size).sum()
        return reads[:size], beyond

    def _readout(self, outside, beyond, wide):
        """The read-out times what taps of the last layer contribute outside."""
        w = self.layers.readout
        w = Scaled(as_rows(w.mantissa).astype(wide), look(w.exponent)).by_channel()
        if outside is None or not beyond.any():
            return w
        factors = Scaled(np.repeat(outside, beyond, axis=0)[:, None], np.zeros((beyond.sum(), 1)))
        factor = Scaled(*(part[0] for part in product(factors)))
        return Scaled(w.mantissa * factor.mantissa, w.exponent + factor.exponent)


def _nodes(first, levels):
    """`Nodes` from the starts of level 0 and pairs ``(starts, positions)`` of all others."""
    begins = np.cumsum([0, *(len(positions) for _, positions in levels[:-1])])
    starts = np.stack([starts + begin for (starts, _), begin in zip(levels, begins)])
    nodes = np.concatenate([positions for _, positions in levels])
    most = [np.diff(x).max(initial=0) for x in (first, *starts)]
    return Nodes(starts.astype(np.int32), nodes.astype(np.int32), np.array(most))
