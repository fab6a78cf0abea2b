"""Samples of |psi|**2, and what they estimate.

::

    states       what can be sampled: networks, expanded states, objects of users
    moves        what chains propose, in a sector or not
    starts       where chains begin
    batched      chains of any state, one batch for each step
    metropolis   chains of configurations, with replica exchange, compiled or batched
    record       where chains were, and how they mix
    diagnostics  how well they mixed: R-hat, autocorrelation, when to doubt them
    prefixes     independent draws from tabulated windows, site by site
    draws        net.sample: independent draws where they are cheap, chains else
    renyi2       the swap estimator of the second Renyi entropy
"""

from typing import Any

from .metropolis import Metropolis

__all__ = ["Metropolis", "RenyiEstimate", "renyi2_estimate"]


def __getattr__(name: str) -> Any:
    """The estimator contracts states of quimb, which chains of networks need not wait for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import renyi2

    return getattr(renyi2, name)
