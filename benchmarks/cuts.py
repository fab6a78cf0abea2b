"""Half of a lattice and of a PEPS across their smallest cut, plan and search included."""

import math

import numpy as np
import quimb.tensor as qtn
from common import medians, report

import quimb_deepnets as qdn

small = qdn.ConvAC.rand((4, 4), depth=2, kernel=2, bond_dim=3, dist="uniform", seed=0)
scattered = [(0, 1), (1, 3), (2, 0), (3, 2), (3, 3)]
assert abs(small.entropy(scattered, method="cut") - small.entropy(scattered, method="dense")) < 1e-9
lattice = qdn.ConvAC.rand((6, 6), depth=2, kernel=2, bond_dim=3, dist="uniform", seed=0)
large = qdn.ConvAC.rand((8, 8), depth=2, kernel=2, bond_dim=4, dist="uniform", seed=0)
huge = qdn.ConvAC.rand((10, 10), depth=2, kernel=2, bond_dim=3, dist="uniform", seed=0)
peps = qtn.PEPS.rand(6, 6, 3, seed=4)
corner = [(i, j) for i in range(3) for j in range(3)]
found = medians(
    lambda: lattice.entropy(18),
    lambda: large.entropy(32),
    lambda: huge.entropy(corner),
    lambda: huge.entropy([(5, 5)]),
    lambda: qdn.entropy(peps, 18),
    repeats=3,
)
bars = 2, 10, 10, 10, 10  # seconds
names = "half_6x6", "half_8x8", "corner_10x10", "site_10x10", "half_peps"
seconds = dict(zip(names, map(float, np.round(found, 2))))
worst = max(x / bar for x, bar in zip(found, bars))
assert math.isfinite(worst)
report(
    "half of a lattice across its smallest cut, time over the bar",
    1.0,
    0.5,
    ratio=worst,
    lower_is_better=True,
    **seconds,
)
