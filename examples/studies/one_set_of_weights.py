"""One set of weights, trained on 6 x 6 sites, on 4 x 4 to 12 x 12: beside Monte Carlo, DMRG, RBM.

``python one_set_of_weights.py 110 30 docs 3`` trains for 110 seconds, then for 30 more on each
other lattice, from three seeds, and writes a picture and numbers into docs; without arguments it
shows how, in seconds. Seconds are those that the process computes, so that a busy machine gives
the same numbers; set OMP_NUM_THREADS and NUMBA_NUM_THREADS to 1 for those of one core.
"""

import json
import pathlib
import sys
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn

full = len(sys.argv) > 1
folder = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else ".")
training, further = [float(x) for x in sys.argv[1:3]] or [0.0, 0.0]
seeds = range(int(sys.argv[4]) if len(sys.argv) > 4 else 2)
sizes, samples = ((4, 6, 8, 10, 12), 2**14) if full else ((4, 6), 2**11)

# ---- energies per site that are known: quantum Monte Carlo of Sandvik, Phys. Rev. B 56, 11678; the
# others from the tables of VarBench (Wu et al., Science 386, 296), RBM and Jastrow with N features
MONTE_CARLO = {4: -0.701777, 6: -0.678873, 8: -0.673487, 10: -0.671549, 12: -0.670685}
LABELS = {("RBM", 6): "RBM, Jastrow", ("Jastrow", 10): "RBM, Jastrow,\nDMRG (bond 1024)",
          ("CNN", 6): "CNN", ("RNN", 10): "RNN"}  # fmt: skip
THIN = {"arrowstyle": "-", "lw": 0.5}
OTHERS = {
    ("RBM", 6): -0.66854, ("Jastrow", 6): -0.66974, ("CNN", 6): -0.67882,
    ("RBM", 10): -0.66443, ("Jastrow", 10): -0.66421, ("DMRG, bond 1024", 10): -0.66486,
    ("RNN", 10): -0.67151,
}  # fmt: skip


def draw(lattices, path):
    """Energies of these lattices beside the published ones."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    sizes = sorted(lattices)
    left.plot([L**-3 for L in MONTE_CARLO], MONTE_CARLO.values(), "k-", marker="x", lw=1)
    left.annotate(
        "quantum Monte Carlo", (8**-3, -0.67355), (0.0027, -0.6945), arrowprops=THIN, fontsize=11
    )
    for kind, color, words, place, shift in (
        ("untrained", "C0", "weights of 6 x 6,\nno step elsewhere", (0.0056, -0.6765), -0.12),
        ("further", "C3", f"after {further:.0f} s more\non each lattice", (0.0098, -0.6875), 0.12),
    ):
        held = {L: lattices[L][kind] for L in sizes if kind in lattices[L]}
        E = {L: np.array([x["energy"] for x in found]) for L, found in held.items()}
        above = {L: (x / MONTE_CARLO[L] - 1) * -100 for L, x in E.items()}
        left.text(*place, words, color=color, fontsize=11)
        for L, found in held.items():
            error = np.array([x["error"] for x in found])
            left.errorbar([L**-3] * len(error), E[L], error, fmt="o", color=color, ms=4)
            place = L + shift + 0.1 * (np.arange(len(error)) - (len(error) - 1) / 2)
            right.errorbar(place, above[L], 100 * error / 0.67, fmt="o", color=color, ms=4)
        right.plot([L + shift for L in held], [x.mean() for x in above.values()], color=color)
    for L in sizes:
        x = L**-3 - 1e-4 * (L == 12)
        left.text(x, -0.7055, f"{L} x {L}", ha="center", fontsize=8, rotation=90 * (L > 6))
    for (name, L), E in OTHERS.items():
        above = (E / MONTE_CARLO[L] - 1) * -100
        right.plot(L, above, "ks", ms=4)
        right.annotate(
            LABELS.get((name, L), ""), (L, above), (6, -3), textcoords="offset points", fontsize=9
        )
        left.plot(L**-3, E, "ks", ms=3)
    left.text(0.0013, -0.6643, LABELS["Jastrow", 10].replace("\n", " "), fontsize=9)
    left.text(0.0049, -0.6694, LABELS["RBM", 6], fontsize=9)
    right.text(4.6, 0.0043, "bars: standard errors; below Monte Carlo nothing is shown", fontsize=9)
    right.text(7.2, 0.62, "no step there", color="C0", fontsize=11)
    right.text(12.4, 0.15, "trained there", color="C3", ha="right", fontsize=11)
    left.set(xlabel="$1 / L^3$", ylabel="energy per site [J]", ylim=(-0.707, -0.661))
    left.set(xlim=(0, 0.0168), title=f"{net.num_params} weights, trained on 6 x 6 sites")
    right.set(xlabel="side L of the lattice", yscale="log", xticks=sizes)
    right.set(ylabel="energy above Monte Carlo [%]", xlim=(3.5, 13.2), ylim=(0.0035, 2.5))
    right.set_title(f"{len(seeds)} seeds, and their mean; squares: published")
    figure.suptitle("Heisenberg antiferromagnet on L x L tori, one network for all L")
    figure.savefig(path, dpi=130)


def ground_state(net, seed):
    """The Heisenberg antiferromagnet on the torus of a network."""
    L = net.shape[0]
    H = qu.operator.heisenberg_from_edges(qtn.edges_2d_square(L, L, cyclic=True))
    rule = {"sector": L * L // 2, "sign_rule": "marshall"}
    return qdn.GroundState(net, H, **rule, chains=128, seed=seed)


def trained(gs, seconds):
    """The driver after so many seconds of this process, at least a few steps."""
    begun = []

    def over(gs):
        begun.append(time.process_time())
        return len(begun) > 3 and begun[-1] - begun[0] > seconds

    return gs.run(steps=10**6, callback=over, progbar=False)


def measured(gs):
    """Energy per site and error, from fresh samples."""
    E, N = gs.measure(max_samples=samples)["energy"], gs.network.nsites
    print(f"{gs.network.shape}: {E / N:.5f} +- {E.error / N:.5f}, R-hat {E.rhat:.3f}", flush=True)
    return {"energy": E / N, "error": E.error / N, "vscore": E.vscore, "rhat": E.rhat,
            "acceptance": E.acceptance, "samples": E.samples}  # fmt: skip


# ---- for each seed: train once, then the same weights elsewhere, as they are and after some steps
layers = [qdn.GCLayer(4, 16), qdn.GCLayer(2, 2)]
start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05}
found = {L: {"untrained": []} | ({"further": []} if L != 6 else {}) for L in sizes}
for seed in seeds:
    net = qdn.ConvAC.rand((6, 6), layers=layers, **start, seed=seed)
    net = trained(ground_state(net, seed), training).network
    for L in sizes:
        gs = ground_state(net.resize((L, L)), seed)
        found[L]["untrained"].append(measured(gs))
        if L != 6:
            found[L]["further"].append(measured(trained(gs, further)))
print(f"{net.num_params} weights")
record = {
    "network": repr(net),
    "seeds": list(seeds),
    "training_seconds": training,
    "further_seconds": further,
    "lattices": found,
    "published": {"Monte Carlo": MONTE_CARLO} | {f"{k} {L}": x for (k, L), x in OTHERS.items()},
}
draw(found, folder / "one_set_of_weights.png")
(folder / "one_set_of_weights.json").write_text(json.dumps(record, indent=1) + "\n")
for held in found.values():
    for before, after in zip(held["untrained"], held.get("further", [])):
        assert after["energy"] < before["energy"]
