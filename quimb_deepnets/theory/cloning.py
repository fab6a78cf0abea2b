"""No cloning: no tensor network turns every vector v into two copies of itself.

Claim 1 of arXiv:1803.09780. A network with one leg in and two legs out is, once contracted, one
tensor phi of order 3, and it acts linearly, while copying is quadratic::

     v               v   v
     |               |   |
    phi      =                 fails for v, or for -v: the left side changes its sign,
    / \\                        the right side does not
"""

import math
from typing import NamedTuple

import numpy as np

from ..errors import WeightError


class CloningFailure(NamedTuple):
    """A unit vector that is not cloned, by how much, and the least that was possible."""

    vector: np.ndarray
    residual: float
    bound: float


def cloning_failure(phi, positive=False):
    """A unit vector that a tensor fails to clone, whatever the tensor.

    The residual of a unit vector is ``r(v) = ||phi v - v (x) v||``, where ``v (x) v`` has norm 1.

    As phi is linear, ``(phi v - v (x) v) - (phi v + v (x) v) = -2 v (x) v``, and the second
    bracket is ``-(phi(-v) - (-v) (x) (-v))``. So ``r(v) + r(-v) >= 2``: one of v and -v has a
    residual of at least 1. ``phi = 0`` has 1 for all v, so that no tensor does better than the
    one that makes nothing.

    The failure is not one of signs alone. Take m basis vectors and
    ``u = (e_1 + ... + e_m) / sqrt(m)``. If phi were to clone them, it would make
    ``sum_i e_i (x) e_i / sqrt(m)`` of u, which is at a distance ``sqrt(2 - 2 / sqrt(m))`` from
    ``u (x) u``; hence ``r(u) + sum_i r(e_i) / sqrt(m) >= sqrt(2 - 2 / sqrt(m))``, and the largest
    of the m + 1 residuals is at least that over ``1 + sqrt(m)``: 0.317 for m = 2, 0.336 for m = 3.

    Parameters
    ----------
    phi : array_like, shape (P, P, P)
        ``phi[i, j, k]``, v on the first leg, the copies on the others; real or complex.
    positive : bool, optional
        Whether only vectors without negative entries count.

    Returns
    -------
    CloningFailure
        ``vector``, the worst of the basis vectors, of the sums of two or three neighbours and of
        the sum of all (and of their negatives, unless ``positive``), its ``residual``, and the
        ``bound`` that the residual is proven not to fall below: 1, or if ``positive`` the one for
        ``m = min(P, 3)``. That is 0 for P = 1, where 1 is the only vector.

    Raises
    ------
    WeightError
        If phi is not a P x P x P array of finite numbers.

    Examples
    --------
    The delta tensor clones the basis, and fails on sums, as in the proof of Claim 1:

    >>> import numpy as np
    >>> from quimb_deepnets.theory import cloning_failure
    >>> delta = np.zeros((4, 4, 4))
    >>> delta[range(4), range(4), range(4)] = 1.0
    >>> failure = cloning_failure(delta, positive=True)
    >>> print(failure.vector, round(failure.residual, 6), round(failure.bound, 6))
    [0.5 0.5 0.5 0.5] 1.0 0.336524
    >>> cloning_failure(delta).residual
    2.0
    """
    phi = _check(phi)
    dim = len(phi)
    vectors = np.array(
        [
            [m**-0.5 * (start <= i < start + m) for i in range(dim)]
            for m in sorted({1, min(2, dim), min(3, dim), dim})
            for start in range(dim - m + 1)
        ]
    )
    if not positive:
        vectors = np.concatenate([vectors, -vectors])
    found = np.array([_residual(phi, v) for v in vectors])
    worst = int(found.argmax())
    bound = _bound_of_sum(min(dim, 3)) if positive else 1.0
    return CloningFailure(vectors[worst], float(found[worst]), bound)


def _residual(phi, v):
    """``||phi v - v (x) v||``."""
    return np.linalg.norm(np.tensordot(v, phi, 1) - np.outer(v, v))


def _bound_of_sum(m):
    """The least that m basis vectors and their sum can have as their largest residual."""
    return math.sqrt(2 - 2 / math.sqrt(m)) / (1 + math.sqrt(m))


def _check(phi):
    """phi as an array of numbers, P x P x P."""
    try:
        phi = np.asarray(phi)
        phi = phi.astype(np.result_type(phi.dtype, np.float64))
    except (TypeError, ValueError):
        raise WeightError("phi is not an array of numbers; give a P x P x P array.") from None
    if phi.ndim != 3 or len(set(phi.shape)) > 1 or not phi.size:
        raise WeightError(
            f"phi has shape {phi.shape}; one leg in and two out, all of the size P of the vector "
            "that is to be cloned: give a P x P x P array."
        )
    if not np.isfinite(phi).all():
        raise WeightError("phi has entries that are not finite; give finite numbers.")
    return phi
