"""Tables whose rows are to be multiplied: of all kinds in one array, centred channel by channel.

Each channel of a kind is centred by a power of two, so that the products of many rows stay within
the range of floats, and how many may be multiplied before the next rescale is known beforehand::

    compiled loops, of arrays in memory   --+--> table (rows, r) = mantissa * 2**(centre of channel)
    array calls, anywhere, any entries    --'              |
                                                           v
    windows --> codes, and the holders of each site --> Rows, as loops read them
"""

from typing import NamedTuple

import numpy as np

from ..kernels.compiled import as_rows
from ..kernels.rows import Rows
from ..numerics.products import joined_rows
from ..numerics.scaled import (
    array_like,
    float_info,
    is_wide,
    ldexp,
    look,
    mutable,
    readable,
    scaled,
)
from .masks import holders_of
from .quick_tables import quick_table
from .window_tables import grouped_tables
from .windows import windows_of


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


def centred(table, starts, below_one=False):
    """Centre the channels of each kind of a table with one exponent per entry, if floats allow it.

    ``starts`` are the first rows of all kinds; ``below_one`` makes their largest the
    centre, so that no entry exceeds 1.
    """
    mantissa, exponent = table
    limit = float_info(mantissa).maxexp // 2
    if readable(mantissa) and not is_wide(exponent):
        shown = look(exponent)
        # where somebody differentiates, zeros count as much as all others
        there = (look(mantissa) != 0) | (not mutable(mantissa))
        high = np.maximum.reduceat(np.where(there, shown, -np.inf), starts)
        low = np.minimum.reduceat(np.where(there, shown, np.inf), starts)
        high, low = (np.where(high < low, 0.0, x) for x in (high, low))  # a channel of zeros
        centre = high if below_one else np.ceil((high + low) / 2)
        bits = int(max(1, (high - centre).max(), (centre - low).max() + 1))
        each = np.repeat(centre, np.diff([*starts, len(shown)]), axis=0)
        shift = shown - each  # zeros too: the derivatives by them have that power
        if bits < limit and shift.max() < limit:
            return RowTable(ldexp(mantissa, array_like(shift, mantissa)), None, centre, bits)
    return RowTable(mantissa, exponent, np.zeros((len(starts), mantissa.shape[-1])), 2)


def centre_of(table, windows):
    """The powers of two ``(r,)`` that the centres of all windows have together."""
    return sum(table.centre[group.kinds].sum(axis=0) for group in windows)


def room_of(table):
    """How many rows of a `RowTable` may be multiplied before a rescale."""
    return max(1, (float_info(table.mantissa).maxexp - 24) // table.bits)


def row_table(net, sizes, below_one=False):
    """The folded tables of a ConvAC, ``sizes`` neighbours merged, and where each kind starts.

    With ``below_one`` no entry exceeds 1: the derivative by a product of rows is then at least as
    large as the share that the product has in psi, and none vanishes on its way back.

    Returns
    -------
    RowTable
    numpy.ndarray of int, shape (kinds,)
    """
    found = quick_table(net, sizes, below_one)
    if found is not None:
        return RowTable(found.mantissa, None, found.centre, found.bits), found.steps.offsets
    table, starts = joined(grouped_tables(net, sizes))
    return centred(table, starts, below_one), starts


class RowTables:
    """Tables, windows and read-out of a ConvAC with all layers tabulated.

    Parameters
    ----------
    net : ConvAC
    group : tuple[int]
        How many neighbouring windows are merged, per dimension.
    """

    def __init__(self, net, group):
        self.phys_dim, self.windows = net.phys_dim, windows_of(net.geometry, net.depth, group)
        self.holders = holders_of(net.geometry, net.depth, group)
        self.table, self.offsets = row_table(net, group)
        self.readout = scaled(net.readout, axes=0)

    @property
    def even(self):
        """Whether entries need no exponents of their own, so that loops can multiply them."""
        return self.table.exponent is None

    @property
    def centre(self):
        """The powers of two ``(r,)`` that the centres of all windows have together."""
        return centre_of(self.table, self.windows)

    def rows(self):
        """Everything that a loop reads, in its kinds of integers."""
        mantissa = as_rows(self.table.mantissa)
        widths = [group.sites.shape[1] for group in self.windows for _ in group.positions]
        offsets = [self.offsets[group.kinds] for group in self.windows]
        wide = np.result_type(mantissa.dtype, np.float64)
        return Rows(
            mantissa,
            np.concatenate([g.sites.reshape(-1) for g in self.windows]).astype(np.int32),
            np.cumsum([0, *widths]).astype(np.int32),
            np.concatenate(offsets).astype(np.int64),
            as_rows(self.readout.mantissa).astype(wide),
            (look(self.readout.exponent) + self.centre).astype(np.int64),
            int(self.table.bits),
            bool((mantissa == 0).any()),
        )
