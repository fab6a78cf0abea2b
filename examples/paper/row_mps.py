"""Eq. (3), Fig. 2(b, c): a recurrent circuit of one layer is quimb's matrix product state."""

import itertools
import math

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn
from examples.paper.common import Row, new_figure, save_figure


def integer_network(sites, bond_dim, phys_dim, seed):
    """A RAC with entries -2..2, so that every sum of products is exact."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.integers(-2, 3, shape).astype(float)

    hidden, inputs = draw(bond_dim, bond_dim), draw(bond_dim, phys_dim)
    initial, readout = 1 + abs(draw(bond_dim)), 1 + abs(draw(bond_dim))
    return qdn.RAC(sites, [hidden], [inputs], [initial], readout)


def output(net, config):
    """The network of Fig. 2(a) on one-hot vectors, by nested loops."""
    R = range(net.bond_dim)
    hidden, inputs = net.hidden_weights[0], net.input_weights[0]
    h = [float(x) for x in net.initial[0]]
    for s in config:
        x = [float(m == s) for m in range(net.phys_dim)]
        past = [sum(hidden[i, j] * h[j] for j in R) for i in R]
        h = [past[i] * sum(inputs[i, k] * x[k] for k in range(len(x))) for i in R]
    return sum(net.readout[i] * h[i] for i in R)


def plain_mps(net):
    """Fig. 2(b) in plain quimb: one tensor a_ijk, and a vector at either end."""
    R, M = net.bond_dim, net.phys_dim
    a = np.empty((R, R, M))
    for i, j, k in itertools.product(range(R), range(R), range(M)):
        a[i, j, k] = net.hidden_weights[0][i, j] * net.input_weights[0][i, k]
    first = np.tensordot(a, net.initial[0], axes=(1, 0))  # (right bond, site)
    last = np.tensordot(net.readout, a, axes=(0, 0))  # (left bond, site)
    middle = [a.transpose(1, 0, 2)] * (net.L - 2)  # (left, right, site)
    return a, qtn.MatrixProductState([first, *middle, last], shape="lrp")


def check(sites, bond_dim, phys_dim, seed):
    """One network: equal tensors, equal amplitudes, bonds, entropies."""
    net = integer_network(sites, bond_dim, phys_dim, seed)
    a, mps = plain_mps(net)
    psi = net.to_tensor_network(nodes="dense")
    steps = psi.select(["WH1", "WI1"], which="all").tensors
    configs = list(itertools.product(range(phys_dim), repeat=sites))
    loops = np.array([output(net, config) for config in configs])
    ours = (net.to_dense(), psi.to_dense(), net.amplitudes(configs))
    cuts = range(1, sites)
    return {
        "sites": sites,
        "bond_dim": bond_dim,
        "phys_dim": phys_dim,
        "equal_tensors": sum(np.array_equal(t.data, a) for t in steps),
        "amplitudes": len(loops),
        "nonzero": int(np.count_nonzero(loops)),
        "quimb_equals_loops": bool(np.array_equal(mps.to_dense().reshape(-1), loops)),
        "ours_largest_difference": max(float(abs(x.reshape(-1) - loops).max()) for x in ours),
        "largest_amplitude": float(abs(loops).max()),
        "bonds_of_quimb": list(mps.bond_sizes()),
        "ranks": [int(qdn.schmidt_rank(net, range(t))) for t in cuts],
        "generic_ranks": [min(phys_dim**t, phys_dim ** (sites - t), bond_dim) for t in cuts],
    }


def entropies(sites, bond_dim):
    """Entropies at all cuts of long chains with random weights, one line for each network."""
    rng = np.random.default_rng(0)
    return [
        qdn.entropies(qdn.RAC.rand(sites, depth=1, bond_dim=bond_dim, dtype="complex128", seed=rng))
        for _ in range(5)
    ]


def draw(out, lines):
    """Entropy against the cut, for three bond dimensions, below the area law's log2 R."""
    figure, ax = new_figure(figsize=(7, 4))
    for color, (bond_dim, curves) in zip(("C0", "C1", "C2"), lines.items()):
        for curve in curves:
            ax.plot(range(1, len(curve) + 1), curve, color=color, lw=1)
        label = f"R={bond_dim}: at most log2 R = {math.log2(bond_dim):.0f}"
        ax.axhline(math.log2(bond_dim), color=color, ls="--", label=label)
    ax.set(xlabel="sites left of the cut", ylabel="entropy (bits)", ylim=(0, None))
    ax.set_title("A recurrent circuit of one layer is an MPS: area law")
    ax.legend(fontsize=9, loc=(0.55, 0.72))
    return save_figure(figure, out, "mps.png")


def row(out, quick=False):
    """Compare tensor by tensor and amplitude by amplitude, on integers."""
    cases = [(6, 3, 2, 0), (4, 2, 3, 1)] if quick else [(10, 3, 2, 0), (6, 2, 3, 1), (12, 4, 2, 2)]
    results = [check(*case) for case in cases]
    length = 32 if quick else 100
    lines = {R: entropies(length, R) for R in (2, 4, 8)}
    largest = {R: float(max(map(max, curves))) for R, curves in lines.items()}
    holds = all(
        r["equal_tensors"] == r["sites"]
        and r["quimb_equals_loops"]
        and r["nonzero"]
        and r["ours_largest_difference"] <= 1e-12 * r["largest_amplitude"]
        and set(r["bonds_of_quimb"]) == {r["bond_dim"]}
        and r["ranks"] == r["generic_ranks"]
        for r in results
    )
    holds &= all(0 < largest[R] <= math.log2(R) + 1e-9 for R in lines)
    difference = max(r["ours_largest_difference"] / r["largest_amplitude"] for r in results)
    bits = ", ".join(f"{largest[R]:.2f} (R={R})" for R in lines)
    return Row(
        claim="Eq. (3), Fig. 2(b, c)",
        says="The output of a recurrent circuit of one layer on one-hot inputs is an entry of a "
        "matrix product state with tensors a_ijk = W^H_ij W^I_ik; it has an area law.",
        computes=f"All {sum(r['equal_tensors'] for r in results)} tensors of {len(results)} "
        f"networks are that a_ijk, and their {sum(r['amplitudes'] for r in results)} amplitudes "
        "are those of quimb's MatrixProductState, whose bonds are all R. On chains of "
        f"{length} sites the largest entropies found at any cut are {bits} bits, each at most "
        "log2 R.",
        certified="Weights are integers, so quimb's MPS and the network written as nested loops "
        "agree exactly; our own amplitudes "
        + (f"differ by {difference:.0e} of the largest" if difference else "agree exactly too")
        + "; generic Schmidt ranks, in exact arithmetic, "
        "are min(M^t, M^(N-t), R).",
        holds=bool(holds),
        numbers={"networks": results, "length": length, "largest_entropies": largest},
        pictures=[draw(out, lines)],
    )
