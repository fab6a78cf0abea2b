"""Layers of a 16 x 16 torus, depth 4, 32 channels: share of the machine's rate."""

from common import configs, gemm_share, report

import quimb_deepnets as qdn

net = qdn.ConvAC.rand((16, 16), 4, 3, 32, boundary="periodic", seed=0)
x = configs(net, 256)
share = gemm_share(net, x, 256 * net.plan(256).flops)
report("GEMM share 16x16 depth 4 r=32", 0.5, 0.7, ratio=share)
