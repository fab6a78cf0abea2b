"""Where to draw the pieces of an expanded network: layers as rows, space or time as columns.

Positions are plain numbers, one row per layer; the sites come below::

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
"""

from collections import defaultdict
from typing import NamedTuple

from .expansion import TOP, expand, leaf_ind


class Layout(NamedTuple):
    """Positions of the tensors, keyed by their legs, of the inner indices and of the sites.

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
    place = _place_chain if getattr(geometry, "is_recurrent", False) else _place_tree
    indices, matrices = {}, defaultdict(list)
    columns = _FreeColumns()
    place(taps, TOP, geometry.depth, columns, indices, matrices)
    tensors = matrices if nodes == "hyper" else _join_taps(geometry, indices, matrices)
    for ix, (x, y) in indices.items():
        tensors[ix,].append((x, y))
    x, y = indices[TOP]
    if getattr(geometry, "is_recurrent", False):
        tensors[TOP,] = [(x + 1, y)]
    else:
        indices[TOP], tensors[TOP,] = (x, y + 0.4), [(x, y + 0.8)]
    step = max(columns.next - 1, 1) / len(geometry.sites)
    sites = {s: ((n + 0.5) * step - 0.5, -1.0) for n, s in enumerate(geometry.sites)}
    for site, (x, y) in sites.items():
        indices[leaf_ind(site)] = (x, y + 0.4)
    return Layout(dict(tensors), indices, sites)


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
        column = (x + child) / 2 if below in taps else child
        matrices[ind, below].append((column, layer - 0.5))
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
            columns = [matrices[ind, b].pop(0)[0] for b in below]
            tensors[piece.inds].append((sum(columns) / len(columns), float(piece.layer)))
    return tensors
