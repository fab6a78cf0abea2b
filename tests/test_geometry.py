"""Integers: duplication counts, receptive fields and copies, as laws and as found in networks."""

import itertools
import math
import time

import networkx as nx
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.geometry import (
    ConvGeometry,
    GCLayer,
    Node,
    RecurrentGeometry,
    expand,
    layers,
    leaf_ind,
    plan_axis,
)

from .architectures import IDS, NETWORKS
from .inner_names import inner


def conv(shape, *layers, boundary="ones", anchor="center", shared=True, phys_dim=2):
    return ConvGeometry(shape, layers, (shared,) * len(layers), phys_dim, boundary, anchor)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_periodic_chain_duplicates_kernel_to_the_depth(kernel, depth):
    geometry = conv((6,), *[GCLayer(kernel, 2)] * depth, boundary="periodic")
    assert set(geometry.duplication.values()) == {kernel**depth}


@pytest.mark.parametrize("kernel", [(2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("depth", [1, 2])
def test_periodic_lattice_duplicates_kernel_to_the_depth_per_dimension(kernel, depth):
    geometry = conv((3, 4), *[GCLayer(kernel, 2)] * depth, boundary="periodic")
    assert set(geometry.duplication.values()) == {math.prod(kernel) ** depth}


@pytest.mark.parametrize("N", [1, 2, 5, 9])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_recurrent_duplication_is_binomial(N, depth):
    counts = RecurrentGeometry(N, depth, 2).duplication
    expected = {t - 1: math.comb(N - t + depth - 1, depth - 1) for t in range(1, N + 1)}
    assert counts == expected


def test_tree_duplicates_nothing():
    geometry = conv((8,), *[GCLayer(2, 3, 2)] * 3)
    assert set(geometry.duplication.values()) == {1}
    assert geometry.layer_shape(3) == (1,)


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_counts_equal_the_built_network(i):
    """Duplication = leaves on the hyper-index of a site; windows = sites below a node."""
    net = NETWORKS[i]
    geometry = net.geometry
    psi = net.to_tensor_network()
    for site, count in geometry.duplication.items():
        assert count >= 1, "every site is read"
        leaves = [
            t for t in psi.tensors if inner(psi, leaf_ind(site)) in t.inds and "DELTA" not in t.tags
        ]
        assert len(leaves) == count
    assert psi.num_tensors == geometry.num_tensors("hyper")
    for nodes in ("hyper", "dense"):
        pieces = sum(1 for _ in expand(geometry, nodes))
        assert pieces + net.nsites == geometry.num_tensors(nodes)
    assert {tag for t in psi for tag in t.tags} >= set(geometry.param_shapes)
    assert net.num_params == sum(math.prod(s) for s in geometry.param_shapes.values())


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
@pytest.mark.parametrize("shape", [(9,), (4, 5)])
def test_windows_are_what_a_walk_down_the_taps_finds(boundary, shape):
    geometry = conv(shape, GCLayer(2, 2), GCLayer(3, 2), boundary=boundary)
    graph = nx.DiGraph()
    for l in (1, 2):
        for position in geometry.positions(l):
            for _, child in geometry.taps(Node(l, position)):
                graph.add_edge((l, position), child)
                if isinstance(child, Node):
                    graph.add_edge(child, (child.layer, child.position))
    for l in (1, 2):
        for position in geometry.positions(l):
            below = nx.descendants(graph, (l, position))
            sites = {x.site for x in below if type(x).__name__ == "Site"}
            assert set(geometry.window(l, position)) == sites


@pytest.mark.parametrize("anchor", ["center", "corner"])
def test_receptive_field_is_the_size_of_a_window_inside(anchor):
    layers = GCLayer(3, 2), GCLayer(2, 2, 2), GCLayer(3, 2)
    geometry = conv((24,), *layers, anchor=anchor)
    for l in range(1, 4):
        by_formula = 1
        for m in range(1, l + 1):
            stride = math.prod(layers[j].stride for j in range(m - 1))
            by_formula += (layers[m - 1].kernel - 1) * stride
        assert geometry.receptive_field(l) == (by_formula,)
        middle = (geometry.layer_shape(l)[0] // 2,)
        window = geometry.window(l, middle)
        assert len(window) == by_formula
        assert window == tuple(range(window[0], window[0] + by_formula))
    assert geometry.total_stride(3) == (2,)


def test_anchors():
    """Centre: tap (K-S+1)//2 sits on n*S; corner: tap 0 does."""
    for kernel, stride in itertools.product(range(1, 6), range(1, 6)):
        if stride > kernel:
            continue
        for anchor, tap in (("center", (kernel - stride + 1) // 2), ("corner", 0)):
            axis = plan_axis(5 * stride, ((kernel, stride),), "periodic", anchor)
            assert [taps[tap] for taps in axis.reads[0]] == [n * stride for n in range(5)]


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
def test_what_is_read_without_looking_at_each_position(boundary):
    sizes, checked = [(1, 1), (3, 1), (2, 2), (3, 2), (4, 3), (5, 1)], set()
    for length, stack in itertools.product(range(1, 10), itertools.product(sizes, repeat=2)):
        for anchor in ("center", "corner"):
            lengths, reads = [length], []
            try:
                for number, (kernel, stride) in enumerate(stack, 1):
                    args = number, lengths[-1], kernel, stride, boundary, anchor
                    reads.append(layers._layer_reads(*args))
                    lengths.append(len(reads[-1]))
            except qdn.GeometryError:
                continue
            axis = layers.Axis(tuple(lengths), tuple(reads))
            checked.add(axis.all_read())
            assert axis.all_read() == all(axis.copies[0])
            for layer in reads:
                for k in range(layer.kernel):
                    assert layer.ever_inside(k) == any(taps[k] is not None for taps in layer)
    assert True in checked


def test_a_long_chain_is_not_written_out():
    short = qdn.ConvAC.rand(8, depth=3, kernel=2, bond_dim=2, boundary="periodic", seed=0)
    begun = time.process_time()
    assert short.resize(10**6).nsites == 10**6
    assert time.process_time() - begun < 0.1


def test_valid_shrinks():
    geometry = conv((9,), GCLayer(3, 2, 2), GCLayer(2, 2), boundary="valid")
    assert [geometry.layer_shape(l)[0] for l in range(3)] == [9, 4, 3]


def test_a_network_too_large_to_expand_is_counted_all_the_same():
    geometry = conv((100, 100), *[GCLayer(5, 4)] * 20, boundary="periodic")
    assert geometry.duplication[0, 0] == 25**20
    assert geometry.num_tensors() == sum(10**4 * 25**l for l in range(1, 21)) + 10**4 + 1


def test_layers_are_canonical():
    assert conv((3, 3), GCLayer((2, 2), 2, (1, 1))) == conv((3, 3), GCLayer(2, 2))
    assert qdn.ConvAC.rand((3, 3), 1, 2, 2).layers == (qdn.GCLayer(2, 2),)
