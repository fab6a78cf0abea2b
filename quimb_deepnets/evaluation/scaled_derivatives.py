"""Derivatives of log psi in scaled numbers throughout, for channels that floats cannot compare.

The same formulas as the quick ways have, backwards through the layers or through time, but each
entry of a node, of an adjoint and of a weight has an exponent of its own, so that none vanishes
beside a larger one::

    values --W, products--> values --> ... --> psi        mantissa * 2**exponent, entry by entry
                 |                              |
    adjoints <--W, cofactors-- adjoints <-- ... <--+         sums: terms relative to the largest
"""

import itertools
import math

from autoray import do

from ..numerics.configs import identity
from ..numerics.products import (
    dot,
    joined_rows,
    multiply,
    times,
    total,
    transposed,
)
from ..numerics.scaled import (
    Scaled,
    array_like,
    as_index,
    float_info,
    ldexp,
    look,
    modulus,
    product,
    readable,
    scaled,
    take,
    take_rows,
)
from .backprop import readers_of, shares
from .layerwise import choose, set_one
from .tap_index import tap_index


def far_apart(net):
    """Whether derivatives need an exponent each, because weights are tiny or far apart.

    The nodes of a plain pass backwards are of size 1, so its adjoints are as large as the share
    ``w * d log psi / d w`` that a weight ``w`` has in psi. What is lost to underflow is ``1 / w``
    times as large: almost nothing for weights of ordinary size, and derivatives of any size for
    weights below 2**-64 (2**-36 in single precision), or so much below the largest of their array
    that a product of a few reaches the limit. Where torch follows some weights, the others do not
    count.

    Parameters
    ----------
    net : ConvAC or RAC
    """
    leaves = net.params.leaves.values()
    followed = [x for x in leaves if getattr(x, "requires_grad", False)]
    return any(map(_has_tiny, followed or leaves))


def _has_tiny(x):
    """Whether an entry is not zero but tiny, in itself or beside the largest."""
    if not readable(x):
        return False  # as far as that can be looked at
    size = modulus(look(x))
    least = 2.0 ** -(64 if float_info(x).maxexp > 128 else 36)
    low = size.min(initial=math.inf)
    if low == 0:
        low = size.min(where=size > 0, initial=math.inf)
    return low < least * max(1.0, size.max(initial=0.0))


def entrywise(x, axes=1, factors=1):
    """A plain array as a `Scaled` one with an exponent for each entry."""
    return scaled(x, axes, factors).by_channel()


def multiplied(x, y):
    """The elementwise product, rescaled."""
    return multiply(x, y).rescale(axes=0)


def added(parts):
    """The elementwise sum of scaled arrays of one shape."""
    return total(Scaled(*(do("stack", tuple(x), axis=-1) for x in zip(*parts))))


def sum_of_outer(left, right):
    """``sum_n left[n, b, i] * right[n, b, j]``, as plain numbers ``(B, i, j)``."""
    left, right = (Scaled(*(do("transpose", p, (1, 2, 0)) for p in x)) for x in (left, right))
    columns = [
        total(multiplied(left, Scaled(*(part[:, j : j + 1] for part in right))))
        for j in range(right.mantissa.shape[1])
    ]
    stacked = Scaled(*(do("stack", tuple(x), axis=-1) for x in zip(*columns)))
    return stacked.plain("a derivative", vanishing=True)


def top_adjoint(values, readout, seed=None):
    """Backwards through ``psi = sum_c w_c prod_n values[n, b, c]``.

    Parameters
    ----------
    values : Scaled, shape (n, B, r)
    readout : Scaled, shape (r,)
    seed : Scaled, shape (B,), optional
        Differentiate ``mantissa * psi / 2**exponent`` of this; by default log psi.

    Returns
    -------
    ratio : array, shape (B, r)
        ``x_c / psi``, the derivatives by the read-out.
    adjoint : Scaled, shape (n, B, r)
        The derivatives by the values.
    """
    zero = values.mantissa == 0
    one = do("ones_like", values.mantissa)
    safe = Scaled(do("where", zero, one, values.mantissa), values.exponent)
    dead = do("sum", do("where", zero, one, one * 0), axis=0)
    rest = product(safe)
    alive = rest._replace(mantissa=do("where", dead == 0, rest.mantissa, rest.mantissa * 0))
    unit = Scaled(one[0, 0], readout.exponent * 0)
    if seed is None:
        psi = dot(alive, readout)
    else:
        psi = Scaled(one[0, :, 0], seed.exponent)
        rest, alive = (
            x._replace(mantissa=x.mantissa * seed.mantissa[:, None]) for x in (rest, alive)
        )
    weighted = shares(rest, psi, readout)
    open_ = do("where", zero, dead[None] == 1, dead[None] == 0)
    adjoint = Scaled(weighted.mantissa * open_ / safe.mantissa, weighted.exponent - safe.exponent)
    return ldexp(*shares(alive, psi, unit)), adjoint.rescale(axes=0)


class CarefulDerivatives:
    """Derivatives of a ConvAC, layer by layer.

    Parameters
    ----------
    net : ConvAC
    """

    def __init__(self, net):
        self.net, self.geometry = net, net.geometry
        factors = net.geometry.num_tensors()
        self.weights = [entrywise(w, 2, factors) for w in net.weights]
        self.readout = scaled(net.readout, axes=0)
        self.taps = [list(net.geometry.tap_indices(l)) for l in range(1, net.depth + 1)]

    def __call__(self, x, seed=None):
        """The derivatives ``(B, num_params)`` for digits ``(N, B)``, see `top_adjoint`."""
        g = self.geometry
        bond_dim = max(g.bond_dim(l) for l in range(1, g.depth + 1))
        floats = 4 * max(map(len, self.taps)) * math.prod(g.shape) * bond_dim**2
        size = max(1, self.net._machine.residuals // (floats * self.net._like.itemsize))
        runs = [slice(s, s + size) for s in range(0, x.shape[1], size)]
        pick = lambda run: seed and Scaled(*(part[run] for part in seed))
        return do("concatenate", tuple(self._derive(x[:, s], pick(s)) for s in runs), axis=0)

    def _derive(self, x, seed):
        onehot = take_rows(identity(self.geometry.phys_dim, self.net._like), as_index(x))
        values, residuals, grads = entrywise(onehot), [], {}
        for l in range(1, self.geometry.depth + 1):
            values, saved = self._forward(l, values)
            residuals.append(saved)
        ratio, adjoint = top_adjoint(values, self.readout, seed)
        for l in range(self.geometry.depth, 0, -1):
            adjoint = self._backward(l, residuals[l - 1], adjoint, grads)
        columns = [grads[name].reshape(len(ratio), -1) for name in self.net.params if name in grads]
        return do("concatenate", (*columns, ratio), axis=1)

    def _matrix(self, l, tap):
        """The matrices of a tap, ``(out, in)`` or ``(P, out, in)``."""
        if self.geometry.shared[l - 1]:
            return Scaled(*(part[tap] for part in self.weights[l - 1]))
        parts = (part[(*[slice(None)] * self.geometry.ndim, *tap)] for part in self.weights[l - 1])
        return Scaled(*(part.reshape(-1, *part.shape[-2:]) for part in parts))

    def _forward(self, l, y):
        """A layer, and for each tap its inputs, its cofactors, and what it reads."""
        g, below = self.geometry, len(y.mantissa)
        one = Scaled(do("ones_like", y.mantissa[:1]), y.exponent[:1] * 0)
        padded, factors, gathered, indices = joined_rows((y, one)), [], [], []
        for tap in self.taps[l - 1]:
            index = tap_index(g, l, tap)
            gathered.append(take(padded, array_like(index, y.mantissa)))
            z = times(gathered[-1], transposed(self._matrix(l, tap)))
            outside = array_like(index == below, y.mantissa)
            factors.append(set_one(z, outside) if g.boundary == "omit" else z)
            indices.append(index)
        before = list(itertools.accumulate(factors, multiplied))
        after = list(itertools.accumulate(factors[::-1], multiplied))[::-1]
        saved = []
        for k, index in enumerate(indices):
            parts = [*before[k - 1 : k], *after[k + 1 : k + 2]] if k else after[1:2]
            rest = Scaled(do("ones_like", factors[k].mantissa), factors[k].exponent * 0)
            for part in parts:
                rest = multiplied(rest, part)
            if g.boundary == "omit":  # there the tap is left out
                outside = array_like(index == below, y.mantissa)
                rest = choose(outside, rest._replace(mantissa=rest.mantissa * 0), rest)
            saved.append((gathered[k], rest, readers_of(index, below)))
        return before[-1], saved

    def _backward(self, l, saved, adjoint, grads):
        """Note the derivatives by the weights of a layer; the adjoints of the layer below."""
        g, parts = self.geometry, []
        for tap, (gathered, cofactors, readers) in zip(self.taps[l - 1], saved):
            moved = multiplied(adjoint, cofactors)
            if g.shared[l - 1]:
                grads[g.weight_name(l, None, tap)] = sum_of_outer(moved, gathered)
            else:
                for p, position in enumerate(g.positions(l)):
                    here = (Scaled(*(part[p : p + 1] for part in x)) for x in (moved, gathered))
                    grads[g.weight_name(l, position, tap)] = sum_of_outer(*here)
            if l > 1:
                parts.append(_collected(times(moved, self._matrix(l, tap)), readers))
        return added(parts) if parts else None


def _collected(x, readers):
    """Rows added up where they were read from."""
    nothing = Scaled(x.mantissa[:1] * 0, x.exponent[:1] * 0)
    picked = take(joined_rows((x, nothing)), array_like(readers, x.mantissa))
    return total(Scaled(*(do("transpose", part, (0, 2, 3, 1)) for part in picked)))


class CarefulRecurrentDerivatives:
    """Derivatives of a RAC, back through time.

    Parameters
    ----------
    net : RAC
    """

    def __init__(self, net):
        self.net, factors = net, net.geometry.num_tensors()
        self.hidden = [entrywise(w, 2, factors) for w in net.hidden_weights]
        self.inputs = [entrywise(w, 2, factors) for w in net.input_weights]
        self.readout = scaled(net.readout, axes=0)

    def __call__(self, x, seed=None):
        """The derivatives ``(B, num_params)`` for digits ``(N, B)``, see `top_adjoint`."""
        net, B = self.net, x.shape[1]
        onehot = entrywise(take_rows(identity(net.phys_dim, net._like), as_index(x)))
        states = [
            [joined_rows([Scaled(*(p[None] for p in entrywise(h)))] * B) for h in net.initial]
        ]
        saved = []
        for t in range(net.L):
            below, new, noted = Scaled(*(part[t] for part in onehot)), [], []
            for h, wh, wi in zip(states[-1], self.hidden, self.inputs):
                past, coming = times(h, transposed(wh)), times(below, transposed(wi))
                noted.append((past, coming, below))
                below = multiplied(past, coming)
                new.append(below)
            states.append(new)
            saved.append(noted)
        return self._backward(states, saved, seed)

    def _backward(self, states, saved, seed):
        depth = self.net.depth
        ratio, adjoint = top_adjoint(Scaled(*(x[None] for x in states[-1][-1])), self.readout, seed)
        last = Scaled(*(x[0] for x in adjoint))
        adjoints = [last._replace(mantissa=last.mantissa * 0)] * (depth - 1) + [last]
        moved = [([], []) for _ in range(depth)]  # per layer: by past, by coming
        for noted in reversed(saved):
            above = None
            for l in reversed(range(depth)):
                adjoint = adjoints[l] if above is None else added((adjoints[l], above))
                past, coming, _ = noted[l]
                by_past, by_coming = multiplied(adjoint, coming), multiplied(adjoint, past)
                moved[l][0].append(by_past)
                moved[l][1].append(by_coming)
                adjoints[l] = times(by_past, self.hidden[l])
                above = times(by_coming, self.inputs[l]) if l else None
        columns = []
        stack = lambda parts: Scaled(*(do("stack", tuple(x), axis=0) for x in zip(*parts)))
        for l, (by_past, by_coming) in enumerate(moved):
            pasts = stack([state[l] for state in states[:-1]])
            below = stack([noted[l][2] for noted in saved])
            columns.append(sum_of_outer(stack(by_past[::-1]), pasts))
            columns.append(sum_of_outer(stack(by_coming[::-1]), below))
            columns.append(adjoints[l].plain("a derivative", vanishing=True))
        columns = [column.reshape(len(ratio), -1) for column in columns]
        return do("concatenate", (*columns, ratio), axis=1)
