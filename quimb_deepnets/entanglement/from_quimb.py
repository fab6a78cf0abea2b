"""quimb's vectors as states: MPS, MERA, PEPS, any network with one outer index for each site.

::

    TensorNetworkGenVector --+-- network    as it is, hyper-indices allowed
                             +-- vector     contracted, by the best path of several searches
                             +-- mps        a MatrixProductState that is a chain of tensors
    RecursiveNetwork, CollapsedVector ------- the deep network that it holds, unless edited
"""

import dataclasses
import functools
import math

import numpy as np
from autoray import get_dtype_name, infer_backend
from quimb.tensor import MatrixProductState, TensorNetworkGenVector

from ..errors import OptionError, SitesError
from ..hyper import HyperTensorNetwork
from ..numerics.weights import DTYPES
from ..tensors import CollapsedVector, RecursiveNetwork
from ..tensors.collapsed import source_network
from ..tensors.weights_from_tensors import current_network
from .methods.mps import ChainView, site_arrays
from .methods.reduced import KetNetwork
from .views import Cost, StateView, View, moved, refuse_dims, view_of


@view_of.register
def _view_of_vector(state: TensorNetworkGenVector, dims=None):
    refuse_dims(dims)
    sites = tuple(site for site in state.sites if state.site_ind(site) in state.ind_map)
    inds = tuple(map(state.site_ind, sites))
    _check_outer(state, inds)
    hyper = state if isinstance(state, HyperTensorNetwork) else HyperTensorNetwork(state)
    ket = KetNetwork(hyper, inds)
    views = {
        "network": View(lambda: Cost(0, 0.0), lambda: ket),
        "vector": View(ket.vector_cost, ket.vector),
    }
    if isinstance(state, MatrixProductState) and (arrays := site_arrays(state)) is not None:
        bonds = [x.shape[0] for x in arrays] + [arrays[-1].shape[2]]
        views["mps"] = ChainView(lambda: Cost(0, 0.0), lambda: arrays, lambda: bonds)
    check_dtypes(state)
    sizes = tuple(map(state.ind_size, inds))
    like = next(iter(state)).data
    known = all(infer_backend(t.data) in ("numpy", "torch") for t in state)
    parts = functools.partial(_parts, state) if known else None
    name, degree = type(state).__name__, state.num_tensors
    return StateView(sites, sizes, like, name, views, state, parts, degree)


def _parts(state, size):
    """The view of the network with every entry of its tensors moved by ``size`` of itself."""
    rng, state = np.random.default_rng(1), state.copy()
    state.apply_to_arrays(lambda x: moved(x, size, rng))
    return view_of.dispatch(TensorNetworkGenVector)(state)


@view_of.register
def _view_of_expanded(state: RecursiveNetwork, dims=None):
    return _through(current_network(state), state, dims)


@view_of.register
def _view_of_collapsed(state: CollapsedVector, dims=None):
    return _through(source_network(state), state, dims)


def _through(net, state, dims):
    """The view of a tensor network by the views of the deep network that it holds."""
    view = view_of.dispatch(TensorNetworkGenVector)(state, dims)
    if net is None or len(view.sites) < net.nsites:
        return view
    of_net = view_of(net)
    return dataclasses.replace(of_net, sites=view.sites, name=view.name, network=state, notes=set())


def check_dtypes(state):
    """Refuse arrays of half, extended or unknown precision, which no decomposition takes."""
    for t in state:
        kind = get_dtype_name(t.data)
        if kind not in DTYPES and not kind.startswith(("int", "uint", "bool")):
            raise OptionError(
                f"a tensor of dtype {kind} has no singular values here; convert the state to one "
                f"of {', '.join(DTYPES)}, as in state.astype('float64')."
            )


def _check_outer(state, inds):
    """Refuse legs that are not sites, and sites whose leg is on several tensors."""
    if doubled := [ix for ix in inds if len(state.ind_map[ix]) > 1]:
        raise SitesError(
            f"the index {doubled[0]!r} of a site is on {len(state.ind_map[doubled[0]])} tensors; "
            "give each site one outer leg: dup joins duplicated ones."
        )
    if extra := sorted(set(state.outer_inds()) - set(inds)):
        raise SitesError(
            f"the state has the outer indices {extra[:4]} besides those of its sites, so it is not "
            "a pure state on them; fix or contract them first."
        )
    if not inds or math.prod(map(state.ind_size, inds)) == 1:
        raise SitesError(
            "no site of the state has an outer index left, so there is nothing to divide; give a "
            "state with open sites."
        )
