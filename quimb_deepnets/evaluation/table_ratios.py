"""Ratios of amplitudes of a ConvAC whose windows are all tabulated, from touched windows alone.

A mask changes the factors of a few windows; all others stay in the product, channel by channel::

    psi(s') / psi(s) = sum_c  share_c * prod_p  new[p, c] / old[p, c]       p: touched windows

with ``share_c = w_c prod_all old[c] / psi(s)``. Factors that are zero are counted apart, so that
nothing is divided by zero. There is a compiled loop, and a version of array calls for all others.
"""

import numpy as np
from autoray import do

from ..kernels.ratios import Limits, row_ratios
from ..numerics.products import dot
from ..numerics.scaled import (
    Scaled,
    array_like,
    as_index,
    bits,
    float_info,
    ldexp,
    take_rows,
    zeros_like_exponent,
)
from .backprop import shares
from .lookup import multiply_rows
from .masks import touched_windows
from .row_tables import RowTables
from .windows import row_codes

FEW = 600  # powers of two by which a mask may change a product; no quotient can underflow
WIDE = 1400  # beyond so many, quotients are not held
MOST = 2000  # and beyond these, products are not
BOUND = 960  # powers of two that shares and changes take together


class TableRatios:
    """The folded and merged tables of a ConvAC, and which of their windows masks touch.

    ``reach`` is by how many powers of two each mask may change a product; infinite where the
    entries of the tables have exponents of their own.

    Parameters
    ----------
    net : ConvAC
    masks : Masks
    group : tuple[int]
        How many neighbouring windows are merged, per dimension.
    """

    def __init__(self, net, masks, group):
        self.tables, self.masks = RowTables(net, group), masks
        self.geometry, self.phys_dim, self.group = net.geometry, net.phys_dim, group
        self.touches = self._touched(masks)
        self.reach = np.empty(masks.count)
        self.reach[self.touches.order] = 2 * np.diff(self.touches.starts) * self.tables.table.bits
        if not self.tables.even:
            self.reach[:] = np.inf

    def _touched(self, masks):
        return touched_windows(masks, self.geometry, self.geometry.depth, self.group)

    # ------------------------------------------------------------ compiled

    def near(self):
        """For which masks floats in double precision surely hold what the loop multiplies."""
        return self.reach <= MOST

    def loop(self):
        """The compiled loop for near masks, as a function ``(x, first, last, out, unsure)``."""
        near, touches = np.flatnonzero(self.near()), self.touches
        if len(near) < self.masks.count:
            touches = self._touched(self.masks.some(near))
            touches = touches._replace(order=near[touches.order].astype(np.int32))
        reach = int(self.reach[near].max(initial=0))
        bound, floor = BOUND - reach, 0.0
        if reach > FEW:  # half of them are factors above one, which can lift what has underflowed
            bound, floor = BOUND, 2.0 ** (reach / 2 - 1000)
        limits = Limits(bound, floor, 2.0 ** min(reach - bound + 64, 1000))
        wide = reach > WIDE
        if wide:
            limits = Limits(BOUND, 0.0, np.inf)
        rows, phys_dim = self.tables.rows(), self.phys_dim
        largest = float(np.finfo(rows.table.dtype).max)

        def _loop(x, first, last, out, unsure):
            lift = np.empty(len(rows.readout)) if wide else None
            row_ratios(x, first, last, phys_dim, rows, touches, limits, largest, lift, out, unsure)

        return _loop

    # ------------------------------------------------------------ by array calls

    def safe(self):
        """Whether floats of the dtype surely hold what the array version multiplies."""
        return self.reach.max(initial=0) < float_info(self.tables.table.mantissa).maxexp - 24

    def prepare(self):
        """What the array version reads: touches and moves filled up to equal numbers."""
        touches, mantissa = self.touches, self.tables.table.mantissa
        count = sum(len(group.positions) for group in self.tables.windows)
        place = np.empty_like(touches.order)
        place[touches.order] = np.arange(len(place))
        touched = _filled(touches.starts, place)
        moves = _filled(touches.moves, touched)
        at = lambda x, index, blank: np.append(x, blank).astype(np.int64)[index]
        self.holders = at(touches.windows, touched, count)
        self.moved = [at(touches.sites, moves, 0), at(touches.added, moves, 0)]
        self.strides = at(touches.strides, moves, 0)
        self.mantissa, self.zeros = without_zeros(mantissa)
        one = do("ones_like", self.mantissa[:1])  # the row of a window that is not there
        self.padded = do("concatenate", (self.mantissa, one), axis=0)
        if self.zeros is not None:
            self.zeros = do("concatenate", (self.zeros, one * 0), axis=0)
        return self

    def __call__(self, x):
        """The ratios ``(B, m)`` of digits ``(N, B)``, by array calls; after ``prepare()``."""
        codes = row_codes(x, self.tables.windows, self.tables.offsets, self.phys_dim)
        rest = multiply_rows(self.tables.table._replace(mantissa=self.mantissa), codes)
        exponent = zeros_like_exponent(rest.mantissa)
        exponent = exponent + array_like(self.tables.centre, rest.mantissa)
        if rest.exponent is not None:
            exponent = exponent + rest.exponent
        rest, dead = Scaled(rest.mantissa, exponent).by_channel(), None
        if self.zeros is not None:
            dead = do("sum", take_rows(self.zeros, codes), axis=0)
        share = _alive_shares(rest, dead, self.tables.readout)
        blank = do("zeros_like", codes[:1]) + (len(self.padded) - 1)
        codes = do("concatenate", (codes, blank), axis=0)
        old, dead_old = self._factors(codes, None)
        new, dead_new = self._factors(codes, as_index(x))
        ratios = _ratios_of(share, Scaled(new / old, 0.0), dead, dead_new, dead_old)
        return do("transpose", ratios, (1, 0))

    def _factors(self, codes, x):
        """The products over the touched windows of each mask, changed if ``x`` is given."""
        like, (m, most) = codes, self.holders.shape
        out = do("ones_like", take_rows(self.padded, codes[:1] * 0))
        out, dead = out + take_rows(self.padded, array_like(np.zeros((m, 1), int), like)) * 0, None
        for t in range(most):
            code = codes[array_like(self.holders[:, t], like)]
            for site, added, stride in zip(
                *(z[:, t].T for z in (*self.moved, self.strides) if x is not None)
            ):
                old = x[array_like(site, like)]
                new = (old + array_like(added[:, None], like)) % self.phys_dim
                code = code + (new - old) * array_like(stride[:, None], like)
            out = out * take_rows(self.padded, code)
            if self.zeros is not None:
                part = take_rows(self.zeros, code)
                dead = part if dead is None else dead + part
        return out, dead


def _filled(starts, index):
    """The ranges ``starts[i]`` to ``starts[i + 1]`` of each index, filled up with the last end."""
    index = np.asarray(index)
    count = np.append(np.diff(starts), 0)
    begin, count = np.append(starts[:-1], 0)[index], count[index]
    steps = np.arange(count.max(initial=0))
    inside = steps < count[..., None]
    return np.where(inside, begin[..., None] + steps, starts[-1])


def without_zeros(x):
    """An array with ones for its zeros, and where these were; None if nowhere."""
    zero = x == 0
    if not bool(do("any", zero)):
        return x, None
    one = do("ones_like", x)
    return do("where", zero, one, x), do("where", zero, one, one * 0)


def _alive_shares(rest, dead, readout):
    """``w_c x_c / psi`` for the products ``rest`` of the factors that are not zero."""
    alive = rest
    if dead is not None:
        mantissa = do("where", dead == 0, rest.mantissa, do("zeros_like", rest.mantissa))
        alive = Scaled(mantissa, rest.exponent)
    return shares(rest, dot(alive.by_channel(), readout), readout)


def _ratios_of(share, change, dead, dead_new, dead_old):
    """``sum_c share_c change_c``, over the channels that are not dead after the flip.

    Products leave out zeros; ``dead`` counts those of all windows, ``dead_new`` and ``dead_old``
    those of the windows with the site. All may be None where nothing is zero.
    """
    alive = None if dead is None else dead - dead_old + dead_new == 0

    def _masked(terms):
        if alive is not None:
            terms = do("where", alive, terms, do("zeros_like", terms))
        return terms

    exponent = share.exponent + change.exponent
    found = _quick_sum(share.mantissa, exponent, change.mantissa, _masked)
    if found is None:
        terms = _masked(share.mantissa * change.mantissa)
        ones = Scaled(do("ones_like", terms.reshape(-1)[: terms.shape[-1]]), 0.0)
        flat = Scaled(terms, exponent + zeros_like_exponent(terms)).by_channel()
        flat = Scaled(*(part.reshape(-1, terms.shape[-1]) for part in flat))
        found = dot(flat, ones).plain("a ratio", vanishing=True).reshape(terms.shape[:-1])
    first = share.mantissa[..., 0]  # nan where psi is zero
    return do("where", first == first, found, found * 0 + first)


def _quick_sum(share, exponent, change, mask):
    """``sum_c share_c 2**exponent_c change_c`` in plain floats, or None if they may not hold it."""
    exponent, limit = bits(exponent), float_info(share).maxexp // 2
    if float(do("max", do("abs", do("max", exponent, axis=-1)))) >= limit:
        return None  # the largest channel decides
    found = do("sum", mask(ldexp(share, exponent) * change), axis=-1)
    if float(do("min", exponent)) <= -limit:  # small channels may have vanished: do they matter?
        lost = float(do("max", do("abs", change))) * 2.0 ** (60 - limit)
        if not float(do("min", do("abs", found))) > lost:
            return None
    return found if bool(do("all", do("isfinite", found))) else None
