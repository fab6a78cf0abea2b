"""Identity legs: the deltas that give a site an outer leg, left out of contractions.

A path finder treats an identity as any other matrix, and its two equal indices as different.
Without the identities, a norm has one index per site instead of three::

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
    rest = [tid for tid in tn.tensor_map if tid not in set(identities)]
    holders = {ix: tid for tid in rest for ix in tn.tensor_map[tid].inds}
    ends = {tid: tn.tensor_map[tid].inds for tid in identities}
    names, gone = joined_legs(ends, output_inds, holders)
    new = tn.copy()
    for tid, ix in gone.items():
        new.pop_tensor(tid)
        if not isinstance(factors[tid], int):
            new.tensor_map[holders[ix]].modify(apply=lambda x, factor=factors[tid]: x * factor)
    return new.reindex(names)


def joined_legs(ends, outputs, held):
    """Which legs become one when identities are left out, and which identities can be.

    Parameters
    ----------
    ends : dict[hashable, (str, str)]
        The two legs of each identity.
    outputs : sequence of str
        Outer legs; an identity between two of them stays.
    held : collection of str
        The legs of all other tensors; an identity that leads to none of them stays.

    Returns
    -------
    names : dict[str, str]
        The new name of each leg that is joined to others.
    gone : dict[hashable, str]
        For each identity that is left out, a leg of another tensor, under its old name.

    Examples
    --------
    >>> from quimb_deepnets.hyper.identities import joined_legs
    >>> names, gone = joined_legs({0: ("k", "x"), 1: ("k", "y")}, ["k"], {"x", "y"})
    >>> sorted(names.items()), gone
    ([('k', 'k'), ('x', 'k'), ('y', 'k')], {0: 'x', 1: 'x'})
    """
    root = {}

    def _find(ix):
        while root.setdefault(ix, ix) != ix:
            ix = root[ix]
        return ix

    for a, b in ends.values():
        root[_find(b)] = _find(a)
    groups = {}
    for key, (a, _) in ends.items():
        groups.setdefault(_find(a), []).append(key)
    names, gone = {}, {}
    for keys in groups.values():
        inds = {ix for key in keys for ix in ends[key]}
        outer, there = sorted(inds.intersection(outputs)), sorted(inds.intersection(held))
        if len(outer) <= 1 and there:
            names.update(dict.fromkeys(inds, outer[0] if outer else min(inds)))
            gone.update(dict.fromkeys(keys, there[0]))
    return names, gone


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
