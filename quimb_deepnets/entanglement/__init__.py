"""Entanglement of any state, any subset of its sites, in quimb's words.

::

    measures    entropy, schmidt_values, ...: what users call
    registry    the table of methods, and the plan that picks one
    states      what a state can show of itself, by its type: from_networks, from_quimb
    dense  reduced  gram  mps  approx            one method each
    spectra     numbers from a spectrum          where      places from what users write
"""

from . import approx, dense, from_networks, from_quimb, gram, mps, reduced  # they register
from .measures import (
    entanglement_plan,
    entropies,
    entropy,
    logneg_subsys,
    mutinf_subsys,
    partial_trace_exact,
    renyi_entropy,
    schmidt_gap,
    schmidt_values,
)
from .methods import register_with_quimb, unregister_from_quimb
from .registry import METHODS, EntanglementPlan, Method, add_method
from .spectra import FlatSpectrum, Spectrum
from .states import Amplitudes, Cost, Face, StateView, view_of

__all__ = [
    "METHODS",
    "Amplitudes",
    "Cost",
    "EntanglementPlan",
    "Face",
    "FlatSpectrum",
    "Method",
    "Spectrum",
    "StateView",
    "add_method",
    "approx",
    "dense",
    "entanglement_plan",
    "entropies",
    "entropy",
    "from_networks",
    "from_quimb",
    "gram",
    "logneg_subsys",
    "mps",
    "mutinf_subsys",
    "partial_trace_exact",
    "reduced",
    "register_with_quimb",
    "renyi_entropy",
    "schmidt_gap",
    "schmidt_values",
    "unregister_from_quimb",
    "view_of",
]
