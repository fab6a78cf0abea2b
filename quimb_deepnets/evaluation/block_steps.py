"""Steps of a RAC in compiled loops: blocks of configurations that stay in the cache.

::

    digits (N, B) --> block of b --all steps--> last state (rows, b) --> channels (B, R)
                      block of b --...      too small somewhere: rescale after each step, or None
"""

import numpy as np
from autoray import to_numpy

from ..kernels.compiled import as_rows, has_loops, in_threads
from ..kernels.recurrence import take_steps
from ..kernels.tiles import OUTS, lanes, real_matrices
from ..numerics.products import shared_axes
from ..numerics.scaled import Scaled, array_like, is_wide, mutable, smallest_held

CACHE = 2**15  # bytes of the innermost cache, for the states of all layers


def has_block_steps(matrices, states):
    """Whether there are loops for these scaled arrays, one exponent for each of them."""
    parts = [*matrices, *states]
    return (
        has_loops(*(x.mantissa for x in parts))
        and mutable(*(x.mantissa for x in parts))
        and all(shared_axes(w) == 2 for w in matrices)
        and all(shared_axes(h) == 1 for h in states)
        and not any(is_wide(x.exponent) for x in parts)
    )


class BlockSteps:
    """The last states of a RAC.

    Parameters
    ----------
    hidden, inputs : list of Scaled
        Transposed to ``(r_in, r_out)``, one exponent each.
    initial : list of Scaled
        Shape ``(1, R)``.
    every : int
        How many steps are safe without a rescale, but for underflow.
    """

    def __init__(self, hidden, inputs, initial, every):
        self.like, self.every = hidden[0].mantissa, every
        real = lambda ws: [real_matrices(as_rows(w.mantissa)[None])[0] for w in ws]
        self.first, *above = real(inputs)
        self.hidden = np.stack(real(hidden))
        self.inputs = np.stack(above) if above else self.hidden[:0]
        self.dtype = self.hidden.dtype
        self.parts = 2 if as_rows(self.like).dtype.kind == "c" else 1
        start = np.concatenate([as_rows(h.mantissa) for h in initial])
        self.start = np.ascontiguousarray(start).view(self.dtype)
        self.small, self.lanes = smallest_held(start), lanes(self.dtype.itemsize)
        bits = lambda parts: np.array([float(to_numpy(x.exponent).reshape(())) for x in parts])
        self.exponent = bits(initial)
        self.powers = bits(hidden) + bits(inputs)

    def __call__(self, x):
        """The channels, ``(B, R)`` and ``(B,)``, or None if entries came close to underflow."""
        digits, batch = as_rows(x), x.shape[1]
        last = np.empty((batch, self.start.shape[1]), self.dtype)
        exponent, safe, size = np.empty(batch), [], self._size(batch)

        def _part(start, stop):
            work = self._work(size)
            for begin in range(start, stop, size):
                end = min(stop, begin + size)
                safe.append(self._block(digits, begin, end, work))
                if not safe[-1]:
                    return
                states, powers = work[1][len(digits) % 2], work[2]
                last[begin:end] = states[-1, : last.shape[1], : end - begin].T
                exponent[begin:end] = powers[-1, : end - begin]

        in_threads(_part, batch, size)
        if not all(safe):
            return None
        mantissa = last.view(as_rows(self.like).dtype)
        return Scaled(array_like(mantissa, self.like), array_like(exponent, self.like))

    def _size(self, batch):
        """Configurations of a block: two states of each layer share the innermost cache."""
        floats = 2 * len(self.hidden) * self.hidden.shape[1] * OUTS
        fit = CACHE // (floats * self.dtype.itemsize)
        size = max(self.lanes, fit // self.lanes * self.lanes)
        return min(size, -(-batch // self.lanes) * self.lanes)

    def _work(self, size):
        """Arrays that a thread uses again and again."""
        depth, rows = len(self.hidden), self.hidden.shape[1] * OUTS
        onehot = np.empty((self.first.shape[1], size), self.dtype)
        states = np.empty((2, depth, rows, size), self.dtype)
        return onehot, states, np.empty((depth, size)), np.empty((3, size))

    def _block(self, digits, start, stop, work):
        """All steps of some configurations; whether no entry came close to underflow."""
        count = self.start.shape[1]
        for every in sorted({1, self.every}, reverse=True):
            work[1][0, :, :count] = self.start[:, :, None]
            work[2][...] = self.exponent[:, None]
            matrices = self.first, self.inputs, self.hidden, self.powers
            if take_steps(
                digits, start, stop, *matrices, count, self.parts, every, self.small, work
            ):
                return True
        return False
