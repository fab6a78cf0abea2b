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
from .chain import phases
from .orders import Tensors, cheapest
from .recipes import Run
from .targets import Target
from .windows import BYTES, MAX_WORK, WindowLeaf, WindowSums

LN2 = math.log(2.0)


class Fidelity(NamedTuple):
    """The logarithm of a fidelity, and what its derivatives are made from.

    Attributes
    ----------
    log : float
    runs : list[(complex, Run, complex)]
        A factor for each one, the overlap with it, and the derivative by that.
    """

    log: float
    runs: list[tuple[complex, Run, complex]]


class Overlap:
    """The overlap of networks of one geometry with a state.

    Parameters
    ----------
    sums : WindowSums
        Of a network of the geometry.
    target : Target
    sector : int, optional
        A number of ones: the overlap of the parts of both with so many.

    Raises
    ------
    BudgetError
        If the contraction is too dear.
    RangeError
        If the state vanishes, or (almost) none of it is in the sector.
    """

    def __init__(self, sums: WindowSums, target: Target, sector: int | None = None) -> None:
        ket, bra = sums.both, target.tensors
        count = len(sums.kinds)
        tensors = Tensors(
            [*ket.keys[:count], *bra.keys],
            [*ket.legs[:count], *bra.legs],
            [*ket.shapes[:count], *bra.shapes],
            [*ket.at[:count], *bra.at],
        )
        self.sums, self.target, self.sector = sums, target, sector
        recipe, numbers = cheapest(tensors, [{}], sums.max_bytes / BYTES)
        if recipe is None or recipe.work > MAX_WORK:
            raise BudgetError(
                f"the overlap of windows with {len(bra.keys)} tensors takes too much memory or "
                "time; use smaller windows or bonds, or method='full' on few sites."
            )
        self.recipe, self.number = recipe, numbers[0]
        self._log2_norm = target.log2_norm(sector)

    def fidelity(
        self, arrays: list[Any], norm: float, exponent: int, radius: float = 1.0
    ) -> Fidelity:
        """``log |<target|psi>|^2 / (<psi|psi> <target|target>)``.

        Parameters
        ----------
        arrays : list[numpy.ndarray]
            Of the windows, by kind.
        norm, exponent : float, int
            The norm ``<psi|psi>`` of the network is ``norm * 2.0**exponent``.
        radius : float, optional
            See `WindowSums.radius`.
        """
        turns = phases(self.sums.nsites, self.sector, radius, half=False)
        runs = [self._run(arrays, turn) for turn, _ in turns]
        base = runs[0].exponents[self.number]
        counts = [
            back * float(np.ldexp(1.0, run.exponents[self.number] - base))
            for run, (_, back) in zip(runs, turns)
        ]
        overlap = sum(x * complex(run.values[self.number]) for run, x in zip(runs, counts))
        if not overlap:
            return Fidelity(-math.inf, [])
        twos = 2 * (base - self._log2_norm) - exponent
        log = 2 * math.log(abs(overlap)) - math.log(norm) + twos * LN2
        seed = 2 * overlap / abs(overlap) ** 2
        seeds = [seed * complex(x).conjugate() for x in counts]
        return Fidelity(log, [(turn, run, x) for (turn, _), run, x in zip(turns, runs, seeds)])

    def _run(self, arrays, turn):
        given = {
            key: self.sums.array(key, arrays, turn)
            if isinstance(key, WindowLeaf)
            else self.target.arrays[key]
            for key in self.recipe.leaves
        }
        return self.recipe.run(given)

    def pulled_back(self, found: Fidelity, factor: float, out: list[Any]) -> None:
        """Add derivatives of ``factor * log`` by the windows, at a fixed norm of the network."""
        for turn, run, by in found.runs:
            seed = np.asarray(factor * by)
            if not np.iscomplexobj(run.values[self.number]):
                seed = seed.real
            back = run.pulled_back({self.number: seed})
            windows = {k: g for k, g in back.items() if isinstance(k, WindowLeaf)}
            self.sums.pulled_back(windows, out, turn)
