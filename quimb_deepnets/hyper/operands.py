"""Operands: what a user joins to a network, brought to its library, its device and one dtype.

quimb's operators and states are numpy arrays, often complex; a network may hold torch arrays of
single precision. Each array that enters is converted, and where its dtype holds more, so are the
arrays that are there::

    psi: torch float64    G: numpy complex128    ->    psi, G: torch complex128
"""

import functools
import math
import numbers
from typing import Any

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend, stop_gradient, to_numpy
from quimb.tensor import PTensor
from quimb.tensor.array_ops import PArray

from ..errors import OptionError, RangeError, check_info
from ..numerics.scaled import look, mutable, readable
from ..numerics.traced import is_there
from .parts import PartNetwork

SEEN = ("builtins", "numpy", "torch")  # whose numbers can be looked at


def common_dtype(*arrays):
    """The name of the dtype that holds the entries of all arrays.

    Raises
    ------
    OptionError
        If an array has a dtype that has none in common with the others.
    """
    names = list(dict.fromkeys(get_dtype_name(x) for x in arrays))
    try:
        name = np.result_type(*names).name
    except TypeError as error:
        raise OptionError(
            f"{' and '.join(names)} have no common dtype; convert to float32, float64, "
            "complex64 or complex128."
        ) from error
    if name not in ("float32", "float64", "complex64", "complex128"):
        raise OptionError(
            f"dtypes {' and '.join(names)} need {name}, which is not supported; convert to "
            "float32, float64, complex64 or complex128."
        )
    return name


def traced(x):
    """Whether a number cannot be looked at, because a compiler or vmap stands in for it."""
    try:
        bool(x == 0)
    except (TypeError, RuntimeError):
        return True
    return False


def in_common(x, like):
    """An array in the library and on the device of ``like``, of a dtype that holds both.

    Two arrays of numpy, or of a library other than torch, stay as they are: they mix. One that is
    differentiated by torch stays there.

    Parameters
    ----------
    x, like : array

    Returns
    -------
    array

    Raises
    ------
    OptionError
        If the two libraries, or the dtypes, cannot be joined.
    """
    mine, theirs = infer_backend(x), infer_backend(like)
    if "torch" not in (mine, theirs):
        return x
    if {mine, theirs} - {"torch", "numpy"}:
        raise OptionError(
            f"arrays of {mine} and of {theirs} cannot be contracted with each other; convert one "
            "of them, as in phi.to('torch')."
        )
    name = common_dtype(x, like)
    if theirs == "numpy":
        return to_numpy(x.resolve_conj().resolve_neg().detach()) if mutable(x) else x
    if mine == "numpy":
        x = do("asarray", np.array(x).astype(name), like=like)  # a copy, and no subclass
    elif get_dtype_name(x) != name:
        x = astype(x, name)
    return x.to(like.device)


def read_operator(G, dims, like):
    """An operator as an array that can be contracted with ``like``.

    Parameters
    ----------
    G : array_like, shape (prod(dims),) * 2 or (*dims, *dims)
        Of any library; nested lists and sparse matrices are fine.
    dims : sequence of int
        The sizes of the sites (or indices) that it acts on.
    like : array
        An array of the state.

    Returns
    -------
    array
        In the library of ``like``, of a dtype that holds both, and of a shape as given.

    Raises
    ------
    OptionError
        If it is not an array of numbers, or of another size.
    """
    if isinstance(G, PArray):
        return G
    if hasattr(G, "as_network"):
        raise OptionError(
            f"G is a {type(G).__name__}, not an array; a local operator is a matrix, such as "
            "qu.pauli('Z'). Act with a network on the whole state by psi.gate_with_op_lazy(A)."
        )
    if hasattr(G, "toarray"):  # scipy
        G = G.toarray()
    elif getattr(G, "is_sparse", False) or "sparse" in str(getattr(G, "layout", "")):  # torch
        G = G.to_dense()
    try:
        # np.matrix, which multiplies in a way of its own, is an array like others
        array = isinstance(getattr(G, "shape", None), tuple) and not isinstance(G, np.ndarray)
        G = G if array else np.asarray(G)
        numeric = np.dtype(get_dtype_name(G)).kind in "biufc"
    except (TypeError, ValueError):
        numeric = False
    if not numeric:
        raise OptionError(f"G={G!r} is not an array of numbers; give a matrix.")
    size, shape = math.prod(dims), tuple(G.shape)
    if shape not in ((size, size), (*dims, *dims)):
        shapes = " or ".join(map(str, dict.fromkeys([(size, size), (*dims, *dims)])))
        raise OptionError(
            f"G has shape {shape}, but an operator on {len(dims)} site(s) of dimensions "
            f"{tuple(dims)} has shape {shapes}; give as many sites as G acts on."
        )
    if readable(G) and not bool(do("all", do("isfinite", G))):
        raise RangeError("G holds nan or inf; give a matrix of finite numbers.")
    G = in_common(G, like)
    return astype(G, common_dtype(G, like)) if infer_backend(G) == "numpy" else G


def read_terms(terms):
    """The terms of an operator, as a dict from sites to local operators.

    Raises
    ------
    OptionError
        If they are neither a dict nor a ``LocalHam``, or there are none.
    """
    if hasattr(terms, "as_network") or not hasattr(terms, "items"):
        raise OptionError(
            f"terms is a {type(terms).__name__}; give a dict from sites to operators, as in "
            "{(0, 1): G}, or a LocalHam. For an operator network A: "
            "psi.gate_with_op_lazy(A).overlap(psi) / psi.norm() ** 2."
        )
    if not (terms := dict(terms.items())):
        raise OptionError("terms is empty; give at least one, as in {(0, 1): G}.")
    return terms


def expectation(G, rho):
    """``tr(G rho)`` of an operator and a density matrix, as matrices or with one axis per leg."""
    size = math.isqrt(math.prod(rho.shape))
    rho = do("transpose", do("reshape", rho, (size, size)))
    G = in_common(G, rho)
    return do("sum", do("reshape", G, (size, size)) * in_common(rho, G))


def is_negligible(G, rho):
    """Whether an expectation value is so far below the trace that floats may have lost it.

    An operator that a compiler traces is not looked at.
    """
    if not is_there(G):
        return False
    x = do("abs", look(rho)).reshape(math.isqrt(math.prod(rho.shape)), -1)
    y = do("abs", to_numpy(stop_gradient(G))).reshape(x.shape)
    least = 2.0 ** (np.finfo(x.dtype).minexp + 24)
    return bool((x.T * y).sum() < least * x.trace() * y.max())


def read_scalar(x):
    """A number that a state is multiplied with, of Python or of any array library.

    Raises
    ------
    OptionError
        If it is not a single number.
    RangeError
        If it is an int or a fraction beyond the range of floats.
    """
    if isinstance(x, numbers.Rational):
        try:
            return x if float(x) == x and isinstance(x, numbers.Integral) else float(x)
        except OverflowError as error:
            raise RangeError(
                "a state cannot be multiplied with or divided by a number beyond 1.8e308; give it "
                "as powers that fit, one after the other."
            ) from error
    if isinstance(x, numbers.Complex):
        return x
    try:
        one = math.prod(x.shape) == 1 and np.dtype(get_dtype_name(x)).kind in "biufc"
    except (TypeError, ValueError, AttributeError):
        one = False
    if not one:
        raise OptionError(
            f"a state cannot be multiplied with or divided by a {type(x).__name__}; give one "
            "number. The product of two states with each other is psi.overlap(phi)."
        )
    return x.reshape(()) if x.shape else x


def inverse(x):
    """One over a scalar.

    Raises
    ------
    OptionError
        If it is not a number.
    RangeError
        If that is not finite.
    """
    x = read_scalar(x)
    if infer_backend(x) in SEEN and not bool(abs(x) >= np.finfo(float).tiny):
        raise RangeError(
            f"a state divided by {x} leaves the range of floats; divide by a larger number."
        )
    return 1 / x


class OperandNetwork(PartNetwork):
    """A `TensorNetwork` that converts what is joined to it, and is converted where it must be."""

    @property
    def _like(self):
        """One of the arrays: an example of their library and device; None if there is none."""
        return next((t._data for t in self.tensor_map.values() if not isinstance(t, PTensor)), None)

    def _admit(self, x):
        """An array, and in place this network, so that both can be contracted."""
        if (like := self._like) is None:
            return x
        if infer_backend(like) == "numpy" and infer_backend(x) == "torch" and not mutable(x):
            self._convert(x)  # its derivatives would be lost
            return in_common(x, self._like)
        new = in_common(x, like)
        if infer_backend(like) == "torch" and new.dtype != like.dtype:
            self._convert(new)
        return new

    def _convert(self, like):
        """Convert every tensor to one library and dtype, in place, but not its views elsewhere."""
        tensors = {t: x for t, x in self.tensor_map.items() if not isinstance(x, PTensor)}
        dtype, made = common_dtype(like, *(t._data for t in tensors.values())), {}
        for tid, t in tensors.items():
            if id(t._data) not in made:  # what was one array stays one
                made[id(t._data)] = astype(in_common(t._data, like), dtype)
            new = t.copy()
            new.modify(data=made[id(t._data)])
            self.pop_tensor(tid)
            super().add_tensor(new, tid=tid, virtual=True)

    def _unify(self):
        """Convert, in place, tensors of several libraries or dtypes that torch would not mix."""
        arrays = [t._data for t in self.tensor_map.values() if not isinstance(t, PTensor)]
        of_torch = [x for x in arrays if infer_backend(x) == "torch"]
        kinds = {(infer_backend(x), get_dtype_name(x), getattr(x, "device", None)) for x in arrays}
        if of_torch and len(kinds) > 1:
            self._convert(of_torch[0])

    def add_tensor(self, tensor, tid=None, virtual=False):
        """Add a tensor, see quimb, converted to the library, device and dtype of the others."""
        if not isinstance(tensor, PTensor):
            data = self._admit(tensor._data)
            if data is not tensor._data:
                tensor = tensor.copy()
                tensor.modify(data=data)
        super().add_tensor(tensor, tid=tid, virtual=virtual)

    def _check_acted_on(self, inds):
        """Refuse anything but outer legs: quimb would add a leg, and change the state."""
        inds = (inds,) if isinstance(inds, str) else tuple(inds)
        if len(set(inds)) < len(inds):
            raise OptionError(f"the indices {inds} name one twice; an operator takes each once.")
        for ix in inds:
            if len(self.ind_map.get(ix, ())) != 1:
                what = "is an inner one" if ix in self.ind_map else "does not exist"
                raise OptionError(
                    f"index {ix!r} {what}, so no operator acts on it; the outer ones are "
                    f"{self.outer_inds()[:8]}."
                )
        return inds

    def gate_inds(self, G, inds, contract=False, tags=None, info=None, inplace=False, **opts):
        """Act with an operator on one or more outer indices, see quimb.

        Raises
        ------
        OptionError
            If an index is not an outer one, or the operator has another size.
        """
        check_info(info)
        inds = self._check_acted_on(inds)
        new: Any = self if inplace else self.copy()
        G = self._read(G, inds)
        G = G if isinstance(G, PArray) else new._admit(G)
        opts |= {"contract": contract, "tags": tags, "info": info, "inplace": True}
        return super(OperandNetwork, new).gate_inds(G, inds, **opts)  # type: ignore[misc]

    gate_inds_ = functools.partialmethod(gate_inds, inplace=True)

    def gate_sandwich_inds(self, G, inds_upper, inds_lower, *args, inplace=False, **kwargs):
        """Act with an operator and its conjugate on two groups of outer indices, see quimb.

        Raises
        ------
        OptionError
            As `gate_inds`.
        """
        upper, lower = map(self._check_acted_on, (inds_upper, inds_lower))
        self._check_acted_on((*upper, *lower))
        new: Any = self if inplace else self.copy()
        G = new._admit(self._read(G, upper))
        act = super(OperandNetwork, new).gate_sandwich_inds  # type: ignore[misc]
        return act(G, upper, lower, *args, inplace=True, **kwargs)

    gate_sandwich_inds_ = functools.partialmethod(gate_sandwich_inds, inplace=True)

    def _read(self, G, inds):
        return read_operator(G, tuple(map(self.ind_size, inds)), self._like)

    def vector_reduce(self, ind, v, inplace=False):
        """Contract a vector with an outer index, see quimb.

        Raises
        ------
        OptionError
            If the index is not an outer one, or the vector has another length.
        """
        self._check_acted_on((ind,))
        v = v if hasattr(v, "shape") else np.asarray(v)
        if tuple(v.shape) != (self.ind_size(ind),):
            raise OptionError(
                f"v has shape {tuple(v.shape)}, but index {ind!r} has size {self.ind_size(ind)}; "
                "give a vector of that length."
            )
        new: Any = self if inplace else self.copy()
        return super(OperandNetwork, new).vector_reduce(ind, new._admit(v), inplace=True)

    vector_reduce_ = functools.partialmethod(vector_reduce, inplace=True)

    def multiply(self, x, inplace=False, spread_over=8):
        """Multiply by a number, see quimb; a complex one makes the network complex."""
        new: Any = self if inplace else self.copy()
        x = new._admit_scalar(x)
        if traced(x):
            spread_over = 1  # its sign cannot be looked at
        return super(OperandNetwork, new).multiply(x, inplace=True, spread_over=spread_over)

    multiply_ = functools.partialmethod(multiply, inplace=True)

    def multiply_each(self, x, inplace=False):
        """Multiply each tensor by a number, see quimb; a complex one makes all complex."""
        new: Any = self if inplace else self.copy()
        return super(OperandNetwork, new).multiply_each(new._admit_scalar(x), inplace=True)

    multiply_each_ = functools.partialmethod(multiply_each, inplace=True)

    def _admit_scalar(self, x):
        """A number that may multiply arrays: those of torch keep their precision, as in torch."""
        x, like = read_scalar(x), self._like
        if infer_backend(x) == "torch" and mutable(x):
            x = x.item()
        elif hasattr(x, "dtype") and infer_backend(x) == infer_backend(like):
            x = astype(x, common_dtype(x, like))  # roots of it are taken
        made_complex = "complex" in str(getattr(x, "dtype", type(x)))
        if made_complex and infer_backend(like) == "torch":
            self._admit(like.reshape(-1)[:1] * 1j)
        return x
