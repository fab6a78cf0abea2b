"""Parts of a hyper network: an index that is cut stays open until its last part is back.

quimb tells outer from inner by counting: one tensor, outer; more, inner. Cut a hyper-index of
four tensors into two and two, and each half would sum over it by itself::

    whole            A--.--C           parts     A--. x     x .--C
                     B--'--D                     B--'   and   '--D      x: open in both

So a part remembers, for each cut hyper-index, which tensors of the whole carry it inside and
outside, and closes it only when parts are combined that leave nothing outside.
"""

import functools
from typing import Any

from quimb.tensor import TensorNetwork
from quimb.tensor.tensor_core import rand_uuid

from .names import plain_name


def _keeps_cuts(method):
    """A method that replaces tensors, after which the cut indices are as open as before."""

    @functools.wraps(method)
    def _wrapped(self, *args, **kwargs):
        cuts = dict(self._cuts)
        result = method(self, *args, **kwargs)
        new = result if isinstance(result, PartNetwork) else self
        new._cuts = {ix: cut for ix, cut in cuts.items() if ix in new.ind_map}
        return result

    return _wrapped


class PartNetwork(TensorNetwork):
    """A `TensorNetwork` that keeps the cut hyper-indices of a selection open."""

    # ind -> (tids inside, tids outside), of the network that was cut
    _cuts: dict[str, Any] = {}

    def outer_inds(self):
        """Indices on exactly one tensor, and hyper-indices that were cut."""
        kept = (ix for ix in self._cuts if ix in self._inner_inds)
        return (*super().outer_inds(), *kept)

    def inner_inds(self):
        """Indices on two tensors or more that were not cut."""
        return tuple(ix for ix in super().inner_inds() if ix not in self._cuts)

    def copy(self, virtual=False, deep=False):
        """Copy the network, see quimb; the copy has the same open indices."""
        new = super().copy(virtual=virtual, deep=deep)
        new._cuts = dict(self._cuts)
        return new

    __copy__ = copy

    def reindex(self, index_map, inplace=False):
        """Rename indices, cut ones too, see quimb."""
        new = super().reindex(index_map, inplace=inplace)
        new._cuts = {index_map.get(ix, ix): cut for ix, cut in new._cuts.items()}
        return new

    reindex_ = functools.partialmethod(reindex, inplace=True)

    def compute_contracted_inds(self, *tids, output_inds=None):
        """The indices left when some tensors are contracted, see quimb."""
        if output_inds is None:
            output_inds = self.outer_inds()
        return super().compute_contracted_inds(*tids, output_inds=output_inds)

    def outer_dims_inds(self):
        """The outer indices with their sizes, see quimb; cut ones too."""
        return tuple((self.ind_size(ix), ix) for ix in self.outer_inds())

    def outer_size(self):
        """The number of entries of the contracted network, see quimb."""
        return self.inds_size(self.outer_inds())

    def get_multibonds(self, include=None, exclude=None):
        """Groups of indices on the same tensors, see quimb; outer ones are in no group."""
        return super().get_multibonds(include, self.outer_inds() if exclude is None else exclude)

    @_keeps_cuts
    def rank_simplify(self, output_inds=None, *args, inplace=False, **kwargs):
        """Contract tensors whose product is not larger, see quimb; cut indices stay open."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        return super().rank_simplify(output_inds, *args, inplace=inplace, **kwargs)  # type: ignore[misc]

    rank_simplify_ = functools.partialmethod(rank_simplify, inplace=True)

    def diagonal_reduce(self, output_inds=None, *args, inplace=False, **kwargs):
        """Replace diagonal tensors by hyper-indices, see quimb; cut indices stay open."""
        output_inds = self.outer_inds() if output_inds is None else output_inds
        return super().diagonal_reduce(output_inds, *args, inplace=inplace, **kwargs)  # type: ignore[misc]

    diagonal_reduce_ = functools.partialmethod(diagonal_reduce, inplace=True)

    # these replace tensors of the part by others with the same indices
    contract_ind = _keeps_cuts(TensorNetwork.contract_ind)
    split_simplify = _keeps_cuts(TensorNetwork.split_simplify)
    split_simplify_ = functools.partialmethod(split_simplify, inplace=True)
    _contract_between_tids = _keeps_cuts(TensorNetwork._contract_between_tids)
    _split_tensor_tid = _keeps_cuts(TensorNetwork._split_tensor_tid)
    __setitem__ = _keeps_cuts(TensorNetwork.__setitem__)

    # ------------------------------------------------------------ cutting

    def _select_tids(self, tids, virtual=True, with_exponent=False):
        tids = tuple(tids)
        part = super()._select_tids(tids, virtual=virtual, with_exponent=with_exponent)
        part._cuts = self._cuts_around(tids)
        return part

    def _select_without_tids(self, tids, virtual=True):
        part = super()._select_without_tids(tids, virtual=virtual)
        part._cuts = self._cuts_around(set(self.tensor_map).difference(tids))
        return part

    def partition(self, tags, which="any", inplace=False):
        """Split into the tensors without and with ``tags``, see quimb; cut indices stay open."""
        tagged = self._get_tids_from_tags(tags, which=which)
        rest = [tid for tid in self.tensor_map if tid not in tagged]
        with_tags = self._select_tids(tagged, virtual=inplace)
        if not inplace:
            return self._select_tids(rest, virtual=False, with_exponent=True), with_tags
        self._pop_and_cut(tagged)
        return self, with_tags

    def partition_tensors(self, tags, which="any", inplace=False):
        """Split into a network and the tensors with ``tags``, see quimb; cut indices stay open."""
        tids = self._get_tids_from_tags(tags, which=which)
        cuts = self._cuts_around(set(self.tensor_map).difference(tids))
        rest, tensors = super().partition_tensors(tags, which=which, inplace=inplace)
        rest._cuts = cuts
        return rest, tensors

    def delete(self, tags, which="all"):
        """Remove the tensors with ``tags``, see quimb; hyper-indices that they carry open."""
        self._pop_and_cut(self._get_tids_from_tags(tags, which=which))

    def __delitem__(self, tags):
        """Remove the tensors with all of ``tags``, see `delete`."""
        self.delete(tags)

    def _pop_and_cut(self, tids):
        cuts = self._cuts_around(set(self.tensor_map).difference(tids))
        for tid in tuple(tids):
            self.pop_tensor(tid)
        self._cuts = cuts

    def _cuts_around(self, tids):
        """For each hyper-index that a selection of tensors shares with others: both sides."""
        tids, cuts = frozenset(tids), {}
        for ix, carriers in self.ind_map.items():
            before = self._cuts.get(ix, (frozenset(), frozenset()))[1]
            inside = tids.intersection(carriers)
            outside = before.union(carriers) - inside
            if inside and outside and len(inside) + len(outside) > 2:
                cuts[ix] = inside, outside
        return cuts

    # ------------------------------------------------------------ joining

    def add_tensor(self, tensor, tid=None, virtual=False):
        """Add a tensor, see quimb; cut indices that it carries are joined."""
        super().add_tensor(tensor, tid=tid, virtual=virtual)
        if self._cuts:
            self._cuts = {ix: cut for ix, cut in self._cuts.items() if ix not in tensor.inds}

    def add_tensor_network(self, tn, virtual=False, check_collisions=True):
        """Add all tensors of a network, see quimb; what was cut and is back is summed.

        Inner indices that clash are renamed in a copy of ``tn``, never in ``tn`` itself.
        """
        if check_collisions:
            clash = set(self.inner_inds()).intersection(tn.inner_inds())
            tn = tn.reindex({ix: plain_name(ix) + rand_uuid() for ix in clash}) if clash else tn
        cuts = self._joined_cuts(tn)
        super().add_tensor_network(tn, virtual=virtual, check_collisions=False)
        self._cuts = cuts

    def _joined_cuts(self, other):
        """The cuts that are left open when this network is combined with another."""
        mine, theirs = self._cuts, getattr(other, "_cuts", {})
        open_cuts = {**theirs, **mine}
        for ix in [ix for ix in open_cuts if ix in self.ind_map and ix in other.ind_map]:
            inside, outside = mine.get(ix) or theirs[ix]
            back = theirs.get(ix, (outside,))[0]
            left = outside - back
            if left and back <= outside:
                open_cuts[ix] = inside | back, left
            else:  # everything is back, or another state is joined on this leg
                del open_cuts[ix]
        return open_cuts
