"""Sums over all configurations of a state, without listing them.

::

    sector      sectors of so many ones: their weights, density matrices and energies in them
"""

from .sector import partial_traces_in_sector, sector_weights

__all__ = ["partial_traces_in_sector", "sector_weights"]
