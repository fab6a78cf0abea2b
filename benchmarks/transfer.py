"""Energy and gradient of Heisenberg rings: transfer matrices against contracted windows."""

import numpy as np
import quimb as qu
import quimb.operator
import quimb.tensor as qtn
from common import medians, report

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.exact_energy import RingEnergy
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.window_energy import WindowEnergy


def row(N, repeats):
    """Seconds by transfer matrices and by contraction, window 6, and how far they differ."""
    options = {"boundary": "periodic", "loc": 1.0, "scale": 0.1, "seed": 0}
    net = qdn.ConvAC.rand(N, 2, 6, 4, **options)
    H = qu.operator.heisenberg_from_edges(qtn.edges_1d_chain(N, cyclic=True))
    masks = FlipMasks(H, net.sites, 2, "marshall")
    squared, contracted = RingEnergy(net, masks), WindowEnergy(net, masks)
    mine, theirs = lambda: squared(net.vector), lambda: contracted(net.vector)
    one, two = mine(), theirs()
    assert abs(one.energy - two.energy) < 1e-10 * max(1, N / 200)
    assert np.abs(one.gradient - two.gradient).max() < 1e-10 * max(1, N / 200)  # sums over sites
    return medians(mine, theirs, repeats=repeats)


short, long, longest = row(32, 7), row(200, 7), row(1000, 7)
report(
    "energy and gradient, ring of 32, window 6: transfer beside contraction with shared parts",
    5.0,
    20.0,
    ratio=short[1] / short[0],
    ratio_at_200=long[1] / long[0],
    ratio_at_1000=longest[1] / longest[0],
    transfer_32_s=short[0],
    transfer_200_s=long[0],
    transfer_1000_s=longest[0],
)
