"""How a half is contracted with QR decompositions on the way, planned in integers.

A node is a contracted part. Its legs are the sites that others still read, one leg p for all sites
that are done, and the rest::

    (sites, p, legs)  +  (sites, q, legs)  --einsum-->  (sites, p * q * done, legs)
                                           --QR------>  (sites, at most legs, legs)
"""

import functools
import math
from typing import NamedTuple

import cotengra as ctg

from ...hyper.search import BestOf, greedy_tree, line_path, sweep_order
from ..registry import SOON

CALL = 2000  # flops that take as long as the call of one small QR decomposition


class HalfNode(NamedTuple):
    """A contracted part of a half, an array ``(*sites, p, *legs)``; a tensor has no p yet, 0."""

    sites: tuple
    p: int
    legs: tuple


class HalfProblem(NamedTuple):
    """The indices of a half.

    Attributes
    ----------
    nodes : tuple[HalfNode]
        The tensors, and what is contracted already.
    own, shared, open : tuple[str]
        See `Half`.
    sizes : tuple[(str, int)]
    """

    nodes: tuple
    own: tuple
    shared: tuple
    open: tuple
    sizes: tuple

    @property
    def inputs(self):
        """The indices of each node, but p."""
        return tuple((*node.sites, *node.legs) for node in self.nodes)

    @property
    def cut(self):
        """The indices of the cut."""
        return (*self.shared, *self.open)


class HalfStep(NamedTuple):
    """One contraction: of which nodes, as which einsum, and to which shape before and after QR.

    Attributes
    ----------
    parts : tuple[int]
        Places of the nodes: first those of single tensors as they are, then of each step.
    eq : str
    shape : tuple[int]
        Sites, p and legs after the einsum.
    node : HalfNode
        What it is after the QR decomposition.
    entries, flops : int
        Numbers held at once, and multiplications.
    """

    parts: tuple
    eq: str
    shape: tuple
    node: HalfNode
    entries: int
    flops: float


@functools.lru_cache(64)
def steps_of(problem):
    """The cheapest contraction of a half that was found.

    Parameters
    ----------
    problem : HalfProblem

    Returns
    -------
    list[HalfStep]
    """
    price = lambda steps: sum(step.flops for step in steps)
    found = min((steps_along(problem, path) for path in _paths(problem)), key=price)
    if price(found) < SOON:
        return found
    path = BestOf(math.inf).search(problem.inputs, problem.cut, dict(problem.sizes)).get_ssa_path()
    return min(found, steps_along(problem, path), key=price)


def _paths(problem):
    """Ways to contract a half: lines, one of which starts far from the cut, and a greedy one."""
    inputs, cut = problem.inputs, problem.cut
    if len(inputs) < 2:
        return [[]]
    line = sweep_order(inputs)
    place = {i: n for n, i in enumerate(line)}
    far = _distances(inputs, cut)
    layers = sorted(line, key=lambda i: (-far[i], place[i]))
    tree = greedy_tree(inputs, cut, dict(problem.sizes))
    return [tree.get_ssa_path(), *(line_path(order) for order in (layers, line, line[::-1]))]


def _distances(inputs, cut):
    """How many tensors lie between each tensor and the cut, along indices of few tensors."""
    holders = {}
    for i, inds in enumerate(inputs):
        for ix in inds:
            holders.setdefault(ix, []).append(i)
    most = max(2, len(inputs) // 3)
    near = {ix: held for ix, held in holders.items() if len(held) <= most}
    front = {i for ix in cut for i in near.get(ix, ())}
    found, step = dict.fromkeys(front, 0), 0
    while front:
        step += 1
        front = {j for i in front for ix in inputs[i] for j in near.get(ix, ()) if j not in found}
        found |= dict.fromkeys(front, step)
    return [found.get(i, step) for i in range(len(inputs))]


def steps_along(problem, path):
    """The steps of a path in single-assignment form; the first prepare each tensor by itself."""
    walk, count = _Walk(problem), len(problem.inputs)
    steps = [walk.step((i,)) for i in range(count)]
    return steps + [walk.step((count + i, count + j)) for i, j in path]


class _Walk:
    """The nodes of a contraction, and how many of them hold each index."""

    def __init__(self, problem):
        self.nodes = list(problem.nodes)
        self.sizes, self.own = dict(problem.sizes), set(problem.own)
        self.mine = {*problem.own, *problem.shared}
        self.held = dict.fromkeys(problem.cut, 1)  # the other half
        for inds in problem.inputs:
            for ix in inds:
                self.held[ix] = self.held.get(ix, 0) + 1

    def size(self, inds):
        """The number of values of some indices."""
        return math.prod([self.sizes[ix] for ix in inds])

    def step(self, parts):
        """Contract one node (of a single tensor) or two."""
        taken = [self.nodes[i] for i in parts]
        union = dict.fromkeys(ix for node in taken for ix in (*node.sites, *node.legs))
        for node in taken:
            for ix in (*node.sites, *node.legs):
                self.held[ix] -= 1
        kept = [ix for ix in union if self.held[ix]]
        done = tuple(ix for ix in union if not self.held[ix] and ix in self.own)
        sites = tuple(ix for ix in kept if ix in self.mine)
        legs = tuple(ix for ix in kept if ix not in self.mine)
        for ix in kept:
            self.held[ix] += 1
        v, batch, p = self.size(legs), self.size(sites), math.prod([n.p or 1 for n in taken])
        before = p * self.size(done)
        flops = p * self.size(union)
        if before > v:
            flops += batch * (4 * before * v * v + CALL)
        entries = (
            sum(self.size((*n.sites, *n.legs)) * (n.p or 1) for n in taken) + 3 * batch * before * v
        )
        node = HalfNode(sites, min(before, v), legs)
        self.nodes.append(node)
        eq = _equation(taken, union, sites, done, legs)
        return HalfStep(parts, eq, (batch, before, v), node, entries, flops)


def _equation(taken, union, sites, done, legs):
    """The einsum of one node or of two."""
    names = {ix: ctg.get_symbol(2 + n) for n, ix in enumerate(union)}
    word = lambda inds: "".join([names[ix] for ix in inds])
    ps = [letter if node.p else "" for letter, node in zip("ab", taken)]
    left = ",".join(f"{word(node.sites)}{p}{word(node.legs)}" for node, p in zip(taken, ps))
    return f"{left}->{word(sites)}{''.join(ps)}{word(done)}{word(legs)}"
