"""Sharing: a contraction in which equal branches are contracted once.

Two steps of a path are equal when they join equal tensors along the same legs. Each distinct one
is counted, and done, once::

    W1,0--x3  W1,0--x3        labels of the tensors: (weight, spin of the site)
       \\        \\
        y5       y9           two steps, one value: the second is free

Branch by branch (`branch_tree`) that is the forward pass of the network.
"""

import math
from collections import Counter
from typing import NamedTuple

import cotengra as ctg
from autoray import do

from ..errors import OptionError
from ..numerics.scaled import Scaled


class Leaf(NamedTuple):
    """A distinct tensor: the first that holds it, its indices, those that are kept, their sizes.

    Indices are places in ``sizes``; one that occurs twice means the diagonal, one that is not
    kept is summed over beforehand.
    """

    tensor: int
    inds: tuple
    kept: tuple
    sizes: tuple


class Step(NamedTuple):
    """A distinct product of two values, by number; indices are places in ``sizes``."""

    left: int
    right: int
    left_inds: tuple
    right_inds: tuple
    output: tuple
    sizes: tuple


class SharedPlan(NamedTuple):
    """Each value once: ``values[n]`` is a `Leaf` or a `Step`; the last step is the result.

    ``result`` is its number, and ``axes`` brings its legs into the order of the output.
    """

    values: list
    result: int
    axes: tuple

    @property
    def flops(self):
        """Scalar multiplications of one slice."""
        return sum(math.prod(value.sizes) for value in self.values if isinstance(value, Step))

    @property
    def peak(self):
        """Numbers held at once, the tensors of the graph included."""
        sizes, last = [], self.last_uses()
        held = most = 0
        for n, value in enumerate(self.values):
            if isinstance(value, Leaf):
                sizes.append(math.prod(value.sizes[k] for k in value.inds))
            else:
                sizes.append(math.prod(value.sizes[k] for k in value.output))
            held += sizes[n]
            most = max(most, held)
            held -= sum(sizes[m] for m in last.get(n, ()))
        return most

    def last_uses(self):
        """For each step the values that nothing needs after it."""
        last = {}
        for n, value in enumerate(self.values):
            if isinstance(value, Step):
                last[value.left] = last[value.right] = n
        freed = {}
        for m, n in last.items():
            freed.setdefault(n, []).append(m)
        return freed


def shared_plan(graph, tree):
    """The distinct steps of a tree, those of one slice of it.

    Parameters
    ----------
    graph : Hypergraph
    tree : cotengra.ContractionTree
        A tree of this graph.

    Returns
    -------
    SharedPlan

    Raises
    ------
    OptionError
        If the problem does not say which tensors are equal.
    """
    if graph.labels is None:
        raise OptionError(
            "shared=True needs to know which tensors are equal, and this problem has no labels; "
            "leave it out, or make the problem from a network (to_json keeps the labels)."
        )
    ends = Counter(ix for inds in (*graph.inputs, graph.output) for ix in set(inds))
    names = graph.names_in(tree)
    sliced = {names[ix] for ix in tree.sliced_inds}
    known, values = {}, []
    found: list = []

    def _number(key, value):
        if key not in known:
            known[key] = len(values)
            values.append(value)
        return known[key]

    for i, (inds, label) in enumerate(zip(graph.inputs, graph.labels)):
        left = tuple(ix for ix in inds if ix not in sliced)
        distinct = tuple(dict.fromkeys(left))
        kept = tuple(ix for ix in distinct if ends[ix] > 1)
        cut = tuple((k, ix) for k, ix in enumerate(inds) if ix in sliced)
        place = {ix: k for k, ix in enumerate(distinct)}
        legs, rest = (tuple(map(place.get, some)) for some in (left, kept))
        leaf = Leaf(i, legs, rest, tuple(graph.size_dict[ix] for ix in distinct))
        found.append((_number((label, cut, *leaf[1:]), leaf), kept))
    for i, j in tree.get_ssa_path():
        left, right = sorted((found[i], found[j]), key=lambda entry: entry[0])
        union = tuple(dict.fromkeys((*left[1], *right[1])))
        ends.subtract(ix for ix in union if ix in left[1] and ix in right[1])
        kept = tuple(ix for ix in union if ends[ix] > 1)
        place = {ix: k for k, ix in enumerate(union)}
        a, b, c = (tuple(map(place.get, inds)) for inds in (left[1], right[1], kept))
        step = Step(left[0], right[0], a, b, c, tuple(graph.size_dict[ix] for ix in union))
        found[i] = found[j] = None
        found.append((_number(step, step), kept))
    result, kept = found[-1]
    axes = tuple(kept.index(ix) for ix in graph.output if ix not in sliced)
    return SharedPlan(values, result, axes)


def shared_flops(graph, tree):
    """Scalar multiplications along a tree when equal steps are done once.

    Parameters
    ----------
    graph : Hypergraph
    tree : cotengra.ContractionTree
        A tree of this graph.

    Returns
    -------
    int
        All slices together.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths import branch_tree, hypergraph, shared_flops
    >>> net = qdn.ConvAC.rand(8, 3, 3, 4, boundary="periodic", seed=0)
    >>> graph = hypergraph(net)
    >>> tree = branch_tree(graph)
    >>> tree.contraction_cost(), shared_flops(graph, tree)
    (2400, 992)
    """
    return shared_plan(graph, tree).flops * int(tree.multiplicity)


def contract_shared(plan, arrays):
    """Contract with each distinct step done once.

    Parameters
    ----------
    plan : SharedPlan
    arrays : sequence of array
        One for each tensor of the graph, sliced as the tree is.

    Returns
    -------
    array
        With entries up to 1, axes as the output of the graph.
    int
        The power of two that was taken out.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.paths import Hypergraph, contract_shared, shared_plan
    >>> twice = Hypergraph((("a",), ("a",)), (), {"a": 2}, ("x", "x"))
    >>> plan = shared_plan(twice, twice.tree([(0, 1)]))
    >>> x, power = contract_shared(plan, [np.array([0.5, 0.5])] * 2)
    >>> float(x * 2.0**power)
    0.5
    """
    *_, held = held_values(plan, arrays)
    x, scale = held[plan.result]
    return (do("transpose", x, plan.axes) if len(plan.axes) > 1 else x), scale


def held_values(plan, arrays):
    """The values that are held, by number, each an array and a scale, after each of the steps.

    Yields
    ------
    dict
        Always the same one.
    """
    freed, held = plan.last_uses(), {}
    for n, value in enumerate(plan.values):
        if isinstance(value, Leaf):
            x, scale = arrays[value.tensor], 0
            if value.inds != value.kept:
                x = ctg.array_contract((x,), (value.inds,), value.kept)
        else:
            x, scale = _multiplied(value, held)
        x, shift = Scaled.of(x, "a tensor")
        held[n] = x, scale + shift
        yield held
        for used in freed.get(n, ()):
            del held[used]


def _multiplied(step, held):
    """The product of two values that are there, and the sum of their scales."""
    (x, a), (y, b) = held[step.left], held[step.right]
    x = ctg.array_contract((x, y), (step.left_inds, step.right_inds), step.output)
    return x, a + b
