"""A network as a value: integers and named weights, none of which can be assigned.

::

    geometry, params --.with_params, .with_vector, .to--> a new network of the same class
"""

import copy
import hashlib
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from autoray import do, get_dtype_name, infer_backend, stop_gradient, to_numpy
from autoray import to as convert

from ..errors import Guide, MethodError, MissingError, OptionError, WeightError
from ..geometry.protocol import Geometry
from ..numerics.shown import Shown
from ..numerics.traced import PURE, check_constant, is_plain
from ..numerics.weights import as_array, check_arrays, check_dtype
from .params import Params, own_copy, trainable_in_place

# what libraries raise where one does not take the arrays, dtypes or devices of another
CONVERSION = (AttributeError, AssertionError, ImportError, RuntimeError, TypeError, ValueError)


class NetworkValue(Shown, Guide):
    """Geometry and parameters of a network, and the networks that differ in the parameters.

    Parameters
    ----------
    geometry : Geometry
        All the integers.
    params : Params
        Every independent parameter by name, in a fixed order.
    """

    _geometry_class: Any = object  # what `from_params` takes

    def __init__(self, geometry: Geometry, params: Params) -> None:
        self._geometry, self._params = geometry, params

    @classmethod
    def _of(cls, geometry: Geometry, params: Mapping[str, Any]) -> Self:
        """A network of this class from its geometry and checked parameters."""
        net = cls.__new__(cls)
        NetworkValue.__init__(
            net, geometry, params if isinstance(params, Params) else Params(params)
        )
        return net

    if not TYPE_CHECKING:  # a type checker knows which properties have no setter

        def __setattr__(self, name, value):
            if not name.startswith("_") and hasattr(type(self), name):
                raise WeightError(
                    f"{name} of a {type(self).__name__} cannot be assigned: it is part of its "
                    "value; make a new network with net.with_params({...}) or from arrays."
                )
            super().__setattr__(name, value)

    # ------------------------------------------------------------ properties

    @property
    def geometry(self) -> Geometry:
        """All the integers."""
        return self._geometry

    @property
    def params(self) -> Params:
        """The only place where weights are kept: a read-only mapping from names to arrays."""
        return self._params

    @property
    def sites(self) -> tuple[Any, ...]:
        """Tuple of the sites: ints on a chain, pairs on a lattice."""
        return self.geometry.sites

    @property
    def nsites(self) -> int:
        """Number of sites."""
        return math.prod(self.geometry.shape)

    @property
    def L(self) -> int:
        """Number of sites of a chain."""
        return self._sizes("L", 1)[0]

    @property
    def Lx(self) -> int:
        """Number of rows of a lattice."""
        return self._sizes("Lx", 2)[0]

    @property
    def Ly(self) -> int:
        """Number of columns of a lattice."""
        return self._sizes("Ly", 2)[1]

    def _sizes(self, name, ndim):
        shape = self.geometry.shape
        if len(shape) != ndim:
            instead = "L" if len(shape) == 1 else "Lx and Ly"
            raise MissingError(
                f"a {type(self).__name__} on sites of shape {tuple(shape)} has no {name}; use "
                f"{instead}, or nsites."
            )
        return shape

    @property
    def phys_dim(self) -> int:
        """Local dimension of a site."""
        return self.geometry.phys_dim

    @property
    def depth(self) -> int:
        """Number of layers."""
        return self.geometry.depth

    @property
    def num_params(self) -> int:
        """Number of independent parameters."""
        return sum(math.prod(x.shape) for x in self.params.values())

    @property
    def vector(self) -> Any:
        """All parameters flat, one after the other in the order of `params`.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
        >>> net.vector.shape, net.with_vector(0.5 * net.vector).num_params
        ((12,), 12)
        """
        return do("concatenate", tuple(do("reshape", x, (-1,)) for x in self.params.values()))

    @property
    def _like(self) -> Any:
        """One of the weights: an example of their backend, dtype and device."""
        return self._params[next(iter(self._params))]

    @property
    def dtype(self) -> str:
        """Name of the dtype of the weights."""
        return get_dtype_name(self._like)

    @property
    def backend(self) -> str:
        """Name of the array library of the weights."""
        return infer_backend(self._like)

    # ------------------------------------------------------------ a value

    def copy(self) -> Self:
        """The same network with memory of its own.

        Weights of numpy never change, so the copy shares them. Those of torch are cloned, as leaves
        that can be trained without changing this network.

        Returns
        -------
        same class

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
        >>> net.copy() == net
        True
        """
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        """Whether both are of one class, with equal geometries and, now, equal `params`.

        Equal parameters are equal in library, dtype and every number. Weights of torch may be
        trained in place, after which equal networks may differ.
        """
        if not isinstance(other, NetworkValue):
            return NotImplemented
        return (
            type(self) is type(other)
            and self.geometry == other.geometry
            and self.params == other.params
        )

    def _arrays_in_words(self) -> str:
        """What a repr says of arrays that are not float64 of numpy, ``", dtype='complex128'"``."""
        words = {"dtype": (self.dtype, "float64"), "backend": (self.backend, "numpy")}
        return "".join(f", {k}={x!r}" for k, (x, usual) in words.items() if x != usual)

    def __hash__(self) -> int:
        """A hash of geometry and numbers; weights that may be trained in place have none.

        Raises
        ------
        TypeError
            If weights are of torch: an object that compares by value and may change has no hash.
        """
        leaves = self.params.leaves.values()
        if any(map(trainable_in_place, leaves)) or not all(map(is_plain, leaves)):
            raise TypeError(
                f"a {type(self).__name__} with weights of torch, or traced ones, is not hashable, "
                "because they may be trained in place, or are not numbers; use net.to('numpy'), or "
                f"id(net) as a key; {PURE}."
            )
        digest = hashlib.sha256()
        for x in self.params.values():  # -0.0 equals 0.0
            digest.update(np.ascontiguousarray(to_numpy(x) + 0.0).tobytes())
        return hash((type(self), self.geometry, self.backend, self.dtype, digest.digest()))

    def _no_algebra(self, *_: Any) -> Any:
        """The operators of arithmetic, which no network has."""
        raise MethodError(
            f"a {type(self).__name__} evaluates amplitudes, and is not added, scaled or contracted "
            "itself; its state is: use net.collapse(), or net.to_dense(), in its place. Inner "
            "products are net.overlap(other)."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __neg__ = (
        _no_algebra
    )
    __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = _no_algebra

    # ------------------------------------------------------------ other weights

    def _bare(self):
        """The same network with weights detached from any gradient; itself, of numpy."""
        if all(type(x) is np.ndarray for x in self.params.leaves.values()):
            return self
        bare = {name: stop_gradient(x) for name, x in self.params.items()}
        return self.from_params(self.geometry, bare)

    @classmethod
    def _check_params(cls, geometry, params):
        """Refuse named parameters that are not just those of the geometry, in name and shape."""
        if not isinstance(geometry, cls._geometry_class):
            raise OptionError(
                f"a {type(geometry).__name__} is not the geometry of a {cls.__name__}; call "
                "from_params(net.geometry, params), or net.with_params(params)."
            )
        shapes = geometry.param_shapes
        if not hasattr(params, "keys"):
            raise WeightError(
                f"params is a {type(params).__name__}; give a dict from names to arrays."
            )
        if wrong := sorted(set(shapes) ^ set(params), key=str):
            known = list(shapes) if len(shapes) < 6 else [*list(shapes)[:4], "...", [*shapes][-1]]
            raise WeightError(
                f"the parameters {wrong[:4]} are missing or unknown; give exactly "
                f"{', '.join(known)}."
            )
        params = {name: as_array(params[name]) for name in shapes}
        check_arrays(params, shapes)
        return params

    @classmethod
    def from_params(cls, geometry: Any, params: Mapping[str, Any]) -> Self:
        """The network with this geometry and these named parameters.

        Parameters
        ----------
        geometry : ConvGeometry, RecurrentGeometry or BoltzmannGeometry
            As the ``geometry`` of a network.
        params : dict[str, array]
            As `params`: the names and shapes are ``geometry.param_shapes``.

        Raises
        ------
        WeightError
            If names, shapes, dtypes, backends or devices do not fit, or a number is not finite.
        """
        return cls._of(geometry, cls._check_params(geometry, params))

    def with_params(self, params: Mapping[str, Any]) -> Self:
        """The network with some of its parameters replaced: a new one.

        Parameters
        ----------
        params : dict[str, array]
            New arrays by the names of `params`, of the same shapes.

        Returns
        -------
        same class

        Raises
        ------
        WeightError
            If a name is unknown, or an array does not fit the others.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
        >>> twice = net.with_params({"READOUT": 2 * net.params["READOUT"]})
        >>> bool(twice.amplitude("0110") == 2 * net.amplitude("0110"))
        True
        """
        return self.from_params(self.geometry, {**self.params, **params})

    def with_vector(self, x: Any) -> Self:
        """The network with other parameters, given flat as `vector` gives them: a new one.

        Parameters
        ----------
        x : array, shape (num_params,)

        Returns
        -------
        same class

        Raises
        ------
        WeightError
            If there are not ``num_params`` numbers, or some are not finite.
        """
        x = as_array(x)
        if tuple(x.shape) != (self.num_params,):
            raise WeightError(
                f"a vector of shape {tuple(x.shape)} is not one of the {self.num_params} "
                f"parameters; give shape ({self.num_params},)."
            )
        params, start = {}, 0
        for name, shape in self.geometry.param_shapes.items():
            params[name] = do("reshape", x[start : start + math.prod(shape)], shape)
            start += math.prod(shape)
        return self.from_params(self.geometry, params)

    def to(
        self,
        like: Any = None,
        *,
        backend: str | None = None,
        dtype: str | None = None,
        device: Any = None,
    ) -> Self:
        """A copy with weights of another backend, dtype or device; it shares no memory.

        Parameters
        ----------
        like : str or array, optional
            A target such as ``"torch"`` or ``"torch-float32-cuda"``, as quimb's ``to`` takes.
        backend, dtype, device : str, optional
            The same, one by one.

        Notes
        -----
        From torch to torch the copy is differentiable, as torch's own ``to`` is: gradients flow
        back to the weights of the source. ``copy.deepcopy`` gives leaves of their own.

        Returns
        -------
        same class

        Raises
        ------
        OptionError
            If the target is unknown or not available, or its dtype does not suit weights.
        """
        dtype = None if dtype is None else check_dtype(dtype)
        for word in like.split("-") if isinstance(like, str) else ():
            if re.match("b?float|complex|u?int|bool|long|half|single|double", word):
                check_dtype(word)
        leaving = (
            str(like).startswith("numpy") or backend == "numpy" or isinstance(like, np.ndarray)
        )
        if leaving:
            check_constant(self.params.leaves.values(), "a conversion to numpy")
        try:
            given = self._bare().params if leaving else self.params  # numpy tracks no gradients
            own = {name: own_copy(x) for name, x in given.items()}
            params = convert(own, like, backend=backend, dtype=dtype, device=device)
        except CONVERSION as error:
            traced = not all(map(is_plain, self.params.leaves.values()))
            raise OptionError(
                f"cannot convert to {like or (backend, dtype, device)!r}: {error}; name a backend, "
                "dtype and device that are installed, such as 'torch-float32-cpu'."
                + f" The weights are traced; {PURE}."
                * traced
            ) from error
        return self.from_params(self.geometry, params)
