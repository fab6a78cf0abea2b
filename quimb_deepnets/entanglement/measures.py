"""What users call: entanglement of any state, in quimb's words, in bits.

::

    entropy(state, where) --> view_of(state) --> choose a method --> Spectrum --> a number
                                  |
              where or tags --> places
"""

from collections.abc import Sequence
from typing import Any

from autoray import do

from ..jobs.progress import progress
from ..numerics.weights import MAX_BYTES
from .arguments import (
    File,
    Options,
    density_at,
    documented,
    looked_at,
    read_cuts,
    read_one_or_more,
    read_subsystem,
    refuse_checkpoint,
    spectrum_at,
)
from .registry import MAX_FLOPS, EntanglementPlan, choose, make_plan
from .spectra import check_alpha
from .vanishing import check_state


@documented
def schmidt_values(
    state: Any,
    where: Any = None,
    *,
    tags: str | Sequence[str] | None = None,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The Schmidt values between some sites and the rest: squared singular values.

    Parameters
    ----------
    {state}
    {options}

    Returns
    -------
    array, shape (min(dims),) or shorter
        Descending, of sum 1; values of zero may be left out. Small ones are accurate down to about
        1e-31, the square of the precision of the dtype, where the method decomposes the state, and
        down to 1e-15 by ``"reduced"`` and ``"gram"``, which are taken only if no other fits.

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
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    return spectrum_at(view, places, options, tail=True).values


@documented
def entropy(
    state: Any,
    where: Any = None,
    *,
    tags: str | Sequence[str] | None = None,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
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
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    return spectrum_at(view, places, options).entropy()


@documented
def renyi_entropy(
    state: Any,
    where: Any = None,
    alpha: float = 2,
    *,
    tags: str | Sequence[str] | None = None,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The Renyi entropy of order ``alpha`` of some sites with the rest, in bits.

    Parameters
    ----------
    {state}
    {options}
    alpha : float, optional
        At least 0: 0 is the logarithm of the numerical rank, 1 the von Neumann entropy, inf
        ``-log2`` of the largest Schmidt value. Below 1 the smallest values count, as far as the
        dtype resolves them, see `schmidt_values`. Methods that see a density matrix (``"reduced"``,
        ``"gram"``) lose those below 1e-15: they are taken only if no other fits, and refused with a
        `MethodError` where that may change the result.

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
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    return spectrum_at(view, places, options, tail=alpha < 1).renyi(alpha)


@documented
def schmidt_gap(
    state: Any,
    where: Any = None,
    *,
    tags: str | Sequence[str] | None = None,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
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
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    return spectrum_at(view, places, options).gap()


@documented
def entropies(
    state: Any,
    cuts: Sequence[int] | None = None,
    *,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The entropies of the first i sites, for many i, in bits: a chain in one sweep.

    Parameters
    ----------
    {state}
    cuts : sequence of int, optional
        By default all, 1 to N - 1.
    dims, method, max_bytes, max_flops, progbar, executor, tol, seed
        See `entropy`.
    checkpoint : None
        Must be None: a checkpoint file keeps only one subsystem.

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
    view = looked_at(state, dims)
    places = read_cuts(view, cuts)
    if not places:
        return do("zeros_like", do("real", view.like.reshape(-1)[:0]))
    refuse_checkpoint(checkpoint)
    check_state(view)
    middle = max(places, key=lambda p: min(len(p), len(view.sites) - len(p)))
    chosen = choose(view, middle, "spectrum", method, max_bytes, max_flops)
    options = Options(executor=executor, tol=tol, seed=seed).given(
        chosen.sweep or chosen.spectrum, chosen.name
    )
    if chosen.sweep is not None:
        found = chosen.sweep(view, [len(p) for p in places], progbar=progbar, **options)
    else:
        bar = progress(places, progbar)
        found = [chosen.spectrum(view, place, **options) for place in bar]
    return do("stack", tuple(do("asarray", s.entropy(), like=view.like) for s in found))


@documented
def partial_trace_exact(
    state: Any,
    where: Any,
    *,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The reduced density matrix of some sites, of trace 1.

    Parameters
    ----------
    {state}
    where : site or sequence of sites
        Here an int is a site, as in quimb's ``partial_trace_exact``; in the order wanted.
    dims, method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed
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
    view = looked_at(state, dims)
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    return density_at(view, read_one_or_more(view, where, "where"), options)


@documented
def entanglement_plan(
    state: Any,
    where: Any = None,
    *,
    tags: str | Sequence[str] | None = None,
    dims: Sequence[int] | None = None,
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
) -> EntanglementPlan:
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
