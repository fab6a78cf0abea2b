"""Torch gradients of weights at many distances, against numbers of many bits.

Entries of random sizes, from those of ordinary weights to those beyond all floats: every derivative
is right, or refused by name; none is finite and wrong.
"""

import math

import numpy as np
import pytest
import quimb.tensor as qtn
import torch
from mpmath import mp, mpf

import quimb_deepnets as qdn

from .reference import conv_amplitude, rac_amplitude

SPANS = {"float64": (8, 31, 70, 100, 150, 300), "float32": (4, 17, 25, 40)}


class Dual:
    """A number with its derivatives by all parameters, in many bits."""

    def __init__(self, value, slopes):
        self.value, self.slopes = value, slopes

    def __mul__(self, other):
        if not isinstance(other, Dual):
            return Dual(self.value * other, self.slopes * other)
        return Dual(self.value * other.value, self.slopes * other.value + other.slopes * self.value)

    def __add__(self, other):
        if not isinstance(other, Dual):
            return Dual(self.value + other, self.slopes)
        return Dual(self.value + other.value, self.slopes + other.slopes)

    __rmul__, __radd__ = __mul__, __add__


def amplitude(net, config, moduli=False):
    """psi(s) as a `Dual`, or the same with the moduli of all weights: how large its terms are."""
    params, start = {}, 0
    for name, x in net.params.items():
        values = np.abs(x) if moduli else x
        duals = np.empty(x.size, object)
        for i, value in enumerate(values.reshape(-1).tolist()):
            slopes = np.array([mpf(0)] * net.num_params, object)
            slopes[start + i] = mpf(1)
            duals[i] = Dual(mpf(value), slopes)
        params[name], start = duals.reshape(x.shape).tolist(), start + x.size
    g = net.geometry
    if isinstance(net, qdn.RAC):
        layers = range(1, net.depth + 1)
        parts = ([params[f"{part}{l}"] for l in layers] for part in ("WH", "WI", "H0"))
        return rac_amplitude(config, *parts, params["READOUT"], 2)
    layers = range(1, g.depth + 1)
    return conv_amplitude(
        {(n,): s for n, s in enumerate(config)},
        g.shape,
        [g.kernel(l) for l in layers],
        [g.stride(l) for l in layers],
        lambda l, position, tap: params[g.weight_name(l, None, tap)],
        params["READOUT"],
        2,
        net.boundary,
        net.anchor,
    )


def random_net(kind, dtype, seed):
    """A small network with entries of random powers of two, and one of its configurations."""
    rng, depth = np.random.default_rng(seed), 1 + seed % 3
    if kind == "RAC":
        net = qdn.RAC.rand(3, min(depth, 2), 2, seed=seed)
    else:
        net = qdn.ConvAC.rand(4, depth, 2, 2, seed=seed, boundary=kind)
    span = SPANS[dtype][seed % len(SPANS[dtype])]
    power = lambda x: 2.0 ** rng.integers(-span, span + 1, x.shape)
    params = {k: (x * power(x)).astype(dtype) for k, x in net.params.items()}
    return net.from_params(net.geometry, params), rng.integers(0, 2, net.nsites).tolist()


def trainable(net):
    leaves = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    return net.from_params(net.geometry, leaves), list(leaves.values())


def check(value, leaves, right, size, floor):
    """Compare, where ``size`` is that of the terms of each derivative."""
    grads = torch.autograd.grad(value, leaves)
    found = np.concatenate([np.asarray(x).reshape(-1) for x in grads]).tolist()
    assert all(map(math.isfinite, found))
    tolerance = 2000 * float(torch.finfo(leaves[0].dtype).eps)
    for x, slope, terms in zip(found, right, size):
        assert abs(mpf(x) - slope) <= tolerance * (abs(slope) + terms) + floor


@pytest.mark.parametrize("dtype", SPANS)
@pytest.mark.parametrize("kind", ["periodic", "ones", "omit", "valid", "RAC"])
def test_logarithms_of_amplitudes(kind, dtype):
    info, checked = np.finfo(dtype), 0
    with mp.workprec(500):
        for seed in range(6):
            net, config = random_net(kind, dtype, seed)
            psi, terms = amplitude(net, config), amplitude(net, config, moduli=True)
            least = min(float(np.abs(x)[x != 0].min()) for x in net.params.values())
            floor = 8 * float(info.tiny) / min(1.0, max(least, 2.0**-64))
            size = terms.slopes / abs(psi.value)
            size = size + abs(psi.slopes / psi.value) * terms.value / abs(psi.value)
            if max(map(abs, psi.slopes / psi.value)) > float(info.max):
                continue
            copy, leaves = trainable(net)
            value = copy.log_amplitudes([config])[1][0]
            check(value, leaves, psi.slopes / psi.value, size, floor)
            checked += 1
    assert checked > 2


def test_norms_of_collapsed_states():
    """Right for ordinary weights, refused beyond."""
    right, refused = 0, 0
    with mp.workprec(500):
        for seed in range(6):
            net, _ = random_net("periodic", "float64", 2 * seed)
            copy, leaves = trainable(net)
            try:
                phi = copy.collapse()
                value = phi.H @ phi
            except (qdn.MethodError, qdn.RangeError):
                refused += 1
                continue
            configs = [[s >> n & 1 for n in range(4)] for s in range(16)]
            psi = [amplitude(net, config) for config in configs]
            slopes = sum(2 * x.value * x.slopes for x in psi)
            size = sum(2 * abs(x.value) * abs(x.slopes) for x in psi)
            check(value, leaves, slopes, size, 1e-280)
            right += 1
    assert right and refused


def test_contractions_of_quimb():
    net, config = random_net("RAC", "float64", 5)
    assert max(abs(x).max() / abs(x).min() for x in net.params.values()) > 2.0**512
    tree = trainable(net)[0].to_tensor_network()
    fixed = tree.isel({tree.site_ind(n): s for n, s in enumerate(config)})
    with pytest.raises(qdn.RangeError, match="requires grad"):
        fixed.contract()


def test_small_angles_of_an_rbm():
    """d log(2 cosh b) / d b = tanh b, for any b."""
    net = qdn.RBM(1, np.zeros(1), np.array([1e-30, 0.5, 3.0, -40.0]), np.zeros((4, 1)))
    copy, leaves = trainable(net)
    grads = torch.autograd.grad(copy.log_amplitudes([[0]])[1][0], leaves)
    np.testing.assert_allclose(grads[1], np.tanh(net.hidden_bias), rtol=1e-14)


def test_an_amplitude_far_below_the_others_is_not_held_at_the_limit():
    weights = [np.array([[[1.0, 2.0**-60]]], dtype="float32")]
    net = qdn.ConvAC(2, weights, np.ones(1, "float32"), boundary="omit")
    dense = net.to_dense().ravel()
    assert net.overlap(np.array([0, 0, 0, 1], "float32")) == dense[3] == np.float32(2.0**-120)


@pytest.mark.parametrize("span", [32, 64, 200, 600])
@pytest.mark.parametrize("kind", ["ConvAC", "RAC", "RBM"])
def test_optimizers_of_quimb(kind, span):
    """A norm is of degree two in each tensor: the sum of ``x * gradient`` is twice the norm."""
    rng = np.random.default_rng(span)
    net = {
        "ConvAC": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=0),
        "RAC": lambda: qdn.RAC.rand(4, 2, 2, seed=0),
        "RBM": lambda: qdn.RBM.rand(4, seed=0),
    }[kind]()
    most = 2 if kind == "RBM" else span  # exp of its weights
    power = lambda x: 2.0 ** rng.integers(-span, most, x.shape)
    net = net.with_params({k: x * power(x) for k, x in net.params.items()})
    for form in (net.to_tensor_network, net.collapse):
        try:
            psi = form()
            loss = lambda psi: psi.norm(strip_exponent=True)[1]
            tuner = qtn.TNOptimizer(psi, loss, autodiff_backend="torch", progbar=False)
            found = tuner.vectorized_value_and_grad(tuner.vectorizer.vector)[1]
        except qdn.RangeError:
            continue
        shares = tuner.vectorizer.vector * found
        ends = np.cumsum([t.size for t in psi])[:-1]
        sums = [x.sum() for x in np.split(shares, ends)]
        np.testing.assert_allclose(sums, 1 / math.log(10), rtol=1e-9)


def test_derivatives_within_the_range_of_weights_far_apart():
    w = np.array([[[2.0**240, 2.0**-10]]])  # psi.H @ psi = (w0**2 + w1**2)**2
    net, params = trainable(qdn.ConvAC(2, [w], np.ones(1)))
    psi = net.to_tensor_network()
    (psi.H @ psi).backward()
    assert params[0].grad.ravel().tolist() == [4 * 2.0**720, 4 * 2.0**470]


@pytest.mark.parametrize("what", ["norm", "contract"])
def test_derivatives_beyond_the_range_of_a_value_within(what):
    """A read-out of 2**-100, and a squared norm of 2**1000: its derivative is 2**1101."""
    w = np.array([[[2.0**300, 0.0]]])
    net, _ = trainable(qdn.ConvAC(2, [w], np.array([2.0**-100])))
    psi = net.to_tensor_network()
    size = psi.H @ psi if what == "contract" else psi.norm(squared=True)
    assert size.detach() == 2.0**1000
    with pytest.raises(qdn.RangeError, match=r"derivatives of a contraction.*strip_exponent"):
        size.backward()
    psi.norm(strip_exponent=True)[1].backward()


def test_derivatives_that_overflow_inside_are_never_nan():
    """The norm is about 1e271, an entry of an intermediate has a derivative beyond 1e308."""
    rng = np.random.default_rng(6)
    net = qdn.ConvAC.rand(4, 2, 2, 2, seed=6, boundary="omit")
    far = lambda x: x * 2.0 ** rng.integers(-64, 65, x.shape)
    net, params = trainable(net.with_params({k: far(x) for k, x in net.params.items()}))
    psi = net.to_tensor_network()
    try:
        (psi.H @ psi).backward()
    except qdn.RangeError as error:
        assert "derivatives of a contraction leave the range" in str(error)
        return
    assert all(bool(x.grad.isfinite().all()) for x in params)
