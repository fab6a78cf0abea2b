"""A network of tensors in two halves, joined by a small cut.

::

    parts      which tensors and sites are on either side, by a minimum cut
    grams      the halves with their conjugates: Gram matrices, and their spectrum
    factors    the halves without squares: QR decompositions along a contraction
    steps      that contraction, planned in integers
    sweep      all cuts of the order of sites
"""

from .factors import FactorPlan
from .grams import GramPlan
from .parts import Half, halves_of
from .sweep import SweepPlan

__all__ = ["FactorPlan", "GramPlan", "Half", "SweepPlan", "halves_of"]
