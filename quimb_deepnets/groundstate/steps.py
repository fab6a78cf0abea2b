"""One step towards the ground state, from a batch of derivatives and local energies.

A step is the solution of a least-squares problem: which change ``d`` of the parameters moves the
state as imaginary time would? Its normal form is P x P, that of the residuals n x n; both are the
same step, and the smaller one is solved::

    log-derivatives O (n, P)   --centre, weigh-->  A = sqrt(w) (O - <O>)    min |A d - b|^2
    local energies  E (n,)     --clip, centre--->  b = sqrt(w) (E - <E>)      + shift |d - d0|^2

    P < n   (A^+ A + shift) d = A^+ b            stochastic reconfiguration
    else    d = A^+ (A A^+ + shift)^-1 b         the same, samples against samples

``|A d|`` is the length of the step in the Fubini-Study metric: how far the state moves, whatever
its parameters are. It is what the trust region bounds.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from ..evaluation.factored_rows import FactoredRows
from .centred import centred

CLIP = 8.0  # median deviations


class Batch(NamedTuple):
    """What a step is made from.

    Attributes
    ----------
    derivatives : numpy.ndarray or FactoredRows, shape (n, P)
        ``d log psi / d theta`` of each configuration.
    energies : numpy.ndarray, shape (n,)
        Local energies.
    weights : numpy.ndarray, shape (n,)
        Probabilities of the configurations, of sum 1; of samples ``1 / n``.
    real : bool
        Whether the parameters are real.
    """

    derivatives: np.ndarray | FactoredRows
    energies: np.ndarray
    weights: np.ndarray
    real: bool = True


class BoundedStep(NamedTuple):
    """A change of the parameters, what part of it is subtracted, and the Fubini-Study length."""

    change: np.ndarray
    rate: float
    length: float

    @property
    def taken(self) -> np.ndarray:
        """What is subtracted from the parameters, ``(P,)``."""
        return self.rate * self.change


class Update(NamedTuple):
    """New parameters, the length of the step, and the new memory."""

    theta: np.ndarray
    length: float
    memory: dict[str, np.ndarray]


def clipped(energies, deviations=CLIP):
    """Local energies, no part of them further from the median than so many median deviations.

    Where most of them are alike, as near uniform states, the median deviation is round-off: then
    twice the deviation that one in ten exceeds is allowed.

    Parameters
    ----------
    energies : numpy.ndarray, shape (n,)
        Real or complex.
    deviations : float, optional

    Returns
    -------
    numpy.ndarray, shape (n,)
        As given, if nine of ten are alike.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.steps import clipped
    >>> clipped(np.array([*range(1, 11), 1000.0]), deviations=2)[-3:].tolist()
    [9.0, 10.0, 16.0]
    """
    if np.iscomplexobj(energies):
        return clipped(energies.real, deviations) + 1j * clipped(energies.imag, deviations)
    middle = np.median(energies)
    away = abs(energies - middle)
    room = max(deviations * np.median(away), 2 * np.quantile(away, 0.9))
    if not room > 1e-9 * abs(energies).max():
        return energies
    return np.clip(energies, middle - room, middle + room)


def residuals(batch):
    """The matrix and the right-hand side of the least squares of a step.

    Real parameters see the real and the imaginary part of a complex network as two rows.

    Parameters
    ----------
    batch : Batch

    Returns
    -------
    A : numpy.ndarray or CentredRows, shape (n, P)
        Or (2 n, P), for real parameters of a complex network.
    b : numpy.ndarray, shape (n,) or (2 n,)
    """
    O, w = batch.derivatives, batch.weights
    b = (batch.energies - w @ batch.energies) * np.sqrt(w)
    if not batch.real:
        return centred(O, w), b
    if np.iscomplexobj(O):
        A = np.asarray(centred(O, w))
        return np.concatenate((A.real, A.imag)), np.concatenate((b.real, np.imag(b)))
    return centred(O, w), b.real


def force(A, b):
    """Half of the gradient of the energy, ``(P,)``: of complex parameters by their conjugates."""
    return A.conj().T @ b if isinstance(A, np.ndarray) else A.adjoint(b)


def natural_step(A, b, shift=1e-3, previous=None):
    """The change of parameters that stochastic reconfiguration asks for.

    Parameters
    ----------
    A : numpy.ndarray or CentredRows, shape (n, P)
    b : numpy.ndarray, shape (n,)
        See `residuals`.
    shift : float, optional
        What is added to the diagonal, relative to the mean of the eigenvalues that can differ from
        zero: ``trace(A^+ A) / min(n, P)``.
    previous : numpy.ndarray, shape (P,), optional
        What the change should stay close to where the batch says nothing; by default zero.

    Returns
    -------
    numpy.ndarray, shape (P,)

    Notes
    -----
    Sorella, Phys. Rev. Lett. 80, 4558; samples against samples: Chen and Heyl, arXiv:2302.01941;
    close to the previous change: Goldshlager, Abrahamsen and Lin, arXiv:2401.10190.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.steps import natural_step
    >>> rng = np.random.default_rng(0)
    >>> A, d = rng.normal(size=(50, 3)), np.array([1.0, 2.0, 3.0])
    >>> bool(np.allclose(natural_step(A, A @ d, shift=1e-9), d))
    True
    """
    n, P = A.shape
    if previous is not None:
        return previous + natural_step(A, b - A @ previous, shift)
    if n > P:
        A = np.asarray(A)
        return _solved(A.conj().T @ A, force(A, b), shift)
    gram = A @ A.conj().T if isinstance(A, np.ndarray) else A.gram()
    return force(A, _solved(gram, b, shift))


def _solved(matrix, right, shift):
    """``(matrix + shift * mean of its eigenvalues)^-1 right`` of a positive matrix; of zeros, 0."""
    size = shift * np.trace(matrix).real / max(1, len(matrix))
    if size == 0:
        return np.zeros_like(right)
    matrix[np.diag_indices_from(matrix)] += size
    # its transpose is its conjugate, and in the order of columns that is not copied
    factor = scipy.linalg.cho_factor(matrix.T, overwrite_a=True, check_finite=False)
    return scipy.linalg.cho_solve(factor, right.conj(), check_finite=False).conj()


def trusted(A, change, rate, limit):
    """The change times a rate, shortened where the state would move further than a limit.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, P)
    change : numpy.ndarray, shape (P,)
    rate : float
    limit : float
        The largest Fubini-Study length, in radians.

    Returns
    -------
    BoundedStep
        No change at all, at rate 0, if a number left the range of floats.
    """
    with np.errstate(all="ignore"):
        length = float(np.linalg.norm(A @ change))
    if not (np.isfinite(length) and np.isfinite(change).all()):
        return BoundedStep(np.zeros_like(change), 0.0, 0.0)
    rate = min(rate, limit / length) if length > 0 else rate
    return BoundedStep(change, rate, rate * length)


def finite_step(A, b, rate, limit, shift, previous=None):
    """The natural step; where numbers leave the range of floats, a more careful one.

    In turn: as asked, with a hundred times the shift and without the previous change, along the
    gradient, none.

    Parameters
    ----------
    A, b, shift, previous
        See `natural_step`.
    rate, limit
        See `trusted`.

    Returns
    -------
    BoundedStep
    """
    tries = (
        lambda: natural_step(A, b, shift, previous),
        lambda: natural_step(A, b, 100 * shift),
        lambda: force(A, b),
    )
    for attempt in tries:
        try:
            with np.errstate(all="ignore"):
                step = trusted(A, attempt(), rate, limit)
        except np.linalg.LinAlgError:
            continue
        if step.rate:
            return step
    return BoundedStep(np.zeros(A.shape[1], A.dtype), 0.0, 0.0)
