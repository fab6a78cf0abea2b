"""What was changed after it was built is seen: shortcuts never answer for an older state."""

import numpy as np
import pytest
import quimb as qu
import torch

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(5, 2, 2, 3, seed=0)
G = np.array([[1.0, 2.0], [3.0, -1.0]])


def edit_in_place(p):
    for t in p.select("READOUT"):
        t.data[...] *= 2


def zero_readout(p):
    for t in p.select("READOUT"):
        t.modify(data=t.data * 0)


def untagged_gate(p):
    p.drop_tags("DELTA")
    p.gate_(G, 0, contract=True)


EDITS = {
    "gate": lambda p: p.gate_(G, 1, contract=True),
    "gate without tags": untagged_gate,
    "retag, gate": lambda p: (p.retag_({"DELTA": "X"}), p.gate_(G, 2, contract=True)),
    "swap legs": lambda p: p.reindex_({"k0": "k1", "k1": "k0"}),
    "zero": zero_readout,
    "complex factor": lambda p: p.multiply_(1j, spread_over=1),
    "factor": lambda p: p.multiply_(-2.0),
    "one copy": lambda p: next(iter(p.select("LAYER1"))).modify(apply=lambda x: x * 3),
    "precision": lambda p: p.astype_("complex64"),
    "delta": lambda p: p[1].modify(data=np.diag([1.0, 5.0])),
    "nothing": lambda p: None,
}


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
@pytest.mark.parametrize("edit", EDITS)
def test_amplitudes_see_every_edit(edit, nodes):
    psi = qdn.ConvAC.rand(5, 2, 2, 3, seed=0).to_tensor_network(nodes=nodes)
    if edit == "one copy" and nodes == "dense":
        pytest.skip("the same as another edit")
    psi.amplitude("01101")
    p = psi.copy()
    EDITS[edit](p)
    exact = p.amplitude("01101", optimize="greedy")
    assert abs(p.amplitude("01101") - exact) <= 1e-5 * abs(psi.amplitude("01101"))
    dense = p.to_dense(optimize="greedy")
    assert np.abs(p.to_dense() - dense).max() <= 1e-5 * np.abs(psi.to_dense()).max()
    try:
        collapsed = p.collapse().to_dense()
    except qdn.DeepNetError:
        assert edit != "nothing"
    else:
        assert np.abs(collapsed - dense).max() <= 1e-5 * np.abs(dense).max()


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
def test_edits_of_the_arrays_themselves(nodes):
    psi = qdn.ConvAC.rand(5, 2, 2, 3, seed=0).to_tensor_network(nodes=nodes)
    before = psi.amplitude("01101")
    edit_in_place(psi)
    assert abs(psi.amplitude("01101") - 2 * before) < 1e-12 * abs(before)
    for t in psi.select("LAYER2"):
        t.data[...] *= 2  # once for each tensor that shares it
    exact = psi.amplitude("01101", optimize="greedy")
    assert abs(psi.amplitude("01101") - exact) < 1e-12 * abs(exact)


def test_renamed_legs_are_not_renamed_back():
    psi = NET.to_tensor_network().reindex({"k0": "b0"})
    with pytest.raises(qdn.StructureError, match="b0"):
        psi.collapse()
    assert psi.to_dense(["b0", *(f"k{n}" for n in range(1, 5))]).shape == (32,)


def test_density_matrices_of_gated_collapsed_states():
    phi = NET.collapse()
    for gated in (
        phi.gate(G, 1, contract=True),
        phi.gate(qu.rand_matrix(4, seed=0), (1, 2), contract=True),
        phi.gate(G, 0, contract=False),
        3.0 * phi,
    ):
        rhos = gated.partial_traces_exact([(1,), (2, 1), (0, 4)])
        for where, rho in zip([(1,), (2, 1), (0, 4)], rhos):
            assert np.abs(rho - gated.partial_trace_exact(where, optimize="greedy")).max() < 1e-10
    part = phi.isel({"k0": slice(0, 1)})
    rho = part.partial_traces_exact([(2,)])[0]
    assert np.abs(rho - part.partial_trace_exact((2,), optimize="greedy")).max() < 1e-10


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_neighbours_always_come_from_the_sweep(depth, monkeypatch):
    phi = qdn.ConvAC.rand(40, depth, 2, 3, seed=0).collapse()
    monkeypatch.setattr(type(phi), "partial_trace_exact", None)
    regions = [*((n,) for n in range(40)), *((n, n + 1) for n in range(39)), (3, 2, 1), (7, 10)]
    assert len(phi.partial_traces_exact(regions)) == len(regions)


@pytest.mark.parametrize("where", [(), (1, 1), (0, 4, 0), 7.5, (9,)])
def test_regions_that_are_none(where):
    phi = NET.collapse()
    with pytest.raises(qdn.SitesError):
        phi.partial_traces_exact([where])
    with pytest.raises(qdn.SitesError):
        phi.partial_trace_exact(where)
    with pytest.raises(qdn.SitesError, match="not a list of regions"):
        phi.partial_traces_exact(3)


def test_options_of_amplitudes_are_checked_on_both_ways():
    psi = NET.to_tensor_network()
    for state in (psi, psi.gate(G, 0, contract=True)):
        with pytest.raises(TypeError):
            state.amplitudes([[0] * 5], typo=1)
        with pytest.raises(qdn.OptionError, match="plan"):
            state.amplitudes([[0] * 5], plan="bad")
    other = qdn.ConvAC.rand(6, 2, 2, 3, seed=0).plan(4)
    for configs in ([[0] * 5], np.zeros((0, 5), int)):
        with pytest.raises(qdn.OptionError, match="made for"):
            NET.amplitudes(configs, plan=other)
    for level in (True, -1, 3, 0.5, "all"):
        with pytest.raises(qdn.OptionError, match="level"):
            NET.plan(5, level=level)
    with pytest.raises(qdn.OptionError, match="group"):
        NET.plan(5, level=1, group=2)
    with pytest.raises(qdn.GeometryError):
        NET.plan(5, group=(1, 2))
    with pytest.raises(qdn.GeometryError):
        NET.plan(0)


@pytest.mark.parametrize("max_bytes", [None, "1", 0, 2.5])
def test_budgets_are_numbers(max_bytes):
    for call in (NET.to_dense, NET.collapse):
        with pytest.raises(qdn.OptionError, match="max_bytes"):
            call(max_bytes=max_bytes)
    for call in (NET.log_derivatives, NET.flip_ratios):
        with pytest.raises(qdn.OptionError, match="max_bytes"):
            call([[0] * 5], max_bytes=max_bytes)


def test_site_tags_of_collapsed_states():
    with pytest.raises(qdn.OptionError, match="H01"):
        qdn.RAC.rand(3, 2, 2, seed=0).collapse(site_tag_id="H{:02d}")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "uint32"])
def test_torch_integers(dtype):
    x = torch.zeros((1, 5), dtype=getattr(torch, dtype))
    assert NET.amplitudes(x)[0] == NET.amplitude("00000")


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("like", ["numpy", "torch"])
def test_derivatives_keep_the_dtype(dtype, like):
    x = np.zeros((3, 64), int)
    nets = [
        qdn.ConvAC.rand(64, 2, 3, 4, dtype=dtype, seed=0),
        qdn.ConvAC.rand(64, 2, 3, 4, shared=False, dtype=dtype, seed=0),
        qdn.RAC.rand(64, 2, 3, dtype=dtype, seed=0),
        qdn.RBM.rand(64, dtype=dtype, seed=0),
    ]
    for net in nets:
        net = net.to(like)
        assert str(net.log_derivatives(x).dtype).endswith(dtype)
        small = type(net).from_params(net.geometry, net.params)
        assert str(small.amplitudes(x[:0]).dtype).endswith(dtype)


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC(4, [np.stack([np.eye(2)] * 2)], np.ones(2), boundary="periodic"),
        qdn.RAC(4, [np.eye(2)], [np.eye(2)], None, np.ones(2)),
    ],
    ids=repr,
)
def test_ratios_where_psi_is_zero_are_nan(net):
    x = [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
    with np.errstate(all="ignore"):
        ratios = net.flip_ratios(x)
    assert np.isnan(ratios[[0, 2]]).all()
    assert (ratios[1] == [[1, 0]] * 4).all()


def test_ratios_below_the_range_are_zero():
    net = qdn.RAC.rand(400, 2, 8, seed=0)
    x = np.random.default_rng(0).integers(0, 2, (2, 400))
    try:
        ratios = net.flip_ratios(x)
    except qdn.RangeError as error:
        assert "a ratio has size 2**" in str(error) and "2**-" not in str(error).split(",")[0]
    else:
        assert np.isfinite(ratios).all()
    tiny = qdn.RAC(100, [np.eye(2) * 1e-30], [np.eye(2)], None, np.ones(2))
    zero = np.zeros((2, 100), int)
    zero[1, 0] = 1
    with np.errstate(all="ignore"):
        found = tiny.flip_ratios(zero)
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


def test_ratios_above_the_range_are_refused():
    """Both products fit into floats, their ratio does not: never inf."""
    net = qdn.ConvAC(8, [np.array([[[1e-140, 1e140]]] * 2)], np.ones(1), boundary="periodic")
    with pytest.raises(qdn.RangeError, match="a ratio"):
        net.flip_ratios([[0] * 8])
    assert (net.flip_ratios([[1] * 8]) == [[0, 1]] * 8).all()


def test_dense_states_fall_back_to_a_contraction():
    weights = [np.stack([np.eye(2), np.diag([1.0, 1e-60])])]
    net = qdn.ConvAC(6, weights, np.ones(2), boundary="periodic")
    with pytest.raises(qdn.RangeError):
        net.to_dense()
    dense = net.to_tensor_network().to_dense()
    assert abs(dense.max() - 1) < 1e-12 and dense.shape == (64, 1)


@pytest.mark.slow
def test_large_local_dimensions_need_no_identity():
    net = qdn.ConvAC.rand(6, 1, 1, 3, phys_dim=20000, seed=0)
    assert np.isfinite(net.log_amplitudes(np.zeros((3, 6), int))[1]).all()


def test_derivatives_of_tiny_readouts():
    net = qdn.ConvAC(5, NET.weights, np.array([1e-300, 0.0, 0.0]))
    found = net.log_derivatives([[0, 1, 1, 0, 1]])[0]
    assert np.isfinite(found).all() and found[-3] == pytest.approx(1e300)


def test_function_transforms_of_torch():
    tn = qdn.ConvAC.rand(12, 3, 3, 4, seed=0).to("torch")
    w, rest = tn.weights[0], tn.weights[1:]
    configs = torch.randint(0, 2, (4096, 12))

    def value(w, count):
        net = qdn.ConvAC(12, [w, *rest], tn.readout)
        return net.log_amplitudes(configs[:count])[1].sum()

    for count in (4, 256, 4096):
        leaf = w.clone().requires_grad_(True)
        (exact,) = torch.autograd.grad(value(leaf, count), leaf)
        found = torch.func.grad(lambda w, count=count: value(w, count))(w)
        assert (found - exact).abs().max() < 1e-10 * exact.abs().max()
        _, tangent = torch.func.jvp(lambda w, count=count: value(w, count), (w,), (w,))
        assert abs(tangent - (exact * w).sum()) < 1e-9 * abs(tangent)
    net = lambda w: qdn.ConvAC(12, [w, *rest], tn.readout)
    norm = torch.func.grad(lambda w: net(w).collapse().norm(strip_exponent=False))(w)
    leaf = w.clone().requires_grad_(True)
    (exact,) = torch.autograd.grad((net(leaf).to_dense() ** 2).sum().sqrt(), leaf)
    assert (norm - exact).abs().max() < 1e-9 * exact.abs().max()


@pytest.mark.parametrize("dtype", ["float16", "longdouble"])
def test_precisions_that_are_not_of_weights_are_refused(dtype):
    psi = qdn.ConvAC.rand(5, 2, 2, 3, seed=0).to_tensor_network()
    psi.apply_to_arrays(lambda x: x.astype(dtype))
    for call in (lambda: psi.amplitude("01101"), psi.to_dense, psi.norm):
        with pytest.raises(qdn.OptionError, match=r"use one of float32, .*astype"):
            call()
