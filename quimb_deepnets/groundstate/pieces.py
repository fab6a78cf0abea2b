"""Terms collected: what acts on the same places with the same move is one table.

::

    xx + yy on (a, b)             both add 1 at a and b      one table   0  1/2  1/2  0
    x z z z x + y z z z y         the same tail z z z        one table on the ends, times the tail
    a tail of many places         cut at multiples of 8      tables that other strings share
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .reading import Term

SMALL = 2**8  # entries of a table that is written out


class TablePiece(NamedTuple):
    """A table over the digits of a few places, ``(d**k,)``; equal pieces are one."""

    places: tuple[int, ...]
    numbers: tuple[Any, ...]

    @property
    def table(self) -> np.ndarray:
        """The numbers as an array."""
        return np.array(self.numbers)


class CollectedTerm(NamedTuple):
    """What is added, pairs of place and shift, and factors on disjoint places."""

    shifts: tuple[tuple[int, int], ...]
    factors: tuple[TablePiece, ...]


def collect_terms(terms: Any, phys_dim: int) -> list[CollectedTerm]:
    """Add up terms of one move and the same places, and leave out what cancels.

    Parameters
    ----------
    terms : iterable of Term
    phys_dim : int

    Returns
    -------
    list[CollectedTerm]

    Examples
    --------
    >>> import quimb as qu
    >>> from quimb_deepnets.groundstate.pieces import collect_terms
    >>> from quimb_deepnets.groundstate.reading import read_hamiltonian
    >>> H = qu.operator.SparseOperatorBuilder([(1, ("x", 0), ("x", 1)), (1, ("y", 0), ("y", 1))])
    >>> collect_terms(read_hamiltonian(H, range(2), 2), 2)[0].factors[0].numbers
    (0.0, 2.0, 2.0, 0.0)
    """
    sums: dict[Any, list[np.ndarray]] = {}
    for term in terms:
        shifts = tuple(sorted(term.shifts.items()))
        places, table, tail = _split(term, phys_dim)
        both = sums.setdefault((shifts, places, tail), [0 * table, 0 * abs(table)])
        both[0] = both[0] + table
        both[1] = both[1] + abs(table)
    collected = []
    for (shifts, places, tail), (table, size) in sums.items():
        table = np.where(abs(table) > 8 * np.finfo(float).eps * size, table, 0)
        if table.any():
            table = table.real if not table.imag.any() else table
            head = TablePiece(places, tuple(table.reshape(-1).tolist()))
            collected.append(CollectedTerm(shifts, (head, *_cut(tail, phys_dim))))
    return collected


def unpaired_terms(terms: list[CollectedTerm], phys_dim: int) -> list[CollectedTerm]:
    """What is left of an operator less its adjoint where both are collected: nothing, mostly.

    Parameters
    ----------
    terms : list[CollectedTerm]
    phys_dim : int

    Returns
    -------
    list[CollectedTerm]
        None of a Hermitian operator, unless a matrix that is not Hermitian has its adjoint spread
        over other places, as in ``{(0, 1): A, (0,): B}``.

    Examples
    --------
    >>> import quimb as qu
    >>> from quimb_deepnets.groundstate.pieces import collect_terms, unpaired_terms
    >>> from quimb_deepnets.groundstate.reading import read_hamiltonian
    >>> Y, up = collect_terms(read_hamiltonian({0: qu.pauli("Y"), 1: qu.create()}, range(2), 2), 2)
    >>> unpaired_terms([Y], 2), len(unpaired_terms([up], 2))
    ([], 1)
    """
    return collect_terms((x for term in terms for x in _with_adjoint(term, phys_dim)), phys_dim)


def _with_adjoint(term, d):
    """A collected term, and its adjoint with a minus."""
    shifts = dict(term.shifts)
    factors = [(p.places, p.table.reshape((d,) * len(p.places))) for p in term.factors]
    yield Term(1.0, shifts, factors)
    turned = [(places, _moved(x.conj(), places, shifts)) for places, x in factors]
    yield Term(-1.0, {n: d - shift for n, shift in shifts.items()}, turned)


def _moved(table, places, shifts):
    """A table over digits before a move as one over digits after it."""
    axes = [axis for axis, n in enumerate(places) if n in shifts]
    return np.roll(table, [shifts[places[axis]] for axis in axes], axes) if axes else table


def _split(term, d):
    """The table of a term over its sorted places, and the rest as normalised factors.

    Where all places together are too many, the table is over those that move, or over none.
    """
    lone = len(term.factors) == 1
    places = {n for places, _ in term.factors for n in places}
    if not lone and d ** len(places) > SMALL:
        places = set(term.shifts) if d ** len(term.shifts) <= SMALL else set()
    head = tuple(sorted(places))
    table, tail = np.full((d,) * len(head), term.coefficient), []
    for own, factor in term.factors:
        if places.issuperset(own):
            table = table * _on_axes(factor, own, head)
            continue
        first = factor.reshape(-1)[np.flatnonzero(factor)[0]]
        table = table * first
        if (factor != first).any():
            tail.append((own, tuple((factor / first).reshape(-1).tolist())))
    return head, table, tuple(sorted(tail))


def _on_axes(factor, own, head):
    """A factor with its axes in the order of ``head``, and axes of size 1 for other places."""
    axes = [head.index(n) for n in own]
    factor = factor.transpose(np.argsort(axes))
    shape = [1] * len(head)
    for axis, size in zip(sorted(axes), factor.shape):
        shape[axis] = size
    return factor.reshape(shape)


def _cut(tail, d):
    """Factors on single places as tables over blocks of neighbouring places; others as they are."""
    block = max(1, int(math.log(SMALL, d) + 1e-9)) if d > 1 else 1
    blocks: dict[int, list[Any]] = {}
    for places, numbers in tail:
        if len(places) == 1:
            blocks.setdefault(places[0] // block, []).append((places[0], numbers))
        else:
            yield TablePiece(places, numbers)
    for inside in blocks.values():
        table = np.ones(1)
        for _, numbers in inside:
            table = np.multiply.outer(table, numbers).reshape(-1)
        yield TablePiece(tuple(n for n, _ in inside), tuple(table.tolist()))
