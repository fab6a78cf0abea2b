"""What quimb users call on our states, against the dense vector of the network."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

from .inner_names import inner

NETS = {
    "chain": lambda: qdn.ConvAC.rand(6, 2, 3, 2, seed=1, scale=2.0),
    "periodic complex": lambda: qdn.ConvAC.rand(
        5, 2, 2, 3, boundary="periodic", dtype="complex128", seed=2
    ),
    "unshared": lambda: qdn.ConvAC.rand(6, 2, 2, 2, boundary="omit", shared=False, seed=3),
    "tree": lambda: qdn.ConvAC.rand(8, layers=[qdn.GCLayer(2, 3, 2)] * 3, seed=4),
    "lattice": lambda: qdn.ConvAC.rand((2, 3), 2, 2, 2, seed=5, scale=2.0),
    "phys_dim 3": lambda: qdn.ConvAC.rand(4, 2, 3, 2, phys_dim=3, seed=6, scale=2.0),
    "bond_dim 1": lambda: qdn.ConvAC.rand(5, 2, 2, 1, seed=7),
    "RAC 1": lambda: qdn.RAC.rand(6, 1, 3, seed=8),
    "RAC 2": lambda: qdn.RAC.rand(6, 2, 3, dtype="complex128", seed=9),
    "RAC 3": lambda: qdn.RAC.rand(4, 3, 2, phys_dim=3, seed=10),
}
EPS = 1e-12


@pytest.fixture(params=[(name, nodes) for name in NETS for nodes in ("hyper", "dense")], ids=str)
def case(request):
    """A fresh state, its normalised dense tensor, and its norm."""
    name, nodes = request.param
    net = NETS[name]()
    vector = net.to_dense().reshape((net.phys_dim,) * net.nsites)
    return net.to_tensor_network(nodes=nodes), vector, np.linalg.norm(vector)


def test_contract(case):
    psi, vector, size = case
    for t in (psi.contract(), psi ^ all, psi ^ ..., psi.contract(all)):
        assert set(t.inds) == set(psi.site_inds)
        assert np.abs(t.transpose(*psi.site_inds).data - vector).max() < EPS * size


def test_contract_some(case):
    """Partial contraction keeps what the rest needs; the state is the same."""
    psi, vector, size = case
    part = psi ^ "LAYER1"
    assert part.num_tensors < psi.num_tensors
    assert np.abs(part.to_dense() - vector.reshape(-1, 1)).max() < EPS * size
    inplace = psi.copy()
    inplace ^= "READOUT"
    assert np.abs(inplace.to_dense() - vector.reshape(-1, 1)).max() < EPS * size


def test_norm_and_overlap(case):
    psi, _vector, size = case
    phi = psi.to_dense()
    assert abs(psi.norm() - size) < EPS * size
    assert abs(psi.norm(squared=True) - size**2) < EPS * size**2
    assert abs(psi.H @ psi - size**2) < EPS * size**2
    assert abs(psi.overlap(psi) - size**2) < EPS * size**2
    assert abs(psi @ psi - (phi * phi).sum()) < EPS * size**2
    assert abs(psi.make_norm().contract() - size**2) < EPS * size**2


def test_norm_leaves_the_names_alone(case):
    psi, _, _ = case
    before = [t.inds for t in psi]
    psi.H | psi, psi & psi, psi.H @ psi, psi.norm(), psi.overlap(psi)
    assert [t.inds for t in psi] == before
    assert abs((psi.H | psi).contract() - (psi.H & psi).contract()) < EPS * psi.norm() ** 2


def test_overlap_with_quimbs_own_states(case):
    psi, vector, size = case
    shape, d = psi.geometry.shape, psi.phys_dim()
    if len(shape) == 2:
        other = qtn.PEPS.rand(*shape, bond_dim=2, phys_dim=d, seed=0)
    else:
        other = qtn.MPS_rand_state(shape[0], 3, phys_dim=d, seed=0)
    phi = other.to_dense().reshape(vector.shape)
    exact = np.vdot(phi, vector)
    bound = EPS * size * np.linalg.norm(phi)
    assert abs(psi.overlap(other) - exact) < bound
    assert abs(other.overlap(psi) - exact.conj()) < bound
    assert abs(psi @ other.H - exact) < bound


def test_overlap_with_mera():
    psi = qdn.RecursiveMPS.rand(8, 2, 2, seed=0)
    mera = qtn.MERA.rand(8, max_bond=2, seed=0)
    exact = np.vdot(mera.to_dense(), psi.to_dense())
    assert abs(psi.overlap(mera) - exact) < EPS * psi.norm()
    assert abs(mera.overlap(psi) - exact) < EPS * psi.norm()


def test_isel(case):
    psi, vector, size = case
    first, last = psi.sites[0], psi.sites[-1]
    fixed = psi.isel({psi.site_ind(first): 1, psi.site_ind(last): 0})
    assert fixed.site_inds_present == psi.site_inds[1:-1]
    exact = vector[1, ..., 0].reshape(-1, 1)
    assert np.abs(fixed.to_dense() - exact).max() < EPS * size
    every = psi.isel(dict.fromkeys(psi.site_inds, 1))
    assert abs(every.contract() - vector[(1,) * vector.ndim]) < EPS * size


def test_fixing_sites_removes_their_hyperinds():
    """Thousands of tensors contract at the width of a branch once every site is fixed."""
    net = qdn.ConvAC.rand(64, 4, 3, 2, boundary="periodic", seed=0)
    psi = net.to_tensor_network()
    assert psi.num_tensors == net.geometry.num_tensors() > 7000
    config = np.random.default_rng(0).integers(0, 2, (1, 64))
    assert psi.isel({"k5": 1}).ind_map.keys() == psi.ind_map.keys() - {"k5", inner(psi, "_x5")}
    for mine, theirs in zip(psi.log_amplitudes(config), net.log_amplitudes(config)):
        assert np.allclose(mine, theirs, rtol=1e-12, atol=0)
    for net in (qdn.RAC.rand(16, 3, 4, seed=0), qdn.ConvAC.rand(16, 3, 3, 4, seed=0)):
        psi = net.to_tensor_network()
        one = psi.isel(dict.fromkeys(psi.site_inds, 1))
        assert one.contraction_width("greedy") <= 4
    gated = psi.gate(qu.hadamard(), 3, contract=True)
    assert inner(gated.isel({"k3": 0}), "_x3"), "no identity, no shortcut"


def test_to_dense_grouped(case):
    psi, vector, size = case
    inds = psi.site_inds
    matrix = psi.to_dense(inds[1:], inds[:1])
    exact = np.moveaxis(vector, 0, -1).reshape(-1, vector.shape[0])
    assert np.abs(matrix - exact).max() < EPS * size
    assert isinstance(psi.to_dense(to_qarray=True), qu.qarray)


def test_copies(case):
    psi, vector, size = case
    copies = (psi.copy(), copy.copy(psi), copy.deepcopy(psi), pickle.loads(pickle.dumps(psi)))
    for phi in copies:
        assert type(phi) is type(psi) and phi.geometry == psi.geometry and phi.nodes == psi.nodes
        assert np.abs(phi.to_dense() - vector.reshape(-1, 1)).max() < EPS * size


def test_conj(case):
    psi, vector, size = case
    assert np.abs(psi.H.to_dense() - vector.conj().reshape(-1, 1)).max() < EPS * size


def test_to_torch_and_back(case):
    psi, vector, size = case
    there = psi.to("torch")
    assert all(type(t.data).__module__ == "torch" for t in there)
    assert np.abs(there.to_dense().numpy() - vector.reshape(-1, 1)).max() < EPS * size
    back = there.to("numpy")
    assert np.abs(back.to_dense() - vector.reshape(-1, 1)).max() < EPS * size
    single = psi.to(dtype="complex64")
    assert single.dtype == "complex64"
    assert np.abs(single.to_dense() - vector.reshape(-1, 1)).max() < 1e-5 * size


def test_contraction_numbers(case):
    """Width and cost are those of the tree that quimb's own call would use."""
    psi, _, _ = case
    tree = psi.contraction_tree(optimize="greedy")
    assert psi.contraction_width(optimize="greedy") == tree.contraction_width()
    assert psi.contraction_cost(optimize="greedy") == tree.contraction_cost()
    assert psi.contraction_width(optimize="greedy") >= len(psi.sites) * np.log2(psi.phys_dim())
    assert len(psi.contraction_path(optimize="greedy")) == psi.num_tensors - 1
    assert psi.contraction_info(optimize="greedy").opt_cost > 0
    one = psi.isel(dict.fromkeys(psi.site_inds, 0))
    assert psi.num_tensors == one.contraction_tree().N and not one.outer_inds()


def test_strip_exponent(case):
    psi, vector, size = case
    mantissa, exponent = psi.contract(strip_exponent=True)
    found = mantissa.transpose(*psi.site_inds).data * 10**exponent
    assert np.abs(found - vector).max() < EPS * size


def test_amplitudes(case):
    psi, vector, size = case
    config = np.array([1, 0] * psi.nsites)[: psi.nsites]
    exact = vector[tuple(config)]
    assert abs(psi.amplitude(config) - exact) < EPS * size
    assert abs(psi.amplitude("".join(map(str, config))) - exact) < EPS * size
    batch = config.reshape(1, *psi.geometry.shape)
    phase, logabs = psi.log_amplitudes(batch)
    assert abs(phase[0] * np.exp(logabs[0]) - exact) < EPS * size
    assert psi.amplitudes(batch).dtype == psi.dtype


def test_network_returns_the_weights(case):
    psi, vector, size = case
    if psi.nodes == "dense":
        with pytest.raises(qdn.StructureError):
            psi.shared_tags
        return
    for phi in (psi, psi.copy(), psi.to("torch"), pickle.loads(pickle.dumps(psi))):
        net = phi.network
        assert list(net.params) == list(phi.shared_tags)
        assert np.abs(np.asarray(net.to_dense()) - vector.reshape(-1, 1)).max() < EPS * size


def test_network_of_a_conjugated_or_renamed_state():
    net = qdn.RAC.rand(4, 2, 2, dtype="complex128", seed=0)
    psi = net.to_tensor_network()
    for phi in (psi.H, psi.conj(), psi.conj(mangle_inner=True), psi.H.reindex_all("b{}")):
        assert all((phi.network.params[k] == x.conj()).all() for k, x in net.params.items())
        assert phi.shared_tags == psi.shared_tags == tuple(net.params)
    for phi in (psi.astype("complex64"), psi.to("torch"), psi.retag_all("T{}")):
        assert phi.network.params.keys() == net.params.keys()
        assert phi.network.dtype == phi.dtype


CHANGES = {
    "gate": lambda psi: psi.gate_(qu.pauli("X"), 0, contract=True),
    "isel": lambda psi: psi.isel_({psi.site_inds[0]: 0}),
    "contract": lambda psi: psi.contract_tags_("LAYER1"),
    "multiply": lambda psi: psi.multiply_(2.0),
    "exponent": lambda psi: psi.equalize_norms_(1.0),
    "exponent alone": lambda psi: setattr(psi, "exponent", 1.0),
    "indices joined": lambda psi: psi.reindex_({inner(psi, "_x0"): inner(psi, "_x1")}),
    "one copy": lambda psi: psi["READOUT"].modify(data=psi["READOUT"].data),
    "one of many copies": lambda psi: next(iter(psi.select_tensors("W1,0"))).modify(
        apply=lambda x: 2 * x
    ),
    "tag lost": lambda psi: next(iter(psi.select_tensors("W1,0"))).drop_tags("W1,0"),
    "leg moved": lambda psi: next(iter(psi.select_tensors("W1,1"))).reindex_(
        dict(itertools.permutations((inner(psi, "_x0"), inner(psi, "_x1"))))
    ),
    "delta scaled": lambda psi: psi[0].modify(apply=lambda x: 2 * x),
    "ones scaled": lambda psi: [
        t.modify(apply=lambda x: 2 * x) for t in psi.select_tensors("ONES0")
    ],
    "rename": lambda psi: psi.reindex_all_("b{}"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_network_is_not_read(change):
    psi = qdn.RecursiveTree.rand(4, 2, 3, 2, seed=0)
    CHANGES[change](psi)
    if change in ("one copy", "rename"):  # these change nothing about the weights
        assert psi.network.num_params == 26
        return
    with pytest.raises(qdn.StructureError, match="was changed after it was built"):
        psi.network


def test_tags_and_ids():
    psi = qdn.RecursiveTree.rand((2, 2), 1, 2, 3, seed=0)
    assert psi.site_inds == ("k0,0", "k0,1", "k1,0", "k1,1")
    assert set(psi[(0, 1)].tags) == {"I0,1", "DELTA"}
    assert {"W1,0,1", "LAYER1", "ONES0", "READOUT"} < set(psi.tags)
    own = qdn.RecursiveMPS.rand(3, 2, 2, seed=0, site_ind_id="b{}", site_tag_id="T{}")
    assert own.site_inds == ("b0", "b1", "b2") and own.site_tags == ("T0", "T1", "T2")
    assert {"WH1", "WI2", "H01", "LAYER2", "READOUT"} < set(own.tags)
    unshared = qdn.RecursiveTree.rand(3, 1, 2, 2, shared=False, seed=0)
    assert {"W1,0,0", "W1,2,1"} < set(unshared.tags)


@pytest.mark.parametrize("name", ["chain", "lattice"])
def test_renamed_sites(name):
    net = NETS[name]()
    psi, vector = net.to_tensor_network(), net.to_dense()
    holes = "{},{}" if name == "lattice" else "{}"
    psi.site_ind_id, psi.site_tag_id = f"b{holes}", f"T{holes}"
    assert psi.site_inds[0].startswith("b0") and psi.site_inds[0] in psi.ind_map
    assert np.abs(psi.to_dense() - vector).max() < EPS * np.linalg.norm(vector)
    back = psi.reindex_all(f"k{holes}").retag_all(f"I{holes}")
    exact = (abs(vector) ** 2).sum()
    assert abs(back.overlap(net.to_tensor_network()) - exact) < EPS * exact


def test_some_sites_renamed():
    psi = qdn.RecursiveTree.rand((2, 2), 1, 2, 2, seed=0)
    for where in ((0, 1), [(0, 1)]):
        assert set(psi.reindex_sites("b{},{}", where=where).outer_inds()) == {
            *("k0,0", "b0,1", "k1,0", "k1,1")
        }
        tags = psi.retag_sites("T{},{}", where=where).tags
        assert {"I0,0", "T0,1"} <= set(tags) and not {"I0,1", "T0,0"} & set(tags)


def test_combined_states_keep_their_sites():
    psi = qdn.RecursiveTree.rand((2, 2), 1, 2, 2, seed=0)
    both = psi.H & psi
    assert both.sites == psi.sites and both.site_tags == psi.site_tags
    assert both.select(("I0,1", "DELTA")).num_tensors == 2


def test_optimizer_of_amplitudes_is_used():
    psi = qdn.RecursiveTree.rand(3, 1, 2, 2, seed=0)
    exact = psi.network.amplitude("011")
    assert abs(psi.amplitude("011", optimize=[(0, 1)] * (psi.num_tensors - 1)) - exact) < 1e-12
    import cotengra as ctg

    assert abs(psi.amplitude("011", optimize=ctg.GreedyOptimizer()) - exact) < 1e-12
    with pytest.raises(Exception, match=r"."):
        psi.amplitude("011", optimize="no such optimizer")


def test_gradients_of_amplitudes_by_contraction():
    import torch

    net = qdn.ConvAC.rand(4, 2, 2, 2, seed=0)
    config = [[0, 1, 1, 0], [1, 1, 0, 1]]
    grads = []
    for form in ("network", "tensors"):
        params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
        state = type(net).from_params(net.geometry, params)
        if form == "tensors":
            state = state.to_tensor_network()
        by = {} if form == "network" else {"optimize": "greedy"}
        loss = state.amplitudes(config, **by).sum() + state.log_amplitudes(config, **by)[1].sum()
        grads.append(torch.autograd.grad(loss, list(params.values())))
    for a, b in zip(*grads):
        assert (a - b).abs().max() < 1e-12 * max(1, a.abs().max())


def test_local_expectation_of_one_lattice_site():
    psi = qdn.RecursiveTree.rand((2, 2), 1, 2, 2, seed=0)
    z = qu.pauli("Z")
    assert psi.local_expectation_exact(z, (0, 1)) == psi.local_expectation_exact(z, [(0, 1)])


def test_tree_and_mps_are_quimbs():
    """stride = kernel: no copies, an ordinary tree. RAC depth 1: an MPS with A = WH * WI."""
    tree = qdn.RecursiveTree.rand(8, layers=[qdn.GCLayer(2, 3, 2)] * 3, nodes="dense", seed=0)
    assert all(len(tids) <= 2 for tids in tree.ind_map.values())
    assert tree.num_tensors == (4 + 2 + 1) + 1 + 8
    net = qdn.RAC.rand(5, 1, 3, seed=0)
    site = np.einsum("ij,ik->ijk", net.hidden_weights[0], net.input_weights[0])
    first = np.einsum("ijk,j->ik", site, net.initial[0])
    last = np.einsum("ijk,i->jk", site, net.readout)
    mps = qtn.MatrixProductState([first, *[site.transpose(1, 0, 2)] * 3, last], shape="lrp")
    assert np.abs(mps.to_dense() - net.to_dense()).max() < EPS * mps.norm()
    psi = net.to_tensor_network(nodes="dense")
    assert psi.num_tensors == 5 + 5 + 2


def test_draw(case):
    import matplotlib

    matplotlib.use("Agg")
    psi, _, _ = case
    figure = psi.draw(color=["LAYER1", "LAYER2", "DELTA"], return_fig=True)
    assert figure.axes
    import matplotlib.pyplot as plt

    plt.close(figure)


def test_repr():
    psi = qdn.RecursiveTree.rand(4, 2, 3, 2, seed=0)
    assert "sites=4, depth=2, nodes='hyper'" in repr(psi)
