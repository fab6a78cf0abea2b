"""Entanglement across the smallest cut of a network, against dense vectors and quimb."""

import math

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import from_networks, view_of
from quimb_deepnets.entanglement.halves import FactorPlan, GramPlan, halves_of

G = qdn.GCLayer
WARM = {"dist": "uniform"}  # most plain random weights give nearly product states
CLOSE = {"float32": 2e-4, "complex64": 2e-4, "float64": 1e-9, "complex128": 1e-9}
NETS = {
    "ones": lambda **k: qdn.ConvAC.rand(8, 2, 3, 3, seed=1, **(WARM | k)),
    "omit": lambda **k: qdn.ConvAC.rand(8, 2, 2, 2, boundary="omit", seed=2, **(WARM | k)),
    "valid": lambda **k: qdn.ConvAC.rand(9, 2, 3, 2, boundary="valid", seed=3, **(WARM | k)),
    "periodic": lambda **k: qdn.ConvAC.rand(
        8, 2, 3, 2, boundary="periodic", seed=4, loc=1.0, scale=0.6, **k
    ),
    "torus": lambda **k: qdn.ConvAC.rand(
        (3, 3), 2, 2, 2, boundary="periodic", seed=5, **(WARM | k)
    ),
    "lattice": lambda **k: qdn.ConvAC.rand((2, 4), 2, 2, 3, seed=6, **(WARM | k)),
    "unequal": lambda **k: qdn.ConvAC.rand(8, layers=[G(3, 2), G(2, 3)], seed=7, **(WARM | k)),
    "oblong": lambda **k: qdn.ConvAC.rand(
        (2, 4), layers=[G((1, 2), 2), G((2, 1), 2)], **(WARM | k), seed=8
    ),
    "strided": lambda **k: qdn.ConvAC.rand(
        8, layers=[G(3, 2, 2), G(2, 2, 2)], seed=9, **(WARM | k)
    ),
    "tree": lambda **k: qdn.ConvAC.rand(8, layers=[G(2, 3, 2)] * 3, seed=10, **(WARM | k)),
    "unshared": lambda **k: qdn.ConvAC.rand(7, 2, 3, 2, shared=False, seed=11, **(WARM | k)),
    "deep": lambda **k: qdn.ConvAC.rand(7, 3, 2, 2, seed=12, **(WARM | k)),
    "rac": lambda **k: qdn.RAC.rand(7, 2, 2, seed=13, **(WARM | k)),
}
STATES = {
    "mps": lambda: qtn.MPS_rand_state(9, 4, seed=0),
    "cyclic mps": lambda: qtn.MPS_rand_state(9, 3, cyclic=True, seed=1),
    "complex mps": lambda: qtn.MPS_rand_state(8, 5, dtype="complex128", seed=2),
    "qutrits": lambda: qtn.MPS_rand_state(6, 4, phys_dim=3, seed=3),
    "peps": lambda: qtn.PEPS.rand(3, 3, 2, seed=4),
    "complex peps": lambda: qtn.PEPS.rand(2, 4, 3, dtype="complex128", seed=5),
    "mera": lambda: qtn.MERA.rand(8, seed=6),
    "rbm": lambda: qdn.RBM.rand(8, seed=7).to_tensor_network(),
    "expanded": lambda: qdn.ConvAC.rand(5, 2, 2, 2, seed=8, loc=1.0).to_tensor_network().isel({}),
    "dense nodes": lambda: qdn.ConvAC.rand(5, 2, 2, 2, seed=8).to_tensor_network(nodes="dense"),
    "product": lambda: qtn.MPS_product_state([np.array([0.6, 0.8])] * 5),
}


def vector(state):
    """The amplitudes as an array with one axis for each site."""
    view = view_of(state)
    if isinstance(state, qtn.TensorNetwork):
        inds = [state.site_ind(site) for site in view.sites]
        tn = state.view_as(qtn.TensorNetwork)
        return np.asarray(tn.contract(all, output_inds=inds).data)
    return np.asarray(state.to_dense()).reshape(view.dims)


def schmidt(x, places):
    """Schmidt values from the singular values of the vector."""
    rest = [i for i in range(x.ndim) if i not in places]
    matrix = x.transpose(*places, *rest).reshape(math.prod(x.shape[i] for i in places), -1)
    values = np.linalg.svd(matrix, compute_uv=False).astype("float64") ** 2
    return values / values.sum()


def bits(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def subsets(count, seed=0):
    """Some blocks and some scattered subsets, as places."""
    rng = np.random.default_rng(seed)
    scattered = (rng.permutation(count)[: rng.integers(1, count)].tolist() for _ in range(2))
    return [list(range(count // 2)), *scattered]


def named(state, places):
    sites = view_of(state).sites
    return [sites[i] for i in places]


def check(state, close=1e-9):
    x = vector(state)
    for places in subsets(x.ndim):
        where, exact = named(state, places), schmidt(x, places)
        assert abs(float(qdn.entropy(state, where, method="cut")) - bits(exact)) < close
        values = np.asarray(qdn.schmidt_values(state, where, method="cut"))
        assert np.abs(values - exact[: len(values)]).max() < close
        assert exact[len(values) :].sum() < close


@pytest.mark.parametrize("name", NETS)
def test_deep_networks(name):
    check(NETS[name](dtype="complex128" if len(name) % 2 else "float64"))


@pytest.mark.parametrize("name", ["ones", "lattice", "rac"])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision(name, dtype):
    check(NETS[name](dtype=dtype), CLOSE[dtype])


def test_three_levels():
    check(qdn.ConvAC.rand(6, 2, 3, 3, phys_dim=3, seed=0))
    check(qdn.ConvAC.rand((2, 3), 2, 2, 2, phys_dim=3, boundary="omit", seed=1))
    check(qdn.RAC.rand(5, 2, 2, phys_dim=3, seed=2))


@pytest.mark.parametrize("name", STATES)
def test_quimb_states(name):
    check(STATES[name]())


@pytest.mark.parametrize("name", ["lattice", "periodic", "peps", "mera", "cyclic mps"])
def test_both_forms_for_each_cut(name):
    """Gram matrices and QR decompositions, along the cut closest to either side."""
    state = NETS[name]() if name in NETS else STATES[name]()
    view, x = view_of(state), vector(state)
    ket = view.views["network"].value
    tn = ket.tn._prepared(ket.inds)
    for places in subsets(x.ndim, seed=1):
        exact = bits(schmidt(x, places))
        pairs = halves_of(
            tn, [ket.inds[i] for i in places], [ket.inds[i] for i in view.rest(places)]
        )
        assert 1 <= len(pairs) <= 2
        for pair in pairs:
            for kind in (GramPlan, FactorPlan):
                plan = kind.of(tn, pair) if kind is GramPlan else kind(tn, pair)
                assert plan.cost().bytes > 0 and plan.cost().flops > 0
                assert abs(plan.spectrum().entropy() - exact) < 1e-9


@pytest.mark.parametrize("form", ["network", "collapsed", "expanded"])
def test_forms_of_a_lattice(form):
    net = qdn.ConvAC.rand((4, 4), 2, 2, 2, seed=0, loc=1.0)
    state = {"network": net, "collapsed": net.collapse(), "expanded": net.to_tensor_network()}[form]
    rng = np.random.default_rng(0)
    x = vector(net)
    for size in (1, 5, 8):
        places = rng.permutation(16)[:size].tolist()
        found = qdn.entropy(state, named(net, places), method="cut")
        assert abs(found - bits(schmidt(x, places))) < 1e-9


def test_numbers_read_from_the_spectrum():
    net = NETS["lattice"](dtype="complex128")
    where, p = named(net, [0, 3, 5]), schmidt(vector(net), [0, 3, 5])
    assert abs(net.schmidt_gap(where, method="cut") - (p[0] - p[1])) < 1e-9
    for alpha in (0.5, 2, math.inf):
        exact = -np.log2(p[0]) if alpha == math.inf else np.log2((p**alpha).sum()) / (1 - alpha)
        assert abs(net.renyi_entropy(where, alpha, method="cut") - exact) < 1e-9
    rest = [site for site in net.sites if site not in where]
    negativity = 2 * np.log2(np.sqrt(p).sum())
    assert abs(net.logneg_subsys(where, rest, method="cut") - negativity) < 1e-9


@pytest.mark.parametrize("name", ["lattice", "torus", "periodic", "unshared", "peps", "cyclic mps"])
def test_all_cuts(name):
    state = NETS[name]() if name in NETS else STATES[name]()
    x = vector(state)
    exact = [bits(schmidt(x, list(range(cut)))) for cut in range(1, x.ndim)]
    assert np.abs(qdn.entropies(state, method="cut") - exact).max() < 1e-9
    some = qdn.entropies(state, [5, 2, 5], method="cut")
    assert np.abs(some - [exact[i] for i in (4, 1, 4)]).max() < 1e-9


def test_mutual_information():
    net = NETS["lattice"]()
    x = vector(net)
    a, b = [0, 1], [6, 7]
    exact = bits(schmidt(x, a)) + bits(schmidt(x, b)) - bits(schmidt(x, a + b))
    found = net.mutinf_subsys(named(net, a), named(net, b), method="cut")
    assert abs(found - exact) < 1e-9


def test_small_values_are_kept():
    """Schmidt values down to 1e-24, through a bond that holds their roots."""
    sigma = 10.0 ** -np.arange(0, 13, 2)
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.normal(size=(8, 7)))[0] for _ in range(2))
    left = qtn.Tensor((u * sigma).reshape(2, 2, 2, 7), ("k0", "k1", "k2", "b"))
    right = qtn.Tensor(v.T.reshape(7, 2, 2, 2), ("b", "k3", "k4", "k5"))
    state = qtn.TensorNetworkGenVector.new(sites=range(6), site_ind_id="k{}", site_tag_id="I{}")
    for n, t in enumerate((left, right)):
        t.add_tag([f"I{i}" for i in range(3 * n, 3 * n + 3)])
        state |= t
    values = qdn.schmidt_values(state, [0, 1, 2], method="cut")
    assert np.allclose(values, sigma**2 / (sigma**2).sum(), rtol=1e-3, atol=0)
    p = sigma**2 / (sigma**2).sum()
    assert abs(qdn.entropy(state, [0, 1, 2], method="cut") - bits(p)) < 1e-12


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_any_scale(scale):
    """The scale of a state, and of its parts, changes nothing."""
    peps = STATES["peps"]()
    exact = qdn.entropy(peps, [(0, 0), (1, 2)], method="dense")
    t = next(iter(peps))
    t.modify(data=t.data * scale)
    peps.exponent = 1000.0
    assert abs(qdn.entropy(peps, [(0, 0), (1, 2)], method="cut") - exact) < 1e-9


def test_a_network_beyond_the_range_of_floats():
    net = qdn.ConvAC.rand((4, 4), 3, 2, 2, scale=1e30, seed=0)
    exact = qdn.entropy(net, 8, method="dense")
    assert abs(qdn.entropy(net, 8, method="cut") - exact) < 1e-9


@pytest.mark.parametrize("name", ["ones", "lattice", "periodic"])
def test_gradients(name):
    net = NETS[name](dtype="complex128" if name == "ones" else "float64")
    places = [0, 2, 3]
    found = []
    for method in ("cut", "dense"):
        of_torch = net.to("torch")
        leaves = {k: v.clone().requires_grad_() for k, v in of_torch.params.items()}
        where = named(net, places)
        value = of_torch.with_params(leaves).entropy(where, method=method)
        value.backward()
        found.append(torch.cat([x.grad.reshape(-1) for x in leaves.values()]))
    assert (found[0] - found[1]).abs().max() < 1e-6 * found[1].abs().max()
    assert found[1].abs().max() > 1e-6


def test_torch_values():
    net = NETS["lattice"](dtype="complex128")
    where = named(net, [1, 2, 4])
    found = net.to("torch").entropy(where, method="cut")
    assert isinstance(found, torch.Tensor)
    assert abs(float(found) - net.entropy(where, method="dense")) < 1e-9


@pytest.mark.parametrize("name", ["lattice", "periodic", "unshared", "peps", "cyclic mps", "mera"])
def test_negativity_of_two_blocks(name):
    state = NETS[name](dtype="complex128") if name in NETS else STATES[name]()
    x = vector(state)
    for a, b in (([0, 1], [5, 6]), ([3], [4, 0, 2])):
        rest = [i for i in range(x.ndim) if i not in a + b]
        psi = x.transpose(*a, *b, *rest).reshape(2 ** len(a), 2 ** len(b), -1)
        rho = np.einsum("abc,ABc->AbaB", psi, psi.conj()).reshape(2 ** len(a + b), -1)
        exact = np.log2(abs(np.linalg.eigvalsh(rho / np.linalg.norm(psi) ** 2)).sum())
        found = qdn.logneg_subsys(state, named(state, a), named(state, b), method="cut")
        assert abs(found - exact) < 1e-9


def test_blocks_too_large_for_their_density_matrix():
    """Two blocks of 8 sites: the bonds around them are enough."""
    mps = qtn.MPS_rand_state(40, 3, seed=0)
    found = qdn.logneg_subsys(mps, range(4, 16), range(18, 30), max_bytes=2**25, method="cut")
    assert abs(found - qdn.logneg_subsys(mps, range(8, 16), range(18, 25), method="cut")) < 1
    with pytest.raises(qdn.BudgetError):
        qdn.logneg_subsys(mps, range(4, 16), range(18, 30), max_bytes=2**25, method="reduced")


def test_auto_takes_it_and_refusals_name_it():
    net = qdn.ConvAC.rand((6, 6), 2, 2, 3, dist="uniform", seed=0)
    plan = net.entanglement_plan(18)
    assert plan.chosen == "cut"
    assert abs(net.entropy(18) - net.entropy(18, method="cut")) < 1e-12
    with pytest.raises(qdn.BudgetError, match=r"'cut' \(.*cut .* flops"):
        net.entropy(18, max_bytes=1000)


def test_where_windows_are_too_large_the_expanded_network_serves(monkeypatch):
    net = qdn.ConvAC.rand(12, layers=[G(2, 3, 2), G(3, 3, 3), G(2, 3, 2)], dist="uniform", seed=0)
    where = [0, 1, 4, 5, 7, 10]
    exact = net.entropy(where, method="dense")
    monkeypatch.setattr(from_networks, "MAX_WINDOWS", 1)
    assert abs(net.entropy(where, method="cut") - exact) < 1e-9
    deep = qdn.ConvAC.rand(64, layers=[G(2, 3, 2)] * 6, dist="uniform", seed=0)
    values = deep.schmidt_values([*range(12), *range(32, 40)])
    assert 1 < len(values) <= 27 and abs(values.sum() - 1) < 1e-12
    wide = qdn.ConvAC.rand((6, 6), 4, 3, 2, seed=0)  # at no level either
    with pytest.raises(qdn.BudgetError, match="window tensors"):
        wide.entropy(18, method="cut")


def test_a_state_that_cancels_is_refused():
    psi = qdn.ConvAC.rand((3, 3), 2, 2, 2, dist="uniform", seed=0).collapse()
    with pytest.raises(qdn.RangeError):
        qdn.entropy(psi - psi, 4, method="cut")
