"""What a user of quimb tries in the first hour: each is right, or says what to do."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(8, 2, 3, 4, seed=1)
PSI, PHI = NET.to_tensor_network(), NET.collapse()
Z = qu.pauli("Z")


@pytest.mark.parametrize("state", [PSI, PHI], ids=["expanded", "collapsed"])
def test_misspelt_options_are_refused(state):
    for call in (
        lambda: state.partial_trace_exact([0, 1], normalised=False),
        lambda: state.local_expectation_exact(Z, 3, normalised=False),
        lambda: state.compute_local_expectation_exact({3: Z}, normalised=False),
        lambda: state.norm(optimise="greedy"),
        lambda: state.contract(strip_exponents=True),
    ):
        with pytest.raises(qdn.OptionError, match=r"not an option of a contraction; use optimize"):
            call()


def test_many_terms_are_found_as_quickly_as_one():
    """The default search is that of a single term: no hyper-optimizer for each bond."""
    terms = {(n, n + 1): Z & Z for n in range(7)}
    found = PSI.compute_local_expectation_exact(terms, return_all=True)
    for where, G in terms.items():
        assert found[where] == pytest.approx(PSI.local_expectation_exact(G, where), rel=1e-12)


def test_states_that_do_not_fit_together():
    with pytest.raises(qdn.SitesError, match=r"'k0' has the dimension 2 here and 3 there"):
        PSI.overlap(qtn.MPS_rand_state(8, 3, phys_dim=3))
    with pytest.raises(qdn.BudgetError, match=r"are free here; keep fewer indices open"):
        qdn.ConvAC.rand(64, 3, 3, 4, seed=0).to_tensor_network().to_dense()


def test_gates_of_matrix_product_states():
    with pytest.raises(qdn.MethodError, match=r"auto-mps.*CircuitMPS takes it as psi0"):
        qtn.CircuitMPS(8, psi0=PSI).h(0)
    with pytest.raises(
        qdn.OptionError, match=r"1 site\(s\) of dimensions \(2,\) has shape \(2, 2\);"
    ):
        PSI.gate(qu.controlled("x"), 3)
    with pytest.raises(qdn.SitesError, match="names the site 'k3'"):
        PSI.gate(Z, "k3")


def test_trained_networks_meet_quimb_as_numpy():
    mine = NET.to("torch")
    for x in mine.params.values():
        x.requires_grad_()
    mps = mine.to("numpy").to_mps(normalize=True)
    assert mps.entropy(4) == pytest.approx(NET.entropy(4), abs=1e-10)
    exact = PSI.local_expectation_exact(np.asarray(Z) / 2, 3)
    assert mps.magnetization(3) == pytest.approx(exact.real, abs=1e-12)
    assert mine.to("torch-complex64").backend == "torch"
    assert all(x.requires_grad for x in mine.params.values())


def test_hints_lead_to_right_numbers():
    with pytest.raises(AttributeError, match=r"to_mps\(normalize=True\)\.measure"):
        PSI.measure(3)


def test_training_by_the_norm_is_differentiable():
    net = NET.to("torch")
    leaves = [x.requires_grad_() for x in net.params.values()]
    loss = net.collapse().norm().log() - net.log_amplitudes([[0, 1] * 4])[1].sum()
    grads = torch.autograd.grad(loss, leaves)
    x, h = NET.vector, 1e-6
    direction = np.random.default_rng(0).normal(size=len(x))

    def value(step):
        moved = NET.with_vector(x + step * direction)
        return np.log(moved.collapse().norm()) - moved.log_amplitudes([[0, 1] * 4])[1].sum()

    along = sum(
        float(g.reshape(-1) @ torch.tensor(d))
        for g, d in zip(
            grads, np.split(direction, np.cumsum([p.size for p in NET.params.values()])[:-1])
        )
    )
    assert along == pytest.approx((value(h) - value(-h)) / (2 * h), rel=1e-6)


def test_numbers_that_are_not_weights():
    for dtype in ("float16", "longdouble"):
        half = PHI.astype(dtype)
        for call in (half.norm, lambda x=half: x.partial_trace_exact([0]), lambda x=half: x @ x):
            with pytest.raises(qdn.OptionError, match=r"use one of float32, .*astype"):
                call()
    for bad in (np.nan, np.inf):
        with pytest.raises(qdn.RangeError, match="G holds nan or inf"):
            PHI.local_expectation_exact(np.full((2, 2), bad), 0)
    with pytest.raises(qdn.SitesError, match=r"has the dimension . on one tensor and . on another"):
        PHI.H @ qtn.MPS_rand_state(8, 3, phys_dim=3)


CALLS = {
    "norm": lambda net: net.collapse().norm(),
    "expanded": lambda net: net.to_tensor_network().norm(),
    "dense": lambda net: net.to_tensor_network().to_dense(optimize="greedy")[5],
    "mps": lambda net: net.to_mps(normalize=True)[0].data,
    "sliced": lambda net: qdn.contract_sliced(net, "norm"),
    "entropy": lambda net: net.entropy(3, method="to_mps"),
    "reduced": lambda net: net.entropy(3, method="reduced"),
    "density": lambda net: net.collapse().partial_traces_exact([(0, 1), (2, 3)])[1],
    "machine": lambda net: qdn.RBM.rand(4, seed=0, dtype="float32").to("torch").to_dense(),
}


@pytest.mark.parametrize("name", CALLS)
def test_autocast_rounds_nothing(name):
    net = qdn.ConvAC.rand(6, 2, 3, 3, seed=1).to("torch-float32")
    plain = CALLS[name](net)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = CALLS[name](net)
    assert inside.dtype == torch.float32 and torch.equal(inside, plain)


def test_gradients_that_bonds_leave_out_are_refused():
    w = torch.tensor(
        [[[1.0, 1], [-1, 1]], [[1, -1], [-1, -1]]], dtype=torch.float64, requires_grad=True
    )
    net = qdn.ConvAC(2, [w], torch.ones(2, dtype=torch.float64), boundary="omit")
    with pytest.raises(qdn.MethodError, match="bonds of the MPS are smaller than those of nearby"):
        net.to_mps()
    sound = qdn.ConvAC.rand(4, 2, 2, 2, seed=0).to("torch")
    leaves = [x.requires_grad_() for x in sound.params.values()]
    exact = torch.autograd.grad((sound.to_dense() ** 2).sum(), leaves)
    found = torch.autograd.grad((sound.to_mps().to_dense() ** 2).sum(), leaves)
    for a, b in zip(found, exact):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9 * float(max(abs(x).max() for x in exact)))
