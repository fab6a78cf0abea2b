"""Deep networks as states: amplitudes, the whole vector, window tensors, exact MPS.

::

    ConvAC, RAC, RBM --+-- vector       to_dense, without the limits of floats
                       +-- amplitudes   log_amplitudes
                       +-- network      collapse(); of an RBM its hyper network
                       +-- to_mps       chains: predicted bonds, then the conversion
"""

import contextlib
import functools
import hashlib
import itertools
import math

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import BudgetError, MethodError
from ..geometry.plan import FLOP
from ..networks import RAC, ConvAC, DeepNetwork
from ..tensors.carries import carry_of
from ..tensors.collapsed import even_out
from ..tensors.exact_mps import predicted_bytes
from ..tensors.vanishing import cancels, check_not_cancelled, probes
from .mps import ChainFace, site_arrays
from .reduced import Ket
from .states import Amplitudes, Cost, Face, StateView, as_float, refuse_dims, view_of

MAX_LISTED = 2**20  # amplitudes of which the largest are looked for
MAX_WINDOWS = 2**26  # bytes of window tensors; ket and bra of larger ones do not contract


@view_of.register
def _(state: DeepNetwork, dims=None):
    refuse_dims(dims)
    check = functools.cache(lambda: _check_not_vanishing(state))

    def checked(make):
        return lambda: (check(), make(state))[1]

    faces = {
        "vector": Face(lambda: _vector_cost(state), checked(_vector)),
        "network": Face(lambda: Cost(0, 0.0), checked(_ket)),
    }
    followed = any(getattr(x, "requires_grad", False) for x in state.params.values())
    if not followed:
        faces["amplitudes"] = Face(lambda: Cost(0, 0.0), checked(_amplitudes))
    # symmetric powers have less than full rank, where QR has no gradient
    if isinstance(state, ConvAC) or (isinstance(state, RAC) and not (followed and state.depth > 1)):
        make = checked(lambda net: site_arrays(net.to_mps(normalize=True)))
        faces["to_mps"] = ChainFace(lambda: _mps_cost(state), make, lambda: _bonds(state))
    dims = (state.phys_dim,) * state.nsites
    return StateView(tuple(state.sites), dims, state._like, type(state).__name__, faces)


def _check_not_vanishing(net):
    """Refuse a state of noise, where its largest amplitudes can be found.

    Raises
    ------
    RangeError
        If they cancel to the precision of the weights.
    """
    configs = probes(net)
    if not cancels(net, configs):
        return
    total, shape = net.phys_dim**net.nsites, (net.phys_dim,) * net.nsites
    if total <= MAX_LISTED:
        sizes = np.abs(to_numpy(stop_gradient(_vector(net))))
        top = np.argsort(-sizes)[: len(configs)]
        configs = np.stack(np.unravel_index(top, shape), axis=1)
        check_not_cancelled(net, configs.reshape(-1, *net.geometry.shape))
        return
    with contextlib.suppress(MethodError, BudgetError):
        net.to_mps(max_bytes=MAX_WINDOWS)  # looks at amplitudes that it draws


def _vector_cost(net):
    """Three arrays of the size of the state, and one product for each of its channels."""
    total = net.phys_dim**net.nsites
    each = len(net.readout) if isinstance(net, (ConvAC, RAC)) else _each(net)
    return Cost(3 * total * net._like.itemsize, as_float(total * round(each)))


def _vector(net):
    return even_out(net._scaled_state(math.inf), vanishing=True)[0].reshape(-1)


def _each(net):
    """Flops that take as long as one amplitude of a large batch."""
    batch = 2**12
    return net.plan(batch).cost / batch / FLOP


def _amplitudes(net):
    return Amplitudes(
        functools.partial(_log_amplitudes, net), _each(net), functools.partial(_digest, net)
    )


def _log_amplitudes(net, configs):
    return net.log_amplitudes(configs.reshape(-1, *net.geometry.shape))


def _digest(net):
    """A hash of the geometry and of all parameters."""
    digest = hashlib.sha256(repr(net.geometry).encode())
    for name, x in net.params.items():
        x = np.ascontiguousarray(to_numpy(stop_gradient(x)))
        digest.update(f"{name} {x.shape} {x.dtype}".encode() + x.tobytes())
    return digest.hexdigest()


def _ket(net):
    """The tensor network of a deep network that is the cheapest to contract."""
    psi = (
        net.collapse(max_bytes=MAX_WINDOWS)
        if isinstance(net, (ConvAC, RAC))
        else net.to_tensor_network()
    )
    return Ket(psi, tuple(map(psi.site_ind, psi.sites)))


def _mps_cost(net):
    """Bytes and flops of the exact conversion, from the sizes of its carry alone."""
    bounds, M = carry_of(net).bounds(), net.phys_dim
    flops = sum(6.0 * M * a * b * min(a, b) for a, b in itertools.pairwise(bounds))
    return Cost(predicted_bytes(bounds, M), flops)


def _bonds(net):
    """The bonds of the exact MPS: no larger than its carry, nor than the sites on either side."""
    bounds, M, N = carry_of(net).bounds(), net.phys_dim, net.nsites
    return [min(bound, M ** min(t, N - t, 64)) for t, bound in enumerate(bounds)]
