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
from ..jobs import as_pool
from ..numerics.weights import make_rng
from ..sampling.diagnostics import autocorrelation_time, rhat_of, split_rhat
from .operators import FlipMasks
from .shards import Request, Samples, sharded_samples

MIN_CHAINS, MAX_CHAINS, MIN_DRAWS, MIN_BURN_IN = 32, 1024, 16, 16
MAX_RHAT = 1.1


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
    net: Any,
    H: FlipMasks,
    sector: int | None,
    samples: int,
    seed: Any = None,
    progbar: bool = False,
    executor: Any = None,
) -> Samples:
    """Samples of ``|psi|^2`` from independent Markov chains, and local energies there.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int or None
        A number of ones.
    samples : int
        Rounded up to whole draws of all chains, at least 16 of each. Beyond 4096 there are about as
        many chains as draws of each: burn-in, a quarter of the draws, has to grow as the error
        falls.
    seed : None, int or numpy.random.Generator, optional
    progbar : bool, optional
    executor : optional
        See `sharded_samples`.

    Returns
    -------
    Samples
    """
    check_positive_int("samples", samples, OptionError)
    chains = min(MAX_CHAINS, max(MIN_CHAINS, min(samples // 64, math.isqrt(samples))))
    draws = max(MIN_DRAWS, -(-samples // chains))
    burn_in = max(MIN_BURN_IN, draws // 4)
    request = Request(net, (H,), sector, chains, draws, burn_in, steps=net.nsites)
    return sharded_samples(request, None, make_rng(seed), as_pool(executor), progbar)


def sampled_energy(
    net: Any,
    H: FlipMasks,
    sector: int | None = None,
    samples: int = 2**12,
    seed: Any = None,
    progbar: bool = False,
    executor: Any = None,
) -> SampledEnergy:
    """The energy of a network from samples.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
        Hermitian; keeps the sector.
    sector : int, optional
        A number of ones.
    samples, seed, progbar, executor
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
    drawn = draw_samples(net._bare(), H, sector, samples, seed, progbar, executor)
    (local,), chains = drawn.values, drawn.configs.shape[1]
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
    warn_of_chains(estimate.rhat, bool((drawn.configs != drawn.configs[0]).any()), stacklevel=5)
    return estimate


def _rhat(drawn, local):
    """The largest R-hat of local energies, amplitudes and the digit of each site."""
    half = len(local) // 2
    halves = np.concatenate((drawn.configs[:half], drawn.configs[-half:]), axis=1)
    sites = rhat_of(half, halves.mean(0), halves.var(0, ddof=1))
    return max(split_rhat(local), split_rhat(drawn.logabs), float(sites.max()))


def warn_of_chains(rhat: float, moved: bool, stacklevel: int, max_rhat: float = MAX_RHAT) -> None:
    """Say that chains stood still, or that they did not mix.

    Parameters
    ----------
    rhat : float
    moved : bool
        Whether any chain ever did.
    stacklevel : int
        Of the caller of what the user called.
    max_rhat : float, optional

    Warns
    -----
    SamplingWarning
    """
    if not moved:
        said = "no chain ever moved, so modes out of reach of each other may be missed"
    elif rhat > max_rhat:
        said = (
            f"the chains did not mix: R-hat is {rhat:.3f}, above {max_rhat}, so energy "
            "and error may be wrong"
        )
    else:
        return
    warnings.warn(
        f'{said}; use more samples, or method="full" or "exact" where they fit.',
        SamplingWarning,
        stacklevel=stacklevel,
    )
