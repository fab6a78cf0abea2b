"""Ground states: operators, and energies of networks by three ways that agree.

::

    reading     operators of quimb as terms on the places of a network
    pieces      terms collected into tables
    signs       the signs of another basis
    operators   flip masks: moves and their coefficients
    sectors     configurations with a number of ones
    local       local energies
    full        sums over all configurations
    sampled     samples, and the error that chains show
    products    products of terms, and terms as products
    chain       matrix product states and operators
    windows     contractions of collapsed networks
    energies    the three ways, and which one
    gradients   by the parameters
"""

from .energies import Energy, energy

__all__ = ["Energy", "energy"]
