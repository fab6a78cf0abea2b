"""Networks fitted to a DMRG state: how much of it do a few shared numbers hold?"""

import quimb.tensor as qtn

import quimb_deepnets as qdn

N = 20
dmrg = qtn.DMRG2(qtn.MPO_ham_heis(N), bond_dims=[8, 16, 32], cutoffs=1e-10)
dmrg.solve(tol=1e-6, max_sweeps=4, verbosity=0)

start = {"dist": "uniform", "loc": 1, "scale": 0.2, "seed": 0}
layers = [qdn.GCLayer(6, 8), qdn.GCLayer(2, 4)]
nets = {
    "RAC, bond 2": qdn.RAC.rand(N, depth=1, bond_dim=2, **start),
    "RAC, bond 8": qdn.RAC.rand(N, depth=1, bond_dim=8, **start),
    "ConvAC, windows of 6 sites": qdn.ConvAC.rand(N, layers=layers, **start),
}
print(f"{'network':28}{'numbers':>8}{'fidelity':>10}{'steps':>7}")
found = []
for name, net in nets.items():
    # odd sites take a sign, so that all amplitudes are positive (Marshall)
    fit = qdn.fit(net, dmrg.state, method="exact", sign_rule=range(1, N, 2), steps=40)
    found.append(fit.fidelity)
    print(f"{name:28}{net.num_params:>8}{fit.fidelity:>10.4f}{fit.steps:>7}")
print(f"{'DMRG state':28}{sum(t.size for t in dmrg.state):>8}{1:>10.4f}")
assert found[0] < 0.1 and min(found[1:]) > 0.5
