"""Configurations: from what a user writes to integer indices, checked.

A configuration names one basis state. All of these are the same one of 4 sites::

    "0110"     [0, 1, 1, 0]     np.array([0, 1, 1, 0])     (on a 2 x 2 lattice) [[0, 1], [1, 0]]
"""

import math

import numpy as np
from autoray import astype, do, get_dtype_name, infer_backend, to_numpy

from ..errors import ConfigError
from .scaled import readable
from .traced import PURE

TRACED = (
    "configs are traced (by jit or vmap), and which rows of a table are read depends on their "
    f"entries; call it outside, with all configurations as one batch; {PURE}."
)


def parse_config(config, shape, phys_dim):
    """One configuration as a numpy array of integers of the lattice's shape.

    Parameters
    ----------
    config : str or array_like of int, bool or str
        A string with one digit per site, or one entry per site, in the lattice's shape or flat.
    shape : tuple[int]
        Number of sites per dimension.
    phys_dim : int
        Local dimension.

    Raises
    ------
    ConfigError
    """
    config = _as_integers(config, shape, 0)
    if tuple(config.shape) not in (shape, (math.prod(shape),)):
        raise ConfigError(
            f"config has shape {config.shape}, but the network has sites of shape {shape}; "
            f"give {math.prod(shape)} integers."
        )
    return check_configs(config.reshape((1, *shape)), shape, phys_dim)[0]


def check_configs(configs, shape, phys_dim):
    """A batch of configurations as an integer array ``(B, *shape)``, numpy or torch.

    Strings with one digit per site are configurations too, and so are booleans.

    Raises
    ------
    ConfigError
        For a wrong shape, entries that are not integers, or entries outside the local space.
    """
    configs = as_configs(configs, shape)
    check_entries(configs, phys_dim)
    return configs


def as_configs(configs, shape):
    """The same of entries that are not looked at yet, see `check_entries`."""
    configs = _as_integers(configs, shape, 1)
    if tuple(configs.shape[1:]) != shape:
        raise ConfigError(
            f"configs have shape {tuple(configs.shape)}, but a batch for this network has "
            f"shape {('B', *shape)}; for one configuration use amplitude."
        )
    return configs


def check_entries(configs, phys_dim):
    """Refuse integers that no site takes."""
    if configs.shape[0]:
        low, high = int(do("min", configs)), int(do("max", configs))
        if low < 0 or high >= phys_dim:
            raise ConfigError(
                f"configs hold the entry {low if low < 0 else high}, but with "
                f"phys_dim={phys_dim} a site takes 0 to {phys_dim - 1}; recode the entries "
                "(spins +1, -1 become 0, 1)."
            )


def _as_integers(configs, shape, lead):
    """Integers from what was written; strings of digits in ``shape``, behind ``lead`` axes."""
    if type(configs) is np.ndarray and configs.dtype.kind in "iu":
        return configs
    backend = infer_backend(configs) if hasattr(configs, "shape") else "builtins"
    if backend == "torch" and not readable(configs):
        raise ConfigError(TRACED)
    if backend not in ("numpy", "torch"):
        try:
            configs = np.asarray(configs)
        except TypeError as error:
            if backend in ("builtins", "collections"):
                raise
            raise ConfigError(TRACED) from error
        except ValueError as error:
            raise ConfigError(
                "configs are ragged; all configurations must have the same number of sites."
            ) from error
    dtype = get_dtype_name(configs)
    if dtype.startswith("str"):
        return _from_strings(configs, shape, lead)
    if dtype == "bool":
        return astype(configs, "int8")
    if not (dtype.startswith(("int", "uint")) or (dtype == "float64" and not configs.size)):
        raise ConfigError(
            f"configs have dtype {dtype}, but entries must be integers, one per site; "
            "convert them with .astype(int)."
        )
    if infer_backend(configs) == "torch" and dtype in ("uint16", "uint32", "uint64"):
        return astype(configs, "int64")  # torch cannot compare these
    return configs


def _from_strings(configs, shape, lead):
    """Strings of one digit per site (or of one row), or an array of single digits, as integers."""
    flat = [str(x) for x in configs.reshape(-1)]
    if wrong := [x for x in flat if not (x.isascii() and x.isdigit())]:
        raise ConfigError(
            f"config={wrong[0]!r} must be a string of digits, one per site, such as "
            f"{'01' * 2!r}; for phys_dim > 10 give a sequence of ints."
        )
    if len(lengths := {len(x) for x in flat}) > 1:
        raise ConfigError(
            f"the strings have {sorted(lengths)} digits; give one digit per site in each."
        )
    axes = configs.shape
    if lengths != {1} or len(axes) <= lead:  # each string holds several sites, or is all of one
        axes = (*axes, *lengths)
    digits = np.array([int(x) for x in "".join(flat)], dtype=int).reshape(axes)
    whole = (*axes[:lead], math.prod(shape))
    return digits.reshape((*axes[:lead], *shape)) if axes == whole else digits


def identity(phys_dim, like):
    """The one-hot vectors of a site, as rows, where and of the dtype that ``like`` is."""
    backend = infer_backend(like)
    if backend == "torch":
        return do("eye", phys_dim, dtype=like.dtype, device=like.device, like=backend)
    return do("eye", phys_dim, dtype=like.dtype, like=backend)


def digits(configs, phys_dim, like):
    """Configurations ``(B, *shape)`` as digits ``(N, B)``: sites first, where ``like`` is.

    They are uint8 or int16 wherever the sum of two allows, so that little memory is read.
    """
    flat = configs.reshape(len(configs), math.prod(configs.shape[1:])).T
    dtype = "uint8" if phys_dim <= 2**7 else "int16" if phys_dim < 2**14 else "int64"
    if infer_backend(like) != "torch":
        return np.ascontiguousarray(to_numpy(flat), dtype=dtype)
    if infer_backend(flat) != "torch":
        flat = do("asarray", np.ascontiguousarray(flat, dtype=dtype), like=like)
    return astype(flat, dtype).to(like.device).contiguous()


def config_block(start, stop, shape, phys_dim):
    """Configurations ``start`` to ``stop`` in the order of dense vectors: the last site fastest.

    Returns
    -------
    numpy.ndarray of int, shape (stop - start, *shape)
    """
    codes = np.arange(start, stop)
    out = np.empty((len(codes), math.prod(shape)), np.min_scalar_type(-phys_dim))
    for n in reversed(range(out.shape[1])):
        codes, out[:, n] = np.divmod(codes, phys_dim)
    return out.reshape(-1, *shape)


def batches(count, size):
    """Slices that cut ``range(count)`` into pieces of at most ``size``."""
    return (slice(i, i + size) for i in range(0, count, size))
