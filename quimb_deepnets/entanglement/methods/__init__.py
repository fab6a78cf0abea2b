"""Methods of entanglement, one file each; importing them adds them to the registry.

::

    dense     the amplitudes as a matrix, its singular values
    reduced   the density matrix of the smaller side, contracted
    gram      the same from streamed amplitudes, with a checkpoint file
    mps       the canonical form of a matrix product state
    graph     the rank over GF(2) of a graph state
    phases    small blocks of a weighted graph state, site by site of the rest
    cut       any network of tensors, across its smallest cut
    transfer  blocks of a chain of shared weights, by transfer matrices
    approx    stochastic Lanczos on a density matrix that is never written out
"""

from . import approx, cut, dense, gram, graph, mps, phases, reduced, transfer

__all__ = ["approx", "cut", "dense", "gram", "graph", "mps", "phases", "reduced", "transfer"]
