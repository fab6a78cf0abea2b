"""Derivatives by every tensor of a state, deltas and identities too, by central differences."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

STATES = {
    "collapsed": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=1, loc=0.4).collapse(),
    "collapsed lattice": lambda: qdn.ConvAC.rand((2, 2), 1, 2, 2, seed=1, loc=0.4).collapse(),
    "collapsed RAC": lambda: qdn.RAC.rand(3, 2, 2, seed=2, loc=0.4).collapse(),
    "expanded": lambda: qdn.ConvAC.rand(3, 2, 2, 2, seed=1, loc=0.4).to_tensor_network(),
    "expanded omit": lambda: qdn.RecursiveTree.rand(3, 1, 2, 2, seed=3, loc=0.4, boundary="omit"),
    "dense nodes": lambda: qdn.RecursiveTree.rand(3, 1, 2, 2, seed=4, loc=0.4, nodes="dense"),
    "recursive MPS": lambda: qdn.RecursiveMPS.rand(3, 2, 2, seed=5, loc=0.4),
    "RBM": lambda: qdn.RBM.rand(3, seed=0).to_tensor_network(),
    "collapsed RBM": lambda: qdn.RBM.rand(3, seed=0).collapse(),
    "MPS, as a control": lambda: qtn.MPS_rand_state(4, 2, seed=6),
}
Z = qu.pauli("Z").real


def fixed(psi, value=0):
    return psi.isel({psi.site_ind(s): value for s in psi.sites}).contract(output_inds=())


LOSSES = {
    "norm": lambda p: ((p.H @ p) - 2.0) ** 2,
    "fixed": lambda p: fixed(p) ** 2 + fixed(p, 1),
    "half fixed": lambda p: p.isel({p.site_ind(p.sites[1]): 1}).norm() ** 2,
    "expectation": lambda p: p.local_expectation_exact(torch.tensor(Z), (p.sites[-1],)),
    "dense": lambda p: (p.to_dense() ** 3).sum(),
    "gated": lambda p: p.gate(torch.tensor(qu.hadamard().real), p.sites[0]).norm(),
}
OURS = {
    "normalised": lambda p: fixed(p.normalize()),
    "sum": lambda p: (p + p.isel({}).multiply(0.5)).norm(),
    "amplitude": lambda p: p.amplitude("010") ** 2 + p.amplitude("111", optimize="greedy"),
    "log amplitude": lambda p: p.log_amplitudes([[0, 1, 0]])[1].sum(),
    "many regions": lambda p: sum((r**2).sum() for r in p.partial_traces_exact([[0], [1, 2]])),
    "many terms": lambda p: p.compute_local_expectation_exact({0: Z, (1, 2): np.kron(Z, Z)}),
}
CASES = [(name, loss) for name in STATES for loss in LOSSES]
CASES += [(n, x) for n in ("collapsed", "expanded", "RBM") for x in ("normalised", "sum")]
CASES += [(n, x) for n in ("expanded", "recursive MPS") for x in ("amplitude", "log amplitude")]
CASES += [("collapsed", x) for x in ("many regions", "many terms")]


def with_leaves(psi, arrays):
    """The state with one array for each tensor, none of them shared."""
    new = psi.copy()
    for t, x in zip(new, arrays):
        t.modify(data=x)
    return new


def leaves_of(psi):
    return [torch.tensor(np.array(t.data)) for t in psi]


def along(psi, loss, leaves, direction, h=1e-5):
    """The derivative of a loss along a direction, from two values."""
    up, down = (
        float(loss(with_leaves(psi, [x + s * h * d for x, d in zip(leaves, direction)])))
        for s in (1, -1)
    )
    return (up - down) / (2 * h)


def directions(psi, leaves, seed=0):
    """One through all tensors, and one through those that are identities (where there are)."""
    rng = np.random.default_rng(seed)
    everywhere = [torch.tensor(rng.normal(size=tuple(x.shape))) for x in leaves]
    yield everywhere
    deltas = ["DELTA" in t.tags for t in psi]
    if any(deltas):
        yield [d if delta else d * 0 for d, delta in zip(everywhere, deltas)]


@pytest.mark.parametrize(("name", "loss"), CASES)
def test_torch(name, loss):
    psi, loss = STATES[name](), {**LOSSES, **OURS}[loss]
    leaves = leaves_of(psi)
    trained = [x.clone().requires_grad_() for x in leaves]
    value = loss(with_leaves(psi, trained))
    grads = torch.autograd.grad(value, trained, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for g, x in zip(grads, leaves)]
    for direction in directions(psi, leaves):
        expected = along(psi, loss, leaves, direction)
        found = float(sum((g * d).sum() for g, d in zip(grads, direction)))
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * abs(float(value.detach())))


@pytest.mark.parametrize("mode", ["grad", "jvp", "forward"])
@pytest.mark.parametrize("name", ["collapsed", "expanded", "RBM"])
def test_transforms_of_torch(name, mode):
    psi, loss = STATES[name](), lambda p: p.isel({"k0": 0}).norm() ** 2
    leaves = leaves_of(psi)
    f = lambda *xs: loss(with_leaves(psi, xs))
    for d in directions(psi, leaves):
        if mode == "grad":
            grads = torch.func.grad(f, argnums=tuple(range(len(leaves))))(*leaves)
            found = sum((g * x).sum() for g, x in zip(grads, d))
        elif mode == "jvp":
            found = torch.func.jvp(f, tuple(leaves), tuple(d))[1]
        else:
            with torch.autograd.forward_ad.dual_level():
                duals = map(torch.autograd.forward_ad.make_dual, leaves, d)
                found = torch.autograd.forward_ad.unpack_dual(f(*duals)).tangent
        assert float(found) == pytest.approx(along(psi, loss, leaves, d), rel=1e-6)


@pytest.mark.parametrize(
    "build",
    [
        lambda net: net.collapse(),
        lambda net: net.to_tensor_network(),
        lambda net: net.collapse().normalize().multiply(2.0),
    ],
    ids=["collapsed", "expanded", "normalised"],
)
@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(3, 2, 2, 2, seed=1, loc=0.4),
        qdn.RAC.rand(3, 2, 2, seed=2, loc=0.4),
        qdn.RBM.rand(3, seed=0),
    ],
    ids=lambda net: type(net).__name__,
)
def test_by_the_weights_of_the_network(net, build):
    loss = lambda params: (
        build(net.from_params(net.geometry, params)).local_expectation_exact(Z, 1)
        + build(net.from_params(net.geometry, params)).norm()
    )
    params = {k: torch.tensor(np.array(x), requires_grad=True) for k, x in net.params.items()}
    grads = torch.autograd.grad(loss(params), list(params.values()), allow_unused=True)
    rng = np.random.default_rng(0)
    step = {k: torch.tensor(rng.normal(size=tuple(x.shape))) for k, x in params.items()}
    up, down = (
        float(loss({k: (x + s * 1e-5 * step[k]).detach() for k, x in params.items()}))
        for s in (1, -1)
    )
    found = sum(float((g * d).sum()) for g, d in zip(grads, step.values()) if g is not None)
    assert found == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-9)


def test_identities_of_constants_are_still_left_out():
    phi = STATES["collapsed"]().to("torch")
    phi["READOUT"].modify(data=phi["READOUT"].data.clone().requires_grad_())
    norm = phi.make_norm(layer_tags=None)
    assert "IDENTITY" not in norm._prepared(()).tag_map
    phi[0].modify(data=phi[0].data.clone().requires_grad_())
    assert len(phi.make_norm(layer_tags=None)._prepared(()).tag_map["IDENTITY"]) == 2
    with torch.no_grad():
        assert "IDENTITY" not in phi.make_norm(layer_tags=None)._prepared(()).tag_map


def test_copies_that_are_differentiated_apart_are_not_taken_for_one_weight():
    psi = STATES["expanded"]()
    apart = with_leaves(psi, [x.requires_grad_() for x in leaves_of(psi)])
    for call in (lambda: apart.collapse(), lambda: apart.network, lambda: apart.to_mps()):
        with pytest.raises(qdn.StructureError, match="shared_tags"):
            call()
    assert apart.shared_tags == psi.shared_tags
    tied = psi.to("torch")
    tied["READOUT"].modify(data=tied["READOUT"].data.clone().requires_grad_())
    (grad,) = torch.autograd.grad(tied.collapse().norm(), [tied["READOUT"].data])
    expected = psi.norm() / psi["READOUT"].data.size  # homogeneous of degree one
    assert float((grad * tied["READOUT"].data.detach()).sum()) == pytest.approx(2 * expected)
    tied[0].modify(data=tied[0].data.clone().requires_grad_())
    with pytest.raises(qdn.StructureError, match="deltas"):
        tied.collapse()
