"""Networks as quimb tensor networks, and the delta tensors that join duplicated legs."""

from . import boltzmann, guides
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
    "guides",
    "to_tensor_network",
    "window_tensors",
]
