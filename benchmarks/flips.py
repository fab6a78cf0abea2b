"""Single-flip ratios of 256 sites, against N + 1 separate amplitudes."""

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

net = qdn.ConvAC.rand(256, 3, 3, 8, boundary="periodic", seed=0)
x = configs(net, 64)
one = x[0]
flipped = np.repeat(one[None], 257, axis=0)
flipped[np.arange(1, 257), np.arange(256)] ^= 1
phase, logabs = net.log_amplitudes(flipped)
exact = phase[1:] / phase[0] * np.exp(logabs[1:] - logabs[0])
ratios = net.flip_ratios(x[:1])[0, np.arange(256), 1 - one]
assert np.abs(ratios / exact - 1).max() < 1e-9
mine, batch, single = medians(
    lambda: net.flip_ratios(x),
    lambda: net.log_amplitudes(np.concatenate([flipped] * 4)),
    lambda: net.log_amplitudes(x[:1]),
)
report(
    "flip_ratios N=256",
    10,
    "N/w = 51",
    ratio=257 * single / (mine / 64),
    over_one_batch_of_amplitudes=(batch / 4) / (mine / 64),
    ours_per_s=64 / mine,
)
