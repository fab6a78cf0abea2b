"""Proposals of Markov chains on a ring, windows of 7 sites and 8 channels, against amplitudes.

The rival evaluates one row of log_amplitudes for each proposal.
"""

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

CHAINS, SWEEPS = 128, 4
net = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", dist="uniform", loc=1, scale=0.05, seed=0)
x = configs(net, 4096)
chains = {"state": net, "chains": CHAINS, "moves": ("flip",), "levels": 1, "seed": 0}
sampler = qdn.Metropolis(**chains)
sampler.sweep(10)
logabs = net.log_amplitudes(sampler.configs)[1]
assert np.abs(sampler.log_amplitudes[1] - logabs).max() < 1e-9
ev = net.evaluator(len(x))
batched = qdn.Metropolis(**chains | {"state": net.log_amplitudes, "shape": 64})
mine, rows, steps = medians(
    lambda: sampler.sweep(SWEEPS), lambda: ev.log_amplitudes(x), lambda: batched.sweep(steps=8)
)
proposals = CHAINS * SWEEPS * 64 / mine
report(
    "Metropolis N=64 depth 4 r=8",
    5,
    20,
    ratio=proposals * rows / len(x),
    proposals_per_s=proposals,
    rows_per_s=len(x) / rows,
    over_steps_in_batches=proposals * steps / (8 * CHAINS),
    acceptance=sampler.acceptance,
)
