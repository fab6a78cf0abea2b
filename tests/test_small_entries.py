"""Overlaps and expectation values of states with entries that no dense vector holds together.

Entries of 2**+-1500 beside each other: the result is right, or refused where it leaves the range,
and never a silent zero. Fractions are the reference.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn


def exact_state(net):
    """All amplitudes as fractions, for a network of one layer without edges."""
    (w,), readout = net.weights, net.readout
    entry = [[[Fraction(float(x)) for x in row] for row in tap] for tap in w]
    out = []
    for config in itertools.product(range(2), repeat=net.nsites):
        terms = [
            math.prod(entry[0][c][s] for s in config) * Fraction(float(x))
            for c, x in enumerate(readout)
        ]
        out.append(sum(terms))
    return out


def far_apart_pair(dtype, library):
    """Two states whose entries fit no dense vector beside the largest, and their overlap does."""
    big = np.finfo(dtype).maxexp // 2 - 4
    ups, downs = np.array([[[2.0**big, 2.0**-big]]]), np.array([[[2.0**-big, 1.5 * 2.0**big]]])
    nets = [qdn.ConvAC(3, [x.astype(dtype)], np.ones(1, dtype)) for x in (ups, downs)]
    return nets, [net if library == "numpy" else net.to("torch") for net in nets]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_vanishes_silently_in_dense_vectors(dtype, library):
    pair, (net, other) = far_apart_pair(dtype, library)
    a, b = map(exact_state, pair)
    assert float(net.overlap(other)) == float(sum(x * y for x, y in zip(a, b)))  # all terms equal
    least = np.zeros(8, dtype)
    least[-1] = 1
    for one in (least, qtn.MPS_computational_state("111", dtype=dtype)):
        with pytest.raises(qdn.RangeError):  # 2**-(6 * big) of the largest
            net.overlap(one)
    down = np.diag([0, 1]).astype(dtype)  # 2**(-4 * big), below the range
    for state in (lambda: net, net.collapse, net.to_tensor_network):
        with pytest.raises(qdn.RangeError):
            state().local_expectation_exact(down, [0])
    assert float(net.norm(strip_exponent=True)[0]) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_zeros_are_not_refused(dtype):
    big = np.finfo(dtype).maxexp // 3
    one = qdn.ConvAC(3, [np.array([[[2.0**big, 0.0]]], dtype)], np.ones(1, dtype))
    two = qdn.ConvAC(3, [np.array([[[0.0, 2.0**-big]]], dtype)], np.ones(1, dtype))
    assert float(one.overlap(two)) == float(one.collapse().overlap(two.collapse())) == 0
    for state in (one, one.collapse(), one.to_tensor_network()):
        assert float(state.local_expectation_exact(np.diag([0, 1]).astype(dtype), [1])) == 0


@pytest.mark.parametrize("operator", ["X", "Y", "Z"])
def test_terms_of_ordinary_size_that_cancel_are_a_right_zero(operator):
    G, plus = qu.pauli(operator), np.ones((2, 1, 2))
    for net in (
        qdn.ConvAC.graph_state(8, distance=1, kernel=2),
        qdn.ConvAC.graph_state((4, 4), distance=(1, 1), kernel=2),
        qdn.RAC(6, [np.eye(2)], [np.eye(2)], None, np.ones(2)),  # a GHZ state
        qdn.ConvAC(8, [plus], np.ones(1)),
    ):
        states = net, net.collapse(), net.to_tensor_network(), net.to("torch").collapse()
        for state in states if net.nsites < 10 else states[:2]:
            found = complex(state.local_expectation_exact(G, [net.sites[3]]))
            whole = net.to_dense().reshape((2,) * net.nsites)
            rho = np.moveaxis(whole, 3, 0).reshape(2, -1)
            rho = rho @ rho.conj().T / np.linalg.norm(whole) ** 2
            assert abs(found - np.trace(G @ rho)) < 1e-12
