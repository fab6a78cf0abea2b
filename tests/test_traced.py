"""Numbers that a compiler traces (jax, autograd): right where they can be, else refused by name."""

import copy
import importlib.util
import io
import pickle

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

needs = lambda name: pytest.mark.skipif(
    importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
)
NET = qdn.ConvAC.rand(3, 1, 2, 2, seed=1, loc=0.4)
STATES = {
    "collapsed": NET.collapse(),
    "expanded": NET.to_tensor_network(),
    "RBM": qdn.RBM.rand(3, seed=0).to_tensor_network(),
}
Z = qu.pauli("Z").real
CALLS = {
    "norm": lambda p: p.norm(),
    "fixed": lambda p: p.isel({"k0": 0}).norm(),
    "expectation": lambda p: p.local_expectation_exact(Z, 0),
    "density matrix": lambda p: p.partial_trace_exact([0, 1])[0, 1],
    "gate": lambda p: p.gate(qu.hadamard().real, 0, contract=True).isel({"k0": 1}).norm(),
    "sum": lambda p: (p + p).norm(),
    "normalised": lambda p: p.normalize().isel({"k0": 0}).norm(),
    "dense": lambda p: p.to_dense()[3, 0],
}
AMPLITUDES = {
    "amplitude": lambda p: p.amplitude("010"),
    "log amplitude": lambda p: p.log_amplitudes([[0, 1, 0]])[1][0],
}
CASES = [("collapsed", c) for c in CALLS]
CASES += [("expanded", c) for c in ("norm", "dense", *AMPLITUDES)] + [("RBM", "fixed")]


@pytest.fixture
def jax():
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


def prepared(name, call):
    """A function of the arrays of a state, the arrays, and its derivative along a direction."""
    psi, call = STATES[name], {**CALLS, **AMPLITUDES}[call]
    params, skeleton = qtn.pack(psi)
    f = lambda arrays: call(qtn.unpack(arrays, skeleton))
    rng = np.random.default_rng(0)
    step = {k: rng.normal(size=x.shape) for k, x in params.items()}
    up, down = (f({k: x + s * 1e-5 * step[k] for k, x in params.items()}) for s in (1, -1))
    return f, params, step, (up - down) / 2e-5


@needs("jax")
@pytest.mark.parametrize(("name", "call"), CASES)
def test_jax(jax, name, call):
    f, params, step, slope = prepared(name, call)
    arrays = {k: jax.numpy.asarray(x) for k, x in params.items()}
    assert float(jax.jit(f)(arrays)) == pytest.approx(float(f(params)))
    grads = jax.jit(jax.grad(f))(arrays)
    found = sum(float((grads[k] * step[k]).sum()) for k in step)
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-8)


@needs("autograd")
@pytest.mark.parametrize(("name", "call"), CASES)
def test_autograd(name, call):
    autograd = pytest.importorskip("autograd")
    f, params, step, slope = prepared(name, call)
    grads = autograd.grad(f)({k: np.array(x) for k, x in params.items()})
    found = sum(float((grads[k] * step[k]).sum()) for k in step)
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-8)


def network(readout, like):
    return qdn.ConvAC(3, [like(np.array(w)) for w in NET.weights], readout)


@needs("jax")
def test_networks_of_jax(jax):
    readout = jax.numpy.asarray(NET.readout)
    f = lambda x: network(x, jax.numpy.asarray).amplitude("010")
    assert float(f(readout)) == pytest.approx(float(NET.amplitude("010")))
    found = jax.grad(f)(readout)
    assert float(found @ readout) == pytest.approx(float(NET.amplitude("010")))  # it is linear
    with pytest.raises(qdn.WeightError, match="traced"):
        jax.jit(f)(readout)
    psi = STATES["expanded"]
    params, skeleton = qtn.pack(psi)
    for call in (lambda p: p.network, lambda p: p.collapse(), lambda p: p.to_mps()):
        with pytest.raises(qdn.StructureError, match="traced"):
            jax.jit(lambda arrays, call=call: call(qtn.unpack(arrays, skeleton)))(
                {k: jax.numpy.asarray(x) for k, x in params.items()}
            )


@needs("jax")
def test_a_traced_value_of_an_index(jax):
    psi = STATES["collapsed"].to("jax")
    f = jax.jit(lambda i: psi.isel({"k0": i}).norm())
    for i in (0, 1):
        assert float(f(i)) == pytest.approx(STATES["collapsed"].isel({"k0": i}).norm())


@needs("autograd")
def test_networks_of_autograd():
    autograd = pytest.importorskip("autograd")
    with pytest.raises(qdn.WeightError):
        autograd.grad(lambda x: network(x, np.asarray).amplitude("010"))(np.array(NET.readout))
    boxes = lambda x: network(x, lambda w: w * x[0] / x[0]).amplitude("010")
    with pytest.raises(qdn.WeightError, match="traced"):
        autograd.grad(boxes)(np.array(NET.readout))


def test_a_stack_of_torch():
    readouts = torch.randn(3, 2, dtype=torch.float64)
    with pytest.raises(qdn.WeightError, match="traced"):
        torch.func.vmap(lambda x: network(x, torch.tensor).amplitude("010"))(readouts)
    phi = NET.to("torch").collapse()
    values = torch.tensor([0, 1, 1])
    norms = torch.func.vmap(lambda i: phi.isel({"k0": i}).H @ phi.isel({"k0": i}))(values)
    expected = [float(phi.isel({"k0": int(i)}).norm() ** 2) for i in values]
    assert norms.tolist() == pytest.approx(expected)


# ---------------------------------------------------------------- what looks at numbers

MEASURES = {
    "entropy": lambda p: qdn.entropy(p, 1),
    "renyi_entropy": lambda p: qdn.renyi_entropy(p, 1),
    "schmidt_values": lambda p: qdn.schmidt_values(p, 1)[0],
    "schmidt_gap": lambda p: qdn.schmidt_gap(p, 1),
    "entropies": lambda p: qdn.entropies(p).sum(),
    "mutinf_subsys": lambda p: qdn.mutinf_subsys(p, 0, 2),
    "logneg_subsys": lambda p: qdn.logneg_subsys(p, 0, 2),
    "partial_trace_exact": lambda p: qdn.partial_trace_exact(p, 0)[0, 0],
}


def measured(form):
    """A function from a call to one of arrays, and the arrays."""
    if form == "network":
        return lambda call: lambda p: call(NET.from_params(NET.geometry, p)), dict(NET.params)
    params, skeleton = qtn.pack(STATES[form])
    return lambda call: lambda p: call(qtn.unpack(p, skeleton)), params


@needs("jax")
@pytest.mark.parametrize("form", ["collapsed", "expanded"])
@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_jax(jax, form, name):
    made, params = measured(form)
    f, arrays = made(MEASURES[name]), {k: jax.numpy.asarray(x) for k, x in params.items()}
    for transform in (jax.jit, lambda f: jax.jit(jax.grad(f))):
        with pytest.raises(qdn.MethodError, match="call it outside"):
            transform(f)(arrays)
    rng = np.random.default_rng(0)
    step = {k: rng.normal(size=x.shape) for k, x in params.items()}
    up, down = (f({k: x + s * 1e-5 * step[k] for k, x in params.items()}) for s in (1, -1))
    grads = jax.grad(f)(arrays)
    found = sum(float((grads[k] * step[k]).sum()) for k in step)
    assert found == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("form", ["collapsed", "expanded", "network"])
@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_torch_func(form, name):
    made, params = measured(form)
    f, arrays = made(MEASURES[name]), {k: torch.tensor(x) for k, x in params.items()}
    for transform in (torch.func.grad(f), lambda p: torch.func.jvp(f, (p,), (p,))):
        with pytest.raises(qdn.MethodError, match="require grad"):
            transform(arrays)


def test_conversions_and_samples_of_torch_func():
    made, params = measured("network")
    arrays = {k: torch.tensor(x) for k, x in params.items()}
    calls = {
        "to_mps": lambda net: net.to_mps()[0].data.sum(),
        "sampling": lambda net: torch.tensor(qdn.renyi2_estimate(net, 1, samples=64, chains=16)[0]),
    }
    for name, call in calls.items():
        with pytest.raises(qdn.MethodError, match=f"{name}.*call it outside"):
            torch.func.grad(made(call))(arrays)


@needs("jax")
def test_what_computes_with_numpy_says_so(jax):
    made, params = measured("collapsed")
    arrays = {k: jax.numpy.asarray(x) for k, x in params.items()}
    with pytest.raises(qdn.MethodError, match="exact method"):
        jax.grad(made(lambda p: qdn.entropy(p, 1, method="approx", tol=0.5, seed=0)))(arrays)


# ---------------------------------------------------------------- what has no derivatives

TERMS = {0: Z}
NUMBERS = {
    "energy": lambda net: qdn.energy(net, TERMS),
    "GroundState": lambda net: qdn.GroundState(net, TERMS, method="full").history["step"].sum(),
    "fit": lambda net: qdn.fit(net, np.ones(8), steps=1).fidelity,
    "target of a fit": lambda net: qdn.fit(NET, net, steps=1).fidelity,
    "target": lambda net: qdn.fit(NET, net.to_dense(), steps=1).fidelity,
    "cross": lambda net: net.to_mps(method="cross", seed=0).norm(),
    "to_mps": lambda net: net.to_mps().norm(),
    "contract_sliced": lambda net: qdn.contract_sliced(net, "norm"),
    "renyi2_estimate": lambda net: qdn.renyi2_estimate(net, 1, samples=64, chains=16)[0],
    "conversion to numpy": lambda net: net.to("numpy").norm(),
    "pickle": lambda net: pickle.loads(pickle.dumps(net)).norm(),
}


def made_of(call):
    return lambda params: call(NET.from_params(NET.geometry, params))


@needs("jax")
@pytest.mark.parametrize("name", NUMBERS)
def test_zeros_do_not_come_out_of_jax(jax, name):
    arrays = {k: jax.numpy.asarray(x) for k, x in NET.params.items()}
    with pytest.raises(qdn.MethodError, match=r"call it outside|does not keep gradients"):
        jax.grad(made_of(NUMBERS[name]))(arrays)
    with pytest.raises(qdn.WeightError, match="traced"):
        jax.jit(made_of(NUMBERS[name]))(arrays)


@pytest.mark.parametrize("name", NUMBERS)
def test_zeros_do_not_come_out_of_torch_func(name):
    arrays = {k: torch.tensor(x) for k, x in NET.params.items()}
    with pytest.raises(qdn.MethodError, match=r"call it outside|does not keep gradients"):
        torch.func.grad(made_of(NUMBERS[name]))(arrays)


@needs("jax")
def test_conversions_and_hashes_under_jax(jax):
    arrays = {k: jax.numpy.asarray(x) for k, x in NET.params.items()}
    with pytest.raises(qdn.OptionError, match="cannot convert"):
        jax.grad(made_of(lambda net: net.to("torch").amplitude("010").item()))(arrays)
    with pytest.raises(TypeError, match="not hashable"):
        jax.grad(made_of(lambda net: float(hash(net))))(arrays)


def test_copies_draws_and_files_under_torch_func(tmp_path):
    arrays = {k: torch.tensor(x) for k, x in NET.params.items()}
    for same in (copy.copy, copy.deepcopy, lambda net: net.copy()):
        found = torch.func.grad(made_of(lambda net, same=same: same(net).amplitude("010")))(arrays)
        expected = torch.func.grad(made_of(lambda net: net.amplitude("010")))(arrays)
        for name in arrays:
            assert torch.equal(found[name], expected[name])
    for call in (
        lambda net: net.sample(2, seed=0),
        lambda net: net.sample(2, method="metropolis", seed=0),
        lambda net: qdn.save(net, tmp_path / "net.npz"),
    ):
        with pytest.raises(qdn.MethodError, match="call it outside"):
            torch.func.grad(made_of(call))(arrays)


@needs("jax")
@pytest.mark.parametrize("call", ["amplitudes", "flip_ratios", "log_derivatives"])
def test_traced_configurations_of_jax(jax, call):
    with pytest.raises(qdn.ConfigError, match="one batch"):
        jax.jit(getattr(NET, call))(jax.numpy.asarray([[0, 1, 0]]))


@pytest.mark.parametrize("call", ["amplitudes", "flip_ratios", "log_derivatives"])
def test_stacked_configurations_of_torch(call):
    one = lambda config: getattr(NET.to("torch"), call)(config[None])
    with pytest.raises(qdn.ConfigError, match="one batch"):
        torch.func.vmap(one)(torch.tensor([[0, 1, 0], [1, 1, 0]]))


# ---------------------------------------------------------------- derivatives of derivatives


def derivatives(params):
    return NET.from_params(NET.geometry, params).log_derivatives([[0, 1, 0]]).sum()


@needs("jax")
def test_log_derivatives_under_jax_are_refused_where_zeros_would_come_out(jax):
    arrays = {k: jax.numpy.asarray(x) for k, x in NET.params.items()}
    assert float(derivatives(arrays)) == pytest.approx(float(derivatives(dict(NET.params))))
    with pytest.raises(qdn.MethodError, match="differentiate log_amplitudes"):
        jax.grad(derivatives)(arrays)


def test_log_derivatives_and_ratios_under_transforms_of_torch():
    arrays = {k: torch.tensor(x) for k, x in NET.params.items()}
    with pytest.raises(qdn.MethodError, match="differentiate log_amplitudes"):
        torch.func.grad(derivatives)(arrays)
    ratio = lambda p: NET.from_params(NET.geometry, p).flip_ratios([[0, 1, 0]])[0, 1, 0]
    found = torch.func.grad(ratio)(arrays)
    for name, x in NET.params.items():
        step = np.zeros(x.shape)
        step.flat[0] = 1e-6
        up, down = (ratio({**NET.params, name: x + s * step}) for s in (1, -1))
        assert float(found[name].flatten()[0]) == pytest.approx((up - down) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("like", ["numpy", "jax"])
def test_operators_that_are_traced(like):
    """Right by every state; networks of jax, which look at their numbers, say so."""
    jax = pytest.importorskip("jax")
    net = qdn.ConvAC.rand(4, 2, 2, 2, seed=0).to(like)
    Z = np.diag([1.0, -1.0])
    for state in (net, net.collapse(), net.to_tensor_network()):
        right = float(state.local_expectation_exact(Z, 0))
        f = jax.jit(lambda G, state=state: state.local_expectation_exact(G, 0))
        if state is net and like == "jax":
            with pytest.raises(qdn.MethodError, match="traced"):
                f(jax.numpy.asarray(Z))
        else:
            assert float(f(jax.numpy.asarray(Z))) == pytest.approx(right, rel=1e-5)


# ---------------------------------------------------------------- what every refusal names

CALLED = {
    "hash": lambda net: float(hash(net)),
    "torch": lambda net: net.to("torch").norm().item(),
    "derivatives": lambda net: net.log_derivatives([[0, 1, 0]]).sum(),
    "sample": lambda net: float(net.sample(2, seed=0).sum()),
    "Metropolis": lambda net: float(net.sample(2, method="metropolis", seed=0).sum()),
    "rank": lambda net: float(net.schmidt_rank(1)),
    "entropy": lambda net: net.entropy(1),
    "amplitude": lambda net: net.amplitude("010").real,
    "file": lambda net: (qdn.save(net, io.BytesIO()), 0.0)[1],
}
FAMILIES = {"ConvAC": NET, "RAC": qdn.RAC.rand(3, 2, 2, seed=0), "RBM": qdn.RBM.rand(3, seed=0)}


@needs("jax")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [*NUMBERS, *CALLED])
def test_refusals_name_the_pure_function(jax, family, name):
    """Networks built under jit and vmap, and what has no derivatives under grad."""
    net, call = FAMILIES[family], {**NUMBERS, **CALLED}[name]
    f = lambda params: jax.numpy.asarray(call(net.from_params(net.geometry, params)), float)
    arrays = {k: jax.numpy.asarray(x) for k, x in net.params.items()}
    with pytest.raises(qdn.WeightError, match="to_function"):
        jax.jit(f)(arrays)
    with pytest.raises(qdn.WeightError, match="to_function"):
        jax.vmap(f)({k: x[None] for k, x in arrays.items()})
    if family == "RBM" and name in ("to_mps", "rank"):  # which it has not, here or elsewhere
        with pytest.raises(qdn.DeepNetError, match="has no"):
            call(net)
    else:
        try:
            jax.grad(f)(arrays)
        except (qdn.DeepNetError, TypeError) as error:
            assert "to_function" in str(error)
    params, apply = net.to_function()
    assert np.isfinite(jax.jit(apply)(params, jax.numpy.asarray([[0, 1, 0]]))).all()


@needs("jax")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("call", ["amplitudes", "log_amplitudes", "flip_ratios", "log_derivatives"])
def test_refusals_of_traced_configurations_name_it_too(jax, family, call):
    config = jax.numpy.asarray([[0, 1, 0]])
    for net in (FAMILIES[family], FAMILIES[family].to("jax"), FAMILIES[family].evaluator()):
        f = getattr(net, call)
        for traced in (jax.jit(f), jax.vmap(lambda x, f=f: f(x[None]))):
            with pytest.raises(qdn.ConfigError, match="to_function"):
                traced(config)


@needs("jax")
@pytest.mark.parametrize("name", MEASURES)
def test_refusals_of_traced_states_name_it_too(jax, name):
    made, params = measured("collapsed")
    arrays = {k: jax.numpy.asarray(x) for k, x in params.items()}
    with pytest.raises(qdn.MethodError, match="to_function"):
        jax.jit(made(MEASURES[name]))(arrays)
