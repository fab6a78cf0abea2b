"""Compiled Metropolis chains of a real restricted Boltzmann machine.

::

    weights --> exp(-2 W), exp(2 W) by site --.
    digits (C, K, N) of C chains at K levels --+--> loop, chains shared by threads
"""

import math

import numpy as np

from ..kernels.compiled import as_rows, has_loops
from ..kernels.hidden_metropolis import HiddenStates, HiddenTables, run_hidden_chains
from ..numerics.scaled import readable
from .chains import LoopedChains

MOST = 300  # powers of two by which a unit may grow, whatever is changed


def hidden_chain_tables(net):
    """What `run_hidden_chains` reads of an RBM, or None where it cannot.

    Parameters
    ----------
    net : RBM

    Returns
    -------
    HiddenTables or None
        None for arrays that have no loops, complex weights, whose amplitudes may be zero, and
        weights so large that floats might not hold the change of a unit.
    """
    leaves = tuple(net.params.leaves.values())
    if not (has_loops(*leaves) and all(map(readable, leaves))) or "complex" in net.dtype:
        return None
    weights, hidden, visible = (
        as_rows(x).astype(np.float64) for x in (net.weights, net.hidden_bias, net.visible_bias)
    )
    columns = np.concatenate((weights, visible[None])).T  # a unit more, that is always up
    largest = (abs(columns).sum(0) + np.append(abs(hidden), 0.0)).max()
    most = 2 * largest / math.log(2)
    if not most <= MOST:
        return None
    both = np.exp(-2 * columns), np.exp(2 * columns)
    steps, room = np.stack((*both, *both[::-1])), int(900 // (1 + most))
    return HiddenTables(steps, np.ascontiguousarray(weights.T), hidden, visible, room)


class HiddenChains(LoopedChains):
    """Chains of a machine, run by the compiled loop."""

    def _begin(self, tables):
        self._logabs = np.empty(self._slots.shape)

    @property
    def log_amplitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """The phases and the logarithms of the amplitudes there, each ``(chains,)``."""
        logabs = self._first(self._logabs)
        return np.ones_like(logabs), logabs

    def _loop(self, kept, logs, steps):
        states = HiddenStates(
            self._digits, self._slots, self._words, self._logabs, self._counts, kept, logs
        )
        (_, levels, sites), units = self._digits.shape, self._tables.steps.shape[2]

        def _run(first, last):
            work, places = np.empty((levels + 1, 2, units)), np.zeros((2, sites), np.int64)
            with np.errstate(over="ignore"):  # of integers, where numba is told not to compile
                run_hidden_chains(
                    *(first, last, states, self._tables, work, places),
                    *(self._moves, self._betas, steps),
                )

        return _run
