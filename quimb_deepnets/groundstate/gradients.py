"""Gradients of energies, from all configurations or from samples alike.

::

    E(theta + x) = E + Re sum conj(g) x + ...     g = 2 sum_s p(s) conj(O(s) - <O>) (E_loc(s) - E)
"""

from typing import Any

import numpy as np

from ..errors import OptionError


def energy_gradient(
    local: Any, derivatives: Any, weights: Any = None, real: bool | None = None
) -> np.ndarray:
    """The gradient of an energy by the parameters of a network.

    Parameters
    ----------
    local : array_like, shape (n,)
        Local energies.
    derivatives : array_like, shape (n, P)
        Derivatives of log psi, holomorphic, as ``log_derivatives`` gives them.
    weights : array_like, shape (n,), optional
        Probabilities of the configurations, of any sum; by default all alike, as for samples. Rows
        of weight zero are left out, whatever they hold.
    real : bool, optional
        Whether the parameters are real; by default whether the derivatives are.

    Returns
    -------
    numpy.ndarray, shape (P,)
        The direction of steepest ascent, as torch defines it: for complex parameters twice the
        derivative by the conjugate of each, for real ones the derivative.

    Raises
    ------
    OptionError
        If the shapes do not fit each other.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.gradients import energy_gradient
    >>> energy_gradient([1.0, 3.0], [[0.5], [-0.5]])
    array([-1.])
    """
    local, O = np.asarray(local), np.asarray(derivatives)
    p = np.ones(len(local)) if weights is None else np.asarray(weights, dtype=float)
    if O.ndim != 2 or not len(local) == len(O) == len(p):
        raise OptionError(
            f"local energies {local.shape}, derivatives {O.shape} and weights {p.shape} do not "
            "fit; give shapes (n,), (n, P) and (n,)."
        )
    there = p > 0
    local, O, p = local[there], O[there], p[there] / p[there].sum()
    centred = p * (local - p @ local)
    # the mean of what is centred is zero, so that the mean of O drops out but for round-off
    gradient = 2 * (centred @ (O - p @ O).conj())
    real = not np.iscomplexobj(O) if real is None else real
    return gradient.real if real else gradient
