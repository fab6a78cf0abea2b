"""One state, two forms: a network that computes amplitudes, and its quimb tensor network."""

import numpy as np

import quimb_deepnets as qdn

# two layers, kernel 3, 4 channels, the same weights at each of 8 positions
net = qdn.ConvAC.rand(8, depth=2, kernel=3, bond_dim=4, scale=2.0, seed=0)
print(net)

# the network evaluates amplitudes, one by one or in batches, however deep it is
print("psi(01101001) =", net.amplitude("01101001"))
phase, logabs = net.log_amplitudes(np.zeros((1, 8), int))
print("psi(00000000) has sign", phase[0], "and log|psi|", logabs[0])

# the tensor network writes every re-use out: site n is read 9 times, fewer at the ends
psi = net.to_tensor_network()
print(repr(psi))
print("copies of each site:", net.geometry.duplication)

# it is an ordinary quimb vector
print("norm:", psi.norm())
print("indices:", psi.site_inds)
half = psi.to_dense(psi.site_inds[:4], psi.site_inds[4:])
s = np.linalg.svd(half / psi.norm(), compute_uv=False)
print("Schmidt values of the two halves:", np.round(s[:5] ** 2, 6))

# and both are the same state
difference = np.abs(psi.to_dense() - net.to_dense()).max() / psi.norm()
print("difference:", difference)
assert difference < 1e-12
