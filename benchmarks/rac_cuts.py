"""All 99 cuts of a recurrent network of 100 sites and depth 2, exactly, in seconds."""

import numpy as np
from common import medians, report

import quimb_deepnets as qdn

options = {"depth": 2, "bond_dim": 2, "dist": "rademacher", "dtype": "complex128", "seed": 0}
small = qdn.RAC.rand(14, **options)
assert np.abs(small.entropies() - small.entropies(method="dense")).max() < 1e-9
long = qdn.RAC.rand(100, **options)
law = max(min(2**t, 2 ** (100 - t), 2 * (101 - t)) for t in range(1, 100))
bond = long.to_mps(cutoff=0).max_bond()
assert bond <= law
(seconds,) = medians(long.entropies, repeats=3)
report(
    "RAC N=100, all cuts: seconds", 10, 2, ratio=seconds, bond=bond, law=law, lower_is_better=True
)
