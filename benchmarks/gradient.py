"""Value and gradient of sum log |psi| in torch, against plain forward and backward passes."""

import torch
from common import PLAIN, best_chunk, chunked, configs, even_network, medians, report, torch_weights

import quimb_deepnets as qdn

BATCH = 1024
net = even_network(64, 4, 3, 32)
x = configs(net, BATCH)
weights, readout = torch_weights(net, requires_grad=True)
mine = qdn.ConvAC(64, weights, readout, boundary="periodic")
tx = torch.as_tensor(x)


def ours(count=BATCH):
    value = mine.log_amplitudes(tx[:count])[1].sum()
    return torch.autograd.grad(value, [*weights, readout])


calls, parts, chunks = [ours], [], {}
for name, forward in PLAIN.items():

    def plain(a, b, forward=forward):
        value = forward(weights, readout, tx[a:b]).sum()
        return torch.autograd.grad(value, [*weights, readout])

    for a, b in zip(ours(8), plain(0, 8)):
        assert (a - b).abs().max() < 1e-8 * b.abs().max()
    chunks[f"{name}_chunk"] = chunk = best_chunk(plain, BATCH)
    parts.append(min(BATCH, 8 * chunk))
    calls.append(lambda f=plain, n=parts[-1], c=chunk: chunked(f, n, c))
seconds, *rivals = medians(*calls)
rates = {f"{name}_per_s": n / t for name, n, t in zip(PLAIN, parts, rivals)}
ratio = BATCH / seconds / max(rates.values())
report(
    "value and gradient r=32", 60, 150, ratio=ratio, ours_per_s=BATCH / seconds, **rates, **chunks
)
