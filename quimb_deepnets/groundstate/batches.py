"""What a step is made from: all configurations of a sector, or samples that chains drew.

::

    parameters --network--> psi --+-- all configurations, by |psi|^2 ------> Estimate
                                  +-- chains, a few draws of each ---------> Estimate, chains moved
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..sampling.diagnostics import split_rhat
from .full import full_state
from .local import local_derivatives
from .operators import FlipMasks
from .shards import Samples
from .steps import Batch, clipped

BLOCKS = 64  # that an error is taken from, at least


class Estimate(NamedTuple):
    """An energy, and the batch of which it is the mean.

    Attributes
    ----------
    batch : Batch
    energy, error, variance : float
    acceptance, rhat : float
        nan where nothing is sampled.
    local : numpy.ndarray, shape (n,)
        Local energies as they are, not clipped.
    configs : numpy.ndarray of int, shape (chains, N)
        Where the chains are now; no chains without sampling.
    """

    batch: Batch
    energy: float
    error: float
    variance: float
    acceptance: float
    rhat: float
    local: np.ndarray
    configs: np.ndarray


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
    return Estimate(
        Batch(
            drawn.derivatives.reshape(len(local), -1),
            clipped(local),
            np.full(len(local), 1 / len(local)),
            real,
        ),
        energy,
        blocked_error(by_chain),
        float(np.mean(abs(local - energy) ** 2)),
        drawn.acceptance,
        split_rhat(by_chain) if len(by_chain) >= 4 else math.nan,
        local,
        drawn.configs[-1],
    )


def full_estimate(evaluator: Any, H: FlipMasks, sector: int | None, real: bool) -> Estimate:
    """The energy of all configurations of a sector, and the batch of a step.

    Parameters
    ----------
    evaluator : Evaluator
    H : FlipMasks
    sector : int or None
    real : bool
        Whether the parameters are real.

    Returns
    -------
    Estimate
    """
    state = full_state(evaluator.network, H, sector)
    there = state.psi != 0  # where psi is zero it has no logarithm, and no weight
    configs, weights = state.configs[there], state.weights[there]
    batch = Batch(local_derivatives(evaluator, configs), state.local_energies[there], weights, real)
    nothing = np.zeros((0, H.nsites), int)
    return Estimate(
        batch,
        float(state.mean.real),
        0.0,
        state.variance,
        math.nan,
        math.nan,
        batch.energies,
        nothing,
    )
