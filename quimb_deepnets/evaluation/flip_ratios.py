"""Amplitude ratios for single flips, from the windows that hold the flipped site alone.

A flip changes the factors of a few windows; all others stay in the product, channel by channel::

    psi(s') / psi(s) = sum_c  share_c * prod_p  new[p, c] / old[p, c]       p: windows with the site

with ``share_c = w_c prod_all old[c] / psi(s)``. Factors that are zero are counted apart, so that
nothing is divided by zero. A RAC runs again from the flipped step on.
"""

import math

import numpy as np
from autoray import do

from ..errors import RangeError
from ..geometry.branches import branch_levels
from ..numerics.products import dot, joined_rows, multiply_out, settled, times
from ..numerics.scaled import (
    MAX_FACTORS_WIDE,
    Scaled,
    array_like,
    as_index,
    bits,
    float_info,
    ldexp,
    product,
    scaled,
    take,
    take_rows,
    zeros_like_exponent,
)
from .backprop import shares
from .general import by_value, changed_ratios
from .layerwise import Layers, choose, compute_layer, set_one
from .lookup import Lookup, Windows, row_codes, windows_of
from .plan import cached_plan
from .recurrence import Recursion
from .tap_index import tap_index
from .window_tables import grouped_tables, safe_factors


def _check_depth(net):
    """Refuse networks so deep that the powers of two of two amplitudes cannot be compared."""
    factors = net.geometry.num_tensors()
    if factors > MAX_FACTORS_WIDE:
        raise RangeError(
            f"an amplitude is a product of about 2**{factors.bit_length()} weights, and ratios are "
            f"right for up to 2**{MAX_FACTORS_WIDE.bit_length() - 1}; use fewer layers or smaller "
            "kernels."
        )


def recurrent_flips(net, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, N, M)``, RAC, and how many at once."""
    _check_depth(net)
    floats = net.L * net.phys_dim * net.bond_dim * net.depth
    return RecurrentFlips(net), max(1, 4 * net._machine.chunk // (floats * net._like.itemsize))


def conv_flips(net, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, N, M)``, ConvAC, and how many at once.

    From tables where all windows fit one; else whichever of two ways takes less, each flip layer
    by layer or all changed configurations as one batch.
    """
    _check_depth(net)
    g, size = net.geometry, net._like.itemsize
    plan = cached_plan(g, batch * net.nsites * net.phys_dim, size, None, None, net._machine)
    floats = net.nsites * max(g.bond_dim(l) for l in range(1, g.depth + 1))
    chunk = max(1, 4 * net._machine.chunk // (floats * size))
    if plan.group is not None:
        flips = TableFlips(net, plan.group)
        if flips.safe:
            return flips, chunk
    level = min(plan.level, g.depth - 1)
    if _layer_cost(g, level, batch, -(-batch // chunk), net._machine) < plan.cost:
        return LayerFlips(net, level), chunk
    return changed_ratios(net, batch)


def _layer_cost(g, level, batch, calls, machine):
    """Estimated nanoseconds of `LayerFlips`, in the terms of a `Plan`.

    Its arrays are small and gathered, which takes about three times what large ones take.
    """
    each, taps = 0, 0
    for l in range(level, g.depth + 1):
        held = sum(map(len, touched_nodes(g, l))) / math.prod(g.shape)
        count = math.prod(g.kernel(l)) if l > level else 0
        products = 2 * g.bond_dim(l) * g.bond_dim(l - 1) * machine.flop if count else 0
        each += held * ((products + 8 * g.bond_dim(l) * machine.element) * max(1, count))
        taps += count
    calls *= (75 + 50 * taps) * machine.call
    return 3 * math.prod(g.shape) * g.phys_dim * (batch * each + calls)


def touched_nodes(g, l):
    """For each site the flat positions of layer ``l`` whose windows hold it."""
    axes = []
    for axis, length in zip(g.axes, g.shape):
        level = branch_levels(axis, g.shared, g.boundary)[l]
        holders = [[] for _ in range(length)]
        for p, window in enumerate(level.windows):
            for site in window:
                holders[site].append(p)
        axes.append([np.array(h, dtype=int) for h in holders])
    if g.ndim == 1:
        return axes[0]
    width = g.layer_shape(l)[1]
    return [(a[:, None] * width + b).reshape(-1) for a in axes[0] for b in axes[1]]


def ratios_of(share, change, dead, dead_new, dead_old):
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


def without_zeros(x):
    """An array with ones for its zeros, and where these were; None if nowhere."""
    zero = x == 0
    if not bool(do("any", zero)):
        return x, None
    one = do("ones_like", x)
    return do("where", zero, one, x), do("where", zero, one, one * 0)


def alive_shares(rest, dead, readout):
    """``w_c x_c / psi`` for the products ``rest`` of the factors that are not zero."""
    alive = rest
    if dead is not None:
        mantissa = do("where", dead == 0, rest.mantissa, do("zeros_like", rest.mantissa))
        alive = Scaled(mantissa, rest.exponent)
    return shares(rest, dot(alive.by_channel(), readout), readout)


class TableFlips:
    """Flip ratios of a ConvAC whose windows, merged in groups, are all tabulated."""

    def __init__(self, net, group):
        self.net, self.readout = net, scaled(net.readout, axes=0)
        self.windows = windows_of(net.geometry, net.depth, group)
        self.lookup = Lookup(grouped_tables(net, group), self.windows, net.readout, net.phys_dim)
        table = self.lookup.table
        self.holders, self.strides = self._incidence()
        room = (float_info(table.mantissa).maxexp - 24) // 2  # for ratios of two products
        self.safe = table.exponent is None and self.holders.shape[1] * table.bits < room
        self.mantissa, self.zeros = without_zeros(table.mantissa)
        one = do("ones_like", self.mantissa[:1])  # the row of a window that is not there
        self.padded = do("concatenate", (self.mantissa, one), axis=0)
        if self.zeros is not None:
            self.zeros = do("concatenate", (self.zeros, one * 0), axis=0)

    def _incidence(self):
        """For each site the windows that hold it, and what one more unit adds to their codes."""
        holders = [[] for _ in range(self.net.nsites)]
        start = 0
        for group in self.windows:
            width = group.sites.shape[1]
            for p, sites in enumerate(group.sites.tolist(), start):
                for place, site in enumerate(sites):
                    holders[site].append((p, self.net.phys_dim ** (width - 1 - place)))
            start += len(group.sites)
        most = max(map(len, holders))
        filled = [h + [(start, 0)] * (most - len(h)) for h in holders]
        filled = np.array(filled).reshape(len(holders), most, 2)
        return filled[:, :, 0], filled[:, :, 1]

    def __call__(self, x):
        codes = row_codes(x, self.windows, self.lookup.offsets, self.net.phys_dim)
        rest = self.lookup.channels(codes, self.mantissa)
        dead = None
        if self.zeros is not None:
            dead = do("sum", take_rows(self.zeros, codes), axis=0)
        share = alive_shares(rest, dead, self.readout)
        blank = do("zeros_like", codes[:1]) + (len(self.padded) - 1)
        codes = do("concatenate", (codes, blank), axis=0)
        values = [self._factors(codes, m - as_index(x)) for m in range(self.net.phys_dim)]
        old, dead_old = values[0]
        for m, (new, dead_new) in enumerate(values[1:], 1):
            here = (x == m)[:, :, None]
            old = do("where", here, new, old)
            dead_old = None if dead is None else do("where", here, dead_new, dead_old)
        ratios = [
            ratios_of(share, Scaled(new / old, 0.0), dead, dead_new, dead_old)
            for new, dead_new in values
        ]
        return do("transpose", do("stack", tuple(ratios)), (2, 1, 0))

    def _factors(self, codes, change):
        """The products over the windows of each site, its value changed, ``(N, B, r)``."""
        out = dead = None
        for holder, stride in zip(self.holders.T, self.strides.T):
            code = codes[array_like(holder, codes)]
            code = code + change * array_like(stride[:, None], codes)
            part = take_rows(self.padded, code)
            out = part if out is None else out * part
            if self.zeros is not None:
                part = take_rows(self.zeros, code)
                dead = part if dead is None else dead + part
        return out, dead


class LayerFlips:
    """Flip ratios of any ConvAC: for each site, its nodes in each layer are computed again."""

    def __init__(self, net, level):
        self.net, self.geometry = net, net.geometry
        self.layers = Layers(net, level)
        self.touched = [touched_nodes(net.geometry, l) for l in range(level, net.depth + 1)]
        self.local = [self._local(positions) for positions in self.touched[0]]
        self.touched[0] = [np.concatenate([w.positions for w in local]) for local in self.local]

    def _local(self, positions):
        """The windows of some positions of the last tabulated layer."""
        groups = [(group, np.isin(group.positions, positions)) for group in self.layers.windows]
        return [Windows(*(part[mask] for part in group)) for group, mask in groups if mask.any()]

    def __call__(self, x):
        layers, g = self.layers, self.geometry
        outputs = [layers.below(x)]
        for l in range(layers.level + 1, g.depth + 1):
            outputs.append(compute_layer(g, l, layers.weights[l - 1], outputs[-1]))
        top, zeros = self._product(outputs[-1])
        share = alive_shares(top, zeros, layers.readout)
        padded = [
            Scaled(*(do("concatenate", (a, b), axis=0) for a, b in zip(y, _ones_like(y))))
            for y in outputs
        ]
        ratios = []
        for n in range(self.net.nsites):
            old, dead_old = self._product(take(outputs[-1], self._at(-1, n)))
            for m in range(self.net.phys_dim):
                new, dead_new = self._product(self._flipped(x, n, m, padded))
                change = Scaled(new.mantissa / old.mantissa, new.exponent - old.exponent)
                ratios.append(ratios_of(share, change, zeros, dead_new, dead_old))
        stacked = do("stack", tuple(ratios)).reshape(self.net.nsites, self.net.phys_dim, -1)
        return do("transpose", stacked, (2, 0, 1))

    def _at(self, l, n):
        return array_like(self.touched[l][n], self.layers.readout.mantissa)

    def _product(self, y):
        """The product over positions without its zeros, and how many there were."""
        zero = y.mantissa == 0
        one = do("ones_like", y.mantissa)
        safe = do("where", zero, one, y.mantissa)
        return product(Scaled(safe, y.exponent)), do("sum", do("where", zero, one, one * 0), axis=0)

    def _flipped(self, x, n, m, padded):
        """The nodes of the last layer whose windows hold site ``n``, when it takes value ``m``."""
        g, level = self.geometry, self.layers.level
        row = do("zeros_like", x[:1]) + m
        x = do("concatenate", (x[:n], row, x[n + 1 :]), axis=0)
        codes = row_codes(x, self.local[n], self.layers.offsets, g.phys_dim)
        new = take(self.layers.table, codes)
        for depth, l in enumerate(range(level + 1, g.depth + 1)):
            new = self._layer(l, n, depth, new, padded[depth])
        return new

    def _layer(self, l, n, depth, new, old):
        """Layer ``l`` at the positions that hold the site, from new and old nodes below."""
        g, w = self.geometry, self.layers.weights[l - 1]
        here, below = self.touched[depth + 1][n], self.touched[depth][n]
        rank = dict(zip(below.tolist(), range(len(below))))

        def _factors():
            for tap in g.tap_indices(l):
                index = tap_index(g, l, tap)[here]
                ranks = np.array([rank.get(q, -1) for q in index.tolist()])
                before = take(old, array_like(index, new.mantissa))
                ranks = array_like(ranks, new.mantissa)
                z = choose(ranks >= 0, take(new, do("clip", ranks, 0, None)), before)
                z = self._apply(l, w, tap, here, z)
                outside = index == len(old.mantissa) - 1
                if g.boundary == "omit" and outside.any():
                    z = set_one(z, array_like(outside, z.mantissa))
                yield z

        return settled(multiply_out(_factors, safe_factors(w.mantissa)))

    def _apply(self, l, w, tap, here, z):
        """The matrix of a tap on nodes ``here``."""
        where = tap
        if not self.geometry.shared[l - 1]:
            where = (*np.unravel_index(here, self.geometry.layer_shape(l)), *tap)
        return times(z, Scaled(*(part[where] for part in w)))


def _ones_like(y):
    return Scaled(do("ones_like", y.mantissa[:1]), y.exponent[:1] * 0)


class RecurrentFlips:
    """Flip ratios of a RAC: all flips of one step start together, and run on side by side."""

    def __init__(self, net):
        self.net, self.recursion = net, Recursion(net)

    def __call__(self, x):
        M, (N, B) = self.net.phys_dim, x.shape
        states, flips = [joined_rows([h] * B) for h in self.recursion.start()], None
        for t in range(N):
            count = len(flips[0].mantissa) // B if flips else 0
            # the value changes by 1..M-1 here; flips of earlier steps read what is there
            values = [x[t]] * count + [(x[t] + m) % M for m in range(1, M)]
            begun = [joined_rows([h] * (M - 1)) for h in states]
            if flips:
                begun = [joined_rows(pair) for pair in zip(flips, begun)]
            flips = self.recursion.advance(begun, do("concatenate", tuple(values), axis=0)[None])
            states = self.recursion.advance(states, x[t : t + 1])
        psi, new = self.recursion.read(states), self.recursion.read(flips)
        new = Scaled(*(part.reshape(N, M - 1, B) for part in new))
        size = do("where", psi.mantissa == 0, psi.mantissa * math.nan, psi.mantissa)
        ratio = Scaled(new.mantissa / size, new.exponent - psi.exponent)
        ratio = ratio.plain("a ratio", vanishing=True)
        ratio = do("concatenate", (ratio[:, :1] * 0 + size / size, ratio), axis=1)
        return by_value(ratio, x)
