"""Shared weights on other shapes."""

import numpy as np
import pytest

import quimb_deepnets as qdn


@pytest.mark.parametrize("boundary", ["periodic", "ones", "omit"])
@pytest.mark.parametrize(("old", "new"), [(6, 9), (6, 4), ((3, 4), (5, 4)), ((4, 4), (3, 3))])
def test_the_same_weights_elsewhere(boundary, old, new):
    options = {"boundary": boundary, "anchor": "corner", "seed": 1}
    net = qdn.ConvAC.rand(old, 2, 2, 3, **options)
    other = net.resize(new)
    assert other.shape == new and other.num_params == net.num_params
    assert other == qdn.ConvAC.rand(new, 2, 2, 3, **options)
    assert other.resize(old) == net


def test_sites_far_apart_see_the_same_windows():
    """A product over windows: two copies side by side on a ring are a ring of twice the size."""
    net = qdn.ConvAC.rand(6, 2, 2, 1, boundary="periodic", seed=0)
    x = np.array([0, 1, 1, 0, 1, 0])
    once, twice = net.amplitude(x) / net.readout[0], net.resize(12).amplitude([*x, *x])
    assert abs(twice / net.readout[0] - once**2) < 1e-12 * once**2


def test_strides_and_graph_states():
    net = qdn.ConvAC.rand(8, layers=[qdn.GCLayer(2, 3, 2), qdn.GCLayer(2, 2)], seed=0)
    assert net.resize(16).strides == (2, 1)
    graph = qdn.ConvAC.graph_state(6, distance=1, kernel=2).resize(8)
    exact = qdn.ConvAC.graph_state(8, distance=1, kernel=2)
    assert type(graph) is qdn.ConvAC
    assert np.allclose(graph.to_dense(), exact.to_dense())


def test_refusals():
    net = qdn.ConvAC.rand(6, 2, 2, 3, seed=0)
    for bad in (0, -1, (3, 3), 2.5, "6"):
        with pytest.raises(qdn.GeometryError):
            net.resize(bad)
    with pytest.raises(qdn.GeometryError, match="each position"):
        qdn.ConvAC.rand(6, 2, 2, 3, shared=False, seed=0).resize(8)
