"""Energy and gradient of Heisenberg rings: transfer matrices against contracted windows."""

import numpy as np
import quimb as qu
import quimb.tensor as qtn
import torch
from common import medians, report

import quimb_deepnets as qdn
from quimb_deepnets.exact.transfer_energy import TransferEnergy, energy_and_gradient
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.windows import WindowSums
from quimb_deepnets.tensors.collapsed import window_tensors


def contracted(sums, products, net):
    """Energy and gradient by the contractions of `WindowSums`, along the paths found before."""
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in net.params.items()}
    followed = net.from_params(net.geometry, leaves)
    sums.arrays = [t.data for t in window_tensors(followed, 2**32)[0]]
    energy = sums.mean(products)
    parts = torch.autograd.grad(energy, list(leaves.values()))
    return float(energy.detach()), np.concatenate([part.numpy().reshape(-1) for part in parts])


def row(N, repeats):
    """Seconds by transfer matrices and by contraction, window 6, and how far they differ."""
    options = {"boundary": "periodic", "loc": 1.0, "scale": 0.1, "seed": 0}
    net = qdn.ConvAC.rand(N, 2, 6, 4, **options)
    H = qu.operator.heisenberg_from_edges(qtn.edges_1d_chain(N, cyclic=True))
    terms = FlipMasks(H, net.sites, 2, "marshall")._terms
    prepared, sums = TransferEnergy(net.geometry, terms), WindowSums(net)
    products = sums.products(terms)
    mine = lambda: energy_and_gradient(prepared, net)
    theirs = lambda: contracted(sums, products, net)
    (e, g), (f, h) = mine(), theirs()
    assert abs(e - f) < 1e-10 and np.abs(g - h).max() < 1e-10
    return medians(mine, theirs, repeats=repeats)


short, long = row(32, 7), row(200, 3)
report(
    "energy and gradient, ring of 32, window 6: transfer over contraction",
    5.0,
    20.0,
    ratio=short[1] / short[0],
    ratio_at_200=long[1] / long[0],
    bar_at_200=20.0,
    transfer_32_s=short[0],
    transfer_200_s=long[0],
)
