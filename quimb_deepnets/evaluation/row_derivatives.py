"""Derivatives by small tables: those of each row once, then sums over the rows of configurations.

A configuration reads N rows of the folded table. The derivatives of the logarithm of every row by
every parameter are made once for all configurations, forward through the layers::

    J[row, channel]  (n, r, P)  --.
    codes  (N, B)               --+-->  sum over positions, channels: share[c] J[code, c]
    share of each channel       --'
"""

import functools
import math
from typing import Any

import numpy as np
from autoray import get_dtype_name

from ..kernels.compiled import as_rows, in_threads
from ..kernels.derivatives import add_up_rows
from ..numerics.scaled import Scaled, array_like, zeros_like_exponent
from .backprop import channel_shares
from .lookup import multiply_rows
from .row_tables import RowTable

MAX_BYTES = 2**26  # of all derivatives of one layer's rows
LEAST = 32  # configurations of a thread


def row_derivatives_fit(tables):
    """Whether the derivatives of all rows of each layer are real, small enough to be held, and
    cheaper to add up than to go back through the layers with all rows.

    Parameters
    ----------
    tables : TableDerivatives
    """
    widths = [math.prod(w.mantissa.shape) for w in tables.weights]  # parameters of each layer
    rows = [len(saved.step.index[0]) for saved in tables.residuals]
    positions = sum(len(group.sites) for group in tables.windows)
    added = positions * tables.values.shape[1] * sum(widths)
    passed = 2 * sum(count * width for count, width in zip(rows, widths))
    return (
        "float" in get_dtype_name(tables.values)
        and added < passed
        and all(
            saved.step.index[0].size * saved.cofactors[0].shape[1] * count * tables.values.itemsize
            <= MAX_BYTES
            for saved, count in zip(tables.residuals, np.cumsum(widths))
        )
    )


class RowDerivatives:
    """The derivatives of log psi by all parameters.

    Parameters
    ----------
    tables : TableDerivatives
        Its arrays have loops, and none of its rows holds a zero.
    """

    def __init__(self, tables):
        self.readout, self.values = tables.readout, as_rows(tables.values)
        depth = -math.log2(np.abs(self.values).min())
        self.table = RowTable(self.values, None, None, int(depth) + 2)
        self.count = tables.net.num_params
        self._tables = tables

    @functools.cached_property
    def by_row(self):
        """``d log F[row, c] / d theta``, but for the read-out, ``(n, r, P)``."""
        tables, g = self._tables, self._tables.geometry
        lower: Any = None
        own: Any = None
        for l, saved in enumerate(tables.residuals, 1):
            lower, own = self._layer(tables, l, saved, lower, own)
        n, r = self.values.shape
        out = np.zeros((n, r, self.count - r), self.values.dtype)
        sizes = {name: math.prod(x.shape) for name, x in tables.net.params.items()}
        place, start = dict(zip(sizes, np.cumsum([0, *sizes.values()]))), 0
        for l, (w, taps) in enumerate(zip(tables.weights, tables.taps), 1):
            rows, r_in = w.mantissa.shape[-2:]
            if l < g.depth:
                size = rows * len(taps) * r_in
                block = lower[:, :, start : start + size].reshape(n, r, rows, len(taps), r_in)
                start += size
            for k, tap in enumerate(taps):
                name = g.weight_name(l, None, tap)
                if name not in place:
                    continue
                view = out[:, :, place[name] :][:, :, : rows * r_in].reshape(n, r, rows, r_in)
                scale = 2.0 ** -float(w.exponent[tap]) / self.values
                if l < g.depth:
                    view[...] = block[:, :, :, k] * scale[:, :, None, None]
                    continue
                some = own[:, :, k * r_in : (k + 1) * r_in] * scale[:, :, None]
                view[:, range(r), range(r)] = some
        return out

    def _layer(self, tables, l, saved, lower, own):
        """The derivatives of all rows of a layer: by the weights below it, and by its own.

        Those by its own are ``(n, r, K r_in)``: channel c knows row c of each matrix alone.
        """
        w, taps = tables.weights[l - 1].mantissa, tables.taps[l - 1]
        cofactors = [as_rows(x) for x in saved.cofactors]
        pairs = zip(cofactors, map(as_rows, saved.gathered))
        new = np.concatenate([c[:, :, None] * x[:, None] for c, x in pairs], axis=2)
        if own is None:
            return None, new
        reads, matrices = saved.step.index, [as_rows(w[tap]) for tap in taps]
        matrices = [c[:, :, None] * m[None] for c, m in zip(cofactors, matrices)]
        if l == tables.geometry.depth:  # all taps of the folded layer read the same row
            reads, matrices = (
                [np.max(np.stack(reads), axis=0)],
                [functools.reduce(np.add, matrices)],
            )
        zero = lambda x: np.concatenate((x, np.zeros_like(x[:1])))  # of a vector of ones
        parts = (m[:, :, :, None] * zero(own)[index][:, None] for index, m in zip(reads, matrices))
        found = functools.reduce(np.add, parts)
        found = found.reshape(*found.shape[:2], -1)
        if lower is not None:
            older = (m @ zero(lower)[index] for index, m in zip(reads, matrices))
            found = np.concatenate((sum(older), found), axis=2)
        return found, new

    def __call__(self, x):
        """The derivatives, ``(B, num_params)``, for digits ``(N, B)``."""
        codes, batch, by_row = as_rows(self._tables.codes(x)), x.shape[1], self.by_row
        rest = multiply_rows(self.table, codes)
        if rest.exponent is None:
            rest = Scaled(rest.mantissa, zeros_like_exponent(rest.mantissa))
        ratio, share = channel_shares(rest, rest, Scaled(*map(as_rows, self.readout)))
        out = np.empty((batch, self.count), self.values.dtype)
        out[:, by_row.shape[2] :] = ratio
        share = np.ascontiguousarray(share, self.values.dtype)
        add = lambda start, stop: add_up_rows(codes, share, by_row, start, stop, out)
        in_threads(add, batch, LEAST)
        return array_like(out, self.readout.mantissa)
