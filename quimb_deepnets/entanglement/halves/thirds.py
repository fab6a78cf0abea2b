"""The density matrix of two subsystems, each up to an isometry on its sites.

Each subsystem is cut from the rest, and all three parts are contracted with QR decompositions, so
that what is left is at most as large as the cuts. Partial transposition commutes with isometries on
either subsystem, so the negativity is that of the small matrix::

    A ==c== rest ==d== B       T[p, q, r] = sum L_A[p; c] L_B[q; d] R[r; c d]
                               rho[p q, p' q'] = sum_r T[p, q, r] conj(T[p', q', r])
"""

import math
from typing import NamedTuple

import cotengra as ctg
from autoray import do

from ...hyper import HyperTensorNetwork
from ...numerics.scaled import Scaled
from ..views import Cost, as_flops
from .factors import factor_of, problem_of
from .grams import einsum
from .parts import thirds_of
from .steps import steps_of


class ThirdsPlan(NamedTuple):
    """The density matrix of two subsystems: what it costs, and what it is.

    Attributes
    ----------
    tn : HyperTensorNetwork
    parts : tuple[Half, Half, Half]
        Of both subsystems, and of the rest.
    """

    tn: HyperTensorNetwork
    parts: tuple

    @classmethod
    def of(cls, tn, inds_a, inds_b, inds_c):
        """The plan for outer indices of both subsystems, and all others."""
        return cls(tn, thirds_of(tn, inds_a, inds_b, inds_c))

    def cost(self):
        """What the three contractions take, and the density matrix."""
        made = [steps_of(problem_of(self.tn, part)) for part in self.parts]
        size = lambda inds: math.prod(map(self.tn.ind_size, inds))
        ps = [steps[-1].node.p for steps in made]
        a, b, c = (size(part.shared) * p for part, p in zip(self.parts, ps))
        edges = size({ix for part in self.parts for ix in (*part.shared, *part.open)})
        flops = 2 * edges * math.prod(ps) + (a * b) ** 2 * (c + 20 * a * b)
        flops += sum(step.flops for steps in made for step in steps)
        entries = max(
            2 * (a * b * c + edges * ps[0] * ps[2] + 2 * (a * b) ** 2),
            *(step.entries for steps in made for step in steps),
        )
        return Cost(entries * max(t.data.itemsize for t in self.tn), as_flops(flops))

    def density(self):
        """The density matrix ``(a, b, a, b)``, of any trace."""
        x, y, z = (factor_of(self.tn, part).ordered(part) for part in self.parts)
        edges = dict.fromkeys(ix for part in self.parts for ix in (*part.shared, *part.open))
        names = {ix: ctg.get_symbol(3 + n) for n, ix in enumerate(edges)}
        word = lambda inds: "".join(map(names.__getitem__, inds))
        inputs = [f"{word(part.shared)}{p}{word(part.open)}" for part, p in zip(self.parts, "abc")]
        output = [f"{word(part.shared)}{p}" for part, p in zip(self.parts, "abc")]
        sites = set("".join(output))
        joint = "".join(dict.fromkeys(f"{inputs[0]}{inputs[2]}"))
        joint = "".join(s for s in joint if s in sites or s in inputs[1])
        psi, _ = Scaled.of(einsum(f"{inputs[0]},{inputs[2]}->{joint}", x, z))
        psi = einsum(f"{joint},{inputs[1]}->{''.join(output)}", psi, y)
        a, b = (math.prod(v.shape[: len(part.shared) + 1]) for v, part in zip((x, y), self.parts))
        psi, _ = Scaled.of(psi.reshape(a * b, -1))
        return (psi @ do("conj", do("transpose", psi, (1, 0)))).reshape(a, b, a, b)
