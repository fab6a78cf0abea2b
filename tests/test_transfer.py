"""Transfer matrices: norms, overlaps, density matrices, energies against dense vectors."""

import numpy as np
import pytest
import quimb as qu
import quimb.operator
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.exact.transfer import Transfer
from quimb_deepnets.exact.transfer_blocks import block_of, block_spectrum
from quimb_deepnets.exact.transfer_correlations import correlation
from quimb_deepnets.exact.transfer_density import density
from quimb_deepnets.exact.transfer_energy import TransferEnergy
from quimb_deepnets.exact.transfer_routes import transfer_of_state
from quimb_deepnets.exact.transfer_sites import repeated_sites
from quimb_deepnets.exact.transfer_variance import TransferVariance
from quimb_deepnets.groundstate.exact_energy import RingEnergy, exact_energy
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.targets import Target
from quimb_deepnets.groundstate.window_energy import WindowEnergy
from quimb_deepnets.groundstate.windows import WindowSums

LAYERS = [qdn.GCLayer(3, 2, 2), qdn.GCLayer(2, 3, 2), qdn.GCLayer(3, 2)]
CHAINS = {
    "ones": (9, {"depth": 2, "kernel": 3, "bond_dim": 2}),
    "omit": (9, {"depth": 2, "kernel": 3, "bond_dim": 2, "boundary": "omit"}),
    "valid": (9, {"depth": 3, "kernel": 2, "bond_dim": 2, "boundary": "valid"}),
    "ring": (11, {"depth": 2, "kernel": 3, "bond_dim": 3, "boundary": "periodic"}),
    "deep ring": (9, {"depth": 3, "kernel": 2, "bond_dim": 2, "boundary": "periodic"}),
    "corner": (8, {"depth": 2, "kernel": 2, "bond_dim": 2, "anchor": "corner"}),
    "one layer": (7, {"depth": 1, "kernel": 3, "bond_dim": 2, "boundary": "periodic"}),
    "strides": (8, {"layers": LAYERS}),
    "ring with strides": (12, {"layers": LAYERS, "boundary": "periodic"}),
    "tree": (8, {"layers": [qdn.GCLayer(2, r, 2) for r in (2, 3, 2)]}),
    "qutrits": (6, {"layers": [qdn.GCLayer(2, 2), qdn.GCLayer(3, 4)], "phys_dim": 3}),
    "ring of qutrits": (6, {"depth": 2, "kernel": 2, "bond_dim": 2, "phys_dim": 3,
                            "boundary": "periodic"}),
}  # fmt: skip
EPS = {"float32": 1e-5, "float64": 1e-12, "complex64": 1e-5, "complex128": 1e-12}
EVERY = pytest.mark.parametrize("name", CHAINS)


def network(name, dtype="float64", seed=0):
    N, options = CHAINS[name]
    return qdn.ConvAC.rand(N, **options, loc=1.0, scale=0.5, dtype=dtype, seed=seed)


def dense(net):
    psi = np.asarray(net.to("numpy").to_dense()).astype(complex)
    psi = psi if net.dtype.startswith("complex") else psi.real
    return psi.reshape((net.phys_dim,) * net.nsites)


def plain(found):
    return np.asarray(found.array).astype(complex) * 2.0**found.bits


def reduced(psi, where):
    M = psi.shape[0]
    m = np.moveaxis(psi, where, range(len(where))).reshape(M ** len(where), -1)
    return m @ m.conj().T / np.vdot(psi, psi).real


def heisenberg(net):
    edges = qtn.edges_1d_chain(net.L, cyclic=net.boundary == "periodic")
    return FlipMasks(qu.operator.heisenberg_from_edges(edges), net.sites)


@EVERY
@pytest.mark.parametrize("dtype", EPS)
def test_norms_and_overlaps(name, dtype):
    backend = "torch" if dtype in ("float64", "complex64") else "numpy"
    net, other = (network(name, dtype, seed) for seed in (0, 1))
    u, v = dense(net), dense(other)
    net, other = net.to(backend), other.to(backend)
    size = np.linalg.norm(u) * np.linalg.norm(v)
    assert plain(Transfer(net).total) == pytest.approx(np.vdot(u, u).real, rel=EPS[dtype])
    assert abs(plain(Transfer(net, other).total) - np.vdot(v, u)) < EPS[dtype] * size


@EVERY
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_density_matrices(name, dtype):
    net = network(name, dtype)
    psi, N, done = dense(net), net.L, 0
    for where in [(0,), (N - 1,), (2, 1), (N - 1, 0), (0, 4), (1, 2, 3)]:
        try:
            rho = density(Transfer(net), where).array
        except qdn.MethodError as error:
            assert "close around a ring" in str(error) and net.boundary == "periodic"
            continue
        assert abs(rho / rho.trace() - reduced(psi, where)).max() < 1e-12
        done += 1
    assert done >= 3


@EVERY
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_correlations(name, dtype):
    net, rng = network(name, dtype), np.random.default_rng(0)
    psi, M = dense(net), net.phys_dim
    A, B = rng.normal(size=(2, M, M)) + 1j * rng.normal(size=(2, M, M))
    for i, j in [(0, 1), (2, 0), (net.L - 1, 0), (3, 1)]:
        exact = np.trace(np.kron(A, B) @ reduced(psi, (i, j)))
        try:
            assert correlation(Transfer(net), A, B, i, j) == pytest.approx(exact, abs=1e-11)
        except qdn.MethodError:
            assert net.boundary == "periodic"
    same = np.trace(A @ B @ reduced(psi, (2,)))
    assert correlation(Transfer(net), A, B, 2, 2) == pytest.approx(same, abs=1e-11)


@EVERY
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_energies(name, dtype):
    net, rng = network(name, dtype), np.random.default_rng(0)
    M, N, psi = net.phys_dim, net.L, dense(net)
    G = rng.normal(size=(M**2, M**2)) + 1j * rng.normal(size=(M**2, M**2))
    terms = {(n, (n + 1) % N): G + G.conj().T for n in range(N - (net.boundary != "periodic"))}
    terms[2] = np.diag(np.arange(float(M)))
    exact = sum(np.trace(H @ reduced(psi, np.atleast_1d(w))).real for w, H in terms.items())
    prepared = TransferEnergy(net.geometry, FlipMasks(terms, net.sites, M)._terms)
    assert float(prepared.mean(net)) == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("name", ["ring", "ring with strides"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_energy_and_gradient_are_those_of_the_contraction(name, dtype):
    net = network(name, dtype)
    H = heisenberg(net)
    point, exact = RingEnergy(net, H)(net.vector), WindowEnergy(net, H)(net.vector)
    assert point.energy == pytest.approx(exact.energy, abs=1e-10)
    assert abs(point.gradient - exact.gradient).max() < 1e-10


def test_which_energies_are_squared():
    """Long rings with few terms that differ; not open chains, far terms, penalties or sectors."""
    chain = lambda N, **options: qdn.ConvAC.rand(N, 2, 3, 2, loc=1.0, scale=0.1, seed=0, **options)
    ring = chain(300, boundary="periodic")
    H, short = heisenberg(ring), chain(100, boundary="periodic")
    assert isinstance(exact_energy(ring, H, None), RingEnergy)
    assert isinstance(exact_energy(short, heisenberg(short), None), WindowEnergy)
    other = [(Target(ring, ring), 1.0)]
    far = FlipMasks({(0, 150): qu.ham_heis(2)}, ring.sites)
    fields = FlipMasks({(n,): n * qu.pauli("X") for n in range(300)}, ring.sites)
    for found in (
        exact_energy(ring, H, 1),
        exact_energy(ring, H, None, other),
        exact_energy(ring, far, None),
        exact_energy(ring, fields, None),
        exact_energy(chain(200), heisenberg(chain(200)), None),
    ):
        assert isinstance(found, WindowEnergy)


def test_terms_far_apart_and_of_many_sites():
    net = qdn.ConvAC.rand(300, 2, 3, 2, boundary="periodic", loc=1.0, scale=0.3, seed=0)
    Z, X = qu.pauli("Z").real, qu.pauli("X").real
    places, mean = (7, 150), correlation(Transfer(net), X, Z, 7, 150)
    terms = [(((7, 1),), ((((7,), (1.0, 1.0))), ((150,), (1.0, -1.0))))]
    assert TransferEnergy(net.geometry, terms).mean(net) == pytest.approx(mean, abs=1e-12)
    assert net.local_expectation_exact(X & Z, places) == pytest.approx(mean, abs=1e-12)
    string = [(tuple((n, 1) for n in range(6)), ())]
    exact = net.resize(12).to_dense().reshape(2**6, 2**6)
    prepared = TransferEnergy(net.resize(12).geometry, string)
    value = np.vdot(exact, exact[::-1]).real / np.vdot(exact, exact).real
    assert prepared.mean(net.resize(12)) == pytest.approx(value, abs=1e-12)


@EVERY
def test_blocks(name):
    for dtype in ("float64", "complex128"):
        net = network(name, dtype)
        psi, N, sites = dense(net), net.L, Transfer(net).sites
        for where in [range(4), range(N - 3, N), range(1, 5), range(2, N - 1), [N - 1, 0, 1, 2]]:
            try:
                start, stop = block_of(sites, where)
            except qdn.MethodError:
                continue
            found = np.linalg.eigvalsh(block_spectrum(Transfer(net), start, stop))[::-1]
            exact = np.linalg.eigvalsh(reduced(psi, tuple(where)))[::-1]
            count = min(len(found), len(exact))
            assert abs(found[:count] / found.sum() - exact[:count]).max() < 1e-12


@pytest.mark.parametrize("name", ["ones", "ring"])
def test_entropy_and_density_by_name(name):
    net = network(name)
    for where in [range(4), [1, 3]]:
        exact = net.entropy(where, method="dense")
        assert net.entropy(where, method="transfer") == pytest.approx(exact, abs=1e-10)
    rho = net.partial_trace_exact([1, 3], method="transfer")
    assert abs(rho - net.partial_trace_exact([1, 3], method="reduced")).max() < 1e-12
    assert qdn.entanglement_plan(net.resize(200), range(40)).chosen in ("transfer", "to_mps")


def test_long_chains_of_any_scale():
    for boundary in ("ones", "periodic"):
        net = qdn.ConvAC.rand(2**14, 2, 3, 2, boundary=boundary, scale=3.0, seed=0)
        mantissa, exponent = net.norm(strip_exponent=True)
        short = (net.resize(n).norm(strip_exponent=True) for n in (500, 1000))
        a, b = (np.log10(m) + e for m, e in short)
        grown = (np.log10(mantissa) + exponent - b) / (2**14 - 1000)
        assert grown == pytest.approx((b - a) / 500, rel=1e-6)
        with pytest.raises(qdn.RangeError, match="strip_exponent"):
            net.norm()


def test_everyday_calls_take_transfer_matrices_where_they_cost_less(monkeypatch):
    net = qdn.ConvAC.rand(40, 2, 3, 3, boundary="periodic", loc=1.0, scale=0.3, seed=0)
    other, Z = net.with_vector(net.vector * 1.1), qu.pauli("Z").real
    assert transfer_of_state(net) is not None
    found = net.norm(), net.overlap(other), net.local_expectation_exact(Z & Z, (1, 5))
    monkeypatch.setattr(
        "quimb_deepnets.conversion.sums_by_transfer.transfer_of_state", lambda *_, **__: None
    )
    exact = net.norm(), net.overlap(other), net.local_expectation_exact(Z & Z, (1, 5))
    assert found == pytest.approx(exact, rel=1e-12)


def test_what_does_not_repeat_is_left_to_others():
    unshared = qdn.ConvAC.rand(9, 2, 3, 2, shared=False, seed=0)
    for net in (unshared, qdn.ConvAC.rand((3, 3), 2, 2, 2, seed=0), qdn.RAC.rand(6, 1, 2, seed=0)):
        assert transfer_of_state(net) is None
        with pytest.raises(qdn.MethodError, match="collapse"):
            repeated_sites((net.geometry,))
    assert unshared.norm() == pytest.approx(np.linalg.norm(unshared.to_dense()))
    ring = qdn.ConvAC.rand(6, 2, 3, 2, boundary="periodic", seed=0)
    with pytest.raises(qdn.MethodError, match="close around a ring"):
        TransferEnergy(ring.geometry, [(((0, 1), (4, 1), (2, 1)), ())])
    net = zero = qdn.ConvAC(40, [np.zeros((2, 2, 2))], np.ones(2), boundary="periodic")
    with pytest.raises(qdn.RangeError):
        zero.local_expectation_exact(np.eye(2), 3)
    assert net.norm() == 0


def test_gradients_flow_through_everyday_calls():
    net = qdn.ConvAC.rand(40, 2, 3, 2, loc=1.0, scale=0.3, seed=0)
    leaves = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    followed = net.from_params(net.geometry, leaves)
    loss = followed.norm(strip_exponent=True)[1] + followed.local_expectation_exact(np.eye(2), 3)
    grads = torch.autograd.grad(loss, list(leaves.values()))
    step, moved = 1e-6, net.vector.copy()
    moved[3] += step
    up = net.with_vector(moved).norm(strip_exponent=True)[1]
    moved[3] -= 2 * step
    down = net.with_vector(moved).norm(strip_exponent=True)[1]
    flat = np.concatenate([g.numpy().ravel() for g in grads])
    assert flat[3] == pytest.approx((up - down) / (2 * step), rel=1e-5)


# ------------------------------------------------------------ the infinite chain


@pytest.mark.parametrize("boundary", ["periodic", "ones", "valid"])
def test_infinite_chain_is_the_limit(boundary):
    net = qdn.ConvAC.rand(4000, 2, 3, 2, boundary=boundary, loc=1.0, scale=0.2, seed=1)
    chain, h = qdn.InfiniteChain(net), qu.ham_heis(2).real
    X = qu.pauli("X").real
    assert chain.energy(h) == pytest.approx(net.local_expectation_exact(h, (2000, 2001)), abs=1e-9)
    assert chain.energy({(0, 1): h, 0: X}) == pytest.approx(chain.energy(h) + chain.energy(X))
    rho = net.partial_trace_exact([2000, 2005], method="transfer")
    assert abs(chain.partial_trace_exact([3, 8]) - rho).max() < 1e-9
    a, b = (net.resize(n).norm(strip_exponent=True) for n in (4000, 8000))
    grown = np.log2(10) * (b[1] - a[1]) + np.log2(b[0] / a[0])
    assert chain.log2_norm_per_site() == pytest.approx(grown / 4000, abs=1e-9)


def test_energy_per_site_of_windows_of_eight_is_that_of_1000_sites():
    net = qdn.ConvAC.rand(1000, 2, 8, 2, boundary="periodic", loc=1.0, scale=0.1, seed=0)
    h = qu.ham_heis(2).real
    long = net.local_expectation_exact(h, (0, 1))
    assert qdn.InfiniteChain(net).energy(h) == pytest.approx(long, abs=1e-6)


def test_infinite_chain_with_strides():
    net = qdn.ConvAC.rand(240, layers=LAYERS, boundary="periodic", loc=1.0, scale=0.3, seed=0)
    chain, h = qdn.InfiniteChain(net), qu.ham_heis(2).real
    assert chain.cell == 4
    bonds = [net.local_expectation_exact(h, (n, n + 1)) for n in range(4)]
    assert chain.energy(h) == pytest.approx(np.mean(bonds), abs=1e-9)
    assert chain.local_expectation_exact(h, (6, 7)) == pytest.approx(bonds[2], abs=1e-9)


def test_infinite_chain_refuses_what_is_undefined():
    net = qdn.ConvAC.rand(40, 2, 3, 2, loc=1.0, scale=0.1, seed=0)
    weights = [w.copy() for w in net.weights]
    weights[-1][:, 1] = weights[-1][:, 0]
    twins = qdn.ConvAC(40, weights, net.readout)
    with pytest.raises(qdn.MethodError, match="equally large"):
        qdn.InfiniteChain(twins)
    for other in (qdn.RAC.rand(6, 1, 2), qdn.ConvAC.rand((4, 4), 2, 2, 2), "net"):
        with pytest.raises(qdn.MethodError):
            qdn.InfiniteChain(other)
    chain = qdn.InfiniteChain(net)
    with pytest.raises(qdn.OptionError, match="power of phys_dim"):
        chain.energy(np.eye(3))
    for where in ("01", [0, 0], [], [0.5], None):
        with pytest.raises(qdn.SitesError):
            chain.partial_trace_exact(where)
    with pytest.raises(qdn.GeometryError, match="InfiniteChain"):
        net.resize(float("inf"))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("layers", [[(2, 1), (2, 1)], [(2, 2), (2, 1)]], ids=str)
def test_variances_on_rings(dtype, layers):
    layers = [qdn.GCLayer(kernel, 2, stride) for kernel, stride in layers]
    options = {"boundary": "periodic", "loc": 1.0, "scale": 0.3, "dtype": dtype, "seed": 0}
    net = qdn.ConvAC.rand(12, layers=layers, **options)
    bonds = {(n, (n + 1) % 12): -qu.pauli("Z") & qu.pauli("Y") for n in range(12)}
    fields = {n: qu.pauli("X") for n in range(12)}
    for terms in (fields, bonds | fields):
        prepared = TransferEnergy(net.geometry, FlipMasks(terms, net.sites)._terms)
        exact = qdn.energy(net, terms, "full")
        assert float(prepared.mean(net)) == pytest.approx(exact, abs=1e-10)
        variance = float(TransferVariance(prepared).variance(net))
        assert variance == pytest.approx(exact.variance, abs=1e-9)


def test_variances_are_refused_where_nothing_repeats():
    ring = qdn.ConvAC.rand(20, 2, 2, 2, boundary="periodic", seed=0)
    chain = qdn.ConvAC.rand(20, 2, 2, 2, seed=0)
    field = [(((3, 1),), ())]
    for net, terms, why in [
        (chain, field, "rings"),
        (ring, field, "not the same"),
        (ring.resize(3), [(((n, 1),), ()) for n in range(3)], "around a ring"),
    ]:
        with pytest.raises(qdn.MethodError, match=why):
            TransferVariance(TransferEnergy(net.geometry, terms))


def test_energy_of_a_long_ring_and_of_one_without_end():
    net = qdn.ConvAC.rand(100, 2, 3, 2, boundary="periodic", loc=1.0, scale=0.1, seed=0)
    H, h = heisenberg(net), qu.ham_heis(2).real
    sums = WindowSums(net)
    exact = sums.mean(sums.prepared(sums.products(H._terms)))
    mean = TransferEnergy(net.geometry, H._terms).mean(net)
    assert mean == pytest.approx(exact, rel=1e-12)
    bond = FlipMasks({(0, 1): h}, range(2))._terms
    endless = TransferEnergy(net.geometry, bond, endless=True).mean(net)
    assert endless == pytest.approx(qdn.InfiniteChain(net).energy(h), abs=1e-12)


def test_no_gradient_flows_through_infinitely_many_sites():
    net = qdn.ConvAC.rand(40, 2, 3, 2, boundary="periodic", loc=1.0, scale=0.2, seed=0)
    h, weights = qu.ham_heis(2).real, [torch.tensor(w, requires_grad=True) for w in net.weights]
    followed = qdn.ConvAC(40, weights, torch.tensor(net.readout), boundary="periodic")
    energy = qdn.InfiniteChain(followed).energy(h)
    assert not energy.requires_grad
    assert float(energy) == pytest.approx(qdn.InfiniteChain(net).energy(h), rel=1e-12)
