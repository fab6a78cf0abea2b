"""Translations that turn windows into equal windows, and terms that they join.

::

    T(s0 s1)  T(s1 s2)  T(s2 s3)  T(s3 s0)      one array, so a move by one site changes nothing
    X0  X1  X2  X3                              one class of four: <H> = 4 <X2>
"""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np

from .pieces import CollectedTerm, TablePiece

Places = list[tuple[Any, ...]]


def steps_of(shape: tuple[int, ...], kinds: list[int], places: Places, legs: Any) -> Any:
    """By how many sites along each axis tensors may be moved, to be the same tensors.

    Parameters
    ----------
    shape : tuple[int, ...]
        Of the lattice.
    kinds : list[int]
        Tensors of one kind have one array.
    places : list[tuple[int or None, ...]]
        The site of each axis of each tensor, or None.
    legs : list[tuple[str, ...]]
        The name of each axis.

    Returns
    -------
    tuple[int, ...]
        The length of an axis, where nothing less will do.
    """
    rest = [tuple(ix for ix, n in zip(*pair) if n is None) for pair in zip(legs, places)]
    there = Counter(zip(kinds, places, rest))
    return tuple(_step_along(axis, shape, there) for axis in range(len(shape)))


def _step_along(axis, shape, there):
    for step in (s for s in range(1, shape[axis]) if shape[axis] % s == 0):
        image = _image(shape, [step if k == axis else 0 for k in range(len(shape))])
        moved: Counter = Counter()
        for (kind, held, rest), count in there.items():
            moved[kind, tuple(None if n is None else image[n] for n in held), rest] = count
        if moved == there:
            return step
    return shape[axis]


def _image(shape, move):
    """Where each place goes: what is at ``n`` goes to ``image[n]``."""
    table = np.arange(math.prod(shape)).reshape(shape)
    return np.roll(table, [-m for m in move], range(len(move))).ravel().tolist()


def classes_of(
    terms: list[CollectedTerm], shape: tuple[int, ...], steps: tuple[int, ...], phys_dim: int
) -> Counter:
    """One term of each class that translations join, near the middle, and how many there are.

    Parameters
    ----------
    terms : list[CollectedTerm]
    shape : tuple[int, ...]
        Of the lattice.
    steps : tuple[int, ...]
        Of the translations along each axis.
    phys_dim : int

    Returns
    -------
    Counter[CollectedTerm]
    """
    if steps == shape:
        return Counter(terms)
    moves = itertools.product(*(range(0, length, step) for length, step in zip(shape, steps)))
    images = {move: _image(shape, move) for move in moves}
    representative = lambda term: _representative(term, shape, steps, images, phys_dim)
    return Counter(map(representative, terms))


def are_whole(terms: list[CollectedTerm], shape: Any, steps: Any, phys_dim: int) -> bool:
    """Whether the translations turn terms into each other, so that their sum stays the same."""
    found = set(terms)
    for axis, step in enumerate(steps):
        image = _image(shape, [step if k == axis else 0 for k in range(len(shape))])
        if any(_renamed(term, image, phys_dim) not in found for term in terms):
            return False
    return True


def _representative(term, shape, steps, images, d):
    """The least of the terms that some site of it is moved near the middle by."""
    sites = {n for piece in term.factors for n in piece.places}
    found = []
    for n in sites or {0}:
        at = np.unravel_index(n, shape)
        move = tuple(
            ((length // 2) // step - a // step) * step % length
            for a, step, length in zip(map(int, at), steps, shape)
        )
        found.append(_renamed(term, images[move], d))
    return min(found, key=repr)


def _renamed(term, image, d):
    """A term on other places, the places of each factor in order again."""
    factors = []
    for piece in term.factors:
        places = [image[n] for n in piece.places]
        order = np.argsort(places)
        table = piece.table.reshape((d,) * len(places)).transpose(order)
        factors.append(TablePiece(tuple(sorted(places)), tuple(table.ravel().tolist())))
    shifts = tuple(sorted((image[n], shift) for n, shift in term.shifts))
    return CollectedTerm(shifts, tuple(sorted(factors, key=repr)))
