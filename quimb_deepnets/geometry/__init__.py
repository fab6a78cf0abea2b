"""Integers only: which weights, sites and copies make up a network, before any array exists."""

from .boltzmann import BoltzmannGeometry
from .conv import ConvGeometry
from .expansion import CollapsedPiece, Fixed, Node, Piece, Site, Tap, expand, leaf_ind
from .layers import ANCHORS, BOUNDARIES, Axis, GCLayer, plan_axis
from .layout import Layout, layout
from .protocol import Geometry
from .recurrent import RecurrentGeometry

__all__ = [
    "ANCHORS",
    "BOUNDARIES",
    "Axis",
    "BoltzmannGeometry",
    "CollapsedPiece",
    "ConvGeometry",
    "Fixed",
    "GCLayer",
    "Geometry",
    "Layout",
    "Node",
    "Piece",
    "RecurrentGeometry",
    "Site",
    "Tap",
    "expand",
    "layout",
    "leaf_ind",
    "plan_axis",
]
