"""Draw Figs. 1(e), 2(e) and 3 of arXiv:1803.09780 from the networks themselves."""

import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import quimb.tensor as qtn

import quimb_deepnets as qdn

# Fig. 1(e): 4 sites, two layers of kernel 3; what is missing at the edges stands in the row below
tree = qdn.RecursiveTree.rand(4, depth=2, kernel=3, bond_dim=2, nodes="dense", seed=0)

# Fig. 2(e): 3 sites, two layers; below each step of the upper chain a copy of the lower one
rmps = qdn.RecursiveMPS.rand(3, depth=2, bond_dim=2, nodes="dense", seed=0)

# Fig. 3: an order-9 tensor with legs 1 1 2 2 2 3 3 4 4, and a delta for each of the four
legs = list("abcdefghi")
a = qtn.rand_tensor((2,) * 9, legs, tags="A", seed=0)
groups = {"s1": legs[:2], "s2": legs[2:5], "s3": legs[5:7], "s4": legs[7:]}
duplicated = qdn.dup(a, groups, mode="copy")

figure = plt.figure(figsize=(12, 8.5), layout="constrained")
figure.suptitle(
    "READOUT, LAYER: weights. ONES: padding at the edges. DELTA: joins all copies of a site k."
)
top, left, right = (figure.add_subplot(2, 2, i) for i in ((1, 2), 3, 4))
tree.draw(ax=top, title="Fig. 1(e): 4 sites, two convolutional layers, as a tree with copies")
rmps.draw(ax=left, title="Fig. 2(e): 3 sites, two recurrent layers", legend=False)
(a_tid,) = duplicated.tag_map["A"]
fix = {a_tid: (1.5, 2.0)}
for n, (leg, tid) in enumerate(zip(groups, duplicated.tag_map["DELTA"])):
    fix[tid], fix[leg] = (n, 1.0), (n, 0.3)
duplicated.draw(
    ["A", "DELTA"],
    ax=right,
    fix=fix,
    title="Fig. 3: legs of a tensor, joined in groups",
    legend=False,
    show_tags=False,
    node_shape={"DELTA": "s"},
    multi_edge_spread=0.04,
)

path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "figures.png")
figure.savefig(path, dpi=110)
print("wrote", path)

# the pictures are of the right things: rows are layers, deltas lie below, sites at the bottom
positions = tree.draw(get="pos")
height = {tag: [positions[t][1] for t in tree.tag_map[tag]] for tag in ("LAYER2", "DELTA")}
assert max(height["DELTA"]) < min(height["LAYER2"])
assert duplicated.num_tensors == 1 + 4
