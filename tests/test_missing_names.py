"""A name that an object lacks: which object has it; and copies, pickles and hasattr as ever."""

import copy
import pickle
import re

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(4, 1, 2, 2, seed=1, loc=0.4)
OBJECTS = {
    "net": NET,
    "psi": NET.to_tensor_network(),
    "phi": NET.collapse(),
    "rbm": qdn.RBM.rand(4, seed=0),
    "sum": NET.collapse() + NET.to_tensor_network(),
    "dup": qdn.dup(NET.collapse(), {}),
}
# object, name that it lacks, where it is (evaluated below)
MISSING = [
    ("net", "set_params", "net.with_params"),
    ("net", "astype", "net.to("),
    ("net", "cuda", "net.to("),
    ("net", "detach", "net.to("),
    ("net", "normalize", "net.readout / net.norm()"),
    ("net", "normalize_", "net.collapse().normalize()"),
    ("net", "parameters", "net.params.leaves"),
    ("net", "requires_grad_", "net.params.leaves"),
    ("net", "gate", "net.collapse().gate"),
    ("net", "compute_local_expectation_exact", "net.collapse()."),
    ("net", "shared_tags", "net.to_tensor_network().shared_tags"),
    ("net", "canonize", "net.to_mps(normalize=True).canonize"),
    ("rbm", "H", "net.collapse().H"),
    ("net", "multiply", "x * net.readout"),
    ("rbm", "multiply_", "use x * net.collapse()"),
    ("rbm", "normalize", "use net.collapse().normalize()"),
    ("psi", "flip_ratios", "psi.network.flip_ratios"),
    ("psi", "params", "psi.network.params"),
    ("psi", "partial_traces_exact", "net.collapse().partial_traces_exact"),
    ("psi", "canonicalize", "psi.to_mps(normalize=True).canonicalize"),
    ("phi", "flip_ratios", "psi.network.flip_ratios"),
    ("phi", "params", "psi.network.params"),
    ("phi", "canonicalize", "psi.to_mps(normalize=True).canonicalize"),
    ("sum", "log_amplitudes", "net.log_amplitudes"),
    ("dup", "site_ind", "no sites"),
]


@pytest.mark.parametrize(("owner", "name", "where"), MISSING)
def test_the_error_names_the_object_that_has_it(owner, name, where):
    thing = OBJECTS[owner]
    assert not hasattr(thing, name) and getattr(thing, name, None) is None
    with pytest.raises(qdn.MissingError) as caught:
        getattr(thing, name)
    assert isinstance(caught.value, AttributeError) and isinstance(caught.value, qdn.DeepNetError)
    assert where in str(caught.value) and caught.value.name == name
    net = OBJECTS["rbm"] if owner == "rbm" else NET
    if re.fullmatch(r"\w+(\.\w+(\([\w=]*\))?)*\.\w+", where):  # the remedy is there
        remedy = where.rsplit(".", 1)
        assert hasattr(eval(remedy[0], {"net": net, "psi": OBJECTS["psi"]}), remedy[1])


def test_a_lattice_is_not_sent_to_the_tools_of_chains():
    net = qdn.ConvAC.rand((2, 2), 1, 2, 2, seed=0)
    for thing in (net, net.collapse(), net.to_tensor_network()):
        with pytest.raises(AttributeError) as caught:
            _ = thing.canonize
        assert "to_mps" not in str(caught.value)


@pytest.mark.parametrize("owner", OBJECTS)
def test_names_that_nothing_has_are_plain_attribute_errors(owner):
    for name in ("foo", "_foo", "__foo__", "_repr_html_foo"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as caught:
            getattr(OBJECTS[owner], name)
        assert type(caught.value) is AttributeError


@pytest.mark.parametrize("owner", OBJECTS)
def test_copies_and_pickles(owner):
    thing = OBJECTS[owner]
    for new in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert type(new) is type(thing)
        same = [x.contract().data if owner == "dup" else x.to_dense() for x in (new, thing)]
        assert same[0] == pytest.approx(same[1])


def test_a_property_that_fails_keeps_its_own_error():
    class Broken(type(NET)):
        @property
        def entropy(self):
            return self.weights.there_is_no_such_thing

    broken = Broken(4, NET.weights, NET.readout)
    with pytest.raises(AttributeError, match="there_is_no_such_thing"):
        _ = broken.entropy


def test_functions_of_quimb_that_ask_for_an_mps():
    remedy = "psi.to_mps(normalize=True)"
    for psi in (OBJECTS["psi"], OBJECTS["phi"]):
        with pytest.raises(qdn.MissingError) as caught:
            qtn.TEBD(psi, qtn.ham_1d_heis(4))
        assert remedy in str(caught.value)
    qtn.TEBD(OBJECTS["psi"].to_mps(), qtn.ham_1d_heis(4))


@pytest.mark.parametrize("net", [NET, OBJECTS["rbm"]], ids=["ConvAC", "RBM"])
def test_a_network_is_told_apart_from_its_state(net):
    psi = OBJECTS["psi"]
    for call in (
        lambda: psi.overlap(net),
        lambda: psi + net,
        lambda: psi - net,
        lambda: psi.distance(net),
        lambda: psi & net,
        lambda: psi | net,
        lambda: psi @ net,
        lambda: psi.make_overlap(net),
    ):
        with pytest.raises(qdn.SitesError, match=r"net.collapse\(\)"):
            call()
    for call in (
        lambda: net + psi,
        lambda: net - net,
        lambda: sum([net, net]),
        lambda: 2 * net,
        lambda: np.float64(2) * net,
        lambda: net / 2,
        lambda: -net,
        lambda: net @ psi,
        lambda: net & psi,
        lambda: net | psi,
    ):
        with pytest.raises(qdn.MethodError, match=r"net.collapse\(\)"):
            call()
    state = net.collapse()
    expected = psi.to_dense().reshape(-1) @ net.to_dense().reshape(-1)
    assert psi.overlap(state) == pytest.approx(expected)
    with pytest.raises(qdn.OptionError, match=r"net.collapse\(\).to_dense"):
        net.to_dense(["k0"])


@pytest.mark.parametrize("shape", [4, (2, 2)])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_a_boltzmann_machine_collapses_to_its_state(shape, dtype):
    net = qdn.RBM.rand(shape, 2, scale=0.5, dtype=dtype, seed=0)
    v = net.to_dense()
    phi = net.collapse(site_ind_id="b{}" if shape == 4 else "b{},{}")
    assert phi.to_dense() == pytest.approx(v)
    assert phi.norm() == pytest.approx(np.linalg.norm(v))
    assert phi.outer_inds()[0] in ("b0", "b0,0")
    assert phi.entropy(2) == pytest.approx(net.entropy(2))
    assert phi.copy().entropy(2) == pytest.approx(net.entropy(2))
    with pytest.raises(qdn.OptionError, match="nodes='dense'"):
        net.to_tensor_network(nodes="dense")
