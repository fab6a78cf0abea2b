"""Window tables: each distinct branch, evaluated once for every code of its window.

A code is the number that the sites of a window spell, in their order there. The table of a kind
has a row of channels for each code; it is the product of the rows of its parts::

    window   s0 s1 s2 s3 s4     code = ((s0 * M + s1) * M + ...) + s4     M**5 rows
    parts    s0 s1 s2           W[0] @ row of the child, at places (0, 1, 2)
                s1 s2 s3        W[1] @ ...
                   s2 s3 s4     W[2] @ ...
"""

import functools

import numpy as np
from autoray import do

from ..geometry.branches import branches_of, folded_branches
from ..numerics.configs import identity
from ..numerics.products import multiply_out, settled, shared_axes, times, times_ones, transposed
from ..numerics.scaled import (
    Scaled,
    array_like,
    float_info,
    readable,
    scaled,
    take,
    zeros_like_exponent,
)
from ..numerics.torch_modes import full_precision
from .plan import grouped


def child_codes(width, places, phys_dim):
    """For each code of a window, the code of the child whose sites stand at ``places``.

    Returns
    -------
    numpy.ndarray of int, shape (phys_dim**width,)
    """
    small = phys_dim**width <= 2**12
    return (_remembered_codes if small else _child_codes)(width, places, phys_dim)


def _child_codes(width, places, phys_dim):
    codes = np.arange(phys_dim**width)
    child = np.zeros_like(codes)
    for place in places:
        child = child * phys_dim + codes // phys_dim ** (width - 1 - place) % phys_dim
    return child


_remembered_codes = functools.lru_cache(1024)(_child_codes)


@full_precision
def branch_tables(net, top, weights=None):
    """The tables of all kinds of layer ``top``; ``weights`` replace those of the network.

    Returns
    -------
    dict[tuple[int], Scaled]
        For each kind, shapes ``(phys_dim**width, r)`` and ``(phys_dim**width,)``, or the same
        twice where one exponent for all channels would not do.
    """
    if not top:
        return {(0,) * net.geometry.ndim: scaled(identity(net.phys_dim, net._like))}
    weights = net.weights if weights is None else weights
    below = branch_tables(net, top - 1, weights) if top > 1 else {}
    tables = _level_tables(net, top, branches_of(net.geometry, top), below, weights[top - 1])
    return {kind: settled(table) for kind, table in tables.items()}


@full_precision
def folded_tables(net, weights=None):
    """The tables of all kinds of the folded last layer, one exponent for each entry."""
    g, weights = net.geometry, net.weights if weights is None else weights
    below = branch_tables(net, g.depth - 1, weights) if g.depth > 1 else {}
    tables = _level_tables(net, g.depth, folded_branches(g), below, weights[-1])
    return {kind: table.by_channel() for kind, table in tables.items()}


@full_precision
def grouped_tables(net, sizes, weights=None):
    """The tables of runs of neighbours of the folded last layer, multiplied together."""
    weights = net.weights if weights is None else weights
    below = folded_tables(net, weights)
    branches = grouped(folded_branches(net.geometry), sizes)
    if set(sizes) == {1}:
        return below
    every = safe_factors(weights[-1])
    return {
        kind: _table(branches, kind, net, lambda part: below[part.child], every)
        for kind in branches.kinds
    }


def _level_tables(net, l, branches, below, weights):
    """The tables of one layer from those of the layer below; the sites need none."""
    w = scaled(weights, axes=2, factors=net.geometry.num_tensors())

    def _factor(part):
        taps, positions = zip(*part.label)
        where = taps if None in positions else (*positions, *taps)
        matrix = Scaled(*(x[where] for x in w))
        if part.child is None:  # what lies outside is a vector of ones
            return Scaled(*(x[None] for x in times_ones(matrix)))
        matrix = transposed(matrix, fast=False)
        if l > 1:
            return times(below[part.child], matrix)
        # the table of a site is the identity
        if not shared_axes(matrix):
            return matrix
        return Scaled(matrix.mantissa, zeros_like_exponent(matrix.mantissa[:, 0]) + matrix.exponent)

    every = safe_factors(weights)
    return {kind: _table(branches, kind, net, _factor, every) for kind in branches.kinds}


def _table(branches, kind, net, factor, every):
    """The product of the parts of a kind, for every code of its window."""
    phys_dim, width = net.phys_dim, branches.width(kind)

    def _factors():
        for part in branches.parts(kind):
            z = factor(part)
            codes = child_codes(width, part.places, phys_dim)
            yield take(z, array_like(codes, z.mantissa))

    out = multiply_out(_factors, every)
    # where no tap reads it, the factor is one
    return scaled(do("ones_like", net.readout)[None]) if out is None else out


def safe_factors(like):
    """How many factors of the size of a matrix product can be multiplied before a rescale."""
    if not readable(like):
        return 1  # nobody can look whether it was safe
    bits = 12 + int(like.shape[-1]).bit_length()
    return max(1, float_info(like).maxexp // (4 * bits))
