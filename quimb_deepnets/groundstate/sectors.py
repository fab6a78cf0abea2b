"""Sectors: configurations with a given number of ones, and operators that keep it.

::

    2 of 4 sites     0011  0101  0110  1001  1010  1100      in the order of dense vectors
"""

import itertools
import math
from typing import Any

import numpy as np

from ..errors import OptionError
from ..numerics.configs import config_block
from .operators import FlipMasks
from .pieces import TablePiece

MAX_SITES = 62  # codes are 64-bit integers


def check_sector(sector: Any, nsites: int, phys_dim: int) -> int | None:
    """A number of ones, or None.

    Raises
    ------
    OptionError
        If no configuration has so many, or a site can be in more than two states.
    """
    if sector is None:
        return None
    if phys_dim != 2:
        raise OptionError(
            f"sector={sector!r} counts ones, and a site with phys_dim={phys_dim} has more states "
            "than 0 and 1; leave sector out."
        )
    whole = isinstance(sector, (int, np.integer)) and not isinstance(sector, bool)
    if whole and 0 <= sector <= nsites:
        return int(sector)
    raise OptionError(
        f"sector={sector!r} must be a number of ones on {nsites} sites; use an int from 0 to "
        f"{nsites}."
    )


def check_conserved(H: FlipMasks, sector: int) -> None:
    """Refuse an operator that leaves a sector.

    Raises
    ------
    OptionError
        It names a term that does.
    """
    for term in H._terms:
        shifts = dict(term.shifts)
        places = {n for piece in term.factors for n in piece.places}
        free = [TablePiece((n,), (1, 1)) for n in shifts if n not in places]
        reached = {(0, 0)}  # ones so far, and how many are added to them
        for piece in (*term.factors, *free):
            codes, k = piece.table.nonzero()[0], len(piece.places)
            digits = codes >> np.arange(k)[::-1, None] & 1
            moved = np.array([shifts.get(n, 0) for n in piece.places], int)
            added = (moved[:, None] * (1 - 2 * digits)).sum(0)
            steps = set(zip(digits.sum(0).tolist(), added.tolist()))
            reached = {(a + c, b + d) for a, b in reached for c, d in steps}
        rest = H.nsites - len(places) - len(free)
        if wrong := [change for ones, change in reached if change and 0 <= sector - ones <= rest]:
            names = [H.sites[n] for n in shifts]
            raise OptionError(
                f"H leaves the sector of {sector} ones: a term that flips {names[:4]} changes "
                f"their number by {max(wrong)}; leave sector out, or use an H that keeps it."
            )


def sector_size(nsites: int, phys_dim: int, sector: int | None) -> int:
    """How many configurations there are.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.sectors import sector_size
    >>> sector_size(16, 2, 8), sector_size(16, 2, None)
    (12870, 65536)
    """
    return phys_dim**nsites if sector is None else math.comb(nsites, sector)


def sector_configs(nsites: int, phys_dim: int, sector: int | None) -> np.ndarray:
    """All configurations of a sector in the order of dense vectors, the last site fastest.

    Returns
    -------
    numpy.ndarray of int, shape (count, N)
    """
    if sector is None:
        return config_block(0, phys_dim**nsites, (nsites,), phys_dim)
    count = math.comb(nsites, sector)
    chosen = itertools.chain.from_iterable(itertools.combinations(range(nsites), sector))
    ones = np.fromiter(chosen, np.intp, count * sector).reshape(count, sector)
    configs = np.zeros((count, nsites), np.int8)
    np.put_along_axis(configs, ones, 1, axis=1)
    return configs[::-1]


def codes_of(configs: np.ndarray, phys_dim: int) -> np.ndarray:
    """The place of each configuration among all, the last site fastest; up to 62 bits."""
    weights = phys_dim ** np.arange(configs.shape[1], dtype=np.int64)[::-1]
    return configs.astype(np.int64) @ weights
