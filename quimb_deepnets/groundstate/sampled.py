"""Energies from samples of |psi|^2, with the error that independent chains show.

::

    chain 0   E E E E E   mean 0
    chain 1   E E E E E   mean 1        energy: mean of the means     error: their spread / sqrt(C)
    ...
    chain C   E E E E E   mean C        whatever the autocorrelation within each
"""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, OptionError, SamplingWarning, check_positive_int
from ..jobs.progress import progress
from ..sampling.diagnostics import autocorrelation_time, rhat_of, split_rhat
from ..sampling.metropolis import Metropolis
from .local import local_energies
from .operators import FlipMasks

MIN_CHAINS, MAX_CHAINS, MIN_DRAWS, MIN_BURN_IN = 32, 128, 16, 16
MAX_RHAT = 1.1
CANDIDATES = 64  # configurations out of which each chain starts


class Samples(NamedTuple):
    """Draws of chains, and what was measured on the way.

    Attributes
    ----------
    configs : numpy.ndarray of int, shape (draws, chains, N)
    logabs : numpy.ndarray, shape (draws, chains)
        ``log |psi|``.
    acceptance : float
        The share of proposals that were accepted.
    """

    configs: np.ndarray
    logabs: np.ndarray
    acceptance: float


class SampledEnergy(NamedTuple):
    """What samples say of an energy.

    Attributes
    ----------
    mean, error, variance : float
    rhat, acceptance, autocorrelation : float
        The largest split R-hat of local energies, amplitudes and sites; the share of proposals
        that were accepted; the autocorrelation time of local energies, in sweeps.
    samples : int
    """

    mean: float
    error: float
    variance: float
    rhat: float
    acceptance: float
    autocorrelation: float
    samples: int


class ExchangeMetropolis(Metropolis):
    """Chains that stay in a sector: a one and a zero, both drawn uniformly, trade places."""

    def __init__(self, log_amplitudes, nsites, sector, **options):
        self._sector = sector
        super().__init__(log_amplitudes, nsites, **options)

    def propose(self, configs):
        """Configurations with a one and a zero exchanged; the way back is as likely."""
        if self._sector in (0, self.nsites):
            return configs
        rows, new = np.arange(len(configs)), configs.copy()
        drawn = self._rng.random((2, *configs.shape))
        one = np.where(configs == 1, drawn[0], -1).argmax(1)
        zero = np.where(configs == 0, drawn[1], -1).argmax(1)
        new[rows, one], new[rows, zero] = 0, 1
        return new

    def _draw_start(self):
        count, N = self.chains * CANDIDATES, self.nsites
        order = self._rng.random((count, N)).argsort(1)
        some = (order < self._sector).astype(np.int64)
        logabs = self.evaluate(some)[1]
        finite = logabs[np.isfinite(logabs)]
        if not len(finite):
            raise ConfigError(
                f"all of {count} random configurations with {self._sector} ones have amplitude "
                'zero, so no chain can begin; use method="full", or another sector.'
            )
        weights = (2 * logabs).reshape(self.chains, CANDIDATES)
        best = (weights + self._rng.gumbel(size=weights.shape)).argmax(1)
        best += CANDIDATES * np.arange(self.chains)
        good = np.flatnonzero(np.isfinite(logabs))
        lost = ~np.isfinite(logabs[best])
        best[lost] = self._rng.choice(good, lost.sum())
        return some[best], 2 * float(finite.std())


def draw_samples(
    evaluator: Any, sector: int | None, samples: int, seed: Any = None, progbar: bool = False
) -> Samples:
    """Samples of ``|psi|^2`` from independent Markov chains.

    Parameters
    ----------
    evaluator : Evaluator
        Of a network.
    sector : int or None
        A number of ones.
    samples : int
        Rounded up to whole draws of all chains, at least 16 of each.
    seed : None, int or numpy.random.Generator, optional
    progbar : bool, optional

    Returns
    -------
    Samples
    """
    check_positive_int("samples", samples, OptionError)
    chains = min(MAX_CHAINS, max(MIN_CHAINS, samples // 64))
    draws = max(MIN_DRAWS, -(-samples // chains))
    net = evaluator.network
    N, shape = net.nsites, net.geometry.shape
    amplitudes = lambda x: evaluator.log_amplitudes(x.reshape(len(x), *shape))
    if sector is None:
        sampler = Metropolis(amplitudes, N, net.phys_dim, chains, seed)
    else:
        sampler = ExchangeMetropolis(amplitudes, N, sector, chains=chains, seed=seed)
    configs = np.empty((draws, chains, N), np.min_scalar_type(-net.phys_dim))
    logabs = np.empty((draws, chains))
    burn_in = max(MIN_BURN_IN, draws // 4)
    for sweep in progress(range(burn_in + draws), progbar):
        sampler.sweep()
        if sweep == burn_in - 1:
            sampler.forget()
        if sweep >= burn_in:
            configs[sweep - burn_in], logabs[sweep - burn_in] = sampler.configs, sampler.logabs
    return Samples(configs, logabs, sampler.acceptance)


def sampled_energy(
    net: Any,
    H: FlipMasks,
    sector: int | None = None,
    samples: int = 2**12,
    seed: Any = None,
    progbar: bool = False,
) -> SampledEnergy:
    """The energy of a network from samples.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
        Hermitian; keeps the sector.
    sector : int, optional
        A number of ones.
    samples, seed, progbar
        See `draw_samples`.

    Returns
    -------
    SampledEnergy

    Raises
    ------
    ConfigError
        If no configuration of non-zero amplitude was found.

    Warns
    -----
    SamplingWarning
        If chains stood still or did not mix.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> from quimb_deepnets.groundstate.sampled import sampled_energy
    >>> net = qdn.ConvAC.graph_state(4, distance=1, kernel=2)
    >>> H = FlipMasks({(0, 1, 2): -qu.pauli("Z") & qu.pauli("X") & qu.pauli("Z")}, net.sites)
    >>> round(sampled_energy(net, H, seed=0).mean, 9)
    -1.0
    """
    evaluator = net._bare().evaluator()
    drawn = draw_samples(evaluator, sector, samples, seed, progbar)
    draws, chains, N = drawn.configs.shape
    local = local_energies(evaluator, H, drawn.configs.reshape(-1, N)).reshape(draws, chains)
    energy = float(local.real.mean())
    means = local.real.mean(0)
    estimate = SampledEnergy(
        energy,
        float(means.std(ddof=1)) / math.sqrt(chains),
        float((abs(local - energy) ** 2).mean()),
        _rhat(drawn, local.real),
        drawn.acceptance,
        autocorrelation_time(local.real),
        local.size,
    )
    _warn_of_chains(estimate, bool((drawn.configs != drawn.configs[0]).any()))
    return estimate


def _rhat(drawn, local):
    """The largest R-hat of local energies, amplitudes and the digit of each site."""
    half = len(local) // 2
    halves = np.concatenate((drawn.configs[:half], drawn.configs[-half:]), axis=1)
    sites = rhat_of(half, halves.mean(0), halves.var(0, ddof=1))
    return max(split_rhat(local), split_rhat(drawn.logabs), float(sites.max()))


def _warn_of_chains(estimate, moved):
    """Say that chains stood still, or that they did not mix."""
    if not moved:
        said = "no chain ever moved, so modes out of reach of each other may be missed"
    elif estimate.rhat > MAX_RHAT:
        said = (
            f"the chains did not mix: R-hat is {estimate.rhat:.3f}, above {MAX_RHAT}, so energy "
            "and error may be wrong"
        )
    else:
        return
    warnings.warn(
        f'{said}; use more samples, or method="full" or "exact" where they fit.',
        SamplingWarning,
        stacklevel=4,
    )
