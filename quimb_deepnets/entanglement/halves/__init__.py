"""A network of tensors in two halves, joined by a small cut.

::

    parts      which tensors and sites are on either side, by a minimum cut
    grams      the halves with their conjugates: Gram matrices, and their spectrum
    factors    the halves without squares: QR decompositions along a contraction
    steps      that contraction, planned in integers
    sweep      all cuts of the order of sites
    thirds     two subsystems cut from the rest
"""

from .factors import FactorPlan
from .grams import GramPlan
from .parts import Half, halves_of
from .sweep import SweepPlan
from .thirds import ThirdsPlan

__all__ = ["FactorPlan", "GramPlan", "Half", "SweepPlan", "ThirdsPlan", "halves_of"]
