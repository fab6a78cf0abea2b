"""Markov chains that cannot leave where they are: the estimate says so."""

import warnings

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.sampling.metropolis import Metropolis

MODE = np.array([0, 1] * 8)


def two_modes():
    """Two configurations that differ at six sites, everything between them exactly zero."""
    W, other = np.zeros((16, 1, 2, 2)), MODE.copy()
    other[:6] ^= 1
    for n in range(16):
        W[n, 0, 0, MODE[n]] = W[n, 0, 1, other[n]] = 1
    return qdn.ConvAC(16, [W], np.ones(2)), other


def test_two_modes_out_of_reach():
    """The right entropy is 1; chains in one mode find 0, with a small error and R-hat 1."""
    net, other = two_modes()
    assert abs(net.renyi_entropy([0, 1, 2]) - 1) < 1e-12
    small = {"samples": 2**10, "chains": 32, "seed": 1}
    with pytest.warns(qdn.SamplingWarning, match="no chain ever moved"):
        found = qdn.renyi2_estimate(net, [0, 1, 2], start=MODE, **small)
    assert found.moved == found.acceptance == 0
    rng = np.random.default_rng(0)
    start = np.where(rng.random((32, 1)) < 0.5, MODE, other)
    with pytest.warns(qdn.SamplingWarning):
        qdn.renyi2_estimate(net, [0, 1, 2], start=start, **small)


def test_a_state_of_one_configuration_looks_the_same():
    W = np.eye(2)[MODE[:6]].reshape(6, 1, 1, 2)
    with pytest.warns(qdn.SamplingWarning, match="a state of one configuration"):
        mean, _ = qdn.renyi2_estimate(
            qdn.ConvAC(6, [W], np.ones(1)), 3, samples=512, chains=16, seed=0, start=MODE[:6]
        )
    assert mean == 0 and np.copysign(1, mean) == 1


def test_chains_that_move_are_not_warned_about():
    net = qdn.RBM.rand(6, scale=0.3, seed=0)
    with warnings.catch_warnings(action="error"):
        found = qdn.renyi2_estimate(net, 3, samples=2**11, chains=16, seed=0)
    assert found.moved == 1 and found.acceptance > 0.5


def test_only_changes_count_as_accepted():
    """Around one configuration with all weight, proposals that change nothing are not moves."""

    def log_amplitudes(configs):
        here = (configs == MODE).all(1)
        return here * 1.0, np.where(here, 0.0, -np.inf)

    sampler = Metropolis(log_amplitudes, shape=16, chains=64, seed=0, start=MODE)
    sampler.sweep(steps=5)
    assert sampler.acceptance == 0
    flat = Metropolis(lambda c: (np.ones(len(c)), np.zeros(len(c))), shape=4, chains=64, seed=0)
    flat.sweep(steps=5)
    assert flat.acceptance == 1
