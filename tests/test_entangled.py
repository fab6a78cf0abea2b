"""Random networks that are entangled: flat amplitudes, bits near what windows allow."""

import math

import numpy as np
import pytest

import quimb_deepnets as qdn

DTYPES = ["float64", "complex128"]


def looked_at(make, count=4):
    """Means over seeds: bits of the first half, and the spread of ``log |psi|**2`` in nats."""
    found = []
    for seed in range(count):
        net = make(seed)
        psi = net.to_dense().reshape(net.phys_dim ** (net.nsites // 2), -1)
        values = np.linalg.svd(psi / np.linalg.norm(psi), compute_uv=False) ** 2
        values = values[values > 1e-15]
        spread = np.std(2 * np.log(np.abs(psi)))
        found.append((-(values * np.log2(values)).sum(), spread))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", ["periodic", "ones", "omit", "valid"])
@pytest.mark.parametrize("depth", [2, 3])
def test_chains_have_what_windows_allow(depth, boundary, dtype):
    make = lambda seed: qdn.ConvAC.rand(
        16, depth, 3, 4, boundary=boundary, dist="entangled", dtype=dtype, seed=seed
    )
    bits, spread = looked_at(make)
    allowed = math.log2(qdn.theory.rank_bound(make(0), 8) / 4)
    assert bits >= 0.8 * allowed and spread < 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shared", [True, False])
def test_lattices(shared, dtype):
    make = lambda seed: qdn.ConvAC.rand(
        (4, 3), 2, 2, 4, boundary="periodic", shared=shared,
        dist="entangled", dtype=dtype, seed=seed,
    )  # fmt: skip
    bits, spread = looked_at(make)
    assert bits > 2 and spread < 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_channels(dtype):
    """Complex weights reach all that two channels allow; real ones the pairs of one window."""
    bits, spread = looked_at(
        lambda seed: qdn.ConvAC.rand(
            12, 3, 3, 2, boundary="omit", dist="entangled", dtype=dtype, seed=seed
        )
    )
    assert bits > (3.5 if dtype == "complex128" else 1.8) and spread < 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", ["periodic", "ones"])
def test_any_architecture(boundary, dtype):
    """Amplitudes are numbers of ordinary size, and none vanishes."""
    for options in (
        {"shape": 6, "depth": 1, "kernel": 3, "bond_dim": 4},
        {"shape": 6, "depth": 2, "kernel": 3, "bond_dim": 1},
        {"shape": 6, "depth": 2, "kernel": 2, "bond_dim": 4, "phys_dim": 3},
        {"shape": 8, "layers": [qdn.GCLayer(1, 4), qdn.GCLayer(3, 4), qdn.GCLayer(1, 4)]},
        {"shape": 8, "layers": [qdn.GCLayer(3, 4), qdn.GCLayer(2, 4, 2), qdn.GCLayer(2, 3)]},
        {"shape": 8, "depth": 5, "kernel": 2, "bond_dim": 5},
        {"shape": (3, 3), "depth": 2, "kernel": 2, "bond_dim": 4},
    ):
        net = qdn.ConvAC.rand(
            **options, boundary=boundary, dist="entangled", dtype=dtype, seed=0, anchor="corner"
        )
        logs = net.log_amplitudes(np.random.default_rng(0).integers(2, size=(50, *_shape(net))))[1]
        assert net.dtype == dtype and np.isfinite(logs).all() and abs(logs).max() < 30


def _shape(net):
    return net.geometry.shape


def test_size_does_not_spread_amplitudes():
    for N in (16, 256):
        net = qdn.ConvAC.rand(
            N, 4, 3, 4, boundary="periodic", dist="entangled", dtype="complex128", seed=0
        )
        configs = np.random.default_rng(0).integers(2, size=(500, N))
        assert np.std(2 * net.log_amplitudes(configs)[1]) < 2


def test_seeds_and_options():
    rand = lambda **options: qdn.ConvAC.rand(8, 2, 3, 4, dist="entangled", **options)
    assert rand(seed=3) == rand(seed=3) != rand(seed=4)
    flat = rand(scale=0, boundary="periodic", seed=0).to_dense()
    np.testing.assert_allclose(abs(flat), 1, rtol=1e-12)
    for options in ({"loc": 1.0}, {"scale": -1}, {"scale": "much"}, {"scale": math.inf}):
        with pytest.raises(qdn.OptionError, match=next(iter(options))):
            rand(**options)
