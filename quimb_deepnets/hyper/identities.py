"""Identity legs: the deltas that give a site an outer leg, left out of contractions.

A contraction path finder sees an identity as any other matrix, and keeps apart what it makes
equal. Without the identities, a norm has one index per site instead of three::

     _x0 --IDENTITY-- k0 --IDENTITY-- _x0*      becomes      x   on every window that holds the site
"""

from autoray import do

from ..numerics.configs import identity
from ..numerics.scaled import mutable


def absorb_identities(tn, output_inds):
    """The same network without its identities, their two legs joined to one index.

    An identity stays where both of its ends are outputs, where nothing else holds its index, or
    where it is not a multiple of the identity. Its factor goes to another tensor.
    """
    factors = {tid: identity_factor(tn.tensor_map[tid]) for tid in tn.tag_map.get("IDENTITY", ())}
    identities = [tid for tid, factor in factors.items() if factor is not None]
    if not identities:
        return tn
    root = {}

    def _find(ix):
        while root.setdefault(ix, ix) != ix:
            ix = root[ix]
        return ix

    rest = [tid for tid in tn.tensor_map if tid not in set(identities)]
    holders = {ix: tid for tid in rest for ix in tn.tensor_map[tid].inds}
    for tid in identities:
        a, b = map(_find, tn.tensor_map[tid].inds)
        root[b] = a
    groups = {}
    for tid in identities:
        groups.setdefault(_find(tn.tensor_map[tid].inds[0]), []).append(tid)
    names, gone = {}, {}
    for tids in groups.values():
        inds = {ix for tid in tids for ix in tn.tensor_map[tid].inds}
        outputs = sorted(inds.intersection(output_inds))
        held = sorted(inds.intersection(holders))
        if len(outputs) > 1 or not held:
            continue
        names.update(dict.fromkeys(inds, outputs[0] if outputs else min(inds)))
        gone.update(dict.fromkeys(tids, holders[held[0]]))
    new = tn.copy()
    for tid, holder in gone.items():
        new.pop_tensor(tid)
        if not isinstance(factors[tid], int):
            new.tensor_map[holder].modify(apply=lambda x, factor=factors[tid]: x * factor)
    return new.reindex(names)


def identity_factor(tensor):
    """The number that a tensor is times the identity, or None if it is not; 1 is an int.

    A tensor that is differentiated or traced is not one, whatever it holds now: its derivatives are
    those of all its entries.
    """
    x = tensor.data
    if len(x.shape) != 2 or x.shape[0] != x.shape[1] or not mutable(x):
        return None
    eye = identity(x.shape[0], x)
    if bool(do("all", x == eye)):
        return 1
    return x[0, 0] if bool(do("all", x == eye * x[0, 0])) else None
