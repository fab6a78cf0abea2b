"""Configurations drawn from a matrix product state, and its error measured on them.

The cores before the last are isometries, so the last one alone gives the probabilities at its site,
and each value drawn those at the site before it::

    o->-o->-o->-O      s_N ~ |O|**2, then s_(N-1) ~ |core . row of s_N|**2, ...
    |   |   |   |
"""

import math

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import MethodError
from ..numerics.sizes import epsilon
from .vanishing import check_not_cancelled, probes, vanishes

DRAWN = 64


def draw(cores, rng, count):
    """Configurations with probability ``|psi|**2``, and their amplitudes.

    Parameters
    ----------
    cores : sequence of numpy.ndarray, shape (l, p, r)
        All but the last are isometries from ``l`` and ``p`` to ``r``.
    rng : numpy.random.Generator
    count : int

    Returns
    -------
    configs : numpy.ndarray, shape (count, N)
    phase, logabs : numpy.ndarray, shape (count,)
        As in ``log_amplitudes``.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.conversion.drawn import draw
    >>> bell = [np.eye(2)[None], np.diag([3.0, 4.0])[:, :, None]]
    >>> configs, phase, logabs = draw(bell, np.random.default_rng(0), 100)
    >>> bool((configs[:, 0] == configs[:, 1]).all()), sorted(set(np.exp(logabs).round(9).tolist()))
    (True, [3.0, 4.0])
    """
    configs, right = np.empty((count, len(cores)), np.int64), np.ones((count, 1))
    logabs = np.zeros(count)
    for n in reversed(range(len(cores))):
        l, p, r = cores[n].shape
        x = (right @ cores[n].reshape(l * p, r).T).reshape(count, l, p)
        weights = (np.abs(x) ** 2).sum(1)
        below = weights.cumsum(1) / weights.sum(1, keepdims=True)
        configs[:, n] = (rng.random((count, 1)) > below[:, :-1]).sum(1)
        x = x[np.arange(count), :, configs[:, n]]
        size = np.linalg.norm(x, axis=1)
        right, logabs = x / size[:, None], logabs + np.log(size)
    return configs, right[:, 0], logabs


def check_conversion(network, cores, log_scale):
    """Refuse a matrix product state whose amplitudes are not those of the network it was made from.

    Parameters
    ----------
    network : DeepNetwork
    cores : sequence of array, shape (l, p, r)
        As `draw` takes them, in the order of the sites or in reverse, the last one being site 0.
    log_scale : float
        The natural logarithm of a factor that they leave out.

    Raises
    ------
    RangeError
        If the state vanishes, exactly or to the precision of its weights.
    MethodError
        If amplitudes drawn from the matrix product state differ from those of the network.
    """
    if vanishes(cores[-1]):
        check_not_cancelled(network, probes(network))
        lost = 1.0
    else:
        rng = np.random.default_rng(0)
        configs, phase, logabs = draw([to_numpy(stop_gradient(x)) for x in cores], rng, DRAWN)
        configs = configs[:, ::-1].reshape(DRAWN, *network.geometry.shape)
        exact = network.log_amplitudes(configs)
        exact = (np.asarray(to_numpy(stop_gradient(x))) for x in exact)
        lost = relative_error(phase, logabs + log_scale, *exact)
        eps = epsilon(cores[-1])
        if lost <= math.sqrt(eps) + 16 * eps * float(np.abs(logabs + log_scale).max()):
            return
        check_not_cancelled(network, configs)
    raise MethodError(
        f"the exact MPS has lost the state: its relative error is {lost:.1g} on configurations "
        "drawn from it, because large terms cancel in its matrices; use method='cross', "
        "collapse() for expectation values, or to_dense()."
    )


def relative_error(phase, logabs, other_phase, other_logabs):
    """The root of the mean of ``|1 - other / this|**2``, from phases and logarithms."""
    with np.errstate(over="ignore"):
        ratio = other_phase / phase * np.exp(np.minimum(other_logabs - logabs, 300.0))
    return float(np.sqrt(np.mean(np.abs(1 - ratio) ** 2)))
