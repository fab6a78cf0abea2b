"""Sums with a power of two of their own, and the file that keeps them between terms.

::

    Sum(value, scale, done)  +  Sum  +  Sum  + ...          2**scale * value, done terms in it
            |
        sum.npz, written aside and renamed after each term: a run that was killed goes on
"""

import json
import zipfile
from typing import NamedTuple

import numpy as np

from ..errors import OptionError, WorkerError
from ..numerics.atomic import as_path, has_checkpoint, replacing
from .executors import in_order
from .progress import progress_bar


class Sum(NamedTuple):
    """``2**scale * value`` is the sum of ``done`` terms."""

    value: np.ndarray
    scale: int = 0
    done: int = 1

    def __add__(self, more):
        """The sum of two; scaling by powers of two is exact."""
        done = self.done + more.done
        if not self.value.any():
            return Sum(more.value.astype(self.value.dtype), more.scale, done)
        if not more.value.any():
            return self._replace(done=done)
        scale = max(self.scale, more.scale)
        parts = (s.value * 2.0 ** max(s.scale - scale, -1000) for s in (self, more))
        return Sum(next(parts) + next(parts), scale, done)


def add_up(job, total, zero, *, executor=None, checkpoint=None, key=None, progbar=False):
    """Add up ``job(k)`` for k = 0 .. total - 1, in this order wherever each is computed.

    Parameters
    ----------
    job : Job
        Returns a `Sum` of one term.
    total : int
    zero : array
        The sum of no terms, with the dtype to add in.
    executor : optional
        See `as_pool`.
    checkpoint : str or path, optional
        An ``.npz`` file that is written after each term, and resumed from if it exists.
    key : str, optional
        The checkpoint key: what the file must have been written for.
    progbar : bool, optional

    Returns
    -------
    Sum

    Raises
    ------
    OptionError
        If the file was written for something else, or cannot be read or written.
    WorkerError
        If the executor died.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.jobs import Job, Sum, add_up
    >>> add_up(Job(lambda x, k: Sum(x * k), np.ones(2)), 4, np.zeros(2)).value
    array([6., 6.])
    """
    found = Sum(zero, 0, 0)
    if checkpoint is not None:
        found = _read(checkpoint, key, total) or found
    with progress_bar(progbar, initial=found.done, total=total) as step:
        try:
            for term in in_order(job, range(found.done, total), executor):
                found += term
                if checkpoint is not None:
                    with replacing(checkpoint, "wb") as file:
                        np.savez(file, key=key, **found._asdict())
                step()
        except WorkerError as error:
            raise WorkerError(f"{error} {found.done} of {total} chunks were done.") from error
    return found


def checkpoint_key(path):
    """The key of a checkpoint file: what it was written for. None if it does not exist.

    Raises
    ------
    OptionError
        If it cannot be read.
    """
    found = _load(path)
    return found and found[0]


def _read(path, key, total):
    """The sum in a file, or None if it does not exist."""
    found = _load(path)
    if found is None:
        return None
    if found[0] != key or not 0 <= found[1].done <= total:
        raise OptionError(
            f"checkpoint={str(path)!r} was written for another state or task"
            f"{_difference(found[0], key)}; choose another path, or delete it to start anew."
        )
    return found[1]


def _difference(old, new):
    """Which entries of two keys differ, in words, if both are objects in JSON."""
    try:
        old, new = json.loads(old), json.loads(new)
        return f" ({', '.join(name for name in new if old.get(name) != new[name])} differ)"
    except (ValueError, TypeError, AttributeError):
        return ""


def _load(path):
    """The key and the sum in a file, or None if it does not exist."""
    path = as_path(path)
    if not has_checkpoint(path):
        return None
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = Sum(file["value"], int(file["scale"]), int(file["done"]))
            return str(file["key"]), found
    except (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"checkpoint={str(path)!r} cannot be read ({error}); it is not a checkpoint of a sum: "
            "choose another path, or delete it."
        ) from error
