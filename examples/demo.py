"""A ground state in two dimensions: a deep network beside an MPS and a PEPS, and their entropies.

::

    Heisenberg on the 4 x 4 torus --> exact diagonalisation
                                  --> ConvAC: L-BFGS, all configurations    energies,  -> table,
                                  --> MPS: DMRG                             entropies    picture,
                                  --> PEPS: L-BFGS, all amplitudes                       JSON file

Run it with ``python -m quimb_deepnets demo``, see ``--help``.
"""

import argparse
import itertools
import json
import pathlib
import time

import numpy as np
import quimb as qu
import quimb.operator
import quimb.tensor as qtn

from quimb_deepnets import __version__
from quimb_deepnets.entanglement import entropy
from quimb_deepnets.errors import OptionError, check_positive_int, import_extra
from quimb_deepnets.geometry import GCLayer
from quimb_deepnets.groundstate import GroundState
from quimb_deepnets.networks import ConvAC
from quimb_deepnets.numerics.atomic import replacing, writable, written
from quimb_deepnets.numerics.weights import make_rng

L = 4
N = L * L
SITES = [(i, j) for i in range(L) for j in range(L)]
BONDS = sorted(qtn.edges_2d_square(L, L, cyclic=True))
CUTS = range(1, N // 2 + 1)


def heisenberg():
    """The antiferromagnet ``sum S.S`` on all bonds of the torus, as an operator of quimb."""
    return qu.operator.heisenberg_from_edges(BONDS)


def states(steps, seed):
    """Name, energy, state, how many numbers it takes, and energies on the way, one by one."""
    yield "exact", *exact()
    yield "ConvAC", *deep_network(steps, seed)
    for bond in (4, 16):
        yield f"MPS, bond {bond}", *matrix_product_state(bond, seed)
    for bond in (2, 3):
        yield f"PEPS, bond {bond}", *projected_entangled_pairs(bond, steps, seed)


def exact():
    """The ground state by diagonalisation, as a vector."""
    H = heisenberg()
    energy, vector = qu.eigh(H.build_sparse_matrix(), k=1)
    return float(energy[0]), np.asarray(vector)[:, 0], 2**N, []


def deep_network(steps, seed):
    """A ConvAC of windows of 3 x 3 sites, 16 channels, then 2 x 2 windows of those."""
    layers = [GCLayer(3, 16), GCLayer(2, 2)]
    start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05, "seed": seed}
    net = ConvAC.rand((L, L), layers=layers, **start)
    rule = {"sector": N // 2, "sign_rule": "marshall"}
    found = GroundState(net, heisenberg(), **rule, method="full", seed=seed)
    found.run(steps=steps, progbar=False)
    state = in_the_sector(found.network)
    return float(found.energy), state, net.num_params, found.history["energy"]


def in_the_sector(net):
    """All amplitudes of a network with as many ones as zeros, as a vector: those of the energy."""
    ones = np.indices((2,) * N).sum(axis=0).ravel()
    return np.where(ones == N // 2, net.to_dense().ravel(), 0)


def matrix_product_state(bond, seed):
    """The state that DMRG finds, row after row."""
    start = qtn.MPS_rand_state(N, bond, seed=seed)
    dmrg = qtn.DMRG2(heisenberg().build_mpo(), bond_dims=[bond], p0=start)
    dmrg.solve(max_sweeps=20, verbosity=0)
    return float(np.real(dmrg.energy)), dmrg.state, sum(t.size for t in start), []


def projected_entangled_pairs(bond, steps, seed):
    """The PEPS that L-BFGS finds, from all its amplitudes: open, as PEPS mostly are."""
    peps = qtn.PEPS.rand(L, L, bond, seed=seed)
    peps /= peps.norm()
    peps.equalize_norms_(1.0)
    tree = peps.contraction_tree(output_inds=peps.site_inds)
    axes = [[SITES.index(site) for site in bond] for bond in BONDS]

    def energy(tn):
        """``S.S = (swap - 1/2) / 2`` on each bond."""
        x = tn.contract(output_inds=peps.site_inds, optimize=tree).data
        swaps = sum((x * x.swapaxes(*pair)).sum() for pair in axes)
        return swaps / (2 * (x**2).sum()) - len(axes) / 4

    optimizer = qtn.TNOptimizer(peps, energy, autodiff_backend="torch", progbar=False)
    found = optimizer.optimize(steps)
    return float(energy(found)), found, sum(t.size for t in peps), optimizer.losses


def describe(name, energy, state, numbers, energies, seconds):
    """One row of the table: sizes, the energy, and entropies of the first sites, row by row."""
    dims = {"dims": [2] * N} if isinstance(state, np.ndarray) else {}
    flat = isinstance(state, np.ndarray | qtn.MatrixProductState)
    sites = range(N) if flat else SITES
    return {
        "state": name,
        "numbers": numbers,
        "energy_per_site": energy / N,
        "entropy_bits": [float(entropy(state, sites[:a], **dims)) for a in CUTS],
        "seconds": seconds,
        "energies": [float(x) / N for x in energies],
    }


def table_rows(steps, seed):
    """All rows of the table, with a line for each on the way."""
    rows = []
    begun = time.perf_counter()
    for found in states(steps, seed):
        rows.append(describe(*found, seconds=time.perf_counter() - begun))
        print(format_row(rows[-1]), flush=True)
        begun = time.perf_counter()
    return rows


def format_row(row):
    """A row as text; entropies of 4 and 8 sites."""
    bits = row["entropy_bits"]
    return (
        f"{row['state']:<14} {row['numbers']:>8} {row['energy_per_site']:>10.5f} "
        f"{bits[3]:>8.3f} {bits[7]:>8.3f} {row['seconds']:>8.1f}"
    )


HEADER = f"{'state':<14} {'numbers':>8} {'energy / N':>10} {'S(4)':>8} {'S(8)':>8} {'seconds':>8}"


def plot(rows, path):
    """Draw errors of the energy against the numbers of each state, and entropies, into a PNG."""
    import_extra("the demo", "plot", "matplotlib").use("Agg")
    plt = import_extra("the demo", "plot", "matplotlib.pyplot")

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.4), layout="constrained")
    best, *others = rows
    colors = {"exact": "k", "ConvAC": "C3", "MPS": "C0", "PEPS": "C2"}
    words = {"exact": "ground state", "ConvAC": "deep network"}
    errors = [100 * (1 - row["energy_per_site"] / best["energy_per_site"]) for row in others]
    for row, error, y in zip(others, errors, 10 ** spread(np.log10(errors), 0.14)):
        color, label = colors[row["state"].split(",")[0]], words.get(row["state"], row["state"])
        left.loglog(row["numbers"], error, "o", color=color)
        left.text(1.15 * row["numbers"], y, label, color=color, va="center", fontsize=11)
    left.set(xlabel="number of parameters", ylabel="energy above the ground state [%]")
    left.set(xlim=(200, 60000), ylim=(None, 20), title="Error of the energy")
    for row in rows:
        kind = row["state"].split(",")[0]
        style = {"exact": {"lw": 5, "alpha": 0.25}}.get(kind, {"marker": "o", "ms": 4})
        right.plot(CUTS, row["entropy_bits"], color=colors[kind], **style)
    ends = spread([row["entropy_bits"][-1] for row in rows], 0.14)
    for row, y in zip(rows, ends):
        color, label = colors[row["state"].split(",")[0]], words.get(row["state"], row["state"])
        right.text(CUTS[-1] + 0.2, y, label, color=color, va="center", fontsize=11)
    right.set(xlabel="sites in the block, row by row", ylabel="entropy of the block [bits]")
    right.set(xticks=list(CUTS), xlim=(0.7, 11.6), ylim=(0, None), title="Entanglement")
    figure.suptitle(
        "Heisenberg antiferromagnet on 4 x 4 sites, periodic: a deep network (ConvAC),\n"
        "matrix product states (MPS) and projected entangled pairs (PEPS)"
    )
    with replacing(path, "wb") as file:
        figure.savefig(file, dpi=130, format="png")
    plt.close(figure)


def spread(heights, least):
    """The heights of labels, moved apart where they would overlap."""
    order = np.argsort(heights)
    placed = np.array(heights, float)
    for low, high in itertools.pairwise(order):
        placed[high] = max(placed[high], placed[low] + least)
    return placed


def main(args=None):
    """Run the demo: print the table, write ``ground_state.json`` and ``ground_state.png``."""
    parser = argparse.ArgumentParser(
        prog="python -m quimb_deepnets demo", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("demo_output"))
    parser.add_argument("--steps", type=int, default=300, help="iterations of L-BFGS")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(args)
    import_extra("the demo", "plot", "matplotlib.pyplot")  # before the work is done
    check_positive_int("steps", options.steps, OptionError)
    make_rng(options.seed)
    files = [writable(options.out / name) for name in ("ground_state.json", "ground_state.png")]

    print("Heisenberg antiferromagnet on the 4 x 4 torus. S(a): entropy in bits of a sites.\n")
    print(HEADER)
    rows = table_rows(options.steps, options.seed)
    found = {"version": __version__, "seed": options.seed, "steps": options.steps, "states": rows}
    written(json.dumps(found, indent=1) + "\n", files[0])
    plot(rows, files[1])
    print(f"\nwrote {files[0]} and {files[1]}")
