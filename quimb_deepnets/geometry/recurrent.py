"""Recurrent geometry in integers: steps, taps, copies.

Node (l, t) reads its own past and the layer below: ``h[l][t] = (WH h[l][t-1]) * (WI h[l-1][t])``::

    layer 2   H02 --o---o---o-- read-out
                    |   |   |            site t of N is duplicated
    layer 1   H01 --o---o---o            binomial(N - t + depth - 1, depth - 1) times,
                    |   |   |            t = 1..N (labels of sites count from 0)
    sites           0   1   2
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import GeometryError, check_positive_int
from .expansion import (
    CHANNEL,
    READOUT,
    WINDOW,
    CollapsedPiece,
    Fixed,
    Node,
    Site,
    Tap,
    leaf_ind,
)
from .layers import check_layers, check_sites


@dataclass(frozen=True)
class RecurrentGeometry:
    """All the integers of a recurrent arithmetic circuit.

    Parameters
    ----------
    L : int
        Number of sites, that is of time steps.
    depth : int
        Number of layers.
    bond_dim : int
        Size of each hidden state.
    phys_dim : int
        Local dimension of a site.
    """

    L: int
    depth: int
    bond_dim: int
    phys_dim: int = 2

    def __post_init__(self):
        for name in ("L", "depth", "bond_dim", "phys_dim"):
            check_positive_int(name, getattr(self, name))
        check_sites(self.shape)
        check_layers(self.depth)
        if self.phys_dim < 2:
            raise GeometryError(
                f"phys_dim={self.phys_dim} leaves a site only one state; use 2 or more."
            )

    ndim = 1
    is_recurrent = True  # a node reads its own past, and then the layer below

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of sites, as a tuple."""
        return (self.L,)

    @property
    def sites(self) -> tuple[Any, ...]:
        """The labels of the sites."""
        return tuple(range(self.L))

    # ------------------------------------------------------------------ taps

    @property
    def roots(self):
        """The node that the read-out reads: the last step of the last layer."""
        return [Node(self.depth, (self.L,))]

    def taps(self, node):
        """The hidden and the input tap of a node; steps count from 1."""
        l, (t,) = node
        past = Node(l, (t - 1,)) if t > 1 else Fixed(f"H0{l}")
        below = Node(l - 1, (t,)) if l > 1 else Site(t - 1)
        yield Tap(f"WH{l}", past)
        yield Tap(f"WI{l}", below)

    fixed_vectors: ClassVar[dict[str, int]] = {}

    @functools.cached_property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each independent parameter, in order."""
        R = self.bond_dim
        shapes: dict[str, tuple[int, ...]] = {}
        for l in range(1, self.depth + 1):
            shapes[f"WH{l}"] = (R, R)
            shapes[f"WI{l}"] = (R, R if l > 1 else self.phys_dim)
            shapes[f"H0{l}"] = (R,)
        shapes[READOUT] = (R,)
        return shapes

    # -------------------------------------------------------------- collapsed

    @property
    def collapsed_dim(self):
        """Size of the channels of the collapsed network."""
        return self.bond_dim

    def collapsed_width(self):
        """Number of sites of the widest window: what the last layer reads at the last step."""
        return self.L if self.depth > 1 else 1

    def collapsed_pieces(self):
        """The pieces of the collapsed network: the last layer, and what it reads at each step.

        Yields
        ------
        CollapsedPiece
            For each step the hidden matrix and a window over all sites before it, ``kind`` their
            number; the channels of all steps are legs of their own.
        """
        yield CollapsedPiece(f"H0{self.depth}", None, (f"{CHANNEL}0",))
        for t in range(self.L):
            here = f"{CHANNEL}{t + 1}"
            sites = range(0 if self.depth > 1 else t, t + 1)
            yield CollapsedPiece(f"WH{self.depth}", None, (here, f"{CHANNEL}{t}"))
            yield CollapsedPiece(WINDOW, len(sites), (here, *map(leaf_ind, sites)))
        yield CollapsedPiece(READOUT, None, (f"{CHANNEL}{self.L}",))

    # ---------------------------------------------------------------- counts

    def copies(self, l, t):
        """How many branches with root (l, t) the expanded network holds, t = 1..L."""
        return math.comb(self.L - t + self.depth - l, self.depth - l)

    @functools.cached_property
    def duplication(self) -> dict[Any, int]:
        """For each site, how often the expanded network reads it."""
        return {t - 1: self.copies(1, t) for t in range(1, self.L + 1)}

    def num_tensors(self, nodes="hyper"):
        """Number of tensors of the expanded network: weights, initial vectors, deltas, read-out."""
        per_node = 2 if nodes == "hyper" else 1
        total = self.L + 1
        for l in range(1, self.depth + 1):
            branches = math.comb(self.L + self.depth - l, self.depth - l + 1)  # sum of copies
            total += per_node * branches + self.copies(l, 1)
        return total

    def dense_size(self):
        """Number of elements of the largest tensor of ``nodes="dense"``."""
        below = self.bond_dim if self.depth > 1 else self.phys_dim
        return self.bond_dim**2 * max(below, self.phys_dim)
