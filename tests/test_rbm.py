"""Restricted Boltzmann machines: formula, derivatives, ratios, tensor network."""

import itertools

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

NETS = [
    qdn.RBM.rand(5, 2, scale=0.7, seed=0),
    qdn.RBM.rand((2, 3), 1, scale=0.7, dtype="complex128", seed=1),
    qdn.RBM.rand(1, 1, seed=2),
]


def formula(net):
    """psi of all configurations, by its definition."""
    spins = np.array(list(itertools.product((1, -1), repeat=net.nsites)))
    out = []
    for s in spins:
        value = np.exp(sum(a * x for a, x in zip(net.visible_bias, s)))
        for b, row in zip(net.hidden_bias, net.weights):
            value *= 2 * np.cosh(b + sum(w * x for w, x in zip(row, s)))
        out.append(value)
    return np.array(out)


def states(net):
    digits = np.array(list(itertools.product((0, 1), repeat=net.nsites)))
    return digits.reshape(-1, *net.geometry.shape)


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("net", NETS, ids=repr)
def test_amplitudes_derivatives_and_ratios(net, like):
    vector, x = formula(net), states(net)
    there = net.to(like)
    assert there.backend == like and there.dtype == net.dtype
    assert np.abs(np.asarray(there.to_dense())[:, 0] / vector - 1).max() < 1e-13
    phase, logabs = map(np.asarray, there.log_amplitudes(x, chunk=3))
    assert np.abs(phase * np.exp(logabs) / vector - 1).max() < 1e-13
    N, ratios = net.nsites, np.asarray(there.flip_ratios(x))
    flat = x.reshape(len(x), -1)
    for n, m in itertools.product(range(N), (0, 1)):
        to = np.arange(len(x)) + (m - flat[:, n]) * 2 ** (N - 1 - n)
        assert np.abs(ratios[:, n, m] / (vector[to] / vector) - 1).max() < 1e-12
    O, step = np.asarray(there.log_derivatives(x)), 1e-6
    for i, (name, entry) in enumerate(
        (name, k) for name, value in net.params.items() for k in range(value.size)
    ):
        moved = []
        for sign in (1, -1):
            params = {k: v.copy() for k, v in net.params.items()}
            params[name].reshape(-1)[entry] += sign * step
            moved.append(formula(qdn.RBM.from_params(net.geometry, params)))
        central = (moved[0] - moved[1]) / (2 * step) / vector
        assert np.abs(O[:, i] - central).max() < 1e-7


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_tensor_network(net):
    vector = formula(net)
    psi = net.to_tensor_network()
    assert isinstance(psi, qtn.TensorNetworkGenVector) and psi.sites == net.sites
    assert np.abs(psi.to_dense()[:, 0] - vector).max() < 1e-12 * np.abs(vector).max()
    assert abs(psi.norm() / np.linalg.norm(vector) - 1) < 1e-12
    with pytest.raises(qdn.BudgetError, match="tensors"):
        net.to_tensor_network(max_tensors=2)


def test_gradients_flow():
    net = NETS[0]
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    state = qdn.RBM.from_params(net.geometry, params)
    x = states(net)[:4]
    grads = torch.autograd.grad(state.log_amplitudes(x)[1].sum(), list(params.values()))
    found = torch.cat([g.reshape(-1) for g in grads]).numpy()
    assert np.abs(found - net.log_derivatives(x).sum(0)).max() < 1e-12


def test_large_machines_stay_in_the_log_domain():
    net = qdn.RBM.rand(100, 4, scale=30.0, seed=0)
    phase, logabs = net.log_amplitudes(np.zeros((2, 100), int))
    assert (phase == 1).all() and (logabs > 1e4).all()
    with pytest.raises(qdn.RangeError):
        net.amplitude("0" * 100)
    psi = net.to_tensor_network()
    assert psi.exponent > 1e4


def test_errors():
    with pytest.raises(qdn.WeightError, match="WEIGHTS"):
        qdn.RBM(3, np.zeros(3), np.zeros(2), np.zeros((3, 2)))
    with pytest.raises(qdn.GeometryError):
        qdn.RBM.rand(0)
    with pytest.raises(qdn.GeometryError):
        qdn.RBM.rand(3, alpha=0)
    with pytest.raises(qdn.OptionError, match="nodes='dense' is for"):
        NETS[0].to_tensor_network(nodes="dense")
    with pytest.raises(qdn.MethodError):
        NETS[0].to_mps()
    assert "hidden=10" in repr(NETS[0]) and "hidden units" in repr(NETS[0].plan(5))
