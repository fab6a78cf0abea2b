"""Batches of configurations, some at a time: what suits the cache, with a progress bar if asked.

::

    configs (B, *shape) --some--> digits (N, b) --function--> results (b, ...) --join--> (B, ...)
"""

import numpy as np
from autoray import do

from ..errors import BudgetError, OptionError, check_positive_int
from ..jobs.progress import progress
from ..kernels.compiled import in_memory
from ..kernels.digits import turned
from ..numerics.configs import batches, check_entries, digits
from ..numerics.scaled import Scaled
from ..numerics.weights import MAX_BYTES


def prepare(net, plan):
    """A function from digits to scaled amplitudes, and how many at a time.

    Raises
    ------
    BudgetError
        If not even one configuration fits.
    """
    if plan.chunk_bytes > MAX_BYTES:
        raise BudgetError(
            f"one configuration needs arrays of {plan.chunk_bytes} bytes, more than the "
            f"{MAX_BYTES} allowed; use a smaller lattice or bond_dim."
        )
    return net._evaluate_by(plan), plan.chunk


def map_chunks(net, function, configs, size, chunk=None, progbar=False):
    """Apply a function of digits ``(N, B)`` to configurations, some at a time, and join.

    Parameters
    ----------
    net : DeepNetwork
    function : callable
        Returns an array or a `Scaled` whose first axis is the batch. It may have a method
        ``of_configs`` that does so for configurations, or returns None.
    configs : array of int, shape (B, *shape)
        Their entries are checked here.
    size : int
        How many at a time suit the cache.
    chunk : int, optional
        How many at a time the user asks for.
    progbar : bool, optional

    Raises
    ------
    ConfigError
        For entries outside the local space.
    """
    size = size if chunk is None else check_positive_int("chunk", chunk, OptionError)
    of_configs = getattr(function, "of_configs", lambda some: None)

    def _apply(some):
        found = of_configs(some)
        return function(checked_digits(some, net.phys_dim, net._like)) if found is None else found

    if not len(configs):  # so that the empty result has a backend and a dtype
        one = _apply(np.zeros((1, *net.geometry.shape), int))
        return Scaled(*(part[:0] for part in one)) if isinstance(one, Scaled) else one[:0]
    if len(configs) <= size and not progbar:
        return _apply(configs)
    rows, total = batches(len(configs), size), -(-len(configs) // size)
    parts = [_apply(configs[some]) for some in progress(rows, progbar, total=total)]
    if isinstance(parts[0], Scaled):
        return Scaled(*(do("concatenate", part, axis=0) for part in zip(*parts)))
    return do("concatenate", tuple(parts), axis=0)


def checked_digits(configs, phys_dim, like):
    """Configurations ``(B, *shape)`` as digits ``(N, B)`` where ``like`` is, in one pass if it can.

    Raises
    ------
    ConfigError
        For entries outside the local space.
    """
    found = turned(configs, phys_dim) if in_memory(like) else None
    if found is not None:
        return found if type(like) is np.ndarray else do("asarray", found, like=like)
    check_entries(configs, phys_dim)
    return digits(configs, phys_dim, like)


def check_result(net, what, configs, floats, max_bytes):
    """Refuse a result of so many numbers per configuration if it takes too much memory."""
    check_positive_int("max_bytes", max_bytes, OptionError)
    need = len(configs) * floats * net._like.itemsize
    if need > max_bytes:
        raise BudgetError(
            f"{what} of {len(configs)} configurations, {floats} numbers each, need {need} bytes, "
            f"more than max_bytes={max_bytes}; give fewer at a time, or raise it."
        )
