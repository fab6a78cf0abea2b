"""Per-sample derivatives, against vmap(grad) of plain forward passes, with and without rescales."""

import warnings

import numpy as np
import torch
from common import PLAIN, best_chunk, configs, even_network, medians, report, torch_weights
from torch.func import grad, vmap

warnings.filterwarnings("ignore", message=".*batching rule.*")
BATCH = 1024
net = even_network(64, 4, 3, 8)


def per_sample(forward, params, x):
    """The derivatives of a forward pass, for configurations ``a`` to ``b``."""
    single = lambda params, s: forward(params[0], params[1], s[None])[0]
    return lambda a, b: vmap(grad(single), in_dims=(None, 0))(params, x[a:b])


x = configs(net, BATCH)
tx, found = torch.as_tensor(x), net.log_derivatives(x[:8])
ev, chunks = net.evaluator(BATCH), []
calls, parts = [lambda: net.log_derivatives(x), lambda: ev.log_derivatives(x)], [BATCH, BATCH]
for forward in PLAIN.values():
    rival = per_sample(forward, torch_weights(net), tx)
    per_layer, last = rival(0, 8)
    theirs = torch.cat([*(w.flatten(1) for w in per_layer), last], 1).numpy()
    assert np.abs(found - theirs).max() < 1e-8 * np.abs(theirs).max()
    chunk = best_chunk(rival, BATCH, (16, 64, 128, 256, 512, 1024))
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
