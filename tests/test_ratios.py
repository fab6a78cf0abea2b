"""Ratios of any masks by loops and by array calls, against the dense state and nested choices."""

import os
import subprocess
import sys

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.evaluation import ratio_costs, ratios
from quimb_deepnets.evaluation.general import masked_ratios
from quimb_deepnets.evaluation.layer_ratios import LayerRatios
from quimb_deepnets.evaluation.masks import flips_of, masks_of, touched_windows
from quimb_deepnets.evaluation.ratios import LoopRatios, by_value
from quimb_deepnets.evaluation.table_ratios import TableRatios
from quimb_deepnets.numerics.configs import digits

from .architectures import CONV, IDS, NETWORKS, all_states

DTYPES = {"float32": 2e-4, "float64": 1e-12, "complex64": 2e-4, "complex128": 1e-12}


def some_states(net, count=5):
    states = all_states(net)
    return states[np.random.default_rng(0).permutation(len(states))[:count]]


def some_masks(net, seed=1):
    """Nothing, every single change, pairs of neighbours, and masks of any number of sites."""
    rng, N, M = np.random.default_rng(seed), net.nsites, net.phys_dim
    single = flips_of(N, M).digits(N, int).T
    pairs = rng.integers(1, M, N)[:, None] * (
        np.eye(N, dtype=int) + np.roll(np.eye(N, dtype=int), 1)
    )
    dense = rng.integers(M, size=(6, N))
    return np.concatenate([np.zeros((1, N), int), single, pairs % M, dense, dense[:2]])


def exact_ratios(net, states, masks):
    """From the dense state."""
    psi = np.asarray(net.to_dense()).reshape((net.phys_dim,) * net.nsites)
    flat = states.reshape(len(states), -1)
    at = lambda c: psi[tuple(c)]
    return np.array([[at((c + m) % net.phys_dim) / at(c) for m in masks] for c in flat])


def ways_of(net, masks):
    """Every way that there is for a ConvAC: loops and array calls."""
    masks = masks_of(masks)
    for group in ((1, 1), (1, 2), (2, 1), (3, 3)):
        tables = TableRatios(net, masks, group[: net.geometry.ndim])
        yield LoopRatios(net, masks, tables.near(), tables.loop())
        if tables.safe():
            yield tables.prepare()
    for level in range(net.depth):
        way = LayerRatios(net, masks, level)
        if way.even:
            yield LoopRatios(net, masks, np.ones(masks.count, bool), way.loop())


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_every_way_for_every_architecture(i):
    net = NETWORKS[i]
    states, masks = some_states(net), some_masks(net)
    exact = exact_ratios(net, states, masks)
    bound = 1e-11 * np.abs(exact).max()
    for like in ("numpy", "torch"):
        there = net.to(like)
        found = there.evaluator().ratios(states, masks.reshape(-1, *net.geometry.shape))
        assert np.abs(np.asarray(found) - exact).max() < bound
        x = digits(states, net.phys_dim, there._like)
        for way in ways_of(there, masks) if i < len(CONV) else ():
            assert np.abs(np.asarray(way(x)) - exact).max() < bound


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_flips_are_masks_of_one_site(i):
    net = NETWORKS[i]
    states, M, N = some_states(net), net.phys_dim, net.nsites
    vector, powers = net.to_dense()[:, 0], M ** np.arange(N)[::-1]
    flat = states.reshape(len(states), -1)
    codes = flat @ powers
    exact = np.empty((len(states), N, M), vector.dtype)
    for n in range(N):
        for m in range(M):
            exact[:, n, m] = vector[codes + (m - flat[:, n]) * powers[n]] / vector[codes]
    for like in ("numpy", "torch"):
        found = np.asarray(net.to(like).flip_ratios(states))
        assert np.abs(found - exact).max() < 1e-11 * np.abs(exact).max()
        assert (np.take_along_axis(found, flat[:, :, None], axis=2) == 1).all()


def ring(dtype="float64", **kwargs):
    options = {"depth": 2, "kernel": 3, "bond_dim": 3, "boundary": "periodic", "seed": 0}
    return qdn.ConvAC.rand(**({"shape": 7} | options | {"dtype": dtype} | kwargs))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phys_dim", [2, 3, 4, 5])
def test_dtypes_and_local_dimensions(dtype, phys_dim):
    net = ring(dtype, shape=4, phys_dim=phys_dim, kernel=2, dist="uniform", loc=1.0)
    states, masks = some_states(net, 9), some_masks(net)
    exact = exact_ratios(net, states, masks)
    for way in ways_of(net, masks):
        found = way(digits(states, phys_dim, net._like))
        assert found.dtype == dtype
        assert np.abs(found - exact).max() < DTYPES[dtype] * np.abs(exact).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [0.3, 30.0])
def test_boltzmann_machines(dtype, hidden):
    """Angles far from zero, whose hyperbolic cosines would cancel or overflow."""
    net = qdn.RBM.rand((2, 3), 2, scale=0.6, dtype=dtype, seed=3)
    params = dict(net.params)
    params["HIDDEN"] = (hidden * np.sign(params["HIDDEN"].real)).astype(dtype)
    net = qdn.RBM.from_params(net.geometry, params)
    states, masks = all_states(net).reshape(-1, 2, 3), some_masks(net)
    general, _ = masked_ratios(net, masks_of(masks), 64)
    exact = general(digits(states, 2, net._like))
    found = net.evaluator().ratios(states, masks.reshape(-1, 2, 3))
    assert found.dtype == dtype
    assert np.abs(found / exact - 1).max() < max(1e-9, DTYPES[dtype])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_blocks_of_layers_and_ratios_near_the_ends_of_floats(dtype):
    """Several blocks, the last one shorter; flips that change logarithms by hundreds."""
    options = {"depth": 4, "dist": "uniform", "loc": 1.0, "scale": 0.3, "dtype": dtype}
    net = ring(**options, shape=(6, 6), bond_dim=3)
    masks, rng = flips_of(36, 2), np.random.default_rng(0)
    x = rng.integers(2, size=(36, 333)).astype(np.uint8)
    out, unsure = np.empty((333, 36), dtype), np.zeros(333, bool)
    LayerRatios(net, masks, 1).loop()(x, 0, 333, out, unsure)
    moved = x[:, :, None] ^ np.eye(36, dtype=np.uint8)[:, None]
    phase, log = net.log_amplitudes(moved.reshape(36, -1).T.reshape(-1, 6, 6))
    old_phase, old_log = net.log_amplitudes(x.T.reshape(-1, 6, 6))
    change = log.reshape(333, 36) - old_log[:, None]
    assert np.array_equal(unsure, change.max(axis=1) > np.log(np.finfo(float).max))
    assert np.sum(change > 400) > 0 and np.sum(unsure) < 333
    sure = ~unsure[:, None] & (change > -700)
    found, phases = out[sure], (phase.reshape(333, 36) / old_phase[:, None])[sure]
    assert np.abs(np.log(np.abs(found)) - change[sure]).max() < 1e-9
    assert np.abs(found / np.abs(found) - phases).max() < 1e-9


@pytest.mark.parametrize("kind", ["ring", "qutrits", "lattice", "layers", "boltzmann"])
def test_threads_and_the_forms_of_inputs(monkeypatch, kind):
    net = {
        "ring": ring(shape=12),
        "qutrits": ring(shape=8, phys_dim=3),
        "lattice": ring(shape=(3, 4), kernel=2),
        "layers": ring(shape=(4, 4), depth=3, kernel=2),
        "boltzmann": qdn.RBM.rand(9, 2, seed=0),
    }[kind]
    shape, M = net.geometry.shape, net.phys_dim
    rng = np.random.default_rng(0)
    wide = rng.integers(M, size=(20, *shape, 2))
    masks = some_masks(net).reshape(-1, *shape)
    monkeypatch.setattr(ratios, "LEAST", 1)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        found.append(net.evaluator().ratios(wide[..., 0], masks))
    assert np.array_equal(*found)
    frozen = np.ascontiguousarray(wide[..., 0])
    frozen.flags.writeable = False
    ev = net.evaluator(20)
    assert np.array_equal(ev.ratios(frozen, masks), found[0])
    for part in (ev.ratios(frozen, masks, chunk=3), ev.ratios(frozen[:1], masks)):
        assert part == pytest.approx(found[0][: len(part)], rel=1e-9)
    assert ev.ratios(frozen[:0], masks).shape == (0, len(masks))
    assert ev.ratios(frozen, masks[:0]).shape == (20, 0)
    assert (ev.ratios(frozen, 0 * masks[:2]) == 1).all()
    assert ev.flip_ratios(frozen[:0]).shape == (0, net.nsites, M)


def integer_network(boundary, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-1, 2, shape).astype(float) for shape in ((2, 3, 2), (3, 2, 3))]
    return qdn.ConvAC(6, weights, np.array([1.0, -2.0]), boundary=boundary)


FOLLOWED = {
    "chain": qdn.ConvAC.rand(4, 2, 2, 2, seed=1, loc=0.4),
    "lattice": qdn.ConvAC.rand((2, 2), 1, 2, 2, seed=1, loc=0.4),
    "RAC of one layer": qdn.RAC.rand(4, 1, 2, seed=1, loc=0.4),
    "RAC": qdn.RAC.rand(4, 2, 2, seed=1, loc=0.4),
    "RBM": qdn.RBM.rand(4, seed=1),
}


@pytest.mark.parametrize("family", FOLLOWED)
def test_derivatives_of_ratios(family):
    """By torch, against central differences; where psi vanishes, ratios are nan without a path."""
    torch = pytest.importorskip("torch")
    net = FOLLOWED[family]
    shape = net.geometry.shape
    configs = np.array([[0, 1, 1, 0], [1, 0, 0, 1]]).reshape(2, *shape)
    masks = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]).reshape(3, *shape)
    calls = (
        lambda net: net.flip_ratios(configs).sum(),
        lambda net: net.evaluator().ratios(configs, masks).sum(),
    )
    rng = np.random.default_rng(0)
    step = {name: rng.normal(size=x.shape) for name, x in net.params.items()}
    moved = lambda s: net.with_params({k: x + s * step[k] for k, x in net.params.items()})
    for call in calls:
        leaves = {k: torch.tensor(np.array(x), requires_grad=True) for k, x in net.params.items()}
        call(net.from_params(net.geometry, leaves)).backward()
        slope = sum(float((x.grad * torch.tensor(step[k])).sum()) for k, x in leaves.items())
        assert slope == pytest.approx(
            float(call(moved(1e-5)) - call(moved(-1e-5))) / 2e-5, rel=1e-6
        )


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
@pytest.mark.parametrize("seed", range(4))
def test_zeros_are_not_divided_by(boundary, seed):
    """Many windows are exactly zero, masks bring them back to life; where psi is zero: nan."""
    net = integer_network(boundary, seed)
    states, vector, masks = all_states(net), net.to_dense()[:, 0], some_masks(net)
    alive = vector != 0
    with np.errstate(all="ignore"):
        exact = exact_ratios(net, states, masks)
    for way in ways_of(net, masks):
        with np.errstate(all="ignore"):
            found = way(digits(states, 2, net._like))
        assert np.isnan(found[~alive]).all()
        if alive.any():
            error = np.abs(found[alive] - exact[alive]).max()
            assert error < 1e-12 * max(1, np.abs(exact[alive]).max())


def test_channels_that_floats_cannot_compare_are_done_by_whole_amplitudes():
    """A flip turns the channel that was 2**-800 of the other into the one that counts."""
    w = np.ones((1, 2, 2))
    w[0, 0] = [1.0, 2.0**-30]
    w[0, 1] = [2.0**-100, 1.0]
    net = qdn.ConvAC(16, [w], np.ones(2))
    states, masks = np.zeros((1, 16), int), np.zeros((3, 16), int)
    masks[1, :], masks[2, :8] = 1, 1
    found = net.evaluator().ratios(states, masks)[0]
    assert found == pytest.approx([1.0, 1.0, 2.0**-240], rel=1e-12)


def test_ranges_of_the_dtype():
    w = np.array([[[1e-30, 1e30]]], dtype="float32")
    net = qdn.ConvAC(4, [w], np.ones(1, "float32"))
    masks = np.array([[1, 0, 0, 0]])
    assert net.evaluator().ratios([[1] * 4], masks) == 0
    with pytest.raises(qdn.RangeError, match="a ratio"):
        net.evaluator().ratios([[0] * 4], masks)
    small = qdn.RBM(2, np.array([500.0, 0.0]), np.zeros(1), np.zeros((1, 2)))
    assert small.evaluator().ratios([[0, 0]], [[1, 0]]) == 0
    with pytest.raises(qdn.RangeError, match="a ratio"):
        small.evaluator().ratios([[1, 0]], [[1, 0]])


def test_the_ways_are_chosen_by_cost(monkeypatch):
    kind = lambda net: type(net._ratios_by(flips_of(net.nsites, 2), 128)[0]).__name__
    small, lattice = ring(shape=64, depth=3), ring(shape=(10, 10), depth=3, bond_dim=8)
    assert (kind(small), kind(lattice)) == ("LoopRatios", "LoopRatios")
    machine = lattice._machine
    cost, group = ratio_costs.best_group(lattice.geometry, 100, 100, 128, 8, machine)
    assert (cost, group) == (float("inf"), None)
    monkeypatch.setattr(ratios, "layer_cost", lambda *args: float("inf"))
    assert kind(lattice) == "function"


@pytest.mark.parametrize("shape", [24, (5, 5)])
def test_wide_ranges_of_random_weights(shape):
    """Windows whose rows lie hundreds of powers of two apart stay in the loop, and are right."""
    net = ring(shape=shape, bond_dim=4)
    rng = np.random.default_rng(0)
    states = rng.integers(2, size=(8, *net.geometry.shape))
    masks = some_masks(net).reshape(-1, *net.geometry.shape)
    general, _ = masked_ratios(net, masks_of(masks.reshape(len(masks), -1)), 8)
    exact = general(digits(states, 2, net._like))
    found = net.evaluator().ratios(states, masks)
    assert (np.abs(found - exact) < 1e-8 * np.abs(exact) + 1e-12 * np.abs(exact).max()).all()


def test_masks_that_touch_the_same_windows_are_neighbours():
    net = ring(shape=12)
    rows = some_masks(net)
    touches = touched_windows(masks_of(rows), net.geometry, net.depth, (3,))
    assert sorted(touches.order) == list(range(len(rows)))
    sets = [
        tuple(touches.windows[touches.starts[i] : touches.starts[i + 1]]) for i in range(len(rows))
    ]
    groups = [sets[a:b] for a, b in zip(touches.sets[:-1], touches.sets[1:])]
    assert all(len(set(group)) == 1 for group in groups)
    assert len({group[0] for group in groups}) == len(groups)


@pytest.mark.parametrize("least", [-1, 0])
def test_quotients_beyond_floats_stay_in_the_loop(least):
    """Products of new rows and of old ones are held by floats, their quotients perhaps not."""
    rng = np.random.default_rng(0)
    net = qdn.ConvAC.rand((6, 6), 2, 3, 2, seed=0)
    first = net.weights[0].copy()
    first[0, 0, 0, 0] *= least  # zeros, too
    first[1, 1, 0, 0] *= 64
    net = qdn.ConvAC((6, 6), [first, net.weights[1]], net.readout)
    states = rng.integers(2, size=(6, 6, 6))
    masks = masks_of(np.eye(36, dtype=int) + np.eye(36, k=6, dtype=int))
    tables = TableRatios(net, masks, (1, 1))
    assert tables.near().all() and (tables.reach > 1400).any()
    x = digits(states, 2, net._like)
    exact = masked_ratios(net, masks, 64)[0](x)
    out, unsure = np.empty((6, 36)), np.zeros(6, bool)
    tables.loop()(x, 0, 6, out, unsure)
    assert not unsure.any() and np.ptp(np.log10(np.abs(exact[exact != 0]))) > 10
    assert (np.abs(out - exact) <= 1e-10 * np.abs(exact)).all()


def test_values_from_flips_by_arrays_and_by_the_loop():
    rng = np.random.default_rng(0)
    x, flips = rng.integers(3, size=(4, 5)), rng.normal(size=(5, 8))
    found = by_value(flips, x, 3)
    for b in range(5):
        for n in range(4):
            for m in range(3):
                by = (m - x[n, b]) % 3
                assert found[b, n, m] == (flips[b, (by - 1) * 4 + n] if by else 1)
    torch = pytest.importorskip("torch")
    traced = torch.tensor(flips, requires_grad=True)
    assert np.array_equal(by_value(traced, torch.tensor(x), 3).detach(), found)


WITHOUT_JIT = """
import numpy as np, quimb_deepnets as qdn
from tests import test_ratios as t
from tests.test_flip_tables import by_quotients
for net in (t.ring(shape=5), t.ring(shape=4, phys_dim=3, kernel=2)):
    states, masks = t.some_states(net, 2), t.some_masks(net)[:7]
    exact = t.exact_ratios(net, states, masks)
    for way in t.ways_of(net, masks):
        found = way(t.digits(states, net.phys_dim, net._like))
        assert np.abs(found - exact).max() < 1e-11 * np.abs(exact).max()
    flips = t.flips_of(net.nsites, net.phys_dim)
    exact = t.exact_ratios(net, states, flips.digits(net.nsites, int).T)
    found = by_quotients(net, flips, (2,))(t.digits(states, net.phys_dim, net._like))
    assert np.abs(found - exact).max() < 1e-11 * np.abs(exact).max()
net = qdn.RBM.rand(4, 1, seed=0)
states, masks = t.some_states(net, 2), t.some_masks(net)
found = net.evaluator().ratios(states, masks)
assert np.abs(found - t.exact_ratios(net, states, masks)).max() < 1e-11
"""


def test_loops_are_python_too():
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JIT], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
