"""Pictures: layers are rows, space and time columns, sites at the bottom, nothing overlaps."""

import itertools

import matplotlib
import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn
from quimb_deepnets.hyper.pictures import picture_of

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
    where = picture_of(psi).places
    assert set(psi.tensor_map) <= set(where) and set(psi.site_inds) <= set(where)
    places = np.array([where[tid] for tid in psi.tensor_map])
    assert len(np.unique(places.round(9), axis=0)) == psi.num_tensors
    assert set(where) <= set(psi.tensor_map) | set(psi.ind_map)


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
def test_rows_of_a_tree(nodes):
    psi = qdn.RecursiveTree.rand(4, 3, 2, 2, boundary="periodic", seed=0, nodes=nodes)
    where = picture_of(psi).places

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
    where = picture_of(psi).places
    upper = sorted(where[tid][0] for tid in psi.tag_map["WH2"])
    lower = sorted(where[tid][0] for tid in psi.tag_map["WH1"])
    assert len(upper) == 4 and len(lower) == 1 + 2 + 3 + 4
    assert upper == [lower[0], lower[2], lower[5], lower[9]]


DRAWN = {
    "chain": lambda: qdn.ConvAC.rand(10, 2, 3, 4, seed=0).collapse(),
    "fewer windows": lambda: qdn.ConvAC.rand(10, 1, 3, 4, boundary="valid", seed=0).collapse(),
    "ring": lambda: qdn.ConvAC.rand(8, 2, 2, 4, boundary="periodic", seed=0).collapse(),
    "recurrent": lambda: qdn.RAC.rand(10, 2, 2, seed=0).collapse(),
    "one layer": lambda: qdn.RAC.rand(6, 1, 2, seed=0).collapse(),
    "lattice": lambda: qdn.ConvAC.rand((4, 4), 1, 2, 4, seed=0).collapse(),
    "pooled": lambda: qdn.ConvAC.rand((4, 2), layers=[qdn.GCLayer(2, 3, 2)], seed=0).collapse(),
    "expanded lattice": lambda: qdn.ConvAC.rand((4, 4), 2, 2, 4, seed=0).to_tensor_network(),
    "omitted": lambda: qdn.ConvAC.rand(
        (3, 4), 1, 3, 2, boundary="omit", seed=0
    ).to_tensor_network(),
    "machine": lambda: qdn.RBM.rand(10, seed=0).to_tensor_network(),
    "fewer hidden units": lambda: qdn.RBM(
        6, np.zeros(6), np.zeros(4), np.zeros((4, 6))
    ).to_tensor_network(),
    "collapsed machine": lambda: qdn.RBM.rand(6, alpha=2, seed=0).collapse(),
    "machine on a lattice": lambda: qdn.RBM.rand((4, 4), seed=0).to_tensor_network(),
}


@pytest.mark.parametrize("name", DRAWN)
def test_places_of_the_drawn_network(name):
    """Sites in order below all else, nothing in the place of something else, and all fixed."""
    psi = DRAWN[name]()
    graph, pos = psi.draw(get="graph,pos")
    drawn = psi.tensor_map.keys() | {ix for ix in graph if ix in psi.ind_map}
    assert drawn <= picture_of(psi).places.keys(), "nothing is left to springs"
    places = np.array([pos[key] for key in graph])
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + 9 * np.eye(len(places))
    assert distances.min() > 1e-3
    tensors = np.array([pos[tid] for tid in psi.tensor_map])
    legs = np.array([pos[ix] for ix in psi.site_inds])
    if isinstance(psi.sites[0], tuple):
        rows = legs.reshape(psi.sites[-1][0] + 1, psi.sites[-1][1] + 1, 2)
        assert (np.diff(rows[..., 0], axis=1) > 0).all() and np.allclose(np.diff(rows[..., 1]), 0)
        assert (np.diff(rows[..., 1], axis=0) < 0).all()
    else:
        assert (np.diff(legs[:, 0]) > 0).all() and np.allclose(legs[:, 1], legs[0, 1])
        assert legs[0, 1] < tensors[:, 1].min()


@pytest.mark.parametrize("name", DRAWN)
def test_tensors_do_not_touch(name):
    """As circles of the size that quimb draws, in data units; figures fit a page or a screen."""
    psi = DRAWN[name]()
    figure = psi.draw(return_fig=True)
    figure.canvas.draw()
    (ax,) = figure.axes
    boxes = np.array([patch.get_extents().bounds for patch in ax.patches])
    boxes = boxes[boxes[:, 2] > 1e-6]  # quimb draws an index as a circle of no size
    centres, radii = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:].max(axis=1) / 2
    assert len(boxes) == psi.num_tensors
    distances = np.linalg.norm(centres[:, None] - centres, axis=-1) + 1e6 * np.eye(len(centres))
    assert (distances > 0.99 * (radii[:, None] + radii)).all()
    assert (figure.get_size_inches() <= (16, 10)).all() and radii.min() > 1
    page = figure.bbox
    texts = [*ax.texts, *ax.get_legend().get_texts()]
    boxes = [text.get_window_extent() for text in texts]
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 for b in boxes)
    assert not any(b.overlaps(c) for b, c in itertools.combinations(boxes, 2))
    assert [text.get_text() for text in ax.texts] == list(psi.site_inds)


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


STATES = {
    "recurrent": lambda: qdn.RecursiveMPS.rand(3, 2, 2, seed=0),
    "windows": lambda: qdn.ConvAC.rand(4, 2, 2, 2, seed=0).collapse(),
}


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("state", STATES)
def test_keywords_of_quimb(keyword, state):
    psi = STATES[state]()
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


@pytest.mark.parametrize("layout", [{}, {"layout": "kamada_kawai"}, {"dim": 3}])
def test_colours_are_by_layer(layout):
    """Weights of one layer share a colour, different layers do not; vectors of ones have their own.

    Deltas are squares, and vectors diamonds.
    """
    psi = qdn.RecursiveTree.rand(3, 2, 2, 2, seed=0)
    graph, _ = psi.draw(get="graph,pos", **layout)
    ones = {tag: psi.tag_map[tag] for tag in ("ONES0", "ONES1")}
    tids = {tag: psi.tag_map[tag] for tag in ("LAYER1", "LAYER2", "READOUT", "DELTA")}
    tids = {tag: tids[tag] - ones["ONES0"] - ones["ONES1"] for tag in tids} | ones
    colours = {tag: {graph.nodes[tid]["color"] for tid in found} for tag, found in tids.items()}
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 6
    assert {graph.nodes[tid]["marker"] for tid in ones["ONES0"] | tids["READOUT"]} == {"D"}
    assert {graph.nodes[tid]["marker"] for tid in psi.tag_map["DELTA"]} == {"s"}
    assert {graph.nodes[tid]["marker"] for tid in tids["LAYER1"]} == {"o"}
