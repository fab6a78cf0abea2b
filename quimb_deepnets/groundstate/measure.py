"""Expectation values of the state that was reached: fresh samples, error from blocks.

::

    chains go on, 16 draws of each at a time --> local values of each operator --> enough?
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..jobs.progress import progress_bar
from ..sampling.diagnostics import split_rhat
from .batches import blocked_error, draw
from .energies import ASKED, Energy, energy_of
from .history import with_error
from .local import local_energies
from .operators import FlipMasks

BURN_IN, DRAWS = 16, 16


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
    evaluator: Any,
    masks: Mapping[str, FlipMasks],
    sector: int | None,
    configs: Any,
    chains: int,
    rng: Any,
    rtol: float | None,
    max_samples: int,
    progbar: bool = False,
) -> dict[str, Energy]:
    """Expectation values of samples, until they are good enough.

    Parameters
    ----------
    evaluator : Evaluator
    masks : dict[str, FlipMasks]
    sector, configs, chains, rng
        See `draw`.
    rtol : float or None
        The largest relative error; None takes all samples.
    max_samples : int
    progbar : bool

    Returns
    -------
    dict[str, Energy]
    """
    values: dict[str, list] = {name: [] for name in masks}
    found: dict[str, Energy] = {}
    accepted: list[float] = []
    with progress_bar(progbar, desc="measuring") as shown:
        while True:
            drawn = draw(evaluator, sector, configs, chains, DRAWS, 0 if accepted else BURN_IN, rng)
            configs = drawn.configs[-1]
            accepted.append(drawn.acceptance)
            for name, H in masks.items():
                local = local_energies(evaluator, H, drawn.configs.reshape(-1, H.nsites))
                values[name].append(local.reshape(DRAWS, chains))
                found[name] = _summary(H, np.concatenate(values[name]), accepted)
            shown(
                ", ".join(
                    f"{name} {with_error(value, value.error)}" for name, value in found.items()
                )
            )
            enough = rtol and all(x.error <= rtol * abs(x) for x in found.values())
            if enough or next(iter(found.values())).samples + DRAWS * chains > max_samples:
                return found


def _summary(H, local, accepted):
    """What local values ``(draws, chains)`` say."""
    mean = float(local.real.mean())
    return _with_vscore(
        H,
        mean,
        error=blocked_error(local.real),
        variance=float(np.mean(abs(local - mean) ** 2)),
        method="sample",
        acceptance=float(np.mean(accepted)),
        rhat=split_rhat(local.real),
        samples=local.size,
    )


def _with_vscore(H, value, variance, **said):
    """An expectation value and its V-score."""
    value = float(value)
    distance = value - float(np.real(H.mean_diagonal))
    vscore = H.nsites * variance / distance**2 if distance else math.inf
    return Energy(value, variance=variance, vscore=vscore, reason=ASKED, **said)
