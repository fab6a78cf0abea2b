"""The dense state of 20 sites, against the plain forward pass of all 2**20 configurations."""

import torch
from common import best_chunk, chunked, configs, medians, plain_forward, report, torch_weights

import quimb_deepnets as qdn

net = qdn.ConvAC.rand(20, 3, 3, 8, boundary="periodic", seed=0)
weights, readout = torch_weights(net)
tx = torch.as_tensor(configs(net, 2048))
forward = lambda a, b: plain_forward(weights, readout, tx[a:b])
chunk = best_chunk(forward, 2048)
mine, part = medians(net.to_dense, lambda: chunked(forward, 2048, chunk))
plain = part * 2**20 / 2048
report("dense state N=20", 25, 100, ratio=plain / mine, ours_s=mine, plain_s=plain)
