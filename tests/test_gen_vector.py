"""What quimb promises of any `TensorNetworkGenVector`, re-stated for our classes."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

EDGES = [(0, 1), (1, 2), (2, 3), (3, 0)]
STATES = {
    "tree": lambda **ids: qdn.RecursiveTree.rand(4, 2, 3, 2, dtype="complex128", seed=1, **ids),
    "dense": lambda **ids: qdn.RecursiveTree.rand(
        4, 2, 2, 2, boundary="periodic", nodes="dense", dtype="complex128", seed=2, **ids
    ),
    "mps": lambda **ids: qdn.RecursiveMPS.rand(4, 2, 2, dtype="complex128", seed=3, **ids),
}


@pytest.fixture(params=STATES)
def make(request):
    return STATES[request.param]


def close(found, exact):
    return np.abs(np.asarray(found) - exact).max() < 1e-12 * np.abs(exact).max()


@pytest.mark.parametrize("which", ["upper", "lower"])
@pytest.mark.parametrize("contract", [True, False])
@pytest.mark.parametrize("inplace", [True, False])
def test_apply_op_vec(make, which, contract, inplace):
    """A generic operator network acts from either side, contracted onto the sites or not."""
    psi = make(site_ind_id="x{}")
    op = qtn.TN_from_edges_rand(
        EDGES, D=2, phys_dim=2, site_ind_id=("k{}", "b{}"), dtype=complex, seed=4
    )
    matrix = op.to_dense() if which == "lower" else op.to_dense().T
    exact = matrix @ psi.to_dense()
    new = qtn.tensor_network_apply_op_vec(op, psi, which, inplace=inplace, contract=contract)
    assert (new is psi) == inplace and type(new) is type(psi)
    assert new.site_ind_id == "x{}" and set(new.outer_inds()) == {"x0", "x1", "x2", "x3"}
    assert close(new.to_dense(), exact)
    assert abs(new.norm() - np.linalg.norm(exact)) < 1e-12 * new.norm()


@pytest.mark.parametrize("transpose", [False, True])
def test_gate_with_op_lazy_in_place(make, transpose):
    psi, mpo = make(), qtn.MPO_rand(4, 3, dtype=complex, seed=5)
    matrix = mpo.to_dense().T if transpose else mpo.to_dense()
    exact = matrix @ psi.to_dense()
    psi.gate_with_op_lazy_(mpo, transpose=transpose)
    assert close(psi.to_dense(), exact)


def test_sites(make):
    psi = make()
    assert psi.nsites == 4 and psi.sites == (0, 1, 2, 3) == tuple(psi.gen_site_coos())
    assert psi.has_site(3) and not psi.has_site(4) and not psi.has_site([0])
    assert psi.site_inds == ("k0", "k1", "k2", "k3") == psi.site_inds_present
    assert psi.site_tags == ("I0", "I1", "I2", "I3") == psi.site_tags_present
    assert tuple(psi.gen_inds_from_coos([2, 0])) == ("k2", "k0")
    assert tuple(psi.gen_tags_from_coos([2, 0])) == ("I2", "I0")
    assert psi[2] is psi["I2", "DELTA"] and psi.phys_dim() == psi.phys_dim(3) == 2
    some = psi.select_sites([1, 3])
    assert tuple(some.gen_sites_present()) == (1, 3) and some.select("DELTA").num_tensors == 2
    assert psi.maybe_convert_coo(1) == "I1" and psi.maybe_convert_coo("other") == "other"


def test_to_dense_orders_sites_and_groups(make):
    psi = make()
    v = psi.to_dense()
    assert v.shape == (16, 1) and isinstance(psi.to_qarray(), qu.qarray)
    grouped = psi.to_dense(["k3", "k1"], ["k0", "k2"])
    exact = v.reshape(2, 2, 2, 2).transpose(3, 1, 0, 2).reshape(4, 4)
    assert close(grouped, exact)
    assert psi.to_dense(psi.site_inds, to_ket=True).shape == (16, 1)
    assert psi.to_dense(psi.site_inds).shape == (16,)


def test_reduced_density_matrices(make):
    psi = make()
    v = psi.to_dense() / psi.norm()
    for where in ([1], [0, 2], [3, 1, 0]):
        rho = psi.partial_trace_exact(where)
        exact = qu.ptr(v, [2] * 4, where)
        if where != sorted(where):  # quimb's ptr sorts the sites
            exact = qu.permute(exact, [2] * len(where), np.argsort(np.argsort(where)))
        assert close(rho, exact)
        assert abs(np.trace(rho) - 1) < 1e-12 and close(rho, rho.conj().T)
        assert np.linalg.eigvalsh(rho).min() > -1e-13
    raw, norm = psi.partial_trace_exact([2], normalized="return")
    assert abs(norm - psi.norm(squared=True)) < 1e-10 * abs(norm)
    assert close(raw, norm * psi.partial_trace_exact([2]))
    assert psi.partial_trace_exact([0, 1], get="array").shape == (2, 2, 2, 2)
    tensor = psi.partial_trace_exact([0, 1], get="tensor")
    assert tensor.inds == ("k0", "k1", "_bra0", "_bra1")
    assert close(tensor.data.reshape(4, 4), psi.partial_trace_exact([0, 1]))
    assert psi.partial_trace_exact([0], rehearse="tree").contraction_cost() > 0
    assert psi.partial_trace_exact(0).shape == (2, 2), "a single site"


def test_local_expectations(make):
    psi = make()
    v = psi.to_dense() / psi.norm()
    terms = {(i, j): qu.rand_herm(4) for i, j in EDGES if i < j}
    exact = {w: (v.conj().T @ qu.pkron(G, [2] * 4, w) @ v).item() for w, G in terms.items()}
    each = psi.compute_local_expectation_exact(terms, return_all=True)
    assert set(each) == set(exact)
    assert all(abs(each[w] - exact[w]) < 1e-12 for w in exact)
    assert abs(psi.compute_local_expectation_exact(terms) - sum(exact.values())) < 1e-12
    one, norm = psi.local_expectation_exact(terms[0, 1], (0, 1), normalized="return")
    assert abs(one / norm - exact[0, 1]) < 1e-12
    trees = psi.compute_local_expectation_exact(terms, rehearse="tree")
    assert len(trees) == len(terms)


def test_local_expectations_through_an_executor(make):
    from concurrent.futures import ThreadPoolExecutor

    psi = make()
    terms = {(0, 1): qu.ham_heis(2), (1, 2): qu.ham_heis(2)}
    with ThreadPoolExecutor(2) as pool:
        found = psi.compute_local_expectation_exact(terms, executor=pool)
    assert abs(found - psi.compute_local_expectation_exact(terms)) < 1e-12


def test_reindex_retag_and_back(make):
    psi = make()
    v = psi.to_dense()
    some = psi.reindex_sites("b{}", where=[0, 2])
    assert set(some.outer_inds()) == {"b0", "k1", "b2", "k3"}
    psi.reindex_all_("q{}")
    psi.retag_all_("T{}")
    assert psi.site_ind_id == "q{}" and psi.site_inds == ("q0", "q1", "q2", "q3")
    assert psi.site_tag_id == "T{}" and psi[1] is psi["T1", "DELTA"]
    assert close(psi.to_dense(), v)
    assert psi.overlap(psi).real == pytest.approx((abs(v) ** 2).sum())


def test_combining_states(make):
    psi, phi = make(), make()
    bra = phi.H
    both = psi | bra
    assert both.num_tensors == 2 * psi.num_tensors and both.sites == psi.sites
    first = next(iter(psi))
    assert any(t is first for t in both), "| views the tensors"
    assert not any(t is first for t in psi & bra), "& copies them"
    assert both.contract() == pytest.approx(psi.norm(squared=True))
    plain = psi & qtn.rand_tensor((2,), ["k0"], dtype=complex, seed=1)
    assert isinstance(plain, qdn.HyperTensorNetwork)
    assert set(plain.contract().inds) == {"k1", "k2", "k3"}


def test_virtual_copies_share_tensors(make):
    psi = make()
    view = psi.copy(virtual=True)
    view["READOUT"].modify(apply=lambda x: 2 * x)
    assert close(psi.to_dense(), view.to_dense())
    assert close(psi.copy().multiply_(0.5).to_dense(), psi.to_dense() / 2)
