"""Networks as quimb tensor networks, and the delta tensors that join duplicated legs."""

from . import (
    boltzmann,  # registers RBM
    guides,  # registers advice
)
from .collapsed import CollapsedVector, collapse
from .dup import dup
from .exact_mps import to_mps
from .hyper import HyperTensorNetwork
from .recursive import RecursiveNetwork, to_tensor_network
from .recursive_mps import RecursiveMPS
from .recursive_tree import RecursiveTree

__all__ = [
    "CollapsedVector",
    "HyperTensorNetwork",
    "RecursiveMPS",
    "RecursiveNetwork",
    "RecursiveTree",
    "boltzmann",
    "collapse",
    "dup",
    "guides",
    "to_mps",
    "to_tensor_network",
]
