"""Entanglement of every kind of state, against quimb's dense routines."""

import math

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import METHODS, FlatSpectrum, Spectrum, view_of
from quimb_deepnets.numerics.sizes import readable_bytes

PHASES = {"dist": "rademacher", "dtype": "complex128"}
qu.seed_rand(0)  # MERA.rand takes no seed of its own
STATES = {
    "conv": qdn.ConvAC.rand(8, 2, 3, 3, seed=0, **PHASES),
    "conv, phys_dim 3": qdn.ConvAC.rand(6, 2, 2, 3, phys_dim=3, seed=1, **PHASES),
    "ring": qdn.ConvAC.rand(7, 2, 2, 3, boundary="periodic", seed=2),
    "lattice": qdn.ConvAC.rand((3, 3), 2, 2, 3, seed=3, **PHASES),
    "rac": qdn.RAC.rand(8, depth=2, bond_dim=2, seed=4, **PHASES),
    "deep rac": qdn.RAC.rand(5, depth=3, bond_dim=3, phys_dim=3, seed=5, **PHASES),
    "rbm": qdn.RBM.rand(8, seed=6, scale=1.0, dtype="complex128"),
    "rbm on a lattice": qdn.RBM.rand((2, 4), seed=7, scale=1.0),
    "tree": qdn.RecursiveTree.rand(7, 2, 3, 3, seed=8, **PHASES),
    "tree on a lattice": qdn.RecursiveTree.rand((3, 2), 1, 2, 3, seed=9),
    "dense nodes": qdn.RecursiveTree.rand(6, 2, 2, 3, nodes="dense", seed=10, **PHASES),
    "recursive mps": qdn.RecursiveMPS.rand(6, depth=2, bond_dim=3, phys_dim=3, seed=11, **PHASES),
    "collapsed": qdn.ConvAC.rand(8, 2, 3, 3, seed=12, **PHASES).collapse(),
    "edited": qdn.RecursiveTree.rand(6, 2, 2, 3, seed=13).gate(
        qu.rand_uni(4), (1, 4), contract=True
    ),
    "mps": qtn.MPS_rand_state(10, 6, seed=14, dtype="complex128"),
    "mps, phys_dim 3": qtn.MPS_rand_state(7, 5, phys_dim=3, seed=15),
    "cyclic mps": qtn.MPS_rand_state(9, 3, cyclic=True, seed=16),
    "cyclic mps of 2": qtn.MPS_rand_state(2, 3, phys_dim=3, cyclic=True, seed=16, normalize=False),
    "product": qtn.MPS_computational_state("010110"),
    "gated mps": qtn.MPS_rand_state(6, 4, seed=17).gate(qu.rand_uni(4), (0, 3)),
    "mera": qtn.MERA.rand(8, dtype="complex128"),
    "mera, phys_dim 3": qtn.MERA.rand(4, phys_dim=3),
    "peps": qtn.PEPS.rand(3, 3, 2, seed=20, dtype="complex128"),
    "peps, phys_dim 3": qtn.PEPS.rand(2, 3, 2, phys_dim=3, seed=21),
    "any graph": qtn.TN_from_edges_rand([(0, 1), (1, 2), (2, 0), (2, 3)], 3, 2, seed=22),
    "dense 1d": qtn.Dense1D(qu.rand_ket(2**6, seed=23)),
}


def dense(state):
    """The normalised vector, in the order of the sites."""
    x = state.to_dense()
    x = np.asarray(x).reshape(-1)
    return x / np.linalg.norm(x)


def density(psi, dims, places):
    """The density matrix of some places, in the order given."""
    rest = [i for i in range(len(dims)) if i not in places]
    x = psi.reshape(dims).transpose(*places, *rest).reshape(math.prod(dims[i] for i in places), -1)
    return x @ x.conj().T


def padded(*lists):
    """Lists of values of one length, zeros behind."""
    count = max(map(len, lists))
    return [np.pad(x, (0, count - len(x))) for x in lists]


def zeros_like(state):
    """The same network, all of its entries zero."""
    state = state.copy()
    state.apply_to_arrays(lambda x: 0 * x)
    return state


def logneg(psi, dims, a, b):
    """The logarithmic negativity, of a pure bipartition from its singular values."""
    da = math.prod(dims[i] for i in a)
    if len(a) + len(b) == len(dims):
        return 2 * np.log2(
            np.linalg.svd(psi.reshape(dims).transpose(*a, *b).reshape(da, -1))[1].sum()
        )
    rho = density(psi, dims, [*a, *b])
    rho = rho.reshape(da, -1, da, len(rho) // da).transpose(2, 1, 0, 3).reshape(rho.shape)
    return np.log2(abs(np.linalg.eigvalsh(rho)).sum())


def subsets(count, seed, number=3):
    rng = np.random.default_rng(seed)
    return [
        rng.choice(count, rng.integers(1, count), replace=False).tolist() for _ in range(number)
    ]


@pytest.mark.parametrize("name", STATES)
def test_every_method_equals_dense_quimb(name):
    state = STATES[name]
    view, psi = view_of(state), dense(state)
    tried = set()
    for places in subsets(len(view.sites), len(name)):
        where = [view.sites[i] for i in places]
        rho = density(psi, view.dims, places)
        values = np.linalg.eigvalsh(rho)[::-1]
        entropy = qu.entropy_subsys(psi, view.dims, places)
        for method in METHODS.values():
            if method.view not in view.views or not method.exact:
                continue
            try:
                found = np.asarray(qdn.schmidt_values(state, where, method=method.name))
            except qdn.MethodError:  # no exact MPS for lattices and deep RACs
                assert method.name == "to_mps"
                continue
            tried.add(method.name)
            assert np.allclose(*padded(found, values), atol=1e-9, rtol=0), (method.name, where)
            assert abs(qdn.entropy(state, where, method=method.name) - entropy) < 1e-9
            if method.density is not None:
                other = qdn.partial_trace_exact(state, where, method=method.name)
                assert np.allclose(other, rho, atol=1e-9), method.name
    assert len(tried) > 1


@pytest.mark.parametrize("name", STATES)
def test_measures_equal_dense_quimb(name):
    state = STATES[name]
    view, psi = view_of(state), dense(state)
    N = len(view.sites)
    for places in subsets(N, 7 + len(name), 2):
        where = [view.sites[i] for i in places]
        values = np.linalg.eigvalsh(density(psi, view.dims, places))[::-1].clip(0)
        assert np.isclose(qdn.renyi_entropy(state, where), -np.log2((values**2).sum()), atol=1e-9)
        top = qdn.renyi_entropy(state, where, math.inf)
        assert np.isclose(top, -np.log2(values[0]), atol=1e-9)
        rest = [i for i in range(N) if i not in places]
        gap = qu.schmidt_gap(psi, view.dims, places) if rest else 1.0
        assert abs(abs(qdn.schmidt_gap(state, where)) - gap) < 1e-9
        half = max(1, len(rest) // 2)
        for others in (rest, rest[:half]):
            sysb = [view.sites[i] for i in others]
            exact = qu.mutinf_subsys(psi, view.dims, places, others)
            assert abs(qdn.mutinf_subsys(state, where, sysb) - exact) < 1e-9
            exact = logneg(psi, view.dims, places, others)
            assert abs(qdn.logneg_subsys(state, where, sysb) - exact) < 1e-9
            quimbs = qu.logneg_subsys(psi, view.dims, places, others)
            assert abs(exact - quimbs) < 1e-6  # it squares: Schmidt values of zero become 1e-8


@pytest.mark.parametrize("name", STATES)
def test_all_cuts(name):
    state = STATES[name]
    view, psi = view_of(state), dense(state)
    exact = [qu.entropy_subsys(psi, view.dims, range(i)) for i in range(1, len(view.sites))]
    assert np.allclose(qdn.entropies(state), exact, atol=1e-9)
    assert np.allclose(qdn.entropies(state, [1]), exact[:1], atol=1e-9)
    assert np.allclose(qdn.entropies(state, method="dense"), exact, atol=1e-9)


@pytest.mark.parametrize("name", STATES)
def test_dense_vectors(name):
    psi, dims = dense(STATES[name]), view_of(STATES[name]).dims
    where = subsets(len(dims), 3, 1)[0]
    exact = qu.entropy_subsys(psi, dims, where)
    for vector in (3 * psi, psi[:, None], 1e-200 * psi, torch.as_tensor(psi), qu.qarray(psi)):
        assert abs(qdn.entropy(vector, where, dims=dims) - exact) < 1e-9


def test_the_same_names_are_methods():
    for state in (STATES["conv"], STATES["tree"], STATES["rbm"], STATES["collapsed"]):
        assert state.entropy(2) == qdn.entropy(state, 2)
        assert state.schmidt_gap([0, 3]) == qdn.schmidt_gap(state, [0, 3])
        assert state.mutinf_subsys(0, [3, 4]) == qdn.mutinf_subsys(state, 0, [3, 4])
        assert np.array_equal(state.entropies(), qdn.entropies(state))
        assert np.allclose(
            state.partial_trace_exact([3, 0]), qdn.partial_trace_exact(state, [3, 0])
        )


def test_scale_does_not_matter():
    deep = qdn.ConvAC.rand(12, 5, 3, 8, scale=9.0, seed=0, **PHASES)
    assert deep.log_amplitudes([[0] * 12])[1][0] > 710  # no float holds it
    values = [qdn.entropy(deep, [0, 5, 6], method=m) for m in ("dense", "gram", "reduced")]
    assert np.allclose(values, values[0], atol=1e-9)
    mps = qtn.MPS_rand_state(10, 4, seed=0)
    exact = qdn.entropy(mps, 5)
    mps.exponent = 1000.0
    for method in ("mps", "dense", "reduced"):
        assert abs(qdn.entropy(mps, 5, method=method) - exact) < 1e-9
    mps *= 1e-150
    assert abs(qdn.entropy(mps, 5) - exact) < 1e-9


def test_results_live_where_the_state_lives():
    net = STATES["conv"].to("torch")
    for method in ("dense", "to_mps", "reduced", "gram"):
        found = qdn.entropy(net, [1, 2], method=method)
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float64
        assert abs(float(found) - qdn.entropy(STATES["conv"], [1, 2])) < 1e-9
    assert isinstance(qdn.entropies(net), torch.Tensor)
    single = STATES["mps"].copy()
    single.apply_to_arrays(lambda x: x.astype("complex64"))
    assert qdn.schmidt_values(single, 4).dtype == np.float32


@pytest.mark.parametrize("name", ["conv", "ring", "rac"])
@pytest.mark.parametrize("where", [4, [0, 2, 5]])
def test_entropy_has_a_gradient(name, where):
    """Two methods agree on the gradient by every weight, and central differences on one of it."""
    net, slopes = STATES[name].to("torch"), []
    for method in ("dense", "reduced" if name == "rac" else "to_mps"):
        params = {k: v.clone().requires_grad_() for k, v in net.params.items()}
        type(net).from_params(net.geometry, params).entropy(where, method=method).backward()
        slopes.append({k: v.grad for k, v in params.items()})
    size = max(float(x.abs().max()) for x in slopes[0].values())
    for k in params:
        assert float((slopes[0][k] - slopes[1][k]).abs().max()) < 1e-9 * size, k
    key, moved = next(iter(net.params)), []
    for step in (1e-5, -1e-5):
        shifted = {k: v.clone() for k, v in net.params.items()}
        shifted[key].view(-1)[0] += step
        moved.append(float(type(net).from_params(net.geometry, shifted).entropy(where)))
    exact = (moved[0] - moved[1]) / 2e-5
    assert abs(slopes[0][key].view(-1)[0].real.item() - exact) < 1e-6 * max(1, size)


def test_where_qr_has_no_gradient():
    """Matrices of less than full rank on the way to the MPS are refused; other methods serve."""
    twins = qdn.ConvAC.rand(8, 2, 3, 2, seed=0)  # two equal channels
    weights = [twins.weights[0], np.repeat(twins.weights[1][:, :1], 2, axis=1)]
    for net in (STATES["rac"], qdn.ConvAC(8, weights, twins.readout)):
        net = net.to("torch")
        params = {k: v.clone().requires_grad_() for k, v in net.params.items()}
        net = type(net).from_params(net.geometry, params)
        with pytest.raises(qdn.MethodError):
            net.entropy(4, method="to_mps")
        net.entropy(4, method="reduced").backward()
        assert all(bool(v.grad.isfinite().all()) for v in params.values())


# ---------------------------------------------------------------- where, tags


def test_where():
    mps, peps = STATES["mps"], STATES["peps"]
    assert qdn.entropy(mps, 3) == qdn.entropy(mps, [0, 1, 2]) == qdn.entropy(mps, range(3))
    assert qdn.entropy(mps, np.array([0, 1, 2])) == qdn.entropy(mps, 3)
    assert np.isclose(qdn.entropy(peps, 2), qdn.entropy(peps, [(0, 0), (0, 1)]))
    assert np.isclose(qdn.entropy(peps, np.array([[0, 0], [0, 1]])), qdn.entropy(peps, 2))
    assert qdn.entropy(mps, range(10)) == qdn.entropy(mps, 10) == 0
    for bad in (0, 11, -1, [], [0, 0], [10], "ab", 1.5, None, [None]):
        with pytest.raises((qdn.SitesError, qdn.OptionError), match="where="):
            qdn.entropy(mps, bad)
    with pytest.raises(qdn.SitesError, match=r"write \[\(0, 1\)\]"):
        qdn.entropy(peps, (0, 1))
    with pytest.raises(qdn.SitesError, match="share the site 2"):
        qdn.mutinf_subsys(mps, [1, 2], [2, 3])


@pytest.mark.parametrize("name", ["mps", "mera", "peps", "tree", "any graph"])
def test_tags_select_as_partition_does(name):
    state = STATES[name]
    view = view_of(state)
    tags = [state.site_tag(site) for site in view.sites[1:3]]
    places = [
        i for i, s in enumerate(view.sites) if state.site_ind(s) in state.partition(tags)[1].ind_map
    ]
    exact = (
        qu.entropy_subsys(dense(state), view.dims, places) if len(places) < len(view.sites) else 0
    )
    assert abs(qdn.entropy(state, tags=tags) - exact) < 1e-9
    with pytest.raises(qdn.SitesError, match="'NOWHERE'"):
        qdn.entropy(state, tags="NOWHERE")


def test_tags_need_tensors():
    with pytest.raises(qdn.OptionError, match="has none; use where="):
        qdn.entropy(STATES["conv"], tags="I0")
    with pytest.raises(qdn.OptionError, match="give one of the two"):
        qdn.entropy(STATES["mps"], 2, tags="I0")


def test_states_that_are_none():
    with pytest.raises(qdn.OptionError, match="not a state that is known"):
        qdn.entropy("psi", 2)
    with pytest.raises(qdn.OptionError, match="not a pure state"):
        qdn.entropy(np.eye(4), 1, dims=[2, 2])
    with pytest.raises(qdn.OptionError, match="needs the dimension"):
        qdn.entropy(np.ones(4), 1)
    with pytest.raises(qdn.OptionError, match="multiply to 8"):
        qdn.entropy(np.ones(4), 1, dims=[2, 2, 2])
    with pytest.raises(qdn.OptionError, match="knows its own"):
        qdn.entropy(STATES["mps"], 1, dims=[2] * 10)
    with pytest.raises(qdn.RangeError, match="norm"):
        qdn.entropy(np.zeros(4), 1, dims=[2, 2])
    with pytest.raises(qdn.RangeError, match="norm"):
        qdn.entropy(np.array([1, np.nan, 0, 0]), 1, dims=[2, 2], method="dense")
    open_leg = STATES["mps"].copy()
    open_leg[0].new_ind("extra", 2)
    with pytest.raises(qdn.SitesError, match="'extra'"):
        qdn.entropy(open_leg, 3)
    loose = qtn.TensorNetwork([qtn.rand_tensor((2, 2), ("k0", "k1")) for _ in range(2)])
    loose = loose.view_as(
        qtn.TensorNetworkGenVector,
        sites=(0, 1),
        site_ind_id="k{}",
        site_tag_id="I{}",
    )
    with pytest.raises(qdn.SitesError, match="dup joins"):
        qdn.entropy(loose, 1)


# ---------------------------------------------------------------- plans, budgets


def test_plans():
    net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0)
    plan = qdn.entanglement_plan(net, 8)
    methods = {"dense", "gram", "to_mps", "transfer", "cut", "reduced", "approx"}
    assert {row["method"] for row in plan.rows} == methods
    searches = {"cut", "reduced"}  # for paths, which takes longer than what is quick without
    fitting = [row for row in plan.rows if row["reason"] is None and row["method"] not in searches]
    assert plan.chosen == min(fitting, key=lambda row: row["flops"])["method"]
    assert f"* {plan.chosen}" in repr(plan) and "log10 flops" in repr(plan)
    assert "approximate: only by name" in repr(plan)
    long = qdn.entanglement_plan(qdn.RAC.rand(100, depth=2, bond_dim=2, seed=0), 50)
    assert long.chosen == "to_mps" and "too much memory" in repr(long)
    assert readable_bytes(2**100) == "1.1e+12 EiB" and readable_bytes(2**5000) == "far more"


def test_budgets():
    lattice = qdn.ConvAC.rand((10, 10), 3, 3, 4, seed=0)
    with pytest.raises(qdn.BudgetError, match=r"bytes.*renyi2_estimate"):
        qdn.entropy(lattice, 50)
    with pytest.raises(qdn.BudgetError, match=r"RBM need \d{12} bytes by 'dense'"):
        qdn.entropy(qdn.RBM.rand(34, seed=0), 17, method="dense")
    with pytest.raises(qdn.BudgetError, match="max_flops"):
        qdn.entropy(qdn.RBM.rand(60, seed=0), 4, method="gram", max_flops=1e12)
    with pytest.raises(qdn.OptionError, match="method='fast'"):
        qdn.entropy(STATES["mps"], 2, method="fast")
    with pytest.raises(qdn.MethodError, match=r"use one of"):
        qdn.entropy(STATES["mps"], 2, method="to_mps")
    with pytest.raises(qdn.OptionError, match="does not take 'checkpoint'"):
        qdn.entropy(STATES["mps"], 2, checkpoint="x.npz")
    with pytest.raises(qdn.OptionError, match="alpha=-1"):
        qdn.renyi_entropy(STATES["mps"], 2, alpha=-1)


def test_spectra():
    spectrum = Spectrum(np.array([3.0, 1.0, 0.0, -1e-17]))
    assert spectrum.values.tolist() == [0.75, 0.25, 0, 0] and spectrum.gap() == 0.5
    assert spectrum.renyi(0) == 1 and spectrum.renyi(1) == spectrum.entropy()
    flat = FlatSpectrum(3)
    listed = Spectrum(flat.values)
    assert flat.entropy() == listed.entropy() == flat.renyi(2) == listed.renyi(2)
    assert flat.gap() == listed.gap() == 0 and FlatSpectrum(0).gap() == 1
    with pytest.raises(qdn.BudgetError, match=r"2\*\*2500"):
        _ = FlatSpectrum(2500).values


@pytest.mark.slow
def test_large_matrices_by_their_gram_matrix():
    psi = np.random.default_rng(0).normal(size=2**22)
    exact = np.linalg.svd(psi.reshape(2**11, 2**11), compute_uv=False) ** 2
    found = qdn.schmidt_values(psi, 11, dims=[2] * 22)
    assert np.allclose(found, exact / exact.sum(), atol=1e-13)


@pytest.mark.parametrize("tol", [0.1, 0.02])
def test_approximate_entropies(tol):
    for name in ("mps", "mera", "peps", "conv"):
        state = STATES[name]
        where = view_of(state).sites[::2]
        found = qdn.entropy(state, where, method="approx", tol=tol, seed=1)
        assert abs(found / qdn.entropy(state, where) - 1) < 4 * tol
        assert found == qdn.entropy(state, where, method="approx", tol=tol, seed=1)
    with pytest.raises(qdn.MethodError, match="no single Schmidt values"):
        qdn.schmidt_values(STATES["mps"], 5, method="approx")
    with pytest.raises(qdn.OptionError, match="tol=3"):
        qdn.entropy(STATES["mps"], 5, method="approx", tol=3)


# ---------------------------------------------------------------- long chains, many cuts


def test_long_chains_equal_quimbs_own_sweep():
    mps = qtn.MPS_rand_state(60, 12, seed=0, dtype="complex128")
    mps.normalize()
    exact = [mps.copy().entropy(i) for i in (1, 20, 30, 59)]
    assert np.allclose(qdn.entropies(mps, [1, 20, 30, 59]), exact, atol=1e-10)
    block = qdn.entropy(mps, range(20, 40))
    rho = mps.partial_trace_exact([20, 21, 22, 23])
    assert abs(qdn.entropy(mps, range(20, 24)) - qu.entropy(rho)) < 1e-9
    assert 0 < block < 2 * math.log2(12)


def test_sweeps_of_deep_networks():
    rac = qdn.RAC.rand(14, depth=2, bond_dim=2, seed=1, **PHASES)
    assert np.allclose(rac.entropies(), rac.entropies(method="dense"), atol=1e-9)
    assert rac.entropies([3, 3, 1]).tolist() == [rac.entropies()[i] for i in (2, 2, 0)]


# ---------------------------------------------------------------- quimb's classes


def test_register_with_quimb():
    before = set(dir(qtn.MERA)), set(dir(qtn.MatrixProductState))
    quimbs = qtn.MatrixProductState.entropy
    added = qdn.register_with_quimb()
    try:
        assert added == qdn.register_with_quimb()
        assert qtn.MatrixProductState.entropy is quimbs
        assert STATES["mera"].entropy(3) == qdn.entropy(STATES["mera"], 3)
        assert STATES["peps"].mutinf_subsys([(0, 0)], [(1, 1)]) > 0
        assert STATES["mps"].renyi_entropy([1, 4]) > 0
        assert qtn.MERA.partial_trace_exact is qtn.PEPS.partial_trace_exact
    finally:
        qdn.unregister_from_quimb()
    assert (set(dir(qtn.MERA)), set(dir(qtn.MatrixProductState))) == before


# ---------------------------------------------------------------- pictures, edited networks


def test_plot_entropy(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    nets = {f"depth {d}": qdn.ConvAC.rand(10, d, 3, 4, seed=0, **PHASES) for d in (1, 2)}
    ax = qdn.plot_entropy({**nets, "MPS": STATES["mps"]})
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert {"depth 1", "depth 2", "MPS", "Page, 10 sites"} <= set(lines)
    assert len(lines) == 6  # and two bounds
    assert np.allclose(lines["depth 2"].get_ydata(), nets["depth 2"].entropies())
    dashed = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    for net, line in zip(nets.values(), dashed):
        bits = [math.log2(qdn.theory.rank_bound(net.geometry, range(a))) for a in range(1, 10)]
        assert np.allclose(line.get_ydata(), bits) and (net.entropies() <= np.array(bits)).all()
    ax.figure.savefig(tmp_path / "entropy.png")
    pyplot.close(ax.figure)
    _, mine = pyplot.subplots()
    assert qdn.plot_entropy([STATES["rac"]], [1, 2], page=False, bound=False, ax=mine) is mine
    assert len(mine.get_lines()) == 1
    pyplot.close("all")
    with pytest.raises(qdn.OptionError, match="no state to draw"):
        qdn.plot_entropy([])


def test_edited_networks_have_no_architecture():
    pytest.importorskip("flint")
    assert qdn.schmidt_rank(STATES["dense nodes"], 3) == qdn.schmidt_rank(
        qdn.ConvAC.rand(6, 2, 2, 3), 3
    )
    with pytest.raises(qdn.StructureError):
        STATES["edited"].schmidt_rank(3)


def test_graph_states_are_found_by_their_graph():
    net = qdn.ConvAC.graph_state((3, 4), (1, 1), 2)
    psi = dense(net)
    for places in subsets(12, 1):
        where = [net.sites[i] for i in places]
        exact = qu.entropy_subsys(psi, [2] * 12, places)
        assert net.entropy(where) == net.entropy(where, method="graph") == round(exact)
        assert abs(net.entropy(where, method="dense") - exact) < 1e-9
    assert qdn.entanglement_plan(net, 6).chosen == "graph"
    large = qdn.ConvAC.graph_state((100, 100), (0, 25), 5)
    block = [(i, j) for i in range(50) for j in range(50)]
    assert large.entropy(block) == large.renyi_entropy(block) == 2500
    assert large.mutinf_subsys([(0, 0)], [(0, 25)]) == 0


# ---------------------------------------------------------------- odd input


def test_cuts_are_numbers_of_sites():
    mps = STATES["mps"]
    assert np.allclose(qdn.entropies(mps, np.array([2, 5])), qdn.entropies(mps)[[1, 4]])
    for bad in (5, [[3, 4]], [1.5], "12"):
        with pytest.raises(qdn.OptionError, match="not a sequence of ints"):
            qdn.entropies(mps, bad)
    assert qdn.entropies(STATES["conv"].to("torch"), []).shape == (0,)


def test_renyi_entropies_of_any_order():
    assert qdn.renyi_entropy(qu.ghz_state(4), 2, 1075, dims=[2] * 4) == 1
    p = np.asarray(qdn.schmidt_values(STATES["mps"], 5), dtype=np.longdouble)
    for alpha in (0.3, 0.95, 1 - 1e-9, 1 + 1e-14, 1.05, 3, np.int64(7), np.float32(2.5)):
        if abs(alpha - 1) < 1e-8:
            exact = -(p * np.log2(p)).sum()
        else:
            exact = np.log2((p ** np.longdouble(alpha)).sum()) / (1 - np.longdouble(alpha))
        assert abs(qdn.renyi_entropy(STATES["mps"], 5, alpha) - exact) < 1e-7


def test_small_schmidt_values_survive():
    """Orders below 1 take methods that do not square them."""
    net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0)
    where = [1, 2, 3, 7, 8, 9, 10, 14]
    exact = qdn.renyi_entropy(net, where, 0.5, method="dense")
    assert abs(qdn.renyi_entropy(net, where, 0.5) - exact) < 1e-9
    with pytest.raises(qdn.MethodError, match="lost in a density matrix"):
        qdn.renyi_entropy(net, where, 0.5, method="reduced")


@pytest.mark.parametrize("size", [1e-4, 1e-7])
def test_closed_chains_in_any_gauge(size):
    mps = qtn.MPS_rand_state(12, 4, cyclic=True, seed=0)
    gauge = np.diag([1, size, size, size])
    for a, b in (("I5", "I6"), ("I11", "I0")):
        mps.insert_gauge(gauge, [a], [b], Uinv=np.linalg.inv(gauge))
    for where in (6, range(3, 9), [0, 1, 2, 11, 5]):
        exact = qdn.entropy(mps, where, method="dense")
        assert abs(qdn.entropy(mps, where, method="mps") - exact) < 1e-15 / size + 1e-9


def test_sites_with_names():
    edges = [("a", "ab"), ("ab", "b"), ("b", "d"), ("d", "a")]
    state = qtn.TN_from_edges_rand(edges, 3, 2, seed=0)
    with pytest.raises(qdn.SitesError, match=r"write \['ab'\]"):
        qdn.entropy(state, "ab")
    assert qdn.partial_trace_exact(state, "ab").shape == (2, 2)
    assert np.isclose(qdn.entropy(state, ["ab"]), qu.entropy(qdn.partial_trace_exact(state, "ab")))
    peps = STATES["peps"]
    assert qdn.mutinf_subsys(peps, (0, 0), (1, 1)) == qdn.mutinf_subsys(peps, [(0, 0)], [(1, 1)])


@pytest.mark.parametrize(
    "call",
    [
        lambda mps: qdn.entropy(mps, ([0, 1], [2])),
        lambda mps: qdn.partial_trace_exact(mps, True),
        lambda mps: qdn.entropy(mps, 3, max_bytes="1GB"),
        lambda mps: qdn.entropy(mps, 3, method="mps", max_bytes=None),
        lambda mps: qdn.entropy(mps, range(10), method="nonsense"),
        lambda mps: qdn.entropy(mps, tags=3),
        lambda mps: qdn.entropy(np.ones(4, "float16"), 1, dims=[2, 2]),
        lambda mps: qdn.entropy(np.ones(4), 1, dims=2),
        lambda mps: qdn.entropy(STATES["conv"], 2, method="gram", checkpoint=3.5),
        lambda mps: STATES["conv"].entropies(method="gram", checkpoint="a.npz"),
        lambda mps: STATES["conv"].mutinf_subsys(0, 1, method="gram", checkpoint="a.npz"),
        lambda mps: qdn.entropy(zeros_like(mps), range(3, 6), method="mps"),
        lambda mps: qdn.entropy(zeros_like(mps), 3),
        lambda mps: qdn.entropy(np.nan * mps, range(3, 6), method="mps"),
        lambda mps: qdn.schmidt_values(qdn.ConvAC.graph_state(100, 14, 3), 50),
    ],
)
def test_bad_input_gives_errors_of_ours(call):
    with pytest.raises(qdn.DeepNetError):
        call(STATES["mps"])


def test_gradients_are_never_dropped():
    net = qdn.RBM.rand(8, seed=0).to("torch")
    params = {k: v.requires_grad_() for k, v in net.params.items()}
    net = qdn.RBM.from_params(net.geometry, params)
    assert net.entropy(3).requires_grad
    with pytest.raises(qdn.MethodError, match="use one of"):
        net.entropy(3, method="gram")


def test_dtypes_stay():
    for name in ("conv", "rac"):
        net = STATES[name].to("numpy-complex64")
        for method in ("dense", "reduced", "gram", "to_mps"):
            assert qdn.schmidt_values(net, 4, method=method).dtype == np.float32, method


def test_huge_systems_are_refused_at_once():
    for state, where in [
        (qdn.ConvAC.rand(1000, 2, 3, 4, seed=0), range(0, 1000, 2)),
        (qtn.MPS_rand_state(1200, 2), range(0, 1200, 2)),
        (qdn.RBM.rand(60, seed=0), 30),
        (qtn.PEPS.rand(8, 8, 3, seed=0), 16),
    ]:
        with pytest.raises(qdn.BudgetError) as caught:
            qdn.entropy(state, where)
        assert len(str(caught.value)) < 800
    assert "approx" in str(caught.value)  # amplitudes of a PEPS cannot be sampled


def test_collapsed_chains_of_any_length():
    net = qdn.ConvAC.rand(60, 3, 3, 3, seed=0, **PHASES)
    phi = net.collapse()
    assert np.array_equal(phi.entropies([20, 30]), net.entropies([20, 30]))
    gate, where = np.diag([1.0, 2.0]), 3  # an edited state is cut as it stands
    exact = net.to_mps(normalize=True).gate(gate, where, contract=True)
    exact.normalize()
    assert phi.gate(gate, where, contract=True).entropy(30) == pytest.approx(exact.entropy(30))


@pytest.mark.parametrize("edit", ["window", "weight", "identity", "gate", "exponent"])
def test_edited_collapsed_states(edit):
    net = qdn.ConvAC.rand(7, 2, 3, 3, seed=0, **PHASES)
    net = net.to("torch") if edit == "weight" else net  # those of numpy cannot be written
    phi = net.collapse()
    if edit == "window":
        next(iter(phi)).data[0, 0] *= 3
    elif edit == "weight":
        next(iter(net.params.values())).add_(1)
    elif edit == "identity":
        list(phi)[-1].data[0, 0] = 5
    elif edit == "gate":
        phi.gate_(qu.rand_uni(4), (1, 4), contract=True)
    else:
        phi.exponent += 3
    exact = qu.entropy_subsys(dense(phi), [2] * 7, [1, 2, 5])
    assert abs(phi.entropy([1, 2, 5]) - exact) < 1e-9
