"""Methods of classes that live further down the ladder: their signatures, and where they are.

::

    declared    class NetworkMethods    if TYPE_CHECKING: def collapse(self, ...) -> CollapsedVector
                      ^                 else: collapse = LazyMethod("tensors.collapsed")
    networks    class DeepNetwork(NetworkMethods)

Readers and type checkers see the signature; the module is imported when the method is first used.
A test checks that signature and function agree.

::

    measures  measures of entanglement and observables, of networks and of states alike
    networks  methods of networks, of every one and of each family
    states    methods of quimb vectors that may still hold their network
"""

from .measures import MeasureMethods, RankMethods
from .networks import BoltzmannMethods, ConvolutionalMethods, NetworkMethods, RecurrentMethods
from .states import CollapsedMethods, ExpandedMethods, HeldMethods

__all__ = [
    "BoltzmannMethods",
    "CollapsedMethods",
    "ConvolutionalMethods",
    "ExpandedMethods",
    "HeldMethods",
    "MeasureMethods",
    "NetworkMethods",
    "RankMethods",
    "RecurrentMethods",
]
