"""The two halves of a network without squares, by QR decompositions along a contraction.

What happens inside a half matters only through the cut. While it is contracted the sites that are
done are one leg, p, and this leg is kept as short as the others together are long, because an
isometry on it changes no Schmidt value. A site that other tensors still read is a basis of its own:
each of its values has an isometry of its own::

    T (sites, p, v)  +  next tensor  -->  (sites, p * done, v)  --QR-->  (sites, at most v, v)

At the end ``psi = sum_c L[p; c] R[q; c]`` is a matrix no larger than the cut, and its singular
values are right to the precision of the dtype, relative to the largest.
"""

import math
from typing import Any, NamedTuple

import cotengra as ctg
import numpy as np
from autoray import do, get_dtype_name, infer_backend

from ...conversion.exact_mps import qr
from ...hyper import HyperTensorNetwork
from ...hyper.search import BestOf, line_path, sweep_order
from ...numerics.scaled import Scaled, array_like
from ..registry import SOON
from ..spectra import spectrum_of_matrix
from ..views import Cost, as_flops
from .grams import einsum


CALL = 2000  # flops that take as long as the call of one small QR decomposition


class Node(NamedTuple):
    """A contracted part of a half, an array ``(*sites, p, *legs)``."""

    sites: tuple
    p: int
    legs: tuple


class Step(NamedTuple):
    """One contraction: of which nodes, as which einsum, and to which shape before and after QR."""

    parts: tuple
    eq: str
    shape: tuple
    node: Node
    cost: Cost


class FactorPlan(NamedTuple):
    """The halves of a network by QR decompositions: what they cost, and what they give.

    Attributes
    ----------
    tn : HyperTensorNetwork
    pair : tuple[Half, Half]
    """

    tn: HyperTensorNetwork
    pair: tuple

    def cost(self):
        """What both contractions and the singular values take."""
        one, two = (steps_of(self.tn, half) for half in self.pair)
        size = lambda inds: math.prod(map(self.tn.ind_size, inds))
        rows, columns = (
            size(half.shared) * steps[-1].node.p for half, steps in zip(self.pair, (one, two))
        )
        small, large = sorted((rows, columns))
        made = [step.cost for step in (*one, *two)]
        cut = size((*self.pair[0].shared, *self.pair[0].open))
        work = as_flops(20 * small * small * large + cut * one[-1].node.p * two[-1].node.p)
        itemsize = max(t.data.itemsize for t in self.tn)
        room = max(*(cost.bytes for cost in made), 3 * rows * columns * itemsize)
        return Cost(room, work + sum(cost.flops for cost in made))

    def spectrum(self):
        """The Schmidt values."""
        first, second = self.pair
        x, y = (self._factor(half) for half in self.pair)
        sites = {*first.shared, *second.shared}
        names = {ix: ctg.get_symbol(2 + n) for n, ix in enumerate((*first.shared, *first.open))}
        word = lambda inds: "".join(map(names.get, inds))
        eq = (
            f"{word(first.shared)}a{word(first.open)},{word(second.shared)}b{word(second.open)}->"
            f"{word(first.shared)}a{word(second.shared)}b"
        )
        assert len(sites) == len(first.shared) + len(second.shared)
        psi = einsum(eq, x, y)
        rows = math.prod(x.shape[: len(first.shared) + 1])
        return spectrum_of_matrix(psi.reshape(rows, -1), len(self.tn.tensor_map), tail=True)

    def _factor(self, half):
        """A half up to an isometry on its sites, ``(*shared, p, *open)``, of any scale."""
        arrays: list[Any] = [self.tn.tensor_map[tid].data for tid in half.tids]
        like = arrays[0] if arrays else next(iter(self.tn)).data
        for (ix,) in half.legs(self.tn)[len(arrays) :]:
            arrays.append(array_like(np.ones(self.tn.ind_size(ix), get_dtype_name(like)), like))
        steps = steps_of(self.tn, half)
        for step in steps:
            parts = [arrays[i] for i in step.parts]
            x = einsum(step.eq, *parts) if len(parts) == 2 else do("einsum", step.eq, *parts)
            for i in step.parts:
                arrays[i] = None
            arrays.append(compressed(x.reshape(step.shape), step.node, self.tn))
        sites, _, legs = steps[-1].node
        order = [sites.index(ix) for ix in half.shared]
        order += [len(sites), *(len(sites) + 1 + legs.index(ix) for ix in half.open)]
        return do("transpose", arrays[-1], order)


def compressed(x, node, tn):
    """An array ``(sites, p, legs)`` as one of the shape of its node, up to isometries on p."""
    if x.shape[1] > node.p:
        numpy = infer_backend(x) == "numpy"
        x = np.linalg.qr(x, mode="r") if numpy else qr(x)[1]
    x, _ = Scaled.of(x)
    sizes = (tuple(map(tn.ind_size, inds)) for inds in (node.sites, node.legs))
    sites, legs = sizes
    return x.reshape(*sites, node.p, *legs)


def steps_of(tn, half):
    """The cheapest contraction of a half that was found, as a list of `Step`."""
    price = lambda steps: sum(step.cost.flops for step in steps)
    found = min((steps_along(tn, half, path) for path in _paths(tn, half)), key=price)
    if price(found) < SOON:
        return found
    inputs, cut = half.legs(tn), (*half.shared, *half.open)
    sizes = {ix: tn.ind_size(ix) for inds in inputs for ix in inds}
    path = BestOf(math.inf).search(inputs, cut, sizes).get_ssa_path()
    return min(found, steps_along(tn, half, path), key=price)


def _paths(tn, half):
    """Ways to contract a half: lines that start far from the cut, and a greedy one."""
    inputs = half.legs(tn)
    if len(inputs) < 2:
        return [[]]
    cut = (*half.shared, *half.open)
    line = sweep_order(inputs)
    place = {i: n for n, i in enumerate(line)}
    depth = _distances(inputs, cut)
    layers = sorted(line, key=lambda i: (-depth[i], place[i]))
    sizes = {ix: tn.ind_size(ix) for inds in inputs for ix in inds}
    tree = ctg.array_contract_tree(inputs, cut, sizes, optimize="greedy")
    return [tree.get_ssa_path(), *(line_path(order) for order in (layers, line, line[::-1]))]


def _distances(inputs, cut):
    """How many tensors lie between each tensor and the cut; an index of many tensors is no way."""
    holders = {}
    for i, inds in enumerate(inputs):
        for ix in inds:
            holders.setdefault(ix, []).append(i)
    short = {ix: held for ix, held in holders.items() if len(held) <= max(2, len(inputs) // 3)}
    front = {i for ix in cut for i in short.get(ix, ())}
    depth, step = dict.fromkeys(front, 0), 0
    while front:
        step += 1
        front = {j for i in front for ix in inputs[i] for j in short.get(ix, ()) if j not in depth}
        depth |= dict.fromkeys(front, step)
    return [depth.get(i, step) for i in range(len(inputs))]


def steps_along(tn, half, path):
    """The steps of contracting a half along a path in single-assignment form."""
    nodes = [Node((), 1, inds) for inds in half.legs(tn)]
    held = {}
    for node in nodes:
        for ix in node.legs:
            held[ix] = held.get(ix, 0) + 1
    count, steps = len(nodes), []
    for parts in ((i,) for i in range(count)):
        steps.append(_step(tn, half, parts, nodes, held))
    for i, j in path:
        steps.append(_step(tn, half, (count + i, count + j), nodes, held))
    return steps


def _step(tn, half, parts, nodes, held):
    """Contract one node (of a single tensor) or two, and say as what."""
    first = len(parts) == 1
    taken = [nodes[i] for i in parts]
    union = list(dict.fromkeys(ix for node in taken for ix in (*node.sites, *node.legs)))
    for node in taken:
        for ix in (*node.sites, *node.legs):
            held[ix] -= 1
    mine, cut = {*half.own, *half.shared}, {*half.shared, *half.open}
    kept = [ix for ix in union if held[ix] or ix in cut]
    done = [ix for ix in union if not held[ix] and ix in half.own]
    sites, legs = (tuple(ix for ix in kept if (ix in mine) == own) for own in (True, False))
    for ix in kept:
        held[ix] += 1
    names = {ix: ctg.get_symbol(2 + n) for n, ix in enumerate(union)}
    word = lambda inds: "".join(map(names.get, inds))
    left = [
        word(node.sites) + ("" if first else "ab"[n]) + word(node.legs)
        for n, node in enumerate(taken)
    ]
    eq = f"{','.join(left)}->{word(sites)}{'' if first else 'ab'}{word(done)}{word(legs)}"
    size = lambda inds: math.prod(map(tn.ind_size, inds))
    before = math.prod(node.p for node in taken) * size(done)
    v, batch = size(legs), size(sites)
    node = Node(sites, min(before, v), legs)
    flops = math.prod(node.p for node in taken) * size(union)
    flops += batch * (4 * before * v * v + CALL) if before > v else 0
    itemsize = max(t.data.itemsize for t in tn)
    room = sum(size((*n.sites, *n.legs)) * n.p for n in taken) + 3 * batch * before * v
    nodes.append(node)
    return Step(parts, eq, (batch, before, v), node, Cost(room * itemsize, as_flops(flops)))
