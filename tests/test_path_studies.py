"""Paths by hand, problems in files, rivals, cuts, treewidth: against brute force and quimb."""

import collections
import itertools
import json
import math
import runpy
import types

import cotengra as ctg
import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.geometry.conv import ConvGeometry
from quimb_deepnets.paths import (
    Hypergraph,
    blocks_tree,
    branch_tree,
    hypergraph,
    quick_tree,
    shared_flops,
    sweep_tree,
)
from quimb_deepnets.paths.arrays import numbers_of
from quimb_deepnets.paths.kets import Form, ket_of
from quimb_deepnets.paths.rivals import KINDS, Rival, _ket, halves, rank_across

from .architectures import CONV
from .test_examples import ROOT
from .test_paths import of_graph, of_network

FOLDER = ROOT / "examples" / "networks"
SEARCH = types.SimpleNamespace(**runpy.run_path(str(FOLDER / "search.py")))
SMALL = [net for net in CONV if 2 <= net.nsites <= 12][::6]


def ring(*args, **opts):
    return qdn.ConvAC.rand(*args, boundary="periodic", seed=0, **opts)


# ---------------------------------------------------------------- paths by hand


@pytest.mark.parametrize("make", [sweep_tree, quick_tree])
@pytest.mark.parametrize("net", SMALL, ids=repr)
def test_trees_by_hand_contract_to_the_norm(make, net):
    phi = net.collapse()
    graph = hypergraph(phi, "norm").squeezed().with_symbols()
    tree = make(graph)
    numbers = numbers_of(phi, ket_of(phi, Form()), graph)
    value = complex(tree.contract(numbers.arrays)) * numbers.factor * 2.0**numbers.scale
    assert abs(value / np.linalg.norm(net.to_dense()) ** 2 - 1) < 1e-12


def test_chains_and_rings_of_any_length():
    """The bars of width and flops, and costs that grow with the length and not faster."""
    for make, width, flops in [
        (lambda N: qdn.ConvAC.rand(N, 3, 3, 4, seed=0), 9, 4.8),
        (lambda N: ring(N, 3, 3, 4), 12, 5.9),
    ]:
        row = qdn.path_report(make(64), "norm", "collapsed").best
        assert row["log2_width"] <= width and row["log10_flops"] <= flops
        costs = []
        for N in (64, 128, 256):
            tree = sweep_tree(hypergraph(make(N), "norm", "collapsed"))
            costs.append(tree.contraction_cost())
        assert costs[2] - costs[1] == 2 * (costs[1] - costs[0])
    long = hypergraph(qdn.ConvAC.rand(1000, 3, 3, 4, seed=0), "norm", "collapsed")
    assert sweep_tree(long).contraction_width() == 9


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(64, 3, 3, 4, seed=0),
        ring(64, 3, 3, 4),
        ring(12, 3, 3, 4),
        qdn.ConvAC.rand((6, 6), 2, 3, 4, seed=0),
        qdn.ConvAC.rand((3, 20), 2, 2, 4, seed=0),
        ring((4, 5), 2, 2, 3),
        qdn.RAC.rand(8, 2, 3, seed=0),
    ],
    ids=repr,
)
def test_best_is_at_least_as_good_as_each(net):
    for task in ("norm", ("partial_trace", [net.sites[1]])):
        report = qdn.path_report(net, task, "collapsed", optimize=("greedy", "sweep", "quick"))
        costs = {row["optimize"]: row["log10_flops"] for row in report.rows}
        assert costs["quick"] <= min(costs.values()) + 1e-12
        assert report.best["optimize"] == "quick" and "* quick" in repr(report)
    amplitude = qdn.path_report(net, optimize=("branches", "greedy", "quick"))
    assert amplitude.best["log10_flops"] == amplitude.rows[2]["log10_flops"]


def test_blocks_of_a_chain_are_multiplied_as_transfer_matrices_are():
    """Each doubling of a chain with shared weights costs as many multiplications more."""
    costs = []
    for N in (64, 128, 256, 512):
        net = qdn.ConvAC.rand(N, 2, 3, 3, seed=0)
        graph = hypergraph(net, "norm", "collapsed")
        costs.append(shared_flops(graph, blocks_tree(graph)))
    assert len(set(np.diff(costs))) == 1 and costs[-1] < 2 * costs[0]
    for net in (
        ring(12, 2, 3, 2),
        qdn.RAC.rand(7, 1, 2, seed=0),
        qdn.ConvAC.rand(11, 3, 2, 2, seed=0),
    ):
        exact = (abs(net.to_dense()) ** 2).sum()
        for task, shape in (("norm", ()), ("dense", (-1, 1))):
            found = qdn.contract_sliced(net, task, optimize="blocks", shared=True)
            right = exact**0.5 if task == "norm" else net.to_dense().reshape(shape)
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12 * exact**0.5)
    lattice = qdn.ConvAC.rand((3, 3), 2, 2, 2, seed=0)
    with pytest.raises(qdn.OptionError, match="of a chain"):
        blocks_tree(hypergraph(lattice, "norm", "collapsed"))


def test_strips_run_across_the_shorter_side():
    for shape in ((3, 12), (12, 3)):
        graph = hypergraph(qdn.ConvAC.rand(shape, 2, 2, 4, seed=0), "norm", "collapsed")
        assert sweep_tree(graph).contraction_width() <= 2 * 2 + 3 + 2  # channels, a row, two more
    peps = qtn.PEPS.rand(3, 8, 2, seed=0)
    tree = sweep_tree(hypergraph(peps, "norm"))
    assert tree.contraction_width() <= 2 * (3 + 1) + 2


def test_paths_that_do_not_apply():
    net = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)
    with pytest.raises(qdn.OptionError, match="'sweep' goes from site to site"):
        sweep_tree(hypergraph(net))
    with pytest.raises(qdn.OptionError, match="'branches'"):
        branch_tree(hypergraph(net, "norm"))
    graph = Hypergraph((("a",), ("a", "b"), ("b",)), (), {"a": 2, "b": 2})
    for path in ([(0, 1)], [(0, 1), (0, 2)], [(0, 1), (2, 9)], [(0, 1, 2)], [(0, 1), (2, 2)]):
        with pytest.raises(qdn.OptionError, match="path"):
            graph.tree(path)
    assert graph.tree([(0, 1), (3, 2)]).contraction_cost() == 6


def test_defaults():
    names = lambda *args: [row["optimize"] for row in qdn.path_report(*args).rows]
    net = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)
    assert names(net) == ["greedy", "branches"]
    assert names(net, "norm") == ["greedy"]
    assert names(net, "norm", "collapsed") == ["greedy", "sweep", "quick"]
    assert names(qtn.MPS_rand_state(6, 2), "norm") == ["greedy"]
    small = qdn.path_report(net, "norm", "collapsed", target_size=2**3)
    assert all(row["log2_width"] <= 3 and row["slices"] > 1 for row in small.rows)


# ---------------------------------------------------------------- problems in files


def test_json_and_equations():
    net = qdn.ConvAC.rand(5, 2, 2, 3, seed=0)
    for task in ("amplitude", "dense", "norm", ("partial_trace", [1])):
        graph = hypergraph(net, task)
        back = Hypergraph.from_json(graph.to_json())
        assert back.to_equation() == graph.to_equation()
        assert of_graph(back) == of_graph(graph)
        tree = ctg.einsum_tree(
            graph.to_equation(), *[tuple(map(back.size_dict.get, t)) for t in back.inputs]
        )
        assert graph.num_tensors == tree.N
    psi = net.to_tensor_network()
    graph = hypergraph(psi, "dense")
    arrays = numbers_of(psi, ket_of(psi, Form()), graph)
    dense = np.einsum(graph.to_equation(), *arrays.arrays, optimize="greedy") * 2.0**arrays.scale
    np.testing.assert_allclose(dense.reshape(-1, 1), net.to_dense(), rtol=1e-10)


def test_files_of_problems(tmp_path):
    graph = hypergraph(qdn.RAC.rand(5, 2, 3, seed=0))
    file = tmp_path / "a.json"
    text = graph.to_json(file)
    assert json.loads(file.read_text()) == json.loads(text)
    assert set(json.loads(text)) == {"inputs", "output", "size_dict", "labels"}
    report = qdn.path_report(Hypergraph.load(file), optimize=("greedy", "branches"))
    same = qdn.path_report(qdn.RAC.rand(5, 2, 3, seed=0), optimize=("greedy", "branches"))
    for key in ("log10_flops", "log2_width", "tensors"):
        assert [r[key] for r in report.rows] == [r[key] for r in same.rows]
    assert report.to_dict()["state"] == "Hypergraph"
    with pytest.raises(qdn.OptionError, match="already"):
        qdn.path_report(graph, "norm")
    with pytest.raises(qdn.OptionError, match="already"):
        qdn.path_report(graph, form="collapsed")
    with pytest.raises(qdn.OptionError, match="cannot be read"):
        Hypergraph.load(tmp_path / "b.json")
    with pytest.raises(qdn.OptionError, match="cannot be written"):
        graph.to_json(tmp_path / "nowhere" / "a.json")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "malformed"),
        ("[1, 2]", "malformed"),
        ('{"inputs": [["a"]], "output": []}', "no 'size_dict'"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {}}', "'a' without a size"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {"a": 0}}', "size 0"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {"a": 2.5}}', r"size 2\.5"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {"a": true}}', "size True"),
        ('{"inputs": [["a"]], "output": ["b"], "size_dict": {"a": 2, "b": 2}}', "'b' on no tensor"),
        ('{"inputs": [["a"]], "output": ["a", "a"], "size_dict": {"a": 2}}', "twice"),
        ('{"inputs": [], "output": [], "size_dict": {}}', "no tensors"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {"a": 2}, "labels": [0, 1]}', "2 labels"),
        ('{"inputs": [["a"]], "output": [], "size_dict": {"a": 2}, "labels": [[1]]}', "malformed"),
        ('{"inputs": 3, "output": [], "size_dict": {}}', "malformed"),
        ('{"inputs": [[["a"]]], "output": [], "size_dict": {"a": 2}}', "malformed"),
    ],
)
def test_malformed_problems(text, match, tmp_path):
    with pytest.raises(qdn.OptionError, match=match):
        Hypergraph.from_json(text)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(qdn.OptionError, match=r"a\.json"):
        Hypergraph.load(tmp_path / "a.json")


def test_labels_travel_with_a_problem():
    net = qdn.ConvAC.rand(6, 4, 2, 3, boundary="periodic", seed=0)
    graph = hypergraph(net)
    for same in (graph, Hypergraph.from_json(graph.to_json())):
        row = qdn.path_report(same, optimize="branches", shared=True).best
        assert row["reuse"] == qdn.path_report(net, optimize="branches", shared=True).best["reuse"]
    assert row["reuse"] > 1.5
    data = json.loads(graph.to_json())
    bare = Hypergraph.from_json(json.dumps({k: data[k] for k in data if k != "labels"}))
    with pytest.raises(qdn.OptionError, match="which tensors are equal"):
        qdn.path_report(bare, shared=True)


@pytest.mark.parametrize(
    "parts",
    [
        ((), (), {}),
        (3, (), {}),
        ((("a",),), ("b",), {"a": 2}),
        ((("a",),), (), {"a": 2, "zz": -5}),
        ((("a",),), ("a", "a"), {"a": 2}),
    ],
)
def test_problems_that_are_none(parts):
    with pytest.raises(qdn.OptionError, match="malformed"):
        Hypergraph(*parts)


def test_names_of_files_that_are_none():
    graph = hypergraph(qdn.RAC.rand(3, 1, 2))
    for name in ("", "a\0", 3, None):
        with pytest.raises(qdn.OptionError):
            Hypergraph.load(name)
        if name is not None:
            with pytest.raises(qdn.OptionError, match="not a path of a file"):
                graph.to_json(name)
    with pytest.raises(qdn.OptionError, match="not a path of a file"):
        qdn.path_report(graph).to_csv("")
    with pytest.raises(qdn.OptionError, match="malformed"):
        Hypergraph.from_json("[" * 100_000)


def test_a_trace_is_refused():
    psi = qtn.MPS_rand_state(3, 2, seed=0)
    psi.add_tensor(qtn.Tensor(np.eye(2), ("c", "c")))
    with pytest.raises(qdn.StructureError, match="twice"):
        qdn.path_report(psi)


def test_any_quimb_network_is_a_problem():
    tn = qtn.TN2D_rand(3, 4, D=3, seed=0)
    graph = Hypergraph.from_tn(tn)
    tree = tn.contraction_tree("greedy", output_inds=())
    row = qdn.path_report(graph, optimize=tree).best
    assert row["log10_flops"] == pytest.approx(tree.contraction_cost(log=10))
    hyper = qtn.TensorNetwork([qtn.rand_tensor((2, 2), ("a", "b")) for _ in range(3)])
    assert Hypergraph.from_tn(hyper, ["a"]).output == ("a",)


# ---------------------------------------------------------------- paths of one's own


def test_trees_and_paths_as_optimizers():
    net = ring(10, 3, 2, 3)
    data = json.loads(hypergraph(net, "norm", "collapsed").to_json())
    tree = ctg.array_contract_tree(
        data["inputs"], data["output"], data["size_dict"], optimize="greedy"
    )
    forms = {"tree": tree, "linear": tree.get_path(), "ssa": [list(s) for s in tree.get_ssa_path()]}
    report = qdn.path_report(net, "norm", "collapsed", optimize=forms)
    assert [row["optimize"] for row in report] == list(forms) and len(report) == 3
    for row in report:
        assert row["log10_flops"] == pytest.approx(tree.contraction_cost(log=10))
        assert row["log2_width"] == tree.contraction_width()
    one = qdn.path_report(net, "norm", "collapsed", optimize=tree.get_path())
    assert one.best["optimize"] == "path" and one.best["log10_flops"] == row["log10_flops"]
    sliced = tree.slice(target_size=2**5, allow_outer=False)
    (row,) = qdn.path_report(net, "norm", "collapsed", optimize=sliced)
    assert row["slices"] == sliced.multiplicity > 1
    norm = np.linalg.norm(net.to_dense())
    for optimize in (*forms.values(), sliced, report.trees[1]):
        info = {}
        found = qdn.contract_sliced(net, "norm", optimize=optimize, info=info)
        assert abs(found / norm - 1) < 1e-12
        assert info["slices"] == (sliced.multiplicity if optimize is sliced else 1)
    for wrong in ([(0, 1)], [(0, 0)] * 21, [(0, 99)] * 21, tree.get_path()[:-1]):
        with pytest.raises(qdn.OptionError, match="path"):
            qdn.path_report(net, "norm", "collapsed", optimize={"mine": wrong})
    other = qdn.path_report(ring(8, 3, 2, 3), "norm", "collapsed", optimize="greedy").trees[0]
    with pytest.raises(qdn.OptionError, match="tree of another problem"):
        qdn.path_report(net, "norm", "collapsed", optimize=other)
    with pytest.raises(qdn.OptionError, match="tree of another problem"):
        qdn.path_report(qdn.ConvAC.rand(10, 3, 2, 3), "norm", "collapsed", optimize=tree)


@pytest.mark.parametrize(
    "sites", [["a", "b", "c"], [0, "b", (1, 2)], [(0, "x"), (1, "y"), (0, "z")], [(0, 0), (0,), 3]]
)
def test_sites_of_any_name(sites):
    tensors = [
        qtn.rand_tensor((2,) * (2 + (n == 1)), (*(["b"], ["b", "c"], ["c"])[n], f"k{sites[n]}"))
        for n in range(3)
    ]
    psi = qtn.TensorNetworkGenVector.from_TN(
        qtn.TensorNetwork(tensors), sites=sites, site_ind_id="k{}", site_tag_id="I{}"
    )
    norm = qdn.contract_sliced(psi, "norm")
    assert abs(norm / qdn.contract_sliced(psi, "norm", optimize="greedy") - 1) < 1e-12
    assert qdn.path_report({"psi": psi}, "norm").best["cut_bits"] == 1
    with pytest.raises(qdn.OptionError, match="'sweep'"):
        qdn.contract_sliced(psi, "norm", optimize="sweep")


def test_numbers_that_no_float_counts():
    net = qdn.ConvAC.rand(130, depth=1, kernel=2, bond_dim=2, phys_dim=1000, seed=0)
    graph = hypergraph(net, "norm", "collapsed")
    tree = sweep_tree(graph)
    for ix in list(tree.size_dict)[:110]:
        tree.remove_ind_(ix)
    (row,) = qdn.path_report(graph, optimize=tree, target_size=2**20)
    assert row["overhead"] == math.inf and row["log10_flops"] > 300
    with pytest.raises(qdn.BudgetError, match="slices, more than"):
        qdn.contract_sliced(net, "norm", optimize=tree)
    with pytest.raises(qdn.BudgetError, match="axes"):
        qdn.contract_sliced(net, "dense", optimize="greedy")


def test_trees_and_paths_at_the_edge():
    net = ring(6, 2, 2, 2)
    report = qdn.path_report(net, ("partial_trace", [1]), "collapsed", optimize="greedy")
    tree, G = report.trees[0], np.diag([1.0, -1.0])
    exact = qdn.contract_sliced(net, ("local_expectation", [1]), G=G)
    for optimize in (tree, tree.get_path(), np.array(tree.get_ssa_path())):
        found = qdn.contract_sliced(net, ("local_expectation", [1]), G=G, optimize=optimize)
        assert abs(found - exact) < 1e-12
    other = qdn.path_report(net, ("local_expectation", [1]), "collapsed", optimize="greedy")
    with pytest.raises(qdn.OptionError, match="partial_trace"):
        qdn.contract_sliced(net, ("local_expectation", [1]), G=G, optimize=other.trees[0])
    bare = ctg.ContractionTree(tree.inputs, tree.output, tree.size_dict)
    with pytest.raises(qdn.OptionError, match="not complete"):
        qdn.contract_sliced(net, ("partial_trace", [1]), optimize=bare)
    one = qtn.MPS_rand_state(1, 1)
    path = qdn.path_report(one, "dense", optimize="greedy", shared=True)
    assert path.best["reuse"] == 1
    assert qdn.contract_sliced(one, "dense", optimize=path.trees[0].get_path()).shape == (2, 1)
    sized = Hypergraph((("a",), ("a",)), (), {"a": np.int64(2)}, (0, 1))
    assert json.loads(sized.to_json())["size_dict"] == {"a": 2}
    for wrong in (3, qtn.Tensor()):
        with pytest.raises(qdn.OptionError, match="is not a TensorNetwork"):
            Hypergraph.from_tn(wrong)


def test_optimizers_that_fail_are_told():
    net = ring(6, 2, 2, 2)
    for wrong in (
        ctg.HyperOptimizer(max_repeats=0, parallel=False),
        ctg.RandomGreedyOptimizer(max_repeats=0),
        lambda *args, **opts: 3,
        lambda *args, **opts: "x",
        print,
    ):
        for call in (qdn.path_report, qdn.contract_sliced):
            with pytest.raises(qdn.OptionError, match="found no path"):
                call(net, "norm", optimize=wrong)


def test_paths_of_other_ints():
    graph = hypergraph(ring(4, 1, 2, 2), "norm")
    path = np.array(graph.search("greedy").get_ssa_path())
    assert graph.tree(path).get_ssa_path() == graph.tree(path.tolist()).get_ssa_path()
    for wrong in (None, 3, [3], "ab", [("a", "b")]):
        with pytest.raises(qdn.OptionError, match="path"):
            graph.tree(wrong)


@pytest.mark.parametrize("seed", range(10))
def test_linear_and_single_assignment_paths_are_told_apart(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 7))
    inputs = tuple((f"i{n}", f"i{n + 1}") for n in range(count))
    graph = Hypergraph(inputs, ("i0", f"i{count}"), {f"i{n}": n + 2 for n in range(count + 1)})
    linear = [tuple(rng.permutation(left)[:2].tolist()) for left in range(count, 1, -1)]
    expected = ctg.ContractionTree.from_path(
        graph.inputs, graph.output, graph.size_dict, path=linear
    )
    for path in (linear, expected.get_ssa_path()):
        assert graph.tree(path).contraction_cost() == expected.contraction_cost()
        assert graph.tree(path).contraction_width() == expected.contraction_width()


def test_quick_does_not_depend_on_the_number_of_cores(monkeypatch):
    from quimb_deepnets.hyper.search import _best_path

    found = []
    for workers in ("1", "2"):
        monkeypatch.setenv("COTENGRA_NUM_WORKERS", workers)
        ctg.parallel.choose_default_num_workers.cache_clear()
        _best_path.cache_clear()
        report = qdn.path_report(qtn.PEPS.rand(5, 5, 2, seed=0), "norm", optimize="quick")
        found.append(report.best["log10_flops"])
    ctg.parallel.choose_default_num_workers.cache_clear()
    assert found[0] == found[1]


# ---------------------------------------------------------------- the collection


@pytest.mark.parametrize("name", SEARCH.NETWORKS)
def test_collection(name):
    """Each file is the problem of its network, each path costs what its file says."""
    graph = SEARCH.problem(name)
    stored = Hypergraph.load(FOLDER / f"{name}.json")
    assert stored.to_equation() == graph.to_equation()
    assert stored.size_dict == graph.with_symbols().size_dict
    tree, record = SEARCH.known(stored, FOLDER / f"{name}.path.json")
    assert tree.contraction_cost() == record["flops"]
    assert record["flops"] <= quick_tree(graph).contraction_cost()
    assert f"| {record['log10_flops']:.3f} |" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(
    "name", [n for n, (net, *_) in SEARCH.NETWORKS.items() if net.nsites <= 12]
)
def test_collection_counted_while_contracting(name):
    """Value and flops of the best known path, contracted step by step."""
    net, task, form = SEARCH.NETWORKS[name]
    psi = net.to_tensor_network() if form == "expanded" else net.collapse()
    graph = SEARCH.problem(name)
    tree, record = SEARCH.known(graph, FOLDER / f"{name}.path.json")
    ket = ket_of(psi, Form())
    spins = dict.fromkeys(ket.legs.values(), 1) if task == "amplitude" else None
    numbers = numbers_of(psi, ket, graph, spins)
    value, scale, flops = contract_and_count(graph, numbers.arrays, tree.get_ssa_path())
    assert flops == record["flops"]
    value, scale = value * numbers.factor, scale + numbers.scale
    if task == "amplitude":
        phase, log = net.log_amplitudes(np.ones((1, *net.geometry.shape), int))
        assert np.sign(value) == phase[0]
        assert abs(math.log(abs(value)) + scale * math.log(2) - log[0]) < 1e-9
        return
    exact = net.to_dense() if task == "dense" else np.linalg.norm(net.to_dense()) ** 2
    value = value * 2.0**scale
    np.testing.assert_allclose(value.reshape(np.shape(exact)), exact, rtol=1e-9)


def contract_and_count(graph, arrays, path):
    """Value, power of two before it, multiplications: the product of all sizes of each step."""
    held = list(zip(graph.inputs, arrays))
    ends = collections.Counter(ix for inds in (*graph.inputs, graph.output) for ix in inds)
    flops = scale = 0
    for i, j in path:
        (a, x), (b, y) = held[i], held[j]
        for inds in (a, b):
            ends.subtract(inds)
        union = list(dict.fromkeys((*a, *b)))
        out = [ix for ix in union if ends[ix] > 0]
        ends.update(out)
        flops += math.prod(graph.size_dict[ix] for ix in union)
        symbol = {ix: n for n, ix in enumerate(union)}
        legs = ([symbol[ix] for ix in inds] for inds in (a, b, out))
        left, right, kept = legs
        z = np.einsum(x, left, y, right, kept)
        shift = math.frexp(np.abs(z).max())[1]
        scale += shift
        held.append((out, z * 2.0**-shift))
    inds, x = held[-1]
    return np.transpose(x, [inds.index(ix) for ix in graph.output]), scale, flops


def test_a_worse_path_is_never_kept(tmp_path):
    name = "ring24_depth2_K5_norm"
    graph, file = SEARCH.problem(name), tmp_path / "a.path.json"
    trees = sorted((graph.search(w) for w in ("greedy", "quick")), key=SEARCH.cost)
    assert SEARCH.keep_better(graph, file, trees[1], "greedy")
    assert SEARCH.keep_better(graph, file, trees[0], "quick")
    before = file.read_text()
    assert not SEARCH.keep_better(graph, file, trees[1], "greedy") and file.read_text() == before
    assert not SEARCH.keep_better(graph, file, trees[0], "again") and file.read_text() == before
    record = json.loads(before)
    for change in ({"flops": record["flops"] - 1}, {"ssa_path": [[0, 1]]}, {"ssa_path": "x"}):
        file.write_text(json.dumps(record | change))
        wrong = file.read_text()
        with pytest.raises(qdn.OptionError, match="not hold a path of its problem"):
            SEARCH.keep_better(graph, file, trees[0], "quick")
        assert file.read_text() == wrong


def test_search_writes_problem_and_path_once(tmp_path):
    name = "ring24_depth2_K5_norm"
    assert SEARCH.search(name, tmp_path, seconds=0) == ["quick"]
    assert {p.name for p in tmp_path.iterdir()} == {f"{name}.json", f"{name}.path.json"}
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert SEARCH.search(name, tmp_path, seconds=0) == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    (tmp_path / f"{name}.json").write_text(hypergraph(qdn.RAC.rand(4, 1, 2)).to_json())
    with pytest.raises(qdn.OptionError, match="is not the problem"):
        SEARCH.search(name, tmp_path, seconds=0)


# ---------------------------------------------------------------- rivals and cuts


def test_rivals_are_quimbs_networks():
    chain, lattice = qdn.ConvAC.rand(8, 2, 2, 3, seed=0), qdn.ConvAC.rand((2, 3), 2, 2, 3, seed=0)
    made = {
        "MPS": (chain, 2, qtn.MPS_rand_state(8, 2)),
        "MERA": (chain, 3, qtn.MERA.rand(8, max_bond=3)),
        "PEPS": (lattice, 3, qtn.PEPS.rand(2, 3, 3)),
    }
    for kind, (net, size, psi) in made.items():
        ket = _ket(KINDS[kind][1], net.sites, 2, size)
        graph = Hypergraph(tuple(ket.inputs), tuple(ket.legs.values()), ket.size_dict)
        assert of_graph(graph) == of_network(psi, psi.site_inds), kind
    rbm = qdn.RBM.rand(8, alpha=2, seed=0)
    ket = _ket(KINDS["RBM"][1], chain.sites, 2, 16)
    assert of_graph(hypergraph(Rival("RBM", 16, ket), "norm")) == of_graph(hypergraph(rbm, "norm"))
    assert Rival("RBM", 16, ket).num_params == rbm.num_params


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(16, 2, 3, 4, seed=0),
        qdn.ConvAC.rand(10, 3, 2, 4, phys_dim=3, seed=0),
        qdn.ConvAC.rand((4, 4), 2, 2, 4, seed=0),
        qdn.RAC.rand(12, 2, 3, seed=0),
    ],
    ids=repr,
)
def test_rivals_are_the_smallest(net):
    bounds = [(p, qdn.theory.rank_bound(net.geometry, p)) for p in halves(net.sites)]
    for equal in ("params", "entropy"):
        for kind, rival in qdn.rivals(net, equal).items():
            size = max(1, rival.bond_dim - 1)
            below = Rival(kind, size, _ket(KINDS[kind][1], net.sites, net.phys_dim, size))
            (smaller,) = qdn.path_report({"a": below}, optimize="greedy").rows
            (here,) = qdn.path_report({"a": rival}, optimize="greedy").rows
            if equal == "params":
                assert here["params"] >= net.num_params or kind in ("MPS", "tree")
                assert rival.bond_dim == 1 or smaller["params"] < net.num_params
            else:
                assert all(rank_across(rival.ket, p) >= rank for p, rank in bounds)
                assert rival.bond_dim == 1 or any(
                    rank_across(below.ket, p) < rank for p, rank in bounds
                )
                assert here["cut_bits"] >= math.log2(bounds[0][1]) - 1e-9
            assert here["params"] == rival.num_params
    if not isinstance(net.sites[0], tuple):
        assert qdn.rivals(net, "entropy")["MPS"].bond_dim == bounds[0][1]
    where = net.sites[:2]
    bound = qdn.theory.rank_bound(net, [0, 1])
    assert rank_across(qdn.rivals(net, "entropy", where)["MPS"].ket, (0, 1)) >= bound


def test_one_table():
    net = qdn.ConvAC.rand(8, 2, 3, 3, seed=0)
    states = {"deep": net, **qdn.rivals(net, "entropy"), "mine": qtn.MPS_rand_state(8, 3)}
    report = qdn.path_report(states, ("partial_trace", [2, 3]), "collapsed", optimize="greedy")
    assert [row["state"] for row in report.rows] == list(states)
    assert report.rows[0]["params"] == net.num_params
    assert repr(report).count("* ") == len(states)
    assert report.rows[-1]["params"] == sum(t.size for t in states["mine"])
    assert report.rows[-1]["cut_bits"] == pytest.approx(math.log2(3))
    assert "state" in report.to_csv() and report.to_markdown().startswith("| state | params |")
    assert report.to_dict()["rows"][1]["state"] == "MPS"
    pytest.importorskip("matplotlib").use("Agg")
    assert len(report.plot().lines) == len(states)
    assert list(report.winners) == list(states) and report.winners["MPS"] is report.rows[1]
    more = qdn.path_report({"deep again": net}, "norm", "collapsed")
    with pytest.raises(qdn.OptionError, match="need names"):
        report + qdn.path_report(net, "norm", "collapsed")
    same = qdn.path_report(net, optimize="greedy") + qdn.path_report(net, optimize="branches")
    assert len(same) == 2 and same.best["optimize"] == "branches"
    with pytest.raises(TypeError):
        report + 3
    for columns in ("state", 5):
        with pytest.raises(qdn.OptionError, match="not a list"):
            report.to_markdown(columns)
    assert "a\\|b" in qdn.path_report({"a|b": net}).to_markdown()
    with pytest.raises(qdn.BudgetError, match="max_tensors=5"):
        qdn.path_report(qdn.rivals(net), max_tensors=5)
    with pytest.raises(qdn.BudgetError, match="max_tensors=5"):
        qdn.path_report(qtn.MPS_rand_state(8, 3), max_tensors=5)
    with pytest.raises(qdn.OptionError, match="read alike"):
        qdn.path_report(net, optimize={1: "greedy", "1": "branches"})
    both = report + more
    assert len(both) == len(report) + 3 == len(both.trees) and both.to_dict()["form"] == "collapsed"
    assert "task" not in both.to_dict() and repr(both).count("\n") == len(both) + 1
    text = both.to_markdown(columns=("state", "log10_flops"))
    assert text.splitlines()[:2] == ["| state | log10_flops |", "| --- | ---: |"]
    with pytest.raises(qdn.OptionError, match="columns='cost'"):
        report.to_markdown(columns=["cost"])
    with pytest.raises(qdn.OptionError, match="at least one state"):
        qdn.path_report({})
    with pytest.raises(qdn.OptionError, match="not a deep network"):
        qdn.rivals(qdn.RBM.rand(4))
    with pytest.raises(qdn.OptionError, match="'size'"):
        qdn.rivals(net, "size")
    with pytest.raises(qdn.SitesError):
        qdn.rivals(net, "entropy", 8)


def test_rivals_that_can_grow_no_more():
    """The smallest bond dimension at which the MPS of a few sites is as large as any."""
    net = qdn.ConvAC.rand(4, 3, 3, 30, phys_dim=3, seed=0)
    found = qdn.rivals(net)["MPS"]
    assert found.bond_dim == 9 == max(found.ket.size_dict.values())
    assert found.num_params == 180 < net.num_params
    assert qdn.rivals(qdn.ConvAC.rand(2, 2, 2, 9, phys_dim=3, seed=0))["MPS"].bond_dim == 3


def test_tables_of_states_and_problems():
    net = qdn.ConvAC.rand(4, 2, 2, 2, seed=0)
    for states in ({"a": net, "b": hypergraph(net)}, {"b": hypergraph(net), "a": net}):
        report = qdn.path_report(states, optimize="greedy")
        assert "params" in repr(report) and len(report.to_csv().splitlines()) == 3
        assert report.to_markdown().count("|") > 20 and set(report.winners) == {"a", "b"}
    with pytest.raises(qdn.OptionError, match="read differently"):
        qdn.path_report({1: net, "1": net})
    assert qdn.path_report({None: net}, optimize="greedy").best["state"] == "None"
    psi = net.to_tensor_network()
    gated = psi.gate(np.ones((4, 4)), (0, 3), contract=True)
    rows = qdn.path_report(
        {"psi": psi, "gated": gated, "net": net.geometry}, optimize="greedy"
    ).rows
    assert [row["params"] for row in rows] == [
        net.num_params,
        sum(t.size for t in gated),
        net.num_params,
    ]
    assert rows[0]["cut_bits"] == rows[2]["cut_bits"] <= rows[1]["cut_bits"]
    where = iter([0, 1])
    rows = qdn.path_report({"a": net, "b": net}, ("partial_trace", where), optimize="greedy").rows
    assert rows[0]["tensors"] == rows[1]["tensors"]


def test_halves():
    assert halves(range(5)) == [(0, 1)] and halves(range(1)) == []
    grid = tuple(itertools.product(range(3), range(2)))
    assert halves(grid) == [(0, 1), (0, 2, 4)]
    assert halves(tuple((0, j) for j in range(4))) == [(0, 1)]
    assert halves(((0, 0), (0,), (1, 2, 3))) == [(0,)]
    assert halves(("a", "b", "c")) == [(0,)] and halves((("a", 1), ("b", 2))) == [(0,)]


def exact_rank(psi, legs):
    """The rank of a random network between some legs and the rest."""
    rest = [ix for ix in psi.outer_inds() if ix not in legs]
    s = np.linalg.svd(psi.to_dense(legs, rest), compute_uv=False)
    return int((s > 1e-10 * s[0]).sum())


@pytest.mark.parametrize("seed", range(12))
def test_minimum_cuts_bound_the_rank(seed):
    rng = np.random.default_rng(seed)
    edges = [(i, j) for i, j in itertools.combinations(range(6), 2) if rng.random() < 0.5]
    edges += [(i, (i + 1) % 6) for i in range(6) if (i, (i + 1) % 6) not in edges]
    psi = qtn.TN_from_edges_rand(edges, 2, phys_dim=3, seed=seed)
    legs = [f"k{i}" for i in rng.permutation(6)[: rng.integers(1, 4)]]
    rest = [f"k{i}" for i in range(6) if f"k{i}" not in legs]
    sizes = {ix: psi.ind_size(ix) for ix in psi.ind_map}
    bound = qdn.theory.cut_rank([t.inds for t in psi], sizes, legs, rest)
    brute = min(
        math.prod(
            sizes[ix]
            for ix, tids in psi.ind_map.items()
            if len({(t in side) for t in tids} | ({ix in legs} if ix in legs + rest else set())) > 1
        )
        for side in (
            {t for t, bit in zip(psi.tensor_map, bits) if bit}
            for bits in itertools.product((0, 1), repeat=6)
        )
    )
    assert bound == brute >= exact_rank(psi, legs)


def test_cuts_that_are_none():
    assert qdn.theory.cut_rank([], {}, [], []) == 1
    assert qdn.theory.cut_rank([("a", "b")], {"a": 2, "b": 3}, ["a"], ["b"]) == 2
    with pytest.raises(qdn.LegError, match="'c'"):
        qdn.theory.cut_rank([("a",)], {"a": 2}, ["c"], [])


# ---------------------------------------------------------------- treewidth


def weighted_treewidth(graph):
    """Exactly, over all orders of elimination, by dynamic programming on sets of indices."""
    names = list(graph.size_dict)
    bits = [math.log2(graph.size_dict[ix]) for ix in names]
    place = {ix: n for n, ix in enumerate(names)}
    near = [0] * len(names)
    for inds in (*graph.inputs, graph.output):
        for a, b in itertools.permutations(map(place.get, inds), 2):
            near[a] |= 1 << b

    def bag(gone, v):
        """v and all that it reaches through what is eliminated."""
        seen, queue, found = 1 << v, [v], bits[v]
        while queue:
            for w in range(len(names)):
                if near[queue[-1]] >> w & 1 and not seen >> w & 1:
                    seen |= 1 << w
                    if gone >> w & 1:
                        queue.insert(0, w)
                    else:
                        found += bits[w]
            queue.pop()
        return found

    best = {0: 0.0}
    for _ in names:
        following = {}
        for gone, widest in best.items():
            for v in range(len(names)):
                if not gone >> v & 1:
                    value = max(widest, bag(gone, v))
                    new = gone | 1 << v
                    following[new] = min(value, following.get(new, math.inf))
        best = following
    return min(best.values())


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(7, 2, 3, 4, seed=0),
        qdn.ConvAC.rand(8, 3, 2, 3, seed=0, boundary="omit"),
        qdn.ConvAC.rand(7, 2, 3, 2, seed=0, boundary="valid"),
        qdn.ConvAC.rand(8, layers=[qdn.GCLayer(2, 3, 2), qdn.GCLayer(2, 2)], seed=0),
        qdn.ConvAC.rand(5, 2, 2, 3, phys_dim=3, seed=0),
        ring(8, 2, 3, 4),
        ring(9, 3, 2, 2),
        ring(6, 3, 3, 5),
        ring(5, 2, 2, 2, phys_dim=3),
        qdn.ConvAC.rand(6, 1, 3, 4, seed=0),
        qdn.ConvAC.rand(3, 2, 3, 64, seed=0),
    ],
    ids=repr,
)
def test_treewidth_is_the_smallest_possible(net):
    for task in ("norm", "dense", "amplitude"):
        bound = qdn.theory.treewidth_bits(net.geometry, task)
        graph = hypergraph(net, task, "collapsed")
        assert bound == pytest.approx(weighted_treewidth(graph))
        largest = largest_step(graph, quick_tree(graph))
        assert largest >= 2**bound * (1 - 1e-9)


@pytest.mark.parametrize(
    "net",
    [
        qdn.ConvAC.rand(4, 2, 2, 3, seed=0),
        qdn.ConvAC.rand((2, 2), 2, 2, 3, seed=0, boundary="omit"),
        qdn.ConvAC.rand(3, 1, 3, 4, seed=0),
        ring(3, 1, 2, 4),
        qdn.RAC.rand(3, 2, 3, seed=0),
    ],
    ids=repr,
)
def test_treewidth_of_amplitudes_is_met_branch_by_branch(net):
    bound = qdn.theory.treewidth_bits(net.geometry, "amplitude", "expanded")
    graph = hypergraph(net)
    if graph.num_indices <= 14:
        assert bound == pytest.approx(weighted_treewidth(graph))
    assert largest_step(graph, branch_tree(graph)) == pytest.approx(2**bound)
    assert qdn.theory.treewidth_bits(net.geometry, "norm", "expanded") is None


def largest_step(graph, tree):
    """Multiplications of the largest step of a tree."""
    return max((tree.get_flops(node) for node, _, _ in tree.traverse()), default=1)


def test_treewidth_where_it_is_not_known():
    lattice = ConvGeometry((4, 4), (qdn.GCLayer((2, 2), 3),) * 2, (True, True))
    assert qdn.theory.treewidth_bits(lattice) is None
    strided = ring(12, layers=[qdn.GCLayer(3, 2, 2), qdn.GCLayer(2, 2)])
    assert qdn.theory.treewidth_bits(strided.geometry) is None
    assert qdn.theory.treewidth_bits(qdn.RAC.rand(6, 2, 2).geometry) is None
    with pytest.raises(qdn.OptionError, match="task='energy'"):
        qdn.theory.treewidth_bits(lattice, "energy")
