"""Per-sample derivatives, against vmap(grad) of the plain forward pass."""

import warnings

import numpy as np
import torch
from common import best_chunk, configs, medians, plain_forward, report, torch_weights
from torch.func import grad, vmap

import quimb_deepnets as qdn

warnings.filterwarnings("ignore", message=".*batching rule.*")
BATCH = 1024
net = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", seed=0)
x = configs(net, BATCH)
weights, readout = torch_weights(net)
tx = torch.as_tensor(x)
single = lambda params, s: plain_forward(params[0], params[1], s[None])[0]
rival = lambda a, b: vmap(grad(single), in_dims=(None, 0))((weights, readout), tx[a:b])
found = net.log_derivatives(x[:8])
per_layer, last = rival(0, 8)
theirs = torch.cat([*(w.flatten(1) for w in per_layer), last], 1).numpy()
assert np.abs(found - theirs).max() < 1e-8 * np.abs(theirs).max()
chunk = best_chunk(rival, BATCH, (16, 64, 256, 1024))
part = max(chunk, 256)
mine, other = medians(
    lambda: net.log_derivatives(x), lambda: [rival(a, a + chunk) for a in range(0, part, chunk)]
)
ratio = (BATCH / mine) / (part / other)
report(
    "log_derivatives r=8",
    5,
    20,
    ratio=ratio,
    ours_per_s=BATCH / mine,
    plain_per_s=part / other,
    plain_chunk=chunk,
)
