"""Entropies from a density matrix that is never written down, against exact ones, over seeds."""

import math

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import view_of
from quimb_deepnets.entanglement.methods.approx import (
    BLOCK,
    EstimatedSpectrum,
    quadrature,
    spectrum,
)

DIM, RNG = 128, np.random.default_rng(0)
SPECTRA = {
    "random": RNG.random(DIM) ** 2,
    "flat": np.ones(DIM),
    "power law": 1 / np.arange(1, DIM + 1),
    "one large, many small": np.r_[1, np.full(DIM - 1, 1e-3)],
    "product": np.r_[1, np.zeros(DIM - 1)],
}


def rotated(p, seed):
    """A density matrix with these eigenvalues."""
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.normal(size=(DIM, DIM)) + 1j * rng.normal(size=(DIM, DIM)))[0]
    return (u * (p / p.sum())) @ u.conj().T


def renyi(p, alpha):
    p = p[p > 0] / p.sum()
    return -(p * np.log2(p)).sum() if alpha == 1 else np.log2((p**alpha).sum()) / (1 - alpha)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("alpha", [0.5, 1, 2, 3])
def test_the_error_is_within_tol_for_every_order(name, alpha):
    p, tol, off = SPECTRA[name], 0.03, []
    rho, exact = rotated(p, 1), renyi(p, alpha)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        found = EstimatedSpectrum(rho.__matmul__, DIM, "complex128", tol, rng).renyi(alpha)
        off.append(found - exact)
    assert np.sqrt(np.mean(np.square(off))) <= tol * max(exact, 1e-6)


def test_quadrature_equals_the_function_of_the_matrix():
    rho = rotated(SPECTRA["random"], 2)
    v = np.random.default_rng(3).normal(size=(DIM, BLOCK + 3))
    found = quadrature(rho.__matmul__, v, lambda p: p**3, 1e-12)
    exact = [(v * (np.linalg.matrix_power(rho, k) @ v).real).sum(0) for k in (3, 1, 0)]
    assert np.allclose(found, exact, rtol=1e-10)


@pytest.mark.slow
def test_the_operator_equals_the_density_matrix():
    """Of a lattice with hyper-indices and of quimb's PEPS, on blocks of any width."""
    lattice = qdn.ConvAC.rand((3, 4), 2, 2, 3, seed=0, dtype="complex128")
    for state in (lattice, qtn.PEPS.rand(3, 4, 2, seed=1)):
        view, places = view_of(state), (0, 2, 5, 7, 8)
        found = spectrum(view, places)
        rho = qdn.partial_trace_exact(state, [view.sites[i] for i in places])
        assert np.allclose(found.apply(np.eye(32)), rho, atol=1e-12)
        assert np.allclose(found.apply(np.eye(32)[:, :3]), rho[:, :3], atol=1e-12)


@pytest.mark.slow
def test_a_lattice_of_many_sites():
    """Ten of 40 sites, against the density matrix; the plan counts every application."""
    net = qdn.ConvAC.rand((10, 4), 2, 2, 3, dist="rademacher", dtype="complex128", seed=0)
    for alpha in (1, 2, 3):
        exact = net.renyi_entropy(10, alpha, method="reduced")
        found = net.renyi_entropy(10, alpha, method="approx", seed=0)
        assert abs(found - exact) < 0.02 * exact
    (row,) = [r for r in qdn.entanglement_plan(net, 10).rows if r["method"] == "approx"]
    assert row["flops"] > 1e8


def test_what_it_cannot_do_is_refused():
    mps = qtn.MPS_rand_state(8, 4, seed=0)
    for alpha in (0, math.inf):
        with pytest.raises(qdn.OptionError, match="cannot be estimated"):
            qdn.renyi_entropy(mps, 4, alpha, method="approx")
    with pytest.raises(qdn.MethodError, match="round-off to method='approx'"):
        qdn.renyi_entropy(mps, 4, 0.1, method="approx")
    mps.apply_to_arrays(lambda x: torch.tensor(x, requires_grad=True))
    with pytest.raises(qdn.MethodError, match="no gradient"):
        qdn.entropy(mps, 4, method="approx")
    for tol in (0, 1, True, "small", math.nan):
        with pytest.raises(qdn.OptionError, match="tol="):
            qdn.entropy(qtn.MPS_rand_state(4, 2), 2, method="approx", tol=tol)


def test_too_small_a_tol_says_what_was_reached():
    class Few(EstimatedSpectrum):
        def _most(self):
            return 32

    rng = np.random.default_rng(0)
    rho = rotated(SPECTRA["random"], 1)
    with pytest.raises(qdn.BudgetError, match=r"32 random vectors gave 6\.\d+ \+- .* bits"):
        Few(rho.__matmul__, DIM, "complex128", 1e-6, rng).entropy()


def test_progress(capsys):
    rng = np.random.default_rng(0)
    rho = rotated(SPECTRA["random"], 1)
    EstimatedSpectrum(rho.__matmul__, DIM, "complex128", 0.1, rng, progbar=True).entropy()
    assert "products" in (shown := capsys.readouterr().err) and "bits" in shown
