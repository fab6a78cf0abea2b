"""DUP in four modes: the same state, different contraction problems."""

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn

# the tensor of Fig. 3 of arXiv:1803.09780 in small: legs 1 1, 2 2 2, 3 3, 4 4 of an order-9 tree
legs = [f"a{i}" for i in range(9)]
tree = qtn.TensorNetwork(
    [
        qtn.rand_tensor((2,) * 3 + (3,), (*legs[3 * i : 3 * i + 3], f"b{i}"), seed=i)
        for i in range(3)
    ]
    + [qtn.rand_tensor((3,) * 3, ("b0", "b1", "b2"), seed=3)]
)
groups = {"k0": legs[0:2], "k1": legs[2:5], "k2": legs[5:7], "k3": legs[7:9]}

whole = tree.contract(output_inds=legs).data
exact = np.einsum("aabbbccdd->abcd", whole)

print("mode    tensors  width  cost of the norm")
for mode in ("hyper", "copy", "tree", "mps"):
    psi = qdn.dup(tree, groups, mode=mode)
    norm = psi.make_norm()
    width = norm.contraction_width("auto-hq")
    cost = norm.contraction_cost("auto-hq")
    print(f"{mode:6} {psi.num_tensors:8} {width:6.2f} {cost:8.0f}")
    assert np.abs(psi.contract(output_inds=tuple(groups)).data - exact).max() < 1e-12
    assert abs(psi.norm() - np.linalg.norm(exact)) < 1e-12 * np.linalg.norm(exact)
