"""The spectrum of a reduced density matrix, and the numbers that are read from it, in bits.

Schmidt values are squared singular values, descending, of sum 1, as quimb means them. Singular
values are right to the precision of the dtype relative to the largest: a decomposition of the
state keeps Schmidt values down to about 1e-31, one of a density matrix those above 1e-15::

    psi (A, B) --svd--> sigma --square, normalise--> p_1 >= p_2 >= ...

    entropy   -sum p log2 p          renyi_entropy   log2(sum p**alpha) / (1 - alpha)
    gap       p_1 - p_2              negativity      2 log2(sum sqrt(p)), of A with the rest
"""

import math
import numbers

import numpy as np
from autoray import do, infer_backend, stop_gradient, to_numpy

from ..errors import BudgetError, MethodError, OptionError, RangeError
from ..numerics.sizes import check_norm, epsilon

MAX_SVD = 1024  # beyond this size the Gram matrix is diagonalised, several times faster
MAX_LOSS = 1e-9  # relative change of a sum of powers that lost values may make; 100 eps if larger


class Spectrum:
    """A spectrum given value by value.

    Attributes
    ----------
    values : array, shape (rank,)
        The Schmidt values.
    lost : float
        Values below this fraction of the largest may be lost; 0 where nothing was squared.

    Parameters
    ----------
    weights : array, shape (rank,)
        Schmidt values in descending order, of any sum.
    floor : float, optional
        Values up to this fraction of the largest are round-off, and taken as zero.
    squared : bool, optional
        Whether they are the eigenvalues of a density matrix, each uncertain by ``floor``. Orders
        below 1 are then refused where that matters.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.entanglement import Spectrum
    >>> float(Spectrum(np.array([2.0, 2.0])).entropy())
    1.0
    """

    def __init__(self, weights, floor=0.0, squared=False):
        there = stop_gradient(weights > floor * weights[0]) if len(weights) else weights
        weights = do("where", there, weights, do("zeros_like", weights))
        total = do("sum", weights)
        size = float(stop_gradient(total))
        check_norm(size)
        self.values = weights / total
        self.lost = floor if squared else 0.0
        self.rounding = math.sqrt(epsilon(weights))

    def entropy(self):
        """The von Neumann entropy."""
        safe, _ = self._positive()
        return not_negative(do("sum", -safe * do("log2", safe)), self.rounding)

    def renyi(self, alpha):
        """The Renyi entropy of order ``alpha``: 0 counts, 1 is von Neumann's, inf the largest."""
        if alpha == 1:
            return self.entropy()
        if alpha < 1:
            self._check_small(alpha)
        return not_negative(self._renyi(alpha), self.rounding / abs(1 - min(alpha, 2)))

    def _renyi(self, alpha):
        """The Renyi entropy of an order that is not 1."""
        if alpha == math.inf:
            return -do("log2", self.values[0])
        safe, there = self._positive()
        if abs(alpha - 1) < 0.1:  # sum p**alpha is close to 1: its distance from 1 matters
            powers = do("expm1", (alpha - 1) * do("log", safe))
            return do("log1p", do("sum", there * safe * powers)) / math.log(2) / (1 - alpha)
        top = self.values[0]
        ratio = do("where", there > 0, self.values / top, do("ones_like", safe))
        return (alpha * do("log2", top) + do("log2", do("sum", there * ratio**alpha))) / (1 - alpha)

    def _check_small(self, alpha):
        """Refuse an order below 1 that depends on values which were lost by squaring."""
        ratio = to_numpy(stop_gradient(self.values / self.values[0])).astype("float64")
        kept = ratio[ratio > 0]
        moved = alpha * float((kept ** (alpha - 1)).sum()) * self.lost
        lost = (len(ratio) - len(kept)) * self.lost**alpha if self.lost else 0.0
        loss = (moved + lost) / float((kept**alpha).sum())
        if loss > max(MAX_LOSS, 100 * epsilon(self.values)):
            raise MethodError(
                f"Schmidt values below {self.lost:.1e} of the largest are lost in a density "
                f"matrix, and may change the sum of p**{alpha:g} by up to {loss:.1e} of itself; "
                "use a method that decomposes the state (method='dense', 'mps' or 'to_mps', or "
                "'cut'), or an order of at least 1."
            )

    def gap(self):
        """The difference of the two largest values; of a single one, that one."""
        return self.values[0] - self.values[1] if len(self.values) > 1 else self.values[0]

    def _positive(self):
        """The values with 1 for each zero, and whether each is positive, as 0 and 1."""
        there = stop_gradient(self.values) > 0
        one = do("ones_like", self.values)
        return do("where", there, self.values, one), do("where", there, one, 0 * one)


class FlatSpectrum:
    """``2**bits`` equal Schmidt values, however many: the spectrum of a stabiliser state.

    Parameters
    ----------
    bits : int

    Examples
    --------
    >>> from quimb_deepnets.entanglement import FlatSpectrum
    >>> FlatSpectrum(2500).entropy()
    2500.0
    """

    rounding = 0.0

    def __init__(self, bits):
        self.bits = bits

    @property
    def values(self):
        """All of them, if they fit."""
        if self.bits > 24:
            raise BudgetError(
                f"there are 2**{self.bits} equal Schmidt values, {8 << self.bits} bytes of them; "
                "ask for entropy or renyi_entropy, which need no list."
            )
        return np.full(2**self.bits, 2.0**-self.bits)

    def entropy(self):
        """The von Neumann entropy."""
        return float(self.bits)

    def renyi(self, alpha):
        """The Renyi entropy, equal for all orders."""
        return float(self.bits)

    def gap(self):
        """The difference of the two largest values."""
        return 0.0 if self.bits else 1.0


def spectrum_of_matrix(x, sites=0, tail=False):
    """The spectrum of a pure state, as a matrix of one side by the other.

    Parameters
    ----------
    x : array, shape (A, B)
    sites : int, optional
        How many tensors the matrix was made of; each adds its round-off.
    tail : bool, optional
        Whether the smallest values matter, so that no size is too large for singular values.
    """
    rows, columns = x.shape
    check_norm(float(do("max", do("abs", stop_gradient(x)))))
    if min(rows, columns) > MAX_SVD and not tail:
        adjoint = do("conj", do("transpose", x, (1, 0)))
        return spectrum_of_density(x @ adjoint if rows <= columns else adjoint @ x)
    numpy = infer_backend(x) == "numpy"
    values = np.linalg.svd(x, compute_uv=False) if numpy else do("linalg.svdvals", x)
    return Spectrum(values**2, ((max(rows, columns) + 8 * sites) * epsilon(x)) ** 2)


def spectrum_of_density(rho):
    """The spectrum of a density matrix of any trace."""
    check_norm(float(do("max", do("abs", stop_gradient(rho)))))
    values = do("flip", do("linalg.eigvalsh", rho), (0,))
    return Spectrum(values, 4 * math.sqrt(len(rho)) * epsilon(rho), squared=True)


def not_negative(bits, rounding):
    """An entropy or a mutual information, with round-off below zero removed.

    Parameters
    ----------
    bits : scalar
    rounding : float
        How far below zero round-off can lead, in bits.

    Raises
    ------
    RangeError
        If it is further below zero than that.
    """
    size = as_float(bits)
    if size > 0:
        return bits
    if not size >= -rounding:
        raise RangeError(
            f"an entropy came out as {size:.3g} bits, further below zero than round-off of "
            f"{rounding:.1e} allows; use another method= or a dtype of more digits."
        )
    return 0 * bits + 0.0


def as_float(x):
    """A scalar of any library as a float, whether or not its gradient is followed."""
    return float(x if isinstance(x, numbers.Real) else stop_gradient(x))


def check_cancelled(log2_norm, log2_moved, power, epsilon):
    """Refuse a state whose norm is nothing but the round-off of its parts.

    Parameters
    ----------
    log2_norm, log2_moved : float
        Logarithms of the norm, and of the norm with all weights moved by ``epsilon**0.5`` of
        themselves; with ``power`` 2 of squared norms, and moved by ``epsilon**0.25``.
    power : {1, 2}
    epsilon : float
        Of the dtype.
    """
    if -math.inf in (log2_norm, log2_moved):
        check_norm(0.0)
    if math.inf in (log2_norm, log2_moved):
        check_norm(math.inf)
    grown = log2_moved - log2_norm
    if not grown < -math.log2(epsilon) / 4:
        raise RangeError(
            f"the state cancels to round-off of its parts, so its entropy would be that of noise: "
            f"its norm grows {2.0 ** min(grown / power, 1000):.0e} times if the weights move by "
            f"{epsilon ** (0.5 / power):.0e} of themselves; give a state that does not vanish, or "
            "weights of more digits."
        )


def check_alpha(alpha):
    """Refuse an order of a Renyi entropy that is not a number of at least 0."""
    if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real) or not alpha >= 0:  # type: ignore[operator]
        raise OptionError(
            f"alpha={alpha!r} is not the order of a Renyi entropy; use a number >= 0."
        )
    return float(alpha)
