"""Energies and gradients without noise: contraction, all configurations, dense matrices."""

import itertools

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch
from quimb.operator import heisenberg_from_edges

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.chain import chain_moments
from quimb_deepnets.groundstate.full import FullOperator
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.points import FullEnergy
from quimb_deepnets.groundstate.sampled_fit import SampledLoss
from quimb_deepnets.groundstate.targets import Target
from quimb_deepnets.groundstate.window_energy import WindowEnergy
from quimb_deepnets.groundstate.windows import WindowSums

from .test_energies import dense_moments
from .test_ground_state import UNIFORM, ising, same

START = {"dist": "uniform", "loc": 1.0, "scale": 0.3, "seed": 0}


def ring(n, **options):
    layers = options.pop("layers", [qdn.GCLayer(3, 4), qdn.GCLayer(2, 2)])
    return qdn.ConvAC.rand(n, layers=layers, boundary="periodic", **(START | options))


NETS = {
    "ring": ring(8),
    "complex ring": ring(8, dtype="complex128"),
    "unshared": ring(6, shared=False),
    "open": qdn.ConvAC.rand(7, depth=2, kernel=3, bond_dim=2, **START),
    "omit": qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, boundary="omit", **START),
    "strides": qdn.ConvAC.rand(8, layers=[qdn.GCLayer(2, 2, 2), qdn.GCLayer(2, 2)], **START),
    "torus": qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=2, boundary="periodic", **START),
    "RAC": qdn.RAC.rand(6, depth=1, bond_dim=2, **START),
    "deep RAC": qdn.RAC.rand(5, depth=2, bond_dim=2, **START),
    "RBM": qdn.RBM.rand(5, scale=0.3, dtype="complex128", seed=0),
    "three levels": qdn.ConvAC.rand(5, depth=2, kernel=2, bond_dim=3, phys_dim=3, **START),
}


def hamiltonian(net, complex_too):
    """Terms that differ from site to site, and far ones; Hermitian."""
    rng, d, sites = np.random.default_rng(3), net.phys_dim, net.sites
    far = [(sites[0], sites[-1]), (sites[2], sites[0]), (sites[1], sites[3], sites[2])]
    terms = {}
    for where in [*itertools.pairwise(sites), *far]:
        G = rng.normal(size=(2, d ** len(where), d ** len(where)))
        G = G[0] + 1j * G[1] * complex_too
        terms[where] = G + G.conj().T
    return terms | {(sites[1],): np.eye(d)}


@pytest.mark.parametrize("name", NETS)
def test_energies_gradients_and_overlaps(name):
    net = NETS[name]
    rng, count = np.random.default_rng(0), net.phys_dim**net.nsites
    H = FlipMasks(hamiltonian(net, "complex" in net.dtype), net.sites, net.phys_dim)
    dense = rng.normal(size=count) + 1j * rng.normal(size=count) * ("complex" in net.dtype)
    others = [Target(dense, net), Target(net.with_vector(net.vector * rng.normal()), net)]
    if net.geometry.ndim == 1:
        mps = qtn.MPS_rand_state(net.nsites, 3, phys_dim=net.phys_dim, seed=1, dtype=net.dtype)
        others.append(Target(mps, net, sign_rule=net.sites[1::2]))
    exact = WindowEnergy(net, H, [(x, 0.5 + i) for i, x in enumerate(others)])
    full = FullEnergy(net, H, None)
    full.others = [(x.amplitudes(full.operator), 0.5 + i) for i, x in enumerate(others)]
    theta = np.asarray(net.vector)
    one, two = exact(theta), full(theta)
    scale = abs(two.gradient).max()
    assert one.energy == pytest.approx(two.energy, rel=1e-11)
    assert one.penalty == pytest.approx(two.penalty, rel=1e-9) and two.penalty > 0.1
    assert abs(one.gradient - two.gradient).max() < 1e-9 * scale
    full._amplitudes._torch = None  # derivatives of log psi instead
    assert abs(full(theta).gradient - two.gradient).max() < 1e-9 * scale
    value = lambda x: sum(exact(x)[:2])
    for k in rng.integers(len(theta), size=3):
        for way in (1e-5, 1e-5j) if "complex" in net.dtype else (1e-5,):
            unit = np.zeros_like(theta)
            unit[k] = way
            slope = (value(theta + unit) - value(theta - unit)) / 2e-5
            wanted = (np.conj(one.gradient[k]) * way / 1e-5).real
            assert slope == pytest.approx(wanted, rel=1e-5, abs=1e-6 * scale)


@pytest.mark.parametrize("name", [name for name, net in NETS.items() if net.phys_dim == 2])
def test_energies_gradients_and_overlaps_in_a_sector(name):
    """Bonds that turn spins about the axis, far ones too, and other states of any sector."""
    net = NETS[name]
    rng, sites, Z = np.random.default_rng(0), net.sites, qu.pauli("Z")
    terms = {(sites[1],): rng.normal() * Z}
    for where in [*itertools.pairwise(sites), (sites[0], sites[-1]), (sites[2], sites[0])]:
        J, D, K = rng.normal(size=3)
        up = np.zeros((4, 4), complex)
        up[1, 2] = J + 1j * D * ("complex" in net.dtype)
        terms[where] = up + up.conj().T + K * (Z & Z)
    H, theta = FlipMasks(terms, sites), np.asarray(net.vector)
    dense = rng.normal(size=2**net.nsites) + 1j * rng.normal(size=2**net.nsites)
    dense = dense if "complex" in net.dtype else dense.real
    others = [Target(dense, net, sign_rule=sites[1::2]), Target(net.with_vector(theta**2), net)]
    for ones in (2, 1, net.nsites - 1):
        exact = WindowEnergy(net, H, [(x, 0.5 + i) for i, x in enumerate(others)], ones)
        full = FullEnergy(net, H, ones)
        full.others = [(x.amplitudes(full.operator), 0.5 + i) for i, x in enumerate(others)]
        one, two = exact(theta), full(theta)
        assert one.energy == pytest.approx(two.energy, rel=1e-11)
        assert one.penalty == pytest.approx(two.penalty, rel=1e-9)
        # one magnon of a symmetric ring has no slope
        error = abs(one.gradient - two.gradient).max()
        assert error < max(1e-12, 1e-9 * abs(two.gradient).max())


def test_a_sector_that_holds_little_of_the_state():
    """Weights of ones three times those of zeros: a factor for each one mends it."""
    net = ring(8, dist="normal")
    weights = [np.array(w) for w in net.weights]
    weights[0][..., 1] *= 3
    net = qdn.ConvAC(net.shape, weights, net.readout, boundary="periodic")
    H = FlipMasks({(i, (i + 1) % 8): qu.ham_heis(2) for i in range(8)}, net.sites)
    theta = np.asarray(net.vector)
    one, two = WindowEnergy(net, H, sector=2)(theta), FullEnergy(net, H, 2)(theta)
    assert one.energy == pytest.approx(two.energy, rel=1e-10)
    assert abs(one.gradient - two.gradient).max() < 1e-9 * abs(two.gradient).max()
    zero = qdn.RAC(4, [np.eye(1)], [np.array([[1.0, 0.0]])], [np.ones(1)], np.ones(1))
    with pytest.raises(qdn.RangeError, match="3 ones"):
        WindowEnergy(zero, FlipMasks({(0, 1): qu.ham_heis(2)}, zero.sites), sector=3)(
            np.asarray(zero.vector)
        )


def test_equal_parts_are_made_once():
    """On a ring of 256 sites as many products as eight halvings make, and few for each term."""
    counts = []
    for n in (64, 256):
        H = heisenberg_from_edges(qtn.edges_1d_chain(n, cyclic=True))
        sums = WindowSums(ring(n))
        counts.append(len(sums.prepared(sums.products(FlipMasks(H, range(n))._terms)).recipe.joins))
    assert counts[1] <= counts[0] + 2 * 8 and counts[1] < 80


def test_many_sites_against_matrix_product_states():
    """An open chain, where nothing repeats, and a state whose norm no float can hold."""
    net = qdn.ConvAC.rand(60, depth=2, kernel=2, bond_dim=2, shared=False, **START)
    net = net.with_vector(10 * net.vector)
    H = FlipMasks(heisenberg_from_edges(qtn.edges_1d_chain(60)), net.sites, 2, "marshall")
    mean, _ = chain_moments(net, H)
    sums = WindowSums(net)
    assert sums.mean(sums.prepared(sums.products(H._terms))) == pytest.approx(mean, rel=1e-12)
    assert WindowEnergy(net, H)(np.asarray(net.vector)).energy == pytest.approx(mean, rel=1e-12)


# ---------------------------------------------------------------- matrix product operators


def operators():
    chain = qtn.SpinHam1D(1 / 2)
    for x, *names in ((0.7, "X", "Y"), (0.7, "Y", "X"), (0.3, "Z", "Z"), (0.2, "Y")):
        chain += x, *names
    yield qtn.MPO_ham_heis(6)
    yield qtn.MPO_ham_heis(6, cyclic=True)
    yield qtn.MPO_ham_ising(6, j=1.0, bx=0.5)
    yield chain.build_mpo(6)
    yield qtn.MPO_identity(6)


@pytest.mark.parametrize("H", list(operators()))
def test_matrix_product_operators(H):
    net = qdn.RBM.rand(6, scale=0.3, dtype="complex128", seed=0)
    wanted = dense_moments(net, H.to_dense())
    for method in ("full", "exact"):
        found = qdn.energy(net, H, method)
        assert found == pytest.approx(wanted[0]) and abs(found.variance - wanted[1]) < 1e-10


def test_matrix_product_operators_at_any_size_and_those_that_are_refused():
    rule = FlipMasks(qtn.MPO_ham_heis(100, cyclic=True), range(100), sign_rule="marshall")
    terms = {(i, (i + 1) % 100): qu.ham_heis(2) for i in range(100)}
    configs = np.random.default_rng(0).integers(2, size=(5, 100))
    other = FlipMasks(terms, range(100), sign_rule="marshall")
    found, wanted = rule.coefficients(configs), other.coefficients(configs)
    place = {mask.tobytes(): m for m, mask in enumerate(rule.masks)}
    order = [place[mask.tobytes()] for mask in other.masks]
    assert len(order) == len(place) and abs(found[:, order] - wanted).max() < 1e-12
    net = qdn.RBM.rand(30, seed=0)
    with pytest.raises(qdn.OptionError, match="bonds mix"):
        qdn.energy(net, qtn.MPO_rand_herm(30, 3))
    with pytest.raises(qdn.SitesError, match="on 5 sites"):
        qdn.energy(net, qtn.MPO_ham_heis(5))
    with pytest.raises(qdn.OptionError, match="phys_dim=2"):
        qdn.energy(qdn.RBM.rand(5, seed=0), qtn.MPO_ham_heis(5, S=1))


# ---------------------------------------------------------------- runs


def test_a_ring_goes_down_to_its_ground_state():
    H, exact = ising(10, 1.0)
    gs = qdn.GroundState(ring(10, **UNIFORM), H, method="exact", seed=0)
    gs.run(steps=60, progbar=False)
    assert exact - 1e-9 <= gs.energy < exact + 5e-3 and gs.error == 0
    assert gs.energy.method == "exact" and "lbfgs" in repr(gs)
    full = qdn.energy(gs.network, H, "full")
    assert gs.energy == pytest.approx(full, rel=1e-12)
    assert gs.variance == pytest.approx(full.variance, abs=1e-9)
    assert (np.diff(gs.history["energy"]) <= 1e-12).all()
    zz = {(0, 3): qu.pauli("Z") & qu.pauli("Z")}
    value = gs.measure({"zz": zz})["zz"]
    assert value == pytest.approx(qdn.energy(gs.network, zz, "full"), rel=1e-10)
    gs.plot()


def test_a_torus_in_its_sector():
    """2 x 2 windows on 4 x 4; the ground state has -0.7018 a site."""
    edges = qtn.edges_2d_square(4, 4, cyclic=True)
    layers = [qdn.GCLayer(2, 4), qdn.GCLayer(2, 2)]
    net = qdn.ConvAC.rand((4, 4), layers=layers, boundary="periodic", **UNIFORM)
    H = heisenberg_from_edges(edges)
    gs = qdn.GroundState(net, H, sector=8, sign_rule="marshall", method="exact", seed=0)
    gs.run(steps=100, progbar=False)
    assert -0.7018 < gs.energy / 16 <= -0.694 and gs.error == 0
    full = qdn.energy(gs.network, H, "full", sector=8, sign_rule="marshall")
    assert gs.energy == pytest.approx(full, rel=1e-10)
    assert gs.variance == pytest.approx(full.variance, rel=1e-6)


def test_exact_runs_are_the_same_however_they_are_cut(tmp_path, monkeypatch):
    H, _ = ising(8, 1.0)
    start = lambda: qdn.GroundState(ring(8, **UNIFORM), H, method="exact", seed=0)
    whole, path = start().run(steps=12, progbar=False), tmp_path / "run.npz"
    start().run(steps=5, progbar=False, checkpoint=path)
    resumed = start().run(steps=12, progbar=False, checkpoint=path)
    assert same(whole, resumed) and whole.energy == resumed.energy
    seen = []
    gs = start().run(progbar=False, callback=lambda gs: seen.append(1) or len(seen) == 3)
    assert len(gs.history) == 3
    gs = start().run(steps=500, patience=10, progbar=False)
    assert len(gs.history) < 500
    calls, energy = [], WindowEnergy.__call__

    def interrupted(self, theta):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return energy(self, theta)

    gs = start()
    with monkeypatch.context() as patch:
        patch.setattr(WindowEnergy, "__call__", interrupted)
        gs.run(steps=50, progbar=False)
    assert 0 < len(gs.history) < 9 and np.isfinite(gs.energy)
    taken = len(gs.history)
    assert same(gs.run(steps=12 - taken, progbar=False), whole)


def test_what_exact_steps_refuse(monkeypatch):
    H, net = ising(8, 1.0)[0], ring(8)
    for word in ("sr", "adam", "sgd"):
        with pytest.raises(qdn.OptionError, match="'lbfgs'"):
            qdn.GroundState(net, H, method="exact", optimizer=word)
    heis = {(i, i + 1): qu.ham_heis(2) for i in range(7)}
    with monkeypatch.context() as patch, pytest.raises(qdn.BudgetError, match="5 phases"):
        patch.setattr("quimb_deepnets.groundstate.windows.MAX_WORK", 10)
        qdn.GroundState(net, heis, sector=4, method="exact")
    with pytest.raises(qdn.OptionError, match="method='full' or 'exact'"):
        qdn.GroundState(net, H, optimizer="lbfgs")
    with pytest.raises(qdn.OptionError, match="overlaps without noise"):
        qdn.GroundState(net, H, orthogonal_to=[net])
    for one in (net, None):
        with pytest.raises(qdn.OptionError, match="list of states"):
            qdn.GroundState(net, H, method="full", orthogonal_to=one)
    with pytest.raises(qdn.OptionError, match="penalty"):
        qdn.GroundState(net, H, method="full", orthogonal_to=[net], penalty=-1)
    with pytest.raises(qdn.SitesError, match="on 6 sites"):
        qdn.GroundState(net, H, method="exact", orthogonal_to=[qtn.MPS_rand_state(6, 2)])
    with pytest.raises(qdn.OptionError, match="amplitudes"):
        qdn.GroundState(net, H, method="exact", orthogonal_to=[np.ones(7)])
    monkeypatch.setattr("quimb_deepnets.groundstate.windows.MAX_WORK", 10)
    with pytest.raises(qdn.BudgetError, match="multiplications"):
        qdn.GroundState(net, H, method="exact")


def test_penalties_are_part_of_the_problem_of_a_file(tmp_path):
    H, path = ising(6, 1.0)[0], tmp_path / "run.npz"
    make = lambda other, **options: qdn.GroundState(
        ring(6), H, method="full", seed=0, orthogonal_to=[other], **options
    )
    one, two = qtn.MPS_rand_state(6, 2, seed=1), qtn.MPS_rand_state(6, 2, seed=2)
    make(one).run(steps=2, progbar=False, checkpoint=path)
    for changed in (make(two), make(one, penalty=3.0)):
        with pytest.raises(qdn.OptionError, match="orthogonal_to"):
            changed.run(steps=4, progbar=False, checkpoint=path)
    assert len(make(one).run(steps=4, progbar=False, checkpoint=path).history) == 4


# ---------------------------------------------------------------- excited states


@pytest.mark.parametrize("method, optimizer", [("full", "auto"), ("full", "sr"), ("exact", "auto")])
def test_the_second_level_of_a_chain(method, optimizer):
    X, Z = qu.pauli("X"), qu.pauli("Z")
    terms = {(i, i + 1): -(Z & Z) for i in range(5)} | {(i,): -1.5 * X for i in range(6)}
    A = sum(qu.ikron([-Z, Z], [2] * 6, (i, i + 1)) for i in range(5))
    levels, vectors = np.linalg.eigh(A + sum(qu.ikron(-1.5 * X, [2] * 6, i) for i in range(6)))
    net = qdn.RAC.rand(6, depth=1, bond_dim=4, dist="uniform", loc=1, scale=1, seed=1)
    ground = vectors[:, 0]
    gs = qdn.GroundState(
        net, terms, method=method, optimizer=optimizer, orthogonal_to=[ground], seed=0
    )
    gs.run(steps=100, progbar=False)
    assert gs.energy == pytest.approx(levels[1], abs=2e-2) and levels[2] - levels[1] > 0.5
    psi = gs.network.to_dense().ravel()
    assert abs(psi @ ground) ** 2 / (psi @ psi) < 1e-4
    assert gs.history["penalty"][-1] < 1e-3 < gs.history["penalty"][0]


def test_the_second_level_of_a_ring_of_shared_weights():
    """It is odd where the ground state is even, so channels of both signs have to cancel."""
    n, h, X, Z = 8, 1.5, qu.pauli("X"), qu.pauli("Z")
    terms = {(i, (i + 1) % n): -(Z & Z) for i in range(n)} | {(i,): -h * X for i in range(n)}
    A = sum(qu.ikron([-Z, Z], [2] * n, (i, (i + 1) % n)) for i in range(n))
    A = A + sum(qu.ikron(-h * X, [2] * n, i) for i in range(n))
    levels, vectors = np.linalg.eigh(A)
    found = []
    for seed in range(4):
        net = ring(n, **(UNIFORM | {"seed": seed}))
        net = net.with_params(dict(net.params) | {"READOUT": np.array([1.0, -1.0])})
        gs = qdn.GroundState(net, terms, method="full", orthogonal_to=[vectors[:, 0]], seed=0)
        found.append(float(gs.run(steps=150, progbar=False).energy))
    assert levels[1] - 1e-3 < min(found) < levels[1] + 0.02 and levels[2] - levels[1] > 1


def test_states_in_the_basis_of_a_sign_rule():
    """The ground state as a vector, an MPS or a network beside the one that is sought."""
    H = {(i, i + 1): qu.ham_heis(2) for i in range(5)}
    A = qu.ham_heis(6)
    ground = np.asarray(qu.groundstate(A)).real.ravel()
    mps = qtn.MatrixProductState.from_dense(ground, dims=[2] * 6)
    net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=3, **START)
    points = []
    for other in (ground, mps):
        gs = qdn.GroundState(
            net, H, method="exact", sign_rule="marshall", orthogonal_to=[other], seed=0
        )
        points.append(gs._path.estimate(gs._state, gs._state.theta, None))
    signs = (-1.0) ** np.array([bin(code & 0b010101).count("1") for code in range(64)])
    psi = net.to_dense().ravel() * signs
    wanted = 10 * (psi @ ground) ** 2 / (psi @ psi)
    for point in points:
        assert point.penalty == pytest.approx(wanted, rel=1e-9)
    own = qdn.GroundState(net, H, method="full", sign_rule="marshall", orthogonal_to=[net])
    assert own._path.estimate(own._state, own._state.theta, None).penalty == pytest.approx(10)


# ---------------------------------------------------------------- fits


def fidelity(net, vector):
    psi = np.asarray(net.to_dense()).ravel()
    vector = np.asarray(vector).ravel()
    return abs(np.vdot(vector, psi)) ** 2 / (np.vdot(vector, vector) * np.vdot(psi, psi)).real


def fit_targets():
    rng = np.random.default_rng(5)
    small = {"depth": 2, "kernel": 2, "bond_dim": 2}
    yield qtn.MPS_rand_state(6, 2, seed=1), qdn.ConvAC.rand(6, **small, **START)
    yield qtn.PEPS.rand(2, 3, 2, seed=1), qdn.ConvAC.rand((2, 3), **small, **START)
    yield qtn.MERA.rand(8, 2, seed=1), qdn.ConvAC.rand(8, **small, **START)
    yield rng.normal(size=64), qdn.RAC.rand(6, depth=2, bond_dim=2, **START)
    yield qdn.RBM.rand(6, scale=0.5, seed=3), qdn.ConvAC.rand(6, **small, **START)
    yield (
        qtn.MPS_rand_state(5, 3, phys_dim=3, dtype="complex128", seed=2),
        qdn.RAC.rand(5, depth=1, bond_dim=2, phys_dim=3, dtype="complex128", **START),
    )


@pytest.mark.parametrize("target, net", list(fit_targets()))
def test_fits_by_both_ways(target, net):
    vector = target if isinstance(target, np.ndarray) else target.to_dense()
    begun = fidelity(net, vector)
    found = {m: qdn.fit(net, target, m, steps=15) for m in ("full", "exact")}
    for method, one in found.items():
        assert one.method == method and one.fidelity > begun + 1e-3
        assert one.fidelity == pytest.approx(fidelity(one.network, vector), rel=1e-8)
        assert one.steps == len(one.history) <= 15
    full, exact = (x.history["fidelity"][:5] for x in found.values())
    assert full == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("case", [0, 3, 4, 5])  # MPS, a vector, an RBM, three levels
def test_slopes_of_a_sampled_fit(case):
    """Central differences of the loss of given samples; draws and amplitudes of the target."""
    target, net = list(fit_targets())[case]
    count = net.phys_dim**net.nsites
    read = Target(target, net, sign_rule=net.sites[::2])
    loss = SampledLoss(net, read, 200, np.random.default_rng(0))
    theta = np.asarray(net.vector)
    _, gradient = loss(theta)
    for k in range(0, len(theta), 7):
        for way in (1e-5, 1e-5j) if "complex" in net.dtype else (1e-5,):
            unit = np.zeros_like(theta)
            unit[k] = way
            slope = (loss(theta + unit)[0] - loss(theta - unit)[0]) / 2e-5
            wanted = (np.conj(gradient[k]) * way / 1e-5).real
            assert slope == pytest.approx(wanted, rel=1e-5, abs=1e-7)
    nothing = FlipMasks({0: np.eye(net.phys_dim)}, net.sites, net.phys_dim)
    t = read.amplitudes(FullOperator(net, nothing))
    drawn, logs = loss.target.draw(20_000, np.random.default_rng(1))
    codes = drawn @ net.phys_dim ** np.arange(net.nsites)[::-1]
    assert np.exp(logs - logs[0]) * t[codes[0]] == pytest.approx(t[codes], rel=1e-9, abs=1e-12)
    found = np.bincount(codes, minlength=count) / len(codes)
    assert abs(found - abs(t) ** 2).max() < 5 * (0.25 / len(codes)) ** 0.5


def test_fits_from_samples():
    """Fidelities and their errors beside the exact ones; what cannot be sampled is refused."""
    target = qtn.MPS_rand_state(8, 2, seed=1, dist="uniform", loc=0.6)
    net = qdn.ConvAC.rand(8, depth=2, kernel=2, bond_dim=2, **START)
    begun, found = (
        fidelity(net, target.to_dense()),
        qdn.fit(net, target, "sample", steps=30, seed=0),
    )
    true = fidelity(found.network, target.to_dense())
    assert found.method == "sample" and begun + 0.02 < true and 0 < found.error < 0.02
    assert abs(found.fidelity - true) < 4 * found.error and "+-" in repr(found)
    again = qdn.fit(net, target, "sample", steps=30, seed=0)
    assert again.fidelity == found.fidelity
    with pytest.raises(qdn.OptionError, match="cannot be sampled"):
        square = qdn.ConvAC.rand((2, 3), depth=2, kernel=2, bond_dim=2, **START)
        qdn.fit(square, qtn.PEPS.rand(2, 3, 2, seed=1), "sample")


def test_fits_are_sampled_where_contraction_is_too_dear(monkeypatch):
    net = qdn.RBM.rand(20, scale=0.05, seed=0)
    target = qtn.MPS_rand_state(20, 2, seed=1, dist="uniform", loc=0.6)
    monkeypatch.setattr("quimb_deepnets.groundstate.windows.MAX_WORK", 10)
    found = qdn.fit(net, target, steps=5, seed=0, samples=500)
    assert found.method == "sample" and 0 < found.fidelity < 1 + 3 * found.error


def test_one_sample_has_no_error_bar():
    net = qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, **START)
    found = qdn.fit(net, np.arange(64.0), "sample", steps=2, seed=0, samples=1)
    assert found.error == np.inf
    assert 0 < qdn.fit(net, np.arange(64.0), "sample", steps=2, seed=0, samples=9).error < np.inf


def test_states_without_a_common_configuration_have_no_error_bar():
    net = qdn.ConvAC.rand(4, layers=[qdn.GCLayer(1, 1)], seed=0)
    zeros = {name: np.reshape([1.0, 0.0], x.shape) for name, x in net.params.items() if x.size == 2}
    net, ones = net.with_params(zeros), np.eye(16)[15]
    loss = SampledLoss(net, Target(ones, net), 10, np.random.default_rng(0))
    assert loss.fidelity(net.vector) == (0, np.inf)


@pytest.mark.parametrize("method", ["full", "exact", "sample"])
@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_targets_of_any_norm(method, factor):
    """Whose squares leave the range of floats."""
    net = qdn.ConvAC.rand(4, depth=2, kernel=2, bond_dim=2, **START)
    mps = qtn.MPS_rand_state(4, 2, seed=1)
    options = {"method": method, "steps": 3, "seed": 0, "samples": 100}
    for target in (np.random.default_rng(0).normal(size=16), mps):
        plain, scaled = (qdn.fit(net, x, **options) for x in (target, factor * target))
        assert scaled.fidelity == pytest.approx(plain.fidelity, rel=1e-9)
    with pytest.raises(qdn.RangeError, match="nan or inf"):
        qdn.fit(net, np.full(16, np.nan), **options)


@pytest.mark.parametrize("method", ["full", "exact"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_steps_where_torch_is_told_to_record_nothing(method, mode):
    H, net = ising(6, 1.0)[0], qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, **START)
    make = lambda: qdn.GroundState(net, H, method=method).run(steps=4, progbar=False)
    fitted = lambda: qdn.fit(net, np.arange(64.0), method=method, steps=4)
    with mode():
        gs, found = make(), fitted()
    assert gs.energy == make().energy and found.fidelity == fitted().fidelity


def test_a_state_that_vanishes_is_named():
    net = qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, **START)
    zero = net.with_params({name: 0 * x for name, x in net.params.items() if "READ" not in name})
    for method in ("exact", "full", "sample"):
        gs = qdn.GroundState(zero, ising(6, 1.0)[0], method=method, seed=0)
        with pytest.raises(qdn.RangeError, match=r"vanishes|amplitude zero"):
            gs.run(steps=2, progbar=False)


def test_a_network_finds_itself_and_a_chain_finds_a_long_state():
    source = qdn.RAC.rand(6, depth=1, bond_dim=2, **START)
    found = qdn.fit(source.with_vector(source.vector + 0.1), source, tol=1e-13, steps=300)
    assert found.fidelity > 1 - 1e-8 and 0 < found.steps < 300
    assert "fidelity=" in repr(found) and "seconds=" in repr(found)
    W = qtn.MPS_rand_state(80, 2, seed=3, dist="uniform", loc=0.5)
    chain = qdn.RAC.rand(80, depth=1, bond_dim=2, dist="uniform", loc=1, scale=0.1, seed=0)
    long = qdn.fit(chain, W, steps=40)
    assert long.method == "exact" and long.history["fidelity"][0] < long.fidelity
    mps = long.network.to_mps(normalize=True)
    assert abs(mps.H @ W) ** 2 / abs(W.H @ W) == pytest.approx(long.fidelity, rel=1e-6)


def test_signs_of_a_fit():
    ground = np.asarray(qu.groundstate(qu.ham_heis(6, cyclic=True))).real.ravel()
    start = START | {"boundary": "periodic", "scale": 0.1}
    net = qdn.ConvAC.rand(6, depth=2, kernel=5, bond_dim=6, **start)
    found = qdn.fit(net, ground, sign_rule=[1, 3, 5], steps=60)
    assert found.fidelity > 0.98
    signs = (-1.0) ** np.array([bin(code & 0b010101).count("1") for code in range(64)])
    assert fidelity(found.network, signs * ground) == pytest.approx(found.fidelity, rel=1e-9)


def test_a_start_without_overlap_is_moved():
    """A product state of ones and one of zeros."""
    target = np.zeros(16)
    target[-1] = 1.0
    hidden, inputs = [np.eye(1)], [np.array([[1.0, 0.0]])]
    net = qdn.RAC(4, hidden, inputs, [np.ones(1)], np.ones(1))
    found = qdn.fit(net, target, seed=0)
    assert found.fidelity > 0.99 and qdn.fit(net, target, seed=0).fidelity == found.fidelity


@pytest.mark.parametrize("method", ["full", "exact"])
def test_precisions_of_a_target(method):
    net, mps = qdn.ConvAC.rand(4, 1, 2, 2, seed=0), qtn.MPS_rand_state(4, 2, seed=1)
    for target in (mps, mps.to_dense().ravel()):
        for dtype in ("longdouble", "clongdouble"):
            with pytest.raises(qdn.OptionError, match="convert to float32"):
                qdn.fit(net, target.astype(dtype), method=method, steps=1)
        single = qdn.fit(net, target.astype("float32"), method=method, steps=1).fidelity
        assert single == pytest.approx(qdn.fit(net, target, method=method, steps=1).fidelity)
    with pytest.raises(qdn.OptionError, match="object"):
        qdn.fit(net, mps.astype(object), method=method, steps=1)


def test_what_fits_refuse():
    net = qdn.RBM.rand(6, seed=0)
    for error, word, arguments, options in (
        (qdn.OptionError, "is not a network", (net.to_dense(), np.ones(64)), {}),
        (qdn.OptionError, "method='als'", (net, np.ones(64)), {"method": "als"}),
        (qdn.OptionError, "amplitudes", (net, np.ones(65)), {}),
        (qdn.OptionError, "amplitudes", (net, "MPS"), {}),
        (qdn.SitesError, "on 5 sites", (net, qtn.MPS_rand_state(5, 2)), {}),
        (qdn.OptionError, "phys_dim=2", (net, qtn.MPS_rand_state(6, 2, phys_dim=3)), {}),
        (qdn.RangeError, "vanishes", (net, np.zeros(64)), {}),
        (qdn.OptionError, "steps=0", (net, np.ones(64)), {"steps": 0}),
        (qdn.OptionError, "tol=0", (net, np.ones(64)), {"tol": 0}),
        (qdn.OptionError, "seconds", (net, np.ones(64)), {"seconds": -1}),
        (qdn.SitesError, "sign_rule", (net, np.ones(64)), {"sign_rule": [9]}),
    ):
        with pytest.raises(error, match=word):
            qdn.fit(*arguments, **options)


def test_without_noise_a_run_ends_where_nothing_can_be_gained():
    H = {(i, i + 1): qu.ham_heis(2) for i in range(5)}
    net = qdn.RBM.rand(6, alpha=2, seed=0)
    gs = qdn.GroundState(net, H, sector=3, sign_rule="marshall", method="full", seed=0)
    gs.run(steps=3000, progbar=False)
    assert 10 < len(gs.history) < 2000
    count, theta = len(gs.history), gs.network.vector
    gs.run(steps=5, progbar=False)
    assert len(gs.history) <= count + 1 and np.array_equal(gs.network.vector, theta)
    exact = np.linalg.eigvalsh(qu.ham_heis(6, cyclic=False))[0]
    assert gs.energy == pytest.approx(exact, rel=1e-5)


def test_gradients_through_torch_and_by_derivatives_agree():
    class Untraced(qdn.RBM):
        _torch_follows = False

    H = {(i, i + 1): qu.ham_heis(2) for i in range(4)}
    net = qdn.RBM.rand(5, alpha=2, scale=0.3, seed=0)
    points = [
        FullEnergy(x, FlipMasks(H, net.sites), None)(net.vector)
        for x in (net, Untraced(5, *net.params.values()))
    ]
    assert points[0].energy == pytest.approx(points[1].energy, rel=1e-13)
    assert points[0].gradient == pytest.approx(points[1].gradient, abs=1e-12)
