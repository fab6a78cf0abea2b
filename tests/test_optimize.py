"""Tied weights: as many variables as the network has, and gradients that know about every copy."""

import importlib.util

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn

NETS = {
    "shared": lambda: qdn.ConvAC.rand(4, 2, 3, 2, seed=0, loc=0.5),
    "unshared omit": lambda: qdn.ConvAC.rand(4, 2, 2, 2, boundary="omit", shared=False, seed=1),
    "lattice": lambda: qdn.ConvAC.rand((2, 2), 1, 2, 3, seed=2, loc=0.5),
    "complex": lambda: qdn.ConvAC.rand(4, 1, 3, 2, dtype="complex128", seed=3),
    "RAC": lambda: qdn.RAC.rand(4, 2, 2, seed=4, loc=0.5),
}
BACKENDS = [
    "torch",
    pytest.param(
        "jax",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("jax") is None, reason="jax is not installed"
        ),
    ),
]


@pytest.fixture(autouse=True)
def double_precision():
    """jax computes in single precision unless told otherwise."""
    if importlib.util.find_spec("jax") is not None:
        import jax

        jax.config.update("jax_enable_x64", True)


def target(psi):
    if psi.geometry.ndim == 2:
        return qtn.PEPS.rand(*psi.geometry.shape, bond_dim=2, seed=9, dtype=psi.dtype)
    return qtn.MPS_rand_state(psi.nsites, 3, seed=9, dtype=psi.dtype)


def loss(psi, phi):
    overlap = psi.contract(output_inds=psi.site_inds, preserve_tensor=True)
    other = phi.contract(all, output_inds=psi.site_inds, preserve_tensor=True)
    a, b = overlap.data.reshape(-1), other.data.reshape(-1)
    return 1 - abs((b.conj() * a).sum()) ** 2 / abs((a.conj() * a).sum())


def optimizer(psi, backend):
    return qtn.TNOptimizer(
        psi,
        loss,
        loss_constants={"phi": target(psi)},
        tags=psi.shared_tags,
        shared_tags=psi.shared_tags,
        autodiff_backend=backend,
        progbar=False,
    )


def count(net):
    return net.num_params * (2 if "complex" in net.dtype else 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_number_of_variables(name, backend):
    net = NETS[name]()
    assert optimizer(net.to_tensor_network(), backend).vectorizer.d == count(net)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_gradient_equals_central_differences(name, backend):
    """quimb's gradient over all copies = differences of the network's own amplitudes."""
    net = NETS[name]()
    psi = net.to_tensor_network()
    opt = optimizer(psi, backend)
    x = opt.vectorizer.vector.copy()
    value, gradient = opt.vectorized_value_and_grad(x)
    phi = target(psi).to_dense().reshape(-1)

    def moved(t, direction):
        opt.vectorizer.vector[:] = x + t * direction
        arrays = opt.vectorizer.unpack()
        params = dict(zip(opt_tags(opt, psi), arrays))
        a = type(net).from_params(net.geometry, params).to_dense().reshape(-1)
        return 1 - abs(np.vdot(phi, a)) ** 2 / np.vdot(a, a).real

    assert abs(moved(0.0, 0 * x) - value) < 1e-12
    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=x.shape)
        h = 1e-4
        steps = [moved(k * h, direction) for k in (-2, -1, 1, 2)]
        exact = (8 * (steps[2] - steps[1]) - (steps[3] - steps[0])) / (12 * h)
        assert abs(gradient @ direction - exact) < 1e-7 * max(1, abs(exact))


def opt_tags(opt, psi):
    """The tied weights in the order in which quimb packs them: by their tag."""
    by_shape = list(psi.shared_tags)
    assert len(by_shape) == len(opt.vectorizer.unpack())
    return by_shape


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETS)
def test_network_after_optimising(name, backend):
    net = NETS[name]()
    psi = net.to_tensor_network()
    before = loss(psi, target(psi))
    fitted = optimizer(psi, backend).optimize(20)
    found = fitted.network
    assert found.num_params == net.num_params and type(found) is type(net)
    assert any(np.abs(found.params[k] - net.params[k]).max() > 1e-6 for k in net.params)
    a, phi = found.to_dense().reshape(-1), target(psi).to_dense().reshape(-1)
    after = 1 - abs(np.vdot(phi, a)) ** 2 / np.vdot(a, a).real
    assert abs(after - loss(fitted, target(psi))) < 1e-10 and after < before
    again = found.to_tensor_network()
    assert fitted.distance(again) < 1e-12 * again.norm()
    for tag in fitted.shared_tags:
        copies = [t.data for t in fitted.select_tensors(tag)]
        assert all((x == copies[0]).all() for x in copies)
