"""Methods of users: how a function of theirs becomes a method of networks.

::

    @register_method(ConvAC, RAC)
    def params_per_site(net): ...        psi.params_per_site()
"""

import reprlib
from collections.abc import Callable
from typing import Any

from ..errors import OptionError
from ..lazy import as_method


def register_method(*classes: type, name: str | None = None) -> Callable[[Any], Any]:
    """Attach a function to classes as a method.

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
            setattr(cls, method, as_method(function, cls, method))
        return function

    return _attach
