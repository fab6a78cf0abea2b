"""Window tables by compiled loops and matrix products, and their gradients for torch.

One product of a matrix with all rows below, one pass that multiplies what the parts of each code
read. What the loops cannot do exactly is left to `window_tables`: weights and entries of a row
that are very far apart, arrays that are traced, tables that are very large::

    values (rows + 1, r_in) --@ W.T--> z --multiply_parts--> values of the next level, ... --> even
                                                                                                |
    d W  <-- z.T @ values <--  u / z  <------add_parts-------- u = gradient * value  <----------'
"""

import functools
import math
import sys
from typing import Any, NamedTuple

import numpy as np

from ..kernels.compiled import as_rows, has_loops
from ..kernels.tables import add_parts, even_rows, multiply_parts, spread
from ..numerics.scaled import MAX_FACTORS, array_like, float_info, ldexp
from .lookup_gradient import has_tangent, wants_gradient
from .table_steps import TableSteps, table_steps
from .window_tables import grouped_tables

MAX_BYTES = 2**25  # of one array on the way
LEAST = {4: 2.0**-36, 8: 2.0**-288}  # and the inverse: weights of ordinary size, by their bytes


class QuickTable(NamedTuple):
    """A table ``mantissa * 2**centre``, see `RowTable`, and the integers that it follows from."""

    mantissa: Any
    centre: np.ndarray
    bits: int
    steps: TableSteps


class _Saved(NamedTuple):
    """A level of tables: what was read ``(rows below + 1, r_in)``, and its products."""

    values: np.ndarray
    z: np.ndarray


def quick_table(net, sizes, below_one=False, steps=None):
    """The centred tables of a ConvAC, ``sizes`` windows merged, or None where loops will not do.

    Parameters
    ----------
    net : ConvAC
    sizes : tuple[int]
    below_one : bool, optional
        Let no entry exceed 1; else 1 is in the middle.
    steps : TableSteps, optional
        Of windows that are merged otherwise, where nobody differentiates.

    Returns
    -------
    QuickTable or None
    """
    weights, g = net.weights, net.geometry
    if not has_loops(*weights) or has_tangent(*weights):
        return None
    steps = table_steps(g, tuple(sizes)) if steps is None else steps
    widths = [g.bond_dim(min(l, g.depth)) for l in range(1, len(steps.levels) + 1)]
    most = max(level.most * r for level, r in zip(steps.levels, widths))
    if most * net._like.itemsize > MAX_BYTES or steps.factors > MAX_FACTORS:
        return None
    follow = wants_gradient(*weights)
    made = _tables(steps, [as_rows(w) for w in weights], keep=follow)
    if made is None:
        return None
    table, centre, bits, saved = made
    if below_one:
        table, centre, bits = table * 2.0**-bits, centre + bits, 2 * bits
    if follow:
        mantissa = _node().apply(net, sizes, steps, table, centre, saved, *weights)
    else:
        mantissa = array_like(table, net._like)
    return QuickTable(mantissa, centre, bits, steps)


def _tables(steps, weights, keep):
    """The last table, its centres and bits, and with ``keep`` what its gradient needs.

    None where an entry comes close to underflow, or with ``keep`` is zero.
    """
    dtype, info, saved = weights[0].dtype, float_info(weights[0]), []
    phys_dim, limit = weights[0].shape[-1], info.maxexp // 2 - 12
    far = info.maxexp // 4 if keep else limit  # gradients divide by products, lifted as much
    values, power = np.eye(phys_dim + 1, phys_dim, dtype=dtype), np.zeros(phys_dim + 1)
    values[-1] = 1
    for level, w in zip(steps.levels, (*weights, None)):
        z = values if w is None else _multiplied(level, values, w)
        low, high, zeros = (0.0, 0.0, False) if z is None else spread(z)
        bits = max(1, abs(math.frexp(low)[1]), abs(math.frexp(high)[1]))
        if not 0.0 < low <= high < math.inf or bits > far or (keep and zeros):
            return None
        room = limit if level is steps.levels[-1] else info.maxexp // 8  # sums are to follow
        every = max(1, room // bits)
        rows = level.step.starts[-1]
        out, exponent = np.empty((rows + 1, z.shape[1]), dtype), np.zeros(rows + 1)
        out[rows] = 1
        if not multiply_parts(z, power, level.step, every, 2.0**-limit, out, exponent):
            return None
        if keep:
            saved.append(_Saved(values, z))
        values, power = out, exponent
    starts, table = level.step.starts, values[:-1]
    centre = np.empty((len(starts) - 1, table.shape[1]))
    bits = even_rows(table, power, starts, 2 * limit, centre)
    return None if not 0 < bits < info.maxexp // 2 else (table, centre, bits, saved)


def _multiplied(level, values, w):
    """All products of a level, or None for matrices whose entries are not of ordinary size."""
    w = w.reshape(-1, *w.shape[-2:])
    low, high, _ = spread(w.reshape(-1, w.shape[-1]).copy())  # one kind of array: writable
    if not LEAST[w.real.itemsize] <= low <= high <= 1 / LEAST[w.real.itemsize]:
        return None
    z = np.empty((level.size, w.shape[1]), w.dtype)
    for run in level.products:
        matrices = w[run.first : run.last].swapaxes(1, 2)
        np.matmul(values[run.low : run.high], matrices, out=_products(z, run))
    return z


def _products(z, run):
    """The products of a run of matrices, ``(matrices, rows, r)``."""
    count, rows = run.last - run.first, run.high - run.low
    return z[run.place : run.place + count * rows].reshape(count, rows, -1)


def _gradients(steps, weights, table, saved, given):
    """The derivatives by all weights from those by the table, not conjugated.

    They are lifted by a power of two on their way, so that small ones do not underflow.
    """
    u, grads = given * table, []
    size, info = float(spread(u)[1]), float_info(u)
    lift = info.maxexp // 4 - math.frexp(size)[1] if 0 < size < math.inf else 0
    lift = min(lift, info.maxexp - 2)
    u *= 2.0**lift
    for l in reversed(range(len(steps.levels))):
        level, (values, z) = steps.levels[l], saved[l]
        sums = np.zeros_like(z)
        add_parts(u, level.step, sums)
        if not level.products:
            u = sums[:-1]
            continue
        w = weights[l].reshape(-1, *weights[l].shape[-2:])
        by_z = np.divide(sums, z, out=sums, where=z != 0)  # rows that nobody reads
        by_w, below = np.zeros_like(w), np.zeros_like(values)
        for run in level.products:
            some, rows = _products(by_z, run), slice(run.low, run.high)
            np.matmul(some.swapaxes(1, 2), values[rows], out=by_w[run.first : run.last])
            for each, matrix in zip(some, w[run.first : run.last] if l else ()):
                below[rows] += each @ matrix
        grads.append(by_w.reshape(weights[l].shape) * 2.0**-lift)
        u = (below * values)[:-1]
    return grads[::-1]


@functools.cache
def _node():
    """The node of the graph, a class of torch, which is there if an array of it is."""
    torch: Any = sys.modules["torch"]

    class TableRows(torch.autograd.Function):
        """The rows of a table, and its gradient by the weights."""

        @staticmethod
        def forward(ctx, net, sizes, steps, table, centre, saved, *weights):
            ctx.save_for_backward(*weights)
            ctx.made = net, sizes, steps, table, centre, saved
            return torch.from_numpy(table)

        @staticmethod
        def backward(ctx, given):
            net, sizes, steps, table, centre, saved = ctx.made
            weights = ctx.saved_tensors
            if torch.is_grad_enabled():
                out = _by_arrays(net, sizes, weights, centre)
                some = [w for w in weights if w.requires_grad]
                found = iter(torch.autograd.grad(out, some, given, create_graph=True))
                grads = [next(found) if w.requires_grad else None for w in weights]
            else:
                arrays, given = [as_rows(w) for w in weights], as_rows(given.conj())
                grads = _gradients(steps, arrays, table, saved, given)
                grads = [torch.from_numpy(x).conj() for x in grads]
            return *[None] * 6, *grads

    return TableRows


def _by_arrays(net, sizes, weights, centre):
    """The same table in torch, which differentiates it as often as it likes."""
    parts = grouped_tables(net, sizes, weights).values()
    shift = [table.exponent - array_like(c, table.exponent) for table, c in zip(parts, centre)]
    return sys.modules["torch"].cat([ldexp(x.mantissa, e) for x, e in zip(parts, shift)])
