"""Minimum cuts: a bound on what a network lets through from one side to the other.

::

    A --d--> tensor --+--> index (d) --+--> tensor --d--> B        the cheapest set of indices
                      |                |                           that separates A from B: the
                      '---> index (D) -'                           product of their sizes
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ..errors import LegError

CAPACITY = 2**29


class Cut(NamedTuple):
    """A cheapest cut: which nodes are on the side of the source, and which edges are cut."""

    inside: np.ndarray
    edges: Any


def cheapest_cut(prices, starts, ends, tails, heads, source, sink):
    """The product of the prices along a minimum cut, as an int.

    The flow runs on rounded logarithms; whatever cut it finds is a cut, so the product of its
    exact prices is a bound.

    Parameters
    ----------
    prices : sequence of int
        Of the edges that can be cut, which lead from ``starts`` to ``ends``.
    tails, heads : array of int
        The edges that cannot be cut.
    source, sink : int

    Returns
    -------
    int
    """
    cut = cheapest_cuts(prices, starts, ends, tails, heads, source, sink)[0]
    return math.prod(prices[i] for i in cut.edges)


def cheapest_cuts(prices, starts, ends, tails, heads, source, sink):
    """The two minimum cuts that are the closest to the source and to the sink.

    Parameters
    ----------
    prices, starts, ends, tails, heads, source, sink
        See `cheapest_cut`.

    Returns
    -------
    tuple[Cut, Cut]
    """
    bits = np.array(list(map(math.log2, prices)))
    bits *= CAPACITY / max(1.0, bits.sum())
    capacity = np.concatenate([np.rint(bits), np.full(len(tails), 2.0 * CAPACITY)])
    rows, columns = np.concatenate([starts, tails]), np.concatenate([ends, heads])
    size = int(max(rows.max(), columns.max(), source, sink)) + 1
    network = csr_array((capacity.astype(np.int32), (rows, columns)), (size, size))
    residual = network - maximum_flow(network, source, sink).flow
    residual.eliminate_zeros()
    sides = _reached(residual, source), ~_reached(csr_array(residual.T), sink)
    cuts = (np.flatnonzero(inside[starts] & ~inside[ends]) for inside in sides)
    near, far = (Cut(inside, edges) for inside, edges in zip(sides, cuts))
    return near, far


def _reached(graph, start):
    """Which nodes can be reached."""
    reached = np.zeros(graph.shape[0], bool)
    reached[breadth_first_order(graph, start, return_predecessors=False)] = True
    return reached


def cut_rank(inputs, size_dict, legs_a, legs_b):
    """Upper bound on the Schmidt rank of any tensor network: its cheapest cut in indices.

    A hyper-index is cut once, at its size. For random tensors the bound is met but for special
    sizes (arXiv:1508.04644). The cheapest cut is found with logarithms in 29 bits; of cuts that
    are closer than that it may be another, whose product bounds the rank as well.

    Parameters
    ----------
    inputs : sequence of sequence of str
        The indices of each tensor.
    size_dict : dict[str, int]
    legs_a, legs_b : sequence of str
        The outer indices of either side.

    Returns
    -------
    int

    Raises
    ------
    LegError
        If a leg is on no tensor.

    Examples
    --------
    Two bonds of 3 lie between the ends of a ring of four sites.

    >>> from quimb_deepnets.theory import cut_rank
    >>> ring = [("k0", "a", "b"), ("k1", "b", "c"), ("k2", "c", "d"), ("k3", "d", "a")]
    >>> cut_rank(ring, dict.fromkeys("abcd", 3) | {f"k{i}": 8 for i in range(4)},
    ...          ["k0", "k1"], ["k2", "k3"])
    9
    """
    near, _ = index_cuts(inputs, size_dict, legs_a, legs_b)
    return math.prod(size_dict[ix] for ix in near.edges)


def index_cuts(inputs, size_dict, legs_a, legs_b):
    """The cheapest cuts of a tensor network closest to either side, see `cut_rank`.

    Parameters
    ----------
    inputs, size_dict, legs_a, legs_b
        See `cut_rank`.

    Returns
    -------
    tuple[Cut, Cut]
        ``inside`` is an array of bool, whether a tensor is on the side of ``legs_a``; ``edges``
        the list of the indices that are cut.

    Raises
    ------
    LegError
        If a leg is on no tensor.

    Examples
    --------
    >>> from quimb_deepnets.theory.cuts import index_cuts
    >>> chain, sizes = [("k0", "a"), ("a", "b"), ("b", "k1")], {"k0": 8, "a": 2, "b": 2, "k1": 8}
    >>> [(cut.inside.tolist(), cut.edges) for cut in index_cuts(chain, sizes, ["k0"], ["k1"])]
    [([True, False, False], ['a']), ([True, True, False], ['b'])]
    """
    names = list(dict.fromkeys(ix for inds in inputs for ix in inds))
    if loose := sorted({*legs_a, *legs_b}.difference(names)):
        raise LegError(
            f"the leg {loose[0]!r} is not on any tensor; name outer indices of the network."
        )
    if not names:
        return (Cut(np.zeros(len(inputs), bool), []),) * 2
    enter = {ix: len(inputs) + 2 * n for n, ix in enumerate(names)}
    source, sink = len(inputs) + 2 * len(names), len(inputs) + 2 * len(names) + 1
    tails = [source] * len(legs_a) + [enter[ix] + 1 for ix in legs_b]
    heads = [enter[ix] for ix in legs_a] + [sink] * len(legs_b)
    for i, inds in enumerate(inputs):
        for ix in inds:
            tails += [i, enter[ix] + 1]
            heads += [enter[ix], i]
    starts = np.array([enter[ix] for ix in names])
    prices = [size_dict[ix] for ix in names]
    near, far = cheapest_cuts(
        prices, starts, starts + 1, np.array(tails), np.array(heads), source, sink
    )
    near, far = (
        Cut(cut.inside[: len(inputs)], [names[i] for i in cut.edges]) for cut in (near, far)
    )
    return near, far
