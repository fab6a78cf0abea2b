"""Numbers before networks: wide ranges, seeds, weights, configurations, whole files.

::

    scaled     numbers as mantissa * 2**exponent, beyond the range of floats
    traced     numbers that are not there to be looked at
    torch_modes  compiling, stacking and autocast of torch
    products   products and sums of such numbers in which no channel is lost
    sizes      bytes in words; norms that cannot be divided by; the precision of an array
    weights    arrays of weights: seeded random ones, and checks of given ones
    configs    configurations of the sites, from what users write to arrays of digits
    atomic     files that are whole or do not exist
    shown      objects as a notebook shows them
"""

from .scaled import Scaled

__all__ = ["Scaled"]
