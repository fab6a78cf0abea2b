"""Method "gram": the density matrix from amplitudes alone, streamed over the other side.

The state is never held. Columns of psi, as a matrix of one side by the other, come in chunks, and
each adds to the Gram matrix, on any executor; a file keeps what is done::

    psi (A, B) = [ chunk 0 | chunk 1 | chunk 2 | ... ]        rho += X X^dagger     (A, A)
"""

import json
import math
from typing import NamedTuple

import numpy as np
from autoray import get_dtype_name, to_numpy

from ...jobs import Job, Sum, add_up
from ...numerics.scaled import array_like
from ..registry import Method, add_method
from ..spectra import spectrum_of_density
from ..views import Cost, as_flops

BLOCK = 2**22  # amplitudes of a chunk


class Columns(NamedTuple):
    """Where psi, as a matrix of the places by the rest, is cut; what a worker needs."""

    amplitudes: object
    dims: tuple
    places: tuple
    rest: tuple
    width: int


def _columns(view, places):
    """How many columns a chunk has."""
    return max(1, min(view.dim(view.rest(places)), BLOCK // view.dim(places)))


def cost(view, places, what="spectrum"):
    """Every amplitude once, and one product of a chunk with itself for each."""
    places = view.smaller(places) if what == "spectrum" else places
    a, b = view.dim(places), view.dim(view.rest(places))
    each = view.views["amplitudes"].value.flops
    chunk = a * _columns(view, places) if a < 2**60 else a
    size = max(16, view.itemsize)
    flops = as_flops(a * b * (round(each) + a) + 4 * a**3)
    return Cost(3 * size * a * a + chunk * (4 * size + 9 * len(view.sites)), flops)


def spectrum(view, places, progbar=False, checkpoint=None, executor=None):
    """The spectrum of the Gram matrix of the smaller side."""
    rho = density(view, view.smaller(places), progbar, checkpoint, executor)
    return spectrum_of_density(rho)


def density(view, places, progbar=False, checkpoint=None, executor=None):
    """The density matrix of the places, up to a scale.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    progbar : bool, optional
        Show a progress bar over the chunks.
    checkpoint : str or path, optional
        An ``.npz`` file that is written after each chunk, and resumed from if it exists.
    executor : optional
        Where to compute the chunks, see `quimb_deepnets.jobs.as_pool`.

    Raises
    ------
    OptionError
        If the file belongs to another state or subsystem, or cannot be read.
    WorkerError
        If the executor died.
    """
    amplitudes, rest = view.views["amplitudes"].value, view.rest(places)
    columns = Columns(amplitudes.log_amplitudes, view.dims, places, rest, _columns(view, places))
    key = _checkpoint_key(view, columns, amplitudes) if checkpoint is not None else None
    size = view.dim(places)
    kind = "complex128" if "complex" in str(view.like.dtype) else "float64"
    found = add_up(
        Job(gram_chunk, columns),
        -(-view.dim(rest) // columns.width),
        np.zeros((size, size), kind),
        executor=executor,
        checkpoint=checkpoint,
        key=key,
        progbar=progbar,
    )
    return array_like(found.value.astype(get_dtype_name(view.like)), view.like)


def gram_chunk(data, k):
    """The Gram matrix of the ``k``-th chunk of columns, as a `Sum` of one term.

    Parameters
    ----------
    data : Columns
    k : int
    """
    amplitudes, dims, places, rest, width = data
    rows = _digits(np.arange(math.prod(dims[i] for i in places)), [dims[i] for i in places])
    end = math.prod(dims[i] for i in rest)
    columns = _digits(np.arange(k * width, min((k + 1) * width, end)), [dims[i] for i in rest])
    configs = np.empty((len(rows), len(columns), len(dims)), rows.dtype)
    configs[:, :, list(places)] = rows[:, None]
    configs[:, :, list(rest)] = columns[None]
    phase, log = map(to_numpy, amplitudes(configs.reshape(-1, len(dims))))
    top = log.max(initial=-math.inf)
    scale = math.ceil(float(top) / math.log(2)) if math.isfinite(top) else 0
    log = log.astype("float64")
    x = (phase * np.exp(log - scale * math.log(2))).reshape(len(rows), -1)
    return Sum(x @ x.conj().T, 2 * scale)


def _digits(codes, dims):
    """The digits of mixed-radix numbers, the last one fastest: ``(count, sites)``."""
    out = np.empty((len(codes), len(dims)), np.min_scalar_type(-max(dims, default=2)))
    for n in reversed(range(len(dims))):
        codes, out[:, n] = np.divmod(codes, dims[n])
    return out


def _checkpoint_key(view, columns, amplitudes):
    """What a file must have been written for: the state, the subsystem, the chunks."""
    request = {"state": view.name, "dims": view.dims, "places": columns.places}
    return json.dumps(request | {"chunk": columns.width, "digest": amplitudes.digest()})


add_method(Method("gram", "amplitudes", cost, spectrum, density=density, squares=True))
