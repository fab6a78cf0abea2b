"""Window tables: each distinct branch, evaluated once for every code of its window.

A code is the number that the sites of a window spell, in their order there. The table of a kind
has a row of channels for each code; it is the product of the rows of its parts::

    window   s0 s1 s2 s3 s4     code = ((s0 * M + s1) * M + ...) + s4     M**5 rows
    parts    s0 s1 s2           W[0] @ row of the child, at places (0, 1, 2)
                s1 s2 s3        W[1] @ ...
                   s2 s3 s4     W[2] @ ...
"""

import numpy as np
from autoray import do

from ..geometry.branches import branches_of, folded_branches
from ..geometry.plan import grouped
from .configs import identity
from .scaled import Scaled, array_like, by_channel, float_info, rescale, scaled, take


def child_codes(width, places, phys_dim):
    """For each code of a window, the code of the child whose sites stand at ``places``.

    Returns
    -------
    numpy.ndarray of int, shape (phys_dim**width,)
    """
    codes = np.arange(phys_dim**width)
    child = np.zeros_like(codes)
    for place in places:
        child = child * phys_dim + codes // phys_dim ** (width - 1 - place) % phys_dim
    return child


def branch_tables(net, top):
    """The tables of all kinds of layer ``top``.

    Returns
    -------
    dict[tuple[int], Scaled]
        For each kind, shapes ``(phys_dim**width, r)`` and ``(phys_dim**width,)``.
    """
    g = net.geometry
    tables = {(0,) * g.ndim: scaled(identity(g.phys_dim, net._like))}
    for l in range(1, top + 1):
        tables = _level_tables(net, l, branches_of(g, l), tables)
    return tables


def folded_tables(net):
    """The tables of all kinds of the folded last layer, one exponent for each entry."""
    g = net.geometry
    tables = _level_tables(net, g.depth, folded_branches(g), branch_tables(net, g.depth - 1))
    return {kind: by_channel(table) for kind, table in tables.items()}


def grouped_tables(net, sizes):
    """The tables of runs of neighbours of the folded last layer, multiplied together."""
    below = folded_tables(net)
    branches = grouped(folded_branches(net.geometry), sizes)
    if set(sizes) == {1}:
        return below
    return {
        kind: _table(branches, kind, net, below, lambda part, child: child)
        for kind in branches.kinds
    }


def _level_tables(net, l, branches, below):
    """The tables of one layer from those of the layer below."""
    w = scaled(net.weights[l - 1], axes=2)

    def factor(part, child):
        taps, positions = zip(*part.label)
        where = taps if None in positions else (*positions, *taps)
        matrix, exponent = w.mantissa[where], w.exponent[where]
        if child is None:  # what lies outside is a vector of ones
            return Scaled(do("sum", matrix, axis=-1)[None], exponent[None])
        return Scaled(child.mantissa @ do("swapaxes", matrix, -1, -2), child.exponent + exponent)

    return {kind: _table(branches, kind, net, below, factor) for kind in branches.kinds}


def _table(branches, kind, net, below, factor):
    """The product of the parts of a kind, for every code of its window."""
    phys_dim, width = net.phys_dim, branches.width(kind)
    out = None
    for count, part in enumerate(branches.parts(kind), 1):
        z = factor(part, below.get(part.child))
        codes = child_codes(width, part.places, phys_dim)
        z = take(z, array_like(codes, z.mantissa))
        out = z if out is None else Scaled(out.mantissa * z.mantissa, out.exponent + z.exponent)
        if count % safe_factors(out.mantissa) == 0:
            out = _rescaled(out)
    if out is None:  # no tap reads it: the factor is one
        return scaled(do("ones_like", net.readout)[None])
    return _rescaled(out)


def _rescaled(x):
    return rescale(x, axes=len(x.mantissa.shape) - len(x.exponent.shape))


def safe_factors(like):
    """How many factors of the size of a matrix product can be multiplied before a rescale."""
    bits = 12 + int(like.shape[-1]).bit_length()
    return max(1, float_info(like).maxexp // (4 * bits))
