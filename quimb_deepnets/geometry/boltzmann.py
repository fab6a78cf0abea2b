"""Boltzmann geometry in integers: every hidden unit sees every site.

::

    hidden     o   o   o   o        alpha units per site
               |\\ /|\\ /|\\ /|        WEIGHTS (hidden, sites)
    sites      0   1   2   3
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

from ..errors import GeometryError, check_positive_int
from .expansion import CollapsedPiece, leaf_ind
from .layers import as_sizes, check_sites


@dataclass(frozen=True)
class BoltzmannGeometry:
    """All the integers of a restricted Boltzmann machine.

    Parameters
    ----------
    shape : tuple[int]
        Number of sites along each dimension, one or two of them.
    hidden : int
        Number of hidden units.
    """

    shape: tuple[int, ...]
    hidden: int

    depth = 1
    phys_dim = 2
    collapsed_dim = 2  # a hidden unit is +1 or -1

    def __post_init__(self):
        as_sizes("shape", self.shape)
        if len(self.shape) > 2:
            raise GeometryError(
                f"shape={self.shape} has {len(self.shape)} dimensions; give an int for a chain "
                "or (Lx, Ly) for a lattice."
            )
        check_sites(self.shape)
        check_positive_int("hidden", self.hidden)

    @property
    def ndim(self) -> int:
        """Number of dimensions, 1 or 2."""
        return len(self.shape)

    @functools.cached_property
    def sites(self) -> tuple[Any, ...]:
        """The labels of the sites: ints on a chain, pairs on a lattice."""
        positions = itertools.product(*map(range, self.shape))
        return tuple(p if self.ndim > 1 else p[0] for p in positions)

    @functools.cached_property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each independent parameter, in order."""
        sites = math.prod(self.shape)
        return {"VISIBLE": (sites,), "HIDDEN": (self.hidden,), "WEIGHTS": (self.hidden, sites)}

    def collapsed_width(self):
        """Number of sites that one tensor reads."""
        return 1

    def collapsed_pieces(self):
        """The pieces of the hyper network: a hidden unit is an index, a matrix joins it to a site.

        Yields
        ------
        CollapsedPiece
            ``kind`` is the place in the array of the parameter.
        """
        for n, site in enumerate(self.sites):
            yield CollapsedPiece("VISIBLE", (n,), (leaf_ind(site),))
        for j in range(self.hidden):
            yield CollapsedPiece("HIDDEN", (j,), (f"_h{j}",))
            for n, site in enumerate(self.sites):
                yield CollapsedPiece("WEIGHTS", (j, n), (f"_h{j}", leaf_ind(site)))
