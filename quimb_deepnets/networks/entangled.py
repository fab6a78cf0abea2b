"""Random networks that are entangled from the start: parities of sites below, phases on top.

Amplitudes of independent weights spread like the number of their factors, and one configuration
wins. Here every channel is +1 or -1, the parity of some sites, up to the layer before the last;
only the last layer adds channels, in ways that keep the modulus::

    last layer   phase of S and T        cos(t) Z_S + i sin(t) Z_T,  or  (1 + Z_S + Z_T - Z_S Z_T)/2
                 |
    layer 2      Z_S  Z_T                parities of channels: taps select channels, and products
                 |`------.               of parities are parities
    layer 1      Z_S     Z_T             first taps carry S, last taps carry T, those between
                 |`------|`------.       select at random
    sites        0   1   2   3   4

Both phases are controlled-Z gates on pairs of sites, so the state is a graph state: it is flat, and
a block of sites has as many bits as the graph has rank over GF(2). The farthest pair of a node is
``sum over l < depth of (K_l - 1)`` sites apart and occurs once, so a cut has as many bits as the
rank law allows windows to cross it, until the smaller side is full. A relative noise on all
weights, small enough to leave amplitudes flat, makes them generic.
"""

import math

import numpy as np

from ..errors import OptionError

ANGLE = math.pi / 4  # exp(i ANGLE Z_S) is a controlled-Z gate on every pair of S, and local phases
NOISE = 0.3  # of log|psi|**2, in nats, by an estimate from above
PAIR, QUAD = 2, 4  # channels of a group: Z_A and Z_A Z_S, or Z_A times 1, Z_S, Z_T, Z_S Z_T


def entangled_weights(geometry, rng, loc, scale, dtype):
    """The arrays of an entangled network.

    Parameters
    ----------
    geometry : ConvGeometry
    rng : numpy.random.Generator
    loc : number
        Must be 0.
    scale : float
        Of the noise: 1 is what spreads log|psi|**2 by about 0.3 nats.
    dtype : str
        Complex networks need two channels below the last layer; real ones four for all that the
        architecture allows, two for less.

    Returns
    -------
    weights : list[numpy.ndarray]
        One array a layer, ``(*positions, *kernel, out, in)``, positions if it is not shared.
    readout : numpy.ndarray

    Raises
    ------
    OptionError
        If ``loc`` is not 0, or ``scale`` is negative or not a number.
    """
    check_noise(loc, scale)
    is_complex = dtype.startswith("complex")
    rows = _rows(geometry, is_complex, rng)
    weights = [_layer(geometry, l, rows, rng) for l in range(1, geometry.depth + 1)]
    if geometry.boundary == "ones":
        weights[0] = weights[0] * _norm_outside(geometry)
    sizes = _noise_sizes(geometry)
    drawn = [noisy(w, scale * size, rng, is_complex) for w, size in zip(weights, sizes)]
    readout = noisy(rows.readout(), scale * NOISE / 4, rng, is_complex)
    return [w.astype(dtype) for w in drawn], readout.astype(dtype)


def check_noise(loc, scale):
    """Refuse a mean that is not 0, and a size of the noise that is not a number >= 0."""
    if loc != 0:
        raise OptionError(f"loc={loc!r} does not go with dist='entangled'; leave it at 0.")
    if not isinstance(scale, int | float) or not 0 <= scale < math.inf:
        raise OptionError(f"scale={scale!r} is not the size of a noise; give a number >= 0.")


def noisy(x, size, rng, is_complex):
    """An array with independent normal noise of this standard deviation added."""
    draws = rng.normal(size=x.shape)
    if is_complex:
        draws = (draws + 1j * rng.normal(size=x.shape)) / math.sqrt(2)
    return x + size * draws


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
    outside = factors - sum(geometry.duplication.values())
    return geometry.phys_dim ** (-outside / factors)


def _rows(geometry, is_complex, rng):
    """The kind of rows that the channels allow."""
    least = min((geometry.bond_dim(l) for l in range(1, geometry.depth)), default=0)
    if least >= PAIR and is_complex:
        return Parities(geometry, PAIR, rng)
    if least >= QUAD and not (geometry.depth == 2 and _inner(geometry)):
        return Parities(geometry, QUAD, rng)
    return Marks(geometry, rng) if least >= 2 else ProductRows(geometry, rng, is_complex)


def _inner(geometry):
    """Whether real phases must not reach outside: a phase with a missing site vanishes for half of
    the configurations. On a chain there is one an end, and four channels that vanish elsewhere
    make up for them.
    """
    edges = geometry.ndim > 1 or geometry.bond_dim(geometry.depth) < QUAD
    return geometry.boundary == "ones" and edges


def _layer(geometry, l, rows, rng):
    """The array of a layer, position by position if it is not shared."""
    shape = (*geometry.kernel(l), geometry.bond_dim(l), geometry.bond_dim(l - 1))
    positions = () if geometry.shared[l - 1] else geometry.layer_shape(l)
    draws = [rows.layer(l) for _ in range(math.prod(positions))]
    return np.reshape(draws, (*positions, *shape))


class ChannelRows:
    """What kinds of rows share: digits as signs, and which taps carry what."""

    def __init__(self, geometry, rng):
        self.geometry, self.rng, self.depth = geometry, rng, geometry.depth
        self.ones = geometry.boundary == "ones"  # a tap outside sums over its digit
        half = np.arange(geometry.phys_dim) * 2 >= geometry.phys_dim
        self.signs = np.array([np.ones(geometry.phys_dim), np.where(half, -1.0, 1.0)])
        self.axes = np.argsort([-size for size in geometry.shape], kind="stable")

    def inside(self, l):
        """The tap that is always inside, as indices."""
        layer, kernel = self.geometry.layers[l - 1], self.geometry.kernel(l)
        strides = np.broadcast_to(layer.stride, len(kernel))
        centered = self.geometry.anchor == "center"
        return [(k - s + 1) // 2 if centered else 0 for k, s in zip(kernel, strides)]

    def middle(self, l):
        """The place of that tap among all of the layer."""
        return int(np.ravel_multi_index(self.inside(l), self.geometry.kernel(l)))

    def ends(self, l, axis):
        """The places of the first and the last tap along an axis."""
        kernel, first, last = self.geometry.kernel(l), self.inside(l), self.inside(l)
        first[axis], last[axis] = 0, kernel[axis] - 1
        return [int(np.ravel_multi_index(tap, kernel)) for tap in (first, last)]

    def taps(self, l):
        """The number of taps."""
        return math.prod(self.geometry.kernel(l))

    def units(self, l):
        """The rows that select one channel of the layer below, or the signs of its digits."""
        return self.signs if l == 1 else np.eye(self.geometry.bond_dim(l - 1))

    def readout(self):
        """One channel of the last layer is the state."""
        return np.eye(self.geometry.bond_dim(self.depth))[0]


class Parities(ChannelRows):
    """Groups of channels ``Z_A Z_S**s Z_T**t``, labelled by the bits s and t.

    A tap selects channel ``first ^ (s a) ^ (t b)`` of a group below: whatever ``first``, ``a`` and
    ``b`` are, the group keeps its form.
    """

    def __init__(self, geometry, group, rng):
        super().__init__(geometry, rng)
        self.group = group
        self.inner = group == QUAD and _inner(geometry)

    def layer(self, l):
        """Array ``(taps, out, in)``."""
        if l == self.depth:
            return self.last()
        out, group, units = self.geometry.bond_dim(l), self.group, self.units(l)
        groups = 1 if l == 1 else self.geometry.bond_dim(l - 1) // group
        chosen = np.zeros((self.taps(l), out), dtype=int)
        for start in range(0, out, group):
            axis = self.axes[start // group % len(self.axes)]
            base = group * (start // group % groups)
            c = np.arange(start, min(start + group, out))
            s, t = (c - start) & 1, (c - start) >> 1
            for k in range(len(chosen)):
                first, a, b = self.select(l, k, *self.ends(l, axis))
                chosen[k, c] = base + (first ^ (a * s) ^ (b * t))
        return units[chosen]

    def select(self, l, k, start, stop):
        """What tap ``k`` gives to ``Z_A``, ``Z_S`` and ``Z_T``, as labels of the layer below."""
        labels = 2 if l == 1 else self.group
        s, t = 1, 1 if l == 1 or self.group == PAIR else 2
        first, *others = (0, 0, 0) if self.ones else self.rng.integers(labels, size=3)
        if l == 1 and self.inner:
            start = stop = self.middle(l)
        if k in (start, stop):
            joined = start == stop or self.group == PAIR
            others = (s, t) if joined else (s, 0) if k == start else (0, t)
        return first, *others

    def last(self):
        """The rows that add channels: one tap for each group is a phase."""
        below, group = self.geometry.bond_dim(self.depth - 1), self.group
        groups, taps, out = (
            below // group,
            self.taps(self.depth),
            self.geometry.bond_dim(self.depth),
        )
        rows = np.zeros((taps, out, below), dtype=float if group == QUAD else complex)
        for c in range(out):
            for k, tap in enumerate(self.rng.permutation(taps)):
                base = group * (k % groups)
                first = base + (0 if self.ones else self.rng.integers(group))
                if k >= min(groups, len(self.axes)):
                    rows[tap, c, first] = 1
                elif group == QUAD:
                    rows[tap, c, base : base + QUAD] = 0.5
                    rows[tap, c, base + c % QUAD if self.ones else first] = -0.5
                else:
                    rows[tap, c, first] = math.cos(ANGLE)
                    rows[tap, c, base + (first - base ^ 1)] = 1j * math.sin(ANGLE)
        return rows

    def readout(self):
        """All channels of a chain with ``"ones"``, which vanish where the others do not."""
        each = self.ones and self.group == QUAD and not self.inner
        return np.ones(self.geometry.bond_dim(self.depth)) if each else super().readout()


class Marks(ChannelRows):
    """Channels that are 0 or 1: one, and whether the sites at both ends of a window are set.

    The phase is ``1 - 2 x y``: what real weights of two or three channels can do.
    """

    def layer(self, l):
        """Array ``(taps, out, in)``."""
        out, units, taps = self.geometry.bond_dim(l), self.units(l), self.taps(l)
        if l == 1:
            units = np.stack([self.signs[0], *[(1 - self.signs[1]) / 2] * 2])
        ends = self.ends(l, self.axes[0])
        rows = np.repeat(units[:1], taps * out, 0).reshape(taps, out, -1)
        if l == self.depth:
            rows[self.middle(l), 0] = units[0] - 2 * units[1]
        elif l == self.depth - 1:
            rows[ends[0], 1::2] = units[1]
            rows[ends[1], 1::2] = units[min(2, len(units) - 1)]
        elif out < 3:
            rows[self.middle(l), 1:] = units[1]
        else:
            rows[ends[0], 1::3] = units[1]
            rows[ends[1], 2::3] = units[min(2, len(units) - 1)]
        return rows

    def readout(self):
        """The phase, and with ``"ones"`` a product state where a phase at an end vanishes."""
        weights = super().readout()
        weights[1:2] = 0.4 if self.ones else 0.0
        return weights


class ProductRows(ChannelRows):
    """Products of sites in every channel, for layers that leave nothing else."""

    def __init__(self, geometry, rng, is_complex):
        super().__init__(geometry, rng)
        self.is_complex = is_complex

    def layer(self, l):
        """Array ``(taps, out, in)``."""
        out, units, taps = self.geometry.bond_dim(l), self.units(l), self.taps(l)
        chosen = self.rng.integers(len(units), size=(taps, out))
        if l > 1:
            return units[chosen]
        if self.ones:
            chosen[np.arange(taps) != self.middle(l)] = 0
        rows = units[chosen]
        if self.is_complex:
            rows = np.exp(1j * self.rng.uniform(-1, 1, rows.shape)) * rows
        return rows

    def readout(self):
        """All channels, at random."""
        return self.rng.normal(size=self.geometry.bond_dim(self.depth))
