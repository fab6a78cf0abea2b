"""Compiled Metropolis chains of a network whose windows are all tabulated.

The tables and windows of a `Lookup`, in the kinds of integers that the loop reads, and the state
of the chains that it changes::

    net --choose how many windows are merged--> tables, holders of each site
                                                        |
    digits (C, K, N) of C chains at K temperatures  --> loop, chains shared by threads
"""

from collections.abc import Callable

import numpy as np

from ..geometry.branches import folded_branches
from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.metropolis import ChainStates, ChainTables, run_chains, work_arrays
from ..kernels.proposals import ChainMoves
from ..numerics.configs import digits
from ..numerics.scaled import Scaled, full_precision, look, readable
from .lookup import Lookup
from .plan import make_plan
from .windows import row_codes, windows_of

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
    tables : ChainTables
    select : callable
        From digits ``(N, B)`` to the row of each window, ``(P, B)``.

        Or None for arrays that have no loops, layers that are not tabulated, and tables with an
        exponent for each entry.
    """
    leaves = tuple(net.params.leaves.values())
    if not (has_loops(*leaves) and all(map(readable, leaves)) and 1 < net.phys_dim < 256):
        return None
    group = _group(net)
    if group is None:
        return None
    windows = windows_of(net.geometry, net.depth, group)
    lookup = Lookup(net, group)
    if lookup.table.exponent is not None:
        return None
    table = as_rows(lookup.table.mantissa)
    tables = ChainTables(
        table,
        *_holders(windows, net.nsites, net.phys_dim),
        as_rows(lookup.readout.mantissa).astype(np.result_type(table.dtype, np.float64)),
        (look(lookup.readout.exponent) + lookup.centre).astype(np.int64),
        int(lookup.table.bits),
        bool((table == 0).any()),
    )
    return tables, lambda x: row_codes(x, windows, lookup.offsets, net.phys_dim)


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
        windows = windows_of(g, g.depth, group)
        touched = sum(some.sites.size for some in windows)
        if best is None or touched < best[0]:
            best = touched, group
    return None if best is None else best[1]


def _holders(windows, nsites, phys_dim):
    """The windows that hold each site, and what one more unit of it adds to their codes."""
    sites, holders, strides, first = [], [], [], 0
    for group in windows:
        count, width = group.sites.shape
        sites.append(group.sites.reshape(-1))
        holders.append(np.repeat(np.arange(first, first + count), width))
        powers = phys_dim ** np.arange(width)[::-1]
        strides.append(np.broadcast_to(powers, (count, width)).reshape(-1))
        first += count
    sites, holders, strides = map(np.concatenate, (sites, holders, strides))
    order = np.argsort(sites, kind="stable")
    firsts = np.cumsum([0, *np.bincount(sites, minlength=nsites)])
    held = np.stack((holders[order], strides[order]), axis=1)
    return firsts.astype(np.int32), held.astype(np.int32)


class CompiledChains:
    """Chains of a tabulated network, run by the compiled loop.

    Parameters
    ----------
    tables : ChainTables
    select : callable
        As `chain_tables` gives both.
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
        tables: ChainTables,
        select: Callable[[np.ndarray], np.ndarray],
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
        self.renew(tables, select)

    def renew(self, tables: ChainTables, select: Callable[[np.ndarray], np.ndarray]) -> None:
        """Go on with other tables of the same sites."""
        chains, levels, sites = self._digits.shape
        self._tables = tables
        x = digits(self._digits.reshape(-1, sites), self._phys_dim, tables.table)
        self._rows = np.ascontiguousarray(select(x).T).reshape(chains, levels, -1)
        self._psi = np.empty((chains, levels), tables.readout.dtype)
        self._top = np.empty((chains, levels), np.int64)
        self.run(0, 0)  # only looks where the chains are

    def _first(self, x):
        return x[np.arange(len(x)), self._slots[:, 0]]

    @property
    def digits(self) -> np.ndarray:
        """Where the chains are, ``(chains, N)``."""
        return self._first(self._digits)

    @property
    def log_amplitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """The phases and the logarithms of the amplitudes there, each ``(chains,)``."""
        return Scaled(self._first(self._psi), self._first(self._top).astype(float)).phase_and_log()

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
        states = ChainStates(
            self._digits, self._rows, self._slots, self._words, self._psi, self._top,
            self._counts, kept, logs,
        )  # fmt: skip

        def _run(first, last):
            levels, new = work_arrays(self._tables, states)
            with np.errstate(over="ignore"):  # of integers, where numba is told not to compile
                run_chains(
                    first, last, states, self._tables, levels, new, self._moves, self._betas,
                    self._phys_dim, steps,
                )  # fmt: skip

        in_threads(_run, chains, least=max(1, LEAST // max(1, sweeps * steps * levels)))
        return kept, logs
