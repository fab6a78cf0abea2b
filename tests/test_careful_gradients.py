"""Torch gradients of weights that lie further apart than floats reach: right, or refused.

The derivatives of log psi in scaled numbers are the reference, themselves checked against nested
loops of many bits in test_far_apart.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.scaled_derivatives import CarefulDerivatives

from .reference import conv_amplitude

NETS = {
    "chain": lambda dtype: qdn.ConvAC.rand(6, 2, 2, 3, seed=2, dtype=dtype),
    "ring": lambda dtype: qdn.ConvAC.rand(6, 3, 2, 2, seed=3, boundary="periodic", dtype=dtype),
    "omit": lambda dtype: qdn.ConvAC.rand(6, 2, 2, 2, seed=3, boundary="omit", dtype=dtype),
    "unshared": lambda dtype: qdn.ConvAC.rand(4, 2, 2, 2, seed=4, shared=False, dtype=dtype),
    "lattice": lambda dtype: qdn.ConvAC.rand((2, 3), 2, 2, 2, seed=5, dtype=dtype),
    "RAC": lambda dtype: qdn.RAC.rand(6, 2, 3, seed=7, dtype=dtype),
}
BITS = {"float64": 1000, "complex128": 900, "float32": 83}


def far_apart(name, dtype, seed=0):
    """A network whose entries are random powers of two apart."""
    net, rng = NETS[name](dtype), np.random.default_rng(seed)
    span = BITS[dtype]
    power = lambda x: 2.0 ** rng.integers(-span, span + 1, size=x.shape)
    return net.with_params({k: (x * power(x)).astype(dtype) for k, x in net.params.items()})


def trainable(net):
    """The same network of torch, and the leaves that it is trained by."""
    leaves = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    return net.from_params(net.geometry, leaves), leaves


def gradient(value, leaves):
    """The derivatives by all leaves, flat, as `log_derivatives` lists them."""
    found = torch.autograd.grad(value, list(leaves.values()), retain_graph=True)
    return np.concatenate([np.asarray(x).reshape(-1) for x in found])


def plans(net):
    """No plan, and one of every level and group."""
    if isinstance(net, qdn.RAC):
        return [None]
    levels = [net.plan(2, level=l) for l in range(net.geometry.depth + 1)]
    return [None, *levels, net.plan(2, group=(1,) * net.geometry.ndim)]


def configs_of(net, count=2):
    return np.random.default_rng(0).integers(2, size=(count, *net.geometry.shape))


@pytest.mark.parametrize("dtype", BITS)
@pytest.mark.parametrize("name", NETS)
def test_logarithms(name, dtype):
    for seed in range(3):
        net = far_apart(name, dtype, seed)
        configs = configs_of(net)
        try:
            right = np.conj(net.log_derivatives(configs)).sum(axis=0)
        except qdn.RangeError:  # a derivative that floats do not hold
            continue
        for plan in plans(net):
            copy, leaves = trainable(net)
            found = gradient(copy.log_amplitudes(configs, plan=plan)[1].sum(), leaves)
            np.testing.assert_allclose(found, right, rtol=100 * np.finfo(dtype).eps)


def moved(net, name, rng, span=300):
    """Matrices with channels that lie 2**600 apart, of the same amplitudes.

    Channel i of a layer is multiplied by a power of two, and divided by it where it is read.
    """
    params, last = {k: x.copy() for k, x in net.params.items()}, net.geometry.depth
    for l in range(1, last + 1):
        powers = rng.integers(-span, span + 1, size=net.geometry.bond_dim(l))
        params[f"W{l},0"] *= 2.0 ** powers[:, None]
        if l == last:
            params["READOUT"] *= 2.0 ** (-powers * math.prod(net.geometry.layer_shape(l)))
        else:
            for tap in (0, 1):
                params[f"W{l + 1},{tap}"] *= 2.0 ** -powers[None]
    return net.with_params(params)


def test_amplitudes_and_dense_states_of_channels_far_apart():
    plain = qdn.ConvAC.rand(3, 2, 2, 2, seed=0, boundary="periodic")
    net = moved(plain, "ring", np.random.default_rng(1), span=250)
    assert net.amplitudes(["011"]) == plain.amplitudes(["011"])  # only powers of two moved
    copy, leaves = trainable(net)
    right = plain.log_derivatives(["011"])[0] * float(plain.amplitude("011"))
    flat = lambda x: np.concatenate([np.asarray(p).reshape(-1) for p in x.params.values()])
    right = right * (flat(plain) / flat(net))  # by a weight 2**k times as large, 2**-k times
    for value in (copy.amplitude("011"), copy.to_dense()[3, 0], copy.amplitudes(["011", "101"])[0]):
        np.testing.assert_allclose(gradient(value, leaves), right, rtol=1e-12)
    tree = copy.to_tensor_network()
    np.testing.assert_allclose(gradient(tree.amplitude("011"), leaves), right, rtol=1e-12)


def test_an_amplitude_that_vanishes_has_derivatives():
    w = np.array([[[2.0**600, 0.0], [2.0**-600, 1.0]]])
    net = qdn.ConvAC(2, [w], np.array([1.0, 1.0]))
    cut = net.with_params({**net.params, "READOUT": np.array([1.0, 0.0])})
    assert float(cut.amplitude("01")) == 0
    copy, leaves = trainable(cut)
    found = gradient(copy.amplitude("01"), leaves).reshape(-1)

    def amplitude(entries, config):
        W, readout = [[entries[:2], entries[2:4]]], entries[4:]
        return conv_amplitude(
            {(n,): s for n, s in enumerate(config)},
            (2,),
            [(1,)],
            [(1,)],
            lambda l, position, tap: W[0],
            readout,
            2,
            "ones",
            "center",
        )

    exact = [Fraction(float(x)) for x in np.concatenate([w.ravel(), [1.0, 0.0]])]
    for i, x in enumerate(found):
        up, down = (
            amplitude([v + s * (i == j) for j, v in enumerate(exact)], (0, 1))
            for s in (Fraction(1, 2), -Fraction(1, 2))
        )
        assert x == float(up - down)


def test_batches_of_many():
    net = far_apart("chain", "float64")
    configs = configs_of(net, 600)
    copy, leaves = trainable(net)
    weights = np.random.default_rng(1).normal(size=600)
    found = gradient((copy.log_amplitudes(configs)[1] * torch.tensor(weights)).sum(), leaves)
    right = weights @ net.log_derivatives(configs)
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-12 * abs(right).max())


def test_what_is_not_there_is_refused():
    net = far_apart("chain", "float64")
    copy, leaves = trainable(net)
    value = copy.log_amplitudes(configs_of(net))[1].sum()
    with pytest.raises(qdn.MethodError, match="second derivatives"):
        torch.autograd.grad(value, list(leaves.values()), create_graph=True)
    arrays = {k: torch.tensor(x) for k, x in net.params.items()}
    log = lambda p: net.from_params(net.geometry, p).log_amplitudes(configs_of(net))[1].sum()
    with pytest.raises(qdn.MethodError, match="log_derivatives"):
        torch.func.grad(log)(arrays)
    with pytest.raises(qdn.MethodError, match="log_derivatives"):
        torch.func.jvp(log, (arrays,), (arrays,))
    with pytest.raises(qdn.MethodError, match="so far apart"):
        copy.collapse()
    with pytest.raises((qdn.MethodError, qdn.RangeError)):  # the very numbers may not fit either
        copy.to_mps()


@pytest.mark.parametrize(
    ("seed", "shape", "depth", "boundary", "dtype", "span", "zeros"),
    [
        (275, 5, 3, "omit", "float32", 8, 0.15),  # a channel of two zeros, 2**207 above the other
        (275, 5, 3, "omit", "float64", 32, 0.15),
        (382, (2, 2), 2, "periodic", "float32", 17, 0),  # shares of 1e-28
    ],
)
def test_look_ups_of_every_group(seed, shape, depth, boundary, dtype, span, zeros):
    rng, size = np.random.default_rng(seed), int(np.prod(shape))
    net = qdn.ConvAC.rand(shape, depth, 2, 2, seed=seed, boundary=boundary)
    power = lambda x: 2.0 ** rng.integers(-span, span + 1, x.shape)
    params = {k: (x * power(x)).astype(dtype) for k, x in net.params.items()}
    for name, x in params.items():
        if zeros and name != "READOUT":
            x[rng.random(x.shape) < zeros] = 0
    net = net.from_params(net.geometry, params)
    config = rng.integers(0, 2, size)
    right = CarefulDerivatives(net)(config.astype("uint8")[:, None])[0]
    info = np.finfo(dtype)
    for group in range(1, 4):
        copy, leaves = trainable(net)
        plan = net.plan(1, group=(1, group)[-net.geometry.ndim :])
        value = copy.log_amplitudes(config.reshape(1, *net.geometry.shape), plan=plan)[1].sum()
        floor = float(info.tiny) * 2.0**20
        np.testing.assert_allclose(gradient(value, leaves), right, rtol=100 * info.eps, atol=floor)


def test_an_exact_zero_far_above_the_range():
    """psi = 0 * 2**1200: its derivative by the zero is beyond floats, by the rest it is zero."""
    w = np.array([[[2.0**60, 0.0], [1.0, 1.0]]])
    net = qdn.ConvAC(20, [w], np.array([1.0, 0.5]))
    copy, leaves = trainable(net)
    found = copy.amplitudes([[0] * 17 + [1] * 3])[0]  # three zeros in the first channel
    np.testing.assert_array_equal(gradient(found, leaves), [0, 0, 8.5, 1.5, 0, 1])
    with pytest.raises(qdn.RangeError, match="a derivative has size"):
        gradient(copy.amplitudes([[0] * 19 + [1]])[0], leaves)
