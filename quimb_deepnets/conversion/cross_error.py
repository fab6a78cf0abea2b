"""How far an interpolated matrix product state is from the amplitudes it was made of.

The largest of three estimates counts; each is the relative distance ``|psi - mps| / |psi|`` or
``/ |mps|``, as a mean over configurations drawn from::

    uniform          M**N |psi - mps|**2 / |mps|**2      broad errors
    |mps|**2         |1 - psi / mps|**2                  what the MPS has and psi has not
    |psi|**2         |1 - mps / psi|**2                  what psi has and the MPS has not
"""

import math

import numpy as np

from .drawn import draw, relative_error

FRESH = 2**11  # configurations of the first two kinds
CHAINS = 2**8  # Markov chains for the third
ROUNDS = 2**4  # of each chain, the second half of which counts
STEPS = 2**4  # single changes in a round; then the chain may go where the MPS draws


def measured_error(cores, amplitudes, rng):
    """The largest of the three relative errors.

    Parameters
    ----------
    cores : list[numpy.ndarray], shape (l, p, r)
        The MPS, its orthogonality centre on the last site.
    amplitudes : ScaledAmplitudes
        Phases and logarithms in the order of the chain, and the scale that the cores leave out.
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    exact = amplitudes.scaled
    log_norm = math.log(np.linalg.norm(cores[-1]))
    levels = amplitudes.phys_dim
    uniform = rng.integers(levels, size=(FRESH, len(cores)))
    change = _distances(evaluate(cores, uniform), exact(uniform), log_norm)
    broad = len(cores) * math.log(levels) + np.logaddexp.reduce(change) - math.log(FRESH)
    drawn, phase, logabs = draw(cores, rng, FRESH)
    theirs = exact(drawn)
    errors = [math.exp(min(broad / 2, 300.0)), relative_error(phase, logabs, *theirs)]
    errors.append(_error_where_large(cores, exact, levels, drawn[:CHAINS], log_norm, rng))
    return float(max(errors))


def evaluate(cores, configs):
    """Phases and logarithms of the amplitudes of an MPS.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.conversion.cross_error import evaluate
    >>> bell = [np.eye(2)[None], np.diag([3.0, -4.0])[:, :, None]]
    >>> phase, logabs = evaluate(bell, np.array([[0, 0], [1, 1]]))
    >>> phase.tolist(), np.exp(logabs).round(12).tolist()
    ([1.0, -1.0], [3.0, 4.0])
    """
    left, logabs = np.ones((len(configs), 1)), np.zeros(len(configs))
    for n, core in enumerate(cores):
        l, p, r = core.shape
        left = (left @ core.reshape(l, p * r)).reshape(-1, p, r)
        left = left[np.arange(len(configs)), configs[:, n]]
        size = np.linalg.norm(left, axis=1)
        left = left / np.where(size > 0, size, 1.0)[:, None]
        with np.errstate(divide="ignore"):
            logabs = logabs + np.log(size)
    return left[:, 0], logabs


def _distances(a, b, log_scale):
    """``log(|a - b|**2)`` of pairs of phase and logarithm, after both were divided by a scale."""
    top = np.maximum(a[1], b[1])
    top = np.where(np.isfinite(top), top, 0.0)
    apart = np.abs(a[0] * np.exp(a[1] - top) - b[0] * np.exp(b[1] - top))
    with np.errstate(divide="ignore"):
        return 2 * (np.log(apart) + top - log_scale)


def _error_where_large(cores, exact, levels, drawn, log_norm, rng):
    """``|psi - mps| / |psi|`` on configurations with a large ``|psi|**2``.

    Half of the chains start where the MPS is large, half at random. A chain of the second half
    counts only if its amplitudes become as large as the smaller ones of the first half: one that is
    stuck where the state has no weight is not a sample of it. The distinct configurations that all
    chains visit give a lower bound on the distance.
    """
    configs = drawn.copy()
    half = len(configs) // 2
    configs[half:] = rng.integers(levels, size=configs[half:].shape)
    chains = _Chains(configs, exact, rng)
    seen = []
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            chains.change_one_site(levels)
        chains.jump(cores)
        seen.append((chains.configs, *chains.amplitudes))
    configs, phase, logabs = (np.stack(x) for x in zip(*seen[ROUNDS // 2 :]))
    low = logabs[:, :half][logabs[:, :half] > -math.inf]
    if not len(low):
        return 1.0
    there = logabs >= np.quantile(low, 0.1)
    found = evaluate(cores, configs[there])
    error = relative_error(phase[there], logabs[there], *found)
    configs, first = np.unique(configs.reshape(-1, len(cores)), axis=0, return_index=True)
    distances = _distances(
        evaluate(cores, configs), (phase.reshape(-1)[first], logabs.reshape(-1)[first]), log_norm
    )
    return max(error, math.exp(min(np.logaddexp.reduce(distances) / 2, 300.0)))


class _Chains:
    """Metropolis chains of ``|psi|**2``, moved together."""

    def __init__(self, configs, exact, rng):
        self.configs, self.exact, self.rng = configs, exact, rng
        self.amplitudes = exact(configs)

    def change_one_site(self, levels):
        """Propose another value at one site to each chain."""
        new, (count, N) = self.configs.copy(), self.configs.shape
        rows, site = np.arange(count), self.rng.integers(N, size=count)
        new[rows, site] += self.rng.integers(1, levels, size=count)
        new[rows, site] %= levels
        self._offer(new, 0.0, 0.0)

    def jump(self, cores):
        """Propose a configuration drawn from the MPS to each chain."""
        new, _, logabs = draw(cores, self.rng, len(self.configs))
        self._offer(new, logabs, evaluate(cores, self.configs)[1])

    def _offer(self, new, new_log_chance, log_chance):
        """Accept proposals with the probability of Metropolis and Hastings."""
        phase, logabs = self.exact(new)
        with np.errstate(invalid="ignore"):  # -inf - -inf: such a chain may go anywhere
            gain = (logabs - new_log_chance) - (self.amplitudes[1] - log_chance)
        gain = np.where(self.amplitudes[1] == -math.inf, math.inf, gain)
        taken = np.log(self.rng.random(len(new))) < 2 * gain
        self.configs = np.where(taken[:, None], new, self.configs)
        pairs = zip((phase, logabs), self.amplitudes)
        self.amplitudes = tuple(np.where(taken, x, y) for x, y in pairs)
