"""Local energies, ``(H psi)(s) / psi(s)``, and derivatives, at any configurations of any sites.

::

    E_loc(s) = sum_m <s|H|s + mask_m> psi(s + mask_m) / psi(s)      mean over |psi|^2: the energy
"""

from typing import Any

import numpy as np
from autoray import to_numpy

from ..evaluation.factored_rows import FactoredRows
from ..numerics.configs import batches
from ..numerics.weights import MAX_BYTES
from .operators import FlipMasks

PART = 2**26  # bytes of the ratios that are held at once


def local_energies(evaluator: Any, H: FlipMasks, configs: np.ndarray) -> np.ndarray:
    """The local energies of a Hermitian operator.

    Parameters
    ----------
    evaluator : Evaluator
        Of a network.
    H : FlipMasks
        A Hermitian operator on its sites.
    configs : numpy.ndarray of int, shape (n, N)
        Sites flat.

    Returns
    -------
    numpy.ndarray, shape (n,)
        nan where psi(s) is zero.

    Raises
    ------
    RangeError
        If a ratio of amplitudes is above the range of the dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.local import local_energies
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> net = qdn.ConvAC.graph_state(4, distance=1, kernel=2)
    >>> H = FlipMasks({(0, 1, 2): -qu.pauli("Z") & qu.pauli("X") & qu.pauli("Z")}, net.sites)
    >>> local_energies(net.evaluator(), H, np.eye(4, dtype=int)).round(12)
    array([-1., -1., -1., -1.])
    """
    shape = evaluator.network.geometry.shape
    masks = H.masks[1:].reshape(-1, *shape)
    found = []
    for part in batches(len(configs), max(1, PART // (16 * len(H.masks)))):
        some = configs[part]
        coefficients = H.coefficients(some).conj()  # <s|H|s + mask>, as H is Hermitian
        if not len(masks):
            found.append(coefficients[:, 0])
            continue
        ratios = evaluator.ratios(some.reshape(-1, *shape), masks, max_bytes=MAX_BYTES)
        ratios = to_numpy(ratios)
        there = coefficients[:, 1:] != 0  # a ratio may be huge where nothing goes
        moved = np.where(there, ratios, 0) * coefficients[:, 1:]
        zero = 0 * ratios[:, 0]  # nan where psi is zero
        found.append(coefficients[:, 0] + moved.sum(1) + zero)
    return np.concatenate(found) if found else np.zeros(0, H.dtype)


def local_derivatives(evaluator: Any, configs: np.ndarray) -> np.ndarray | FactoredRows:
    """Derivatives of log psi as numpy numbers of double precision.

    Parameters
    ----------
    evaluator : Evaluator
        Of a network.
    configs : numpy.ndarray of int, shape (n, N)
        Sites flat.

    Returns
    -------
    numpy.ndarray or FactoredRows, shape (n, P)
        In factors where the family of the network has them.
    """
    shaped = configs.reshape(-1, *evaluator.network.geometry.shape)
    if (factored := evaluator.factored_derivatives(shaped)) is not None:
        return factored._replace(factors=tuple(map(double, factored.factors)))
    return double(evaluator.log_derivatives(shaped, max_bytes=MAX_BYTES))


def double(x: Any) -> np.ndarray:
    """An array as one of numpy in double precision.

    Parameters
    ----------
    x : array
    """
    x = to_numpy(x)
    return x.astype(np.result_type(x.dtype, np.float64), copy=False)
