"""The log domain: exact where floats fail, against fractions of unlimited size."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import quimb_deepnets as qdn
from quimb_deepnets.numerics.products import dot
from quimb_deepnets.numerics.scaled import Scaled, product, scaled

from .reference import conv_amplitude, rac_amplitude


def log_of(fraction):
    """log |x| of a fraction with numerators of thousands of digits."""
    with mp.workdps(40):
        top, bottom = mpf(abs(fraction.numerator)), mpf(fraction.denominator)
        return float(mp.log(top) - mp.log(bottom))


def exact(array):
    """The floats of an array as fractions, in nested lists."""
    if array.ndim == 0:
        return Fraction(float(array))
    return [exact(x) for x in array]


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
def test_depth_12_equals_exact_fractions(boundary, backend):
    """Degree 2**12 polynomials; weights have few bits, so fractions stay short."""
    rng = np.random.default_rng(0)
    weights = [rng.integers(-8, 9, size=(2, 2, 2)) / 4 for _ in range(12)]
    net = qdn.ConvAC(4, weights, np.array([1.0, -0.5]), boundary=boundary)
    weight = lambda l, n, tap: exact(weights[l - 1][tap])
    readout = exact(net.readout)
    for spins in itertools.product(range(2), repeat=4):
        config = {(n,): s for n, s in enumerate(spins)}
        psi = conv_amplitude(
            config, (4,), [(2,)] * 12, [(1,)] * 12, weight, readout, 2, boundary, "center"
        )
        phase, logabs = net.to(backend).log_amplitudes([spins])
        if psi == 0:
            assert (float(phase[0]), float(logabs[0])) == (0.0, -math.inf)
            continue
        assert float(phase[0]) == (1 if psi > 0 else -1)
        assert abs(float(logabs[0]) - log_of(psi)) < 1e-13 * abs(log_of(psi)) + 1e-12


def test_long_rac_equals_exact_fractions():
    rng = np.random.default_rng(1)
    hidden = [rng.integers(-8, 9, size=(2, 2)) / 4 for _ in range(3)]
    inputs = [rng.integers(-8, 9, size=(2, 2)) / 4 for _ in range(3)]
    net = qdn.RAC(12, hidden, inputs, None, np.array([1.0, 0.5]))
    arrays = [[exact(x) for x in xs] for xs in (hidden, inputs, net.initial)]
    for spins in np.random.default_rng(2).integers(0, 2, size=(6, 12)):
        psi = rac_amplitude(spins.tolist(), *arrays, exact(net.readout), 2)
        phase, logabs = net.log_amplitudes(spins[None])
        if psi == 0:
            assert logabs[0] == -np.inf
            continue
        assert phase[0] == (1 if psi > 0 else -1)
        assert abs(logabs[0] - log_of(psi)) < 1e-13 * abs(log_of(psi)) + 1e-12


@pytest.mark.parametrize("backend", ["numpy", "torch", "torch-float32"])
def test_depth_20_on_a_lattice_stays_finite(backend):
    """The degree is 4**20 per top node: log|psi| near 10**13, far from any overflow."""
    net = qdn.ConvAC.rand((6, 6), 20, 2, 3, boundary="periodic", seed=0).to(backend)
    phase, logabs = net.log_amplitudes(np.random.default_rng(0).integers(0, 2, (3, 6, 6)))
    assert np.isfinite(np.asarray(logabs)).all() and (np.abs(np.asarray(logabs)) > 1e9).all()
    assert np.allclose(np.abs(np.asarray(phase)), 1)


def test_huge_and_tiny_weights():
    """Scaling the weights of layer l by t multiplies psi by t to a known power, at any t."""
    net = qdn.ConvAC.rand(6, 2, 3, 4, boundary="periodic", seed=0)
    config = [[0, 1, 1, 0, 1, 0]]
    base = net.log_amplitudes(config)
    for t in (1e-300, 1e-12, 1e150, 1e300):
        weights = [net.weights[0] * t, net.weights[1]]
        scaled_net = qdn.ConvAC(6, weights, net.readout, boundary="periodic")
        phase, logabs = scaled_net.log_amplitudes(config)
        power = 6 * 3 * 3  # tensors of layer 1 in the expanded network
        assert phase[0] == base[0][0]
        assert abs(logabs[0] - base[1][0] - power * math.log(t)) < 1e-13 * abs(logabs[0]) + 1e-11


def test_channels_far_apart():
    """Channels that differ by more than the range of floats, until the last product."""
    w = np.zeros((1, 2, 2))
    w[0] = [[1e-200, 1.0], [1.0, 1e-200]]
    net = qdn.ConvAC(4, [w], np.array([1.0, 1.0]))
    phase, logabs = net.log_amplitudes([[0, 0, 1, 1], [0, 0, 0, 0]])
    exact = [math.log(2) - 400 * math.log(10), 0.0]
    assert np.allclose(logabs, exact, rtol=1e-14, atol=1e-14) and (phase == 1).all()


def test_zero_amplitudes():
    eye = np.eye(2)
    ghz = qdn.RAC(5, [eye], [eye], None, np.ones(2))
    phase, logabs = ghz.log_amplitudes([[0] * 5, [0, 1, 0, 0, 0]])
    assert list(phase) == [1, 0] and list(logabs) == [0, -np.inf]
    assert list(ghz.amplitudes([[1] * 5, [0, 1, 0, 0, 0]])) == [1, 0]
    psi = ghz.to_tensor_network()
    phase, logabs = psi.log_amplitudes([[0] * 5, [0, 1, 0, 0, 0]])
    assert list(phase) == [1, 0] and list(logabs) == [0, -np.inf]
    assert psi.amplitude("01000") == 0


def test_empty_batch():
    net = qdn.ConvAC.rand(4, 2, 3, 2, seed=0)
    assert net.amplitudes(np.zeros((0, 4), int)).shape == (0,)


def test_chunks_make_no_difference(capsys):
    net = qdn.ConvAC.rand(8, 2, 3, 3, seed=0)
    configs = np.random.default_rng(0).integers(0, 2, (50, 8))
    whole = net.amplitudes(configs)
    assert (net.amplitudes(configs, chunk=7) == whole).all()
    assert not capsys.readouterr().err
    assert (net.amplitudes(configs, chunk=7, progbar=True) == whole).all()
    assert "8/8" in capsys.readouterr().err
    with pytest.raises(qdn.OptionError, match="chunk=0"):
        net.amplitudes(configs, chunk=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_plain_reaches_the_whole_range(dtype):
    info = np.finfo(dtype)
    for exponent in (info.minexp + 1, -3, 0, info.maxexp):
        x = Scaled(np.array([0.75], dtype), np.array([float(exponent)]))
        assert x.plain()[0] == np.ldexp(np.array(0.75, info.dtype), exponent)
    for exponent in (info.minexp, info.maxexp + 1, 1e6, -1e6):
        with pytest.raises(qdn.RangeError, match="use log_amplitudes"):
            Scaled(np.array([0.75], dtype), np.array([float(exponent)])).plain()
    assert Scaled(np.zeros(1, dtype), np.array([1e9])).plain()[0] == 0


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_product_and_dot(like, count):
    rng = np.random.default_rng(count)
    x = rng.normal(size=(count, 2, 3)) * 10.0 ** rng.integers(-300, 300, size=(count, 2, 1))
    w = rng.normal(size=3)
    fractions = exact(x)
    for b in range(2):
        total = sum(
            Fraction(float(w[c])) * math.prod(fractions[p][b][c] for p in range(count))
            for c in range(3)
        )
        arrays = (torch.as_tensor(x), torch.as_tensor(w)) if like == "torch" else (x, w)
        phase, logabs = dot(product(scaled(arrays[0])), scaled(arrays[1])).phase_and_log()
        assert phase[b] == (1 if total > 0 else -1)
        assert abs(float(logabs[b]) - log_of(total)) < 1e-12
