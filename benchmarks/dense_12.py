"""The dense state of 12 sites, against quimb's to_dense of the expanded network."""

import numpy as np
from common import medians, report

import quimb_deepnets as qdn

psi = qdn.RecursiveTree.rand(12, 3, 3, 4, seed=0)
tree = psi.contraction_tree("greedy")
assert np.allclose(psi.to_dense(), psi.to_dense(optimize=tree))
mine, theirs = medians(psi.to_dense, lambda: psi.to_dense(optimize=tree))
report("dense state N=12", 3, 10, ratio=theirs / mine, ours_s=mine, expanded_s=theirs)
