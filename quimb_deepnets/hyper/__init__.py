"""quimb networks with hyper-indices: an index may be on any number of tensors.

Nothing here knows a deep network::

    parts       what selection, partition and deletion leave of a network with hyper-indices
    refusals    methods of quimb that would be wrong, and what to use instead
    search      the best path of several searches
    identities  identity tensors leave a contraction before it is planned
    network     HyperTensorNetwork: contraction, combination
    dup         delta tensors that join duplicated legs
    algebra     sums, differences, distances
    vector      HyperVector: a state, one outer leg a site
"""

from .dup import dup
from .network import HyperTensorNetwork
from .vector import HyperVector

__all__ = ["HyperTensorNetwork", "HyperVector", "dup"]
