"""Norms, overlaps, distances and expectation values, as methods of the networks themselves.

A network evaluates single amplitudes. Sums over all of them are taken by transfer matrices where
a chain repeats, else contracted from a quimb vector of the same state, made for each call in the
form that is cheapest to make::

    net --sums_by_transfer--> norm, overlap, expectation value

    net --state_of--+-- all amplitudes     where they are few
                    +-- net.collapse()     else
                    +-- net.to_mps()       else, for chains
                    |
                    +--> psi.norm(), psi.overlap(phi), psi.distance(phi), ...
"""

import math
import numbers
from typing import Any

import numpy as np
from autoray import do, infer_backend
from quimb.tensor import Tensor

from ..errors import BudgetError, DeepNetError, MethodError, OptionError, SitesError
from ..hyper.operands import is_negligible, read_operator
from ..hyper.ranges import Contracted
from ..hyper.vector import HyperVector
from ..networks import DeepNetwork
from ..numerics.products import multiply, total
from ..numerics.scaled import Scaled, bits, decimal, look, mutable
from ..numerics.traced import check_there
from ..numerics.weights import as_array
from ..tensors.collapsed import collapse
from ..tensors.expanded import to_tensor_network
from .exact_mps import to_mps
from .sums_by_transfer import expectation_by_transfer, total_by_transfer

FEW = 2**20  # amplitudes that are evaluated rather than contracted
MANY = 2**24  # amplitudes that are evaluated where nothing cheaper exists
SMALL_WINDOWS = 2**24  # bytes
MAX_DRAWN = 2**10  # tensors


def state_of(net: Any, site_ind_id: str | None = None) -> HyperVector:
    """A quimb vector of the state of a network.

    Parameters
    ----------
    net : DeepNetwork
    site_ind_id : str, optional
        Names of the outer indices.

    Returns
    -------
    HyperVector
        Its scale may be in the ``exponent``.

    Raises
    ------
    BudgetError, OptionError
        If there are too many amplitudes, and neither a collapsed form nor an exact MPS.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.conversion.everyday import state_of
    >>> state_of(qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)).outer_inds()
    ('k0', 'k1', 'k2', 'k3')
    """
    count = net.phys_dim**net.nsites
    return _whole(net, site_ind_id)[0] if count <= FEW else _folded(net, site_ind_id)


def _folded(net, site_ind_id):
    """A quimb vector in a form of several tensors, the cheapest to make."""
    count = net.phys_dim**net.nsites
    ways = [
        lambda: collapse(net, site_ind_id, max_bytes=SMALL_WINDOWS),
        lambda: _chain(net, site_ind_id),
        lambda: collapse(net, site_ind_id),
    ]
    for way in ways[: None if net.geometry.ndim == 1 else 1]:
        try:
            return way()
        except (BudgetError, OptionError, MethodError):
            continue
    return _whole(net, site_ind_id)[0] if FEW < count <= MANY else ways[-1]()


def _kept(net, site_ind_id=None):
    """A quimb vector of the state that holds every amplitude but zero.

    Raises
    ------
    RangeError
        If neither a dense vector nor the windows do.
    """
    if net.phys_dim**net.nsites > FEW:
        return _folded(net, site_ind_id)
    psi, kept = _whole(net, site_ind_id)
    return psi if kept else _folded(net, site_ind_id)


def _names(net, site_ind_id):
    holes = ",".join(["{}"] * net.geometry.ndim)
    site_ind_id = f"k{holes}" if site_ind_id is None else site_ind_id
    return {"site_ind_id": site_ind_id, "site_tag_id": f"I{holes}"}


def _chain(net, site_ind_id):
    """The exact MPS of a chain."""
    names = _names(net, site_ind_id)
    mps = to_mps(net, normalize="exponent", **names)
    return HyperVector.from_TN(mps, sites=tuple(net.sites), **names)


def _measured(net, G, where):
    """A quimb vector of the state that holds all that an expectation value is made of."""
    if net.phys_dim**net.nsites > FEW:
        return _folded(net, None)
    psi, kept = _whole(net, None)
    if not kept:
        places = psi._kept_sites(where)
        G = read_operator(G, (net.phys_dim,) * len(places), net._like)
        if is_negligible(G, psi.partial_trace_exact(where, get="array")):
            return _folded(net, None)
    return psi


def _whole(net, site_ind_id):
    """The state as a single tensor, and whether no entry vanished beside the largest."""
    check_there(net.params.leaves.values(), "this method")
    state = net._scaled_state(math.inf)
    data, exponent = state.even_out(vanishing=True)
    size = do("abs", look(data)).reshape(-1)
    lost = (size < np.finfo(size.dtype).tiny) & (look(state.mantissa).reshape(-1) != 0)
    return _dense(net, data, site_ind_id, decimal(exponent)), not lost.any()


def _dense(net, data, site_ind_id, exponent=0.0):
    """A vector on the sites of a network, in the order of dense vectors."""
    psi = HyperVector.new(sites=tuple(net.sites), **_names(net, site_ind_id))
    data = do("reshape", data, (net.phys_dim,) * net.nsites)
    inds, tags = map(psi.site_ind, psi.sites), map(psi.site_tag, psi.sites)
    psi.add_tensor(Tensor(data, tuple(inds), tuple(tags)), virtual=True)
    psi.exponent = exponent
    return psi


def _pair(net, other, form):
    """Quimb vectors of a network and of what it is compared with, on the same outer indices.

    ``form`` makes that of a network, `state_of` or `_kept`.
    """
    if isinstance(other, DeepNetwork):
        mine, theirs = ((x.geometry.shape, x.phys_dim) for x in (net, other))
        if mine != theirs:
            raise SitesError(
                f"a network on sites of shape {mine[0]} with phys_dim={mine[1]} has no overlap "
                f"with one of shape {theirs[0]} with phys_dim={theirs[1]}; give two on the same "
                "sites."
            )
        return form(net), form(other)
    if hasattr(other, "as_network"):
        name = getattr(other, "site_ind_id", None)
        fits = isinstance(name, str) and name.count("{}") == net.geometry.ndim
        return form(net, name if fits else None), other.as_network()
    try:
        vector = as_array(other)
        size = math.prod(vector.shape)
    except DeepNetError as error:
        raise SitesError(
            f"a {type(other).__name__} is not a state; give a network, a quimb vector such as an "
            "MPS or PEPS, or a dense vector."
        ) from error
    if size != net.phys_dim**net.nsites:
        raise SitesError(
            f"a vector of {size} entries is not a state of {net.nsites} sites with phys_dim="
            f"{net.phys_dim}; give {net.phys_dim}**{net.nsites} entries."
        )
    return form(net), _dense(net, vector, None)


def _by_amplitudes(net, other):
    """The overlap of two networks of few sites, each amplitude with its own power; or None."""
    if not isinstance(other, DeepNetwork) or net.phys_dim**net.nsites > FEW:
        return None
    same = (net.geometry.shape, net.phys_dim) == (other.geometry.shape, other.phys_dim)
    leaves = [x for each in (net, other) for x in each.params.leaves.values()]
    if not same or len(set(map(infer_backend, leaves))) > 1 or not mutable(*leaves):
        return None
    mine, theirs = (x._scaled_state(math.inf) for x in (net, other))
    theirs = Scaled(do("conj", theirs.mantissa), theirs.exponent)
    found = total(multiply(*(x.by_channel() for x in (mine, theirs))).rescale(axes=0))
    return Contracted(found.mantissa, float(bits(found.exponent)))


def _given(optimize):
    """An option that is left out where it is None, which quimb treats differently."""
    return {} if optimize is None else {"optimize": optimize}


def _places(net, where):
    """The places of one site or several of a chain, if they are just numbers of sites."""
    places = [where] if isinstance(where, numbers.Integral) else where
    if not isinstance(places, (list, tuple, range)):
        return None
    plain = all(isinstance(n, int) and 0 <= n < net.nsites for n in places)
    return tuple(places) if plain and len(set(places)) == len(places) else None


def norm(
    net: Any,
    output_inds: None = None,
    squared: bool = False,
    strip_exponent: bool = False,
    optimize: Any = None,
) -> Any:
    """The norm of the state, exactly, as quimb's ``norm``.

    Parameters
    ----------
    output_inds : None
        Accepted to match quimb's signature; a network has no indices.
    squared : bool, optional
        Return the square of the norm.
    strip_exponent : bool, optional
        Return a mantissa and a power of ten, for any scale.
    optimize : str or optimizer, optional
        Finds the contraction path.

    Returns
    -------
    scalar, or (scalar, scalar)

    Raises
    ------
    RangeError
        If the norm leaves the range of the dtype; ``strip_exponent=True`` has no such limit.
    BudgetError
        If neither all amplitudes nor the windows of `collapse` fit.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(64, distance=3, kernel=3)
    >>> round(float(net.norm()) / 2**32, 12), round(float(net.norm(strip_exponent=True)[1]), 3)
    (1.0, 9.633)
    """
    if output_inds is not None:
        raise OptionError(
            f"output_inds={output_inds!r}: a network has no indices; leave it out, or use "
            "net.collapse().norm."
        )
    if optimize is None and (found := total_by_transfer(net)) is not None:
        found, power = found.map(abs), 1 if squared else 0.5
        return found.decimal(power) if strip_exponent else found.in_range(power)
    opts = _given(optimize)
    return state_of(net).norm(squared=squared, strip_exponent=strip_exponent, **opts)


def overlap(net: Any, other: Any, optimize: Any = None, strip_exponent: bool = False) -> Any:
    """The overlap with another state, exactly, as quimb's ``overlap``.

    Parameters
    ----------
    other : network, quimb vector or array
        Another network, an expanded or collapsed state, an MPS, PEPS or any quimb vector on the
        same sites, or a dense vector; as in quimb, the one that is conjugated.
    optimize : str or optimizer, optional
        Finds the contraction path.
    strip_exponent : bool, optional
        Return a mantissa and a power of ten, for any scale.

    Returns
    -------
    scalar

    Raises
    ------
    SitesError
        If ``other`` is not a state on the same sites.
    RangeError, BudgetError
        As `norm`.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RBM.rand(8, seed=0)
    >>> bool(abs(net.overlap(net.collapse()) / net.norm() ** 2 - 1) < 1e-12)
    True
    """
    if optimize is None and (found := total_by_transfer(net, other)) is not None:
        return found.decimal() if strip_exponent else found.in_range()
    if optimize is None and (found := _by_amplitudes(net, other)) is not None:
        return found.decimal() if strip_exponent else found.in_range()
    mine, theirs = _pair(net, other, _kept)
    return mine.overlap(theirs, strip_exponent=strip_exponent, **_given(optimize))


def distance(
    net: Any,
    other: Any,
    method: str = "auto",
    normalized: bool | str = False,
    optimize: Any = None,
) -> Any:
    """The distance to another state, exactly, as quimb's ``distance``.

    Parameters
    ----------
    other : network, quimb vector or array
        As `overlap` takes it.
    method : {"auto", "dense", "overlap"}, optional
        ``"dense"`` takes the difference of the states, accurate to round-off; ``"overlap"`` takes
        overlaps, accurate to its square root.
    normalized : bool or {"squared", "infidelity", "infidelity_sqrt"}, optional
        Relative to the norms of the two, see quimb.
    optimize : str or optimizer, optional
        Finds the contraction paths.

    Returns
    -------
    scalar

    Raises
    ------
    SitesError, RangeError, BudgetError
        As `overlap`.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RAC.rand(8, depth=2, bond_dim=2, seed=0)
    >>> bool(net.distance(net.to_mps(), normalized=True) < 1e-12)
    True
    """
    mine, theirs = _pair(net, other, state_of)
    return mine.distance(theirs, method=method, normalized=normalized, **_given(optimize))


def local_expectation_exact(
    net: Any,
    G: Any,
    where: Any,
    optimize: Any = None,
    normalized: bool | str = True,
    rehearse: bool | str = False,
) -> Any:
    """The expectation value of a local operator, exactly, as quimb's ``local_expectation_exact``.

    Parameters
    ----------
    G : array, shape (phys_dim**n, phys_dim**n)
    where : site or sequence of n sites
        As in quimb an int is one site.
    optimize : str or optimizer, optional
        Finds the contraction path.
    normalized : bool or "return", optional
        Divide by the squared norm (True), do not (False), or return it too.
    rehearse : bool or "tree", optional
        Return what the contraction would cost, see quimb.

    Returns
    -------
    scalar

    Raises
    ------
    SitesError, OptionError
        If the site does not exist, or the operator has the wrong size or is not a matrix.
    RangeError, BudgetError
        As `norm`.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(8, distance=1, kernel=2)
    >>> round(float(net.local_expectation_exact(qu.pauli("Z").real, 3)), 12) + 0.0
    0.0
    """
    if optimize is None and not rehearse and normalized in (True, False, "return"):
        places = _places(net, where)
        found = expectation_by_transfer(net, G, places, normalized) if places else None
        if found is not None:
            return found
    state = state_of(net) if rehearse else _measured(net, G, where)
    return state.local_expectation_exact(G, where, optimize, normalized, rehearse)


def draw(net: Any, *args: Any, max_tensors: int = MAX_DRAWN, **kwargs: Any) -> Any:
    """Draw the tensor network of a network, every re-use written out.

    Sites are at the bottom, on a chain in a row and on a lattice in a plane, and layers above one
    another. ``collapse().draw()`` is the same state with each branch once.

    Parameters
    ----------
    *args, **kwargs
        As the ``draw`` of ``net.to_tensor_network()`` takes them.
    max_tensors : int, optional
        Refuse to draw more.

    Raises
    ------
    BudgetError
        If there would be more tensors.
    ExtraError
        If a package that draws is not installed.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RAC.rand(3, depth=2, bond_dim=2, seed=0)
    >>> net.draw(show_tags=True)  # doctest: +SKIP
    """
    return to_tensor_network(net, max_tensors=max_tensors).draw(*args, **kwargs)
