"""Claim 1: whatever the tensor, a vector is found that it does not clone, by a proven margin."""

import itertools
import math

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.theory import cloning_failure


def delta(dim):
    phi = np.zeros((dim,) * 3)
    phi[(range(dim),) * 3] = 1.0
    return phi


def residual(phi, v):
    """By the sum over the components, as the paper writes it."""
    total = 0.0
    for j, k in itertools.product(range(len(v)), repeat=2):
        made = sum(phi[i, j, k] * v[i] for i in range(len(v)))
        total += abs(made - v[j] * v[k]) ** 2
    return math.sqrt(total)


def candidates(dim):
    rng = np.random.default_rng(dim)
    yield np.zeros((dim,) * 3)
    yield delta(dim)
    for scale in (1e-3, 0.1, 0.3, 1.0, 30.0):
        yield scale * rng.normal(size=(dim,) * 3)
        yield delta(dim) + scale * rng.normal(size=(dim,) * 3)
    yield rng.normal(size=(dim,) * 3) + 1j * rng.normal(size=(dim,) * 3)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7])
def test_the_bound_holds_for_any_candidate(dim, positive):
    for phi in candidates(dim):
        found = cloning_failure(phi, positive=positive)
        assert np.linalg.norm(found.vector) == pytest.approx(1)
        assert found.residual == pytest.approx(residual(phi, found.vector), abs=1e-13)
        assert found.residual >= found.bound - 1e-14
        assert not positive or (found.vector >= 0).all()


def test_bounds_by_hand():
    for dim in range(1, 6):
        assert cloning_failure(delta(dim)).bound == 1.0
    positive = [cloning_failure(delta(dim), positive=True).bound for dim in (1, 2, 3, 4, 100)]
    pair = math.sqrt(2 - math.sqrt(2)) / (1 + math.sqrt(2))
    three = math.sqrt(2 - 2 / math.sqrt(3)) / (1 + math.sqrt(3))
    assert positive == pytest.approx([0, pair, three, three, three])


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_delta_clones_the_basis_and_fails_on_sums(dim):
    phi = delta(dim)
    for e in np.eye(dim):
        assert residual(phi, e) == 0
    ones = np.full(dim, dim**-0.5)
    found = cloning_failure(phi, positive=True)
    np.testing.assert_allclose(found.vector, ones)
    assert found.residual == pytest.approx(math.sqrt(2 - 2 / math.sqrt(dim)))
    assert cloning_failure(phi).residual == pytest.approx(2)


def test_both_bounds_are_reached():
    assert cloning_failure(np.zeros((4, 4, 4))).residual == pytest.approx(1, abs=1e-15)
    # spread the error evenly over e_1, e_2 and their sum
    phi, u = delta(2), np.full(2, 2**-0.5)
    error = np.outer(u, u) - np.tensordot(u, phi, 1)
    phi += error / (1 + math.sqrt(2))
    found = cloning_failure(phi, positive=True)
    assert found.residual == pytest.approx(found.bound, rel=1e-14)


@pytest.mark.parametrize("positive", [False, True])
def test_nor_does_one_that_is_trained(positive):
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    dim = 3
    phi = torch.zeros((dim,) * 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([phi], lr=0.02)
    for _ in range(200):
        v = torch.randn(64, dim, dtype=torch.float64, generator=generator)
        v = (v.abs() if positive else v) / v.norm(dim=1, keepdim=True)
        made = torch.einsum("ijk,bi->bjk", phi, v)
        loss = (made - v[:, :, None] * v[:, None, :]).pow(2).sum((1, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = cloning_failure(phi.detach().numpy(), positive=positive)
    assert found.residual >= found.bound - 1e-14
    assert loss > (0.02 if positive else 0.9)


@pytest.mark.parametrize(
    "phi", [np.ones((2, 2)), np.ones((2, 2, 3)), np.zeros((0, 0, 0)), "abc", [[[np.nan]]], None]
)
def test_what_is_refused(phi):
    with pytest.raises(qdn.errors.WeightError, match="phi"):
        cloning_failure(phi)
