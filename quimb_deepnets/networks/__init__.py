"""Networks that compute amplitudes: weights, geometry, and a pass from the sites upward.

::

    params       named arrays of weights, read-only
    value        a network as a value: equality, copies, dtype and device, parameters as a vector
    base         DeepNetwork: what every network can do
    conv         ConvAC, of a chain or a lattice
    recurrent    RAC
    rbm          RBM
    torch_network  TorchNetwork, any module of torch
    graph_state  GraphStateConvAC, whose entanglement is known exactly
    graph_weights  its weights
    entangled    random weights of a ConvAC that are entangled
    entangled_rows  the rows that they are made of
    entangled_edges  real ones where sites are missing
    entangled_recurrent  those of a RAC
    noisy_arrays  the noise on both
    resize       the same weights on another shape
    function     the network as a pure function of its parameters
    files        save and load
    attach       functions of users as methods of networks
"""

from .attach import register_method
from .base import FAMILIES, DeepNetwork
from .conv import ConvAC
from .files import load, save
from .function import to_function
from .graph_state import GraphStateConvAC
from .rbm import RBM
from .recurrent import RAC
from .resize import resize
from .torch_network import TorchNetwork

__all__ = [
    "FAMILIES",
    "RAC",
    "RBM",
    "ConvAC",
    "DeepNetwork",
    "GraphStateConvAC",
    "TorchNetwork",
    "load",
    "register_method",
    "resize",
    "save",
    "to_function",
]
