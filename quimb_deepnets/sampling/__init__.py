"""Samples of |psi|**2, and what they estimate.

::

    metropolis   chains of configurations, with replica exchange
    diagnostics  how well they mixed: R-hat, autocorrelation
    renyi2       the swap estimator of the second Renyi entropy
"""

from .metropolis import Metropolis
from .renyi2 import RenyiEstimate, renyi2_estimate

__all__ = ["Metropolis", "RenyiEstimate", "renyi2_estimate"]
