"""Metropolis sampling of a wave function: many chains at once.

Configurations are drawn with probability ``|psi(s)|^2``, for any state that gives phases and
logarithms of batches of amplitudes. Each chain has companions at higher temperatures, which draw
from ``|psi(s)|^(2 beta)`` and trade places with it, so that it crosses valleys. A step proposes one
change each; all proposals are symmetric, and ``min(1, |psi(new)/psi(old)|^(2 beta))`` accepts::

    beta = 1      s0--s1  t2--t3           0110100  --one site--->  0010100
                        \\ /     s and t    0110100  --many sites->  1110011
    beta = 0.35   t0--t1/ \\s2--s3 trade    0110100  --all alike-->  1001011
    beta = 0.1    u0--u1--u2--u3           all of them are one batch
"""

import math

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import ConfigError, OptionError, check_positive_int
from ..numerics.traced import check_there
from ..numerics.weights import make_rng

CANDIDATES = 64  # uniform configurations out of which each chain starts
ROUNDS = 32
MAX_LEVELS, NATS_PER_LEVEL = 8, 2.0
MOVES = (0.7, 0.95)  # below: one site; below: many sites; else: all alike


class Metropolis:
    """Chains of configurations that sample ``|psi(s)|^2``.

    Parameters
    ----------
    log_amplitudes : callable
        Takes configurations, an int array of shape ``(B, N)``, and gives ``(phase, logabs)``, each
        of shape ``(B,)``, numpy or torch, as `ConvAC.log_amplitudes` does.
    nsites : int
        Number of sites, N.
    phys_dim : int, optional
        Local dimension; digits are ``0..phys_dim - 1``.
    chains : int, optional
        How many independent chains; they are evaluated in one batch.
    seed : None, int or numpy.random.Generator, optional
    start : array_like of int, shape (N,) or (chains, N), optional
        Where the chains begin. By default each begins at one of 64 uniform configurations, taken
        with probability proportional to ``|psi(s)|^2``, so that chains start apart.
    levels : int, optional
        How many temperatures; 1 is plain Metropolis. By default one for a flat state, and one more
        for every 2 nats by which ``log |psi|^2`` spreads over random configurations, up to 8.

    Attributes
    ----------
    betas : numpy.ndarray, shape (levels,)
        Inverse temperatures, the first of them 1.

    Raises
    ------
    ConfigError
        If no configuration of non-zero amplitude was found, or ``start`` is not one.
    OptionError
        If an option is not understood.

    Notes
    -----
    Metropolis et al., J. Chem. Phys. 21, 1087 (1953); replica exchange: Hukushima and Nemoto,
    arXiv:cond-mat/9512035. Chains never speak to each other, only to their own companions, so they
    stay independent. Modes behind amplitudes of exactly zero may stay out of reach: `split_rhat`
    tells if chains are in different ones, and nothing tells of a mode that no chain has seen.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.sampling.metropolis import Metropolis
    >>> net = qdn.RBM.rand(6, seed=0)
    >>> sampler = Metropolis(net.log_amplitudes, 6, chains=32, seed=0)
    >>> for _ in range(10):
    ...     sampler.sweep()
    >>> sampler.configs.shape, 0.5 < sampler.acceptance <= 1
    ((32, 6), True)
    """

    def __init__(
        self, log_amplitudes, nsites, phys_dim=2, chains=128, seed=None, start=None, levels=None
    ):
        self.nsites = check_positive_int("nsites", nsites, OptionError)
        self.phys_dim = check_positive_int("phys_dim", phys_dim, OptionError)
        self.chains = check_positive_int("chains", chains, OptionError)
        self._log_amplitudes, self._rng = log_amplitudes, make_rng(seed)
        self._proposed = self._accepted = self._steps = 0
        configs, spread = self._draw_start() if start is None else self._read_start(start)
        if levels is None:
            levels = 1 + min(MAX_LEVELS - 1, math.ceil(spread / NATS_PER_LEVEL))
        self.betas = np.linspace(1, 0, check_positive_int("levels", levels, OptionError) + 1)[:-1]
        self.betas = self.betas**1.5
        self._rows = np.repeat(self.betas, self.chains)
        self._all = [np.concatenate([x] * levels) for x in (configs, *self.evaluate(configs))]

    @property
    def configs(self):
        """Where the chains are, an int array of shape ``(chains, N)``."""
        return self._all[0][: self.chains]

    @property
    def phase(self):
        """The phases of the amplitudes there, shape ``(chains,)``."""
        return self._all[1][: self.chains]

    @property
    def logabs(self):
        """The natural logarithms of their moduli, shape ``(chains,)``."""
        return self._all[2][: self.chains]

    def evaluate(self, configs):
        """Phases and logarithms of amplitudes as numpy arrays, each ``(B,)``."""
        found = self._log_amplitudes(configs)
        check_there(found, "sampling")
        return tuple(to_numpy(stop_gradient(x)) for x in found)

    @property
    def acceptance(self):
        """The share of proposals accepted since the last `forget`, from 0 to 1.

        Only proposals that change something count.
        """
        return self._accepted / self._proposed if self._proposed else 0.0

    def forget(self):
        """Count acceptance anew: what was sampled so far was burn-in."""
        self._proposed = self._accepted = 0

    def sweep(self, steps=None):
        """As many steps as there are sites (or ``steps``), each one proposal per chain."""
        for _ in range(self.nsites if steps is None else steps):
            self.step()

    def step(self):
        """Propose one change to every chain, accept or reject it, and swap levels."""
        old, new = self._all, self.propose(self._all[0])
        new = [new, *self.evaluate(new)]
        accept = self._log_random(len(self._rows)) < 2 * self._rows * (new[2] - old[2])
        self._all = [
            np.where(accept[:, None] if x.ndim > 1 else accept, x, y) for x, y in zip(new, old)
        ]
        changes = (new[0] != old[0])[: self.chains].any(1)
        self._proposed += int(changes.sum())
        self._accepted += int((accept[: self.chains] & changes).sum())
        self._steps += 1
        if len(self.betas) > 1:
            self._swap_levels(self._steps % 2)

    def _swap_levels(self, first):
        """Exchange neighbouring levels ``first, first + 1``, then every second pair after them."""
        K, C = len(self.betas), self.chains
        lower = np.arange(first, K - 1, 2)
        logabs = self._all[2].reshape(K, C)
        gain = 2 * (self.betas[lower] - self.betas[lower + 1])[:, None]
        accept = self._log_random((len(lower), C)) < gain * (logabs[lower + 1] - logabs[lower])
        level, chain = accept.nonzero()
        here = lower[level] * C + chain
        order = np.arange(K * C)
        order[here], order[here + C] = here + C, here
        self._all = [x[order] for x in self._all]

    def _log_random(self, shape):
        """Logarithms of uniform numbers."""
        return -self._rng.standard_exponential(shape)

    def propose(self, configs):
        """Changed configurations, drawn so that the way back is as likely.

        Parameters
        ----------
        configs : numpy.ndarray of int, shape (B, N)

        Returns
        -------
        numpy.ndarray of int, shape (B, N)
        """
        rng, N, M = self._rng, self.nsites, self.phys_dim
        if M == 1:
            return configs
        B = len(configs)
        kind = rng.random(B)
        shift = np.zeros((B, N), configs.dtype)
        shift[np.arange(B), rng.integers(N, size=B)] = rng.integers(1, M, size=B)
        many = np.flatnonzero(kind >= MOVES[0])
        if many.size:
            rate = np.exp(rng.uniform(np.log(1 / N), 0, (len(many), 1)))  # 1 / N to 1
            chosen = rng.random((len(many), N)) < rate
            moved = rng.integers(1, M, size=(len(many), N))
            alike = kind[many, None] >= MOVES[1]
            shift[many] = np.where(alike, moved[:, :1], chosen * moved)
        return (configs + shift) % M

    def _draw_start(self):
        """For each chain one of many uniform configurations, by its probability; and the spread."""
        rng, found = self._rng, np.full(self.chains, -np.inf)
        configs, spread = np.zeros((self.chains, self.nsites), np.int64), 0.0
        for _ in range(ROUNDS):
            missing = np.flatnonzero(found == -np.inf)
            if not missing.size:
                break
            count = len(missing)
            some = rng.integers(self.phys_dim, size=(count * CANDIDATES, self.nsites))
            logabs = self.evaluate(some)[1]
            spread = _spread(logabs) or spread
            weights = 2 * logabs.reshape(count, CANDIDATES)
            best = (weights + rng.gumbel(size=weights.shape)).argmax(1)
            found[missing] = weights[np.arange(count), best]
            configs[missing] = some.reshape(count, CANDIDATES, -1)[np.arange(count), best]
        good = np.flatnonzero(found > -np.inf)
        if not good.size:
            raise ConfigError(
                f"all of {ROUNDS * CANDIDATES * self.chains} random configurations have amplitude "
                "zero, so no chain can begin; give one of non-zero amplitude as start=."
            )
        missing = np.flatnonzero(found == -np.inf)
        configs[missing] = configs[rng.choice(good, len(missing))]
        return configs, spread

    def _read_start(self, start):
        """The given configurations, one for each chain; and the spread of log |psi|^2."""
        try:
            given = np.asarray(start)
        except ValueError as error:
            raise ConfigError("start is ragged; give one digit for each site.") from error
        wide = given.shape in ((self.nsites,), (self.chains, self.nsites))
        if not wide or given.dtype.kind not in "iu" or given.min() < 0:
            raise ConfigError(
                f"start has shape {given.shape} and dtype {given.dtype}; give digits 0 to "
                f"{self.phys_dim - 1} as integers of shape ({self.nsites},) or "
                f"({self.chains}, {self.nsites})."
            )
        if given.max() >= self.phys_dim:
            raise ConfigError(
                f"start holds the digit {given.max()}, but with phys_dim={self.phys_dim} a site "
                f"takes 0 to {self.phys_dim - 1}; use digits in that range."
            )
        configs = np.broadcast_to(given, (self.chains, self.nsites)).astype(np.int64)
        some = self._rng.integers(self.phys_dim, size=(CANDIDATES, self.nsites))
        logabs = self.evaluate(np.concatenate((configs, some)))[1]
        if not np.isfinite(logabs[: self.chains]).all():
            raise ConfigError(
                "start holds a configuration of amplitude zero, where no chain can be; begin at "
                "configurations of non-zero amplitude."
            )
        return configs, _spread(logabs)


def _spread(logabs):
    """Standard deviation of ``log |psi|^2`` where it is not zero, in nats."""
    finite = logabs[np.isfinite(logabs)]
    return 2 * float(finite.std()) if len(finite) else 0.0
