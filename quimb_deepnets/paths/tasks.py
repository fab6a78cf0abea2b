"""Tasks: a state joined to fixed spins, to nothing, or to its own conjugate.

::

    amplitude       dense          norm              partial_trace     local_expectation

    .--ket--.     .--ket--.     .--ket--.            .--ket--.           .--ket--.
    |  |  | |     |  |  | |     |  |  | |            |  |  | |           |  |  G |
    s0 s1 s2      k0 k1 k2      |  |  | |            |  k  b |           |  |  | |
                                '--bra--'            '--bra--'           '--bra--'

Schmidt values come from the partial trace of the smaller side, or without it from the two halves of
the ket, see `across`.
"""

import math
import numbers
from typing import Any, NamedTuple

from ..errors import OptionError, SitesError
from ..geometry.where import as_plain, read_where
from ..hyper.identities import joined_legs
from .hypergraph import Hypergraph
from .kets import MAX_TENSORS, Form, ket_of

TASKS = ("amplitude", "dense", "norm", "partial_trace", "local_expectation", "schmidt_values")
LOCAL = TASKS[3:]


def read_task(task):
    """The name of a task, and the sites that it is about (None where it is about all).

    Raises
    ------
    OptionError
        If it is not known, or names sites that it does not need, or lacks those that it needs.
    """
    name, where = task, None
    if isinstance(task, (tuple, list)) and len(task) == 2:
        name, where = task
    if not isinstance(name, str) or name not in TASKS:
        raise OptionError(
            f"task={task!r} is not known; use 'amplitude', 'dense', 'norm', ('partial_trace', "
            "where), ('local_expectation', where) or ('schmidt_values', where)."
        )
    if name in LOCAL and where is None:
        raise OptionError(f"task={name!r} is about some sites; write ({name!r}, where).")
    if name not in LOCAL and where is not None:
        raise OptionError(f"task={task!r}: {name!r} is about all sites; leave {where!r} out.")
    return name, where


def hypergraph(
    state,
    task="amplitude",
    form="expanded",
    mode="hyper",
    nodes=None,
    max_tensors=MAX_TENSORS,
):
    """The contraction problem of a task on a state, without its numbers.

    Parameters
    ----------
    state, task, form, mode, nodes, max_tensors
        See `path_report`.

    Returns
    -------
    Hypergraph

    Raises
    ------
    OptionError
        If an option is not known, or the state has no such form.
    SitesError
        If a site does not exist.
    BudgetError
        If there would be more than ``max_tensors`` tensors.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import hypergraph
    >>> net = qdn.RAC.rand(4, depth=2, bond_dim=3, seed=0)
    >>> hypergraph(net, ("partial_trace", [1, 2]), form="collapsed").output
    ('k1', 'k2', 'k1*', 'k2*')
    """
    name, where = read_task(task)
    ket = ket_of(state, Form(form, mode, nodes, max_tensors).check())
    return problem_of(ket, name, where)


class ProblemTensor(NamedTuple):
    """A tensor of a problem: its indices, what names its numbers, and where they come from."""

    inds: tuple
    label: Any
    source: tuple


def problem_of(ket, name, where=None):
    """The hypergraph of a task on a `Ket`."""
    if name == "amplitude":
        return _fixed(ket)
    parts = [
        ProblemTensor(inds, x, ("ket", i))
        for i, (inds, x) in enumerate(zip(ket.inputs, ket.labels))
    ]
    site_of = _sites_of_indices(ket)
    if name == "dense":
        return _without_identities(
            parts, tuple(ket.legs.values()), ket.size_dict, ket.identities, site_of
        )
    if name == "schmidt_values":
        size = lambda side: math.prod(ket.size_dict[ket.legs[site]] for site in side)
        sites = min(sides_of(ket, where), key=size)
    else:
        sites = [] if where is None else named_sites(tuple(ket.legs), where)
    names = _bra_names(ket, sites)
    parts = [part._replace(label=("ket", part.label)) for part in parts]
    parts += [
        ProblemTensor(tuple(map(names.get, inds)), ("bra", label), ("bra", i))
        for i, (inds, (_, label), _) in enumerate(parts)
    ]
    sizes = {**ket.size_dict, **{names[ix]: d for ix, d in ket.size_dict.items()}}
    identities = {*ket.identities, *(len(ket.inputs) + i for i in ket.identities)}
    site_of |= {names[ix]: site for ix, site in site_of.items()}
    legs = [ket.legs[s] for s in sites]
    output = (*legs, *map(names.get, legs))
    if name == "local_expectation":
        parts.append(ProblemTensor(output, name, ("operator", 0)))
        output = ()
    return _without_identities(parts, output, sizes, identities, site_of)


def _sites_of_indices(ket):
    """The site of each outer leg, and of what lies behind its delta."""
    site_of = {leg: site for site, leg in ket.legs.items()}
    for i, inner in ket.deltas.items():
        site_of[inner] = next(site_of[ix] for ix in ket.inputs[i] if ix in site_of)
    return site_of


def _fixed(ket):
    """Every site fixed: no legs, nothing behind a delta, no deltas."""
    gone = {*ket.legs.values(), *ket.deltas.values()}
    parts = []
    for i, (inds, label) in enumerate(zip(ket.inputs, ket.labels)):
        if i not in ket.deltas:
            # a tensor with a fixed leg: other numbers for each site
            fixed = ((k, ix) for k, ix in enumerate(inds) if ix in gone)
            kept = tuple(ix for ix in inds if ix not in gone)
            parts.append(ProblemTensor(kept, (label, *fixed), ("ket", i)))
    sizes = {ix: d for ix, d in ket.size_dict.items() if ix not in gone}
    return _problem(parts, (), sizes, {})


def _bra_names(ket, sites):
    """What the bra calls each index: the same where it is joined to the ket."""
    mark = "*"
    while any(ix + mark in ket.size_dict for ix in ket.size_dict):
        mark += "*"
    joined = {leg for site, leg in ket.legs.items() if site not in set(sites)}
    return {ix: ix if ix in joined else ix + mark for ix in ket.size_dict}


def named_sites(sites, where):
    """The sites of a subsystem; a bare site is a site."""
    where = as_plain(where)
    if where in sites and not isinstance(where, (bool, float)):
        return [where]
    if isinstance(where, numbers.Integral):
        raise SitesError(
            f"where={where!r} is not a site; the state has {list(sites[:3])} ... {sites[-1:]}; "
            "name one site or a sequence of sites."
        )
    return [sites[i] for i in read_where(sites, where)]


def sides_of(ket, where):
    """The sites on both sides of a cut; an int is the first so many, as in `schmidt_values`.

    Raises
    ------
    SitesError
        If one of them is empty.
    """
    sites = tuple(ket.legs)
    inside = set(read_where(sites, where, whole=False))
    if len(inside) == len(sites):
        raise SitesError(f"where={where!r} is every site, and leaves no other side; name fewer.")
    places = range(len(sites))
    return tuple([sites[i] for i in places if (i in inside) == own] for own in (True, False))


def _without_identities(parts, output, sizes, identities, site_of):
    """Leave out identities that only give a site a leg, their two ends joined to one index."""
    held = {ix for i, part in enumerate(parts) if i not in identities for ix in part.inds}
    ends = {i: parts[i].inds for i in sorted(identities)}
    names, gone = joined_legs(ends, output, held)
    left = [
        part._replace(inds=tuple(names.get(ix, ix) for ix in part.inds))
        for i, part in enumerate(parts)
        if i not in gone
    ]
    sizes = {names.get(ix, ix): d for ix, d in sizes.items()}
    site_of = {names.get(ix, ix): site for ix, site in site_of.items()}
    return _problem(left, output, sizes, site_of)


def _problem(parts, output, sizes, site_of):
    inputs, labels, sources = zip(*parts) if parts else ((), (), ())
    return Hypergraph(inputs, tuple(output), sizes, labels, sources, site_of)
