"""The errors, one class for each law that input can break, and the checks of plain values.

Every message says the value, the law and the remedy::

    DeepNetError
    +-- GeometryError   (ValueError)     shapes, kernels, strides, boundaries that do not fit
    +-- WeightError     (ValueError)     arrays of the wrong shape, dtype or content
    +-- ConfigError     (ValueError)     configurations of the sites
    +-- OptionError     (ValueError)     unknown option words, identifiers that do not identify
    +-- LegError        (ValueError)     legs of a tensor network that cannot be joined
    +-- SitesError      (ValueError)     two states on different sites
    +-- StructureError  (ValueError)     a tensor network that was changed after it was built
    +-- MethodError     (NotImplementedError)  a method of quimb that would be wrong here
    +-- MissingError    (AttributeError) a name that another object has
    +-- BudgetError     (MemoryError)    more tensors or bytes than allowed
    +-- RangeError      (OverflowError)  a number outside the range of its dtype
    +-- WorkerError     (RuntimeError)   an executor that died with its work
    +-- ExtraError      (ImportError)    an optional package that is not installed

    SamplingWarning     (RuntimeWarning) samples that may not stand for the whole state
"""

import importlib
import operator
from typing import TYPE_CHECKING

__all__ = [
    "BudgetError",
    "ConfigError",
    "DeepNetError",
    "ExtraError",
    "GeometryError",
    "LegError",
    "MethodError",
    "MissingError",
    "OptionError",
    "RangeError",
    "SamplingWarning",
    "SitesError",
    "StructureError",
    "WeightError",
    "WorkerError",
]


class DeepNetError(Exception):
    """Base class of every error that this package raises on purpose."""


class GeometryError(DeepNetError, ValueError):
    """A shape, kernel, stride or boundary that does not fit the others."""


class WeightError(DeepNetError, ValueError):
    """An array of weights with the wrong shape, dtype, backend or content."""


class ConfigError(DeepNetError, ValueError):
    """A configuration that does not name one basis state of the sites."""


class OptionError(DeepNetError, ValueError):
    """An option that is not one of the words (or forms) allowed."""


class LegError(DeepNetError, ValueError):
    """Legs of a tensor network that cannot be joined as asked."""


class SitesError(DeepNetError, ValueError):
    """Two states that do not live on the same sites."""


class StructureError(DeepNetError, ValueError):
    """A tensor network that no longer has the structure it was built with."""


class MethodError(DeepNetError, NotImplementedError):
    """A method that quimb offers and that would give a wrong result on this network."""


class MissingError(DeepNetError, AttributeError):
    """An attribute that this object does not have; the message names the one that has it."""


class BudgetError(DeepNetError, MemoryError):
    """A request for more tensors, elements or bytes than the budget allows."""


class RangeError(DeepNetError, OverflowError):
    """A number that leaves the range of its dtype."""


class WorkerError(DeepNetError, RuntimeError):
    """An executor that died, or lost the same work again and again."""


class ExtraError(DeepNetError, ImportError):
    """An optional package that is needed here and is not installed."""


def import_extra(what, extra, *modules):
    """Import optional modules, or say how to get them.

    Parameters
    ----------
    what : str
        What needs them.
    extra : str or None
        The extra of this package that brings them.
    *modules : str

    Returns
    -------
    module or tuple[module, ...]

    Raises
    ------
    ExtraError

    Examples
    --------
    >>> from quimb_deepnets.errors import import_extra
    >>> import_extra("this line", "plot", "math").pi > 3
    True
    >>> import_extra("this line", "plot", "no_such_module")
    Traceback (most recent call last):
    quimb_deepnets.errors.ExtraError: this line needs no_such_module, which is not installed; \
    install it with pip install 'quimb-deepnets[plot]'.
    """
    found = []
    for module in modules:
        try:
            importlib.import_module(module.split(".")[0])
            found.append(importlib.import_module(module))
        except ImportError as error:
            package = {"flint": "python-flint"}.get(module, module.split(".")[0])
            remedy = f"'quimb-deepnets[{extra}]'" if extra else package
            raise ExtraError(
                f"{what} needs {package}, which is not installed; install it with "
                f"pip install {remedy}."
            ) from error
    return found[0] if len(found) == 1 else tuple(found)


class Guide:
    """Base of classes whose errors about a missing attribute say which object has it.

    ``_advice(name)`` is what the error says, or None. The error is an `AttributeError`, so that
    ``hasattr``, ``getattr`` with a default, ``copy`` and ``pickle`` work as usual.
    """

    def _advice(self, name: str) -> str | None:
        return None

    if not TYPE_CHECKING:  # a type checker would accept every name

        def __getattr__(self, name):
            if not name.startswith("_"):
                if hasattr(type(self), name):  # a property that failed: its own error
                    return object.__getattribute__(self, name)
                if advice := self._advice(name):
                    what = f"{type(self).__name__} has no attribute {name!r}, {advice}."
                    raise MissingError(what, name=name, obj=self)
            what = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(what, name=name, obj=self)


class SamplingWarning(RuntimeWarning):
    """Samples that may not stand for the whole state: chains that stood still or did not mix."""


def check_option(name, value, allowed):
    """Return ``value`` if it is one of ``allowed``, else raise `OptionError`."""
    if isinstance(value, str) and value in allowed:
        return value
    words = ", ".join(map(repr, allowed))
    raise OptionError(f"{name}={value!r} is not known; use one of {words}.")


def check_info(info):
    """A dict to fill: ``info`` itself, a new one for None, else raise `OptionError`."""
    if isinstance(info, (dict, type(None))):
        return {} if info is None else info
    raise OptionError(f"info={info!r} is not a dict that could be filled; give one, or None.")


def check_positive_int(name, value, error=GeometryError):
    """Return ``value`` as an int of at least 1, else raise ``error``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise error(f"{name}={value!r} must be a whole number of at least 1; give a positive int.")
    return number
