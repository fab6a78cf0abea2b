"""Expectation values of the state that was reached: fresh samples, error from blocks.

::

    chains go on, 16 draws of each at a time --> local values of each operator --> enough?
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..jobs.progress import progress_bar
from ..sampling.diagnostics import rhat_of, split_rhat
from .batches import blocked_error
from .checkpoint import RunState
from .energies import ASKED, Energy, energy_of, vscore_of
from .history import with_error
from .operators import FlipMasks
from .sampled import warn_of_chains
from .shards import Samples

BURN_IN, DRAWS = 16, 16  # draws at a time
MAX_RHAT = 1.5  # of means of so many draws, few of which make it noisy


def measure_without_noise(
    net: Any, masks: Mapping[str, FlipMasks], sector: int | None, method: str
) -> dict[str, Energy]:
    """Expectation values from all configurations or from contractions.

    Parameters
    ----------
    net : DeepNetwork
    masks : dict[str, FlipMasks]
    sector : int or None
    method : {"full", "exact"}

    Returns
    -------
    dict[str, Energy]
    """
    return {name: energy_of(net, H, sector, method, seed=0) for name, H in masks.items()}


def measure_samples(
    sample: Callable[..., Samples],
    state: RunState,
    masks: Mapping[str, FlipMasks],
    rtol: float | None,
    max_samples: int,
    progbar: bool = False,
) -> dict[str, Energy]:
    """Expectation values of samples, until they are good enough.

    Parameters
    ----------
    sample : callable
        From a state of a run, a number of draws, operators, and sweeps before them, to samples.
    state : RunState
        Where the chains are.
    masks : dict[str, FlipMasks]
    rtol : float or None
        The largest relative error; None takes all samples.
    max_samples : int
    progbar : bool

    Returns
    -------
    dict[str, Energy]

    Warns
    -----
    SamplingWarning
        If chains stood still or did not mix.
    """
    values: dict[str, list] = {name: [] for name in masks}
    found: dict[str, Energy] = {}
    accepted: list[float] = []
    blocks, moved = [], False
    with progress_bar(progbar, desc="measuring") as shown:
        while True:
            drawn = sample(state, DRAWS, tuple(masks.values()), burn_in=0 if accepted else BURN_IN)
            sites = drawn.configs.mean(0)
            blocks.append(
                np.concatenate([sites, *(x.real.mean(0)[:, None] for x in drawn.values)], 1)
            )
            moved = moved or bool((drawn.configs != drawn.configs[0]).any())
            state = state._replace(configs=drawn.configs[-1])
            accepted.append(drawn.acceptance)
            for (name, H), local in zip(masks.items(), drawn.values):
                values[name].append(local)
                found[name] = _summary(H, np.concatenate(values[name]), accepted)
            shown(
                ", ".join(
                    f"{name} {with_error(value, value.error)}" for name, value in found.items()
                )
            )
            enough = rtol and all(x.error <= rtol * abs(x) for x in found.values())
            if enough or next(iter(found.values())).samples + local.size > max_samples:
                break
    warn_of_chains(_rhat_of_blocks(np.stack(blocks)), moved, 4, MAX_RHAT)
    return found


def _rhat_of_blocks(means):
    """The largest R-hat of means of 16 draws ``(blocks, chains, quantities)``, 1 for few of them.

    Within so many draws chains mostly forget where they were, so that what is left is modes that
    they do not leave.
    """
    if len(means) < 4:
        return 1.0
    half = len(means) // 2
    halves = np.concatenate((means[:half], means[-half:]), axis=1)
    return float(rhat_of(half, halves.mean(0), halves.var(0, ddof=1)).max())


def _summary(H, local, accepted):
    """What local values ``(draws, chains)`` say."""
    mean = float(local.real.mean())
    variance = float(np.mean(abs(local - mean) ** 2))
    return Energy(
        mean,
        error=blocked_error(local.real),
        variance=variance,
        vscore=vscore_of(H, mean, variance),
        method="sample",
        reason=ASKED,
        acceptance=float(np.mean(accepted)),
        rhat=split_rhat(local.real),
        samples=local.size,
    )
