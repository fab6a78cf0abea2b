"""A module of torch as a network: log-amplitudes of any kind, with everything that a network can.

::

    configs (B, N) --module--> log psi (B,)    real: psi = exp(log psi) > 0
                                               complex: modulus and phase
    d log psi / d theta                        by torch.func: vmap of grad
"""

import copy
import dataclasses
import functools
import itertools
import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from autoray import do, to_numpy

from ..errors import GeometryError, MethodError, OptionError, RangeError, check_positive_int
from ..evaluation.plan import Plan
from ..geometry.layers import as_sizes, check_sites
from ..numerics.scaled import Scaled
from ..numerics.traced import is_there
from ..numerics.weights import as_array
from .base import DeepNetwork
from .params import Params
from .rbm import exp_scaled

CHUNK = 2**12  # configurations at a time
DERIVED = 2**8  # of which derivatives are taken at a time


@dataclasses.dataclass(frozen=True, repr=False)
class TorchGeometry:
    """The sites of a module of torch, and the module without its numbers.

    Parameters
    ----------
    shape : tuple[int]
        Number of sites along each dimension, one or two of them.
    phys_dim : int
    function : callable
        From parameters by name and configurations ``(B, N)`` to log-amplitudes ``(B,)``.
    shapes : tuple[tuple[str, tuple[int]]]
        Name and shape of each parameter.
    """

    shape: tuple[int, ...]
    phys_dim: int
    function: Callable[[Mapping[str, Any], Any], Any]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    depth = 1

    @property
    def ndim(self) -> int:
        """Number of dimensions, 1 or 2."""
        return len(self.shape)

    @functools.cached_property
    def sites(self) -> tuple[Any, ...]:
        """The labels of the sites: ints on a chain, pairs on a lattice."""
        positions = itertools.product(*map(range, self.shape))
        return tuple(p if self.ndim > 1 else p[0] for p in positions)

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each parameter, in order."""
        return dict(self.shapes)

    def __repr__(self) -> str:
        shape, function = self.shape, _name_of(self.function)
        return f"{type(self).__name__}({shape}, {self.phys_dim}, {function}, {self.shapes})"

    def __deepcopy__(self, memo: dict) -> "TorchGeometry":
        return self  # nothing in it changes


class _Module:
    """A module called with other parameters than its own; what else it holds is its own copy."""

    def __init__(self, module):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    def __call__(self, params, configs):
        return _torch().func.functional_call(self.module, dict(params), (configs,))


class TorchNetwork(DeepNetwork):
    """A network whose log-amplitudes a module of torch computes.

    Parameters
    ----------
    module : torch.nn.Module or callable
        From configurations, int64 of shape ``(B, N)`` with the sites of a lattice flat, rows first,
        to ``log psi``, ``(B,)``: real, where amplitudes are positive, or complex. It is used in its
        evaluation mode. A callable takes the parameters, a dict, before the configurations.
    shape : int or (int, int)
        Number of sites of a chain, or ``(Lx, Ly)`` of a lattice.
    phys_dim : int, optional
    params : dict[str, torch.Tensor], optional
        Of a callable; those of a module are its own, and may be trained in place.

    Raises
    ------
    OptionError
        If the module has no parameters.
    GeometryError, WeightError
        If the shape is not one, or parameters are of different dtypes.

    Notes
    -----
    Ratios evaluate every changed configuration, and Markov chains a batch for each step.
    Derivatives are ``torch.func.vmap`` of ``torch.func.grad``; where a module does not allow that,
    they are taken one by one. Real parameters may give complex log-amplitudes. Parameters may be
    kept as arrays of numpy, by ``net.to("numpy")``: torch computes all the same.

    Examples
    --------
    >>> import torch
    >>> import quimb_deepnets as qdn
    >>> class Jastrow(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.J = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
    ...     def forward(self, configs):
    ...         s = 1 - 2 * configs.double()
    ...         return torch.einsum("bi,ij,bj->b", s, self.J, s)
    >>> net = qdn.TorchNetwork(Jastrow(), 4)
    >>> net
    TorchNetwork(Jastrow, shape=4, num_params=16)
    >>> net.log_derivatives([[0, 1, 0, 1]]).shape, net.entropy(2).item()
    (torch.Size([1, 16]), 0.0)
    """

    _geometry_class = TorchGeometry

    if TYPE_CHECKING:

        @property
        def geometry(self) -> TorchGeometry: ...

    def __init__(
        self,
        module: Any,
        shape: Any,
        phys_dim: int = 2,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        function: Any = module
        if is_module(module):
            if params is not None:
                raise OptionError("params= are those of a callable; a module has its own.")
            params, function = dict(module.named_parameters()), _Module(module)
        named = params.items() if isinstance(params, Mapping) else ()
        arrays = {name: as_array(x) for name, x in named}
        if not sum(math.prod(x.shape) for x in arrays.values()):
            raise OptionError(
                f"{type(module).__name__} has no parameters; give a torch.nn.Module that has some, "
                "or a function of parameters and configurations with params={'name': tensor}."
            )
        if not callable(function):
            raise OptionError(f"a {type(module).__name__} cannot be called; give a module.")
        sizes = as_sizes("shape", shape)
        if len(sizes) > 2:
            raise GeometryError(f"shape={shape!r} has more than two dimensions; give (Lx, Ly).")
        check_sites(sizes)
        check_positive_int("phys_dim", phys_dim)
        shapes = tuple((name, tuple(x.shape)) for name, x in arrays.items())
        geometry = TorchGeometry(sizes, phys_dim, function, shapes)
        super().__init__(geometry, Params(self._check_params(geometry, arrays)))

    @property
    def shape(self) -> int | tuple[int, ...]:
        """Number of sites: an int for a chain, ``(Lx, Ly)`` for a lattice."""
        return self.geometry.shape if self.geometry.ndim > 1 else self.geometry.shape[0]

    @property
    def module(self) -> Any:
        """A module of its own with the parameters as they are now.

        Raises
        ------
        MethodError
            If the network was made from a function.
        """
        if not isinstance(self.geometry.function, _Module):
            raise MethodError("this network is a function, not a module; read its params.")
        found = copy.deepcopy(self.geometry.function.module).requires_grad_(True)
        own = {name: x.clone() for name, x in self._tensors().items()}
        found.load_state_dict(own, strict=False)
        return found

    def __repr__(self) -> str:
        name = _name_of(self.geometry.function)
        return f"{type(self).__name__}({name}, shape={self.shape}, num_params={self.num_params})"

    # ------------------------------------------------------------ evaluation

    @functools.cached_property
    def _is_complex(self):
        torch = _torch()
        like = next(iter(self._tensors().values()))
        sites = torch.zeros((1, self.nsites), dtype=torch.int64, device=like.device)
        return self._logs(self._tensors(), sites).is_complex()

    def _tensors(self, detached=True):
        """The parameters as tensors of torch, whatever they are kept as."""
        if self.backend != "torch":
            return {name: _torch().tensor(to_numpy(x)) for name, x in self.params.items()}
        return {name: x.detach() if detached else x for name, x in self.params.items()}

    def _as_kept(self, x):
        """A result of torch in the library of the parameters."""
        return x if self.backend == "torch" else to_numpy(x)

    def plan(self, batch: int) -> Plan:
        """How a batch of amplitudes would be evaluated."""
        plan = super().plan(batch)
        return dataclasses.replace(plan, chunk=min(plan.batch, CHUNK))

    def _logs(self, params, configs):
        """Log-amplitudes of configurations ``(B, N)``, checked."""
        function = self.geometry.function
        try:
            found = function(params, configs.long())
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise MethodError(
                f"{self!r} fails on configurations, int64 of shape {tuple(configs.shape)}: {error}"
            ) from error
        is_tensor = isinstance(found, _torch().Tensor)
        if not is_tensor or found.shape != configs.shape[:1]:
            what = f"a tensor of shape {tuple(found.shape)}" if is_tensor else type(found).__name__
            raise MethodError(
                f"{self!r} gives {what} for configurations of shape {tuple(configs.shape)}; it "
                "must give a tensor of torch with one log-amplitude for each."
            )
        return found

    def _evaluate_by(self, plan):
        params, torch = self._tensors(detached=False), _torch()

        def evaluate(x):
            logs = self._logs(params, torch.as_tensor(x).T)
            zero = do("real", logs) == -math.inf
            if is_there(logs) and not (zero | do("isfinite", logs)).all():
                raise RangeError(f"{self!r} gives log-amplitudes that are nan or infinite.")
            found = exp_scaled(do("where", zero, do("zeros_like", logs), logs))
            nothing = do("zeros_like", found.mantissa)
            mantissa = do("where", zero, nothing, found.mantissa)
            return Scaled(self._as_kept(mantissa), self._as_kept(found.exponent))

        return evaluate

    def _derivatives_by(self):
        torch, params = _torch(), self._tensors()
        func = torch.func
        real = lambda params, config: do("real", self._logs(params, config[None])[0])
        imag = lambda params, config: do("imag", self._logs(params, config[None])[0])
        holomorphic = "complex" in self.dtype
        parts = [real] if holomorphic or not self._is_complex else [real, imag]

        def _rows(part, configs):
            gradient = func.grad(part)
            try:
                found = func.vmap(gradient, (None, 0))(params, configs)
            except (RuntimeError, MethodError):
                each = [gradient(params, config) for config in configs]
                found = {name: do("stack", [row[name] for row in each]) for name in params}
            return do("concatenate", [x.reshape(len(configs), -1) for x in found.values()], axis=1)

        def _derive(x):
            configs = torch.as_tensor(x).T.long()
            found = [_rows(part, configs) for part in parts]
            rows = found[0].conj().resolve_conj() if holomorphic else found[0]
            rows = rows if len(found) == 1 else found[0] + 1j * found[1]
            zero = do("real", self._logs(params, configs)) == -math.inf
            rows[zero] = math.nan
            return self._as_kept(rows)

        return _derive, DERIVED


def _name_of(function):
    """What to call a function, or the class of a module."""
    function = type(function.module) if isinstance(function, _Module) else function
    return getattr(function, "__name__", type(function).__name__)


def _torch():
    """The library, which whoever gives a module or a function of torch has imported."""
    return sys.modules["torch"]


def is_module(state: Any) -> bool:
    """Whether an object is a module of torch.

    Examples
    --------
    >>> from quimb_deepnets.networks.torch_network import is_module
    >>> is_module(3)
    False
    """
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(state, torch.nn.Module)
