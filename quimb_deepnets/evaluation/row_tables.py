"""The tables of a ConvAC whose windows are all looked up, as compiled loops read them.

The last layer is folded, neighbouring windows are merged, the tables of all kinds stand in one
array, and each channel of a kind is centred by a power of two::

    net, group --> tables of kinds --joined, centred--> Rows of a loop
                   windows --> codes, and the holders of each site
"""

import numpy as np

from ..kernels.compiled import as_rows
from ..kernels.rows import Rows
from ..numerics.scaled import look, scaled
from .lookup import centre_of, centred, joined, windows_of
from .masks import holders_of
from .window_tables import grouped_tables


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
        table, self.offsets = joined(grouped_tables(net, group))
        self.table, self.readout = centred(table, self.offsets), scaled(net.readout, axes=0)

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
