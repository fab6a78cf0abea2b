"""Networks as pure functions: right in numpy, jax and torch, compiled, stacked, differentiated."""

import importlib.util
import warnings

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn

from .reference import conv_vector, rac_vector

NETS = {
    "chain": qdn.ConvAC.rand(4, 2, 3, 2, seed=0),
    "lattice": qdn.ConvAC.rand(
        (2, 3), 2, 2, 2, boundary="omit", shared=False, dtype="complex128", seed=0
    ),
    "RAC": qdn.RAC.rand(4, 2, 3, phys_dim=3, seed=0),
    "RBM": qdn.RBM.rand(4, seed=0),
    "graph state": qdn.ConvAC.graph_state(4, 1, 2),
}
CASES = pytest.mark.parametrize("name", NETS)


@pytest.fixture
def jax():
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


def batch(net, count=5):
    return np.random.default_rng(1).integers(0, net.phys_dim, (count, net.nsites))


def exact(net, x):
    phase, log = net.log_amplitudes(x.reshape(len(x), *net.geometry.shape))
    return np.log(phase.astype(complex)) + log


def same(found, wanted, tol=1e-12):
    difference = np.asarray(found) - np.asarray(wanted)
    angle = np.exp(1j * difference.imag) - 1
    return abs(difference.real).max() < tol and abs(angle).max() < tol


def direction(params):
    """Random steps of parameters, and their size."""
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=x.shape) for name, x in params.items()}, 1e-6


@CASES
def test_numpy_against_nested_loops(name):
    net = NETS[name]
    params, apply = net.to_function()
    x = np.array(list(np.ndindex(*[net.phys_dim] * net.nsites)))
    vectors = {"chain": conv_vector, "lattice": conv_vector, "RAC": rac_vector}
    wanted = vectors.get(name, lambda net: net.to_dense())(net).ravel()
    found = np.exp(apply(params, x))
    assert found.shape == wanted.shape
    assert abs(found - wanted).max() < 1e-12 * abs(wanted).max()
    assert net.with_params(params).params == net.params


@CASES
def test_jax(jax, name):
    net = NETS[name]
    params, apply = net.to("jax").to_function()
    x = batch(net)
    for f in (apply, jax.jit(apply), jax.jit(jax.vmap(apply, (None, 0)))):
        assert same(f(params, x), exact(net, x))
    assert same(jax.jit(apply)(params, x[None, :, :].astype(float))[0], exact(net, x))
    assert apply(params, x[0]).shape == ()
    loss = lambda p: jax.numpy.real(apply(p, x)).sum()
    grads, (step, h) = jax.jit(jax.grad(loss))(params), direction(params)
    up, down = (loss({k: v + s * h * step[k] for k, v in params.items()}) for s in (1, -1))
    found = sum(float((grads[k] * step[k]).sum().real) for k in step)
    assert found == pytest.approx(float(up - down) / 2 / h, rel=1e-5)
    rows = jax.vmap(jax.grad(lambda p, c: jax.numpy.real(apply(p, c))), (None, 0))(params, x)
    assert all(np.allclose(rows[k].sum(0), grads[k], atol=1e-10) for k in grads)


def test_jax_in_single_precision(jax):
    net = NETS["chain"]
    jax.config.update("jax_enable_x64", False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            params, apply = net.to("jax-float32").to_function()
            found = jax.jit(apply)(params, batch(net))
        assert found.dtype == "complex64"
        assert same(found, exact(net, batch(net)), 1e-4)
    finally:
        jax.config.update("jax_enable_x64", True)


def test_traced_spins_give_nan_and_known_ones_an_error(jax):
    params, apply = NETS["RBM"].to("jax").to_function()
    x = np.array([[0, 1, 1, 0], [1, -1, 1, 0], [0, 0, 2, 0]])
    assert np.isnan(jax.jit(apply)(params, x)).tolist() == [False, True, True]
    with pytest.raises(qdn.ConfigError, match=r"holds? the entry|recode"):
        apply(params, x)


@CASES
def test_amplitudes_and_derivatives_of_jax_weights(jax, name):
    net = NETS[name]
    mine, x = net.to("jax"), batch(net).reshape(5, *net.geometry.shape)
    phase, log = mine.log_amplitudes(x)
    assert phase.dtype == net.dtype and same(np.log(np.asarray(phase) + 0j) + log, exact(net, x))
    assert np.allclose(mine.amplitudes(x), net.amplitudes(x), rtol=1e-12, atol=0)


@CASES
def test_torch_func(name):
    net = NETS[name]
    params, apply = net.to("torch").to_function()
    x = torch.as_tensor(batch(net))
    assert same(apply(params, x), exact(net, batch(net)))
    assert same(torch.func.vmap(apply, (None, 0))(params, x), exact(net, batch(net)))
    gradient = torch.func.grad(lambda p, c: apply(p, c).real)
    rows = torch.func.vmap(gradient, (None, 0))(params, x)
    wanted = net.log_derivatives(batch(net).reshape(5, *net.geometry.shape))
    found = torch.cat([row.reshape(5, -1) for row in rows.values()], 1).conj().resolve_conj()
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["chain", "RAC", "RBM"])
def test_torch_compile(name):
    net = NETS[name]
    params, apply = net.to("torch").to_function()
    compiled = torch.compile(apply, fullgraph=True, backend="aot_eager")
    params = {k: v.requires_grad_() for k, v in params.items()}
    found, wanted = (f(params, torch.as_tensor(batch(net))).real for f in (compiled, apply))
    assert torch.allclose(found, wanted, rtol=1e-12)
    mine, eager = (torch.autograd.grad(x.sum(), list(params.values())) for x in (found, wanted))
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(mine, eager))


def test_a_module_of_torch():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    module = module.double()
    function = lambda p, c: torch.func.functional_call(module, p, (c.double(),))[:, 0]
    net = qdn.TorchNetwork(function, 4, params=dict(module.named_parameters()))
    params, apply = net.to_function()
    x = torch.as_tensor(batch(net))
    assert torch.allclose(apply(params, x).real, net.log_amplitudes(x)[1])
    rows = torch.func.vmap(apply, (None, 0))(params, x)
    assert torch.allclose(rows.real, net.log_amplitudes(x)[1])


def test_zero_and_nothing_and_shapes():
    net = qdn.ConvAC(2, [np.eye(2)[None]], [1.0, 0.0])  # all sites 0
    params, apply = net.to_function()
    assert apply(params, np.array([[0, 0], [0, 1]])).real.tolist() == [0.0, -np.inf]
    assert apply(params, np.zeros((3, 0, 2), int)).shape == (3, 0)
    assert apply(params, [0, 0]).shape == ()
    lattice, apply = NETS["lattice"].to_function()
    x = batch(NETS["lattice"])
    assert np.array_equal(apply(lattice, x), apply(lattice, x.reshape(5, 2, 3)))


def test_refusals():
    params, apply = NETS["chain"].to_function()
    with pytest.raises(qdn.WeightError, match="READOUT"):
        apply({k: v for k, v in params.items() if k != "READOUT"}, batch(NETS["chain"]))
    with pytest.raises(qdn.WeightError, match="a dict of arrays"):
        apply(list(params.values()), batch(NETS["chain"]))
    with pytest.raises(qdn.ConfigError, match="have shape"):
        apply(params, np.zeros((5, 3), int))
    with pytest.raises(qdn.ConfigError, match="entry 2"):
        apply(params, np.full((1, 4), 2))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("netket") is None, reason="netket is not installed")
def test_energy_of_netket():
    import netket as nk
    import quimb as qu

    sites = range(6)
    net = qdn.ConvAC.rand(
        6, 2, 3, 4, dist="uniform", loc=1.0, scale=0.3, boundary="periodic", seed=0
    )
    params, apply = net.to("jax").to_function()
    space = nk.hilbert.Qubit(len(sites))
    state = nk.vqs.MCState(
        nk.sampler.MetropolisLocal(space, n_chains=32),
        apply_fun=lambda variables, x, **_: apply(variables["params"], x),
        variables={"params": params},
        n_samples=4096,
        seed=1,
    )
    x, z = nk.operator.spin.sigmax, nk.operator.spin.sigmaz
    model = sum(-1.0 * z(space, i) @ z(space, (i + 1) % len(sites)) for i in sites)
    model += sum(-1.0 * x(space, i) for i in sites)
    found, _ = state.expect_and_grad(model)
    X, Z = qu.pauli("X").real, qu.pauli("Z").real
    terms = {(i, (i + 1) % len(sites)): -(Z & Z) for i in sites} | {(i,): -X for i in sites}
    wanted = qdn.energy(net, terms, method="full")
    assert abs(found.mean - wanted) < 4 * found.error_of_mean
