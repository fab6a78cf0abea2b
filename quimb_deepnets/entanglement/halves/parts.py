"""A network of tensors in two halves, so that as few numbers as possible pass between them.

A cut is a set of indices; an index on tensors of both halves is cut once, however many they are.
The outer index of a site belongs to the side of the site, but may be read by tensors of the other
half: then it is cut too, and each half keeps it open::

    k0 k1 | k2 k3 k4          psi[k0 k1 k2, k3 k4] = sum_c L[k0 k1; k2 c] R[k2 c; k3 k4]
     o--o | o  o  o
      \\  \\|/|  | /           here the site of k2 is in A, read by both halves: L is diagonal
       c==|==c==='            in it; c is a hyper-index
"""

from typing import NamedTuple

import numpy as np
from autoray import get_dtype_name
from quimb.tensor import Tensor

from ...numerics.scaled import array_like
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

    def legs(self, tn, carried=()):
        """The indices of each of `tensors`."""
        held = [tn.tensor_map[tid].inds for tid in self.tids]
        seen = {ix for inds in held for ix in inds}
        seen.update(ix for node in carried for ix in (*node.sites, *node.legs))
        missing = [(ix,) for ix in (*self.shared, *self.open) if ix not in seen]
        return [*held, *missing] or ([] if carried else [()])

    def tensors(self, tn, carried=()):
        """Its tensors, and ones for each index of the cut that nothing here holds.

        Parameters
        ----------
        tn : HyperTensorNetwork
        carried : sequence of HalfNode, optional
            What they are joined to.
        """
        legs, tensors = self.legs(tn, carried), [tn.tensor_map[tid] for tid in self.tids]
        like = next(iter(tensors or tn)).data
        for inds in legs[len(tensors) :]:
            one = np.ones(tuple(map(tn.ind_size, inds)), get_dtype_name(like))
            tensors.append(Tensor(array_like(one, like), inds))
        return tensors

    def without(self, tids):
        """The same with fewer tensors, those that are contracted already."""
        gone = set(tids)
        return self._replace(tids=tuple(tid for tid in self.tids if tid not in gone))


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
        That of ``inds_a`` first; two pairs where the cuts differ.
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
        found[pair] = None
    return list(found)


def thirds_of(tn, inds_a, inds_b, inds_c):
    """The parts of two subsystems, each by the minimum cut closest to it, and of all the rest.

    Parameters
    ----------
    tn : HyperTensorNetwork
    inds_a, inds_b, inds_c : sequence of str
        Outer indices of the sites of both, and all others.

    Returns
    -------
    tuple[Half, Half, Half]
    """
    tids = tuple(tn.tensor_map)
    inputs = [tn.tensor_map[tid].inds for tid in tids]
    sizes = {ix: tn.ind_size(ix) for ix in tn.ind_map}
    parts = []
    for inds, others in ((inds_a, (*inds_b, *inds_c)), (inds_b, (*inds_a, *inds_c))):
        near, _ = index_cuts(inputs, sizes, inds, others)
        inner = (tid for tid, inside in zip(tids, near.inside) if inside)
        parts.append(_part(inner, inds, near.edges))
    held = {*parts[0].tids, *parts[1].tids}
    edges = dict.fromkeys(ix for part in parts for ix in (*part.shared, *part.open))
    parts.append(_part((tid for tid in tids if tid not in held), inds_c, edges))
    return tuple(parts)


def _part(tids, inds, edges):
    """A part by its tensors, its sites and the indices around it."""
    shared = tuple(ix for ix in inds if ix in set(edges))
    own = tuple(ix for ix in inds if ix not in set(edges))
    return Half(tuple(tids), own, shared, tuple(ix for ix in edges if ix not in set(shared)))
