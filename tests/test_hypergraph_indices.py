"""Indices of contraction problems: none that is on no tensor, and some that are on one twice."""

import json

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.paths import Hypergraph, contract_shared, hypergraph, shared_plan

NETS = [
    qdn.RAC.rand(3, depth=1, bond_dim=2, seed=0),
    qdn.RAC.rand(4, depth=2, bond_dim=2, seed=0),
    qdn.ConvAC.rand(4, depth=2, kernel=3, bond_dim=2, seed=0, boundary="periodic"),
    qdn.ConvAC.rand((2, 2), depth=1, kernel=2, bond_dim=2, seed=0),
]
TASKS = ("amplitude", "dense", "norm", ("partial_trace",), ("local_expectation",))


@pytest.mark.parametrize("mode", ["hyper", "copy", "tree", "mps"])
@pytest.mark.parametrize("net", NETS, ids=repr)
def test_every_index_is_on_a_tensor(net, mode):
    for task in TASKS:
        task = task if isinstance(task, str) else (task[0], [net.sites[2]])
        if mode == "copy" and net.depth > 1 and task != "amplitude":
            continue
        graph = hypergraph(net, task, mode=mode)
        there = {ix for inds in graph.inputs for ix in inds}
        assert set(graph.size_dict) == there and graph.num_indices == len(there)
        (row,) = qdn.path_report(net, task, mode=mode, optimize="greedy")
        assert row["indices"] == len(there)
    dense = hypergraph(net, "dense", mode=mode)
    assert dense.num_indices == len(json.loads(dense.to_json())["size_dict"])


def test_a_count_by_hand():
    """An MPS of 3 sites: 3 legs, 3 inputs of the weights, 4 hidden states."""
    for mode in ("hyper", "copy", "tree", "mps"):
        assert hypergraph(NETS[0], "dense", mode=mode).num_indices == 3 + 3 + 4


def random_problem(rng):
    """A few tensors on few indices, most of them with an index twice somewhere."""
    names = "abcdef"
    inputs = tuple(
        tuple(map(str, rng.choice(list(names), size=rng.integers(1, 5))))
        for _ in range(rng.integers(2, 6))
    )
    sizes = {ix: int(rng.integers(1, 4)) for ix in names}
    output = tuple(ix for ix in names if any(ix in t for t in inputs) and rng.random() < 0.3)
    return Hypergraph(inputs, output, sizes, tuple(range(len(inputs))))


@pytest.mark.parametrize("seed", range(25))
def test_an_index_twice_on_a_tensor(seed):
    """The reference is `numpy.einsum`, for which such an index is a diagonal."""
    rng = np.random.default_rng(seed)
    graph = random_problem(rng)
    arrays = [rng.normal(size=[graph.size_dict[ix] for ix in inds]) for inds in graph.inputs]
    equation = ",".join(map("".join, graph.inputs)) + "->" + "".join(graph.output)
    exact = np.einsum(equation, *arrays)
    least = int(np.prod([graph.size_dict[ix] for ix in graph.output]))
    for optimize, size in (("greedy", None), ("quick", None), ("greedy", least)):
        tree = graph.search(optimize, target_size=size)
        slices, plan = range(int(tree.multiplicity)), shared_plan(graph, tree)
        found = sum(tree.contract_slice(arrays, i) for i in slices)
        assert np.abs(found - exact).max() < 1e-12 * max(1, np.abs(exact).max())
        parts = [contract_shared(plan, tree.slice_arrays(arrays, i)) for i in slices]
        found = sum(x * 2.0**power for x, power in parts)
        assert np.abs(found - exact).max() < 1e-12 * max(1, np.abs(exact).max())
    again = Hypergraph.from_json(graph.to_json())
    assert again.to_equation() == graph.to_equation()
    report = qdn.path_report(graph, optimize=("greedy", "quick"), shared=True)
    assert report.best["indices"] == len({ix for inds in graph.inputs for ix in inds})


def test_what_is_twice_and_what_cannot_be():
    trace = Hypergraph((("a", "a", "b"), ("b", "c")), ("c",), dict.fromkeys("abc", 2))
    assert trace.hyper_edges == 0 and trace.to_equation() == "aab,bc->c"
    tn = qtn.TensorNetwork([qtn.rand_tensor((2, 2, 3), ("a", "a", "b")), qtn.rand_tensor(3, "b")])
    graph = Hypergraph.from_tn(tn, ())
    assert graph.inputs == (("a", "a", "b"), ("b",)) and graph.num_indices == 2
    with pytest.raises(qdn.OptionError, match="output twice"):
        Hypergraph((("a", "b"),), ("a", "a"), dict.fromkeys("ab", 2))
