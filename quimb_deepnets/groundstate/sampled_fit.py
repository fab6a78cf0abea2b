"""Fits from samples: overlaps as means of ratios of amplitudes.

::

    s ~ |t(s)|^2     r = psi(s) / t(s)      <t|psi> / <t|t>        = mean r       fixed samples:
                                            <psi|psi> / <t|t>      = mean |r|^2   one smooth loss
    s ~ |psi(s)|^2   1 / r                  <psi|t> / <psi|psi>    = mean 1 / r   fresh, at the end
"""

import math
from typing import Any

import numpy as np
import quimb.tensor as qtn
from autoray import to_numpy

from ..errors import OptionError
from ..networks import DeepNetwork
from ..numerics.configs import batches
from .local import local_derivatives
from .points import ROWS, network_at
from .steps import force
from .targets import Target, largest_modulus


class SampledLoss:
    """Minus the logarithm of the fidelity from samples of the target.

    Parameters
    ----------
    net : DeepNetwork
    target : Target
        A network, a matrix product state with open ends, or a vector.
    samples : int
        How many to draw, once.
    rng : numpy.random.Generator

    Raises
    ------
    OptionError
        If the target cannot be sampled.
    """

    def __init__(self, net: Any, target: Target, samples: int, rng: np.random.Generator) -> None:
        self.net, self.rng = net, rng
        self.target = SampledTarget(target)
        self.configs, self._logs = self.target.draw(samples, rng)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss at parameters, and its gradient as torch defines it.

        Raises
        ------
        RangeError
            If the network vanishes on all samples.
        """
        evaluator = network_at(self.net, theta).evaluator(len(self.configs))
        ratios, _ = _exp(_logarithms(evaluator, self.configs) - self._logs)
        mean, square = complex(ratios.mean()), float(np.mean(abs(ratios) ** 2))
        if not mean:
            return math.inf, np.zeros_like(theta)
        weights = 2 * abs(ratios) ** 2 / square - 2 * ratios.conj() * mean / abs(mean) ** 2
        gradient: Any = 0.0
        there = np.flatnonzero(ratios)
        for part in batches(len(there), max(1, ROWS // (16 * len(theta)))):
            O = local_derivatives(evaluator, self.configs[there[part]])
            gradient = gradient + force(O, weights[there[part]]) / len(ratios)
        gradient = gradient if np.iscomplexobj(theta) else np.real(gradient)
        return math.log(square) - 2 * math.log(abs(mean)), gradient

    def fidelity(self, theta: np.ndarray) -> tuple[float, float]:
        """The fidelity from fresh samples of both states, and its error.

        The error is inf of single samples, and where no sample of one state is in the other.
        """
        net, count = network_at(self.net, theta), len(self.configs)
        evaluator = net.evaluator(count)
        there, logs = self.target.draw(count, self.rng)
        here = net.sample(count, seed=self.rng).reshape(count, -1)
        one, above = _exp(_logarithms(evaluator, there) - logs)
        two, below = _exp(self.target.logarithms(here) - _logarithms(evaluator, here))
        value = (one.mean() * two.mean()).real * math.exp(above + below)
        if count == 1 or not value:
            return float(value), math.inf
        spread = [r.std(ddof=1) / abs(r.mean()) for r in (one, two)]
        return float(value), float(abs(value) * math.hypot(*spread) / math.sqrt(count))


class SampledTarget:
    """A state that is sampled, and the logarithms of its amplitudes.

    Parameters
    ----------
    target : Target

    Raises
    ------
    OptionError
        If it cannot be sampled.
    """

    def __init__(self, target: Target) -> None:
        self.target, state = target, target.state
        self._sites: list[np.ndarray] = []
        if isinstance(state, qtn.MatrixProductState) and not state.cyclic:
            self._sites = _right_canonical(state, target.sites)
        elif not isinstance(state, (DeepNetwork, np.ndarray)):
            raise OptionError(
                f"a {type(state).__name__} cannot be sampled; give a network, a MatrixProductState "
                "with open ends or a vector, or use method='exact'."
            )

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Configurations ``(count, N)`` with probability ``|t|^2``, and logarithms of ``t``."""
        state, d, N = self.target.state, self.target.phys_dim, len(self.target.sites)
        if isinstance(state, DeepNetwork):
            configs = state.sample(count, seed=rng).reshape(count, N)
        elif self._sites:
            configs, _ = _walk(self._sites, count, rng)
        else:
            p = abs(state) ** 2
            codes = rng.choice(len(state), size=count, p=p / p.sum())
            configs = codes[:, None] // d ** np.arange(N)[::-1] % d
        return configs, self.logarithms(configs)

    def logarithms(self, configs: np.ndarray) -> np.ndarray:
        """Complex logarithms of amplitudes, ``(n,)``."""
        state, d, N = self.target.state, self.target.phys_dim, len(self.target.sites)
        if isinstance(state, DeepNetwork):
            found = _logarithms(state.evaluator(len(configs)), configs)
        elif self._sites:
            found = _walk(self._sites, configs)[1]
        else:
            found = _log(state[configs.astype(np.int64) @ d ** np.arange(N)[::-1]])
        return found + 1j * math.pi * configs[:, sorted(self.target.signs)].sum(1)


def _logarithms(evaluator, configs):
    """Complex logarithms of the amplitudes of a network at flat digits."""
    shaped = configs.reshape(-1, *evaluator.network.geometry.shape)
    phase, logabs = map(to_numpy, evaluator.log_amplitudes(shaped))
    return logabs.astype(float) + 1j * np.angle(phase)


def _log(x):
    """Complex logarithms, of minus infinite real part for zeros."""
    with np.errstate(divide="ignore"):
        return np.log(abs(x)) + 1j * np.angle(x)


def _exp(logs):
    """Numbers of modulus at most 1, and the logarithm of their unit."""
    top = float(logs.real.max())
    top = top if math.isfinite(top) else 0.0
    found = np.exp(logs - top)
    return (found if abs(found.imag).max() > 1e-9 else found.real), top


def _right_canonical(mps, sites):
    """Arrays ``(left, d, right)`` of norm one; all sites but the first are isometries."""
    mps = mps.canonicalize(0)
    mps.permute_arrays("lpr")
    arrays = [to_numpy(mps[mps.site_tag(site)].data) for site in sites]
    arrays[0] = arrays[0].reshape(1, *arrays[0].shape[-2:])
    arrays[-1] = arrays[-1].reshape(*arrays[-1].shape[:2], 1)
    arrays[0] = arrays[0] / largest_modulus(arrays[0])
    arrays[0] = arrays[0] / np.linalg.norm(arrays[0])
    return arrays


def _walk(arrays, given, rng=None):
    """Digits ``(n, N)``, drawn or given, and the logarithms of their amplitudes, from the left."""
    count = given if rng else len(given)
    digits = np.empty((count, len(arrays)), np.int64)
    left, logs = np.ones((count, 1)), np.zeros(count)
    for n, A in enumerate(arrays):
        each = np.tensordot(left, A, 1)  # (count, d, right)
        if rng:
            p = np.cumsum((abs(each) ** 2).sum(2), axis=1)
            digits[:, n] = (rng.random(count)[:, None] * p[:, -1:] >= p[:, :-1]).sum(1)
        else:
            digits[:, n] = given[:, n]
        left = each[np.arange(count), digits[:, n]]
        size = np.linalg.norm(left, axis=1)
        with np.errstate(divide="ignore"):
            logs += np.log(size)
        left = left / np.where(size, size, 1)[:, None]
    return digits, logs + 1j * np.angle(left[:, 0])
