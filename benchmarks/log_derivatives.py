"""Per-sample derivatives, against vmap(grad) of plain forward passes, with and without rescales."""

import functools
import warnings

import numpy as np
import torch
from common import best_chunk, configs, medians, plain_forward, report, torch_weights
from torch.func import grad, vmap

import quimb_deepnets as qdn

warnings.filterwarnings("ignore", message=".*batching rule.*")
BATCH = 1024
# weights of means of one, so that not even the bare pass overflows
net = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", dist="uniform", loc=1.0, scale=0.1, seed=0)
weights = [w / (w.shape[-1] if l else 1) for l, w in enumerate(net.weights)]
net = qdn.ConvAC(64, weights, net.readout, boundary="periodic")


def bare_forward(weights, readout, x):
    """log |psi| of a ring without any rescale: the fastest that one writes."""
    y = torch.eye(2, dtype=readout.dtype)[x]
    for w in weights:
        factors = [y.roll(len(w) // 2 - k, 1) @ w[k].T for k in range(len(w))]
        y = functools.reduce(torch.mul, factors)
    return (y.prod(1) @ readout).abs().log()


def per_sample(forward, params, x):
    """The derivatives of a forward pass, for configurations ``a`` to ``b``."""
    single = lambda params, s: forward(params[0], params[1], s[None])[0]
    return lambda a, b: vmap(grad(single), in_dims=(None, 0))(params, x[a:b])


x = configs(net, BATCH)
tx, found = torch.as_tensor(x), net.log_derivatives(x[:8])
ev, chunks = net.evaluator(BATCH), []
calls, parts = [lambda: net.log_derivatives(x), lambda: ev.log_derivatives(x)], [BATCH, BATCH]
for forward in (bare_forward, plain_forward):
    rival = per_sample(forward, torch_weights(net), tx)
    per_layer, last = rival(0, 8)
    theirs = torch.cat([*(w.flatten(1) for w in per_layer), last], 1).numpy()
    assert np.abs(found - theirs).max() < 1e-8 * np.abs(theirs).max()
    chunk = best_chunk(rival, BATCH, (16, 64, 256, 1024))
    part = max(chunk, 256)
    calls.append(lambda f=rival, n=part, c=chunk: [f(a, a + c) for a in range(0, n, c)])
    parts.append(part)
    chunks.append(chunk)
ours, prepared, bare, plain = (n / seconds for n, seconds in zip(parts, medians(*calls)))
report(
    "log_derivatives r=8",
    12,
    30,
    ratio=ours / max(bare, plain),
    ours_per_s=ours,
    evaluator_per_s=prepared,
    evaluator_ratio=prepared / max(bare, plain),
    bare_per_s=bare,
    bare_chunk=chunks[0],
    rescaled_per_s=plain,
    rescaled_chunk=chunks[1],
)
