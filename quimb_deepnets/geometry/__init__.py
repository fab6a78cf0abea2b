"""Integers only: which weights, sites and copies make up a network, before any array exists.

::

    protocol    Geometry: what a network needs of one
    layers      GCLayer, and what each of its positions reads along one axis
    conv        ConvGeometry: layers on a chain or a lattice
    recurrent   RecurrentGeometry: hidden states along a chain
    boltzmann   hidden units that see every site
    branches    which branches are equal: one kind for each distinct one
    expansion   the tensors of the expanded network: names and legs
    levels      those of a collapsed network, of any level
    layout      where to draw them
    where       sites as users write them, to places in the list of sites
"""

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
