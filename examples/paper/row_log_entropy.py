"""Theorem 2, entropy: recurrent networks of depth 2 whose half-chain entropy grows like log2 N.

The theorem bounds a rank. Entropy needs Schmidt values of like size too, and unitary weights give
them::

    h[1][t] = diag(input phases) U h[1][t-1]       a qubit (R = 2) that each site rotates
    psi(s)  = polynomial of degree n in h[1][N/2]  what the last n = N/2 sites do with it

The first half of the chain takes the qubit on a random walk over the sphere. A polynomial of
degree n sees n copies of it, a spin n/2, and if the walk covers the sphere evenly this spin is
maximally mixed, by Schur's lemma: log2(n + 1) bits. Here the walk is weighted by what h[2] makes of
it, so the sphere is covered, though not evenly. Such weights are a choice; what is typical is shown
by the random ensemble ``dist="entangled"``, whose moduli are flat: the state then knows how many of
the sites are up, a number with a spread of root N, and half a bit per doubling comes of it for long
chains. With normal weights a few directions of the spin win, and no entropy is left.
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
SEEDS = range(5)
WALK = 0  # of the walks, one that covers the sphere well


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


def drawn(N, depth, bond_dim, seed):
    """A random network of the entangled ensemble."""
    sizes = {"depth": depth, "bond_dim": bond_dim, "dtype": "complex128", "seed": seed}
    return qdn.RAC.rand(N, dist="entangled", **sizes)


def measure(quick):
    """Entropies by family, each a dict from length to bits, or to a list over seeds."""
    lengths = (8, 16, 32) if quick else (8, 16, 32, 64, 128)
    wide = (8, 12, 16) if quick else (8, 12, 16, 24)
    seeds = SEEDS[:2] if quick else SEEDS
    return {
        "shallow": {N: [half_chain(drawn(N, 1, 2, seed)) for seed in seeds] for N in lengths},
        "deep": {N: [half_chain(drawn(N, 2, 2, seed)) for seed in seeds] for N in lengths},
        "wide": {N: [half_chain(drawn(N, 2, 3, seed)) for seed in seeds] for N in wide},
        "walk": {N: half_chain(walker(N, seed=WALK)) for N in lengths},
        "gauss": {N: half_chain(qdn.RAC.rand(N, 2, 2, seed=0)) for N in lengths},
        "mera": {N: [mera_entropy(N, seed) for seed in range(3)] for N in lengths},
    }


def picture(out, found, slope):
    """Entropy of half of the chain against log2 N."""
    figure, axes = new_figure(figsize=(10, 5))
    lengths, wide = list(found["deep"]), list(found["wide"])
    N, M = lengths[-1], wide[-1]
    styles = {"shallow": "C1v-", "deep": "C0o-", "wide": "C3^-", "mera": "C2s-"}
    ends = {}
    for name, style in styles.items():
        mean = [np.mean(bits) for bits in found[name].values()]
        spread = [np.std(bits, ddof=1) for bits in found[name].values()]
        axes.errorbar(list(found[name]), mean, spread, fmt=style, capsize=3)
        ends[name] = mean[-1]
    for name, style in {"walk": "C9D--", "gauss": "C4x-"}.items():
        axes.plot(lengths, list(found[name].values()), style)
        ends[name] = found[name][N]
    ranks = {
        R: [np.log2(law(2, n, n // 2, 2, R)) for n in sizes]
        for R, sizes in ((2, lengths), (3, wide))
    }
    axes.plot(lengths, ranks[2], "C0:")
    axes.plot(wide, ranks[3], "C3:")
    for x, y, words, color in (
        (N, ranks[2][-1] + 0.15, "largest possible: log2 of the Schmidt rank", "C0"),
        (N, ends["walk"] - 0.1, "RAC, depth 2, R=2: unitary weights that were chosen", "C9"),
        (N, ends["deep"], f"RAC, depth 2, R=2: random, {slope:.2f} bits per doubling", "C0"),
        (M, ranks[3][-1], "largest possible, R=3", "C3"),
        (M, ends["wide"] + 1, "RAC, depth 2, R=3: random", "C3"),
        (N, ends["mera"], "random MERA, bond 2", "C2"),
        (N, ends["shallow"], "RAC, depth 1, R=2 (an MPS): at most log2 R = 1", "C1"),
        (N, ends["gauss"], "RAC, depth 2, R=2: normal weights, a product state", "C4"),
    ):
        axes.annotate(words, (x, y), (9, 0), textcoords="offset points", color=color, va="center")
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, map(str, lengths))
    axes.set(
        xlabel="number of sites N",
        ylabel="entropy of half of the chain (bits)",
        xlim=(lengths[0] / 1.1, 9 * N),
        title="Recurrent networks (RAC) of depth 2 have entropies that grow like log N",
    )
    return save_figure(figure, out, "log_entropy.png")


def checks(quick):
    """The two exact routes of this row against plain dense vectors, and a count of values."""
    small, mera = walker(8, seed=WALK), random_mera(8, 0)
    dense = [
        float(qdn.entropy(state.to_dense().reshape(-1), 4, dims=(2,) * 8))
        for state in (small, mera)
    ]
    N = 16 if quick else 64
    values = qdn.schmidt_values(walker(N, seed=WALK), N // 2, method="to_mps")
    return {
        "rac_error": abs(half_chain(small) - dense[0]),
        "mera_error": abs(mera_entropy(8, 0) - dense[1]),
        "N": N,
        "values_above_1e-12": int((values > 1e-12).sum()),
        "rank": law(2, N, N // 2, 2, 2),
    }


def agrees(found, slopes, checked):
    """Whether entropies grow with log2 N, within all bounds, and both routes are right."""
    rank = [law(2, N, N // 2, 2, 2) for N in found["deep"]]
    mean = [np.mean(bits) for bits in found["deep"].values()]
    walk = list(found["walk"].values())
    return bool(
        all(0.8 < slope < 1.3 for slope in slopes)
        and (np.diff([mean, walk]) > 0.5).all()
        and (np.max([*found["deep"].values()], axis=1) <= np.log2(rank)).all()
        and (np.array(walk) <= np.log2(rank)).all()
        and np.max([*found["shallow"].values()]) <= 1 + 1e-9
        and min(found["wide"][16]) > max(found["deep"][16])
        and max(checked["rac_error"], checked["mera_error"]) < 1e-9
        and checked["values_above_1e-12"] == checked["rank"]
    )


def row(out, quick=False):
    """Entropies of half of the chain, and their slope against log2 N."""
    found, checked = measure(quick), checks(quick)
    lengths = np.array(list(found["deep"]))
    late, largest = lengths >= (8 if quick else 16), int(lengths[-1])
    means = {name: [np.mean(bits) for bits in found[name].values()] for name in ("deep", "mera")}
    means["walk"] = list(found["walk"].values())
    fits = {name: fit(lengths[late], np.array(bits)[late]) for name, bits in means.items()}
    (slope, error), walk, mera = fits["deep"], fits["walk"], fits["mera"]
    allowed, wide = np.log2(law(2, largest, largest // 2, 2, 2)), found["wide"]
    computes = (
        f'Random networks (`dist="entangled"`, flat moduli) of depth 2 with R = 2 gain {slope:.2f} '
        f"+- {error:.2f} bits per doubling of N from N = {lengths[late][0]} to {largest}, in the "
        f"mean of {len(found['deep'][largest])} seeds, and have {means['deep'][-1]:.2f} bits there "
        f"({min(found['deep'][largest]):.2f} to {max(found['deep'][largest]):.2f}). Unitary "
        f"weights that were chosen gain {walk[0]:.3f} +- {walk[1]:.3f} and have "
        f"{means['walk'][-1]:.2f}; the rank allows {allowed:.2f} and a slope of 1. With R = 3 "
        f"random networks have {np.mean(wide[max(wide)]):.2f} bits at N = {max(wide)} already. "
        f"Depth 1 stays at {np.mean(found['shallow'][largest]):.2f} of at most 1 bit, "
        f"a random MERA of bond 2 gains {mera[0]:.2f} +- {mera[1]:.2f} per doubling. A "
        f"draw of normal weights misses it: {found['gauss'][largest]:.1g} bits at N = {largest}."
    )
    certified = (
        "Entropies from the exact MPS, and of the MERA from the tensors that straddle the cut; at "
        f"N = 8 both are the dense ones to {max(checked['rac_error'], checked['mera_error']):.0e}. "
        f"At N = {checked['N']} the chosen state has {checked['values_above_1e-12']} Schmidt "
        f"values above 1e-12, and the rank law says {checked['rank']}. Slopes are measured, not "
        "proven."
    )
    return Row(
        "Theorem 2, entropy",
        SAYS,
        computes,
        certified,
        agrees(found, (slope, walk[0]), checked) and bool(mera[0] > 0),
        {
            "bits": found,
            "fits": {name: list(map(float, f)) for name, f in fits.items()},
            "checks": checked,
        },
        [picture(out, found, slope)],
    )
