"""Ratios of amplitudes of a restricted Boltzmann machine, from its angles and tables of weights.

::

    angles b + W s  -->  p = 1 / (1 + exp(-2 angle))  --+--> compiled loop over masks
    weights         -->  exp(-2 W), exp(2 W) by site  --'
"""

import math

import numpy as np

from ..kernels.compiled import as_rows
from ..kernels.hidden_ratios import hidden_ratios
from .general import masked_ratios
from .ratios import MANY, LoopRatios, has_ratio_loops

MOST = 300  # powers of two by which a mask may change a factor


def boltzmann_ratios(net, masks, batch):
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, RBM, and how many at once."""
    if not has_ratio_loops(net):
        return masked_ratios(net, masks, batch)
    way = HiddenRatios(net, masks)
    if not way.near.any():
        return masked_ratios(net, masks, batch)
    return LoopRatios(net, masks, way.near, way), max(1, MANY // max(1, masks.count))


class HiddenRatios:
    """The tables of an RBM, as a loop ``(x, first, last, out, unsure)``.

    ``near`` says which masks change no factor by more than floats surely hold.

    Parameters
    ----------
    net : RBM
    masks : Masks
    """

    def __init__(self, net, masks):
        weights, hidden, visible = map(as_rows, (net.weights, net.hidden_bias, net.visible_bias))
        self.wide = np.result_type(weights.dtype, np.float64)
        self.weights, self.hidden = weights.astype(self.wide), hidden.astype(self.wide)
        # a unit more, that is always up: the visible bias
        columns = np.concatenate((self.weights, visible.astype(self.wide)[None])).T
        most = np.zeros(masks.count)
        np.add.at(most, masks.owners, 2 * np.abs(columns.real).max(1)[masks.sites] / math.log(2))
        self.near = most <= MOST
        self.room = int(900 // max(1.0, 1 + most[self.near].max(initial=0.0)))
        self.largest = float(np.finfo(weights.dtype).max)
        some = masks.some(np.flatnonzero(self.near))
        self.columns, self.starts = np.flatnonzero(self.near), some.starts.astype(np.int32)
        self.sites = some.sites.astype(np.int32)
        with np.errstate(over="ignore"):
            both = np.exp(-2 * columns), np.exp(2 * columns)
        self.tables = np.stack((*both, *both[::-1]))

    def __call__(self, x, first, last, out, unsure):
        spins = 1.0 - 2.0 * x[:, first:last]
        angles = (self.hidden[:, None] + self.weights @ spins).T
        up, down = (np.ones((last - first, len(self.hidden) + 1), self.wide) for _ in range(2))
        down[:, -1] = 0
        with np.errstate(all="ignore"):
            up[:, :-1], down[:, :-1] = 1 / (1 + np.exp(-2 * angles)), 1 / (1 + np.exp(2 * angles))
        # where a hidden unit vanishes, psi does
        bad = ~np.isfinite(up).all(1) | ~np.isfinite(down).all(1)
        part = np.empty((last - first, len(self.columns)), out.dtype)
        some = np.ascontiguousarray(x[:, first:last])
        unsure[first:last] |= bad
        hidden_ratios(
            some,
            0,
            last - first,
            self.starts,
            self.sites,
            self.tables,
            up,
            down,
            self.room,
            self.largest,
            part,
            unsure[first:last],
        )
        out[first:last, self.columns] = part
