"""Ratios ``psi(s + mask) / psi(s)`` of any set of masks: which way is the cheapest, and its parts.

::

    masks (m, N) --+--> a compiled loop over configurations: touched windows, nodes, hidden units
                   +--> array calls: touched windows, or the steps after the first change
                   '--> whole amplitudes of all changed configurations, as one large batch

Masks that a loop cannot do, and configurations whose ratios floats cannot hold on its way, are
done by whole amplitudes. All flips of one site are one set of masks.
"""

import functools

import numpy as np
from autoray import do, to_numpy

from ..errors import RangeError
from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.ratios import spread
from ..numerics.configs import batches
from ..numerics.scaled import MAX_FACTORS_WIDE, array_like, look, mutable, take_rows
from .flip_tables import FlipTables
from .general import masked_ratios
from .layer_ratios import LayerRatios
from .plan import cached_plan
from .ratio_costs import best_group, best_runs, changed_cost, layer_cost
from .recurrent_ratios import RecurrentRatios
from .table_ratios import TableRatios

LEAST = 2**14  # ratios that are worth a thread
MANY = 2**22  # ratios that are worth a call


def has_ratio_loops(net):
    """Whether compiled loops may read the weights: nobody differentiates or traces them."""
    leaves = net.params.leaves.values()
    return net.phys_dim <= 256 and mutable(*leaves) and has_loops(*leaves)


@functools.lru_cache(64)
def check_depth(geometry):
    """Refuse networks so deep that the powers of two of two amplitudes cannot be compared."""
    factors = geometry.num_tensors()
    if factors > MAX_FACTORS_WIDE:
        raise RangeError(
            f"an amplitude is a product of about 2**{factors.bit_length()} weights, and ratios are "
            f"right for up to 2**{MAX_FACTORS_WIDE.bit_length() - 1}; use fewer layers or smaller "
            "kernels."
        )


class LoopRatios:
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, by a compiled loop.

    Parameters
    ----------
    net : DeepNetwork
    masks : Masks
    near : array of bool, shape (m,)
        Which masks the loop does, which writes their columns.
    loop : callable
        ``loop(x, first, last, out, unsure)`` does configurations ``first`` to ``last``, and sets
        ``unsure`` where these must be done again.
    """

    def __init__(self, net, masks, near, loop):
        self.net, self.masks, self.loop = net, masks, loop
        self.far = np.flatnonzero(~near)
        self.dtype, self.like = net.dtype, net._like

    @functools.cached_property
    def _whole(self):
        return masked_ratios(self.net, self.masks, 1)

    @functools.cached_property
    def _far(self):
        return masked_ratios(self.net, self.masks.some(self.far), 64)

    def __call__(self, x):
        out, unsure = self._run(x, self.masks.count)
        if len(self.far):
            out[:, self.far] = _in_pieces(self._far, x)
        if np.count_nonzero(unsure):
            out[unsure] = _in_pieces(self._whole, some_of(x, unsure))
        return array_like(out, self.like)

    def _run(self, x, *shape):
        """What the loop writes for each configuration, and where that must be done again."""
        digits = np.asarray(as_rows(x), np.uint8)
        count = digits.shape[1]
        out, unsure = np.empty((count, *shape), self.dtype), np.zeros(count, bool)
        run = lambda first, last: self.loop(digits, first, last, out, unsure)
        in_threads(run, count, 1 + LEAST // max(1, self.masks.count))
        return out, unsure


class FlipRatios(LoopRatios):
    """The same for changes of one site each, by a loop that can write them by site and value."""

    def __init__(self, net, masks, loop):
        super().__init__(net, masks, np.ones(masks.count, bool), loop)
        self.shape = net.nsites, net.phys_dim

    def values(self, x):
        """The ratios ``(B, N, M)`` of all changes that `flips_of` lists, in its order."""
        out, unsure = self._run(x, *self.shape)
        if np.count_nonzero(unsure):
            some = some_of(x, unsure)
            out[unsure] = to_numpy(by_value(_in_pieces(self._whole, some), some, self.shape[1]))
        return array_like(out, self.like)


def some_of(x, which):
    """Those digits ``(N, B)`` of which an array of bool ``(B,)`` says so."""
    return x[:, array_like(np.flatnonzero(which), x)]


def _in_pieces(ratios, x):
    """Ratios of digits ``(N, B)``, so many configurations at a time as suit the way."""
    function, size = ratios
    return np.concatenate([to_numpy(function(x[:, some])) for some in batches(x.shape[1], size)])


def conv_ratios(net, masks, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, ConvAC, and how many at once."""
    check_depth(net.geometry)
    g, size, machine = net.geometry, net._like.itemsize, net._machine
    plan = cached_plan(g, batch * (masks.count + 1), size, None, None, machine)
    if not has_ratio_loops(net):
        return _by_arrays(net, masks, batch, plan)
    cost, group = best_group(g, masks.count, len(masks.sites), batch, size, machine)
    level = min(plan.level, g.depth - 1)
    layers = layer_cost(g, level, len(masks.sites), batch, size, machine)
    whole = plan.cost + changed_cost(net.nsites, masks.count, batch)
    chunk = max(1, MANY // max(1, masks.count))
    if masks.single:
        best = best_runs(g, masks.count, batch, size, machine)
        if best.cost <= min(cost, whole, layers):
            flips = FlipTables(net, masks, best.runs, best.group)
            if flips.held:
                return FlipRatios(net, masks, flips.loop()), chunk
    if group is not None and cost <= min(whole, layers):
        tables = TableRatios(net, masks, group)
        if not tables.near().all():  # rows that are not merged differ by less
            tables = TableRatios(net, masks, (1,) * g.ndim)
        if tables.near().any():
            return LoopRatios(net, masks, tables.near(), tables.loop()), chunk
    elif layers < whole:
        way = LayerRatios(net, masks, level)
        if way.even:
            return LoopRatios(net, masks, np.ones(masks.count, bool), way.loop()), chunk
    return masked_ratios(net, masks, batch)


def _by_arrays(net, masks, batch, plan):
    """The same by array calls: touched windows where all are tabulated, else whole amplitudes."""
    if plan.group is not None:
        tables = TableRatios(net, masks, plan.group)
        if tables.safe():
            floats = masks.count * net.geometry.bond_dim(net.depth)
            chunk = 4 * net._machine.chunk // max(1, floats * net._like.itemsize)
            return tables.prepare(), max(1, chunk)
    return masked_ratios(net, masks, batch)


def recurrent_ratios(net, masks, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, RAC, and how many at once."""
    check_depth(net.geometry)
    floats = masks.count * net.bond_dim * net.depth
    chunk = 4 * net._machine.chunk // max(1, floats * net._like.itemsize)
    return RecurrentRatios(net, masks), max(1, chunk)


def values_by(ratios, phys_dim):
    """The function from digits to ratios of each value ``(B, N, M)``, of one to those of flips."""
    if isinstance(ratios, FlipRatios):
        return ratios.values
    return lambda x: by_value(ratios(x), x, phys_dim)


def by_value(ratios, x, phys_dim):
    """From flips by 1..M-1 at all sites, ``(B, (M - 1) N)``, to each value: ``(B, N, M)``."""
    (N, B), M = x.shape, phys_dim
    if mutable(ratios) and has_loops(ratios) and M <= 256:
        found = as_rows(ratios)
        out = np.empty((B, N, M), found.dtype)
        spread(np.asarray(as_rows(x), np.uint8), found, out)
        return array_like(out, ratios)
    one = ratios[:, :1] * 0 + 1
    padded = do("concatenate", (do("concatenate", (one,) * N, axis=1), ratios), axis=1)
    changes = (np.arange(M) - look(x).astype(int).T[:, :, None]) % M
    index = (np.arange(B)[:, None, None] * M + changes) * N + np.arange(N)[:, None]
    return take_rows(padded.reshape(-1), array_like(index, padded))
