"""Exact expectation values of a deep network on 64 sites, without ever expanding it."""

import numpy as np
import quimb as qu

import quimb_deepnets as qdn

net = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, dist="uniform", loc=1.0, scale=0.2, seed=1)
print(net, "expanded:", net.geometry.num_tensors(), "tensors")
phi = net.collapse().normalize()  # each distinct branch contracted once
tree = phi.make_norm().contraction_tree()
print(repr(phi))
print(f"norm: width {tree.contraction_width():.0f}, 10^{tree.contraction_cost(log=10):.2f} flops")

# all neighbouring pairs from one sweep in each direction
pairs = [(n, n + 1) for n in range(63)]
zz = qu.pauli("Z") & qu.pauli("Z")
correlations = [np.trace(zz @ rho).real for rho in phi.partial_traces_exact(pairs)]
print("<ZZ> along the chain:", np.round(correlations[::9], 4))

# one region anywhere, one expectation value, one partly fixed configuration
rho = phi.partial_trace_exact([3, 40])
print(f"mutual information of sites 3 and 40: {qu.mutinf(rho):.2e} bits")
value = phi.local_expectation_exact(zz, (31, 32))
print(f"<ZZ> in the middle: {value.real:.6f}")
fixed = phi.isel({f"k{n}": 0 for n in range(10, 64)}).to_dense([f"k{n}" for n in range(10)])
print("amplitudes of the first ten sites, the others fixed:", fixed.shape)

assert abs(value - correlations[31]) < 1e-10
some = np.zeros((1, 64), int)
some[0, [2, 5]] = 1
ratio = np.exp(np.subtract(*net.log_amplitudes([some[0], 0 * some[0]])[1]))
assert abs(fixed[2 ** (9 - 2) + 2 ** (9 - 5)] / fixed[0] / ratio - 1) < 1e-9
