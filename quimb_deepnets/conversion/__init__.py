"""Networks as other states, and other states as networks: exactly where that is affordable.

::

    transfer_states   what crosses a bond of a chain, and the matrices that continue it
    exact_mps         to_mps: a canonical matrix product state from them
    balance           coordinates in which transfer states fill the unit ball
    cross_mps         any network, from amplitudes at chosen configurations
    sums_by_transfer  norms, overlaps, expectation values of chains that repeat
    everyday          norm, overlap, distance, expectation values of a network itself
    observables       magnetization and correlation
    cross_error       the measured error of an interpolated state
    drawn             configurations drawn from an MPS, and its error on them
    exact_peps        to_peps: the windows of an open lattice as a PEPS
    from_mps          RAC.from_mps: a matrix product state as a recurrent circuit
    from_tree         ConvAC.from_tree: a tree of any tensors, by products
    from_rbm          ConvAC.from_rbm: a Boltzmann machine with translation symmetry
    from_conv         RBM.from_conv: a circuit of depth 2 that adds two products at a time
    vanishing         states that vanish, exactly or to the precision of their weights
"""

from .everyday import state_of
from .exact_mps import to_mps
from .exact_peps import peps_bonds, to_peps
from .from_conv import from_conv
from .from_mps import from_mps
from .from_rbm import from_rbm
from .from_tree import from_tree
from .observables import correlation, magnetization
from .transfer_states import transfer_of

__all__ = [
    "correlation",
    "from_conv",
    "from_mps",
    "from_rbm",
    "from_tree",
    "magnetization",
    "peps_bonds",
    "state_of",
    "to_mps",
    "to_peps",
    "transfer_of",
]
