"""Channels further apart than floats reach, exponents beyond 2**53, zeros and their derivatives.

All values are compared with nested loops in numbers of some thousand bits.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import quimb_deepnets as qdn

from .reference import conv_amplitude, rac_amplitude

EYE, HALVES = np.eye(2), np.array([[1.0, 0.0], [0.5, 0.5]])


@pytest.fixture(autouse=True)
def many_bits():
    with mp.workprec(4000):
        yield


def exact(array, number=mpf):
    """The floats of an array as exact numbers, in nested lists."""
    array = np.asarray(array)
    if array.ndim:
        return [exact(x, number) for x in array]
    value = array.item()
    return mp.mpc(value.real, value.imag) if isinstance(value, complex) else number(value)


def amplitude(net, config, change=lambda params: params):
    """psi(s) by nested loops, after a change of the exact parameters."""
    g, params = net.geometry, change({k: exact(x) for k, x in net.params.items()})
    if isinstance(net, qdn.RAC):
        layers = range(1, net.depth + 1)
        parts = ([params[f"{name}{l}"] for l in layers] for name in ("WH", "WI", "H0"))
        return rac_amplitude(config, *parts, params["READOUT"], net.phys_dim)
    layers = range(1, net.depth + 1)

    def weight(l, position, tap):
        return params[g.weight_name(l, None if g.shared[l - 1] else position, tap)]

    positions = itertools.product(*map(range, g.shape))
    return conv_amplitude(
        dict(zip(positions, config)),
        g.shape,
        [g.kernel(l) for l in layers],
        [g.stride(l) for l in layers],
        weight,
        params["READOUT"],
        net.phys_dim,
        net.boundary,
        net.anchor,
    )


def derivative(net, config, name, entry):
    """d psi / d theta by central differences in thousands of bits."""
    step, shape, found = mp.ldexp(1, -1200), np.shape(net.params[name]), []
    for sign in (1, -1):

        def change(params, sign=sign):
            row = params[name]
            *lead, last = np.unravel_index(entry, shape)
            for i in lead:
                row = row[i]
            row[last] += sign * step
            return params

        found.append(amplitude(net, config, change))
    return (found[0] - found[1]) / (2 * step)


KINDS = {
    "integer": lambda rng, shape: rng.integers(-2, 3, shape).astype(float),
    "sign": lambda rng, shape: rng.choice([-1.0, 0.0, 1.0], shape),
    "bits": lambda rng, shape: rng.choice([0.0, 1.0], shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "wide": lambda rng, shape: (
        rng.choice([0.0, 1, 1], shape) * 10.0 ** rng.integers(-100, 101, shape)
    ),
}


def random_net(seed, kind):
    """A small network with weights of a kind, positive ones for the wide, in a random dtype."""
    rng = np.random.default_rng(seed)
    draw = lambda shape: KINDS[kind](rng, shape)
    dtype = "float64" if kind == "wide" else rng.choice(["float64", "float32"])
    if seed % 3 == 0:
        R, depth = 2, int(rng.integers(1, 3))
        hidden = [draw((R, R)) for _ in range(depth)]
        inputs = [draw((R, 2)) for _ in range(depth)]
        net = qdn.RAC(4, hidden, inputs, None, draw(R) + np.eye(2)[0] * 3)
    else:
        shape, kernel = (4, (3,)) if seed % 3 == 1 else ((2, 2), (2, 1))
        shared, boundary = rng.random() < 0.6, rng.choice(["ones", "omit", "periodic"])
        positions = () if shared else np.atleast_1d(shape)
        weights = [draw((*positions, *kernel, 2, 2)) for _ in range(2)]
        net = qdn.ConvAC(shape, weights, draw(2) + np.eye(2)[0] * 3, boundary=str(boundary))
    return net.to(dtype=str(dtype))


def some_configs(net, seed, count=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, net.phys_dim, (count, *net.geometry.shape))


def tolerance(net):
    return 30 * net.geometry.num_tensors() * float(np.finfo(net.dtype).eps)


def size_of(net, config):
    """The sum of the moduli of all terms: what round-off is relative to."""
    return amplitude(
        net.from_params(net.geometry, {k: abs(x) for k, x in net.params.items()}), config
    )


# ------------------------------------------------------------------ values


def test_one_channel_is_far_below_the_other():
    rac = qdn.RAC(1000, [EYE], [HALVES], None, np.ones(2))
    config = [0] * 999 + [1]
    assert rac.amplitude(config) == 2.0**-1000
    assert rac.to("torch").amplitude(config) == 2.0**-1000
    layers = [np.tile(HALVES, (3, 3, 1, 1))] + [np.tile(EYE, (3, 3, 1, 1))] * 3
    lattice = qdn.ConvAC((12, 12), layers, np.ones(2), boundary="periodic")
    config = np.zeros((1, 12, 12), int)
    config[0, 0, 0] = 1
    for net in (lattice, lattice.to("torch")):
        phase, logabs = net.log_amplitudes(config)
        assert phase[0] == 1 and abs(float(logabs[0]) / (-144 * 9**4 * math.log(2)) - 1) < 1e-15


def test_matrices_and_readouts_wider_than_floats():
    weights = [np.array([[[1e200, 1e200], [1e-200, 1e-200]]])]
    net = qdn.ConvAC(2, weights, np.array([0.0, 1e200]), boundary="periodic")
    for plan in (net.plan(1, level=0), net.plan(1, level=1)):
        assert abs(net.amplitudes([[0, 1]], plan=plan)[0] / 1e-200 - 1) < 1e-12
    assert np.allclose(net.to_dense() / 1e-200, 1, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_amplitudes_by_all_plans(kind, backend):
    for seed in range(6):
        net = random_net(seed, kind)
        configs = some_configs(net, seed)
        plans = [None]
        if isinstance(net, qdn.ConvAC):
            plans += [net.plan(4, level=l) for l in range(net.depth + 1)]
        for plan in plans:
            found = net.to(backend)._scaled_amplitudes(configs, plan=plan)
            for mantissa, exponent, config in zip(*found, configs.reshape(len(configs), -1)):
                value = mpf(float(mantissa)) * mp.ldexp(1, int(exponent))
                error = abs(value - amplitude(net, config))
                assert error <= tolerance(net) * size_of(net, config), (kind, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_flip_ratios_and_derivatives(kind):
    for seed in range(3):
        net = random_net(seed, kind)
        names = [(k, i) for k, x in net.params.items() for i in range(math.prod(x.shape))]
        picked = np.random.default_rng(seed).choice(len(names), 5, replace=False)
        for config in some_configs(net, seed, 2):
            flat, psi = config.reshape(-1), amplitude(net, config.reshape(-1))
            noise = size_of(net, flat) * tolerance(net)
            if abs(psi) <= 4 * noise or abs(psi) < mpf(10) ** -280:
                continue
            for copy in (net, net.to("torch")):
                _check_ratios(net, copy, config, psi, noise)
                try:
                    found = copy.log_derivatives(config[None])[0]
                except qdn.RangeError:
                    continue  # some other derivative is beyond floats
                for p in picked:
                    right = derivative(net, flat, *names[p]) / psi
                    if abs(right) < mpf(10) ** 280 * np.finfo(net.dtype).eps ** 16:
                        error = abs(mpf(float(found[p])) - right)
                        assert error <= 1e4 * noise / abs(psi) * (abs(right) + 1), (kind, seed)


def _check_ratios(net, copy, config, psi, noise):
    try:
        ratios = copy.flip_ratios(config[None])[0]
    except qdn.RangeError:
        return
    for n in range(net.nsites):
        for m in range(net.phys_dim):
            new = config.reshape(-1).copy()
            new[n] = m
            right = amplitude(net, new) / psi
            bound = 8 * (tolerance(net) * size_of(net, new) + abs(right) * noise) / abs(psi)
            assert abs(mpf(float(ratios[n, m])) - right) <= bound + np.finfo(net.dtype).tiny


# ------------------------------------------------------- exponents beyond 2**53


def deep_lattice(depth):
    """psi = 2**E * (2**16 - 3): the first channel is 2**16 times the second, E has 9**depth."""
    last = np.full((3, 3, 2, 1), 1.0)
    last[0, 0, 0, 0] = 2.0
    weights = [np.full((3, 3, 1, 2), 2.0), *[np.full((3, 3, 1, 1), 2.0)] * (depth - 2), last]
    return qdn.ConvAC((4, 4), weights, np.array([1.0, -3.0]), boundary="periodic")


@pytest.mark.parametrize("depth, backend", [(14, "numpy"), (17, "torch-float32"), (20, "numpy")])
def test_channels_of_deep_lattices_stay_comparable(depth, backend):
    net, config = deep_lattice(depth).to(backend), np.zeros((1, 4, 4), int)
    assert net.log_amplitudes(config)[0][0] == 1
    if backend == "numpy":
        assert np.allclose(net.flip_ratios(config), 1)
    right = np.array([2.0**16, 1]) / (2.0**16 - 3)
    assert np.allclose(net.log_derivatives(config)[0, -2:], right)


@pytest.mark.parametrize("seed", range(3))
def test_signs_of_random_deep_networks(seed):
    rng = np.random.default_rng(seed)
    shape, kernel, depth = ((3, 3), (3, 3), 18) if seed % 2 else (8, (5,), 24)
    weights = [rng.normal(size=(*kernel, 2, 2)) for _ in range(depth)]
    net = qdn.ConvAC(shape, weights, rng.normal(size=2), boundary="periodic")
    configs = some_configs(net, seed, 1)
    psi = amplitude(net, configs.reshape(-1))
    for copy in (net, net.to("torch")):
        phase, logabs = copy.log_amplitudes(configs)
        assert float(phase[0]) == mp.sign(psi)
        assert abs(float(logabs[0]) / mp.log(abs(psi)) - 1) < 1e-14


def test_long_deep_rac_keeps_its_channels_comparable():
    """Layer l of step t has the degree of a binomial; all weights are powers of two."""
    L, depth = 100, 16
    hidden = [np.array([[2.0]])] * depth
    inputs = [np.array([[2.0, 2.0]])] + [np.array([[2.0]])] * (depth - 1)
    net = qdn.RAC(L, hidden, inputs, None, np.array([1.0]))
    powers = [0] * (depth + 1)  # of two, as integers
    for _ in range(L):
        for l in range(1, depth + 1):
            powers[l] += 1 + powers[l - 1] + 1
    assert powers[-1] > 2**60
    config = np.zeros((1, L), int)
    found = net._scaled_amplitudes(config)
    power = int(found.exponent[0].real) + 2**36 * int(found.exponent[0].imag)
    assert Fraction(float(found.mantissa[0])) * 2**60 == 2 ** (60 + powers[-1] - power)
    assert np.allclose(net.flip_ratios(config), 1)


def test_ratios_of_networks_too_deep_are_refused():
    net = qdn.ConvAC.rand((4, 4), 30, 3, 2, boundary="periodic", seed=0)
    config = np.zeros((1, 4, 4), int)
    assert np.isfinite(net.log_amplitudes(config)[1]).all()
    with pytest.raises(qdn.RangeError, match="fewer layers"):
        net.flip_ratios(config)


# ------------------------------------------------------------------ zeros


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vanishing_states_are_dense_zeros(backend, dtype):
    for size in (1.0, 1e30, 1e-30):
        weights = np.full((12, 1, 1, 2), size, dtype)
        weights[0] = 0
        net = qdn.ConvAC(12, [weights], np.ones(1, dtype)).to(backend)
        psi = net.to_dense()
        assert psi.shape == (4096, 1) and bool((psi == 0).all())


def test_derivative_by_a_zero_in_a_table():
    w = torch.tensor([[[0.0, 8.0], [4.0, 1.0]]], dtype=torch.float64, requires_grad=True)
    net = qdn.ConvAC(2, [w], torch.ones(2, dtype=torch.float64))
    (found,) = torch.autograd.grad(net.to_dense()[1, 0], w)
    assert found.ravel().tolist() == [8.0, 0.0, 1.0, 4.0]


@pytest.mark.parametrize("kind", ["integer", "sign", "bits", "normal"])
def test_torch_gradients(kind):
    for seed in range(4):
        net = random_net(seed, kind).to(dtype="float64")
        params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
        copy = net.from_params(net.geometry, params)
        names = [(k, i) for k, x in net.params.items() for i in range(math.prod(x.shape))]
        picked = np.random.default_rng(seed).choice(len(names), 4, replace=False)
        configs = some_configs(net, seed, 2)
        for config in configs:
            flat = config.reshape(-1)
            psi, row = amplitude(net, flat), int("".join(map(str, flat)), 2)
            many = np.concatenate([config[None], np.repeat(configs, 300, axis=0)])  # other plans
            values = {
                "amplitude": (copy.amplitudes(config[None])[0], 1),
                "dense": (copy.to_dense()[row, 0], 1),
                "batch": (copy.amplitudes(many)[0], 1),
            }
            if abs(psi) > 1e-9:
                values["log"] = copy.log_amplitudes(many)[1][0], 1 / psi
            for what, (value, factor) in values.items():
                grads = torch.autograd.grad(value, list(params.values()), allow_unused=True)
                grads = dict(zip(params, grads))
                for name, entry in (names[p] for p in picked):
                    grad = grads[name]
                    found = 0.0 if grad is None else float(grad.reshape(-1)[entry])
                    right = derivative(net, flat, name, entry) * factor
                    assert abs(found - right) < 1e-9 * (abs(right) + 1), (kind, seed, what, name)


# ------------------------------------------------------------------ autocast


def test_autocast_does_not_round():
    configs = np.random.default_rng(0).integers(0, 2, (5, 8))
    nets = [
        qdn.ConvAC.rand(8, 3, 3, 4, seed=0, dtype="float32").to("torch"),
        qdn.RAC.rand(8, 2, 4, seed=0, dtype="float32").to("torch"),
    ]
    for net in nets:
        calls = [net.log_amplitudes, net.amplitudes, net.flip_ratios, net.log_derivatives]
        calls.append(lambda configs, net=net: net.to_dense())
        if isinstance(net, qdn.ConvAC):
            level = net.plan(5, level=0)
            calls.append(lambda configs, net=net, level=level: net.amplitudes(configs, plan=level))
        for call in calls:
            right = call(configs)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = call(configs)
            pairs = zip(right, found) if isinstance(right, tuple) else [(right, found)]
            for a, b in pairs:
                assert a.dtype == b.dtype == torch.float32 and torch.equal(a, b)
