"""Terms multiplied with each other, and terms as sums of products over fewer places.

::

    A B      first the digits of B are added, then A reads what is there
    table over (a, b)  =  sum_r  u_r(a) v_r(b)          by singular values, where a and b are far
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .pieces import CollectedTerm
from .reading import Term

Factors = list[tuple[tuple[int, ...], np.ndarray]]


def factors_of(term: CollectedTerm, phys_dim: int) -> Factors:
    """The factors of a collected term as arrays with one axis for each place."""
    return [
        (piece.places, piece.table.reshape((phys_dim,) * len(piece.places)))
        for piece in term.factors
    ]


def multiplied(A: CollectedTerm, B: CollectedTerm, phys_dim: int) -> Term:
    """The product ``A B`` of two terms, B acting first.

    Parameters
    ----------
    A, B : CollectedTerm
    phys_dim : int

    Returns
    -------
    Term
        Factors that share places are one.
    """
    first = dict(B.shifts)
    shifts = {
        n: (first.get(n, 0) + dict(A.shifts).get(n, 0)) % phys_dim
        for n in {*first, *dict(A.shifts)}
    }
    factors = factors_of(B, phys_dim)
    for places, table in factors_of(A, phys_dim):
        moved = [-first.get(n, 0) for n in places]
        table = np.roll(table, moved, tuple(range(len(places)))) if places else table
        touching = [f for f in factors if set(f[0]) & set(places)]
        factors = [f for f in factors if not set(f[0]) & set(places)]
        factors.append(_joined([*touching, (places, table)], phys_dim))
    return Term(1.0, {n: shift for n, shift in shifts.items() if shift}, factors)


def _joined(factors, d):
    """The product of factors as one table over all their places."""
    union = tuple(sorted({n for places, _ in factors for n in places}))
    table = np.ones((d,) * len(union))
    for places, factor in factors:
        order = np.argsort(places)
        shape = [d if n in places else 1 for n in union]
        table = table * factor.transpose(order).reshape(shape)
    return union, table


def split_factors(factors: Factors, fits: Callable[[tuple[int, ...]], bool]) -> list[Factors]:
    """Factors as a sum of products of factors that fit somewhere.

    Parameters
    ----------
    factors : list[(tuple[int, ...], numpy.ndarray)]
    fits : callable
        Whether a factor may be over these places; over one place or none it always may.

    Returns
    -------
    list[list[(tuple[int, ...], numpy.ndarray)]]
        Products, to be added up.
    """
    choices = [_split(places, table, fits) for places, table in factors]
    return [list(itertools.chain(*chosen)) for chosen in itertools.product(*choices)]


def _split(places: Any, table: Any, fits: Any) -> list[Factors]:
    if len(places) < 2 or fits(places):
        return [[(places, table)]]
    d = table.shape[0]
    u, s, vh = np.linalg.svd(table.reshape(d, -1), full_matrices=False)
    found = []
    for r in range(int((s > 4 * np.finfo(float).eps * s[0]).sum())):
        rest = (s[r] * vh[r]).reshape(table.shape[1:])
        for others in _split(places[1:], rest, fits):
            found.append([(places[:1], u[:, r]), *others])
    return found
