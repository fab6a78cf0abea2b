"""Random recurrent networks that are entangled: counts below, a quantum walk on top."""

import math

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.networks.entangled_recurrent import STEP


def rand(N, depth=2, R=2, seed=0, dtype="complex128", **options):
    return qdn.RAC.rand(N, depth, R, dist="entangled", dtype=dtype, seed=seed, **options)


def means(count=5, **options):
    """Means over seeds: bits of the first half, and the spread of ``log |psi|**2`` in nats."""
    found = []
    for seed in range(count):
        net = rand(seed=seed, **options)
        psi = net.to_dense().reshape(net.phys_dim ** (net.L // 2), -1)
        values = np.linalg.svd(psi / np.linalg.norm(psi), compute_uv=False) ** 2
        values = values[values > 1e-15]
        spread = np.std(2 * np.log(np.abs(psi)))
        found.append((-(values * np.log2(values)).sum(), spread))
    return np.mean(found, axis=0)


def walk_entropy(N, V, w):
    """Bits of the first half of a noiseless walk of two channels, by sums over counts."""

    def below(t):  # h[1] after t sites, for each count of ones: channels swap at every site
        m = (-1) ** t * (2 * np.arange(t + 1) - t)
        return np.exp(0.5j * STEP * np.multiply.outer(m, [1, -1]))

    states = np.ones((1, 2, 2), complex)  # sum of h h^+ over configurations of each count
    for t in range(1, N // 2 + 1):
        x = V @ states @ V.conj().T
        x = np.concatenate([x, 0 * x[:1]]) + np.concatenate([0 * x[:1], x])
        states = below(t)[:, :, None] * x * below(t).conj()[:, None] / 2
    gram = np.ones((N + 1, N + 1, 1, 1)) * np.outer(w.conj(), w)  # of all that may follow
    for t in range(N, N // 2, -1):
        x = below(t).conj()[:, None, :, None] * gram * below(t)[None, :, None, :]
        gram = V.conj().T @ (x[:-1, :-1] + x[1:, 1:]) @ V / 2
    sizes, vectors = np.linalg.eigh(states)
    roots = vectors * np.sqrt(np.clip(sizes, 0, None))[:, None]
    rho = roots.conj().swapaxes(1, 2)[:, None] @ gram @ roots[None]
    p = np.linalg.eigvalsh(rho.swapaxes(1, 2).reshape(2 * len(roots), -1))
    p = p[p > 1e-14 * p.max()] / p.sum()
    return -(p * np.log2(p)).sum()


def test_bits_per_doubling():
    """Ten seeds up to 128 sites, by sums over counts that dense vectors confirm at 12."""
    exact = lambda net: walk_entropy(net.L, net.hidden_weights[1], net.readout)
    small = rand(12, scale=0)
    assert abs(exact(small) - small.entropy(6, method="dense")) < 1e-12
    bits = [
        np.mean([exact(rand(N, scale=0, seed=s)) for s in range(10)]) for N in (16, 32, 64, 128)
    ]
    assert np.polyfit(range(4), bits, 1)[0] >= 0.8 and bits[0] > 2.3
    assert all(
        x < math.log2(math.pi * math.e * N / 4) / 2 + 1 for x, N in zip(bits, (16, 32, 64, 128))
    )


def test_noise_keeps_the_entropy():
    """By the exact matrix product state, which powers of degree 64 do not harm here."""
    clean, noise = rand(64, scale=0), rand(64)
    exact = walk_entropy(64, clean.hidden_weights[1], clean.readout)
    assert abs(clean.entropy(32) - exact) < 1e-10
    exact = walk_entropy(64, noise.hidden_weights[1], noise.readout)
    assert 1e-5 < abs(noise.entropy(32) - exact) < 0.1


LEAST = [
    (1, 2, 0.9),
    (1, 4, 1.8),
    (2, 2, 2.2),
    (2, 3, 4),
    (2, 4, 5),
    (3, 2, 4),
    (3, 4, 5),
    (4, 2, 5),
]


@pytest.mark.parametrize("depth, R, least", LEAST)
def test_more_layers_and_channels(depth, R, least):
    bits, spread = means(N=16, depth=depth, R=R)
    assert bits > least and spread < 2


@pytest.mark.parametrize("depth, R", [(1, 2), (2, 2), (2, 3), (2, 4), (3, 2), (4, 2)])
def test_real_networks_have_parities(depth, R):
    bits, spread = means(N=14, depth=depth, R=R, dtype="float64")
    assert bits > (depth - 1) * (R - 1) + 0.9 and spread < 2


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("depth, R", [(1, 3), (2, 2), (2, 4), (3, 3), (4, 2)])
def test_size_does_not_spread_amplitudes(depth, R, dtype):
    configs = np.random.default_rng(0).integers(2, size=(300, 128))
    nets = [rand(128, depth, R, seed=seed, dtype=dtype) for seed in range(3)]
    logs = [net.log_amplitudes(configs)[1] for net in nets]
    assert np.mean(np.std(logs, axis=1)) < 1 and np.isfinite(logs).all()


def test_ranks_notice_no_structure():
    for R in (2, 3):
        net = rand(10, 2, R)
        entangled, normal = (qdn.schmidt_rank(x, 5) for x in (net, qdn.RAC.rand(10, 2, R, seed=0)))
        assert entangled == normal


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_three_digits(dtype):
    net = rand(7, 2, 3, phys_dim=3, dtype=dtype)
    logs = net.log_amplitudes(np.random.default_rng(0).integers(3, size=(50, 7)))[1]
    assert net.dtype == dtype and abs(logs).max() < 10
    assert net.entropy(3) > 1


def test_seeds_and_options():
    assert rand(8, seed=3) == rand(8, seed=3) != rand(8, seed=4)
    for options in ({"loc": 1.0}, {"scale": -1}, {"scale": "much"}, {"scale": math.inf}):
        with pytest.raises(qdn.OptionError, match=next(iter(options))):
            rand(8, **options)
    with pytest.raises(qdn.BudgetError):
        rand(8, R=10**6)
