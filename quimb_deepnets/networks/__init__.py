"""Networks that compute amplitudes: weights, geometry, and a pass from the sites upward.

::

    params       named arrays of weights, read-only
    value        a network as a value: equality, copies, dtype and device, parameters as a vector
    base         DeepNetwork: what every network can do
    conv         ConvAC, of a chain or a lattice
    recurrent    RAC
    rbm          RBM
    graph_state  GraphStateConvAC, whose entanglement is known exactly
    files        save and load
    attach       methods that rows below give to networks
"""

from .attach import register_method
from .base import FAMILIES, DeepNetwork
from .conv import ConvAC
from .files import load, save
from .graph_state import GraphStateConvAC
from .rbm import RBM
from .recurrent import RAC

__all__ = [
    "FAMILIES",
    "RAC",
    "RBM",
    "ConvAC",
    "DeepNetwork",
    "GraphStateConvAC",
    "load",
    "register_method",
    "save",
]
