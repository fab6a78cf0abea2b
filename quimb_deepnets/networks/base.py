"""What every network can do: parameters by name, amplitudes by three calls.

A network is integers (its geometry) and arrays (its parameters), and turns configurations into
amplitudes without ever writing out a tensor network::

    configs (B, *shape) --digits--> (N, B) --evaluator--> Scaled (B,) --+--> amplitudes
                                                                        +--> log_amplitudes
"""

import math

import numpy as np
from autoray import do, get_dtype_name, infer_backend
from autoray import to as convert

from ..errors import BudgetError, OptionError, WeightError, check_positive_int
from ..geometry.plan import CHUNK
from ..progress import progress
from ..weights import check_arrays
from .configs import batches, check_configs, config_block, digits, parse_config
from .scaled import Scaled, phase_and_log, plain

MAX_BYTES = 2**32  # what one call may hold, unless it is told otherwise


class DeepNetwork:
    """Base class of networks that compute amplitudes.

    Subclasses set ``geometry`` and ``params`` and implement ``plan`` and
    ``_evaluate_by``.

    Attributes
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        All the integers.
    params : dict[str, array]
        Every independent parameter by name, in a fixed order; the names are the tags of the
        tied tensors of the tensor network.
    """

    geometry = None
    params = None

    # ------------------------------------------------------------ properties

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

    def to_dense(self, max_bytes=MAX_BYTES):
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

    # ------------------------------------------------------------ conversion

    @staticmethod
    def _check_params(geometry, params):
        """Refuse named parameters that are not just those of the geometry, in name and shape."""
        shapes = geometry.param_shapes
        if wrong := sorted(set(shapes) ^ set(params)):
            raise WeightError(
                f"the parameters {wrong[:4]} are missing or unknown; give exactly "
                f"{list(shapes)[:4]}, ..., 'READOUT'."
            )
        check_arrays({name: params[name] for name in shapes}, shapes)

    @classmethod
    def from_params(cls, geometry, params):
        """The network with this geometry and these named parameters.

        Parameters
        ----------
        geometry : ConvGeometry or RecurrentGeometry
        params : dict[str, array]
            As `params`: the names and shapes are ``geometry.param_shapes``.
        """
        raise NotImplementedError

    def to(self, like=None, *, backend=None, dtype=None, device=None):
        """The same network with weights of another backend, dtype or device.

        Parameters
        ----------
        like : str or array, optional
            A target such as ``"torch"`` or ``"torch-float32-cuda"``, as quimb's ``to`` takes.
        backend, dtype, device : str, optional
            The same, one by one.

        Returns
        -------
        DeepNetwork

        Raises
        ------
        OptionError
            If the target is not known or not there, or its dtype is none for weights.
        """
        words = f"{like}-{dtype}".split("-") if isinstance(like, str) else [str(dtype)]
        if any(word.lstrip("u").startswith(("int", "bool")) for word in words):
            raise OptionError(
                f"{like or dtype!r} has no dtype for weights; use a float or complex."
            )
        try:
            params = convert(self.params, like, backend=backend, dtype=dtype, device=device)
        except (ImportError, AttributeError, AssertionError, RuntimeError, ValueError) as error:
            raise OptionError(
                f"cannot convert to {like or (backend, dtype, device)!r}: {error}; name a backend, "
                "dtype and device that are installed, such as 'torch-float32-cpu'."
            ) from error
        return self.from_params(self.geometry, params)


def map_chunks(net, function, configs, size, chunk=None, progbar=False):
    """Apply a function of digits ``(N, B)`` to checked configurations, some at a time, and join.

    Parameters
    ----------
    net : DeepNetwork
    function : callable
        Returns an array or a `Scaled` whose first axis is the batch.
    configs : array of int, shape (B, *shape)
    size : int
        How many at a time suit the cache.
    chunk : int, optional
        How many at a time the user asks for.
    progbar : bool, optional
    """
    size = size if chunk is None else check_positive_int("chunk", chunk, OptionError)
    apply = lambda some: function(digits(some, net.phys_dim, net._like))
    if not len(configs):  # so that the empty result has a backend and a dtype
        one = apply(np.zeros((1, *net.geometry.shape), int))
        return Scaled(*(part[:0] for part in one)) if isinstance(one, Scaled) else one[:0]
    rows, total = batches(len(configs), size), -(-len(configs) // size)
    parts = [apply(configs[some]) for some in progress(rows, progbar, total=total)]
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Scaled):
        return Scaled(*(do("concatenate", part, axis=0) for part in zip(*parts)))
    return do("concatenate", tuple(parts), axis=0)


def check_result(net, what, configs, floats, max_bytes):
    """Refuse a result of so many numbers per configuration if it takes too much memory."""
    check_positive_int("max_bytes", max_bytes, OptionError)
    need = len(configs) * floats * net._like.itemsize
    if need > max_bytes:
        raise BudgetError(
            f"{what} of {len(configs)} configurations, {floats} numbers each, need {need} bytes, "
            f"more than max_bytes={max_bytes}; give fewer at a time, or raise it."
        )


def register_method(*classes, name=None):
    """Attach a function to classes as a method: how modules further down extend networks.

    Parameters
    ----------
    *classes : type
        The classes that get the method.
    name : str, optional
        Name of the method, by default the function's own.

    Raises
    ------
    OptionError
        If a class already has an attribute of that name.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> @qdn.register_method(qdn.ConvAC, qdn.RAC)
    ... def params_per_site(net):
    ...     return net.num_params / net.nsites
    >>> qdn.RAC.rand(4, depth=1, bond_dim=2).params_per_site()
    3.0
    """

    def attach(function):
        method = name or function.__name__
        for cls in classes:
            if hasattr(cls, method):
                raise OptionError(
                    f"{cls.__name__} already has an attribute {method!r}; choose another name."
                )
            setattr(cls, method, function)
        return function

    return attach
