"""Networks as matrix product states: exactly where the bond is affordable, else by interpolation.

::

    transfer_states   what crosses a bond of a chain, and the matrices that continue it
    exact_mps         to_mps: a canonical matrix product state from them
    balance           coordinates in which transfer states fill the unit ball
    cross_mps         any network, from amplitudes at chosen configurations
    everyday          norm, overlap, distance, expectation values of a network itself
    cross_error       the measured error of an interpolated state
    drawn             configurations drawn from an MPS, and its error on them
    vanishing         states that vanish, exactly or to the precision of their weights
"""

from .everyday import state_of
from .exact_mps import to_mps
from .transfer_states import transfer_of

__all__ = ["state_of", "to_mps", "transfer_of"]
