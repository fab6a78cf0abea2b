"""Which rows an entangled network is made of: parities below, phases on top.

A row is one of a short table, named by an integer, so that a layer is an array of integers::

    table   (rows, in)        units, marks, phases
    index   (taps, out)       base + (turn ^ draw): which row; draws are bits, or 0

Up to the layer before the last, channels come in pairs ``Z_A`` and ``Z_A Z_S``; a tap selects
channel ``draw ^ (label of the channel)`` of a pair below, or ``draw`` alone, so a pair stays one.
`networks.entangled` says what the last two layers make of pairs.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

PAIR = 2
ANGLE = math.pi / 4  # exp(i ANGLE Z_S) is a controlled-Z gate on every pair of S, and local phases


class LayerRows(NamedTuple):
    """The rows of a layer, at one position if it is not shared.

    Attributes
    ----------
    table : numpy.ndarray, shape (rows, in)
    base, turn, draw : numpy.ndarray, shape (taps, out)
        Row ``base + (turn ^ draws[draw])``; where ``draw`` is -1, row ``base + turn``.
    labels : int
        Draws are below it.
    """

    table: np.ndarray
    base: np.ndarray
    turn: np.ndarray
    draw: np.ndarray
    labels: int = PAIR


class ChannelRows:
    """What kinds of rows share: digits as signs, and which taps carry what."""

    noise = 1.0  # a factor of its size
    near = False  # whether taps may reach one site beyond an edge of "ones" and no more
    random_phases = False  # of the first layer and the read-out

    def __init__(self, geometry):
        self.geometry, self.depth = geometry, geometry.depth
        # a tap outside sums over its digit, and shared weights do not know which ones are
        self.ones = geometry.boundary == "ones" and all(geometry.shared)
        half = np.arange(geometry.phys_dim) * 2 >= geometry.phys_dim
        self.signs = np.array([np.ones(geometry.phys_dim), np.where(half, -1.0, 1.0)])

    def moves(self, l):
        """Whether S and T move apart in this layer."""
        return True

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
        """Two taps, as indices, as far apart along these axes as it pays.

        Of a layer that is not shared they are two that are inside at this position.
        """
        first, last = self.inside(l), self.inside(l)
        for axis in axes:
            if not self.steps[l][axis]:
                continue
            taps = list(range(self.geometry.kernel(l)[axis]))
            if l == 1 and self.near:
                taps = [k for k in taps if abs(k - first[axis]) <= 1]
            if position is not None:
                reads = self.geometry.axes[axis].reads[l - 1][position[axis]]
                taps = [k for k in taps if reads[k] is not None]
            first[axis], last[axis] = taps[0], min(taps[-1], taps[0] + self.steps[l][axis])
        return [first, last]

    def free(self, l, position):
        """For each tap, whether any channel of a pair will do: none is summed over outside."""
        taps = self.geometry.tap_indices(l)
        if self.geometry.boundary != "ones" or position is None:
            return np.array([not self.ones for _ in taps])
        reads = [axis.reads[l - 1][p] for axis, p in zip(self.geometry.axes, position)]
        return np.array([None not in (row[k] for row, k in zip(reads, tap)) for tap in taps])

    @functools.cached_property
    def axes(self):
        """The axes along which layers move, in order; the last one if there is none."""
        found = [axis for axis, steps in enumerate(zip(*self.steps.values())) if any(steps)]
        return found or [self.geometry.ndim - 1]

    @functools.cached_property
    def steps(self):
        """How many taps S and T move apart in each layer, along each axis.

        Half of an open axis, or a quarter of a ring, is as far as a half of it needs; partners half
        way around would be joined twice, which is not at all.
        """
        geometry, found = self.geometry, {}
        left = [size // 2 for size in geometry.shape]
        if self.near and geometry.ndim == 1:  # partners that an edge fixes stay on their side
            left = [size // 4 for size in geometry.shape]
        if geometry.boundary == "periodic":
            left = [min(-(-size // 4), (size - 1) // 2) for size in geometry.shape]
        for l in self.order:
            strides, kernel = geometry.total_stride(l - 1), geometry.kernel(l)
            moves = self.moves(l)
            found[l] = [min(k - 1, a // s) * moves for k, a, s in zip(kernel, left, strides)]
            left = [a - step * s for a, step, s in zip(left, found[l], strides)]
        return found

    @property
    def order(self):
        """The layers, the first of them that may move first."""
        return range(1, self.depth + 1)

    def taps(self, l):
        """The number of taps."""
        return math.prod(self.geometry.kernel(l))

    def units(self, l):
        """The rows that select one channel of the layer below, or the signs of its digits."""
        return self.signs if l == 1 else np.eye(self.geometry.bond_dim(l - 1))

    def readout(self):
        """One channel of the last layer is the state."""
        return np.eye(self.geometry.bond_dim(self.depth))[0]


class ParityRows(ChannelRows):
    """Pairs of channels ``Z_A`` and ``Z_A Z_S``."""

    def layer(self, l, position):
        """The `LayerRows` of a layer."""
        return self.last() if l == self.depth else self.pairs(l, position)

    def last(self):
        """The `LayerRows` of the last layer."""
        raise NotImplementedError

    def pairs(self, l, position):
        """Taps at both ends select by the label of a channel, others do not."""
        base, at_end, draw, label = self._places(l, position)
        return LayerRows(self.units(l), base, label * (at_end > 0), draw)

    def _places(self, l, position):
        """For each tap and channel the pair below, 1 or 2 at an end, and the draw; the labels."""
        taps, groups = self.taps(l), self.groups(l)
        number, label = np.divmod(np.arange(self.geometry.bond_dim(l)), PAIR)
        at_end = np.zeros((taps, len(number)), int)
        for way in range(min(number[-1] + 1, len(self.axes))):
            ends = self.ends(l, position, self.directions(way))
            start, stop = (self.number(l, tap) for tap in ends)
            at_end[stop, number % len(self.axes) == way] = 2
            at_end[start, number % len(self.axes) == way] = 1
        free = self.free(l, position)[:, None]
        draw = np.where(free, (np.cumsum(free) - 1)[:, None] * (number[-1] + 1) + number, -1)
        return np.broadcast_to(PAIR * (number % groups), at_end.shape), at_end, draw, label

    def groups(self, l):
        """The number of pairs that a layer reads."""
        return 1 if l == 1 else self.geometry.bond_dim(l - 1) // PAIR

    def directions(self, number):
        """The axes along which a pair moves: one after the other, or on a torus both at once if
        there is one pair alone.
        """
        least = min(self.geometry.bond_dim(l) for l in range(1, self.depth))
        if least < 2 * PAIR and self.geometry.boundary == "periodic":
            return self.axes
        return [self.axes[number % len(self.axes)]]

    def columns(self):
        """For each tap of the last layer its number in turn, the one in the middle first."""
        middle = self.middle(self.depth)
        return np.array([*range(1, middle + 1), 0, *range(middle + 1, self.taps(self.depth))])

    def paired(self):
        """The rows ``e_c`` and ``e_(c ^ 1)`` of channels below the last layer that are in pairs."""
        eye = np.eye(self.geometry.bond_dim(self.depth - 1))
        channels = np.arange(len(eye) // PAIR * PAIR)
        return eye, eye[channels], eye[channels ^ 1]


class PhaseRows(ParityRows):
    """Complex rows: ``cos(t) Z_A + i sin(t) Z_A Z_S`` for a pair, at one tap of the last layer."""

    def last(self):
        """A phase, or one channel of a pair."""
        eye, one, other = self.paired()
        table = np.concatenate([eye, math.cos(ANGLE) * one + 1j * math.sin(ANGLE) * other])
        columns, out, groups = self.columns(), self.geometry.bond_dim(self.depth), len(one) // PAIR
        is_phase = columns < min(groups, len(self.axes))
        base = PAIR * (columns % groups) + len(eye) * is_phase
        base = np.broadcast_to(base[:, None], (len(columns), out))
        draw = columns[:, None] + len(columns) * np.arange(out)
        draw = -np.ones_like(draw) if self.ones else draw
        return LayerRows(table, base, np.zeros_like(base), draw)


class MarkRows(ParityRows):
    """Real rows: ``Z_A`` and ``Z_A X_S X_T`` before the last layer, ``X = (1 - Z) / 2``.

    The phase ``1 - 2 X_S X_T`` is a controlled-Z gate for each site of S with each of T.
    """

    def __init__(self, geometry):
        super().__init__(geometry)
        self.vanishing = self.ones and self.depth == 2  # the last but one is the first
        self.near = self.vanishing

    def moves(self, l):
        """In all layers, but for a first one whose sums outside would vanish."""
        return l > 1 or not self.ones or self.vanishing

    @property
    def order(self):
        """The last but one layer first: gates need S and T that differ."""
        return [self.depth - 1, *range(1, self.depth - 1), self.depth]

    def ends(self, l, position, axes):
        """Two taps; more vanishes at two edges than at one."""
        found = super().ends(l, position, axes)
        if self.vanishing and self.geometry.ndim > 1 and self.inside(l) not in found:
            found[0] = self.inside(l)
        return found

    def layer(self, l, position):
        """The `LayerRows` of a layer."""
        return self.marks(l, position) if l == self.depth - 1 else super().layer(l, position)

    def marks(self, l, position):
        """The second channel of a pair is marked at both ends."""
        base, at_end, draw, label = self._places(l, position)
        units, channels = self.units(l), np.arange(PAIR * self.groups(l))
        table = np.concatenate([units, (units[channels] - units[channels ^ 1]) / 2])
        return LayerRows(table, base + len(units) * (at_end > 0) * label, np.zeros_like(base), draw)

    def last(self):
        """The phase of each pair at one tap, the first channel of a pair at the others."""
        eye, one, other = self.paired()
        columns, out, groups = self.columns(), self.geometry.bond_dim(self.depth), len(one) // PAIR
        is_phase = columns < min(groups, len(self.axes))
        states = np.arange(out) < (1 if self.vanishing else out)  # beside a product state
        base = (PAIR * (columns % groups))[:, None] + len(eye) * is_phase[:, None] * states
        table = np.concatenate([eye, one - 2 * other])
        return LayerRows(table, base, np.zeros_like(base), -np.ones_like(base))

    def readout(self):
        """The phase, and a product state where a phase at an edge vanishes.

        The longer the edge, the fewer the configurations that vanish nowhere, and the less of it.
        """
        weights, shape = super().readout(), self.geometry.shape
        edge = math.prod(shape) // shape[self.axes[0]]
        weights[1:2] = 0.4 * 2 ** ((1 - edge) / 2) if self.vanishing else 0.0
        return weights


class ProductRows(ChannelRows):
    """Products of sites in every channel, for layers that leave nothing else."""

    def __init__(self, geometry, is_complex):
        super().__init__(geometry)
        self.random_phases = is_complex

    def layer(self, l, position):
        """The `LayerRows` of a layer, any of the channels below."""
        units, size = self.units(l), (self.taps(l), self.geometry.bond_dim(l))
        draw = np.arange(math.prod(size)).reshape(size)
        if l == 1:
            outside = ~self.free(l, position)
            outside[self.middle(l)] = False
            draw[outside] = -1
        zeros = np.zeros(size, int)
        return LayerRows(units, zeros, zeros, draw, len(units))

    def readout(self):
        """All channels, less and less, so as not to cancel."""
        return 0.4 ** np.arange(self.geometry.bond_dim(self.depth))
