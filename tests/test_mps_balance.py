"""Depth-2 RACs as matrix product states, where powers of one direction would drown another."""

import math

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.conversion import transfer_states
from quimb_deepnets.conversion.balance import frames
from quimb_deepnets.conversion.drawn import draw, relative_error
from quimb_deepnets.entanglement.methods.mps import site_arrays

from .reference import rac_amplitude


def integers(seed, N, depth=2):
    """A RAC of integer weights, from 1 to 64: all amplitudes are exact integers."""
    net = qdn.RAC.rand(N, depth, 2, dist="uniform", seed=seed)
    params = {k: np.ceil(64 * np.abs(x)) for k, x in net.params.items()}
    return qdn.RAC.from_params(net.geometry, params)


@pytest.mark.parametrize("seed", [1, 4, 17])
def test_amplitudes_are_those_of_exact_integers(seed):
    net = integers(seed, 10)
    weights = (net.hidden_weights, net.input_weights, net.initial)
    lists = [[x.astype(int).tolist() for x in kind] for kind in weights]
    configs = np.array(list(np.ndindex(*(2,) * 10)))
    readout = net.readout.astype(int).tolist()
    exact = [rac_amplitude(config, *lists, readout, 2) for config in configs.tolist()]
    top = max(map(abs, exact))
    vector = np.array([x / top for x in exact])
    found = net.to_mps(normalize=True).to_dense()[:, 0]
    vector /= np.linalg.norm(vector)
    assert np.abs(found * np.sign(found @ vector) - vector).max() < 1e-13
    values = np.linalg.svd(vector.reshape(32, 32), compute_uv=False) ** 2
    right = -sum(p * math.log2(p) for p in values if p > 0)
    assert abs(float(net.entropy(5, method="to_mps")) - right) < 1e-12


def drawn_error(net):
    """The relative error of an MPS on configurations drawn from it, in the log domain."""
    mps = net.to_mps(cutoff=0.0, normalize="exponent")
    configs, phase, logabs = draw(site_arrays(mps), np.random.default_rng(1), 64)
    logabs = logabs + mps.exponent * math.log(10)
    return relative_error(phase, logabs, *net.log_amplitudes(configs))


@pytest.mark.parametrize(
    "options",
    [
        {"L": 64, "seed": 4},
        {"L": 64, "seed": 1, "dist": "uniform"},
        {"L": 48, "seed": 2, "dtype": "complex128"},
        {"L": 32, "seed": 3, "dist": "uniform", "phys_dim": 3},
        {"L": 18, "seed": 0, "bond_dim": 3},
        {"L": 100, "seed": 0, "dist": "rademacher", "dtype": "complex128"},
    ],
    ids=str,
)
def test_drawn_amplitudes_of_long_chains(options):
    net = qdn.RAC.rand(**{"depth": 2, "bond_dim": 2, **options})
    assert drawn_error(net) < 1e-10


def test_entropy_of_a_network_that_needs_the_balance():
    net = qdn.RAC.rand(16, depth=2, bond_dim=2, dist="uniform", seed=34)
    assert qdn.entanglement_plan(net, 8).chosen == "to_mps"
    assert abs(net.entropy(8) - net.entropy(8, method="dense")) < 1e-12


def test_frames_hold_all_that_is_reached():
    rng = np.random.default_rng(0)
    maps, start = rng.standard_normal((2, 3, 3)) * [1.0, 1e-4, 1.0], rng.standard_normal(3)
    there, back = frames(start, maps, 8, 1e-12)
    assert np.abs(back @ there - np.eye(3)).max() < 1e-12
    points = start[None]
    for n in range(9):
        points = points / np.abs(points).max()
        inside = points @ there[n].T
        assert np.linalg.norm(inside, axis=1).max() < 1.1
        if n > 2:  # in every direction something comes near the sphere, as John's theorem has it
            directions = rng.standard_normal((100, 3))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            assert np.abs(directions @ inside.T).max(1).min() > 0.9 / math.sqrt(3)
        points = np.concatenate([points @ matrix.T for matrix in maps])


def test_what_is_lost_is_refused_and_auto_goes_on(monkeypatch):
    """Without the balance the conversion is wrong, and drawn amplitudes tell."""

    def unbalanced(start, maps, steps, precision):
        eye = np.broadcast_to(np.eye(len(start)), (steps + 1, len(start), len(start))).copy()
        return eye, eye

    net = qdn.RAC.rand(18, depth=2, bond_dim=2, seed=3)
    right = net.entropy(9, method="dense")
    monkeypatch.setattr(transfer_states, "frames", unbalanced)
    with pytest.raises(qdn.MethodError, match="has lost the state"):
        net.to_mps()
    with pytest.raises(qdn.MethodError, match="has lost the state"):
        net.entropy(9, method="to_mps")
    assert abs(net.entropy(9) - right) < 1e-12
    assert np.abs(net.entropies([9]) - right).max() < 1e-12


def rows_alike(depth):
    """A RAC whose last layer has two equal channels, read with opposite signs."""
    rng = np.random.default_rng(depth)
    a, b = rng.standard_normal((2, depth, 2, 2))
    a[-1], b[-1] = [[0.3, 0.7], [0.7, 0.3]], np.repeat(rng.standard_normal((1, 2)), 2, axis=0)
    return qdn.RAC(10, list(a), list(b), None, np.array([1.0, -1.0]))


VANISHING = {
    "zeros": qdn.RAC.rand(10, 2, 2, dist="rademacher", seed=2),
    "underflow": qdn.RAC.rand(24, 2, 2, dist="rademacher", seed=8),
    "rac 1": rows_alike(1),
    "rac 2": rows_alike(2),
    "rac 3": rows_alike(3),
    "conv": qdn.ConvAC(
        10,
        [
            np.random.default_rng(0).standard_normal((3, 2, 2)) / 3,
            np.repeat(np.random.default_rng(1).standard_normal((3, 1, 2)), 3, axis=1) / 7,
        ],
        np.array([0.1, 0.2, -0.3]),
    ),
}


CASES = [*((name, "numpy") for name in VANISHING), ("zeros", "torch"), ("rac 2", "torch")]


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_vanishing_states_have_no_entropy_by_any_method(name, backend):
    net = VANISHING[name].to(backend)
    for method in ("auto", "dense", "gram", "reduced", "to_mps", "approx"):
        if (name, method) == ("rac 3", "to_mps") or (net.nsites > 20 and method != "to_mps"):
            continue
        with pytest.raises(qdn.RangeError, match=r"vanish|norm"):
            net.entropy(5, method=method)
    if name != "rac 3":
        with pytest.raises(qdn.RangeError, match="vanish"):
            net.to_mps()
    if net.nsites <= 20:
        with pytest.raises(qdn.RangeError):
            net.collapse().entropy(5)
        with pytest.raises(qdn.RangeError):
            net.partial_trace_exact([0, 1])


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(10, 4, 3, 4, seed=0),
        qdn.ConvAC.graph_state(10, distance=2, kernel=3),
        qdn.RAC(  # nothing but 00...0 and 11...1
            10, [np.eye(2)], [np.eye(2)], None, np.array([1.0, 1.0])
        ),
        qdn.ConvAC.rand(12, 20, 2, 2, seed=0, dtype="float32"),
        qdn.RBM.rand(8, seed=0),
    ],
    ids=repr,
)
def test_states_that_do_not_vanish_pass(net):
    assert np.isfinite(float(net.entropy(4)))
    assert np.isfinite(float(net.entropy(4, method="dense")))
