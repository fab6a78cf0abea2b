"""A run in a file: all that the next step depends on, whole or not there.

::

    run.npz    "problem"   JSON: operator, network, options       what the file was written for
               "state"     JSON: step, seconds, generator
               "theta", "before", "configs", "history", "memory_...": arrays

It is written aside and renamed, so a run that is killed at any moment goes on from the last whole
one, and takes the very steps that it would have taken.
"""

import hashlib
import json
import zipfile
from typing import Any, NamedTuple

import numpy as np

from ..errors import OptionError
from ..numerics.atomic import as_path, has_checkpoint, replacing
from .history import RECORD
from .operators import FlipMasks

FORMAT = 2
MEMORY = "memory_"
ARRAYS = ("theta", "before", "configs", "history")


class RunState(NamedTuple):
    """All that the next step depends on.

    Attributes
    ----------
    step : int
        How many were taken.
    theta, before : numpy.ndarray, shape (P,)
        Parameters now, and before the last step.
    configs : numpy.ndarray of int, shape (chains, N)
        Where the chains are; none before the first step.
    generator : str
        State of the bit generator, as JSON.
    memory : dict[str, numpy.ndarray]
        What the optimizer remembers.
    history : numpy.ndarray, shape (step,)
        Records, see the module history.
    seconds : float
    failures : int
        How many of the last steps came to nothing.
    """

    step: int
    theta: np.ndarray
    before: np.ndarray
    configs: np.ndarray
    generator: str
    memory: dict[str, np.ndarray]
    history: np.ndarray
    seconds: float = 0.0
    failures: int = 0


def digest_of(H: FlipMasks) -> str:
    """A name for an operator: a hash of all its terms, in whatever order they were given.

    Numbers that are added up in another order may differ in the last bit, and so does the hash.

    Examples
    --------
    >>> import quimb as qu
    >>> from quimb_deepnets.groundstate.checkpoint import digest_of
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> one, two = (FlipMasks({(0, 1): s * qu.ham_heis(2)}, range(2)) for s in (1, 2))
    >>> digest_of(one) == digest_of(one), digest_of(one) == digest_of(two)
    (True, False)
    """
    terms = sorted(map(_words_of, H._terms))
    words = repr((H.nsites, H.phys_dim, terms))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _words_of(term):
    """All integers and numbers of a term, in words."""
    whole = lambda numbers: np.array(numbers, np.int64).tobytes().hex()
    factors = sorted((whole(x.places), x.table.tobytes().hex()) for x in term.factors)
    return repr((whole(term.shifts), factors))


def write_checkpoint(path: Any, problem: dict, state: RunState) -> None:
    """Put a run into a file; a file that is there is replaced once the new one is whole.

    Parameters
    ----------
    path : str or path
    problem : dict
        What names the problem; JSON can write it.
    state : RunState

    Raises
    ------
    OptionError
        If it cannot be written.
    """
    plain = {name: getattr(state, name) for name in ("step", "generator", "seconds", "failures")}
    arrays: dict[str, Any] = {
        "problem": np.array(json.dumps({"format": FORMAT, **problem})),
        "state": np.array(json.dumps(plain)),
        **{name: getattr(state, name) for name in ARRAYS},
        **{MEMORY + name: x for name, x in state.memory.items()},
    }
    with replacing(path, "wb") as file:
        np.savez(file, **arrays)


def read_checkpoint(path: Any, problem: dict, begun: RunState) -> RunState | None:
    """The run in a file, or None if the file does not exist.

    Parameters
    ----------
    path : str or path
    problem : dict
        What the file must have been written for. A seed of None is that of the file.
    begun : RunState
        A state of the problem; that of the file has arrays of the same shapes.

    Raises
    ------
    OptionError
        If it is torn, was changed, is of another problem, or could not be written later.
    """
    path = as_path(path)
    if not has_checkpoint(path):
        return None
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        written, plain = json.loads(str(found["problem"])), json.loads(str(found["state"]))
        arrays = {name: found[name] for name in ARRAYS}
        memory = {k.removeprefix(MEMORY): x for k, x in found.items() if k.startswith(MEMORY)}
        state = RunState(**plain, **arrays, memory=memory)
        if written.get("format") == FORMAT and state.history.dtype != RECORD:
            raise ValueError("its history has other columns")
        np.random.PCG64().state = json.loads(state.generator)
    except (
        *(OSError, EOFError, LookupError, TypeError, ValueError, AttributeError),
        *(zipfile.BadZipFile, NotImplementedError),
    ) as error:
        raise _unreadable(path, error) from error
    _check_problem(path, written, {"format": FORMAT, **problem})
    if wrong := _wrong_array(state, begun, problem["chains"]):
        raise _unreadable(path, f"{wrong} is not that of such a run")
    return state


def _unreadable(path, why):
    return OptionError(
        f"checkpoint={str(path)!r} cannot be read ({why}); it is torn, or not a checkpoint "
        "of a ground state: choose another path, or move it away to start anew."
    )


def _wrong_array(state, begun, chains):
    """The name of an array of another shape or type than a run has, or that is not finite."""
    shapes = [(count, begun.configs.shape[1]) for count in (0, chains)]
    right = {
        "theta": _is_like(state.theta, begun.theta),
        "before": _is_like(state.before, begun.theta),
        "configs": state.configs.shape in shapes and state.configs.dtype.kind == "i",
        "history": state.history.shape == (state.step,),
    }
    return next((name for name, good in right.items() if not good), None)


def _is_like(x, other):
    return x.shape == other.shape and x.dtype == other.dtype and bool(np.isfinite(x).all())


def _check_problem(path, written, problem):
    """Refuse a file of another problem, and name what differs."""
    names = [name for name in problem if written.get(name) != problem[name]]
    if None in (written.get("seed"), problem.get("seed")):
        names = [name for name in names if name != "seed"]
    if names:
        said = "; ".join(f"{n} is {written.get(n)!r} there and {problem[n]!r} here" for n in names)
        raise OptionError(
            f"checkpoint={str(path)!r} was written for another problem: {said}; choose another "
            "path, or ask for the same problem."
        )
