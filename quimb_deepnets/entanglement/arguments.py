"""The arguments of measures: from a state and sites, as users write them, to a spectrum.

::

    state, where or tags --read_subsystem--> StateView, places --spectrum_at--> Spectrum
                                                  |                density_at --> matrix
                                      choose a method, check its options
"""

import numbers
import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from autoray import do, stop_gradient
from quimb.tensor import TensorNetwork

from ..errors import OptionError, SitesError, check_option
from ..geometry.where import as_plain, is_site, read_where
from ..networks import DeepNetwork
from ..numerics.sizes import check_norm
from ..numerics.torch_modes import full_precision
from ..numerics.traced import check_there
from ..numerics.weights import MAX_BYTES
from .registry import MAX_FLOPS, METHODS, PairPlaces, check_budget, check_options, choose
from .spectra import Spectrum, spectrum_of_matrix
from .vanishing import check_state
from .views import view_of

COLLECTIONS = (list, tuple, set, frozenset)
_STATE = """state : network, tensor network or array
        A deep network, a quimb vector (MPS, MERA, PEPS, ...), or a dense vector with ``dims``."""
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
    checkpoint : str or path, optional
        Of ``"gram"``: an ``.npz`` file that is written after each chunk, and resumed from.
    executor : optional
        Of ``"gram"``: where to compute the chunks, see `quimb_deepnets.jobs.as_pool`.
    tol : float, optional
        Of ``"approx"``: the standard error of the result, relative to it, 1e-2 by default.
    seed : int or numpy.random.Generator, optional
        Of ``"approx"``: where its random vectors come from."""
_RAISES = """SitesError
        If ``where`` does not name a proper subset of the sites.
    OptionError
        If an option, or the type of the state, is not known.
    MethodError
        If the method does not apply to the state.
    BudgetError
        If it needs too much memory or too many flops.
    RangeError
        If the state is zero or not finite."""


Function = TypeVar("Function", bound=Callable)
File = str | os.PathLike | None


class Options(NamedTuple):
    """How a measure is to be computed: the method, its budget, and options that only some take."""

    method: str = "auto"
    max_bytes: float = MAX_BYTES
    max_flops: float = MAX_FLOPS
    progbar: bool = False
    checkpoint: File = None
    executor: Any = None
    tol: float | None = None
    seed: Any = None

    def given(self, function: Any, method: str) -> dict[str, Any]:
        """The options that were given, as keywords of the function of a method.

        Raises
        ------
        OptionError
            If the function does not take one of them.
        """
        names = ("checkpoint", "executor", "tol", "seed")
        found = {name: x for name in names if (x := getattr(self, name)) is not None}
        found |= {} if self.progbar is False else {"progbar": self.progbar}
        check_options(function, method, found)
        return found


def documented(function: Function) -> Function:
    """Fill in the parameters and errors that all measures share."""
    for name, text in (("state", _STATE), ("options", _OPTIONS), ("raises", _RAISES)):
        function.__doc__ = (function.__doc__ or "").replace(f"{{{name}}}", text)
    return function


def looked_at(state, dims):
    """The view of a state whose numbers are there to be looked at."""
    if isinstance(state, TensorNetwork):
        arrays = [t.data for t in state]
    elif isinstance(state, DeepNetwork):
        arrays = list(state.params.leaves.values())
    else:
        arrays = [state] if hasattr(state, "shape") else []
    check_there(arrays, "entanglement")
    return view_of(state, dims)


def read_subsystem(state, where, tags, dims):
    """The view of a state, and the places of the subsystem."""
    view = looked_at(state, dims)
    if (where is None) == (tags is None):
        raise OptionError(f"where={where!r} and tags={tags!r}: give one of the two.")
    if tags is None:
        return view, read_where(view.sites, where)
    if view.network is None:
        raise OptionError(f"tags={tags!r} select tensors, but a {view.name} has none; use where=.")
    names = (tags,) if isinstance(tags, str) else tags
    if not isinstance(names, COLLECTIONS) or not all(isinstance(tag, str) for tag in names):
        raise OptionError(f"tags={tags!r} is neither a tag nor a sequence of tags; give strings.")
    tags = tuple(names)
    if missing := [tag for tag in tags if tag not in view.network.tag_map]:
        raise SitesError(f"tags={tags!r}: no tensor has the tag {missing[0]!r}; name tags of it.")
    _, chosen = view.network.partition(tags)
    places = tuple(
        i for i, site in enumerate(view.sites) if view.network.site_ind(site) in chosen.ind_map
    )
    if not places:
        raise SitesError(f"tags={tags!r} select no tensor with the outer index of a site.")
    return view, places


@full_precision
def spectrum_at(view, places, options, tail=False):
    """The spectrum of a subsystem by the method asked for, or by the cheapest.

    With ``tail`` the smallest values matter, and methods that do not square them come first.
    """
    check_state(view)
    if len(places) == len(view.sites):
        check_option("method", options.method, ("auto", *METHODS))
        check_budget(options.max_bytes, options.max_flops)
        if view.parts is None and "vector" in view.views:
            return spectrum_of_matrix(view.views["vector"].value.reshape(-1, 1))
        return Spectrum(do("ones_like", do("real", view.like.reshape(-1)[:1])))
    what = "tail" if tail else "spectrum"
    chosen = choose(view, places, what, options.method, options.max_bytes, options.max_flops)
    give = chosen.give(what)
    return give(view, places, **options.given(give, chosen.name))


@full_precision
def density_at(view, places, options):
    """The density matrix of a subsystem, of trace 1."""
    check_state(view)
    chosen = choose(view, places, "density", options.method, options.max_bytes, options.max_flops)
    rho = chosen.density(view, places, **options.given(chosen.density, chosen.name))
    trace = do("real", do("trace", rho))
    check_norm(float(stop_gradient(trace)))
    return rho / trace


@full_precision
def pair_at(view, a, b, options):
    """The density matrix of two subsystems ``(a, b, a, b)`` up to isometries, of trace 1."""
    check_state(view)
    places = PairPlaces.of(a, b)
    chosen = choose(view, places, "pair", options.method, options.max_bytes, options.max_flops)
    give = chosen.give("pair")
    given = options.given(give, chosen.name)
    if chosen.pair is None:
        da, db = view.dim(a), view.dim(b)
        rho = give(view, tuple(places), **given).reshape(da, db, da, db)
    else:
        rho = give(view, a, b, **given)
    trace = do("real", do("einsum", "abab->", rho))
    check_norm(float(stop_gradient(trace)))
    return rho / trace


def read_cuts(view, cuts):
    """The places left of each cut."""
    cuts = range(1, len(view.sites)) if cuts is None else cuts
    cuts = as_plain(cuts)
    listed = [as_plain(cut) for cut in cuts] if isinstance(cuts, (list, tuple, range)) else [None]
    if any(isinstance(cut, bool) or not isinstance(cut, numbers.Integral) for cut in listed):
        raise OptionError(
            f"cuts={cuts!r} is not a sequence of ints; each is a number of first sites, as in "
            "[1, 2]. For other subsets call entropy."
        )
    return [read_where(view.sites, cut, "a cut", whole=False) for cut in listed]


def refuse_checkpoint(checkpoint):
    """Refuse a checkpoint for several subsystems: a file keeps only one."""
    if checkpoint is not None:
        raise OptionError(
            "checkpoint= keeps one subsystem, and here there are several; call entropy for each, "
            "with a file of its own."
        )


def read_two(state, sysa, sysb, dims):
    """The view of a state and the places of two disjoint subsystems."""
    view = looked_at(state, dims)
    a, b = read_one_or_more(view, sysa, "sysa"), read_one_or_more(view, sysb, "sysb")
    if both := set(a) & set(b):
        raise SitesError(
            f"sysa={sysa!r} and sysb={sysb!r} share the site {view.sites[min(both)]!r}; name each "
            "site in one of them."
        )
    return view, a, b


def read_one_or_more(view, where, name):
    """The places of one site or of a sequence of sites."""
    where = as_plain(where)
    if isinstance(where, numbers.Integral) or is_site(view.sites, where):
        where = [where]
    return read_where(view.sites, where, name)
