"""Deep neural networks as quimb tensor networks.

A deep network re-uses information, and a tensor network cannot copy it. So one state has two
forms, exactly equal::

    ConvAC, RAC                      RecursiveTree, RecursiveMPS
    layers, each node once   ---->   quimb tensor networks, every re-use a branch of its own
    cheap amplitudes                 every tool that quimb has

Words
-----
site, L, shape
    Physical sites: 0..L-1 on a chain, (i, j) on a lattice.
phys_dim
    Local dimension, M in the paper (Levine, Sharir, Cohen, Shashua, arXiv:1803.09780).
layer
    `GCLayer` ``(kernel, bond_dim, stride)``: linear maps, one per tap, then their product.
tap, window
    A tap is one kernel position; the window of a node is the set of sites that it depends on.
node, branch
    The output vector of a layer at a position; its sub-tree in the expanded network.
DUP, delta
    All duplicated legs of one site joined by one delta tensor (Eq. (2), Fig. 3).
expanded, collapsed
    The network with every branch written out; the same state with each branch contracted once.

Ladder
------
A module imports only from rows above its own, and a row is imported when it is first used::

    lazy          methods whose module is imported when they are first used
    declared      which methods live in lower rows, for readers and type checkers
    errors        one class for each rule that input can break
    numerics      numbers beyond the range of floats, weights, configurations, whole files
    geometry      networks in integers: windows, branches, copies, places of sites
    theory        what is proven or known exactly, from integers
    jobs          sums in terms, on any executor, with checkpoints
    kernels       loops that numba compiles, on several threads
    evaluation    amplitudes, ratios and derivatives of batches, planned and prepared
    networks      ConvAC, RAC, RBM: weights and a geometry, as values
    hyper         quimb networks whose indices may be on any number of tensors
    tensors       networks as quimb tensor networks, expanded and collapsed
    exact         sums over all configurations without listing them
    conversion    networks as other states, and other states as networks
    sampling      Markov chains, and what they estimate
    entanglement  entropies and spectra of any state, by the cheapest method
    groundstate   operators as flip masks, energies of three kinds, optimizers that lower them
    paths         what contractions cost, and contractions in slices
    cli           the command line
    __main__      ``python -m quimb_deepnets``
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import exact as exact
    from . import theory as theory
    from .entanglement import (
        entanglement_plan,
        entropies,
        entropy,
        logneg_subsys,
        mutinf_subsys,
        partial_trace_exact,
        plot_entropy,
        register_with_quimb,
        renyi2_estimate,
        renyi_entropy,
        schmidt_gap,
        schmidt_rank,
        schmidt_values,
        unregister_from_quimb,
    )
    from .errors import (
        BudgetError,
        ConfigError,
        DeepNetError,
        ExtraError,
        GeometryError,
        LegError,
        MethodError,
        MissingError,
        OptionError,
        RangeError,
        SamplingWarning,
        SitesError,
        StructureError,
        WeightError,
        WorkerError,
    )
    from .exact import InfiniteChain
    from .geometry import GCLayer
    from .groundstate import Energy, Fit, GroundState, energy, fit
    from .hyper import HyperTensorNetwork, dup
    from .networks import (
        RAC,
        RBM,
        ConvAC,
        GraphStateConvAC,
        TorchNetwork,
        load,
        register_method,
        save,
    )
    from .paths import contract_sliced, path_report, rivals
    from .sampling import Metropolis
    from .tensors import CollapsedVector, RecursiveMPS, RecursiveTree

__version__ = "0.1.0"

__all__ = [
    "RAC",
    "RBM",
    "BudgetError",
    "CollapsedVector",
    "ConfigError",
    "ConvAC",
    "DeepNetError",
    "Energy",
    "ExtraError",
    "Fit",
    "GCLayer",
    "GeometryError",
    "GraphStateConvAC",
    "GroundState",
    "HyperTensorNetwork",
    "InfiniteChain",
    "LegError",
    "MethodError",
    "Metropolis",
    "MissingError",
    "OptionError",
    "RangeError",
    "RecursiveMPS",
    "RecursiveTree",
    "SamplingWarning",
    "SitesError",
    "StructureError",
    "TorchNetwork",
    "WeightError",
    "WorkerError",
    "contract_sliced",
    "dup",
    "energy",
    "entanglement_plan",
    "entropies",
    "entropy",
    "fit",
    "load",
    "logneg_subsys",
    "mutinf_subsys",
    "partial_trace_exact",
    "path_report",
    "plot_entropy",
    "register_method",
    "register_with_quimb",
    "renyi2_estimate",
    "renyi_entropy",
    "rivals",
    "save",
    "schmidt_gap",
    "schmidt_rank",
    "schmidt_values",
    "unregister_from_quimb",
]

# the rows of the ladder; what gives a name of `__all__` stands before all rows that need it
_ROWS = (
    "errors numerics geometry theory jobs kernels evaluation networks hyper tensors exact "
    "conversion sampling entanglement paths groundstate cli lazy declared"
).split()
# where names are looked for: chains need no quimb, which other rows import
_SEARCH = (*_ROWS[: _ROWS.index("hyper")], "sampling", *_ROWS[_ROWS.index("hyper") :])

if not TYPE_CHECKING:  # a type checker would accept every name

    def __getattr__(name):
        """A row, or a name of `__all__` from the first row that exports it, when first used."""
        if name in _ROWS:
            return importlib.import_module(f".{name}", __name__)
        if name in __all__:
            for row in _SEARCH:
                module = importlib.import_module(f".{row}", __name__)
                if name in getattr(module, "__all__", ()):
                    return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*(name for name in globals() if name.startswith("__")), *__all__, *_ROWS]
