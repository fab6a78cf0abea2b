"""Networks as quimb tensor networks, every branch written out or each contracted once.

::

    expanded              to_tensor_network, and the class that both expanded forms share
    recursive_tree        RecursiveTree, of a ConvAC
    recursive_mps         RecursiveMPS, of a RAC
    boltzmann             an RBM in both forms
    collapsed             collapse: one tensor for each window
    levels                up to which layer that goes, and the tensors of lower ones
    pieces                tensors from their pieces
    amplitudes            single entries of either form
    density               density matrices of many regions of a collapsed chain
    weights_from_tensors  back to the weights of the network
    scale                 scales kept in the tensors or in the exponent
    picture               where to draw each tensor
    guides                what to use where an object lacks a name
"""

from . import boltzmann, picture
from .collapsed import CollapsedVector, collapse, window_tensors
from .expanded import RecursiveNetwork, to_tensor_network
from .recursive_mps import RecursiveMPS
from .recursive_tree import RecursiveTree
from .weights_from_tensors import architecture_of

__all__ = [
    "CollapsedVector",
    "RecursiveMPS",
    "RecursiveNetwork",
    "RecursiveTree",
    "architecture_of",
    "boltzmann",
    "collapse",
    "picture",
    "to_tensor_network",
    "window_tensors",
]
