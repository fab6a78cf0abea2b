"""A restricted Boltzmann machine as a hyper network: a hidden unit is an index that is summed.

::

    HIDDEN  HIDDEN     exp(b_j h)            on _h{j}, h = +1, -1
      |  \\ /  |
      |  / \\  |        exp(h W_jn s)         WEIGHTS, on _h{j} and _x{n}
      | /   \\ |
    VISIBLE VISIBLE    exp(a_n s)            on _x{n}, and an IDENTITY to the outer leg
      |       |
      k0      k1

Where the product of all largest entries fits the dtype, the tensors are just these; else each is
divided by its largest entry, and ``exponent`` has the product.
"""

import math

from autoray import do, stop_gradient
from quimb.tensor import Tensor

from ..errors import BudgetError, OptionError, check_positive_int
from ..hyper.sites import check_site_ids, check_site_tags
from ..hyper.vector import HyperVector
from ..networks import RBM
from ..numerics.scaled import decimal
from ..numerics.weights import MAX_BYTES
from .collapsed import add_windows, window_tensors
from .expanded import MAX_TENSORS, to_tensor_network
from .pieces import check_bytes
from .scale import fits


@to_tensor_network.register
def _expand_rbm(
    network: RBM, nodes="hyper", site_ind_id=None, site_tag_id=None, max_tensors=MAX_TENSORS
):
    if nodes != "hyper":
        raise OptionError(
            f"nodes={nodes!r} is for the layers of a ConvAC or RAC; an RBM has only "
            "nodes='hyper', where a hidden unit is an index that is summed."
        )
    sites, hidden = network.sites, network.geometry.hidden
    count = (len(sites) + 1) * (hidden + 2) - 2
    if count > check_positive_int("max_tensors", max_tensors):
        raise BudgetError(
            f"the network of {hidden} hidden units and {len(sites)} sites has {count} tensors, "
            f"more than max_tensors={max_tensors}; evaluate amplitudes without it, or raise it."
        )
    holes = ",".join(["{}"] * network.geometry.ndim)
    psi = HyperVector.new(
        sites=sites,
        site_ind_id=f"k{holes}" if site_ind_id is None else site_ind_id,
        site_tag_id=f"I{holes}" if site_tag_id is None else site_tag_id,
    )
    check_site_ids(psi.site_ind_id, psi.site_tag_id, sites)
    check_site_tags(psi, {"DELTA", "IDENTITY", *network.geometry.param_shapes})
    tensors, exponent = window_tensors(network, MAX_BYTES)
    add_windows(psi, tensors, network)
    psi.exponent = decimal(exponent)
    return psi


@window_tensors.register
def _collapse_rbm(network: RBM, max_bytes):
    hidden = network.geometry.hidden
    like = network._like
    check_bytes((4 * hidden + 2) * network.nsites * like.itemsize, like, max_bytes)
    parts = [network.visible_bias, network.hidden_bias, network.weights]
    sizes = [stop_gradient(do("abs", do("real", x))) for x in parts]  # scales are constants
    exponent = math.fsum(float(do("sum", x)) for x in sizes) / math.log(2)
    room = hidden + network.nsites / 2  # two terms of each hidden unit, and all configurations
    if fits(exponent, like, room):  # then the tensors hold all of it
        sizes, exponent = [x * 0 for x in sizes], 0.0
    arrays = {
        "VISIBLE": _vectors(parts[0], sizes[0]),
        "HIDDEN": _vectors(parts[1], sizes[1]),
        "WEIGHTS": _matrices(parts[2], sizes[2]),
    }
    pieces = network.geometry.collapsed_pieces()
    return [Tensor(arrays[x.tag][x.kind], x.inds, (x.tag,)) for x in pieces], exponent


def _vectors(bias, size):
    """``exp(b h)`` for h = +1, -1, divided by ``exp(size)``."""
    return do("exp", do("stack", (bias - size, -bias - size), axis=1))


def _matrices(weights, size):
    """``exp(h W s)`` for h, s = +1, -1, the same way."""
    up, down = weights - size, -weights - size
    rows = do(
        "stack", (do("stack", (up, down), axis=-1), do("stack", (down, up), axis=-1)), axis=-2
    )
    return do("exp", rows)
