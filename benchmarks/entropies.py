"""All entropies of an MPS of 100 sites and bond 64, against quimb's own sweep of cuts."""

import numpy as np
import quimb.tensor as qtn
from common import medians, report

import quimb_deepnets as qdn

mps = qtn.MPS_rand_state(100, 64, seed=0)


def sweep():
    """quimb's entropies, its orthogonality centre passed from cut to cut."""
    copy, info = mps.copy(), {}
    return [copy.entropy(i, info=info) for i in range(1, 100)]


assert np.abs(qdn.entropies(mps) - sweep()).max() < 1e-9
mine, quimbs = medians(lambda: qdn.entropies(mps), sweep)
report(
    "entropies of an MPS, time over quimb's", 1.5, 1.0, ratio=mine / quimbs, lower_is_better=True
)
