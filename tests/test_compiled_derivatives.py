"""Log-derivatives by the rows of small tables, and by two layers of wide windows.

Both against the passes that they replace, and against central differences of log psi.
"""

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.evaluation import backprop, two_layers
from quimb_deepnets.evaluation.block_derivatives import BlockDerivatives
from quimb_deepnets.evaluation.log_derivatives import LayerDerivatives, TableDerivatives
from quimb_deepnets.evaluation.row_derivatives import RowDerivatives
from quimb_deepnets.evaluation.two_layers import TwoLayerDerivatives, has_two_layers
from quimb_deepnets.numerics.configs import digits

G = qdn.GCLayer
RNG = np.random.default_rng(0)


def net_of(shape, layers, **options):
    options = {"dist": "uniform", "loc": 1, "scale": 0.4, "seed": 0} | options
    return qdn.ConvAC.rand(shape, layers=layers, **options)


def central(net, configs, k, h=1e-5):
    """``d log psi / d theta_k`` by differences."""
    step = h * (np.arange(net.num_params) == k)
    logs = [net.with_vector(net.vector + s * step).log_amplitudes(configs) for s in (1, -1)]
    assert (logs[0][0] == logs[1][0]).all()
    return (logs[0][1] - logs[1][1]) / (2 * h)


def check(net, found, configs, other):
    assert found == pytest.approx(other, rel=1e-9, abs=1e-10 * np.abs(other).max())
    for k in [*range(0, net.num_params, 7), net.num_params - 1]:
        assert found[:, k] == pytest.approx(central(net, configs, k), rel=1e-5, abs=1e-7)


SMALL = {
    "lattice": ((3, 4), [G(2, 4), G(2, 2)], {"boundary": "periodic"}),
    "three layers": (8, [G(2, 3), G(2, 4), G(2, 2)], {"boundary": "ones"}),
    "omitted": (8, [G(3, 3), G(2, 2)], {"boundary": "omit"}),
    "one layer": (6, [G(3, 2)], {"boundary": "periodic"}),
    "qutrits": (6, [G(2, 3), G(2, 2)], {"boundary": "periodic", "phys_dim": 3}),
    "strides": (8, [G(2, 3, 2), G(2, 2)], {"boundary": "ones"}),
}


@pytest.mark.parametrize("name", SMALL)
def test_rows_of_small_tables(name):
    shape, layers, options = SMALL[name]
    net = net_of(shape, layers, **options)
    configs = RNG.integers(net.phys_dim, size=(20, *np.atleast_1d(shape)))
    tables, x = TableDerivatives(net), digits(configs, net.phys_dim, net.readout)
    tables.blocks = RowDerivatives(tables)
    found = tables(x)
    tables.blocks = BlockDerivatives(tables)
    check(net, found, configs, tables(x))


def test_rows_of_wide_windows_are_added_up():
    net = net_of((6, 6), [G(3, 16), G(2, 2)], boundary="periodic")
    assert isinstance(TableDerivatives(net).blocks, RowDerivatives)


def test_kinds_that_keep_their_blocks():
    """Complex numbers, many channels, and derivatives that would be too large to hold."""
    many = net_of(64, [G(3, 8)] * 4, boundary="periodic")
    assert isinstance(TableDerivatives(many).blocks, BlockDerivatives)
    complex_ = net_of(8, [G(2, 3), G(2, 2)], dtype="complex128")
    large = net_of((6, 6), [G((3, 4), 32), G(2, 32)], boundary="periodic")
    assert isinstance(TableDerivatives(complex_).blocks, BlockDerivatives)
    assert isinstance(TableDerivatives(large).blocks, BlockDerivatives)


WIDE = {
    "lattice": ((4, 4), [G(3, 4), G(2, 2)], {"boundary": "periodic"}),
    "ones": (9, [G(4, 3), G(3, 2)], {"boundary": "ones"}),
    "omitted": (9, [G(4, 3), G(3, 2)], {"boundary": "omit"}),
    "valid": (9, [G(4, 3), G(3, 2)], {"boundary": "valid"}),
    "strides": (8, [G(4, 3, 2), G(3, 2)], {"boundary": "ones"}),
    "signs": (9, [G(4, 3), G(3, 2)], {"boundary": "ones", "dist": "normal", "loc": 0.3}),
    "qutrits": (6, [G(3, 3), G(2, 2)], {"boundary": "periodic", "phys_dim": 3}),
}


@pytest.mark.parametrize("name", WIDE)
def test_two_layers_of_wide_windows(name):
    shape, layers, options = WIDE[name]
    net = net_of(shape, layers, **options)
    configs = RNG.integers(net.phys_dim, size=(20, *np.atleast_1d(shape)))
    x, slow = digits(configs, net.phys_dim, net.readout), LayerDerivatives(net)
    assert has_two_layers(net)
    check(net, TwoLayerDerivatives(slow)(x), configs, slow(x))


def test_wide_windows_take_that_way(monkeypatch):
    net = net_of((4, 4), [G(4, 3), G(2, 2)], boundary="periodic")
    configs, taken = RNG.integers(2, size=(10, 4, 4)), []
    call = TwoLayerDerivatives.__call__
    monkeypatch.setattr(
        TwoLayerDerivatives, "__call__", lambda self, x: taken.append(1) or call(self, x)
    )
    found = net.log_derivatives(configs)
    assert taken
    check(net, found, configs, LayerDerivatives(net)(digits(configs, 2, net.readout)))
    torch = net.to("torch").log_derivatives(configs)
    assert np.asarray(torch) == pytest.approx(found, rel=1e-12)


def test_factors_of_zero_go_the_other_way():
    """A weight of zero, and a sum that cancels at some configurations."""
    net = net_of(9, [G(4, 2), G(3, 2)], boundary="periodic")
    x = digits(RNG.integers(2, size=(20, 9)), 2, net.readout)
    names = list(net.params)
    zero = np.array(net.params[names[0]])
    zero[0, 0] = 0
    assert not has_two_layers(net.with_params({names[0]: zero}))
    second = np.array(net.params[names[4]])
    second[0] = [1.0, -1.0]  # both channels of the first layer alike
    first = {name: np.repeat(np.array(net.params[name])[:1], 2, axis=0) for name in names[:4]}
    net = net.with_params({names[4]: second, **first})
    slow = LayerDerivatives(net)
    assert has_two_layers(net)
    assert np.array_equal(TwoLayerDerivatives(slow)(x), slow(x), equal_nan=True)


def test_amplitudes_far_beyond_floats():
    net = net_of(60, [G(14, 2), G(2, 2)], boundary="periodic", scale=0.1)
    net = net.with_params({name: 1e3 * np.array(x) for name, x in net.params.items()})
    configs = RNG.integers(2, size=(4, 60))
    assert net.log_amplitudes(configs)[1].min() > 750
    found = net.log_derivatives(configs)
    assert isinstance(net._derivatives_by()[0], TwoLayerDerivatives)
    assert two_layers.has_two_layers(net) and np.isfinite(found).all()
    for k in (0, 31, net.num_params - 1):
        assert found[:, k] == pytest.approx(central(net, configs, k, 1e-2), rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("boundary", ["ones", "omit"])
def test_layers_of_rows_by_the_loop_and_by_arrays(monkeypatch, dtype, boundary):
    """Products of rows, and of all factors but one: the same numbers, powers of two included."""
    net = qdn.ConvAC.rand(9, 3, 3, 3, boundary=boundary, seed=0, dtype=dtype)
    loop = TableDerivatives(net)
    monkeypatch.setattr(backprop, "has_loops", lambda *arrays: False)
    arrays = TableDerivatives(net)
    bound = 100 * np.finfo(dtype).eps
    assert np.abs(loop.values - arrays.values).max() < bound
    for a, b in zip(loop.residuals, arrays.residuals):
        assert a.safe and b.safe
        for x, y in zip([*a.cofactors, *a.gathered], [*b.cofactors, *b.gathered]):
            assert x.dtype == dtype and np.abs(x - y).max() <= bound * max(1, np.abs(y).max())


def test_readers_of_each_row_by_each_tap():
    rng = np.random.default_rng(0)
    index = rng.integers(-1, 5, size=(3, 20))  # 4 is the row of ones
    found = backprop.LayerStep(4, list(index), []).by_tap
    for k in range(3):
        for q in range(5):
            some = found.rows[found.starts[k, q] : found.starts[k, q + 1]]
            assert some.tolist() == [i for i in range(20) if index[k, i] == q]
