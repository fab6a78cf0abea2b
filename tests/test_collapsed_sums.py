"""Collapsed states that still hold their network take its transfer matrices; edited ones never."""

import copy
import pickle

import numpy as np
import pytest
import quimb as qu
import torch

import quimb_deepnets as qdn
from quimb_deepnets.conversion import sums_by_transfer
from quimb_deepnets.hyper.vector import HyperVector

Z, X = qu.pauli("Z").real, qu.pauli("X").real
ZZ = np.kron(Z, Z)


def ring(n=40, **options):
    options = {"boundary": "periodic", "dist": "uniform", "loc": 1.0, "scale": 0.3, **options}
    return qdn.ConvAC.rand(n, 2, 3, 3, seed=0, **options)


@pytest.fixture
def taken(monkeypatch):
    """How many sums were taken by transfer matrices."""
    calls = []

    def counting(name):
        wrapped = getattr(sums_by_transfer, name)

        def counted(*args, **options):
            found = wrapped(*args, **options)
            calls.extend([name] * (found is not None))
            return found

        monkeypatch.setattr(sums_by_transfer, name, counted)

    counting("total_by_transfer")
    counting("expectation_by_transfer")
    return calls


def contracted(phi, other=None):
    """Norm, overlap and expectation values by contraction alone."""
    other = phi if other is None else other
    yield HyperVector.norm(phi, strip_exponent=True)
    yield HyperVector.norm(phi, squared=True, strip_exponent=True)
    yield HyperVector.overlap(phi, other, strip_exponent=True)
    yield HyperVector.local_expectation_exact(phi, Z, 7), 0.0
    yield HyperVector.local_expectation_exact(phi, ZZ, (20, 4)), 0.0


def asked(phi, other=None):
    """The same, as users ask for them."""
    other = phi if other is None else other
    yield phi.norm(strip_exponent=True)
    yield phi.norm(squared=True, strip_exponent=True)
    yield phi.overlap(other, strip_exponent=True)
    yield phi.local_expectation_exact(Z, 7), 0.0
    yield phi.local_expectation_exact(ZZ, (20, 4)), 0.0


def equal(found, exact):
    for (a, e), (b, f) in zip(found, exact):
        assert abs(a * 10.0 ** (e - f) - b) < 1e-10 * abs(b)


@pytest.mark.parametrize("boundary", ["periodic", "ones", "omit", "valid"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_the_same_sums(boundary, dtype, taken):
    net = ring(boundary=boundary, dtype=dtype)
    other = ring(boundary=boundary, dtype=dtype, scale=0.2)
    phi, theirs = net.collapse(), other.collapse()
    equal(asked(phi, theirs), contracted(phi, theirs))
    assert len(taken) == 5
    value, norm = phi.local_expectation_exact(Z, 3, normalized="return")
    exact = HyperVector.local_expectation_exact(phi, Z, 3, normalized="return")
    assert abs(value / exact[0] - 1) < 1e-10 and abs(norm / exact[1] - 1) < 1e-10


EDITS = {
    "gate": lambda p: p.gate_(X, 3, contract=True),
    "factor": lambda p: p.multiply_(-2.0),
    "factor on one": lambda p: p.multiply_(3.0, spread_over=1),
    "one window": lambda p: next(iter(p)).modify(apply=lambda x: x * 3),
    "in place": lambda p: next(iter(p)).data.__setitem__(..., 0.7),
    "read-out": lambda p: p["READOUT"].modify(data=np.array([1.0, 0.5, 0.2])),
    "identity": lambda p: next(iter(p.select("IDENTITY"))).modify(data=np.diag([1.0, 5.0])),
    "legs": lambda p: p.reindex_({"k7": "k3", "k3": "k7"}),
    "exponent": lambda p: setattr(p, "exponent", p.exponent + 1.0),
    "precision": lambda p: p.astype_("complex64"),
    "conjugate": lambda p: p.conj_(),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_states_are_contracted(edit, taken):
    net = ring(40, dtype="complex128" if edit == "conjugate" else "float64")
    phi = net.collapse()
    EDITS[edit](phi)
    if edit == "precision":
        norm, exact = (x[0] for x in (phi.norm(strip_exponent=True), next(contracted(phi))))
        assert abs(norm / exact - 1) < 1e-4
    else:
        equal(asked(phi), contracted(phi))
    assert not taken


def test_copies_hold_the_network_and_renamed_states_do_not(taken):
    phi = ring().collapse()
    equal(asked(phi.copy()), contracted(phi))
    assert len(taken) == 5
    for copied in (copy.deepcopy(phi), pickle.loads(pickle.dumps(phi))):
        equal(asked(copied), contracted(phi))
    assert len(taken) == 15
    renamed = phi.reindex_sites("b{}")
    equal([renamed.norm(strip_exponent=True)], [next(contracted(phi))])
    fixed = phi.isel({"k5": 1})
    assert fixed.norm(strip_exponent=True) != phi.norm(strip_exponent=True)
    assert len(taken) == 16  # the last norm is that of phi itself


def test_options_of_a_contraction_ask_for_one(taken):
    phi = ring(30).collapse()
    exact = list(contracted(phi))
    assert phi.norm(strip_exponent=True, optimize="greedy")[0] == pytest.approx(exact[0][0])
    assert phi.local_expectation_exact(Z, 7, optimize="greedy") == pytest.approx(exact[3][0])
    phi.local_expectation_exact(Z, 7, rehearse=True)
    double = 2.0 * phi
    a, e = double.norm(strip_exponent=True)
    assert abs(a * 10 ** (e - exact[0][1]) / exact[0][0] - 2) < 1e-10
    mps = qdn.ConvAC.rand(30, 1, 2, 2, seed=1).to_mps()
    phi.overlap(mps)
    small = qdn.ConvAC.rand((4, 4), 2, 2, 2, seed=0).collapse()
    equal([small.norm(strip_exponent=True)], [HyperVector.norm(small, strip_exponent=True)])
    assert not taken
    with pytest.raises(qdn.SitesError):
        phi.local_expectation_exact(Z, 99)
    with pytest.raises(qdn.OptionError):
        phi.local_expectation_exact(ZZ, 3)


def test_gradients_go_to_what_is_differentiated(taken):
    net = ring(30)
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    state = qdn.ConvAC.from_params(net.geometry, params)
    value = state.collapse().local_expectation_exact(torch.tensor(Z), 7)
    exact = state.to_tensor_network().collapse().local_expectation_exact(torch.tensor(Z), 7)
    for a, b in zip(*(torch.autograd.grad(v, list(params.values())) for v in (value, exact))):
        assert (a - b).abs().max() < 1e-10 * b.abs().max()
    plain = net.to("torch").collapse()
    for t in plain.select("READOUT", which="any"):
        t.data.requires_grad_()
        (grad,) = torch.autograd.grad(plain.norm(), [t.data])
        assert grad.abs().max() > 0
    assert not taken
    with torch.no_grad():
        for x in params.values():
            x *= 1.1
    held = net.to("torch")
    phi = held.collapse()
    next(iter(held.params.leaves.values())).mul_(1.01)  # trained since: the tensors are older
    equal([phi.norm(strip_exponent=True)], [HyperVector.norm(phi, strip_exponent=True)])
    assert not taken


def test_a_long_ring_is_not_contracted(taken):
    net = ring(3000)
    a, e = net.collapse().norm(strip_exponent=True)
    assert taken == ["total_by_transfer"]
    b, f = net.norm(strip_exponent=True)
    assert abs(a / b - 1) < 1e-9 and abs(e - f) < 1e-9
