"""Every way to evaluate amplitudes, forced in turn, against nested loops and exact numbers."""

import mpmath
import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.numerics.configs import config_block

from .architectures import CONV, all_states
from .reference import conv_vector

IDS = [f"{i}-{net!r}" for i, net in enumerate(CONV)]


def plans_of(net, batch=64):
    """All levels, and all merges of up to four windows."""
    for level in range(net.depth):
        yield net.plan(batch, level=level)
    for size in range(1, 5):
        groups = [size] if net.geometry.ndim == 1 else [(1, size), (size, 1), (2, size)]
        for group in groups:
            yield net.plan(batch, group=group)


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("i", range(len(CONV)), ids=IDS)
def test_every_plan(i, like):
    net, vector = CONV[i].to(like), conv_vector(CONV[i])
    states, norm = all_states(net), np.linalg.norm(vector)
    for plan in plans_of(net):
        found = np.asarray(net.amplitudes(states, plan=plan))
        assert np.abs(found - vector).max() <= 1e-12 * norm, plan
        phase, logabs = map(np.asarray, net.log_amplitudes(states, plan=plan, chunk=37))
        assert np.abs(phase * np.exp(logabs) - vector).max() <= 1e-12 * norm, plan


def test_plans_that_are_chosen_cover_all_ways():
    """Few amplitudes are computed layer by layer, many looked up, deep lattices mixed."""
    chain = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", seed=0)
    assert chain.plan(1).group is None
    assert chain.plan(4096).level == 4 and chain.plan(4096).lookups < 64
    assert 0 < qdn.ConvAC.rand((8, 8), 3, 3, 4, seed=0).plan(1000).level < 3
    assert "merged" in repr(chain.plan(4096)) and "computed" in repr(chain.plan(1, level=1))


def test_plans_are_made_in_integers():
    """A network far too large for tables is planned, and evaluated, at once."""
    net = qdn.ConvAC.rand((30, 30), 6, 5, 2, phys_dim=3, seed=0)
    assert net.plan(10**6).table_bytes <= 2**26
    assert np.isfinite(net.log_amplitudes(np.zeros((1, 30, 30), int))[1]).all()


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision(dtype):
    net = qdn.ConvAC.rand(10, 3, 3, 4, boundary="periodic", seed=0)
    single, states = net.to(dtype=dtype), config_block(0, 1024, (10,), 2)
    exact = net.log_amplitudes(states)[1]
    for plan in plans_of(net):
        phase, logabs = single.log_amplitudes(states, plan=plan)
        assert phase.dtype == dtype and logabs.dtype == "float32"
        some = exact > exact.max() - 5
        assert np.abs(logabs - exact)[some].max() < 1e-4 * np.abs(exact).max()


def test_zeros_and_cancellation_in_every_plan():
    """Weights of 0 and 1 alone: amplitudes are integers, many of them zero."""
    rng = np.random.default_rng(0)
    for boundary in ("ones", "omit", "periodic"):
        weights = [
            rng.integers(-1, 2, (3, 3, 2)).astype(float),
            *rng.integers(-1, 2, (2, 3, 3, 3)).astype(float),
        ]
        net = qdn.ConvAC(7, weights, np.array([1.0, -1.0, 1.0]), boundary=boundary)
        vector = conv_vector(net)
        assert (vector == 0).any()
        for plan in plans_of(net):
            assert (net.amplitudes(all_states(net), plan=plan) == vector).all()
            assert (
                np.isneginf(net.log_amplitudes(all_states(net), plan=plan)[1]) == (vector == 0)
            ).all()


def mp_log_amplitude(net, config):
    """log |psi| of a ring with mpmath, 60 digits."""
    mpmath.mp.dps = 60
    y = [[mpmath.mpf(int(m == s)) for m in range(net.phys_dim)] for s in config]
    for w in net.weights:
        K, out = len(w), []
        for n in range(len(y)):
            node = []
            for c in range(w.shape[1]):
                factor = mpmath.mpf(1)
                for k in range(K):
                    below = y[(n + k - K // 2) % len(y)]
                    factor *= mpmath.fsum(
                        mpmath.mpf(a) * b for a, b in zip(w[k, c].tolist(), below)
                    )
                node.append(factor)
            out.append(node)
        y = out
    total = mpmath.fsum(
        mpmath.mpf(float(r)) * mpmath.fprod(node[c] for node in y)
        for c, r in enumerate(net.readout)
    )
    return float(mpmath.log(abs(total))), int(mpmath.sign(total))


@pytest.mark.parametrize("depth", [5, 12, 20])
def test_deep_networks_against_many_digits(depth):
    """Degree 3**depth: log |psi| up to 10**10, exact to the digits that a log in float64 has."""
    net = qdn.ConvAC.rand(5, depth, 3, 2, boundary="periodic", dist="uniform", loc=1.5, seed=depth)
    for config in ([0, 1, 1, 0, 1], [1, 1, 1, 0, 0]):
        exact, sign = mp_log_amplitude(net, config)
        for plan in (None, *plans_of(net)):
            phase, logabs = net.log_amplitudes([config], plan=plan)
            assert phase[0] == sign
            assert abs(logabs[0] - exact) < 1e-14 * abs(exact) + 1e-12


def test_depth_20_on_a_large_lattice():
    net = qdn.ConvAC.rand((100, 100), 20, 5, 2, boundary="periodic", seed=0)
    phase, logabs = net.log_amplitudes(np.zeros((1, 100, 100), int))
    assert np.isfinite(logabs).all() and abs(logabs[0]) > 1e29 and abs(phase[0]) == 1


def test_tables_that_span_more_than_floats():
    """Rows that differ by thousands of powers of two are looked up with exponents of their own."""
    weights = [np.array([[[1e-250, 1.0]], [[1.0, 1e-250]]]), np.array([[[1.0]]] * 2)] + [
        np.array([[[1.0]]] * 2)
    ] * 2
    net = qdn.ConvAC(8, weights, np.array([2.0]), boundary="periodic")
    states = config_block(0, 256, (8,), 2)
    exact = net.log_amplitudes(states, plan=net.plan(256, level=0))[1]
    assert exact.min() < -2500
    for plan in plans_of(net):
        assert np.abs(net.log_amplitudes(states, plan=plan)[1] - exact).max() < 1e-9
    with pytest.raises(qdn.RangeError):
        net.to_dense()


# ------------------------------------------------------------------ gradients


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
def test_gradients_of_every_plan_against_central_differences(boundary, dtype):
    net = qdn.ConvAC.rand(5, 3, 2, 2, boundary=boundary, dtype=dtype, seed=3)
    config, step = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]]), 1e-5
    rng = np.random.default_rng(0)
    direction = {k: rng.normal(size=x.shape).astype(dtype) for k, x in net.params.items()}

    def value(net, plan=None):
        a, (_, logabs) = net.amplitudes(config, plan=plan), net.log_amplitudes(config, plan=plan)
        return (a.real if dtype == "complex128" else a).sum() + logabs.sum()

    moved = [
        value(
            qdn.ConvAC.from_params(
                net.geometry, {k: x + s * step * direction[k] for k, x in net.params.items()}
            )
        )
        for s in (1, -1)
    ]
    exact = (moved[0] - moved[1]) / (2 * step)
    for plan in plans_of(net):
        params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
        loss = value(qdn.ConvAC.from_params(net.geometry, params), plan)
        grads = torch.autograd.grad(loss, list(params.values()))
        found = sum((g.numpy().conj() * direction[k]).sum().real for g, k in zip(grads, params))
        assert abs(found - exact) < 1e-7 * max(1, abs(exact)), plan


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gradients_of_a_rac(depth):
    net = qdn.RAC.rand(9, depth, 3, seed=depth)
    config, step, rng = [[0, 1, 1, 0, 1, 0, 0, 1, 1]], 1e-6, np.random.default_rng(1)
    direction = {k: rng.normal(size=x.shape) for k, x in net.params.items()}
    at = lambda s: qdn.RAC.from_params(
        net.geometry, {k: x + s * step * direction[k] for k, x in net.params.items()}
    ).log_amplitudes(config)[1][0]
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    value = qdn.RAC.from_params(net.geometry, params).log_amplitudes(config)[1][0]
    grads = torch.autograd.grad(value, list(params.values()))
    found = sum((g.numpy() * direction[k]).sum() for g, k in zip(grads, params))
    assert abs(found - (at(1) - at(-1)) / (2 * step)) < 1e-5 * abs(found)


def test_second_derivatives_flow_too():
    net = qdn.ConvAC.rand(6, 2, 3, 2, boundary="periodic", seed=0)
    for plan in (net.plan(4, level=0), net.plan(4, group=2)):
        w = torch.tensor(net.readout, requires_grad=True)
        state = qdn.ConvAC(6, [torch.tensor(x) for x in net.weights], w, boundary="periodic")
        value = state.log_amplitudes([[0, 1, 1, 0, 1, 0]], plan=plan)[1].sum()
        (first,) = torch.autograd.grad(value, w, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), w)
        exact = -first.detach() * first.detach().sum()  # psi is linear in the read-out
        assert (second - exact).abs().max() < 1e-10 * exact.abs().max()
