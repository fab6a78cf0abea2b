"""Networks as matrix product states: exactly where the bond is affordable, else by interpolation.

::

    transfer_states   what crosses a bond of a chain, and the matrices that continue it
    exact_mps         to_mps: a canonical matrix product state from them
    cross_mps         any network, from amplitudes at chosen configurations
"""

from .exact_mps import to_mps

__all__ = ["to_mps"]
