"""Steps of stochastic reconfiguration: two forms, one result, against dense linear algebra.

::

    O, E, w --> residuals --> normal form, sample form, loops over entries      all one change
"""

import itertools
import math

import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.factored_rows import FactoredRows, joined
from quimb_deepnets.groundstate.steps import (
    Batch,
    clipped,
    finite_step,
    force,
    natural_step,
    residuals,
    trusted,
)


def batch(n, P, kind, seed=0):
    """A batch of random derivatives: of real, holomorphic or mixed networks."""
    rng = np.random.default_rng(seed)
    O, E, w = rng.normal(size=(n, P)), rng.normal(size=n), rng.random(n)
    if kind != "real":
        O, E = O + 1j * rng.normal(size=(n, P)), E + 1j * rng.normal(size=n)
    return Batch(O, E, w / w.sum(), kind != "complex")


def by_loops(batch, relative):
    """The step entry by entry: covariances of derivatives and of energies, then a solve."""
    O, E, w, real = batch
    n, P = O.shape
    mean = [sum(w[s] * O[s, k] for s in range(n)) for k in range(P)]
    energy = sum(w * E)
    S, F = np.zeros((P, P), complex), np.zeros(P, complex)
    for s in range(n):
        for k in range(P):
            c = np.conj(O[s, k] - mean[k]) * w[s]
            F[k] += c * (E[s] - energy)
            for j in range(P):
                S[k, j] += c * (O[s, j] - mean[j])
    if real:
        S, F = S.real, F.real
    rows = 2 * n if real and np.iscomplexobj(O) else n
    shift = relative * np.trace(S).real / min(rows, P)
    return np.linalg.solve(S + shift * np.eye(P), F)


@pytest.mark.parametrize("kind", ["real", "complex", "mixed"])
@pytest.mark.parametrize("n, P", [(12, 5), (5, 12), (6, 6)])
def test_both_forms_are_the_step_by_loops(kind, n, P):
    given = batch(n, P, kind)
    A, b = residuals(given)
    exact = by_loops(given, 0.01)
    assert natural_step(A, b, 0.01) == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert natural_step(A, b, 0.01).dtype.kind == ("c" if kind == "complex" else "f")


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_two_forms_agree(kind):
    A, b = residuals(batch(9, 7, kind))
    shift = 0.1 * np.vdot(A, A).real / 7
    by_samples = A.conj().T @ np.linalg.solve(A @ A.conj().T + shift * np.eye(9), b)
    assert natural_step(A, b, 0.1) == pytest.approx(by_samples, rel=1e-10)


def test_a_previous_change_stays_where_the_batch_says_nothing():
    A, b = residuals(batch(4, 9, "real"))
    previous = np.random.default_rng(3).normal(size=9)
    change = natural_step(A, b, 1e-9, previous)
    null = np.linalg.svd(A)[2][3:]  # 4 centred rows have rank 3
    assert null @ change == pytest.approx(null @ previous, abs=1e-6)
    assert A @ change == pytest.approx(b, abs=1e-6)


def test_force_is_half_of_the_gradient_of_the_energy():
    """Of ``<H>`` over all configurations, by central differences of complex parameters."""
    rng = np.random.default_rng(1)
    H = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    H, G = H + H.conj().T, rng.normal(size=(6, 3)) + 1j * rng.normal(size=(6, 3))

    def energy(theta):
        psi = np.exp(G @ theta)
        return (psi.conj() @ H @ psi / (psi.conj() @ psi)).real

    theta = 0.1 * (rng.normal(size=3) + 1j * rng.normal(size=3))
    psi = np.exp(G @ theta)
    given = Batch(G, H @ psi / psi, abs(psi) ** 2 / sum(abs(psi) ** 2), False)
    found = force(*residuals(given))
    for k in range(3):
        for unit, part in ((1e-5, found[k].real), (1e-5j, found[k].imag)):
            d = unit * np.eye(3)[k]
            slope = (energy(theta + d) - energy(theta - d)) / 2e-5
            assert 2 * part == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_small_natural_steps_are_imaginary_time():
    """With every amplitude a parameter, one step is ``psi - rate (H - E) psi``."""
    rng = np.random.default_rng(2)
    H = rng.normal(size=(5, 5))
    H, psi = H + H.T, rng.random(5) + 0.5
    given = Batch(np.eye(5), H @ psi / psi, psi**2 / sum(psi**2))
    change = natural_step(*residuals(given), shift=1e-12)
    energy = psi @ H @ psi / (psi @ psi)
    log = (H @ psi / psi - energy) - change
    assert log == pytest.approx(np.full(5, log[0]), abs=1e-6)  # up to a factor of psi


def test_steps_stay_in_the_trust_region():
    A, b = residuals(batch(30, 5, "real"))
    change = natural_step(A, b)
    full = np.linalg.norm(A @ change)
    far = trusted(A, change, 1.0, full / 4)
    assert far.length == pytest.approx(full / 4)
    assert far.taken == pytest.approx(change / 4)
    assert trusted(A, change, 0.1, full).length == pytest.approx(full / 10)


def test_outliers_are_clipped_to_median_deviations():
    rng = np.random.default_rng(0)
    energies = rng.normal(size=1001)
    wild = energies.copy()
    wild[:3] = 1e9, -1e9, 50
    new = clipped(wild)
    middle = np.median(wild)
    room = 8 * np.median(abs(wild - middle))
    assert new[:3] == pytest.approx([middle + room, middle - room, middle + room])
    assert (new[3:] == energies[3:]).all()
    assert (clipped(wild + 2j * wild) == new + 2j * new).all()
    alike = np.array([1.0] * 95 + [5.0] * 5)
    assert (clipped(alike) == alike).all()
    noise = 1e-15 * rng.normal(size=1000)
    most = np.where(rng.random(1000) < 0.6, noise - 1, rng.normal(size=1000))
    most[0] = 1e6
    new = clipped(most)
    assert (new[1:] == most[1:]).mean() > 0.99 and new[0] < 10


def test_steps_are_finite_whatever_comes():
    A, b = residuals(batch(9, 4, "real"))
    usual = finite_step(A, b, 0.1, 0.1, 1e-3)
    assert usual.taken == pytest.approx(trusted(A, natural_step(A, b), 0.1, 0.1).taken)
    lost = finite_step(A, b, 0.1, 0.1, 1e-3, previous=np.full(4, np.inf))
    assert np.isfinite(lost.change).all() and 0 < lost.length <= 0.1
    assert lost.change == pytest.approx(trusted(A, natural_step(A, b, 0.1), 0.1, 0.1).change)
    steep = finite_step(A, b, 0.1, 0.1, np.nan)
    assert steep.change == pytest.approx(trusted(A, force(A, b), 0.1, 0.1).change)
    none = finite_step(A, np.full(9, np.nan), 0.1, 0.1, 1e-3)
    assert none.length == 0 and not none.change.any()
    flat = finite_step(0 * A, b, 0.1, 0.1, 1e-3)
    assert flat.length == 0 and not flat.change.any()


# ---------------------------------------------------------------- derivatives in factors


def factored(n, widths, products, kind, seed=0):
    """Random derivatives in factors."""
    rng = np.random.default_rng(seed)
    factors = [rng.normal(size=(n, d)) for d in widths]
    if kind != "real":
        factors = [x + 1j * rng.normal(size=x.shape) for x in factors]
    return FactoredRows(tuple(factors), products)


def rows_by_loops(O):
    """Every entry as a product of numbers."""
    out = []
    for n in range(len(O.factors[0])):
        row = []
        for product in O.products:
            widths = [range(O.factors[k].shape[1]) for k in product]
            for js in itertools.product(*widths):
                row.append(math.prod(O.factors[k][n, j] for k, j in zip(product, js)))
        out.append(row)
    return np.array(out)


SHAPES = [((3, 4), ((0,), (1,), (1, 0))), ((5,), ((0,),)), ((2, 3, 2), ((0, 1, 2), (2,), (1, 1)))]


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("widths, products", SHAPES)
def test_factors_are_their_rows(widths, products, kind):
    O = factored(6, widths, products, kind)
    rows, rng = rows_by_loops(O), np.random.default_rng(1)
    x, y = rng.normal(size=rows.shape[1]), rng.normal(size=6) + 1j
    assert O.shape == rows.shape and O.dtype == rows.dtype
    assert np.allclose(O.rows(), rows, rtol=1e-14)
    assert np.allclose(O.gram(), rows @ rows.conj().T, rtol=1e-12, atol=1e-12)
    assert np.allclose(O @ x, rows @ x, rtol=1e-12, atol=1e-12)
    assert np.allclose(O.adjoint(y), rows.conj().T @ y, rtol=1e-12, atol=1e-12)
    halves = [
        O._replace(factors=tuple(f[part] for f in O.factors)) for part in (np.s_[:2], np.s_[2:])
    ]
    assert np.array_equal(joined(halves).rows(), O.rows())


@pytest.mark.parametrize("kind", ["real", "complex", "mixed"])
@pytest.mark.parametrize("n", [6, 40])
@pytest.mark.parametrize("offset", [0, 1e5])
def test_steps_from_factors_are_those_from_rows(kind, n, offset):
    O = factored(n, *SHAPES[0], kind)
    O = O._replace(factors=tuple(x + offset for x in O.factors))
    given = batch(n, 19, kind)._replace(derivatives=O)
    plain = given._replace(derivatives=O.rows())
    (A, b), (B, c) = residuals(given), residuals(plain)
    assert np.array_equal(b, c)
    assert force(A, b) == pytest.approx(force(B, c), abs=1e-9 * abs(force(B, c)).max())
    previous = np.random.default_rng(2).normal(size=19)
    for options in ((1e-2, None), (1e-2, previous)):
        steps = [finite_step(M, b, 0.1, 0.1, *options) for M in (A, B)]
        assert steps[0].change == pytest.approx(steps[1].change, rel=1e-7)
        assert steps[0].length == pytest.approx(steps[1].length, rel=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
def test_machines_take_the_same_steps_from_factors_and_from_rows(dtype):
    class Rows(qdn.RBM):
        def _derivatives_by(self):
            return qdn.RBM(self.shape, *self.params.values())._derivatives_by()

        def _derivative_factors_by(self):
            return None

    net = qdn.RBM.rand(6, alpha=2, dtype=dtype, seed=0)
    configs = np.random.default_rng(0).integers(2, size=(9, 6))
    factors = net.evaluator().factored_derivatives(configs)
    assert np.allclose(factors.rows(), net.log_derivatives(configs), rtol=1e-6, atol=0)
    H = {(i, i + 1): qu.ham_heis(2) for i in range(5)}
    for options in ({"samples": 64}, {"samples": 512}, {"samples": 64, "optimizer": "adam"}):
        energies = [
            qdn.GroundState(x, H, method="sample", chains=32, seed=1, **options)
            .run(steps=4)
            .history["energy"]
            for x in (net, Rows(6, *net.params.values()))
        ]
        assert np.allclose(*energies, rtol=1e-4 if dtype == "float32" else 1e-10)
