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

from ..errors import OptionError, SamplingWarning, check_positive_int
from ..jobs.progress import progress
from ..sampling.diagnostics import autocorrelation_time, rhat_of, split_rhat
from ..sampling.metropolis import Metropolis
from .local import local_energies
from .operators import FlipMasks

MIN_CHAINS, MAX_CHAINS, MIN_DRAWS, MIN_BURN_IN = 32, 128, 16, 16
MAX_RHAT = 1.1


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
    sampler = Metropolis(net, chains, sector=sector, seed=seed)
    configs = np.empty((draws, chains, net.nsites), np.min_scalar_type(-net.phys_dim))
    logabs = np.empty((draws, chains))
    burn_in = max(MIN_BURN_IN, draws // 4)
    for sweep in progress(range(burn_in + draws), progbar):
        sampler.sweep()
        if sweep == burn_in - 1:
            sampler.forget()
        if sweep >= burn_in:
            configs[sweep - burn_in] = sampler.digits
            logabs[sweep - burn_in] = sampler.log_amplitudes[1]
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
