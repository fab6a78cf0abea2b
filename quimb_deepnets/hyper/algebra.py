"""Sums and distances of states, exactly, whatever networks they are.

A sum is a network over a switch ``b``. At b = 0 it holds the tensors of psi, and in place of each
tensor of phi a corner tensor, so that these contract to 1 (inner legs at 0, any outer leg); at
b = 1 the other way round. A vector of coefficients is tagged ``SWITCH``, so that contractions find
the terms, and new deltas join the legs of each site::

    psi + phi = sum_b  SWITCH_b  x   [psi | 1 ]_b   x   [ 1 | phi]_b
                                          \\               /
                                           DELTA_n, one per site
                                              |
                                             k_n
"""

import math

import numpy as np
from autoray import do, get_dtype_name, infer_backend, stop_gradient
from autoray import to as convert
from quimb.tensor import Tensor
from quimb.tensor.tensor_core import oset, rand_uuid

from ..errors import RangeError
from ..numerics.scaled import mutable, times_power
from ..numerics.sizes import check_norm
from .checks import check_same_outer
from .dup import dup
from .names import SWITCH
from .network import HyperTensorNetwork
from .operands import in_common
from .ranges import Contracted

MAX_DENSE = 2**16


def add(psi, phi, sign=1):
    """The state ``psi + sign * phi`` as a hyper network.

    Parameters
    ----------
    psi : HyperVector
    phi : quimb.tensor.TensorNetwork
        Any network with the same outer indices.
    sign : scalar, optional

    Returns
    -------
    HyperTensorNetwork
        With as many tensors as both together, a vector of coefficients, and a delta for each
        site.

    Raises
    ------
    SitesError
        If the outer indices differ.
    RangeError
        If the exponents of the two networks are too far apart.
    """
    check_same_outer(psi, phi)
    phi = phi.as_network()
    switch, total = rand_uuid(SWITCH), HyperTensorNetwork()
    legs = {ix: (rand_uuid(), rand_uuid()) for ix in psi.outer_inds()}
    total.exponent = max(psi.exponent, phi.exponent, key=float)
    for side, state in enumerate((psi, phi)):
        state = state.copy()
        state.mangle_inner_()
        state.exponent = state.exponent - total.exponent
        _distribute_exponent(state)
        outer = {ix: pair[side] for ix, pair in legs.items()}
        for t in state:
            data = _switched(t, [ix in outer for ix in t.inds], side)
            inds = (switch, *(outer.get(ix, ix) for ix in t.inds))
            total.add_tensor(Tensor(data, inds, t.tags - oset(("DELTA",))))
    like = next(iter(psi)).data
    total.add_tensor(Tensor(convert(np.array([1.0, sign]), like), (switch,), ("SWITCH",)))
    total = dup(total, legs)
    for site in psi.sites:
        for t in total._inds_get(psi.site_ind(site)):
            t.add_tag(psi.site_tag(site))
    return total


def _switched(t, is_outer, side):
    """The tensor with a switch in front: itself at ``side``, a corner that contracts to 1 else."""
    where = tuple(slice(None) if outer else slice(0, 1) for outer in is_outer)
    one = do("ones_like", t.data[where])
    pads = [(0, n - m) for n, m in zip(t.shape, one.shape)]
    corner = do("pad", one, pads) if t.ndim else one
    return do("stack", (t.data, corner) if side == 0 else (corner, t.data), like=t.data)


def _distribute_exponent(state):
    """Multiply the exponent into the tensors, in place, where they can hold it."""
    if not state.exponent:
        return
    each, limits = state.exponent / state.num_tensors, np.finfo(get_dtype_name(state.arrays[0]))
    if abs(each) > -math.log10(limits.tiny) / 2:
        raise RangeError(
            f"the exponents of the two states differ by {float(abs(state.exponent)):.0f}, more "
            f"than the {state.num_tensors} tensors of one of them can hold; their sum is the "
            "larger state to all digits, unless its entries make up for it: distribute_exponent() "
            "or normalize() first."
        )
    state.distribute_exponent()


def distance(psi, phi, normalized=False, dense=False, **contract_opts):
    """The distance ``|psi - phi|`` of states of any size.

    Parameters
    ----------
    psi, phi : HyperTensorNetwork
        With equal outer indices.
    normalized : bool or {"squared", "infidelity", "infidelity_sqrt"}, optional
        As in quimb: divide by the mean of the norms, or the root of the mean of their squares, or
        the infidelity instead.
    dense : bool, optional
        From the difference of the dense states, accurate to round-off; else from overlaps, to its
        square root.
    **contract_opts
        Given to the contractions.

    Returns
    -------
    scalar

    Raises
    ------
    RangeError
        If the result leaves the range of its dtype, or a norm to divide by vanishes.
    """
    if dense:
        outer = psi.outer_inds()
        a, b = (x._contracted(outer, scaled=True, **contract_opts) for x in (psi, phi))
        (x, y), bits = _aligned(a, b)
        aa, ab, bb = (do("real", do("sum", do("conj", s) * t)) for s, t in ((x, x), (x, y), (y, y)))
        squared, bits = do("sum", do("abs", x - y) ** 2), 2 * bits
    else:
        pairs = ((psi, psi), (psi, phi), (phi, phi))
        found = [a.make_overlap(b, layer_tags=None) for a, b in pairs]
        found = [tn._contracted((), scaled=True, **contract_opts) for tn in found]
        (aa, ab, bb), bits = _aligned(*found)
        aa, ab, bb = do("abs", aa), do("real", ab), do("abs", bb)
        squared = do("abs", aa + bb - 2 * ab)
    if not normalized:
        return Contracted(squared, bits).in_range(0.5)
    size = {True: (aa**0.5 + bb**0.5) / 2, "squared": ((aa + bb) / 2) ** 0.5}
    size = size.get(normalized, (aa * bb) ** 0.5)
    check_norm(float(stop_gradient(size)))
    if normalized == "infidelity":
        return 1 - (ab / size) ** 2
    return 1 - do("abs", ab) / size if normalized == "infidelity_sqrt" else squared**0.5 / size


def _aligned(*found):
    """The arrays of several results with one power of two before all of them, and its exponent."""
    base = max((x.bits for x in found if bool(do("any", x.array != 0))), default=0.0, key=float)
    arrays = [times_power(_in_order(x, found[0]), x.bits - base) for x in found]
    like = max(arrays, key=lambda x: infer_backend(x) == "torch" and not mutable(x))
    return [in_common(x, like) for x in arrays], base


def _in_order(x, first):
    """The array of a result, with its legs in the order of the first one."""
    return x.array if x.data is x.array else x.data.transpose(*first.data.inds).data
