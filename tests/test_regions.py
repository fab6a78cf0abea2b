"""Density matrices of many regions at a time: against dense vectors, one by one, and quimb."""

import itertools

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
from autoray import do, to_numpy

import quimb_deepnets as qdn
from quimb_deepnets.hyper import holes
from quimb_deepnets.hyper.holes import Problem, plan_holes, work_of_norm
from quimb_deepnets.hyper.pairs import natural_order, prepared_pair
from quimb_deepnets.hyper.regions import region_sums
from quimb_deepnets.tensors import density

DTYPES = ("float64", "complex128", "float32", "complex64")


def dense_rho(x, shape, region):
    """The density matrix of some axes of a dense vector, in the order given."""
    x = np.moveaxis(np.asarray(x, complex).reshape(shape), region, range(len(region)))
    x = x.reshape(np.prod([shape[n] for n in region]), -1)
    rho = x @ x.conj().T
    return rho / np.trace(rho)


def bonds(shape, cyclic):
    edges = qtn.edges_2d_square(*shape, cyclic=cyclic)
    return [tuple(edge) for edge in edges]


def net_of(shape, boundary="ones", kernel=2, dtype="float64", seed=0, **opts):
    opts = {"depth": 2, "bond_dim": 2, "loc": 0.8, "scale": 0.5, "dist": "uniform"} | opts
    return qdn.ConvAC.rand(shape, kernel=kernel, boundary=boundary, dtype=dtype, seed=seed, **opts)


def environments(phi, regions):
    """What is under test, without the choice whether it is worth while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(density, "work_of_norm", lambda problem: np.inf)
        found = density._from_environments(phi, regions)
    assert list(found) == regions
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
def test_all_sites_and_bonds_of_a_lattice(boundary, dtype):
    """Shared weights on a torus: only one region of each orbit is contracted."""
    shape = (3, 4)
    net = net_of(shape, boundary, dtype=dtype)
    phi, x = net.collapse(), net.to_dense()
    regions = bonds(shape, boundary == "periodic") + [(site,) for site in phi.sites]
    eps = np.finfo(dtype).eps
    for region, rho in environments(phi, regions).items():
        places = [phi.sites.index(site) for site in region]
        np.testing.assert_allclose(rho, dense_rho(x, (2,) * 12, places), atol=50 * eps)
        assert rho.dtype == dtype


@pytest.mark.parametrize("boundary", ["ones", "periodic"])
def test_scattered_regions_in_any_order(boundary):
    net = net_of((3, 4), boundary, shared=False, dtype="complex128")
    phi, x, rng = net.collapse(), net.to_dense(), np.random.default_rng(0)
    regions = []
    for count in (1, 2, 3, 4, 3):
        chosen = rng.permutation(12)[:count]
        regions.append(tuple(phi.sites[n] for n in chosen))
    regions.append(regions[1][::-1])
    for region, rho in environments(phi, regions).items():
        places = [phi.sites.index(site) for site in region]
        np.testing.assert_allclose(rho, dense_rho(x, (2,) * 12, places), atol=1e-13)


@pytest.mark.parametrize(
    "net",
    [
        net_of(7, boundary="periodic", kernel=3, phys_dim=3),
        net_of(8, boundary="ones", kernel=2, phys_dim=3, depth=3),
        qdn.ConvAC.rand((4, 4), layers=[qdn.GCLayer(2, 3, 2), qdn.GCLayer(2, 2, 2)], seed=0),
        qdn.RAC.rand(7, depth=2, bond_dim=2, dist="uniform", loc=1.0, seed=0),
        qdn.RAC.rand(7, depth=1, bond_dim=3, phys_dim=3, seed=0),
        qdn.RBM.rand((3, 3), seed=0),
        qdn.ConvAC.graph_state((3, 4), distance=(0, 1), kernel=2),
    ],
    ids=repr,
)
def test_families(net):
    phi, x = net.collapse(), net.to_dense()
    shape = (net.phys_dim,) * len(phi.sites)
    pairs = itertools.combinations(range(len(shape)), 2)
    regions = [tuple(phi.sites[n] for n in pair) for pair in pairs]
    for region, rho in environments(phi, regions).items():
        places = [phi.sites.index(site) for site in region]
        np.testing.assert_allclose(rho, dense_rho(x, shape, places), atol=1e-12)


def test_a_state_of_quimb_as_plain_tensors():
    """Nothing is known of deep networks: a PEPS of quimb, whose legs are on one tensor each."""
    peps = qtn.PEPS.rand(3, 3, 2, seed=0)
    places = {peps.site_ind(site): site for site in peps.sites}
    regions = [tuple(map(peps.site_ind, bond)) for bond in bonds((3, 3), False)]
    sums = region_sums([(t.inds, t.data) for t in peps], places, regions, 2**24)
    x = peps.to_dense(list(places))
    order = list(places)
    for region, rho in zip(regions, sums.run(peps.arrays)):
        want = dense_rho(x, (2,) * 9, [order.index(ix) for ix in region])
        np.testing.assert_allclose(rho, want, atol=1e-12)


def test_expectation_values_take_this_way(monkeypatch):
    """Equal to the last digits to contractions one by one; and chosen by itself."""
    net = net_of((4, 4), "periodic", bond_dim=3)
    phi = net.collapse()
    terms = dict.fromkeys(bonds((4, 4), True), qu.ham_heis(2).real)
    one_by_one = phi.compute_local_expectation_exact(terms, optimize="greedy", return_all=True)
    chosen = []
    monkeypatch.setattr(
        density, "region_sums", lambda *args: chosen.append(region_sums(*args)) or chosen[-1]
    )
    shared = phi.compute_local_expectation_exact(terms, return_all=True)
    assert len(chosen) == 1 and len(chosen[0].groups) < 5
    assert shared.keys() == one_by_one.keys()
    for where, value in shared.items():
        assert value == pytest.approx(one_by_one[where], rel=1e-12)


def test_states_of_any_scale():
    """log psi near 10**4: only ratios are asked for."""
    net = net_of((4, 4), scale=0.1, loc=1e40, dist="uniform")
    phi = net.collapse()
    regions = [((0, 0), (0, 1)), ((2, 2), (3, 2))]
    assert abs(phi.exponent) > 300
    for region, rho in environments(phi, regions).items():
        np.testing.assert_allclose(rho, phi.partial_trace_exact(region), atol=1e-13)


def test_gradients_flow():
    """Of an energy, by torch, against central differences."""
    torch = pytest.importorskip("torch")
    net = net_of((3, 3), "periodic", seed=3)
    terms = dict.fromkeys(bonds((3, 3), True), qu.ham_heis(2).real)

    def energy(net):
        rhos = environments(net.collapse(), list(terms))
        return sum((do_mul(rho, G)).sum() for rho, G in zip(rhos.values(), terms.values()))

    def do_mul(rho, G):
        return rho * (torch.as_tensor(np.array(G)) if torch.is_tensor(rho) else G)

    x = net.vector
    leaf = torch.tensor(x, requires_grad=True)
    energy(net.to("torch").with_vector(leaf)).backward()
    step = 1e-6
    for k in np.random.default_rng(0).permutation(len(x))[:5]:
        e = np.eye(len(x))[k] * step
        slope = (energy(net.with_vector(x + e)) - energy(net.with_vector(x - e))) / (2 * step)
        assert float(leaf.grad[k]) == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_equal_weights_that_are_trained_are_not_the_same():
    """Unshared weights of equal values: a derivative belongs to one of them alone."""
    torch = pytest.importorskip("torch")
    net = net_of(4, "periodic", shared=False)
    alike = {
        name: net.params[name if name == "READOUT" else f"{name[:2]},0,{name[-1]}"]
        for name in net.params
    }
    net = net.with_params(alike).to("torch")
    vector = net.vector.detach().clone().requires_grad_()
    rhos = environments(net.with_vector(vector).collapse(), [(0,), (1,), (2,), (3,)])
    torch.testing.assert_close(rhos[(0,)], rhos[(2,)])
    slopes = [torch.autograd.grad(rho[0, 0], vector, retain_graph=True)[0] for rho in rhos.values()]
    assert all(not torch.allclose(a, b) for a, b in itertools.combinations(slopes, 2))


def test_the_plan_counts_what_is_done():
    """Each region is one step, each component is made before it is used, and within the work."""
    phi = net_of((5, 5)).collapse()
    places = {phi.site_ind(site): site for site in phi.sites}
    tn = density.absorb_identities(phi._squeezed(tuple(places)), tuple(places))
    regions = [tuple(map(phi.site_ind, bond)) for bond in bonds((5, 5), False)]
    sums = region_sums([(t.inds, t.data) for t in tn], places, regions, 2**30)
    made = set()
    for step in sums.plan.steps:
        assert {x for x in step.inputs if isinstance(x, int)} <= made
        made.add(step.name)
    assert {name for name in made if name < 0} == {-1 - k for k in range(len(sums.groups))}
    assert sums.plan.calls == sum(len(step.pairs) for step in sums.plan.steps)
    assert sums.work < len(regions) * work_of_norm(sums.problem) / 4
    with pytest.raises(qdn.BudgetError, match="environments of 40 regions"):
        region_sums([(t.inds, t.data) for t in tn], places, regions, 2**8)


def test_a_chain_is_one_sweep_to_each_side():
    """The multiplications grow as the length does, not as its square."""
    flops = []
    for count in (20, 40):
        kets = tuple((n, 100 + n, 101 + n) for n in range(count))
        bras = tuple((n, 200 + n, 201 + n) for n in range(count))
        places = tuple((n, (n,)) for n in range(count))
        regions = tuple((n, n + 1) for n in range(count - 1))
        flops.append(plan_holes(Problem(kets, bras, (2,) * 300, places, regions)).flops)
    assert flops[1] < 3 * flops[0]


def test_paths_of_one_tensor():
    found = holes._small_path(((0, 1),), (1,), (2, 3), (), False)
    assert found == (((0, 0, "ab->b"),), 6, 6, (1,))


EQUATIONS = [
    ("abcd,bd->cab", (2, 3, 2, 4), (3, 4)),
    ("ab,abcd->dcb", (2, 3), (2, 3, 4, 2)),
    ("abc,bda->dcab", (2, 3, 2), (3, 4, 2)),
    ("ab,bc->", (2, 3), (3, 2)),  # sums of one array
    ("aab,bc->ac", (2, 2, 3), (3, 2)),
    ("ab,bc->abc", (2, 1), (3, 2)),
    ("ab,cd->dbca", (2, 3), (1, 2)),
    ("a,a->", (3,), (3,)),
]


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("eq, left, right", EQUATIONS)
def test_prepared_pairs_are_einsum(eq, left, right, backend):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=left), rng.normal(size=right) + 1j * rng.normal(size=right)
    given = [do("asarray", a.astype(complex), like=backend) for a in (x, y)]
    found = to_numpy(prepared_pair(eq, given[0].shape, given[1].shape)(*given))
    assert np.allclose(found, np.einsum(eq, x, y), rtol=1e-13)


def test_the_natural_order_moves_nothing():
    """Legs that only the larger array has stay one block, at the end."""
    sizes = (2,) * 9
    out = natural_order((4, 0, 5, 1, 6, 2), (1, 7, 0), {4, 0, 5, 6, 2, 7}, sizes)
    assert out == (0, 7, 4, 5, 6, 2)
    assert natural_order((1, 7, 0), (4, 0, 5, 1, 6, 2), {4, 0, 5, 6, 2, 7}, sizes) == out
