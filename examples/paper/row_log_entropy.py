"""Theorem 2, entropy: recurrent networks of depth 2 whose half-chain entropy grows like log2 N.

The theorem bounds a rank. Entropy needs Schmidt values of like size too, and unitary weights give
them::

    h[1][t] = diag(input phases) U h[1][t-1]       a qubit (R = 2) that each site rotates
    psi(s)  = polynomial of degree n in h[1][N/2]  what the last n = N/2 sites do with it

The first half of the chain takes the qubit on a random walk over the sphere. A polynomial of
degree n sees n copies of it, a spin n/2, and if the walk covers the sphere evenly this spin is
maximally mixed, by Schur's lemma: log2(n + 1) bits. Here the walk is weighted by what h[2] makes of
it, so the sphere is covered, though not evenly. With weights that are not unitary, random ones
say, a few directions of the spin win, and no entropy is left.
"""

import numpy as np
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

from .common import Row, new_figure, save_figure
from .row_theorem_2 import law, walker

SAYS = (
    "The entropy that a deep recurrent network supports grows like the logarithm of the size of A, "
    "as in critical systems and in a MERA, while that of a shallow one, an MPS of fixed bond, is "
    "bounded by log2 R."
)
SEEDS = range(4)


def without_isometries(mera, half):
    """The tensors of a MERA that straddle the cut, and their legs on either side.

    An isometry with all its lower legs on one side leaves the spectrum as it is.
    """
    side = {mera.site_ind(n): n < half for n in range(mera.L)}
    rest, size = qtn.TensorNetwork(mera.tensors), None
    while size != rest.num_tensors:
        size = rest.num_tensors
        for tid, t in list(rest.tensor_map.items()):
            upper = [ind for ind in t.inds if ind not in t.left_inds]
            sides = {side.get(ind) for ind in t.left_inds}
            if upper and sides in ({True}, {False}):
                rest.pop_tensor(tid)
                side |= dict.fromkeys(upper, sides.pop())
                side = {ind: where for ind, where in side.items() if ind not in t.left_inds}
    return rest, [i for i in side if side[i]], [i for i in side if not side[i]]


def random_mera(L, seed):
    """A MERA of bond 2, of random isometries."""
    qu.seed_rand(seed)
    return qtn.MERA.rand(L, max_bond=2)


def mera_entropy(L, seed):
    """The half-chain entropy of a random MERA, exactly."""
    rest, inside, outside = without_isometries(random_mera(L, seed), L // 2)
    matrix = rest.to_dense(inside, outside)
    return float(qdn.entropy(matrix.reshape(-1), 1, dims=matrix.shape))


def half_chain(net):
    """The entropy of half of the chain, through the exact MPS."""
    return float(qdn.entropy(net, net.L // 2, method="to_mps"))


def fit(lengths, bits):
    """Slope of entropy against log2 N, and its standard error."""
    x = np.log2(lengths)
    (slope, shift), rest = np.polyfit(x, bits, 1), len(x) - 2
    residue = np.asarray(bits) - slope * x - shift
    return slope, np.sqrt((residue**2).sum() / rest / ((x - x.mean()) ** 2).sum())


def measure(quick):
    """Entropies by family, each a dict from length to bits, or to a list over seeds."""
    lengths = (8, 16, 32) if quick else (8, 16, 32, 64, 128)
    wide = (8, 12, 16) if quick else (8, 12, 16, 24)
    seeds = SEEDS[:2] if quick else SEEDS
    return {
        "shallow": {N: half_chain(walker(N, depth=1)) for N in lengths},
        "walks": {N: [half_chain(walker(N, seed=seed)) for seed in seeds] for N in lengths},
        "gauss": {N: half_chain(qdn.RAC.rand(N, 2, 2, seed=0)) for N in lengths},
        "wide": {N: half_chain(walker(N, bond_dim=3, seed=1)) for N in wide},
        "mera": {N: [mera_entropy(N, seed) for seed in range(3)] for N in lengths},
    }


def picture(out, found, slope):
    """Entropy of half of the chain against log2 N."""
    figure, axes = new_figure(figsize=(9, 4.5))
    lengths = list(found["walks"])
    best = [max(bits) for bits in found["walks"].values()]
    every = list(zip(*found["walks"].values()))
    axes.plot(lengths, best, "C0o-")
    for line in every:
        axes.plot(lengths, line, "C0-", lw=0.6, alpha=0.6)
    ranks = [np.log2(law(2, N, N // 2, 2, 2)) for N in lengths]
    axes.plot(lengths, ranks, "C0:")
    wide = found["wide"]
    wide_ranks = [np.log2(law(2, N, N // 2, 2, 3)) for N in wide]
    axes.plot(list(wide), list(wide.values()), "C3^-")
    axes.plot(list(wide), wide_ranks, "C3:")
    mean = [np.mean(bits) for bits in found["mera"].values()]
    spread = [np.std(bits, ddof=1) for bits in found["mera"].values()]
    axes.errorbar(lengths, mean, spread, fmt="C2s-", capsize=3)
    gauss, shallow = list(found["gauss"].values()), list(found["shallow"].values())
    axes.plot(lengths, gauss, "C4x-")
    axes.plot(lengths, shallow, "C1v-")
    axes.plot(lengths, [1] * len(lengths), "C1:")
    N, M = lengths[-1], list(wide)[-1]
    for x, y, words, color in (
        (N, ranks[-1] + 0.35, "largest possible: log2 of the rank", "C0"),
        (N, best[-1] + 0.15, f"RAC, depth 2, R=2, unitary weights: slope {slope:.2f}", "C0"),
        (N, min(line[-1] for line in every), "the lowest of its other seeds", "C0"),
        (M, wide_ranks[-1], "largest possible", "C3"),
        (M, wide[M], "RAC, depth 2, R=3,\nunitary weights", "C3"),
        (N, mean[-1], "random MERA, bond 2", "C2"),
        (N, shallow[-1], "RAC, depth 1, R=2: at most log2 R", "C1"),
        (N, gauss[-1], "RAC, depth 2, normal weights", "C4"),
    ):
        axes.annotate(words, (x, y), (9, -3), textcoords="offset points", color=color, va="center")
    axes.set_xscale("log", base=2)
    axes.set(
        xlabel="N", ylabel="entropy of half of the chain (bits)", xlim=(lengths[0] / 1.1, 9 * N)
    )
    axes.set_xticks(lengths)
    return save_figure(figure, out, "log_entropy.png")


def checks(best, quick):
    """The two exact routes of this row against plain dense vectors, and a count of values."""
    small, mera = walker(8, seed=best), random_mera(8, 0)
    dense = [
        float(qdn.entropy(state.to_dense().reshape(-1), 4, dims=(2,) * 8))
        for state in (small, mera)
    ]
    N = 16 if quick else 64
    values = qdn.schmidt_values(walker(N, seed=best), N // 2, method="to_mps")
    return {
        "rac_error": abs(half_chain(small) - dense[0]),
        "mera_error": abs(mera_entropy(8, 0) - dense[1]),
        "N": N,
        "values_above_1e-12": int((values > 1e-12).sum()),
        "rank": law(2, N, N // 2, 2, 2),
    }


def agrees(found, bits, slope, checked):
    """Whether entropies grow with log2 N, within all bounds, and both routes are right."""
    rank = [law(2, N, N // 2, 2, 2) for N in found["walks"]]
    return bool(
        0.8 < slope < 1.3
        and (np.diff(bits) > 0.5).all()
        and (np.array(bits) <= np.log2(rank)).all()
        and max(found["shallow"].values()) <= 1 + 1e-9
        and found["wide"][16] > max(found["walks"][16])
        and max(checked["rac_error"], checked["mera_error"]) < 1e-9
        and checked["values_above_1e-12"] == checked["rank"]
    )


def row(out, quick=False):
    """Entropies of half of the chain, and their slope against log2 N."""
    found = measure(quick)
    lengths = np.array(list(found["walks"]))
    late = lengths >= (8 if quick else 16)
    lines = np.array(list(found["walks"].values())).T
    fits = [fit(lengths[late], line[late]) for line in lines]
    best, largest = int(lines[:, -1].argmax()), int(lengths[-1])
    slope, error = fits[best]
    mera, mera_error = fit(lengths, [np.mean(bits) for bits in found["mera"].values()])
    checked, wide = checks(best, quick), found["wide"]
    allowed = np.log2(law(2, largest, largest // 2, 2, 2))
    rest = [line[-1] - line[-2] for i, line in enumerate(lines) if i != best]
    computes = (
        "Weights that rotate a qubit by random unitaries, the same at every length, give depth 2 "
        f"with R = 2 an entropy of half of the chain of {slope:.3f} +- {error:.3f} bits per "
        f"doubling of N from N = {lengths[late][0]} to {largest}, where it is "
        f"{lines[best, -1]:.2f} bits; the rank allows {allowed:.2f} "
        f"and a slope of 1. Of {len(lines)} draws it is the best; others gain {min(rest):.2f} "
        f"to {max(rest):.2f} bits in the last doubling. With R = 3 it is "
        f"{list(wide.values())[-1]:.2f} bits at N = {max(wide)} already. Depth 1 stays at "
        f"{max(found['shallow'].values()):.2f} of at most 1 bit, a random MERA of bond 2 gains "
        f"{mera:.2f} +- {mera_error:.2f} per doubling. A draw of normal weights misses it: "
        f"{found['gauss'][largest]:.1g} bits at N = {largest}."
    )
    certified = (
        "Entropies from the exact MPS, and of the MERA from the tensors that straddle the cut; at "
        f"N = 8 both are the dense ones to {max(checked['rac_error'], checked['mera_error']):.0e}. "
        f"At N = {checked['N']} the state has {checked['values_above_1e-12']} Schmidt values above "
        f"1e-12, and the rank law says {checked['rank']}. The slope is measured, not proven."
    )
    return Row(
        "Theorem 2, entropy",
        SAYS,
        computes,
        certified,
        agrees(found, lines[best], slope, checked) and bool(mera > 0),
        {
            "bits": found,
            "fits": [list(map(float, f)) for f in fits],
            "best": best,
            "checks": checked,
        },
        [picture(out, found, slope)],
    )
