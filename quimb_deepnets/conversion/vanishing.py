"""States that vanish: exactly, or to the precision of their weights.

Amplitudes that cancel to round-off are noise, which differs with the way of computing them. A small
change of the weights tells: a state changes in proportion, noise becomes other noise::

    psi  = 0 + 1e-16 noise            psi' = 1e-13 + 1e-16 noise            |psi' - psi| > |psi|
"""

import math

import numpy as np
from autoray import do, get_dtype_name, stop_gradient, to_numpy

from ..errors import RangeError
from ..numerics.scaled import array_like
from ..numerics.sizes import epsilon

PROBES = 64  # configurations that are looked at first
CHANGE = 2.0**6  # how far the weights are moved, in units of their precision


def vanishes(x):
    """Whether an array holds nothing but zeros."""
    return not bool(do("any", stop_gradient(x) != 0))


def cancels(network, configs):
    """Whether the largest of some amplitudes is zero, or nothing but round-off.

    Parameters
    ----------
    network : DeepNetwork
    configs : numpy.ndarray, shape (B, L) or (B, Lx, Ly)

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.conversion.vanishing import cancels
    >>> row, rest = [[0.1, 0.7]], np.eye(2)
    >>> net = qdn.RAC(2, [rest], [np.repeat(row, 2, axis=0)], None, np.array([1.0, -1.0]))
    >>> cancels(net, np.zeros((1, 2), int))
    True
    """
    phase, logabs = (to_numpy(stop_gradient(x)) for x in network.log_amplitudes(configs))
    top = int(np.argmax(logabs))
    if logabs[top] == -math.inf:
        return True
    factors = sum(getattr(network.geometry, "duplication", {}).values()) or network.num_params
    if factors * CHANGE * np.finfo(network.dtype).eps > 0.1:
        return False  # so high a power of the weights changes with any of them
    other = moved(network).log_amplitudes(configs[top : top + 1])
    other_phase, other_logabs = (to_numpy(stop_gradient(x))[0] for x in other)
    change = min(float(other_logabs) - float(logabs[top]), 300.0)
    return bool(abs(1 - other_phase / phase[top] * math.exp(change)) > 0.5)


def moved(network):
    """The same network with its weights changed by some units of their precision."""
    rng, params = np.random.default_rng(0), {}
    for name, x in network.params.items():
        factor = 1 + CHANGE * epsilon(x) * rng.standard_normal(tuple(x.shape))
        factor = factor.astype(get_dtype_name(do("real", x)))
        params[name] = stop_gradient(x) * array_like(factor, x)
    return network.from_params(network.geometry, params)


def probes(network):
    """Some random configurations."""
    shape = (PROBES, *network.geometry.shape)
    return np.random.default_rng(0).integers(network.phys_dim, size=shape)


def check_not_cancelled(network, configs):
    """Refuse a state whose largest amplitudes, or those likely to be, vanish.

    Raises
    ------
    RangeError
        If the largest of these amplitudes is zero to the precision of the weights.
    """
    if cancels(network, configs):
        raise RangeError(
            f"the state of this {type(network).__name__} vanishes: its amplitudes cancel to the "
            "precision of its weights, and what is left is round-off; change the weights, for "
            "example the signs of the read-out."
        )
