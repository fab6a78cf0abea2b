"""L-BFGS, one iteration at a time, for energies without noise.

::

    gradients of the last steps --two loops--> direction --line search (strong Wolfe)--> theta'

Its memory is a dict of arrays, as that of the other optimizers, which a file can keep.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

from .steps import Update


class QuasiNewton:
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

    Parameters
    ----------
    pairs : int, optional
        How many past steps are remembered.

    Notes
    -----
    Nocedal and Wright, Numerical Optimization, Algorithms 7.4 and 3.5; the line search is scipy's.
    """

    name = "lbfgs"

    def __init__(self, pairs: int = 100) -> None:
        self.pairs = max(1, int(pairs))

    def update(
        self,
        theta: np.ndarray,
        found: tuple[float, np.ndarray],
        step: int,
        memory: dict,
        evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    ) -> Update:
        """One iteration.

        Parameters
        ----------
        theta : numpy.ndarray, shape (P,)
            Real or complex.
        found : (float, numpy.ndarray)
            The energy at ``theta`` and its gradient, as torch defines it.
        step : int
        memory : dict[str, numpy.ndarray]
        evaluate : callable
            From other parameters to both there.

        Returns
        -------
        Update
            Its length is nan, as the line search needs no metric; 0 where nothing can be gained.
        """
        split = np.iscomplexobj(theta)
        line = _Line(evaluate, split, _flat(theta, split), found)
        x, energy, gradient = line.known
        moves, turns = (memory.get(k, np.zeros((0, len(x)))) for k in ("moves", "turns"))
        direction = -_two_loops(gradient, moves, turns)
        if not gradient @ direction < 0:
            direction, moves, turns = -gradient, moves[:0], turns[:0]
        if _at_round_off(energy, gradient, direction, len(moves)):
            return Update(theta, 0.0, memory)
        before = memory.get("energy", energy + np.linalg.norm(gradient) / 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The line search|Rounding errors")
            rate = scipy.optimize.line_search(
                line.energy, line.gradient, x, direction, gradient, energy, float(before)
            )[0]
        if rate is None:  # nothing is lower along this line: forget, and try the gradient next
            return Update(theta, 0.0, {})
        move = rate * direction
        turn = line.gradient(x + move) - gradient
        if move @ turn > 1e-12 * np.linalg.norm(move) * np.linalg.norm(turn):
            moves = np.concatenate((moves, move[None]))[-self.pairs :]
            turns = np.concatenate((turns, turn[None]))[-self.pairs :]
        memory = {"moves": moves, "turns": turns, "energy": np.array(energy)}
        return Update(_joined(x + move, split), np.nan, memory)


class Remembered:
    """A function of parameters that remembers its last value: steps begin where lines end.

    Parameters
    ----------
    function : callable
        Of an array.
    """

    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function
        self._last: Any = None

    def __call__(self, theta: np.ndarray) -> Any:
        """The value at parameters."""
        if self._last is None or not np.array_equal(theta, self._last[0]):
            self._last = theta.copy(), self.function(theta)
        return self._last[1]


class _Line:
    """Energy and gradient as functions of real numbers, the last point remembered."""

    def __init__(self, evaluate, split, x, found):
        self.evaluate, self.split = evaluate, split
        self.known = (x, *self._numbers(*found))

    def _numbers(self, energy, gradient):
        return float(energy), _flat(gradient, self.split)

    def _at(self, x):
        if not np.array_equal(x, self.known[0]):
            self.known = (x.copy(), *self._numbers(*self.evaluate(_joined(x, self.split))))
        return self.known

    def energy(self, x):
        """The energy, infinite where it is not finite."""
        energy = self._at(x)[1]
        return energy if np.isfinite(energy) else np.inf

    def gradient(self, x):
        """Its gradient, real."""
        return self._at(x)[2]


def _flat(theta: Any, split: bool) -> np.ndarray:
    """Complex numbers as real and imaginary parts."""
    return np.concatenate((theta.real, theta.imag)) if split else theta


def _joined(x: Any, split: bool) -> np.ndarray:
    return x[: len(x) // 2] + 1j * x[len(x) // 2 :] if split else x


def _at_round_off(energy, gradient, direction, pairs):
    """Whether no step can lower the energy by what a float shows.

    With past steps ``-gradient @ direction / 2`` is the decrease that is left; without them the
    curvature is not known, and only the gradient itself counts.
    """
    room = np.finfo(float).eps * abs(energy)
    return -gradient @ direction <= room if pairs else np.linalg.norm(gradient) <= room


def _two_loops(gradient, moves, turns):
    """The inverse Hessian of the remembered steps, times the gradient."""
    out, factors = gradient.copy(), []
    for s, y in zip(moves[::-1], turns[::-1]):
        factor = (s @ out) / (s @ y)
        out -= factor * y
        factors.append(factor)
    if len(moves):
        out *= (moves[-1] @ turns[-1]) / (turns[-1] @ turns[-1])
    for s, y, factor in zip(moves, turns, factors[::-1]):
        out += s * (factor - (y @ out) / (s @ y))
    return out
