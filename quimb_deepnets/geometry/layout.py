"""Where to draw the pieces of an expanded network: layers as rows, space or time as columns.

Positions are plain numbers, the last one a height, one for each layer; the sites come below::

    convolutional: a tree, every copy of a leaf in a column of its own     row
                 READOUT                                                    depth + 0.8
             .------'------.          nodes of the last layer               depth
           .-'-.         .-'-.
           o   o         o   o        nodes of layer 1, read by copies      1
          /|\\ /|\\       /|\\ /|\\       weights                               1/2
              DELTA   DELTA           one per site                         -1

    recurrent: a chain, and below each of its steps a chain of the layer below
         H02 ------.------------.--- READOUT      time runs to the right
             H01---.    H01--.--.

    on a lattice, seen from above: the copies of a branch in cells of the node that they belong to
         .-------.-------.
         | o o   | o o   |      K x K weights of a node side by side, and below each of them the
         | o o   | o o   |      cells of the layer below, K x K times smaller
         '-------'-------'
"""

import itertools
import math
import operator
from collections import defaultdict
from typing import NamedTuple

from .expansion import TOP, expand, leaf_ind


class Layout(NamedTuple):
    """Positions of the tensors, keyed by their legs, of the inner indices and of the sites.

    A position is a column and a height on a chain, a row, a column and a height on a lattice.
    ``tensors[legs]`` is a list: pieces with equal legs take its entries in order.
    """

    tensors: dict
    indices: dict
    sites: dict


class _FreeColumns:
    """Hands out columns from left to right."""

    def __init__(self):
        self.next = 0.0

    def take(self):
        """The next free column."""
        self.next += 1.0
        return self.next - 1.0

    def gap(self):
        """Leave half a column free."""
        self.next += 0.5


def layout(geometry, nodes="hyper"):
    """Place every piece of an expanded network.

    Parameters
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        Anything that `expand` takes; with ``is_recurrent`` it is drawn as a chain.
    nodes : {"hyper", "dense"}, optional

    Returns
    -------
    Layout
    """
    taps = defaultdict(list)
    for piece in expand(geometry):
        if len(piece.inds) == 2:
            taps[piece.inds[0]].append(piece.inds[1])
    indices, matrices = {}, defaultdict(list)
    if geometry.ndim == 1:
        sites = _place_chain_of_sites(geometry, taps, indices, matrices)
    else:
        sites = {site: (*site, -1.0) for site in geometry.sites}
        _place_lattice(geometry, taps, indices, matrices)
    tensors = matrices if nodes == "hyper" else _join_taps(geometry, indices, matrices)
    for ix, position in indices.items():
        tensors[ix,].append(position)
    if getattr(geometry, "is_recurrent", False):
        tensors[TOP,] = [moved(indices[TOP], columns=1)]
    else:
        tensors[TOP,] = [moved(indices[TOP], up=0.8)]
        indices[TOP] = moved(indices[TOP], up=0.4)
    for site, position in sites.items():
        indices[leaf_ind(site)] = moved(position, up=0.4)
    return Layout(dict(tensors), indices, sites)


def moved(position, columns=0.0, up=0.0):
    """A position so many columns to the right, and so much higher."""
    *others, column, height = position
    return (*others, column + columns, height + up)


def middle_of(positions):
    """The mean of some positions."""
    return tuple(sum(c) / len(positions) for c in zip(*positions))


def cells(count, centre, size):
    """So many cells of equal size in one of this centre and size: their centres and their size.

    On a line one after the other, in a plane rows first.
    """
    across = count if len(centre) == 1 else math.ceil(math.sqrt(count))
    steps = [((k + 0.5) / across - 0.5) * size for k in range(across)]
    places = itertools.islice(itertools.product(steps, repeat=len(centre)), count)
    return [tuple(map(operator.add, centre, place)) for place in places], size / across


def _place_chain_of_sites(geometry, taps, indices, matrices):
    """Place all branches of a network on a chain; returns the positions of the sites."""
    place = _place_chain if getattr(geometry, "is_recurrent", False) else _place_tree
    columns = _FreeColumns()
    place(taps, TOP, geometry.depth, columns, indices, matrices)
    step = max(columns.next - 1, 1) / len(geometry.sites)
    return {site: ((n + 0.5) * step - 0.5, -1.0) for n, site in enumerate(geometry.sites)}


def _place_lattice(geometry, taps, indices, matrices):
    """Place all branches of a network on a lattice, each in the cell of its root."""
    nodes = geometry.layer_shape(geometry.depth)
    steps = [length / count for length, count in zip(geometry.shape, nodes)]
    below = iter(taps[TOP])
    for root in geometry.roots:
        centre = tuple((p + 0.5) * step - 0.5 for p, step in zip(root.position, steps))
        branch = TOP, list(itertools.islice(below, len(list(geometry.taps(root)))))
        _place_cell(taps, branch, geometry.depth, centre, 0.9 * min(steps), indices, matrices)
    indices[TOP] = (*((length - 1) / 2 for length in geometry.shape), float(geometry.depth))


def _place_cell(taps, branch, layer, centre, size, indices, matrices):
    """Place a branch of a network on a lattice in a cell of this centre and size."""
    ind, children = branch
    indices[ind] = (*centre, float(layer))
    centres, size = cells(len(children), centre, size)
    for below, place in zip(children, centres):
        matrices[ind, below].append((*place, layer - 0.5))
        if below in taps:
            _place_cell(taps, (below, taps[below]), layer - 1, place, size, indices, matrices)
        elif not below.startswith("_x"):
            indices[below] = (*place, layer - 0.5 - size / 4)


def _place_tree(taps, ind, layer, columns, indices, matrices):
    """Place a branch of a convolutional network; returns the column of its root."""
    xs = []
    for below in taps[ind]:
        inner = below in taps
        if inner:
            x = _place_tree(taps, below, layer - 1, columns, indices, matrices)
        else:
            x = columns.take()
            if not below.startswith("_x"):
                indices[below] = (x, layer - 1 + 0.1)
        xs.append(x)
    columns.gap()
    x = sum(xs) / len(xs)
    indices[ind] = (x, float(layer))
    for below, child in zip(taps[ind], xs):
        matrices[ind, below].append((child, layer - 0.5))
    return x


def _place_chain(taps, ind, layer, columns, indices, matrices):
    """Place a chain of a recurrent network; returns the column of its last step."""
    steps = []
    while ind in taps:
        past, below = taps[ind]
        steps.append((ind, past, below))
        ind = past
    before = columns.take()
    indices[ind] = (before, float(layer))
    for ind, past, below in reversed(steps):
        if below in taps:
            x = _place_chain(taps, below, layer - 1, columns, indices, matrices)
        else:
            x = columns.take()
        indices[ind] = (x, float(layer))
        matrices[ind, past].append(((before + x) / 2, float(layer)))
        matrices[ind, below].append((x, layer - 0.5))
        before = x
    columns.gap()
    return before


def _join_taps(geometry, indices, matrices):
    """Dense nodes sit in the row of their layer, above the middle of what they read."""
    tensors = defaultdict(list)
    for piece in expand(geometry, "dense"):
        ind, *below = piece.inds
        if below and getattr(geometry, "is_recurrent", False):
            tensors[piece.inds].append(indices[ind])
        elif below:
            *middle, _ = middle_of([matrices[ind, b].pop(0) for b in below])
            tensors[piece.inds].append((*middle, float(piece.layer)))
    return tensors
