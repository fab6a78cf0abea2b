"""Energies without noise and their gradients, as functions of the parameters.

::

    theta --network of torch--> amplitudes, or windows --numpy--> energy, derivatives by them
      ^                                                                       |
      +--------------------- gradient, by torch <-----------------------------+

What is summed over is prepared once; a step is arithmetic.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from autoray import get_dtype_name, to_numpy

from ..errors import import_extra
from ..networks import TorchNetwork
from ..numerics.configs import batches
from ..numerics.scaled import array_like
from ..numerics.weights import MAX_BYTES
from .full import FullOperator, FullState
from .local import double
from .operators import FlipMasks

ROWS = 2**26  # bytes of the derivatives of a block of configurations


class Point(NamedTuple):
    """An energy and its gradient.

    Attributes
    ----------
    energy : float
        The mean of H.
    penalty : float
        What is added to it for overlaps with other states.
    gradient : numpy.ndarray, shape (P,)
        Of both, as torch defines it.
    variance : float
        Of H; nan where it is not known.
    local, weights : numpy.ndarray, shape (n,)
        Local energies and probabilities; one of each where configurations are not listed.
    """

    energy: float
    penalty: float
    gradient: np.ndarray
    variance: float
    local: np.ndarray
    weights: np.ndarray


def network_at(net: Any, theta: np.ndarray) -> Any:
    """A network with other parameters, in the dtype, library and place of its own."""
    like = net.vector
    return net.with_vector(array_like(theta.astype(get_dtype_name(like)), like))


class TorchCopy:
    """A network in double precision whose weights torch differentiates.

    A module stays in its own precision, which its code may name.

    Parameters
    ----------
    net : DeepNetwork
    what : str
        What needs torch.

    Raises
    ------
    ExtraError
        If torch is not installed.
    """

    def __init__(self, net: Any, what: str) -> None:
        self.torch = import_extra(what, "", "torch")
        dtype = "complex128" if "complex" in net.dtype else "float64"
        dtype = net.dtype if isinstance(net, TorchNetwork) else dtype
        self.net = net._bare().to(backend="torch", dtype=dtype, device="cpu")

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Torch notes what it computes, also where the caller told it not to."""
        with self.torch.inference_mode(False), self.torch.enable_grad():
            yield

    def at(self, theta: np.ndarray) -> tuple[Any, Any]:
        """The network at parameters, and these as a leaf of torch."""
        x = self.torch.tensor(theta, dtype=self.net.vector.dtype, requires_grad=True)
        return self.net.with_vector(x), x

    def gradient(self, x: Any, results: list[Any], adjoints: list[np.ndarray]) -> np.ndarray:
        """The gradient of a real number by parameters, from its derivatives by results."""
        total: Any = 0.0
        with self.recording():
            for y, g in zip(results, adjoints):
                g = g if y.is_complex() else g.real
                g = self.torch.as_tensor(np.ascontiguousarray(g), dtype=y.dtype)
                total = total + (g.conj() * y).real.sum()
            (found,) = self.torch.autograd.grad(total, x)
        return double(found.numpy())


class AmplitudeGradients:
    """All amplitudes of a sector, and gradients of what is computed from them.

    Parameters
    ----------
    net : DeepNetwork
    operator : FullOperator
        It knows the configurations.
    """

    def __init__(self, net: Any, operator: FullOperator) -> None:
        self.net, self.operator = net, operator
        try:
            self._torch = TorchCopy(net, "a gradient") if net._torch_follows else None
        except ImportError:
            self._torch = None

    def at(self, theta: np.ndarray) -> tuple[FullState, Callable[[np.ndarray], np.ndarray]]:
        """The state at parameters, and the gradient from derivatives by its amplitudes.

        These must be orthogonal to the amplitudes, as derivatives of what is normalised are.

        Raises
        ------
        RangeError
            If all amplitudes are zero.
        """
        if self._torch is None:
            net = self.net.with_vector(theta)
            state = self.operator.state_of(net)
            return state, lambda adjoint: self._by_derivatives(net, state, adjoint)
        with self._torch.recording():
            net, x = self._torch.at(theta)
            psi = self.operator.amplitudes(net)
        numbers = to_numpy(psi.detach())
        size = np.linalg.norm(numbers)
        pull = lambda adjoint: self._torch.gradient(x, [psi], [adjoint / size])
        return self.operator.of_amplitudes(numbers), pull

    def _by_derivatives(self, net, state, adjoint):
        """The gradient from derivatives of log psi, block by block."""
        there = np.flatnonzero(state.psi)
        weights = state.psi[there].conj() * adjoint[there]
        evaluator, gradient = net.evaluator(), np.zeros(net.num_params)
        for part in batches(len(there), max(1, ROWS // (16 * net.num_params))):
            configs = state.configs[there[part]].reshape(-1, *net.geometry.shape)
            O = to_numpy(evaluator.log_derivatives(configs, max_bytes=MAX_BYTES))
            gradient = gradient + weights[part] @ O.conj()
        return gradient if np.iscomplexobj(to_numpy(net.vector)) else np.real(gradient)


class FullEnergy:
    """The energy of all configurations of a sector.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int or None

    Attributes
    ----------
    others : list[(numpy.ndarray, float)]
        States of norm one, ``(count,)``, and what their overlap costs.
    """

    def __init__(self, net: Any, H: FlipMasks, sector: int | None) -> None:
        self.operator = FullOperator(net, H, sector, keep=True)
        self.others: list[tuple[np.ndarray, float]] = []
        self._amplitudes = AmplitudeGradients(net, self.operator)

    def __call__(self, theta: np.ndarray) -> Point:
        """Energy and gradient at parameters.

        Raises
        ------
        RangeError
            If all amplitudes are zero.
        """
        state, gradient = self._amplitudes.at(theta)
        pushed, penalty = self.pushed(state)
        energy = state.mean.real
        slope = gradient(2 * (pushed - (energy + penalty) * state.psi))
        return Point(energy, penalty, slope, state.variance, state.local_energies, state.weights)

    def pushed(self, state: FullState) -> tuple[np.ndarray, float]:
        """``H psi`` with what penalties add to it, and their sum."""
        pushed, penalty = state.image, 0.0
        for other, weight in self.others:
            overlap = np.vdot(other, state.psi)
            pushed = pushed + weight * overlap * other
            penalty += weight * abs(overlap) ** 2
        return pushed, penalty
