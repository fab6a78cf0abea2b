"""Networks that compute amplitudes: weights, geometry, and a pass from the sites upward."""

from .attach import register_method
from .base import DeepNetwork
from .conv import ConvAC
from .files import load, save
from .graph_state import GraphStateConvAC
from .rbm import RBM
from .recurrent import RAC

__all__ = [
    "RAC",
    "RBM",
    "ConvAC",
    "DeepNetwork",
    "GraphStateConvAC",
    "load",
    "register_method",
    "save",
]
