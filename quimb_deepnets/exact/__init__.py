"""Sums over all configurations of a state, without listing them.

::

    transfer_sites         which windows end at each site of a chain, and where that repeats
    transfer               ket and bra through the sites, one by one or by powers
    transfer_density       density matrices of a few sites
    transfer_energy        energies of operators, which torch may differentiate
    transfer_variance      variances on rings
    transfer_correlations  two sites at any distance
    transfer_blocks        the entanglement of a block
    transfer_infinite      the chain without end
    transfer_routes        when transfer matrices are taken, planned in integers
    sector                 so many ones: weights of sectors, density matrices and energies in them
"""

from .sector import partial_traces_in_sector, sector_weights
from .transfer_infinite import InfiniteChain

__all__ = ["InfiniteChain", "partial_traces_in_sector", "sector_weights"]
