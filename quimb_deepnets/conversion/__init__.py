"""Networks as matrix product states: exactly where the bond is affordable, else by interpolation.

::

    transfer_states   what crosses a bond of a chain, and the matrices that carry it on
    exact_mps         to_mps: a canonical matrix product state from them
    cross_mps         any network, from amplitudes at chosen configurations
    everyday          norm, overlap, distance, expectation values of a network itself
"""

from .everyday import state_of
from .exact_mps import to_mps
from .transfer_states import carry_of

__all__ = ["carry_of", "state_of", "to_mps"]
