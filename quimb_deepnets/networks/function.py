"""A network as a pure function of its parameters, for libraries that differentiate and compile.

::

    net --to_function--> params   {"W1,0": ..., "READOUT": ...}      a dict of arrays
                         apply    (params, configs) -> log psi       jit, vmap, grad, torch.func

Where numbers are traced, nothing in it looks at them: the layers are computed one by one with array
functions alone, in the log domain.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

from autoray import astype, do, get_dtype_name, infer_backend

from ..errors import ConfigError, WeightError
from ..numerics.configs import check_entries
from ..numerics.scaled import LN2, as_index, bits
from ..numerics.traced import is_there
from .base import DeepNetwork


def to_function(net: DeepNetwork) -> tuple[dict[str, Any], Callable[[Any, Any], Any]]:
    """The network as its parameters and a pure function of them.

    Returns
    -------
    params : dict[str, array]
        As ``net.params``, in its order; after training ``net.with_params(params)`` is the network
        again. Arrays of jax or torch make a function of jax or torch: see ``net.to``.
    apply : callable
        ``apply(params, configs)``: the complex numbers ``log psi``, shape ``(...)``, for integers
        of shape ``(..., N)``, or ``(..., Lx, Ly)`` on a lattice, where there may be any axes in
        front. The real part is ``log |psi|``, the imaginary part the angle of the phase; zero
        gives a real part of -inf.

    Notes
    -----
    ``apply`` can be given to ``jax.jit``, ``jax.vmap``, ``jax.grad``, ``torch.func``,
    ``torch.compile``, and, as ``lambda variables, x, **_: apply(variables["params"], x)``, to the
    ``apply_fun`` of NetKet's ``MCState``, with ``variables={"params": params}``, on the space
    ``nk.hilbert.Qubit`` whose states are 0 and 1.

    Where numbers are traced they cannot be looked at. Then configurations with entries outside
    ``0..phys_dim - 1`` give nan instead of an error, and the channels of a node have one exponent,
    so that those smaller than the largest by more than the range of the dtype count as zero.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
    >>> params, apply = net.to_function()
    >>> psi = np.exp(apply(params, np.array([[0, 1, 1, 0, 0, 1]])))
    >>> bool(abs(psi[0] / net.amplitude("011001") - 1) < 1e-12)
    True
    """
    cls, geometry = type(net), net.geometry
    shapes = dict(geometry.param_shapes)

    def _log_psi(params, configs):
        _check_tree(params, shapes)
        built = cls._of(geometry, {name: params[name] for name in shapes})
        sites, lead = _sites_first(configs, built._like, geometry.shape)
        if not math.prod(lead):  # that the result of nothing has its dtype
            one = do("zeros", (1, math.prod(geometry.shape)), dtype="int64", like=sites)
            return do("reshape", _log_psi(params, one)[:0], lead)
        inside = _check_inside(sites, geometry.phys_dim)
        found = _complex_log(built._evaluate_by_layers(as_index(sites)))
        return do("reshape", do("where", inside, found, math.nan, like=found), lead)

    if net.backend == "torch":  # torch.compile takes it as a whole: it cannot read autoray
        _log_psi = sys.modules["torch"].compiler.allow_in_graph(_log_psi)

    def apply(params: Any, configs: Any) -> Any:
        """The complex ``log psi`` of configurations ``(..., *sites)``, shape ``(...)``."""
        return _log_psi(params, configs)

    return dict(net.params), apply


def _check_tree(params, shapes):
    """Refuse what are not the parameters of a network, by names and shapes alone."""
    found = {name: tuple(x.shape) for name, x in params.items()} if hasattr(params, "items") else {}
    if found != shapes:
        wrong = next(n for n in (*shapes, *found) if found.get(n) != shapes.get(n))
        raise WeightError(
            f"params has {wrong!r} of shape {found.get(wrong)}, and the network asks for "
            f"{shapes.get(wrong)}; give a dict of arrays as to_function() returned it."
        )


def _sites_first(configs, like, shape):
    """Configurations as ``(N, B)``, beside the parameters, and the axes in front of the sites."""
    if infer_backend(configs) != infer_backend(like):
        configs = do("asarray", configs, like=like)
    configs = configs.to(like.device) if infer_backend(like) == "torch" else configs
    if not get_dtype_name(configs).startswith(("int", "uint", "float", "bool")):
        raise ConfigError(
            f"configs have dtype {get_dtype_name(configs)}; give integers, one per site."
        )
    given, count = tuple(configs.shape), math.prod(shape)
    axes = len(shape) if given[len(given) - len(shape) :] == shape else 1
    if given[len(given) - axes :] not in (shape, (count,)):
        raise ConfigError(
            f"configs have shape {given}, but configurations of this network have shape "
            f"{('...', *shape)} or ('...', {count})."
        )
    lead = given[: len(given) - axes]
    flat = do("reshape", configs, (math.prod(lead), count))
    return do("transpose", flat, (1, 0)), lead


def _check_inside(sites, phys_dim):
    """Whether configurations ``(N, B)`` are basis states; where that can be seen, all must be."""
    if is_there(sites):
        check_entries(sites, phys_dim)
    inside = (sites >= 0) & (sites < phys_dim) & (sites == as_index(sites))
    return do("all", inside, axis=0)


def _complex_log(x):
    """The complex logarithm of scaled numbers."""
    zero, real = x.mantissa == 0, get_dtype_name(do("real", x.mantissa))
    safe = do("where", zero, do("ones_like", x.mantissa), x.mantissa)
    log = do("log", astype(safe, "complex64" if real == "float32" else "complex128"))
    log = log + astype(bits(x.exponent) * LN2, real)
    return do("where", zero, -math.inf, log, like=log)
