# %% [markdown]
"""A study of contraction: what re-use costs, and what sharing and collapsing win back.

Cells start at "# %%" (Jupyter, VS Code, Spyder); as a script it draws one picture.
"""

# %% The states: rings, so that every site is copied kernel**depth times
import sys

import matplotlib.pyplot as plt

import quimb_deepnets as qdn

sizes = [(K, depth) for K, deepest in ((2, 6), (3, 5), (5, 4)) for depth in range(1, deepest + 1)]
ring = {"bond_dim": 4, "boundary": "periodic", "seed": 0}
nets = {(K, depth): qdn.ConvAC.rand(16, depth, K, **ring) for K, depth in sizes}

# %% One amplitude: branch by branch, and with equal branches contracted once
how = {"optimize": ("branches", "greedy"), "shared": True}
reports = {key: qdn.path_report(net, **how) for key, net in nets.items()}
amplitude = {key: report.rows[0] for key, report in reports.items()}

# %% The norm: the expanded network as far as it goes, and the collapsed one
small = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (5, 1)]
expanded = {key: qdn.path_report(nets[key], "norm").best for key in small}
collapsed = {key: qdn.path_report(net, "norm", "collapsed").best for key, net in nets.items()}
print(reports[3, 5], qdn.path_report(nets[3, 3], "norm", "collapsed"), sep="\n\n", end="\n\n")

# %% What no path can do without: its largest step, from the treewidth of the graph of indices
least = {
    (task, key): qdn.theory.treewidth_bits(net.geometry, task, form)
    for task, form in (("amplitude", "expanded"), ("norm", "collapsed"))
    for key, net in nets.items()
}

# %% The picture: a column for each kernel, a row for each question, labels at the lines
least_norm = {key: {"log2_width": bits} for (task, key), bits in least.items() if task == "norm"}
COPIES, WINDOWS, LEAST = (
    "every copy",
    "a tensor\nfor each window",
    "largest step that\nno order avoids",
)
panels = (
    ("multiplications\nfor one amplitude", 10, 6e5, (
        (COPIES, amplitude, "log10_flops", "o-C0"),
        ("equal branches\nonce", amplitude, "shared_log10_flops", "s-C3"))),
    ("multiplications\nfor the norm", 10, 1e8, (
        (COPIES, expanded, "log10_flops", "o-C0"),
        (WINDOWS, collapsed, "log10_flops", "^-C2"))),
    ("entries of the largest\ntensor for the norm", 2, 2.0**23, (
        (COPIES, expanded, "log2_width", "o-C0"),
        (WINDOWS, collapsed, "log2_width", "^-C2"),
        (LEAST, least_norm, "log2_width", "x:k"))),
)  # fmt: skip
PLACES = {COPIES: (0, 6, "center", "bottom"), LEAST: (7, 4, "left", "bottom")}
sharing = {"sharex": True, "sharey": "row", "layout": "constrained"}
figure, axes = plt.subplots(3, 3, figsize=(9.5, 8.4), **sharing)
for row, (question, base, top, curves) in zip(axes, panels):
    row[0].set_yscale("log", base=base)
    for ax, K in zip(row, (2, 3, 5)):
        for label, rows, column, style in curves:
            depths = [d for k, d in rows if k == K]
            ys = [float(base) ** rows[K, d][column] for d in depths]
            ax.plot(depths, ys, style, ms=5)
            x, y, ha, va = PLACES.get(label, (7, 0, "left", "top"))
            text = {"color": style[2:], "textcoords": "offset points", "ha": ha, "va": va}
            ax.annotate(label * (len(ys) > 2), (depths[-1], ys[-1]), (x, y), **text)
    row[0].set(ylabel=question, ylim=(None, top))
for ax, K in zip(axes[0], (2, 3, 5)):
    ax.set(title=f"each layer reads {K} neighbours", xlim=(0.6, 12.4), xticks=range(1, 7))
figure.supxlabel("number of layers")
title = "A deep network (ConvAC) of 4 channels on a ring of 16 sites, as a tensor network:\n"
figure.suptitle(title + "with a copy of a branch wherever it is read, or with equal parts merged")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "width_against_depth.png", dpi=110)

# %% What it shows: what sharing wins back grows with the copies; collapsing meets the bound
print({key: round(row["reuse"], 1) for key, row in amplitude.items()})
assert amplitude[5, 4]["reuse"] > 10 > amplitude[5, 2]["reuse"]
assert all(row["log2_width"] <= least["norm", key] for key, row in collapsed.items())
