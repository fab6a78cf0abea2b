"""log_derivatives and flip_ratios against autograd, central differences and dense states."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.log_derivatives import LayerDerivatives, TableDerivatives
from quimb_deepnets.numerics.configs import digits

from .architectures import CONV, NETWORKS, all_states

IDS = [f"{i}-{net!r}" for i, net in enumerate(NETWORKS)]


def some_states(net, count=5):
    states = all_states(net)
    return states[np.random.default_rng(0).permutation(len(states))[:count]]


def by_autograd(net, states):
    """d log psi / d theta of each state, from gradients of plain amplitudes."""
    params = {k: torch.tensor(np.asarray(x), requires_grad=True) for k, x in net.params.items()}
    state, rows = type(net).from_params(net.geometry, params), []
    for amplitude in state.amplitudes(states):
        value = amplitude.real if amplitude.is_complex() else amplitude
        grads = torch.autograd.grad(value, list(params.values()), retain_graph=True)
        row = torch.cat([g.reshape(-1) for g in grads]).resolve_conj().numpy().conj()
        rows.append(row / amplitude.detach().numpy())
    return np.stack(rows)


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_log_derivatives_of_every_kind(i):
    net, states = NETWORKS[i], some_states(NETWORKS[i])
    exact = by_autograd(net, states)
    assert exact.shape == (len(states), net.num_params)
    for like in ("numpy", "torch"):
        found = [(state := net.to(like)).log_derivatives(states)]
        x = digits(states, net.phys_dim, state._like)
        if i < len(CONV):
            found.append(LayerDerivatives(state)(x))
            if net.shared:
                found.append(TableDerivatives(state)(x))
        for each in found:
            assert np.abs(np.asarray(each) - exact).max() < 1e-11 * np.abs(exact).max()


def integer_network(boundary, seed=1):
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-1, 2, shape).astype(float) for shape in ((2, 3, 2), (3, 2, 3))]
    return qdn.ConvAC(6, weights, np.array([1.0, -2.0]), boundary=boundary)


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
@pytest.mark.parametrize("seed", range(4))
def test_zeros_are_not_divided_by(boundary, seed):
    """Many windows are exactly zero, and flips and derivatives bring them back to life."""
    net = integer_network(boundary, seed)
    states, vector = all_states(net), net.to_dense()[:, 0]
    alive = states[vector != 0]
    if not len(alive):
        pytest.skip("the state vanishes")
    exact = by_autograd(net, alive)
    x = digits(alive, 2, net._like)
    for found in (net.log_derivatives(alive), LayerDerivatives(net)(x), TableDerivatives(net)(x)):
        assert np.abs(found - exact).max() < 1e-12 * max(1, np.abs(exact).max())


def test_where_psi_is_zero_derivatives_are_nan():
    net = integer_network("periodic", 0)
    zero = all_states(net)[net.to_dense()[:, 0] == 0]
    assert len(zero)
    with np.errstate(all="ignore"):
        assert not np.isfinite(net.log_derivatives(zero[:3])).all(axis=1).any()


def test_deep_networks_have_finite_derivatives_and_ratios():
    """log |psi| is beyond the range of floats, its derivatives and ratios are not."""
    for net in (
        qdn.ConvAC.rand(64, 4, 3, 4, boundary="periodic", seed=0),
        qdn.ConvAC.rand((8, 8), 4, 3, 4, dist="uniform", loc=1.0, scale=1e-3, seed=0),
        qdn.RAC.rand(300, 2, 4, dist="uniform", loc=1.0, scale=1e-2, seed=0),
    ):
        x = np.random.default_rng(0).integers(0, 2, (2, *net.geometry.shape))
        assert abs(net.log_amplitudes(x)[1]).min() > 300
        derivatives, ratios = net.log_derivatives(x), net.flip_ratios(x)
        assert np.isfinite(derivatives).all() and np.isfinite(ratios).all()
        # Euler: log psi is homogeneous of degree one in the read-out
        assert np.abs((derivatives[:, -len(net.readout) :] * net.readout).sum(1) - 1).max() < 1e-9
        n = 7 if len(net.geometry.shape) == 1 else (0, 7)
        y = x.copy()
        y[(slice(None), *np.atleast_1d(n))] ^= 1
        (p0, l0), (p1, l1) = net.log_amplitudes(x), net.log_amplitudes(y)
        exact = p1 / p0 * np.exp(l1 - l0)
        new = y[(slice(None), *np.atleast_1d(n))]
        found = ratios[np.arange(2), 7, new]
        assert np.abs(found / exact - 1).max() < 1e-8


def test_ratios_beyond_floats_are_refused():
    net = qdn.ConvAC.rand(64, 7, 3, 4, boundary="periodic", seed=0)
    x = np.random.default_rng(0).integers(0, 2, (4, 64))
    with pytest.raises(qdn.RangeError, match="a ratio has size"):
        net.flip_ratios(x)
    assert np.isfinite(net.log_derivatives(x)).all()


def test_chunks_bars_and_budgets(capsys):
    net = qdn.ConvAC.rand(6, 2, 3, 3, seed=0)
    x = all_states(net)
    for method in (net.log_derivatives, net.flip_ratios):
        whole = method(x)
        assert np.abs(method(x, chunk=7, progbar=True) - whole).max() < 1e-12 * np.abs(whole).max()
        assert "10/10" in capsys.readouterr().err
        assert method(x[:0]).shape == (0, *whole.shape[1:])
        with pytest.raises(qdn.BudgetError, match=f"{whole.nbytes} bytes"):
            method(x, max_bytes=100)
        with pytest.raises(qdn.OptionError, match="chunk=-1"):
            method(x, chunk=-1)
        with pytest.raises(qdn.ConfigError):
            method([[0, 1, 2, 0, 0, 0]])
