"""Entanglement of any state, any subset of its sites, in quimb's words.

::

    measures    entropy, schmidt_values, ...: what users call; two_subsystems: those of two parts
    arguments   what they ask for, from a state and sites to a spectrum
    registry    the table of methods, and the plan that picks one
    methods/    dense, reduced, gram, mps, graph, cut, approx: one file each
    halves/     a network of tensors in two halves, joined by a small cut
    views       what methods look at, by the type of the state: from_networks, from_quimb
    spectra     numbers from a spectrum
    vanishing   states that cancel to round-off
    rank        certified Schmidt ranks
    gf2         ranks over GF(2), entropies of graph states
    attach      the measures as methods of quimb's vectors, on request
    picture     plot_entropy
"""

from ..sampling.renyi2 import RenyiEstimate, renyi2_estimate
from . import from_networks, from_quimb  # they register
from .attach import register_with_quimb, unregister_from_quimb
from .measures import (
    entanglement_plan,
    entropies,
    entropy,
    partial_trace_exact,
    renyi_entropy,
    schmidt_gap,
    schmidt_values,
)
from .methods import approx, cut, dense, gram, graph, mps, reduced
from .picture import plot_entropy
from .rank import SchmidtRank, schmidt_rank
from .registry import METHODS, EntanglementPlan, Method, add_method
from .spectra import FlatSpectrum, Spectrum
from .two_subsystems import logneg_subsys, mutinf_subsys
from .views import Amplitudes, Cost, StateView, View, view_of

__all__ = [
    "METHODS",
    "Amplitudes",
    "Cost",
    "EntanglementPlan",
    "FlatSpectrum",
    "Method",
    "RenyiEstimate",
    "SchmidtRank",
    "Spectrum",
    "StateView",
    "View",
    "add_method",
    "approx",
    "cut",
    "dense",
    "entanglement_plan",
    "entropies",
    "entropy",
    "from_networks",
    "from_quimb",
    "gram",
    "graph",
    "logneg_subsys",
    "mps",
    "mutinf_subsys",
    "partial_trace_exact",
    "plot_entropy",
    "reduced",
    "register_with_quimb",
    "renyi2_estimate",
    "renyi_entropy",
    "schmidt_gap",
    "schmidt_rank",
    "schmidt_values",
    "unregister_from_quimb",
    "view_of",
]
