"""What Schmidt values cost across the smallest cut of a state, beside its density matrix.

::

    "greedy", ...     ket and bra joined  -->  rho of the smaller side  -->  eigenvalues
    "cut"             A ==c== B, of the ket alone: half by half         -->  singular values

The second is the method "cut" of `quimb_deepnets.entanglement`, planned as it is there, from
indices alone.
"""

import math
from typing import NamedTuple

import numpy as np

from ..entanglement.halves import halves_of
from ..entanglement.methods.cut import MAX_CUT, dimension, plan_of
from .tasks import problem_of, sides_of

CUT = "cut"


class LegTensor(NamedTuple):
    """A tensor without numbers: its indices; ``data`` has the size of a number and no more."""

    inds: tuple
    data: np.float64 = np.float64(0)


class LegNetwork:
    """A network without numbers, as far as plans of its halves read one.

    Parameters
    ----------
    graph : Hypergraph
    """

    def __init__(self, graph):
        self.tensor_map = dict(enumerate(map(LegTensor, graph.inputs)))
        self.ind_map = graph.size_dict

    def __iter__(self):
        return iter(self.tensor_map.values())

    def ind_size(self, ix):
        """The number of values of an index."""
        return self.ind_map[ix]


class Across(NamedTuple):
    """A state without numbers, and the outer indices on either side of a cut.

    Attributes
    ----------
    graph : Hypergraph
        Of all entries of the state.
    sides : tuple[list[str], list[str]]
    """

    graph: object
    sides: tuple

    @classmethod
    def of(cls, ket, where):
        """That of a `Ket` between some sites and the others."""
        legs = tuple([ket.legs[site] for site in side] for side in sides_of(ket, where))
        return cls(problem_of(ket, "dense").squeezed(), legs)

    def row(self):
        """What the cheapest form takes, as `PathReport` names it.

        A cut of large dimension is not planned: its square is the least that it takes.
        """
        tn = LegNetwork(self.graph)
        pairs = halves_of(tn, *self.sides)
        if (size := dimension(tn, pairs[0])) > MAX_CUT:
            peak = written = largest = size**2
            flops = size**3
        else:
            cost, plan = plan_of(tn, pairs)
            largest, written = plan.written()
            flops, peak = int(cost.flops), cost.bytes // np.dtype(float).itemsize
        return {
            "log2_width": math.log2(largest),
            "log10_flops": math.log10(max(1, flops)),
            "log10_write": math.log10(max(1, written)),
            "log2_peak": math.log2(max(1, peak)),
        }


def eigenvalue_flops(graph):
    """Flops of the eigenvalues of a density matrix, the output of a contraction."""
    size = math.prod(graph.size_dict[ix] for ix in graph.output[: len(graph.output) // 2])
    return 4 * size**3
