"""Metropolis sampling of a wave function: many chains at once.

Configurations are drawn with probability ``|psi(s)|^2``, for any state that gives phases and
logarithms of batches of amplitudes. Each chain has companions at higher temperatures, which draw
from ``|psi(s)|^(2 beta)`` and trade places with it, so that it crosses valleys::

    beta = 1      s0--s1  t2--t3           0110100  --one site--->  0010100
                        \\ /     s and t    0110100  --exchange--->  1010100
    beta = 0.35   t0--t1/ \\s2--s3 trade    0110100  --many sites->  1110011
    beta = 0.1    u0--u1--u2--u3           0110100  --all alike-->  1001011

Where all windows of a network are tabulated, and of real Boltzmann machines, a compiled loop runs
the chains, `evaluation.chains`; else each step evaluates one batch of all chains and companions,
`batched`.
"""

import math
import warnings
from typing import Any

import numpy as np

from ..errors import OptionError, SamplingWarning, check_positive_int
from ..evaluation.chains import WindowChains
from ..evaluation.hidden_chains import HiddenChains
from ..kernels.hidden_metropolis import HiddenTables
from ..kernels.metropolis import ChainTables
from ..numerics.shown import Shown
from ..numerics.weights import make_rng
from .batched import BatchedChains
from .diagnostics import why_doubtful
from .moves import check_sector, read_moves
from .record import Record
from .starts import Starts
from .states import read_state

MAX_LEVELS, NATS_PER_LEVEL = 8, 2.0
LOOK, MAX_RHAT = 128, 1.2  # sweeps after which chains are looked at, and what is too much then
LOOPS: dict[Any, Any] = {ChainTables: WindowChains, HiddenTables: HiddenChains}


class Metropolis(Shown):
    """Chains of configurations that sample ``|psi(s)|^2``.

    Parameters
    ----------
    state : network, quimb vector of ours, object with ``log_amplitudes``, or callable
        What is sampled. An object of your own has a method ``log_amplitudes`` that takes
        configurations, ints of shape ``(B, *shape)``, and gives ``(phase, logabs)``, each
        ``(B,)``, numpy or torch, as `ConvAC.log_amplitudes` does; a callable is that method.
    chains : int, optional
        How many independent chains.
    moves : sequence of str and arrays, optional
        What is proposed: ``"flip"`` (one site), ``"exchange"`` (two sites of different digits),
        ``"many"`` (any number of sites), ``"shuffle"`` (some sites permute their digits),
        ``"all"`` (every site alike), and masks, ints of shape ``(m, *shape)`` that are added
        modulo the local dimension, or taken away. By default flips, exchanges, many and all; in
        a sector exchanges, shuffles and, at half filling, all. Beyond 16 sites those of many
        sites are rarer, so that a sweep spends no more on them than there.
    sector : int, optional
        A number of ones, of qubits, that no proposal changes.
    levels : int, optional
        How many temperatures; 1 is plain Metropolis. By default one for a flat state, and one more
        for every 2 nats by which ``log |psi|^2`` spreads over random configurations, up to 8.
    seed : None, int or numpy.random.Generator, optional
    start : array_like of int, shape (*shape) or (chains, *shape), optional
        Where the chains begin. By default each begins at one of 64 uniform configurations, of the
        sector if there is one, taken with probability proportional to ``|psi(s)|^2``, so that
        chains start apart.
    shape : int or (int, int), optional
        The sites, if ``state`` does not say it: their number, or the sides of a lattice.
    phys_dim : int, optional
        The local dimension, if ``state`` does not say it, by default 2.

    Attributes
    ----------
    betas : numpy.ndarray, shape (levels,)
        Inverse temperatures, the first of them 1.
    chains, nsites, phys_dim : int
    sector : int or None
    moves : tuple[str]
        Names of what is proposed.
    network : network or None
        The network behind the state, if there is one.
    compiled : bool
        Whether a compiled loop runs the chains.

    Raises
    ------
    ConfigError
        If no configuration of non-zero amplitude was found, ``start`` is not one, or is outside
        the sector, or masks do not fit.
    OptionError
        If an option is not understood, the sector does not exist, or a move always leaves it.
    MethodError, RangeError
        If the state does not give batches of amplitudes, or gives nan or infinite ones, also later.

    Notes
    -----
    Metropolis et al., J. Chem. Phys. 21, 1087 (1953); replica exchange: Hukushima and Nemoto,
    arXiv:cond-mat/9512035. Chains never speak to each other, only to their own companions, so they
    stay independent. Modes behind amplitudes of exactly zero may stay out of reach: `rhat` tells
    if chains are in different ones, and nothing tells of a mode that no chain has seen. A chain at
    an amplitude of zero, where `renew` may leave it, takes every proposal.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(12, depth=2, kernel=3, bond_dim=2, dist="uniform", loc=1, seed=0)
    >>> sampler = qdn.Metropolis(net, chains=32, seed=0)
    >>> sampler.sweep(50)
    >>> sampler.configs.shape, 0 < sampler.acceptance <= 1, sampler.rhat < 1.1
    ((32, 12), True, True)
    >>> sampler = qdn.Metropolis(net, chains=32, moves=("exchange",), sector=6, seed=0)
    >>> sampler.sweep()
    >>> sampler.configs.sum(1).tolist() == [6] * 32
    True
    """

    def __init__(
        self,
        state: Any,
        chains: int = 128,
        moves: Any = None,
        sector: int | None = None,
        levels: int | None = None,
        seed: Any = None,
        start: Any = None,
        shape: Any = None,
        phys_dim: int | None = None,
    ) -> None:
        self.chains = check_positive_int("chains", chains, OptionError)
        self._state = read_state(state, None, shape, phys_dim)
        self.nsites, self.phys_dim = self._state.nsites, self._state.phys_dim
        self.sector = check_sector(sector, self.nsites, self.phys_dim)
        kinds = self._state.shape, self.phys_dim, self.sector
        self._moves, self.moves = read_moves(moves, *kinds)
        if levels is not None:
            check_positive_int("levels", levels, OptionError)
        self._rng, self._warns = make_rng(seed), True
        starts = Starts(self._state, self.chains, self.sector, self._rng)
        digits, spread = starts.drawn() if start is None else starts.given(start, levels is None)
        if levels is None:
            levels = 1 + min(MAX_LEVELS - 1, math.ceil(spread / NATS_PER_LEVEL))
        self.betas = np.linspace(1, 0, levels + 1)[:-1] ** 1.5
        self._begin(digits)
        starts.check(self.log_amplitudes[1])
        self.forget()

    def _begin(self, digits):
        """Make the chains, compiled where that can be."""
        self.network, tables = self._state.network, self._state.tables()
        self.compiled = tables is not None
        rest = self.phys_dim, digits, self.betas, self._moves, self._rng
        self._chains: Any
        if self.compiled:
            self._chains = LOOPS[type(tables)](tables, *rest)
        else:
            self._chains = BatchedChains(self._state.evaluate, *rest)

    def __repr__(self) -> str:
        parts = [f"chains={self.chains}", f"levels={len(self.betas)}", f"moves={self.moves}"]
        if self.sector is not None:
            parts.append(f"sector={self.sector}")
        parts.append("compiled" if self.compiled else "in batches")
        name, sites = self._state.name, self.nsites
        return f"{type(self).__name__}({name} of {sites} sites, {', '.join(parts)})"

    # ------------------------------------------------------------ where the chains are

    @property
    def configs(self) -> np.ndarray:
        """Where the chains are, ints of shape ``(chains, *shape)``, a copy."""
        return self.digits.reshape(self.chains, *self._state.shape)

    @property
    def digits(self) -> np.ndarray:
        """The same with flat sites, rows of a lattice first, ``(chains, N)``."""
        return self._chains.digits.astype(np.int64)

    @property
    def log_amplitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """The phases of the amplitudes there and the logarithms of their moduli, ``(chains,)``."""
        return self._chains.log_amplitudes

    def evaluate(self, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Phases and logarithms of the amplitudes at digits ``(B, N)``, each ``(B,)``, of numpy."""
        return self._state.evaluate(digits)

    # ------------------------------------------------------------ how they move

    def sweep(self, n: int = 1, steps: int | None = None) -> None:
        """Run all chains for ``n`` sweeps.

        Parameters
        ----------
        n : int, optional
        steps : int, optional
            Proposals of each chain in a sweep, by default as many as there are sites.

        Warns
        -----
        SamplingWarning
            Once, if after 128 sweeps or more chains stand still or disagree.
        """
        left = check_positive_int("n", n, OptionError)
        steps = self.nsites if steps is None else check_positive_int("steps", steps, OptionError)
        steps = steps if self.phys_dim > 1 else 0
        while left:
            some = min(left, self._record.block)
            self._record.add(*self._chains.run(some, steps))
            left -= some
        if self._warns and self._record.count >= LOOK:
            self._warn_of_chains()

    def _warn_of_chains(self):
        """Say once that chains stand still, or do not mix."""
        self._warns = False
        counts = self.acceptance, self.moved, self._record.count
        if (doubt := why_doubtful(self.rhat, *counts, MAX_RHAT)) is not None:
            warnings.warn(
                f"{doubt}; use other moves, more levels, or start= in all modes of the state.",
                SamplingWarning,
                stacklevel=3,
            )

    def quiet(self) -> None:
        """Never warn: whoever sampled looks at `rhat`, `moved` and `acceptance`."""
        self._warns = False

    def forget(self) -> None:
        """Count and note anew: what was sampled so far was burn-in."""
        self._chains.forget()
        self._record = Record(self.chains, self.nsites, self.phys_dim)

    def renew(self, state: Any) -> None:
        """Go on with another state on the same sites, such as the next step of a training.

        Parameters
        ----------
        state : as of the class

        Raises
        ------
        OptionError
            If it is on other sites.
        """
        self._state = read_state(state, None, self._state.shape, self.phys_dim)
        self.network = self._state.network
        tables = self._state.tables()
        if self.compiled and tables is not None:
            self._chains.renew(tables)
        elif not self.compiled and tables is None:
            self._chains.renew(self._state.evaluate)
        else:
            self._begin(self.digits)
        self.forget()

    # ------------------------------------------------------------ how well they mix

    @property
    def acceptance(self) -> float:
        """The share of proposals accepted since the last `forget`, from 0 to 1.

        Only proposals that change something count.
        """
        proposed, accepted = self._chains.counts
        return accepted / proposed if proposed else 0.0

    @property
    def rhat(self) -> float:
        """The largest split R-hat of ``log |psi|`` and of each site since the last `forget`.

        1 where chains sample the same, above 1.05 where they did not mix, ``inf`` where they stand
        still apart; nan before 4 sweeps.
        """
        return self._record.rhat()

    @property
    def autocorrelation_time(self) -> float:
        """How many sweeps are worth one independent draw, since the last `forget`.

        Of ``log |psi|`` or of the sites, whichever is slower; nan before 4 sweeps.
        """
        return self._record.autocorrelation_time()

    @property
    def moved(self) -> float:
        """The share of chains that left where they were after the first sweep that counts."""
        return self._record.moved()
