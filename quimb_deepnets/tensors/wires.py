"""Wires: identities that give a site an outer leg, left out of contractions.

A contraction path finder sees an identity as any other matrix, and keeps apart what it makes
equal. Without the wires, a norm has one index per site instead of three::

     _x0 --WIRE-- k0 --WIRE-- _x0*      becomes      x   on every window that holds the site
"""

from autoray import do, infer_backend

from ..networks.configs import identity


def absorb_wires(tn, output_inds):
    """The same network without its wires, their two legs joined to one index.

    A wire stays where both of its ends are outputs, where nothing else holds its index, or
    where it is no identity (any more).
    """
    wires = [tid for tid in tn.tag_map.get("WIRE", ()) if _is_identity(tn.tensor_map[tid])]
    if not wires:
        return tn
    root = {}

    def find(ix):
        while root.setdefault(ix, ix) != ix:
            ix = root[ix]
        return ix

    held = {ix for tid, t in tn.tensor_map.items() if tid not in set(wires) for ix in t.inds}
    groups = {}
    for tid in wires:
        a, b = map(find, tn.tensor_map[tid].inds)
        root[b] = a
    for tid in wires:
        groups.setdefault(find(tn.tensor_map[tid].inds[0]), []).append(tid)
    names, gone = {}, []
    for tids in groups.values():
        inds = {ix for tid in tids for ix in tn.tensor_map[tid].inds}
        outputs = sorted(inds.intersection(output_inds))
        if len(outputs) > 1 or not inds & held:
            continue
        name = outputs[0] if outputs else min(inds)
        names.update(dict.fromkeys(inds, name))
        gone.extend(tids)
    new = tn.copy()
    for tid in gone:
        new.pop_tensor(tid)
    return new.reindex(names)


def _is_identity(tensor):
    x = tensor.data
    if infer_backend(x) not in ("numpy", "torch") or len(x.shape) != 2 or x.shape[0] != x.shape[1]:
        return False
    return bool(do("all", x == identity(x.shape[0], x)))
