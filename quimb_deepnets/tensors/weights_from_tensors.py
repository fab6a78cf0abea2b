"""From an expanded tensor network back to the weights of its network.

Every tensor is compared with the plan that it was built from, piece by piece, so that nothing
but the network itself passes: same legs, same ties, deltas that are identities::

    tensors of psi   W1,0  W1,0  W1,1 ...  READOUT     copies of a tied weight must be equal
                       \\   /      |           |
    params           "W1,0"     "W1,1" ... "READOUT"
"""

import functools
import operator
from typing import NamedTuple

import numpy as np
from autoray import do
from autoray import to as convert

from ..errors import StructureError, WeightError
from ..geometry import expand, leaf_ind
from ..networks import DeepNetwork
from ..numerics.scaled import mutable
from ..numerics.traced import PURE


def read_params(psi):
    """Each tied weight once, whether all of its copies are one array, and the constants.

    The constants are the arrays that are not weights: those of the deltas, and of fixed vectors.

    Raises
    ------
    StructureError
        If the network was changed after it was built.
    """
    if psi.nodes == "dense":
        raise StructureError(
            "nodes='dense' multiplies weights together, so they cannot be read back; "
            "build the network with nodes='hyper'."
        )
    pieces = list(expand(psi.geometry))
    if psi.num_tensors != len(pieces) + psi.nsites:
        _refuse(f"it has {psi.num_tensors} tensors, not {len(pieces) + psi.nsites}")
    if psi.exponent:
        _refuse(f"it has the exponent {psi.exponent}")
    tensors, names, params, one_array, constants = iter(psi), {}, {}, True, {}
    for piece, tensor in zip(pieces, tensors):
        _match_legs(tensor, piece.inds, names)
        (name,) = piece.names
        expected = psi.geometry.param_shapes.get(name, tensor.shape)
        if tuple(tensor.shape) != tuple(expected):
            _refuse(f"{name} has shape {tensor.shape}, not {expected}")
        if name in psi.geometry.fixed_vectors:
            constants[id(tensor.data)] = "ones", tensor.data
        elif name not in tensor.tags:
            _refuse(f"a tensor has lost its tag {name!r}")
        if params.setdefault(name, tensor.data) is not tensor.data:
            one_array = False
            if not _equal(params[name], tensor.data):
                _refuse(f"two copies of the tied weight {name!r} differ")
    for site, tensor in zip(psi.sites, tensors):
        _match_legs(tensor, (site, leaf_ind(site)), names)
        constants[id(tensor.data)] = "identity", tensor.data
    if len(set(names.values())) < len(names):
        _refuse("two of its indices were joined")
    fixed = list(constants.values())
    check_constants(fixed)
    return {name: params[name] for name in psi.geometry.param_shapes}, one_array, fixed


def check_constants(constants):
    """Refuse deltas that are not identities, and fixed vectors that are not ones.

    Parameters
    ----------
    constants : list[(str, array)]
        ``"identity"`` or ``"ones"``, and the array that should hold it.
    """
    for kind, x in constants:
        if kind == "ones" and not _equal(x, x * 0 + 1):
            _refuse("a fixed vector is not ones any more")
        if kind == "identity" and (len(x.shape) != 2 or not _equal(x, _identity(len(x), x))):
            _refuse("the delta of a site is not an identity any more")


def _identity(size, like):
    return convert(np.eye(size), like)


def fingerprint(psi):
    """The arrays and legs that the network holds now: any change to a tensor changes these."""
    tensors = psi.tensor_map.values()
    return [t._data for t in tensors], [t._inds for t in tensors], psi.site_ind_id, psi.exponent


def same_fingerprint(a, b):
    """Whether two fingerprints hold the very same objects."""
    return (
        a[2:] == b[2:]
        and len(a[0]) == len(b[0])
        and all(map(operator.is_, a[0], b[0]))
        and all(map(operator.is_, a[1], b[1]))
    )


class Source(NamedTuple):
    """What a network was when its weights were last known.

    ``network`` is None where it is to be made from ``params`` again; ``constants`` are as
    `check_constants` takes them; ``dense`` are the products of weights that ``nodes="dense"``
    holds, by the names of their factors.
    """

    fingerprint: tuple
    params: dict
    network: object
    constants: list
    dense: dict


def current_network(psi):
    """The network whose weights the tensors hold, or None if only a contraction can tell.

    Where all copies of a weight are one array, what was read is remembered with the fingerprint of
    the tensors. Copies that are differentiated apart stay apart: then they do not make a network.
    """
    now, source = fingerprint(psi), psi._source
    try:
        if source is not None and same_fingerprint(source.fingerprint, now):
            check_constants(source.constants)
            _check_tied(True, source.constants, source.dense.values())
            if all(_equal(x, dense_node(key, source.params)) for key, x in source.dense.items()):
                return _network_of(psi, source)
        params, one_array, constants = read_params(psi)
        _check_tied(one_array or mutable(*psi.arrays), constants)
        network = psi._network_class.from_params(psi.geometry, params)
        check_outer_legs(psi)
    except (StructureError, WeightError):
        return None
    if one_array:
        psi._source = Source(now, params, None, constants, {})
    return network


def _network_of(psi, source):
    """The network that was expanded, or a new one if arrays were written in place since then."""
    if source.network is not None and all(
        x is source.network.params[name] or _equal(x, source.network.params[name])
        for name, x in source.params.items()
    ):
        return source.network
    return psi._network_class.from_params(psi.geometry, source.params)


def check_outer_legs(psi):
    """Refuse a network whose sites have other outer legs than they are called by."""
    for site, tensor in zip(psi.sites, list(psi)[-psi.nsites :]):
        if tensor.inds[0] != psi.site_ind(site):
            _refuse(f"site {site} has the leg {tensor.inds[0]!r}, not {psi.site_ind(site)!r}")


@functools.singledispatch
def architecture_of(state):
    """The geometry of a network whose nodes read taps, or None for anything else.

    Parameters
    ----------
    state : object
        A geometry, a network, or an expanded or collapsed state as long as its tensors hold the
        weights of one; register types of your own with ``architecture_of.register``.

    Returns
    -------
    ConvGeometry, RecurrentGeometry or None

    Raises
    ------
    StructureError
        If the tensors of an expanded network hold the weights of none.
    """
    return state if hasattr(state, "taps") else None


@architecture_of.register
def _architecture_of_network(network: DeepNetwork):
    return architecture_of(network.geometry)


def collapsible_network(psi):
    """The network whose weights the tensors hold.

    Raises
    ------
    StructureError
        If they hold none: the network was changed since it was built.
    """
    if (network := current_network(psi)) is None:
        network = tied_network(psi)
        check_outer_legs(psi)
    return network


def tied_network(psi):
    """The network whose weights the tensors hold, whatever its outer legs are called.

    Raises
    ------
    StructureError
        If they hold none, or if derivatives by single tensors would be lost.
    """
    params, one_array, constants = read_params(psi)
    _check_tied(one_array or mutable(*psi.arrays), constants)
    return psi._network_class.from_params(psi.geometry, params)


def _check_tied(tied, constants, products=()):
    """Refuse tensors that are differentiated by themselves and are not weights of a network."""
    if not tied:
        _refuse(
            "the copies of a weight are differentiated apart; tie them with "
            "TNOptimizer(tags=psi.shared_tags, shared_tags=psi.shared_tags)"
        )
    if not mutable(*(x for _, x in constants)):
        _refuse(
            "its deltas or fixed vectors are differentiated, but a network has none; detach them"
        )
    if any(getattr(x, "requires_grad", False) and x.is_leaf for x in products):
        _refuse("its dense nodes are differentiated by themselves, and not the weights in them")


def dense_node(factors, arrays):
    """``a[i, j1, ..., jK] = prod_k W[k][i, jk]``; taps on one leg multiply elementwise."""
    matrices = (functools.reduce(lambda a, b: a * b, map(arrays.get, names)) for names in factors)
    out = next(matrices)
    for matrix in matrices:
        spread = (slice(None), *[None] * (len(out.shape) - 1), slice(None))
        out = out[..., None] * matrix[spread]
    return out


def _equal(a, b):
    if tuple(a.shape) != tuple(b.shape):
        return False
    try:
        return a is b or bool(do("all", a == b))
    except (TypeError, RuntimeError):  # a compiler traces them
        _refuse(f"its numbers are traced and cannot be compared (jit, vmap); {PURE}")


def _match_legs(tensor, expected, names):
    """Check the legs of a tensor against its plan, up to a one-to-one renaming."""
    if len(tensor.inds) != len(expected) or any(
        names.setdefault(old, new) != new for old, new in zip(expected, tensor.inds)
    ):
        _refuse(f"the tensor with legs {tensor.inds} is not where it was")


def _refuse(what):
    raise StructureError(
        f"the network was changed after it was built: {what}. Weights can be read only from "
        "a network that was not gated, fixed, scaled, normalized or simplified; use a copy from "
        "before (to_mps(normalize=True) and entropies normalize by themselves)."
    )
