"""Theorem 2: the Schmidt rank of recurrent networks of depth 1, 2 and 3, certified and exact."""

import math
from dataclasses import dataclass

import numpy as np

import quimb_deepnets as qdn
from quimb_deepnets.theory.bounds import recurrent_rank_bound

from .common import Row, new_figure, save_figure

SAYS = (
    "The entropy between the last a sites of a chain and all others that a recurrent network of "
    "depth 2 or more supports is at least log of binomial(min(R, M) + a - 1, a), which grows like "
    "log a; a shallow network, a matrix product state of bond R, never exceeds log R."
)
CERTIFIED = (
    "Ranks of random weights modulo the prime 2**31 - 1: an integer that bounds the generic rank "
    "from below without any tolerance, met from above by the number of polynomials that the rest "
    "of the chain can be, less those that vanish identically if M < R. "
    "The bonds are those of the exact MPS of unitary weights, without singular values below 1e-14 "
    "of the largest of their cut: with such weights all that the law counts are above."
)


def law(depth, N, a, M, R):
    """The rank between the last a of N sites and the others, for generic weights.

    Depth 2: what the last a sites do is a polynomial of degree a in ``h[1]`` and linear in
    ``h[2]``, R * binomial(R + a - 1, a) coefficients. If M < R it vanishes, whatever the a sites
    are, where ``W_H[2] h[2]`` has one channel c alone, and ``h[1]`` lies in the R - M dimensions
    in which c gets nothing from any of the M inputs: that is R * binomial(R - M + a - 1, a)
    linear conditions.
    """
    if depth == 1:
        return min(M**a, M ** (N - a), R)
    free = math.comb(R + a - 1, a) - (math.comb(R - M + a - 1, a) if M < R else 0)
    once = math.comb(R + a, a + 1) if a == N - 1 else R * free
    return min(min(M, R) * M ** (a - 1), M ** (N - a), R * free, once)


@dataclass
class Cut:
    """One cut: what was found, and what it is compared with."""

    depth: int
    N: int
    a: int
    M: int
    R: int
    rank: int
    upper_bound: int
    exact: bool

    @property
    def agrees(self):
        """Whether the law, or for depth 3 the theorem and depth 2, are borne out."""
        if self.depth < 3:
            return self.rank == law(self.depth, self.N, self.a, self.M, self.R)
        return law(2, self.N, self.a, self.M, self.R) <= self.rank <= self.upper_bound

    @property
    def promised(self):
        """What Theorem 2 says of depth 2 and more, for at most half of the chain."""
        return recurrent_rank_bound(self.a, self.R, self.M) if 2 * self.a <= self.N else 0


def certified(depth, N, a, M, R, size=4096):
    """The rank of one cut, modulo a prime."""
    net = qdn.RAC.rand(N, depth, R, M, seed=0)
    rank = qdn.schmidt_rank(net, range(N - a, N), size=size, seed=1)
    return Cut(depth, N, a, M, R, int(rank), rank.upper_bound, rank.exact)


def short_chains(quick):
    """Every cut of short chains, at depth 1, 2 and 3."""
    length = {2: 8, 3: 5} if quick else {2: 13, 3: 7}
    return [
        certified(depth, length[M], a, M, R)
        for M in (2, 3)
        for R in (2, 3)
        for depth in (1, 2, 3)
        for a in range(1, length[M])
    ]


def long_chains(quick):
    """Half of long chains at depth 2, from a sample of rows and columns that is large enough."""
    found = []
    for M, R, lengths in (
        (2, 2, (16, 32, 64, 128)),
        (2, 3, (16, 32)),
        (3, 3, (16, 32)),
        (3, 4, (12,)),
    ):
        for N in lengths[:1] if quick else lengths:
            size = 2 * R * math.comb(R + N // 2 - 1, N // 2)  # more than the rank can be
            found.append(certified(2, N, N // 2, M, R, size=size))
    return found


def walker(L, depth=2, bond_dim=2, seed=0):
    """A RAC of two-level sites whose state walks under random unitaries.

    The hidden weights and the input weights of the second layer are Haar-random unitaries, the
    first layer reads the sites as phases.
    """
    rng = np.random.default_rng(seed)

    def unitary():
        shape = bond_dim, bond_dim
        q, r = np.linalg.qr(rng.normal(size=shape) + 1j * rng.normal(size=shape))
        return q * (np.diag(r) / abs(np.diag(r)))

    hidden = [unitary() for _ in range(depth)]
    inputs = [
        np.exp(2j * np.pi * rng.random((bond_dim, 2))),
        *(unitary() for _ in range(depth - 1)),
    ]
    initial = [unitary()[0] for _ in range(depth)]
    return qdn.RAC(L, hidden, inputs, initial, unitary()[0])


def mps_bonds(quick):
    """For some long chains, the bonds of the exact MPS against the law, cut by cut.

    Weights that are not unitary do not show it in floats: amplitudes of long chains then differ by
    more than the range of doubles, and singular values that the law counts are zero.
    """
    found = []
    for N, R in ((16, 2),) if quick else ((64, 2), (100, 2)):
        bonds = walker(N, bond_dim=R).to_mps(cutoff=1e-14).bond_sizes()
        laws = [law(2, N, N - t, 2, R) for t in range(1, N)]
        found.append({"N": N, "R": R, "largest": max(bonds), "agree": list(bonds) == laws})
    return found


def picture(out, short, long):
    """Ranks against the size of the block, and of half of long chains against their length."""
    figure, (left, right) = new_figure(1, 2, figsize=(10, 4))
    cuts = [c for c in short if (c.M, c.R) == (2, 2)]
    N = cuts[0].N
    sizes = np.arange(1, N)
    for depth, marker in ((1, "s"), (2, "o"), (3, "^")):
        line = [c.rank for c in cuts if c.depth == depth]
        left.plot(sizes, line, marker, ms=6, color=f"C{depth - 1}")
        at = N // 2 + 1 if depth == 1 else N // 2
        left.annotate(
            f"depth {depth}", (at, line[at - 1]), (0, 8), textcoords="offset points",
            color=f"C{depth - 1}", ha="center",
        )  # fmt: skip
        if depth < 3:
            exact = [law(depth, N, a, 2, 2) for a in sizes]
            left.plot(sizes, exact, "-", lw=1, color=f"C{depth - 1}")
    half = sizes[: N // 2]
    least = [recurrent_rank_bound(int(a), 2) for a in half]
    left.plot(half, least, "k:")
    left.text(half[-1] + 0.2, least[-1], "Theorem 2: depth 2\nhas at least this", va="top")
    left.set_yscale("log", base=2)
    left.set(
        xlabel="size a of the block of the last sites",
        ylabel="Schmidt rank",
        title=f"Every cut of {N} sites, M = R = 2",
    )
    left.set_ylim(1.6, 2 ** (N // 2 + 0.7))
    for i, (M, R) in enumerate(sorted({(c.M, c.R) for c in long})):
        some = [c for c in long if (c.M, c.R) == (M, R)]
        right.plot([c.a for c in some], [c.rank for c in some], f"C{i}o")
        a = np.arange(2, max(c.a for c in some) + 1)
        right.plot(a, [law(2, 2 * int(x), int(x), M, R) for x in a], f"C{i}-", lw=1)
        promised = [recurrent_rank_bound(int(x), R, M) for x in a]
        right.plot(a, promised, f"C{i}:", lw=2 - i / 2)
        ends = [(c.a, c.rank) for c in some]
        point, place = (ends[0], (8, -10)) if (M, R) == (2, 3) else (ends[-1], (6, 4))
        right.annotate(f"M={M}, R={R}", point, place, textcoords="offset points", color=f"C{i}")
    right.set_xscale("log", base=2)
    right.set_yscale("log", base=2)
    right.set(
        xlabel="half of the chain, a = N / 2 sites",
        ylabel="Schmidt rank",
        title="Depth 2: half of long chains,\nM levels a site, R channels",
    )
    for style, words in (("o", "certified"), ("-", "exact law"), (":", "Theorem 2: at least this")):
        right.plot([], [], "k" + style, lw=1.2, label=words)
    right.legend(loc="lower right", frameon=False)
    right.set_xlim(1.8, 150)
    right.set_ylim(2.5, 800)
    return save_figure(figure, out, "theorem_2.png")


def row(out, quick=False):
    """Compare certified ranks with the laws and with the bound of the theorem."""
    short, long, bonds = short_chains(quick), long_chains(quick), mps_bonds(quick)
    depths = [[c for c in short if c.depth == depth] for depth in (1, 2, 3)]
    full = sum(c.rank == min(c.M**c.a, c.M ** (c.N - c.a)) for c in depths[2])
    half = max(long, key=lambda c: (c.N, -c.R))
    deep = [c for c in depths[1] + depths[2] + long if c.promised]
    ratios = [c.rank / c.promised for c in deep]
    computes = (
        f"Depth 1 has the rank min(M**a, M**(N-a), R) at {sum(c.agrees for c in depths[0])} of "
        f"{len(depths[0])} cuts of chains up to N = {max(c.N for c in short)}. Depth 2 obeys one "
        "exact law, min(min(M, R) M**(a-1), M**(N-a), R binomial(R+a-1, a) - R binomial(R-M+a-1, "
        f"a)), the last term only if M < R, at {sum(c.agrees for c in depths[1])} of "
        f"{len(depths[1])} cuts of these chains and for {sum(c.agrees for c in long)} of "
        f"{len(long)} halves of chains up to N = {half.N}, where the rank is {half.rank} and the "
        f"theorem promises {half.promised}. The bonds of the exact MPS of M = R = 2, at most "
        f"{bonds[-1]['largest']} at N = {bonds[-1]['N']}, are the law too. Depth 3 has all that "
        f"the smaller side allows at {full} of {len(depths[2])} cuts. Up to half of the chain, "
        f"depths 2 and 3 have {min(ratios):.2g} to {max(ratios):.2g} times the promised rank."
    )
    holds = all(c.agrees for c in short + long) and all(b["agree"] for b in bonds)
    return Row(
        "Theorem 2",
        SAYS,
        computes,
        CERTIFIED,
        holds and min(ratios) >= 1 and all(c.exact for c in depths[0]),
        {
            "short": [vars(c) for c in short],
            "long": [vars(c) | {"theorem": c.promised} for c in long],
            "mps": bonds,
        },
        [picture(out, short, long)],
    )
