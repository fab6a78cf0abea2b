"""Exact energies and their gradients by contraction, prepared: what `GroundState` steps on.

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

from ..errors import BudgetError, MethodError
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import window_tensors
from .operators import FlipMasks
from .overlaps import Overlap
from .points import Point, TorchCopy
from .recipes import Run
from .windows import Sums, WindowSums, parts_of


def exact_energy(net: Any, H: FlipMasks, sector: int | None, others: Sequence[Any] = ()) -> Any:
    """The energy and the gradient of networks of one geometry without noise, prepared.

    Ways are tried in turn, see `WAYS`; one that does not suit says so by an error.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int or None
        A number of ones.
    others : sequence of (Target, float), optional
        States, and what their overlap costs.

    Returns
    -------
    callable
        From parameters ``(P,)`` to a `Point`.

    Raises
    ------
    MethodError
        If a sector is asked for.
    BudgetError, OptionError
        If contractions are too dear, or the family of the network has no collapsed form.
    """
    if sector is not None:
        raise MethodError(
            f"method='exact' takes steps for all configurations, and not for the {sector} ones of "
            "a sector; leave sector out, or use method='full' or 'sample'."
        )
    for way in WAYS[:-1]:
        try:
            return way(net, H, others)
        except (BudgetError, MethodError):
            pass
    return WAYS[-1](net, H, others)


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
        net, x = self._torch.at(theta)
        tensors, _ = window_tensors(net, MAX_BYTES)
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

    Raises
    ------
    BudgetError, OptionError
        If contractions are too dear, or the family of the network has no collapsed form.
    ExtraError
        If torch is not installed.
    """

    def __init__(self, net: Any, H: FlipMasks, others: Sequence[Any] = ()) -> None:
        self._windows = WindowGradients(net, "method='exact'")
        self.sums = self._windows.sums
        self._means = self.sums.prepared(self.sums.products(H._terms))
        self._others = [(Overlap(self.sums, other), weight) for other, weight in others]

    def __call__(self, theta: np.ndarray) -> Point:
        """Energy and gradient at parameters.

        Raises
        ------
        RangeError
            If the windows leave the range of floats.
        """
        arrays, gradient = self._windows.at(theta)
        run = self.sums.run(self._means.recipe, arrays)
        above, below, base = parts_of(self._means, run)
        energy, norm = above.real / below.real, below.real
        back: list[Any] = [np.zeros_like(x) for x in arrays]
        penalty = 0.0
        for overlap, weight in self._others:
            found = overlap.fidelity(arrays, norm, base)
            penalty += (share := weight * math.exp(found.log))
            if share:
                overlap.pulled_back(found, share, back)
        seeds = seeds_of(self._means, run, norm, base)
        seeds[self._means.norm] = seeds.get(self._means.norm, 0.0) - (energy + penalty) / norm
        self.sums.pulled_back(run.pulled_back(seeds), back)
        return Point(energy, penalty, gradient(back), math.nan, np.array([energy]), np.ones(1))


def seeds_of(means: Sums, run: Run, norm: float, base: int) -> dict[int, float]:
    """Derivatives of the sum of all products, in units of the norm, by each of them."""
    seeds: dict[int, float] = {}
    for count, i in zip(means.counts, means.numbers):
        scale = float(np.ldexp(1.0, run.exponents[i] - base))
        seeds[i] = seeds.get(i, 0.0) + count * scale / norm
    return seeds


# each takes a network, an operator and states with their weights
WAYS: tuple[Any, ...] = (WindowEnergy,)
