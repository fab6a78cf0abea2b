"""Which start is for what: how far amplitudes spread, and how entangled they are, by depth.

Deep products of independent weights leave one configuration alone; entangled ones are a state to
study, near-uniform ones a state to train. Draws one picture.
"""

import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import quimb_deepnets as qdn

N, SEEDS, DEPTHS = 12, range(5), (1, 2, 3, 4)
STARTS = {
    "normal": {"dist": "normal"},
    "uniform": {"dist": "uniform"},
    "near uniform": {"dist": "uniform", "loc": 1.0, "scale": 0.05},
    "entangled": {"dist": "entangled"},
}
FAMILIES = {
    f"ConvAC, ring of {N}, K=3, r=4": lambda depth, **start: qdn.ConvAC.rand(
        N, depth, kernel=3, bond_dim=4, boundary="periodic", **start
    ),
    f"RAC, {N} sites, R=4": lambda depth, **start: qdn.RAC.rand(N, depth, bond_dim=4, **start),
}


def spread_and_bits(net):
    """The standard deviation of log|psi|^2 over all configurations, in nats, and bits of a half."""
    configs = np.indices((2,) * N).reshape(N, -1).T
    return np.std(2 * net.log_amplitudes(configs)[1]), net.entropy(N // 2)


def means(make, start):
    """Means over seeds, ``(depths, 2)``."""
    each = lambda seed, depth: make(depth, **start, dtype="complex128", seed=seed)
    return np.mean(
        [[spread_and_bits(each(seed, depth)) for depth in DEPTHS] for seed in SEEDS], axis=0
    )


found = {
    family: {name: means(make, start) for name, start in STARTS.items()}
    for family, make in FAMILIES.items()
}

figure, axes = plt.subplots(2, 2, figsize=(9.5, 6.5), sharex=True, layout="constrained")
for row, (family, starts) in zip(axes, found.items()):
    for n, (name, numbers) in enumerate(starts.items()):
        for ax, ys in zip(row, numbers.T):
            ax.plot(DEPTHS, ys, "os^vD"[n] + "-", color=f"C{n}", label=name)
    row[0].set(yscale="log", ylabel="spread of $\\log|\\psi|^2$ (nats)", title=family)
    row[1].axhline(N // 2, color="grey", ls=":")
    row[1].text(1, N / 2 - 0.1, f"all that {N // 2} sites can have", color="grey", va="top")
    row[1].set(ylabel="entropy (bits)", title=f"entropy of half, {N // 2} sites")
for ax in axes[1]:
    ax.set(xlabel="depth", xticks=DEPTHS)
axes[1, 1].legend(frameon=False, loc="center right")
path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "starts.png")
figure.savefig(path, dpi=110)
print("wrote", path)

for family, starts in found.items():
    for name, numbers in starts.items():
        shown = ", ".join(f"{spread:.2g} nats {bits:.2g} bits" for spread, bits in numbers)
        print(f"{family}, {name}: {shown}")
    assert (starts["entangled"][:, 0] < 2).all() and starts["entangled"][2, 1] > 4
    assert starts["normal"][2, 1] < 1 and (starts["near uniform"][:, 1] < 0.5).all()
