"""Every backend and dtype against numpy's double precision; gradients against differences."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn

NETS = {
    "chain": {"shape": 6, "depth": 2, "kernel": 3, "bond_dim": 3},
    "omit": {"shape": 6, "depth": 2, "kernel": 3, "bond_dim": 3, "boundary": "omit"},
    "unshared": {"shape": 5, "depth": 2, "kernel": 2, "bond_dim": 3, "shared": False},
    "lattice": {"shape": (2, 3), "depth": 2, "kernel": 2, "bond_dim": 3, "boundary": "periodic"},
}
CUDA = torch.cuda.is_available()


def make(name, dtype, **kwargs):
    if name == "RAC":
        return qdn.RAC.rand(6, 2, 3, dtype=dtype, seed=0, **kwargs)
    return qdn.ConvAC.rand(**NETS[name], dtype=dtype, seed=0, **kwargs)


def states(net):
    return np.random.default_rng(0).integers(0, 2, (9, *net.geometry.shape))


@pytest.mark.parametrize("name", [*NETS, "RAC"])
@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32", "complex64"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_numbers_and_dtypes(name, dtype, backend):
    net = make(name, dtype)
    double = net.to(dtype="complex128" if "complex" in dtype else "float64")
    exact = double.amplitudes(states(net))
    there = net.to(backend)
    assert there.backend == backend and there.dtype == dtype
    found = there.amplitudes(states(net))
    assert np.asarray(found).dtype == dtype
    eps = np.finfo(dtype).eps
    assert np.abs(np.asarray(found) - exact).max() < 500 * eps * np.linalg.norm(exact)
    phase, logabs = there.log_amplitudes(states(net))
    assert np.asarray(phase).dtype == dtype
    assert np.asarray(logabs).dtype == np.finfo(dtype).dtype


@pytest.mark.parametrize("name", [*NETS, "RAC"])
def test_expanded_networks_in_torch(name):
    net = make(name, "float64")
    psi = net.to("torch").to_tensor_network()
    assert all(isinstance(t.data, torch.Tensor) for t in psi)
    exact = net.to_dense()
    assert np.abs(psi.to_dense().numpy() - exact).max() < 1e-12 * np.linalg.norm(exact)
    assert psi.network.backend == "torch"


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, "list", "torch", "torch uint8"])
def test_kinds_of_configs(kind):
    net = make("chain", "float64")
    configs = states(net)
    exact = net.amplitudes(configs)
    if kind == "list":
        configs = configs.tolist()
    elif isinstance(kind, str):
        configs = torch.as_tensor(configs).to(torch.uint8 if "uint8" in kind else torch.int64)
    else:
        configs = configs.astype(kind)
    assert (net.amplitudes(configs) == exact).all()
    assert np.abs(net.to("torch").amplitudes(configs).numpy() - exact).max() < 1e-13


def five_point(f, h):
    """The central difference of fourth order."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("name", [*NETS, "RAC"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_equal_central_differences(name, dtype):
    """d/dw of log|psi| and of |amplitude|, for every kind of weight, in torch."""
    net = make(name, dtype, loc=0.7, scale=0.4)  # no amplitude near zero
    configs = states(net)[:3]
    direction = {
        k: np.random.default_rng(i).normal(size=x.shape)
        for i, (k, x) in enumerate(net.params.items())
    }

    def value(t, log):
        params = {k: x + t * direction[k] for k, x in net.params.items()}
        moved = type(net).from_params(net.geometry, params)
        return (
            moved.log_amplitudes(configs)[1].sum() if log else abs(moved.amplitudes(configs)).sum()
        )

    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    tracked = type(net).from_params(net.geometry, params)
    for log in (True, False):
        exact = five_point(lambda t, log=log: value(t, log), 1e-5)
        if log:
            loss = tracked.log_amplitudes(configs)[1].sum()
        else:
            loss = tracked.amplitudes(configs).abs().sum()
        grads = torch.autograd.grad(loss, list(params.values()))
        found = sum(
            float((g.real * torch.as_tensor(direction[k])).sum()) for k, g in zip(params, grads)
        )
        assert abs(found - exact) < 1e-8 * max(1.0, abs(exact))


@pytest.mark.skipif(not CUDA, reason="no CUDA device: torch.cuda.is_available() is False")
@pytest.mark.parametrize("name", [*NETS, "RAC"])
@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
def test_cuda(name, dtype):
    net = make(name, dtype)
    there = net.to("torch-cuda")
    for configs in (states(net), torch.as_tensor(states(net)).cuda()):
        found = there.amplitudes(configs)
        assert found.device.type == "cuda"
        phase, logabs = there.log_amplitudes(configs)
        assert phase.device.type == logabs.device.type == "cuda"
        exact = net.amplitudes(states(net))
        eps = np.finfo(dtype).eps
        assert np.abs(found.cpu().numpy() - exact).max() < 500 * eps * np.linalg.norm(exact)
    for method in ("log_derivatives", "flip_ratios"):
        found = getattr(there, method)(states(net)[:3])
        assert found.device.type == "cuda"
        exact = getattr(net, method)(states(net)[:3])
        assert np.abs(found.cpu().numpy() - exact).max() < 1e5 * eps * np.abs(exact).max()
    phi = there.collapse()
    assert {t.data.device.type for t in phi} == {"cuda"}
    assert phi.partial_traces_exact([net.sites[:1]])[0].device.type == "cuda"
    psi = there.to_tensor_network()
    assert {t.data.device.type for t in psi} == {"cuda"}
    dense = psi.to_dense()
    assert dense.device.type == "cuda"
    assert np.abs(dense.cpu().numpy() - net.to_dense()).max() < 500 * eps * psi.norm().cpu().numpy()
