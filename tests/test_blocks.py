"""Layers, steps and derivatives in blocks, against nested loops and the array versions."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.layerwise import Layers
from quimb_deepnets.evaluation.log_derivatives import TableDerivatives
from quimb_deepnets.evaluation.recurrence import Recursion
from quimb_deepnets.numerics.configs import config_block, digits

from .architectures import CONV, RACS, all_states
from .reference import conv_vector, rac_vector

DTYPES = ["float32", "float64", "complex64", "complex128"]


def tolerance(dtype):
    return 1e-5 if dtype in ("float32", "complex64") else 1e-12


def both(way, x):
    """What blocks find, and what arrays do; blocks must have done it."""
    assert way.blocks is not None
    found, way.blocks = way(x), None
    return found, way(x)


def plain(*values, top=0.0):
    """Scaled numbers over ``2**top``, and arrays as they are."""
    for x in values:
        if isinstance(x, tuple):
            bits = np.asarray(x.exponent) - top
            yield np.asarray(x.mantissa) * np.exp2(bits).astype(np.asarray(x.mantissa).real.dtype)
        else:
            yield np.asarray(x)


def repeated(net, least=16):
    """All configurations, as often as fills a block."""
    states = all_states(net)
    return np.concatenate([states] * (1 + least // len(states)))


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("i", range(len(CONV)))
def test_layers_against_nested_loops(i, like):
    net, vector = CONV[i].to(like), conv_vector(CONV[i])
    states = repeated(net)
    x = digits(states, net.phys_dim, net._like)
    exact = np.concatenate([vector] * (len(states) // len(vector)))
    for level in range(net.depth):
        found, arrays = plain(*both(Layers(net, level), x))
        for each in (exact, arrays):
            assert np.abs(found - each).max() <= 1e-12 * np.linalg.norm(vector)


@pytest.mark.parametrize("i", range(len(RACS)))
def test_steps_against_nested_loops(i):
    net, vector = RACS[i], rac_vector(RACS[i])
    states = repeated(net)
    found, arrays = plain(*both(Recursion(net), digits(states, net.phys_dim, net._like)))
    exact = np.concatenate([vector] * (len(states) // len(vector)))
    for each in (exact, arrays):
        assert np.abs(found - each).max() <= 1e-12 * np.linalg.norm(vector)


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("i", [i for i, net in enumerate(CONV) if net.shared])
def test_derivatives_against_arrays(i, like):
    net = CONV[i].to(like)
    states = repeated(net)[:70]
    both_ways = both(TableDerivatives(net), digits(states, net.phys_dim, net._like))
    found, exact = map(np.asarray, both_ways)
    assert np.abs(found - exact).max() <= 1e-12 * np.abs(exact).max()


def networks(dtype, phys_dim=2):
    """Networks whose channels fill tiles, or leave some of one empty."""
    near = {"dist": "uniform", "loc": 1.0, "scale": 0.3, "dtype": dtype, "phys_dim": phys_dim}
    yield qdn.ConvAC.rand(7, 3, 3, 5, boundary="omit", seed=0, **near)
    yield qdn.ConvAC.rand((3, 3), 2, 2, 8, boundary="ones", seed=1, **near)
    yield qdn.RAC.rand(30, 2, 6, seed=2, **near)


def ways(net):
    """Every loop that evaluates a network."""
    if isinstance(net, qdn.RAC):
        return [Recursion(net)]
    return [Layers(net, 0), Layers(net, 1), TableDerivatives(net)]


@pytest.mark.parametrize("phys_dim", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kinds_of_numbers(dtype, phys_dim):
    rng = np.random.default_rng(0)
    for net in networks(dtype, phys_dim):
        states = rng.integers(phys_dim, size=(45, *net.geometry.shape))
        x = digits(states, phys_dim, net._like)
        double = net.to(dtype="complex128" if "complex" in dtype else "float64")
        for way, other in zip(ways(net), ways(double)):
            found, exact = both(way, x)
            sharp = both(other, digits(states, phys_dim, double._like))[1]
            top = sharp.exponent.max() if isinstance(sharp, tuple) else 0.0
            found, exact, sharp = plain(found, exact, sharp, top=top)
            assert found.dtype == exact.dtype == dtype
            assert np.abs(found - exact).max() <= 3 * tolerance(dtype) * np.abs(exact).max()
            assert np.abs(found - sharp).max() <= 10 * tolerance(dtype) * np.abs(sharp).max()


def test_results_do_not_depend_on_threads(monkeypatch):
    for net in networks("float64"):
        states = np.random.default_rng(0).integers(2, size=(301, *net.geometry.shape))
        x, found = digits(states, 2, net._like), []
        for threads in (1, 2):
            monkeypatch.setattr("numba.get_num_threads", lambda n=threads: n)
            found.append([np.asarray(way(x)) for way in ways(net)])
        for one, two in zip(*found):
            assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("like", ["numpy", "torch"])
def test_batches_of_any_size_and_layout(like):
    for net in networks("float64"):
        net = net.to(like)
        states = np.random.default_rng(0).integers(2, size=(40, *net.geometry.shape))
        whole = [np.asarray(net.log_amplitudes(states)[1]), np.asarray(net.log_derivatives(states))]
        strided = np.repeat(states, 2, axis=0)[::2]
        strided.flags.writeable = False
        for some in (slice(0, 0), slice(0, 1), slice(3, 40), slice(0, 33)):
            found = net.log_amplitudes(strided[some])[1], net.log_derivatives(strided[some])
            for each, exact in zip(found, whole):
                assert each.shape == exact[some].shape
                assert np.abs(np.asarray(each) - exact[some]).max(initial=0) <= 1e-12 * max(
                    1, np.abs(exact).max()
                )


def test_what_underflows_is_left_to_arrays():
    """Zeros, and channels hundreds of powers of two apart."""
    rng = np.random.default_rng(0)
    states = config_block(0, 64, (6,), 2)
    signs = [rng.integers(-1, 2, (3, 3, 2)).astype(float), rng.normal(size=(3, 3, 3))]
    far = [rng.normal(size=(3, 3, 2)), rng.normal(size=(3, 3, 3)) * 2.0 ** -np.arange(0, 420, 140)]
    for weights in (signs, far, [w.astype("float32") for w in signs]):
        net = qdn.ConvAC(6, weights, np.ones(3, weights[0].dtype), boundary="periodic")
        vector = conv_vector(net)
        found = net.amplitudes(states, plan=net.plan(64, level=0))
        assert np.abs(found - vector).max() <= tolerance(net.dtype) * np.linalg.norm(vector)
        assert ((found == 0) == (vector == 0)).all()


def test_recursions_that_shrink_are_rescaled_more_often():
    hidden = [np.diag([1.0, 0.9]) + 1e-30]
    inputs = [np.array([[1e-45, 1.0], [2e-45, 1.5]])]
    net = qdn.RAC(60, hidden, inputs, [np.ones(2)], np.ones(2))
    way = Recursion(net)
    x = digits(np.random.default_rng(0).integers(2, size=(16, 60)), 2, net._like)
    found, way.blocks = way(x), None
    exact = way(x)
    assert (found.exponent - exact.exponent == 0).all()
    assert np.abs(found.mantissa / exact.mantissa - 1).max() < 1e-12


def test_gradients_still_flow():
    net = qdn.ConvAC.rand(6, 3, 3, 4, boundary="periodic", seed=0)
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    state = qdn.ConvAC.from_params(net.geometry, params)
    states = config_block(0, 64, (6,), 2)
    value = state.log_amplitudes(states, plan=state.plan(64, level=0))[1].sum()
    grads = torch.autograd.grad(value, list(params.values()))
    exact = net.log_derivatives(states).sum(0)
    found = torch.cat([g.reshape(-1) for g in grads]).numpy()
    assert np.abs(found - exact).max() < 1e-10 * np.abs(exact).max()
