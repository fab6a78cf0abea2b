"""What a step is made from: all configurations of a sector, samples of chains, or a gradient.

::

    parameters --network--> psi --+-- all configurations, by |psi|^2 ------> Estimate
                                  +-- chains, a few draws of each ---------> Estimate, chains moved
                                  +-- energy and gradient without noise ---> Estimate
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..sampling.diagnostics import split_rhat
from .local import local_derivatives
from .points import FullEnergy, Point
from .shards import Samples
from .steps import Batch, clipped

BLOCKS = 64  # that an error is taken from, at least
_NONE = np.zeros(0)


class Estimate(NamedTuple):
    """An energy, and what a step is made from: the batch of which it is the mean, or a point.

    Attributes
    ----------
    step : Batch or Point
    energy, error, variance : float
    acceptance, rhat : float
        nan where nothing is sampled.
    local, weights : numpy.ndarray, shape (n,)
        Local energies as they are, not clipped, and their probabilities.
    configs : numpy.ndarray of int, shape (chains, N)
        Where the chains are now; no chains without sampling.
    penalty : float
        What is added to the energy for overlaps with other states.
    """

    step: Batch | Point
    energy: float
    error: float
    variance: float
    acceptance: float
    rhat: float
    local: np.ndarray
    weights: np.ndarray
    configs: np.ndarray
    penalty: float = 0.0


def blocked_error(draws: np.ndarray) -> float:
    """The error of the mean of correlated draws, from blocks as long as leave 64 of them.

    Parameters
    ----------
    draws : numpy.ndarray, shape (draws, chains)
        A real quantity along independent chains.

    Returns
    -------
    float

    Notes
    -----
    Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989). With 64 chains or more a block is a
    whole chain.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.batches import blocked_error
    >>> draws = np.random.default_rng(0).normal(size=(100, 100))
    >>> 0.008 < blocked_error(draws) < 0.012
    True
    """
    count, chains = draws.shape
    pieces = max(1, min(count, -(-BLOCKS // chains)))
    size = count // pieces
    means = draws[: size * pieces].reshape(pieces, size, chains).mean(1).reshape(-1)
    return float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.nan


def sampled_estimate(drawn: Samples, real: bool) -> Estimate:
    """The energy of draws, and the batch of a step; local energies of the step are clipped.

    Parameters
    ----------
    drawn : Samples
        With derivatives; the first values are local energies.
    real : bool
        Whether the parameters are real.

    Returns
    -------
    Estimate
    """
    assert drawn.derivatives is not None
    by_chain, local = drawn.values[0].real, drawn.values[0].reshape(-1)
    energy = float(by_chain.mean())
    weights = np.full(len(local), 1 / len(local))
    return Estimate(
        Batch(drawn.derivatives.reshape(len(local), -1), clipped(local), weights, real),
        energy,
        blocked_error(by_chain),
        float(np.mean(abs(local - energy) ** 2)),
        drawn.acceptance,
        split_rhat(by_chain) if len(by_chain) >= 4 else math.nan,
        local,
        weights,
        drawn.configs[-1],
    )


def full_estimate(evaluator: Any, full: FullEnergy, real: bool) -> Estimate:
    """The energy of all configurations of a sector, and the batch of a step.

    Parameters
    ----------
    evaluator : Evaluator
    full : FullEnergy
    real : bool
        Whether the parameters are real.

    Returns
    -------
    Estimate
    """
    state = full.operator.state_of(evaluator.network)
    pushed, penalty = full.pushed(state)
    there = state.psi != 0  # where psi is zero it has no logarithm, and no weight
    configs, weights = state.configs[there], state.weights[there]
    local = pushed[there] / state.psi[there]
    point = Point(state.mean.real, penalty, _NONE, state.variance, local, weights)
    batch = Batch(local_derivatives(evaluator, configs), local, weights, real)
    return point_estimate(point, full.operator.H.nsites)._replace(step=batch)


def point_estimate(point: Point, nsites: int) -> Estimate:
    """The energy of a point, without error."""
    chains = np.zeros((0, nsites), int)
    return Estimate(
        *(point, float(point.energy), 0.0, point.variance, math.nan, math.nan),
        *(point.local, point.weights, chains, point.penalty),
    )
