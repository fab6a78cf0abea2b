"""Networks that compute amplitudes: weights, geometry, and a pass from the sites upward."""

from .attach import register_method
from .base import DeepNetwork
from .conv import ConvAC
from .files import load, save
from .flips import flip_ratios
from .gradients import log_derivatives
from .graph_state import GraphStateConvAC
from .rbm import RBM
from .recurrent import RAC

__all__ = [
    "RAC",
    "RBM",
    "ConvAC",
    "DeepNetwork",
    "GraphStateConvAC",
    "flip_ratios",
    "load",
    "log_derivatives",
    "register_method",
    "save",
]
