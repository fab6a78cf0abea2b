"""Numbers that are not there yet: those of jit, vmap and of the transforms of ``torch.func``.

::

    jax.grad, requires_grad of torch      numbers with derivatives      looked at as any other
    jax.jit, vmap, torch.func             stand-ins for numbers         right unless looked at
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from autoray import infer_backend, to_numpy

from ..errors import MethodError
from .scaled import mutable

# what remains where numbers are traced: the end of every refusal
PURE = "net.to_function() gives log psi as a pure function for jit, vmap and grad"


def is_there(x: Any) -> bool:
    """Whether the numbers of an array can be looked at, whoever differentiates them."""
    if isinstance(x, np.ndarray):
        return True
    if infer_backend(x) == "torch":
        return mutable(x.detach())
    try:
        bool(x.reshape(-1)[0] == 0) if np.size(x) else None
    except (TypeError, RuntimeError):
        return False
    return True


def is_plain(x: Any) -> bool:
    """Whether an array is one of numpy, or can become one as it is."""
    try:
        return is_there(x) and isinstance(to_numpy(x), np.ndarray)
    except (TypeError, RuntimeError):
        return False


def check_there(arrays: Iterable[Any], what: str) -> None:
    """Refuse arrays whose numbers cannot be looked at.

    Parameters
    ----------
    arrays : iterable of array
    what : str
        What looks at them.

    Raises
    ------
    MethodError

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.numerics.traced import check_there
    >>> check_there([np.ones(3)], "this")
    """
    if not all(map(is_there, arrays)):
        raise MethodError(
            f"{what} looks at the numbers of a state, and here they are traced (by jit, vmap or a "
            "transform of torch.func); call it outside. For derivatives use jax.grad without jit "
            f"and vmap, or arrays of torch that require grad; {PURE}."
        )


def check_plain(arrays: Iterable[Any], what: str) -> None:
    """Refuse arrays that are differentiated where derivatives would be lost with an error.

    Raises
    ------
    MethodError
    """
    if not all(map(is_plain, arrays)):
        raise MethodError(
            f"{what} computes with numbers of numpy, and these are traced (by jax, autograd or "
            "torch.func); call it outside, with arrays that nothing differentiates, or use an "
            f"exact method; {PURE}."
        )


def is_constant(x: Any) -> bool:
    """Whether no compiler or transform stands behind an array, whatever torch itself records."""
    return is_there(x) if infer_backend(x) == "torch" else is_plain(x)


def is_followed(x: Any) -> bool:
    """Whether somebody differentiates an array, or may: torch, jax or autograd."""
    return bool(getattr(x, "requires_grad", False)) or not is_constant(x)


def check_constant(arrays: Iterable[Any], what: str) -> None:
    """Refuse arrays that are differentiated where all derivatives would be zero without an error.

    Arrays of torch that require grad pass: torch itself refuses to differentiate them.

    Raises
    ------
    MethodError
    """
    if not all(map(is_constant, arrays)):
        raise MethodError(
            f"{what} has no derivatives by jax, autograd or torch.func, which differentiate or "
            "trace its weights here and would find zeros; call it outside, or differentiate "
            f"log_amplitudes there; {PURE}."
        )
