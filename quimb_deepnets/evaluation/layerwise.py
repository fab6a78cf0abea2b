"""The layers of a ConvAC, computed one by one for a batch of configurations.

Positions first, channels last, the batch between: a shift of positions is then a slice of whole
rows of memory, and each tap is one matrix product over all positions and configurations::

    y (*positions, B, r_in) --W[k]--> z_k (*positions, B, r_out)
                                       |  shifted by the tap, piece by piece
    out (*positions, B, r_out)  *=  z_k[piece]                  for every tap k, then rescaled
"""

import functools
import itertools

import numpy as np
from autoray import do, infer_backend, to_numpy

from ..numerics.products import (
    aligned,
    checked,
    dot,
    multiply_entries,
    multiply_out,
    settled,
    shared_axes,
    times,
    transposed,
)
from ..numerics.scaled import Scaled, array_like, mutable, product, scaled, take
from ..numerics.torch_modes import full_precision
from .blockwise import Blocks, has_blocks
from .row_tables import joined
from .tap_index import tap_index
from .window_tables import branch_tables, safe_factors
from .windows import row_codes, windows_of


@functools.lru_cache(4096)
def tap_runs(axis, l, k):
    """How tap ``k`` of layer ``l`` reads an axis: runs ``(out, in or None)`` of slices."""
    reads = [taps[k] for taps in axis.reads[l - 1]]
    runs, start = [], 0
    for p in range(1, len(reads) + 1):
        if p < len(reads) and _continues(reads, start, p):
            continue
        first, length = reads[start], p - start
        if first is None:
            source = None
        else:
            step = reads[start + 1] - first if length > 1 else 1
            source = slice(first, first + (length - 1) * step + 1, step)
        runs.append((slice(start, p), source))
        start = p
    return tuple(runs)


def _continues(reads, start, p):
    """Whether position ``p`` belongs to the run that begins at ``start``."""
    if reads[start] is None or reads[p] is None:
        return reads[start] is None and reads[p] is None
    if p == start + 1:
        return reads[p] > reads[start]
    return reads[p] - reads[p - 1] == reads[start + 1] - reads[start]


def compute_layer(geometry, l, w, y):
    """One layer.

    Parameters
    ----------
    geometry : ConvGeometry
    l : int
    w : Scaled
        Its weights, transposed to ``(..., r_in, r_out)``, one exponent per matrix or entry.
    y : Scaled
        Shapes ``(P, B, r_in)`` and ``(P, B)``, positions flat, or an exponent for each entry.

    Returns
    -------
    Scaled
        The same of layer ``l``.
    """
    factors = lambda: _factors(geometry, l, w, y)
    quick = geometry.shared[l - 1] and shared_axes(w) == 2 and shared_axes(y) == 1
    if quick and mutable(w.mantissa, y.mantissa):
        out, safe = _in_place(geometry, l, w, y)
        return out if safe else settled(multiply_entries(factors()))
    return settled(multiply_out(factors, safe_factors(w.mantissa)))


def _in_place(g, l, w, y):
    """A layer with shared weights, multiplied up in one array, and whether that was safe."""
    batch, r_in = y.mantissa.shape[1:]
    rows, below = y.mantissa.reshape(-1, r_in), (*g.layer_shape(l - 1), batch)
    exponent = _summed_exponents(g, l, y.exponent.reshape(below), to_numpy(w.exponent))
    out = blank((*g.layer_shape(l), batch, g.bond_dim(l)), y.mantissa)
    every, safe = safe_factors(w.mantissa), True
    for count, tap in enumerate(g.tap_indices(l), 1):
        matrix = w.mantissa[tap]
        z = (rows @ matrix).reshape(*below, -1)
        for piece, source in _pieces(g, l, tap):
            if source is not None:
                factor = z[source]
            elif g.boundary == "ones":
                factor = matrix.sum(0)
            else:
                factor = 1.0
            view = out[piece]
            if count == 1:
                view[...] = factor
            elif source is not None or g.boundary == "ones":
                view *= factor
        if count % every == 0:
            (out, exponent), in_range = checked(Scaled(out, exponent))
            safe = safe and in_range
    (out, exponent), in_range = checked(Scaled(out, exponent))
    return Scaled(
        out.reshape(-1, batch, g.bond_dim(l)), exponent.reshape(-1, batch)
    ), safe and in_range


def blank(shape, like):
    """An array without contents, of the dtype and on the device of ``like``."""
    if infer_backend(like) == "numpy":
        return np.empty(shape, like.dtype)
    return do("empty", shape, dtype=like.dtype, device=like.device, like=like)


def _pieces(geometry, l, tap):
    """Pairs of slices over all axes: where a tap writes, and where it reads (None: outside)."""
    runs = (tap_runs(axis, l, k) for axis, k in zip(geometry.axes, tap))
    for pairs in itertools.product(*runs):
        out, source = zip(*pairs)
        yield out, None if None in source else source


def _summed_exponents(geometry, l, exponent, weights):
    """The exponents of all factors of each node, added up, for shared weights.

    ``exponent`` has shape ``(*positions, B)``; ``weights`` has one entry per tap.
    """
    total = exponent
    for d, axis in enumerate(geometry.axes):
        lead = (slice(None),) * d
        shape = list(total.shape)
        shape[d] = axis.lengths[l]
        new = blank(tuple(shape), total)
        new[...] = 0.0
        for k in range(geometry.kernel(l)[d]):
            for piece, source in tap_runs(axis, l, k):
                if source is not None:
                    view = new[(*lead, piece)]
                    view += total[(*lead, source)]
        total = new
    return total + array_like(_weight_exponents(geometry, l, weights), total)


def _weight_exponents(geometry, l, weights):
    """The exponents of the weights that each node multiplies, shape ``(*positions, 1)``."""
    total = np.zeros(geometry.layer_shape(l), weights.dtype)
    if geometry.boundary != "omit":
        return (total + weights.sum())[..., None]
    for tap in geometry.tap_indices(l):
        for piece, source in _pieces(geometry, l, tap):
            if source is not None:
                total[piece] += weights[tap]
    return total[..., None]


def _factors(g, l, w, y):
    """What each tap multiplies the nodes with, by gathers alone."""
    one = Scaled(do("ones_like", y.mantissa[:1]), y.exponent[:1] * 0)
    padded = Scaled(*(do("concatenate", pair, axis=0) for pair in zip(y, one)))
    for tap in g.tap_indices(l):
        index = tap_index(g, l, tap)
        z = _apply_tap(g, l, w, tap, padded, array_like(index, y.mantissa))
        outside = index == len(y.mantissa)
        if g.boundary == "omit" and outside.any():
            z = set_one(z, array_like(outside, y.mantissa))
        yield z


def _apply_tap(g, l, w, tap, x, index):
    """``W[l][tap] @ x`` at every position, for shared or unshared weights."""
    if g.shared[l - 1]:
        return take(times(x, Scaled(*(part[tap] for part in w))), index)
    parts = (part[(*[slice(None)] * g.ndim, *tap)] for part in w)
    return times(take(x, index), Scaled(*(x.reshape(-1, *x.shape[g.ndim :]) for x in parts)))


def set_one(z, outside):
    """The factor 1 at positions whose tap falls outside."""
    return choose(outside, Scaled(do("ones_like", z.mantissa), z.exponent * 0), z)


def choose(mask, x, y):
    """Rows of ``x`` where the mask ``(P,)`` is true, else of ``y``."""
    broadcast = lambda part: mask.reshape(-1, *[1] * (len(part.shape) - 1))
    return Scaled(*(do("where", broadcast(a), a, b, like=a) for a, b in zip(*aligned((x, y)))))


class Layers:
    """Amplitudes of configurations by layers, from the deepest one that is tabulated.

    Parameters
    ----------
    net : ConvAC
    level : int
        Layers 1..level are looked up; 0 starts from one-hot vectors.
    """

    def __init__(self, net, level):
        self.geometry, self.level = net.geometry, level
        self.table, self.offsets = joined(branch_tables(net, level))
        self.windows = windows_of(net.geometry, level)
        positions = np.concatenate([group.positions for group in self.windows])
        self.order = np.argsort(positions) if len(self.windows) > 1 else None
        factors = net.geometry.num_tensors()
        self.weights = [transposed(scaled(w, axes=2, factors=factors)) for w in net.weights]
        self.readout, above = scaled(net.readout, axes=0), self.weights[level:]
        blocks = above and has_blocks(self.table, above)
        self.blocks = Blocks(self.geometry, self.table, above) if blocks else None

    def codes(self, x):
        """Which row of the tables each position selects, ``(P, B)``, for digits ``(N, B)``."""
        codes = row_codes(x, self.windows, self.offsets, self.geometry.phys_dim)
        return codes if self.order is None else codes[array_like(self.order, codes)]

    def below(self, x):
        """The output of the last tabulated layer, for digits ``(N, B)``."""
        return take(self.table, self.codes(x))

    @full_precision
    def __call__(self, x):
        """The scaled amplitudes ``(B,)`` of digits ``(N, B)``."""
        if self.blocks is not None and x.shape[1] >= self.blocks.lanes // 2:
            channels = self.blocks(self.codes(x))
            if channels is not None:
                return dot(channels, self.readout)
        y = self.below(x)
        for l in range(self.level + 1, self.geometry.depth + 1):
            y = compute_layer(self.geometry, l, self.weights[l - 1], y)
        return dot(product(y), self.readout)
