"""Pictures: layers are rows, space and time columns, sites at the bottom, nothing overlaps."""

import itertools

import matplotlib
import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn
from quimb_deepnets.tensors.picture import positions

from .architectures import IDS, NETWORKS

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
@pytest.mark.parametrize("i", range(0, len(NETWORKS), 3), ids=IDS[::3])
def test_every_tensor_has_a_place_of_its_own(i, nodes):
    psi = NETWORKS[i].to_tensor_network(nodes=nodes)
    where = positions(psi)
    assert set(psi.tensor_map) <= set(where) and set(psi.site_inds) <= set(where)
    places = np.array([where[tid] for tid in psi.tensor_map])
    assert len(np.unique(places.round(9), axis=0)) == psi.num_tensors
    assert set(where) <= set(psi.tensor_map) | set(psi.ind_map)


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
def test_rows_of_a_tree(nodes):
    psi = qdn.RecursiveTree.rand(4, 3, 2, 2, boundary="periodic", seed=0, nodes=nodes)
    where = positions(psi)

    def rows(tag):
        return {round(where[tid][1], 9) for tid in psi.tag_map[tag]}

    heights = [rows(tag) for tag in ("DELTA", "LAYER1", "LAYER2", "LAYER3", "READOUT")]
    assert all(len(row) == 1 for row in heights), "one row each"
    assert all(max(a) < min(b) for a, b in itertools.pairwise(heights))
    assert all(where[ix][1] < min(heights[0]) for ix in psi.site_inds)
    columns = [where[ix][0] for ix in psi.site_inds]
    assert columns == sorted(columns)


def test_columns_of_a_recursive_mps():
    """Time runs to the right, and step t of layer 2 stands above the end of a chain of t steps."""
    psi = qdn.RecursiveMPS.rand(4, 2, 2, seed=0, nodes="dense")
    where = positions(psi)
    upper = sorted(where[tid][0] for tid in psi.tag_map["WH2"])
    lower = sorted(where[tid][0] for tid in psi.tag_map["WH1"])
    assert len(upper) == 4 and len(lower) == 1 + 2 + 3 + 4
    assert upper == [lower[0], lower[2], lower[5], lower[9]]


CHANGES = {
    "gate": lambda psi: psi.gate(qu.rand_matrix(4), (0, 1)),
    "isel": lambda psi: psi.isel({"k0": 0}),
    "contract": lambda psi: psi ^ "LAYER1",
    "renamed": lambda psi: psi.reindex_all("b{}"),
    "mangled": lambda psi: psi.mangle_inner_(),
    "part": lambda psi: psi.select("LAYER2"),
    "simplified": lambda psi: psi.full_simplify(),
    "resolved": lambda psi: psi.hyperinds_resolve(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_networks_are_drawn_too(change):
    psi = CHANGES[change](qdn.RecursiveTree.rand(4, 2, 3, 2, seed=0))
    figure = psi.draw(return_fig=True)
    assert figure.axes
    figure.canvas.draw()


KEYWORDS = {
    "color": ["READOUT"],
    "show_inds": "all",
    "show_tags": True,
    "fix": {"k0": (0.0, -9.0)},
    "layout": "kamada_kawai",
    "iterations": 3,
    "node_color": (0, 0, 1),
    "node_size": 2.0,
    "node_shape": "s",
    "edge_color": True,
    "highlight_inds": ["k1"],
    "title": "title",
    "legend": False,
    "figsize": (3, 3),
    "dim": 2.5,
    "custom_colors": ["r", "g", "b", "y"],
    "initial_layout": "spectral",
    "margin": 0.1,
    "font_size": 3,
}


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_keywords_of_quimb(keyword):
    psi = qdn.RecursiveMPS.rand(3, 2, 2, seed=0)
    figure = psi.draw(return_fig=True, **{keyword: KEYWORDS[keyword]})
    assert figure.axes
    if keyword == "figsize":
        assert tuple(figure.get_size_inches()) == (3, 3)
    if keyword == "title":
        assert figure.axes[0].get_title() == "title"


def test_get_and_ax():
    psi = qdn.RecursiveTree.rand(3, 1, 2, 2, seed=0)
    assert psi.draw(get="graph,pos")[0].number_of_nodes() >= psi.num_tensors
    assert set(psi.tensor_map) <= set(psi.draw(get="pos"))
    _, ax = plt.subplots()
    psi.draw(ax=ax)
    assert ax.collections or ax.patches or ax.lines


def test_colours_are_by_layer():
    """Weights of one layer share a colour, different layers do not; deltas are squares."""
    psi = qdn.RecursiveTree.rand(3, 2, 2, 2, seed=0)
    graph, _ = psi.draw(get="graph,pos")
    colours = {
        tag: {graph.nodes[tid]["color"] for tid in psi.tag_map[tag]}
        for tag in ("LAYER1", "LAYER2", "READOUT", "DELTA")
    }
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 4
    assert {graph.nodes[tid]["marker"] for tid in psi.tag_map["DELTA"]} == {"s"}
    assert {graph.nodes[tid]["marker"] for tid in psi.tag_map["LAYER1"]} == {"o"}
