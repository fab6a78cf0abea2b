"""Minimum cuts: a bound on what a network lets through from one side to the other.

::

    A --d--> tensor --+--> index (d) --+--> tensor --d--> B        the cheapest set of indices
                      |                |                           that separates A from B: the
                      '---> index (D) -'                           product of their sizes
"""

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ..errors import LegError

CAPACITY = 2**29


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
    bits = np.array(list(map(math.log2, prices)))
    bits *= CAPACITY / max(1.0, bits.sum())
    capacity = np.concatenate([np.rint(bits), np.full(len(tails), 2.0 * CAPACITY)])
    rows, columns = np.concatenate([starts, tails]), np.concatenate([ends, heads])
    size = int(max(rows.max(), columns.max(), source, sink)) + 1
    network = csr_array((capacity.astype(np.int32), (rows, columns)), (size, size))
    residual = network - maximum_flow(network, source, sink).flow
    residual.eliminate_zeros()
    reached = np.zeros(size, bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    cut = np.flatnonzero(reached[starts] & ~reached[ends])
    return math.prod(prices[i] for i in cut)


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
    names = list(dict.fromkeys(ix for inds in inputs for ix in inds))
    if loose := sorted({*legs_a, *legs_b}.difference(names)):
        raise LegError(
            f"the leg {loose[0]!r} is not on any tensor; name outer indices of the network."
        )
    if not names:
        return 1
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
    return cheapest_cut(prices, starts, starts + 1, np.array(tails), np.array(heads), source, sink)
