"""Which sites the windows of a level hold, and which rows of its tables they select.

::

    positions of one width    sites (P, width)    --digits--> codes (P, B)    rows of the tables
    of all widths             sites, one after the other      as compiled loops read them
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from autoray import astype, do

from ..geometry.branches import branches_of, folded_branches
from ..kernels.words import FlatWindows, packed_windows
from ..numerics.scaled import array_like, as_index
from .plan import grouped


class Windows(NamedTuple):
    """Positions whose windows hold equally many sites.

    ``positions`` and ``kinds`` have shape ``(P,)``, ``sites`` has shape ``(P, width)``.
    """

    positions: np.ndarray
    kinds: np.ndarray
    sites: np.ndarray


@functools.lru_cache(64)
def windows_of(geometry, level, sizes=None):
    """The windows of a level, sorted by width: folded and merged, or (None) of layer ``level``.

    Returns
    -------
    tuple[Windows]
    """
    if sizes is None:
        branches = branches_of(geometry, level)
    else:
        branches = grouped(folded_branches(geometry), sizes)
    axes = [_by_width(axis) for axis in branches.levels]
    counts = [len(axis.kind_of) for axis in branches.levels]
    kinds = [len(axis.kinds) for axis in branches.levels]
    if len(axes) == 1:
        return tuple(itertools.starmap(Windows, axes[0]))
    outer = lambda a, b, size: (a[:, None] * size + b).reshape(-1)
    return tuple(
        Windows(
            outer(px, py, counts[1]),
            outer(kx, ky, kinds[1]),
            (wx[:, None, :, None] * geometry.shape[1] + wy[None, :, None, :]).reshape(
                len(px) * len(py), -1
            ),
        )
        for (px, kx, wx), (py, ky, wy) in itertools.product(*axes)
    )


def _by_width(level):
    """Positions, kinds and windows of one axis, as arrays, for each width of a window."""
    widths = np.array([len(window) for window in level.windows])
    kinds = np.array(level.kind_of)
    for width in sorted(set(widths.tolist())):
        positions = np.flatnonzero(widths == width)
        windows = [level.windows[p] for p in positions]
        yield positions, kinds[positions], np.array(windows, dtype=int).reshape(-1, width)


@functools.lru_cache(64)
def flat_windows(geometry, level, sizes=None):
    """The same windows as loops read them, with the tables of all kinds one after the other."""
    windows = windows_of(geometry, level, sizes)
    kinds = np.concatenate([group.kinds for group in windows])
    widths = np.concatenate([[g.sites.shape[1]] * len(g.sites) for g in windows])
    rows = np.zeros(kinds.max() + 1, int)
    rows[kinds] = geometry.phys_dim**widths
    starts = np.cumsum(rows) - rows
    return FlatWindows(
        np.concatenate([group.sites.reshape(-1) for group in windows]).astype(np.int32),
        np.cumsum([0, *widths]).astype(np.int64),
        starts[kinds].astype(np.int64),
    )


@functools.lru_cache(64)
def window_pieces(geometry, level, sizes=None):
    """The same windows as pieces of words that hold the digits of a configuration."""
    return packed_windows(flat_windows(geometry, level, sizes), geometry.phys_dim)


@functools.lru_cache(64)
def kind_counts(geometry, level, sizes=None):
    """How many windows are of each kind, ``(kinds,)``."""
    windows = windows_of(geometry, level, sizes)
    return np.bincount(np.concatenate([group.kinds for group in windows])).astype(float)


def row_codes(x, windows, offsets, phys_dim):
    """Which row of the joined tables each window selects.

    Parameters
    ----------
    x : array of int, shape (N, B)
        The digits of the configurations.
    windows : sequence of Windows
    offsets : numpy.ndarray
        Where the table of each kind starts.

    Returns
    -------
    array of int64, shape (P, B)
        Positions in the order in which ``windows`` list them.
    """
    parts = []
    for group in windows:
        width = group.sites.shape[1]
        narrow = phys_dim**width < 2**15
        code = None
        for j in range(width):
            digit = x[array_like(group.sites[:, j], x)]
            digit = astype(digit, "int16") if narrow else as_index(digit)
            code = digit if code is None else code * phys_dim + digit
        start = array_like(offsets[group.kinds][:, None], x)
        if code is None:
            code = start + do("zeros_like", as_index(x[:1]))
        elif offsets.any():
            code = code + start
        parts.append(as_index(code))
    return parts[0] if len(parts) == 1 else do("concatenate", tuple(parts), axis=0)
