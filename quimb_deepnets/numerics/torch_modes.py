"""What torch is doing while this code runs: compiling, stacking, rounding matrix products.

::

    torch.compile   arrays have no numbers yet      torch.func.vmap   one array stands for many
    torch.autocast  products of matrices would be rounded, and are not under `full_precision`
"""

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable)


def is_compiling():
    """Whether ``torch.compile`` reads this code, for which arrays have no numbers yet."""
    torch: Any = sys.modules.get("torch")
    if torch is None or torch.compiler.is_compiling():
        return torch is not None
    key = torch._C._TorchDispatchModeKey.FAKE  # within a graph, old versions of torch say no
    return torch._C._get_dispatch_mode(key) is not None


def is_stacked(x):
    """Whether an array of torch is one of many under a vmap, whatever differentiates it."""
    while functorch().is_functorch_wrapped_tensor(x):
        if functorch().is_batchedtensor(x):
            return True
        x = functorch().get_unwrapped(x)
    return False


def functorch():
    """The module of function transforms of torch, which is imported if an array of it exists."""
    return sys.modules["torch"]._C._functorch


def full_precision(function: Function) -> Function:
    """Run a function with ``torch.autocast`` off, which would round its matrix products."""

    @functools.wraps(function)
    def _run(*args, **kwargs):
        devices = _rounding_devices()
        if not devices:
            return function(*args, **kwargs)
        torch: Any = sys.modules["torch"]
        with contextlib.ExitStack() as stack:
            for device in devices:
                stack.enter_context(torch.autocast(device, enabled=False))
            return function(*args, **kwargs)

    return _run  # type: ignore[return-value]


def _rounding_devices():
    """The devices on which ``torch.autocast`` rounds now."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return []
    found, available = torch.is_autocast_enabled, torch.amp.is_autocast_available
    return [each for each in ("cpu", "cuda", "mps", "xpu") if available(each) and found(each)]
