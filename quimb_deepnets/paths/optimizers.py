"""Everything that gives a path: names, presets, optimizer objects, trees and paths.

::

    "greedy", "hyper", ...         cotengra, opt_einsum     --.
    "branches", "sweep", "quick"   made by hand             --+--find_tree--> ContractionTree
    ContractionTree, path          found elsewhere          --'
"""

import math
import numbers
import reprlib

import cotengra as ctg

from ..errors import OptionError
from ..hyper.trees import check_preset, check_tree, tree_of
from .handmade import HANDMADE


def find_tree(graph, optimize):
    """The tree of a problem by an optimizer: ours, somebody's, or the tree or path that is given.

    Raises
    ------
    OptionError
        If it does not apply, fails, or finds approximate contractions.
    BudgetError
        If a size leaves the range of floats.
    """
    problem = graph.inputs, graph.output, graph.size_dict
    if isinstance(optimize, ctg.ContractionTree):
        check_tree(optimize, *problem)
        tree, names = graph.tree(optimize.get_ssa_path()), graph.names_in(optimize)
        for ix in optimize.sliced_inds:
            tree.remove_ind_(names[ix])
        return tree
    if is_path(optimize):
        return graph.tree(optimize)
    if isinstance(optimize, str) and optimize in HANDMADE:
        return HANDMADE[optimize](graph)
    tree = tree_of(*problem, optimize)
    if isinstance(tree, ctg.ContractionTreeCompressed):
        raise OptionError(
            f"optimize={optimize!r} plans an approximate contraction, whose cost depends on a "
            "bond dimension; use an exact one, such as 'greedy' or 'auto'."
        )
    return tree


def overhead(tree):
    """How many times more multiplications the slices of a tree take than the whole."""
    if not tree.sliced_inds:
        return 1.0
    return times(tree.contraction_cost(), tree.unslice_all().contraction_cost())


def times(more, once):
    """How many times a count of any size is another; inf where no float counts it."""
    more, once = max(1, int(more)), max(1, int(once))
    return more / once if more < once << 1000 else math.inf


def is_path(optimize):
    """Whether it is a sequence of pairs of ints."""
    return isinstance(optimize, (list, tuple)) and all(
        isinstance(step, (list, tuple)) and all(isinstance(i, numbers.Integral) for i in step)
        for step in optimize
    )


def ssa_path(path, count):
    """A path in single-assignment form; a linear one ends with (0, 1), where two are left."""
    steps = list(path)
    if count < 3 or not steps or set(steps[-1]) != {0, 1}:
        return steps
    left, found = list(range(count)), []
    for n, step in enumerate(steps):
        if any(not -1 < i < len(left) for i in step):
            return steps  # neither form; the check of the steps will name the wrong one
        found.append(tuple(left[i] for i in step))
        for i in sorted(set(step), reverse=True):
            left.pop(i)
        left.append(count + n)
    return found


def check_optimizer(optimize):
    """Return an optimizer if it is one, or a tree or path.

    Raises
    ------
    OptionError
        If it is neither the name of a preset nor an optimizer.
    """
    if hasattr(optimize, "tolist"):
        optimize = optimize.tolist()
    if isinstance(optimize, str):
        return check_preset(optimize, HANDMADE)
    given = isinstance(optimize, ctg.ContractionTree) or is_path(optimize)
    able = hasattr(optimize, "search") or callable(optimize)
    if not given and (not able or isinstance(optimize, type)):
        raise OptionError(
            f"optimize={reprlib.repr(optimize)} is not an optimizer; give the name of a preset "
            "such as 'greedy', an optimizer object of cotengra or opt_einsum, a tree or a path."
        )
    return optimize
