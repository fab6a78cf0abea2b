"""Networks as quimb tensor networks, and the delta tensors that join duplicated legs."""

from .dup import dup
from .hyper import HyperTensorNetwork
from .recursive import RecursiveNetwork, to_tensor_network
from .recursive_mps import RecursiveMPS
from .recursive_tree import RecursiveTree

__all__ = [
    "HyperTensorNetwork",
    "RecursiveMPS",
    "RecursiveNetwork",
    "RecursiveTree",
    "dup",
    "to_tensor_network",
]
