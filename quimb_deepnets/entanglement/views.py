"""The views of a state that methods of entanglement look at, chosen by its type.

::

    state --view_of--> StateView(sites, dims, views)
                         "vector"      all entries                        dense
                         "network"     a tensor network, one leg a site   cut, reduced, approx
                         "amplitudes"  single entries, in batches         gram
                         "mps"         the tensors of a chain             mps, to_mps

A view says what it costs before it is made. `view_of` is a `functools.singledispatch`: register a
type of state of your own and every method that looks at its views serves it.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autoray import get_dtype_name, infer_backend, stop_gradient, to_numpy

from ..errors import OptionError
from ..numerics.scaled import Scaled
from ..numerics.weights import DTYPES


class Cost(NamedTuple):
    """What something takes: bytes held at once, and flops (scalar multiplications)."""

    bytes: int
    flops: float


def as_flops(count):
    """Flops of any count as a float, inf where no float is as large."""
    return float(count) if count < 2**1000 else math.inf


class View:
    """One way to look at a state, made when first needed.

    Parameters
    ----------
    cost : callable
        Without arguments, the `Cost` of making it; raises a `DeepNetError` if it cannot be made.
    make : callable
        Without arguments, the view itself.
    """

    def __init__(self, cost, make):
        self._cost, self._make = cost, make

    @functools.cached_property
    def cost(self):
        """What making it takes."""
        return self._cost()

    @functools.cached_property
    def value(self):
        """The view itself."""
        return self._make()

    def cannot_be_made(self, error):
        """From now on raise this error when the cost is asked for."""

        def _refuse():
            raise error

        self._cost = _refuse
        self.__dict__.pop("cost", None)


class Amplitudes(NamedTuple):
    """Single entries of a state: a function of ``(B, N)`` ints, and the flops of each.

    The function returns phases and natural logarithms, as ``log_amplitudes``; other processes
    can compute it if it pickles. ``digest`` returns a text that no other state has, so that a file
    can tell whether it is the same.
    """

    log_amplitudes: object
    flops: float
    digest: object


@dataclass(frozen=True)
class StateView:
    """A pure state as the methods see it.

    Attributes
    ----------
    sites : tuple
        Labels, in the order of dense vectors.
    dims : tuple[int]
        The dimension of each.
    like : array
        An example of its arrays: their backend, dtype and device.
    name : str
        What messages call it.
    views : dict[str, View]
    network : TensorNetwork or None
        Where ``tags`` are read.
    parts : callable or None
        ``parts(size)`` gives a view of the same state with every weight moved by a random ``size``
        of itself, each independently; shows whether parts cancel, see `vanishing.check_state`.
    degree : int
        How many weights are multiplied in an amplitude, about.
    notes : set
        Checks that the state has passed.
    """

    sites: tuple
    dims: tuple
    like: Any
    name: str
    views: dict = field(default_factory=dict)
    network: object = None
    parts: object = None
    degree: int = 1
    notes: set = field(default_factory=set)

    def dim(self, places):
        """The dimension of a subsystem."""
        return math.prod(self.dims[i] for i in places)

    def rest(self, places):
        """The places of all other sites."""
        inside = set(places)
        return tuple(i for i in range(len(self.sites)) if i not in inside)

    def smaller(self, places):
        """The places, or the rest, whichever has fewer states."""
        rest = self.rest(places)
        return places if self.dim(places) <= self.dim(rest) else rest

    @property
    def itemsize(self):
        """Bytes of one number."""
        return self.like.itemsize


@functools.singledispatch
def view_of(state, dims=None):
    """The views of a state; by default of a dense vector, whose sites have the dimensions ``dims``.

    Parameters
    ----------
    state : object
    dims : sequence of int, optional
        For dense vectors only.

    Returns
    -------
    StateView

    Raises
    ------
    OptionError
        If the type is not known, or ``dims`` does not fit.
    """
    if infer_backend(state) == "builtins" or not hasattr(state, "itemsize"):
        raise OptionError(
            f"a {type(state).__name__} is not a state that is known here; give a network, a quimb "
            "vector such as an MPS or PEPS, or a dense vector with dims=, or register the type "
            "with quimb_deepnets.entanglement.view_of.register."
        )
    shape = tuple(state.shape)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise OptionError(
            f"an array of shape {shape} is not a pure state; give a vector (D,) or (D, 1)."
        )
    listed = isinstance(dims, (list, tuple, range)) or hasattr(dims, "tolist")
    if not listed or any(not hasattr(d, "__index__") or d < 1 for d in dims):
        raise OptionError(
            f"dims={dims!r}: a dense vector of {shape[0]} entries needs the dimension of each of "
            "its sites; give it, as in dims=(2, 2, 2) for three qubits."
        )
    if get_dtype_name(state) not in DTYPES:
        raise OptionError(
            f"a vector of dtype {get_dtype_name(state)} has no singular values here; convert it to "
            f"one of {', '.join(DTYPES)}."
        )
    dims = tuple(map(int, dims))
    if math.prod(dims) != shape[0]:
        raise OptionError(
            f"dims={dims} multiply to {math.prod(dims)}, but the vector has {shape[0]} entries."
        )
    made = lambda: Scaled.of(state.reshape(-1)).mantissa
    vector = View(lambda: Cost(shape[0] * state.itemsize, 0), made)
    return StateView(tuple(range(len(dims))), dims, state, "vector", {"vector": vector})


def moved(x, size, rng):
    """A copy of an array, in numpy, with every entry moved by a random ``size`` of itself."""
    x = to_numpy(stop_gradient(x))
    x = x if x.dtype.kind in "fc" else x.astype(float)  # entries of 0 and 1 move too
    return (x * (1 + size * rng.normal(size=x.shape))).astype(x.dtype)


def refuse_dims(dims):
    """``dims`` describe dense vectors; every other state knows its own."""
    if dims is not None:
        raise OptionError(f"dims={dims!r} is for dense vectors; this state knows its own.")
