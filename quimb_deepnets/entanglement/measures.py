"""What users call: entanglement of any state, in quimb's words, in bits.

::

    entropy(state, where) --> view_of(state) --> choose a method --> Spectrum --> a number
                                  |
              where or tags --> places
"""

import math

from autoray import do

from ..jobs.progress import progress
from ..numerics.weights import MAX_BYTES
from .arguments import (
    density_at,
    documented,
    read_cuts,
    read_one_or_more,
    read_subsystem,
    read_two,
    refuse_checkpoint,
    spectrum_at,
)
from .registry import MAX_FLOPS, check_options, choose, make_plan
from .spectra import as_float, check_alpha, not_negative
from .vanishing import check_state
from .views import view_of


@documented
def schmidt_values(state, where=None, *, tags=None, dims=None, **options):
    """The Schmidt values between some sites and the rest: squared singular values.

    Parameters
    ----------
    {state}
    {options}

    Returns
    -------
    array, shape (min(dims),) or shorter
        Descending, of sum 1; values of zero may be left out. Small ones are right down to about
        1e-31, the square of the precision of the dtype, where the method decomposes the state,
        and down to 1e-15 by ``"reduced"`` and ``"gram"``, which are taken only if no other fits.

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
    view, places = read_subsystem(state, where, tags, dims)
    return spectrum_at(view, places, tail=True, **options).values


@documented
def entropy(state, where=None, *, tags=None, dims=None, **options):
    """The von Neumann entanglement entropy of some sites with the rest, in bits.

    Parameters
    ----------
    {state}
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
    view, places = read_subsystem(state, where, tags, dims)
    return spectrum_at(view, places, **options).entropy()


@documented
def renyi_entropy(state, where=None, alpha=2, *, tags=None, dims=None, **options):
    """The Renyi entropy of order ``alpha`` of some sites with the rest, in bits.

    Parameters
    ----------
    {state}
    {options}
    alpha : float, optional
        At least 0: 0 is the logarithm of the numerical rank, 1 the von Neumann entropy, inf
        ``-log2`` of the largest Schmidt value. Below 1 the smallest values count, as far as the
        dtype knows them, see `schmidt_values`. Methods that see a density matrix (``"reduced"``,
        ``"gram"``) lose those below 1e-15: they are taken only if no other fits, and refused
        with a `MethodError` where that may change the result.

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
    view, places = read_subsystem(state, where, tags, dims)
    return spectrum_at(view, places, tail=alpha < 1, **options).renyi(alpha)


@documented
def schmidt_gap(state, where=None, *, tags=None, dims=None, **options):
    """The difference of the two largest Schmidt values of some sites with the rest.

    Parameters
    ----------
    {state}
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
    view, places = read_subsystem(state, where, tags, dims)
    return spectrum_at(view, places, **options).gap()


@documented
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
    {state}
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
    places = read_cuts(view, cuts)
    if not places:
        return do("zeros_like", do("real", view.like.reshape(-1)[:0]))
    refuse_checkpoint(options)
    check_state(view)
    middle = max(places, key=lambda p: min(len(p), len(view.sites) - len(p)))
    chosen = choose(view, middle, "spectrum", method, max_bytes, max_flops)
    check_options(chosen.sweep or chosen.spectrum, chosen.name, options)
    if chosen.sweep is not None:
        found = chosen.sweep(view, [len(p) for p in places], progbar=progbar, **options)
    else:
        bar = progress(places, progbar)
        found = [chosen.spectrum(view, place, **options) for place in bar]
    return do("stack", tuple(do("asarray", s.entropy(), like=view.like) for s in found))


@documented
def mutinf_subsys(state, sysa, sysb, *, dims=None, **options):
    """The mutual information of two subsystems, S(A) + S(B) - S(AB), in bits.

    Parameters
    ----------
    {state}
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
    view, a, b = read_two(state, sysa, sysb, dims)
    refuse_checkpoint(options)
    spectra = [spectrum_at(view, places, **options) for places in (a, b, (*a, *b))]
    parts = [spectrum.entropy() for spectrum in spectra]
    rounding = sum(s.rounding * (1 + as_float(x)) for s, x in zip(spectra, parts))
    return not_negative(parts[0] + parts[1] - parts[2], rounding)


@documented
def logneg_subsys(state, sysa, sysb, *, dims=None, **options):
    """The logarithmic negativity of two subsystems, in bits.

    Where the two are the whole state it is read from the Schmidt values; else from the density
    matrix of both.

    Parameters
    ----------
    {state}
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
    view, a, b = read_two(state, sysa, sysb, dims)
    if len(a) + len(b) == len(view.sites):
        return spectrum_at(view, a, tail=True, **options).renyi(0.5)
    rho = density_at(view, (*a, *b), **options)
    da, db = view.dim(a), view.dim(b)
    flipped = do("transpose", rho.reshape(da, db, da, db), (2, 1, 0, 3)).reshape(da * db, -1)
    size = do("sum", do("abs", do("linalg.eigvalsh", flipped)))
    return do("clip", do("log2", size), 0.0, math.inf)


@documented
def partial_trace_exact(state, where, *, dims=None, **options):
    """The reduced density matrix of some sites, of trace 1.

    Parameters
    ----------
    {state}
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
    return density_at(view, read_one_or_more(view, where, "where"), **options)


@documented
def entanglement_plan(
    state, where=None, *, tags=None, dims=None, max_bytes=MAX_BYTES, max_flops=MAX_FLOPS
):
    """What each method would cost for a subsystem, and which one ``"auto"`` takes.

    Parameters
    ----------
    {state}
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
    view, places = read_subsystem(state, where, tags, dims)
    return make_plan(view, places, "spectrum", max_bytes, max_flops, full=True)
