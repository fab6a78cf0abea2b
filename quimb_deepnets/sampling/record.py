"""Where chains were after each sweep, and what that says about how they mix.

Notes are evenly spaced; when there are too many of them, every second one is dropped::

    sweeps   1  2  3  4  5  6  7  8 ...          digits (T, chains, N), logarithms (T, chains)
    kept        2     4     6     8              R-hat of both, the slower autocorrelation of both
"""

import numpy as np

from .diagnostics import autocorrelation_time, rhat_of, split_rhat

MAX_BYTES = 2**26
LEAST = 64  # notes that are kept in any case
FEWEST = 4  # notes from which there is an R-hat


class Record:
    """Notes of chains.

    Parameters
    ----------
    chains, nsites, phys_dim : int

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.sampling.record import Record
    >>> record, rng = Record(32, 3, 2), np.random.default_rng(0)
    >>> record.add(rng.integers(2, size=(100, 32, 3)), rng.normal(size=(100, 32)))
    >>> record.rhat() < 1.1, record.autocorrelation_time() < 1.5, record.moved()
    (True, True, 1.0)
    """

    def __init__(self, chains: int, nsites: int, phys_dim: int) -> None:
        self._phys_dim = phys_dim
        self.block = max(1, MAX_BYTES // 4 // (chains * (nsites + 8)))  # sweeps to note at once
        self._most = max(LEAST, MAX_BYTES // (chains * (nsites + 8)))
        self._dtype = np.min_scalar_type(phys_dim - 1)
        none: tuple[np.ndarray, np.ndarray]
        none = np.empty((0, chains, nsites), self._dtype), np.empty((0, chains))
        self._parts = [none]
        self._every, self._count, self._kept = 1, 0, 0

    def add(self, digits: np.ndarray, logabs: np.ndarray) -> None:
        """Note digits ``(T, chains, N)`` and logarithms ``(T, chains)`` after T more sweeps."""
        due = slice((-self._count - 1) % self._every, None, self._every)
        self._count += len(digits)
        self._parts.append((digits[due].astype(self._dtype), logabs[due].copy()))
        self._kept += len(self._parts[-1][1])
        while self._kept > self._most:
            self._parts = [(self._digits[1::2].copy(), self._logs[1::2].copy())]
            self._kept, self._every = len(self._logs), 2 * self._every

    def _joined(self):
        """All notes in one part: digits, logarithms."""
        if len(self._parts) > 1:
            digits, logs = zip(*self._parts)
            self._parts = [(np.concatenate(digits), np.concatenate(logs))]
        return self._parts[0]

    @property
    def _digits(self):
        return self._joined()[0]

    @property
    def _logs(self):
        return self._joined()[1]

    @property
    def count(self) -> int:
        """How many sweeps were noted, or passed over."""
        return self._count

    def rhat(self) -> float:
        """The largest split R-hat of the logarithms and of the state of each site.

        Returns
        -------
        float
            nan before 4 notes.
        """
        if len(self._logs) < FEWEST:
            return float("nan")
        half = len(self._logs) // 2
        halves = np.stack((self._digits[:half], self._digits[-half:]))
        sites = 1.0
        for m in range(self._phys_dim):
            means = (halves == m).mean(1).reshape(-1, halves.shape[-1])
            variances = means * (1 - means) * half / (half - 1)
            sites = max(sites, float(rhat_of(half, means, variances).max()))
        return max(sites, split_rhat(self._finite()))

    def autocorrelation_time(self) -> float:
        """Sweeps that are worth one independent draw, of the logarithms or the sites, at least 1.

        Returns
        -------
        float
            nan before 4 notes.
        """
        if len(self._logs) < FEWEST:
            return float("nan")
        chains = max(1, MAX_BYTES // (32 * self._digits[:, 0].size))
        sites = self._digits[:, :chains] - self._digits.mean((0, 1))
        times = (
            autocorrelation_time(sites.reshape(len(sites), -1)),
            autocorrelation_time(self._finite()),
        )
        return max(times) * self._every

    def moved(self) -> float:
        """The share of chains that left where the first note found them."""
        if not len(self._digits):
            return 0.0
        return float((self._digits != self._digits[:1]).any((0, 2)).mean())

    def _finite(self):
        """The logarithms, those of zero as far below all others."""
        low = self._logs[np.isfinite(self._logs)].min(initial=0.0)
        return np.where(np.isfinite(self._logs), self._logs, low - 1e3)
