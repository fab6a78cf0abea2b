"""What users call: entanglement of any state, in quimb's words, in bits.

::

    entropy(state, where) --> view_of(state) --> choose a method --> Spectrum --> a number
                                  |
              where or tags --> places
"""

import math
import numbers

from autoray import do, stop_gradient
from tqdm import tqdm

from ..errors import OptionError, SitesError, check_option
from ..networks.base import MAX_BYTES
from .registry import MAX_FLOPS, METHODS, check_options, choose, make_plan
from .spectra import Spectrum, check_alpha, check_norm
from .states import view_of
from .where import is_site, read_where

_OPTIONS = """where : int or sequence of sites, optional
        An int i is the first i sites, as in quimb's ``MPS.entropy(i)``; the state need not be
        normalised.
    tags : str or sequence of str, optional
        Instead of ``where``: the sites whose outer index is on the tensors that quimb's
        ``partition(tags)`` selects.
    dims : sequence of int, optional
        The dimension of each site; for dense vectors only.
    method : str, optional
        ``"auto"`` takes the cheapest exact one that fits, see `entanglement_plan`.
    max_bytes, max_flops : number, optional
        The budget.
    progbar : bool, optional
        Show a progress bar, where the method has one.
    **options
        Options of the method: ``checkpoint=`` of ``"gram"``, ``tol=`` and ``seed=`` of
        ``"approx"``."""
_RAISES = """SitesError
        If ``where`` names no proper subset of the sites.
    OptionError
        If an option is not known, or the state is of no known type.
    MethodError
        If the method does not apply to the state.
    BudgetError
        If it needs too much memory or too many flops.
    RangeError
        If the state is zero or not finite."""


def _documented(function):
    """Fill in the parameters and errors that all measures share."""
    text = function.__doc__
    function.__doc__ = text.replace("{options}", _OPTIONS).replace("{raises}", _RAISES)
    return function


def _subsystem(state, where, tags, dims):
    """The view of a state, and the places of the subsystem."""
    view = view_of(state, dims)
    if (where is None) == (tags is None):
        raise OptionError(f"where={where!r} and tags={tags!r}: give one of the two.")
    if tags is None:
        return view, read_where(view.sites, where)
    if view.network is None:
        raise OptionError(f"tags={tags!r} select tensors, and a {view.name} has none; use where=.")
    if not isinstance(tags, (str, list, tuple, set, frozenset)):
        raise OptionError(f"tags={tags!r} is no tag and no sequence of tags; give strings.")
    tags = (tags,) if isinstance(tags, str) else tuple(tags)
    if missing := [tag for tag in tags if tag not in view.network.tag_map]:
        raise SitesError(f"tags={tags!r}: no tensor has the tag {missing[0]!r}; name tags of it.")
    _, chosen = view.network.partition(tags)
    places = tuple(
        i for i, site in enumerate(view.sites) if view.network.site_ind(site) in chosen.ind_map
    )
    if not places:
        raise SitesError(f"tags={tags!r} select no tensor with the outer index of a site.")
    return view, places


def _spectrum(
    view, places, method="auto", max_bytes=MAX_BYTES, max_flops=MAX_FLOPS, fine=False, **options
):
    """The spectrum of a subsystem by the method asked for, or by the cheapest.

    With ``fine`` the smallest values matter, and methods that do not square them come first.
    """
    if len(places) == len(view.sites):
        check_option("method", method, ("auto", *METHODS))
        return Spectrum(do("ones_like", do("real", view.like.reshape(-1)[:1])))
    chosen = choose(view, places, "spectrum", method, max_bytes, max_flops, fine)
    check_options(chosen.spectrum, chosen.name, options)
    return chosen.spectrum(view, places, **options)


def _density(view, places, method="auto", max_bytes=MAX_BYTES, max_flops=MAX_FLOPS, **options):
    """The density matrix of a subsystem, of trace 1."""
    chosen = choose(view, places, "density", method, max_bytes, max_flops)
    check_options(chosen.density, chosen.name, options)
    rho = chosen.density(view, places, **options)
    trace = do("real", do("trace", rho))
    check_norm(float(stop_gradient(trace)))
    return rho / trace


@_documented
def schmidt_values(state, where=None, *, tags=None, dims=None, **options):
    """The Schmidt values between some sites and the rest: squared singular values.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    {options}

    Returns
    -------
    array, shape (min(dims),) or shorter
        Descending, of sum 1; values of zero may be left out.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> qdn.schmidt_values(qu.ghz_state(4), 2, dims=[2] * 4).round(12).tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    view, places = _subsystem(state, where, tags, dims)
    return _spectrum(view, places, **options).values


@_documented
def entropy(state, where=None, *, tags=None, dims=None, **options):
    """The von Neumann entanglement entropy of some sites with the rest, in bits.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    {options}

    Returns
    -------
    scalar
        ``-sum p log2 p`` of the `schmidt_values`; where the arrays of the state live.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> mera = qtn.MERA.rand(16)
    >>> bool(qdn.entropy(mera, [0, 3, 5, 6, 9, 12, 13, 15]) > 1)
    True
    """
    view, places = _subsystem(state, where, tags, dims)
    return _spectrum(view, places, **options).entropy()


@_documented
def renyi_entropy(state, where=None, alpha=2, *, tags=None, dims=None, **options):
    """The Renyi entropy of order ``alpha`` of some sites with the rest, in bits.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    {options}
    alpha : float, optional
        At least 0: 0 is the logarithm of the numerical rank, 1 the von Neumann entropy, inf
        ``-log2`` of the largest Schmidt value. Below 1 the smallest values count: methods that
        see a density matrix (``"reduced"``, ``"gram"``) lose those below 1e-16, and are taken
        only if no other fits.

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(float(qdn.renyi_entropy(qu.ghz_state(4), [1, 3], dims=[2] * 4)), 12)
    1.0
    """
    alpha = check_alpha(alpha)
    view, places = _subsystem(state, where, tags, dims)
    return _spectrum(view, places, fine=alpha < 1, **options).renyi(alpha)


@_documented
def schmidt_gap(state, where=None, *, tags=None, dims=None, **options):
    """The difference of the two largest Schmidt values of some sites with the rest.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    {options}

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(abs(float(qdn.schmidt_gap(qu.ghz_state(4), 1, dims=[2] * 4))), 12)
    0.0
    """
    view, places = _subsystem(state, where, tags, dims)
    return _spectrum(view, places, **options).gap()


@_documented
def entropies(
    state,
    cuts=None,
    *,
    dims=None,
    method="auto",
    max_bytes=MAX_BYTES,
    max_flops=MAX_FLOPS,
    progbar=False,
    **options,
):
    """The entropies of the first i sites, for many i, in bits: a chain in one sweep.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    cuts : sequence of int, optional
        By default all, 1 to N - 1.
    dims, method, max_bytes, max_flops, progbar, **options
        See `entropy`.

    Returns
    -------
    array, shape (len(cuts),)

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> rac = qdn.RAC.rand(100, depth=2, bond_dim=2, dist="rademacher", seed=0)
    >>> qdn.entropies(rac).shape
    (99,)
    """
    view = view_of(state, dims)
    places = _read_cuts(view, cuts)
    if not places:
        return do("zeros_like", do("real", view.like.reshape(-1)[:0]))
    _refuse_checkpoint(options)
    middle = max(places, key=lambda p: min(len(p), len(view.sites) - len(p)))
    chosen = choose(view, middle, "spectrum", method, max_bytes, max_flops)
    check_options(chosen.sweep or chosen.spectrum, chosen.name, options)
    if chosen.sweep is not None:
        found = chosen.sweep(view, [len(p) for p in places], progbar=progbar, **options)
    else:
        bar = tqdm(places, disable=not progbar)
        found = [chosen.spectrum(view, place, **options) for place in bar]
    return do("stack", tuple(do("asarray", s.entropy(), like=view.like) for s in found))


def _read_cuts(view, cuts):
    """The places left of each cut."""
    cuts = range(1, len(view.sites)) if cuts is None else cuts
    cuts = cuts.tolist() if hasattr(cuts, "tolist") else cuts
    if not isinstance(cuts, (list, tuple, range)) or not all(
        isinstance(cut, numbers.Integral) for cut in cuts
    ):
        raise OptionError(
            f"cuts={cuts!r} is no sequence of ints; each is a number of first sites, as in [1, 2]. "
            "For other subsets call entropy."
        )
    return [read_where(view.sites, cut, "a cut") for cut in cuts]


def _refuse_checkpoint(options):
    """One file belongs to one subsystem."""
    if "checkpoint" in options:
        raise OptionError(
            "checkpoint= keeps one subsystem, and here there are several; call entropy for each, "
            "with a file of its own."
        )


@_documented
def mutinf_subsys(state, sysa, sysb, *, dims=None, **options):
    """The mutual information of two subsystems, S(A) + S(B) - S(AB), in bits.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    sysa, sysb : site or sequence of sites
        Disjoint; here an int is a site, as in quimb's ``mutinf_subsys``.
    dims, **options
        See `entropy`.

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(float(qdn.mutinf_subsys(qu.ghz_state(4), 0, [1, 2], dims=[2] * 4)), 12)
    1.0
    """
    view, a, b = _two_subsystems(state, sysa, sysb, dims)
    _refuse_checkpoint(options)
    parts = (_spectrum(view, places, **options).entropy() for places in (a, b, (*a, *b)))
    first, second, both = parts
    return first + second - both


@_documented
def logneg_subsys(state, sysa, sysb, *, dims=None, **options):
    """The logarithmic negativity of two subsystems, in bits.

    Where the two are the whole state it is read from the Schmidt values; else from the density
    matrix of both.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    sysa, sysb : site or sequence of sites
        Disjoint; here an int is a site, as in quimb's ``logneg_subsys``.
    dims, **options
        See `entropy`.

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(float(qdn.logneg_subsys(qu.bell_state("phi+"), 0, 1, dims=[2, 2])), 12)
    1.0
    """
    view, a, b = _two_subsystems(state, sysa, sysb, dims)
    if len(a) + len(b) == len(view.sites):
        return _spectrum(view, a, fine=True, **options).renyi(0.5)
    rho = _density(view, (*a, *b), **options)
    da, db = view.dim(a), view.dim(b)
    flipped = do("transpose", rho.reshape(da, db, da, db), (2, 1, 0, 3)).reshape(da * db, -1)
    size = do("sum", do("abs", do("linalg.eigvalsh", flipped)))
    return do("clip", do("log2", size), 0.0, math.inf)


@_documented
def partial_trace_exact(state, where, *, dims=None, **options):
    """The reduced density matrix of some sites, of trace 1.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    where : site or sequence of sites
        Here an int is a site, as in quimb's ``partial_trace_exact``; in the order wanted.
    dims, **options
        See `entropy`.

    Returns
    -------
    array, shape (d, d)
        With d the product of the dimensions of the sites.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> qdn.partial_trace_exact(qu.ghz_state(4), 2, dims=[2] * 4).real.round(12).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    view = view_of(state, dims)
    return _density(view, _one_or_more(view, where, "where"), **options)


@_documented
def entanglement_plan(
    state, where=None, *, tags=None, dims=None, max_bytes=MAX_BYTES, max_flops=MAX_FLOPS
):
    """What each method would cost for a subsystem, and which one ``"auto"`` takes.

    Parameters
    ----------
    state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``.
    where, tags, dims, max_bytes, max_flops
        See `entropy`.

    Returns
    -------
    EntanglementPlan
        Prints as a table; ``rows`` and ``chosen`` for programs.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(100, depth=2, kernel=3, bond_dim=4, seed=0)
    >>> qdn.entanglement_plan(net, 50).chosen
    'to_mps'
    """
    view, places = _subsystem(state, where, tags, dims)
    return make_plan(view, places, "spectrum", max_bytes, max_flops, full=True)


def _two_subsystems(state, sysa, sysb, dims):
    """The view of a state and the places of two disjoint subsystems."""
    view = view_of(state, dims)
    a, b = _one_or_more(view, sysa, "sysa"), _one_or_more(view, sysb, "sysb")
    if both := set(a) & set(b):
        raise SitesError(
            f"sysa={sysa!r} and sysb={sysb!r} share the site {view.sites[min(both)]!r}; name each "
            "site in one of them."
        )
    return view, a, b


def _one_or_more(view, where, name):
    """The places of one site or of a sequence of sites."""
    if isinstance(where, numbers.Integral) or is_site(view.sites, where):
        where = [where]
    return read_where(view.sites, where, name)
