"""A contraction as a sum of slices, in chunks, on one core, on many, on many machines.

::

    Hypergraph --search--> tree --slice--> slices 0, 1, 2, ...
                                                |   in chunks, on any executor
    Numbers ------------------------------------+--> Sum
                                                |
                              checkpoint: the path, the chunks, the sum so far
"""

import json
import math
from typing import Any, NamedTuple

import numpy as np
from autoray import get_dtype_name, to_numpy
from cotengra import ContractionTree

from ..errors import BudgetError, OptionError, check_positive_int
from ..jobs import Job, Sum, add_up, checkpoint_key
from ..numerics.scaled import binary
from ..numerics.sizes import readable_bytes
from .optimizers import overhead
from .sharing import SharedPlan, contract_shared, shared_plan

# what a chunk of slices may take, and how many there are at least in what takes longer
CHUNK_SECONDS, MIN_CHUNKS = 0.5, 32
FLOPS_PER_SECOND, SECONDS_PER_STEP = 1e9, 3e-5
MAX_SLICES, MAX_AXES = 2**40, 64


def add_slices(
    graph, numbers, request, *, optimize, executor, checkpoint, progbar, max_bytes, info
):
    """The contraction of a problem, slice by slice.

    Parameters
    ----------
    graph : Hypergraph
    numbers : Numbers
        Of its ``squeezed()`` form.
    request : dict
        What is asked for, as JSON, with ``target_size`` and ``shared`` in it: the start of the
        checkpoint key, so a checkpoint must have been written for the same.
    optimize, executor, checkpoint, progbar, max_bytes, info
        See `contract_sliced`.

    Returns
    -------
    Sum
        Its shape is that of the outputs.
    """
    if checkpoint is not None:
        request = request | {"problem": graph.to_equation(), "numbers": numbers.digest()}
    if len(graph.output) > MAX_AXES:
        raise BudgetError(
            f"the result has {len(graph.output)} axes, and arrays have {MAX_AXES} at most; ask for "
            "fewer sites."
        )
    tree, length = _planned(graph, optimize, checkpoint, request)
    plan = shared_plan(graph.squeezed(), tree) if request["shared"] else None
    _check_bytes(tree, plan, numbers, max_bytes)
    slices = int(tree.multiplicity)
    chunks = -(-slices // length)
    complex_ = any("complex" in get_dtype_name(x) for x in numbers.arrays)
    shape = tuple(graph.size_dict[ix] for ix in graph.output)
    found = add_up(
        Job(slice_chunk, Slices(tree, plan, numbers.arrays, length)),
        chunks,
        np.zeros(shape, "complex128" if complex_ else "float64"),
        executor=executor,
        checkpoint=checkpoint,
        key=None if checkpoint is None else _checkpoint_key(request, tree, length),
        progbar=progbar,
    )
    flops = tree.contraction_cost() if plan is None else plan.flops * slices
    width = float(tree.contraction_width())
    info.update(slices=slices, chunks=chunks, flops=int(flops), log2_width=width)
    info["overhead"] = overhead(tree)
    return found


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
    start = k * length
    total: Any = None
    for i in range(start, min(start + length, int(tree.multiplicity))):
        if plan is not None:
            x, scale = contract_shared(plan, tree.slice_arrays(arrays, i))
        else:
            x, exponent = tree.contract_slice(arrays, i, strip_exponent=True, check_zero=True)
            bits = binary(float(exponent))
            scale = math.floor(bits)
            x = x * 2.0 ** (bits - scale)
        x = to_numpy(x)
        x = Sum(np.asarray(x, "complex128" if x.dtype.kind == "c" else "float64"), scale)
        total = x if total is None else total + x
    return total._replace(done=1)


def _planned(graph, optimize, checkpoint, request):
    """A sliced tree, and how many slices make a chunk.

    They are those of the checkpoint, so that its sum can go on, or new ones.
    """
    key = None if checkpoint is None else checkpoint_key(checkpoint)
    squeezed = graph.squeezed().with_symbols()
    if key is not None:
        try:
            old = json.loads(key)
            if all(old[name] == value for name, value in request.items()):
                tree = squeezed.tree(old["path"])
                for ix in old["sliced"]:
                    tree.remove_ind_(ix)
                return tree, int(old["length"])
        except (ValueError, TypeError, LookupError):
            pass  # not a checkpoint of this kind, which the sum refuses
    found = graph.search(optimize, request["target_size"])
    names = graph.names_in(found)
    symbols = {ix: symbol for symbol, ix in graph.squeezed().names_in(squeezed).items()}
    tree = squeezed.tree(found.get_ssa_path())
    for ix in map(names.get, sorted(found.sliced_inds)):
        if ix in symbols:  # indices of size 1 were removed
            tree.remove_ind_(symbols[ix])
    if any(ix in tree.output for ix in tree.sliced_inds):
        raise OptionError(
            "outputs are sliced, and slices that add up are needed here; give target_size= and an "
            "optimizer or tree without slices of its own."
        )
    return tree, _chunk_length(tree)


def _chunk_length(tree):
    """How many slices make a chunk: the same whoever computes them."""
    slices = int(tree.multiplicity)
    if slices > MAX_SLICES:
        raise BudgetError(
            f"there would be 10**{math.log10(slices):.0f} slices, more than {MAX_SLICES}; raise "
            "target_size, or use another optimizer."
        )
    flops = 10 ** min(300, float(tree.contraction_cost(log=10)) - math.log10(slices))
    each = flops / FLOPS_PER_SECOND + tree.N * SECONDS_PER_STEP
    chunks = each * slices / CHUNK_SECONDS
    chunks = max(chunks, MIN_CHUNKS) if each * slices > CHUNK_SECONDS / 4 else 1
    return max(1, math.floor(slices / chunks))


def _checkpoint_key(request, tree, length):
    """What a checkpoint was written for; it is resumed with its own path and chunks."""
    path = [list(map(int, step)) for step in tree.get_ssa_path()]
    plan = {"path": path, "sliced": list(tree.sliced_inds), "length": length}
    return json.dumps(request | plan)


def _check_bytes(tree, plan, numbers, max_bytes):
    """Refuse a slice that would need too much memory."""
    check_positive_int("max_bytes", max_bytes, OptionError)
    itemsize = max(x.itemsize for x in numbers.arrays)
    need = itemsize * int(tree.peak_size() if plan is None else plan.peak)
    if need > max_bytes:
        raise BudgetError(
            f"a slice holds {readable_bytes(need)} at once, more than max_bytes={max_bytes}; give "
            f"target_size= below 2**{tree.contraction_width():.0f}, a better optimize=, or "
            "raise max_bytes."
        )
