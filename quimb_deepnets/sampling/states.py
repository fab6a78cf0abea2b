"""What can be sampled: networks, expanded states, and a user's own objects with amplitudes.

::

    ConvAC, RAC, RBM, ...           net.evaluator(batch).log_amplitudes     or compiled chains
    RecursiveTree, CollapsedVector  the network that they hold, or contractions
    an object of a user             its log_amplitudes, and its shape
    a function                      itself, and shape=
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import MethodError, OptionError, RangeError, check_positive_int
from ..evaluation.evaluator import Evaluator
from ..networks import DeepNetwork, TorchNetwork
from ..networks.torch_network import is_module
from ..numerics.traced import check_there


def _no_tables():
    """Nothing that compiled chains read."""


class SampledState(NamedTuple):
    """A state that gives batches of amplitudes, and what is known of it.

    ``function`` goes from configurations ``(B, *shape)`` to ``(phase, logabs)``; ``network`` is
    the network behind it, or None; ``name`` is for people; ``tables`` gives what compiled chains
    read, or None.
    """

    function: Callable[[Any], Any]
    shape: tuple[int, ...]
    phys_dim: int
    network: Any
    name: str
    tables: Callable[[], Any] = _no_tables

    @property
    def nsites(self) -> int:
        """How many sites there are."""
        return int(np.prod(self.shape))

    def evaluate(self, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Phases and logarithms of digits ``(B, N)`` as numpy arrays, each ``(B,)``.

        Raises
        ------
        MethodError, RangeError
            If the function of a user gives something else, or nan.
        """
        configs = digits.reshape(-1, *self.shape)
        if self.network is None:  # what others wrote may write into its argument
            return self._looked_at(self.function(configs.copy()), configs)
        found = self.function(configs)
        check_there(found, "sampling")
        phase, logabs = _as_numpy(found)
        return phase, logabs

    def _looked_at(self, found, configs):
        """Phases and logarithms as numpy arrays, or an error that says what is wrong with them."""
        shape = configs.shape[:1]
        pair = found if isinstance(found, (tuple, list)) else ()
        shapes = [tuple(getattr(x, "shape", ())) for x in pair]
        if shapes != [shape, shape]:
            what = f"arrays of shapes {shapes}" if pair else f"a {type(found).__name__}"
            raise MethodError(
                f"{self.name} gives {what} for configurations of shape {configs.shape}; it must "
                f"give (phase, logabs), two arrays of shape {shape}."
            )
        check_there(pair, "sampling")
        phase, logabs = _as_numpy(pair)
        if logabs.dtype.kind not in "fiub":
            raise MethodError(
                f"{self.name} gives logarithms of dtype {logabs.dtype}, and those of moduli are "
                "real; give (phase, logabs), a complex logarithm as (exp(1j * imag), real)."
            )
        if (wrong := ~(logabs < np.inf)).any():
            raise RangeError(
                f"{self.name} gives the logarithm {logabs[wrong][0]} for the configuration "
                f"{configs[wrong][0].tolist()}; it must be a number, or -inf where psi is zero."
            )
        return phase, logabs


def _as_numpy(arrays):
    """Arrays of any library as arrays of numpy."""
    return [np.asarray(to_numpy(stop_gradient(x))) for x in arrays]


def read_state(
    state: Any, batch: int | None = None, shape: Any = None, phys_dim: int | None = None
) -> SampledState:
    """What is sampled, from what a user gives.

    Parameters
    ----------
    state : network, evaluator, quimb vector of ours, torch.nn.Module, or as of `Metropolis`
    batch : int, optional
        How many configurations each call brings, for networks.
    shape, phys_dim : optional
        Of objects that do not say it themselves.

    Raises
    ------
    MethodError
        If ``state`` does not give batches of amplitudes.
    OptionError
        If a shape or a local dimension is missing, or contradicts the state.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.sampling.states import read_state
    >>> read_state(qdn.RBM.rand((2, 3), seed=0)).shape
    (2, 3)
    """
    if is_module(state) and shape is not None:
        state = TorchNetwork(state, shape, 2 if phys_dim is None else phys_dim)
    held = getattr(state, "_held_network", None)  # of quimb vectors: others need no quimb
    network = state if held is None else held()
    if isinstance(network, DeepNetwork):
        network = network._bare().evaluator(batch)
    if isinstance(network, Evaluator):
        ready, network = network, network.network
        own, name = network.geometry.shape, type(network if state is ready else state).__name__
        found = SampledState(
            ready.log_amplitudes, own, network.phys_dim, network, name, ready.chain_tables
        )
    elif network is None:  # tensors that were changed since: amplitudes are contracted
        own, dim = state._axes()
        found = SampledState(state.log_amplitudes, own, dim, None, type(state).__name__)
    else:
        function = getattr(state, "log_amplitudes", state)
        if not callable(function):
            raise MethodError(
                f"sampling needs batches of log_amplitudes, and a {type(state).__name__} has none; "
                "give a network, an object with log_amplitudes(configs) -> (phase, logabs), or "
                "such a function with shape=."
            )
        sides = _shape_of(state) if shape is None else shape
        dim = getattr(state, "phys_dim", 2) if phys_dim is None else phys_dim
        dim = check_positive_int("phys_dim", dim() if callable(dim) else dim, OptionError)
        name = getattr(state, "__name__", type(state).__name__)
        return SampledState(function, _read_shape(sides), dim, None, name)
    for word, given, true in (
        ("shape", None if shape is None else _read_shape(shape), found.shape),
        ("phys_dim", phys_dim, found.phys_dim),
    ):
        if given not in (None, true):
            raise OptionError(f"{word}={given!r} is not that of the state, {true}; leave it out.")
    return found


def _shape_of(state):
    """The shape that an object says it has, by the names that networks use."""
    for owner, name in (
        (getattr(state, "geometry", None), "shape"),
        *((state, name) for name in ("shape", "nsites", "L")),
    ):
        if (found := getattr(owner, name, None)) is not None and not callable(found):
            return found
    raise OptionError(
        f"a {type(state).__name__} does not say on which sites it is; give shape=, the number of "
        "sites or the sides of a lattice."
    )


def _read_shape(shape):
    """A number of sites, or the sides of a lattice, as a tuple."""
    sides = tuple(shape) if hasattr(shape, "__iter__") and not isinstance(shape, str) else (shape,)
    if not sides:
        raise OptionError("shape=() has no sites; give the number of sites, or the sides.")
    return tuple(check_positive_int("shape", side, OptionError) for side in sides)
