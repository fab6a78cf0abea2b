# %% [markdown]
"""A study of contraction: what re-use costs, and what sharing and collapsing win back.

Cells start at "# %%" (Jupyter, VS Code, Spyder); as a script it draws one picture.
"""

# %% The states: rings, so that every site is copied kernel**depth times
import sys

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

# %% The picture: a column for each kernel, a row for each question, labels at the lines
least_norm = {key: {"log2_width": bits} for (task, key), bits in least.items() if task == "norm"}
panels = (
    ("one amplitude:\nmultiplications [log10]", (
        ("expanded", amplitude, "log10_flops", "o-C0"),
        ("equal branches once", amplitude, "shared_log10_flops", "s-C3"))),
    ("the norm:\nmultiplications [log10]", (
        ("expanded", expanded, "log10_flops", "o-C0"),
        ("collapsed", collapsed, "log10_flops", "^-C3"))),
    ("the norm:\nlargest tensor [log2]", (
        ("expanded", expanded, "log2_width", "o-C0"),
        ("collapsed", collapsed, "log2_width", "^-C3"),
        ("largest step of any path", least_norm, "log2_width", "x:k"))),
)  # fmt: skip
BESIDE = {"xytext": (7, 0), "va": "bottom"}
PLACES = {"expanded": {"xytext": (0, 5), "ha": "center"}, "collapsed": BESIDE | {"va": "top"}}
figure, axes = plt.subplots(3, 3, figsize=(11, 8), sharex=True, sharey="row", layout="constrained")
for row, (question, curves) in zip(axes, panels):
    row[0].set_ylabel(question)
    row[0].margins(y=0.14)
    for ax, K in zip(row, (2, 3, 5)):
        for label, rows, column, style in curves:
            depths = [d for k, d in rows if k == K]
            ys = [rows[K, d][column] for d in depths]
            ax.plot(depths, ys, style, ms=5)
            text = {"color": style[2:], "textcoords": "offset points"} | PLACES.get(label, BESIDE)
            ax.annotate(label * (len(ys) > 1), (depths[-1], ys[-1]), **text)
for ax, K in zip(axes[0], (2, 3, 5)):
    ax.set(title=f"kernel {K}", xlim=(0.6, 12.4), xticks=range(1, 7))
figure.supxlabel("depth")
figure.suptitle("What a ring of 16 sites costs, bond 4")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "width_against_depth.png", dpi=100)

# %% What it shows: what sharing wins back grows with the copies; collapsing meets the bound
print({key: round(row["reuse"], 1) for key, row in amplitude.items()})
assert amplitude[5, 4]["reuse"] > 10 > amplitude[5, 2]["reuse"]
assert all(row["log2_width"] <= least["norm", key] for key, row in collapsed.items())
