"""quimb networks with hyper-indices: an index may be on any number of tensors.

Nothing here knows a deep network::

    parts       what selection, partition and deletion leave of a network with hyper-indices
    names       inner indices that no other network has
    sites       names of sites, values of indices, checked
    operands    arrays and networks that users join to a network, in one dtype
    ranges      contractions beyond the range of floats
    checks      what is refused before a contraction, and before its derivatives
    refusals    methods of quimb that would be wrong, and what to use instead
    memory      what a contraction holds, asked for before it is taken
    free_memory what machine, container and process leave
    search      the best path of several searches
    trees       one tree for one problem
    exhaustive  what searches of every tree would take
    pictures    figures
    pairs       two small arrays, contracted as prepared for their shapes
    holes       environments of many small holes, planned in integers
    regions     density matrices of many regions, from environments that they share
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
