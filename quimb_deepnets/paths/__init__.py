"""Contraction paths: what it costs to contract a state, by which optimizer, in which form.

::

    kets         a state as legs without arrays, by its type
    rivals       MPS, tree, MERA, PEPS, RBM as large, or as entangled, as a network
    hypergraph   a contraction problem, its search, its export
    tasks        amplitude, dense, norm, ... of a state as such a problem
    across       Schmidt values by the two halves of a state
    handmade     paths that need no search
    optimizers   whatever else finds a path
    sharing      equal branches, each contracted once
    study        path_report: optimizers and states in one table
    report       the table
    arrays       the numbers of a problem
    slices       a contraction as a sum, on any executor
    contraction  contract_sliced: what each task gives
"""

from .contraction import contract_sliced
from .handmade import blocks_tree, branch_tree, quick_tree, sweep_tree
from .hypergraph import Hypergraph
from .kets import Form, Ket, ket_of
from .report import PathReport
from .rivals import rivals
from .sharing import contract_shared, shared_flops, shared_plan
from .study import path_report
from .tasks import hypergraph

__all__ = [
    "Form",
    "Hypergraph",
    "Ket",
    "PathReport",
    "blocks_tree",
    "branch_tree",
    "contract_shared",
    "contract_sliced",
    "hypergraph",
    "ket_of",
    "path_report",
    "quick_tree",
    "rivals",
    "shared_flops",
    "shared_plan",
    "sweep_tree",
]
