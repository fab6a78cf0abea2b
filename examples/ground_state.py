"""The Heisenberg model on 6 x 6 sites, and the life of its ground state on 10 x 10.

``python ground_state.py 110`` gives it 110 seconds; without a number it takes 15 steps.
"""

import sys

import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn

budget = {"seconds": float(sys.argv[1])} if len(sys.argv) > 1 else {"steps": 15}


def heisenberg(L):
    return qu.operator.heisenberg_from_edges(qtn.edges_2d_square(L, L, cyclic=True))


# ---- eight lines: near-uniform weights, windows of 4 x 4 sites, Marshall's signs
layers = [qdn.GCLayer(4, 16), qdn.GCLayer(2, 2)]
start = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05, "seed": 0}
net = qdn.ConvAC.rand((6, 6), layers=layers, **start)
gs = qdn.GroundState(net, heisenberg(6), sector=18, sign_rule="marshall", seed=0)
gs.run(**budget, progbar=False)
print(gs)
assert gs.energy / 36 < -0.668  # exact: -0.67887

# ---- the same weights read every window of a larger lattice: nothing is trained anew
big = gs.network.resize((10, 10))
energy = qdn.energy(
    big, heisenberg(10), "sample", sector=50, sign_rule="marshall", samples=2048, seed=0
)
print(f"10 x 10, untrained: E/N {energy / 100:.4f} +- {energy.error / 100:.4f}")
assert energy / 100 < -0.655  # quantum Monte Carlo: -0.67155

# ---- what the samples say of the state: spins across a diagonal, in the basis of H
far = {((0, 0), (1, 1)): qu.spin_operator("Z") & qu.spin_operator("Z")}
found = gs.measure({"far": far})["far"]
print(f"<Sz Sz> across a diagonal: {found:.4f} +- {found.error:.4f}")
assert found > 0  # sites of one sublattice point alike
