"""Where chains begin: at given configurations, or spread over random ones by their probability.

::

    64 uniform configurations   s1  s2  s3 ... s64      for each chain, of its sector
                                     |
    taken by |psi(s)|^2              s2                 so that chains start apart
"""

from typing import Any

import numpy as np
from autoray import to_numpy

from ..errors import ConfigError
from ..numerics.configs import check_configs, parse_config
from .states import SampledState

CANDIDATES = 64
ROUNDS = 32


class Starts:
    """Where chains of a state can begin.

    Parameters
    ----------
    state : SampledState
    chains : int
    sector : int or None
    rng : numpy.random.Generator
    """

    def __init__(
        self, state: SampledState, chains: int, sector: int | None, rng: np.random.Generator
    ) -> None:
        self._state, self._chains, self._sector, self._rng = state, chains, sector, rng

    def random(self, count: int) -> np.ndarray:
        """Uniform digits ``(count, N)``, of the sector if there is one."""
        shape = count, self._state.nsites
        if self._sector is None:
            return self._rng.integers(self._state.phys_dim, size=shape)
        return (self._rng.random(shape).argsort(1) < self._sector).astype(np.int64)

    def drawn(self) -> tuple[np.ndarray, float]:
        """For each chain one of many uniform configurations, by its probability; and the spread.

        Returns
        -------
        digits : numpy.ndarray of int, shape (chains, N)
        spread : float
            Standard deviation of ``log |psi|^2`` over uniform configurations.

        Raises
        ------
        ConfigError
            If all of them have amplitude zero.
        """
        rng, found = self._rng, np.full(self._chains, -np.inf)
        digits, spread = np.zeros((self._chains, self._state.nsites), np.int64), 0.0
        for _ in range(ROUNDS):
            missing = np.flatnonzero(found == -np.inf)
            if not missing.size:
                break
            count = len(missing)
            some = self.random(count * CANDIDATES)
            logabs = self._state.evaluate(some)[1]
            spread = _spread(logabs) or spread
            weights = 2 * logabs.reshape(count, CANDIDATES)
            best = (weights + rng.gumbel(size=weights.shape)).argmax(1)
            found[missing] = weights[np.arange(count), best]
            digits[missing] = some.reshape(count, CANDIDATES, -1)[np.arange(count), best]
        good = np.flatnonzero(found > -np.inf)
        if not good.size:
            where = "" if self._sector is None else f" with {self._sector} ones"
            raise ConfigError(
                f"all of {ROUNDS * CANDIDATES * self._chains} random configurations{where} have "
                "amplitude zero, so no chain can begin; give one of non-zero amplitude as start=."
            )
        missing = np.flatnonzero(found == -np.inf)
        digits[missing] = digits[rng.choice(good, len(missing))]
        return digits, spread

    def given(self, start: Any, spread: bool) -> tuple[np.ndarray, float]:
        """The configurations that a user gives, one or as many as chains; and the spread, or 0.

        Raises
        ------
        ConfigError
            If they do not fit, or are outside the sector.
        """
        digits = self._read(start)
        ones = digits.sum(1)
        if self._sector is not None and (ones != self._sector).any():
            wrong = int(ones[(ones != self._sector).argmax()])
            raise ConfigError(
                f"start holds a configuration of {wrong} ones, outside sector={self._sector}; "
                f"begin at configurations of {self._sector} ones."
            )
        digits = np.broadcast_to(digits, (self._chains, self._state.nsites))
        return digits, _spread(self._state.evaluate(self.random(CANDIDATES))[1]) if spread else 0.0

    def check(self, logabs: np.ndarray) -> None:
        """Refuse chains that begin where the amplitude is zero.

        Raises
        ------
        ConfigError
        """
        if not np.isfinite(logabs).all():
            raise ConfigError(
                "start holds a configuration of amplitude zero, where no chain can be; begin at "
                "configurations of non-zero amplitude."
            )

    def _read(self, start):
        """Digits ``(1, N)`` or ``(chains, N)``, whatever they are written as."""
        shape, phys_dim, N = self._state.shape, self._state.phys_dim, self._state.nsites
        try:
            found = start if hasattr(start, "shape") else np.asarray(start)
        except ValueError as error:
            raise ConfigError("start is ragged; give one digit for each site.") from error
        what = f"start has shape {tuple(found.shape)}"
        if tuple(found.shape) in ((), shape, (N,)):
            return _digits(parse_config, start, shape, phys_dim).reshape(1, N)
        if tuple(found.shape) == (self._chains, N):
            found = found.reshape(self._chains, *shape)
        if tuple(found.shape) not in ((self._chains,), (self._chains, *shape)):
            raise ConfigError(
                f"{what}; give digits 0 to {phys_dim - 1} of shape {shape} or "
                f"{(self._chains, *shape)}."
            )
        return _digits(check_configs, found, shape, phys_dim).reshape(self._chains, N)


def _digits(read, *args):
    """What a reader of configurations finds, as int64, its errors naming ``start``."""
    try:
        return np.asarray(to_numpy(read(*args))).astype(np.int64)
    except ConfigError as error:
        raise ConfigError(f"start: {error}") from error


def _spread(logabs):
    """Standard deviation of ``log |psi|^2`` where it is not zero, in nats."""
    finite = logabs[np.isfinite(logabs)]
    return 2 * float(finite.std()) if len(finite) else 0.0
