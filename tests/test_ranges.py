"""Sums, norms, distances and expectation values of states of any size, or of none."""

import math
import operator
from decimal import Decimal
from fractions import Fraction

import cotengra as ctg
import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

Z = np.diag([1.0, -1.0])
BASE = qdn.ConvAC.rand(4, depth=2, kernel=2, bond_dim=3, seed=0)
OTHER = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=2, seed=1)
V, W = (net.to_dense().ravel() for net in (BASE, OTHER))
CANCELS = r"round-off|norm 0"
SHAPES = {"expanded": lambda net: net.to_tensor_network(), "collapsed": lambda net: net.collapse()}
SCALES = (0, -170, 200, -900)  # decimal


def scaled(net, exponent, shape="collapsed"):
    """The state of a network times ``10**exponent``, in its tensors as far as they hold it."""
    psi = SHAPES[shape](net)
    first = max(-200, min(200, exponent))
    psi = psi.multiply(10.0**first, spread_over=3)
    psi.exponent = psi.exponent + exponent - first
    return psi


def log10(pair):
    mantissa, exponent = pair
    return math.log10(abs(float(mantissa))) + float(exponent)


def expectation(v, G, site):
    return (v.conj() @ qu.ikron(G, [2] * 4, site) @ v / (v.conj() @ v)).real


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("exponent", SCALES)
def test_sums_of_any_size(shape, exponent):
    psi, phi = scaled(BASE, exponent, shape), scaled(OTHER, exponent, shape)
    mps = qtn.MPS_rand_state(4, 3, seed=2)
    for other, w in ((phi, W), (mps.copy(), mps.to_dense().ravel())):
        if other is not phi:
            other.exponent = float(exponent)
        for state, v in ((psi + other, V + w), (psi - other, V - w)):
            assert (
                abs(
                    log10(state.norm(strip_exponent=True))
                    - exponent
                    - math.log10(np.linalg.norm(v))
                )
                < 1e-10
            )
            found = state.local_expectation_exact(Z, 2)
            assert abs(found - expectation(v, Z, 2)) < 1e-9
            assert abs(state.entropy(2) - qdn.entropy(v, 2, dims=[2] * 4)) < 1e-9
            unit = state.normalize()
            assert abs(unit.norm() - 1) < 1e-12
            assert abs(np.vdot(unit.to_dense(), v) - np.linalg.norm(v)) < 1e-9 * np.linalg.norm(v)


def test_terms_of_very_different_sizes():
    """The larger term is all there is, and the smaller one comes back when it has gone."""
    big, small = scaled(BASE, 300), scaled(OTHER, -300)
    both = big + small
    assert abs(log10(both.norm(strip_exponent=True)) - 300 - math.log10(np.linalg.norm(V))) < 1e-10
    assert abs(both.local_expectation_exact(Z, 3) - expectation(V, Z, 3)) < 1e-12
    back = both - big
    mantissa, exponent = back.norm(strip_exponent=True)
    assert not mantissa or math.log10(mantissa) + exponent < 300 - 6  # round-off of the larger one
    with pytest.raises(qdn.RangeError, match=CANCELS):
        back.local_expectation_exact(Z, 3)
    apart = scaled(BASE, 0)
    apart.exponent = 1e5
    with pytest.raises(qdn.RangeError, match="exponents of the two states differ"):
        apart + small


def test_a_norm_of_ten_to_870():
    phi = qdn.ConvAC.rand(12, 7, 2, 16, seed=0, boundary="periodic").collapse()
    one = log10(phi.norm(strip_exponent=True))
    assert 860 < one < 880
    both = phi + phi
    assert abs(log10(both.norm(strip_exponent=True)) - one - math.log10(2)) < 1e-11
    assert abs(both.local_expectation_exact(Z, 0) - phi.local_expectation_exact(Z, 0)) < 1e-12
    plain = both.rank_simplify()
    assert abs(log10(plain.norm(strip_exponent=True)) - one - math.log10(2)) < 1e-11
    slicing = ctg.HyperOptimizer(
        max_repeats=16,
        parallel=False,
        methods=["greedy"],
        optlib="random",
        slicing_opts={"target_slices": 4},
    )
    found = both.norm(strip_exponent=True, optimize=slicing)
    assert abs(log10(found) - one - math.log10(2)) < 1e-11


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("exponent", [-158, -250, 160])
def test_norms_whose_square_leaves_the_range(shape, exponent):
    psi = scaled(BASE, exponent, shape)
    exact = np.linalg.norm(V)
    assert abs(psi.norm() / 10.0**exponent / exact - 1) < 1e-11
    other = scaled(OTHER, exponent, shape)
    right = np.linalg.norm(V - W)
    for method in ("dense", "overlap"):
        assert abs(psi.distance(other, method=method) / 10.0**exponent / right - 1) < 1e-9
        found = psi.distance(other, method=method, normalized=True)
        assert abs(found - 2 * right / (exact + np.linalg.norm(W))) < 1e-9
        found = psi.distance(other, method=method, normalized="squared")
        assert abs(found - right / ((exact**2 + np.linalg.norm(W) ** 2) / 2) ** 0.5) < 1e-9
        fidelity = (V @ W) ** 2 / (V @ V) / (W @ W)
        found = psi.distance(other, method=method, normalized="infidelity")
        assert abs(found - 1 + fidelity) < 1e-9
    assert psi.distance(psi.copy()) <= 1e-15 * 10.0**exponent * exact
    assert psi.distance_normalized(psi.copy()) < 1e-15
    if abs(exponent) > 160:
        with pytest.raises(qdn.RangeError, match="strip_exponent"):
            psi.norm(squared=True)


def test_tiny_and_huge_parts_inside_one_network():
    """Layers of 1e-60 and a read-out that makes up for it, as exact fractions."""
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 5, (3, 2, 2)).astype(float)
    plain = qdn.ConvAC(5, [weights], np.array([1.0, 2.0])).to_tensor_network()
    tiny = qdn.ConvAC(5, [weights * 2.0**-200], np.array([1.0, 2.0])).to_tensor_network()
    back = tiny.copy()
    for tag in ("READOUT", 0, 1):
        back[tag].modify(apply=lambda x: x * 2.0**900)
    power = 2700 - 200 * sum(1 for t in plain if {"W1,0", "W1,1", "W1,2"}.intersection(t.tags))
    exact = Fraction(0)
    for x in plain.to_dense().ravel():
        exact += Fraction(float(x)) ** 2
    found = back.norm(squared=True, strip_exponent=True)
    right = math.log10(exact) + 2 * power * math.log10(2)
    assert abs(log10(found) - right) < 1e-11


def vanishing(backend):
    net = BASE.to(backend)
    psi = net.to_tensor_network()
    yield 0 * psi
    yield psi * 0.0
    yield net.collapse() * 0
    zero, one = (np.diag(x) for x in ([0.0, 1.0], [1.0, 0.0]))
    if backend == "torch":
        zero, one = torch.tensor(zero), torch.tensor(one)
    yield psi.gate(zero, 1, contract=True).gate(one, 1, contract=True)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_state_that_vanishes_is_refused_where_a_norm_divides(backend):
    G = Z if backend == "numpy" else torch.tensor(Z)
    for psi in vanishing(backend):
        assert psi.norm() == 0 and tuple(map(float, psi.norm(strip_exponent=True))) == (0, 0)
        assert not psi.to_dense().any()
        assert float(psi.partial_trace_exact([0], normalized=False).trace()) == 0
        assert psi.distance(psi.copy()) == 0
        calls = [
            lambda psi=psi: psi.local_expectation_exact(G, 0),
            lambda psi=psi: psi.compute_local_expectation_exact({(0,): G, (1, 2): qu.kron(Z, Z)}),
            lambda psi=psi: psi.partial_trace_exact([0, 1]),
            lambda psi=psi: psi.normalize(),
            lambda psi=psi: psi.normalize_(),
            lambda psi=psi: psi.entropy(2),
            lambda psi=psi: psi.distance_normalized(psi.copy()),
            lambda psi=psi: psi.distance(psi.copy(), normalized="infidelity"),
        ]
        if hasattr(psi, "partial_traces_exact"):
            calls.append(lambda psi=psi: psi.partial_traces_exact([0, (1, 2)]))
        for call in calls:
            with pytest.raises(qdn.RangeError, match="norm 0"):
                call()


def test_scalars_that_are_not():
    psi = BASE.to_tensor_network()
    for call in (
        lambda: psi / 0,
        lambda: psi / np.float64(0),
        lambda: psi / 0j,
        lambda: psi * np.inf,
        lambda: psi * np.nan,
        lambda: psi.copy().multiply_(-np.inf),
        lambda: psi.copy().__itruediv__(0.0),
    ):
        with pytest.raises(qdn.RangeError, match=r"finite|range of floats"):
            call()
    for call in (
        lambda: psi * 10**400,
        lambda: psi / 10**400,
    ):
        with pytest.raises(qdn.RangeError, match="beyond"):
            call()
    for wrong in ("a", None, psi, np.ones(3), [1, 2], Decimal(1), torch.ones(2)):
        for call in (operator.mul, operator.truediv, type(psi).multiply, type(psi).multiply_each):
            with pytest.raises(qdn.OptionError, match="give one number"):
                call(psi, wrong)
    for half in (0.5, Fraction(1, 2), np.array([0.5]), torch.tensor(0.5)):
        assert np.allclose((psi * half).to_dense().ravel(), V / 2, rtol=1e-13)
    assert np.allclose((psi / np.int64(2)).to_dense().ravel(), V / 2, rtol=1e-13)
    assert np.allclose((psi / 2j).to_dense().ravel(), V / 2j, rtol=1e-13)
    assert np.allclose((psi * -3).to_dense().ravel(), -3 * V, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_cancels_is_nearly_zero_and_has_no_entropy(shape, backend):
    for exponent in (0, -140):
        psi = SHAPES[shape](BASE.to(backend))
        psi = psi.multiply(10.0**exponent, spread_over=3)
        zero, size = psi - psi, np.linalg.norm(V) * 10.0**exponent
        assert float(zero.norm()) <= 1e-7 * size
        assert np.abs(np.asarray(zero.to_dense())).max() <= 1e-14 * size
        G = Z if backend == "numpy" else torch.tensor(Z)
        for call in (
            lambda x, G: x.entropy(2),
            lambda x, G: x.entropy([0, 2], method="reduced"),
            lambda x, G: x.entropy([0, 2], method="dense"),
            lambda x, G: x.normalize(),
            lambda x, G: x.local_expectation_exact(G, 1),
            lambda x, G: x.partial_trace_exact([1]),
        ):
            with pytest.raises(qdn.RangeError, match=CANCELS):
                call(zero, G)


def test_chains_of_quimb_that_cancel():
    for count in (5, 24):
        a, b = (qtn.MPS_rand_state(count, 3, seed=seed) for seed in (0, 1))
        for call in (
            lambda zero: qdn.entropy(zero, 3),
            lambda zero: qdn.entropies(zero),
            lambda zero: qdn.entropy(zero, [1, 3]),
        ):
            with pytest.raises(qdn.RangeError, match=CANCELS):
                call(a - a)
        assert abs(qdn.entropy(a + a, 2) - a.entropy(2)) < 1e-9
        near = a + b
        near[0].modify(apply=lambda x: x * 1e3)
        near = near - 1e3 * a  # 1e3 * b, with three digits less
        assert abs(qdn.entropy(near, 2) - b.entropy(2)) < 1e-6


def test_a_small_difference_keeps_its_digits():
    """One part in 10**5 is not round-off: nine digits are left of it, four of its square."""
    near = BASE.collapse() * (1 + 1e-5) + OTHER.collapse() * 1e-5
    left, v = near - BASE.collapse(), V + W
    assert abs(left.norm() * 1e5 / np.linalg.norm(v) - 1) < 1e-3
    exact = qdn.entropy(v, 2, dims=[2] * 4)
    assert abs(left.entropy(2, method="dense") - exact) < 1e-7
    assert abs(left.local_expectation_exact(Z, 2) - expectation(v, Z, 2)) < 1e-2


def test_overlaps_of_opposite_parity_are_zero():
    swap, worst = np.eye(4)[[1, 0, 3, 2]], 0.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        hidden, x, r = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)
        even = qdn.RAC(
            5, [hidden + swap @ hidden @ swap], [np.stack([x, swap @ x], 1)], None, r + swap @ r
        )
        for psi in (even.collapse(), even.to_tensor_network()):
            odd = psi.gate(Z, 1)
            worst = max(worst, abs(odd.overlap(psi)) / psi.norm() ** 2)
            worst = max(worst, abs(psi.overlap(odd)) / psi.norm() ** 2)
    assert worst < 1e-13


def test_gradients_through_any_scale():
    """Of the logarithm of a norm: the same whatever constant multiplies the state."""
    rng = np.random.default_rng(0)
    weights = torch.tensor(rng.normal(size=(2, 3, 2)), requires_grad=True)
    readout = torch.tensor(rng.normal(size=3))

    def gradient(log_norm):
        return torch.autograd.grad(log_norm, weights)[0]

    def state(scale):
        return qdn.ConvAC(4, [weights], readout * scale)

    exact = gradient(torch.log(torch.linalg.norm(state(1.0).to_dense())))
    expanded, collapsed = (lambda n: n.to_tensor_network()), (lambda n: n.collapse())
    for scale in (1.0, 1e-170, 1e200):
        for make in (expanded, collapsed, lambda n: expanded(n) + 2 * collapsed(n)):
            mantissa, exponent = make(state(scale)).norm(strip_exponent=True)
            log = torch.log(mantissa) + exponent * math.log(10)
            assert torch.allclose(gradient(log), exact, rtol=1e-10, atol=1e-12)
            log = torch.log(make(state(scale)).norm())
            assert torch.allclose(gradient(log), exact, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_dtypes_stay(dtype):
    psi = qdn.ConvAC.rand(5, depth=2, kernel=2, bond_dim=2, dtype=dtype, seed=3).collapse()
    v = psi.to_dense().ravel()
    eps = np.finfo(dtype).eps
    for power in (0, -30):
        one = psi.multiply(10.0**power, spread_over="all")
        both = one + one
        assert both.dtype == dtype and both.norm().dtype == np.finfo(dtype).dtype
        assert abs(both.norm() / 10.0**power / 2 / np.linalg.norm(v) - 1) < 200 * eps
        assert both.partial_trace_exact([1]).dtype == dtype


def test_integers_contract():
    cubes = qdn.HyperTensorNetwork([qtn.Tensor(np.array([1, 2, 3]), ("a",)) for _ in range(3)])
    assert cubes.contract() == 36
    mantissa, exponent = cubes.contract(strip_exponent=True)
    assert abs(mantissa * 10**exponent - 36) < 1e-12
