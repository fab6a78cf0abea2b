"""Exact norm of 64 sites, and all density matrices of one site and of neighbours."""

from common import medians, report

import quimb_deepnets as qdn

costs = {}
for boundary in ("ones", "periodic"):
    phi = qdn.ConvAC.rand(64, 3, 3, 4, boundary=boundary, seed=0).collapse()
    tree = phi.make_norm().contraction_tree()
    costs[boundary] = tree.contraction_cost(log=10), tree.contraction_width()
phi = qdn.ConvAC.rand(64, 3, 3, 4, seed=0).collapse()
regions = [*((n,) for n in range(64)), *((n, n + 1) for n in range(63))]
norm, rhos = medians(
    lambda: phi.norm(strip_exponent=True, optimize="greedy"),  # contracted, as the regions are
    lambda: phi.partial_traces_exact(regions),
)
report(
    "norm N=64: log10 flops, open",
    4.9,
    4.8,
    ratio=costs["ones"][0],
    width=costs["ones"][1],
    ring_log10_flops=costs["periodic"][0],
    ring_width=costs["periodic"][1],
    ring_bar=6.0,
    all_density_matrices_over_norm=rhos / norm,
    density_bar=3.0,
    norm_s=norm,
    lower_is_better=True,
)
