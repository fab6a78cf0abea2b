"""Steps of a depth-2 RAC, R=32: share of the machine's rate."""

from common import configs, gemm_rate, medians, report

import quimb_deepnets as qdn

net = qdn.RAC.rand(64, depth=2, bond_dim=32, seed=0)
x = configs(net, 1024)
flops = 1024 * 64 * 3 * 2 * 32**2  # WH of both layers and WI of the second; the first is a look-up
(seconds,) = medians(lambda: net.log_amplitudes(x))
report("GEMM share RAC depth 2 R=32", 0.5, 0.7, ratio=flops / seconds / gemm_rate())
