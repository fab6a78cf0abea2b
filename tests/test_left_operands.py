"""quimb's own states on the left of ours, and tensors of two networks in one."""

import copy
import pickle

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.hyper.names import plain_name

CHAIN = qdn.ConvAC.rand(5, depth=2, kernel=2, bond_dim=2, dtype="complex128", seed=0)
LATTICE = qdn.ConvAC.rand((2, 3), depth=1, kernel=2, bond_dim=2, seed=1)
STATES = {
    "tree": lambda: CHAIN.to_tensor_network(),
    "collapsed": lambda: CHAIN.collapse(),
    "RAC": lambda: qdn.RecursiveMPS.rand(5, depth=2, bond_dim=2, seed=2),
    "RBM": lambda: qdn.RBM.rand(5, alpha=1, seed=3).to_tensor_network(),
    "sum": lambda: CHAIN.collapse() + qtn.MPS_rand_state(5, 2, seed=4),
    "lattice": lambda: LATTICE.to_tensor_network(),
}


def partner(psi):
    """A state of quimb's own on the same sites."""
    if isinstance(psi.sites[0], tuple):
        return qtn.PEPS.rand(2, 3, bond_dim=2, seed=5)
    return qtn.MPS_rand_state(5, 3, seed=5, dtype="complex128")


def close(a, b):
    return np.abs(np.asarray(a) - b).max() < 1e-12 * np.abs(b).max()


@pytest.mark.parametrize("name", STATES)
def test_quimb_on_the_left(name):
    psi = STATES[name]()
    left = partner(psi)
    v, w = psi.to_dense().ravel(), left.to_dense().ravel()
    for found in (
        left.H @ psi,
        (left.H & psi) ^ all,
        (left.H | psi).contract(),
        left.H.combine(psi).contract(),
        qtn.TensorNetwork(left.H) @ psi,
        (qtn.TensorNetwork(left.H) & psi) ^ all,
        np.conj(left.overlap(psi)),
        psi @ left.H,
    ):
        assert close(found, np.vdot(w, v))
    assert close(left.distance(psi, method="overlap"), np.linalg.norm(v - w))
    assert psi.to_dense().shape == (v.size, 1), "no operand was changed"


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_libraries_and_dtypes_of_both_sides(dtype):
    """Torch mixes neither libraries nor dtypes, so what is joined is converted, never down."""
    right = qdn.ConvAC.rand(5, depth=2, kernel=2, bond_dim=2, seed=0)
    left = qtn.MPS_rand_state(5, 3, seed=5)
    w = left.to_dense().ravel()
    expected = complex(right.to_dense().ravel() @ w)
    trained = left.copy()
    trained.apply_to_arrays(lambda x: torch.tensor(x, requires_grad=True))
    for phi in (right.to(f"torch-{dtype}").collapse(), right.to("numpy").to_tensor_network()):
        for mps in (left, trained):
            for found in (mps.H @ phi, (mps.H & phi) ^ all, (mps.H | phi) ^ all, mps.overlap(phi)):
                assert complex(found.item()) == pytest.approx(expected, rel=1e-5)
        (slope,) = torch.autograd.grad((trained.H @ phi).real, trained[2].data)
        assert float((slope * trained[2].data.detach()).sum()) == pytest.approx(
            expected.real, rel=1e-5
        )
    assert all(isinstance(t.data, np.ndarray) for t in left), "no operand was changed"


@pytest.mark.parametrize("name", STATES)
def test_sums_with_quimb_on_the_left_name_the_order_that_works(name):
    psi = STATES[name]()
    left = partner(psi)
    add = left.add_PEPS if hasattr(left, "add_PEPS") else left.add_MPS
    for call in (
        lambda: left + psi,
        lambda: left - psi,
        lambda: add(psi),
        lambda: left.copy().__iadd__(psi),
        lambda: left.copy().__isub__(psi),
    ):
        with pytest.raises(qdn.MethodError, match=r"put it first, psi \+ mps"):
            call()
    v, w = psi.to_dense().ravel(), left.to_dense().ravel()
    assert close((psi + left).to_dense().ravel(), v + w)
    assert close(((-psi) + left).to_dense().ravel(), w - v)
    ids = {"sites": psi.sites, "site_tag_id": psi.site_tag_id, "site_ind_id": psi.site_ind_id}
    plain = qtn.TensorNetworkGenVector.from_TN(left, **ids)
    assert close((plain + psi).to_dense().ravel(), v + w)
    assert close((plain - psi).to_dense().ravel(), w - v)
    assert psi.site_tags == tuple(map(psi.site_tag, psi.sites))


def test_plain_networks_stay_plain():
    """Only quimb's operators make a hyper network; a network that a user makes is as asked."""
    psi = CHAIN.to_tensor_network()
    mps = qtn.MPS_rand_state(5, 3, seed=5)
    for tn in (qtn.TensorNetwork((mps, psi)), qtn.TensorNetwork(psi), qtn.TensorNetwork([])):
        assert type(tn) is qtn.TensorNetwork
        tn.add_tensor_network(psi.reindex({ix: ix + "'" for ix in psi.site_inds}))
        assert type(tn) is qtn.TensorNetwork
    assert type(mps & mps.H) is not qdn.HyperTensorNetwork


@pytest.mark.parametrize("name", STATES)
def test_tensors_of_two_networks_in_one(name):
    """As many ways to put them together as quimb has: nothing meets but the sites."""
    a, b = STATES[name](), STATES[name]() * 1.5
    exact = (a.to_dense() * b.to_dense()).sum()
    for join in (
        lambda x, y: qtn.TensorNetwork(list(x) + list(y)),
        lambda x, y: qtn.TensorNetwork((*x, *y)),
        lambda x, y: qtn.TensorNetwork((x, y), check_collisions=False),
        lambda x, y: qtn.TensorNetwork([x, y]),
        lambda x, y: qtn.TensorNetwork((x, y), virtual=True),
        lambda x, y: x.combine(y, check_collisions=False),
        lambda x, y: x.combine(y),
        lambda x, y: x | y,
        lambda x, y: x & y,
    ):
        tn = join(a.copy(), b.copy())
        tn.exponent = a.exponent + b.exponent
        assert close(tn.contract(output_inds=()), exact)


@pytest.mark.parametrize("name", ["tree", "collapsed", "RAC", "RBM", "lattice"])
def test_copies_share_their_names_as_quimbs_do(name):
    psi = STATES[name]()
    clones = psi.copy(), copy.copy(psi), copy.deepcopy(psi), pickle.loads(pickle.dumps(psi))
    for new in clones:
        assert list(new.ind_map) == list(psi.ind_map) and new.exponent == psi.exponent
        assert close(new.to_dense(), psi.to_dense())
    again = STATES[name]()
    inner = [set(tn.ind_map) - set(tn.site_inds) for tn in (psi, again)]
    assert not inner[0] & inner[1]
    plan = [sorted(map(plain_name, names)) for names in inner]
    assert plan[0] == plan[1]
    assert close((psi | psi).contract(), (psi.to_dense() ** 2).sum())
    mps = qtn.MPS_rand_state(5, 3)
    assert set(mps.ind_map) == set(mps.copy().ind_map), "quimb's copies share theirs"


def test_weights_paths_and_pictures_do_not_depend_on_the_names():
    a, b = CHAIN.to_tensor_network(), CHAIN.to_tensor_network()
    for tn in (a, b, a.reindex({ix: ix + "*" for ix in a.inner_inds()})):
        net = tn.network
        assert all((net.params[key] == x).all() for key, x in CHAIN.params.items())
    for make in (CHAIN.to_tensor_network, CHAIN.collapse):
        for optimize in ("greedy", None):
            paths = [make().make_norm().contraction_path(optimize, ()) for _ in range(2)]
            assert paths[0] == paths[1]
    first, second = (tn.draw(get="pos") for tn in (a, b))
    for tid in a.tensor_map:
        assert np.allclose(first[tid], second[tid])


@pytest.mark.parametrize("site_ind_id", ["_x{}", "_y{}", "_bra{}", "_c{}"])
def test_outer_indices_may_have_any_name(site_ind_id):
    v = CHAIN.to_dense()
    rho = CHAIN.collapse().partial_trace_exact([3, 1])
    for psi in (CHAIN.to_tensor_network(site_ind_id=site_ind_id), CHAIN.collapse(site_ind_id)):
        assert close(psi.to_dense(), v)
        assert close(psi.norm(), np.linalg.norm(v))
        assert close(psi.partial_trace_exact([3, 1]), rho)
        assert abs(psi.entropy([0, 2], method="reduced") - CHAIN.entropy([0, 2])) < 1e-9
        assert close(psi.reindex_all("k{}").to_dense(), v)
    psi = CHAIN.to_tensor_network().reindex_all(site_ind_id)
    assert close(psi.to_dense(), v) and psi.network.nsites == 5


@pytest.mark.parametrize("of_mps", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_distances_of_quimb_states_of_other_libraries_and_dtypes(of_mps, dtype):
    """By overlaps or by dense vectors, with derivatives for what is followed by torch."""
    psi = qdn.ConvAC.rand(5, 2, 2, 2, seed=0).to("torch").collapse()
    mps = qtn.MPS_rand_state(5, 3, seed=5, dtype=dtype)
    right = np.linalg.norm(psi.to_dense().numpy() - mps.to_dense())
    if of_mps == "torch":
        mps.apply_to_arrays(torch.tensor)
    for method in ("auto", "dense", "overlap"):
        for normalized in (False, True):
            scale = 2 / (psi.norm() + abs(mps.norm())) if normalized else 1
            found = float(mps.distance(psi, method=method, normalized=normalized) / scale)
            assert found == pytest.approx(right, rel=3e-7)
    kinds = {type(x) for x in mps.arrays}
    assert len(kinds) == 1 and str(mps.arrays[0].dtype).endswith(dtype)  # the MPS is as it was

    psi.apply_to_arrays(lambda x: x.clone().requires_grad_())
    gradients = [torch.autograd.grad(d, psi.arrays) for d in (mps.distance(psi), psi.distance(mps))]
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)
