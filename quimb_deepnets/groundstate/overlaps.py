"""Overlaps of collapsed networks with other states, and their derivatives.

::

    windows of the ket     T(s0 s1)   T(s1 s2)   T(s2 s3)
                             |  |      |  |        |  |
    tensors of the other   A ---- A ---- A ---- A ---- A       fidelity |<other|psi>|^2 / norms
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import BudgetError
from .orders import Tensors, cheapest
from .recipes import Run
from .targets import Target
from .windows import BYTES, MAX_WORK, WindowLeaf, WindowSums

LN2 = math.log(2.0)


class Fidelity(NamedTuple):
    """The logarithm of a fidelity, and what its derivatives are made from."""

    log: float
    run: Run
    seed: complex


class Overlap:
    """The overlap of networks of one geometry with a state.

    Parameters
    ----------
    sums : WindowSums
        Of a network of the geometry.
    target : Target

    Raises
    ------
    BudgetError
        If the contraction is too dear.
    """

    def __init__(self, sums: WindowSums, target: Target) -> None:
        ket, bra = sums.both, target.tensors
        count = len(sums.kinds)
        tensors = Tensors(
            [*ket.keys[:count], *bra.keys],
            [*ket.legs[:count], *bra.legs],
            [*ket.shapes[:count], *bra.shapes],
            [*ket.at[:count], *bra.at],
        )
        self.sums, self.target = sums, target
        recipe, numbers = cheapest(tensors, [{}], sums.max_bytes / BYTES)
        if recipe is None or recipe.work > MAX_WORK:
            raise BudgetError(
                f"the overlap of windows with {len(bra.keys)} tensors takes too much memory or "
                "time; use smaller windows or bonds, or method='full' on few sites."
            )
        self.recipe, self.number = recipe, numbers[0]

    def fidelity(self, arrays: list[Any], norm: float, exponent: int) -> Fidelity:
        """``log |<target|psi>|^2 / (<psi|psi> <target|target>)``.

        Parameters
        ----------
        arrays : list[numpy.ndarray]
            Of the windows, by kind.
        norm, exponent : float, int
            The norm ``<psi|psi>`` of the network is ``norm * 2.0**exponent``.
        """
        given = {
            key: self.sums.array(key, arrays)
            if isinstance(key, WindowLeaf)
            else self.target.arrays[key]
            for key in self.recipe.leaves
        }
        run = self.recipe.run(given)
        overlap = complex(run.values[self.number])
        if not overlap:
            return Fidelity(-math.inf, run, 0.0)
        twos = 2 * (run.exponents[self.number] - self.target.log2_norm) - exponent
        log = 2 * math.log(abs(overlap)) - math.log(norm) + twos * LN2
        return Fidelity(log, run, 2 * overlap / abs(overlap) ** 2)

    def pulled_back(self, found: Fidelity, factor: float, out: list[Any]) -> None:
        """Add derivatives of ``factor * log`` by the windows, at a fixed norm of the network."""
        seed = np.asarray(factor * found.seed)
        if not np.iscomplexobj(found.run.values[self.number]):
            seed = seed.real
        back = found.run.pulled_back({self.number: seed})
        self.sums.pulled_back({k: g for k, g in back.items() if isinstance(k, WindowLeaf)}, out)
