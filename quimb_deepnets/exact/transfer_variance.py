"""Variances of operators that repeat around a ring, in log N.

With ``h`` the terms of one cell, less their mean, the variance is a sum over distances. Near ones
are terms themselves; of those that no window joins, the sum over all distances is doubled like a
power::

    var H / cells = sum_d <h_0 h_d>        near: products of terms, in one batch
                                           far:  trace A S,   S_2n = S_n T^n + T^n S_n
"""

from collections import Counter
from typing import Any

import numpy as np
from autoray import do

from ..errors import MethodError
from ..numerics.scaled import Scaled
from ..numerics.torch_modes import full_precision
from .transfer import Transfer, rescaled
from .transfer_energy import LocalTerm, TransferEnergy, walked


class TransferVariance:
    """The variance of an operator on a ring, prepared once for all networks of a geometry.

    Parameters
    ----------
    prepared : TransferEnergy
        Of an operator whose terms are the same in each cell.

    Raises
    ------
    MethodError
        If the chain is open, too short for its terms, or the operator does not repeat.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer_energy import TransferEnergy
    >>> from quimb_deepnets.exact.transfer_variance import TransferVariance
    >>> net = ConvAC.graph_state(100, distance=1, kernel=2)
    >>> fields = [(((n, 1),), ()) for n in range(100)]  # the sum of all X
    >>> variance = TransferVariance(TransferEnergy(net.geometry, fields)).variance(net)
    >>> round(float(variance), 9)
    100.0
    """

    def __init__(self, prepared: TransferEnergy) -> None:
        sites = prepared.sites
        if not sites.ring:
            raise MethodError(
                "variances by transfer matrices are those of rings; of an open chain use "
                "qdn.energy, which puts the operator between matrix product states."
            )
        self.prepared, size = prepared, len(sites.block)
        self.cells = sites.length // size
        if any((batch.counts % self.cells).any() for batch in prepared.batches):
            raise MethodError(
                "the terms of the operator are not the same all around the ring; use qdn.energy, "
                "which takes them one by one."
            )
        last = max(max(batch.starts) + batch.length for batch in prepared.batches)
        self.reach = -(-last // size)  # cells whose windows a term of the first one changes
        if 2 * self.reach > self.cells:
            raise MethodError(
                f"windows join terms all around a ring of {sites.length} sites; use qdn.energy."
            )
        self.near = TransferEnergy(prepared.geometry, self._products(size))

    def _products(self, size):
        """Products of the terms of the first cell with those of cells that windows join to it."""
        M, N = self.prepared.sites.phys_dim, self.prepared.sites.length
        cell = [
            (LocalTerm(*term), count // self.cells)
            for term, count in self.prepared.first_cell.items()
        ]
        found: Counter = Counter()
        for distance in range(self.reach):
            for a, times_a in cell:
                for b, times_b in cell:
                    moved = b.moved(lambda n, by=distance * size: n + by)
                    for x, y in [(a, moved), (moved, a)][: 2 if distance else 1]:
                        found[multiplied(x, y, M).moved(lambda n: n % N)] += times_a * times_b
        return [term for term, count in found.items() for _ in range(count)]

    @full_precision
    def variance(self, net: Any) -> Any:
        """The variance, a real number where the weights live.

        Parameters
        ----------
        net : ConvAC
            Of the geometry.
        """
        mean = self.prepared.mean(net) / self.cells
        near = self.near.mean(net) - (2 * self.reach - 1) * mean**2
        return self.cells * (near + self._far(net, mean))

    def _far(self, net, mean):
        """What terms that no window joins add up to."""
        transfer = Transfer(net, width=self.prepared.width)
        sites = transfer.sites
        stop = self.reach * len(sites.block)
        own = transfer.through(transfer.eye, 0, stop)
        A = Scaled(own.mantissa * -mean, own.exponent)
        for batch in self.prepared.batches:
            (start,) = batch.starts
            x = transfer.through(transfer.eye, 0, start)
            x = walked(transfer, batch, Scaled(x.mantissa[None], x.exponent))
            weights = transfer.number(batch.counts / self.cells)[:, None, None, None]
            x = Scaled(do("sum", x.mantissa * weights, axis=0), _without_batch(x.exponent))
            A = added(A, transfer.through(x, start + batch.length, stop))
        S = self._sum_of_splits(transfer, rescaled(A), self.cells - 2 * self.reach + 1)
        both = Scaled(A.mantissa @ S.mantissa, A.exponent + S.exponent)
        found = transfer.over_pairs(transfer.closed(both, None))
        share = 2.0 ** (found.bits - transfer.total.bits)
        return 2 * do("real", found.array) * share / transfer.total.array

    def _sum_of_splits(self, transfer, A, count):
        """``sum_i T^i A T^(count - 1 - i)``."""
        power, total = None, None  # T^done, and the sum for it
        single, double, k = A, None, 0
        while count:
            if double is not None:
                single = double
            if count & 1:
                if total is None:
                    power, total = transfer.square(k), single
                else:
                    square = transfer.square(k)
                    total = added(_times(total, square), _times(power, single))
                    power = _times(power, square)
            count >>= 1
            if count:
                square = transfer.square(k)
                double = added(_times(single, square), _times(square, single))
            k += 1
        return total


def multiplied(a: LocalTerm, b: LocalTerm, M: int) -> LocalTerm:
    """The product of two terms, b acting first."""
    first, shifts = dict(b.shifts), dict(b.shifts)
    for n, shift in a.shifts:
        shifts[n] = (shifts.get(n, 0) + shift) % M
    factors = list(b.factors)
    for places, numbers in a.factors:
        table = np.array(numbers).reshape((M,) * len(places))
        table = np.roll(table, [-first.get(n, 0) for n in places], tuple(range(len(places))))
        factors.append((places, tuple(table.ravel().tolist())))
    kept = tuple(sorted((n, shift) for n, shift in shifts.items() if shift))
    return LocalTerm(kept, tuple(factors))


def added(x: Scaled, y: Scaled) -> Scaled:
    """The sum of matrices of equal shapes with exponents by pair."""
    top = np.maximum(x.exponent, y.exponent)
    parts = []
    for part in (x, y):
        drop = np.ldexp(1.0, np.maximum(part.exponent - top, -2000).astype(int))
        parts.append(part.mantissa * drop[:, None, None])
    return Scaled(parts[0] + parts[1], top)


def _times(x, y):
    return rescaled(Scaled(x.mantissa @ y.mantissa, x.exponent + y.exponent))


def _without_batch(exponent):
    """Exponents by pair of a batch, which are the same for all of it."""
    return exponent[0] if exponent.ndim > 1 else exponent
