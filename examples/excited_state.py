"""The second level of an Ising chain: the lowest state that is orthogonal to the ground state."""

import numpy as np
import quimb as qu

import quimb_deepnets as qdn

N, h = 8, 1.5
X, Z = qu.pauli("X"), qu.pauli("Z")
H = {(i, i + 1): -(Z & Z) for i in range(N - 1)} | {(i,): -h * X for i in range(N)}
exact = np.linalg.eigvalsh(
    sum(qu.ikron([-Z, Z], [2] * N, (i, i + 1)) for i in range(N - 1))
    + sum(qu.ikron(-h * X, [2] * N, i) for i in range(N))
)

start = {"depth": 1, "bond_dim": 4, "dist": "uniform", "loc": 1, "scale": 1}
ground = qdn.GroundState(qdn.RAC.rand(N, **start, seed=0), H, method="full")
ground.run(steps=60, progbar=False)
excited = qdn.GroundState(
    qdn.RAC.rand(N, **start, seed=1), H, method="full", orthogonal_to=[ground.network]
)
excited.run(steps=120, progbar=False)

print(f"{'level':8}{'network':>12}{'exact':>12}{'variance':>12}")
for level, gs in enumerate((ground, excited)):
    print(f"{level:<8}{gs.energy:>12.5f}{exact[level]:>12.5f}{gs.variance:>12.1e}")
overlap = abs(ground.network.overlap(excited.network)) ** 2
overlap /= (ground.network.norm() * excited.network.norm()) ** 2
print(f"|<ground|excited>|^2 = {overlap:.1e}")
assert abs(ground.energy - exact[0]) < 1e-2 and abs(excited.energy - exact[1]) < 0.05
assert overlap < 1e-3
