"""Parts of a network: what is cut stays open, what is back together is summed."""

import warnings

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

from .inner_names import inner


def chain(nodes="hyper"):
    return qdn.RecursiveTree.rand(5, 2, 2, 2, boundary="periodic", seed=0, scale=1.5, nodes=nodes)


def reference(psi, tids, outputs):
    """The part contracted by quimb with its outputs spelled out."""
    tensors = [psi.tensor_map[tid] for tid in tids]
    tn = qtn.TensorNetwork(tensors)
    return tn.contract(all, output_inds=outputs, preserve_tensor=True).data


def carriers(psi, ix):
    return psi.ind_map[ix]


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
@pytest.mark.parametrize("tags", ["LAYER2", "READOUT", "DELTA", ["I0", "I1"]])
def test_a_part_keeps_cut_indices_open(nodes, tags):
    psi = chain(nodes)
    tids = psi._get_tids_from_tags(tags, "any")
    part = psi.select(tags, "any")
    cut = {
        ix
        for tid in tids
        for ix in psi.tensor_map[tid].inds
        if not set(carriers(psi, ix)) <= set(tids)
    }
    outer = {ix for tid in tids for ix in psi.tensor_map[tid].inds if ix in psi.site_inds}
    assert set(part.outer_inds()) == cut | outer
    assert not set(part.inner_inds()) & cut
    found = part.contract(preserve_tensor=True)
    exact = reference(psi, tids, found.inds)
    assert set(found.inds) == cut | outer and np.abs(found.data - exact).max() < 1e-12
    norm = part.norm()
    assert abs(norm - np.linalg.norm(exact)) < 1e-10 * norm


def test_three_parts_come_back_in_any_order():
    psi = chain()
    v, size = psi.to_dense(), psi.norm()
    readout, layer2 = psi.select("READOUT"), psi.select("LAYER2")
    rest = psi.select(["READOUT", "LAYER2"], "!any")
    for a, b, c in ((readout, layer2, rest), (rest, readout, layer2), (layer2, rest, readout)):
        joined = (a | b) | c
        assert set(joined.outer_inds()) == set(psi.site_inds)
        x = joined.contract(output_inds=psi.site_inds).data.reshape(-1, 1)
        assert np.abs(x - v).max() < 1e-12 * size
        assert np.abs(joined.contract().transpose(*psi.site_inds).data.reshape(-1, 1) - v).max() < (
            1e-12 * size
        )
    assert inner(psi, "_y") in (readout | rest).outer_inds(), "LAYER2 still carries it"


def test_contracting_a_part_first_changes_nothing():
    psi = chain()
    a, b = psi.partition("LAYER2")
    b.contract_tags_("LAYER2")
    whole = psi.copy()
    whole ^= "LAYER1"
    assert set(whole.outer_inds()) == set(psi.site_inds)
    x = (a | b).contract().transpose(*psi.site_inds).data.reshape(-1, 1)
    assert np.abs(x - psi.to_dense()).max() < 1e-12 * psi.norm()


@pytest.mark.parametrize("tags", ["DELTA", "LAYER1"])
def test_fixing_a_site_in_one_part(tags):
    psi = chain()
    exact = psi.to_dense().reshape((2,) * 5)[:, 1].reshape(-1, 1)
    parts = [x.isel({"k1": 1}) if "k1" in x.ind_map else x for x in psi.partition(tags)]
    whole = parts[0] | parts[1]
    inds = ("k0", "k2", "k3", "k4")
    assert set(whole.outer_inds()) == set(inds)
    found = whole.contract(output_inds=inds).data.reshape(-1, 1)
    assert np.abs(found - exact).max() < 1e-12 * psi.norm()


def test_joining_in_place():
    """&=, |=, add and tensor by tensor close what the cut left open."""
    psi = chain()

    def by_operator(a, b):
        a &= b
        return a

    def by_view(a, b):
        a |= b
        return a

    def by_network(a, b):
        a.add_tensor_network(b)
        return a

    def by_tensors(a, b):
        for t in b:
            a.add_tensor(t)
        return a

    for join in (by_operator, by_view, by_network, by_tensors):
        whole = join(*psi.partition("LAYER1"))
        assert set(whole.outer_inds()) == set(psi.site_inds)
        assert abs(whole.norm() - psi.norm()) < 1e-12 * psi.norm()
    rest, tensors = psi.partition_tensors("LAYER1")
    rest.add(tensors)
    assert abs(rest.norm() - psi.norm()) < 1e-12 * psi.norm()


def test_partition_keeps_the_exponent():
    psi = chain().equalize_norms(1.0)
    for inplace in (False, True):
        a, b = psi.copy().partition("LAYER1", inplace=inplace)
        assert abs((a | b).norm() - psi.norm()) < 1e-12 * psi.norm()


def test_renamed_parts():
    psi = chain()
    a, b = (x.reindex({inner(psi, "_y"): "top"}) for x in psi.partition("READOUT"))
    assert "top" in a.outer_inds() and "top" in b.outer_inds()
    x = (a | b).contract().transpose(*psi.site_inds).data.reshape(-1, 1)
    assert np.abs(x - psi.to_dense()).max() < 1e-12 * psi.norm()


@pytest.mark.parametrize("inplace", [False, True])
def test_deleting_and_partitioning(inplace):
    psi = chain()
    without = psi.copy()
    without.delete("READOUT")
    assert inner(psi, "_y") in without.outer_inds()
    left, right = psi.copy().partition("READOUT", inplace=inplace)
    assert set(left.outer_inds()) == set(without.outer_inds())
    assert right.outer_inds() == (inner(psi, "_y"),)
    assert left.num_tensors + right.num_tensors == psi.num_tensors


def test_bell_pairs_of_parts():
    """A = the sites of selected tags, as quimb's partition reads them."""
    psi = chain()
    rest, part = psi.partition(["I0", "I1"])
    assert {"k0", "k1"} == set(part.outer_inds()) & set(psi.site_inds)
    assert {"k2", "k3", "k4"} == set(rest.outer_inds()) & set(psi.site_inds)


# ---------------------------------------------------------------- sums and operators


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_sums_of_different_kinds(dtype):
    psi = qdn.RecursiveTree.rand(4, 2, 3, 2, seed=1, dtype=dtype)
    rac = qdn.RecursiveMPS.rand(4, 2, 2, seed=2, dtype=dtype)
    mps, mera = qtn.MPS_rand_state(4, 3, seed=3, dtype=dtype), qtn.MERA.rand(4, seed=4, dtype=dtype)
    v = [x.to_dense() for x in (psi, rac, mps, mera)]
    total = psi + rac - mps + mera
    exact = v[0] + v[1] - v[2] + v[3]
    assert np.abs(total.to_dense() - exact).max() < 1e-12 * np.linalg.norm(exact)
    assert abs(total.norm() - np.linalg.norm(exact)) < 1e-12 * np.linalg.norm(exact)
    assert abs(total.overlap(mps) - np.vdot(v[2], exact)) < 1e-12 * np.linalg.norm(exact)
    assert total.site_tags == psi.site_tags and total.phys_dim() == 2
    gated = total.gate(qu.pauli("X"), 1, contract=True)
    assert np.abs(gated.to_dense() - qu.ikron(qu.pauli("X"), [2] * 4, 1) @ exact).max() < 1e-11
    assert (psi - psi).norm() < 1e-12 * psi.norm()


def test_sums_with_exponents_and_torch():
    psi = qdn.RecursiveTree.rand(4, 1, 2, 2, seed=1)
    other = psi.equalize_norms(1.0)
    assert other.exponent
    assert np.abs((psi + other).to_dense() - 2 * psi.to_dense()).max() < 1e-12
    there = psi.to("torch") + psi.to("torch")
    assert np.abs(np.asarray(there.to_dense()) - 2 * psi.to_dense()).max() < 1e-12


def test_sums_of_partly_fixed_states():
    psi = qdn.RecursiveTree.rand(4, 2, 3, 2, seed=1)
    v = psi.to_dense().reshape(2, 2, 2, 2)
    total = psi.isel({"k0": 1}) + psi.isel({"k0": 0})
    exact = (v[0] + v[1]).reshape(-1, 1)
    assert total.site_inds_present == ("k1", "k2", "k3")
    assert np.abs(total.to_dense() - exact).max() < 1e-13 * np.linalg.norm(v)
    fixed = (psi + psi).isel({"k1": 0})
    assert np.abs(fixed.to_dense() - 2 * v[:, 0].reshape(-1, 1)).max() < 1e-13 * np.linalg.norm(v)


def test_sum_refuses_other_sites():
    psi = qdn.RecursiveTree.rand(4, 1, 2, 2, seed=1)
    for act in (lambda x: psi + x, lambda x: psi - x, psi.distance, lambda x: psi.make_overlap(x)):
        with pytest.raises(qdn.SitesError, match="reindex_all"):
            act(qtn.MPS_rand_state(3, 2))


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
def test_distance_to_itself_is_zero(nodes):
    psi = qdn.RecursiveTree.rand(8, 2, 3, 3, seed=2, nodes=nodes)
    assert psi.distance(psi) <= 1e-15 * psi.norm()
    assert psi.distance(psi.network.to_tensor_network() if nodes == "hyper" else psi.copy()) <= (
        1e-13 * psi.norm()
    )
    assert psi.distance(2 * psi, normalized="squared") == pytest.approx((2 / 5) ** 0.5)
    assert psi.distance(2 * psi, normalized="infidelity") == pytest.approx(0, abs=1e-12)
    assert psi.distance(2 * psi, method="overlap") == pytest.approx(psi.norm())


def test_normalize_at_any_scale():
    psi = qdn.RecursiveTree.rand(12, 3, 3, 2, seed=3, scale=40.0)
    with pytest.raises(qdn.RangeError, match="strip_exponent"):
        psi.norm()
    phi = psi.normalize()
    assert abs(phi.norm() - 1) < 1e-10
    configs = np.random.default_rng(0).integers(0, 2, (3, 12))
    mine, theirs = psi.log_amplitudes(configs), phi.log_amplitudes(configs)
    difference = mine[1] - theirs[1]
    assert np.ptp(difference) < 1e-9 and np.allclose(mine[0], theirs[0])


def test_energy_of_an_mpo_hamiltonian():
    """Two working ways to the energy of a quimb MPO, against the dense Hamiltonian."""
    psi = qdn.RecursiveMPS.rand(6, 2, 2, seed=5)
    mpo = qtn.MPO_ham_heis(6)
    v = psi.to_dense() / psi.norm()
    exact = (v.T @ qu.ham_heis(6) @ v).item().real
    applied = mpo.apply(psi)
    assert abs(psi.overlap(applied) / psi.norm(squared=True) - exact) < 1e-12
    lazy = psi.gate_with_op_lazy(mpo)
    assert abs(lazy.overlap(psi) / psi.norm(squared=True) - exact) < 1e-12
    terms = {(i, i + 1): qu.ham_heis(2) for i in range(5)}
    assert abs(psi.compute_local_expectation_exact(terms) - exact) < 1e-12


@pytest.mark.parametrize("contract", [True, False, "split-gate", "swap-split-gate"])
def test_gates_then_norm_and_overlap(contract):
    psi = qdn.RecursiveTree.rand((2, 2), 2, 2, 2, seed=6)
    v, other = psi.to_dense(), qtn.PEPS.rand(2, 2, 2, seed=7)
    one, two = qu.rand_uni(2, seed=1), qu.rand_matrix(4, seed=2)
    psi = psi.gate(one, (0, 1), contract=bool(contract))
    psi = psi.gate(two, ((0, 0), (1, 1)), contract=contract)
    v = qu.ikron(one, [2] * 4, 1) @ v
    v = qu.pkron(two, [2] * 4, [0, 3]) @ v
    assert np.abs(psi.to_dense() - v).max() < 1e-12 * np.linalg.norm(v)
    assert abs(psi.norm() - np.linalg.norm(v)) < 1e-12 * np.linalg.norm(v)
    exact = np.vdot(other.to_dense(), v)
    assert abs(psi.overlap(other) - exact) < 1e-12 * np.linalg.norm(v) * other.norm()


def test_norm_is_not_summed_over_other_outputs():
    psi = chain()
    with pytest.raises(qdn.OptionError, match="leave output_inds out"):
        psi.norm(output_inds=())
    assert abs(psi.norm(output_inds=psi.site_inds) - np.linalg.norm(psi.to_dense())) < 1e-12


@pytest.mark.parametrize("get", ["expression", "tree", "path", "symbol-map", "path-info"])
def test_contract_get(get):
    psi = chain()
    found = psi.contract(get=get)
    if get == "expression":
        x = found(*psi.arrays)
        exact = psi.contract().data
        assert x.shape == exact.shape and np.abs(x - exact).max() < 1e-12
    elif get == "tree":
        assert psi.num_tensors == found.N
    elif get == "path":
        assert len(found) == psi.num_tensors - 1
    elif get == "symbol-map":
        assert set(found) == set(psi.ind_map)
    else:
        assert found.opt_cost > 0


@pytest.mark.parametrize("mode", ["tree", "mps", "dense"])
@pytest.mark.parametrize("like", ["float64", "torch-complex64"])
def test_hyperinds_resolve(mode, like):
    """Ordinary afterwards, in place or not, whatever the backend; too large a COPY is refused."""
    psi = qdn.RecursiveMPS.rand(3, 2, 2, seed=0).to(like)
    plain = psi.hyperinds_resolve(mode)
    assert psi.get_hyperinds() and not plain.get_hyperinds()
    assert {type(t.data) for t in plain} == {type(t.data) for t in psi}
    assert plain.outer_inds() == psi.outer_inds()
    assert plain.distance(psi) < 1e-6 * psi.norm()
    psi.hyperinds_resolve_(mode)
    assert psi.num_tensors == plain.num_tensors and not psi.get_hyperinds()


def test_hyperinds_resolve_of_a_part_and_its_budget():
    psi = qdn.RecursiveTree.rand((3, 3), 1, 2, 2, seed=0)
    with pytest.raises(qdn.BudgetError, match=r"2\*\*37 elements"):
        psi.hyperinds_resolve("dense")
    assert psi.hyperinds_resolve().distance(psi) < 1e-12 * psi.norm()
    part = psi.select("LAYER1")
    outer = part.outer_inds()
    resolved = part.hyperinds_resolve()
    assert set(resolved.outer_inds()) == set(outer) and not resolved.get_hyperinds()
    a, b = (x.contract(output_inds=outer).data for x in (part, resolved))
    assert np.abs(a - b).max() < 1e-12 * np.abs(a).max()


def test_defaults_spelled_out():
    psi = chain()
    exact = psi.contract()
    defaults = {"get": None, "max_bond": None, "inplace": False, "optimize": None, "backend": None}
    same = psi.contract(all, **defaults)
    assert same.inds == exact.inds and (same.data == exact.data).all()
    mantissa, exponent = psi.contract(all, strip_exponent=True, **defaults)
    assert np.allclose(mantissa.data * 10**exponent, exact.data, rtol=1e-12)


def test_pack_and_unpack():
    psi = chain()
    params, skeleton = qtn.pack(psi)
    assert len(params) == psi.num_tensors
    again = qtn.unpack({k: 2.0 * x for k, x in params.items()}, skeleton)
    assert type(again) is type(psi)
    assert np.allclose(again.to_dense(), 2.0**psi.num_tensors * psi.to_dense())


@pytest.mark.filterwarnings("error")
def test_nothing_warns():
    """A session of the most common calls, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for psi in (
            qdn.RecursiveTree.rand(4, 2, 3, 2, seed=0),
            qdn.RecursiveTree.rand((2, 2), 1, 2, 2, dtype="complex128", seed=0, nodes="dense"),
            qdn.RecursiveMPS.rand(4, 2, 2, seed=0),
        ):
            mantissa, exponent = psi.contract(strip_exponent=True)
            assert mantissa.ndim == 4 and np.isfinite(exponent)
            assert np.isfinite(psi.norm()) and np.isfinite(psi.amplitude([0, 1, 1, 0]))
            assert (psi + psi).distance(2 * psi) < 1e-12 * psi.norm()
            assert psi.partial_trace_exact([psi.sites[0]], optimize="greedy").shape == (2, 2)
            assert psi.full_simplify().hyperinds_resolve().num_tensors
            assert psi.to("torch").to_dense().shape == (16, 1)
            assert psi.draw(return_fig=True).axes
            import matplotlib.pyplot as plt

            plt.close("all")
