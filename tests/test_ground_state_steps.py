"""Steps of stochastic reconfiguration: two forms, one result, against dense linear algebra.

::

    O, E, w --> residuals --> normal form, sample form, loops over entries      all one change
"""

import numpy as np
import pytest

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
