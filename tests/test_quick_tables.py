"""Tables of windows by compiled loops, against nested loops and against array calls."""

import itertools

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.quick_tables import quick_table
from quimb_deepnets.evaluation.row_tables import RowTable, centred, joined, row_table
from quimb_deepnets.evaluation.table_steps import table_steps
from quimb_deepnets.evaluation.window_tables import grouped_tables
from quimb_deepnets.kernels.tables import add_parts, even_rows, multiply_parts, spread

from .architectures import CONV

TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}


def plain(table, starts):
    """A `RowTable` as mantissas and exponents, entry by entry."""
    count = np.diff([*starts, len(table.mantissa)])
    exponent = np.repeat(table.centre, count, axis=0)
    return np.asarray(table.mantissa), exponent + (
        0 if table.exponent is None else np.asarray(table.exponent)
    )


def assert_same(net, sizes, tolerance, quick=None):
    """The quick table is that of array calls, and no entry is further from 1 than it says."""
    quick = quick_table(net, sizes) if quick is None else quick
    table, starts = joined(grouped_tables(net, sizes))
    m, e = plain(centred(table, starts), starts)
    found, power = plain(RowTable(quick.mantissa, None, quick.centre, quick.bits), starts)
    np.testing.assert_array_equal(quick.steps.offsets, starts)
    scaled = m * 2.0 ** (e - power)
    assert abs(found - scaled).max() <= tolerance * abs(scaled).max()
    size = np.maximum(abs(found.real), abs(found.imag))[found != 0]
    assert size.min() >= 2.0**-quick.bits and size.max() <= 2.0**quick.bits


@pytest.mark.parametrize("i", range(0, len(CONV), 5), ids=lambda i: f"{i}-{CONV[i]!r}")
def test_architectures(i):
    net = CONV[i]
    for size in (1, 2, 3):
        assert_same(net, (size,) * net.geometry.ndim, 1e-12)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
def test_dtypes(dtype, shared, boundary):
    net = qdn.ConvAC.rand(
        7, 3, 2, 3, phys_dim=3, boundary=boundary, shared=shared, dtype=dtype, seed=0
    )
    for each in (net, net.to("torch")):
        assert_same(each, (2,), TOLERANCE[dtype])


def test_long_tables_of_few_channels_are_made_by_loops():
    """Sizes are those of each level: the wide layer below has fewer rows."""
    layers = [qdn.GCLayer(4, 8), qdn.GCLayer(2, 1)]
    options = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05}
    net = qdn.ConvAC.rand((6, 6), layers=layers, seed=0, **options)
    quick = quick_table(net, (1, 2))
    assert quick is not None and len(quick.mantissa) == 2**20
    assert_same(net, (1, 2), 1e-12, quick)


@pytest.mark.parametrize("phys_dim", [2, 3, 5])
@pytest.mark.parametrize("every", [1, 2, 100])
def test_products_of_parts(phys_dim, every):
    """Each row is the product of the rows that its digits select in every part."""
    net = qdn.ConvAC.rand(6, 2, 2, 3, phys_dim=phys_dim, boundary="ones", seed=1)
    level = table_steps(net.geometry, (1,)).levels[-1]
    step, rng = level.step, np.random.default_rng(0)
    z = rng.normal(size=(level.size, 3))
    power = np.round(3 * rng.normal(size=step.below.max() + phys_dim**2))
    out, exponent = np.empty((step.starts[-1], 3)), np.empty(step.starts[-1])
    assert multiply_parts(z, power, step, every, 2.0**-500, out, exponent)
    exact, sums = np.ones_like(out), np.zeros_like(z)
    carried = step.carried.reshape(-1)
    for k, width in enumerate(step.widths):
        count = step.parts[k + 1] - step.parts[k]
        carries = carried[step.carries[k] : step.carries[k] + width * count].reshape(width, count)
        # the carry of a digit, and of all that start anew behind it, is its place value
        places = carries.copy()
        for j in reversed(range(width)):
            places[j] += (phys_dim - 1) * places[j + 1 :].sum(0)
        digits = itertools.product(range(phys_dim), repeat=int(width))
        for i, some in enumerate(digits, step.starts[k]):
            for p in range(count):
                code = int(np.dot(some, places[:, p])) if width else 0
                row, below = (x[step.parts[k] + p] + code for x in (step.rows, step.below))
                exact[i] *= z[row] * 2.0 ** power[below]
                sums[row] += exact[i] * 0 + i + 1
    found = out * 2.0 ** exponent[:, None]
    np.testing.assert_allclose(found, exact, rtol=1e-13)
    given, added = np.arange(1.0, len(out) + 1)[:, None] * np.ones(3), np.zeros_like(z)
    add_parts(given, step, added)
    np.testing.assert_array_equal(added, sums)


def test_entries_close_to_underflow_are_noticed():
    net = qdn.ConvAC.rand(4, 2, 2, 2, boundary="periodic", seed=0)
    level = table_steps(net.geometry, (1,)).levels[0]
    z = np.full((level.size, 2), [1.0, 2.0**-400])
    out, exponent = np.empty((level.step.starts[-1], 2)), np.empty(level.step.starts[-1])
    arrays = np.zeros(3), level.step
    assert not multiply_parts(z, *arrays, 1, 2.0**-500, out, exponent)
    z[:, 1] = 0
    assert multiply_parts(z, *arrays, 1, 2.0**-500, out, exponent)
    assert (out[:, 1] == 0).all()


def test_rows_too_far_apart_are_noticed():
    x, centre = np.ones((3, 2)), np.empty((1, 2))
    starts = np.array([0, 3])
    assert even_rows(x, np.array([0.0, 5, 2000]), starts, 1000, centre) == -1
    assert even_rows(x, np.array([-600.0, 0, 300]), starts, 1000, centre) > 400
    np.testing.assert_array_equal(np.log2(x) + centre, np.array([[-600, 0, 300]] * 2).T)


def test_spread():
    x = np.array([[1.0, 0.0], [-4.0, 0.5]])
    assert spread(x) == (0.5, 4.0, True)
    assert spread(1j * x[1:]) == (0.5, 4.0, False)
    assert not spread(np.array([[1.0, np.nan], [2.0, 1.0]]))[1] < np.inf
    assert not spread(np.array([[1.0, -np.inf]]))[1] < np.inf


@pytest.mark.parametrize("weight", [1e-300, 1e200, 2.0**-600])
def test_weights_of_extreme_sizes(weight):
    """One of them beside ordinary ones, or all of them: loops or array calls, the same numbers."""
    net = qdn.ConvAC.rand(6, 2, 3, 3, boundary="periodic", seed=0)
    for where in (np.s_[0, 0, 0], np.s_[:]):
        weights = [w.copy() for w in net.weights]
        weights[1][where] *= weight
        odd = qdn.ConvAC(6, weights, net.readout, boundary="periodic")
        found = quick_table(odd, (1,))
        if found is not None:
            assert_same(odd, (1,), 1e-12, found)
        x = np.random.default_rng(0).integers(2, size=(40, 6))
        exact = odd.log_amplitudes(x, plan=odd.plan(40, level=0))[1]
        table = odd.log_amplitudes(x, plan=odd.plan(40, level=2))[1]
        np.testing.assert_allclose(table, exact, rtol=1e-12)


def test_zeros_stay():
    rng = np.random.default_rng(0)
    weights = [rng.integers(-1, 2, (3, 3, k)).astype(float) for k in (2, 3)]
    net = qdn.ConvAC(7, weights, np.array([1.0, -1.0, 1.0]))
    quick = quick_table(net, (2,))
    assert (quick.mantissa == 0).any()
    assert_same(net, (2,), 0.0)


def test_deep_networks_are_left_to_array_calls():
    net = qdn.ConvAC.rand(4, 40, 3, 2, boundary="periodic", seed=0)
    assert quick_table(net, (1,)) is None
    table, _ = row_table(net, (1,))
    assert np.isfinite(table.mantissa).all()


# ------------------------------------------------------------------ gradients


def table_gradients(net, sizes, weights, given):
    """Gradients of ``sum(given * table)`` through the loops and through array calls."""
    quick = quick_table(net, sizes)
    loops = torch.autograd.grad((quick.mantissa * given).sum().abs(), weights)
    parts = grouped_tables(net, sizes).values()
    shifts = [part.exponent - torch.as_tensor(c) for part, c in zip(parts, quick.centre)]
    table = torch.cat([part.mantissa * 2.0**s for part, s in zip(parts, shifts)])
    return loops, torch.autograd.grad((table * given).sum().abs(), weights)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("boundary", "sizes"), [("ones", 1), ("omit", 2), ("periodic", 3)])
def test_gradients(dtype, shared, boundary, sizes):
    for shape, depth in ((6, 3), ((3, 3), 2)):
        net = qdn.ConvAC.rand(
            shape, depth, 2, 3, boundary=boundary, shared=shared, dtype=dtype, seed=1
        )
        weights = [torch.tensor(w, requires_grad=True) for w in net.weights]
        net = qdn.ConvAC(shape, weights, torch.tensor(net.readout), boundary=boundary)
        sizes_ = (1,) * (net.geometry.ndim - 1) + (sizes,)
        rows = len(quick_table(net, sizes_).mantissa)
        given = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0)).to(weights[0])
        for a, b in zip(*table_gradients(net, sizes_, weights, given)):
            assert (a - b).abs().max() <= 1e-12 * b.abs().max()


def test_gradients_of_some_weights():
    net = qdn.ConvAC.rand(5, 2, 2, 3, boundary="periodic", seed=0)
    first, last = (torch.tensor(w) for w in net.weights)
    last.requires_grad_()
    net = qdn.ConvAC(5, [first, last], torch.tensor(net.readout), boundary="periodic")
    given = torch.ones(len(quick_table(net, (1,)).mantissa), 3, dtype=first.dtype)
    (a,), (b,) = table_gradients(net, (1,), [last], given)
    assert (a - b).abs().max() <= 1e-12 * b.abs().max()
    (again,) = torch.autograd.grad(quick_table(net, (1,)).mantissa.sum(), last, create_graph=True)
    assert again.requires_grad


def test_zeros_have_gradients():
    """A row of zero still has derivatives, which array calls follow."""
    weights = [torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]).double().requires_grad_()]
    net = qdn.ConvAC(2, weights, torch.ones(1).double(), boundary="periodic")
    assert quick_table(net, (1,)) is None
    value = net.amplitudes([[0, 1]], plan=net.plan(1, level=1)).sum()
    (grad,) = torch.autograd.grad(value, weights)
    # (w00 s0 + ...)(...): psi = w0[0] w1[1] w0[1] w1[0] of sites 0 and 1
    np.testing.assert_allclose(grad.numpy(), [[[1.0, 0.0]], [[0.0, 0.0]]])


def test_forward_mode():
    net = qdn.ConvAC.rand(6, 2, 3, 3, boundary="periodic", seed=0)
    x, rng = np.random.default_rng(0).integers(2, size=(20, 6)), np.random.default_rng(1)
    weights = [torch.tensor(w) for w in net.weights]
    tangents = [torch.tensor(rng.normal(size=w.shape)) for w in net.weights]
    forward, step = torch.autograd.forward_ad, 1e-6

    def value(ws):
        state = qdn.ConvAC(6, ws, torch.tensor(net.readout), boundary="periodic")
        return state.log_amplitudes(x, plan=state.plan(20, level=2))[1]

    with forward.dual_level():
        found = forward.unpack_dual(value(list(map(forward.make_dual, weights, tangents)))).tangent
    up, down = (value([w + s * t for w, t in zip(weights, tangents)]) for s in (step, -step))
    assert (found - (up - down) / (2 * step)).abs().max() < 1e-6 * found.abs().max()
