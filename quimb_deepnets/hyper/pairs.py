"""Contractions of two small arrays, prepared once for each equation and pair of shapes.

::

    abc,cd->dba      y: (d, c)    x: (c, b a)    one matmul: what x alone has stays in one block
    abc,bd->abcd     x: (a, b, c, 1)    y: (1, b, 1, d)    one product

Where thousands of arrays have few entries, finding out what to do takes longer than doing it.
"""

import functools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from autoray import do
from cotengra.contract import einsum


@functools.lru_cache(2**13)
def prepared_pair(eq: str, left: tuple[int, ...], right: tuple[int, ...]) -> Callable:
    """A function of two arrays that contracts them.

    Parameters
    ----------
    eq : str
        As `numpy.einsum` takes it, the output spelled out.
    left, right : tuple[int, ...]
        Shapes.

    Returns
    -------
    callable

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.hyper.pairs import prepared_pair
    >>> prepared_pair("ab,bc->ca", (2, 3), (3, 2))(np.ones((2, 3)), np.ones((3, 2))).tolist()
    [[3.0, 3.0], [3.0, 3.0]]
    """
    terms, out = eq.split("->")
    a, b = terms.split(",")
    sizes = dict(zip(a, left)) | dict(zip(b, right))
    both = set(a) & set(b)
    if len(set(a)) < len(a) or len(set(b)) < len(b):  # diagonals
        return lambda x, y: do("einsum", eq, x, y)
    spread = any(left[a.index(ix)] != right[b.index(ix)] for ix in both)
    if spread or not set(a) ^ set(b) <= set(out):  # sums of one array
        return functools.partial(einsum, eq)
    if both <= set(out):
        return _product(a, b, out, sizes)
    if math.prod(left) < math.prod(right):
        contract = _matmul(b, a, out, sizes)
        return lambda x, y: contract(y, x)
    return _matmul(a, b, out, sizes)


def natural_order(
    x: Sequence[int], y: Sequence[int], kept: Collection[int], sizes: Sequence[int]
) -> tuple[int, ...]:
    """The legs of a contraction in the order in which it comes out, nothing being moved.

    The legs that only the larger array has come last, in their order: so they stay one block of
    memory from contraction to contraction, as long as nothing touches them.

    Parameters
    ----------
    x, y : sequence of int
        Legs.
    kept : collection of int
        Legs of the result.
    sizes : sequence of int
        By leg.

    Returns
    -------
    tuple[int, ...]

    Examples
    --------
    >>> from quimb_deepnets.hyper.pairs import natural_order
    >>> natural_order((0, 1, 2, 3), (1, 3, 4), {0, 1, 2, 4}, [2] * 5)
    (1, 4, 0, 2)
    """
    size = lambda legs: math.prod(sizes[leg] for leg in legs)
    large, small = (x, y) if size(x) >= size(y) else (y, x)
    batch = [leg for leg in large if leg in small and leg in kept]
    columns = [leg for leg in dict.fromkeys(small) if leg in kept and leg not in large]
    rows = [leg for leg in dict.fromkeys(large) if leg in kept and leg not in small]
    return (*batch, *columns, *rows)


def permuted(x: Any, axes: tuple[int, ...] | None) -> Any:
    """An array with its axes in another order, of numpy, torch and their like; None keeps it."""
    if axes is None:
        return x
    return x.permute(axes) if hasattr(x, "permute") else x.transpose(axes)


def _axes(old, new):
    """The permutation from legs to legs; None where nothing moves."""
    return None if tuple(old) == tuple(new) else tuple(map(old.index, new))


def _product(a, b, out, sizes):
    """Elementwise, all axes of the output side by side."""
    ways = []
    for term in (a, b):
        shape = tuple(sizes[ix] if ix in term else 1 for ix in out)
        ways.append((_axes(term, [ix for ix in out if ix in term]), shape))
    (p, left), (q, right) = ways
    return lambda x, y: permuted(x, p).reshape(left) * permuted(y, q).reshape(right)


def _matmul(a, b, out, sizes):
    """One product of matrices for each value of the legs that all three have; ``a`` is larger."""
    batch = [ix for ix in out if ix in a and ix in b]
    summed = [ix for ix in a if ix in b and ix not in out]
    rows, columns = ([ix for ix in out if ix in t and ix not in batch] for t in (a, b))
    size = lambda legs: math.prod(map(sizes.__getitem__, legs))
    several = (size(batch),) if batch else ()
    p, left = _axes(a, batch + summed + rows), (*several, size(summed), size(rows))
    q, right = _axes(b, batch + columns + summed), (*several, size(columns), size(summed))
    order = batch + columns + rows
    shape, last = tuple(map(sizes.__getitem__, order)), _axes(order, list(out))

    def _contract(x, y):
        z = permuted(y, q).reshape(right) @ permuted(x, p).reshape(left)
        return permuted(z.reshape(shape), last)

    return _contract
