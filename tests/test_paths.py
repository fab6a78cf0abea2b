"""Path reports against quimb: the same problems, the same costs, from no arrays at all."""

import collections
import csv
import json
import math
import resource
import time

import cotengra as ctg
import numpy as np
import opt_einsum
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.geometry import leaf_ind
from quimb_deepnets.geometry.conv import ConvGeometry
from quimb_deepnets.hyper.identities import absorb_identities
from quimb_deepnets.hyper.search import BestOf
from quimb_deepnets.paths import Hypergraph, branch_tree, hypergraph, path_report, shared_flops

from .architectures import CONV, RACS
from .inner_names import inner

SOME = [net for net in CONV + RACS if net.nsites <= 12][::3]
IDS = [repr(net) for net in SOME]
FEW = SOME[::4]


def numbers(inputs, output, sizes):
    """What no renaming changes: for each tensor, the sizes and the ends of its indices, twice over.

    Indices of size 1 and tensors without legs do not count.
    """
    inputs = [[ix for ix in inds if sizes[ix] > 1] for inds in inputs]
    colour = {ix: (d, ix in output, sum(ix in t for t in inputs)) for ix, d in sizes.items()}
    for _ in range(3):
        tensors = [hash(tuple(sorted(colour[ix] for ix in inds))) for inds in inputs]
        around = collections.defaultdict(list)
        for code, inds in zip(tensors, inputs):
            for ix in inds:
                around[ix].append(code)
        colour = {ix: (*colour[ix][:3], hash(tuple(sorted(around[ix])))) for ix in colour}
    kept = {ix for inds in inputs for ix in inds}
    return (
        collections.Counter(tuple(sorted(colour[ix] for ix in inds)) for inds in inputs if inds),
        len(kept),
        collections.Counter(colour[ix] for ix in output if sizes[ix] > 1),
    )


def of_network(tn, output):
    sizes = {ix: tn.ind_size(ix) for ix in tn.ind_map}
    return numbers([t.inds for t in tn], tuple(output), sizes)


def of_graph(graph):
    return numbers(graph.inputs, graph.output, graph.size_dict)


def arrays_of(graph, tn):
    """Tensors of a network in the order of a graph whose tensors have the same order."""
    return [t for t in tn if t.ndim]


def same_costs(graph, tn, output):
    """Tensor by tensor the same: then the same path costs the same in quimb's own tree."""
    tensors = arrays_of(graph, tn)
    assert [tuple(graph.size_dict[ix] for ix in inds) for inds in graph.inputs] == [
        t.shape for t in tensors
    ]
    names = {}
    for inds, t in zip(graph.inputs, tensors):
        for mine, theirs in zip(inds, t.inds):
            assert names.setdefault(mine, theirs) == theirs
    assert len(set(names.values())) == len(names)
    row = path_report_of(graph)
    theirs = qtn.TensorNetwork(tensors).contraction_tree(row["path"], output_inds=output)
    assert row["log2_width"] == pytest.approx(theirs.contraction_width())
    assert row["log10_flops"] == pytest.approx(theirs.contraction_cost(log=10))


def path_report_of(graph):
    tree = graph.search("greedy")
    return {
        "path": tree.get_path(),
        "log2_width": tree.contraction_width(),
        "log10_flops": tree.contraction_cost(log=10),
    }


def spins(net):
    return {net_ind: n % net.phys_dim for n, net_ind in enumerate(outer(net))}


def outer(net):
    return [
        ("k{}" if isinstance(s, int) else "k{},{}").format(*np.atleast_1d(s)) for s in net.sites
    ]


# ------------------------------------------------------------ the same problem as quimb's


@pytest.mark.parametrize("net", SOME, ids=IDS)
@pytest.mark.parametrize("nodes", ["hyper", "dense"])
def test_amplitude_is_isel(net, nodes):
    psi = net.to_tensor_network(nodes=nodes)
    fixed = psi.isel(spins(net))
    graph = hypergraph(net, nodes=nodes)
    assert of_graph(graph) == of_network(fixed, ())
    assert graph.num_tensors == sum(t.ndim > 0 for t in fixed)
    same_costs(graph, fixed, ())
    assert hypergraph(psi) == graph
    assert hypergraph(net.geometry, nodes=nodes) == graph


@pytest.mark.parametrize("net", SOME, ids=IDS)
def test_expanded_tasks(net):
    psi = net.to_tensor_network()
    legs = outer(net)
    dense = hypergraph(net, "dense")
    assert of_graph(dense) == of_network(psi, legs)
    same_costs(dense, psi, legs)
    norm = psi.make_norm()
    graph = hypergraph(net, "norm")
    assert of_graph(graph) == of_network(norm, ())
    same_costs(graph, norm, ())
    where = net.sites[:: max(1, net.nsites - 1)][:2]
    rho = psi.make_reduced_density_matrix(where, bra_ind_id="_b{}")
    output = [ix for ix in rho.ind_map if len(rho.ind_map[ix]) == 1]
    graph = hypergraph(net, ("partial_trace", list(where)))
    assert of_graph(graph) == of_network(rho, output)
    assert len(graph.output) == 2 * len(where) == len(output)
    same_costs(graph, rho, output)


@pytest.mark.parametrize("net", SOME, ids=IDS)
def test_collapsed_tasks(net):
    phi = net.collapse()
    legs = tuple(outer(net))
    fixed = phi.isel(spins(net))
    assert of_graph(hypergraph(net, form="collapsed")) == of_network(fixed, ())
    dense = hypergraph(net, "dense", form="collapsed")
    assert of_graph(dense) == of_network(phi._prepared(legs), legs)
    graph = hypergraph(net, "norm", form="collapsed")
    norm = phi.make_norm()._prepared(())
    assert of_graph(graph) == of_network(norm, ())
    where = net.sites[: min(2, net.nsites)]
    rho = phi.make_reduced_density_matrix(where, bra_ind_id="_b{}")
    output = tuple(ix for ix in rho.ind_map if len(rho.ind_map[ix]) == 1)
    graph = graph_of_rho = hypergraph(net, ("partial_trace", list(where)), form="collapsed")
    assert of_graph(graph) == of_network(rho._prepared(output), output)
    assert of_graph(hypergraph(phi, "norm")) == of_network(norm, ())
    same_costs(hypergraph(phi, "dense"), absorb_identities(phi, legs), legs)
    same_costs(hypergraph(phi, "norm"), absorb_identities(phi.make_norm(), ()), ())
    same_costs(graph_of_rho, absorb_identities(rho, output), output)


@pytest.mark.parametrize("net", FEW, ids=repr)
@pytest.mark.parametrize("mode", ["hyper", "copy", "tree", "mps"])
def test_dup_modes(net, mode):
    psi = net.to_tensor_network()
    bare = psi.copy()
    for tid in tuple(bare.tag_map["DELTA"]):
        bare.pop_tensor(tid)
    leaves = dict(zip((inner(psi, leaf_ind(site)) for site in net.sites), outer(net)))
    groups, tensors = collections.defaultdict(list), []
    for t in bare:
        new = {ix: qtn.rand_uuid() for ix in t.inds if ix in leaves}
        for leaf, leg in new.items():
            groups[leaves[leaf]].append(leg)
        tensors.append(t.reindex(new))
    tn = qdn.dup(qtn.TensorNetwork(tensors), dict(groups), mode=mode, max_copy_size=2**62)
    legs = tuple(outer(net))
    assert of_graph(hypergraph(net, "dense", mode=mode)) == of_network(tn, legs)
    if mode != "hyper":
        fixed = tn.isel(spins(net))
        assert of_graph(hypergraph(net, mode=mode)) == of_network(fixed, ())


# ------------------------------------------------------------ any quimb vector


STATES = {
    "MPS": lambda: qtn.MPS_rand_state(6, 3, seed=0),
    "cyclic MPS": lambda: qtn.MPS_rand_state(6, 3, cyclic=True, seed=0),
    "MERA": lambda: qtn.MERA.rand(8, max_bond=2, seed=0),
    "PEPS": lambda: qtn.PEPS.rand(2, 3, 2, seed=0),
    "tree": lambda: qtn.TN_rand_tree(6, 3, phys_dim=2, seed=0),
    "RBM": lambda: qdn.RBM.rand(5, alpha=2, seed=0).to_tensor_network(),
    "gated": lambda: qdn.RecursiveTree.rand(5, 2, 2, 2, seed=0).gate(np.ones((2, 2)), 1),
}


@pytest.mark.parametrize("name", STATES)
def test_any_vector(name):
    psi = STATES[name]()
    sites = tuple(psi.sites)
    legs = tuple(map(psi.site_ind, sites))
    prepares = hasattr(psi, "_prepared")
    ready = (lambda tn, out: tn._prepared(out)) if prepares else (lambda tn, out: tn)
    fixed = psi.isel(dict.fromkeys(legs, 0))
    assert of_graph(hypergraph(psi)) == of_network(fixed, ())
    assert of_graph(hypergraph(psi, "dense")) == of_network(ready(psi, legs), legs)
    norm = psi.make_norm()
    assert of_graph(hypergraph(psi, "norm")) == of_network(ready(norm, ()), ())
    rho = psi.make_reduced_density_matrix(sites[:2], bra_ind_id="_b{}")
    output = tuple(ix for ix in rho.ind_map if len(rho.ind_map[ix]) == 1)
    graph = hypergraph(psi, ("partial_trace", list(sites[:2])))
    assert of_graph(graph) == of_network(ready(rho, output), output)
    operator = hypergraph(psi, ("local_expectation", sites[1]))
    assert operator.output == () and len(operator.inputs[-1]) == 2
    if name == "RBM":
        assert of_graph(hypergraph(qdn.RBM.rand(5, alpha=2))) == of_graph(hypergraph(psi))


def test_a_state_that_was_changed_is_taken_as_it_stands():
    psi = qdn.RecursiveTree.rand(6, 2, 2, 2, seed=0).isel({"k0": 1})
    graph = hypergraph(psi, "dense")
    assert len(graph.output) == 5
    with pytest.raises(qdn.SitesError, match="where"):
        hypergraph(psi, ("partial_trace", 0))
    with pytest.raises(qdn.OptionError, match="as it stands"):
        hypergraph(psi, form="collapsed")
    loose = qtn.MPS_rand_state(4, 2)
    loose.add_tensor(qtn.rand_tensor((2,), ("other",)))
    with pytest.raises(qdn.SitesError, match="'other'"):
        hypergraph(loose)


# ------------------------------------------------------------ costs, counted


@pytest.mark.parametrize("net", [net for net in CONV + RACS if net.nsites <= 12], ids=repr)
def test_costs_are_those_of_a_contraction(net):
    """Contract along the tree step by step: value, multiplications and sizes are as reported."""
    fixed = net.to_tensor_network().isel(spins(net))
    graph = hypergraph(net).squeezed()
    tensors = [
        (inds, t.data.reshape([graph.size_dict[ix] for ix in inds]))
        for inds, t in zip(graph.inputs, arrays_of(graph, fixed), strict=True)
    ]
    tree = graph.search("greedy")
    ends = collections.Counter(ix for inds in graph.inputs for ix in inds)
    flops, widest = 0, 0
    for i, j in tree.get_ssa_path():
        (a, x), (b, y) = tensors[i], tensors[j]
        for inds in (a, b):
            ends.subtract(inds)
        union = list(dict.fromkeys((*a, *b)))
        out = [ix for ix in union if ends[ix] > 0]
        ends.update(out)
        flops += math.prod(graph.size_dict[ix] for ix in _present(union, a, b, out))
        symbol = {ix: n for n, ix in enumerate(union)}
        z = np.einsum(
            x, [symbol[i] for i in a], y, [symbol[i] for i in b], [symbol[i] for i in out]
        )
        widest = max(widest, z.size)
        tensors.append((out, z))
    row = path_report(net, optimize="greedy").rows[0]
    assert row["log10_flops"] == pytest.approx(math.log10(max(1, flops)))
    assert 2 ** row["log2_width"] == pytest.approx(widest)
    config = list(spins(net).values())
    shape = net.geometry.shape
    expected = net.amplitude(np.array(config).reshape(shape))
    np.testing.assert_allclose(tensors[-1][1], expected, rtol=1e-9)


def _present(union, a, b, out):
    """Indices of a step: one that ends on a single tensor is summed before, at no product."""
    return [ix for ix in union if ix in out or (ix in a and ix in b)]


def test_rows():
    net = qdn.ConvAC.rand(8, depth=2, kernel=3, bond_dim=3, seed=0)
    sliced = ctg.HyperOptimizer(
        methods=["greedy"], max_repeats=4, parallel=False, slicing_opts={"target_size": 2**5}
    )
    optimizers = ("greedy", "auto", BestOf(), opt_einsum.RandomGreedy(max_repeats=4), sliced)
    report = path_report(net, "norm", form="collapsed", optimize=optimizers, progbar=True)
    names = ["greedy", "auto", "BestOf", "RandomGreedy", "HyperOptimizer"]
    assert [row["optimize"] for row in report.rows] == names
    assert report.rows[-1]["slices"] > 1 and report.rows[-1]["log2_width"] <= 5
    assert {row["slices"] for row in report.rows[:-1]} == {1}
    graph = hypergraph(net, "norm", form="collapsed")
    for row in report.rows:
        assert row["tensors"] == graph.num_tensors and row["indices"] == graph.num_indices
        assert row["hyper_edges"] == graph.hyper_edges
        assert row["log2_peak"] >= row["log2_width"] and row["seconds"] >= 0
        assert 0 < row["log10_write"] <= row["log10_flops"] + 1
    assert report.best["log10_flops"] == min(row["log10_flops"] for row in report.rows)
    assert "* " + report.best["optimize"] in repr(report)
    tree = net.collapse().make_norm().contraction_tree(BestOf(), output_inds=())
    assert report.rows[2]["log10_flops"] == pytest.approx(tree.contraction_cost(log=10), abs=0.3)


def test_hyper_edges():
    graph = Hypergraph((("a", "b"), ("b",), ("b", "c")), ("c",), {"a": 2, "b": 2, "c": 2})
    assert graph.hyper_edges == 1
    assert Hypergraph((("a",), ("a",)), ("a",), {"a": 2}).hyper_edges == 1


def test_one_tensor():
    report = path_report(qtn.MPS_rand_state(1, 1), "dense")
    assert report.best["log10_flops"] == 0 and report.best["tensors"] == 1


@pytest.mark.slow
def test_a_hundred_thousand_tensors():
    """Described and searched from integers: weights of no size that matters, no other array."""
    geometry = ConvGeometry((32,), (qdn.GCLayer(3, 4),) * 7, (True,) * 7, boundary="periodic")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    graph = hypergraph(geometry)
    graph.search("greedy")
    assert time.perf_counter() - start < 60
    assert graph.num_tensors == 104929  # 32 * (3 + 9 + ... + 3**7) and the read-out
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * 2**20  # KiB
    with pytest.raises(qdn.BudgetError, match="max_tensors"):
        hypergraph(geometry, max_tensors=100_000)


# ------------------------------------------------------------ files and pictures


def test_files(tmp_path):
    net = qdn.RAC.rand(4, depth=2, bond_dim=2, seed=0)
    report = path_report(net, ("partial_trace", [0, 1]))
    text = report.to_csv(tmp_path / "report.csv")
    assert (tmp_path / "report.csv").read_text() == text
    read = list(csv.DictReader(text.splitlines()))
    assert [float(row["log10_flops"]) for row in read] == [r["log10_flops"] for r in report.rows]
    text = report.to_json(str(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text()) == report.to_dict()
    assert report.to_json() == text and report.to_dict()["where"] == "[0, 1]"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.csv", "report.json"]
    with pytest.raises(qdn.OptionError, match="cannot be written"):
        report.to_csv(tmp_path / "nowhere" / "report.csv")
    lines = report.to_markdown().splitlines()
    assert len(lines) == 2 + len(report.rows) and lines[0].startswith("| optimize | tensors |")


def test_plot(monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
    report = path_report(net, optimize=("greedy", "auto"))
    assert len(report.plot().lines) == 2
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(qdn.ExtraError, match="plot"):
        report.plot()


# ------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"task": "energy"}, qdn.OptionError, "'energy'"),
        ({"task": "partial_trace"}, qdn.OptionError, "where"),
        ({"task": ("norm", 1)}, qdn.OptionError, "task"),
        ({"task": None}, qdn.OptionError, "task"),
        ({"form": "folded"}, qdn.OptionError, "form='folded'"),
        ({"mode": "star"}, qdn.OptionError, "mode='star'"),
        ({"nodes": "tree"}, qdn.OptionError, "nodes='tree'"),
        ({"form": "collapsed", "mode": "tree"}, qdn.OptionError, "expanded"),
        ({"form": "collapsed", "nodes": "dense"}, qdn.OptionError, "expanded"),
        ({"optimize": "bestest"}, qdn.OptionError, "'bestest'.*'quick'"),
        ({"optimize": ()}, qdn.OptionError, "does not name an optimizer"),
        ({"target_size": 0}, qdn.OptionError, "target_size=0"),
        ({"executor": "cluster"}, qdn.OptionError, "'cluster'"),
        ({"optimize": 3}, qdn.OptionError, "optimize=3"),
        ({"optimize": BestOf}, qdn.OptionError, "object"),
        ({"optimize": "greedy-compressed"}, qdn.OptionError, "approximate"),
        ({"task": ("partial_trace", 6)}, qdn.SitesError, "where=6"),
        ({"task": ("partial_trace", [0, 6])}, qdn.SitesError, "where"),
        ({"task": ("local_expectation", [0, 0])}, qdn.SitesError, "twice"),
        ({"task": ("local_expectation", True)}, qdn.SitesError, "True"),
        ({"max_tensors": 10}, qdn.BudgetError, "max_tensors=10"),
        ({"max_tensors": 10, "form": "collapsed"}, qdn.BudgetError, "max_tensors=10"),
        ({"max_tensors": 0}, qdn.OptionError, "max_tensors=0"),
    ],
    ids=str,
)
def test_errors(options, error, match):
    net = qdn.ConvAC.rand(6, depth=2, kernel=2, bond_dim=2, seed=0)
    with pytest.raises(error, match=match):
        path_report(net, **options)


def test_tensors_that_no_float_counts():
    deep = ConvGeometry((8,), (qdn.GCLayer(3, 2),) * 7, (True,) * 7, boundary="periodic")
    with pytest.raises(qdn.BudgetError, match=r"2\*\*2188 .*mode='hyper'"):
        hypergraph(deep, mode="copy")
    wide = ConvGeometry((256, 256), (qdn.GCLayer((33, 33), 2),), (True,))
    with pytest.raises(qdn.BudgetError, match="nodes='hyper'"):
        hypergraph(wide, nodes="dense", max_tensors=10**9)
    with pytest.raises(qdn.BudgetError, match="form='expanded'"):
        hypergraph(qdn.RAC.rand(2000, depth=2, bond_dim=2, seed=0), form="collapsed")
    assert hypergraph(qdn.RAC.rand(2000, 1, 2, seed=0), form="collapsed").num_tensors == 4002


def test_a_bare_site_is_a_site():
    chain = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=2, seed=0)
    assert hypergraph(chain, ("partial_trace", 0)).output == ("k0", "k0*")
    assert hypergraph(chain, ("partial_trace", np.int64(2))).output == ("k2", "k2*")
    assert hypergraph(chain, ("partial_trace", (2, 0))).output == ("k2", "k0", "k2*", "k0*")
    assert len(hypergraph(chain, ("partial_trace", np.arange(3))).output) == 6
    lattice = qdn.ConvAC.rand((2, 2), depth=1, kernel=2, bond_dim=2, seed=0)
    assert hypergraph(lattice, ("partial_trace", (0, 1))).output == ("k0,1", "k0,1*")
    assert len(hypergraph(lattice, ("partial_trace", [(0, 1), (1, 1)])).output) == 4
    with pytest.raises(qdn.SitesError):
        hypergraph(lattice, ("partial_trace", (2, 1)))


def test_states_that_are_none():
    with pytest.raises(qdn.OptionError, match="ndarray"):
        path_report(np.ones(4))
    mps = qtn.MPS_rand_state(4, 2)
    for options in ({"form": "collapsed"}, {"mode": "tree"}, {"nodes": "dense"}):
        with pytest.raises(qdn.OptionError, match="as it stands"):
            path_report(mps, **options)


# ------------------------------------------------------------ sharing


def forward_pass(geometry):
    """Multiplications of a network that keeps each node: matrix times vector, then the product."""
    top, total, seen = set(geometry.roots), 0, set()
    queue = list(geometry.roots)
    readout = geometry.param_shapes["READOUT"][0]
    fixed = set()
    while queue:
        node = queue.pop()
        if node in seen:
            continue
        seen.add(node)
        taps = list(geometry.taps(node))
        rows = geometry.param_shapes[taps[0].weight][0]
        total += rows * (len(taps) - 1)
        for weight, child in taps:
            if type(child).__name__ == "Site":
                continue  # the column of a spin
            if type(child).__name__ == "Fixed":
                fixed.add(weight)
            else:
                total += math.prod(geometry.param_shapes[weight])
                queue.append(child)
    total += sum(math.prod(geometry.param_shapes[weight]) for weight in fixed)
    return total + readout * len(top)


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(8, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0),
        qdn.ConvAC.rand((3, 4), depth=2, kernel=2, bond_dim=3, boundary="periodic", seed=0),
        qdn.ConvAC.rand(8, depth=3, kernel=2, bond_dim=2, boundary="omit", seed=0),
        qdn.RAC.rand(7, depth=3, bond_dim=3, seed=0),
    ],
    ids=repr,
)
def test_shared_branches_are_the_forward_pass(net):
    graph = hypergraph(net)
    tree = branch_tree(graph)
    assert shared_flops(graph, tree) == forward_pass(net.geometry) < tree.contraction_cost()
    row = path_report(net, optimize="branches", shared=True).best
    assert 10 ** row["shared_log10_flops"] == pytest.approx(forward_pass(net.geometry))
    assert row["reuse"] == pytest.approx(tree.contraction_cost() / forward_pass(net.geometry))


@pytest.mark.parametrize("net", FEW, ids=repr)
@pytest.mark.parametrize("form", ["expanded", "collapsed"])
def test_without_equal_tensors_nothing_is_shared(net, form):
    for task in ("amplitude", "dense", "norm"):
        graph = hypergraph(net, task, form=form)
        bare = Hypergraph(
            graph.inputs, graph.output, graph.size_dict, tuple(range(graph.num_tensors))
        )
        tree = graph.search("greedy")
        assert shared_flops(bare, tree) == tree.contraction_cost()
        assert shared_flops(graph, tree) <= tree.contraction_cost()


@pytest.mark.parametrize("net", FEW, ids=repr)
@pytest.mark.parametrize("nodes", ["hyper", "dense"])
@pytest.mark.parametrize("form", ["expanded", "collapsed"])
def test_equal_labels_hold_equal_numbers(net, nodes, form):
    """The arrays of tensors with one label are the same, fixed spins included."""
    psi = net.to_tensor_network(nodes=nodes) if form == "expanded" else net.collapse()
    graph = hypergraph(net, form=form, nodes=nodes if form == "expanded" else None)
    found = {}
    for label, t in zip(graph.labels, arrays_of(graph, psi.isel(spins(net))), strict=True):
        np.testing.assert_array_equal(found.setdefault(label, t.data), t.data)
    if form == "expanded":
        tree = branch_tree(graph.with_symbols())
        value = tree.contract([t.data for t in arrays_of(graph, psi.isel(spins(net)))])
        config = np.array(list(spins(net).values())).reshape(net.geometry.shape)
        np.testing.assert_allclose(value, net.amplitude(config), rtol=1e-9)


def test_sharing_with_slices_and_other_orders():
    net = qdn.ConvAC.rand(8, depth=2, kernel=3, bond_dim=3, seed=0)
    sliced = ctg.HyperOptimizer(
        methods=["greedy"], max_repeats=2, parallel=False, slicing_opts={"target_size": 2**5}
    )
    graph = hypergraph(net, "norm", form="collapsed")
    tree = graph.search(sliced)
    bare = Hypergraph(graph.inputs, graph.output, graph.size_dict, tuple(range(graph.num_tensors)))
    assert tree.multiplicity > 1
    assert shared_flops(bare, tree) == tree.contraction_cost()
    assert shared_flops(graph, tree) <= tree.contraction_cost()
    report = path_report(net, "norm", shared=True)
    assert all(row["reuse"] >= 1 for row in report.rows)
    assert "reuse" in repr(report) and "reuse" in report.to_csv() + report.to_markdown()
    with pytest.raises(qdn.OptionError, match="branches"):
        path_report(net, "norm", optimize="branches")
    with pytest.raises(qdn.OptionError, match="branches"):
        branch_tree(hypergraph(net, form="collapsed", task="dense"))


def test_an_index_on_one_tensor_is_summed_beforehand():
    sizes = dict.fromkeys("abcde", 3)
    graph = Hypergraph((("a", "b", "d"), ("b", "c"), ("c", "e")), ("e",), sizes, (0, 1, 2))
    tree = graph.search("greedy")
    assert shared_flops(graph, tree) == tree.contraction_cost() == 36


def test_an_identity_leg_that_nothing_else_holds_is_a_loose_end():
    phi = qdn.ConvAC.rand(3, depth=1, kernel=1, bond_dim=2, seed=0).collapse()
    phi.pop_tensor(next(iter(phi.tag_map["WINDOW"])))
    with pytest.raises(qdn.SitesError, match="_x0"):
        hypergraph(phi, "norm")
