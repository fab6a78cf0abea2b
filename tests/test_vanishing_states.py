"""States that vanish, or cancel to round-off: one error by every method, and no false alarm."""

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import METHODS, view_of


def cancelling(net):
    """A RAC whose channels are there twice, read with opposite signs."""
    two = lambda W: np.kron(np.eye(2), W).astype(net.dtype)
    inputs = [np.concatenate([net.input_weights[0]] * 2), *map(two, net.input_weights[1:])]
    initial = [np.concatenate([x, x]) for x in net.initial]
    readout = np.concatenate([net.readout, -net.readout])
    return qdn.RAC(net.nsites, [two(W) for W in net.hidden_weights], inputs, initial, readout)


def mps(seed, L=10):
    return qtn.MPS_rand_state(L, 4, seed=seed, dtype="complex128")


COLLAPSED = qdn.ConvAC.rand(7, 2, 2, 3, seed=0).collapse()
PEPS = qtn.PEPS.rand(3, 3, 2, seed=0)
VANISHING = {
    "rac": cancelling(qdn.RAC.rand(8, depth=2, bond_dim=2, seed=0)),
    "rac, depth 1": cancelling(qdn.RAC.rand(30, depth=1, bond_dim=2, seed=0)),
    "rac, complex64": cancelling(qdn.RAC.rand(8, 2, 2, dtype="complex64", seed=0)),
    "rac, torch": cancelling(qdn.RAC.rand(8, depth=2, bond_dim=2, seed=1)).to("torch"),
    "conv of zeros": qdn.ConvAC(6, [np.zeros((2, 2, 2))], np.ones(2)),
    "mps - mps": mps(0) - mps(0),
    "long mps - mps": mps(0, 60) - mps(0, 60),
    "cyclic mps - mps": qtn.MPS_rand_state(6, 3, cyclic=True, seed=0).add_MPS(
        -1 * qtn.MPS_rand_state(6, 3, cyclic=True, seed=0)
    ),
    "peps - peps": PEPS - PEPS,
    "collapsed - collapsed": COLLAPSED - COLLAPSED,
    "mps of zeros": mps(0).multiply_each(0.0),
}


@pytest.mark.parametrize("name", VANISHING)
def test_one_error_by_every_method(name):
    state = VANISHING[name]
    view = view_of(state)
    some = list(view.sites[1:4])
    for method in (m.name for m in METHODS.values() if m.view in view.views):
        with pytest.raises(qdn.RangeError, match=r"cancel|norm 0\.0|terms of this sum"):
            qdn.entropy(state, some, method=method)
    for measure in (
        lambda: qdn.entropies(state),
        lambda: qdn.schmidt_values(state, some),
        lambda: qdn.entropy(state, len(view.sites)),
        lambda: qdn.partial_trace_exact(state, some[:1]),
        lambda: qdn.mutinf_subsys(state, some[:1], some[1:]),
        lambda: qdn.logneg_subsys(state, some[:1], some[1:2]),
    ):
        with pytest.raises(qdn.RangeError, match=r"cancel|norm 0\.0|terms of this sum"):
            measure()


def test_samples_of_noise_are_refused():
    with pytest.raises(qdn.RangeError, match="cancel"):
        qdn.renyi2_estimate(VANISHING["rac"], 3, samples=512, chains=16, seed=0)


def test_vectors_of_zeros():
    for where in (1, 3):
        with pytest.raises(qdn.RangeError, match="norm 0"):
            qdn.entropy(np.zeros(8), where, dims=[2] * 3)


@pytest.mark.parametrize("size", [1e-3, 1e-9])
def test_small_differences_are_states(size):
    """What is left of ``(m + size n) - m`` is n, to the digits that the difference has."""
    left = (mps(0) + size * mps(1)) - mps(0)
    exact = qdn.entropy(mps(1), 4)
    for method in ("mps", "dense"):
        assert abs(qdn.entropy(left, 4, method=method) - exact) < 1e-13 / size


def test_approx_says_where_squares_lose_a_difference():
    left = (mps(0) + 1e-9 * mps(1)) - mps(0)
    with pytest.raises(qdn.RangeError, match=r"trace|norm -"):  # whichever round-off turns negative
        qdn.entropy(left, 4, method="approx", seed=0)


def signs_of_equal_neighbours(N):
    """GHZ, as a product of ``1 + Z Z`` in cancelling channels: all but two amplitudes are zero."""
    x = np.zeros(2**N)
    x[[0, -1]] = 1
    return qtn.MatrixProductState.from_dense(x, [2] * N)


def test_sparse_and_scaled_states_are_no_false_alarm():
    """Amplitudes that are zero or tiny nearly everywhere, norms at the edge of floats."""
    ghz = signs_of_equal_neighbours(12)
    assert abs(qdn.entropy(ghz, [1, 5]) - 1) < 1e-12
    pair = qdn.ConvAC(9, [np.eye(2)[None]], np.ones(2))  # GHZ in two channels
    assert abs(pair.entropy([2, 7]) - 1) < 1e-12
    delta = np.array([[[1.0, 0.0]]])
    assert qdn.ConvAC(20, [delta], np.ones(1)).entropy(7, method="to_mps") == 0
    hadamard = np.array([[[1.0, 1.0], [1.0, -1.0]]])  # two channels that cancel at half of all
    assert abs(qdn.ConvAC(12, [hadamard], np.ones(2)).entropy([0, 4]) - 1) < 1e-12
    for scale in (1e-200, 1e200):
        assert abs(qdn.entropy(mps(0) * scale, 4) - qdn.entropy(mps(0), 4)) < 1e-12
    deep = qdn.ConvAC.rand(10, 6, 3, 3, scale=5.0, seed=0)
    assert deep.entropy(5) >= 0


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "float64"])
def test_integer_tensors_are_sound(dtype):
    """GHZ states of zeros and ones, on which a relative move of whole numbers would vanish."""
    end, site = np.eye(2).astype(dtype), np.zeros((2, 2, 2), dtype)
    site[0, 0, 0] = site[1, 1, 1] = 1
    for length in (4, 30):
        mps = qtn.MatrixProductState([end, *[site] * (length - 2), end], shape="lrp")
        assert qdn.entropy(mps, length // 2) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("options", [(10, 7, 3, 32, 1.0), (8, 5, 3, 4, 1e-3), (8, 6, 3, 8, 0.05)])
def test_norms_that_no_float_holds_are_sound(options):
    *sizes, scale = options
    net = qdn.ConvAC.rand(*sizes, seed=0, scale=scale)
    exact = net.entropy(sizes[0] // 2, method="dense")
    assert net.entropy(sizes[0] // 2, method="to_mps") == pytest.approx(exact, abs=1e-9)
    assert net.entropies(method="to_mps")[sizes[0] // 2 - 1] == pytest.approx(exact, abs=1e-9)
