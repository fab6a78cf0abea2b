"""`path_report`: one or several states, one or several optimizers, one table.

::

    state --hypergraph--> problem --search, here or on an executor--> tree --slice--> a row
"""

import functools
import math
import time
from typing import Any, NamedTuple

from quimb.tensor import TensorNetwork

from ..errors import MethodError, OptionError, StructureError, WeightError
from ..jobs import Job, as_pool, in_order
from ..jobs.progress import progress
from ..tensors import RecursiveNetwork
from ..tensors.weights_from_tensors import architecture_of
from ..theory import rank_bound
from .across import CUT, Across, eigenvalue_flops
from .handmade import branch_path
from .hypergraph import Hypergraph
from .kets import MAX_TENSORS, Form, ket_of
from .optimizers import check_optimizer, is_path, overhead, times
from .report import PathReport
from .rivals import halves, rank_across
from .sharing import shared_flops
from .tasks import problem_of, read_task


def path_report(
    state,
    task="amplitude",
    form="expanded",
    mode="hyper",
    nodes=None,
    optimize=None,
    progbar=False,
    shared=False,
    max_tensors=MAX_TENSORS,
    target_size=None,
    executor=None,
):
    """The cost of contracting a state by several optimizers; no array is made.

    Parameters
    ----------
    state : ConvAC, RAC, RBM, their tensor networks, any quimb vector, Hypergraph, or a dict of them
        Networks are written as ``form`` says, from their geometry. A quimb vector (MPS, tree,
        MERA, PEPS) is taken as it stands; so is an expanded state that was changed. A `Hypergraph`
        is a problem already, and does not take a task or form. A dict of states, by name, makes one
        table of all, see `rivals`.
    task : str or (str, where), optional
        ``"amplitude"``: every site fixed, so no deltas are left. ``"dense"``: all entries.
        ``"norm"``: ket and bra joined through the sites. ``("partial_trace", where)``: the same
        with some sites open. ``("local_expectation", where)``: with an operator on them. ``where``
        is a site, or a sequence of sites. ``("schmidt_values", where)``: those between some sites
        and the others, an int being the first so many, from the density matrix of the smaller side
        and its eigenvalues; or, with ``"cut"``, from the two halves of the state.
    form : {"expanded", "collapsed"}, optional
        Every re-use a branch of its own, or each branch contracted over its window.
    mode : {"hyper", "copy", "tree", "mps"}, optional
        How the leaves of a site are joined, see `dup`. Only ``"hyper"`` lets go of them when the
        site is fixed; the COPY tensors of the others stay.
    nodes : {"hyper", "dense"}, optional
        Whether a node is a hyper-index or one tensor; by default as the tensor network has it,
        ``"hyper"`` for a network.
    optimize : str, optimizer, tree or path, or a sequence or dict of them, optional
        Presets, or optimizer objects, of cotengra and opt_einsum; ``"branches"`` and ``"sweep"``
        for paths made by hand, and ``"quick"``, the best of them and of quick searches; trees and
        paths of this problem. A dict gives them names. ``"cut"``, for Schmidt values, is the
        method of that name of `entropy`, across the smallest cut. By default ``"greedy"``, with
        ``"branches"`` for expanded amplitudes, with ``"sweep"`` and ``"quick"`` for collapsed
        states, with ``"cut"`` for Schmidt values. ``"auto"`` searches the longer the more a
        contraction costs (for thousands of tensors give ``"greedy"`` alone), and draws at random,
        as ``"hyper"`` does.
    progbar : bool, optional
        Show a progress bar over the searches.
    shared : bool, optional
        Count also what each path costs when equal steps are done once, see `shared_flops`. With
        ``"branches"`` that is the forward pass of the network.
    max_tensors : int, optional
        Refuse larger networks, before they are written out.
    target_size : int, optional
        Slice each tree until no intermediate has more elements.
    executor : optional
        Search on other processes or machines, see `quimb_deepnets.jobs.as_pool`.

    Returns
    -------
    PathReport

    Raises
    ------
    OptionError
        If an option is not known, the state has no such form, or an optimizer does not find a path.
    SitesError
        If a site does not exist.
    BudgetError
        If there would be too many tensors, or no slicing reaches ``target_size``.
    WorkerError
        If the executor died.

    Notes
    -----
    Flops are scalar multiplications, quimb's ``contraction_cost``. Those that make the tables of a
    collapsed state (`collapse`) are not among them; those of eigenvalues and of QR and singular
    value decompositions, for Schmidt values, are.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> report = qdn.path_report(net, "amplitude", optimize="greedy")
    >>> report.best["tensors"], report.best["log2_width"]
    (605, 4.0)
    """
    name, where = read_task(task)
    where = list(where) if hasattr(where, "__next__") else where
    written = Form(form, mode, nodes, max_tensors).check()
    optimizers, executor = _read_optimizers(optimize), as_pool(executor)
    searches = []
    for title, one in _named_states(state).items():
        graph, about, across = _problem(one, title, name, where, written)
        chosen = optimizers or _default(graph, form, across)
        searches += [Search(graph, about, word, found, across) for word, found in chosen]
    for search in searches:
        search.check(target_size)
    job = Job(_searched, (searches, shared, target_size))
    found = in_order(job, range(len(searches)), executor)
    rows, trees = zip(*progress(found, progbar, total=len(searches)))
    kind = None if isinstance(state, dict) else type(state).__name__
    if isinstance(state, Hypergraph):
        return PathReport(rows, {"state": kind}, trees)
    problem = {"state": kind, "task": name, "where": None if where is None else repr(where)}
    problem |= {"form": form, "mode": mode, "nodes": nodes or getattr(state, "nodes", None)}
    return PathReport(rows, problem, trees)


class Search(NamedTuple):
    """One row to be: a problem, what the row says beforehand, and what finds the rest.

    ``across`` is set where Schmidt values are asked for, see `Across`.
    """

    graph: Hypergraph
    about: dict
    name: str
    optimize: Any
    across: Across | None

    @property
    def is_cut(self):
        """Whether the two halves of the state are contracted, and not the problem."""
        return isinstance(self.optimize, str) and self.optimize == CUT

    def check(self, target_size):
        """Refuse a cut where there is none, or its slices."""
        if self.is_cut and self.across is None:
            raise OptionError(
                "optimize='cut' is the way to Schmidt values that contracts the two halves of a "
                "state; use it for task=('schmidt_values', where), or another, such as 'greedy'."
            )
        if self.is_cut and target_size is not None:
            raise OptionError(
                "optimize='cut' is not sliced; leave target_size out, or use another optimizer."
            )


def _named_states(state):
    """The states of a comparison by their names; a single one has None."""
    if not isinstance(state, dict):
        return {None: state}
    named = {str(title): one for title, one in state.items()}
    if not named or len(named) < len(state):
        raise OptionError(
            f"state= has the names {list(state)}; give at least one state, and names that read "
            "differently."
        )
    return named


def _problem(state, title, name, where, form):
    """The hypergraph of a state, what its rows say beforehand, and the cut that it is about.

    ``title`` is the name of the state in a comparison.
    """
    about = {} if title is None else {"state": title}
    across = None
    if isinstance(state, Hypergraph):
        graph = state if title is not None else _problem_as_it_is(state, name, form)
    else:
        ket = ket_of(state, form if title is None else _own_form(state, form))
        graph = problem_of(ket, name, where)
        across = Across.of(ket, where) if name == "schmidt_values" else None
        about |= {} if title is None else sizes_of(state, ket)
    about |= {"tensors": graph.num_tensors, "indices": graph.num_indices}
    return graph, about | {"hyper_edges": graph.hyper_edges}, across


def _problem_as_it_is(graph, task, form):
    """A problem that is given, and cannot be asked for in another form."""
    if task != "amplitude" or form != Form(max_tensors=form.max_tensors):
        raise OptionError(
            f"task={task!r}, form={form.form!r}, mode={form.mode!r}, nodes={form.nodes!r}: a "
            "Hypergraph is a problem already; leave them out."
        )
    return graph


def _read_optimizers(optimize):
    """Optimizers by name, each checked; empty for the default."""
    if optimize is None:
        return []
    optimize = optimize.tolist() if hasattr(optimize, "tolist") else optimize
    if isinstance(optimize, dict):
        named = [(str(name), one) for name, one in optimize.items()]
    else:
        several = isinstance(optimize, (list, tuple)) and not (optimize and is_path(optimize))
        named = [(_name_of(one), one) for one in (optimize if several else (optimize,))]
    if not named:
        raise OptionError(
            f"optimize={optimize!r} does not name an optimizer; give one, such as 'greedy'."
        )
    if isinstance(optimize, dict) and len(dict(named)) < len(named):
        raise OptionError(f"optimize= has names that read alike, {list(optimize)}; change one.")
    cut = lambda one: isinstance(one, str) and one == CUT
    return [(name, one if cut(one) else check_optimizer(one)) for name, one in named]


def _name_of(optimize):
    """What a row calls an optimizer."""
    if isinstance(optimize, str):
        return optimize
    return "path" if isinstance(optimize, (list, tuple)) else type(optimize).__name__


def _default(graph, form, across):
    """The optimizers that suit a problem and take seconds at most."""
    words: tuple[str, ...]
    if form == "collapsed" and graph.site_of:
        words = ("greedy", "sweep", "quick")
    else:
        words = ("greedy",) if branch_path(graph) is None else ("greedy", "branches")
    words += () if across is None else (CUT,)
    return [(word, word) for word in words]


@functools.singledispatch
def _own_form(state, form):
    """In a table of several states the form is for networks; all others stand as they are."""
    if architecture_of(state) is None:
        return Form(max_tensors=form.max_tensors)
    return form


@_own_form.register
def _own_form_of_tensors(state: TensorNetwork, form):
    return Form(max_tensors=form.max_tensors)


@_own_form.register
def _own_form_of_expanded(state: RecursiveNetwork, form):
    return form


def sizes_of(state, ket):
    """The number of parameters of a state, and log2 of the rank it can have across its middle."""
    geometry = _geometry(state)
    if geometry is not None:
        params = sum(map(math.prod, geometry.param_shapes.values()))
    elif hasattr(state, "num_params") and not isinstance(state, TensorNetwork):
        params = state.num_params
    else:
        params = sum(math.prod(map(ket.size_dict.get, inds)) for inds in ket.inputs)
    if len(ket.legs) < 2:
        return {"params": params, "cut_bits": 0.0}
    places = halves(tuple(ket.legs))[0]
    try:
        rank = rank_bound(geometry, list(places))
    except MethodError:  # no rule for what it is
        rank = rank_across(ket, places)
    return {"params": params, "cut_bits": math.log2(rank)}


def _geometry(state):
    """The geometry of a deep network, or of its expanded form as long as that is unchanged."""
    try:
        return architecture_of(state)
    except (StructureError, WeightError):
        return None


def _searched(data, k):
    """What one optimizer finds: a row and its tree; for a `Job` of many searches."""
    searches, shared, target_size = data
    search = searches[k]
    start, row = time.perf_counter(), {**search.about, "optimize": search.name}
    if search.is_cut:
        row |= search.across.row()
        return row | {"seconds": time.perf_counter() - start, "slices": 1}, None
    tree = search.graph.search(search.optimize, target_size)
    seconds = time.perf_counter() - start
    more = 0 if search.across is None else eigenvalue_flops(search.graph)
    row |= {
        "log2_width": float(tree.contraction_width()),
        "log10_flops": _log10_flops(tree, more),
        "log10_write": math.log10(max(1, tree.total_write())),
        "log2_peak": float(tree.peak_size(log=2)),
        "seconds": seconds,
        "slices": int(tree.multiplicity),
    }
    if target_size is not None:
        row["overhead"] = overhead(tree)
    if shared:
        once = shared_flops(search.graph, tree)
        row["shared_log10_flops"] = math.log10(max(1, once + more))
        row["reuse"] = times(tree.contraction_cost(), once)
    return row, tree


def _log10_flops(tree, more):
    """log10 of the multiplications of a tree, and of what follows."""
    found = float(tree.contraction_cost(log=10))
    return math.log10(int(tree.contraction_cost()) + more) if more else found
