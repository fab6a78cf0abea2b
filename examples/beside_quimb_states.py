"""Fidelities and local expectations of deep networks beside MPS, MERA and PEPS."""

import numpy as np
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

# ---- a chain of 8 sites: three families on the same indices k0 .. k7
chain = {
    "RecursiveTree": qdn.RecursiveTree.rand(8, depth=2, kernel=2, bond_dim=3, seed=1),
    "RecursiveMPS": qdn.RecursiveMPS.rand(8, depth=2, bond_dim=2, seed=2),
    "MPS": qtn.MPS_rand_state(8, bond_dim=4, seed=3),
    "MERA": qtn.MERA.rand(8, max_bond=2, seed=4),
}


def fidelity(a, b):
    return abs(a.overlap(b)) ** 2 / (a.norm() * b.norm()) ** 2


print("fidelities on a chain of 8 sites")
for name, psi in chain.items():
    row = [fidelity(psi, phi) for phi in chain.values()]
    print(f"{name:>14}", *(f"{x:8.5f}" for x in row))
    assert abs(fidelity(psi, psi) - 1) < 1e-10

# ---- the energy of a quimb MPO Hamiltonian in each of them
mpo = qtn.MPO_ham_heis(8)
print("\nenergy per bond of the Heisenberg chain")
for name, psi in chain.items():
    energy = (psi.overlap(mpo.apply(psi)) / psi.norm() ** 2).real
    print(f"{name:>14} {energy / 7:8.5f}")
    v = psi.to_dense() / psi.norm()
    assert abs(energy - qu.expec(qu.ham_heis(8), v)) < 1e-9

# ---- a lattice: the network's ids are those of quimb's PEPS
tree = qdn.RecursiveTree.rand((2, 3), depth=1, kernel=2, bond_dim=3, seed=5)
peps = qtn.PEPS.rand(2, 3, bond_dim=2, seed=6)
print("\nfidelity with a PEPS on 2 x 3 sites:", fidelity(tree, peps))
assert abs(fidelity(tree, peps) - fidelity(peps, tree)) < 1e-12

# ---- the same local expectation, by the same call, exactly
zz = qu.pauli("Z") & qu.pauli("Z")
for name, psi in (("RecursiveTree", tree), ("PEPS", peps)):
    where = [(0, 0), (0, 1)]
    value = psi.local_expectation_exact(zz, where).real
    v = psi.to_dense()
    direct = qu.expec(qu.ikron(zz, [2] * 6, [0, 1]), v / np.linalg.norm(v))
    print(f"<ZZ> at {where} in the {name}: {value:.6f}")
    assert abs(value - direct) < 1e-10
