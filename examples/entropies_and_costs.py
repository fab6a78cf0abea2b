"""Deep networks beside an Ising ground state, an MPS, a MERA and a tree: entropies and costs."""

import math

import numpy as np
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

L, CUTS, NOISE = 16, range(1, 9), 0.02
rng = np.random.default_rng(2)
qu.seed_rand(2)  # MERA.rand takes no seed of its own


def ising_ground_state(L):
    """Of ``H = - sum Z_i Z_{i+1} - sum X_i``, the critical chain with open ends, by DMRG."""
    H = qtn.MPO_ham_ising(L, j=-4, bx=2)  # in spin operators
    start = qtn.MPS_rand_state(L, bond_dim=8, seed=0)
    dmrg = qtn.DMRG2(H, bond_dims=[8, 16, 32], cutoffs=1e-12, p0=start)
    dmrg.solve(tol=1e-9, verbosity=0)
    return dmrg.state


def with_phases(net):
    """The same architecture with phases for weights, so that no amplitude dominates.

    A deep network multiplies hundreds of weights into an amplitude, so entries of very different
    size give a state that is almost a single configuration.
    """
    params = {}
    for name, x in net.params.items():
        if name.startswith("H0"):
            params[name] = x
        elif x.ndim == 2 and x.shape[0] == x.shape[1]:  # diagonal phases and a little noise
            gauss = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
            params[name] = np.diag(np.exp(2j * math.pi * rng.random(len(x)))) + NOISE * gauss
        else:
            params[name] = np.exp(2j * math.pi * rng.random(x.shape))
    return type(net).from_params(net.geometry, params)


tree = [qdn.GCLayer(2, 4, stride=2)] * 4
complex_ = {"dtype": "complex128", "seed": rng}
states = {
    "Ising ground state (DMRG)": ising_ground_state(L),
    "random MPS, bond 4": qtn.MPS_rand_state(L, 4, seed=2),
    "MERA, bond 4": qtn.MERA.rand(L, max_bond=4),
    "tree, K=S=2, r=4": with_phases(qdn.ConvAC.rand(L, layers=tree, **complex_)),
}
for depth in (1, 2, 3):
    net = qdn.ConvAC.rand(L, depth, kernel=3, bond_dim=4, **complex_)
    states[f"ConvAC depth {depth}, K=3, r=4"] = with_phases(net)
for depth in (1, 2, 3):
    net = qdn.RAC.rand(L, depth, bond_dim=4, **complex_)
    states[f"RAC depth {depth}, R=4"] = with_phases(net)

print(f"{'':27}{'numbers':>8}" + "".join(f"{f'S({a})':>7}" for a in CUTS) + "   rank width  cost")
ranks = {}
for name, state in states.items():
    quimb_state = isinstance(state, qtn.TensorNetwork)
    tn = state if quimb_state else state.to_tensor_network()
    numbers = sum(t.size for t in tn) if quimb_state else state.num_params
    bits = qdn.entropies(state, CUTS)
    ranks[name] = int((qdn.schmidt_values(state, 8) > 0).sum())
    one = tn.isel(dict.fromkeys(tn.site_inds, 0)).contraction_tree("greedy", output_inds=())
    width, cost = one.contraction_width(), math.log10(one.contraction_cost())
    entropies = "".join(f"{x:7.3f}" for x in bits)
    print(f"{name:27}{numbers:>8}{entropies}{ranks[name]:>7}{width:6.1f}{cost:6.2f}")
    assert all(0 <= x <= a + 1e-9 for x, a in zip(bits, CUTS))

# rank: of the middle cut; width [log2] and cost [log10] of one amplitude, branch by branch
assert ranks["random MPS, bond 4"] == 4 and ranks["RAC depth 1, R=4"] <= 4
assert all(ranks[f"ConvAC depth {d}, K=3, r=4"] <= 4 * 2 ** (2 * (d - 1)) for d in (1, 2, 3))
