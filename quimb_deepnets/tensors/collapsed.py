"""Collapsed states: each distinct branch contracted once, one tensor for each of its positions.

The expanded network pays for every copy of a branch; here a branch is a window tensor over its
sites, and the last layer is folded, so that all windows share one channel::

    READOUT ---+-------+-------+-------+--- _c      one hyper-index for the channels
               |       |       |       |
            WINDOW  WINDOW  WINDOW  WINDOW          (r, M, ..., M), equal inside the chain
             / | \\   / | \\   / | \\   / | \\
           _x0 _x1 _x2 _x3 ...                      hyper-indices of the sites
            |   |   |   |
            k0  k1  k2  k3                          through IDENTITY tensors

A RAC keeps its last layer as a chain of ``WH``, and each step reads the window tensor of all
sites before it.
"""

import functools
import math
import operator
from typing import Any

import numpy as np
from autoray import do

from ..declared import CollapsedMethods
from ..errors import OptionError, StructureError, check_positive_int
from ..evaluation.careful_gradients import refuse_far_apart
from ..evaluation.recurrence import Recursion
from ..evaluation.window_tables import folded_tables
from ..geometry import leaf_ind
from ..geometry.expansion import READOUT, WINDOW
from ..hyper.dup import delta
from ..hyper.names import unique_names
from ..hyper.operands import expectation, read_terms
from ..hyper.search import SEARCHED
from ..hyper.sites import check_site_ids, check_site_tags
from ..hyper.vector import HyperVector
from ..networks import RAC, ConvAC
from ..numerics.configs import digits, identity
from ..numerics.products import times
from ..numerics.scaled import Scaled, array_like, decimal, scaled, take
from ..numerics.torch_modes import full_precision
from ..numerics.weights import MAX_BYTES
from .amplitudes import StateAmplitudes
from .density import partial_traces_exact
from .expanded import to_tensor_network
from .levels import cheapest_level, check_level, level_tensors, refusal_of
from .pieces import check_bytes, tensors_of
from .scale import fits, spread
from .weights_from_tensors import (
    architecture_of,
    collapsible_network,
    fingerprint,
    same_fingerprint,
)

SEARCHED.add(WINDOW)


class CollapsedVector(CollapsedMethods, StateAmplitudes):
    """A state with one tensor per window: an ordinary quimb vector of low contraction width.

    Made by ``collapse()``. Its tensors carry the tag ``WINDOW`` (``READOUT`` and, for a RAC, the
    names of the weights of its last layer), and ``IDENTITY`` for the identities that give each site
    its outer leg; contractions leave those out. Where no ``optimize`` is given, several searches
    run and the best path is kept.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> phi = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0).collapse()
    >>> isinstance(phi, qdn.CollapsedVector), phi.network
    (True, ConvAC(shape=6, layers=[3x2, 3x2], phys_dim=2, boundary='ones', num_params=26))
    """

    _EXTRA_PROPS = (*HyperVector._EXTRA_PROPS, "_cyclic")
    _cyclic: bool

    @property
    def network(self):
        """The network that it was made from.

        Raises
        ------
        StructureError
            If tensors, or the weights of the network, were changed since then.
        """
        if (network := source_network(self)) is None:
            raise StructureError(
                "the state was changed after it was collapsed: gated, fixed, scaled, copied deeply "
                "or unpickled, or its weights were trained; keep the network that it was made "
                "from."
            )
        return network

    def _held_network(self):
        return source_network(self)

    @property
    def cyclic(self):
        """Whether the sites are a ring, or a torus (``boundary="periodic"``)."""
        return self._cyclic

    partial_traces_exact = partial_traces_exact

    def compute_local_expectation_exact(
        self, terms, optimize=None, *, normalized=True, return_all=False, **opts
    ):
        """The expectation values of many terms, or their sum, see quimb.

        Terms on small regions of a chain come from one sweep, see `partial_traces_exact`.
        """
        terms = read_terms(terms)
        if normalized is not True or opts:
            opts |= {"normalized": normalized, "return_all": return_all}
            return super().compute_local_expectation_exact(terms, optimize, **opts)
        rhos = self.partial_traces_exact(list(terms), optimize=optimize)
        inds = [tuple(map(self.site_ind, self._kept_sites(where))) for where in terms]
        values = {
            where: expectation(self._read(G, legs), rho)
            for (where, G), legs, rho in zip(terms.items(), inds, rhos)
        }
        return values if return_all else functools.reduce(operator.add, values.values())


@full_precision
def collapse(
    network: Any,
    site_ind_id: str | None = None,
    site_tag_id: str | None = None,
    max_bytes: float = MAX_BYTES,
    level: int | None = None,
) -> CollapsedVector:
    """The state as a quimb vector in which each distinct branch is contracted once.

    Norms, overlaps, density matrices and expectation values are then exact, at a cost that the
    width of the windows decides and not the number of copies: a chain of any length is linear
    in its length. Where windows are large, as above layers with strides, branches are contracted
    up to a lower layer only, and what is above is written out.

    Parameters
    ----------
    site_ind_id, site_tag_id : str, optional
        Names of the outer indices and of the site tags, by default quimb's, or those of the
        tensor network that is collapsed.
    max_bytes : int, optional
        Refuse window tensors that would need more.
    level : int, optional
        The layer up to which branches are contracted; of a `ConvAC`, from 0 (every branch written
        out) to its depth (one tensor per window of the folded last layer). By default the depth,
        unless windows have thousands of rows: then the level with the cheapest norm, planned in
        integers.

    Returns
    -------
    CollapsedVector
        Its windows hold the scale where that fits the dtype; beyond it is in the ``exponent``.

    Raises
    ------
    BudgetError
        If the window tensors would be too large; the error says what every level would take.
    OptionError
        If the level does not exist.
    StructureError
        If the tensors no longer hold the weights of a network.
    RangeError
        If one window tensor spans more than the range of its dtype.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, dist="uniform", loc=1.0, seed=0)
    >>> phi = net.collapse()
    >>> phi.num_tensors
    129
    >>> rho = phi.partial_trace_exact([31, 32])
    >>> rho.shape, round(float(rho.trace()), 12)
    ((4, 4), 1.0)

    A tree of 64 sites, whose last windows have 32: tables of four sites, and the tree above them.

    >>> layers = [qdn.GCLayer(2, bond_dim=3, stride=2)] * 6
    >>> tree = qdn.ConvAC.rand(64, layers=layers, seed=0).collapse()
    >>> max(t.size for t in tree), tree.num_tensors
    (48, 111)
    """
    g, level = network.geometry, _level(network, level, max_bytes)
    holes = ",".join(["{}"] * g.ndim)
    phi = CollapsedVector.new(
        sites=g.sites,
        site_ind_id=f"k{holes}" if site_ind_id is None else site_ind_id,
        site_tag_id=f"I{holes}" if site_tag_id is None else site_tag_id,
        cyclic=getattr(g, "boundary", None) == "periodic",
    )
    check_site_ids(phi.site_ind_id, phi.site_tag_id, phi.sites)
    check_site_tags(phi, {"DELTA", "IDENTITY", WINDOW, *g.param_shapes})
    refuse_far_apart(network, "the collapsed state")
    tensors, exponent = scaled_windows(network, max_bytes, level)
    add_windows(phi, tensors, network)
    phi.exponent = decimal(exponent)
    phi._source = fingerprint(phi), network, level
    return phi


def _level(network, level, max_bytes):
    """The level that is asked for, or costs least; None for the windows of the last layer."""
    g, max_bytes = network.geometry, check_positive_int("max_bytes", max_bytes, OptionError)
    if level is None:
        level = cheapest_level(g, max_bytes // network._like.itemsize)
    else:
        level = check_level(g, level)
    return None if level == g.depth else level


def quimb_vector(network, max_bytes=MAX_BYTES):
    """The quimb vector of a network that is the cheapest to contract.

    That is the collapsed state, or the network as `to_tensor_network` writes it where its family
    has registered no `window_tensors`.
    """
    if window_tensors.dispatch(type(network)) is window_tensors.dispatch(object):
        return to_tensor_network(network)
    return collapse(network, max_bytes=max_bytes)


def add_windows(psi, tensors, network):
    """Add tensors over the legs of the sites to an empty state, and the identities to its own legs.

    Each tensor belongs to the site at the centre of what it reads, one that reads no site to that
    of the tensor before it.
    """
    unique, sites = unique_names(), {leaf_ind(site): site for site in psi.sites}
    read = next(read for t in tensors if (read := [sites[ix] for ix in t.inds if ix in sites]))
    for tensor in tensors:
        read = [sites[ix] for ix in tensor.inds if ix in sites] or read
        tensor = tensor.reindex({ix: unique(ix) for ix in tensor.inds})
        tensor.add_tag(psi.site_tag(read[len(read) // 2]))
        psi.add_tensor(tensor, virtual=True)
    eye = identity(network.phys_dim, network._like)
    for site in psi.sites:
        legs = psi.site_ind(site), unique(leaf_ind(site))
        psi.add_tensor(delta(*legs, eye, (psi.site_tag(site), "IDENTITY")), virtual=True)


def source_network(phi):
    """The network that a collapsed state was made from, or None if they may differ by now.

    Every tensor must be the very one that was made, and the weights must still make it.
    """
    if phi._source is None or not same_fingerprint(fingerprint(phi), phi._source[0]):
        return None
    _, network, level = phi._source
    made, _ = scaled_windows(network, MAX_BYTES, level)
    arrays = [
        *(tensor.data for tensor in made),
        *[identity(network.phys_dim, network._like)] * phi.nsites,
    ]
    held = (tensor.data for tensor in phi)
    return network if all(bool(do("all", x == y)) for x, y in zip(held, arrays)) else None


@architecture_of.register
def _architecture_of_collapsed(phi: CollapsedVector):
    network = source_network(phi)
    return None if network is None else architecture_of(network)


def _collapse_expanded(
    psi: Any,
    site_ind_id: str | None = None,
    site_tag_id: str | None = None,
    max_bytes: float = MAX_BYTES,
    level: int | None = None,
) -> CollapsedVector:
    return collapse(
        collapsible_network(psi),
        psi.site_ind_id if site_ind_id is None else site_ind_id,
        psi.site_tag_id if site_tag_id is None else site_tag_id,
        max_bytes,
        level,
    )


_collapse_expanded.__doc__ = collapse.__doc__


def scaled_windows(network, max_bytes, level=None):
    """The tensors with their scale, shared by all windows, where it fits; else it is left over."""
    room = network.nsites * math.log2(network.phys_dim) / 2  # all configurations, all channels
    if level is None:
        tensors, exponent = window_tensors(network, max_bytes)
    else:
        tensors, exponent = level_tensors(network, level, max_bytes)
        room += sum(math.log2(t.shape[-1]) for t in tensors if WINDOW not in t.tags)
    windows = [tensor for tensor in tensors if WINDOW in tensor.tags]
    room += math.log2(max((max(x.shape, default=1) for x in windows), default=1))
    if not (windows and fits(exponent, windows[0].data, room)):
        return tensors, exponent
    made = {}  # equal windows stay one array, or two
    plain = [tensor.data for tensor in windows]
    for tensor, data, share in zip(windows, plain, spread(exponent, len(windows))):
        key = id(data), share
        made[key] = made[key] if key in made else data * 2.0**share
        tensor.modify(data=made[key])
    return tensors, 0.0


def collapsed_tensors(network, max_bytes):
    """The tensors of the collapsed network at its cheapest level, see `window_tensors`."""
    level = _level(network, None, max_bytes)
    if level is None:
        return window_tensors(network, max_bytes)
    return level_tensors(network, level, max_bytes)


@functools.singledispatch
def window_tensors(network, max_bytes):
    """The tensors of the collapsed network without identities, and the exponent of two before it.

    Returns
    -------
    tensors : list[Tensor]
    exponent : float
    """
    raise OptionError(
        f"{type(network).__name__} has no collapsed form; register one with "
        "quimb_deepnets.tensors.window_tensors.register."
    )


@window_tensors.register
def _collapse_conv(network: ConvAC, max_bytes):
    pieces = list(network.geometry.collapsed_pieces())
    rows = {x.kind: network.phys_dim ** (len(x.inds) - 1) for x in pieces if x.tag == WINDOW}
    itemsize = network._like.itemsize
    need = sum(rows.values()) * network.geometry.collapsed_dim * itemsize
    more = refusal_of(network.geometry, max_bytes // itemsize) if need > max_bytes else ""
    check_bytes(need, network._like, max_bytes, more)
    numbers = {(WINDOW, k): x.even_out() for k, x in folded_tables(network).items()}
    numbers[READOUT, None] = scaled(network.readout).even_out()
    return tensors_of(pieces, numbers, network.phys_dim)


@window_tensors.register
def _collapse_rac(network: RAC, max_bytes):
    M, depth = network.phys_dim, network.depth
    widest = M ** network.geometry.collapsed_width() * network.bond_dim
    check_bytes(2 * widest * network._like.itemsize, network._like, max_bytes)
    numbers: dict[tuple[str, Any], Any] = {
        (f"WH{depth}", None): scaled(network.hidden_weights[-1], axes=2).even_out(),
        (f"H0{depth}", None): scaled(network.initial[-1]).even_out(),
        (READOUT, None): scaled(network.readout).even_out(),
    }
    numbers |= {(WINDOW, n): x for n, x in enumerate(_incoming(network), 1)}
    return tensors_of(network.geometry.collapsed_pieces(), numbers, M)


def _incoming(network):
    """What the last layer of a RAC reads from 1, 2, ... sites: ``(M**sites, R)``, an exponent."""
    M, recursion = network.phys_dim, Recursion(network)
    if network.depth == 1:
        yield Scaled(recursion.first.mantissa, recursion.first.exponent).even_out()
        return
    last, count = recursion.inputs[-1], 1
    states = recursion.start()
    for _ in range(network.L):
        index = array_like(np.repeat(np.arange(count), M), network._like)
        states = [take(h, index) for h in states]
        digit = digits(np.tile(np.arange(M), count)[:, None], M, network._like)
        states, count = recursion.advance(states, digit), count * M
        below = states[-2]
        yield times(below, last).even_out()
