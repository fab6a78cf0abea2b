"""The steps of a RAC for a batch of configurations, rescaled as seldom as is safe.

A step multiplies the states of all layers by what comes in, so they grow or shrink by some bits
each time. How much they can grow in s steps is known from integers, which gives the longest safe
segment; should they ever shrink too far, the segment is done again in smaller ones::

    h (layers x (B, R))  --s steps, no rescale-->  h  --rescale-->  h  --s steps--> ...
                 too small somewhere: two halves instead, or exponents for each channel
"""

from autoray import do, stop_gradient

from ..numerics.products import (
    all_held,
    dot,
    multiply_entries,
    settled,
    shared_axes,
    times,
    transposed,
)
from ..numerics.scaled import (
    Scaled,
    as_index,
    float_info,
    modulus,
    mutable,
    readable,
    scaled,
    take_rows,
)
from ..numerics.torch_modes import full_precision
from .block_steps import BlockSteps, has_block_steps


def safe_steps(depth, bond_dim, max_bits):
    """The most steps in which no entry of a state grows beyond ``2**max_bits``.

    Weights and states have entries up to 1: a step takes the bits ``b[l]`` of layer ``l`` to
    ``b[l] + log2 R``, plus ``b[l - 1] + log2 R`` for what comes in from the layer below.
    """
    grow, bits, steps = max(1, (bond_dim - 1).bit_length()), [0] * depth, 0
    while True:
        for l in range(depth):
            bits[l] += grow + (bits[l - 1] + grow if l else 0)
        if max(bits) > max_bits:
            return max(1, steps)
        steps += 1


class Recursion:
    """Amplitudes of configurations of a RAC.

    Parameters
    ----------
    net : RAC
    """

    def __init__(self, net):
        self.depth, self.length = net.depth, net.L
        matrices = lambda ws: [transposed(scaled(w, 2, net.geometry.num_tensors())) for w in ws]
        self.hidden, self.inputs = matrices(net.hidden_weights), matrices(net.input_weights)
        self.initial = [scaled(h) for h in net.initial]
        self.readout = scaled(net.readout, axes=0)
        self.even = all(shared_axes(w) == 2 for w in (*self.hidden, *self.inputs))
        self.mutable = mutable(*net.params.values())
        limit = 3 * float_info(net._like).maxexp // 8
        self.steps = safe_steps(net.depth, net.bond_dim, limit) if readable(net._like) else 1
        self.first = self.inputs[0]  # one-hot vectors select its rows
        blocks = has_block_steps((*self.hidden, *self.inputs), self.start())
        arrays = self.hidden, self.inputs, self.start(), self.steps
        self.blocks = BlockSteps(*arrays) if blocks else None

    def start(self):
        """The states before the first step, broadcast over a batch."""
        return [Scaled(h.mantissa[None], h.exponent[None]) for h in self.initial]

    @full_precision
    def advance(self, states, x):
        """The states after the steps of digits ``x`` ``(steps, B)``."""
        for begin in range(0, len(x), self.steps):
            states = self._segment(states, x[begin : begin + self.steps])
        return states

    def _segment(self, states, x):
        """A few steps and a rescale; with care, if an entry came close to underflow."""
        if self.even and all(shared_axes(h) == 1 for h in states):
            new = states
            for digit in x:
                new = self.step(new, digit)
            sizes = [modulus(stop_gradient(h.mantissa)) for h in new]
            tops = [do("max", size, axis=-1) for size in sizes]
            if all(map(all_held, sizes, tops)):
                return [h.rescale(size=top) for h, top in zip(new, tops)]
            if len(x) > 1 and not any(bool(do("any", size == 0)) for size in sizes):
                half = len(x) // 2
                return self._segment(self._segment(states, x[:half]), x[half:])
        for digit in x:
            states = self._careful_step(states, digit)
        return states

    def _careful_step(self, states, digit):
        """One step of all layers, in which no channel can underflow."""
        factor = Scaled(*(take_rows(x, as_index(digit)) if x.shape else x for x in self.first))
        new = []
        for h, w in zip(states, self.hidden):
            new.append(settled(multiply_entries((factor, times(h, w)))))
            if len(new) < self.depth:
                factor = times(new[-1], self.inputs[len(new)])
        return new

    def step(self, states, digit):
        """One step of all layers, without a rescale, for digits ``(B,)`` of one site."""
        factor = Scaled(take_rows(self.first.mantissa, as_index(digit)), self.first.exponent)
        new = []
        for h, w in zip(states, self.hidden):
            z = h.mantissa @ w.mantissa
            out = factor.mantissa
            if self.mutable:
                out *= z
            else:
                out = out * z
            new.append(Scaled(out, h.exponent + (w.exponent + factor.exponent)))
            if len(new) < self.depth:
                w = self.inputs[len(new)]
                factor = Scaled(new[-1].mantissa @ w.mantissa, new[-1].exponent + w.exponent)
        return new

    def read(self, states):
        """The scaled amplitudes that the read-out makes of the last states."""
        return dot(states[-1].by_channel(), self.readout)

    def __call__(self, x):
        """The scaled amplitudes ``(B,)`` of digits ``(N, B)``."""
        if self.blocks is not None and x.shape[1] >= self.blocks.lanes // 2:
            last = self.blocks(x)
            if last is not None:
                return self.read([last])
        return self.read(self.advance(self.start(), x))
