"""Collapsed networks of a lower level: branches up to one layer once, what is above written out.

The folded last layer needs tables over its windows. Where these are too large, as above pooling
layers, the tables of a lower layer are not; each use of one is then a copy, as in the expanded
network, and sites meet in hyper-indices::

    level 3, folded       level 2               level 1              level 0, expanded
                              _y                    _y
      _c      _c           W3,0 W3,1             W3,0  W3,1          matrices alone
      |       |             |     |             W2,. W2,. ...
    WINDOW  WINDOW       WINDOW  WINDOW        WINDOW WINDOW ...
    8 sites                 4 sites               2 sites
"""

import itertools
import math
from typing import Any, NamedTuple

from .branches import branches_of, folded_branches
from .expansion import READOUT, TOP, WINDOW, CollapsedPiece, Fixed, Site, leaf_ind


class LevelSizes(NamedTuple):
    """What a collapsed network of some level takes: numbers in distinct windows, and tensors."""

    numbers: int
    tensors: int


def level_sizes(geometry: Any, level: int) -> LevelSizes:
    """The size of the collapsed network of a level, before any of it is written down.

    Parameters
    ----------
    geometry : ConvGeometry
    level : int
        ``geometry.depth`` is the folded last layer, 0 the expanded network.

    Examples
    --------
    >>> from quimb_deepnets.geometry import ConvGeometry, GCLayer
    >>> from quimb_deepnets.geometry.levels import level_sizes
    >>> tree = ConvGeometry((16,), (GCLayer(2, 3, 2),) * 4, (True,) * 4)
    >>> [tuple(level_sizes(tree, level)) for level in (4, 3, 2, 1, 0)]
    [(1536, 19), (768, 21), (48, 27), (12, 39), (0, 47)]
    """
    M, g = geometry.phys_dim, geometry
    folded = level == g.depth
    branches = folded_branches(g) if folded else branches_of(g, level)
    windows = branches.num_positions if folded else g.num_copies(level)
    rows = sum(M ** branches.width(kind) for kind in branches.kinds) if level else 0
    taps = 0
    for l in range(level + 1, g.depth + 1):
        every = g.boundary == "ones"
        taps += math.prod(g.kernel(l)) * g.num_copies(l) if every else g.num_copies(l - 1)
    count = (windows if level else 0) + taps + 1 + math.prod(g.shape)
    return LevelSizes(rows * g.bond_dim(level), count)


def level_pieces(geometry: Any, level: int) -> list[CollapsedPiece]:
    """The pieces of the collapsed network of a level below ``depth``, from the sites upward.

    Returns
    -------
    list[CollapsedPiece]
        A window for each use of a node of layer ``level``, ``kind`` its kind as `branches_of`
        counts them; a matrix for each tap above, a vector for one that reads a fixed vector.
    """
    branches, count = branches_of(geometry, level), itertools.count()
    found, stack = [CollapsedPiece(READOUT, None, (TOP,))], [(node, TOP) for node in geometry.roots]
    while stack:
        node, ind = stack.pop()
        if node.layer == level:
            found.append(_window(geometry, branches, node.position, ind))
            continue
        for weight, child in geometry.taps(node):
            if isinstance(child, Fixed):
                found.append(CollapsedPiece(weight, child.name, (ind,)))
                continue
            below = leaf_ind(child.site) if isinstance(child, Site) else f"{TOP}{next(count)}"
            found.append(CollapsedPiece(weight, None, (ind, below)))
            if not isinstance(child, Site):
                stack.append((child, below))
    return found[::-1]


def _window(geometry, branches, position, ind):
    """The window of one use of a node, whose channels have the leg ``ind``."""
    kind = tuple(x.kind_of[p] for x, p in zip(branches.levels, position))
    places = itertools.product(*(x.windows[p] for x, p in zip(branches.levels, position)))
    sites = (place[0] if geometry.ndim == 1 else place for place in places)
    return CollapsedPiece(WINDOW, kind, (ind, *map(leaf_ind, sites)))
