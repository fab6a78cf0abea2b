"""One amplitude of a tensor network, against fixing its sites and contracting it."""

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

psi = qdn.RecursiveTree.rand(64, 3, 3, 8, seed=0)
config = configs(psi.network, 1)[0]
fixed = dict(zip(psi.site_inds, config.tolist()))
tree = psi.isel(fixed).contraction_tree("greedy")
contract = lambda: psi.isel(fixed).contract(optimize=tree, strip_exponent=True)
logabs = psi.log_amplitudes(config[None])[1][0]
mantissa, exponent = contract()
assert abs(np.log(abs(mantissa)) + exponent * np.log(10) - logabs) < 1e-9 * abs(logabs)
mine, theirs = medians(lambda: psi.log_amplitudes(config[None]), contract)
report("one amplitude N=64 depth 3", 20, 50, ratio=theirs / mine, ours_s=mine, contract_s=theirs)
