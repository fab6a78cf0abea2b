"""Fit a recursive network to a state with quimb's TNOptimizer; copies of a weight stay tied."""

import numpy as np
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

L = 6
target = qtn.Dense1D(qu.groundstate(qu.ham_ising(L, jz=-4, bx=2)).real)

# positive weights make positive amplitudes: a good start for this ground state
psi = qdn.RecursiveTree.rand(
    L, depth=2, kernel=3, bond_dim=4, boundary="omit", loc=0.7, scale=0.3, seed=0
)
print(repr(psi), "with", psi.network.num_params, "weights")


def infidelity(psi, target):
    return 1 - psi.overlap(target) ** 2 / psi.norm(squared=True)


optimizer = qtn.TNOptimizer(
    psi,
    infidelity,
    loss_constants={"target": target},
    tags=psi.shared_tags,  # only the weights: not the deltas, not the ones at the edges
    shared_tags=psi.shared_tags,  # all copies of one weight are one variable
    autodiff_backend="torch",
    progbar=False,
)
assert optimizer.vectorizer.d == psi.network.num_params

fitted = optimizer.optimize(150)

# the network with the new weights, ready for cheap amplitudes
net = fitted.network
amplitudes = net.to_dense().ravel()
exact = target.to_dense().ravel()
fidelity = (amplitudes @ exact) ** 2 / (amplitudes @ amplitudes)
print(f"fidelity {fidelity:.6f}")
assert fidelity > 0.99
assert np.isclose(1 - infidelity(fitted, target), fidelity, atol=1e-9)
