"""States of several modes: the moves by default reach all of them; else a warning, never silence.

::

    GHZ     |0000> + |1111>       flips meet zeros, or a valley; all sites alike do not
    W       |1000> + |0100> ...   flips leave the state; exchanges stay in it
"""

import warnings

import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn

N = 10
RNG = np.random.default_rng(0)


def ghz():
    """A ConvAC of two channels: ``|00...0> + |11...1>``."""
    return qdn.ConvAC(N, [np.eye(2)[None]], np.ones(2))


def ferromagnet():
    """An RBM with a deep valley between all up and all down."""
    return qdn.RBM(N, np.zeros(N), np.zeros(2), np.full((2, N), 1.5))


def one_excitation():
    """``|100..> + |010..> + ...``: a number of ones that is conserved."""

    def log_amplitudes(configs):
        there = configs.sum(1) == 1
        return there * 1.0, np.where(there, 0.0, -np.inf)

    return log_amplitudes


def corners():
    start = np.zeros((32, N), int)
    start[::2] = 1
    return start


STATES = {
    "GHZ": (ghz, {"start": corners()}, 0.5),
    "GHZ, one mode known": (ghz, {"start": np.zeros(N, int)}, 0.5),
    "ferromagnet": (ferromagnet, {}, 0.5),
    "one excitation": (one_excitation, {"shape": N, "start": np.eye(N, dtype=int)[[0] * 32]}, 0.1),
    "graph state": (lambda: qdn.ConvAC.graph_state(N, distance=1, kernel=2), {}, 0.5),
}


@pytest.mark.parametrize("name", STATES)
def test_moves_by_default_reach_all_modes(name):
    state, options, mean = STATES[name]
    sampler = qdn.Metropolis(state(), 32, seed=0, **options)
    with warnings.catch_warnings(action="error"):
        sampler.sweep(200)
    assert sampler.rhat < 1.2 and sampler.moved == 1
    assert abs(sampler.digits.mean() - mean) < 0.35
    assert np.ptp(sampler.digits, axis=0).all()  # every site is seen at 0 and 1


@pytest.mark.parametrize("name", ["GHZ", "GHZ, one mode known", "one excitation", "ferromagnet"])
def test_single_flips_are_warned_of(name):
    state, options, _ = STATES[name]
    if name == "ferromagnet":
        options = {"start": corners()}
    sampler = qdn.Metropolis(state(), 32, moves=("flip",), levels=1, seed=0, **options)
    with pytest.warns(qdn.SamplingWarning, match="moved|mix|stand still"):
        sampler.sweep(200)
    with warnings.catch_warnings(action="error"):
        sampler.sweep(200)  # said once


def test_samples_of_two_modes_are_of_both():
    for net in (ghz(), ferromagnet()):
        for method in ("exact", "metropolis"):
            mean = net.sample(200, seed=0, method=method).mean(1)
            assert 50 < (mean > 0.5).sum() < 150


def test_a_ground_state_of_two_modes():
    """The Ising chain without a field: chains visit both, or a warning says that they do not."""
    H = {(i, i + 1): -qu.pauli("Z") & qu.pauli("Z") for i in range(N - 1)}
    gs = qdn.GroundState(ferromagnet(), H, samples=128, chains=32, seed=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        gs.run(steps=2, progbar=False)
    both = len({tuple(config) for config in gs._state.configs[:, :1].tolist()}) == 2
    assert both or any(issubclass(w.category, qdn.SamplingWarning) for w in said)
    single = qdn.GroundState(qdn.ConvAC(N, [np.eye(2)[None]], np.array([1.0, 0.0])), H, seed=0)
    with pytest.warns(qdn.SamplingWarning, match="no chain ever moved"):
        assert single.measure()["energy"] == pytest.approx(1 - N)
