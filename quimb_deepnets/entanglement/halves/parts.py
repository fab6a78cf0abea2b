"""A network of tensors in two halves, so that as few numbers as possible pass between them.

A cut is a set of indices; an index on tensors of both halves is cut once, however many they are.
The outer index of a site belongs to the side of the site, but may be read by tensors of the other
half: then it is cut too, and each half keeps it open::

    k0 k1 | k2 k3 k4          psi[k0 k1 k2, k3 k4] = sum_c L[k0 k1; k2 c] R[k2 c; k3 k4]
     o--o | o  o  o
      \\  \\|/|  | /           here the site of k2 is in A, read by both halves: L is diagonal
       c==|==c==='            in it; c is a hyper-index
"""

import math
from typing import NamedTuple

from ...theory.cuts import index_cuts


class Half(NamedTuple):
    """One side of a cut network.

    Attributes
    ----------
    tids : tuple[int]
        Its tensors.
    own : tuple[str]
        Outer indices of the sites of this side that are not cut.
    shared : tuple[str]
        Outer indices of the sites of this side that are cut: the half is diagonal in them.
    open : tuple[str]
        All other indices of the cut.
    """

    tids: tuple
    own: tuple
    shared: tuple
    open: tuple

    def legs(self, tn):
        """The indices of each tensor; indices of the cut that none of them holds come last."""
        held = [tn.tensor_map[tid].inds for tid in self.tids]
        seen = {ix for inds in held for ix in inds}
        return [*held, *((ix,) for ix in (*self.shared, *self.open) if ix not in seen)]


def halves_of(tn, inds_a, inds_b):
    """The two halves of a network, for the minimum cut closest to each side.

    Parameters
    ----------
    tn : HyperTensorNetwork
        Its outer indices are those given.
    inds_a, inds_b : sequence of str
        Outer indices of the sites on either side.

    Returns
    -------
    list[tuple[Half, Half]]
        One pair, or two where the cuts differ; in each the half with fewer open values first.
    """
    tids = tuple(tn.tensor_map)
    inputs = [tn.tensor_map[tid].inds for tid in tids]
    sizes = {ix: tn.ind_size(ix) for ix in tn.ind_map}
    found = {}
    for cut in index_cuts(inputs, sizes, inds_a, inds_b):
        cuts = set(cut.edges)
        shared = [tuple(ix for ix in inds if ix in cuts) for inds in (inds_a, inds_b)]
        rest = tuple(ix for ix in cut.edges if ix not in {*inds_a, *inds_b})
        pair = tuple(
            Half(
                tuple(tid for tid, inside in zip(tids, cut.inside) if inside != bool(side)),
                tuple(ix for ix in inds if ix not in cuts),
                shared[side],
                (*shared[1 - side], *rest),
            )
            for side, inds in enumerate((inds_a, inds_b))
        )
        width = lambda half: math.prod(map(tn.ind_size, half.open))
        found[tuple(sorted(pair, key=width))] = None
    return list(found)
