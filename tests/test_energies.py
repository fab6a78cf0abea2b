"""Energies: all configurations, contraction and samples against dense vectors and each other."""

import copy
import pickle

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
from quimb.operator import SparseOperatorBuilder, heisenberg_from_edges

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.chain import chain_moments
from quimb_deepnets.groundstate.energies import _ring_variance, exact_moments
from quimb_deepnets.groundstate.full import full_state
from quimb_deepnets.groundstate.local import local_energies
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.sampled import draw_samples, sampled_energy
from quimb_deepnets.groundstate.steps import Batch, force, residuals
from quimb_deepnets.groundstate.windows import WindowSums

FLAT = {"dist": "uniform", "loc": 1.0, "scale": 0.3, "seed": 0}


def networks(N=8):
    chain = {"depth": 2, "kernel": 2, "bond_dim": 3}
    yield qdn.ConvAC.rand(N, **chain, **FLAT)
    yield qdn.ConvAC.rand(N, **chain, boundary="periodic", dtype="complex128", seed=1)
    yield qdn.ConvAC.rand(N, **chain, shared=False, boundary="periodic", **FLAT)
    yield qdn.RAC.rand(N, depth=2, bond_dim=2, seed=0)
    yield qdn.RAC.rand(N, depth=3, bond_dim=2, seed=0)
    yield qdn.RBM.rand(N, scale=0.3, seed=0, dtype="complex128")
    yield qdn.ConvAC.rand((2, N // 2), depth=1, kernel=2, bond_dim=2, boundary="periodic", **FLAT)


NETS = list(networks())


def heisenberg(net, sector=None):
    chain = net.geometry.ndim == 1
    edges = qtn.edges_1d_chain(net.nsites, cyclic=True) if chain else qtn.edges_2d_square(2, 4)
    return heisenberg_from_edges(edges, sector=sector)


def ising(net):
    chain = net.geometry.ndim == 1
    edges = qtn.edges_1d_chain(net.nsites) if chain else qtn.edges_2d_square(2, 4)
    return heisenberg_from_edges(edges, j=(0, 0, -4.0), b=(2.0, 0.3, 0.1))


def dense_moments(net, A, sector=None):
    """Mean and variance from the dense vector, other sectors set to zero."""
    psi = np.asarray(net.to_dense()).reshape(-1)
    ones = np.array([bin(code).count("1") for code in range(len(psi))])
    psi = psi * (1 if sector is None else ones == sector)
    psi = psi / np.linalg.norm(psi)
    image = A @ psi
    mean = np.vdot(psi, image).real
    return mean, np.linalg.norm(image - mean * psi) ** 2


@pytest.mark.parametrize("net", NETS, ids=lambda net: type(net).__name__)
@pytest.mark.parametrize("model, sector", [(ising, None), (heisenberg, 4), (heisenberg, 3)])
def test_full_and_exact(net, model, sector):
    H = model(net)
    wanted = dense_moments(net, H.build_dense(), sector)
    full = qdn.energy(net, H, "full", sector=sector)
    mean, variance, _ = exact_moments(net, FlipMasks(H, net.sites), sector)
    assert full.error == 0 and full.method == "full"
    for found in ((full, full.variance), (mean, variance)):
        assert abs(found[0] / wanted[0] - 1) < 1e-10
        assert found[1] is None or abs(found[1] - wanted[1]) < 1e-9 * wanted[0] ** 2
    assert full.vscore == pytest.approx(8 * wanted[1] / wanted[0] ** 2)


@pytest.mark.parametrize("net", NETS[:3], ids=lambda net: type(net).__name__)
def test_windows_and_matrix_products(net):
    masks = FlipMasks(ising(net), net.sites)
    mean, variance = WindowSums(net).moments(masks)
    wanted = dense_moments(net, ising(net).build_dense())
    assert abs(mean / wanted[0] - 1) < 1e-12
    assert abs(variance - wanted[1]) < 1e-10 * wanted[0] ** 2


def test_sign_rules_turn_the_state():
    net = NETS[0]
    H = heisenberg(net)
    signs = np.array([(-1) ** bin(code & 0b01010101).count("1") for code in range(256)])
    wanted = dense_moments(net, signs[:, None] * H.build_dense() * signs)
    for rule in ("marshall", [1, 3, 5, 7]):
        assert abs(qdn.energy(net, H, sign_rule=rule) - wanted[0]) < 1e-12


@pytest.mark.parametrize("net", NETS[1:6:2], ids=lambda net: type(net).__name__)
def test_local_energies(net):
    H = FlipMasks(ising(net), net.sites)
    state = full_state(net, H)
    found = local_energies(net.evaluator(), H, state.configs)
    assert abs(found / state.local_energies - 1).max() < 1e-9


def test_three_sites_and_dimension_three():
    net = qdn.RAC.rand(5, depth=1, bond_dim=2, phys_dim=3, seed=0)
    terms = {
        (0, 2, 1): np.asarray(qu.rand_herm(27)),
        (3, 4): np.asarray(qu.rand_herm(9)),
        2: np.eye(3),
    }
    A = sum(qu.pkron(G, (3,) * 5, w if isinstance(w, tuple) else (w,)) for w, G in terms.items())
    wanted = dense_moments(net, A)
    for method in ("full", "exact"):
        found = qdn.energy(net, terms, method)
        assert abs(found - wanted[0]) < 1e-10 and abs(found.variance - wanted[1]) < 1e-9
    sampled = qdn.energy(net, terms, "sample", seed=1)
    assert abs(sampled - wanted[0]) < 4 * sampled.error


def test_zeros_of_the_state_count_for_nothing():
    """A product state: most amplitudes are exactly zero, and H leads out of what is there."""
    hidden, inputs = [np.eye(1)], [np.array([[0.0, 1.0]])]
    net = qdn.RAC(6, hidden, inputs, [np.ones(1)], np.ones(1))
    H = ising(qdn.RBM.rand(6, seed=0))
    wanted = dense_moments(net, H.build_dense())
    for method in ("full", "exact"):
        found = qdn.energy(net, H, method)
        assert abs(found - wanted[0]) < 1e-12 and abs(found.variance - wanted[1]) < 1e-10


def test_exact_at_sizes_that_nothing_else_reaches():
    """The cluster state is an eigenstate: -N at 100 sites on a ring, and on a torus."""
    net = qdn.ConvAC.graph_state(100, distance=1, kernel=2)
    ZXZ = np.asarray(qu.pauli("Z") & qu.pauli("X") & qu.pauli("Z"))
    terms = {(n, (n + 1) % 100, (n + 2) % 100): -ZXZ for n in range(100)}
    found = qdn.energy(net, terms)
    assert found.method == "exact" and abs(found + 100) < 1e-8 and found.variance < 1e-8
    assert found.vscore < 1e-10


def test_translations_are_found():
    ring = WindowSums(NETS[1])
    assert ring.steps == (1,) and WindowSums(NETS[2]).steps == (8,)
    masks = FlipMasks(heisenberg(NETS[1]), range(8))
    assert sum(ring.classes(masks._terms).values()) == len(masks._terms) == 16
    assert len(ring.classes(masks._terms)) == 2


def test_auto_says_which_and_why():
    small, H = NETS[0], heisenberg(NETS[0])
    assert qdn.energy(small, H).method == "full" and "256" in qdn.energy(small, H).reason
    ring = qdn.ConvAC.rand(64, depth=2, kernel=2, bond_dim=2, boundary="periodic", **FLAT)
    H = heisenberg_from_edges(qtn.edges_1d_chain(64, cyclic=True))
    exact = qdn.energy(ring, H, sign_rule="marshall")
    assert exact.method == "exact" and "matrix product" in exact.reason
    windows = WindowSums(ring).moments(FlipMasks(H, range(64), sign_rule="marshall"))[0]
    assert abs(exact / windows - 1) < 1e-10
    deep = qdn.RBM.rand(40, scale=0.01, seed=0)
    H = heisenberg_from_edges(qtn.edges_1d_chain(40))
    sampled = qdn.energy(deep, H, seed=0, samples=512)
    assert sampled.method == "sample" and sampled.error > 0 and sampled.samples >= 512
    assert sampled == qdn.energy(deep, H, seed=0, samples=512)


def test_the_sector_of_a_hilbert_space_is_the_default():
    net = NETS[0]
    assert qdn.energy(net, heisenberg(net, sector=3)) == qdn.energy(net, heisenberg(net), sector=3)


@pytest.mark.parametrize("sector", [None, 4])
def test_samples_of_a_sector(sector):
    net = NETS[0]
    H = FlipMasks(heisenberg(net), net.sites)
    configs = draw_samples(net, H, sector, 2**14, seed=0).configs.reshape(-1, 8)
    state = full_state(net, H, sector)
    codes, exact = configs @ 2 ** np.arange(8)[::-1], np.zeros(256)
    exact[state.configs @ 2 ** np.arange(8)[::-1]] = state.weights
    counts = np.bincount(codes, minlength=256)
    assert not counts[exact == 0].any()
    there = exact * len(codes) > 5
    chi2 = ((counts - exact * len(codes)) ** 2 / (exact * len(codes) + 1e-300))[there].sum()
    assert chi2 < there.sum() + 6 * np.sqrt(2 * there.sum()) * 2


@pytest.mark.slow
@pytest.mark.parametrize("sector", [None, 5])
def test_errors_are_errors(sector):
    """Within 3 errors in 99 of 100 seeds, within 1 in 55 to 80."""
    net = qdn.ConvAC.rand(10, depth=2, kernel=2, bond_dim=3, boundary="periodic", **FLAT)
    H = FlipMasks(heisenberg(net), net.sites, sign_rule="marshall")
    exact = full_state(net, H, sector).mean.real
    found = [sampled_energy(net, H, sector, 2**12, seed) for seed in range(100)]
    pulls = np.array([abs(x.mean - exact) / x.error for x in found])
    assert (pulls < 3).sum() >= 99
    assert 55 <= (pulls < 1).sum() <= 80


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("sector", [None, 3])
def test_gradients_by_central_differences(dtype, sector):
    net = qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, dtype=dtype, **FLAT)
    H = FlipMasks(heisenberg(net) if sector else ising(net), net.sites)
    mean = lambda x: full_state(net.with_vector(x), H, sector).mean.real
    state = full_state(net, H, sector)
    O = net.log_derivatives(state.configs)
    batch = Batch(O, state.local_energies, state.weights, dtype == "float64")
    found = 2 * force(*residuals(batch))
    x, eps = net.vector, 1e-5
    for k in range(0, len(x), 3):
        unit = np.zeros(len(x), x.dtype)
        for direction in (1.0, 1j) if dtype == "complex128" else (1.0,):
            unit[k] = direction * eps
            slope = (mean(x + unit) - mean(x - unit)) / (2 * eps)
            assert abs(slope - (np.conj(found[k]) * direction).real) < 1e-7


def test_steps_from_samples_are_those_of_all_configurations():
    """Each configuration as often as it weighs: sampled and full are one formula."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, size=20)
    local, O = rng.normal(size=20), rng.normal(size=(20, 5)) + 1j * rng.normal(size=(20, 5))
    rows = np.repeat(np.arange(20), counts)
    even = np.full(len(rows), 1 / len(rows))
    for real in (True, False):
        full = force(*residuals(Batch(O, local, counts / counts.sum(), real)))
        assert np.allclose(full, force(*residuals(Batch(O[rows], local[rows], even, real))))


def test_variances_of_rings_by_transfer_matrices():
    """Beside operators between matrix product states."""
    net = qdn.ConvAC.rand(40, depth=2, kernel=2, bond_dim=2, boundary="periodic", **FLAT)
    H = FlipMasks(heisenberg(net), net.sites)
    assert _ring_variance(net, H) == pytest.approx(chain_moments(net, H)[1], rel=1e-9)
    assert _ring_variance(net, FlipMasks(ising(net), net.sites)) is None  # an open chain of terms
    for other in (NETS[0], NETS[5]):
        assert _ring_variance(other, FlipMasks(heisenberg(other), other.sites)) is None


def test_an_energy_is_a_float_that_travels():
    net = NETS[0]
    E = qdn.energy(net, heisenberg(net), "sample", samples=512, seed=0)
    assert isinstance(E, float) and "+-" in repr(E) and "rhat" in repr(E)
    for twin in (copy.deepcopy(E), pickle.loads(pickle.dumps(E))):
        assert twin == E and vars(twin) == vars(E)


def test_tensor_networks_and_torch():
    torch = pytest.importorskip("torch")
    net, H = NETS[0], heisenberg(NETS[0])
    wanted = qdn.energy(net, H)
    assert abs(qdn.energy(net.collapse(), H) - wanted) < 1e-12
    assert abs(qdn.energy(net.to_tensor_network(), H) - wanted) < 1e-12
    twin = net.to("torch").with_vector(torch.tensor(net.vector).requires_grad_())
    for method in ("full", "exact", "sample"):
        assert abs(qdn.energy(twin, H, method, seed=0) - qdn.energy(net, H, method, seed=0)) < 1e-9


def test_bad_input():
    net = NETS[0]
    H = heisenberg(net)
    cases = [
        (qdn.OptionError, "method='vmc' is not known", {"method": "vmc"}),
        (qdn.OptionError, "samples=0 must be a whole number", {"samples": 0}),
        (qdn.OptionError, "sector=9 must be a number of ones", {"sector": 9}),
        (qdn.OptionError, "sector=True", {"sector": True}),
        (qdn.OptionError, "sector=1.5", {"sector": 1.5}),
        (qdn.OptionError, "sign_rule='neel'", {"sign_rule": "neel"}),
    ]
    for error, message, options in cases:
        with pytest.raises(error, match=message):
            qdn.energy(net, H, **options)
    with pytest.raises(qdn.OptionError, match="leaves the sector of 4 ones"):
        qdn.energy(net, ising(net), sector=4)
    with pytest.raises(qdn.SitesError, match="8"):
        qdn.energy(net, heisenberg_from_edges(qtn.edges_1d_chain(9)))
    with pytest.raises(qdn.OptionError, match="not Hermitian"):
        qdn.energy(net, SparseOperatorBuilder([(1.0, ("+", 0), ("-", 1))]))
    with pytest.raises(qdn.MethodError, match="MatrixProductState"):
        qdn.energy(qtn.MPS_rand_state(8, 2), H)
    with pytest.raises(qdn.OptionError, match="symmetry 'Z2'"):
        qdn.energy(net, heisenberg(net, sector="even"))
    large = qdn.ConvAC.rand(64, depth=2, kernel=2, bond_dim=2, seed=0)
    with pytest.raises(qdn.BudgetError, match="sum over"):
        qdn.energy(large, heisenberg_from_edges(qtn.edges_1d_chain(64)), "full")
    spin_one = qdn.RAC.rand(4, depth=1, bond_dim=2, phys_dim=3, seed=0)
    with pytest.raises(qdn.OptionError, match="counts ones"):
        qdn.energy(spin_one, {(0, 1): np.eye(9)}, sector=1)
    empty = qdn.RAC(4, [np.eye(1)], [np.array([[0.0, 1.0]])], [np.ones(1)], np.ones(1))
    for method in ("full", "exact"):
        with pytest.raises(qdn.RangeError, match="2 ones"):
            qdn.energy(empty, heisenberg_from_edges(qtn.edges_1d_chain(4)), method, sector=2)
    with pytest.raises(qdn.ConfigError, match="2 ones"):
        qdn.energy(empty, heisenberg_from_edges(qtn.edges_1d_chain(4)), "sample", sector=2)


def test_more_samples_are_longer_chains():
    """A state of large domains, which chains that begin at random reach only after many sweeps."""
    up, down = np.exp(0.75), np.exp(-0.75)
    rows = np.array([[up, down], [down, up]])
    net = qdn.ConvAC(
        24, [np.stack([np.eye(2), rows]), np.ones((1, 1, 2))], np.ones(1), boundary="periodic"
    )
    H = {(i, (i + 1) % 24): qu.pauli("Z") & qu.pauli("Z") for i in range(24)}
    exact, off = qdn.energy(net, H, "exact"), []
    for seed in range(3):
        drawn = draw_samples(net._bare(), FlipMasks(H, net.sites), None, 2**14, seed=seed)
        means = drawn.values[0].real.mean(0)  # of each chain
        off.append((means.mean() - exact) / (means.std(ddof=1) / np.sqrt(len(means))))
    assert abs(np.mean(off)) < 2  # shorter chains: about four


@pytest.mark.parametrize("method", ["full", "exact", "sample"])
@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e150])
def test_operators_of_any_size(method, factor):
    """The V-score has no unit; squares of energies may leave the range of floats."""
    net = qdn.ConvAC.rand(6, 2, 2, 2, dist="uniform", loc=1, scale=0.3, seed=0)
    H = {(i, i + 1): np.asarray(qu.ham_heis(2)) for i in range(5)}
    find = lambda c: qdn.energy(net, {k: c * G for k, G in H.items()}, method, seed=0)
    plain, scaled = find(1.0), find(factor)
    assert scaled / factor == pytest.approx(plain, rel=1e-9)
    # of the smallest the variance is below what floats hold, and zero would mean an eigenstate
    expected = plain.vscore if factor > 1e-160 else np.nan
    assert scaled.vscore == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("method", ["full", "exact", "sample"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_variance_that_overflows_is_not_zero(method):
    """Which would say that the state is an eigenstate."""
    net = qdn.ConvAC.rand(6, 2, 2, 2, dist="uniform", loc=1, scale=0.3, seed=0)
    found = qdn.energy(net, {(0, 1): 1e200 * np.asarray(qu.ham_heis(2))}, method, seed=0)
    assert not np.isfinite([found.variance, found.vscore]).any()


def test_a_constant_has_no_variance():
    found = qdn.energy(qdn.RBM.rand(4, seed=0), {0: 2 * np.eye(2)}, "sample", seed=0)
    assert (found, found.variance, found.vscore) == (2, 0, 0)


def test_more_samples_than_memory_holds_are_refused():
    net, H = qdn.RBM.rand(4, seed=0), {0: qu.pauli("X")}
    with pytest.raises(qdn.BudgetError, match="ask for fewer"):
        qdn.energy(net, H, "sample", samples=10**12)
    with pytest.raises(qdn.BudgetError, match="ask for fewer"):
        qdn.GroundState(net, H, samples=10**12).run(steps=1, progbar=False)
