"""Random networks that are entangled from the start: parities of sites below, phases on top.

Amplitudes of independent weights spread like the number of their factors, and one configuration
wins. Here every channel is +1 or -1, the parity of some sites, up to the last layers; only they add
channels, in ways that keep the modulus::

    last layer   phase of S and T        cos(t) Z_S + i sin(t) Z_T,  or  1 - 2 X_S X_T
                 |
    layer 2      Z_S  Z_T                parities of channels: taps select channels, and products
                 |`------.               of parities are parities
    layer 1      Z_S     Z_T             first and last taps carry S, those between do not
                 |`------|`------.
    sites        0   1   2   3   4

Both phases are controlled-Z gates on pairs of sites, so the state is a graph state: it is flat, and
a block of sites has as many bits as the graph has rank over GF(2). The farthest pair of a node is
``sum over l < depth of (K_l - 1)`` sites apart and occurs once, so a cut has as many bits as the
rank law allows windows to cross it, until the smaller side is full; farther than a quarter of a
ring, or half of an open axis, is of no use. A relative noise on all weights, small enough to leave
amplitudes flat, makes them generic. On a lattice one pair of channels after the other moves along
each axis, or a single one along both of a torus.

Real weights that are shared, with ``"ones"`` at the ends: the sum over a missing site, ``f(0, y) +
f(1, y)`` of a phase that is +1 or -1, vanishes for some y unless x is of no account. So two taps
read each phase, and have one factor each of ``f(x, y) h(x, y) = +1 or -1``, with ::

    f = [[1, a], [-b, 1]]        sums over x:  (1 - b) (1 - 1/b)  and  (1 + a) (1 - 1/a)
    h = [[1, -1/a], [-1/b, 1]]   sums over y:  the same two

which have one modulus if ``a - 1/a = (1 - b)**2 / b``: where a site is missing, the product does
not know the other one, and vanishes nowhere. Nodes at one edge are read by one of the two taps
alone, whose factor is flat to ``log b``. This takes three channels and two layers. Two channels of
two layers are left with configurations that vanish at an edge, and a product state in their place.

What depends on integers alone is worked out once for each architecture; a draw is a few bits, the
rows that they select, and the noise.
"""

import functools
import itertools
import math

import numpy as np

from .entangled_edges import BalancedRows
from .entangled_rows import PAIR, MarkRows, PhaseRows, ProductRows
from .noisy_arrays import KEPT, NOISE, NoisyArrays, noise_of


def entangled_weights(geometry, shapes, rng, loc, scale, dtype):
    """The arrays of an entangled network.

    Parameters
    ----------
    geometry : ConvGeometry
    shapes : list[tuple[int]]
        Of the array of each layer.
    rng : numpy.random.Generator
    loc : number
        Must be 0.
    scale : float
        Of the noise: 1 is what spreads log|psi|**2 by about 0.3 nats.
    dtype : str
        Networks need two channels below the last layer, and real ones three if they are shared
        with ``"ones"`` at the ends.

    Returns
    -------
    list[numpy.ndarray]
        One array a layer, ``(*positions, *kernel, out, in)``, positions if it is not shared, then
        the read-out: read-only, and finite.

    Raises
    ------
    OptionError
        If ``loc`` is not 0, or ``scale`` is negative, not a number or too large for the dtype.
    """
    scale = noise_of(loc, scale, dtype)
    small = sum(map(math.prod, shapes)) < KEPT
    plan = (_remembered if small else Ensemble)(
        geometry, tuple(shapes), dtype.startswith("complex")
    )
    return plan.draw(rng, scale, dtype)


def rows_of(geometry, is_complex):
    """The kind of rows that the channels allow."""
    depth, ones = geometry.depth, geometry.boundary == "ones" and all(geometry.shared)
    if min((geometry.bond_dim(l) for l in range(1, depth)), default=0) < PAIR:
        return ProductRows(geometry, is_complex)
    if is_complex:
        return PhaseRows(geometry)
    if ones and (balanced := BalancedRows(geometry)).gates:
        return balanced
    marks = MarkRows(geometry)
    if marks.vanishing and geometry.bond_dim(depth) < 2:
        return ProductRows(geometry, is_complex)
    return marks


class Ensemble:
    """All that the entangled networks of an architecture have in common.

    Parameters
    ----------
    geometry : ConvGeometry
    shapes : tuple[tuple[int]]
        Of the array of each layer.
    is_complex : bool
    """

    def __init__(self, geometry, shapes, is_complex):
        self.rows = rows_of(geometry, is_complex)
        layers = [_index(geometry, l, self.rows) for l in range(1, geometry.depth + 1)]
        self.readout = self.rows.readout()
        least = self.readout[self.readout != 0].min()
        sizes = [*_noise_sizes(geometry), NOISE / 4 * least]
        if np.count_nonzero(self.readout) > 1:  # channels keep their sizes, products over all sites
            sizes = [size / math.sqrt(math.prod(geometry.shape)) for size in sizes]
        sizes = [self.rows.noise * size for size in sizes]
        self.arrays = NoisyArrays([*shapes, self.readout.shape], sizes, is_complex)
        norms = [1.0] * geometry.depth
        norms[0] = _norm_outside(geometry) if geometry.boundary == "ones" else 1.0
        self.tables = [
            (rows.table * norm).astype(self.arrays.dtype) for rows, norm in zip(layers, norms)
        ]
        self._join(layers)

    def _join(self, layers):
        """One array of integers for all layers; draws of a layer come after those below."""
        self.draws = [(rows.labels, int(rows.draw.max()) + 1) for rows in layers]
        starts = [0, *itertools.accumulate(count for _, count in self.draws)]
        flat = lambda arrays: np.concatenate([np.ravel(x) for x in arrays])
        self.base = flat(rows.base for rows in layers)
        self.turn = flat(rows.turn for rows in layers)
        self.source = flat(np.where(x.draw < 0, -1, x.draw + n) for x, n in zip(layers, starts))
        self.drawn = -(self.source >= 0).astype(int)  # all bits, or none
        ends = [0, *itertools.accumulate(rows.base.size for rows in layers)]
        self.spans = list(map(slice, ends, ends[1:]))
        self.index = None if starts[-1] else self.base + self.turn

    def draw(self, rng, scale, dtype):
        """A network: the array of each layer, and the read-out."""
        index, arrays = self._draw_rows(rng), self.arrays
        flat = np.empty(arrays.parts[-1].stop, arrays.dtype)
        for table, span, part in zip(self.tables, self.spans, arrays.parts):
            rows = flat[part].reshape(-1, table.shape[1])
            np.take(table, index[span], axis=0, out=rows, mode="clip")
        flat[arrays.parts[-1]] = self.readout
        if self.rows.random_phases:
            flat[arrays.parts[0]] *= np.exp(1j * rng.uniform(-1, 1, arrays.parts[0].stop))
            flat[arrays.parts[-1]] *= np.exp(2j * math.pi * rng.random(len(self.readout)))
        return arrays.with_noise(flat, rng.standard_normal(arrays.count), scale, dtype)

    def _draw_rows(self, rng):
        """For each row of each array its place in the table of its layer."""
        if self.index is not None:
            return self.index
        bits = [rng.integers(labels, size=count) for labels, count in self.draws if count]
        return self.base + (self.turn ^ (np.concatenate(bits)[self.source] & self.drawn))


_remembered = functools.lru_cache(32)(Ensemble)


def _noise_sizes(geometry):
    """The noise of each layer: its entries are factors of an amplitude once for each path up."""
    sites, paths, sizes = math.prod(geometry.shape), 1, []
    for l in range(geometry.depth, 0, -1):
        taps = math.prod(geometry.kernel(l))
        sizes.append(NOISE / math.sqrt(geometry.depth * sites * taps) / paths)
        paths *= taps
    return sizes[::-1]


def _norm_outside(geometry):
    """What undoes the sums over digits of taps outside, as a factor of every tap."""
    factors = geometry.num_copies(1) * math.prod(geometry.kernel(1))
    outside = factors - math.prod(sum(axis.copies[0]) for axis in geometry.axes)
    return geometry.phys_dim ** (-outside / factors)


def _index(geometry, l, kind):
    """The `LayerRows` of a layer, with axes of its positions before the others if not shared.

    Positions with the same taps inside are worked out at once.
    """
    if geometry.shared[l - 1]:
        return kind.layer(l, None)
    kinds = []  # for each axis, the positions that read from the same taps
    for axis in geometry.axes:
        found = {}
        for p, reads in enumerate(axis.reads[l - 1]):
            found.setdefault(tuple(n is None for n in reads), []).append(p)
        kinds.append(list(found.values()))
    size = *geometry.layer_shape(l), math.prod(geometry.kernel(l)), geometry.bond_dim(l)
    index, start = [np.empty(size, int) for _ in range(3)], 0
    for places in itertools.product(*kinds):
        rows = kind.layer(l, [place[0] for place in places])
        lengths, number = list(map(len, places)), int(rows.draw.max()) + 1
        count = np.arange(math.prod(lengths)).reshape(*lengths, 1, 1)
        draw = np.where(rows.draw < 0, -1, rows.draw + start + count * number)
        start += count.size * number
        for whole, part in zip(index, (rows.base, rows.turn, draw)):
            whole[np.ix_(*places)] = part
    return rows._replace(base=index[0], turn=index[1], draw=index[2])
