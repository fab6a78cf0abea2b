"""The error that is measured after cross interpolation, beside the true one."""

import math

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.conversion.cross_error import measured_error

pytest.importorskip("teneva")
pytestmark = pytest.mark.filterwarnings("ignore:the interpolated MPS has a relative error")


def errors(net, bond):
    """The measured relative error, the true one, and the infidelity, against the exact MPS."""
    info, exact_info = {}, {}
    exact = net.to_mps(normalize=True, info=exact_info)
    mps = net.to_mps(bond, method="cross", seed=0, info=info, normalize=True)
    ratio = 10 ** (info["log10_norm"] - exact_info["log10_norm"])
    overlap = float(mps.H @ exact)
    true = math.sqrt(max(0.0, 1 + ratio**2 - 2 * ratio * overlap))
    return info["error"], true, 1 - overlap**2


GOOD = [
    (qdn.ConvAC.rand(12, 4, 3, 4, seed=2, boundary="periodic"), 8),  # uniform ones miss the peak
    (qdn.ConvAC.rand(12, 4, 3, 4, seed=5, boundary="periodic"), 8),
    (qdn.ConvAC.rand(24, 3, 3, 4, seed=2), 8),
]
ROUGH = [
    (qdn.ConvAC.rand(12, 4, 3, 4, seed=1, boundary="periodic"), 2),  # a third of the weight is lost
    (qdn.ConvAC.rand(24, 3, 3, 4, seed=0), 3),
    (qdn.ConvAC.rand(32, 2, 3, 3, loc=1.0, scale=0.5, seed=1), 1),
    (qdn.ConvAC.rand(24, 2, 3, 4, seed=2, boundary="periodic"), 3),
]


@pytest.mark.parametrize(("net", "bond"), GOOD, ids=str)
def test_a_good_mps_is_not_warned_about(net, bond, recwarn):
    measured, _, infidelity = errors(net, bond)
    assert abs(infidelity) < 1e-12 and measured < 1e-6


@pytest.mark.parametrize(("net", "bond"), ROUGH, ids=str)
def test_a_rough_one_is(net, bond):
    measured, true, infidelity = errors(net, bond)
    assert infidelity > 0.01 and true / 3 < measured < 3 * true


class Table:
    """A state given by all its entries, as `measured_error` looks at it."""

    phys_dim, scale = 2, 0.0

    def __init__(self, vector):
        self.vector, self.N = vector, vector.size.bit_length() - 1

    def scaled(self, configs):
        values = self.vector[configs @ (1 << np.arange(self.N)[::-1])]
        with np.errstate(divide="ignore"):
            return np.where(values < 0, -1.0, 1.0), np.log(np.abs(values))


def cores_of(vector):
    """Left-canonical cores of a vector."""
    cores, rest = [], vector.reshape(1, -1)
    while rest.shape[1] > 2:
        left = len(rest)
        q, rest = np.linalg.qr(rest.reshape(left * 2, -1))
        cores.append(q.reshape(left, 2, -1))
    return [*cores, rest.reshape(-1, 2, 1)]


def test_measured_error_of_known_differences():
    rng, N = np.random.default_rng(0), 12
    vector = rng.standard_normal(2**N)
    vector /= np.linalg.norm(vector)
    bump = rng.standard_normal(2**N)
    bump /= np.linalg.norm(bump)
    for size in (1e-1, 1e-3):
        other = vector + size * bump
        found = measured_error(cores_of(other), Table(vector), np.random.default_rng(1))
        assert size / 2 < found < 2.5 * size
    exact = measured_error(cores_of(vector), Table(vector), np.random.default_rng(1))
    assert exact < 1e-12


def test_a_second_hump_is_found_and_a_far_tail_is_not_an_error():
    N, bits = 14, (np.arange(2**14)[:, None] >> np.arange(14)[::-1]) & 1
    ones = bits.sum(1)
    left, right = np.exp(-1.5 * ones), np.exp(-1.5 * (N - ones))
    missing = measured_error(cores_of(left), Table(left + right), np.random.default_rng(0))
    assert missing > 0.5  # half of the weight
    tail = left * np.where(ones > 7, 10.0, 1.0)  # wrong by 10 where the weight is 1e-8
    rest = np.linalg.norm(tail - left) / np.linalg.norm(left)
    found = measured_error(cores_of(left), Table(tail), np.random.default_rng(0))
    assert rest < 1e-2 and found < 3e-2
