"""Compiled Metropolis chains of a network whose windows are all tabulated.

The tables and windows that the loop reads, and the state of the chains that it changes::

    net --choose how many windows are merged--> RowTables, holders of each site
                                                        |
    digits (C, K, N) of C chains at K temperatures  --> loop, chains shared by threads
"""

from typing import Any

import numpy as np

from ..geometry.branches import folded_branches
from ..kernels.compiled import has_loops, in_threads
from ..kernels.metropolis import ChainStates, ChainTables, proposal, replicas, run_chains
from ..kernels.proposals import ChainMoves
from ..kernels.row_tiles import aligned_ones, filled
from ..numerics.scaled import Scaled, readable
from ..numerics.torch_modes import full_precision
from .masks import holders_of
from .plan import make_plan
from .row_tables import RowTables

MAX_TABLE = 2**18  # bytes that stay near a core while all else passes
LEAST = 4096  # proposals that are worth a thread


@full_precision
def chain_tables(net):
    """What `run_chains` reads of a ConvAC, or None where it cannot.

    Parameters
    ----------
    net : ConvAC

    Returns
    -------
    ChainTables or None
        None for arrays that have no loops, layers that are not tabulated, and tables with an
        exponent for each entry.
    """
    leaves = tuple(net.params.leaves.values())
    if not (has_loops(*leaves) and all(map(readable, leaves)) and 1 < net.phys_dim < 256):
        return None
    group = _group(net)
    tables = None if group is None else RowTables(net, group)
    if tables is None or not tables.even:
        return None
    rows = tables.rows()
    rows = rows._replace(table=rows.table.astype(rows.readout.dtype))  # one loop for both sizes
    count, r = rows.table.shape
    missing = np.zeros((count + 1, r), np.int64)
    missing[:count] = rows.table == 0
    factors = aligned_ones((2, count + 1, filled(r, rows.table.dtype)), rows.table.dtype)
    np.copyto(factors[0, :count, :r], rows.table, where=rows.table != 0)
    np.divide(1, factors[0], out=factors[1])
    return ChainTables(rows, factors, missing, _padded(tables.holders, len(rows.offsets)))


def _group(net):
    """How many windows to merge, so that a site is in few and their table stays in the cache."""
    g, size = net.geometry, net._like.itemsize
    best, longest = None, len(folded_branches(g).levels[-1].kind_of)
    for last in range(1, longest + 1):
        if longest % last:
            continue  # a rest of fewer windows has entries of another size
        group = (*(1,) * (g.ndim - 1), last)
        plan = make_plan(g, 1, size, g.depth, group, net._machine)
        if plan is None or (best is not None and plan.table_bytes > MAX_TABLE):
            break
        touched = len(holders_of(g, g.depth, group).windows)
        if best is None or touched < best[0]:
            best = touched, group
    return None if best is None else best[1]


def _padded(holders, count):
    """Holders as windows and strides ``(N, T, 2)``, those that are missing in window ``count``."""
    counts = np.diff(holders.starts)
    out = np.zeros((len(counts), counts.max(), 2), np.int32)
    out[:, :, 0] = count
    here = np.arange(out.shape[1]) < counts[:, None]
    out[here] = np.stack((holders.windows, holders.strides), axis=1)
    return out


class LoopedChains:
    """Chains that a compiled loop runs.

    Parameters
    ----------
    tables : NamedTuple
        What the loop reads.
    phys_dim : int
    start : numpy.ndarray of int, shape (chains, N)
        Where all levels of each chain begin.
    betas : numpy.ndarray, shape (levels,)
        Inverse temperatures, the first of them 1.
    moves : ChainMoves
    rng : numpy.random.Generator
        Seeds the generator of each chain.
    """

    def __init__(
        self,
        tables: Any,
        phys_dim: int,
        start: np.ndarray,
        betas: np.ndarray,
        moves: ChainMoves,
        rng: np.random.Generator,
    ) -> None:
        chains, levels = len(start), len(betas)
        self._moves, self._phys_dim, self._betas = moves, phys_dim, betas
        self._digits = np.repeat(start[:, None].astype(np.uint8), levels, axis=1)
        self._slots = np.tile(np.arange(levels), (chains, 1))
        self._words = rng.integers(2**64, size=(chains, 4), dtype=np.uint64)
        self._counts = np.zeros((chains, 2), np.int64)
        self.renew(tables)

    def renew(self, tables: Any) -> None:
        """Go on with other tables of the same sites."""
        self._tables = tables
        self._begin(tables)
        self.run(0, 0)  # only looks where the chains are

    def _begin(self, tables):
        """Arrays for the amplitudes of all levels."""
        raise NotImplementedError

    def _loop(self, kept, logs, steps):
        """The loop, a function of the first chain and the one behind the last."""
        raise NotImplementedError

    def _first(self, x):
        return x[np.arange(len(x)), self._slots[:, 0]]

    @property
    def digits(self) -> np.ndarray:
        """Where the chains are, ``(chains, N)``."""
        return self._first(self._digits)

    @property
    def counts(self) -> tuple[int, int]:
        """How many proposals changed something, and how many of these were accepted."""
        proposed, accepted = self._counts.sum(0)
        return int(proposed), int(accepted)

    def forget(self) -> None:
        """Count anew."""
        self._counts[:] = 0

    def run(self, sweeps: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Run the chains on, and note where they are after each sweep.

        Parameters
        ----------
        sweeps : int
        steps : int
            Proposals of each chain and level in a sweep.

        Returns
        -------
        digits : numpy.ndarray of uint8, shape (sweeps, chains, N)
        logabs : numpy.ndarray, shape (sweeps, chains)
        """
        chains, levels, sites = self._digits.shape
        kept, logs = np.empty((sweeps, chains, sites), np.uint8), np.empty((sweeps, chains))
        least = max(1, LEAST // max(1, sweeps * steps * levels))
        in_threads(self._loop(kept, logs, steps), chains, least=least)
        return kept, logs


class WindowChains(LoopedChains):
    """Chains of a network whose windows are all tabulated."""

    def _begin(self, tables):
        self._psi = np.empty(self._slots.shape, tables.rows.readout.dtype)
        self._top = np.empty(self._slots.shape, np.int64)
        self._levels = replicas(tables, self._slots.size)

    @property
    def log_amplitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """The phases and the logarithms of the amplitudes there, each ``(chains,)``."""
        return Scaled(self._first(self._psi), self._first(self._top).astype(float)).phase_and_log()

    def _loop(self, kept, logs, steps):
        states = ChainStates(
            self._digits, self._slots, self._words, self._psi, self._top, self._counts, kept, logs
        )  # fmt: skip

        def _run(first, last):
            new = proposal(self._tables, self._digits.shape[2])
            with np.errstate(over="ignore"):  # of integers, where numba is told not to compile
                run_chains(
                    first, last, states, self._tables, self._levels, new, self._moves,
                    self._betas, self._phys_dim, steps,
                )  # fmt: skip

        return _run
