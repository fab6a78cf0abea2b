# %% [markdown]
"""A study of contraction: what re-use costs, and what sharing and collapsing win back.

Cells start at "# %%" (Jupyter, VS Code, Spyder); as a script it draws one picture.
"""

# %% The states: rings, so that every site is copied kernel**depth times
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import quimb_deepnets as qdn

nets = {
    (K, depth): qdn.ConvAC.rand(16, depth, K, bond_dim=4, boundary="periodic", seed=0)
    for K, deepest in {2: 6, 3: 5, 5: 4}.items()
    for depth in range(1, deepest + 1)
}

# %% One amplitude: branch by branch, and with equal branches contracted once
reports = {
    key: qdn.path_report(net, optimize=("branches", "greedy"), shared=True)
    for key, net in nets.items()
}
print(reports[3, 5], end="\n\n")
amplitude = {key: report.rows[0] for key, report in reports.items()}

# %% The norm: the expanded network as far as it goes, and the collapsed one
small = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (5, 1)]
expanded = {key: qdn.path_report(nets[key], "norm").best for key in small}
collapsed = {key: qdn.path_report(net, "norm", "collapsed").best for key, net in nets.items()}
print(qdn.path_report(nets[3, 3], "norm", "collapsed"), end="\n\n")

# %% What no path can do without: its largest step, from the treewidth of the graph of indices
least = {
    (task, key): qdn.theory.treewidth_bits(net.geometry, task, form)
    for task, form in (("amplitude", "expanded"), ("norm", "collapsed"))
    for key, net in nets.items()
}

# %% The pictures
curves = {
    "amplitude, expanded": (amplitude, "log10_flops", "o-"),
    "amplitude, shared": (amplitude, "shared_log10_flops", "s--"),
    "norm, expanded": (expanded, "log10_flops", "o-"),
    "norm, collapsed": (collapsed, "log10_flops", "^--"),
}
figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True, layout="constrained")
for n, K in enumerate((2, 3, 5)):
    for label, (rows, flops, style) in curves.items():
        keys = [key for key in rows if key[0] == K]
        for ax, column in zip(axes[int(label.startswith("norm"))], ("log2_width", flops)):
            ys = [rows[key][column] for key in keys]
            ax.plot([d for _, d in keys], ys, style, color=f"C{n}", label=f"K={K}, {label}")
    for ax, task in zip(axes[:, 0], ("amplitude", "norm")):
        points = {d: bits for (name, (k, d)), bits in least.items() if (name, k) == (task, K)}
        ax.plot(
            *zip(*points.items()), "x:", color=f"C{n}", label=f"K={K}, largest step of any path"
        )
for ax in axes.flat:
    ax.legend(fontsize=7)
for (left, right), task in zip(axes, ("amplitude", "norm")):
    left.set(ylabel=f"{task}: width [log2]", xlabel="depth")
    right.set(ylabel=f"{task}: multiplications [log10]", xlabel="depth")
path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "width_against_depth.png")
figure.savefig(path, dpi=100)
print("wrote", path)

# %% What it shows: what sharing wins back grows with the copies; collapsing meets the bound
print({key: round(row["reuse"], 1) for key, row in amplitude.items()})
assert amplitude[5, 4]["reuse"] > 10 > amplitude[5, 2]["reuse"]
assert all(row["log2_width"] <= least["norm", key] for key, row in collapsed.items())
