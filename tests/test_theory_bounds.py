"""The paper's theorems and Page's entropy, against sums, states and networks that saturate them."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.entanglement.gf2 import graph_entropy
from quimb_deepnets.theory.bounds import (
    conv_entropy_order,
    half_window_layer,
    pooled_entropy_order,
    recurrent_rank_bound,
    volume_law_depth,
)
from quimb_deepnets.theory.page import page_entropy


def page_by_fractions(m, n):
    m, n = min(m, n), max(m, n)
    total = sum((Fraction(1, k) for k in range(n + 1, m * n + 1)), Fraction(0))
    return float(total - Fraction(m - 1, 2 * n)) / math.log(2)


@pytest.mark.parametrize("m, n", [(1, 1), (1, 7), (2, 2), (3, 2), (4, 16), (16, 4), (30, 40)])
def test_page_is_the_sum(m, n):
    assert page_entropy(m, n) == pytest.approx(page_by_fractions(m, n), rel=1e-14)


@pytest.mark.parametrize(
    "m, n",
    [(1, 5000), (2, 4000), (64, 64), (64, 65), (65, 64), (3, 10**9), (2**20, 2**30), (2**600,) * 2],
)
def test_page_of_large_dimensions(m, n):
    with mpmath.workdps(500):
        a, b = mpmath.mpf(min(m, n)), mpmath.mpf(max(m, n))
        exact = mpmath.psi(0, a * b + 1) - mpmath.psi(0, b + 1) - (a - 1) / (2 * b)
        exact = float(exact / mpmath.log(2))
    assert page_entropy(m, n) == pytest.approx(exact, rel=4e-15, abs=0)


def test_page_of_huge_dimensions():
    assert page_entropy(2**5000, 2**5000) == pytest.approx(5000 - 1 / (2 * math.log(2)))
    assert page_entropy(2**10, 2**9000) == 10.0


def test_page_is_the_mean_of_random_states():
    rng, sums = np.random.default_rng(0), []
    for _ in range(4000):
        x = rng.normal(size=(4, 8)) + 1j * rng.normal(size=(4, 8))
        p = np.linalg.svd(x, compute_uv=False) ** 2
        p /= p.sum()
        sums.append(-(p * np.log2(p)).sum())
    error = np.std(sums) / math.sqrt(len(sums))
    assert abs(np.mean(sums) - page_entropy(4, 8)) < 4 * error


@pytest.mark.parametrize("dims", [(0, 2), (2, -1), (2.0, 2), ("2", 2), (True, 2)])
def test_page_refuses_what_is_no_dimension(dims):
    with pytest.raises(qdn.OptionError, match="dim_"):
        page_entropy(*dims)


def test_orders():
    assert conv_entropy_order(7, depth=2, kernel=5, ndim=1) == 7
    assert conv_entropy_order(30, depth=2, kernel=5, ndim=1) == 10
    assert conv_entropy_order(30, depth=2, kernel=5, ndim=2) == 300
    assert pooled_entropy_order(30, kernel=5, ndim=1) == 5
    assert pooled_entropy_order(4, kernel=5, ndim=2) == 16
    for alpha in range(1, 40):
        depth = volume_law_depth(alpha, kernel=4)
        assert alpha < 4 * depth and not alpha < 4 * (depth - 1)
        assert conv_entropy_order(alpha, depth, 4, ndim=2) == alpha**2


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_graph_states_reach_theorem_1_up_to_a_factor_of_two(ndim, kernel, depth):
    length, distance = 80, (depth - 1) * (kernel - 1)
    shape = length if ndim == 1 else (4, length)
    vector = distance if ndim == 1 else (0, distance)
    net = qdn.ConvAC.graph_state(shape, distance=vector, kernel=kernel)
    assert net.depth == depth
    for alpha in range(1, length // 2):
        # all rows of the lattice are alike: one block of alpha columns, in each row
        block = [n for n in range(net.nsites) if n % length < alpha]
        bits = graph_entropy(net.edges, block, net.nsites) // (1 if ndim == 1 else 4)
        assert 2 * bits * alpha ** (ndim - 1) >= conv_entropy_order(alpha, depth, kernel, ndim)


@pytest.mark.parametrize("bond_dim, phys_dim", [(2, 2), (3, 2), (2, 3), (3, 3)])
def test_random_racs_reach_theorem_2(bond_dim, phys_dim):
    for a, n in [(1, 3), (2, 4), (3, 6)]:
        net = qdn.RAC.rand(n, depth=2, bond_dim=bond_dim, phys_dim=phys_dim, seed=a)
        block = net.to_dense().reshape(-1, phys_dim**a)
        assert np.linalg.matrix_rank(block) >= recurrent_rank_bound(a, bond_dim, phys_dim)


def test_half_window_layer():
    layers = [qdn.GCLayer(3, 2), qdn.GCLayer(2, 2, stride=2), qdn.GCLayer(3, 2)]
    net = qdn.ConvAC.rand(16, layers=layers, boundary="periodic", seed=0)
    assert half_window_layer(net) == half_window_layer(net.geometry) == (3, (2,))
    assert half_window_layer(qdn.ConvAC.rand(16, 2, 2, 2, seed=0)) is None


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: conv_entropy_order(0, 1, 1, 1), "alpha=0"),
        (lambda: conv_entropy_order(1, 0, 1, 1), "depth=0"),
        (lambda: conv_entropy_order(1, 1, 1.5, 1), "kernel=1.5"),
        (lambda: conv_entropy_order(1, 1, 1, 3), "use 1 or 2"),
        (lambda: pooled_entropy_order(1, 0, 1), "kernel=0"),
        (lambda: recurrent_rank_bound(0, 2), "size=0"),
        (lambda: recurrent_rank_bound(1, 0), "bond_dim=0"),
        (lambda: volume_law_depth(3, 0), "kernel=0"),
    ],
)
def test_bounds_refuse_what_is_no_size(call, match):
    with pytest.raises(qdn.GeometryError, match=match):
        call()
