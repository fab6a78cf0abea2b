"""Per-sample gradients of log psi, backwards through the layers, for a whole batch at once.

Three ways, one result. With shared weights the rows of the layers are codes of windows: the
forward values are then shared by all configurations, and only the adjoints are per sample. Else
the rows are positions. A RAC goes back in time::

    configs --> rows of the folded layer --> adjoints of layer D, D-1, ..., 1
                                                 |          |          |
                                               d W[D]    d W[D-1]    d W[1]      (B, num_params)
"""

import functools
import math

import numpy as np
from autoray import astype, do, get_dtype_name

from ..geometry.branches import branches_of, folded_branches
from ..numerics.configs import identity
from ..numerics.products import checked
from ..numerics.scaled import (
    Scaled,
    array_like,
    as_index,
    power_of_two,
    product,
    scaled,
    take_rows,
    zeros_like_exponent,
)
from .backprop import LayerStep, backward_top, fits_floats, forward, readers_of, scatter
from .block_derivatives import BlockDerivatives, has_block_derivatives
from .plan import cached_plan
from .recurrence import Recursion
from .row_derivatives import RowDerivatives, row_derivatives_fit
from .scaled_derivatives import CarefulDerivatives, CarefulRecurrentDerivatives, far_apart
from .tap_index import tap_index
from .two_layers import TwoLayerDerivatives, has_two_layers
from .window_tables import child_codes
from .windows import row_codes, windows_of


def recurrent_derivatives(net):
    """A function from digits ``(N, B)`` to ``(B, num_params)``, RAC, and how many at once."""
    if far_apart(net):
        return CarefulRecurrentDerivatives(net), net._machine.chunk
    need = 8 * net.L * net.depth * net.bond_dim * net._like.itemsize
    return RecurrentDerivatives(net), max(1, net._machine.residuals // need)


def conv_derivatives(net):
    """A function from digits ``(N, B)`` to ``(B, num_params)``, ConvAC, and how many at once."""
    g = net.geometry
    if far_apart(net):
        return CarefulDerivatives(net), net._machine.chunk
    rows = _table_rows(g, net._like.itemsize, net._machine) if net.shared else None
    positions = sum(math.prod(g.layer_shape(l)) for l in range(1, g.depth + 1))
    bond_dim = max(g.bond_dim(l) for l in range(1, g.depth + 1))
    if rows is not None and rows <= 32 * positions:
        floats, tables = rows * bond_dim, TableDerivatives(net)
        if all(saved.safe for saved in tables.residuals):
            if tables.blocks is not None:  # which cut a batch themselves
                return tables, max(
                    8, net._machine.residuals // (net.num_params * net._like.itemsize)
                )
            return tables, max(8, net._machine.residuals // 4 // (floats * net._like.itemsize))
    taps = max(math.prod(g.kernel(l)) for l in range(1, g.depth + 1))
    floats = 4 * taps * positions * bond_dim
    derive = LayerDerivatives(net)
    if has_two_layers(net):
        return TwoLayerDerivatives(derive), 2**12
    return derive, max(1, net._machine.residuals // (floats * net._like.itemsize))


@functools.lru_cache(64)
def _table_rows(g, itemsize, machine):
    """How many rows all tables have together, or None if they do not fit."""
    if cached_plan(g, 1, itemsize, g.depth, (1,) * g.ndim, machine) is None:
        return None
    levels = [*(branches_of(g, l) for l in range(1, g.depth)), folded_branches(g)]
    return sum(g.phys_dim ** level.width(kind) for level in levels for kind in level.kinds)


class _Derivatives:
    """What the derivatives of a ConvAC share: its weights, and the order of its parameters."""

    def __init__(self, net):
        self.net, self.geometry = net, net.geometry
        self.weights = [scaled(w, axes=2) for w in net.weights]
        self.readout = scaled(net.readout, axes=0)
        self.taps = [list(net.geometry.tap_indices(l)) for l in range(1, net.depth + 1)]

    def top(self, values, counts, rows):
        """Backwards through the product over ``rows`` ``(P, B, r)`` of ``values``."""
        safe = do("where", rows == 0, do("ones_like", rows), rows)
        rest = product(Scaled(safe, zeros_like_exponent(safe[:, :, 0])))
        return backward_top(values, counts, rest, self.readout)

    def unscaled(self, l, where, column):
        """The derivative by a matrix from that by its mantissa."""
        return column * power_of_two(-self.weights[l - 1].exponent[where], column)

    def flat(self, grads, ratio):
        """Derivatives ``(B, r, r_in)`` by name, joined in the order of the parameters."""
        columns = [grads[name].reshape(len(ratio), -1) for name in self.net.params if name in grads]
        return do("concatenate", (*columns, ratio), axis=1)


class TableDerivatives(_Derivatives):
    """Derivatives through the tables of distinct branches, for shared weights."""

    def __init__(self, net):
        super().__init__(net)
        g = self.geometry
        self.windows = windows_of(g, g.depth, (1,) * g.ndim)
        values, self.residuals = identity(g.phys_dim, net._like), []
        self.below = []  # the rows that each layer reads
        steps, self.offsets, self.constants = _table_steps(g)
        for l, step in enumerate(steps, 1):
            w = self.weights[l - 1].mantissa
            matrices = w.reshape(-1, *w.shape[-2:])
            self.below.append(values)
            values, saved = forward(step, matrices, values)
            self.residuals.append(saved)
        self.values = values
        self.blocks = self._blocks() if has_block_derivatives(self) else None

    def _blocks(self):
        """Compiled loops: by the derivatives of all rows, or block by block."""
        return RowDerivatives(self) if row_derivatives_fit(self) else BlockDerivatives(self)

    @functools.cached_property
    def products(self):
        """What the derivatives of each layer are made of, for all configurations."""
        return [self._products(l) for l in range(1, self.geometry.depth + 1)]

    def _products(self, l):
        """``cofactors * gathered`` by channel ``(r, n, K r_in)``; ``cofactors * W`` by row and tap.

        All taps of the folded layer read the same row: there they are added up beforehand.
        """
        saved, w = self.residuals[l - 1], self.weights[l - 1].mantissa
        by_weight = [
            do("transpose", cofactors, (1, 0))[:, :, None] * gathered[None]
            for cofactors, gathered in zip(saved.cofactors, saved.gathered)
        ]
        by_row = [
            cofactors[:, :, None] * w[tap][None]
            for cofactors, tap in zip(saved.cofactors, self.taps[l - 1])
        ]
        if l == self.geometry.depth:
            by_row = [functools.reduce(lambda a, b: a + b, by_row)]
        return do("concatenate", tuple(by_weight), axis=2), by_row

    def codes(self, x):
        """The rows ``(P, B)`` whose product each configuration is, constant ones included."""
        codes = row_codes(x, self.windows, self.offsets, self.geometry.phys_dim)
        for row, times in self.constants.items():
            same = do("zeros_like", codes[:1]) + row
            codes = do("concatenate", (codes, *[same] * times), axis=0)
        return codes

    def __call__(self, x):
        if self.blocks is not None:
            return self.blocks(x)
        B, n, codes = x.shape[1], len(self.values), self.codes(x)
        flat = (codes * B + array_like(np.arange(B), codes)).reshape(-1)
        counts = do("bincount", flat, minlength=n * B).reshape(n, B, 1)
        counts = astype(counts, get_dtype_name(do("real", self.values)))
        top = self.top(self.values[:, None], counts, take_rows(self.values, codes))
        adjoint, grads = top.adjoint, {}
        for l in range(self.geometry.depth, 0, -1):
            by_weight, by_row = self.products[l - 1]
            step, count = self.residuals[l - 1].step, len(self.taps[l - 1])
            columns = do("transpose", adjoint, (2, 1, 0)) @ by_weight
            columns = columns.reshape(*columns.shape[:2], count, -1)
            for k, tap in enumerate(self.taps[l - 1]):
                column = do("transpose", columns[:, :, k], (1, 0, 2))
                grads[self.geometry.weight_name(l, None, tap)] = self.unscaled(l, tap, column)
            if l > 1:
                parts = (scatter(adjoint @ w, rows) for w, rows in zip(by_row, step.readers))
                adjoint = functools.reduce(lambda a, b: a + b, parts)
        return self.flat(grads, top.ratio)


@functools.lru_cache(64)
def _table_steps(g):
    """The gathers of all levels, where the tables of the last start, and its constants."""
    starts, below, steps = {(0,) * g.ndim: 0}, g.phys_dim, []
    for l in range(1, g.depth + 1):
        step, starts, constants = _table_step(g, l, starts, below)
        steps.append(step)
        below = len(step.index[0])
    return tuple(steps), np.array(list(starts.values())), constants


def _table_step(g, l, starts, below):
    """The gathers of all tables of a level, where each starts, and the constants of the last.

    A tap of the folded layer that falls outside is a row of its own, which all configurations
    multiply so many times.
    """
    branches = branches_of(g, l) if l < g.depth else folded_branches(g)
    sizes = {kind: g.phys_dim ** branches.width(kind) for kind in branches.kinds}
    taps, constants = list(g.tap_indices(l)), {}
    if l == g.depth and g.boundary == "ones":
        constants = {tap: g.tap_inputs(l, tap).count(None) for tap in taps}
        constants = {tap: times for tap, times in constants.items() if times}
    total = sum(sizes.values())
    index = {tap: np.full(total + len(constants), -1) for tap in taps}
    for row, tap in enumerate(constants, total):
        index[tap][row] = below
    new = dict(zip(sizes, np.cumsum([0, *sizes.values()])))
    for kind, size in sizes.items():
        rows = slice(new[kind], new[kind] + size)
        for part in branches.parts(kind):
            tap = tuple(k for k, _ in part.label)
            if part.child is not None:
                codes = child_codes(branches.width(kind), part.places, g.phys_dim)
                index[tap][rows] = starts[part.child] + codes
            elif l < g.depth:
                index[tap][rows] = below
    times = dict(enumerate(constants.values(), total))
    reads = list(index.values())
    readers = [readers_of(np.max(reads, axis=0), below)] if l == g.depth else None
    return LayerStep(below, reads, readers), new, times


class LayerDerivatives(_Derivatives):
    """Derivatives through the layers, position by position, for any weights."""

    def __init__(self, net):
        super().__init__(net)
        self.steps = [self._step(l) for l in range(1, net.depth + 1)]

    def __call__(self, x):
        g, residuals = self.geometry, []
        values = take_rows(identity(g.phys_dim, self.net._like), as_index(x))
        for l in range(1, g.depth + 1):
            values, saved = forward(self.steps[l - 1], self._matrices(l), values)
            if not saved.safe:
                return CarefulDerivatives(self.net)(x)
            residuals.append(saved)
        one = do("ones_like", values[:1, :1, :1])
        top = self.top(values, one, values)
        adjoint, grads = top.adjoint, {}
        for l in range(g.depth, 0, -1):
            saved, parts = residuals[l - 1], []
            for k, (tap, matrix) in enumerate(zip(self.taps[l - 1], self._matrices(l))):
                moved = adjoint * saved.cofactors[k]
                self._by_weight(grads, l, tap, moved, saved.gathered[k])
                if l > 1:
                    parts.append(scatter(moved @ matrix, saved.step.readers[k]))
            adjoint = functools.reduce(lambda a, b: a + b, parts) if parts else None
        return self.flat(grads, top.ratio)

    def _by_weight(self, grads, l, tap, moved, gathered):
        """Note the derivatives by the matrices of one tap."""
        g = self.geometry
        if g.shared[l - 1]:
            column = do("transpose", moved, (1, 2, 0)) @ do("transpose", gathered, (1, 0, 2))
            grads[g.weight_name(l, None, tap)] = self.unscaled(l, tap, column)
            return
        for p, position in enumerate(g.positions(l)):
            column = moved[p][:, :, None] * gathered[p][:, None]
            where = (*position, *tap)
            grads[g.weight_name(l, position, tap)] = self.unscaled(l, where, column)

    def _step(self, l):
        g = self.geometry
        below = math.prod(g.layer_shape(l - 1))
        index = [tap_index(g, l, tap) for tap in self.taps[l - 1]]
        if g.boundary == "omit":
            index = [np.where(i == below, -1, i) for i in index]
        return LayerStep(below, index)

    def _matrices(self, l):
        g, w = self.geometry, self.weights[l - 1].mantissa
        if g.shared[l - 1]:
            return [w[tap] for tap in self.taps[l - 1]]
        lead = (slice(None),) * g.ndim
        return [w[(*lead, *tap)].reshape(-1, *w.shape[-2:]) for tap in self.taps[l - 1]]


class RecurrentDerivatives:
    """Derivatives of a RAC, back through time."""

    def __init__(self, net):
        self.net, self.recursion = net, Recursion(net)
        self.hidden = [scaled(w, axes=2) for w in net.hidden_weights]
        self.inputs = [scaled(w, axes=2) for w in net.input_weights]

    def __call__(self, x):
        net = self.net
        onehot = take_rows(identity(net.phys_dim, net._like), as_index(x))  # (N, B, M)
        start = [scaled(h).mantissa[None] for h in net.initial]
        states = [[h + do("zeros_like", onehot[0, :, :1]) for h in start]]
        saved = []
        for t in range(net.L):
            below, new, noted = onehot[t], [], []
            for h, wh, wi in zip(states[-1], self.hidden, self.inputs):
                past = h @ do("swapaxes", wh.mantissa, 0, 1)
                coming = below @ do("swapaxes", wi.mantissa, 0, 1)
                new_h = past * coming
                out, safe = checked(Scaled(new_h, zeros_like_exponent(past[:, 0])))
                if not safe and not fits_floats(out.mantissa, (past, coming), (new_h,)):
                    return CarefulRecurrentDerivatives(net)(x)
                shift = power_of_two(-out.exponent, past)[:, None]
                noted.append((coming * shift, past * shift, below))
                below = out.mantissa
                new.append(below)
            states.append(new)
            saved.append(noted)
        return self._backward(states, saved)

    def _backward(self, states, saved):
        """The adjoints of all states, last to first, and the derivatives they give."""
        net = self.net
        zeros = do("zeros_like", states[0][0])
        one = do("ones_like", zeros[:1, :1])[None]
        last = states[-1][-1]
        safe = do("where", last == 0, do("ones_like", last), last)
        rest = Scaled(safe, zeros_like_exponent(last))
        top = backward_top(last[None], one, rest, scaled(net.readout, axes=0))
        adjoints = [zeros] * (net.depth - 1) + [top.adjoint[0]]
        moved = [([], []) for _ in range(net.depth)]  # per layer: by past, by coming
        for noted in reversed(saved):
            above = None
            for l in reversed(range(net.depth)):
                adjoint = adjoints[l] if above is None else adjoints[l] + above
                coming, past, _ = noted[l]
                by_past, by_coming = adjoint * coming, adjoint * past
                moved[l][0].append(by_past)
                moved[l][1].append(by_coming)
                adjoints[l] = by_past @ self.hidden[l].mantissa
                above = by_coming @ self.inputs[l].mantissa if l else None
        return self._flat(states, saved, moved, adjoints, top.ratio)

    def _flat(self, states, saved, moved, adjoints, ratio):
        columns, B = [], len(ratio)
        for l, (by_past, by_coming) in enumerate(moved):
            pasts = do("stack", tuple(state[l] for state in states[:-1]), axis=1)
            below = do("stack", tuple(noted[l][2] for noted in saved), axis=1)
            for parts, inputs, w in (
                (by_past, pasts, self.hidden[l]),
                (by_coming, below, self.inputs[l]),
            ):
                column = do("stack", tuple(parts[::-1]), axis=2) @ inputs
                columns.append((column * power_of_two(-w.exponent, column)).reshape(B, -1))
            exponent = scaled(self.net.initial[l]).exponent
            columns.append(adjoints[l] * power_of_two(-exponent, adjoints[l]))
        return do("concatenate", (*columns, ratio), axis=1)
