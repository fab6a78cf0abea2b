"""Exact energies of collapsed networks: windows of the ket, and windows of a bra that is moved.

For one mask, ``<psi|H|psi>`` is a sum over single configurations, like the norm, and no site is
doubled. Tables are multiplied into windows that hold their places, so that all sums take one path::

    sum_s  conj psi(s + mask)  c(s)  psi(s)

    ket    T(s0 s1)    T(s1 s2) c(s1)    T(s2 s3)
    bra    T(s0 1+s1)  T(1+s1 1+s2)      T(1+s2 s3)        mask 0110: axes rolled
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import BudgetError
from ..geometry.expansion import leaf_ind
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import collapsed_tensors
from .chain import phases, sector_radius
from .operators import FlipMasks
from .orders import Tensors, cheapest
from .pieces import CollectedTerm, collect_terms
from .products import factors_of, multiplied, split_factors
from .recipes import Recipe, Run
from .translations import are_whole, classes_of, steps_of

MAX_WORK = 3 * 10**10  # multiplications of all sums together
MAX_PAIRS = 2**16  # products of two terms, times the tensors of each
BYTES = 32  # of a number and its derivative


class WindowLeaf(NamedTuple):
    """A tensor of the ket or of the bra: what is done to the array of its kind.

    Attributes
    ----------
    kind : int
    bra : bool
    moves : tuple[(int, int), ...]
        Axes of the bra, and by how much their digits are moved.
    tables : tuple[(tuple[int, ...], tuple[complex, ...]), ...]
        Axes of the ket, and a factor for each of their digits.
    turned : tuple[int, ...]
        Axes of the ket whose ones take the factor of a sector.
    """

    kind: int
    bra: bool = False
    moves: tuple[tuple[int, int], ...] = ()
    tables: tuple[tuple[tuple[int, ...], tuple[complex, ...]], ...] = ()
    turned: tuple[int, ...] = ()


class Sums(NamedTuple):
    """The norm and other sums as a recipe, the number of each, and how often it counts."""

    recipe: Recipe
    norm: int
    numbers: list[int]
    counts: list[int]


class WindowSums:
    """Sums over all configurations of a network, by contracting its windows.

    Parameters
    ----------
    net : DeepNetwork
    max_bytes : float, optional
        Refuse windows and intermediates that need more.

    Attributes
    ----------
    arrays : list[numpy.ndarray]
        One for each kind of tensor.
    first : list[int]
        A tensor of each kind.

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
        self.nsites, self.max_bytes = net.nsites, max_bytes
        tensors, _ = collapsed_tensors(net, max_bytes)
        place = {leaf_ind(site): n for n, site in enumerate(net.sites)}
        self.legs = [tensor.inds for tensor in tensors]
        # which site each axis of each array is, or None
        self.places = [tuple(map(place.get, inds)) for inds in self.legs]
        kinds: dict[int, int] = {}
        self.kinds = [kinds.setdefault(id(tensor.data), len(kinds)) for tensor in tensors]
        self.first = [self.kinds.index(kind) for kind in range(len(kinds))]
        self.arrays = [to_numpy(stop_gradient(tensors[i].data)) for i in self.first]

    @functools.cached_property
    def steps(self) -> tuple[int, ...]:
        """By how many sites along each axis the windows may be moved, to be the same windows."""
        return steps_of(self.shape, self.kinds, self.places, self.legs)

    def classes(self, terms: list[CollectedTerm]) -> Any:
        """One term of each class that translations join, and how many there are."""
        return classes_of(terms, self.shape, self.steps, self.phys_dim)

    # ------------------------------------------------------------ tensors

    @functools.cached_property
    def at(self) -> list[Any]:
        """The place of the first site of each tensor, or of a tensor beside it; None at the end."""
        first = [next((n for n in held if n is not None), None) for held in self.places]
        known = [i for i, n in enumerate(first) if n is not None]
        last = max(known)
        for i in reversed(range(last)):
            first[i] = first[i + 1] if first[i] is None else first[i]
        where = lambda n: None if n is None else tuple(map(int, np.unravel_index(n, self.shape)))
        return list(map(where, first))

    @functools.cached_property
    def ket(self) -> list[WindowLeaf]:
        """The tensors of the ket; each site is turned by the first that has it foremost."""
        seats: dict[int, tuple[int, int]] = {}
        for i, held in enumerate(self.places):
            for axis, n in enumerate(held):
                if n is not None:
                    seats[n] = min(seats.get(n, (axis, i)), (axis, i))
        turned: list[list[int]] = [[] for _ in self.places]
        for axis, i in seats.values():
            turned[i].append(axis)
        return [WindowLeaf(k, turned=tuple(sorted(axes))) for k, axes in zip(self.kinds, turned)]

    @functools.cached_property
    def both(self) -> Tensors:
        """Ket and bra, the tensors of the norm."""
        bra_legs = [
            tuple(ix if n is not None else ix + "*" for ix, n in zip(inds, held))
            for inds, held in zip(self.legs, self.places)
        ]
        shapes = [self.arrays[k].shape for k in self.kinds]
        bra = [WindowLeaf(k, bra=True) for k in self.kinds]
        return Tensors([*self.ket, *bra], [*self.legs, *bra_legs], 2 * shapes, 2 * self.at)

    def _changed(self, shifts, factors):
        """Which tensors are others in the sum of a product, and what they are."""
        found: dict[int, WindowLeaf] = {}
        for places, table in factors:
            i = self._holder(places)
            axes = tuple(self.places[i].index(n) for n in places)
            one = found.get(i, self.ket[i])
            tables = (*one.tables, (axes, tuple(np.ravel(table).tolist())))
            found[i] = one._replace(tables=tuple(sorted(tables, key=repr)))
        for i in sorted({i for n in shifts for i in self._holders[n]}):
            held = enumerate(self.places[i])
            moves = tuple((axis, shifts[n]) for axis, n in held if n in shifts)
            found[len(self.kinds) + i] = WindowLeaf(self.kinds[i], bra=True, moves=moves)
        return found

    @functools.cached_property
    def _holders(self) -> dict[int, list[int]]:
        """The tensors that hold each site."""
        found: dict[int, list[int]] = {}
        for i, held in enumerate(self.places):
            for n in held:
                if n is not None:
                    found.setdefault(n, []).append(i)
        return found

    def _holder(self, places):
        """The first tensor that holds some sites, or None."""
        if not places:
            return 0
        return next((i for i in self._holders[places[0]] if set(places) <= {*self.places[i]}), None)

    def _fits(self, places):
        return self._holder(places) is not None

    def array(self, window: WindowLeaf, arrays: list[Any], turn: complex = 1.0) -> Any:
        """The array of a tensor.

        Parameters
        ----------
        window : WindowLeaf
        arrays : list[numpy.ndarray]
            One for each kind.
        turn : complex, optional
            A factor for each one.
        """
        x = arrays[window.kind]
        if window.bra:
            if window.moves:
                axes, shifts = zip(*window.moves)
                x = np.roll(x, [-shift for shift in shifts], axes)
            return x.conj()
        return x * self._factor(window, x.ndim, turn) if self._is_changed(window, turn) else x

    @staticmethod
    def _is_changed(window, turn):
        return bool(window.tables) or (turn != 1 and bool(window.turned))

    def _factor(self, window, ndim, turn):
        """What the array of a tensor of the ket is multiplied by."""
        d, factor = self.phys_dim, np.ones((1,) * ndim)
        for axes, numbers in window.tables:
            table = np.array(numbers).reshape((d,) * len(axes)).transpose(np.argsort(axes))
            factor = factor * table.reshape([d if axis in axes else 1 for axis in range(ndim)])
        for axis in window.turned if turn != 1 else ():
            shape = [d if axis == a else 1 for a in range(ndim)]
            factor = factor * (turn ** np.arange(d)).reshape(shape)
        return factor

    def pulled_back(
        self, derivatives: dict[WindowLeaf, Any], out: list[Any], turn: complex = 1.0
    ) -> None:
        """Add derivatives by tensors to those by the arrays of their kinds.

        Parameters
        ----------
        derivatives : dict[WindowLeaf, numpy.ndarray]
        out : list[numpy.ndarray]
            One for each kind, changed in place.
        turn : complex, optional
            The factor for each one with which the tensors were made.
        """
        for window, g in derivatives.items():
            if window.bra:
                g = g.conj()
                if window.moves:
                    axes, shifts = zip(*window.moves)
                    g = np.roll(g, shifts, axes)
            elif self._is_changed(window, turn):
                g = g * self._factor(window, g.ndim, turn).conj()
            x = out[window.kind]
            x += g if np.iscomplexobj(x) else g.real

    # ------------------------------------------------------------ sums

    def products(self, terms: Any) -> list[tuple[int, dict[int, WindowLeaf]]]:
        """What has to be summed: how often, and which tensors are others."""
        return [
            (count, self._changed(dict(term.shifts), factors))
            for term, count in self.classes(list(terms)).items()
            for factors in split_factors(factors_of(term, self.phys_dim), self._fits)
        ]

    def prepared(
        self, products: list[tuple[int, dict[int, WindowLeaf]]], sector: int | None = None
    ) -> Sums:
        """The sums of products and the norm, as one recipe.

        Parameters
        ----------
        products : list
            See `products`.
        sector : int, optional
            Where all parts of the projection on a sector are held together.

        Raises
        ------
        BudgetError
            If they take too much memory or time.
        """
        counts, changes = [n for n, _ in products], [change for _, change in products]
        parts = len(phases(self.nsites, sector))
        times = parts if sector is None else 2 * parts  # complex ones
        recipe, numbers = cheapest(self.both, [{}, *changes], self.max_bytes / BYTES / times)
        if recipe is None:
            raise BudgetError(
                f"contractions of a collapsed network of {len(self.kinds)} tensors hold more than "
                f"max_bytes={self.max_bytes:.3g}; use method='sample', or smaller windows."
            )
        if (work := 2 * times * recipe.work if times > 1 else recipe.work) > MAX_WORK:
            each = "" if sector is None else f", for {parts} phases of a sector each,"
            raise BudgetError(
                f"{len(products)} contractions of a collapsed network{each} take {work:.2g} "
                f"multiplications, more than the {MAX_WORK:.0g} allowed; use method='sample', or "
                "smaller windows."
            )
        return Sums(recipe, numbers[0], numbers[1:], counts)

    def run(self, recipe: Recipe, arrays: list[Any], turn: complex = 1.0) -> Run:
        """All sums of a recipe, for arrays of each kind."""
        return recipe.run({key: self.array(key, arrays, turn) for key in recipe.leaves})

    def radius(self, arrays: list[Any], sector: int | None) -> float:
        """A factor for each one with which a sector is a good part of the state, see `chain`.

        Parameters
        ----------
        arrays : list[numpy.ndarray]
            Of each kind.
        sector : int or None
            A number of ones.

        Raises
        ------
        RangeError
            If there is none.
        """
        size = lambda turn: parts_of(self._norm, self.run(self._norm.recipe, arrays, turn))
        base = size(1.0)[2]
        return sector_radius(lambda turn: in_units(size(turn), base)[1], self.nsites, sector)

    @functools.cached_property
    def _norm(self) -> Sums:
        """The norm alone, prepared."""
        return self.prepared([])

    def mean(self, sums: Sums, sector: int | None = None) -> float:
        """The mean of an operator.

        Parameters
        ----------
        sums : Sums
            Of its terms.
        sector : int, optional
            A number of ones, which the operator keeps.
        """
        turns = phases(self.nsites, sector, self.radius(self.arrays, sector))
        run = lambda turn: parts_of(sums, self.run(sums.recipe, self.arrays, turn))
        above, below, _ = added([(back, run(turn)) for turn, back in turns])
        return above / below

    def moments(self, H: FlipMasks, sector: int | None = None) -> tuple[float, float | None]:
        """The mean and the variance of an operator; None for a variance that is too dear.

        Raises
        ------
        BudgetError
            If the mean is too dear.
        """
        mean = self.mean(self.prepared(self.products(H._terms)), sector)
        squares = self.squares(H)
        return mean, None if squares is None else self.mean(squares, sector) - mean**2

    def squares(self, H: FlipMasks) -> Sums | None:
        """The sums of ``H H``, prepared; None if they are too dear."""
        terms, d = H._terms, self.phys_dim
        whole = are_whole(terms, self.shape, self.steps, d)
        first = self.classes(terms) if whole else dict.fromkeys(terms, 1)
        if len(first) * len(terms) * len(self.kinds) > MAX_PAIRS:
            return None
        products: dict[Any, list] = {}
        for A, count in first.items():
            collected = collect_terms((multiplied(A, B, d) for B in terms), d)
            for n, change in self.products(collected):
                key = tuple(sorted(change.items()))
                products.setdefault(key, [0, change])[0] += n * count
        try:
            return self.prepared([(n, change) for n, change in products.values()])
        except BudgetError:
            return None


def parts_of(sums: Sums, run: Run) -> tuple[complex, complex, int]:
    """The sum of all products and the norm, and the power of two before both."""
    base = run.exponents[sums.norm]
    above = sum(
        n * complex(run.values[i]) * np.ldexp(1.0, run.exponents[i] - base)
        for n, i in zip(sums.counts, sums.numbers)
    )
    return above, complex(run.values[sums.norm]), base


def in_units(parts: tuple[complex, complex, int], base: int) -> tuple[complex, complex]:
    """Two sums in units of another power of two."""
    above, below, exponent = parts
    unit = float(np.ldexp(1.0, max(-1000, min(1000, exponent - base))))
    return above * unit, below * unit


def added(found: list[tuple[complex, tuple[complex, complex, int]]]) -> tuple[float, float, int]:
    """Real parts of sums that count so much each, and the power of two before both."""
    base = found[0][1][2]
    above, below = (
        sum((back * in_units(parts, base)[i]).real for back, parts in found) for i in range(2)
    )
    return above, below, base
