"""Arrays of weights: seeded random ones, and the rules that given ones must obey.

Shapes follow one rule, out before in: a matrix is ``(bond_out, bond_in)``, whatever counts taps
or positions stands before it::

    shared, chain      (kernel, out, in)          unshared, chain    (positions, kernel, out, in)
    shared, lattice    (Kx, Ky, out, in)          unshared, lattice  (Px, Py, Kx, Ky, out, in)
"""

import contextlib
import math
import numbers
import operator
import reprlib

import numpy as np
from autoray import do, get_dtype_name, infer_backend

from ..errors import BudgetError, OptionError, WeightError, check_option
from .traced import PURE

DISTS = ("normal", "uniform", "rademacher")
MAX_BYTES = 2**32  # what one call may hold, unless it is told otherwise
DTYPES = ("float32", "float64", "complex64", "complex128")


def make_rng(seed=None):
    """A numpy generator from a seed: what every ``seed=`` of the package means.

    Parameters
    ----------
    seed : None, int, sequence of int, or numpy.random.Generator, optional
        None draws fresh entropy. Equal non-negative integers, of Python or of any array library,
        give equal draws; so do equal sequences of them. A ``Generator`` is used as it is and goes
        on from where it stands, as do numpy's ``BitGenerator`` and ``RandomState``; a
        ``SeedSequence`` starts anew.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    OptionError
        For anything else: a negative number, a bool, a float, a string, a generator of torch.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.numerics.weights import make_rng
    >>> bool(make_rng(3).random() == make_rng(np.uint8(3)).random())
    True
    """
    if isinstance(seed, np.random.RandomState):
        return np.random.Generator(seed._bit_generator)
    if isinstance(seed, (np.random.Generator, np.random.BitGenerator, np.random.SeedSequence)):
        return np.random.default_rng(seed)
    try:
        return np.random.default_rng(None if seed is None else _whole_numbers(seed))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"seed={reprlib.repr(seed)} is not a seed; give None, a non-negative int (or a "
            "sequence of them) or a numpy Generator."
        ) from error


def _whole_numbers(seed):
    """A non-negative int, or a flat, filled list of them; TypeError or ValueError otherwise."""
    if hasattr(seed, "tolist"):
        seed = seed.tolist()
    given = seed if isinstance(seed, (list, tuple, range)) else [seed]
    found = [operator.index(x) for x in given if not isinstance(x, (bool, np.bool_))]
    if not found or len(found) < len(given) or min(found) < 0:
        raise ValueError("not non-negative whole numbers")
    return found if given is seed else found[0]


def check_budget(shapes, dtype="float64", max_bytes=MAX_BYTES):
    """Refuse weights that would take too much memory, before any is made.

    Parameters
    ----------
    shapes : iterable of tuple[int]
    dtype : str, optional
    max_bytes : int, optional

    Raises
    ------
    BudgetError

    Examples
    --------
    >>> from quimb_deepnets.numerics.weights import check_budget
    >>> check_budget([(3, 10**6, 10**6)])
    Traceback (most recent call last):
    quimb_deepnets.errors.BudgetError: the weights need 24000000000000 bytes, more than the \
    4294967296 allowed; use a smaller bond_dim (alpha of an RBM), kernel, phys_dim or depth.
    """
    need = sum(map(math.prod, shapes)) * np.dtype(check_numpy_dtype(dtype)).itemsize
    if need > max_bytes:
        raise BudgetError(
            f"the weights need {need} bytes, more than the {max_bytes} allowed; use a smaller "
            "bond_dim (alpha of an RBM), kernel, phys_dim or depth."
        )


def check_dtype(dtype):
    """The name of a dtype of weights, from its name, ``float``, ``complex`` or some backend's."""
    name = str(dtype).rsplit(".")[-1]  # torch's own
    if isinstance(dtype, (str, type, np.dtype)):
        with contextlib.suppress(TypeError):  # no dtype: refused by its name
            name = np.dtype(dtype).name
    return check_option("dtype", name, DTYPES)


def check_numpy_dtype(dtype):
    """The name of a dtype of arrays that are made here, in numpy; that of another library is not.

    Raises
    ------
    OptionError
    """
    if infer_backend(dtype) == "torch" or str(dtype).startswith("torch."):
        name = str(dtype).rsplit(".")[-1]
        raise OptionError(
            f"dtype={dtype} is of torch, and new weights are arrays of numpy; use dtype={name!r}, "
            "then .to('torch')."
        )
    return check_dtype(dtype)


def random_array(shape, rng, dist="normal", loc=0.0, scale=1.0, dtype="float64"):
    """Draw one array with independent entries.

    Parameters
    ----------
    shape : tuple[int]
        Its shape.
    rng : numpy.random.Generator
        Where the randomness comes from.
    dist : {"normal", "uniform", "rademacher"}, optional
        Distribution with mean 0 and variance 1 (``"uniform"``: on ``[-1, 1)``, as in quimb).
        Complex entries are ``(a + ib) / sqrt(2)`` of two independent draws.
    loc, scale : float, optional
        The draws are multiplied by ``scale``, then ``loc`` is added.
    dtype : str, optional
        One of float32, float64, complex64, complex128.

    Returns
    -------
    numpy.ndarray
    """
    check_option("dist", dist, DISTS)
    name = check_numpy_dtype(dtype)
    for option, value in (("loc", loc), ("scale", scale)):
        if not isinstance(value, numbers.Number) or (
            isinstance(value, complex) and not name.startswith("complex")
        ):
            raise OptionError(f"{option}={value!r} is not a number for dtype {name}; give a float.")
    draw = {
        "normal": rng.normal,
        "uniform": lambda size: rng.uniform(-1.0, 1.0, size),
        "rademacher": lambda size: rng.choice([-1.0, 1.0], size),
    }[dist]
    x = draw(size=shape)
    if name.startswith("complex"):
        x = (x + 1j * draw(size=shape)) / math.sqrt(2)
    return (loc + scale * x).astype(name)


def as_array(x):
    """Leave arrays of any backend as they are; turn nested lists into a numpy array."""
    if isinstance(getattr(x, "shape", None), tuple):
        return x
    if hasattr(x, "shape"):
        raise WeightError(f"a {type(x).__name__} is not an array of weights; give a dense array.")
    try:
        return np.asarray(x)
    except ValueError as error:
        raise WeightError("an array of weights is ragged; all its rows need one length.") from error


def check_sequence(name, x):
    """Return ``x`` as a list if it is a sequence of one entry per layer, else refuse it."""
    if isinstance(x, str) or not hasattr(x, "__iter__") or getattr(x, "shape", None) == ():
        raise WeightError(f"{name}={x!r} is not a sequence; give one entry per layer.")
    return list(x)


def check_axes(name, x, ndim):
    """Refuse an array that does not have ``ndim`` axes."""
    if len(x.shape) != ndim:
        raise WeightError(f"{name} has shape {tuple(x.shape)}; give an array of {ndim} axes.")


def check_arrays(arrays, shapes):
    """Check named arrays: shapes, one floating dtype, one backend and device, finite entries.

    Parameters
    ----------
    arrays : dict[str, array]
        The arrays by name.
    shapes : dict[str, tuple[int]]
        The shape that each must have.

    Raises
    ------
    WeightError
        Naming the first array that breaks a rule.
    """
    for name, x in arrays.items():
        if tuple(x.shape) != tuple(shapes[name]):
            raise WeightError(
                f"{name} has shape {tuple(x.shape)}, but the geometry asks for "
                f"{tuple(shapes[name])}; matrices are (bond_out, bond_in), taps and positions "
                "before them."
            )
    for what, of in (
        ("dtype", get_dtype_name),
        ("backend", infer_backend),
        ("device", lambda x: str(x.device) if infer_backend(x) == "torch" else "cpu"),
    ):
        kinds = {}
        for name, x in arrays.items():
            kinds.setdefault(of(x), name)
        if len(kinds) > 1:
            listed = ", ".join(f"{kind} ({name}, ...)" for kind, name in kinds.items())
            raise WeightError(
                f"the arrays have mixed {what}s: {listed}; all must have one {what}, "
                "so convert them before you build the network."
            )
    for name, x in arrays.items():
        if get_dtype_name(x) not in DTYPES:
            raise WeightError(
                f"{name} has dtype {get_dtype_name(x)}; use one of {', '.join(DTYPES)}."
            )
        if getattr(x, "is_meta", False):
            raise WeightError(
                f"{name} is on torch's meta device, which holds shapes without numbers; give "
                "arrays on a device such as 'cpu' or 'cuda'."
            )
        if not _is_finite(name, x):
            raise WeightError(
                f"{name} holds nan or inf; every weight must be finite: look at where it "
                "came from (a diverged optimisation, a division by zero)."
            )


def _is_finite(name, x):
    try:
        if infer_backend(x) != "autograd":
            return bool(do("all", do("isfinite", x)))
        error = None
    except ImportError as caught:  # autoray looks for the function where the class is from
        raise WeightError(
            f"{name} is a {type(x).__name__}, which is not a dense array; give one of numpy, torch "
            "or jax."
        ) from caught
    except (TypeError, RuntimeError) as caught:
        error = caught
    raise WeightError(
        f"{name} is traced (by jit, vmap or autograd), and a network looks at its numbers; build "
        f"it from arrays that are there, outside; {PURE}, and the tensors of "
        "net.to_tensor_network() and net.collapse() may be traced too. For derivatives alone use "
        "log_derivatives, torch or jax.grad."
    ) from error


def check_nonzero(name, x):
    """Refuse a vector of zeros where the product would vanish with it."""
    if not bool(do("any", x != 0)):
        raise WeightError(
            f"{name} is zero, and every amplitude is a multiple of it, so the state would "
            "vanish identically; give a non-zero vector, such as ones."
        )
