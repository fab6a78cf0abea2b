"""`contract_sliced`: what a task gives, from the sum of the slices of its contraction.

::

    state, task --> Hypergraph, Numbers --add_slices--> Sum --> amplitude, norm, density matrix, ...
"""

import functools
import math

import numpy as np
from autoray import get_dtype_name
from quimb.tensor import TensorNetworkGenVector

from ..errors import (
    MethodError,
    OptionError,
    RangeError,
    check_info,
    check_option,
    check_positive_int,
)
from ..hyper.operands import common_dtype, read_operator
from ..jobs import as_pool
from ..networks import DeepNetwork
from ..numerics.scaled import array_like, decimal
from ..numerics.sizes import check_norm
from ..numerics.torch_modes import full_precision
from ..numerics.traced import PURE, is_constant
from ..numerics.weights import MAX_BYTES
from ..tensors import RecursiveNetwork, to_tensor_network
from ..tensors.collapsed import quimb_vector
from .arrays import numbers_of, read_spins
from .kets import FORMS, Form, ket_of
from .optimizers import check_optimizer
from .slices import add_slices
from .tasks import problem_of, read_task


@full_precision
def contract_sliced(
    state,
    task="norm",
    executor=None,
    target_size=None,
    *,
    form=None,
    optimize="quick",
    config=None,
    G=None,
    shared=False,
    strip_exponent=False,
    checkpoint=None,
    progbar=False,
    max_bytes=MAX_BYTES,
    info=None,
):
    """Contract a state slice by slice, here or on other processes and machines.

    Parameters
    ----------
    state : ConvAC, RAC, RBM, their tensor networks, or any quimb vector
    task : str or (str, where), optional
        As in `path_report`: ``"amplitude"`` (with ``config``), ``"dense"``, ``"norm"``,
        ``("partial_trace", where)``, ``("local_expectation", where)`` (with ``G``).
    executor : optional
        A `concurrent.futures` executor, a ``dask.distributed.Client``, an
        ``mpi4py.futures.MPIPoolExecutor``, or what cotengra takes as ``parallel=``; by default all
        slices are done here. Work lost with a worker is computed again.
    target_size : int, optional
        Slice until no intermediate has more elements; by default one slice.
    form : {"expanded", "collapsed"}, optional
        By default networks are collapsed, and tensor networks taken as they stand.
    optimize : str, optimizer, tree or path, optional
        See `path_report`; an existing checkpoint is resumed along its own path.
    config : str or sequence of int, optional
        The spins of ``"amplitude"``.
    G : array, shape (d**n, d**n), optional
        The operator of ``"local_expectation"``.
    shared : bool, optional
        Do equal steps once, at the cost that ``path_report(shared=True)`` tells; worth it for
        ``form="expanded"``.
    strip_exponent : bool, optional
        Return a mantissa and a decimal exponent, which never leave the range of floats.
    checkpoint : str or path, optional
        An ``.npz`` file that keeps the path and the sum after each chunk, and is resumed from.
    progbar : bool, optional
        Show a progress bar over the chunks.
    max_bytes : int, optional
        Refuse slices that need more at once.
    info : dict, optional
        Receives ``slices``, ``chunks``, ``flops`` and ``log2_width`` of what was contracted, and
        the ``overhead`` of slicing: how many times more flops that is than without.

    Returns
    -------
    scalar or array
        The amplitude; the state, shape (D, 1); the norm (not squared, as quimb's); the density
        matrix, shape (d**n, d**n), of trace 1; the expectation value in the normalised state,
        which comes from the density matrix, so that one contraction gives value and norm. With
        ``strip_exponent`` a pair.

    Raises
    ------
    OptionError, SitesError, ConfigError
        If an argument is not understood, or does not fit the state.
    BudgetError
        If no slicing reaches ``target_size``, or a slice needs too much memory.
    RangeError
        If the result leaves the range of its dtype.
    WorkerError
        If the executor died; what is done is in the checkpoint.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(12, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    >>> info = {}
    >>> norm = qdn.contract_sliced(net, "norm", target_size=2**9, info=info)
    >>> bool(abs(norm / net.collapse().norm() - 1) < 1e-12), info["slices"] > 1
    (True, True)
    """
    name, where = read_task(task)
    if name == "schmidt_values":
        raise OptionError(
            f"task={task!r} is more than a contraction; use schmidt_values(state, where), or "
            "contract ('partial_trace', where)."
        )
    optimize, executor = check_optimizer(optimize), as_pool(executor)
    if target_size is not None:
        target_size = check_positive_int("target_size", target_size, OptionError)
    info = check_info(info)
    if form is not None:
        check_option("form", form, FORMS)
    tn = _vector(state, form)
    ket = ket_of(tn, Form())
    _check_extras(name, config, G)
    spins = read_spins(tn, ket, config) if name == "amplitude" else None
    graph = problem_of(ket, "partial_trace" if name == "local_expectation" else name, where)
    operator = None if G is None else _operator(G, graph)
    numbers = numbers_of(tn, ket, graph.squeezed(), spins)
    found = add_slices(
        graph,
        numbers,
        {"task": name, "where": repr(where), "target_size": target_size, "shared": bool(shared)},
        optimize=optimize,
        executor=executor,
        checkpoint=checkpoint,
        progbar=progbar,
        max_bytes=max_bytes,
        info=info,
    )
    return _result(name, found, numbers, operator, strip_exponent)


@functools.singledispatch
def _vector(state, form):
    """The quimb vector that a state is contracted as."""
    what = "is taken as it stands" if form == "collapsed" else "is not a known kind of state"
    raise OptionError(
        f"a {type(state).__name__} {what}; give a ConvAC, RAC or RBM, or a quimb vector such "
        "as an MPS or PEPS (without form)."
    )


@_vector.register
def _vector_of_network(state: DeepNetwork, form):
    return to_tensor_network(state) if form == "expanded" else quimb_vector(state)


@_vector.register
def _vector_of_expanded(state: RecursiveNetwork, form):
    return state.collapse() if form == "collapsed" else state


@_vector.register
def _vector_of_vector(state: TensorNetworkGenVector, form):
    return _vector.dispatch(object)(state, form) if form == "collapsed" else state


def _check_extras(name, config, G):
    """Refuse a configuration or an operator where none belongs, and their lack."""
    for word, given, task in (("config", config, "amplitude"), ("G", G, "local_expectation")):
        if given is None and name == task:
            what = "a configuration, such as '0110'" if word == "config" else "an operator"
            raise OptionError(f"task={task!r} needs {word}=, {what}.")
        if given is not None and name != task:
            raise OptionError(f"{word}= belongs to task={task!r}; leave it out for {name!r}.")


def _operator(G, graph):
    """An operator as a matrix of the right size."""
    dims = tuple(graph.size_dict[ix] for ix in graph.output)
    size = math.isqrt(math.prod(dims))
    read = read_operator(G, dims[: len(dims) // 2], np.empty(0))
    if getattr(G, "requires_grad", False) or not is_constant(read):
        raise MethodError(
            f"contract_sliced does not keep gradients, and G asks for them; detach it; {PURE}."
        )
    return np.asarray(read).reshape(size, size)


# ---------------------------------------------------------------- the result


def _result(name, found, numbers, operator, strip_exponent):
    """What the task asks for, where and of the dtype that the numbers are."""
    like = numbers.arrays[0]
    dtype = get_dtype_name(like) if operator is None else common_dtype(like, operator)
    give = lambda x: array_like(np.asarray(x, _dtype(x, dtype))[()], like)
    value = found.value
    if name in ("partial_trace", "local_expectation"):
        size = math.isqrt(value.size)
        rho = value.reshape(size, size)
        trace = np.trace(rho).real
        check_norm(float(trace))
        rho = rho / trace
        x = rho if operator is None else np.trace(operator @ rho)
        return (give(x), 0.0) if strip_exponent else give(x)
    factor = numbers.factor if complex(numbers.factor).imag else complex(numbers.factor).real
    value, scale = value * factor, found.scale + numbers.scale
    if name == "dense":
        value = value.reshape(-1, 1)
    if name == "norm":
        value, scale = np.sqrt(np.abs(value)), scale / 2
    top = float(np.abs(value).max())
    if top:
        shift = math.frexp(top)[1]
        value, scale = value * 2.0**-shift, scale + shift
    if strip_exponent:
        return give(value), (decimal(scale) if top else 0.0)
    return give(_in_range(value, scale, np.finfo(_dtype(value, dtype))))


def _in_range(value, scale, limits):
    """``2**scale * value`` for entries up to 1, or an error that says where it is instead."""
    whole = math.floor(scale)
    x = value * 2.0 ** (scale - whole)
    power = lambda part: np.ldexp(part, max(-5000, min(5000, whole)))
    with np.errstate(over="ignore"):
        x = power(x.real) + 1j * power(x.imag) if np.iscomplexobj(x) else power(x)
    top = float(np.abs(x).max())
    if value.any() and not float(limits.tiny) <= top <= float(limits.max):
        raise RangeError(
            f"the result is about 10**{decimal(scale):.0f}, outside the range of its dtype; "
            "use strip_exponent=True, which returns a mantissa and an exponent."
        )
    return x


def _dtype(x, name):
    """The dtype called ``name``, but real where ``x`` is real, and complex where it is complex."""
    if np.iscomplexobj(x):
        return "complex64" if name in ("float32", "complex64") else "complex128"
    return {"complex64": "float32", "complex128": "float64"}.get(name, name)
