"""What sharing wins back: a contraction in which equal branches are contracted once.

Two steps of a path are equal when they join equal tensors along the same legs. Counting each
distinct step once gives the cost of the shared form on the same path::

    W1,0--x3  W1,0--x3        labels of the tensors: (weight, spin of the site)
       \\        \\
        y5       y9           two steps, one value: the second is free

With `BranchOrder`, which evaluates branch by branch, what is left is the forward pass of the
network.
"""

import math
from collections import Counter, deque

import cotengra as ctg
from cotengra.oe import PathOptimizer

from ..errors import OptionError


def shared_flops(graph, tree):
    """Scalar multiplications along a tree when equal steps are done once.

    Parameters
    ----------
    graph : Hypergraph
    tree : cotengra.ContractionTree
        A tree of this graph.

    Returns
    -------
    int
        All slices together.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import BranchOrder, hypergraph, shared_flops
    >>> net = qdn.ConvAC.rand(8, 3, 3, 4, boundary="periodic", seed=0)
    >>> graph = hypergraph(net)
    >>> tree = graph.search(BranchOrder())
    >>> tree.contraction_cost(), shared_flops(graph, tree)
    (2400, 992)
    """
    ends = Counter(ix for inds in (*graph.inputs, graph.output) for ix in set(inds))
    names = dict(zip(_indices(tree.inputs), _indices(graph.inputs)))
    sliced = {names[ix] for ix in tree.sliced_inds}
    known, found, total = {}, [], 0
    for inds, label in zip(graph.inputs, graph.labels):
        # summed beforehand, at no product, or fixed by a slice
        kept = tuple(ix for ix in inds if ends[ix] > 1 and ix not in sliced)
        where = tuple(inds.index(ix) for ix in kept)
        cut = tuple((k, ix) for k, ix in enumerate(inds) if ix in sliced)
        found.append((known.setdefault((label, where, cut), len(known)), kept))
    for i, j in tree.get_ssa_path():
        left, right = sorted((found[i], found[j]), key=lambda entry: entry[0])
        union = tuple(dict.fromkeys((*left[1], *right[1])))
        ends.subtract(ix for ix in union if ix in left[1] and ix in right[1])
        kept = tuple(ix for ix in union if ends[ix] > 1)
        place = {ix: k for k, ix in enumerate(union)}
        step = (left[0], right[0], *(tuple(map(place.get, t)) for t in (left[1], right[1], kept)))
        if step not in known:
            known[step] = len(known)
            total += math.prod(graph.size_dict[ix] for ix in union)
        found[i] = found[j] = None
        found.append((known[step], kept))
    return total * int(tree.multiplicity)


def _indices(inputs):
    """All indices in the order in which they appear, as trees rename them."""
    return dict.fromkeys(ix for inds in inputs for ix in inds)


class BranchOrder(PathOptimizer):
    """Contract an expanded amplitude branch by branch, from the sites upward.

    The order in which the network itself evaluates: each weight acts on the vector below it, then
    the taps of a node are multiplied. It applies to networks that are a tree of tensors, each with
    its first leg upward and a tensor of one leg on top: ``form="expanded"``, ``"amplitude"``.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import BranchOrder, path_report
    >>> net = qdn.RAC.rand(8, depth=2, bond_dim=4, seed=0)
    >>> report = path_report(net, optimize=BranchOrder(), shared=True)
    >>> report.best["log10_flops"] > report.best["shared_log10_flops"]
    True
    """

    def search(self, inputs, output, size_dict, **kwargs):
        """The tree.

        Raises
        ------
        OptionError
            If the network is no tree of branches.
        """
        path = branch_path(inputs, output)
        return ctg.ContractionTree.from_path(inputs, output, size_dict, ssa_path=path)

    def __call__(self, inputs, output, size_dict, memory_limit=None, **kwargs):
        """The path, see `search`."""
        return self.search(inputs, output, size_dict).get_path()


def branch_path(inputs, output=()):
    """The path of `BranchOrder`, in single-assignment form.

    Raises
    ------
    OptionError
        If the network is no tree of branches.
    """
    inputs = [tuple(inds) for inds in inputs]
    feeds = {}
    for i, inds in enumerate(inputs):
        feeds.setdefault(inds[0] if inds else None, []).append(i)
    order, seen = [], set()
    queue = deque([inputs[0][0]] if inputs and inputs[0] else [])
    while queue:
        ix = queue.popleft()
        order.append(ix)
        seen.add(ix)
        queue += [below for i in feeds.get(ix, ()) for below in inputs[i][1:]]
        if len(order) > len(inputs):
            break
    if output or len(order) != len(seen) or seen != set(feeds):
        raise OptionError(
            "BranchOrder contracts trees of branches, and this network is none; use it for "
            "task='amplitude', form='expanded', mode='hyper', or another optimizer such as "
            "'greedy'."
        )
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
