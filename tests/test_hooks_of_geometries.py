"""What is done for a geometry is done for what it has, not for its class."""

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.errors import MethodError
from quimb_deepnets.geometry import ConvGeometry, GCLayer, RecurrentGeometry, layout, leaf_ind
from quimb_deepnets.geometry.boltzmann import BoltzmannGeometry
from quimb_deepnets.geometry.expansion import WINDOW
from quimb_deepnets.paths import hypergraph
from quimb_deepnets.tensors.collapsed import quimb_vector, window_tensors
from quimb_deepnets.tensors.weights_from_tensors import architecture_of

NETS = [
    qdn.ConvAC.rand(7, 3, 3, 2, seed=0),
    qdn.ConvAC.rand(8, 2, 3, 2, boundary="periodic", shared=False, seed=0),
    qdn.ConvAC.rand((3, 4), 2, 2, 2, boundary="omit", phys_dim=3, seed=0),
    qdn.ConvAC.rand(9, layers=[qdn.GCLayer(3, 2, 3), qdn.GCLayer(3, 3, 1)], seed=0),
    qdn.RAC.rand(5, depth=1, bond_dim=3, seed=0),
    qdn.RAC.rand(5, depth=3, bond_dim=2, phys_dim=3, seed=0),
    qdn.RBM.rand((2, 3), alpha=2, seed=0),
]


class Foreign:
    """A geometry that is of none of the classes here, and has what they have."""

    def __init__(self, geometry):
        self._geometry = geometry

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._geometry, name)


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_tensors_have_the_legs_of_the_pieces(net):
    tensors, _ = window_tensors(net, 2**30)
    pieces = list(net.geometry.collapsed_pieces())
    assert [t.inds for t in tensors] == [piece.inds for piece in pieces]
    assert [list(t.tags) for t in tensors] == [[piece.tag] for piece in pieces]
    leaves = {leaf_ind(site) for site in net.sites}
    for tensor in tensors:
        sizes = {
            ix: net.phys_dim if ix in leaves else net.geometry.collapsed_dim for ix in tensor.inds
        }
        assert tensor.shape == tuple(sizes.values())
    widths = [len(leaves.intersection(p.inds)) for p in pieces if p.tag == WINDOW]
    assert not widths or max(widths) == net.geometry.collapsed_width()


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_pieces_of_one_kind_hold_the_same_numbers(net):
    tensors, _ = window_tensors(net, 2**30)
    seen = {}
    for piece, tensor in zip(net.geometry.collapsed_pieces(), tensors):
        first = seen.setdefault((piece.tag, piece.kind), tensor.data)
        assert np.array_equal(first, tensor.data)


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_problems_without_arrays_are_those_of_the_tensors(net):
    """The same number of tensors and flops from integers as from the quimb network."""
    form = "expanded" if isinstance(net, qdn.RBM) else "collapsed"
    bare, held = hypergraph(net, "norm", form=form), hypergraph(quimb_vector(net), "norm")
    assert bare.num_tensors == held.num_tensors and bare.num_indices == held.num_indices
    sizes = lambda graph: sorted(sorted(map(graph.size_dict.get, inds)) for inds in graph.inputs)
    assert sizes(bare) == sizes(held)


@pytest.mark.parametrize(
    "geometry",
    [
        ConvGeometry((6,), (GCLayer(3, 2), GCLayer(2, 2)), shared=(True, True)),
        RecurrentGeometry(4, 2, 3),
    ],
    ids=repr,
)
def test_a_geometry_of_another_class_is_served(geometry):
    foreign = Foreign(geometry)
    assert architecture_of(foreign) is foreign
    for task, form in (("amplitude", "expanded"), ("norm", "collapsed")):
        assert hypergraph(foreign, task, form=form) == hypergraph(geometry, task, form=form)
    assert layout(foreign) == layout(geometry)
    assert repr(qdn.rivals(foreign)) == repr(qdn.rivals(geometry))
    row = qdn.path_report({"mine": foreign}, "norm", form="collapsed", optimize="greedy").rows[0]
    assert row["params"] == sum(np.prod(x) for x in geometry.param_shapes.values())


def test_what_has_no_taps_is_no_architecture():
    assert architecture_of(BoltzmannGeometry((4,), 4)) is None and architecture_of(3) is None
    with pytest.raises(MethodError, match="generic rank"):
        qdn.schmidt_rank(qdn.RBM.rand(4, seed=0), 2)


def test_edited_collapsed_states_have_no_architecture():
    net = qdn.ConvAC.rand(6, 2, 3, 2, seed=0)
    phi = net.collapse()
    assert architecture_of(phi) is net.geometry
    phi.gate_(np.array([[0.0, 1.0], [1.0, 0.0]]), 2)
    assert architecture_of(phi) is None
