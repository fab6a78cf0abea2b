"""Real rows for shared weights with ``"ones"`` at the ends: phases of two factors.

The sum over a missing site x of one factor is small for some y and large for others, that of the
other factor is large and small, and the product of both sums has one modulus::

    f = [[1, a], [-b, 1]]           f h = [[1, -1], [1, 1]]       a gate, and local phases
    h = [[1, -1/a], [-1/b, 1]]

    sums over x   f: 1 - b, 1 + a         h: 1 - 1/b, 1 - 1/a     equal products, up to signs,
    sums over y   f: 1 + a, 1 - b         h: 1 - 1/a, 1 - 1/b     if a - 1/a = (1 - b)**2 / b
"""

import functools
import itertools
import math

import numpy as np

from .entangled_rows import PAIR, LayerRows, MarkRows

SPREAD = 2  # of log|psi|**2, in nats, that a second gate on a lattice may lead to


class BalancedRows(MarkRows):
    """Real rows for ``"ones"``: two factors whose product is a phase, and vanishes nowhere.

    Attributes
    ----------
    gates : list[tuple[int, int]]
        Two taps of the last layer for each phase there is room for: each takes two channels below,
        and all of them one more that is a sign.
    """

    def __init__(self, geometry):
        super().__init__(geometry)
        self.vanishing = self.near = False
        room = (geometry.bond_dim(self.depth - 1) - 1) // PAIR
        self.alone = []  # of each, nodes that one tap alone reads: without a site, and with all
        moving = itertools.takewhile(lambda axis: self.steps[self.depth - 1][axis], self.axes)
        self.gates = list(self._taps_of_gates(itertools.islice(moving, room)))
        while len(self.gates) > 1 and self.edges()[0] > SPREAD**2:
            self.gates.pop(), self.alone.pop()
        if self.gates:  # sums over a missing site are as small as this
            self.noise = (1 - self.balance) ** 2

    def moves(self, l):
        """In all layers."""
        return True

    def _taps_of_gates(self, axes):
        """For each axis two neighbouring taps that read as many nodes as there are any left for.

        Nodes at one edge are read by one of them alone: preferably not those that miss a site.
        """
        middle = self.inside(self.depth)
        left = [x for x in self.geometry.tap_indices(self.depth) if _distance(x, middle) <= 2]
        left.sort(key=lambda tap: _distance(tap, middle))
        for axis in axes:
            pairs = [pair for pair in itertools.permutations(left, 2) if _distance(*pair) == 1]
            counts = [self._read(axis, *pair) for pair in pairs]
            both, *alone = min(counts, default=(0,))
            if not both:
                return
            self.alone.append(alone)
            taken = pairs[counts.index((both, *alone))]
            left = [tap for tap in left if tap not in taken]
            yield [self.number(self.depth, tap) for tap in taken]

    def _read(self, axis, first, second):
        """Minus the number of nodes that two taps read; of those that one reads alone, how many
        miss a site of one of the parities of a pair that moves along this axis, and how many not.
        """
        reads = [
            [{x[k] for x in a.reads[-1]} - {None} for a, k in zip(self.geometry.axes, tap)]
            for tap in (first, second)
        ]
        both, missing, others = [x & y for x, y in zip(*reads)], 0, 0
        for nodes in reads:
            alone = [x - y or x for x, y in zip(nodes, both)]
            if alone != nodes and all(alone):
                some, every = len(alone[axis] & self._missing(axis)), math.prod(map(len, alone))
                missing += some * every // len(alone[axis])
                others += every - some * every // len(alone[axis])
        return -math.prod(map(len, both)), missing, others

    def _missing(self, axis):
        """Positions along an axis, in the layer before the last, that miss a site of one parity.

        Lower layers have S and T alike. A node outside is a constant, whatever the other end is.
        """
        lower: set[int | None] = {None}  # what has a missing site
        reads, ends = {}, {}
        for l in range(1, self.depth):
            reads[l] = self.geometry.axes[axis].reads[l - 1]
            ends[l] = [tap[axis] for tap in self.ends(l, None, [axis])]
            by_end = [{p for p, x in enumerate(reads[l]) if x[k] in lower} for k in ends[l]]
            lower = set().union(*by_end)
        one = by_end[0] ^ by_end[1]
        if l == 1:
            return one
        return {p for p in one if None not in (reads[l][p][k] for k in ends[l])}

    def edges(self):
        """The variance of ``log |psi|**2`` at edges, and the number b that makes it least."""
        missing, others = np.sum(self.alone, axis=0)
        found = []
        for b in (0.4, 0.5, 0.6, 0.7, 0.8):
            a = _partner(b)
            whole = np.var([0, 2 * math.log(a), 2 * math.log(b), 0])
            found.append((others * whole + missing * math.log((1 + a) / (1 - b)) ** 2, b))
        return min(found)

    @functools.cached_property
    def balance(self):
        """The number b of both factors."""
        return self.edges()[1]

    @functools.cached_property
    def factors(self):
        """Both factors as rows of two channels, and what each channel is of both parities.

        Factors are ``f = [[1, a], [-b, 1]]`` and ``h = [[1, -1/a], [-1/b, 1]]``, for parities of S
        and T. The sums over either of them have products of one modulus if ``a - 1/a = (1 -
        b)**2 / b``. Two combinations ``f - t h`` are products of a function of S and one of T.
        """
        b, a = self.balance, _partner(self.balance)
        f, h = np.array([[1, a], [-b, 1]]), np.array([[1, -1 / a], [-1 / b, 1]])
        t = np.linalg.eigvals(np.linalg.solve(h, f)).real
        ways = [np.linalg.svd(f - x * h) for x in t]
        of_s = [u[:, 0] * size[0] for u, size, _ in ways]
        of_t = [v[0] for *_, v in ways]
        row = np.array([1, -1]) / (t[1] - t[0])
        rows = np.array([[1, 0] + t[0] * row, row])
        sizes = np.array([2, 3]) / 4 * [size[0] for _, size, _ in ways]  # sums are not to vanish
        return rows * sizes, np.array([*(of_s / sizes[:, None]), *of_t])

    def marks(self, l, position):
        """Channels of a pair are functions of S at one end, and of T at the other."""
        base, at_end, draw, label = self._places(l, position)
        units, values = self.units(l), self.factors[1]
        sums = values @ np.array([[1, 1], [1, -1]]) / 2  # of e_c and e_(c ^ 1)
        pairs = units[: PAIR * self.groups(l)].reshape(-1, PAIR, units.shape[1])
        table = np.concatenate([units, (sums @ pairs).reshape(-1, units.shape[1])])
        special = len(units) + len(sums) // PAIR * base + PAIR * (at_end - 1) + label
        base = np.where(at_end > 0, special, base)
        base = np.where(np.arange(base.shape[1]) < PAIR * len(self.gates), base, 0)
        return LayerRows(table, base, np.zeros_like(base), draw)

    def last(self):
        """Both factors of each phase at a tap of their own, a sign at the others."""
        eye, sign = np.eye(self.geometry.bond_dim(self.depth - 1)), PAIR * len(self.gates)
        rows = self.factors[0] @ eye[:sign].reshape(-1, PAIR, len(eye))
        base = np.full((self.taps(self.depth), self.geometry.bond_dim(self.depth)), sign)
        base[list(itertools.chain(*self.gates))] = len(eye) + np.arange(sign)[:, None]
        table = np.concatenate([eye, rows.reshape(-1, len(eye))])
        return LayerRows(table, base, np.zeros_like(base), -np.ones_like(base))


def _partner(b):
    """The a > 0 with ``a - 1/a = (1 - b)**2 / b``."""
    step = (1 - b) ** 2 / b
    return step / 2 + math.sqrt(1 + step**2 / 4)


def _distance(tap, other):
    return sum(abs(k - m) for k, m in zip(tap, other))
