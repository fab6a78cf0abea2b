"""Derivatives of two layers whose windows are too wide for tables, in compiled loops.

::

    digits --W1--> y (M, r1) --W2--> z (M, K, r2) --product, read-out--> log psi
           <------           <------            <-- shares of the channels
"""

import math

import numpy as np
from autoray import get_dtype_name

from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.two_layers import two_layer_rows
from ..numerics.scaled import array_like
from .tap_index import tap_index

LEAST = 16  # configurations of a thread


def has_two_layers(net):
    """Whether there are loops for a `ConvAC`: two shared layers of real weights, none zero."""
    arrays = (*net.weights, net.readout)
    real = get_dtype_name(net.readout) == "float64" and has_loops(*arrays)
    if not (net.depth == 2 and net.shared is True and real and net.phys_dim < 256):
        return False
    first = as_rows(net.weights[0])
    return bool((first != 0).all() and (first.sum(-1) != 0).all())


class TwoLayerDerivatives:
    """The derivatives of log psi by all parameters, for digits ``(N, B)``.

    Parameters
    ----------
    derivatives : LayerDerivatives
        Of the same network: its weights, and the way where a factor is zero.
    """

    def __init__(self, derivatives):
        net, g = derivatives.net, derivatives.geometry
        self.other, (taps, above) = derivatives, derivatives.taps
        first, second = (as_rows(w.mantissa) for w in derivatives.weights)
        first = np.stack([first[tap].T for tap in taps])  # (K1, d, r1)
        self.first = np.concatenate((first, first.sum(1, keepdims=True)), axis=1)
        self.second = np.stack([second[tap] for tap in above])
        self.reads = np.stack([self._read(g, 1, tap) for tap in taps], axis=1)
        below = math.prod(g.layer_shape(1))
        counts = [
            np.bincount(i[i >= 0], minlength=below + 1)
            for i in (self._read(g, 2, tap) for tap in above)
        ]
        self.times, self.fixed = np.stack(counts)[:, :below].copy(), np.stack(counts)[:, below]
        power = float(derivatives.readout.exponent.max())
        scale = np.exp2(as_rows(derivatives.readout.exponent) - power)
        self.readout, self.power = as_rows(derivatives.readout.mantissa) * scale, power
        self.powers = [
            np.array([float(w.exponent[tap]) for tap in some])
            for w, some in zip(derivatives.weights, derivatives.taps)
        ]
        self.names = [
            g.weight_name(l, None, tap) for l in (1, 2) for tap in derivatives.taps[l - 1]
        ]
        self.order, self.like = list(net.params), net.readout

    @staticmethod
    def _read(g, l, tap):
        """What a tap reads at each position: one beyond for ones, -1 for nothing."""
        index, beyond = tap_index(g, l, tap), math.prod(g.layer_shape(l - 1))
        return np.where(index == beyond, -1, index) if g.boundary == "omit" else index

    def __call__(self, x):
        (K1, rows, r1), (K2, r2, _), digits = self.first.shape, self.second.shape, as_rows(x)
        out = np.empty((digits.shape[1], self.first.size + self.second.size + r2))
        good = []
        arrays = self.reads, self.first, self.second, self.times, self.fixed, self.readout
        run = lambda start, stop: good.append(two_layer_rows(digits, *arrays, start, stop, out))
        in_threads(run, len(out), LEAST)
        if not all(good):
            return self.other(x)
        count, size = len(out), self.first.size
        first = out[:, :size].reshape(count, K1, rows, r1) / self.first
        first = (first[:, :, :-1] + first[:, :, -1:]) * np.exp2(-self.powers[0])[:, None, None]
        second = out[:, size:-r2].reshape(count, K2, r2, r1)
        second = second * np.exp2(-self.powers[1])[:, None, None]
        parts = [first[:, k].transpose(0, 2, 1).reshape(count, -1) for k in range(K1)]
        parts += [second[:, k].reshape(count, -1) for k in range(K2)]
        by_name = dict(zip(self.names, parts))
        columns = [by_name[name] for name in self.order if name in by_name]
        found = np.concatenate([*columns, out[:, -r2:] * 2.0**-self.power], axis=1)
        return array_like(found, self.like)
