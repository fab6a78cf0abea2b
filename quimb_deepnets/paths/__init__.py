"""Contraction paths: what it costs to contract a state, by which optimizer, in which form.

::

    kets         a state as legs without arrays, by its type
    hypergraph   a task on it as a contraction problem, and its search
    sharing      what equal branches cost when each is contracted once
    report       a table of optimizers: width, flops, writes, peak, seconds
"""

from .hypergraph import Hypergraph, hypergraph
from .kets import Form, Ket, ket_of
from .report import PathReport, path_report
from .sharing import BranchOrder, shared_flops

__all__ = [
    "BranchOrder",
    "Form",
    "Hypergraph",
    "Ket",
    "PathReport",
    "hypergraph",
    "ket_of",
    "path_report",
    "shared_flops",
]
