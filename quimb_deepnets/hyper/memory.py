"""Memory that a contraction needs, asked for before it is taken.

::

    indices of all tensors --few configurations?--> any path is small
                 |
                 '--path--> tree --all that it holds at once--> path, or BudgetError
"""

import contextlib
import math

import cotengra as ctg
from autoray import infer_backend
from quimb.tensor.contraction import array_contract_path

from ..errors import BudgetError, DeepNetError
from ..numerics.sizes import readable_count
from .free_memory import free_memory

SMALL = 24  # bits: a network of so few configurations of its indices has no large intermediates
REMEDY = (
    "give a better optimize=, such as 'auto-hq', collapse() or fix sites first, or contract in "
    "slices with contract_sliced."
)


def free_bytes(arrays):
    """The memory that this process may still take.

    For arrays on a device it has no bound: torch itself says what does not fit there.
    """
    torch = (x.device.type for x in arrays if infer_backend(x) == "torch")
    return free_memory() if set(torch) <= {"cpu"} else math.inf


def within_memory(tensors, output_inds, optimize):
    """The path of a contraction, once it is known to fit the memory that is free.

    Parameters
    ----------
    tensors : sequence of quimb.tensor.Tensor
    output_inds : sequence of str
    optimize : str, optimizer, tree, path or None

    Returns
    -------
    str, optimizer, tree, path or None
        What was given where no path can be too large; else the tree that was given, or a path.

    Raises
    ------
    BudgetError
        If the result, or all that the contraction holds at once, does not fit.
    """
    sizes = {ix: d for t in tensors for ix, d in zip(t.inds, t.shape)}
    if sum(map(math.log2, sizes.values())) <= SMALL:
        return optimize
    itemsize = max(getattr(t.data, "itemsize", 8) for t in tensors)
    entries = math.prod(sizes[ix] for ix in output_inds)
    if entries * itemsize > (have := free_bytes(t.data for t in tensors)):
        raise BudgetError(
            f"the result of this contraction has {readable_count(entries)} entries and needs "
            f"{readable_count(entries * itemsize)} bytes, more than the {have} that are free "
            "here; keep fewer indices open."
        )
    inputs, output = [t.inds for t in tensors], tuple(output_inds)
    if not isinstance(optimize, ctg.ContractionTree):
        optimize = array_contract_path(inputs, output, size_dict=sizes, optimize=optimize)
        tree = ctg.ContractionTree.from_path(inputs, output, sizes, path=optimize)
    else:
        tree = optimize
    need = itemsize * _held(tree)
    if need > have:
        raise BudgetError(
            f"the contraction holds up to {readable_count(need)} bytes at once, more than the "
            f"{have} that are free here; {REMEDY}"
        )
    return optimize


def _held(tree):
    """Numbers that a contraction holds at once, at most, with copies of permuted operands."""
    copies = max((tree.get_size(a) + tree.get_size(b) for _, a, b in tree.traverse()), default=0)
    return tree.peak_size() + copies


@contextlib.contextmanager
def memory_errors_named():
    """Say what to do where a contraction asks for more memory than there is.

    Raises
    ------
    BudgetError
        Instead of the error of the array library.
    """
    try:
        yield
    except DeepNetError:
        raise
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        raise BudgetError(
            f"the contraction needs more memory than there is: {str(error).splitlines()[0]}; "
            f"{REMEDY}"
        ) from error
