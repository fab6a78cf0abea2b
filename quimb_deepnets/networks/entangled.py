"""Random networks that are entangled from the start: parities of sites below, phases on top.

Amplitudes of independent weights spread like the number of their factors, and one configuration
wins. Here every channel is +1 or -1, the parity of some sites, up to the layer before the last;
only the last layer adds channels, in ways that keep the modulus::

    last layer   phase of S and T        cos(t) Z_S + i sin(t) Z_T,  or  (1 + Z_S + Z_T - Z_S Z_T)/2
                 |
    layer 2      Z_S  Z_T                parities of channels: taps select channels, and products
                 |`------.               of parities are parities
    layer 1      Z_S     Z_T             first taps carry S, last taps carry T, those between
                 |`------|`------.       neither of them
    sites        0   1   2   3   4

Both phases are controlled-Z gates on pairs of sites, so the state is a graph state: it is flat, and
a block of sites has as many bits as the graph has rank over GF(2). The farthest pair of a node is
``sum over l < depth of (K_l - 1)`` sites apart and occurs once, so a cut has as many bits as the
rank law allows windows to cross it, until the smaller side is full; farther than a quarter of a
ring, or half of an open axis, is of no use. A relative noise on all weights, small enough to leave
amplitudes flat, makes them generic.

On a lattice one group after the other moves along each axis, or a single one along both of a torus.
Two channels of complex weights are a group, four of real ones. Real weights that are shared, with
``"ones"`` around a lattice, are the weak case. The sum over a missing site, ``f(0, y) + f(1, y)``,
of a phase that is +1 or -1 vanishes for some y unless x is of no account. So the first layer cannot
reach, and with two layers configurations that vanish at an edge are left to a product state. With
K = 2 and three layers the second alone moves, so that neighbours are joined and no others: a cut
through 6 x 6 has 6 bits, one for each site beside it, where the rank law allows 12.
"""

import functools
import itertools
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
    readout = rows.readout()
    least = abs(readout)[readout != 0].min()
    if np.count_nonzero(readout) > 1:  # channels keep their sizes, products over all sites
        scale = scale / math.sqrt(math.prod(geometry.shape))
    weights = [_layer(geometry, l, rows) for l in range(1, geometry.depth + 1)]
    if geometry.boundary == "ones":
        weights[0] = weights[0] * _norm_outside(geometry)
    sizes = _noise_sizes(geometry)
    drawn = [noisy(w, scale * size, rng, is_complex) for w, size in zip(weights, sizes)]
    readout = noisy(readout, scale * NOISE / 4 * least, rng, is_complex)
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
    outside = factors - math.prod(sum(axis.copies[0]) for axis in geometry.axes)
    return geometry.phys_dim ** (-outside / factors)


def _rows(geometry, is_complex, rng):
    """The kind of rows that the channels allow."""
    least = min((geometry.bond_dim(l) for l in range(1, geometry.depth)), default=0)
    if least >= PAIR and is_complex:
        return Parities(geometry, rng, is_complex)
    if least >= QUAD and not (geometry.depth == 2 and _inner(geometry)):
        return Parities(geometry, rng, is_complex)
    vanishing = geometry.boundary == "ones" and geometry.bond_dim(geometry.depth) < 2
    if least >= 2 and not (vanishing and all(geometry.shared)):
        return Marks(geometry, rng, is_complex)
    return ProductRows(geometry, rng, is_complex)


def _inner(geometry):
    """Whether real phases must not reach outside: a phase with a missing site vanishes for half of
    the configurations. On a chain there is one an end, and four channels that vanish elsewhere
    make up for them.
    """
    edges = geometry.ndim > 1 or geometry.bond_dim(geometry.depth) < QUAD
    return geometry.boundary == "ones" and all(geometry.shared) and edges


def _layer(geometry, l, rows):
    """The array of a layer; if it is not shared, positions with the same taps inside at once."""
    shape = (*geometry.kernel(l), geometry.bond_dim(l), geometry.bond_dim(l - 1))
    if geometry.shared[l - 1]:
        return rows.layer(l, None, 1).reshape(shape)
    kinds = []  # for each axis, the positions that read from the same taps
    for axis in geometry.axes:
        found = {}
        for p, reads in enumerate(axis.reads[l - 1]):
            found.setdefault(tuple(n is None for n in reads), []).append(p)
        kinds.append(list(found.values()))
    array = np.empty((*geometry.layer_shape(l), *shape), complex if rows.is_complex else float)
    for places in itertools.product(*kinds):
        lengths = [len(place) for place in places]
        block = rows.layer(l, [place[0] for place in places], math.prod(lengths))
        array[np.ix_(*places)] = block.reshape(*lengths, *shape)
    return array


class ChannelRows:
    """What kinds of rows share: digits as signs, and which taps carry what."""

    near = True  # whether shared taps may reach one site beyond an edge of "ones" and no more

    def moves(self, l):
        """Whether S and T move apart in this layer."""
        return True

    def __init__(self, geometry, rng, is_complex):
        self.geometry, self.rng, self.depth = geometry, rng, geometry.depth
        self.is_complex = is_complex
        # a tap outside sums over its digit, and shared weights do not know which ones are
        self.ones = geometry.boundary == "ones" and all(geometry.shared)
        half = np.arange(geometry.phys_dim) * 2 >= geometry.phys_dim
        self.signs = np.array([np.ones(geometry.phys_dim), np.where(half, -1.0, 1.0)])

    def inside(self, l):
        """The tap that is always inside, as indices."""
        sizes = zip(self.geometry.kernel(l), self.geometry.stride(l))
        centered = self.geometry.anchor == "center"
        return [(k - s + 1) // 2 if centered else 0 for k, s in sizes]

    def middle(self, l):
        """The place of that tap among all of the layer."""
        return self.number(l, self.inside(l))

    def number(self, l, tap):
        """The place of a tap among all of the layer, rows first."""
        return functools.reduce(
            lambda place, axis: place * axis[1] + axis[0], zip(tap, self.geometry.kernel(l)), 0
        )

    def ends(self, l, position, axes):
        """The places of two taps as far apart along these axes as it pays.

        Of a layer that is not shared they are two that are inside at this position.
        """
        first, last = self.inside(l), self.inside(l)
        for axis in axes:
            if not self.steps[l - 1][axis]:
                continue
            taps = list(range(self.geometry.kernel(l)[axis]))
            if l == 1 and self.ones and self.near:
                taps = [k for k in taps if abs(k - first[axis]) <= 1]
            if position is not None:
                reads = self.geometry.axes[axis].reads[l - 1][position[axis]]
                taps = [k for k in taps if reads[k] is not None]
            first[axis], last[axis] = taps[0], min(taps[-1], taps[0] + self.steps[l - 1][axis])
        return [self.number(l, tap) for tap in (first, last)]

    def sums(self, l, position):
        """For each tap, whether it may be outside and sum over the channels of its input."""
        taps = self.geometry.tap_indices(l)
        if self.geometry.boundary != "ones" or position is None:
            return [self.ones for _ in taps]
        reads = [axis.reads[l - 1][p] for axis, p in zip(self.geometry.axes, position)]
        return [None in (row[k] for row, k in zip(reads, tap)) for tap in taps]

    @functools.cached_property
    def axes(self):
        """The axes along which layers move, in order; the last one if there is none."""
        found = [axis for axis, steps in enumerate(zip(*self.steps)) if any(steps)]
        return found or [self.geometry.ndim - 1]

    @functools.cached_property
    def steps(self):
        """How many taps S and T move apart in each layer, along each axis.

        Half of an open axis, or a quarter of a ring, is as far as a half of it needs; partners half
        way around would be joined twice, which is not at all.
        """
        geometry, found = self.geometry, []
        left = [size // 2 for size in geometry.shape]
        if self.ones and self.near and geometry.ndim == 1:
            left = [
                size // 4 for size in geometry.shape
            ]  # partners that an edge fixes stay on their side
        if geometry.boundary == "periodic":
            left = [min(-(-size // 4), (size - 1) // 2) for size in geometry.shape]
        for l in range(1, self.depth + 1):
            strides, kernel = geometry.total_stride(l - 1), geometry.kernel(l)
            moves = self.moves(l)
            found.append([min(k - 1, a // s) * moves for k, a, s in zip(kernel, left, strides)])
            left = [a - step * s for a, step, s in zip(left, found[-1], strides)]
        return found

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

    def __init__(self, geometry, rng, is_complex):
        super().__init__(geometry, rng, is_complex)
        self.group, self.near = PAIR if is_complex else QUAD, not is_complex
        self.inner = not is_complex and _inner(geometry)

    def moves(self, l):
        """In all layers, but for a first one that reads the site in the middle alone."""
        return l > 1 or not self.inner

    def layer(self, l, position, count):
        """Array ``(count, taps, out, in)``."""
        if l == self.depth:
            return self.last(count)
        group, labels = self.group, 2 if l == 1 else self.group
        groups = 1 if l == 1 else self.geometry.bond_dim(l - 1) // group
        number, label = np.divmod(np.arange(self.geometry.bond_dim(l)), group)  # of each channel
        ways = range(min(number[-1] + 1, len(self.axes)))
        ends = [self.ends(l, position, self.directions(way)) for way in ways]
        given = np.array([self.select(l, *pair) for pair in ends])  # (ways, S or T, taps)
        of_s, of_t = given[number % len(ways)].transpose(1, 2, 0)  # (taps, channels) each
        first = np.zeros((count, self.taps(l), number[-1] + 1), int)
        if not all(plain := self.sums(l, position)):
            free = np.flatnonzero(np.logical_not(plain))
            first[:, free] = self.rng.integers(labels, size=(count, len(free), number[-1] + 1))
        turned = first[:, :, number] ^ (of_s * (label & 1)) ^ (of_t * (label >> 1))
        return self.units(l)[group * (number % groups) + turned]

    def directions(self, number):
        """The axes along which a group moves: one after the other, or on a torus both at once if
        there is one group alone.
        """
        least = min(self.geometry.bond_dim(l) for l in range(1, self.depth))
        if least < 2 * self.group and self.geometry.boundary == "periodic":
            return self.axes
        return [self.axes[number % len(self.axes)]]

    def select(self, l, start, stop):
        """What each tap gives to ``Z_S`` and ``Z_T``: labels of the layer below, ``(2, taps)``."""
        s, t = 1, 1 if l == 1 or self.group == PAIR else 2
        tap = np.arange(self.taps(l))
        if start == stop or self.group == PAIR:
            either = (tap == start) | (tap == stop)
            return s * either, t * either
        return s * (tap == start), t * (tap == stop)

    def last(self, count):
        """The rows that add channels: one tap for each group is a phase."""
        below, group = self.geometry.bond_dim(self.depth - 1), self.group
        taps, out = self.taps(self.depth), self.geometry.bond_dim(self.depth)
        middle, unit = self.middle(self.depth), np.eye(below)
        base = group * (np.arange(taps) % (below // group))  # of each tap, the middle one first
        size = count, out, taps
        chosen = base + (0 if self.ones else self.rng.integers(group, size=size))
        rows = unit.astype(complex if group == PAIR else float)[np.broadcast_to(chosen, size)]
        for k in range(min(below // group, len(self.axes), taps)):
            first = base[k] if self.ones else chosen[:, :, k]
            if group == PAIR:
                rows[:, :, k] = (
                    math.cos(ANGLE) * unit[first] + 1j * math.sin(ANGLE) * unit[first ^ 1]
                )
            else:
                minus = base[k] + np.arange(out) % QUAD if self.ones else first
                rows[:, :, k] = unit[base[k] : base[k] + QUAD].sum(0) / 2 - unit[minus]
        order = [*range(1, middle + 1), 0, *range(middle + 1, taps)]
        return rows[:, :, order].swapaxes(1, 2)

    def readout(self):
        """One channel, or for real chains with ``"ones"`` one for each sign at each end that S or T
        reach beyond: a phase vanishes for one sign there, and the others make up for it.
        """
        readout = super().readout()
        if self.ones and self.group == QUAD and not self.inner:
            start, stop = self.ends(1, None, self.axes)
            left, right = start < self.middle(1), stop > self.middle(1)
            readout[:QUAD] = [1, left, right, left and right]
        return readout


class Marks(ChannelRows):
    """Channels that are 0 or 1: one, and whether the sites at both ends of a window are set.

    The phase is ``1 - 2 x y``: what real weights of two or three channels can do.
    """

    def moves(self, l):
        """In all layers that have a channel for each site."""
        return l == self.depth - 1 or self.geometry.bond_dim(l) > 2

    def layer(self, l, position, count):
        """Array ``(count, taps, out, in)``."""
        out, units, taps = self.geometry.bond_dim(l), self.units(l), self.taps(l)
        if l == 1:
            units = np.stack([self.signs[0], *[(1 - self.signs[1]) / 2] * 2])
        ends = self.ends(l, position, self.axes[:1])
        if self.ones and self.geometry.ndim > 1 and self.middle(l) not in ends:
            ends[0] = self.middle(l)  # more vanishes at two edges than at one
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
        return np.broadcast_to(rows, (count, *rows.shape))

    def readout(self):
        """The phase, and with ``"ones"`` a product state where a phase at an edge vanishes.

        The longer the edge, the fewer the configurations that vanish nowhere, and the less of it.
        """
        weights, shape = super().readout(), self.geometry.shape
        edge = math.prod(shape) // shape[self.axes[0]]
        weights[1:2] = 0.4 * 2 ** ((1 - edge) / 2) if self.ones else 0.0
        return weights


class ProductRows(ChannelRows):
    """Products of sites in every channel, for layers that leave nothing else."""

    def layer(self, l, position, count):
        """Array ``(count, taps, out, in)``."""
        out, units, taps = self.geometry.bond_dim(l), self.units(l), self.taps(l)
        chosen = self.rng.integers(len(units), size=(count, taps, out))
        if l > 1:
            return units[chosen]
        outside = np.array(self.sums(l, position))
        outside[self.middle(l)] = False
        chosen[:, outside] = 0
        rows = units[chosen]
        if self.is_complex:
            rows = np.exp(1j * self.rng.uniform(-1, 1, rows.shape)) * rows
        return rows

    def readout(self):
        """All channels, at random; real ones less and less, so as not to cancel."""
        count = self.geometry.bond_dim(self.depth)
        return self.rng.normal(size=count) if self.is_complex else 0.4 ** np.arange(count)
