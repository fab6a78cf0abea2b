"""Steps of a depth-2 RAC, R=32: share of the machine's rate."""

from common import configs, gemm_share, report

import quimb_deepnets as qdn

net = qdn.RAC.rand(64, depth=2, bond_dim=32, seed=0)
x = configs(net, 1024)
# WH of both layers and WI of the second; the first input layer is a look-up
share = gemm_share(net, x, 1024 * net.plan(1024).flops)
report("GEMM share RAC depth 2 R=32", 0.55, 0.7, ratio=share)
