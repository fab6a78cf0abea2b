"""One set of weights, trained on 6 x 6 sites, on 4 x 4 to 12 x 12: beside Monte Carlo, DMRG, RBM.

``python one_set_of_weights.py 110 30 docs`` trains for 110 seconds, then for 30 more on each other
lattice, and writes a picture and numbers into docs; without arguments it shows how, in seconds.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn

full = len(sys.argv) > 1
folder = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else ".")
times = [{"seconds": float(x)} for x in sys.argv[1:3]] or [{"steps": 10}, {"steps": 3}]
training, further = times
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
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.8), layout="constrained")
    sizes = sorted(lattices)
    left.plot([L**-3 for L in MONTE_CARLO], MONTE_CARLO.values(), "k-", marker="x", lw=1)
    left.annotate("quantum Monte Carlo", (8**-3, -0.67355), (0.0045, -0.6915), arrowprops=THIN)
    for kind, color, words, place in (
        ("untrained", "C0", "the weights of 6 x 6,\nuntrained elsewhere", (0.0056, -0.677)),
        ("further", "C3", "after half a minute\non each lattice", (0.0098, -0.6875)),
    ):
        held = {L: lattices[L][kind] for L in sizes if kind in lattices[L]}
        E, error = ([x[name] for x in held.values()] for name in ("energy", "error"))
        left.errorbar([L**-3 for L in held], E, error, fmt="o", color=color, ms=5, capsize=3)
        left.text(*place, words, color=color)
        above = [(E[n] / MONTE_CARLO[L] - 1) * -100 for n, L in enumerate(held)]
        error = [100 * x / 0.67 for x in error]
        right.errorbar(list(held), above, error, fmt="o-", color=color, ms=5, capsize=3)
    for L in sizes:
        left.text(L**-3, -0.7055, f"{L} x {L}", ha="center", fontsize=8, rotation=90 * (L > 6))
    for (name, L), E in OTHERS.items():
        above = (E / MONTE_CARLO[L] - 1) * -100
        right.plot(L, above, "ks", ms=4)
        right.annotate(
            LABELS.get((name, L), ""), (L, above), (6, -3), textcoords="offset points", fontsize=8
        )
        left.plot(L**-3, E, "ks", ms=3)
    left.text(0.0013, -0.6643, LABELS["Jastrow", 10].replace("\n", " "), fontsize=8)
    left.text(0.0049, -0.6694, LABELS["RBM", 6], fontsize=8)
    worst = max(x["rhat"] for held in lattices.values() for x in held.values())
    right.text(
        3.7,
        0.0045,
        f"error bars: one standard error; R-hat of energies at most {worst:.3f}",
        fontsize=8,
    )
    right.text(12.4, 0.5, "untrained", color="C0", ha="right")
    right.text(12.2, 0.2, "trained there", color="C3", ha="right")
    left.set(xlabel="1 / L^3", ylabel="energy per site", ylim=(-0.707, -0.661), xlim=(0, 0.0165))
    left.set_title(f"One network of {net.num_params} numbers, trained on 6 x 6 sites only")
    right.set(xlabel="L", ylabel="energy above quantum Monte Carlo [%]", yscale="log")
    right.set(xticks=sizes, xlim=(3.5, 12.7), ylim=(0.0035, 2.5))
    right.set_title("How far above: squares are published")
    figure.suptitle("Heisenberg antiferromagnet on L x L tori")
    figure.savefig(path, dpi=130)


def ground_state(net):
    """The Heisenberg antiferromagnet on the torus of a network."""
    L = net.shape[0]
    H = qu.operator.heisenberg_from_edges(qtn.edges_2d_square(L, L, cyclic=True))
    rule = {"sector": L * L // 2, "sign_rule": "marshall"}
    return qdn.GroundState(net, H, **rule, chains=128, seed=0)


def measured(gs):
    """Energy per site and error, from fresh samples."""
    E, N = gs.measure(max_samples=samples)["energy"], gs.network.nsites
    print(f"{gs.network.shape}: {E / N:.5f} +- {E.error / N:.5f}, R-hat {E.rhat:.3f}", flush=True)
    return {"energy": E / N, "error": E.error / N, "vscore": E.vscore, "rhat": E.rhat,
            "acceptance": E.acceptance, "samples": E.samples}  # fmt: skip


# ---- train once
layers = [qdn.GCLayer(4, 16), qdn.GCLayer(2, 2)]
start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05, "seed": 0}
trained = ground_state(qdn.ConvAC.rand((6, 6), layers=layers, **start))
net = trained.run(**training, progbar=False).network

# ---- the same weights elsewhere, as they are and after some steps there
found = {}
for L in sizes:
    gs = ground_state(net.resize((L, L)))
    found[L] = {"untrained": measured(gs)}
    if L != 6:
        found[L]["further"] = measured(gs.run(**further, progbar=False))
print(f"{net.num_params} weights")
record = {
    "network": repr(net),
    "training": training,
    "further": further,
    "lattices": found,
    "published": {"Monte Carlo": MONTE_CARLO} | {f"{k} {L}": x for (k, L), x in OTHERS.items()},
}
draw(found, folder / "one_set_of_weights.png")
(folder / "one_set_of_weights.json").write_text(json.dumps(record, indent=1) + "\n")
assert all(x["energy"] < -0.64 for held in found.values() for x in held.values())
