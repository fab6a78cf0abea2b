"""What every network can do: parameters by name, amplitudes by three calls.

A network is integers (its geometry) and arrays (its parameters), and turns configurations into
amplitudes without ever writing out a tensor network. It is a value: neither can be assigned::

    configs (B, *shape) --digits--> (N, B) --evaluator--> Scaled (B,) --+--> amplitudes
                                                                        +--> log_amplitudes
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from autoray import do, get_dtype_name, infer_backend
from autoray import to as convert

from ..errors import BudgetError, Guide, OptionError, WeightError, check_positive_int
from ..geometry.plan import CHUNK
from ..weights import as_array, check_arrays, check_dtype
from .chunks import MAX_BYTES, map_chunks
from .configs import check_configs, config_block, parse_config
from .params import Params, own_copy
from .scaled import Scaled, phase_and_log, plain


class read_only(property):
    """A property that is part of the value of a network: an assignment is refused by name."""

    def __set_name__(self, owner, name):
        self.name = name

    def __set__(self, net, value):
        raise WeightError(
            f"{self.name} of a {type(net).__name__} cannot be assigned: it is part of its value; "
            "make a new network with net.with_params({...}) or from arrays."
        )


class DeepNetwork(Guide):
    """Base class of networks that compute amplitudes: a value, integers and arrays.

    Subclasses hand geometry and parameters to ``__init__`` and implement ``plan``,
    ``_evaluate_by`` and ``from_params``.

    Parameters
    ----------
    geometry : ConvGeometry, RecurrentGeometry or BoltzmannGeometry
        All the integers.
    params : Params
        Every independent parameter by name, in a fixed order; the names are the tags of the
        tied tensors of the tensor network.
    """

    _geometry_class: type = object  # what `from_params` takes

    def __init__(self, geometry: Any, params: Params) -> None:
        self._geometry, self._params = geometry, params

    @classmethod
    def _of(cls, geometry, params):
        """A network of this class from its geometry and checked parameters."""
        net = cls.__new__(cls)
        DeepNetwork.__init__(
            net, geometry, params if isinstance(params, Params) else Params(params)
        )
        return net

    # ------------------------------------------------------------ properties

    @read_only
    def geometry(self):
        """All the integers."""
        return self._geometry

    @read_only
    def params(self) -> Params:
        """The only place where weights are kept: a read-only mapping from names to arrays."""
        return self._params

    @property
    def sites(self):
        """Tuple of the sites: ints on a chain, pairs on a lattice."""
        return self.geometry.sites

    @property
    def nsites(self):
        """Number of sites."""
        return math.prod(self.geometry.shape)

    @property
    def phys_dim(self):
        """Local dimension of a site."""
        return self.geometry.phys_dim

    @property
    def depth(self):
        """Number of layers."""
        return self.geometry.depth

    @property
    def num_params(self):
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
    def _like(self):
        """One of the weights: an example of their backend, dtype and device."""
        return next(iter(self.params.values()))

    @property
    def dtype(self):
        """Name of the dtype of the weights."""
        return get_dtype_name(self._like)

    @property
    def backend(self):
        """Name of the array library of the weights."""
        return infer_backend(self._like)

    # ------------------------------------------------------------ amplitudes

    def amplitude(self, config):
        """The amplitude of one configuration.

        Parameters
        ----------
        config : str or array_like of int
            A string such as ``"0110"``, or one integer in ``0..phys_dim - 1`` per site.

        Returns
        -------
        scalar
            An array scalar, where and of the dtype that the weights are.

        Raises
        ------
        ConfigError
            If ``config`` names no basis state of the sites.
        RangeError
            If the amplitude leaves the range of the dtype; `log_amplitudes` has no such limit.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=3, seed=1)
        >>> bool(net.amplitude("0110") == net.amplitudes([[0, 1, 1, 0]])[0])
        True
        """
        return self.amplitudes(parse_config(config, self.geometry.shape, self.phys_dim)[None])[0]

    def amplitudes(self, configs, chunk=None, progbar=False, plan=None):
        """The amplitudes of a batch of configurations.

        Parameters
        ----------
        configs : array_like of int, shape (B, L) or (B, Lx, Ly)
        chunk : int, optional
            Evaluate so many at a time; by default as many as suit the cache.
        progbar : bool, optional
            Show a progress bar over the chunks.
        plan : Plan, optional
            How to evaluate, see `ConvAC.plan`.

        Returns
        -------
        array, shape (B,)

        Raises
        ------
        ConfigError, RangeError
            As `amplitude`.
        """
        return plain(self._scaled_amplitudes(configs, chunk, progbar, plan))

    def log_amplitudes(self, configs, chunk=None, progbar=False, plan=None):
        """Phase and natural logarithm of a batch of amplitudes; never leaves the range of floats.

        Parameters
        ----------
        configs, chunk, progbar, plan
            See `amplitudes`.

        Returns
        -------
        phase : array, shape (B,)
            ``psi / |psi|``, a number of size one (not an angle), in the dtype of the weights.
        logabs : array, shape (B,)
            ``log |psi|``, real. An amplitude of zero gives ``(0, -inf)``.

        Raises
        ------
        ConfigError
            If ``configs`` are not basis states of the sites.
        """
        return phase_and_log(self._scaled_amplitudes(configs, chunk, progbar, plan))

    def to_dense(self, *inds_seq, max_bytes=MAX_BYTES):
        """The whole state as a column vector, in the order of quimb's ``to_dense``.

        Parameters
        ----------
        max_bytes : int, optional
            Refuse a state that needs more. On the way, three arrays of its size are held.

        Returns
        -------
        array, shape (phys_dim**N, 1)

        Raises
        ------
        OptionError
            If groups of indices are given, which a network does not have.
        BudgetError
            If the state would be too large.
        RangeError
            If an amplitude leaves the range of the dtype.

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> qdn.ConvAC.rand(16, depth=3, kernel=3, bond_dim=4, seed=0).to_dense().shape
        (65536, 1)
        """
        if inds_seq:
            raise OptionError(
                f"to_dense{inds_seq} groups indices, and a network has none; use "
                "net.collapse().to_dense(['k0'], ...), or name max_bytes=."
            )
        check_positive_int("max_bytes", max_bytes, OptionError)
        need = 3 * self.phys_dim**self.nsites * self._like.itemsize
        if need > max_bytes:
            raise BudgetError(
                f"the dense state of {self.phys_dim}**{self.nsites} amplitudes needs {need} bytes, "
                f"more than max_bytes={max_bytes}; evaluate the amplitudes that you need with "
                "log_amplitudes, or raise max_bytes."
            )
        return plain(self._scaled_state(max_bytes)).reshape(-1, 1)

    def _scaled_state(self, max_bytes):
        """All scaled amplitudes; here one by one, in blocks."""
        count, block = self.phys_dim**self.nsites, 2**16
        parts = [
            self._scaled_amplitudes(
                config_block(start, min(count, start + block), self.geometry.shape, self.phys_dim)
            )
            for start in range(0, count, block)
        ]
        return Scaled(*(do("concatenate", part, axis=0) for part in zip(*parts)))

    def _scaled_amplitudes(self, configs, chunk=None, progbar=False, plan=None):
        """Check, evaluate chunk by chunk, and join."""
        configs = check_configs(configs, self.geometry.shape, self.phys_dim)
        plan = self.plan(max(1, len(configs))) if plan is None else self._check_plan(plan)
        if plan.chunk_bytes > MAX_BYTES:
            raise BudgetError(
                f"one configuration needs arrays of {plan.chunk_bytes} bytes, more than the "
                f"{MAX_BYTES} allowed; use a smaller lattice or bond_dim."
            )
        return map_chunks(self, self._evaluate_by(plan), configs, plan.chunk, chunk, progbar)

    def _check_plan(self, plan):
        """Refuse a plan that was made for another network."""
        if getattr(plan, "geometry", None) != self.geometry:
            made_for = getattr(plan, "geometry", type(plan).__name__)
            raise OptionError(
                f"plan= was made for {made_for}, not for {self.geometry}; use the plan() of this "
                "network."
            )
        return plan

    @property
    def _cache(self):
        """Bytes of one array of a chunk: a cache of the CPU, or far more to fill a GPU."""
        return CHUNK << 10 if "cuda" in str(getattr(self._like, "device", "")) else CHUNK

    def plan(self, batch):
        """How a batch of amplitudes would be evaluated."""
        raise NotImplementedError

    def _evaluate_by(self, plan):
        """A function from digits ``(N, B)`` to scaled amplitudes ``(B,)``."""
        raise NotImplementedError

    # ------------------------------------------------------------ other weights

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
    def from_params(cls, geometry, params):
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
        raise NotImplementedError

    def with_params(self, params: Mapping[str, Any]) -> "DeepNetwork":
        """The network with some of its parameters replaced: a new one.

        Parameters
        ----------
        params : dict[str, array]
            New arrays by the names of `params`, of the same shapes.

        Returns
        -------
        DeepNetwork

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

    def with_vector(self, x: Any) -> "DeepNetwork":
        """The network with other parameters, given flat as `vector` gives them: a new one.

        Parameters
        ----------
        x : array, shape (num_params,)

        Returns
        -------
        DeepNetwork

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

    def to(self, like=None, *, backend=None, dtype=None, device=None):
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
        DeepNetwork

        Raises
        ------
        OptionError
            If the target is not known or not there, or its dtype is none for weights.
        """
        dtype = None if dtype is None else check_dtype(dtype)
        for word in like.split("-") if isinstance(like, str) else ():
            if re.match("b?float|complex|u?int|bool|long|half|single|double", word):
                check_dtype(word)
        try:
            own = {name: own_copy(x) for name, x in self.params.items()}
            params = convert(own, like, backend=backend, dtype=dtype, device=device)
        except (ImportError, AttributeError, AssertionError, RuntimeError, ValueError) as error:
            raise OptionError(
                f"cannot convert to {like or (backend, dtype, device)!r}: {error}; name a backend, "
                "dtype and device that are installed, such as 'torch-float32-cpu'."
            ) from error
        return self.from_params(self.geometry, params)
