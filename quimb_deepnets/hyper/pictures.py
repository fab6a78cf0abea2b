"""Pictures of networks, by quimb's `draw`: places, colours and sizes where a network has its own.

::

    psi.draw(), psi.draw_3d()       matplotlib, networkx
    psi.draw_interactive()          plotly

A hyper-index is a point, a tensor a circle, a delta a square::

      o   o   o
       \\  |  /
          .         hyper-index
         [ ]        DELTA
          |
          k0
"""

import functools
from typing import NamedTuple

import numpy as np
from quimb.tensor import TensorNetwork

from ..errors import import_extra

WIDTH, HEIGHT = 14.0, 9.0  # inches, at most
SPACING, RADIUS = 0.28, 0.11  # inches, between tensors and of one
LAYOUTS = {"layout", "initial_layout", "pos", "dim"}  # options that leave the places to quimb
MAX_LABELS = 40
EDGE_SCALE = 0.75


class Picture(NamedTuple):
    """How a network is drawn: ``(x, y)`` of tids and indices, and the tags to colour by."""

    places: dict
    tags: list


@functools.singledispatch
def picture_of(psi) -> Picture | None:
    """The `Picture` of a network, or None, which leaves it to quimb."""
    return None


class DrawnNetwork(TensorNetwork):
    """A `TensorNetwork` that quimb draws, in places of its own if it has any."""

    def draw(self, color=None, **kwargs):
        """Draw the network, see quimb.

        Deep networks have layers as rows, on a lattice as planes, space or time as columns, and
        sites in order at the bottom (Figs. 1(e), 2(e) and 3 of arXiv:1803.09780). Tensors of a
        layer share a colour, deltas are squares, and a hyper-index is a point.

        Parameters
        ----------
        color, **kwargs
            As in quimb's `TensorNetwork.draw`. Positions given in ``fix`` win over ours; any of
            ``layout``, ``initial_layout``, ``pos`` or ``dim`` hands all of them to quimb.

        Raises
        ------
        ExtraError
            If a package that draws is not installed.
        """
        import_extra("draw", "plot", "matplotlib.pyplot", "networkx")
        if kwargs.get("backend") == "plotly":
            import_extra("draw(backend='plotly')", None, "plotly")
        if (picture := picture_of(self)) is None:
            return super().draw(color, **kwargs)
        color = picture.tags if color is None else color
        kwargs = defaults(self) | kwargs
        if kwargs.keys() & LAYOUTS:
            return super().draw(color, **kwargs)
        kwargs["fix"] = {**picture.places, **(kwargs.get("fix") or {})}
        kwargs.setdefault("figsize", figure_size(self, picture.places))
        return drawn(super().draw, color, kwargs)

    graph = draw
    draw_3d = functools.partialmethod(draw, dim=3, backend="matplotlib3d")
    draw_interactive = functools.partialmethod(draw, backend="plotly")
    draw_3d_interactive = functools.partialmethod(draw, dim=3, backend="plotly")


def defaults(psi):
    """The options of a network that has places: deltas are squares, vectors diamonds."""
    shapes = {tid: "D" for tid, t in psi.tensor_map.items() if t.ndim == 1}
    shapes |= dict.fromkeys(psi.tag_map.get("DELTA", ()), "s")
    return {"show_tags": False, "node_shape": shapes, "multi_tag_style": "last"}


def figure_size(psi, places):
    """Width and height, in inches, of a figure with room for all tensors, and for a legend."""
    wide, high = np.maximum(np.ptp([*places.values()], axis=0), 1.0)
    least = np.min(nearest([places[tid] for tid in psi.tensor_map]), initial=1.0)
    inches = min(max(SPACING / least, 5.0 / wide), WIDTH / wide, HEIGHT / high)
    return wide * inches + 1.6, high * inches + 0.6


def nearest(points):
    """The distance of each point to the next one that is not in the same place."""
    from scipy.spatial import cKDTree

    points = np.unique(np.round(points, 6), axis=0)
    return cKDTree(points).query(points, k=[2])[0][:, 0] if len(points) > 1 else np.ones(1)


def drawn(quimbs, tags, options):
    """Draw a network by quimb, with nodes that do not overlap, and finish the figure.

    Parameters
    ----------
    quimbs : callable
        The ``draw`` of quimb, bound to the network.
    tags : sequence of str
        To colour by.
    options : dict
        Its options.

    Returns
    -------
    matplotlib.figure.Figure or None
        Or whatever ``get`` asks for.
    """
    if options.get("get") or options.get("backend", "matplotlib") != "matplotlib":
        return quimbs(tags, **options)
    from matplotlib import pyplot

    graph, pos = quimbs(tags, **options | {"get": "graph,pos", "ax": None})
    if not options.keys() & {"node_scale", "node_size"}:
        options["node_scale"] = node_scale(graph, pos, options)
        options.setdefault("edge_scale", EDGE_SCALE)
    below = options.get("show_inds") in (None, True)
    more = {"show_inds": False} if below else {}
    figure = quimbs(tags, **options | more | {"pos": pos, "fix": None, "return_fig": True})
    ax = options.get("ax") or figure.axes[0]
    points_and_legs(ax, graph, pos, below)
    if options.get("ax") is None:
        figure.set_layout_engine("compressed")
        if not options.get("return_fig"):
            pyplot.show()
            pyplot.close(figure)
            return None
    return figure


def node_scale(graph, pos, options):
    """The ``node_scale`` at which tensors do not touch, and are not larger than `RADIUS`."""
    tensors = [node for node in graph if "ind" not in graph.nodes[node]]
    if (ax := options.get("ax")) is not None:
        room = ax.get_window_extent().size / ax.figure.dpi
    else:
        room = np.array(options["figsize"])
    inches = np.min(room / np.maximum(np.ptp([*pos.values()], axis=0), 1e-6))
    radius = min(0.42 * np.min(nearest([pos[tid] for tid in tensors])), RADIUS / inches)
    return radius / graph.nodes[tensors[0]]["size"]


def points_and_legs(ax, graph, pos, labelled):
    """Mark each hyper-index by a point, and write the names of outer legs at their ends."""
    dots = [pos[ix] for ix in graph if graph.degree(ix) > 1 and "ind" in graph.nodes[ix]]
    ends = [ix for ix in graph if graph.degree(ix) == 1 and "ind" in graph.nodes[ix]]
    color = next((edge["color"][0][:3] for _, _, edge in graph.edges(data=True)), "k")
    ax.scatter(*np.reshape(dots, (-1, 2)).T, s=9, color=[color], zorder=5)
    for ix in ends if labelled and len(ends) <= MAX_LABELS else ():
        node = graph.nodes[ix]
        style = {"fontfamily": node["label_fontfamily"], "color": node["label_color"]}
        style |= {"size": node["label_fontsize"] + 2, "ha": "center", "va": "top"}
        ax.annotate(node["ind"], pos[ix], (0, -1), textcoords="offset points", **style)
