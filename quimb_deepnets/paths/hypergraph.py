"""Contraction problems as hypergraphs: which tensors, which indices, which stay; no arrays.

A task joins a state to fixed spins, to nothing, or to its own mirror image::

    amplitude       dense          norm              partial_trace     local_expectation

    .--ket--.     .--ket--.     .--ket--.            .--ket--.           .--ket--.
    |  |  | |     |  |  | |     |  |  | |            |  |  | |           |  |  G |
    s0 s1 s2      k0 k1 k2      |  |  | |            |  k  b |           |  |  | |
                                '--bra--'            '--bra--'           '--bra--'

Without arrays a network of 10**5 tensors takes seconds and a few hundred MiB.
"""

import numbers
from dataclasses import dataclass

import cotengra as ctg
from cotengra.interface import preset_to_optimizer

from ..entanglement.where import read_where
from ..errors import BudgetError, OptionError, SitesError
from .kets import MAX_TENSORS, Form, ket_of

TASKS = ("amplitude", "dense", "norm", "partial_trace", "local_expectation")
LOCAL = TASKS[3:]


@dataclass(frozen=True, repr=False)
class Hypergraph:
    """A contraction problem without its numbers.

    Attributes
    ----------
    inputs : tuple[tuple[str]]
        The indices of each tensor.
    output : tuple[str]
        The indices that stay.
    size_dict : dict[str, int]
        The size of each index.
    labels : tuple
        Tensors with equal labels hold the same numbers.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import hypergraph
    >>> net = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> hypergraph(net, "norm", form="collapsed")
    Hypergraph(tensors=130, indices=66, hyper_edges=66, outputs=0)
    """

    inputs: tuple
    output: tuple
    size_dict: dict
    labels: tuple = None

    def __post_init__(self):
        if self.labels is None:
            object.__setattr__(self, "labels", tuple(range(len(self.inputs))))

    @property
    def num_tensors(self):
        """Number of tensors."""
        return len(self.inputs)

    @property
    def num_indices(self):
        """Number of indices."""
        return len(self.size_dict)

    @property
    def hyper_edges(self):
        """Number of indices with more than two ends; an output is an end as a tensor is."""
        ends = dict.fromkeys(self.size_dict, 0)
        for inds in (*self.inputs, self.output):
            for ix in inds:
                ends[ix] += 1
        return sum(count > 2 for count in ends.values())

    def __repr__(self):
        return (
            f"Hypergraph(tensors={self.num_tensors}, indices={self.num_indices}, "
            f"hyper_edges={self.hyper_edges}, outputs={len(self.output)})"
        )

    def search(self, optimize="greedy"):
        """Find a contraction tree.

        Parameters
        ----------
        optimize : str or optimizer, optional
            A preset of cotengra or opt_einsum, or an optimizer object of either, or
            `quimb_deepnets.tensors.search.BestOf`.

        Returns
        -------
        cotengra.ContractionTree

        Raises
        ------
        OptionError
            If there is no such optimizer, or it finds approximate contractions.
        BudgetError
            If a size leaves the range of floats.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> from quimb_deepnets.paths import hypergraph
        >>> net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
        >>> hypergraph(net).search("greedy").contraction_width()
        3.0
        """
        check_optimizer(optimize)
        try:
            tree = ctg.array_contract_tree(
                self.inputs, self.output, self.size_dict, optimize=optimize
            )
        except OverflowError as error:
            raise BudgetError(
                "the size of a tensor leaves the range of floats, in which path finders count; "
                "use mode='hyper' and nodes='hyper', whose tensors are small."
            ) from error
        if isinstance(tree, ctg.ContractionTreeCompressed):
            raise OptionError(
                f"optimize={optimize!r} plans an approximate contraction, whose cost depends on a "
                "bond dimension; use an exact one, such as 'greedy' or 'auto'."
            )
        return tree


def check_optimizer(optimize):
    """Return an optimizer if it is one.

    Raises
    ------
    OptionError
        If there is no preset of that name, or it is no optimizer.
    """
    if isinstance(optimize, str):
        try:
            preset_to_optimizer(optimize)
        except KeyError as error:
            raise OptionError(
                f"optimize={optimize!r} is no preset of cotengra or opt_einsum; use 'greedy', "
                "'auto', 'optimal', or an optimizer object."
            ) from error
    elif not (hasattr(optimize, "search") or callable(optimize)) or isinstance(optimize, type):
        raise OptionError(
            f"optimize={optimize!r} is no optimizer; give the name of a preset such as 'greedy', "
            "or an optimizer object of cotengra or opt_einsum."
        )
    return optimize


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
    if not isinstance(name, str) or name not in TASKS or (name in LOCAL) != (where is not None):
        raise OptionError(
            f"task={task!r} is not known; use 'amplitude', 'dense', 'norm', ('partial_trace', "
            "where) or ('local_expectation', where)."
        )
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
        If an option is not known, or the state cannot be written so.
    SitesError
        If a site is not there.
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
    if name == "amplitude":
        return _fixed(ket)
    if name == "dense":
        legs = tuple(ket.legs.values())
        return _without_wires(ket.inputs, legs, ket.size_dict, ket.wires, ket.labels)
    sites = [] if where is None else _named_sites(tuple(ket.legs), where)
    inputs, sizes, bra_legs = _sandwich(ket, sites)
    wires = {*ket.wires, *(len(ket.inputs) + i for i in ket.wires)}
    open_legs = (*(ket.legs[s] for s in sites), *(bra_legs[s] for s in sites))
    labels = [*(("ket", x) for x in ket.labels), *(("bra", x) for x in ket.labels)]
    if name == "local_expectation":
        inputs, labels, open_legs = [*inputs, open_legs], [*labels, name], ()
    return _without_wires(inputs, open_legs, sizes, wires, labels)


def _fixed(ket):
    """Every site fixed: no legs, nothing behind a delta, no deltas."""
    gone = {*ket.legs.values(), *ket.deltas.values()}
    inputs, labels = [], []
    for i, (inds, label) in enumerate(zip(ket.inputs, ket.labels)):
        if i not in ket.deltas:
            inputs.append(tuple(ix for ix in inds if ix not in gone))
            # a tensor with a fixed leg: other numbers for each site
            labels.append((label, *((k, ix) for k, ix in enumerate(inds) if ix in gone)))
    sizes = {ix: d for ix, d in ket.size_dict.items() if ix not in gone}
    return Hypergraph(tuple(inputs), (), sizes, tuple(labels))


def _sandwich(ket, sites):
    """Ket and bra, joined through all sites but some: inputs, sizes, legs of the bra there."""
    mark = "*"
    while any(ix + mark in ket.size_dict for ix in ket.size_dict):
        mark += "*"
    shared = set(ket.legs.values())
    bra_legs = {site: ket.legs[site] + mark for site in sites}
    names = {ix: ix if ix in shared else ix + mark for ix in ket.size_dict}
    names.update((ket.legs[site], new) for site, new in bra_legs.items())
    bra = [tuple(map(names.get, inds)) for inds in ket.inputs]
    sizes = {**ket.size_dict, **{names[ix]: d for ix, d in ket.size_dict.items()}}
    return [*ket.inputs, *bra], sizes, bra_legs


def _named_sites(sites, where):
    """The sites of a subsystem; a bare site is a site."""
    try:
        if where in sites and not isinstance(where, bool):
            return [where]
    except (TypeError, ValueError):  # an array compares entry by entry
        pass
    if isinstance(where, numbers.Integral):
        raise SitesError(
            f"where={where!r} is no site; the state has {list(sites[:3])} ... {sites[-1:]}; name "
            "one site or a sequence of sites."
        )
    return [sites[i] for i in read_where(sites, where)]


def _without_wires(inputs, output, sizes, wires, labels):
    """Leave out identities that only give a site a leg, their two ends joined to one index.

    They stay where both ends are outputs.
    """
    root = {}

    def find(ix):
        while root.setdefault(ix, ix) != ix:
            ix = root[ix]
        return ix

    groups, names, gone = {}, {}, set()
    for i in wires:
        a, b = map(find, inputs[i])
        root[b] = a
    for i in wires:
        groups.setdefault(find(inputs[i][0]), []).append(i)
    kept = set(output)
    for tids in groups.values():
        inds = {ix for i in tids for ix in inputs[i]}
        outputs = sorted(inds & kept)
        if len(outputs) > 1:
            continue
        names.update(dict.fromkeys(inds, outputs[0] if outputs else min(inds)))
        gone.update(tids)
    joined = tuple(
        tuple(names.get(ix, ix) for ix in inds) for i, inds in enumerate(inputs) if i not in gone
    )
    sizes = {names.get(ix, ix): d for ix, d in sizes.items()}
    left = tuple(label for i, label in enumerate(labels) if i not in gone)
    return Hypergraph(joined, tuple(output), sizes, left)
