"""Value and gradient of sum log |psi| in torch, against the plain forward and backward pass."""

import torch
from common import best_chunk, chunked, configs, medians, plain_forward, report, torch_weights

import quimb_deepnets as qdn

BATCH = 1024
net = qdn.ConvAC.rand(64, 4, 3, 32, boundary="periodic", seed=0)
x = configs(net, BATCH)
weights, readout = torch_weights(net, requires_grad=True)
mine = qdn.ConvAC(64, weights, readout, boundary="periodic")
tx = torch.as_tensor(x)


def ours(count=BATCH):
    value = mine.log_amplitudes(tx[:count])[1].sum()
    return torch.autograd.grad(value, [*weights, readout])


def plain(a, b):
    value = plain_forward(weights, readout, tx[a:b]).sum()
    return torch.autograd.grad(value, [*weights, readout])


for a, b in zip(ours(8), plain(0, 8)):
    assert (a - b).abs().max() < 1e-8 * b.abs().max()
chunk = best_chunk(plain, BATCH)
part = min(BATCH, 8 * chunk)
seconds, rival = medians(ours, lambda: chunked(plain, part, chunk))
ratio = (BATCH / seconds) / (part / rival)
report(
    "value and gradient r=32",
    10,
    30,
    ratio=ratio,
    ours_per_s=BATCH / seconds,
    plain_per_s=part / rival,
    plain_chunk=chunk,
)
