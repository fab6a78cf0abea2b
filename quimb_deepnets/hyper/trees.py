"""One tree for one problem: optimizers that remember are started anew, trees are checked.

::

    optimizer --started anew--> search --> tree --.
                                                  +--is it of this problem?--> ContractionTree
    a tree found before --------------------------'

Many optimizers keep the best path that they ever found, and return it for whatever they are asked
next: the path of a small problem has few flops, so that of a large one never replaces it.
"""

import collections
import copy
import math
import reprlib
import warnings
from typing import Any

import cotengra as ctg
from cotengra.interface import preset_to_optimizer
from cotengra.reusable import ReusableOptimizer

from ..errors import BudgetError, DeepNetError, OptionError
from .exhaustive import check_search

_WORDS = (str, list, tuple)
_NOTHING = {"flops": math.inf, "size": math.inf}
_TRIALS = "method_choices param_choices scores times costs_flops costs_write costs_size".split()
# what optimizers remember of a problem, and how they began, by the names of their classes
_MEMORY: dict[str, dict[str, Any]] = {
    "HyperOptimizer": {
        "best": {"score": math.inf, **_NOTHING},
        "best_score": math.inf,
        "trials_since_best": 0,
        "_futures": [],
        **{name: [] for name in _TRIALS},
    },
    "RandomGreedyOptimizer": {"best_ssa_path": None, "best_flops": math.inf, "tree": None},
    "AutoOptimizer": {"_hyperoptimizers_by_thread": {}},
    # of opt_einsum, which need not be there
    "RandomOptimizer": {
        "best": _NOTHING,
        "costs": [],
        "sizes": [],
        "_futures": [],
        "_managing_executor": False,  # the copy does not shut down what it shares
    },
    "BranchBound": {"best": _NOTHING, "best_progress": collections.defaultdict(lambda: math.inf)},
}


def anew(optimize):
    """An optimizer that knows of no problem yet; the one that is given is left as it is.

    Strings, paths, trees, functions and `cotengra.ReusableOptimizer` (which tells problems apart)
    are returned as they are; so is an object that cannot be copied.

    Parameters
    ----------
    optimize : str, optimizer, tree or path

    Returns
    -------
    str, optimizer, tree or path

    Examples
    --------
    >>> import cotengra as ctg
    >>> from quimb_deepnets.hyper.trees import anew
    >>> optimizer = ctg.RandomGreedyOptimizer(max_repeats=4, seed=0, parallel=False)
    >>> tree = optimizer.search([("a", "b"), ("b", "c"), ("c", "a")], (), dict.fromkeys("abc", 2))
    >>> optimizer.best_flops < anew(optimizer).best_flops
    True
    """
    if optimize is None or isinstance(optimize, (*_WORDS, ctg.ContractionTree, ReusableOptimizer)):
        return optimize
    try:
        new = copy.copy(optimize)
    except Exception:  # whatever an object of somebody else raises
        return optimize
    if new is optimize:
        return new
    own = getattr(new, "__dict__", {})
    for kind in type(new).__mro__:
        if kind.__module__.startswith(("cotengra", "opt_einsum")):
            memory = _MEMORY.get(kind.__name__, {})
            own.update((name, copy.copy(value)) for name, value in memory.items())
    own.pop("_first_call_args", None)  # of opt_einsum, which refuses any other
    shared = {id(x): x for x in own.values() if hasattr(x, "submit")}  # pools cannot be copied
    try:
        return copy.deepcopy(new, shared | {id(optimize): new})
    except Exception:
        return new


def check_preset(optimize, words=()):
    """Return the name of an optimizer, if there is one of that name.

    Parameters
    ----------
    optimize : str
    words : sequence of str, optional
        Names beside those of cotengra and opt_einsum.

    Raises
    ------
    OptionError
    """
    try:
        if optimize not in words:
            preset_to_optimizer(optimize)
    except KeyError as error:
        known = ", ".join(map(repr, ("greedy", "auto-hq", "hyper", "optimal", *words)))
        raise OptionError(
            f"optimize={optimize!r} is not a preset of cotengra or opt_einsum; use {known}, or an "
            "optimizer object."
        ) from error
    return optimize


def tree_of(inputs, output, size_dict, optimize):
    """The tree of a problem by an optimizer, a path, or the tree that is given, once checked.

    Parameters
    ----------
    inputs : sequence of sequence of str
        The indices of each tensor.
    output : sequence of str
    size_dict : dict[str, int]
    optimize : str, optimizer, tree or path

    Returns
    -------
    cotengra.ContractionTree

    Raises
    ------
    OptionError
        If the optimizer fails, or the tree is not complete, or that of another problem.
    BudgetError
        If a size leaves the range of floats, or the search would not end, see `check_search`.
    """
    if isinstance(optimize, ctg.ContractionTree):
        return check_tree(optimize, inputs, output, size_dict, "is")
    name = reprlib.repr(optimize) if isinstance(optimize, _WORDS) else type(optimize).__name__
    check_search(inputs, output, size_dict, optimize)
    try:
        with warnings.catch_warnings():  # cotengra would complete it somehow
            warnings.filterwarnings("error", "Path was not complete")
            tree = ctg.array_contract_tree(inputs, output, size_dict, optimize=anew(optimize))
    except OverflowError as error:
        raise BudgetError(
            "the size of a tensor leaves the range of floats, in which path finders count; "
            "use mode='hyper' and nodes='hyper', whose tensors are small."
        ) from error
    except DeepNetError:
        raise
    except Exception as error:  # whatever somebody's path finder raises
        raise OptionError(
            f"optimize={name} found no path: {type(error).__name__}: {error}; use another, such "
            "as 'greedy'."
        ) from error
    return check_tree(tree, inputs, output, size_dict, f"{name} returned")


def check_tree(tree, inputs, output, size_dict, what="is"):
    """Return a tree if it is complete and that of a problem, whatever its indices are called.

    Raises
    ------
    OptionError
    """
    if not isinstance(tree, ctg.ContractionTree):
        raise OptionError(
            f"optimize= {what} a {type(tree).__name__} where a tree was expected; use an "
            "optimizer of cotengra or opt_einsum, such as 'greedy'."
        )
    if not is_tree_of(tree, inputs, output, size_dict):
        raise OptionError(
            f"optimize= {what} a tree of another problem, of {tree.N} tensors, and this one has "
            f"{len(inputs)}, or other indices, outputs or sizes; give a tree of this problem "
            "(contract_sliced finds expectation values from ('partial_trace', where)), a path "
            "(tree.get_path()), or an optimizer that does not return what it found before."
        )
    if not tree.is_complete():
        raise OptionError(f"optimize= {what} a tree that is not complete; give one that is.")
    return tree


def is_tree_of(tree, inputs, output, size_dict):
    """Whether a tree has these tensors in this order, these outputs and these sizes."""
    if len(tree.inputs) != len(inputs) or len(tree.output) != len(output):
        return False
    names = {}
    for mine, theirs in zip((*inputs, output), (*tree.inputs, tree.output)):
        if len(mine) != len(theirs):
            return False
        if any(names.setdefault(ix, other) != other for ix, other in zip(mine, theirs)):
            return False
    if len(set(names.values())) < len(names):
        return False
    return all(size_dict[ix] == tree.size_dict.get(other) for ix, other in names.items())
