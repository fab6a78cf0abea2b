"""Walk every function of quimb that takes a network: right, or refused, with our states."""

import warnings

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn

from . import function_table as table

TREE = [qdn.GCLayer(2, 2, 2)] * 2
CONTROLS = {"quimb MPS": lambda: qtn.MPS_rand_state(4, 4, seed=1)}
NO_LOOPS = {
    "tree, dense": lambda: qdn.ConvAC.rand(4, layers=TREE, seed=0).to_tensor_network("dense"),
    "tree": lambda: qdn.ConvAC.rand(4, layers=TREE, seed=0).to_tensor_network().normalize(),
    "tree, resolved": lambda: (
        qdn.ConvAC.rand(4, layers=TREE, seed=0).to_tensor_network().hyperinds_resolve()
    ),
    "RAC, dense": lambda: qdn.RAC.rand(4, 1, 2, seed=0).to_tensor_network("dense").normalize(),
    "to_mps": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=1).to_mps(),
}
LOOPS = {
    "RAC": lambda: qdn.RAC.rand(4, 2, 2, seed=0).to_tensor_network(),
    "collapsed": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=1).collapse(),
    "collapsed, normalized": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=1).collapse().normalize(),
    "RBM": lambda: qdn.RBM.rand(4, seed=1).to_tensor_network().normalize(),
    "sum": lambda: NO_LOOPS["tree"]() + table.other(NO_LOOPS["tree"]()),
    "lattice": lambda: qdn.ConvAC.rand((2, 2), 1, 2, 2, seed=1).to_tensor_network(),
}
REMEDIES = ("use ", "but a", "but an", "name sites", "put it first")
ALL = {**CONTROLS, **NO_LOOPS, **LOOPS}


def may_say(name, error):
    """Whether the table lists this error for this row."""
    function = name.split(",")[0].split(".")[0]
    return any(
        isinstance(error, kind) and fragment in str(error) and function in rows.split()
        for (kind, fragment), rows in table.QUIMB_SAYS.items()
    )


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("name", table.TABLE)
def test_right_or_refused(name, case):
    p = ALL[case]()
    v = np.asarray(p.to_dense()).reshape(-1)
    if case == "lattice" and name in table.CHAINS:
        pytest.skip("a function of chains")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, exact = table.TABLE[name](p, v)
    except qdn.DeepNetError as error:
        assert any(word in str(error) for word in REMEDIES), error
        return
    except Exception as error:
        assert may_say(name, error), error
        return
    if name in table.WRONG_IN_QUIMB or (case in LOOPS and name in table.ESTIMATES):
        assert np.isfinite(found)
    elif isinstance(found, list):
        assert found == exact
    else:
        found, exact = np.asarray(found), np.asarray(exact)
        assert found.shape == exact.shape
        assert np.abs(found - exact).max() < 1e-7 * np.abs(exact).max()


MUST_BE_RIGHT = (
    *("contract_l1bp", "contract_l2bp", "L1BP", "L2BP", "D2BP", "contract_d2bp", "compress_l2bp"),
    *(name for name in table.COMPRESS if name.startswith("tensor_network_1d")),
)


@pytest.mark.parametrize("case", ["tree, dense", "tree, resolved", "RAC, dense"])
@pytest.mark.parametrize("name", MUST_BE_RIGHT)
def test_between_sites_without_hyperinds(name, case):
    """Every tensor belongs to a site, so what works between sites finds all of them."""
    p = ALL[case]()
    v = np.asarray(p.to_dense()).reshape(-1)
    found, exact = table.TABLE[name](p, v)
    assert np.abs(found - exact).max() < 1e-10 * np.abs(exact).max()


def test_every_function_is_decided():
    rows = {name.split(",")[0].split(".")[0] for name in table.TABLE}
    skipped = {name for names in table.NO_STATE.values() for name in names.split()}
    undecided = table.functions() - rows - set(table.SAME_AS) - skipped
    assert not undecided, "quimb has functions that nobody has decided on"
    assert not (skipped | set(table.SAME_AS)) - table.functions(), (
        "quimb does not have these any more"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: qdn.RecursiveTree.rand(6, 2, 3, 2, seed=0),
        lambda: qdn.RecursiveTree.rand((2, 3), 2, 2, 2, seed=0, nodes="dense"),
        lambda: qdn.RecursiveMPS.rand(5, 2, 2, seed=0),
        lambda: qdn.RAC.rand(5, 2, 2, seed=0).collapse(),
        lambda: qdn.ConvAC.rand((2, 3), 2, 2, 2, seed=0, boundary="periodic").collapse(),
        lambda: qdn.RBM.rand(5, seed=0).to_tensor_network(),
        lambda: qdn.RecursiveTree.rand(4, 2, 3, 2, seed=0).hyperinds_resolve(),
    ],
)
def test_each_tensor_belongs_to_one_site(make):
    psi = make()
    tags = set(psi.site_tags)
    assert all(len(tags.intersection(t.tags)) == 1 for t in psi)
    for site in psi.sites:
        assert psi.site_ind(site) in psi[site].inds and psi.site_tag(site) in psi[site].tags
        assert psi[site] is psi[psi.site_tag(site), "DELTA"] or not psi.get_hyperinds()


def test_a_tensor_of_a_site_can_be_replaced():
    psi = qdn.RecursiveTree.rand(4, 2, 2, 2, seed=0)
    new = psi[1].copy()
    new.modify(data=np.diag([1.0, 5.0]))
    before = psi.to_dense().reshape(2, 2, 2, 2)
    psi[1] = new
    factor = np.array([1.0, 5.0])[:, None, None]
    assert np.abs(psi.to_dense().reshape(2, 2, 2, 2) - before * factor).max() < 1e-12


@pytest.mark.parametrize("tags", ["I2", "LAYER2", ["I0", "I1"]])
@pytest.mark.parametrize(
    "name", ["rank_simplify", "split_simplify", "full_simplify", "fuse_multibonds"]
)
def test_simplified_parts_stay_open(name, tags):
    psi = qdn.RecursiveTree.rand(6, 2, 3, 2, seed=0)
    part = psi.select(tags, "any", virtual=False)
    exact = part.contract()
    found = getattr(part, name)()
    assert set(found.outer_inds()) == set(exact.inds)
    assert np.abs(found.contract().transpose(*exact.inds).data - exact.data).max() < 1e-12 * (
        1 + np.abs(exact.data).max()
    )
    assert found.outer_size() == exact.size


@pytest.mark.parametrize("step", ["contract_ind", "contract_between", "split", "set", "del"])
def test_parts_stay_open_when_tensors_are_replaced(step):
    psi = qdn.RecursiveTree.rand(6, 2, 3, 2, seed=0)
    part = psi.select("LAYER2", virtual=False)
    (y,) = psi["READOUT"].inds
    assert y in part.outer_inds()
    a, b = list(part.ind_map[y])[:2]
    for tid, tag in ((a, "A"), (b, "B")):
        part.tensor_map[tid].add_tag(tag)
    if step == "contract_ind":
        part.contract_ind(y)
    elif step == "contract_between":
        part.contract_between("A", "B")
    elif step == "split":
        part.split_tensor("A", [y])
    elif step == "set":
        part["A"] = part["A"].copy()
    else:
        del part["A"]
    assert y in part.outer_inds()


def test_a_part_is_not_summed_over_its_open_indices():
    psi = qdn.RecursiveTree.rand(6, 2, 3, 2, seed=0)
    part = psi.select("LAYER2", virtual=False)
    with pytest.raises(qdn.MethodError, match="hyperinds_resolve"):
        part.contract(output_inds=())


def test_parts_on_the_right_keep_their_cuts():
    """What only the second part has cut stays open too."""
    psi = qdn.RecursiveTree.rand(6, 2, 3, 2, seed=0)
    (y,) = psi["READOUT"].inds
    joined = psi.select("DELTA") & psi.select("LAYER2")
    assert y in joined.outer_inds()
