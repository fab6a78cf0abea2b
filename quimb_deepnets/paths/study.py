"""`path_report`: one or several states, one or several optimizers, one table.

::

    state --hypergraph--> problem --search, here or on an executor--> tree --slice--> a row
"""

import math
import time

from quimb.tensor import TensorNetwork, TensorNetworkGenVector
from tqdm import tqdm

from ..errors import OptionError
from ..geometry import ConvGeometry, RecurrentGeometry
from ..networks import RBM
from ..streams import Job, in_order
from ..tensors import RecursiveNetwork
from ..theory import cut_rank, rank_bound
from .handmade import branch_path
from .hypergraph import Hypergraph, check_optimizer
from .kets import MAX_TENSORS, Form, ket_of
from .report import PathReport
from .rivals import Rival
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
    """What it costs to contract a state, by several optimizers; no array is made.

    Parameters
    ----------
    state : ConvAC, RAC, RBM, their tensor networks, any quimb vector, Hypergraph, or a dict of them
        Networks are written as ``form`` says, from their geometry. A quimb vector (MPS, tree,
        MERA, PEPS) is taken as it stands; so is an expanded state that was changed. A `Hypergraph`
        is a problem already, and takes no task or form. A dict of states, by name, makes one table
        of all, see `rivals`.
    task : str or (str, where), optional
        ``"amplitude"``: every site fixed, so no deltas are left. ``"dense"``: all entries.
        ``"norm"``: ket and bra joined through the sites. ``("partial_trace", where)``: the same
        with some sites open. ``("local_expectation", where)``: with an operator on them. ``where``
        is a site, or a sequence of sites.
    form : {"expanded", "collapsed"}, optional
        Every re-use a branch of its own, or each branch contracted over its window.
    mode : {"hyper", "copy", "tree", "mps"}, optional
        How the leaves of a site are joined, see `dup`. Only ``"hyper"`` lets go of them when the
        site is fixed; the COPY tensors of the others stay.
    nodes : {"hyper", "dense"}, optional
        Whether a node is a hyper-index or one tensor; by default as the tensor network has it,
        ``"hyper"`` for a network.
    optimize : str or optimizer, or a sequence of them, optional
        Presets, or optimizer objects, of cotengra and opt_einsum; ``"branches"`` and ``"sweep"``
        for paths made by hand, and ``"best"`` of them and of several searches. By default
        ``"greedy"``, with ``"branches"`` for expanded amplitudes, with ``"sweep"`` and ``"best"``
        for collapsed states. ``"auto"`` searches the longer the more a contraction costs: for
        thousands of tensors give ``"greedy"`` alone.
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
        Search on other processes or machines, see `quimb_deepnets.streams.as_pool`.

    Returns
    -------
    PathReport

    Raises
    ------
    OptionError
        If an option is not known, or the state cannot be written so.
    SitesError
        If a site is not there.
    BudgetError
        If there would be too many tensors, an optimizer finds no path within its own budget, or
        no slicing reaches ``target_size``.
    WorkerError
        If the executor died.

    Notes
    -----
    Flops are scalar multiplications, quimb's ``contraction_cost``.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> report = qdn.path_report(net, "amplitude", optimize="greedy")
    >>> report.best["tensors"], report.best["log2_width"]
    (605, 4.0)
    """
    name, where = read_task(task)
    asked = Form(form, mode, nodes, max_tensors).check()
    optimizers = _read_optimizers(optimize)
    if isinstance(state, dict) and not state:
        raise OptionError("state={} names no state; give at least one.")
    searches = []
    for title, one in state.items() if isinstance(state, dict) else [(None, state)]:
        graph, about = _problem(one, title, task, asked)
        chosen = optimizers or _default(graph, form)
        searches += [(graph, about, optimizer) for optimizer in chosen]
    job = Job(_search_row, (searches, shared, target_size))
    found = in_order(job, range(len(searches)), executor)
    rows = list(tqdm(found, total=len(searches), disable=not progbar))
    kind = None if isinstance(state, dict) else type(state).__name__
    if isinstance(state, Hypergraph):
        return PathReport(rows, {"state": kind})
    problem = {"state": kind, "task": name, "where": None if where is None else repr(where)}
    problem |= {"form": form, "mode": mode, "nodes": nodes or getattr(state, "nodes", None)}
    return PathReport(rows, problem)


def _problem(state, title, task, asked):
    """The hypergraph of a state, and what its rows say beforehand; ``title`` in a comparison."""
    about = {} if title is None else {"state": str(title)}
    if isinstance(state, Hypergraph):
        graph = _problem_as_it_is(state, task, asked)
    else:
        ket = ket_of(state, asked if title is None else _own_form(state, asked))
        graph = problem_of(ket, *read_task(task))
        about |= {} if title is None else sizes_of(state, ket)
    about |= {"tensors": graph.num_tensors, "indices": graph.num_indices}
    return graph, about | {"hyper_edges": graph.hyper_edges}


def _problem_as_it_is(graph, task, asked):
    """A problem that is there already, and cannot be asked for in another form."""
    if task != "amplitude" or asked != Form(max_tensors=asked.max_tensors):
        raise OptionError(
            f"task={task!r}, form={asked.form!r}, mode={asked.mode!r}, nodes={asked.nodes!r}: a "
            "Hypergraph is a problem already; leave them out."
        )
    return graph


def _read_optimizers(optimize):
    """A list of optimizers, each checked; empty for the default."""
    if optimize is None:
        return []
    listed = optimize if isinstance(optimize, (list, tuple)) else (optimize,)
    if not listed:
        raise OptionError("optimize=() names no optimizer; give one, such as 'greedy'.")
    return [check_optimizer(one) for one in listed]


def _default(graph, form):
    """The optimizers that suit a problem and take seconds at most."""
    if form == "collapsed" and graph.site_of:
        return ["greedy", "sweep", "best"]
    return ["greedy", "branches"] if branch_path(graph) is not None else ["greedy"]


def _own_form(state, asked):
    """In a table of several states the form is for networks; quimb's own stand as they are."""
    own = isinstance(state, (TensorNetworkGenVector, RBM, Rival))
    own = own and not isinstance(state, RecursiveNetwork)
    return Form(max_tensors=asked.max_tensors) if own else asked


def sizes_of(state, ket):
    """The number of parameters of a state, and log2 of the rank it can have across its middle."""
    if isinstance(state, TensorNetwork) and not isinstance(state, RecursiveNetwork):
        params = sum(t.size for t in state)
    elif hasattr(state, "num_params"):
        params = state.num_params
    else:
        params = sum(math.prod(shape) for shape in state.param_shapes.values())
    geometry = getattr(state, "geometry", state)
    half = len(ket.legs) // 2
    if half == 0:
        return {"params": params, "cut_bits": 0.0}
    if isinstance(geometry, (ConvGeometry, RecurrentGeometry)):
        rank = rank_bound(geometry, range(half))
    else:
        legs = list(ket.legs.values())
        rank = cut_rank(ket.inputs, ket.size_dict, legs[:half], legs[half:])
    return {"params": params, "cut_bits": math.log2(rank)}


def _search_row(data, k):
    """What one optimizer finds: a row; a `Job` of many searches."""
    searches, shared, target_size = data
    graph, about, optimize = searches[k]
    start = time.perf_counter()
    tree = graph.search(optimize, target_size)
    seconds = time.perf_counter() - start
    row = {
        **about,
        "optimize": optimize if isinstance(optimize, str) else type(optimize).__name__,
        "log2_width": float(tree.contraction_width()),
        "log10_flops": float(tree.contraction_cost(log=10)),
        "log10_write": math.log10(max(1, tree.total_write())),
        "log2_peak": float(tree.peak_size(log=2)),
        "seconds": seconds,
        "slices": int(tree.multiplicity),
    }
    if shared:
        once = shared_flops(graph, tree)
        row["shared_log10_flops"] = math.log10(max(1, once))
        row["reuse"] = tree.contraction_cost() / max(1, once)
    return row
