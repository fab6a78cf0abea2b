"""Weights as a value: named arrays, kept in one place and read from nowhere else.

A name is a leaf or a part of a leaf, so that the matrices of a layer have names of their own while
its array is one that may be trained::

    leaves    "W1": (K, out, in)        "READOUT": (out,)        the only arrays that are kept
                |     |     |                |
    names     "W1,0" "W1,1" "W1,2"       "READOUT"               ``leaf[index]``, made when read

Leaves of numpy are read-only copies, so nothing computed from them becomes stale. Leaves of torch
are the arrays that were given, so training them in place changes what is read.
"""

import copy
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from autoray import infer_backend

from ..errors import WeightError
from ..numerics.traced import check_constant, is_there


class Params(Mapping):
    """A read-only mapping from names to arrays.

    Parameters
    ----------
    leaves : dict[str, array]
        The arrays that are kept. Arrays of numpy are copied, unless nobody can write them.
    parts : dict[str, tuple[str, tuple]], optional
        For each name the leaf and the index that select its array, in the order of the names; by
        default the names are those of the leaves.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
    >>> net.params
    Params(WH1: (2, 2), WI1: (2, 2), H01: (2,), READOUT: (2,))
    >>> net.params["READOUT"] = [1.0, 2.0]
    Traceback (most recent call last):
    quimb_deepnets.errors.WeightError: the weights of a network cannot be assigned: 'READOUT' is \
part of its value; make a new network with net.with_params({'READOUT': ...}).
    """

    def __init__(
        self, leaves: Mapping[str, Any], parts: Mapping[str, tuple[str, tuple]] | None = None
    ) -> None:
        self._leaves = {name: frozen(x) for name, x in leaves.items()}
        self._parts = {name: (name, ()) for name in leaves} if parts is None else dict(parts)
        fixed = all(not trainable_in_place(x) for x in self._leaves.values())
        self._views = {name: self._view(name) for name in self._parts} if fixed else None

    @property
    def leaves(self) -> Mapping[str, Any]:
        """The arrays that are kept, by name: the ones that torch trains."""
        return types.MappingProxyType(self._leaves)

    def _view(self, name):
        leaf, index = self._parts[name]
        return self._leaves[leaf][index] if index else self._leaves[leaf]

    def __getitem__(self, name: str) -> Any:
        return self._view(name) if self._views is None else self._views[name]

    def __setitem__(self, name: str, value: Any) -> None:
        raise WeightError(
            f"the weights of a network cannot be assigned: {name!r} is part of its value; make a "
            f"new network with net.with_params({{{name!r}: ...}})."
        )

    __delitem__ = lambda self, name: self.__setitem__(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        shapes = [f"{name}: {tuple(x.shape)}" for name, x in self.items()]
        if len(shapes) > 8:
            shapes[4:-1] = ["..."]
        return f"{type(self).__name__}({', '.join(shapes)})"

    def __eq__(self, other: object) -> bool:
        """Whether all names, libraries, dtypes and numbers are equal, in the same order."""
        if not isinstance(other, Params):
            return NotImplemented
        return list(self) == list(other) and all(map(_equal, self.values(), other.values()))

    __hash__ = None  # type: ignore[assignment]  # weights of torch may change

    def __deepcopy__(self, memo):
        leaves = {name: independent(x, memo) for name, x in self._leaves.items()}
        return type(self)(leaves, self._parts)

    def __reduce__(self):
        check_constant(self._leaves.values(), "pickle")
        leaves = {name: independent(x, {}) for name, x in self._leaves.items()}
        return type(self), (leaves, self._parts)


def _equal(x, y):
    """Whether two arrays are of one library, device, dtype and shape, with equal numbers."""
    if x is y:
        return True
    alike = infer_backend(x) == infer_backend(y) and x.dtype == y.dtype and x.shape == y.shape
    if not alike or getattr(x, "device", None) != getattr(y, "device", None):
        return False
    return bool((x == y).all())


def trainable_in_place(x: Any) -> bool:
    """Whether an array may change after it was given: only those of torch."""
    return infer_backend(x) == "torch"


def needs_split(x: Any) -> bool:
    """Whether parts of an array would be lost to training: torch, and no grad required yet."""
    return trainable_in_place(x) and not x.requires_grad


def frozen(x: Any) -> Any:
    """The array as a leaf: copied if numpy could write it, without lazy conjugation of torch.

    What other machines wrote gets the order of bytes of this one, which other libraries want.
    """
    if isinstance(x, np.ndarray):
        if x.flags.writeable or not x.dtype.isnative or not _immutable_base(x):
            x = np.array(x, x.dtype.newbyteorder("="), copy=True, subok=False)
            x.flags.writeable = False
        return x
    if trainable_in_place(x):
        return x.resolve_conj().resolve_neg()
    return x


def _immutable_base(x):
    """Whether nobody can write the memory that an array shows."""
    while isinstance(x, np.ndarray):
        if x.flags.writeable:
            return False
        x = x.base
    return x is None


def writable(x: Any) -> Any:
    """The array, or of numpy a copy that may be written."""
    return x.copy() if isinstance(x, np.ndarray) else x


def own_copy(x: Any) -> Any:
    """A copy with memory of its own that may be written, differentiable where ``x`` is."""
    return x.clone() if trainable_in_place(x) else writable(x)


def independent(x: Any, memo: dict) -> Any:
    """A copy with memory of its own, a leaf of torch that requires grad if ``x`` does."""
    if not trainable_in_place(x):
        return x
    if not is_there(x):
        return x.clone()  # a leaf cannot be made inside of a transform
    if x.is_leaf and x._base is None:
        return copy.deepcopy(x, memo)
    if id(x) not in memo:
        memo[id(x)] = x.detach().clone().requires_grad_(x.requires_grad)
    return memo[id(x)]
