"""The two halves of a network without squares, by QR decompositions along a contraction.

What happens inside a half matters only through the cut. While it is contracted the sites that are
done are one leg, kept as short as the others together are long, because an isometry on it changes
no Schmidt value. A site that other tensors still read is a basis of its own, and each of its values
has its own isometry, see `steps`::

    L --QR--> (sites of A, p, c)       psi = sum_c L[p; c] R[q; c]
    R --QR--> (sites of B, q, c)       its singular values: right to round-off of the largest
"""

import math
from typing import Any, NamedTuple

import cotengra as ctg
import numpy as np
from autoray import do, infer_backend, stop_gradient

from ...conversion.exact_mps import qr
from ...hyper import HyperTensorNetwork
from ...hyper.ranges import check_left, log2_size
from ...numerics.scaled import Scaled
from ..spectra import spectrum_of_matrix
from ..views import Cost, as_flops
from .grams import einsum
from .steps import HalfNode, HalfProblem, steps_of


class FactorPlan(NamedTuple):
    """The halves of a network by QR decompositions: what they cost, and what they give.

    Attributes
    ----------
    tn : HyperTensorNetwork
        For a plan, anything with its ``tensor_map``, ``ind_map`` and ``ind_size``.
    pair : tuple[Half, Half]
    """

    tn: HyperTensorNetwork
    pair: tuple

    def _made(self):
        """The steps of both halves, and the dimensions of both factors: cut and p, the sides."""
        made = [steps_of(problem_of(self.tn, half)) for half in self.pair]
        size = lambda half: math.prod(map(self.tn.ind_size, half.shared))
        return made, [size(half) * steps[-1].node.p for half, steps in zip(self.pair, made)]

    def written(self):
        """Numbers in the largest array, and in all that are made."""
        made, sides = self._made()
        arrays = [math.prod(sides), *(math.prod(step.shape) for steps in made for step in steps)]
        return max(arrays), sum(arrays)

    def cost(self):
        """What both contractions and the singular values take."""
        made, sides = self._made()
        size = lambda inds: math.prod(map(self.tn.ind_size, inds))
        p, q = (steps[-1].node.p for steps in made)
        small, large = sorted(sides)
        work = 20 * small * small * large + size((*self.pair[0].shared, *self.pair[0].open)) * p * q
        entries = max(3 * small * large, *(step.entries for steps in made for step in steps))
        flops = work + sum(step.flops for steps in made for step in steps)
        return Cost(entries * max(t.data.itemsize for t in self.tn), as_flops(flops))

    def spectrum(self):
        """The Schmidt values, see `spectrum_of_factors`."""
        factors = [factor_of(self.tn, half) for half in self.pair]
        return spectrum_of_factors(factors, self.pair, len(self.tn.tensor_map))


def problem_of(tn, half, carried=()):
    """A half, its tensors after what is contracted already, as a `HalfProblem`."""
    nodes = (*carried, *(HalfNode((), 0, inds) for inds in half.legs(tn, carried)))
    sizes = {ix: tn.ind_size(ix) for node in nodes for ix in (*node.sites, *node.legs)}
    return HalfProblem(nodes, half.own, half.shared, half.open, tuple(sizes.items()))


class HalfFactor(NamedTuple):
    """A half up to an isometry on its sites and a scale, an array of the shape of its node."""

    array: Any
    node: HalfNode

    def ordered(self, half):
        """The array ``(*shared, p, *open)``."""
        sites, _, legs = self.node
        order = [sites.index(ix) for ix in half.shared]
        order += [len(sites), *(len(sites) + 1 + legs.index(ix) for ix in half.open)]
        return do("transpose", self.array, order)


def factor_of(tn, half, before=None):
    """A half by QR decompositions, its tensors joined to the factor that they extend, if any.

    Parameters
    ----------
    tn : HyperTensorNetwork
    half : Half
    before : HalfFactor, optional

    Returns
    -------
    HalfFactor
    """
    carried = () if before is None else (before.node,)
    arrays: list[Any] = [] if before is None else [before.array]
    arrays += [t.data for t in half.tensors(tn, carried)]
    steps = steps_of(problem_of(tn, half, carried))
    for step in steps:
        x = einsum(step.eq, *(arrays[i] for i in step.parts))
        for i in step.parts:
            arrays[i] = None
        arrays.append(_compressed(x.reshape(step.shape), step.node, tn))
    return HalfFactor(arrays[-1], steps[-1].node)


def _compressed(x, node, tn):
    """An array ``(sites, p, legs)`` as that of its node, up to isometries on p and a scale."""
    if x.shape[1] > node.p:
        x = np.linalg.qr(x, mode="r") if infer_backend(x) == "numpy" else qr(x)[1]
    x, _ = Scaled.of(x)
    sites, legs = (tuple(map(tn.ind_size, inds)) for inds in (node.sites, node.legs))
    return x.reshape(*sites, node.p, *legs)


def spectrum_of_factors(factors, pair, tensors):
    """The Schmidt values of a state from its two halves.

    Parameters
    ----------
    factors : sequence of HalfFactor
    pair : tuple[Half, Half]
    tensors : int
        How many tensors there are; each adds its round-off.

    Returns
    -------
    Spectrum

    Raises
    ------
    RangeError
        If the state is what is left when much larger terms cancel.
    """
    first, second = pair
    x, y = (factor.ordered(half) for factor, half in zip(factors, pair))
    names = {ix: ctg.get_symbol(2 + n) for n, ix in enumerate((*first.shared, *first.open))}
    word = lambda inds: "".join(map(names.__getitem__, inds))
    inputs = [f"{word(half.shared)}{p}{word(half.open)}" for half, p in zip(pair, "ab")]
    psi = einsum(f"{','.join(inputs)}->{word(first.shared)}a{word(second.shared)}b", x, y)
    norms = [_norms(z, len(half.shared)) for z, half in zip((x, y), pair)]
    terms = einsum(f"{','.join(inputs)}->".replace("a", "").replace("b", ""), *norms)
    check_left(log2_size(_norms(psi.reshape(-1), 0)) - log2_size(terms), psi)
    rows = math.prod(x.shape[: len(first.shared) + 1])
    return spectrum_of_matrix(psi.reshape(rows, -1), tensors, tail=True)


def _norms(x, axis):
    """The norms of an array along one axis."""
    return do("sum", do("abs", stop_gradient(x)) ** 2, axis=axis) ** 0.5
