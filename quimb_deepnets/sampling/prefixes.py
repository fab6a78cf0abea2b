"""Independent draws from a network of tabulated windows, one site after another.

What stands behind a prefix of sites is summed up from the last site on. It depends on the sites
that share a window with it alone, on a ring also on the first ones::

    s0 s1 s2 s3 | s4 s5 s6 s7        behind[4]: the sites 2, 3 (on a ring 0, 1 too), (r, r)
    `- drawn -'   summed up
                                     p(s_4) ~ v F behind[5] F* v*       v (r,): windows so far

The weight of a configuration is a sum over two channels of products of windows, so that each sum
is ``r * r`` numbers for each state of those sites, and in a sector for each number of ones to come.
"""

from typing import Any, NamedTuple

import numpy as np

from ..errors import BudgetError, RangeError
from ..evaluation.lookup import Lookup
from ..evaluation.plan import make_plan
from ..evaluation.row_tables import RowTable
from ..evaluation.window_tables import child_codes
from ..evaluation.windows import windows_of
from ..jobs.progress import progress
from ..numerics.scaled import look

MAX_BITS = 450  # powers of two that the windows of a site may hold, squared
BLOCK = 2**22  # numbers


class Ending(NamedTuple):
    """The windows that end with a site: which ones, and all sites that they and the rest hold.

    ``sites`` are in order, the site itself the last; ``behind`` those of them that the sum over
    later sites depends on.
    """

    windows: tuple
    sites: tuple
    behind: tuple


class Prefixes:
    """Draws from ``|psi|^2`` of a network whose windows are all tabulated.

    Parameters
    ----------
    net : ConvAC
    sector : int, optional
        The number of ones of every draw.
    max_bytes : int
        Of the sums over later sites.

    Raises
    ------
    BudgetError
        If they would need more, or floats cannot hold the windows.
    RangeError
        If the state, or the sector, is zero.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.sampling.prefixes import Prefixes
    >>> net = qdn.ConvAC.rand(20, 2, 3, 4, boundary="periodic", seed=0)
    >>> Prefixes(net, 10, 2**28).draw(100, np.random.default_rng(0)).sum(1).tolist() == [10] * 100
    True
    """

    def __init__(self, net: Any, sector: int | None, max_bytes: float, progbar: bool = False):
        g, M = net.geometry, net.phys_dim
        one_by_one = (1,) * g.ndim
        if make_plan(g, 1, net._like.itemsize, g.depth, one_by_one, net._machine) is None:
            raise BudgetError(
                "the windows of the last layer are too wide for tables; use fewer layers or "
                "smaller kernels, or method='metropolis'."
            )
        windows = windows_of(g, g.depth, one_by_one)
        self._sites = _order(windows, net.nsites)
        self._sector, self._phys_dim = sector, M
        self._check_bytes(net, max_bytes)
        lookup = Lookup(net, one_by_one)
        most = max(len(site.windows) for site in self._sites) * lookup.table.bits
        if lookup.table.exponent is not None or most > MAX_BITS:
            raise BudgetError(
                "the entries of the windows lie too far apart for exact draws; use "
                "method='metropolis'."
            )
        starts = np.concatenate([lookup.offsets[group.kinds] for group in windows])
        self._factors = [self._factor(lookup.table, starts, site) for site in self._sites]
        self._sum_up(lookup, progbar)

    def _check_bytes(self, net, max_bytes):
        """Refuse sums that need too much memory, in integers."""
        each = net.geometry.bond_dim(net.depth) ** 2 * max(8, net._like.itemsize)
        each *= 1 if self._sector is None else self._sector + 1
        sizes = [self._phys_dim ** len(site.sites) for site in self._sites]
        need = each * (sum(sizes) // self._phys_dim + 2 * max(sizes))
        if need > max_bytes:
            raise BudgetError(
                f"exact draws need {need} bytes, more than the {max_bytes} allowed, because "
                f"{max(len(s.sites) for s in self._sites) - 1} sites share windows with later "
                "ones; use method='metropolis'."
            )

    def _factor(self, table: RowTable, starts, site):
        """The product of the windows that end with a site, ``(M**len(sites), r)``."""
        count = self._phys_dim ** len(site.sites)
        mantissa = look(table.mantissa)
        out = np.ones((count, mantissa.shape[1]), np.result_type(mantissa.dtype, np.float64))
        for p, sites in site.windows:
            out *= mantissa[starts[p] + self._codes(site, sites)]
        return out

    def _codes(self, site, some):
        """For each state of the sites of a `Ending` the code of some of them."""
        places = tuple(site.sites.index(n) for n in some)
        return child_codes(len(site.sites), places, self._phys_dim)

    # ------------------------------------------------------------ backwards

    def _sum_up(self, lookup, progbar):
        """The sums over all later sites, ``(ones to come, M**len(behind), r, r)``, scaled."""
        w, power = look(lookup.readout.mantissa), look(lookup.readout.exponent) + lookup.centre
        K = 1 if self._sector is None else self._sector + 1
        now = np.zeros((K, 1, len(w), len(w)), self._factors[0].dtype)
        now[0] = w[:, None] * w.conj()
        self._behind, self._powers = [now], [np.where(w == 0, -np.inf, power)]
        for n in progress(range(len(self._sites))[::-1], progbar):
            site, F = self._sites[n], self._factors[n]
            terms = now[:, self._codes(site, site.behind)] * (F[:, :, None] * F[:, None].conj())
            terms = terms.reshape(K, -1, self._phys_dim, len(w), len(w))
            if self._sector is None:
                now = terms.sum(2)
            else:
                now = terms[:, :, 0].copy()
                now[1:] += terms[:-1, :, 1]
            size = now.real.max(axis=(0, 1)).diagonal()
            shift = np.where(size > 0, np.frexp(size)[1] // 2, 0)
            now *= np.exp2(-shift.astype(float))[:, None] * np.exp2(-shift.astype(float))
            self._behind.append(now)
            self._powers.append(self._powers[-1] + shift)
        self._behind, self._powers = self._behind[::-1], self._powers[::-1]

    # ------------------------------------------------------------ forwards

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Independent configurations, digits ``(count, N)``.

        Raises
        ------
        RangeError
            If the state, or the sector, is zero.
        """
        r = self._factors[0].shape[1]
        block = max(1, BLOCK // (self._phys_dim * r * r))
        parts = [
            self._draw_block(min(block, count - start), rng) for start in range(0, count, block)
        ]
        return np.concatenate(parts)

    def _draw_block(self, count, rng):
        M, N = self._phys_dim, len(self._sites)
        x = np.zeros((count, N), np.int64)
        v = np.ones((count, self._factors[0].shape[1]), self._factors[0].dtype)
        power, left = np.zeros(v.shape), np.full(count, self._sector or 0)
        for n, site in enumerate(self._sites):
            code = np.zeros(count, np.int64)
            for i in site.sites[:-1]:
                code = code * M + x[:, i]
            code = code[:, None] * M + np.arange(M)  # (count, M)
            scale = power + self._powers[n + 1]
            with np.errstate(invalid="ignore"):
                scale = np.exp2(np.maximum(scale - scale.max(1, keepdims=True), -1000))
            y = (v * np.where(power + self._powers[n + 1] == -np.inf, 0, scale))[:, None]
            y = y * self._factors[n][code]
            weights = self._weights(n, code, y, left)
            total = weights.sum(1, keepdims=True)
            if not (total > 0).all():
                what = "the state" if self._sector is None else f"its sector={self._sector}"
                raise RangeError(
                    f"{what} is zero to the precision of the weights, so there is nothing to draw."
                )
            below = weights.cumsum(1) / total
            x[:, n] = (rng.random((count, 1)) >= below[:, :-1]).sum(1)
            left = left - x[:, n]
            v = v * self._factors[n][code[np.arange(count), x[:, n]]]
            shift = np.frexp(np.maximum(abs(v.real), abs(v.imag)))[1]
            v, power = v * np.exp2(-shift.astype(float)), power + shift
        return x

    def _weights(self, n, code, y, left):
        """The weights of the values of a site, ``(count, M)``, from ``y (count, M, r)``."""
        site, behind = self._sites[n], self._behind[n + 1]
        inner = self._codes(site, site.behind)[code]
        ones = 0
        if self._sector is not None:
            ones = left[:, None] - np.arange(self._phys_dim)
        found = (y[:, :, None] @ behind[np.maximum(ones, 0), inner])[:, :, 0]
        weights = np.maximum((found * y.conj()).sum(-1).real, 0)
        return np.where(np.asarray(ones) < 0, 0, weights)


def _order(windows, nsites):
    """For each site what ends with it, see `Ending`."""
    ends: list = [[] for _ in range(nsites)]
    first = 0
    for group in windows:
        for p, sites in enumerate(group.sites.tolist(), first):
            ends[max(sites, default=0)].append((p, tuple(sites)))
        first += len(group.sites)
    found, behind = [], ()
    for n in reversed(range(nsites)):
        held = {n, *behind, *(i for _, sites in ends[n] for i in sites)}
        found.append(Ending(tuple(ends[n]), tuple(sorted(held)), behind))
        behind = found[-1].sites[:-1]
    return found[::-1]
