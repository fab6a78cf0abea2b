"""Contractions cut into slices that add up: on one core, on many, on many machines.

::

    state, task --> Hypergraph --search--> tree --slice--> slices 0, 1, 2, ...
                        |                                       |   in chunks, on any executor
                    Numbers ------------------------------------+--> Sum --> a number or an array
                                                                |
                                              checkpoint: the path, and the sum so far
"""

import json
import math
from typing import NamedTuple

import numpy as np
from autoray import get_dtype_name, to_numpy
from cotengra import ContractionTree
from quimb.tensor import TensorNetworkGenVector

from ..entanglement.registry import readable_bytes
from ..entanglement.spectra import check_norm
from ..errors import BudgetError, OptionError, RangeError, check_option, check_positive_int
from ..networks import RBM, DeepNetwork
from ..networks.base import MAX_BYTES
from ..networks.scaled import array_like
from ..streams import Job, Sum, add_up, checkpoint_mark
from ..tensors import RecursiveNetwork, collapse, to_tensor_network
from .arrays import numbers_of, read_spins
from .kets import FORMS, Form, ket_of
from .sharing import SharedPlan, contract_shared, shared_plan
from .tasks import problem_of, read_task

CHUNK_FLOPS = 2**26  # a chunk of slices takes about so many multiplications


def contract_sliced(
    state,
    task="norm",
    executor=None,
    target_size=None,
    *,
    form=None,
    optimize="best",
    config=None,
    G=None,
    shared=False,
    strip_exponent=False,
    checkpoint=None,
    progbar=False,
    max_bytes=MAX_BYTES,
    info=None,
):
    """Contract a state slice by slice, here or on other processes and machines.

    Parameters
    ----------
    state : ConvAC, RAC, RBM, their tensor networks, or any quimb vector
    task : str or (str, where), optional
        As in `path_report`: ``"amplitude"`` (with ``config``), ``"dense"``, ``"norm"``,
        ``("partial_trace", where)``, ``("local_expectation", where)`` (with ``G``).
    executor : optional
        A `concurrent.futures` executor, a ``dask.distributed.Client``, an
        ``mpi4py.futures.MPIPoolExecutor``, or what cotengra takes as ``parallel=``; by default all
        slices are done here. What a worker that dies had at work is computed again.
    target_size : int, optional
        Slice until no intermediate has more elements; by default one slice.
    form : {"expanded", "collapsed"}, optional
        By default networks are collapsed, and tensor networks taken as they stand.
    optimize : str or optimizer, optional
        See `path_report`.
    config : str or sequence of int, optional
        The spins of ``"amplitude"``.
    G : array, shape (d**n, d**n), optional
        The operator of ``"local_expectation"``.
    shared : bool, optional
        Do equal steps once, at the cost that ``path_report(shared=True)`` tells; worth it for
        ``form="expanded"``.
    strip_exponent : bool, optional
        Return a mantissa and a decimal exponent, which never leave the range of floats.
    checkpoint : str or path, optional
        An ``.npz`` file that keeps the path and the sum after each chunk, and is gone on from.
    progbar : bool, optional
        Show a progress bar over the chunks.
    max_bytes : int, optional
        Refuse slices that need more at once.
    info : dict, optional
        Is given ``slices``, ``chunks``, ``flops`` and ``log2_width`` of what was contracted.

    Returns
    -------
    scalar or array
        The amplitude; the state, shape (D, 1); the norm (not squared, as quimb's); the density
        matrix, shape (d**n, d**n), of trace 1; the expectation value in the normalised state,
        which comes from the density matrix, so that one contraction gives value and norm. With
        ``strip_exponent`` a pair.

    Raises
    ------
    OptionError, SitesError, ConfigError
        If something asked for is not understood, or does not fit the state.
    BudgetError
        If no slicing reaches ``target_size``, or a slice needs too much memory.
    RangeError
        If the result leaves the range of its dtype.
    WorkerError
        If the executor died; what is done is in the checkpoint.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(12, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    >>> info = {}
    >>> norm = qdn.contract_sliced(net, "norm", target_size=2**9, info=info)
    >>> bool(abs(norm / net.collapse().norm() - 1) < 1e-12), info["slices"] > 1
    (True, True)
    """
    name, where = read_task(task)
    tn = _vector(state, form)
    ket = ket_of(tn, Form())
    _check_extras(name, config, G)
    spins = read_spins(tn, ket, config) if name == "amplitude" else None
    graph = problem_of(ket, "partial_trace" if name == "local_expectation" else name, where)
    operator = None if G is None else _operator(G, graph)
    numbers = numbers_of(tn, ket, graph.squeezed(), spins)
    law = {"task": name, "where": repr(where), "target_size": target_size, "shared": shared}
    if checkpoint is not None:
        law |= {"problem": graph.to_equation(), "numbers": numbers.digest()}
    tree = _planned(graph, optimize, target_size, checkpoint, law)
    plan = shared_plan(graph.squeezed(), tree) if shared else None
    _check_bytes(tree, plan, numbers, max_bytes)
    slices, each = int(tree.multiplicity), tree.contraction_cost() / tree.multiplicity
    length = max(1, min(slices, math.ceil(CHUNK_FLOPS / max(1, each))))
    chunks = -(-slices // length)
    shape = tuple(graph.size_dict[ix] for ix in graph.output)
    found = add_up(
        Job(slice_chunk, Slices(tree, plan, numbers.arrays, length)),
        chunks,
        np.zeros(shape, "complex128" if _is_complex(numbers) else "float64"),
        executor=executor,
        checkpoint=checkpoint,
        mark=None if checkpoint is None else _mark(law, tree),
        progbar=progbar,
    )
    if info is not None:
        flops = tree.contraction_cost() if plan is None else plan.flops * slices
        width = float(tree.contraction_width())
        info.update(slices=slices, chunks=chunks, flops=int(flops), log2_width=width)
    return _result(name, found, numbers, operator, strip_exponent)


class Slices(NamedTuple):
    """What a worker needs: ``length`` slices of a tree make a chunk."""

    tree: ContractionTree
    plan: SharedPlan | None
    arrays: list
    length: int


def slice_chunk(data, k):
    """The sum of one chunk of slices.

    Parameters
    ----------
    data : Slices
    k : int

    Returns
    -------
    Sum
    """
    tree, plan, arrays, length = data
    start, total = k * length, None
    for i in range(start, min(start + length, int(tree.multiplicity))):
        if plan is not None:
            x, scale = contract_shared(plan, tree.slice_arrays(arrays, i))
        else:
            x, exponent = tree.contract_slice(arrays, i, strip_exponent=True, check_zero=True)
            bits = float(exponent) * math.log2(10)
            scale = math.floor(bits)
            x = x * 2.0 ** (bits - scale)
        x = to_numpy(x)
        x = Sum(np.asarray(x, "complex128" if x.dtype.kind == "c" else "float64"), scale)
        total = x if total is None else total + x
    return total._replace(done=1)


def _vector(state, form):
    """The quimb vector that a state is contracted as."""
    if form is not None:
        check_option("form", form, FORMS)
    if isinstance(state, RBM):
        return to_tensor_network(state)
    if isinstance(state, (DeepNetwork, RecursiveNetwork)):
        whole = form == "expanded" or (form is None and isinstance(state, RecursiveNetwork))
        if isinstance(state, DeepNetwork):
            return to_tensor_network(state) if whole else collapse(state)
        return state if whole else state.collapse()
    if not isinstance(state, TensorNetworkGenVector) or form == "collapsed":
        what = "is taken as it stands" if form == "collapsed" else "is no state that is known here"
        raise OptionError(
            f"a {type(state).__name__} {what}; give a ConvAC, RAC or RBM, or a quimb vector such "
            "as an MPS or PEPS (without form)."
        )
    return state


def _check_extras(name, config, G):
    """Refuse a configuration or an operator where none belongs, and their lack."""
    if (config is None) == (name == "amplitude"):
        raise OptionError(
            f"task={name!r} with config={config!r}: a configuration, such as '0110', belongs to "
            "'amplitude' and to no other task."
        )
    if (G is None) == (name == "local_expectation"):
        raise OptionError(
            f"task={name!r} with G={'None' if G is None else 'an operator'}: an operator belongs "
            "to 'local_expectation' and to no other task."
        )


def _operator(G, graph):
    """An operator as a matrix of the right size."""
    G = np.asarray(to_numpy(G))
    size = math.prod(graph.size_dict[ix] for ix in graph.output[: len(graph.output) // 2])
    if G.size != size**2:
        raise OptionError(
            f"G has shape {G.shape}, but the sites have {size} states; give a matrix of shape "
            f"({size}, {size})."
        )
    return G.reshape(size, size)


def _is_complex(numbers):
    return any("complex" in get_dtype_name(x) for x in numbers.arrays)


# ---------------------------------------------------------------- the plan


def _planned(graph, optimize, target_size, checkpoint, law):
    """A sliced tree: the one in the checkpoint, so that its sum can go on, or a new one."""
    mark = None if checkpoint is None else checkpoint_mark(checkpoint)
    squeezed = graph.squeezed().with_symbols()
    if mark is not None:
        try:
            old = json.loads(mark)
            if all(old[key] == value for key, value in law.items()):
                tree = squeezed.tree(old["path"])
                for ix in old["sliced"]:
                    tree.remove_ind_(ix)
                return tree
        except (ValueError, TypeError, LookupError):
            pass  # another file altogether, which the sum refuses
    found = graph.search(optimize, target_size)
    names = graph.names_in(found)
    symbols = {ix: symbol for symbol, ix in graph.squeezed().names_in(squeezed).items()}
    tree = squeezed.tree(found.get_ssa_path())
    for ix in map(names.get, sorted(found.sliced_inds)):
        if ix in symbols:  # what has size 1 is not there
            tree.remove_ind_(symbols[ix])
    if any(ix in tree.output for ix in tree.sliced_inds):
        raise OptionError(
            "the optimizer slices outputs, and slices that add up are needed here; use "
            "target_size= instead of its own slicing."
        )
    return tree


def _mark(law, tree):
    """What a checkpoint was written for; the path in it is gone on with."""
    path = [list(map(int, step)) for step in tree.get_ssa_path()]
    return json.dumps(law | {"path": path, "sliced": list(tree.sliced_inds)})


def _check_bytes(tree, plan, numbers, max_bytes):
    """Refuse a slice that would need too much memory."""
    check_positive_int("max_bytes", max_bytes, OptionError)
    itemsize = max(x.itemsize for x in numbers.arrays)
    peak = float(tree.peak_size()) if plan is None else plan.peak
    need = round(peak * itemsize)
    if need > max_bytes:
        raise BudgetError(
            f"a slice holds {readable_bytes(need)} at once, more than max_bytes={max_bytes}; give "
            f"target_size= below {2 ** int(tree.contraction_width())}, a better optimize=, or "
            "raise max_bytes."
        )


# ---------------------------------------------------------------- the result


def _result(name, found, numbers, operator, strip_exponent):
    """What the task asks for, where and of the dtype that the numbers are."""
    like = numbers.arrays[0]
    give = lambda x: array_like(np.asarray(x, _dtype(x, like))[()], like)
    value = found.value
    if name in ("partial_trace", "local_expectation"):
        size = math.isqrt(value.size)
        rho = value.reshape(size, size)
        trace = np.trace(rho).real
        check_norm(float(trace))
        rho = rho / trace
        x = rho if operator is None else np.trace(operator @ rho)
        return (give(x), 0.0) if strip_exponent else give(x)
    factor = numbers.factor if complex(numbers.factor).imag else complex(numbers.factor).real
    value, scale = value * factor, found.scale + numbers.scale
    if name == "dense":
        value = value.reshape(-1, 1)
    if name == "norm":
        value, scale = np.sqrt(np.abs(value)), scale / 2
    top = float(np.abs(value).max())
    if top:
        shift = math.frexp(top)[1]
        value, scale = value * 2.0**-shift, scale + shift
    if strip_exponent:
        return give(value), (scale * math.log10(2) if top else 0.0)
    return give(_in_range(value, scale, np.finfo(_dtype(value, like))))


def _in_range(value, scale, limits):
    """``2**scale * value`` for entries up to 1, or an error that says where it is instead."""
    if value.any() and not limits.minexp < scale <= limits.maxexp:
        raise RangeError(
            f"the result is about 10**{scale * math.log10(2):.0f}, outside the range of its dtype; "
            "use strip_exponent=True, which returns a mantissa and an exponent."
        )
    whole = math.floor(scale)
    return np.ldexp(1.0, whole) * 2.0 ** (scale - whole) * value


def _dtype(x, like):
    """The dtype of the state, real where the result is."""
    name = get_dtype_name(like)
    if np.iscomplexobj(x):
        return "complex64" if name in ("float32", "complex64") else "complex128"
    return {"complex64": "float32", "complex128": "float64"}.get(name, name)
