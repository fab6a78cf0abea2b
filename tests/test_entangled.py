"""Random networks that are entangled: flat amplitudes, bits near what windows allow."""

import itertools
import math

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.entanglement.gf2 import graph_entropy
from quimb_deepnets.networks import entangled

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
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_chains_have_what_windows_allow(depth, boundary, dtype):
    make = lambda seed: qdn.ConvAC.rand(
        16, depth, 3, 4, boundary=boundary, dist="entangled", dtype=dtype, seed=seed
    )
    bits, spread = looked_at(make)
    allowed = math.log2(qdn.theory.rank_bound(make(0), 8) / 4)
    assert bits >= 0.8 * allowed and spread < 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("boundary", ["periodic", "ones", "omit"])
@pytest.mark.parametrize("depth, K", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_small_lattices(depth, K, boundary, shared, dtype):
    make = lambda seed: qdn.ConvAC.rand(
        (4, 4), depth, K, 4, boundary=boundary, shared=shared,
        dist="entangled", dtype=dtype, seed=seed,
    )  # fmt: skip
    bits, spread = looked_at(make, 2)
    allowed = math.log2(qdn.theory.rank_bound(make(0), 8) / 4)
    assert bits >= 0.6 * allowed and spread < 2


def graph_of(net):
    """The joined pairs of a state that is flat, from its amplitudes: the phase of each gate."""
    ones = np.eye(net.nsites, dtype=int)
    pairs = np.array(list(itertools.combinations(range(net.nsites), 2)))
    configs = np.concatenate([0 * ones[:1], ones, ones[pairs[:, 0]] + ones[pairs[:, 1]]])
    phases, logs = net.log_amplitudes(configs.reshape(-1, *_shape(net)))
    assert np.ptp(logs) < 1e-9
    single, gates = phases[1 : net.nsites + 1], phases[net.nsites + 1 :] * phases[0]
    gates = gates / (single[pairs[:, 0]] * single[pairs[:, 1]])
    np.testing.assert_allclose(abs(gates.real), 1, atol=1e-9)
    return pairs[gates.real < 0]


SIX_BY_SIX = [  # all but real phases with "ones", whose moduli differ at edges
    (depth, K, boundary, dtype)
    for depth, K in ((2, 2), (2, 3), (3, 2), (3, 3), (4, 2))
    for boundary, dtype in itertools.product(("periodic", "ones"), DTYPES)
    if (boundary, dtype) != ("ones", "float64")
]


@pytest.mark.parametrize("depth, K, boundary, dtype", SIX_BY_SIX)
def test_graphs_of_six_by_six(depth, K, boundary, dtype):
    """Without noise, by a rank over GF(2)."""
    net = qdn.ConvAC.rand(
        (6, 6), depth, K, 4, boundary=boundary, dist="entangled", dtype=dtype, scale=0, seed=0
    )
    allowed = min(math.log2(qdn.theory.rank_bound(net, 18) / 4), 18)
    assert graph_entropy(graph_of(net), range(18), 36) >= 0.6 * allowed


@pytest.mark.parametrize("depth, K", [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2)])
def test_columns_of_six_by_six(depth, K):
    """Real phases with "ones", without noise, are a product over columns; with it, they are flat.

    A sum over a missing site must not vanish, or three layers with K=2 would have 6 of 12 bits.
    """
    rand = lambda **options: qdn.ConvAC.rand((6, 6), depth, K, 4, dist="entangled", **options)
    psi = rand(scale=0, seed=0)
    configs = np.zeros((6, 64, 6, 6), int)
    for column in range(6):
        configs[column, :, :, column] = np.indices((2,) * 6).reshape(6, -1).T
    columns = psi.amplitudes(configs.reshape(-1, 6, 6)).reshape(6, 64) / psi.amplitude(
        [[0] * 6] * 6
    )
    some = np.random.default_rng(0).integers(2, size=(100, 6, 6))
    codes = np.einsum("bxy,x->by", some, 2 ** np.arange(6)[::-1])
    expected = np.prod(columns[np.arange(6), codes], axis=1) * psi.amplitude([[0] * 6] * 6)
    np.testing.assert_allclose(psi.amplitudes(some), expected, rtol=1e-9)

    values = np.linalg.svd(columns.reshape(6, 8, 8), compute_uv=False) ** 2
    values = values / values.sum(1, keepdims=True)
    bits = -(values * np.log2(np.maximum(values, 1e-300))).sum()
    assert bits >= 0.8 * min(math.log2(qdn.theory.rank_bound(psi, 18) / 4), 18)
    assert np.std(2 * rand(seed=1).log_amplitudes(some)[1]) < 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_six_by_six_with_edges(dtype):
    """With noise, by the cut."""
    make = lambda seed: qdn.ConvAC.rand((6, 6), 2, 2, 4, dist="entangled", dtype=dtype, seed=seed)
    bits = [make(seed).entropy(18, method="cut") for seed in range(4)]
    assert np.mean(bits) >= 0.8 * math.log2(qdn.theory.rank_bound(make(0), 18) / 4)
    configs = np.random.default_rng(0).integers(2, size=(1000, 6, 6))
    assert np.std(2 * make(0).log_amplitudes(configs)[1]) < 2


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
        {"shape": (3, 3), "depth": 2, "kernel": 2, "bond_dim": 1, "shared": False},
        {"shape": 8, "layers": [qdn.GCLayer(3, 2), qdn.GCLayer(2, 1)]},
    ):
        net = qdn.ConvAC.rand(
            **options, boundary=boundary, dist="entangled", dtype=dtype, seed=0, anchor="corner"
        )
        logs = net.log_amplitudes(np.random.default_rng(0).integers(2, size=(50, *_shape(net))))[1]
        assert net.dtype == dtype and np.isfinite(logs).all() and abs(logs).max() < 30


def _shape(net):
    return net.geometry.shape


@pytest.mark.parametrize("boundary", ["periodic", "ones"])
@pytest.mark.parametrize(
    "depth, K, r", [(1, 3, 4), (2, 3, 4), (2, 5, 4), (3, 5, 4), (5, 3, 4), (2, 3, 2)]
)
def test_real_amplitudes_do_not_cancel(depth, K, r, boundary):
    for anchor in ("center", "corner"):
        make = lambda seed, anchor=anchor: qdn.ConvAC.rand(
            12, depth, K, r, boundary=boundary, anchor=anchor, dist="entangled", seed=seed
        )
        assert looked_at(make)[1] < 2


@pytest.mark.parametrize("boundary, dtype", [("periodic", "complex128"), ("ones", "float64")])
@pytest.mark.parametrize(
    "shape, depth, K", [(16, 4, 3), (256, 4, 3), (256, 2, 3), ((40, 40), 3, 2)]
)
def test_size_does_not_spread_amplitudes(shape, depth, K, boundary, dtype):
    net = qdn.ConvAC.rand(
        shape, depth, K, 4, boundary=boundary, dist="entangled", dtype=dtype, seed=0
    )
    configs = np.random.default_rng(0).integers(2, size=(500, *_shape(net)))
    assert np.std(2 * net.log_amplitudes(configs)[1]) < 2


def test_one_seed_is_one_network():
    """Whether an architecture is met for the first time or again."""
    for dtype in DTYPES:
        rand = lambda seed, dtype=dtype: qdn.ConvAC.rand(
            (4, 4), 2, 3, 4, shared=False, dist="entangled", dtype=dtype, seed=seed
        )
        first = rand(3)
        entangled._remembered.cache_clear()
        assert rand(4) != first == rand(3) == rand(3)


def test_noise_beyond_the_dtype():
    for family, sizes in ((qdn.ConvAC, (8, 2, 3, 4)), (qdn.RAC, (8, 2, 3))):
        with pytest.raises(qdn.OptionError, match=r"below 3\.3e\+35 for float32"):
            family.rand(*sizes, dist="entangled", scale=1e38, dtype="float32")


def test_seeds_and_options():
    rand = lambda **options: qdn.ConvAC.rand(8, 2, 3, 4, dist="entangled", **options)
    assert rand(seed=3) == rand(seed=3) != rand(seed=4)
    flat = rand(scale=0, boundary="periodic", seed=0).to_dense()
    np.testing.assert_allclose(abs(flat), 1, rtol=1e-12)
    for options in ({"loc": 1.0}, {"scale": -1}, {"scale": "much"}, {"scale": math.inf}):
        with pytest.raises(qdn.OptionError, match=next(iter(options))):
            rand(**options)


@pytest.mark.parametrize("number", [np.float32(1), np.int64(1), 1, np.float64(1)])
@pytest.mark.parametrize("family, sizes", [(qdn.ConvAC, (8, 2, 3, 4)), (qdn.RAC, (8, 2, 4))])
def test_a_scale_is_any_real_number(family, sizes, number):
    one, two = (family.rand(*sizes, dist="entangled", scale=x, seed=0) for x in (number, 1.0))
    assert one == two
