"""Ratios of all exchanges of neighbours on 10 x 10, per second, beside the flips."""

from functools import partial

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

BATCH, SIZE = 128, 10


def exchanges():
    """The masks of all pairs of neighbours of an open lattice."""
    sites = [(i, j) for i in range(SIZE) for j in range(SIZE)]
    for i, j in sites:
        for other in ((i + 1, j), (i, j + 1)):
            if max(other) < SIZE:
                mask = np.zeros((SIZE, SIZE), int)
                mask[i, j] = mask[other] = 1
                yield mask


masks = np.array(list(exchanges()))
assert len(masks) == 180
rates, flips = {}, {}
for bond_dim in (2, 4, 8, 16, 32):
    net = qdn.ConvAC.rand((SIZE, SIZE), 2, 3, bond_dim, loc=1.0, scale=0.1, seed=0)
    x, ev = configs(net, BATCH), net.evaluator(BATCH)
    moved = x[0] ^ masks
    exact = net.log_amplitudes(moved)[1] - net.log_amplitudes(x[:1])[1]
    assert np.abs(np.log(np.abs(ev.ratios(x[:1], masks)[0])) - exact).max() < 1e-8
    pairs, single = medians(*(partial(ev.ratios, x, masks), partial(ev.flip_ratios, x)))
    rates[bond_dim] = BATCH * len(masks) / pairs
    flips[bond_dim] = BATCH * net.nsites / single
report(
    "pair ratios 10 x 10, millions a second, slowest of r",
    1,
    5,
    ratio=min(rates.values()) / 1e6,
    **{f"pairs_r{r}_per_s": rate for r, rate in rates.items()},
    **{f"flips_r{r}_per_s": rate for r, rate in flips.items()},
)
