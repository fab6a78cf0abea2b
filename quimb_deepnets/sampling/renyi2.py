"""The second Renyi entropy by Monte Carlo, with an error bar, at any number of sites.

Two independent copies of the state swap their parts in A (Hastings, Gonzalez, Kallin, Melko,
arXiv:1001.2335)::

    s   =  s_A  s_B            x  = (s, s')          g(x)  = psi(s_A s_B)  psi(s'_A s'_B)
             \\                                       g(Tx) = psi(s'_A s_B) psi(s_A s'_B)
    s'  =  s'_A  s'_B          Tx = A swapped        2**(-S2) = sum_x g(x) conj(g(Tx))

With s and s' drawn from ``|psi|^2``, their estimator is ``g(Tx) / g(x)``, which can be as large as
it is rare. Since T undoes itself, x and Tx can be averaged with their own probabilities
``|g(x)|^2`` and ``|g(Tx)|^2``: what is left is ``2 Re g(x) conj(g(Tx)) / (|g(x)|^2 + |g(Tx)|^2)``,
with the same mean, a smaller variance, and never larger than 1.
"""

import math
import warnings
from typing import Any

import numpy as np

from ..conversion.vanishing import check_not_cancelled
from ..errors import MethodError, OptionError, RangeError, SamplingWarning, check_positive_int
from ..geometry.where import read_where
from ..jobs.progress import progress
from ..networks import DeepNetwork
from ..numerics.shown import Shown
from ..numerics.traced import check_constant
from ..tensors.amplitudes import StateAmplitudes
from .diagnostics import autocorrelation_time, split_rhat, why_doubtful
from .metropolis import Metropolis

MIN_PAIRS, MIN_DRAWS, MIN_BURN_IN = 8, 16, 16
MAX_RELATIVE_ERROR = 0.3


_SAMPLED = ("rhat", "acceptance", "samples", "autocorrelation", "moved")


class RenyiEstimate(Shown, tuple):
    """A second Renyi entropy and its error, in bits: unpacks as ``mean, error``.

    Attributes
    ----------
    mean, error : float
        The estimate, and its standard error.
    rhat : float
        The largest split R-hat of what was sampled: the swap estimator, the logarithm of the
        amplitudes, the state of each site. Above 1.05 the chains did not mix.
    acceptance : float
        The share of proposals that were accepted, of those that change something, after burn-in.
    moved : float
        The share of chains that left where they were after burn-in.
    samples : int
        Configurations used; half as many pairs.
    autocorrelation : float
        Integrated autocorrelation time of the swap estimator, in sweeps.
    """

    rhat: float
    acceptance: float
    moved: float
    samples: int
    autocorrelation: float

    def __new__(cls, mean, error, rhat, acceptance, samples, autocorrelation, moved=1.0):
        self = super().__new__(cls, (mean, error))
        self.rhat, self.acceptance, self.moved = rhat, acceptance, moved
        self.samples, self.autocorrelation = samples, autocorrelation
        return self

    def __getnewargs__(self):
        return (*self, *map(vars(self).get, _SAMPLED))

    @property
    def mean(self):
        """The entropy, in bits."""
        return self[0]

    @property
    def error(self):
        """Its standard error, in bits."""
        return self[1]

    def __repr__(self):
        return (
            f"RenyiEstimate({self.mean:.4g} +- {self.error:.2g} bits, rhat={self.rhat:.3f}, "
            f"acceptance={self.acceptance:.2f}, samples={self.samples}, "
            f"autocorrelation={self.autocorrelation:.1f})"
        )


def renyi2_estimate(
    net: Any,
    where: Any,
    samples: int = 2**14,
    chains: int | None = None,
    seed: Any = None,
    progbar: bool = False,
    start: Any = None,
) -> RenyiEstimate:
    """The Renyi entropy ``S2 = -log2 Tr rho_A^2`` by sampling, with its error.

    Parameters
    ----------
    net : ConvAC, RAC, RBM, RecursiveTree, RecursiveMPS or CollapsedVector
        A state that gives batches of amplitudes; it need not be normalised.
    where : int or sequence of sites
        The subsystem A: the first so many sites, or sites by name.
    samples : int, optional
        Configurations to draw, rounded up to whole draws of all chains, at least 16 of each; half
        as many pairs.
    chains : int, optional
        Independent chains, an even number; chain i is paired with chain ``i + chains / 2``. By
        default 128, or fewer, down to 32, so that each gives at least 64 draws.
    seed : None, int or numpy.random.Generator, optional
    progbar : bool, optional
        Show a progress bar over the sweeps.
    start : array_like of int, optional
        Where the chains begin, see `Metropolis`; sites flat, rows first.

    Returns
    -------
    RenyiEstimate
        ``mean, error`` in bits, and attributes that say how the sampling went.

    Raises
    ------
    MethodError
        If ``net`` is another kind of state.
    SitesError, OptionError, ConfigError
        If the subsystem, an option or ``start`` is not understood.
    RangeError
        If the purity cannot be told from zero, or the state cancels to round-off.

    Warns
    -----
    SamplingWarning
        If no chain ever moved, or half of them or almost all proposals stood still; if R-hat is
        above 1.05, or the relative error of the purity above 0.3.

    Notes
    -----
    The swap estimator of arXiv:1001.2335, averaged over both orders of the swap. Its error is the
    spread of the means of independent pairs of chains, whatever their autocorrelation; the
    logarithm and its bias are treated by a jackknife over pairs. The purity is known to about
    ``sqrt(2 / samples)`` times the root of the autocorrelation time, so that with the default
    entropies up to 4 bits have a relative error below 0.2, and each further bit takes 4 times the
    samples. An event rarer than one in all pairs is never seen: one of that size is part of the
    error.

    **What no chain has seen is not in the estimate.** A mode behind amplitudes of exactly zero, or
    one configuration with most of the weight among very many, stays hidden from all chains alike:
    then they agree, R-hat is 1 and the error small, and both are wrong. Chains that stand still
    are warned about, because a state of one configuration looks the same; chains that move within
    one mode of several are not, and cannot be. Where modes are known, put chains into each with
    ``start=``; where the state is small, compare with `renyi_entropy`.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.sampling.renyi2 import renyi2_estimate
    >>> net = qdn.RBM.rand(8, alpha=2, scale=0.5, seed=0)
    >>> mean, error = renyi2_estimate(net, 4, samples=2**12, seed=0)
    >>> 0 < error < 0.2
    True
    """
    if not isinstance(net, (DeepNetwork, StateAmplitudes)):
        raise MethodError(
            f"renyi2_estimate needs batches of log_amplitudes, and a {type(net).__name__} has "
            "none; it takes a ConvAC, RAC, RBM, RecursiveTree, RecursiveMPS or CollapsedVector."
        )
    sites: tuple = tuple(net.sites)
    A = np.array(read_where(sites, where))
    tensors: Any = () if isinstance(net, DeepNetwork) else net
    held = net.params.leaves.values() if isinstance(net, DeepNetwork) else ()
    check_constant([*held, *(t.data for t in tensors)], "sampling (renyi2_estimate)")
    chains, draws = _check_counts(samples, chains)
    sampler = Metropolis(net, chains, seed=seed, start=start)
    sampler.quiet()
    record = _SwapRecord(sampler, A, draws)
    burn_in = max(MIN_BURN_IN, draws // 4)
    for sweep in progress(range(burn_in + draws), progbar):
        sampler.sweep()
        if sweep == burn_in - 1:
            sampler.forget()
        if sweep >= burn_in:
            record.add(sweep - burn_in)
    if sampler.network is not None:
        check_not_cancelled(sampler.network, sampler.configs)
    estimate = _summary(record, sampler)
    _warn_of_chains(estimate, burn_in + draws)
    return estimate


def _warn_of_chains(estimate, sweeps):
    """Say that chains stood still, or that they did not mix."""
    doubt = why_doubtful(estimate.rhat, estimate.acceptance, estimate.moved, sweeps)
    if doubt is None:
        return
    warnings.warn(
        f"{doubt}; use more samples, give start= in all modes of the state, or compare with "
        "renyi_entropy.",
        SamplingWarning,
        stacklevel=3,
    )


def _check_counts(samples, chains):
    """How many chains, and how many draws each gives, at least 16."""
    check_positive_int("samples", samples, OptionError)
    if chains is None:
        chains = min(128, max(32, samples // 64 // 2 * 2))
    if check_positive_int("chains", chains, OptionError) % 2 or chains < 2 * MIN_PAIRS:
        raise OptionError(
            f"chains={chains} must be even, because chains are paired, and at least "
            f"{2 * MIN_PAIRS}, because the error is their spread; use {2 * MIN_PAIRS} or 128."
        )
    return chains, max(MIN_DRAWS, -(-samples // chains))


class _SwapRecord:
    """The swap estimator of all draws."""

    def __init__(self, sampler, A, draws):
        self.sampler, self.A = sampler, A
        self.swaps = np.empty((draws, sampler.chains // 2))

    def add(self, t):
        """Measure the chains where they are, as draw ``t``."""
        self.swaps[t] = self._swap()

    def _swap(self):
        """``2 Re g(x) conj(g(Tx)) / (|g(x)|^2 + |g(Tx)|^2)`` for every pair of chains."""
        s, pairs = self.sampler, self.sampler.chains // 2
        digits = s.digits
        swapped = digits.copy()
        swapped[:pairs, self.A] = digits[pairs:, self.A]
        swapped[pairs:, self.A] = digits[:pairs, self.A]
        (phase, logabs), (here, logs) = s.evaluate(swapped), s.log_amplitudes
        pair = lambda x: x[:pairs] * x[pairs:]
        drop = (logabs - logs).reshape(2, pairs).sum(0)
        with np.errstate(over="ignore"):
            return (pair(phase) * pair(here).conj()).real / np.cosh(drop)

    def rhat(self):
        """The largest R-hat of all that was measured."""
        return max(self.sampler.rhat, split_rhat(self.swaps))


def _summary(record, sampler):
    """The jackknife over pairs, the floor of what can be seen, and the warnings of noise."""
    means = record.swaps.mean(0)
    pairs, purity = len(means), float(means.mean())
    tau = autocorrelation_time(record.swaps)
    floor = tau / record.swaps.size
    error = math.hypot(means.std(ddof=1) / math.sqrt(pairs), floor)
    if purity <= error:
        raise RangeError(
            f"the purity is {purity:.2g} +- {error:.2g}, which cannot be told from zero, so it has "
            "no logarithm; use more samples, or a smaller subsystem."
        )
    if error > MAX_RELATIVE_ERROR * purity:
        warnings.warn(
            f"the purity is {purity:.2g} +- {error:.2g}: with a relative error above "
            f"{MAX_RELATIVE_ERROR} the entropy is rough and its error rougher; use more samples, "
            "or a smaller subsystem.",
            SamplingWarning,
            stacklevel=3,
        )
    left_out = -np.log2((means.sum() - means) / (pairs - 1))
    mean = 0.0 - pairs * math.log2(purity) - (pairs - 1) * float(left_out.mean())
    spread = math.sqrt((pairs - 1) / pairs * float(((left_out - left_out.mean()) ** 2).sum()))
    error = math.hypot(spread, floor / (purity * math.log(2)))
    used, moved = record.swaps.size * 2, sampler.moved
    return RenyiEstimate(mean, error, record.rhat(), sampler.acceptance, used, tau, moved)
