"""Ratios of amplitudes of a RAC: each mask starts at its first changed site, and runs on.

The states before that site are those of the configuration; all masks run side by side::

    states   h0 --> h1 --> h2 --> h3 --> h4       psi(s)
                     '-- mask 0 --> . --> .       changes site 1 first
                            '-- mask 1 --> .      changes site 2 first
"""

import math

import numpy as np
from autoray import do

from ..numerics.products import joined_rows
from ..numerics.scaled import Scaled, array_like
from .recurrence import Recursion


class RecurrentRatios:
    """A function from digits ``(N, B)`` to ratios ``(B, m)``, RAC.

    Parameters
    ----------
    net : RAC
    masks : Masks
    """

    def __init__(self, net, masks):
        self.net, self.recursion = net, Recursion(net)
        first = np.full(masks.count, net.L)
        np.minimum.at(first, masks.owners, masks.sites)
        self.order = np.argsort(first, kind="stable")
        self.begun = np.searchsorted(first[self.order], np.arange(net.L), side="right")
        self.still = int((first == net.L).sum())  # masks that change nothing
        dtype = "int64" if net.phys_dim >= 2**14 else "int16"
        self.added = masks.some(self.order).digits(net.L, dtype)

    def __call__(self, x):
        M, B, before = self.net.phys_dim, x.shape[1], 0
        states = [joined_rows([h] * B) for h in self.recursion.start()]
        runs: list[Scaled] = []
        for t, count in enumerate(self.begun.tolist()):
            if count > before:
                parts = [joined_rows([h] * (count - before)) for h in states]
                runs = [joined_rows(p) for p in zip(runs, parts)] if before else parts
            if count:
                added = array_like(self.added[t, :count, None], x)
                values = (x[t][None] + added) % M
                runs = self.recursion.advance(runs, do("reshape", values, (1, -1)))
            states = self.recursion.advance(states, x[t : t + 1])
            before = count
        psi = self.recursion.read(states)
        blank = do("full_like", psi.mantissa, math.nan)  # a constant, without a derivative
        size = do("where", psi.mantissa == 0, blank, psi.mantissa)
        ratios = [do("reshape", size / size, (1, -1))] * self.still
        if before:
            new = self.recursion.read(runs)
            new = Scaled(*(do("reshape", part, (before, B)) for part in new))
            ratio = Scaled(new.mantissa / size, new.exponent - psi.exponent)
            ratios.insert(0, ratio.plain("a ratio", vanishing=True))
        if not ratios:
            return do("reshape", size, (-1, 1))[:, :0]
        ratios = do("transpose", do("concatenate", tuple(ratios), axis=0), (1, 0))
        back = np.argsort(self.order)
        return ratios[:, array_like(back, ratios)]
