"""Random weights: their distributions, seeds and shapes; and what unusual sizes do."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.numerics.weights import make_rng, random_array

from .reference import conv_vector

MANY = (200, 200)


def draw(**kwargs):
    return random_array(MANY, make_rng(0), **kwargs)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_normal(dtype):
    x = draw(dtype=dtype)
    assert abs(x.mean()) < 0.02 and abs((abs(x) ** 2).mean() - 1) < 0.02
    if dtype == "complex128":
        assert abs((x.real**2).mean() - 0.5) < 0.02 and abs((x**2).mean()) < 0.02


def test_uniform_and_rademacher():
    x = draw(dist="uniform")
    assert -1 <= x.min() < -0.99 and 0.99 < x.max() < 1
    assert set(np.unique(draw(dist="rademacher"))) == {-1.0, 1.0}
    z = draw(dist="rademacher", dtype="complex64")
    assert np.allclose(abs(z), 1) and z.dtype == "complex64"


def test_loc_and_scale():
    x = draw(loc=3.0, scale=0.5)
    assert abs(x.mean() - 3) < 0.02 and abs(x.std() - 0.5) < 0.02
    assert np.allclose(x, 3 + 0.5 * draw())


@pytest.mark.parametrize("dtype", [np.float32, "float32", np.dtype("float32")])
def test_dtypes_may_be_objects(dtype):
    assert qdn.ConvAC.rand(4, 1, 2, 2, dtype=dtype).dtype == "float32"


def test_seeds():
    make = lambda seed: qdn.RAC.rand(4, 2, 3, seed=seed).amplitude("0110")
    assert make(1) == make(1) != make(2)
    rng = np.random.default_rng(1)
    assert make(rng) != make(rng), "a generator goes on"
    assert make(None) != make(None)


def test_initial_states_are_ones_and_no_part_of_the_graph():
    readout = torch.ones(2, requires_grad=True)
    net = qdn.RAC(3, [torch.eye(2)], [torch.ones(2, 2)], None, readout)
    assert (net.initial[0] == 1).all() and not net.initial[0].requires_grad


# ---------------------------------------------------------------- unusual sizes


def test_large_local_dimension():
    net = qdn.ConvAC.rand(1, 1, 1, 2, phys_dim=300, seed=0)
    amplitudes = net.amplitudes(np.arange(300)[:, None])
    assert np.abs(net.to_dense()[:, 0] / amplitudes - 1).max() < 1e-14


@pytest.mark.parametrize("shape", [1, (1, 4), (4, 1), (1, 1)])
def test_thin_lattices(shape):
    net = qdn.ConvAC.rand(shape, 2, 2, 2, boundary="periodic", seed=0)
    v = conv_vector(net)
    psi = net.to_tensor_network()
    for found in (net.to_dense(), psi.to_dense()):
        assert np.abs(found[:, 0] - v).max() <= 1e-13 * np.linalg.norm(v)


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
@pytest.mark.parametrize("kernel", [4, 5, 7])
def test_kernels_longer_than_the_chain(kernel, boundary):
    net = qdn.ConvAC.rand(3, 1, kernel, 2, boundary=boundary, phys_dim=5, seed=0)
    v = conv_vector(net)
    for found in (net.to_dense(), net.to_tensor_network(nodes="dense").to_dense()):
        assert np.abs(found[:, 0] - v).max() <= 1e-13 * np.linalg.norm(v)


def test_layers_shared_and_not():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(4, 2, 3, 2)), rng.normal(size=(2, 2, 3))]
    net = qdn.ConvAC(4, weights, rng.normal(size=2))
    assert not net.shared and net.geometry.shared == (False, True)
    v = conv_vector(net)
    psi = net.to_tensor_network()
    for found in (net.to_dense(), psi.to_dense(), psi.network.to_dense()):
        assert np.abs(found[:, 0] - v).max() <= 1e-13 * np.linalg.norm(v)
    assert net.num_params == 4 * 2 * 6 + 2 * 6 + 2 == sum(x.size for x in net.params.values())


def test_gradients_where_a_channel_is_zero():
    """The derivative in a weight that is zero, of a channel far larger than the others."""
    net = qdn.ConvAC.rand(4, 2, 2, 2, seed=0)
    top = net.weights[1].copy()
    top[:, 1, :] *= 100
    readout = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    state = qdn.ConvAC(4, [torch.tensor(net.weights[0]), torch.tensor(top)], readout)
    (gradient,) = torch.autograd.grad(state.amplitudes([[0, 1, 1, 0]])[0], readout)
    for c in (0, 1):  # psi is linear in the read-out
        unit = np.eye(2)[c]
        exact = qdn.ConvAC(4, [net.weights[0], top], unit).amplitude("0110")
        assert abs(float(gradient[c]) - exact) < 1e-13 * abs(exact)


def test_single_precision_near_its_range():
    """Tiny weights, huge read-out: both forms stay exact to the precision of float32."""
    net = qdn.ConvAC.rand(6, 1, 2, 2, seed=1, scale=10**-3.5, dtype="float32")
    readout = (net.readout / abs(net.readout).max() * 1e36).astype("float32")
    net = qdn.ConvAC(6, net.weights, readout)
    exact = net.to(dtype="float64").amplitude("011010")
    assert abs(net.amplitude("011010") / exact - 1) < 1e-5
    assert abs(net.to_tensor_network().amplitude("011010") / exact - 1) < 1e-5


@pytest.mark.parametrize("like", ["float32", "torch", "torch-complex64"])
def test_empty_batches_keep_dtype_and_backend(like):
    net = qdn.RAC.rand(4, 2, 2, seed=0).to(like)
    none = np.zeros((0, 4), int)
    for state in (net, net.to_tensor_network()):
        found = (state.amplitudes(none), *state.log_amplitudes(none))
        some = (state.amplitudes(none[:0].tolist() or [[0] * 4]), *state.log_amplitudes([[0] * 4]))
        for a, b in zip(found, some):
            assert a.shape == (0,) and a.dtype == b.dtype and type(a) is type(b)


def test_budget_of_dense_states():
    net = qdn.ConvAC.rand(40, 1, 2, 2, seed=0)
    with pytest.raises(qdn.BudgetError, match=f"needs {3 * 8 * 2**40} bytes"):
        net.to_dense()
    small = qdn.ConvAC.rand(3, 1, 2, 2, seed=0)
    assert small.to_dense(max_bytes=192).shape == (8, 1)
    with pytest.raises(qdn.BudgetError, match="192 bytes"):
        small.to_dense(max_bytes=191)


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand((3, 3), 2, (2, 3), 3, seed=0),
        qdn.RAC.rand(4, 1, 3, phys_dim=5, seed=0),
        qdn.RAC.rand(4, 2, 3, seed=0),
    ],
    ids=repr,
)
def test_size_of_dense_nodes(net):
    psi = net.to_tensor_network(nodes="dense")
    assert max(t.size for t in psi) == net.geometry.dense_size()


def test_converted_copies_are_writable():
    import quimb.tensor as qtn

    for mode in ("copy", "tree", "mps"):
        tn = qdn.dup(qtn.rand_tensor((2,) * 4, "abcd").to("torch"), {"k": list("abcd")}, mode=mode)
        for t in tn.select_tensors("DELTA"):
            t.data.mul_(2.0)
        again = qdn.dup(qtn.rand_tensor((2,) * 4, "abcd"), {"k": list("abcd")}, mode=mode)
        assert all(t.data.max() == 1 for t in again.select_tensors("DELTA"))


@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: qdn.ConvAC.rand(4, 1, 2, 2, dtype=dtype),
        lambda dtype: qdn.RAC.rand(4, 1, 2, dtype=dtype),
        lambda dtype: qdn.RBM.rand(4, dtype=dtype),
        lambda dtype: qdn.RecursiveTree.rand(4, 1, 2, 2, dtype=dtype),
        lambda dtype: qdn.RecursiveMPS.rand(4, 1, 2, dtype=dtype),
        lambda dtype: qdn.ConvAC.graph_state(4, 1, 2, dtype=dtype),
    ],
)
def test_new_weights_of_a_dtype_of_torch_are_refused(make):
    with pytest.raises(qdn.OptionError, match=r"dtype='float32', then \.to\('torch'\)"):
        make(torch.float32)
    make(np.float32)
