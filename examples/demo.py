"""The main job: deep networks beside an MPS and a MERA, and a fit to a real ground state.

::

    DMRG ground state --+
    MPS, MERA ----------+--> one table, one picture, one JSON file
    tree, RecursiveTree,+
    RecursiveMPS -------+      then: RecursiveTree --TNOptimizer, torch--> ground state

Run it with ``python -m quimb_deepnets demo``, see ``--help``.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import quimb as qu
import quimb.tensor as qtn

from quimb_deepnets import __version__
from quimb_deepnets.entanglement import entropies, schmidt_values
from quimb_deepnets.errors import OptionError, check_positive_int, import_extra
from quimb_deepnets.geometry import GCLayer
from quimb_deepnets.networks import RAC, ConvAC
from quimb_deepnets.numerics.atomic import replacing, writable, written
from quimb_deepnets.numerics.weights import make_rng
from quimb_deepnets.tensors import RecursiveTree

CUTS = range(1, 9)
NOISE = 0.02
COLUMNS = ("state", "params", "tensors", *(f"S({a})" for a in CUTS), "rank", "width", "cost")


def ising_ground_state(L):
    """The ground state of the critical transverse-field Ising chain, by quimb's DMRG.

    ``H = - sum Z_i Z_{i+1} - sum X_i`` with open ends, that is ``MPO_ham_ising(L, j=-4, bx=2)`` in
    spin operators.

    Parameters
    ----------
    L : int
        Number of sites.

    Returns
    -------
    quimb.tensor.MatrixProductState
    """
    start = qtn.MPS_rand_state(L, bond_dim=8, seed=0)
    energy = qtn.MPO_ham_ising(L, j=-4, bx=2)
    dmrg = qtn.DMRG2(energy, bond_dims=[8, 16, 32], cutoffs=1e-12, p0=start)
    dmrg.solve(tol=1e-9, verbosity=0)
    return dmrg.state


def phase_weights(network, noise, rng):
    """The same architecture with phases for weights, so that no amplitude dominates.

    A deep network multiplies hundreds of weights into an amplitude, so entries of very different
    size give a state that is almost a single configuration. Here layer 1 and the read-out are
    random phases, and higher layers a diagonal of phases plus complex noise of size ``noise``.

    Parameters
    ----------
    network : ConvAC or RAC
        With complex dtype.
    noise : float
    rng : numpy.random.Generator

    Returns
    -------
    ConvAC or RAC
    """
    params = {}
    for name, x in network.params.items():
        if name.startswith("H0"):
            params[name] = x
        elif x.ndim == 2 and x.shape[0] == x.shape[1]:
            gauss = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
            params[name] = np.diag(np.exp(2j * math.pi * rng.random(len(x)))) + noise * gauss
        else:
            params[name] = np.exp(2j * math.pi * rng.random(x.shape))
    return type(network).from_params(network.geometry, params)


def networks(L, seed):
    """Named random networks of the table: a tree, and depth 1 to 3 of both families."""
    rng = make_rng(seed)
    options = {"dtype": "complex128", "seed": rng}
    layers = [GCLayer(2, 4, stride=2)] * round(math.log2(L))
    tree = ConvAC.rand(L, layers=layers, **options)
    named = {"tree, K=S=2, r=4": phase_weights(tree, NOISE, rng)}
    for depth in (1, 2, 3):
        net = ConvAC.rand(L, depth, kernel=3, bond_dim=4, **options)
        named[f"RecursiveTree depth {depth}, K=3, r=4"] = phase_weights(net, NOISE, rng)
    for depth in (1, 2, 3):
        net = RAC.rand(L, depth, bond_dim=4, **options)
        named[f"RecursiveMPS depth {depth}, R=4"] = phase_weights(net, NOISE, rng)
    return named


def describe(name, state, tn, num_params):
    """One row of the table: sizes of a network, its entropies, and what one amplitude costs."""
    one = tn.isel(dict.fromkeys(tn.site_inds, 0))
    tree = one.contraction_tree("greedy", output_inds=())
    values = schmidt_values(state, CUTS[-1])
    return {
        "state": name,
        "params": num_params,
        "tensors": tn.num_tensors,
        "entropy_bits": [float(bits) for bits in entropies(state, CUTS)],
        "schmidt_rank": int((values > 0).sum()),
        "amplitude_log2_width": float(tree.contraction_width()),
        "amplitude_log10_cost": math.log10(tree.contraction_cost()),
    }


def table_rows(L, seed, progress):
    """All rows of the table, one by one, with a progress bar."""
    qu.seed_rand(seed)  # MERA.rand takes no seed of its own
    states = {
        "Ising ground state (DMRG)": ising_ground_state(L),
        "random MPS, bond 4": qtn.MPS_rand_state(L, 4, seed=seed),
        "MERA, bond 4": qtn.MERA.rand(L, max_bond=4),
        **networks(L, seed),
    }
    rows = []
    for name, state in progress(states.items(), desc="states"):
        if isinstance(state, qtn.TensorNetwork):
            tn, size = state, sum(t.size for t in state)
        else:
            tn, size = state.to_tensor_network(), state.num_params
        rows.append(describe(name, state, tn, size))
    return rows


def format_table(rows):
    """The rows as plain text; entropies in bits, width in log2, cost in log10."""
    lines = [COLUMNS]
    for row in rows:
        lines.append(
            (
                row["state"],
                str(row["params"]),
                str(row["tensors"]),
                *(f"{x:.3f}" for x in row["entropy_bits"]),
                str(row["schmidt_rank"]),
                f"{row['amplitude_log2_width']:.1f}",
                f"{row['amplitude_log10_cost']:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(x.rjust(w) for x, w in zip(line[1:], widths[1:]))]
        ).rstrip()
        for line in lines
    )


def fit(L, steps, seed, progbar=True):
    """Fit a RecursiveTree of depth 2 to the Ising ground state, tied weights, by TNOptimizer.

    Parameters
    ----------
    L : int
    steps : int
        Iterations of L-BFGS on the loss ``1 - fidelity``.
    seed : int
    progbar : bool, optional

    Returns
    -------
    dict
        ``fidelity`` (recomputed from the fitted network's amplitudes), ``num_params``,
        ``losses`` and the settings.
    """
    target = ising_ground_state(L)
    psi = RecursiveTree.rand(
        L, depth=2, kernel=3, bond_dim=6, boundary="omit", loc=0.7, scale=0.3, seed=seed
    )
    vector = target.to_dense().ravel()
    tree = psi.contraction_tree(output_inds=psi.site_inds)

    def infidelity(tn, vector):
        """``1 - <tn|vector>**2 / <tn|tn>``, for real states and a normalised vector."""
        x = tn.contract(output_inds=tn.site_inds, optimize=tree).data.reshape(-1)
        return 1 - (x @ vector) ** 2 / (x @ x)

    optimizer = qtn.TNOptimizer(
        psi,
        infidelity,
        loss_constants={"vector": vector},
        tags=psi.shared_tags,
        shared_tags=psi.shared_tags,
        autodiff_backend="torch",
        progbar=progbar,
    )
    fitted = optimizer.optimize(steps).network
    amplitudes = fitted.to_dense().ravel()
    fidelity = float((amplitudes @ vector) ** 2 / (amplitudes @ amplitudes))
    return {
        "L": L,
        "network": repr(fitted),
        "num_params": fitted.num_params,
        "steps": steps,
        "fidelity": fidelity,
        "losses": [float(x) for x in optimizer.losses],
    }


def plot(rows, fitted, path):
    """Draw entropy against block size, and the fit, into a PNG file."""
    import_extra("the demo", "plot", "matplotlib").use("Agg")
    plt = import_extra("the demo", "plot", "matplotlib.pyplot")

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12.5, 4.8), width_ratios=(3, 2), layout="constrained"
    )
    for row in rows:
        deep = row["state"].startswith("Recursive")
        style = {"marker": "o" if deep else "s", "linestyle": "-" if deep else "--"}
        left.plot(CUTS, row["entropy_bits"], label=row["state"], markersize=4, **style)
    left.set(xlabel="block size, first a sites of 16", ylabel="entropy (bits)", ylim=(0, None))
    left.legend(fontsize=7.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    best = np.minimum.accumulate(np.maximum(fitted["losses"], 1e-16))
    right.semilogy(best, color="k")
    right.axhline(1e-3, color="grey", linestyle=":")
    right.set(
        xlabel="evaluations",
        ylabel="1 - fidelity, best so far",
        title=f"RecursiveTree, {fitted['num_params']} weights, fitted to the Ising\n"
        f"ground state of {fitted['L']} sites: fidelity {fitted['fidelity']:.5f}",
    )
    right.title.set_fontsize(9)
    with replacing(path, "wb") as file:
        figure.savefig(file, dpi=150, format="png")
    plt.close(figure)


def main(args=None):
    """Run the demo: print the table, fit, write ``ising.json`` and ``ising.png``."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(
        prog="python -m quimb_deepnets demo", description=__doc__.splitlines()[0]
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("demo_output"))
    parser.add_argument("--steps", type=int, default=1500, help="iterations of the fit")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args(args)
    import_extra("the demo", "plot", "matplotlib.pyplot")  # before the work is done
    check_positive_int("steps", options.steps, OptionError)
    make_rng(options.seed)
    files = [writable(options.out / name) for name in ("ising.json", "ising.png")]

    rows = table_rows(16, options.seed, tqdm)
    print(
        "\nN = 16 sites. S(a): entropy in bits of the first a sites; rank: numerical Schmidt rank"
    )
    print(
        "of the middle cut; width (log2) and cost (log10 of scalar operations) of contracting one"
    )
    print("amplitude. Weights of deep networks and of the tree are random phases plus 2% noise.\n")
    print(format_table(rows))

    print("\nFitting a RecursiveTree to the Ising ground state of 10 sites:")
    fitted = fit(10, options.steps, options.seed)
    print(f"fidelity {fitted['fidelity']:.6f} with {fitted['num_params']} weights")

    found = {"version": __version__, "seed": options.seed, "states": rows, "fit": fitted}
    written(json.dumps(found, indent=1) + "\n", files[0])
    plot(rows, fitted, files[1])
    print(f"wrote {files[0]} and {files[1]}")
