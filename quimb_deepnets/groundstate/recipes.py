"""Many contractions that are alike: what they have in common is done once, and differentiated.

Intermediates are known by what they are made of, not by the names of their legs. So equal parts
of one network and of several networks are one intermediate, wherever they stand::

    norm    ((T T) (T T)) ((T T) (T T))        TT, TTTT, norm: three products instead of seven
    term    ((T T) (T T)) ((T A) (T T))        TA, TATT, and the last one
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

ROOM = 2.0**64  # mantissas stay within this factor of 1
FEW = 4  # summands that are added one by one

Part = tuple[int, tuple[str, ...]]  # the number of an array, and the names of its legs


class Join(NamedTuple):
    """A product of two arrays, as matrices: axes in another order, then in three groups.

    Attributes
    ----------
    left, right : int
        Numbers of the arrays.
    order_left, order_right : tuple[int, ...]
        Axes, grouped as ``(both and kept, own, summed)`` and ``(both and kept, summed, own)``.
    matrix_left, matrix_right : (int, int, int)
        The sizes of the groups.
    shape : tuple[int, ...]
        Of the product, axis by axis: kept, own of the left, own of the right.
    """

    left: int
    right: int
    order_left: tuple[int, ...]
    order_right: tuple[int, ...]
    matrix_left: tuple[int, int, int]
    matrix_right: tuple[int, int, int]
    shape: tuple[int, ...]


class Recipe:
    """Products of arrays, in an order in which each can be made from those before it.

    Attributes
    ----------
    leaves : dict[Any, int]
        What is given: a key, and the number of its array.
    joins : dict[int, Join]
        What is made, by number.
    work : float
        Multiplications of one run.
    size : int
        Numbers that are held after it.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.groundstate.recipes import Recipe
    >>> recipe = Recipe()
    >>> x, y = recipe.leaf("x", (2,)), recipe.leaf("y", (2,))
    >>> end, legs = recipe.join((x, ("i",)), (y, ("i",)), kept=())
    >>> run = recipe.run({"x": np.array([1.0, 2.0]), "y": np.array([3.0, 4.0])})
    >>> float(run.values[end]), run.pulled_back({end: 1.0})["x"].tolist()
    (11.0, [3.0, 4.0])
    """

    def __init__(self) -> None:
        self.leaves: dict[Any, int] = {}
        self.joins: dict[int, Join] = {}
        self.work = 0.0
        self.size = 0
        self._shapes: list[tuple[int, ...]] = []
        self._known: dict[Any, int] = {}

    def leaf(self, key: Any, shape: tuple[int, ...]) -> int:
        """The number of a given array."""
        if key not in self.leaves:
            self.leaves[key] = self._next(shape)
        return self.leaves[key]

    def _next(self, shape):
        self._shapes.append(tuple(shape))
        self.size += math.prod(self._shapes[-1])
        return len(self._shapes) - 1

    def join(self, left: Part, right: Part, kept: Any) -> Part:
        """The product of two arrays, summed over what both have and nobody else needs.

        Parameters
        ----------
        left, right : (int, tuple[str, ...])
            Numbers, and the names of axes.
        kept : container of str
            Names that others need.
        """
        (i, a), (j, b) = left, right
        batch = [x for x in a if x in b and x in kept]
        summed = [x for x in a if x in b and x not in kept]
        own = [x for x in a if x not in b], [x for x in b if x not in a]
        orders = (
            tuple(a.index(x) for x in (*batch, *own[0], *summed)),
            tuple(b.index(x) for x in (*batch, *summed, *own[1])),
        )
        legs = (*batch, *own[0], *own[1])
        key = (i, j, orders, len(batch), len(summed))
        if key not in self._known:
            size = {**dict(zip(a, self._shapes[i])), **dict(zip(b, self._shapes[j]))}
            count = lambda names: math.prod(size[x] for x in names)
            B, left_, sum_, right_ = map(count, (batch, own[0], summed, own[1]))
            number = self._known[key] = self._next(size[x] for x in legs)
            self.work += B * left_ * sum_ * right_
            self.joins[number] = Join(
                i, j, *orders, (B, left_, sum_), (B, sum_, right_), self._shapes[number]
            )
        return self._known[key], legs

    def run(self, given: Any) -> "Run":
        """All products.

        Parameters
        ----------
        given : dict[Any, numpy.ndarray]
            The array of each key.
        """
        values: list[Any] = [None] * len(self._shapes)
        lost = [0] * len(values)  # what each product was divided by, as a power of two
        exponents = [0] * len(values)
        for key, number in self.leaves.items():
            values[number] = given[key]
        for number, step in self.joins.items():
            x, y = _matrices(step, values)
            z, k = _evened(_product(x, y))
            values[number], lost[number] = z.reshape(step.shape), k
            exponents[number] = exponents[step.left] + exponents[step.right] + k
        return Run(self, values, exponents, lost)


class Run(NamedTuple):
    """What a recipe made: ``values[n] * 2.0**exponents[n]``."""

    recipe: Recipe
    values: list[Any]
    exponents: list[int]
    lost: list[int]

    def pulled_back(self, seeds: Mapping[int, Any]) -> dict[Any, Any]:
        """Derivatives by the given arrays, as torch defines them.

        Parameters
        ----------
        seeds : dict[int, number]
            Derivatives of a real number by ``values`` of scalars.

        Returns
        -------
        dict[Any, numpy.ndarray]
            By key, where there are any.
        """
        back: dict[int, Any] = {n: np.array(x) for n, x in seeds.items()}
        for number, step in reversed(self.recipe.joins.items()):
            if (g := back.pop(number, None)) is None:
                continue
            x, y = _matrices(step, self.values)
            g = g.reshape(*step.matrix_left[:2], step.matrix_right[2])
            if self.lost[number]:
                g = g * 2.0 ** -self.lost[number]
            for n, order, part in (
                (step.left, step.order_left, _product(g, y.conj().swapaxes(1, 2))),
                (step.right, step.order_right, _product(x.conj().swapaxes(1, 2), g)),
            ):
                shape = [self.values[n].shape[axis] for axis in order]
                part = part.reshape(shape).transpose(np.argsort(order))
                back[n] = back[n] + part if n in back else part
        return {key: back[n] for key, n in self.recipe.leaves.items() if n in back}


def _matrices(step, values):
    x = values[step.left].transpose(step.order_left).reshape(step.matrix_left)
    y = values[step.right].transpose(step.order_right).reshape(step.matrix_right)
    return x, y


def _product(x, y):
    """Many matrix products ``(B, l, s) (B, s, r)``."""
    B, rows, summed = x.shape
    if summed > FEW or (rows * y.shape[2] > B and summed > 1) or not summed:
        return x @ y
    out = x[:, :, :1] * y[:, :1]
    for s in range(1, summed):
        out += x[:, :, s : s + 1] * y[:, s : s + 1]
    return out


def _evened(z):
    """An array with a largest entry near 1, and the power of two that it was divided by."""
    top = float(abs(z).max() if z.dtype.kind == "c" else max(z.max(), -z.min()))
    if 1 / ROOM < top < ROOM or not 0 < top < math.inf:
        return z, 0
    k = math.frexp(top)[1]
    return z * 2.0**-k, k
