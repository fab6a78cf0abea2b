"""The measures as methods of quimb's vectors, on request; our own classes have them anyway.

::

    register_with_quimb()
    mera.entropy(3)   peps.entropy([(0, 1)])     every TensorNetworkGenVector
"""

from quimb.tensor import TensorNetworkGenVector

from ..hyper.vector import HyperVector
from ..lazy import as_method
from . import measures, two_subsystems

MEASURES = {
    function.__name__: function
    for function in (
        measures.schmidt_values,
        measures.entropy,
        measures.entropies,
        measures.renyi_entropy,
        measures.schmidt_gap,
        two_subsystems.mutinf_subsys,
        two_subsystems.logneg_subsys,
        measures.entanglement_plan,
    )
}

_attached: list[str] = []


def register_with_quimb() -> tuple[str, ...]:
    """Make the entanglement measures methods of every quimb vector: ``mera.entropy(where)``.

    No method that quimb has is replaced: ``MatrixProductState.entropy(i)`` stays quimb's. Calling
    it again changes nothing; `unregister_from_quimb` takes it back.

    Returns
    -------
    tuple[str, ...]
        The names that are methods now.

    Examples
    --------
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> added = qdn.register_with_quimb()
    >>> bool(qtn.PEPS.rand(3, 3, 2, seed=0).entropy([(0, 0), (1, 1)]) > 0)
    True
    >>> qdn.unregister_from_quimb()
    """
    for name in MEASURES:
        if name not in _attached and not any(
            hasattr(cls, name) and not issubclass(cls, HyperVector) and _would_change(cls, name)
            for cls in _with_subclasses(TensorNetworkGenVector)
        ):
            setattr(
                TensorNetworkGenVector,
                name,
                as_method(MEASURES[name], TensorNetworkGenVector, name),
            )
            _attached.append(name)
    return tuple(_attached)


def unregister_from_quimb() -> None:
    """Take back what `register_with_quimb` added.

    Examples
    --------
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> qdn.unregister_from_quimb()
    >>> hasattr(qtn.MERA, "entropy")
    False
    """
    while _attached:
        delattr(TensorNetworkGenVector, _attached.pop())


def _would_change(cls, name):
    """Whether a class finds its own attribute only behind `TensorNetworkGenVector`."""
    base = cls.__mro__.index(TensorNetworkGenVector)
    return not any(name in vars(c) for c in cls.__mro__[:base])


def _with_subclasses(cls):
    """A class and all that are derived from it."""
    yield cls
    for sub in cls.__subclasses__():
        yield from _with_subclasses(sub)
