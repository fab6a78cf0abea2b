"""What re-use costs: the expanded network grows like kernel**depth, the network does not."""

import numpy as np

import quimb_deepnets as qdn

print("depth  tensors  log10 cost of one amplitude    weights  max copies of a site")
for depth in range(1, 6):
    net = qdn.ConvAC.rand(16, depth, kernel=3, bond_dim=4, boundary="periodic", seed=depth)
    copies = set(net.geometry.duplication.values())
    assert copies == {3**depth}
    line = f"{depth:5} {net.geometry.num_tensors():8}"
    if depth <= 3:
        psi = net.to_tensor_network()
        one = psi.isel(dict.fromkeys(psi.site_inds, 0))
        line += f"{np.log10(one.contraction_cost('greedy')):16.2f}"
    else:
        line += f"{'-':>16}"
    print(f"{line}{net.num_params:23}{max(copies):12}")

# a depth that no tensor network could hold: counted in integers, refused as a tensor network
deep = qdn.ConvAC.rand((16, 16), depth=12, kernel=3, bond_dim=4, boundary="periodic", seed=0)
print(f"\n{deep}\nwould expand to {deep.geometry.num_tensors():.3g} tensors")
try:
    deep.to_tensor_network()
    raise AssertionError("it must be refused")
except qdn.BudgetError as error:
    print("BudgetError:", error)

# but its amplitudes are a matter of milliseconds
phase, logabs = deep.log_amplitudes(np.zeros((1, 16, 16), int))
print(f"log|psi(0...0)| = {logabs[0]:.6e}")
assert np.isfinite(logabs[0])
