"""A matrix product state whose neighbouring sites share their physical legs, by `dup`.

Each tensor reads two sites, and each site is read by two tensors: its two legs are joined by one
delta. Entanglement across a bond may then exceed what the bond alone carries::

    A01 --- A12 --- A23 --- A34           D = 2
    / \\     / \\     / \\     / \\
    0  1   1  2   2  3   3  4            --dup-->  k0, k1, k2, k3, k4
"""

import itertools

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn

L, D = 9, 2
rng = np.random.default_rng(0)
cores = [rng.normal(size=(D, 2, 2, D)) for _ in range(L - 1)]
cores[0], cores[-1] = cores[0][:1], cores[-1][..., :1]
legs = lambda n: (f"b{n}", f"right{n}", f"left{n + 1}", f"b{n + 1}")
chain = qtn.TensorNetwork([qtn.Tensor(A, legs(n)) for n, A in enumerate(cores)]).squeeze()
read = {f"k{n}": [f"{side}{n}" for side in ("left", "right")] for n in range(L)}
groups = {k: [ix for ix in ixs if ix in chain.ind_map] for k, ixs in read.items()}
psi = qdn.dup(chain, groups)

for s in itertools.islice(itertools.product((0, 1), repeat=L), 0, None, 37):
    matrices = [A[:, a, b] for A, a, b in zip(cores, s, s[1:])]
    number = np.linalg.multi_dot(matrices).item()
    fixed = psi.isel({f"k{n}": digit for n, digit in enumerate(s)})
    assert np.isclose(fixed.contract(), number)

half = [f"k{n}" for n in range(L // 2)]
rest = [f"k{n}" for n in range(L // 2, L)]
rank = np.linalg.matrix_rank(psi.to_dense(half, rest))
print(f"Schmidt rank across the middle: {rank}, with a bond of {D}")
assert rank == 2 * D
