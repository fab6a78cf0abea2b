"""Searches of every tree: what they would take is counted before they start.

Dynamic programming keeps each connected set of tensors that is cheap enough, and tries to join all
pairs of them. On a chain they are few; where one index is on all tensors, every set is connected::

    o--o--o--o     10 sets        o--+--o
                                     |        15 sets, 2**n - 1 of n tensors
                                  o--+--o
"""

import math
from typing import Any

import cotengra as ctg
from cotengra.pathfinders.path_basic import ContractionProcessor

from ..errors import BudgetError

MAX_PAIRS = 10**8  # of sets that may be tried, which takes about a minute
MAX_ORDERS = 2 * 10**6  # in which all tensors may be joined, which takes as long
EXHAUSTIVE = {  # names of presets and of what implements them: how they search
    "dp": "optimal",
    "dynamic-programming": "optimal",
    "optimal": "optimal",
    "optimal-outer": "optimal",
    "OptimalOptimizer": "optimal",
    "DynamicProgramming": "sets",
    "branch-all": "branches",
    "branch-2": "branches",
    "branch_all": "branches",
    "branch_2": "branches",
    "BranchBound": "branches",
    "branch": "branches",
}
TWO = ("branch-2", "branch_2")  # of the pairs at each step


def check_search(inputs, output, size_dict, optimize):
    """Refuse a search of every tree for a network that is too large or connected for it.

    Parameters
    ----------
    inputs : sequence of sequence of str
        The indices of each tensor.
    output : sequence of str
    size_dict : dict[str, int]
    optimize : str, optimizer, tree or path
        All others pass.

    Raises
    ------
    BudgetError

    Examples
    --------
    >>> from quimb_deepnets.hyper.exhaustive import check_search
    >>> chain = [(f"b{n}", f"b{n + 1}") for n in range(40)]
    >>> check_search(chain, (), {f"b{n}": 2 for n in range(41)}, "dp")
    >>> full = [[frozenset((a, b)) for b in range(30) if b != a] for a in range(30)]  # all joined
    >>> sizes = {ix: 2 for tensor in full for ix in tensor}
    >>> check_search(full, (), sizes, "optimal")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    quimb_deepnets.errors.BudgetError: optimize='optimal' tries every way to contract 30 ...
    """
    name, tensors = optimize if isinstance(optimize, str) else type(optimize).__name__, len(inputs)
    if name not in EXHAUSTIVE:
        optimize = getattr(optimize, "func", optimize)  # the functions of opt_einsum
        name = getattr(optimize, "__name__", "")
    if name == "optimal" and callable(optimize):
        count, what = count_orders(len(inputs)), "orders"
    elif (kind := EXHAUSTIVE.get(name)) == "branches":
        branches = 2 if name in TWO else getattr(optimize, "nbranch", None)
        count, what = count_orders(len(inputs), branches), "orders"
    elif kind:
        if kind == "optimal":
            inputs, output = simplified(inputs, output, size_dict)
        outer = name == "optimal-outer" or getattr(optimize, "search_outer", False)
        capped = getattr(optimize, "minimize", "flops") == "flops"
        count, what = count_pairs(inputs, output, size_dict, outer, capped), "pairs of sets"
    else:
        return
    if count > (most := MAX_PAIRS if what == "pairs of sets" else MAX_ORDERS):
        raise BudgetError(
            f"optimize={name!r} tries every way to contract {tensors} tensors, here more than "
            f"{most:.0e} {what} of them; use 'greedy', 'auto-hq', 'hyper' or another search that "
            "does not, or fewer tensors."
        )


def count_orders(tensors, branches=None):
    """In how many orders pairs of tensors can be joined, with so many choices each, or all.

    Examples
    --------
    >>> from quimb_deepnets.hyper.exhaustive import count_orders
    >>> count_orders(4), count_orders(4, 2)  # 6 * 3 * 1 pairs; 2 * 2 * 1
    (18, 4)
    """
    pairs = (math.comb(left, 2) for left in range(2, tensors + 1))
    return math.prod(pairs if branches is None else (min(n, branches) for n in pairs))


def simplified(inputs, output, size_dict):
    """The tensors and outputs that are left when all that needs no search is contracted."""
    graph = ContractionProcessor(inputs, output, size_dict)
    graph.simplify()
    names = {i: ix for ix, i in graph.indmap.items()}
    left = [tuple(names[i] for i, _ in legs) for legs in graph.nodes.values()]
    return left, [ix for ix in output if ix in graph.indmap]


def count_pairs(inputs, output, size_dict, outer=False, capped=True):
    """How many pairs of sets of tensors are tried, about; inf beyond `MAX_PAIRS`.

    The sets that count are those which tensors, one joined after the other, reach at the cost of
    a greedy path, because searches are capped at what the best path costs. With ``outer`` also
    tensors that share no index are joined. A search that is not ``capped`` keeps all sets.
    """
    carriers: dict[str, int] = {}  # of each index, as bits
    for t, inds in enumerate(inputs):
        for ix in inds:
            carriers[ix] = carriers.get(ix, 0) | 1 << t
    tree = ctg.array_contract_tree(inputs, output, size_dict, optimize="greedy")
    cap, kept = tree.contraction_cost() if capped else math.inf, frozenset(output)
    level = {1 << t: (0, frozenset(inds)) for t, inds in enumerate(inputs)}
    counts, pairs = [0], 0
    while level:
        counts.append(len(level))
        size = len(counts) - 1
        pairs += sum(counts[m] * counts[size - m] for m in range(1, size // 2 + 1))
        if pairs > MAX_PAIRS or len(level) ** 2 > MAX_PAIRS:
            return math.inf
        grown: dict[int, Any] = {}
        for s, (cost, inds) in level.items():
            for t, more in enumerate(inputs):
                if s >> t & 1 or not (outer or any(ix in inds and ix not in kept for ix in more)):
                    continue
                new, both = s | 1 << t, inds.union(more)
                total = cost + math.prod(size_dict[ix] for ix in both)
                if total <= cap and total < grown.get(new, (math.inf,))[0]:
                    left = (ix for ix in both if ix in kept or carriers[ix] & ~new)
                    grown[new] = total, frozenset(left)
        level = grown
    return pairs
