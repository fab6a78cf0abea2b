"""How loops are compiled, which arrays there are loops for, and how threads share the work.

Nothing is compiled at import: a loop is compiled, or read from numba's cache, when it is first
called with a kind of arrays. Loops release the lock of Python, and threads call them on disjoint
parts of a batch, so results do not depend on the number of threads::

    @loop                  first call -->  machine code, kept in a file
    in_threads(f, B)       f(0, b)   f(b, 2b)   ...   as many threads as numba is given
"""

import _thread
import itertools
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from autoray import get_dtype_name, infer_backend, to_numpy

DTYPES = frozenset(("float32", "float64", "complex64", "complex128"))
OF_NUMPY = frozenset(map(np.dtype, DTYPES))  # a name takes longer to find
# sums may be reordered and products fused; nan and inf keep their meaning
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}

PARTS = 4  # of each thread, so that none waits long for a slower one

# when the files of all loops were written
SOURCES = tuple(
    (path.name, path.stat().st_mtime_ns, path.stat().st_size)
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py"))
)


def loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays when it is first called; loops may call each other.

    Where no folder can hold numba's cache, each process compiles anew; what an older version of any
    loop left there is not read.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.compiled import loop
    >>> def total(x):
    ...     out = 0.0
    ...     for i in range(len(x)):
    ...         out += x[i]
    ...     return out
    >>> loop(total)(np.ones(3))
    3.0
    """
    return _compiled(function)


def lean_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """A `loop` that makes no arrays, and so needs no count of who refers to one.

    Counts are atomic: around small loops, which are called for each of many steps, they take half
    of the time.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.compiled import lean_loop
    >>> @lean_loop
    ... def double(x):
    ...     for i in range(len(x)):
    ...         x[i] *= 2
    >>> x = np.ones(2)
    >>> double(x)
    >>> x
    array([2., 2.])
    """
    return _compiled(function, _nrt=False)


def inner_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """A `lean_loop` that becomes part of the loop that calls it, and is called by loops alone.

    A call copies all arrays of a tuple, which takes longer than a few steps of a small loop. What
    Python would need for a call is not compiled.

    Examples
    --------
    >>> from quimb_deepnets.kernels.compiled import inner_loop, loop
    >>> @inner_loop
    ... def square(z):
    ...     return z.real * z.real + z.imag * z.imag
    >>> loop(lambda z: square(z) + square(2 * z))(3 + 4j)
    125.0
    """
    return _compiled(function, _nrt=False, forceinline=True, no_cpython_wrapper=True)


def _compiled(function, **more):
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy", **more}
    options["no_cfunc_wrapper"] = True  # no loop is given to another one, or to C
    try:
        made = numba.njit(function, cache=True, **options)
    except RuntimeError:
        return numba.njit(function, **options)
    if (kept := getattr(made, "_cache", None)) is not None:
        # numba looks at the file of a loop, but not at those of the loops and tuples in it; of
        # another version nothing is read, not even the names of tuples that may be gone
        file = kept._cache_file
        file._version = file._version, SOURCES
    return made


def has_loops(*arrays: Any) -> bool:
    """Whether loops read these arrays where they lie: numpy, or torch on the CPU, of four dtypes.

    Arrays that a compiler or a transform of functions traces have no loops.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.compiled import has_loops
    >>> has_loops(np.ones(3)), has_loops(np.ones(3, "float16"))
    (True, False)
    """
    return all(
        x.dtype in OF_NUMPY
        if type(x) is np.ndarray
        else get_dtype_name(x) in DTYPES and in_memory(x)
        for x in arrays
    )


def in_memory(x: Any) -> bool:
    """Whether numpy reads the numbers where they lie: arrays of numpy, or of torch on the CPU."""
    if type(x) is np.ndarray:
        return x.dtype.isnative
    if infer_backend(x) == "numpy":
        return x.dtype.isnative
    if (
        infer_backend(x) != "torch"
        or x.device.type != "cpu"
        or x.layout != sys.modules["torch"].strided
    ):
        return False
    return not sys.modules["torch"]._C._functorch.is_functorch_wrapped_tensor(x)


def as_rows(x: Any) -> np.ndarray:
    """The same numbers as a contiguous numpy array; shares memory wherever it can."""
    if type(x) is np.ndarray:
        return np.ascontiguousarray(x)
    if infer_backend(x) == "torch":
        x = x.detach().resolve_conj().resolve_neg()
    return np.ascontiguousarray(to_numpy(x))


def in_threads(function: Callable[[int, int], Any], count: int, least: int = 1) -> None:
    """Call ``function(start, stop)`` for parts of ``range(count)``, in threads.

    Parameters
    ----------
    function : callable
        Works on its part alone, mostly in loops; what it returns is dropped.
    count : int
    least : int, optional
        What is worth a thread.

    Raises
    ------
    BaseException
        The first that the function raises, once all threads have ended.
    """
    parts = max(1, count // max(1, least))
    threads = min(parts, _threads()) if parts > 1 else 1
    if threads == 1:
        function(0, count)
        return
    parts = min(parts, PARTS * threads)
    edges = [count * i // parts for i in range(parts + 1)]
    left, failed = iter(list(itertools.pairwise(edges))), []

    def _work(done=None):
        try:
            for part in left:  # each thread takes the next one
                function(*part)
        except BaseException as error:
            failed.append(error)
        finally:
            if done is not None:
                done.release()

    ends = [_thread.allocate_lock() for _ in range(threads - 1)]
    for done in ends:  # nobody waits until they have begun, which may take as long as a part
        done.acquire()
        try:
            _thread.start_new_thread(_work, (done,))
        except RuntimeError:  # the system has none left, and the others do its share
            done.release()
    _work()
    for done in ends:  # none stay behind
        done.acquire()
    if failed:
        raise failed[0]


def _threads():
    """As many threads as numba is given, leaving those of torch alone.

    Where numba is asked for the first time it starts threads, and tells OpenMP how many there are.
    """
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    found = numba.get_num_threads()
    if torch and torch.get_num_threads() != before:
        torch.set_num_threads(before)
    return found
