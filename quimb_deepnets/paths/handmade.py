"""Paths made by hand: branch by branch, site by site; and the best of them and quick searches.

::

    branches              sweep, of a chain          sweep, of a lattice
       y                                             o  o  o  o     strips across the shorter
      / \\               o--o--o--o--o--o            o  o  x  .     side, x comes next: the sites
     y   y              (((((o o) o) o) o) o)        .  .  .  .     that are open lie along one
     |   |
    upward              blocks: ((o o)(o o))(o o)    where all are equal, each size is done once

Each is a function from a `Hypergraph` to a cotengra tree, and a word for ``optimize=``.
"""

import functools
import math
from collections import deque

from ..errors import OptionError
from ..hyper.search import MANY, BestOf, line_path


def branch_tree(graph):
    """Contract an expanded amplitude branch by branch, from the sites upward.

    The order in which the network itself evaluates: each weight acts on the vector below it, then
    the taps of a node are multiplied. Where equal steps are done once (`shared_flops`), that is
    the forward pass.

    Parameters
    ----------
    graph : Hypergraph
        A tree of tensors, each with its first leg upward and a tensor of one leg on top:
        ``task="amplitude", form="expanded", mode="hyper"``.

    Returns
    -------
    cotengra.ContractionTree

    Raises
    ------
    OptionError
        If the network is not a tree of branches.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import branch_tree, hypergraph, shared_flops
    >>> graph = hypergraph(qdn.RAC.rand(8, depth=2, bond_dim=4, seed=0))
    >>> tree = branch_tree(graph)
    >>> tree.contraction_cost(), shared_flops(graph, tree)
    (1012, 452)
    """
    path = branch_path(graph)
    if path is None:
        raise OptionError(
            "'branches' contracts trees of branches, and this network is not one; use it for "
            "task='amplitude', form='expanded', mode='hyper', or another optimizer such as "
            "'greedy'."
        )
    return graph.tree(path)


def branch_path(graph):
    """The path of `branch_tree` in single-assignment form, None where there is none."""
    inputs, feeds = graph.inputs, {}
    for i, inds in enumerate(inputs):
        feeds.setdefault(inds[0] if inds else None, []).append(i)
    order, seen = [], set()
    queue = deque([inputs[0][0]] if inputs and inputs[0] else [])
    while queue and len(order) <= len(inputs):
        ix = queue.popleft()
        order.append(ix)
        seen.add(ix)
        queue += [below for i in feeds.get(ix, ()) for below in inputs[i][1:]]
    if graph.output or len(order) != len(seen) or seen != set(feeds):
        return None
    path, value, last = [], {}, len(inputs)
    for ix in reversed(order):
        done = None
        for i in feeds[ix]:
            for below in inputs[i][1:]:
                path.append((i, value.pop(below)))
                i, last = last, last + 1
            if done is not None:
                path.append((done, i))
                i, last = last, last + 1
            done = i
        value[ix] = done
    return path


def coordinates(sites):
    """Sites as tuples of ints of one length, ints as tuples of one; None where they are not."""
    found = [site if isinstance(site, tuple) else (site,) for site in sites]
    whole = all(isinstance(i, int) for place in found for i in place)
    return found if whole and len(set(map(len, found))) == 1 else None


def sweep_tree(graph):
    """Contract site by site: along a chain, or in strips across the shorter side of a lattice.

    A tensor comes when the last of its sites does; one without a site comes with the first that
    shares an index with it. On a ring the sites where it was cut stay open.

    Parameters
    ----------
    graph : Hypergraph
        Of a state on a chain or a lattice, with indices that belong to sites: collapsed states,
        MPS, PEPS.

    Returns
    -------
    cotengra.ContractionTree

    Raises
    ------
    OptionError
        If no index belongs to a site, or sites are not ints or tuples of ints.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import hypergraph, sweep_tree
    >>> chain = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> sweep_tree(hypergraph(chain, "norm", form="collapsed")).contraction_width()
    9.0
    >>> lattice = qdn.ConvAC.rand((4, 40), depth=2, kernel=2, bond_dim=2, seed=0)
    >>> sweep_tree(hypergraph(lattice, "norm", form="collapsed")).contraction_width()
    8.0
    """
    keys = _keys(graph, "sweep")
    return graph.tree(line_path(sorted(range(len(keys)), key=keys.__getitem__)))


def blocks_tree(graph):
    """Contract a chain in blocks of 1, 2, 4, ... sites, as transfer matrices are multiplied.

    Each pair of blocks costs more than a site of `sweep_tree`, but where the tensors repeat, so
    do the blocks: with equal steps done once (`shared_flops`), the cost grows like ``log L``.

    Parameters
    ----------
    graph : Hypergraph
        Of a state on a chain, with indices that belong to sites.

    Returns
    -------
    cotengra.ContractionTree

    Raises
    ------
    OptionError
        If no index belongs to a site, or sites are not ints.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import blocks_tree, hypergraph, shared_flops, sweep_tree
    >>> ring = qdn.ConvAC.rand(256, 2, 2, 2, boundary="periodic", seed=0)
    >>> graph = hypergraph(ring, "norm", form="collapsed")
    >>> blocks, sweep = blocks_tree(graph), sweep_tree(graph)
    >>> blocks.contraction_cost(), shared_flops(graph, blocks), sweep.contraction_cost()
    (12280, 760, 16320)
    """
    keys = _keys(graph, "blocks", ndim=1)
    sites = {}
    for i, key in enumerate(keys):
        sites.setdefault(key, []).append(i)
    path, count = [], len(keys)

    def _join(a, b):
        path.append((a, b))
        return count + len(path) - 1

    blocks = [functools.reduce(_join, sites[key]) for key in sorted(sites)]
    while len(blocks) > 1:
        pairs = zip(blocks[::2], blocks[1::2])
        blocks = [_join(a, b) for a, b in pairs] + blocks[len(blocks) // 2 * 2 :]
    return graph.tree(path)


def _keys(graph, word, ndim=None):
    """When each tensor comes: at the last of its sites, the longest axis first."""
    site_of = {ix: site for ix, site in graph.site_of.items() if ix in graph.size_dict}
    listed = coordinates(site_of.values())
    if not listed or ndim not in (None, len(listed[0])):
        raise OptionError(
            f"{word!r} goes from site to site, and no index of this network belongs to one "
            f"{'of a chain' if ndim else 'with coordinates'}; use it for 'dense', 'norm' and the "
            f"local tasks of chains{'' if ndim else ' and lattices'}, or 'greedy'."
        )
    places = dict(zip(site_of, listed))
    sides = [max(side) for side in zip(*places.values())]
    axes = sorted(range(len(sides)), key=lambda axis: -sides[axis])
    turned = {ix: tuple(place[axis] for axis in axes) for ix, place in places.items()}
    last = lambda inds: max((turned[ix] for ix in inds if ix in turned), default=None)
    keys: list = list(map(last, graph.inputs))
    first = {}
    for key, inds in zip(keys, graph.inputs):
        for ix in inds if key is not None else ():
            first[ix] = min(first.get(ix, key), key)
    for i, inds in enumerate(graph.inputs):
        if keys[i] is None:
            keys[i] = min((first[ix] for ix in inds if ix in first), default=(math.inf,))
    return keys


def quick_tree(graph):
    """The tree with the fewest flops of the paths made by hand and of several quick searches.

    They take a second, or some for thousands of tensors; small subtrees of each are improved, up
    to some hundred tensors. A longer search, such as ``"hyper"``, can do better.

    Parameters
    ----------
    graph : Hypergraph

    Returns
    -------
    cotengra.ContractionTree

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import hypergraph, quick_tree, sweep_tree
    >>> ring = qdn.ConvAC.rand(64, 3, 3, 4, boundary="periodic", seed=0)
    >>> graph = hypergraph(ring, "norm", form="collapsed")
    >>> quick_tree(graph).contraction_cost() < sweep_tree(graph).contraction_cost()
    True
    """
    graph = graph.with_symbols()
    trees = [graph.search(BestOf(math.inf))]
    if graph.num_tensors > 2:
        for make in (branch_tree, sweep_tree):
            try:
                tree = make(graph)
            except OptionError:  # it does not apply
                continue
            trees.append(tree)
            if graph.num_tensors <= MANY:
                trees.append(tree.subtree_reconfigure(subtree_size=6))
    return min(trees, key=lambda tree: (tree.contraction_cost(), tree.contraction_width()))


HANDMADE = {
    "branches": branch_tree,
    "sweep": sweep_tree,
    "blocks": blocks_tree,
    "quick": quick_tree,
}
