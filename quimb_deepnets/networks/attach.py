"""Methods from further down the ladder: how a lower module gives one to classes of networks.

::

    networks    class ConvAC            psi.collapse()
                      ^                       |
    tensors     @register_method(ConvAC)  def collapse(net)
"""

import functools
import inspect
import re
import reprlib
import types
from collections.abc import Callable
from typing import Any

from ..errors import OptionError

ATTACHED: dict[type, dict[str, Any]] = {}  # by class: name and method, as they were attached


def register_method(*classes: type, name: str | None = None) -> Callable[[Any], Any]:
    """Attach a function to classes as a method: how modules further down extend networks.

    The first parameter of the function is the object, whatever its name: ``help`` of the method
    shows ``self``.

    Parameters
    ----------
    *classes : type
        The classes that get the method.
    name : str, optional
        Name of the method, by default the function's own.

    Raises
    ------
    OptionError
        If something is not a class, there is none, or one already has an attribute of that name.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> @qdn.register_method(qdn.ConvAC, qdn.RAC)
    ... def params_per_site(net):
    ...     return net.num_params / net.nsites
    >>> qdn.RAC.rand(4, depth=1, bond_dim=2).params_per_site()
    3.0
    """

    if not classes or not all(isinstance(cls, type) for cls in classes):
        shown = ", ".join(map(reprlib.repr, classes))
        raise OptionError(
            f"register_method({shown}) does not name a class for the method; give classes, as in "
            "@register_method(ConvAC, RAC)."
        )
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise OptionError(f"name={name!r} cannot name a method; give an identifier.")

    def _attach(function):
        if not callable(function):
            raise OptionError(f"{function!r} cannot be called; decorate a function.")
        method = name or function.__name__
        for cls in classes:
            if hasattr(cls, method):
                raise OptionError(
                    f"{cls.__name__} already has an attribute {method!r}; choose another name."
                )
            attached = as_method(function, cls, method)
            setattr(cls, method, attached)
            ATTACHED.setdefault(cls, {})[method] = attached
        return function

    return _attach


def as_method(function: Any, cls: type, name: str) -> Any:
    """A function as a method of a class: named for it, with ``self`` as its first parameter.

    Anything but a plain function (a staticmethod, a partial) is returned as it is.
    """
    if not isinstance(function, types.FunctionType):
        return function
    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    if first.kind is first.POSITIONAL_OR_KEYWORD:
        first = first.replace(name="self", annotation=inspect.Parameter.empty)

    # a copy, not a wrapper: warnings and tracebacks count the same frames either way
    method = types.FunctionType(
        function.__code__,
        function.__globals__,
        name,
        function.__defaults__,
        function.__closure__,
    )
    functools.update_wrapper(method, function)
    method.__kwdefaults__ = function.__kwdefaults__
    method.__name__, method.__qualname__ = name, f"{cls.__name__}.{name}"
    method.__doc__ = _without_entry(function.__doc__, next(iter(signature.parameters)))
    method.__signature__ = signature.replace(parameters=[first, *others])  # type: ignore[attr-defined]
    return method


def _without_entry(doc, name):
    """A docstring without the entry of one parameter, which is ``self`` now."""
    found = doc and re.search(rf"^    {name} : .*\n(?:     .*\n)*", doc, re.M)
    return doc[: found.start()] + doc[found.end() :] if found else doc
