"""A restricted Boltzmann machine as a hyper network: a hidden unit is an index that is summed.

::

    HIDDEN  HIDDEN     exp(b_j h)            on _h{j}, h = +1, -1
      |  \\ /  |
      |  / \\  |        exp(h W_jn s)         WEIGHTS, on _h{j} and _x{n}
      | /   \\ |
    VISIBLE VISIBLE    exp(a_n s)            on _x{n}, and an identity WIRE to the outer leg
      |       |
      k0      k1
"""

import math

from autoray import do
from quimb.tensor import Tensor

from ..errors import BudgetError, check_positive_int
from ..geometry import leaf_ind
from ..networks import RBM
from ..networks.configs import identity
from .dup import delta
from .recursive import MAX_TENSORS, to_tensor_network
from .vector import HyperVector, check_site_id, check_site_tags


@to_tensor_network.register
def _(network: RBM, site_ind_id=None, site_tag_id=None, max_tensors=MAX_TENSORS):
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
    check_site_id("site_ind_id", psi.site_ind_id, sites)
    check_site_id("site_tag_id", psi.site_tag_id, sites)
    check_site_tags(psi, {"DELTA", "WIRE", *network.geometry.param_shapes})
    (visible, a), (bias, b) = _vectors(network.visible_bias), _vectors(network.hidden_bias)
    weights, c = _matrices(network.weights)
    tags = {site: psi.site_tag(site) for site in sites}
    tensors = [Tensor(x, (leaf_ind(s),), ("VISIBLE", tags[s])) for s, x in zip(sites, visible)]
    for j in range(hidden):
        near = tags[sites[j * len(sites) // hidden]]
        tensors.append(Tensor(bias[j], (f"_h{j}",), ("HIDDEN", near)))
        tensors += [
            Tensor(weights[j, n], (f"_h{j}", leaf_ind(site)), ("WEIGHTS", tags[site]))
            for n, site in enumerate(sites)
        ]
    eye = identity(2, network._like)
    for site in sites:
        tensors.append(delta(psi.site_ind(site), leaf_ind(site), eye, (tags[site], "WIRE")))
    for tensor in tensors:
        psi.add_tensor(tensor, virtual=True)
    psi.exponent = (a + b + c) / math.log(10)
    return psi


def _vectors(bias):
    """``exp(b h)`` for h = +1, -1, scaled to at most 1, and the logarithm of the scale."""
    size = do("abs", do("real", bias))
    pair = do("stack", (bias - size, -bias - size), axis=1)
    return do("exp", pair), float(do("sum", size))


def _matrices(weights):
    """``exp(h W s)`` for h, s = +1, -1, the same way."""
    size = do("abs", do("real", weights))
    up, down = weights - size, -weights - size
    rows = do(
        "stack", (do("stack", (up, down), axis=-1), do("stack", (down, up), axis=-1)), axis=-2
    )
    return do("exp", rows), float(do("sum", size))
