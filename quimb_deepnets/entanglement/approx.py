"""Method "approx": spectral functions of a reduced density matrix that is never written down.

rho acts on vectors, as ket and bra contracted with them; quimb's ``approx_spectral_function``,
stochastic Lanczos quadrature, then estimates ``Tr f(rho)`` to a relative standard error ``tol``::

    rho v =  ket ---- bra ---- v          Tr f(rho) = mean over random v of  v^dagger f(rho) v
"""

import math
import numbers

import numpy as np
import quimb as qu
from autoray import to_numpy
from quimb.tensor.tensor_core import TNLinearOperator

from ..errors import MethodError, OptionError
from ..tensors.search import BestOf
from ..weights import make_rng
from .registry import Method, add_method
from .states import Cost

KRYLOV = 64  # vectors that are held at once, as a rule


class EstimatedSpectrum:
    """A spectrum of which only spectral functions can be estimated.

    Parameters
    ----------
    rho : LinearOperator
        The density matrix, of trace 1.
    tol : float
        Relative standard error of each estimate.
    rng : numpy.random.Generator
    progbar : bool
    """

    def __init__(self, rho, tol, rng, progbar):
        self.rho, self.tol, self.rng, self.progbar = rho, tol, rng, progbar

    @property
    def values(self):
        """Not known."""
        raise MethodError(
            "method='approx' estimates entropies and has no single Schmidt values; use another."
        )

    gap = values.fget

    def entropy(self):
        """The von Neumann entropy, to ``tol``."""
        return self._trace_of(lambda p: -p * math.log2(p) if p > 0 else 0.0)

    def renyi(self, alpha):
        """The Renyi entropy of order ``alpha``."""
        if alpha == 1:
            return self.entropy()
        if not 0 < alpha < math.inf:
            raise OptionError(f"alpha={alpha} cannot be estimated; use an order above 0.")
        return math.log2(self._trace_of(lambda p: max(p, 0.0) ** alpha)) / (1 - alpha)

    def _trace_of(self, function):
        dim = self.rho.shape[0]
        return float(
            qu.approx_spectral_function(
                self.rho,
                function,
                tol=self.tol,
                v0=lambda: self.rng.choice([-1.0, 1.0], dim),
                tol_scale=1e-12,  # tol is relative, however small the trace
                R_min=16,  # fewer repeats would trust a lucky few
                mean_p=1.0,  # no trimming: the estimates are skewed, and their mean is right
                single_precision=False,
                progbar=self.progbar,
            )
        )


def cost(view, places, what="spectrum"):
    """Some Krylov vectors, and a hundred applications of the density matrix."""
    places = view.smaller(places)
    dim = view.dim(places)
    if dim > 2**40:
        return Cost(16 * dim * KRYLOV, math.inf)
    made = view.faces["network"].value.applied_cost(places)
    return Cost(made.bytes + 16 * dim * KRYLOV, 100 * made.flops)


def spectrum(view, places, progbar=False, tol=1e-2, seed=None):
    """The spectrum of the smaller side, of which functions can be estimated.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    progbar : bool, optional
    tol : float, optional
        Relative standard error of the traces.
    seed : int or numpy.random.Generator, optional
    """
    if not (isinstance(tol, numbers.Real) and 0 < tol < 1):
        raise OptionError(f"tol={tol!r} is no relative error; use a float between 0 and 1.")
    tn, kets, bras = view.faces["network"].value.doubled(view.smaller(places))
    tn.exponent = 0.0
    tn.apply_to_arrays(to_numpy)
    tn.equalize_norms_(1.0)
    tn.exponent = 0.0
    trace = tn.reindex(dict(zip(bras, kets))).contract(output_inds=())
    tn.multiply_(1 / float(np.real(trace)), spread_over="all")
    rho = TNLinearOperator(tn, kets, bras, optimize=BestOf(), backend="numpy")
    return EstimatedSpectrum(rho, tol, make_rng(seed), progbar)


add_method(Method("approx", "network", cost, spectrum, searches=True, exact=False))
