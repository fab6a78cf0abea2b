"""Metropolis chains of any state with batches of amplitudes: one batch for each step.

Every chain and every companion at a higher temperature is a row of one batch; a step proposes one
change to each, evaluates all of them together, accepts or rejects, and lets neighbours trade::

    level 0, beta = 1       s0  s1  s2  s3     rows 0..3        one batch of all levels
    level 1, beta = 0.35    t0  t1  t2  t3     rows 4..7        s2 and t2 may trade places
"""

from collections.abc import Callable

import numpy as np

from ..kernels.proposals import ChainMoves
from .moves import propose

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class BatchedChains:
    """Chains of a state that gives batches of amplitudes.

    Parameters
    ----------
    evaluate : callable
        From digits ``(B, N)`` to phases and logarithms, each ``(B,)``, of numpy.
    phys_dim : int
    digits : numpy.ndarray of int, shape (chains, N)
        Where all levels of each chain begin.
    betas : numpy.ndarray, shape (levels,)
        Inverse temperatures, the first of them 1.
    moves : ChainMoves
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        evaluate: Evaluate,
        phys_dim: int,
        digits: np.ndarray,
        betas: np.ndarray,
        moves: ChainMoves,
        rng: np.random.Generator,
    ) -> None:
        self._phys_dim, self._betas, self._moves, self._rng = phys_dim, betas, moves, rng
        self._chains, self._steps, self.counts = len(digits), 0, (0, 0)
        self._rates = 2 * np.repeat(betas, self._chains)
        self._digits = np.tile(digits, (len(betas), 1))
        self.renew(evaluate)

    def renew(self, evaluate: Evaluate) -> None:
        """Go on with another state on the same sites."""
        self._evaluate = evaluate
        self._phase, self._logabs = evaluate(self._digits)

    @property
    def digits(self) -> np.ndarray:
        """Where the chains are, ``(chains, N)``."""
        return self._digits[: self._chains]

    @property
    def log_amplitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """The phases and the logarithms of the amplitudes there, each ``(chains,)``."""
        return self._phase[: self._chains], self._logabs[: self._chains]

    def forget(self) -> None:
        """Count anew."""
        self.counts = 0, 0

    def run(self, sweeps: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Run the chains on, and note where they are after each sweep of so many steps.

        Returns
        -------
        digits : numpy.ndarray of int, shape (sweeps, chains, N)
        logabs : numpy.ndarray, shape (sweeps, chains)
        """
        kept = np.empty((sweeps, *self.digits.shape), self._digits.dtype)
        logs = np.empty(kept.shape[:2])
        for sweep in range(sweeps):
            for _ in range(steps):
                self._step()
            kept[sweep], logs[sweep] = self.digits, self.log_amplitudes[1]
        return kept, logs

    def _step(self):
        """Propose one change to every row, accept or reject it, and let levels trade."""
        old, new = self._digits, propose(self._digits, self._moves, self._phys_dim, self._rng)
        phase, logabs = self._evaluate(new)
        changed, stuck = (new != old).any(1), self._logabs == -np.inf
        with np.errstate(invalid="ignore"):  # between amplitudes of zero
            gain = self._rates * (logabs - self._logabs)
        took = changed & (stuck | (self._log_random(len(old)) < gain))
        self._digits = np.where(took[:, None], new, old)
        self._phase = np.where(took, phase, self._phase)
        self._logabs = np.where(took, logabs, self._logabs)
        proposed, accepted = self.counts
        here = slice(self._chains)
        self.counts = proposed + int(changed[here].sum()), accepted + int(took[here].sum())
        self._trade(self._steps % 2)
        self._steps += 1

    def _trade(self, first):
        """Exchange neighbouring levels ``first, first + 1``, then every second pair after them."""
        K, C = len(self._betas), self._chains
        lower = np.arange(first, K - 1, 2)
        if not lower.size:
            return
        logabs = self._logabs.reshape(K, C)
        rate = 2 * (self._betas[lower] - self._betas[lower + 1])[:, None]
        with np.errstate(invalid="ignore"):
            gain = rate * (logabs[lower + 1] - logabs[lower])
        level, chain = (self._log_random((len(lower), C)) < gain).nonzero()
        here = lower[level] * C + chain
        order = np.arange(K * C)
        order[here], order[here + C] = here + C, here
        self._digits, self._phase, self._logabs = (
            x[order] for x in (self._digits, self._phase, self._logabs)
        )

    def _log_random(self, shape):
        """Logarithms of uniform numbers."""
        return -self._rng.standard_exponential(shape)
