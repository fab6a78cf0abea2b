"""Optimizers: from parameters and a batch to new parameters, with what is remembered in between.

::

    theta, Batch, step number --update--> theta', length of the step
                                  |
                        memory: a dict of arrays, all that the next step needs

An optimizer is an object without a past: its memory is handed in and out, so that a run which goes
on from a file takes the very same steps. All of them share the trust region: a step moves the state
by at most ``max_length`` in the Fubini-Study metric.
"""

import inspect
import math
import numbers
from typing import Any

import numpy as np

from ..errors import OptionError, check_option
from .lbfgs import QuasiNewton
from .steps import Batch, Update, finite_step, force, residuals, trusted

WARM_UP = 100  # steps with the full shift
DECAY = 0.99  # of the shift, each step after them


class NaturalGradient:
    """Stochastic reconfiguration, in whichever of its two forms is smaller.

    Parameters
    ----------
    learning_rate : float, optional
        Of an operator whose local terms are of size one, see `energy_scale`.
    max_length : float, optional
        Trust region: the largest Fubini-Study length of a step.
    shift : float, optional
        Of the diagonal, relative to the mean of the eigenvalues; falls by a hundredth each step
        after the first 100.
    min_shift : float, optional
        What it falls to.
    momentum : float, optional
        How much of the previous change is kept where a batch says nothing: up to 0.95 where
        parameters outnumber samples by far, 0 where they do not.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.optimizers import NaturalGradient
    >>> from quimb_deepnets.groundstate.steps import Batch
    >>> batch = Batch(np.eye(2), np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    >>> update = NaturalGradient(min_shift=1e-9).update(np.zeros(2), batch, 0, {})
    >>> update.theta.round(3).tolist(), round(update.length, 3)
    ([0.025, -0.025], 0.025)
    """

    name = "sr"

    def __init__(
        self,
        learning_rate: float = 0.05,
        max_length: float = 0.1,
        shift: float = 1e-3,
        min_shift: float = 1e-4,
        momentum: float = 0.0,
    ) -> None:
        self.learning_rate, self.max_length = learning_rate, max_length
        self.shift, self.min_shift, self.momentum = shift, min_shift, momentum

    def update(self, theta: np.ndarray, batch: Batch, step: int, memory: dict) -> Update:
        """One step of imaginary time."""
        A, b = residuals(batch)
        shift = max(self.min_shift, self.shift * DECAY ** max(0, step - WARM_UP))
        previous = memory["change"] * self.momentum if "change" in memory else None
        found = finite_step(A, b, self.learning_rate, self.max_length, shift, previous)
        return Update(theta - found.taken, found.length, {"change": found.change})


class Descent:
    """Steps along the gradient of the energy.

    Parameters
    ----------
    learning_rate, max_length
        See `NaturalGradient`.
    momentum : float, optional
        Of heavy balls.
    """

    name = "sgd"

    def __init__(
        self, learning_rate: float = 0.05, max_length: float = 0.1, momentum: float = 0.9
    ) -> None:
        self.learning_rate, self.max_length, self.momentum = learning_rate, max_length, momentum

    def update(self, theta: np.ndarray, batch: Batch, step: int, memory: dict) -> Update:
        """One step downhill."""
        A, b = residuals(batch)
        change = force(A, b) + self.momentum * memory.get("change", np.zeros_like(theta))
        found = trusted(A, change, self.learning_rate, self.max_length)
        return Update(theta - found.taken, found.length, {"change": found.change})


class Adam:
    """Steps along the gradient, each parameter by its own scale (arXiv:1412.6980).

    Parameters
    ----------
    learning_rate, max_length
        See `NaturalGradient`.
    beta1, beta2 : float, optional
        How slowly the means of the gradient and of its square forget.
    """

    name = "adam"

    def __init__(
        self,
        learning_rate: float = 0.01,
        max_length: float = 0.1,
        beta1: float = 0.9,
        beta2: float = 0.99,
    ) -> None:
        self.learning_rate, self.max_length = learning_rate, max_length
        self.beta1, self.beta2 = beta1, beta2

    def update(self, theta: np.ndarray, batch: Batch, step: int, memory: dict) -> Update:
        """One step."""
        A, b = residuals(batch)
        gradient, t = force(A, b), float(memory.get("count", 0)) + 1
        zeros = np.zeros_like(theta)
        mean = self.beta1 * memory.get("mean", zeros) + (1 - self.beta1) * gradient
        square = self.beta2 * memory.get("square", abs(zeros)) + (1 - self.beta2) * (
            abs(gradient) ** 2
        )
        size = np.sqrt(square / (1 - self.beta2**t))
        change = mean / (1 - self.beta1**t) / (size + 1e-12)
        found = trusted(A, change, self.learning_rate, self.max_length)
        if not found.rate:
            return Update(theta, 0.0, memory)
        memory = {"mean": mean, "square": square, "count": np.array(t)}
        return Update(theta - found.taken, found.length, memory)


def make_optimizer(word: str, options: Any, method: str) -> Any:
    """The optimizer of a word, with options of its own.

    Parameters
    ----------
    word : {"auto", "sr", "adam", "sgd", "lbfgs"}
    options : dict or None
        Arguments of its class.
    method : {"sample", "full", "exact"}
        Where energies come from. Without noise ``"auto"`` is ``"lbfgs"``, else ``"sr"``.

    Raises
    ------
    OptionError
        If the word or an option is not known, or does not suit the energies.
    """
    word = check_option("optimizer", word, ("auto", *OPTIMIZERS))
    if word == "lbfgs" and method == "sample":
        raise OptionError(
            "optimizer='lbfgs' searches along lines, which noise misleads; use 'sr' for samples, "
            "or method='full' or 'exact'."
        )
    word = {"auto": "lbfgs" if method != "sample" else "sr"}.get(word, word)
    if method == "exact" and word != "lbfgs":
        raise OptionError(
            f"optimizer={word!r} needs derivatives at configurations, which an exact contraction "
            "does not list; use 'lbfgs', or method='full' or 'sample'."
        )
    kind, options = OPTIMIZERS[word], dict(options or {})
    known = list(inspect.signature(kind).parameters)
    for name, value in options.items():
        check_option("optimizer_opts key", name, known)
        if not isinstance(value, numbers.Real) or not 0 <= float(value) < math.inf:
            raise OptionError(
                f"optimizer_opts[{name!r}]={value!r} must be a number of at least 0; leave it out "
                "for its default."
            )
    return kind(**options)


OPTIMIZERS = {kind.name: kind for kind in (NaturalGradient, Adam, Descent, QuasiNewton)}
