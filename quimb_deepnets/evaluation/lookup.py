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
import itertools
import math
from typing import NamedTuple

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend

from ..geometry.branches import branches_of, folded_branches
from ..kernels.compiled import as_rows, has_loops, in_memory
from ..kernels.lookup import FlatWindows, look_up
from ..numerics.products import dot, joined_rows
from ..numerics.scaled import (
    Scaled,
    array_like,
    float_info,
    full_precision,
    is_wide,
    ldexp,
    look,
    multiply_first,
    readable,
    scaled,
    take_rows,
    zeros_like_exponent,
)
from .lookup_gradient import looked_up, wants_gradient
from .machine import machine_of
from .plan import grouped


class Windows(NamedTuple):
    """Positions whose windows hold equally many sites.

    ``positions`` and ``kinds`` have shape ``(P,)``, ``sites`` has shape ``(P, width)``.
    """

    positions: np.ndarray
    kinds: np.ndarray
    sites: np.ndarray


@functools.lru_cache(64)
def windows_of(geometry, level, sizes=None):
    """The windows of a level, sorted by width: folded and merged, or (None) of layer ``level``.

    Returns
    -------
    tuple[Windows]
    """
    if sizes is None:
        branches = branches_of(geometry, level)
    else:
        branches = grouped(folded_branches(geometry), sizes)
    axes = [_by_width(axis) for axis in branches.levels]
    counts = [len(axis.kind_of) for axis in branches.levels]
    kinds = [len(axis.kinds) for axis in branches.levels]
    if len(axes) == 1:
        return tuple(itertools.starmap(Windows, axes[0]))
    outer = lambda a, b, size: (a[:, None] * size + b).reshape(-1)
    return tuple(
        Windows(
            outer(px, py, counts[1]),
            outer(kx, ky, kinds[1]),
            (wx[:, None, :, None] * geometry.shape[1] + wy[None, :, None, :]).reshape(
                len(px) * len(py), -1
            ),
        )
        for (px, kx, wx), (py, ky, wy) in itertools.product(*axes)
    )


def _by_width(level):
    """Positions, kinds and windows of one axis, as arrays, for each width of a window."""
    widths = np.array([len(window) for window in level.windows])
    kinds = np.array(level.kind_of)
    for width in sorted(set(widths.tolist())):
        positions = np.flatnonzero(widths == width)
        windows = [level.windows[p] for p in positions]
        yield positions, kinds[positions], np.array(windows, dtype=int).reshape(-1, width)


def row_codes(x, windows, offsets, phys_dim):
    """Which row of the joined tables each window selects.

    Parameters
    ----------
    x : array of int, shape (N, B)
        The digits of the configurations.
    windows : sequence of Windows
    offsets : numpy.ndarray
        Where the table of each kind starts.

    Returns
    -------
    array of int64, shape (P, B)
        Positions in the order in which ``windows`` list them.
    """
    parts = []
    for group in windows:
        width = group.sites.shape[1]
        narrow = phys_dim**width < 2**15
        code = None
        for j in range(width):
            digit = x[array_like(group.sites[:, j], x)]
            digit = astype(digit, "int16" if narrow else "int64")
            code = digit if code is None else code * phys_dim + digit
        start = array_like(offsets[group.kinds][:, None], x)
        if code is None:
            code = start + do("zeros_like", astype(x[:1], "int64"))
        elif offsets.any():
            code = code + start
        parts.append(astype(code, "int64"))
    return parts[0] if len(parts) == 1 else do("concatenate", tuple(parts), axis=0)


def flat_windows(windows, offsets):
    """The same windows as the loops read them."""
    sites = [group.sites for group in windows]
    widths = np.concatenate([[s.shape[1]] * len(s) for s in sites])
    return FlatWindows(
        np.concatenate([s.reshape(-1) for s in sites]).astype(np.int32),
        np.cumsum([0, *widths]).astype(np.int64),
        np.concatenate([offsets[group.kinds] for group in windows]).astype(np.int64),
    )


def joined(tables):
    """Stack the tables of all kinds, and say where each one starts."""
    tables = list(tables.values())
    starts = np.cumsum([0, *(len(table.mantissa) for table in tables[:-1])])
    if len(tables) == 1:
        return tables[0], starts
    return joined_rows(tables), starts


class RowTable(NamedTuple):
    """A table whose rows are to be multiplied: ``mantissa * 2**(exponent + centre)``.

    ``mantissa`` and ``exponent`` have shape ``(rows, r)``, ``exponent`` is None where it would
    be zero; ``centre`` has shape ``(kinds, r)``; no mantissa but zero is further than ``2**bits``
    from 1.
    """

    mantissa: object
    exponent: object
    centre: object
    bits: int


def centred(table, starts):
    """Centre the channels of each kind of a table with one exponent per entry, if floats allow it.

    ``starts`` are the first rows of all kinds.
    """
    mantissa, exponent = table
    limit = float_info(mantissa).maxexp // 2
    if readable(mantissa) and not is_wide(exponent):
        shown, there = look(exponent), look(mantissa) != 0
        high = np.maximum.reduceat(np.where(there, shown, -np.inf), starts)
        low = np.minimum.reduceat(np.where(there, shown, np.inf), starts)
        high, low = (np.where(high < low, 0.0, x) for x in (high, low))  # a channel of zeros
        centre = np.round((high + low) / 2)
        bits = int((high - centre).max()) + 2
        each = np.repeat(centre, np.diff([*starts, len(shown)]), axis=0)
        shift = shown - each  # zeros too: the derivatives by them have that power
        if bits < limit and shift.max() < limit:
            return RowTable(ldexp(mantissa, array_like(shift, mantissa)), None, centre, bits)
    return RowTable(mantissa, exponent, np.zeros((len(starts), mantissa.shape[-1])), 2)


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


def centre_of(table, windows):
    """The powers of two ``(r,)`` that the centres of all windows have together."""
    return sum(table.centre[group.kinds].sum(axis=0) for group in windows)


def room_of(table):
    """How many rows of a `RowTable` may be multiplied before a rescale."""
    return max(1, (float_info(table.mantissa).maxexp - 24) // table.bits)


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
    tables : dict[tuple[int], Scaled]
        The table of each kind, one exponent for each entry.
    windows : sequence of Windows
    readout : array, shape (r,)
    phys_dim : int
    """

    def __init__(self, tables, windows, readout, phys_dim):
        table, self.offsets = joined(tables)
        self.table = centred(table, self.offsets)
        self.windows, self.phys_dim = windows, phys_dim
        self.count = sum(len(group.positions) for group in windows)
        self.room = self.flat = None
        if self.table.exponent is None and has_loops(self.table.mantissa, readout):
            self.room, self.flat = room_of(self.table), flat_windows(windows, self.offsets)
        self.centre = centre_of(self.table, windows)
        self.readout, self.vector = scaled(readout, axes=0), None
        if self.table.exponent is None and readable(readout):
            self.vector = self._vector(float_info(readout))

    def _vector(self, info):
        """The read-out with the centres, where floats hold all products; else None."""
        w = self.readout
        exponent, there = look(w.exponent) + self.centre, look(w.mantissa) != 0
        some = exponent[there] if there.any() else exponent
        spread = some.max() - some.min() + self.count * self.table.bits
        drop = exponent - some.max()
        if max(spread, drop.max()) > info.maxexp - 64:
            return None
        top = zeros_like_exponent(w.mantissa[0]) + some.max()
        return Scaled(ldexp(w.mantissa, array_like(drop, w.mantissa)), top)

    def channels(self, codes, mantissa=None):
        """The products over all windows, channel by channel, for codes ``(P, B)``.

        ``mantissa`` replaces the one of the table.
        """
        table = self.table if mantissa is None else self.table._replace(mantissa=mantissa)
        return self._with_centre(multiply_rows(table, codes))

    def _with_centre(self, out):
        exponent = zeros_like_exponent(out.mantissa) + array_like(self.centre, out.mantissa)
        if out.exponent is not None:
            exponent = exponent + out.exponent
        return Scaled(out.mantissa, exponent).by_channel()

    def __call__(self, x):
        """The scaled amplitudes ``(B,)`` of digits ``(N, B)``, by the loop where there is one."""
        if self.room and get_dtype_name(x) == "uint8" and in_memory(x):
            return self._by_loop(x)
        return self._by_arrays(x)

    def _by_loop(self, x):
        table, plain = self.table.mantissa, self.count <= self.room
        if wants_gradient(table, self.readout.mantissa):
            if not plain:
                return self._by_arrays(x)
            return self._read(Scaled(looked_up(table, self.flat, self.phys_dim, x), None))
        vector, top = None, 0.0
        if plain and self.vector is not None:
            vector, top = as_rows(self.vector.mantissa), float(self.vector.exponent)
        parts = look_up(
            as_rows(x), self.flat, self.phys_dim, as_rows(table), self.room, vector, top
        )
        out = Scaled(*(array_like(part, table) for part in parts))
        return self._read(out) if vector is None else out

    @full_precision
    def _by_arrays(self, x):
        codes = row_codes(x, self.windows, self.offsets, self.phys_dim)
        return self._read(multiply_rows(self.table, codes))

    def _read(self, out):
        """The scaled amplitudes from the products of all rows."""
        if self.vector is None or out.exponent is not None:
            return dot(self._with_centre(out), self.readout)
        total = out.mantissa @ self.vector.mantissa
        return Scaled(total, zeros_like_exponent(total) + self.vector.exponent).rescale(axes=0)
