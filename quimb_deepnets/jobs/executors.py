"""Work on other processes and machines, through anything that submits as `concurrent.futures` does.

::

                    .-- worker --.
    job, 0 1 2 ... -+-- worker --+--> results in order        a worker dies: its number is
                    '-- worker --'                            submitted again, with the job

The executors are those of `cotengra.parallel`, which passes data to each in its own way: processes
and threads, loky, dask.distributed, ray, mpi4py.futures.
"""

import collections
import concurrent.futures
import contextlib
import importlib
import numbers
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cotengra import parallel

from ..errors import ExtraError, OptionError, WorkerError

RETRIES = 3
_POOLS: dict[Any, Any] = {}


@dataclass(frozen=True)
class Job:
    """A function and its data, which travels once: ``job(k)`` is ``function(data, k)``.

    Both have to be picklable for executors that are not threads.
    """

    function: Callable[[Any, Any], Any]
    data: Any

    def __call__(self, k):
        """The result for a number."""
        return self.function(self.data, k)


def as_pool(executor):
    """An executor as a user names it, as an object with ``submit``; None stays None.

    Parameters
    ----------
    executor : None, str, int or executor
        An executor such as a `concurrent.futures.ProcessPoolExecutor`, a
        ``dask.distributed.Client`` or an ``mpi4py.futures.MPIPoolExecutor``; or what cotengra
        takes as ``parallel=``: ``"concurrent.futures"``, ``"threads"``, ``"loky"``, ``"dask"``,
        ``"ray"``, or a number of processes (of `concurrent.futures`).

    Raises
    ------
    OptionError
        If it is none of these.
    ExtraError
        If its package is not installed.
    """
    if executor is None:
        return None
    try:
        pool = executor if hasattr(executor, "submit") else _named_pool(executor)
    except ImportError as error:
        raise ExtraError(
            f"executor={executor!r} needs a package that is not installed ({error}); install it, "
            "or use 'concurrent.futures'."
        ) from error
    except Exception as error:  # whatever the package raises that starts it
        raise OptionError(f"executor={executor!r} cannot be started: {error}.") from error
    if not hasattr(pool, "submit") or isinstance(pool, type):
        raise OptionError(
            f"executor={executor!r} is not an executor; give an object with submit(), such as a "
            "concurrent.futures or mpi4py.futures pool or a dask.distributed Client, a number of "
            "processes, or one of 'concurrent.futures', 'threads', 'loky', 'dask', 'ray'."
        )
    return pool


def _named_pool(executor):
    """The pool of a name, or of a number of processes; anything else is returned as it is.

    Those of processes are our own: cotengra would take joblib's only loky pool where joblib is
    there, in which ``joblib.Parallel`` then no longer runs, and would remember it for itself.
    """
    if executor is True or executor == "auto":
        executor = "concurrent.futures"
    if executor in ("concurrent.futures", "loky"):
        return _process_pool(executor, parallel.choose_default_num_workers())
    if isinstance(executor, numbers.Integral) and not isinstance(executor, bool):
        return _process_pool("concurrent.futures", int(executor))
    if executor in ("threads", "dask", "ray"):
        return parallel.get_pool(maybe_create=True, backend=executor)
    return executor


def _process_pool(kind, workers):
    """A pool of processes, the same one as long as it works."""
    key = kind, workers, os.getpid()
    if key not in _POOLS or _is_broken(_POOLS[key]):
        make = _loky_executor() if kind == "loky" else concurrent.futures.ProcessPoolExecutor
        _POOLS[key] = make(workers)
    return _POOLS[key]


def _is_broken(pool):
    """Whether a pool of processes, or one of loky, has stopped taking work."""
    flags = getattr(pool, "_flags", None)
    if flags is not None:
        return bool(flags.shutdown or flags.broken)
    return bool(pool._broken or pool._shutdown_thread)


def _loky_executor():
    """The class of loky, or of the copy of it in joblib."""
    try:
        return importlib.import_module("loky").ProcessPoolExecutor
    except ImportError:
        return importlib.import_module("joblib.externals.loky").ProcessPoolExecutor


def in_order(job, numbers, executor=None):
    """Yield ``job(k)`` for each number, in order, a few of them at work at once.

    Parameters
    ----------
    job : Job
    numbers : iterable of int
    executor : optional
        See `as_pool`; by default here, one after the other.

    Raises
    ------
    WorkerError
        If the executor died, or lost one number again and again.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from quimb_deepnets.jobs import Job, in_order
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(Job(pow, 2), range(5), pool))
    [1, 2, 4, 8, 16]
    """
    pool = as_pool(executor)
    if pool is None:
        yield from map(job, numbers)
        return
    ahead, pending = 2 * _workers(pool), collections.deque()
    crew = _Crew(pool, job)
    try:
        for k in numbers:
            pending.append((k, crew.submit(k)))
            if len(pending) >= ahead:
                yield crew.result(*pending.popleft())
        while pending:
            yield crew.result(*pending.popleft())
    finally:
        for _, future in pending:
            with contextlib.suppress(Exception):  # it may be done, or not know how to stop
                future.cancel()


class _Crew:
    """A pool, and one job that it has been given."""

    def __init__(self, pool, job):
        self.pool, self.job = pool, job
        self.place()

    def place(self):
        """Bring the job to the workers, where the pool keeps data for them."""
        self.remote = self.job
        if parallel.can_scatter(self.pool):
            # dask would otherwise find the copy that died with a worker
            options = {"hash": False, "broadcast": True} if _is_dask(self.pool) else {}
            self.remote = self._guard(lambda: self.pool.scatter(self.job, **options))

    def submit(self, k):
        """Start one number."""
        return self._guard(lambda: parallel.submit(self.pool, _attempt, self.remote, k))

    def result(self, k, future):
        """The result of one number, which is started again if it was lost with its worker."""
        for lost in range(RETRIES + 1):
            try:
                outcome = future.result()
                break
            except Exception as cause:  # whatever a pool raises when it loses work
                if lost == RETRIES or _is_about_pickling(cause):
                    raise self._dead(cause, f"chunk {k} was lost {lost + 1} times") from cause
                self.place()
                future = self.submit(k)
        value, error = outcome
        if error is not None:
            raise error
        return value

    def _guard(self, action):
        try:
            return action()
        except Exception as cause:  # whatever a pool raises that has stopped taking work
            raise self._dead(cause, "it does not take work") from cause

    def _dead(self, cause, what):
        name = type(self.pool).__name__
        what += f" ({type(cause).__name__}: {cause}".rstrip(". :") + ")"
        if _is_about_pickling(cause):
            return OptionError(
                f"the executor {name} cannot send its work: {what}; what is sent must be "
                "picklable: give names instead of objects (optimize='hyper'), functions and "
                "classes of a module, or use an executor that sends more, such as loky or dask."
            )
        return WorkerError(
            f"the executor {name} died: {what}; start a new one, and give checkpoint= so that what "
            "is done is kept."
        )


def _attempt(job, k):
    """Run on a worker: an error of the job itself travels as a value, and is not tried again."""
    try:
        return job(k), None
    except (Exception, SystemExit) as error:
        return None, _sendable(error)


def _sendable(error):
    """An error as it is, if it survives the way to another process, else its message."""
    try:
        pickle.loads(pickle.dumps(error))
        return error if isinstance(error, Exception) else RuntimeError(repr(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _is_about_pickling(error):
    words = str(error)
    return isinstance(error, pickle.PicklingError) or "pickle" in words or "serializ" in words


def _is_dask(pool):
    return hasattr(pool, "nthreads")


def _workers(pool):
    """How many numbers a pool works on at once."""
    if _is_dask(pool):
        return sum(pool.nthreads().values()) or 1
    for name in ("num_workers", "_max_workers"):
        if isinstance(count := getattr(pool, name, None), int):
            return max(1, count)
    try:
        return parallel.get_n_workers(pool)
    except Exception:  # a pool that does not say
        return os.cpu_count() or 1
