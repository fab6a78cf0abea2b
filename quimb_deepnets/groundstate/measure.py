"""Expectation values of the state that was reached: fresh samples, error from blocks.

::

    chains go on, 16 draws of each at a time --> local values of each operator --> enough?
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..jobs.progress import progress_bar
from ..sampling.diagnostics import split_rhat
from .batches import blocked_error, draw
from .full import full_state
from .history import with_error
from .local import local_energies
from .operators import FlipMasks

BURN_IN, DRAWS = 16, 16


class Measured(float):
    """An expectation value: a float that knows its error.

    Parameters
    ----------
    value, error, variance, acceptance, rhat : float
    samples : int

    Examples
    --------
    >>> from quimb_deepnets.groundstate.measure import Measured
    >>> Measured(-0.676512, error=0.000183)
    -0.67651(18)
    """

    def __new__(cls, value: float, **said: Any) -> "Measured":
        return super().__new__(cls, value)

    def __init__(
        self,
        value: float,
        error: float = 0.0,
        variance: float = 0.0,
        acceptance: float = float("nan"),
        rhat: float = float("nan"),
        samples: int = 0,
    ) -> None:
        self.error, self.variance, self.samples = error, variance, samples
        self.acceptance, self.rhat = acceptance, rhat

    def __reduce__(self):
        return _measured, (float(self), vars(self))

    def __repr__(self) -> str:
        return with_error(float(self), self.error)


def _measured(value, said):
    return Measured(value, **said)


def measure_full(
    net: Any, masks: Mapping[str, FlipMasks], sector: int | None
) -> dict[str, Measured]:
    """Expectation values of all configurations.

    Parameters
    ----------
    net : DeepNetwork
    masks : dict[str, FlipMasks]
    sector : int or None

    Returns
    -------
    dict[str, Measured]
    """
    states = {name: full_state(net, H, sector) for name, H in masks.items()}
    return {name: Measured(s.mean.real, variance=s.variance) for name, s in states.items()}


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
) -> dict[str, Measured]:
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
    dict[str, Measured]
    """
    values: dict[str, list] = {name: [] for name in masks}
    found: dict[str, Measured] = {}
    accepted: list[float] = []
    with progress_bar(progbar, desc="measuring") as shown:
        while True:
            drawn = draw(evaluator, sector, configs, chains, DRAWS, 0 if accepted else BURN_IN, rng)
            configs = drawn.configs[-1]
            accepted.append(drawn.acceptance)
            for name, H in masks.items():
                local = local_energies(evaluator, H, drawn.configs.reshape(-1, H.nsites))
                values[name].append(local.reshape(DRAWS, chains))
                found[name] = _summary(np.concatenate(values[name]), float(np.mean(accepted)))
            shown(", ".join(f"{name} {value!r}" for name, value in found.items()))
            enough = rtol and all(x.error <= rtol * abs(x) for x in found.values())
            if enough or next(iter(found.values())).samples + DRAWS * chains > max_samples:
                return found


def _summary(local, acceptance):
    """What local values ``(draws, chains)`` say."""
    mean = float(local.real.mean())
    return Measured(
        mean,
        error=blocked_error(local.real),
        variance=float(np.mean(abs(local - mean) ** 2)),
        acceptance=acceptance,
        rhat=split_rhat(local.real),
        samples=local.size,
    )
