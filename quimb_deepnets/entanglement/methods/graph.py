"""Method "graph": a graph state of any size, by the rank of its adjacency block over GF(2).

::

    GraphStateConvAC --edges--> block A x B of 0 and 1 --rank r--> 2**r equal Schmidt values
"""

import numpy as np

from ...networks import DeepNetwork, GraphStateConvAC
from ..gf2 import graph_entropy
from ..registry import Method, add_method
from ..spectra import FlatSpectrum
from ..views import Cost, StateView, View, refuse_dims, view_of


@view_of.register
def _view_of_graph_state(state: GraphStateConvAC, dims=None):
    refuse_dims(dims)
    view = view_of.dispatch(DeepNetwork)(state)
    free, angles = lambda: Cost(0, 0.0), state.edge_angles
    own = {"phases": View(free, lambda: (state.edges, angles))}
    if (abs(np.exp(1j * angles) + 1) < 1e-12).all():
        own["edges"] = View(free, lambda: state.edges)
    return StateView(view.sites, view.dims, view.like, view.name, {**own, **view.views})


def cost(view, places, what="spectrum"):
    """At most an elimination with one bit per entry."""
    sides = len(places), len(view.sites) - len(places)
    return Cost(sides[0] * sides[1] // 8, sides[0] * sides[1] * min(sides) / 64)


def spectrum(view, places, progbar=False):
    """Flat, with as many bits as the rank."""
    return FlatSpectrum(graph_entropy(view.views["edges"].value, places, len(view.sites)))


add_method(Method("graph", "edges", cost, spectrum))
