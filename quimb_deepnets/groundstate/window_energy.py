"""Exact energies and their gradients by contraction, prepared.

::

    theta --torch--> windows --numpy--> <H>, |<other|psi>|^2, norm      one recipe each
      ^                 |                             |
      +---- gradient ---+<------ derivatives ---------+
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autoray import to_numpy

from ..errors import RangeError
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import collapsed_tensors
from .chain import phases
from .operators import FlipMasks
from .overlaps import Overlap
from .points import Point, TorchCopy
from .recipes import Run
from .windows import Sums, WindowSums, added, parts_of


class WindowGradients:
    """The windows of networks of one geometry, and gradients of what is computed from them.

    Parameters
    ----------
    net : DeepNetwork
    what : str
        What needs torch.
    """

    def __init__(self, net: Any, what: str) -> None:
        self._torch = TorchCopy(net, what)
        self.sums = WindowSums(self._torch.net)

    def at(self, theta: np.ndarray) -> tuple[list[Any], Callable[[list[Any]], np.ndarray]]:
        """The arrays of each kind at parameters, and the gradient from derivatives by them.

        Raises
        ------
        RangeError
            If one window leaves the range of floats.
        """
        with self._torch.recording():
            net, x = self._torch.at(theta)
            tensors, _ = collapsed_tensors(net, MAX_BYTES)
        tables = [tensors[i].data for i in self.sums.first]
        arrays = [to_numpy(table.detach()) for table in tables]
        return arrays, lambda back: self._torch.gradient(x, tables, back)


class WindowEnergy:
    """The energy of collapsed networks of one geometry.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    others : sequence of (Target, float), optional
        States, and what their overlap costs.
    sector : int, optional
        A number of ones, which H keeps: of the part of the network with so many.

    Raises
    ------
    BudgetError, OptionError
        If contractions are too dear, or the family of the network has no collapsed form.
    RangeError
        If one of the other states vanishes.
    ExtraError
        If torch is not installed.
    """

    def __init__(
        self, net: Any, H: FlipMasks, others: Sequence[Any] = (), sector: int | None = None
    ) -> None:
        self._windows = WindowGradients(net, "method='exact'")
        self.sums, self.sector = self._windows.sums, sector
        self._means = self.sums.prepared(self.sums.products(H._terms), sector)
        self._others = [(Overlap(self.sums, other, sector), weight) for other, weight in others]

    def __call__(self, theta: np.ndarray) -> Point:
        """Energy and gradient at parameters.

        Raises
        ------
        RangeError
            If the windows leave the range of floats, or the state vanishes, or (almost) none of it
            is in the sector.
        """
        arrays, gradient = self._windows.at(theta)
        radius = self.sums.radius(arrays, self.sector)
        turns = phases(self.sums.nsites, self.sector, radius)
        runs = [self.sums.run(self._means.recipe, arrays, turn) for turn, _ in turns]
        counts = [back for _, back in turns]
        parts = [parts_of(self._means, run) for run in runs]
        above, norm, base = added(list(zip(counts, parts)))
        if not norm > 0:
            raise RangeError("the state vanishes; begin with other weights.")
        energy, back, penalty = above / norm, [np.zeros_like(x) for x in arrays], 0.0
        for overlap, weight in self._others:
            found = overlap.fidelity(arrays, norm, base, radius)
            penalty += (share := weight * math.exp(found.log))
            if share:
                overlap.pulled_back(found, share, back)
        for (turn, count), run in zip(turns, runs):
            seeds = seeds_of(self._means, run, energy + penalty, base)
            scale = np.conj(count) / norm
            by = {n: _as(run.values[n], scale * x) for n, x in seeds.items()}
            self.sums.pulled_back(run.pulled_back(by), back, turn)
        return Point(energy, penalty, gradient(back), math.nan, np.array([energy]), np.ones(1))


def seeds_of(means: Sums, run: Run, mean: float, base: int) -> dict[int, float]:
    """Derivatives of the sum of all products less a mean times the norm, by each of them.

    Parameters
    ----------
    means : Sums
    run : Run
    mean : float
    base : int
        The power of two that is the unit.
    """
    seeds: dict[int, float] = {}
    counts, numbers = [*means.counts, -mean], [*means.numbers, means.norm]
    for count, i in zip(counts, numbers):
        scale = float(np.ldexp(1.0, run.exponents[i] - base))
        seeds[i] = seeds.get(i, 0.0) + count * scale
    return seeds


def _as(value, x):
    """A number as an array, real beside a real value."""
    return np.asarray(x if np.iscomplexobj(value) else np.real(x))
