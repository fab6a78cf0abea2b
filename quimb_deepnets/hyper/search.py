"""Contraction paths: several searches, the cheapest path kept.

No one optimizer is best: on an open chain a sweep wins, on a ring a greedy search; then small
subtrees of each are improved. A sweep contracts the tensors one after
the other along a line on which those that share indices stand close (reverse Cuthill-McKee)::

    o--o--o--o--o--o      (((((o o) o) o) o) o)
"""

import functools

import cotengra as ctg
import numpy as np
from cotengra.oe import PathOptimizer
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from ..errors import BudgetError
from ..numerics.weights import MAX_BYTES

MANY = 300  # tensors: beyond, long searches take longer than the contraction
SEARCHED = {"IDENTITY"}  # tags of networks whose paths are searched with care; others add theirs


class BestOf(PathOptimizer):
    """Run several optimizers and keep the path with the fewest flops.

    Parameters
    ----------
    max_bytes : int, optional
        Refuse a contraction whose largest intermediate would need more, at 16 bytes a number.
    """

    def __init__(self, max_bytes=MAX_BYTES):
        self.max_bytes = max_bytes

    def search(self, inputs, output, size_dict, **kwargs):
        """The best tree found.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        BudgetError
            If even that would need too much memory.
        """
        names = {ix: i for i, ix in enumerate(dict.fromkeys(ix for t in inputs for ix in t))}
        network = (
            tuple(tuple(map(names.get, t)) for t in inputs),
            tuple(map(names.get, output)),
            tuple((i, size_dict[ix]) for ix, i in names.items()),
        )
        ssa_path = _best_path(*network)
        tree = ctg.ContractionTree.from_path(inputs, output, size_dict, ssa_path=ssa_path)
        need = 16 * 2 ** tree.contraction_width()
        if need > self.max_bytes:
            raise BudgetError(
                f"the best contraction path found has an intermediate of {need:.3g} bytes, more "
                f"than the {self.max_bytes} allowed; use optimize= with an optimizer that slices, "
                "amplitudes and sampling instead of an exact contraction, or smaller windows."
            )
        return tree

    def __call__(self, inputs, output, size_dict, memory_limit=None, **kwargs):
        """The best path found, see `search`."""
        return self.search(inputs, output, size_dict).get_path()


@functools.lru_cache(256)
def _best_path(inputs, output, sizes):
    """The cheapest path of several searches, in single-assignment form; indices are ints."""
    size_dict = {ctg.get_symbol(i): size for i, size in sizes}
    inputs = tuple(tuple(map(ctg.get_symbol, t)) for t in inputs)
    output = tuple(map(ctg.get_symbol, output))
    if len(inputs) < 3:
        return tuple((0, 1) for _ in inputs[1:])
    trees = [ctg.ContractionTree.from_path(inputs, output, size_dict, ssa_path=sweep_path(inputs))]
    repeats = 32 if len(inputs) <= MANY else 8
    # in parallel the result would depend on the number of cores
    random = ctg.RandomGreedyOptimizer(max_repeats=repeats, seed=0, parallel=False)
    trees.append(greedy_tree(inputs, output, size_dict))
    trees.append(ctg.array_contract_tree(inputs, output, size_dict, optimize=random))
    if len(inputs) <= MANY:
        trees += [tree.subtree_reconfigure(subtree_size=6) for tree in trees]
    best = min(trees, key=lambda tree: (tree.contraction_cost(), tree.contraction_width()))
    return tuple(map(tuple, best.get_ssa_path()))


def greedy_tree(inputs, output, size_dict):
    """A greedy tree; cotengra raises `KeyError` where its simplification uses a tensor twice.

    It may, where indices of single tensors are summed over.
    """
    try:
        return ctg.array_contract_tree(inputs, output, size_dict, optimize="greedy")
    except KeyError:
        plain = ctg.GreedyOptimizer(simplify=False)
        return ctg.array_contract_tree(inputs, output, size_dict, optimize=plain)


def sweep_path(inputs):
    """Contract along the line of `sweep_order`.

    Returns
    -------
    list[(int, int)]
        In single-assignment form.
    """
    return line_path(sweep_order(inputs))


def sweep_order(inputs):
    """The tensors along a line on which those that share indices stand close, as a list of ints.

    Indices on more than a third of the tensors (the channel) are left out of account.
    """
    carriers = {}
    for i, inds in enumerate(inputs):
        for ix in inds:
            carriers.setdefault(ix, []).append(i)
    pairs = [
        (a, b)
        for tids in carriers.values()
        if len(tids) <= max(2, len(inputs) // 3)
        for a in tids
        for b in tids
    ]
    rows, columns = np.array(pairs or [(0, 0)]).T
    graph = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(inputs),) * 2)
    return reverse_cuthill_mckee(graph, symmetric_mode=True).tolist()


def line_path(order):
    """Contract tensors one after the other, in single-assignment form."""
    path, last = [], order[0]
    for step, i in enumerate(order[1:]):
        path.append((last, i))
        last = len(order) + step
    return path
