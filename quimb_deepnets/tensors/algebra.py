"""Sums and distances of states, exactly, whatever networks they are.

A sum is a network over a switch ``b``: every tensor of psi is followed, at b = 1, by a corner
tensor that contracts to 1 (inner legs at 0, any outer leg), and every tensor of phi by itself
there and by a corner at b = 0. New deltas join the legs of each site::

    psi + phi = sum_b     [psi | 1 ]_b   x   [ 1 | phi]_b
                               \\               /
                                DELTA_n, one per site
                                   |
                                  k_n
"""

from autoray import do, infer_backend
from quimb.tensor import Tensor
from quimb.tensor.tensor_core import oset, rand_uuid

from ..errors import OptionError
from .dup import dup
from .hyper import HyperTensorNetwork, check_same_outer

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
        With as many tensors as both together, and a delta for each site.

    Raises
    ------
    SitesError
        If the outer indices differ.
    """
    check_same_outer(psi, phi)
    phi = phi.as_network().multiply(sign)
    if len(backends := {infer_backend(t.data) for state in (psi, phi) for t in state}) > 1:
        raise OptionError(
            f"the states are arrays of {sorted(backends)}; convert one of them, as in "
            "phi.to('torch')."
        )
    switch, total = rand_uuid(), HyperTensorNetwork()
    legs = {ix: (rand_uuid(), rand_uuid()) for ix in psi.outer_inds()}
    for side, state in enumerate((psi, phi)):
        state = state.copy()
        state.mangle_inner_()
        state.distribute_exponent()
        outer = {ix: pair[side] for ix, pair in legs.items()}
        for t in state:
            data = _switched(t, [ix in outer for ix in t.inds], side)
            inds = (switch, *(outer.get(ix, ix) for ix in t.inds))
            total.add_tensor(Tensor(data, inds, t.tags - oset(("DELTA",))))
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
    return do("stack", (t.data, corner) if side == 0 else (corner, t.data))


def dense_distance(psi, phi, normalized=False):
    """The distance ``|psi - phi|`` from the difference of the dense states.

    Parameters
    ----------
    psi, phi : TensorNetwork
        With equal outer indices.
    normalized : bool or "squared", optional
        As in quimb: divide by the mean of the norms, or the root of the mean of their squares.

    Returns
    -------
    scalar
    """
    outer = psi.outer_inds()
    a, b = (
        x.as_network().contract(all, output_inds=outer, preserve_tensor=True).data
        for x in (psi, phi)
    )
    difference, one, other = map(_norm, (a - b, a, b))
    if normalized == "squared":
        return difference * (2 / (one**2 + other**2)) ** 0.5
    return difference * 2 / (one + other) if normalized else difference


def _norm(x):
    return do("sum", do("abs", x) ** 2) ** 0.5
