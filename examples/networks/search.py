"""Search for better paths of the networks in this folder; a worse one is never kept: `make paths`.

::

    NETWORKS --> NAME.json         the problem, in the form of cotengra's benchmark collection
                 NAME.path.json    the best path known: flops, width, by whom, the path itself
                 README.md         the table of all
"""

import argparse
import datetime
import functools
import json
import math
import pathlib
import sys
import warnings

import cotengra as ctg
from tqdm import tqdm

import quimb_deepnets as qdn
from quimb_deepnets.numerics.atomic import written
from quimb_deepnets.paths import Hypergraph, hypergraph

HERE = pathlib.Path(__file__).parent
QUICK = ("greedy", "branches", "sweep", "quick")

conv, rac = functools.partial(qdn.ConvAC.rand, seed=0), functools.partial(qdn.RAC.rand, seed=0)
ring = functools.partial(conv, boundary="periodic")
# name: (network, task, form)
NETWORKS = {
    "chain16_depth2_K3_amplitude": (conv(16, 2, 3, 4), "amplitude", "expanded"),
    "ring12_depth6_K2_amplitude": (ring(12, 6, 2, 3), "amplitude", "expanded"),
    "ring6_depth4_K5_amplitude": (ring(6, 4, 5, 4), "amplitude", "expanded"),
    "lattice4x4_depth3_K2_amplitude": (conv((4, 4), 3, 2, 3), "amplitude", "expanded"),
    "rac12_depth3_amplitude": (rac(12, 3, 4), "amplitude", "expanded"),
    "chain8_depth2_K4_norm_expanded": (conv(8, 2, 4, 3), "norm", "expanded"),
    "lattice3x4_depth2_K2_norm_expanded": (conv((3, 4), 2, 2, 2), "norm", "expanded"),
    "ring12_depth3_K3_dense": (ring(12, 3, 3, 4), "dense", "collapsed"),
    "chain64_depth3_K3_norm": (conv(64, 3, 3, 4), "norm", "collapsed"),
    "ring64_depth3_K3_norm": (ring(64, 3, 3, 4), "norm", "collapsed"),
    "ring24_depth2_K5_norm": (ring(24, 2, 5, 4), "norm", "collapsed"),
    "lattice6x6_depth2_K3_norm": (conv((6, 6), 2, 3, 4), "norm", "collapsed"),
    "torus6x6_depth3_K2_norm": (ring((6, 6), 3, 2, 4), "norm", "collapsed"),
    "chain32_depth4_K3_rho": (conv(32, 4, 3, 4), ("partial_trace", [8, 9, 23]), "collapsed"),
    "lattice8x8_depth2_K2_local": (
        conv((8, 8), 2, 2, 4),
        ("local_expectation", [(3, 3), (4, 4)]),
        "collapsed",
    ),
}


def problem(name):
    """The contraction problem of a name, from the geometry of its network."""
    net, task, form = NETWORKS[name]
    return hypergraph(net, task, form)


def cost(tree):
    """Fewer flops are better, then a smaller width."""
    return int(tree.contraction_cost()), float(tree.contraction_width())


def known(graph, path):
    """The best known path of a problem as a tree, and its record; (None, None) if there is none.

    Raises
    ------
    OptionError
        If the file is malformed, or does not cost what it says.
    """
    if not path.exists():
        return None, None
    try:
        record = json.loads(path.read_text(encoding="utf8"))
        tree = graph.tree(record["ssa_path"])
        if cost(tree) != (record["flops"], record["log2_width"]):
            raise ValueError(f"the path costs {cost(tree)}, not what the file says")
    except (ValueError, LookupError, TypeError) as error:
        raise qdn.OptionError(
            f"{str(path)!r} does not hold a path of its problem: {error}."
        ) from error
    return tree, record


def keep_better(graph, path, tree, by):
    """Write a tree if it is better than the one on file; returns whether it was."""
    old, _ = known(graph, path)
    if old is not None and cost(old) <= cost(tree):
        return False
    flops, width = cost(tree)
    record = {
        "flops": flops,
        "log10_flops": math.log10(max(1, flops)),
        "log2_width": width,
        "by": by,
        "found": str(datetime.date.today()),
        "ssa_path": [list(map(int, step)) for step in tree.get_ssa_path()],
    }
    written(json.dumps(record) + "\n", path)
    return True


def candidates(graph, seconds, seed):
    """Trees, each with the name of who found it: quick ones, then a search, then improvements."""
    graph, found = graph.with_symbols(), []
    for word in QUICK:
        try:
            found.append((graph.search(word), word))
        except qdn.OptionError:  # it does not apply
            continue
    yield from found
    if not seconds:
        return
    repeats = max(8, round(2**18 / graph.num_tensors**1.2))
    searches = {"random-greedy": ctg.RandomGreedyOptimizer(max_repeats=repeats, seed=seed)}
    if graph.num_tensors <= 500:
        searches["hyper"] = ctg.HyperOptimizer(
            max_time=seconds, max_repeats=10**6, parallel=False, minimize="flops"
        )
    for name, optimizer in searches.items():
        found.append((graph.search(optimizer), name))
        yield found[-1]
    tree, name = min(found, key=lambda pair: cost(pair[0]))
    tree = graph.tree(tree.get_ssa_path())
    if graph.num_tensors <= 500:
        yield tree.subtree_reconfigure(subtree_size=10), f"{name}, subtrees improved"
        annealed = tree.simulated_anneal(tfinal=1e-4, tsteps=100, numiter=50, seed=seed)
        yield annealed.subtree_reconfigure(subtree_size=10), f"{name}, annealed"


def search(name, folder=HERE, seconds=10, seed=0):
    """Look for a better path of one network; write its problem if it is not there yet."""
    graph = problem(name)
    file = folder / f"{name}.json"
    if not file.exists():
        graph.to_json(file)
    elif Hypergraph.load(file).to_equation() != graph.to_equation():
        raise qdn.OptionError(f"{str(file)!r} is not the problem of {NETWORKS[name][0]!r}.")
    path = folder / f"{name}.path.json"
    better = [
        by for tree, by in candidates(graph, seconds, seed) if keep_better(graph, path, tree, by)
    ]
    return better[-1:]


def table(folder=HERE):
    """All networks with their best known paths, in Markdown."""
    lines = [
        "| network | tensors | indices | log10 flops | log2 width | by | found |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for name in NETWORKS:
        graph = Hypergraph.load(folder / f"{name}.json")
        _, record = known(graph, folder / f"{name}.path.json")
        lines.append(
            f"| [{name}]({name}.json) | {graph.num_tensors} | {graph.num_indices} | "
            f"{record['log10_flops']:.3f} | {record['log2_width']:.2f} | {record['by']} | "
            f"{record['found']} |"
        )
    return "\n".join(lines)


README = """# Contraction problems

Deep networks as contraction problems, for anybody's path finder: `NAME.json` holds `inputs`,
`output` and `size_dict` as cotengra's benchmark collection does (`Hypergraph.load` reads both),
`NAME.path.json` the best path that we know, in single-assignment form. Flops are scalar
multiplications (`contraction_cost` of cotengra's trees), the width is that of the largest
intermediate. Equal `labels` (other programs ignore them) are tensors with equal numbers.

```python
graph = Hypergraph.load("NAME.json")  # from quimb_deepnets.paths
tree = graph.tree(json.load(open("NAME.path.json"))["ssa_path"])
```

`make paths` searches again and keeps what is better, never what is worse.

"""


def main(args=None):
    """Search for all networks, or for those named, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all networks")
    parser.add_argument("--seconds", type=float, default=5, help="of each long search; 0 for none")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(args)
    if unknown := sorted(set(options.names) - set(NETWORKS)):
        parser.error(f"{unknown[0]!r} is not a known network; the names are {', '.join(NETWORKS)}")
    warnings.filterwarnings("ignore", "Couldn't import")
    for name in tqdm(options.names or list(NETWORKS)):
        try:
            for by in search(name, seconds=options.seconds, seed=options.seed):
                tqdm.write(f"{name}: a better path by {by}")
        except qdn.OptionError as error:
            sys.exit(f"{parser.prog}: error: {error}")
    written(f"{README}{table()}\n", HERE / "README.md")
    print(table())


if __name__ == "__main__":
    main()
