"""Exact energies of collapsed networks: windows of the ket, and windows of a bra that is moved.

For one mask, ``<psi|H|psi>`` is a sum over single configurations, like the norm, and no site is
doubled. Tables are multiplied into windows that hold their places, so that all sums take one path::

    sum_s  conj psi(s + mask)  c(s)  psi(s)

    ket    T(s0 s1)    T(s1 s2) c(s1)    T(s2 s3)
    bra    T(s0 1+s1)  T(1+s1 1+s2)      T(1+s2 s3)        mask 0110: axes rolled
"""

import functools
import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
from autoray import do, infer_backend, stop_gradient, to_numpy
from cotengra import ContractionTree, array_contract_tree, get_symbol

from ..errors import BudgetError
from ..geometry.expansion import leaf_ind
from ..hyper.operands import in_common
from ..hyper.search import BestOf
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import window_tensors
from .chain import best_radius, check_weight, phases
from .operators import FlipMasks
from .pieces import CollectedTerm, TablePiece
from .products import factors_of, split_factors, squared_terms

MAX_WORK = 3 * 10**10  # multiplications of all sums together
HOPELESS = 10**15  # multiplications of a quickly found path: no better one is looked for
MAX_PAIRS = 2**16  # products of two terms
CALLS = 10**5  # multiplications that take as long as the call for one tensor


class WindowSums:
    """Sums over all configurations of a network, by contracting its windows.

    Parameters
    ----------
    net : DeepNetwork
    max_bytes : float, optional
        Refuse windows and intermediates that need more.

    Raises
    ------
    BudgetError
        If they do.
    OptionError
        If the family of the network has no collapsed form.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> from quimb_deepnets.groundstate.windows import WindowSums
    >>> net = qdn.ConvAC.graph_state(6, distance=1, kernel=2)
    >>> H = FlipMasks({(0, 1, 2): -qu.pauli("Z") & qu.pauli("X") & qu.pauli("Z")}, net.sites)
    >>> [round(float(x), 9) + 0.0 for x in WindowSums(net).moments(H)]
    [-1.0, 0.0]
    """

    def __init__(self, net: Any, max_bytes: float = MAX_BYTES) -> None:
        self.phys_dim, self.shape = net.phys_dim, tuple(net.geometry.shape)
        tensors, _ = window_tensors(net, max_bytes)
        place = {leaf_ind(site): n for n, site in enumerate(net.sites)}
        self.arrays = [tensor.data for tensor in tensors]
        self.legs = [tensor.inds for tensor in tensors]
        # which site each axis of each array is, or None
        self.places = [tuple(place.get(ix) for ix in inds) for inds in self.legs]
        self._tree = self._search(max_bytes)

    def _search(self, max_bytes) -> ContractionTree:
        bra = [
            tuple(ix if n is not None else ix + "*" for ix, n in zip(inds, places))
            for inds, places in zip(self.legs, self.places)
        ]
        sizes: dict[str, int] = {}
        for x, *both in zip(self.arrays, self.legs, bra):
            for inds in both:
                sizes.update(zip(inds, x.shape))
        symbols = {ix: get_symbol(i) for i, ix in enumerate(sizes)}
        inputs = [tuple(map(symbols.get, inds)) for inds in (*self.legs, *bra)]
        sizes = {symbols[ix]: size for ix, size in sizes.items()}
        quick = array_contract_tree(inputs, (), sizes, optimize="greedy")
        if (work := quick.contraction_cost()) > HOPELESS:
            raise BudgetError(
                f"a collapsed network of {len(self.arrays)} tensors takes about {work:.1g} "
                "multiplications for one sum; use method='sample', or smaller windows."
            )
        return BestOf(max_bytes).search(inputs, (), sizes)

    def _fits(self, places):
        return any(set(places) <= set(held) for held in self.places)

    @property
    def work(self) -> float:
        """What one sum takes, in multiplications."""
        return float(self._tree.contraction_cost()) + 2 * len(self.arrays) * CALLS

    def total(self, shifts: dict[int, int], factors: Any, turn: complex = 1.0) -> tuple[Any, float]:
        """A sum as a mantissa and a power of ten.

        Parameters
        ----------
        shifts : dict[int, int]
            What is added to the digits of the bra.
        factors : list[(tuple[int, ...], array)]
            Each on places that one window holds.
        turn : complex, optional
            A factor for each one.
        """
        ket, d = list(self.arrays), self.phys_dim
        if turn != 1:
            vector = turn ** np.arange(d)
            factors = [*factors, *(((n,), vector) for n in range(math.prod(self.shape)))]
        for places, table in factors:
            i = next(i for i, held in enumerate(self.places) if set(places) <= set(held))
            axes = [self.places[i].index(n) for n in places]
            shape = [1] * len(self.places[i])
            for axis in axes:
                shape[axis] = d
            table = in_common(table.transpose(np.argsort(axes)).reshape(shape), ket[i])
            ket[i] = ket[i] * table
        bra = [self._moved(x, held, shifts) for x, held in zip(self.arrays, self.places)]
        if len({x.dtype for x in ket}) > 1 and infer_backend(ket[0]) == "torch":
            dtype = next(x.dtype for x in ket if x.is_complex())
            ket, bra = ([x.to(dtype) for x in part] for part in (ket, bra))
        return self._tree.contract([*ket, *bra], strip_exponent=True)

    @staticmethod
    def _moved(x, held, shifts):
        """A window of the bra at moved digits."""
        axes = [axis for axis, n in enumerate(held) if n in shifts]
        if axes:
            x = do("roll", x, tuple(-shifts[held[axis]] for axis in axes), tuple(axes))
        return do("conj", x)

    # ------------------------------------------------------------ translations

    @functools.cached_property
    def steps(self) -> tuple[int, ...]:
        """By how many sites along each axis the windows may be moved, to be the same windows."""
        return tuple(map(self._step_along, range(len(self.shape))))

    def _step_along(self, axis):
        numbers = [to_numpy(stop_gradient(x)) for x in self.arrays]
        by_legs = {self._canonical(i): i for i in range(len(numbers))}
        length = self.shape[axis]
        for step in (s for s in range(1, length) if length % s == 0):
            move = [step if k == axis else 0 for k in range(len(self.shape))]
            if all(self._is_moved(i, move, by_legs, numbers) for i in range(len(numbers))):
                return step
        return length

    def _canonical(self, i):
        rest = tuple(ix for ix, n in zip(self.legs[i], self.places[i]) if n is None)
        return frozenset(n for n in self.places[i] if n is not None), rest

    def _is_moved(self, i, move, by_legs, numbers):
        moved = [None if n is None else self._translated(n, move) for n in self.places[i]]
        key = frozenset(n for n in moved if n is not None), self._canonical(i)[1]
        if (j := by_legs.get(key)) is None:
            return False
        own = [
            self.legs[j].index(ix) if n is None else self.places[j].index(n)
            for ix, n in zip(self.legs[i], moved)
        ]
        return np.array_equal(numbers[j].transpose(own), numbers[i])

    def _translated(self, n, move):
        at = np.unravel_index(n, self.shape)
        at = [(a + b) % length for a, b, length in zip(at, move, self.shape)]
        return int(np.ravel_multi_index(at, self.shape))

    def classes(self, terms: list[CollectedTerm]) -> Counter:
        """One term of each class that translations join, and how many there are."""
        if self.steps == self.shape:
            return Counter(terms)
        table = np.arange(math.prod(self.shape)).reshape(self.shape)
        moves = [range(0, length, step) for length, step in zip(self.shape, self.steps)]
        images = {}
        for move in itertools.product(*moves):  # what is at a place goes to image[place]
            image = np.roll(table, [-m for m in move], range(len(move))).ravel().tolist()
            images[tuple(move)] = image
        return Counter(self._representative(term, images) for term in terms)

    def _representative(self, term, images):
        """The least of the terms that some site of it is moved near the origin by."""
        sites = {n for piece in term.factors for n in piece.places}
        found = []
        for n in sites or {0}:
            at = np.unravel_index(n, self.shape)
            move = tuple(
                (-(a // step) * step) % length
                for a, step, length in zip(at, self.steps, self.shape)
            )
            found.append(_renamed(term, images[move], self.phys_dim))
        return min(found, key=repr)

    # ------------------------------------------------------------ means

    def products(self, terms: Any) -> list[Any]:
        """What has to be summed: tuples ``(how many, shifts, factors)``."""
        return [
            (count, dict(term.shifts), factors)
            for term, count in self.classes(list(terms)).items()
            for factors in split_factors(factors_of(term, self.phys_dim), self._fits)
        ]

    def mean(self, products: list[Any], sector: int | None = None) -> Any:
        """The mean of an operator, a number where and of the kind that the weights are.

        Parameters
        ----------
        products : list
            As `products` gives them.
        sector : int, optional
            A number of ones, which the operator keeps.
        """
        if sector is None:
            parts: list[tuple[complex, complex]] = [(1.0, 1.0)]
        else:
            norm = lambda r: _plain(*self.total({}, [], r))
            base = math.log10(max(abs(norm(1.0)), 1e-300))
            radius = best_radius(
                lambda r: abs(norm(r)) * 10.0**-base, math.prod(self.shape), sector
            )
            parts = [(radius * turn, back) for turn, back in phases(math.prod(self.shape), sector)]
        found = []
        for turn, back in parts:
            below = self.total({}, [], turn)
            above = [
                (count, self.total(shifts, factors, turn)) for count, shifts, factors in products
            ]
            found.append((back, below, above))
        top = max(float(stop_gradient(below[1])) for _, below, _ in found)
        scaled = lambda x: x[0] * 10.0 ** (x[1] - top)
        below = sum(do("real", back * scaled(z)) for back, z, _ in found)
        above = sum(
            do("real", back * count * scaled(x)) for back, _, parts in found for count, x in parts
        )
        if sector is not None:
            whole = self.total({}, [], radius)
            check_weight(float(stop_gradient(below / do("real", scaled(whole)))), sector)
        return above / below

    def moments(self, H: FlipMasks, sector: int | None = None) -> tuple[Any, Any]:
        """The mean and the variance of an operator; None for a variance that is too dear.

        Raises
        ------
        BudgetError
            If the mean is too dear.
        """
        once = self.work if sector is None else self.work * (H.nsites // 2 + 2)
        products = self.products(H._terms)
        if (work := len(products) * once) > MAX_WORK:
            raise BudgetError(
                f"{len(products)} contractions of a collapsed network take {work:.2g} "
                f"multiplications, more than the {MAX_WORK:.0g} allowed; use method='sample'."
            )
        mean, variance = self.mean(products, sector), None
        if len(H._terms) ** 2 <= MAX_PAIRS:
            squares = self.products(squared_terms(H._terms, H.phys_dim))
            if len(squares) * once <= MAX_WORK / 3:
                variance = self.mean(squares, sector) - mean**2
        return mean, variance


def _plain(mantissa, exponent):
    return complex(stop_gradient(mantissa)) * 10.0 ** float(stop_gradient(exponent))


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
