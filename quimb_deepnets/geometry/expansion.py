"""The expanded network as a list of pieces: names and legs, no arrays.

A tensor network cannot copy a vector (Claim 1 of arXiv:1803.09780), so each use of a
node grows a fresh copy of its branch. A node is one index, shared by the pieces that feed it
and by whatever reads it::

    nodes="hyper"                        nodes="dense"
          |  _y                                |  _y
       .--+--.     one hyper-index           .-a-.      one tensor of order K + 1,
      W0  W1  W2   K matrices               /  |  \\     a[i, j1..jK] = prod_k Wk[i, jk]
      |   |   |                             |  |  |

Each piece belongs to one site, that of the node it feeds: the site of the middle one of its
children, so that the pieces of a site hang together along a branch.
"""

import functools
import itertools
from collections import deque
from typing import NamedTuple

from ..errors import check_option

NODES = ("hyper", "dense")
READOUT = "READOUT"
TOP = "_y"
CHANNEL = "_c"  # of a collapsed network
WINDOW = "WINDOW"


class Site(NamedTuple):
    """An input: the one-hot vector of a site."""

    site: int | tuple[int, ...]


class Node(NamedTuple):
    """The output vector of a layer (counted from 1) at a position."""

    layer: int
    position: tuple[int, ...]


class Fixed(NamedTuple):
    """A named vector that depends on no site, read by a layer."""

    name: str


class Tap(NamedTuple):
    """A named weight matrix, and the vector it acts on."""

    weight: str
    child: Site | Node | Fixed


class Piece(NamedTuple):
    """One tensor to be: named factors for each leg below, its layer and its legs.

    ``factors[k]`` names the matrices whose elementwise product acts on ``inds[k + 1]``; a vector
    has one leg and one name. ``site`` is the one that the piece belongs to.
    """

    factors: tuple[tuple[str, ...], ...]
    layer: int | None
    inds: tuple[str, ...]
    site: int | tuple[int, ...]

    @property
    def names(self):
        """All the parameters that enter this tensor, in order."""
        return tuple(itertools.chain.from_iterable(self.factors))


class CollapsedPiece(NamedTuple):
    """One tensor of a network whose branches are contracted once, from ``collapsed_pieces``.

    ``tag`` is the name of a parameter, or ``WINDOW``; pieces of one tag and ``kind`` hold the same
    numbers. ``inds`` are the legs: the channels first, then those of the sites. A weight whose
    ``kind`` is a fixed vector acts on that: it has one leg.
    """

    tag: str
    kind: int | tuple[int, ...] | str | None
    inds: tuple[str, ...]


def leaf_ind(site):
    """The inner hyper-index that all duplicated leaves of ``site`` share."""
    return "_x" + ",".join(map(str, site if isinstance(site, tuple) else (site,)))


def expand(geometry, nodes="hyper"):
    """List the pieces of the expanded network, from the read-out down to the sites.

    Parameters
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        Anything with ``roots`` and ``taps(node)``.
    nodes : {"hyper", "dense"}, optional
        Whether a node is a hyper-index between matrices, or one tensor of order K + 1.

    Yields
    ------
    Piece
    """
    check_option("nodes", nodes, NODES)
    cut = _matrices if nodes == "hyper" else _dense
    counter = itertools.count()
    roots, site_of = list(geometry.roots), _sites_of_nodes(geometry)
    yield Piece(((READOUT,),), None, (TOP,), site_of(roots[len(roots) // 2]))
    queue = deque((node, TOP) for node in roots)
    while queue:
        node, ind = queue.popleft()
        legs, site = [], site_of(node)
        for weight, child in geometry.taps(node):
            below = leaf_ind(child.site) if isinstance(child, Site) else f"_y{next(counter)}"
            legs.append((weight, below))
            if isinstance(child, Node):
                queue.append((child, below))
            elif isinstance(child, Fixed):
                yield Piece(((child.name,),), node.layer, (below,), site)
        yield from cut(node.layer, ind, legs, site)


def _sites_of_nodes(geometry):
    """The function from a node to the site that it belongs to."""

    @functools.cache
    def _site_of(child):
        if isinstance(child, Site):
            return child.site
        below = [tap.child for tap in map(Tap._make, geometry.taps(child))]
        read = [k for k, vector in enumerate(below) if not isinstance(vector, Fixed)]
        middle = min(read, key=lambda k: abs(k - len(below) // 2), default=None)
        return geometry.sites[0] if middle is None else _site_of(below[middle])

    return _site_of


def _matrices(layer, ind, legs, site):
    """One matrix per tap, all on the hyper-index ``ind``."""
    for weight, below in legs:
        yield Piece(((weight,),), layer, (ind, below), site)


def _dense(layer, ind, legs, site):
    """One tensor for the node; taps that read the same leaf share a leg."""
    factors = {}
    for weight, below in legs:
        factors[below] = (*factors.get(below, ()), weight)
    yield Piece(tuple(factors.values()), layer, (ind, *factors), site)
