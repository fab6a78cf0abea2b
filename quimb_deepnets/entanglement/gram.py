"""Method "gram": the density matrix from amplitudes alone, streamed over the other side.

The state is never held. Columns of psi, as a matrix of one side by the other, come in chunks, and
each adds to the Gram matrix; a file keeps what is done, so that a run that was killed goes on::

    psi (A, B) = [ chunk 0 | chunk 1 | chunk 2 | ... ]        rho += X X^dagger     (A, A)
                                  |
                            checkpoint: rho, scale, chunks done
"""

import json
import math
import os
import pathlib
import zipfile
from typing import NamedTuple

import numpy as np
from autoray import get_dtype_name, to_numpy
from tqdm import tqdm

from ..errors import OptionError
from ..networks.scaled import array_like
from .registry import Method, add_method
from .spectra import spectrum_of_density
from .states import Cost, as_float

BLOCK = 2**22  # amplitudes of a chunk


class Progress(NamedTuple):
    """``2**scale * gram`` is the sum over the first ``done`` chunks."""

    gram: np.ndarray
    scale: int
    done: int


def _columns(view, places):
    """How many columns a chunk has."""
    return max(1, min(view.dim(view.rest(places)), BLOCK // view.dim(places)))


def cost(view, places, what="spectrum"):
    """Every amplitude once, and one product of a chunk with itself for each."""
    places = view.smaller(places) if what == "spectrum" else places
    a, b = view.dim(places), view.dim(view.rest(places))
    each = view.faces["amplitudes"].value.flops
    chunk = a * _columns(view, places) if a < 2**60 else a
    size = max(16, view.itemsize)
    flops = as_float(a * b * (round(each) + a) + 4 * a**3)
    return Cost(3 * size * a * a + chunk * (4 * size + 9 * len(view.sites)), flops)


def spectrum(view, places, progbar=False, checkpoint=None):
    """The spectrum of the Gram matrix of the smaller side."""
    return spectrum_of_density(density(view, view.smaller(places), progbar, checkpoint))


def density(view, places, progbar=False, checkpoint=None):
    """The density matrix of the places, up to a scale.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    progbar : bool, optional
        Show a progress bar over the chunks.
    checkpoint : str or path, optional
        An ``.npz`` file that is written after each chunk, and gone on from if it is there.

    Raises
    ------
    OptionError
        If the file belongs to another state or subsystem, or cannot be read.
    """
    if not isinstance(checkpoint, (str, os.PathLike, type(None))):
        raise OptionError(f"checkpoint={checkpoint!r} is no path of a file; give a string.")
    chunk = _columns(view, places)
    total = -(-view.dim(view.rest(places)) // chunk)
    mark = _mark(view, places, chunk) if checkpoint is not None else None
    size = view.dim(places)
    kind = "complex128" if "complex" in str(view.like.dtype) else "float64"
    progress = Progress(np.zeros((size, size), kind), 0, 0)
    if checkpoint is not None:
        progress = _read(checkpoint, mark) or progress
    steps = range(progress.done, total)
    for k in tqdm(steps, initial=progress.done, total=total, disable=not progbar):
        progress = _add(progress, gram_chunk(view, places, k * chunk, (k + 1) * chunk))
        if checkpoint is not None:
            _write(checkpoint, mark, progress)
    return array_like(progress.gram.astype(get_dtype_name(view.like)), view.like)


def gram_chunk(view, places, start, stop):
    """The Gram matrix of the columns ``start`` to ``stop``, with its power of two.

    Returns
    -------
    Progress
        With ``done`` 1.
    """
    rest = view.rest(places)
    rows = _digits(np.arange(view.dim(places)), [view.dims[i] for i in places])
    columns = np.arange(start, min(stop, view.dim(rest)))
    columns = _digits(columns, [view.dims[i] for i in rest])
    configs = np.empty((len(rows), len(columns), len(view.sites)), rows.dtype)
    configs[:, :, list(places)] = rows[:, None]
    configs[:, :, list(rest)] = columns[None]
    amplitudes = view.faces["amplitudes"].value.log_amplitudes
    phase, log = map(to_numpy, amplitudes(configs.reshape(-1, len(view.sites))))
    top = log.max(initial=-math.inf)
    scale = math.ceil(float(top) / math.log(2)) if math.isfinite(top) else 0
    log = log.astype("float64")
    x = (phase * np.exp(log - scale * math.log(2))).reshape(len(rows), -1)
    return Progress(x @ x.conj().T, 2 * scale, 1)


def _digits(codes, dims):
    """The digits of mixed-radix numbers, the last one fastest: ``(count, sites)``."""
    out = np.empty((len(codes), len(dims)), np.min_scalar_type(-max(dims, default=2)))
    for n in reversed(range(len(dims))):
        codes, out[:, n] = np.divmod(codes, dims[n])
    return out


def _add(progress, more):
    """The sum of two; powers of two round nothing."""
    if not progress.gram.any():
        return Progress(more.gram.astype(progress.gram.dtype), more.scale, progress.done + 1)
    if not more.gram.any():
        return progress._replace(done=progress.done + 1)
    scale = max(progress.scale, more.scale)
    parts = ((p.gram, max(p.scale - scale, -1000)) for p in (progress, more))
    gram = sum(gram * 2.0**shift for gram, shift in parts)
    return Progress(gram, scale, progress.done + 1)


# ---------------------------------------------------------------- the file


def _mark(view, places, chunk):
    """What a file must have been written for: the state, the subsystem, the chunks."""
    law = {"state": view.name, "dims": view.dims, "places": places, "chunk": chunk}
    return json.dumps(law | {"digest": view.faces["amplitudes"].value.digest()})


def _read(path, mark):
    """What a file holds, or None if there is none."""
    if not os.path.exists(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found, gram = str(file["mark"]), file["gram"]
            scale, done = int(file["scale"]), int(file["done"])
    except (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"checkpoint={str(path)!r} cannot be read ({error}); it is no checkpoint of a Gram "
            "matrix: choose another path, or delete it."
        ) from error
    if found != mark:
        raise OptionError(
            f"checkpoint={str(path)!r} was written for another state or subsystem; choose "
            "another path, or delete it to start anew."
        )
    return Progress(gram, scale, done)


def _write(path, mark, progress):
    """Write aside, then rename: a reader finds the old file or the new one, whole."""
    path = pathlib.Path(path)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(aside, "wb") as file:
            np.savez(file, mark=mark, **progress._asdict())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise OptionError(f"checkpoint={str(path)!r} cannot be written: {error}.") from error
    finally:
        aside.unlink(missing_ok=True)


add_method(Method("gram", "amplitudes", cost, spectrum, density=density, squares=True))
