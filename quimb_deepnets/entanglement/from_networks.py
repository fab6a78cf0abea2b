"""Deep networks as states: amplitudes, the whole vector, window tensors, exact MPS.

::

    ConvAC, RAC, RBM --+-- vector       to_dense, without the limits of floats
                       +-- amplitudes   log_amplitudes
                       +-- network      collapse(); of an RBM its hyper network
                       +-- to_mps       chains: predicted bonds, then the conversion
                       +-- transfer     chains of shared weights
"""

import functools
import hashlib
import itertools
import math

import numpy as np
from autoray import stop_gradient, to_numpy

from ..conversion.exact_mps import predicted_bytes
from ..conversion.transfer_states import has_transfer, transfer_of
from ..errors import BudgetError, MethodError
from ..exact.transfer_routes import planned_transfer
from ..networks import DeepNetwork
from ..numerics.scaled import binary
from ..numerics.traced import is_followed
from ..tensors.collapsed import quimb_vector
from ..tensors.expanded import to_tensor_network
from .methods.mps import ChainView, site_arrays
from .methods.reduced import KetNetwork
from .views import Amplitudes, Cost, StateView, View, as_flops, moved, refuse_dims, view_of

MAX_WINDOWS = 2**26  # bytes of window tensors; ket and bra of larger ones do not contract
MAX_TENSORS = 512  # of expanded networks; a path through more takes longer to find than to follow


@view_of.register
def _view_of_network(state: DeepNetwork, dims=None):
    refuse_dims(dims)
    views = {
        "vector": View(lambda: _vector_cost(state), lambda: _vector(state)),
        "network": View(lambda: Cost(0, 0.0), lambda: _ket(state)),
    }
    followed = any(map(is_followed, state.params.leaves.values()))
    if not followed:
        views["amplitudes"] = View(lambda: Cost(0, 0.0), lambda: _amplitudes(state))
    if has_transfer(state) and (not followed or (state.backend == "torch" and _full_rank(state))):
        mps = functools.cache(lambda: state.to_mps(normalize="exponent"))
        views["to_mps"] = ChainView(
            lambda: _mps_cost(state),
            lambda: site_arrays(mps()),
            lambda: _bonds(state),
            lambda: binary(float(mps().exponent)),
        )
    if (planned := planned_transfer(state)) is not None:
        views["transfer"] = View(lambda: Cost(0, 0.0), lambda: planned)
    dims, parts = (state.phys_dim,) * state.nsites, functools.partial(_parts, state)
    name, count = type(state).__name__, getattr(state.geometry, "num_tensors", lambda: 1)
    return StateView(
        tuple(state.sites), dims, state._like, name, views, parts=parts, degree=count()
    )


def _parts(net, size):
    """The view of the network with every parameter moved by ``size`` of itself."""
    rng = np.random.default_rng(1)
    params = {name: moved(x, size, rng) for name, x in net.params.items()}
    return view_of.dispatch(DeepNetwork)(type(net).from_params(net.geometry, params))


def _full_rank(net):
    """Whether QR has a gradient on the way to the exact MPS, if there is one."""
    try:
        return transfer_of(net).full_rank
    except MethodError:
        return True  # the conversion says why there is none


def _vector_cost(net):
    """Three arrays of the size of the state, and one product for each of its channels."""
    total = net.phys_dim**net.nsites
    each = len(net.readout) if hasattr(net, "readout") else _each(net)
    return Cost(3 * total * net._like.itemsize, as_flops(total * round(each)))


def _vector(net):
    return net._scaled_state(math.inf).even_out(vanishing=True)[0].reshape(-1)


def _each(net):
    """Flops that take as long as one amplitude of a large batch."""
    batch = 2**12
    plan = net.plan(batch)
    return plan.cost / batch / plan.machine.flop


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
    """The tensor network of a deep network that is the cheapest to contract.

    Where windows are too large, as in a tree of many layers, that is the expanded one if it is
    small.
    """
    try:
        psi = quimb_vector(net, MAX_WINDOWS)
    except BudgetError:
        if getattr(net.geometry, "num_tensors", lambda: math.inf)() > MAX_TENSORS:
            raise
        psi = to_tensor_network(net)
    return KetNetwork(psi, tuple(map(psi.site_ind, psi.sites)))


def _mps_cost(net):
    """Bytes and flops of the exact conversion, from the sizes of its transfer states alone."""
    transfer, M = transfer_of(net), net.phys_dim
    flops = sum(6.0 * M * a * b * min(a, b) for a, b in itertools.pairwise(transfer.bounds()))
    return Cost(predicted_bytes(transfer, M), flops)


def _bonds(net):
    """The bonds of the exact MPS: at most its transfer states, and the sites on either side."""
    bounds, M, N = transfer_of(net).bounds(), net.phys_dim, net.nsites
    return [min(bound, M ** min(t, N - t, 64)) for t, bound in enumerate(bounds)]
