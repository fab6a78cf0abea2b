"""Derivatives whose rows are outer products of a few short factors, without the rows.

::

    factors    s (n, a)    t (n, b)            products  ((0,), (1,), (1, 0))

    row of configuration n       [ s_n | t_n | t_n x s_n ]                    a + b + a b numbers
    rows times rows, n by n      S + T + T * S   where S = s s^+, T = t t^+   elementwise products

What costs ``n**2 P`` with rows of P numbers costs ``n**2 (a + b)`` here, and is the same.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from autoray import do

from ..numerics.configs import batches

BLOCK = 64  # rows of a Gram matrix at a time: what stays in the cache


class FactoredRows(NamedTuple):
    """A matrix whose rows are outer products of factors, side by side.

    Attributes
    ----------
    factors : tuple[array, ...], shape (..., width) each
        One row for each row of the matrix.
    products : tuple[tuple[int, ...], ...]
        The factors of each outer product; the first one moves slowest.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.evaluation.factored_rows import FactoredRows
    >>> O = FactoredRows((np.array([[1, 2]]), np.array([[3, 5]])), ((0,), (1, 0)))
    >>> O.rows().tolist(), O.gram().tolist()
    ([[1, 2, 3, 6, 5, 10]], [[175]])
    """

    factors: tuple[Any, ...]
    products: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> list[int]:
        """How many columns each product has."""
        widths = [x.shape[-1] for x in self.factors]
        return [math.prod(widths[k] for k in product) for product in self.products]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.factors[0]), sum(self.sizes)

    @property
    def dtype(self) -> np.dtype:
        """Of the matrix."""
        return np.result_type(*self.factors)

    def reshape(self, *shape: int) -> "FactoredRows":
        """The same with other axes before the last one, which is given as -1."""
        return self._replace(
            factors=tuple(x.reshape(*shape[:-1], x.shape[-1]) for x in self.factors)
        )

    def rows(self) -> Any:
        """The matrix, ``(n, P)``."""
        parts = [self._product([self.factors[k] for k in product]) for product in self.products]
        return parts[0] if len(parts) == 1 else do("concatenate", tuple(parts), axis=1)

    @staticmethod
    def _product(factors):
        outer = lambda x, y: (x[:, :, None] * y[:, None]).reshape(len(x), -1)
        return functools.reduce(outer, factors)

    def gram(self) -> np.ndarray:
        """The matrix times its adjoint, ``(n, n)``."""
        adjoints = [np.ascontiguousarray(x.conj().T) for x in self.factors]
        total = np.empty((len(self.factors[0]),) * 2, self.dtype)
        for part in batches(len(total), BLOCK):
            grams = [x[part] @ y for x, y in zip(self.factors, adjoints)]
            terms = (functools.reduce(np.multiply, [grams[k] for k in p]) for p in self.products)
            total[part] = functools.reduce(np.add, terms)
        return total

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        """The matrix times a vector, ``(n,)``."""
        total: Any = 0.0
        for product, part in zip(self.products, self._split(x)):
            first, *others = (self.factors[k] for k in product)
            found = first @ part.reshape(first.shape[1], -1)
            for y in others:
                found = np.einsum("nd,ndr->nr", y, found.reshape(*y.shape, -1))
            total = total + found[:, 0]
        return total

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """The adjoint of the matrix times a vector, ``(P,)``."""
        parts = []
        for product in self.products:
            first, *others = (self.factors[k].conj() for k in product)
            parts.append((first.T @ self._product([y[:, None], *others])).reshape(-1))
        return np.concatenate(parts)

    def _split(self, x):
        return np.split(x, np.cumsum(self.sizes)[:-1])


def joined(parts: Sequence[Any], axis: int = 0) -> Any:
    """Rows of several parts, as arrays or in factors, as one.

    Parameters
    ----------
    parts : sequence of numpy.ndarray or FactoredRows
        All of one kind.
    axis : int, optional
        Before the last one.

    Returns
    -------
    numpy.ndarray or FactoredRows
    """
    parts = tuple(parts)
    if not isinstance(parts[0], FactoredRows):
        return do("concatenate", parts, axis=axis)
    factors = (do("concatenate", some, axis=axis) for some in zip(*(x.factors for x in parts)))
    return parts[0]._replace(factors=tuple(factors))
