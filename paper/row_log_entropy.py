"""Theorem 2, entropy: recurrent networks of depth 2 whose half-chain entropy grows like log2 N.

The theorem bounds a rank. Entropy needs equal Schmidt values too, and unitary weights give them::

    h[1][t] = diag(input phases) U h[1][t-1]       a qubit (R = 2) that each site rotates
    psi(s)  = polynomial of degree n in h[1][N/2]  what the last n = N/2 sites do with it

The first half of the chain takes the qubit on a random walk over the sphere. A polynomial of
degree n sees n copies of it, a spin n/2, and over a walk that has forgotten its start this spin is
maximally mixed, by Schur's lemma: log2(n + 1) bits, up to a constant. Weights that are not
unitary, random ones say, make a few directions of the spin win, and the entropy saturates.
"""

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn

from .common import Row, new_figure, save_figure
from .row_theorem_2 import law

SAYS = (
    "The entropy that a deep recurrent network supports grows like log |A|, as at a critical point "
    "and as in a MERA, while that of a shallow one, an MPS of fixed bond, is bounded by log2 R."
)
SEEDS = range(4)


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
    inputs = [np.exp(2j * np.pi * rng.random((bond_dim, 2))), *(unitary() for _ in range(depth - 1))]
    initial = [unitary()[0] for _ in range(depth)]
    return qdn.RAC(L, hidden, inputs, initial, unitary()[0])


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


def mera_entropy(L, seed):
    """The half-chain entropy of a random MERA of bond 2, exactly."""
    rest, inside, outside = without_isometries(qtn.MERA.rand(L, max_bond=2, seed=seed), L // 2)
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
    figure, axes = new_figure(figsize=(7, 5))
    lengths = list(found["walks"])
    best = [max(bits) for bits in found["walks"].values()]
    every = list(zip(*found["walks"].values()))
    axes.plot(lengths, best, "C0o-", label=f"RAC, depth 2, R=2, unitary: slope {slope:.2f}")
    for i, line in enumerate(every):
        axes.plot(lengths, line, "C0-", lw=0.6, alpha=0.6, label=None if i else "its other seeds")
    axes.plot(lengths, [np.log2(law(2, N, N // 2, 2, 2)) for N in lengths], "C0:", label="its rank")
    wide = found["wide"]
    axes.plot(list(wide), list(wide.values()), "C3^-", label="RAC, depth 2, R=3, unitary")
    ranks = [np.log2(law(2, N, N // 2, 2, 3)) for N in wide]
    axes.plot(list(wide), ranks, "C3:", label="its rank")
    mean = [np.mean(bits) for bits in found["mera"].values()]
    spread = [np.std(bits, ddof=1) for bits in found["mera"].values()]
    axes.errorbar(lengths, mean, spread, fmt="C2s-", capsize=3, label="random MERA, bond 2")
    axes.plot(lengths, list(found["gauss"].values()), "C4x-", label="RAC, depth 2, normal weights")
    axes.plot(lengths, list(found["shallow"].values()), "C1v-", label="RAC, depth 1, R=2")
    axes.axhline(1, color="C1", ls=":", label="its bound log2 R")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="N", ylabel="entropy of half of the chain (bits)")
    axes.legend(fontsize=8)
    return save_figure(figure, out, "log_entropy.png")


def row(out, quick=False):
    """Entropies of half of the chain, and their slope against log2 N."""
    found = measure(quick)
    lengths = np.array(list(found["walks"]))
    late = lengths >= (8 if quick else 16)
    lines = np.array(list(found["walks"].values())).T
    fits = [fit(lengths[late], line[late]) for line in lines]
    best = int(lines[:, -1].argmax())
    slope, error = fits[best]
    ranks = [law(2, int(N), int(N) // 2, 2, 2) for N in lengths]
    values = qdn.schmidt_values(walker(32, seed=best), 16, method="to_mps")
    resolved = int((values > 1e-12).sum())
    mera, mera_error = fit(lengths, [np.mean(bits) for bits in found["mera"].values()])
    dense = half_chain(walker(8, seed=best)) - qdn.entropy(
        walker(8, seed=best).to_dense().reshape(-1), 4, dims=(2,) * 8
    )
    mera_dense = mera_entropy(8, 0) - float(qdn.entropy(qtn.MERA.rand(8, max_bond=2, seed=0), 4))
    wide = found["wide"]
    return Row(
        "Theorem 2, entropy",
        SAYS,
        "",
        "",
        False,
        {},
        [picture(out, found, slope)],
    ), locals()
