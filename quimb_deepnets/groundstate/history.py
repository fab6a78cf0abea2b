"""The history of a run: one record for each step, and the lines that a reader sees.

::

    step  energy  error  variance  penalty  samples  acceptance  rhat  length  seconds  cloud
    0     -18.1   0.02   2.6       0        1024     0.61        1.01  0.1     0.3      energies
"""

import math

import numpy as np

from .batches import Estimate

CLOUD = 32  # local energies of each step that are kept for pictures
RECORD = np.dtype(
    [
        ("step", np.int64),
        *((name, np.float64) for name in ("energy", "error", "variance", "penalty")),
        ("samples", np.int64),
        *((name, np.float64) for name in ("acceptance", "rhat", "length", "seconds")),
        ("cloud", np.float32, (CLOUD,)),
    ]
)


def record_of(step: int, estimate: Estimate, length: float, seconds: float) -> np.ndarray:
    """The record of one step, of shape ``(1,)``.

    Parameters
    ----------
    step : int
    estimate : Estimate
    length : float
        Of the step that was taken from there, in the Fubini-Study metric.
    seconds : float
        Since the run began, pauses between calls left out.
    """
    n, w = len(estimate.local), estimate.weights
    if np.ptp(w) > 0:  # all configurations: by their weights
        chosen = np.searchsorted(np.cumsum(w), (np.arange(CLOUD) + 0.5) / CLOUD).clip(0, n - 1)
    else:
        chosen = np.arange(CLOUD) * n // CLOUD
    values = (
        *(step, estimate.energy, estimate.error, estimate.variance, estimate.penalty, n),
        *(estimate.acceptance, estimate.rhat, length, seconds),
    )
    return np.array([(*values, estimate.local.real[chosen].astype(np.float32))], RECORD)


def with_error(value: float, error: float) -> str:
    """A number with its error in brackets, in units of its last digit.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.history import with_error
    >>> with_error(-0.676512, 0.000183), with_error(-1.0, 0.0)
    ('-0.67651(18)', '-1')
    """
    if not (error > 0 and math.isfinite(error) and math.isfinite(value)):
        return f"{value:.10g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f}({round(error * 10**digits)})"


def progress_text(record: np.ndarray, nsites: int) -> str:
    """What a progress bar says after a step."""
    last = record[-1]
    text = f"E/N {with_error(last['energy'] / nsites, last['error'] / nsites)}"
    if not math.isnan(last["variance"]):
        text += f", variance/N {last['variance'] / nsites:.3g}"
    if not math.isnan(last["acceptance"]):
        text += f", acceptance {last['acceptance']:.2f}"
    return text


def has_jumped(history: np.ndarray, estimate: Estimate) -> bool:
    """Whether the energy rose by more than the step before can have raised it.

    A state that moves by an angle of 0.1 cannot raise its energy by much more than a fifth of the
    standard deviation of H. Where it rose by a whole one, samples did not see where it went.

    Parameters
    ----------
    history : numpy.ndarray
        Records of the steps before.
    estimate : Estimate
        After the last of them.
    """
    if not len(history):
        return False
    last = history[-1]
    noise = 5 * np.nan_to_num(math.hypot(last["error"], estimate.error))
    rise = estimate.energy + estimate.penalty - last["energy"] - last["penalty"]
    return bool(rise > math.sqrt(last["variance"]) + noise)


def has_stalled(history: np.ndarray, patience: int) -> bool:
    """Whether the mean of the last steps is not below that of as many before them.

    Parameters
    ----------
    history : numpy.ndarray, shape (steps,)
        Records.
    patience : int
        How many steps are compared with as many.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.history import RECORD, has_stalled
    >>> falls = np.zeros(20, RECORD)
    >>> falls["energy"] = np.linspace(0, -1, 20)
    >>> has_stalled(falls, 5), has_stalled(np.zeros(20, RECORD), 5)
    (False, True)
    """
    energies, errors = history["energy"] + history["penalty"], history["error"]
    if len(energies) < 2 * patience:
        return False
    old, new = energies[-2 * patience : -patience], energies[-patience:]
    error = math.sqrt(float((errors[-2 * patience :] ** 2).sum())) / patience
    return bool(old.mean() - new.mean() <= max(error, 1e-12 * abs(new.mean())))
