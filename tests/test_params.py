"""A network is a value: its weights are kept in one place, and every reader reads that place."""

import copy
import pickle

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn

CONFIG = "01101"
NETS = {
    "chain": lambda: qdn.ConvAC.rand(5, 2, 3, 3, seed=1, scale=0.5),
    "unshared": lambda: qdn.ConvAC.rand(5, 2, 3, 2, seed=1, shared=False, boundary="omit"),
    "complex": lambda: qdn.ConvAC.rand(5, 2, 2, 2, seed=1, dtype="complex128"),
    "recurrent": lambda: qdn.RAC.rand(5, 2, 3, seed=1),
    "boltzmann": lambda: qdn.RBM.rand(5, seed=1),
    "graph": lambda: qdn.ConvAC.graph_state(5, distance=2, kernel=3),
}
CLONES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "deepcopy": copy.deepcopy,
    "to numpy": lambda net: net.to("numpy"),
    "to torch": lambda net: net.to("torch"),
}


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]()


def trainable(net):
    """The same network with leaves of torch that require grad."""
    net = net.to("torch")
    for x in net.params.values():
        x.requires_grad_()
    return net


def every_reader(net, path):
    """The amplitude of one configuration by everything that reads the weights."""
    qdn.save(net, path)
    readers = {
        "amplitude": net.amplitude(CONFIG),
        "dense": net.to_dense()[int(CONFIG, 2), 0],
        "file": qdn.load(path).amplitude(CONFIG),
        "params": net.from_params(net.geometry, net.params).amplitude(CONFIG),
        "vector": net.with_vector(net.vector).amplitude(CONFIG),
        "to": net.to("numpy").amplitude(CONFIG),
        "torch": net.to("torch").amplitude(CONFIG),
        "network": net.to_tensor_network().isel({f"k{n}": int(x) for n, x in enumerate(CONFIG)})
        ^ all,
    }
    return {name: complex(x) for name, x in readers.items()}


def check_readers(net, path, expected=None):
    values = every_reader(net, path)
    expected = values["amplitude"] if expected is None else expected
    assert all(np.isclose(x, expected, rtol=1e-12) for x in values.values()), values


def all_readable(net):
    return all(not x.flags.writeable for x in [*net.params.values(), *net.params.leaves.values()])


@pytest.mark.parametrize("clone", CLONES)
def test_clones_are_whole(net, clone, tmp_path):
    expected = complex(net.amplitude(CONFIG))
    check_readers(CLONES[clone](net), tmp_path / "net.npz", expected)
    check_readers(CLONES[clone](CLONES["to torch"](net)), tmp_path / "net.npz", expected)


@pytest.mark.parametrize("clone", CLONES)
def test_arrays_of_numpy_cannot_be_written(net, clone):
    again = CLONES[clone](net)
    if again.backend == "numpy":
        assert all_readable(again)
        with pytest.raises(ValueError, match="read-only"):
            next(iter(again.params.values()))[:] = 0


def test_nothing_can_be_assigned(net):
    name = next(iter(net.params))
    with pytest.raises(qdn.WeightError, match=r"with_params\(\{'W|with_params\(\{'VIS"):
        net.params[name] = net.params[name]
    with pytest.raises(qdn.WeightError, match="cannot be assigned"):
        del net.params[name]
    words = {
        qdn.RAC: ["hidden_weights", "input_weights", "initial", "readout"],
        qdn.RBM: ["visible_bias", "hidden_bias", "weights"],
    }.get(type(net), ["weights", "readout"])
    names = {name for name in dir(type(net)) if not name.startswith("_")}
    for word in names.union(words):  # properties and methods alike
        with pytest.raises(qdn.WeightError, match=f"{word} of a .* cannot be assigned"):
            setattr(net, word, 0)


def test_arrays_that_were_given_may_be_edited_afterwards():
    w, r = np.ones((2, 2, 2)), np.ones(2)
    net = qdn.ConvAC(4, [w], r)
    before = net.amplitude("0110")
    w[:], r[:] = 5, 7
    assert net.amplitude("0110") == before and w.flags.writeable
    locked = np.ones(2)
    view = locked[:]
    view.flags.writeable = False  # read-only, but its base is not
    net = qdn.ConvAC(4, [np.ones((2, 2, 2))], view)
    locked[:] = 9
    assert net.amplitude("0110") == before


@pytest.mark.parametrize("clone", CLONES)
def test_trained_in_place(net, clone, tmp_path):
    """Gradients reach the values of ``params``, and a step is seen by every reader."""
    start = complex(net.amplitude(CONFIG))
    mine = trainable(net)
    if clone in ("pickle", "deepcopy"):
        mine = CLONES[clone](mine)
    leaves = list(mine.params.values())
    assert all(x.is_leaf and x.requires_grad for x in leaves)
    mine.log_amplitudes([[0, 1, 1, 0, 1]])[1].sum().backward()
    by_names = mine.log_derivatives([[0, 1, 1, 0, 1]])[0]
    flat = torch.cat([x.grad.reshape(-1) for x in leaves])
    holomorphic = by_names if not by_names.is_complex() else by_names.conj()
    assert torch.allclose(flat, holomorphic.detach(), atol=1e-12)
    torch.optim.SGD(leaves, lr=0.01).step()
    value = complex(mine.amplitude(CONFIG).detach())
    assert value != start and complex(net.amplitude(CONFIG)) == start
    with torch.no_grad():
        check_readers(mine, tmp_path / "net.npz", value)
        check_readers(CLONES[clone](mine), tmp_path / "net.npz", value)


def test_arrays_of_torch_are_those_that_were_given(tmp_path):
    """Stacked weights that require grad are the leaves; trained or replaced, they are read."""
    w = torch.rand(3, 2, 2, dtype=torch.float64, requires_grad=True)
    r = torch.rand(2, dtype=torch.float64, requires_grad=True)
    net = qdn.ConvAC(5, [w], r)
    assert net.weights[0] is w and net.readout is r and net.params.leaves["W1"] is w
    (grad,) = torch.autograd.grad(net.amplitude(CONFIG), w)
    for change in (lambda x: x.mul_(2.0), lambda x: setattr(x, "data", torch.rand_like(x))):
        with torch.no_grad():
            change(w)
            check_readers(net, tmp_path / "net.npz")
            assert torch.equal(net.weights[0], w) and torch.equal(net.params["W1,1"], w[1])
    assert torch.autograd.grad(net.amplitude(CONFIG), w)[0].shape == grad.shape


@pytest.mark.parametrize("clone", ["pickle", "deepcopy"])
def test_a_clone_trains_leaves_of_its_own(clone):
    w = torch.rand(3, 2, 2, dtype=torch.float64, requires_grad=True)
    net = qdn.ConvAC(5, [w], torch.ones(2, dtype=torch.float64))
    again = CLONES[clone](net)
    leaf = again.weights[0]
    assert leaf is not w and leaf.is_leaf and leaf.requires_grad
    (mine,) = torch.autograd.grad(again.amplitude(CONFIG), leaf)
    assert torch.equal(mine, torch.autograd.grad(net.amplitude(CONFIG), w)[0])
    hidden = (2 * w).detach().requires_grad_() * 3  # not a leaf
    assert CLONES[clone](qdn.ConvAC(5, [hidden], torch.ones(2).double())).weights[0].is_leaf


def test_deepcopy_keeps_what_is_shared():
    net = trainable(qdn.RAC.rand(4, 1, 2, seed=0))
    again, leaves = copy.deepcopy((net, list(net.params.values())))
    assert all(a is b for a, b in zip(again.params.values(), leaves))


def test_to_shares_no_memory(net):
    there = net.to("torch")
    back = there.to("torch"), there.to("numpy")
    before = [n.amplitude(CONFIG) for n in (net, *back)]
    with torch.no_grad():
        for x in there.params.values():
            x.mul_(2.0)
    assert [n.amplitude(CONFIG) for n in (net, *back)] == before
    assert there.amplitude(CONFIG) != before[0]


def test_to_is_differentiable():
    source = trainable(qdn.RAC.rand(4, 1, 2, seed=0))
    there = source.to("torch-complex128")
    there.amplitude("0110").real.backward()
    assert all(x.grad is not None for x in source.params.values())


@pytest.mark.parametrize("bit", ["conj", "neg"])
def test_lazy_bits_are_resolved(bit, tmp_path):
    net = NETS["complex"]().to("torch")
    if bit == "conj":
        conjugate = net.to_tensor_network().H.network
        expected = np.conj(complex(net.amplitude(CONFIG)))
    else:
        params = {k: torch.imag(x.conj()) for k, x in net.params.items()}
        assert any(x.is_neg() for x in params.values())
        conjugate = qdn.ConvAC.from_params(net.geometry, params)
        expected = complex(conjugate.amplitude(CONFIG))
        assert expected
    check_readers(conjugate, tmp_path / "net.npz", expected)
    check_readers(copy.deepcopy(conjugate), tmp_path / "net.npz", expected)


def test_tensors_of_a_network_may_be_written():
    """In place, as quimb's tensors may be: the network stays what it was, the state follows."""
    net = NETS["chain"]()
    psi = net.to_tensor_network()
    psi["READOUT"].data[:] *= 2
    assert np.isclose(psi.network.amplitude(CONFIG), 2 * net.amplitude(CONFIG))
    assert np.isclose(psi.amplitude(CONFIG), 2 * net.amplitude(CONFIG))
    there = net.to_tensor_network()
    there.apply_to_arrays(torch.as_tensor)  # quimb's way to move a network: shares its memory
    there["READOUT"].data.mul_(3)
    assert np.isclose(there.network.amplitude(CONFIG).item(), 3 * net.amplitude(CONFIG))


def test_vector(net):
    assert net.vector.shape == (net.num_params,)
    twice = net.with_vector(2 * net.vector)
    assert all(np.array_equal(twice.params[k], 2 * x) for k, x in net.params.items())
    assert list(twice.params) == list(net.params) == list(net.geometry.param_shapes)
    with pytest.raises(qdn.WeightError, match=r"shape \(3,\) is not one of the"):
        net.with_vector(np.ones(3))


def test_with_params():
    net = qdn.RAC.rand(4, 2, 2, seed=0)
    new = net.with_params({"WH2": np.eye(2)})
    assert np.array_equal(new.params["WH2"], np.eye(2)) and new.params["WH1"] is net.params["WH1"]
    with pytest.raises(qdn.WeightError, match="unknown"):
        net.with_params({"WH3": np.eye(2)})
    with pytest.raises(qdn.WeightError, match="every amplitude is a multiple of it"):
        net.with_params({"READOUT": np.zeros(2)})
    with pytest.raises(qdn.OptionError, match=r"not the geometry of a RAC.*net.geometry"):
        qdn.RAC.from_params(net, net.params)
    with pytest.raises(qdn.WeightError, match="give a dict"):
        qdn.RAC.from_params(net.geometry, 3)


def test_devices_are_compared():
    meta = torch.ones(2, dtype=torch.float64, device="meta")
    with pytest.raises(qdn.WeightError, match=r"mixed devices: cpu .*, meta"):
        qdn.ConvAC(4, [torch.ones(2, 2, 2, dtype=torch.float64)], meta)
    with pytest.raises(qdn.WeightError, match="meta"):
        qdn.RBM(2, meta, meta, torch.ones(2, 2, dtype=torch.float64, device="meta"))


@pytest.mark.parametrize("kind", NETS)
def test_gradients_through_tensor_networks(kind):
    """Weights of a network, through its tensor network, beside the gradient of its dense vector."""
    net = NETS[kind]().to("torch")
    leaves = [x.requires_grad_() for x in net.params.values()]
    size = lambda x: (abs(x) ** 2).sum()
    expected = torch.autograd.grad(size(net.to_dense()), leaves)
    for value in (net.to_tensor_network().norm() ** 2, size(net.to_tensor_network().to_dense())):
        scale = max(float(abs(x).max()) for x in expected)
        for got, right in zip(torch.autograd.grad(value, leaves), expected):
            assert torch.allclose(got, right, rtol=0, atol=1e-12 * scale)
