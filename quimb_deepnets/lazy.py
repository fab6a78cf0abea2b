"""Methods of a class that live in a module further down, which is imported at their first use.

::

    class NetworkMethods:
        collapse = LazyMethod("tensors.collapsed")

    net.collapse   -->   import quimb_deepnets.tensors.collapsed
                         NetworkMethods.collapse = its function, as a method

So a network has all its methods from the start, and nobody waits for what is not used.
"""

import functools
import importlib
import inspect
import re
import types
from typing import Any


class LazyMethod:
    """A method that replaces itself by a function of another module when it is first asked for.

    Parameters
    ----------
    module : str
        Where the function lives, from the package on.
    function : str, optional
        Its name there, by default that of the method.
    static : bool, optional
        Whether it is a static method.
    """

    def __init__(self, module: str, function: str | None = None, static: bool = False) -> None:
        self.module, self.function, self.static = module, function, static

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, instance: Any, cls: type | None = None) -> Any:
        module = importlib.import_module(f"{__package__}.{self.module}")
        function = getattr(module, self.function or self.name)
        function = staticmethod(function) if self.static else function
        method = as_method(function, self.owner, self.name)
        setattr(self.owner, self.name, method)
        return method.__get__(instance, cls)


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
