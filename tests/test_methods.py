"""Walk every public method and operator that quimb gives our classes: right, or refused."""

import contextlib
import inspect

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn

from . import method_page
from . import method_table as table

NETS = {
    "chain": lambda: qdn.ConvAC.rand(4, 2, 3, 2, seed=1, scale=1.5),
    "periodic complex": lambda: qdn.ConvAC.rand(
        4, 2, 2, 3, boundary="periodic", dtype="complex128", seed=2
    ),
    "unshared omit": lambda: qdn.ConvAC.rand(4, 2, 2, 2, boundary="omit", shared=False, seed=3),
    "strided": lambda: qdn.ConvAC.rand(
        8, layers=[qdn.GCLayer(3, 2, 2), qdn.GCLayer(2, 3, 2)], seed=4
    ),
    "lattice": lambda: qdn.ConvAC.rand((2, 2), 2, 2, 2, seed=5, scale=1.5),
    "phys_dim 3": lambda: qdn.ConvAC.rand(3, 2, 2, 2, phys_dim=3, seed=6, scale=1.5),
    "RAC": lambda: qdn.RAC.rand(4, 2, 2, seed=7),
    "RAC complex": lambda: qdn.RAC.rand(3, 3, 2, dtype="complex128", seed=8),
}
CASES = [(name, nodes) for name in NETS for nodes in ("hyper", "dense")]
DUNDERS = {
    n
    for n in dir(qdn.RecursiveTree)
    if n.startswith("__")
    and n not in dir(object)
    and n
    not in (
        "__annotations__",
        "__dict__",
        "__module__",
        "__weakref__",
        "__setstate__",
        "__getitem__",
    )
    and n not in ("__delitem__", "__iter__")
}


def fresh(case):
    name, nodes = case
    net = NETS[name]()
    v = net.to_dense().reshape((net.phys_dim,) * net.nsites)
    return net.to_tensor_network(nodes=nodes), v


def state(tn, psi, letter="k"):
    """The dense tensor of a result, contracted by quimb with its outputs spelled out."""
    if isinstance(tn, qtn.Tensor):
        tn = tn.as_network()
    if not isinstance(tn, qtn.TensorNetwork):
        return np.asarray(tn)
    inds = [
        ix for ix in map(table.holes(psi, letter).format, *zip(*_tuples(psi))) if ix in tn.ind_map
    ]
    plain = tn.view_as(qtn.TensorNetwork)
    return np.asarray(plain.contract(all, output_inds=inds, preserve_tensor=True).data)


def _tuples(psi):
    return [s if isinstance(s, tuple) else (s,) for s in psi.sites]


def check(found, exact, scale=1.0):
    exact = np.asarray(exact)
    assert np.shape(found) == exact.shape
    assert np.abs(found - exact).max() <= 1e-10 * max(np.abs(exact).max(), scale)


def check_as_a_state(found, psi, v):
    """The result knows its outer legs: norm and contraction without outputs are right too."""
    if isinstance(found, qdn.HyperTensorNetwork):
        assert set(found.outer_inds()) == set(psi.site_inds)
        assert abs(found.norm() - np.linalg.norm(v)) < 1e-10 * np.linalg.norm(v)
        whole = found.contract().transpose(*psi.site_inds).data
        check(np.asarray(whole), v, np.abs(v).max())


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", table.SAME)
def test_same_state(name, case):
    psi, v = fresh(case)
    before = [(t.inds, t.tags.copy(), np.array(t.data)) for t in psi]
    found = table.SAME[name](psi)
    check(state(found, psi), v, np.abs(v).max())
    check_as_a_state(found, psi, v)
    for t, (inds, tags, data) in zip(psi, before):
        assert t.inds == inds and t.tags == tags and (t.data == data).all(), "psi was changed"


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", table.VALUE)
def test_value(name, case):
    psi, v = fresh(case)
    call, expected = table.VALUE[name]
    letter = "b" if name in ("reindex_sites", "reindex_all") else "k"
    found, exact = call(psi), expected(v, psi)
    tiny = 1e-3 * np.abs(v).max() if name == "convert_to_zero" else 0
    check(state(found, psi, letter), exact, tiny)
    if isinstance(found, qdn.HyperTensorNetwork):
        assert abs(found.norm() - np.linalg.norm(exact)) <= 1e-10 * np.linalg.norm(exact)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        n
        for n in {**table.SAME, **table.VALUE}
        if hasattr(qdn.RecursiveTree, n + "_") and not n.startswith("_") and n != "contract"
    ],
)
def test_inplace_twin(name, case, monkeypatch):
    """``foo_`` on a fresh network leaves in it what ``foo`` returns."""
    psi, _ = fresh(case)
    call = table.SAME.get(name) or table.VALUE[name][0]
    returned = call(psi)
    assert isinstance(returned, qtn.TensorNetwork)
    twin, _ = fresh(case)
    psi, _ = fresh(case)
    method = getattr(type(twin), name + "_")
    monkeypatch.setattr(type(twin), name, method)
    letter = "b" if name in ("reindex_sites", "reindex_all") else "k"
    check(state(call(twin), psi, letter), state(returned, psi, letter))


@pytest.mark.parametrize("cls", [qdn.RecursiveTree, qdn.RecursiveMPS])
def test_every_method_is_decided(cls):
    decided = table.decisions()
    public = {n for n in dir(cls) if not n.startswith("_")}
    twins = {n for n in public if n.endswith("_") and n[:-1] in public}
    undecided = (public | DUNDERS) - twins - set(decided) - {"__and__"}
    assert not undecided, "quimb has methods that nobody has decided on"
    gone = set(decided) - public - DUNDERS
    assert not gone, "quimb does not have these any more"


def test_no_method_is_decided_twice():
    groups = [table.SAME, table.VALUE, table.READS, table.OURS, table.NEEDS_PAIRS, table.ALWAYS]
    names = [n for group in groups for n in group]
    assert len(names) == len(set(names))


def plain_twin(psi):
    """A plain quimb vector of the same tensors."""
    cls = qtn.TensorNetworkGenVector
    return cls.from_TN(
        psi, sites=psi.sites, site_tag_id=psi.site_tag_id, site_ind_id=psi.site_ind_id
    )


@pytest.mark.parametrize("name", table.READS)
def test_reads(name):
    """Names are quimb's own code, or equal to it where ours stands in its place."""
    psi, _ = fresh(("chain", "hyper"))
    twin = plain_twin(psi)
    mine, theirs = (inspect.getattr_static(type(x), name, None) for x in (psi, twin))
    if mine is theirs:
        return
    if name in ("contraction_cost", "contraction_width", "contraction_tree") or name in (
        "contraction_path",
        "contraction_info",
    ):
        opts = {"optimize": "greedy", "output_inds": psi.site_inds}
    else:
        opts = {}
    args = {
        "compute_contracted_inds": tuple(psi.tensor_map),
        "maybe_convert_coo": (0,),
        "site_ind": (0,),
        "site_tag": (0,),
    }.get(name, ())
    a, b = getattr(psi, name), getattr(twin, name)
    if callable(a):
        if name == "delete":
            assert a("READOUT") is b("READOUT") is None
            a, b = sorted(psi.tensor_map), sorted(twin.tensor_map)
        elif name.endswith("_interactive"):  # the same picture, by a package that may be missing
            with contextlib.suppress(ImportError):
                assert a(get="pos") == b(get="pos")
            return
        elif name == "select_sites":
            a, b = a([0]).num_tensors, b([0]).num_tensors
        elif name == "new":
            a, b = a(like=psi).num_tensors, b(like=twin).num_tensors
        else:
            a, b = a(*args, **opts), b(*args, **opts)
    if name == "contraction_tree":
        a, b = a.get_path(), b.get_path()
    if name == "contraction_info":
        a, b = a.opt_cost, b.opt_cost
    assert a == b


@pytest.mark.parametrize("name", [*table.NEEDS_PAIRS, *table.ALWAYS])
def test_refused(name):
    psi, _ = fresh(("chain", "hyper"))
    for method in (name, name + "_"):
        if not hasattr(psi, method):
            continue
        with pytest.raises(qdn.MethodError) as caught:
            getattr(psi, method)()
        assert method in str(caught.value) and "use " in str(caught.value)


@pytest.mark.parametrize("name", table.NEEDS_PAIRS)
def test_not_refused_without_hyperinds(name):
    """After hyperinds_resolve, quimb's own method runs: it asks for its own arguments."""
    psi, _ = fresh(("chain", "hyper"))
    ordinary = psi.hyperinds_resolve()
    assert not ordinary.get_hyperinds()
    try:
        getattr(ordinary, name)()
    except qdn.MethodError:
        raise AssertionError(f"{name} is still refused") from None
    except Exception:
        pass


def test_resolved_networks_canonize_and_compress():
    psi, v = fresh(("chain", "hyper"))
    ordinary = psi.hyperinds_resolve()
    check(state(ordinary.canonize_around("READOUT"), psi), v)
    check(state(ordinary.compress_all(cutoff=0.0), psi), v)
    check(state(ordinary.gauge_all(), psi), v)
    check(state(ordinary.balance_bonds(), psi), v)
    found = ordinary.contract_compressed("greedy", max_bond=64, cutoff=0.0)
    check(state(found, psi), v)
    fitted = ordinary.aslinearoperator(psi.site_inds[:2], psi.site_inds[2:])
    check(fitted.to_dense(), v.reshape(4, 4))


def test_page_is_up_to_date():
    assert method_page.PAGE.read_text("utf8") == method_page.page(), "python -m tests.method_page"
