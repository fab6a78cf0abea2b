"""Deep networks at speed: plans, amplitudes, derivatives and single-flip ratios.

The Ising energy of a network is sampled with Metropolis steps that need only flip ratios, and
lowered by a few steps of stochastic reconfiguration, which needs only log-derivatives.
"""

import numpy as np

import quimb_deepnets as qdn

N, CHAINS, FIELD = 20, 150, 1.0
rng = np.random.default_rng(0)
net = qdn.ConvAC.rand(
    N,
    depth=3,
    kernel=3,
    bond_dim=3,
    boundary="periodic",
    dist="uniform",
    loc=1.0,
    scale=0.2,
    seed=1,
)
print(net.plan(1))  # one amplitude: the layers are computed
print(net.plan(4096))  # many amplitudes: windows are looked up


def sample(net, x, sweeps=12):
    """Metropolis steps in many chains at once, each proposing one flip per chain."""
    rows = np.arange(len(x))
    for _ in range(sweeps):
        n = rng.integers(N, size=len(x))
        ratio = net.flip_ratios(x)[rows, n, 1 - x[rows, n]]
        accepted = rng.random(len(x)) < np.abs(ratio) ** 2
        x[rows[accepted], n[accepted]] ^= 1
    return x


def local_energies(net, x):
    """<s|H|psi> / <s|psi> of H = -sum ZZ - h sum X on a ring."""
    z = 1 - 2 * x
    flips = np.take_along_axis(net.flip_ratios(x), (1 - x)[:, :, None], axis=2)
    return -(z * np.roll(z, 1, axis=1)).sum(1) - FIELD * flips.sum((1, 2))


x, energies = rng.integers(0, 2, (CHAINS, N)), []
x = sample(net, x, 100)
for _ in range(30):
    x = sample(net, x)
    energy, O = local_energies(net, x), net.log_derivatives(x)
    energies.append(energy.mean() / N)
    O = O - O.mean(0)
    overlap = O.T @ O / CHAINS + 0.01 * np.eye(net.num_params)
    move = np.linalg.solve(overlap, O.T @ (energy - energy.mean()) / CHAINS)
    params, start = {}, 0
    for name, value in net.params.items():
        params[name] = value - 0.05 * move[start : start + value.size].reshape(value.shape)
        start += value.size
    net = qdn.ConvAC.from_params(net.geometry, params)

momenta = (np.arange(N) + 0.5) * 2 * np.pi / N  # free fermions, antiperiodic
exact = -np.sqrt(1 + FIELD**2 - 2 * FIELD * np.cos(momenta)).sum() / N
print(f"energy per site: {energies[0]:.3f} -> {np.mean(energies[-5:]):.4f}, exact {exact:.4f}")
assert exact - 0.02 < np.mean(energies[-5:]) < 0.98 * exact
