"""DUP: join duplicated outer legs of a tensor network with delta tensors.

``DUP(A)`` is the sub-tensor of A on which duplicated legs are equal (Eq. (2) and Fig. 3 of
arXiv:1803.09780). Four ways to write the delta of legs a, b, c, equal as states, different as
contraction problems::

       k              k               k                k
       |              |               |                |
     DELTA          COPY            COPY-.        COPY-COPY-COPY
       | _x        / | \\             |   |         |    |    |
      /|\\         a  b  c           COPY  c        a    b    c
     a b c                         /  \\
    "hyper"        "copy"         a    b            "mps"
    one index,     d**4           "tree"
    no copies      numbers
"""

from autoray import to as convert
from quimb.tensor import COPY_tensor, Tensor
from quimb.tensor.tensor_core import COPY_mps_tensors, COPY_tree_tensors, rand_uuid

from ..errors import BudgetError, LegError, OptionError, check_option, check_positive_int
from ..numerics.configs import identity
from .network import HyperTensorNetwork

MODES = ("hyper", "copy", "tree", "mps")
MAX_COPY_SIZE = 2**24


def delta(outer, inner, identity, tags=()):
    """The tensor that ties the outer leg of a site to the hyper-index of its leaves.

    ::

          | outer
        DELTA        delta_{ij}, dim x dim
          | inner

    Parameters
    ----------
    outer, inner : str
        Names of the legs.
    identity : array, shape (dim, dim)
    tags : sequence of str, optional
        Further tags beside ``DELTA``.

    Returns
    -------
    quimb.tensor.Tensor
    """
    return Tensor(identity, (outer, inner), (*tags, "DELTA"))


def dup(tn, groups, mode="hyper", max_copy_size=MAX_COPY_SIZE):
    """Join groups of legs of any quimb tensor network, each into one new outer leg.

    Parameters
    ----------
    tn : quimb.tensor.TensorNetwork or quimb.tensor.Tensor
        The network. It is not changed.
    groups : dict[str, sequence of str]
        For each new outer leg, the legs of ``tn`` that are set equal to it. All renaming is
        simultaneous: a new leg may have the name of one that is being joined.
    mode : {"hyper", "copy", "tree", "mps"}, optional
        How to write the delta tensors: a hyper-index behind an identity, one explicit COPY
        tensor, or COPY split into small tensors along a tree or a line.
    max_copy_size : int, optional
        The largest COPY tensor, in elements, that ``mode="copy"`` may make.

    Returns
    -------
    HyperTensorNetwork
        The same tensors with the deltas, which are tagged ``DELTA``.

    Raises
    ------
    LegError
        If a leg does not exist, stands in two groups, has another size than its group, or if a
        new leg has the name of an index that is not being joined.
    BudgetError
        If a COPY tensor would exceed ``max_copy_size``.

    Examples
    --------
    The diagonal of a matrix:

    >>> import numpy as np
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> a = qtn.Tensor(np.arange(9.0).reshape(3, 3), ("a", "b"))
    >>> qdn.dup(a, {"k0": ["a", "b"]}).contract().data
    array([0., 4., 8.])
    """
    check_option("mode", mode, MODES)
    check_positive_int("max_copy_size", max_copy_size, OptionError)
    if not hasattr(tn, "as_network") or not isinstance(groups, dict):
        raise LegError(
            f"dup joins legs of a quimb network, by a dict from new legs to legs, not of a "
            f"{type(tn).__name__} by a {type(groups).__name__}; wrap arrays as qtn.Tensor."
        )
    tn = HyperTensorNetwork(tn.as_network(), virtual=False)
    groups = {
        new: (legs,) if isinstance(legs, str) else tuple(legs) for new, legs in groups.items()
    }
    dims = _check_groups(tn, groups)
    for new, legs in groups.items():
        if mode == "copy" and dims[new] ** (len(legs) + 1) > max_copy_size:
            raise BudgetError(
                f"the COPY tensor of leg {new!r} has {dims[new]}**{len(legs) + 1} elements, more "
                f"than max_copy_size={max_copy_size}; use mode='hyper', 'tree' or 'mps'."
            )
    if not groups:
        return tn
    tn, groups = _rename(tn, groups, join=mode == "hyper")
    like = next(iter(tn)).data
    for new, legs in groups.items():
        for tensor in _deltas(new, legs, dims[new], like, mode):
            tn.add_tensor(tensor)
    return tn


def resolve_hyperinds(tn, mode="tree", max_copy_size=MAX_COPY_SIZE):
    """Write every index of a network on more than two tensors as COPY tensors, in place.

    Parameters
    ----------
    tn : HyperTensorNetwork
    mode : {"tree", "mps", "dense"}, optional
        COPY tensors of order 3 along a tree or a line, or one large one for each index.
    max_copy_size : int, optional
        The largest COPY tensor, in elements, that ``mode="dense"`` may make.

    Returns
    -------
    HyperTensorNetwork
        The same network, now an ordinary one.

    Raises
    ------
    BudgetError
        If a COPY tensor would exceed ``max_copy_size``.
    """
    check_option("mode", mode, ("tree", "mps", "dense"))
    outer, like = tn.outer_inds(), next(iter(tn)).data
    carriers = {ix: tuple(tids) for ix, tids in tn.ind_map.items()}
    hyper = {ix: tids for ix, tids in carriers.items() if len(tids) + (ix in outer) > 2}
    sizes = {ix: tn.ind_size(ix) for ix in hyper}
    for ix, tids in hyper.items():
        if mode == "dense" and sizes[ix] ** (len(tids) + 1) > max_copy_size:
            raise BudgetError(
                f"the COPY tensor of index {ix!r} has {sizes[ix]}**{len(tids)} elements, more than "
                f"{max_copy_size}; use mode='tree' or 'mps'."
            )
    order = {tag: n for n, tag in enumerate(getattr(tn, "site_tags", ()))}
    for ix, tids in hyper.items():
        legs = [rand_uuid() for _ in tids]
        tags = [tag for tid in tids for tag in tn.tensor_map[tid].tags if tag in order]
        middle = sorted(tags, key=order.__getitem__)[len(tags) // 2 : len(tags) // 2 + 1]
        for leg, tid in zip(legs, tids):
            tn.tensor_map[tid].reindex_({ix: leg})
        new, *legs = (ix, *legs) if ix in outer else legs
        for tensor in _deltas(new, legs, sizes[ix], like, "copy" if mode == "dense" else mode):
            tensor.add_tag(middle)
            tn.add_tensor(tensor, virtual=True)
    tn._cuts = {}
    return tn


def _check_groups(tn, groups):
    """The size of each group of legs, after checking that they can be joined."""
    joined = [leg for legs in groups.values() for leg in legs]
    for leg in joined:
        if leg not in tn.ind_map:
            raise LegError(
                f"{leg!r} is not a leg of the network; its outer legs are {tn.outer_inds()[:8]}."
            )
        if joined.count(leg) > 1:
            raise LegError(f"leg {leg!r} stands in the groups twice; name each leg once.")
    dims = {}
    for new, legs in groups.items():
        if not legs:
            raise LegError(f"the group of {new!r} is empty; give at least one leg.")
        if new in tn.ind_map and new not in joined:
            raise LegError(
                f"the new leg {new!r} has the name of a leg outside the groups, so the two would "
                "be joined as well; choose another name, or add that leg to a group."
            )
        sizes = {leg: tn.ind_size(leg) for leg in legs}
        if len(set(sizes.values())) > 1:
            raise LegError(f"the legs of {new!r} have sizes {sizes}; joined legs have one size.")
        dims[new] = sizes[legs[0]]
    return dims


def _rename(tn, groups, join):
    """Give the legs fresh names, one for each group (``join``) or one for each leg."""
    fresh = {
        new: (rand_uuid(),) if join else tuple(rand_uuid() for _ in legs)
        for new, legs in groups.items()
    }
    names = {
        leg: fresh[new][0 if join else i]
        for new, legs in groups.items()
        for i, leg in enumerate(legs)
    }
    tensors = []
    for t in tn:
        inds = tuple(names.get(ix, ix) for ix in t.inds)
        tensors.append(t if inds == t.inds else _diagonal(t, inds))
    renamed = HyperTensorNetwork(tensors)
    renamed.exponent = tn.exponent
    return renamed, fresh


def _diagonal(t, inds):
    """The tensor with new index names; where two are equal, its diagonal."""
    new = t.copy()
    new.modify(inds=inds)
    return new.collapse_repeated_()


def _deltas(new, legs, dim, like, mode):
    """The delta tensor of one group, written as ``mode`` says."""
    if mode == "hyper":
        return [delta(new, legs[0], identity(dim, like))]
    make = {"copy": COPY_tensor, "tree": COPY_tree_tensors, "mps": COPY_mps_tensors}[mode]
    tensors = make(dim, (new, *legs), tags=("DELTA",))
    tensors = [tensors] if isinstance(tensors, Tensor) else tensors
    # quimb's arrays are cached and read-only, so each tensor gets one of its own
    return [Tensor(convert(t.data.copy(), like), t.inds, t.tags) for t in tensors]
