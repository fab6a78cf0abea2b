"""A contraction path from geometry alone, against building the tensor network in quimb first."""

from common import medians, report

import quimb_deepnets as qdn
from quimb_deepnets.paths import branch_tree, hypergraph, shared_flops

net = qdn.ConvAC.rand(16, 4, 3, 8, boundary="periodic", seed=0)


def built():
    """What one does without: 1921 tensors, then all sites fixed."""
    psi = net.to_tensor_network()
    return psi.isel(dict.fromkeys(psi.site_inds, 0)).contraction_tree("greedy")


described = lambda: hypergraph(net).search("greedy")
assert abs(described().contraction_cost(log=10) - built().contraction_cost(log=10)) < 0.1
mine, theirs = medians(described, built)
graph = hypergraph(net)
(large,) = medians(
    lambda: hypergraph(qdn.ConvAC.rand(32, 7, 3, 4, boundary="periodic", seed=0)).search("greedy"),
    repeats=1,
)
report(
    "greedy path of 1921 tensors",
    1,
    2,
    ratio=theirs / mine,
    ours_s=mine,
    built_s=theirs,
    tensors_104929_s=large,
    bar_104929_s=60,
    reuse=branch_tree(graph).contraction_cost() / shared_flops(graph, branch_tree(graph)),
)
