"""The general ways, of any network, against the fast ones; evaluators that are never stale."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.chunks import map_chunks
from quimb_deepnets.evaluation.general import autograd_derivatives, general_plan, masked_ratios
from quimb_deepnets.evaluation.masks import flips_of
from quimb_deepnets.evaluation.ratios import by_value

NETS = {
    "ring": lambda d: qdn.ConvAC.rand(7, 2, 3, 3, boundary="periodic", dtype=d, seed=1),
    "unshared": lambda d: qdn.ConvAC.rand(5, 2, 2, 3, shared=False, dtype=d, seed=2),
    "qutrits": lambda d: qdn.ConvAC.rand(4, 2, 3, 2, phys_dim=3, dtype=d, seed=3),
    "lattice": lambda d: qdn.ConvAC.rand((2, 3), 2, 2, 2, dtype=d, seed=4),
    "one layer": lambda d: qdn.ConvAC.rand(5, 1, 2, 3, dtype=d, seed=4),
    "recurrent": lambda d: qdn.RAC.rand(5, 2, 3, phys_dim=3, dtype=d, seed=5),
    "boltzmann": lambda d: qdn.RBM.rand((2, 3), 2, scale=0.6, dtype=d, seed=6),
    "graph": lambda d: qdn.ConvAC.graph_state(6, 2, 3, dtype=d),
}
DTYPES = {"float64": 1e-11, "complex128": 1e-11, "float32": 2e-3, "complex64": 2e-3}
FAMILIES = pytest.mark.parametrize("name", NETS)


def configs_of(net, count=6, seed=0):
    return np.random.default_rng(seed).integers(
        net.phys_dim, size=(count, *net.geometry.shape), dtype=np.int8
    )


def zero_at_ones():
    """A network whose amplitudes vanish wherever two neighbours are both 1, in every channel."""
    first = np.ones((2, 2, 2)) + np.arange(8).reshape(2, 2, 2) / 10
    first[:, :, 1] = [[1, 0], [0, 1]]  # (1, 0) * (0, 1), summed by the second layer
    weights = [first, np.array([[[1.0, 1.0], [1.0, 1.0]]])]
    return qdn.ConvAC(4, weights, np.array([1.0, 0.7]), boundary="periodic")


def changed_ratios(net, batch):
    """All flips from whole amplitudes, and how many at once."""
    ratios, size = masked_ratios(net, flips_of(net.nsites, net.phys_dim), batch)
    return lambda x: by_value(ratios(x), x, net.phys_dim), size


def numpy(x):
    return np.asarray(x.detach() if isinstance(x, torch.Tensor) else x)


@FAMILIES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_general_ratios_and_derivatives_are_those_of_the_family(name, dtype, backend):
    net = NETS[name](dtype).to(backend)
    configs, tol = configs_of(net), DTYPES[dtype]
    for general, own in (
        (changed_ratios(net, 3), net.flip_ratios(configs)),
        (autograd_derivatives(net), net.log_derivatives(configs)),
    ):
        for chunk in (None, 4):
            found = map_chunks(net, general[0], configs, general[1], chunk)
            assert type(found) is type(own) and found.dtype == own.dtype
            assert numpy(found) == pytest.approx(numpy(own), rel=tol, abs=tol * 10)
        empty = map_chunks(net, general[0], configs[:0], general[1])
        assert empty.shape == own[:0].shape and empty.dtype == own.dtype


@FAMILIES
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_ratios_of_masks(name, backend):
    net = NETS[name]("float64").to(backend)
    configs, masks = configs_of(net), configs_of(net, 5, seed=1)
    psi = numpy(net.to_dense()).reshape((net.phys_dim,) * net.nsites)
    at = lambda c: psi[tuple(c.reshape(-1))]
    expected = [[at((c + m) % net.phys_dim) / at(c) for m in masks] for c in configs]
    ev = net.evaluator()
    for chunk in (None, 4):
        assert numpy(ev.ratios(configs, masks, chunk)) == pytest.approx(np.array(expected))
    given = torch.tensor(configs), masks.tolist()
    assert numpy(ev.ratios(*given)) == pytest.approx(np.array(expected))
    assert ev.ratios(configs[:0], masks).shape == (0, 5)
    assert ev.ratios(configs, masks[:0]).shape == (6, 0)
    assert (numpy(ev.ratios(configs, 0 * masks)) == 1).all()
    with pytest.raises(qdn.BudgetError, match="ratios"):
        ev.ratios(configs, masks, max_bytes=10)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_amplitudes_of_zero(backend):
    net, configs = zero_at_ones().to(backend), np.array([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]])
    assert net.amplitude("1100") == 0
    zero = np.array([False, True, False])
    for general, own in (
        (changed_ratios(net, 3), net.flip_ratios(configs)),
        (autograd_derivatives(net), net.log_derivatives(configs)),
    ):
        found = numpy(map_chunks(net, general[0], configs, general[1]))
        assert np.isnan(found[zero]).all() and np.isfinite(found[~zero]).all()
        assert found == pytest.approx(numpy(own), rel=1e-12, abs=1e-12, nan_ok=True)
    flips = np.eye(4, dtype=int)
    found, ratios = numpy(net.evaluator().ratios(configs, flips)), numpy(net.flip_ratios(configs))
    assert np.isnan(found[1]).all()
    for b in (0, 2):
        expected = [ratios[b, n, 1 - configs[b, n]] for n in range(4)]
        assert found[b] == pytest.approx(np.array(expected), abs=1e-14)


def test_codes_of_large_local_dimensions_do_not_wrap_around():
    M = 20_000
    net = qdn.RAC.rand(2, 1, 2, phys_dim=M, seed=0)
    configs, masks = [[M - 1, M - 2]], [[M - 1, 1], [1, M - 1]]
    amplitude = lambda *c: net.amplitude(list(c))
    psi = amplitude(M - 1, M - 2)
    expected = np.array([[amplitude(M - 2, M - 1), amplitude(0, M - 3)]]) / psi
    assert net.evaluator().ratios(configs, masks) == pytest.approx(expected)
    ratios = net.flip_ratios(configs)
    some = [0, 1, 2**14, M - 1]
    expected = np.array([amplitude(m, M - 2) for m in some]) / psi
    assert ratios[0, 0, some] == pytest.approx(expected)


WRITES = {
    "no_grad": lambda x: x.mul_(2),
    "data": lambda x: x.data.mul_(2),
    "swap": lambda x: setattr(x, "data", x.data * 2),
    "numpy": lambda x: np.multiply(x.detach().numpy(), 2, out=x.detach().numpy()),
}


@FAMILIES
@pytest.mark.parametrize("way", WRITES)
def test_weights_trained_in_place_between_calls_are_noticed(name, way):
    net = NETS[name]("float64").to("torch")
    configs, ev = configs_of(net), net.evaluator()
    calls = {
        "amplitudes": lambda e: e.amplitudes(configs),
        "log": lambda e: e.log_amplitudes(configs)[1],
        "flips": lambda e: e.flip_ratios(configs),
        "derivatives": lambda e: e.log_derivatives(configs),
        "ratios": lambda e: e.ratios(configs, configs[:2]),
    }
    for _ in range(2):
        for call in calls.values():
            assert torch.equal(call(ev), call(net.evaluator()))
        WRITES[way](next(iter(net.params.leaves.values())))


@FAMILIES
def test_evaluators_of_weights_that_require_grad(name):
    net = NETS[name]("float64").to("torch")
    leaves = list(net.params.leaves.values())
    for x in leaves:
        x.requires_grad_()
    configs, ev = configs_of(net), net.evaluator()
    for _ in range(2):  # a graph of its own each time
        (ev.log_amplitudes(configs)[1].sum() + ev.ratios(configs, configs[:1]).sum()).backward()
    assert all(x.grad is not None for x in leaves)
    assert not ev.log_derivatives(configs).requires_grad
    expected = ev.log_derivatives(configs)
    with torch.no_grad():
        leaves[-1].mul_(2)
    assert not torch.equal(ev.log_derivatives(configs), expected)


@FAMILIES
def test_the_general_plan_serves_every_family(name):
    net = NETS[name]("float64")
    plan = general_plan(net, 5)
    assert "5 amplitudes" in repr(plan) and plan.chunk >= 1
    with pytest.raises(qdn.GeometryError):
        general_plan(net, 0)


def test_a_plan_follows_batches_that_grow():
    net = qdn.ConvAC.rand(8, 2, 3, 3, seed=0)
    ev = net.evaluator()
    for count, planned in ((1, 1), (2, 1), (40, 40), (3, 40), (80, 40)):
        ev.log_amplitudes(np.zeros((count, 8), int))
        assert f"batch={planned})" in repr(ev)
    fixed = net.evaluator(batch=5)
    fixed.log_amplitudes(np.zeros((40, 8), int))
    assert "batch=5)" in repr(fixed)
