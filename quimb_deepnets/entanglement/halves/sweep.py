"""All cuts of the order of sites: two sweeps, each half an extension of the one before.

The minimum cuts closest to the first sites are nested, so the tensors of one half come in layers::

    L_1   L_2 = L_1 + tensors   L_3 = L_2 + tensors   ...        one way
          ...                   R_2 = tensors + R_3   R_3        and the other
"""

from typing import NamedTuple

from ...hyper import HyperTensorNetwork
from ...jobs.progress import progress
from ..views import Cost, as_flops
from .factors import factor_of, problem_of, spectrum_of_factors
from .parts import halves_of
from .steps import steps_of


class SweepPlan(NamedTuple):
    """The spectra of many cuts: what they cost together, and what they are.

    Attributes
    ----------
    tn : HyperTensorNetwork
    pairs : list[tuple[Half, Half]]
        The first one for the fewest sites on its left.
    """

    tn: HyperTensorNetwork
    pairs: list

    @classmethod
    def of(cls, tn, inds, cuts):
        """The plan for outer indices in the order of sites, and numbers of sites left of a cut."""
        return cls(tn, [halves_of(tn, inds[:cut], inds[cut:])[0] for cut in cuts])

    def cost(self):
        """What the factors of all halves take; those of the right side are held together."""
        flops, held, most = 0.0, 0, 0
        for halves in self._layers():
            node = None
            for half in halves:
                steps = steps_of(problem_of(self.tn, half, () if node is None else (node,)))
                node = steps[-1].node
                flops += sum(step.flops for step in steps)
                most = max(most, *(step.entries for step in steps))
                held += steps[-1].entries // 3
        return Cost((held + most) * max(t.data.itemsize for t in self.tn), as_flops(flops))

    def spectra(self, progbar=False):
        """The spectrum of each cut."""
        lefts, rights = self._layers()
        behind, factor = [], None
        for half in rights:
            behind.append(factor := factor_of(self.tn, half, factor))
        found, factor = [], None
        for half, pair in zip(progress(lefts, progbar), self.pairs):
            factor = factor_of(self.tn, half, factor)
            spectrum = spectrum_of_factors((factor, behind.pop()), pair, len(self.tn.tensor_map))
            found.append(spectrum)
        return found

    def _layers(self):
        """The left halves, and the right ones backwards, without the tensors of the one before."""
        lefts, rights = zip(*self.pairs)
        for halves in (lefts, rights[::-1]):
            before = ((), *(half.tids for half in halves))
            yield [half.without(tids) for half, tids in zip(halves, before)]
