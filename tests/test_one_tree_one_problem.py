"""Optimizers that remember, several problems: each row, each contraction has a tree of its own."""

import math
import types
import warnings

import cotengra as ctg
import numpy as np
import opt_einsum
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.hyper.trees import anew, is_tree_of
from quimb_deepnets.paths import Hypergraph, hypergraph

RINGS = {f"depth {d}": qdn.ConvAC.rand(16, d, 3, 4, seed=0, boundary="periodic") for d in (1, 2, 3)}
NET = qdn.ConvAC.rand(8, depth=2, kernel=2, bond_dim=4, seed=0)


class Stubborn:
    """Finds a path once, and has no other."""

    path = None

    def __call__(self, inputs, output, size_dict, memory_limit=None):
        if self.path is None:
            self.path = ctg.array_contract_path(inputs, output, size_dict, optimize="greedy")
        return self.path


class StubbornTree(Stubborn):
    """Finds a tree once, and has no other."""

    def search(self, inputs, output, size_dict):
        if self.path is None:
            self.path = ctg.array_contract_tree(inputs, output, size_dict, optimize="greedy")
        return self.path


def hyper(**options):
    options = {"max_repeats": 6, "parallel": False, "methods": ["greedy"]} | options
    return ctg.HyperOptimizer(optlib="random", optlib_opts={"seed": 1}, **options)


OPTIMIZERS = {
    "HyperOptimizer": hyper,
    "sbplx": lambda: ctg.HyperOptimizer(
        max_repeats=6, parallel=False, methods=["greedy"], optlib="sbplx"
    ),
    "RandomGreedyOptimizer": lambda: ctg.RandomGreedyOptimizer(
        max_repeats=6, seed=0, parallel=False
    ),
    "threads": lambda: ctg.RandomGreedyOptimizer(max_repeats=6, seed=0, parallel="threads"),
    "AutoOptimizer": lambda: ctg.AutoOptimizer(
        optimal_cutoff=0,
        cache=False,
        max_repeats=32,
        max_time=None,
        parallel=False,
        optlib="random",
    ),
    "Reusable": lambda: ctg.ReusableHyperOptimizer(
        max_repeats=32, parallel=False, methods=["greedy"], optlib="random"
    ),
    "RandomGreedy": lambda: opt_einsum.RandomGreedy(max_repeats=6),
    "Stubborn": Stubborn,
    "method": lambda: Stubborn().__call__,
    "StubbornTree": StubbornTree,
}


def largest_step(tree):
    """log2 of the multiplications of the largest step."""
    return max(math.log2(tree.get_flops(node)) for node, *_ in tree.traverse())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_optimizer_for_several_states(name):
    """The reference is a search of each problem by an optimizer of its own."""
    optimizer = OPTIMIZERS[name]()
    report = qdn.path_report(RINGS, "norm", "collapsed", optimize=optimizer)
    known = zip(report, report.trees, RINGS.values(), (4, 8, 12), (2.88, 3.92, 4.90))
    for row, tree, net, width, flops in known:
        (alone,) = qdn.path_report(net, "norm", "collapsed", optimize=OPTIMIZERS[name]())
        assert flops - 0.01 <= row["log10_flops"] <= alone["log10_flops"] + 0.3
        assert width <= row["log2_width"] <= alone["log2_width"] + 2
        assert largest_step(tree) >= qdn.theory.treewidth_bits(net.geometry) - 1e-9
        graph = hypergraph(net, "norm", "collapsed")
        assert is_tree_of(tree, graph.inputs, graph.output, graph.size_dict)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_optimizer_in_several_calls(name):
    optimizer = OPTIMIZERS[name]()
    small, large = (qtn.MPS_rand_state(8, bond, seed=0) for bond in (4, 64))
    states = {"net": NET, "mps": large}
    found = {
        row["state"]: row["log10_flops"]
        for row in qdn.path_report(states, "norm", "collapsed", optimize=optimizer)
    }
    stubborn = "ubborn" in name or name == "method"  # greedy, once
    assert 5.68 <= found["mps"] <= (6.6 if stubborn else 5.7)
    for state, flops in ((small, 3.15), (large, found["mps"]), (small, 3.15)):
        (row,) = qdn.path_report(state, "norm", optimize=optimizer)
        assert row["log10_flops"] == pytest.approx(flops, abs=0.36)
        info = {}
        norm = qdn.contract_sliced(state, "norm", optimize=optimizer, info=info)
        assert abs(norm / state.norm() - 1) < 1e-12
        assert math.log10(info["flops"]) == pytest.approx(flops, abs=0.36)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_that_has_searched_elsewhere(name):
    """What cotengra or quimb had it find before does not come back here."""
    optimizer = OPTIMIZERS[name]()
    small = hypergraph(qtn.MPS_rand_state(8, 2, seed=0), "norm")
    ctg.array_contract_tree(small.inputs, small.output, small.size_dict, optimize=optimizer)
    (row,) = qdn.path_report(NET, "norm", "collapsed", optimize="greedy")
    if "ubborn" in name or name == "method":  # it is itself that remembers: refused, not believed
        with pytest.raises(qdn.OptionError, match=r"another problem|found no path|path"):
            qdn.path_report(NET, "norm", "collapsed", optimize=optimizer)
        return
    (mine,) = qdn.path_report(NET, "norm", "collapsed", optimize=optimizer)
    assert mine["log10_flops"] <= row["log10_flops"] + 0.1
    assert mine["log2_width"] == pytest.approx(row["log2_width"], abs=1.01)


def test_the_optimizer_that_is_given_is_left_as_it_is():
    optimizer = hyper(parallel="threads")
    graph = hypergraph(NET, "norm", "collapsed").with_symbols()
    before = optimizer.search(graph.inputs, graph.output, graph.size_dict)
    new = anew(optimizer)
    assert new is not optimizer and new._pool is optimizer._pool and new.best["score"] == math.inf
    qdn.path_report(RINGS, "norm", "collapsed", optimize=optimizer)
    assert optimizer.tree is before and len(optimizer.scores) == 6
    random = opt_einsum.RandomGreedy(max_repeats=2, parallel=1)
    anew(random).__del__()
    assert random._executor.submit(int, 3).result() == 3
    random.parallel = False
    assert anew(print) is print and anew("auto") == "auto" and anew(None) is None
    branch = opt_einsum.BranchBound(nbranch=1)
    branch([set("ab"), set("bc"), set("ca")], set(), dict.fromkeys("abc", 2))
    assert branch.best["flops"] < math.inf == anew(branch).best["flops"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_optimizer_for_contractions(name):
    """Norms, overlaps, density matrices, energies, parts: values as without an optimizer."""
    optimizer = OPTIMIZERS[name]()
    Z, other = np.diag([1.0, -1.0]), qdn.ConvAC.rand(8, 1, 3, 2, seed=3)
    for psi in (NET.collapse(), other.to_tensor_network()):
        v = psi.to_dense()
        rho = np.outer(v, v).reshape(2, 2, 64, 2, 2, 64)
        rho = np.einsum("abcdec->abde", rho).reshape(4, 4) / (v.T @ v)
        assert psi.norm(optimize=optimizer) == pytest.approx(np.linalg.norm(v))
        assert psi.overlap(psi, optimize=optimizer) == pytest.approx(float((v.T @ v).item()))
        assert np.abs(psi.partial_trace_exact((0, 1), optimize=optimizer) - rho).max() < 1e-12
        terms = {(0,): Z, (1,): Z, (0, 7): np.kron(Z, Z)}
        energies = [
            psi.compute_local_expectation_exact(terms, optimize=best)
            for best in (optimizer, "greedy")
        ]
        assert energies[0] == pytest.approx(energies[1])
        assert np.abs(psi.to_dense(optimize=optimizer) - v).max() < 1e-12 * np.abs(v).max()
        both = psi.make_norm().contract("BRA", optimize=optimizer).contract(optimize=optimizer)
        assert both == pytest.approx(float((v.T @ v).item()))
    psi = other.to_tensor_network()
    exact = other.amplitudes([[0, 1] * 4, [1] * 8])
    found = psi.amplitudes([[0, 1] * 4, [1] * 8], optimize=optimizer)
    assert found == pytest.approx(exact)


def test_a_tree_of_another_problem_is_refused_by_contractions():
    """The same shapes in another order would give a number that is wrong."""
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(2, 2)) for _ in range(3)]
    make = lambda *inds: qdn.HyperTensorNetwork(
        qtn.TensorNetwork([qtn.Tensor(x, ix) for x, ix in zip(data, inds)])
    )
    one, two = make("ab", "bc", "cd"), make("ab", "cb", "cd")
    tree = one.contraction_tree("greedy", output_inds=("a", "d"))
    expected = np.einsum("ab,bc,cd->ad", *data)
    assert np.allclose(one.contract(optimize=tree, output_inds=("a", "d")).data, expected)
    for tn, output in ((two, "ad"), (one, "da"), (make("ab", "bc", "ce"), "ac")):
        for call in (tn.contract, tn.contraction_tree, tn.contraction_path, tn.contraction_cost):
            with pytest.raises(qdn.OptionError, match="tree of another problem"):
                call(optimize=tree, output_inds=tuple(output))
    stale = StubbornTree()
    stale.path = tree
    with pytest.raises(qdn.OptionError, match=r"StubbornTree.*another problem"):
        two.contract(optimize=stale, output_inds=("a", "d"))
    assert np.allclose(one.contract(optimize=stale, output_inds=("a", "d")).data, expected)
    for wrong in (types.SimpleNamespace(search=lambda *args: 3), hyper(max_repeats=0)):
        with pytest.raises(qdn.OptionError, match=r"tree was expected|found no path"):
            one.contract(optimize=wrong)


def test_sizes_and_outputs_belong_to_a_problem():
    inputs = (("a", "b"), ("b", "c"), ("c", "d"))
    sizes = {"a": 2, "b": 3, "c": 4, "d": 2}
    graph = Hypergraph(inputs, ("a", "d"), sizes)
    tree = graph.search("greedy")
    assert qdn.path_report(graph, optimize=tree).best["log2_width"] == tree.contraction_width()
    wider = Hypergraph(inputs, ("a", "d"), sizes | {"c": 5})
    turned = Hypergraph(inputs, ("d", "a"), sizes)
    summed = Hypergraph(inputs, ("a",), sizes)
    joined = Hypergraph((*inputs[:2], ("c", "a")), (), sizes)
    for other in (wider, turned, summed, joined):
        with pytest.raises(qdn.OptionError, match="tree of another problem"):
            qdn.path_report(other, optimize=tree)
    (row,) = qdn.path_report(wider, optimize=tree.get_path())
    assert round(10 ** row["log10_flops"]) in (2 * 3 * 5 + 2 * 5 * 2, 3 * 5 * 2 + 2 * 3 * 2)


def test_no_warning_of_gradients():
    """cotengra asks for the size of tensors that are followed."""
    net = qdn.ConvAC.rand(4, 1, 2, 2, seed=0).to("torch")
    psi = net.to_tensor_network()
    psi.apply_to_arrays(lambda x: x.clone().requires_grad_())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        psi.norm(strip_exponent=True, optimize="greedy")[0].backward()
        psi.amplitude("0110", optimize="greedy").backward()
        psi.partial_trace_exact((0,))
    assert not caught


@pytest.mark.parametrize("wrong", ["nothing", "", 3, 1.5, [(0, 99)], [(0, 1)], [("a",)], object()])
def test_optimizers_that_are_none(wrong):
    for psi in (NET.collapse(), NET.to_tensor_network()):
        for call in (psi.norm, psi.contraction_tree, psi.contraction_cost, psi.contraction_path):
            with pytest.raises(qdn.OptionError, match="optimize="):
                call(optimize=wrong)
    with pytest.raises(qdn.OptionError, match=r"path|optimize="):
        qdn.path_report(NET, optimize=wrong)
