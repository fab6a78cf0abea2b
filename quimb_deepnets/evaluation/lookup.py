"""Amplitudes by look-up: the code of each window selects a row, and the rows are multiplied.

The tables of all kinds stand in one array. Each channel of a kind is centred by a power of two, so
that the products of many rows stay within the range of floats, and how many may be multiplied
before the next rescale is known from the table beforehand::

    digits (N, B) --codes--> rows (P, B) --gather, multiply--> (B, r) --read-out--> (B,)

                              .-------.
             code of window p |  row  |  table (rows, r) = mantissa * 2**(centre of the channel)
                              '-------'
"""

import functools
import math
from typing import Any

import numpy as np
from autoray import do, get_dtype_name, infer_backend

from ..kernels.compiled import as_rows, has_loops, in_memory
from ..kernels.digits import entries
from ..kernels.lookup import look_up, look_up_configs
from ..kernels.words import packed
from ..numerics.products import dot
from ..numerics.scaled import (
    Scaled,
    array_like,
    float_info,
    ldexp,
    look,
    modulus,
    multiply_first,
    mutable,
    readable,
    scaled,
    take_rows,
    zeros_like_exponent,
)
from ..numerics.torch_modes import full_precision
from .lookup_gradient import has_tangent, looked_up, wants_gradient
from .machine import machine_of
from .row_tables import room_of, row_table
from .windows import flat_windows, kind_counts, row_codes, window_pieces, windows_of


def multiply_rows(table, codes):
    """The product of the rows that ``codes`` ``(P, B)`` select, without the centres.

    Returns
    -------
    Scaled
        Shapes ``(B, r)`` and ``(B, r)``; the exponent is None where none was needed.
    """
    room = room_of(table)
    if len(codes) <= room and table.exponent is None:
        return Scaled(row_product(table.mantissa, codes), None)
    out = None
    for start in range(0, len(codes), room):
        some = codes[start : start + room]
        part = row_product(table.mantissa, some)
        exponent = zeros_like_exponent(part)
        if table.exponent is not None:
            exponent = exponent + do("sum", take_rows(table.exponent, some), axis=0)
        part = Scaled(part, exponent).rescale(axes=0)
        if out is not None:
            part = Scaled(out.mantissa * part.mantissa, out.exponent + part.exponent)
            part = part.rescale(axes=0)
        out = part
    return out


def row_product(x, codes):
    """``prod_p x[codes[p]]``: rows of ``(rows, r)`` by codes ``(P, B)``, to ``(B, r)``."""
    size = math.prod(codes.shape[1:]) * x.shape[-1] * x.itemsize
    block = max(1, machine_of(x).chunk // max(1, size))
    if infer_backend(x) == "numpy" and block == 1:
        out = np.take(x, codes[0], axis=0, mode="clip")
        row = np.empty_like(out)
        for code in codes[1:]:
            np.take(x, code, axis=0, out=row, mode="clip")
            np.multiply(out, row, out=out)
        return out
    out = None
    for start in range(0, len(codes), block):
        part = multiply_first(take_rows(x, codes[start : start + block]))
        out = part if out is None else out * part
    return out


class Lookup:
    """Amplitudes of configurations from the tables of a folded network.

    Parameters
    ----------
    net : ConvAC
    sizes : tuple[int]
        How many neighbouring windows share a row, per dimension.
    """

    def __init__(self, net, sizes):
        self.phys_dim, readout = net.phys_dim, net.readout
        self.source = net, sizes
        self.table, self.offsets = row_table(net, sizes)
        self.windows = windows_of(net.geometry, net.depth, sizes)
        self.count = sum(len(group.positions) for group in self.windows)
        self.room = 0
        self.flat: Any = None  # without a loop
        self.pieces: Any = None
        arrays = self.table.mantissa, readout
        if self.table.exponent is None and has_loops(*arrays) and not has_tangent(*arrays):
            self.room = room_of(self.table)
            self.flat = flat_windows(net.geometry, net.depth, sizes)
            self.pieces = window_pieces(net.geometry, net.depth, sizes)
        self.counts = kind_counts(net.geometry, net.depth, sizes)
        self.centre = self.counts @ self.table.centre
        self.weights, self.vector = readout, None
        if self.table.exponent is None and readable(readout):
            self.vector = self._vector(float_info(readout))

    @functools.cached_property
    def rows(self):
        """The table as the loop reads it."""
        return as_rows(self.table.mantissa)

    @functools.cached_property
    def summed(self):
        """The weights of the loop's sums, and a power of two, or one for each channel."""
        if self.vector is not None and self.count <= self.room:
            return as_rows(self.vector.mantissa), float(self.vector.exponent)
        w = self.readout
        return as_rows(w.mantissa), look(w.exponent) + self.centre

    @functools.cached_property
    def readout(self):
        """The weights of the channels, with an exponent for each."""
        return scaled(self.weights, axes=0)

    def _vector(self, info):
        """The read-out with the centres, where floats hold all products; else None."""
        size = modulus(look(self.weights))
        exponent, there = np.frexp(size)[1] + self.centre, size != 0
        some = exponent[there] if there.any() else exponent
        top = some.max()
        spread = top - some.min() + self.count * self.table.bits
        if max(spread, exponent.max() - top) > info.maxexp - 64:
            return None
        drop = array_like(self.centre - top, self.weights)
        return Scaled(ldexp(self.weights, drop), zeros_like_exponent(self.weights[:1])[0] + top)

    @functools.cached_property
    def low(self):
        """The table with entries of at most 1, and the centres of all windows together."""
        table = row_table(*self.source, below_one=True)[0]
        return table, self.counts @ table.centre

    def _summed(self, out, centre):
        """The scaled amplitudes from products of rows of these centres."""
        exponent = zeros_like_exponent(out.mantissa) + array_like(centre, out.mantissa)
        if out.exponent is not None:
            exponent = exponent + out.exponent
        return dot(Scaled(out.mantissa, exponent).by_channel(), self.readout)

    def __call__(self, x):
        """The scaled amplitudes ``(B,)`` of digits ``(N, B)``, by the loop where there is one."""
        if self.room and get_dtype_name(x) == "uint8" and in_memory(x):
            return self._by_loop(x)
        return self._by_arrays(x)

    def of_configs(self, configs):
        """The same of configurations ``(B, *shape)``, or None where there must be digits first."""
        if not self.room or wants_gradient(self.table.mantissa, self.weights):
            return None
        x = entries(configs, self.phys_dim)
        what = self.pieces, self.phys_dim, self.rows, self.room, *self.summed
        out = None if x is None else look_up_configs(x, *what)
        return out and Scaled(*(array_like(part, self.table.mantissa) for part in out))

    def _by_loop(self, x):
        table = self.table.mantissa
        if wants_gradient(table, self.weights):
            plain = self.count <= self.room
            out = looked_up(table, self.flat, self.pieces, self.phys_dim, x) if plain else None
            if out is None or not self._keeps_shares(look(out)):
                return self._by_arrays(x)
            return self._read(Scaled(out, None))
        what = self.pieces, self.rows, self.room, *self.summed
        out = Scaled(*look_up(packed(as_rows(x), self.phys_dim), *what))
        if type(x) is not np.ndarray:
            out = Scaled(*(array_like(part, table) for part in out))
        return out

    @full_precision
    def _by_arrays(self, x):
        codes = row_codes(x, self.windows, self.offsets, self.phys_dim)
        if mutable(self.table.mantissa, self.weights):
            return self._read(multiply_rows(self.table, codes))
        table, centre = self.low
        return self._summed(multiply_rows(table, codes), centre)

    def _keeps_shares(self, out):
        """Whether the derivatives by products ``(B, r)`` are numbers that floats hold.

        They are the shares that the products have in psi, divided by the products; on their way
        to a row, by products of some of the rows. These are at most
        ``2**((count * bits + top) / 2)``, if those of all are at most ``2**top``.
        """
        size = modulus(out)
        if not size.all():
            return False  # the derivatives by zeros are not seen here
        powers = np.frexp(size)[1]
        some = (self.count * self.table.bits + max(0, powers.max(initial=0))) / 2
        powers = powers + np.frexp(modulus(look(self.weights)))[1] + self.centre
        return float(np.ptp(powers, axis=1).max(initial=0.0)) + some < -float_info(out).minexp - 16

    def _read(self, out):
        """The scaled amplitudes from the products of all rows."""
        if self.vector is None or out.exponent is not None:
            return self._summed(out, self.centre)
        total = out.mantissa @ self.vector.mantissa
        return Scaled(total, zeros_like_exponent(total) + self.vector.exponent).rescale(axes=0)
