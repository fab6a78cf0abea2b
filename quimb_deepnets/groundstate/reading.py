"""Operators of quimb as terms on the places of a network's sites.

A term moves every configuration to exactly one other, by digits that it adds, and multiplies by
factors, each a table over the digits of a few places *before* the move::

    0.5 S+_a S-_b    adds 1 at a, 1 at b     factors  a: (0.5, 0)   b: (0, 1)
    a matrix G       one term for each set of digits that it adds, one factor over all its places
"""

import itertools
import numbers
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from autoray import stop_gradient, to_numpy
from quimb.operator import SparseOperatorBuilder
from quimb.tensor import LocalHamGen, MatrixProductOperator

from ..errors import OptionError, SitesError
from ..geometry.where import is_site, read_where
from ..hyper.operands import read_operator
from .mpo_products import mpo_products

# columns are digits before, rows digits after: the words of `SparseOperatorBuilder.add_term`
_WORDS = {
    "I": [[1, 0], [0, 1]],
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "ⴵ": [[0, 1], [-1, 0]],
    "sx": [[0, 0.5], [0.5, 0]],
    "sy": [[0, -0.5j], [0.5j, 0]],
    "sz": [[0.5, 0], [0, -0.5]],
    "+": [[0, 0], [1, 0]],
    "-": [[0, 1], [0, 0]],
    "n": [[0, 0], [0, 1]],
    "sn": [[-0.5, 0], [0, 0.5]],
    "h": [[1, 0], [0, 0]],
}


class Term(NamedTuple):
    """A coefficient, what is added by place, and factors by places.

    Attributes
    ----------
    coefficient : complex
    shifts : dict[int, int]
        What is added to the digit of a place, modulo the local dimension; never 0.
    factors : list[(tuple[int, ...], numpy.ndarray)]
        Tables over digits before the move, one axis for each place; no place occurs twice.
    """

    coefficient: Any
    shifts: dict[int, int]
    factors: list[tuple[tuple[int, ...], np.ndarray]]


def read_hamiltonian(H: Any, sites: Any, phys_dim: int) -> Iterator[Term]:
    """The terms of an operator on the sites of a network.

    Parameters
    ----------
    H : SparseOperatorBuilder, LocalHam1D, LocalHam2D, LocalHamGen, MatrixProductOperator or dict
        A dict goes from sites (one, or a sequence) to matrices; sites are matched by name.
    sites : sequence of hashable
        All sites of the network, in its order.
    phys_dim : int
        Local dimension.

    Yields
    ------
    Term

    Raises
    ------
    SitesError
        If it acts on sites that the network does not have.
    OptionError
        If it is of another kind, or of another local dimension.

    Examples
    --------
    >>> import quimb as qu
    >>> from quimb_deepnets.groundstate.reading import read_hamiltonian
    >>> [term.shifts for term in read_hamiltonian({1: qu.pauli("X")}, range(4), 2)]
    [{1: 1}]
    """
    if isinstance(H, SparseOperatorBuilder):
        return _products(H, sites, phys_dim)
    if isinstance(H, (LocalHamGen, dict)):
        return _matrices(H, sites, phys_dim)
    if isinstance(H, MatrixProductOperator):
        return _of_products(mpo_products(H, sites, phys_dim))
    kind = type(H).__name__
    remedy = (
        "give a SparseOperatorBuilder, a LocalHam1D, LocalHam2D or LocalHamGen, a "
        "MatrixProductOperator, or a dict"
    )
    if hasattr(H, "as_network"):
        raise OptionError(
            f"H is a {kind}, whose entries cannot be listed as digits that change; {remedy} from "
            "sites to matrices."
        )
    raise OptionError(f"H is a {kind}; {remedy} from sites to matrices, as in {{(0, 1): G}}.")


def _products(H, sites, phys_dim):
    """The terms of a builder, each a product of operators on single sites."""
    if phys_dim != 2:
        raise OptionError(
            f"a SparseOperatorBuilder acts on sites of dimension 2, and the network has phys_dim="
            f"{phys_dim}; give a dict from sites to matrices, as in {{(0, 1): G}}."
        )
    place = {site: n for n, site in enumerate(sites)}
    if other := [site for site in H.hilbert_space.sites if site not in place]:
        _refuse_sites(other, place)
    for coefficient, product in H.terms:
        matrices: dict[int, np.ndarray] = {}
        for word, site in product:
            if word not in _WORDS:
                raise OptionError(
                    f"the term on {site!r} holds the operator {word!r}, which is not known; use "
                    f"one of {', '.join(map(repr, _WORDS))}."
                )
            n, matrix = place[site], np.array(_WORDS[word])
            matrices[n] = matrices[n] @ matrix if n in matrices else matrix
        yield from _of_products([matrices], coefficient)


def _of_products(products, coefficient=1.0):
    """The terms of products of matrices on single sites."""
    for matrices in products:
        lists = [[(n, shift, v) for shift, v in _shifts(x)] for n, x in matrices.items()]
        for chosen in itertools.product(*lists):
            shifts = {n: shift for n, shift, _ in chosen if shift}
            yield Term(coefficient, shifts, [((n,), v) for n, _, v in chosen])


def _shifts(matrix):
    """What a matrix on one site adds to its digit, and the factors: pairs ``(shift, (d,))``."""
    d = len(matrix)
    digit = np.arange(d)
    for shift in range(d):
        factors = matrix[(digit + shift) % d, digit]
        if factors.any():
            yield shift, factors


def _matrices(H, sites, phys_dim):
    """The terms of matrices on any number of sites each."""
    if not (items := list(H.items())):
        raise OptionError("H has no terms; give at least one, as in {(0, 1): G}.")
    place = {site: n for n, site in enumerate(sites)}
    for where, G in items:
        lone = isinstance(where, numbers.Integral) or is_site(place, where)
        places = read_where(place, [where] if lone else where, name="a key of H")
        k = len(places)
        G = read_operator(G, (phys_dim,) * k, np.ones(1))
        G = np.array(to_numpy(stop_gradient(G))).reshape(phys_dim**k, phys_dim**k)
        yield from _of_matrix(_without_round_off(G), places, phys_dim)


def _without_round_off(G):
    """A matrix without parts of entries that are round-off beside both their row and their column.

    A matrix that was turned into another basis then keeps the sector, or is real, as it should.
    """
    size = abs(G)
    limit = 8 * np.finfo(size.dtype).eps * np.minimum(size.max(0), size.max(1)[:, None])
    real, imag = (np.where(abs(x) > limit, x, 0) for x in (G.real, G.imag))
    return real + 1j * imag if imag.any() else real


def _of_matrix(G, places, d):
    """One term for each set of digits that a matrix adds."""
    k = len(places)
    after, before = G.nonzero()
    digits = [np.array(np.unravel_index(x, (d,) * k)) for x in (after, before)]
    shifts = (digits[0] - digits[1]) % d  # (k, entries)
    codes = np.ravel_multi_index(tuple(shifts), (d,) * k)
    for code in np.unique(codes):
        chosen = codes == code
        table = np.zeros(d**k, G.dtype)
        table[before[chosen]] = G[after[chosen], before[chosen]]
        added = map(int, np.unravel_index(code, (d,) * k))
        moved = {n: shift for n, shift in zip(places, added) if shift}
        yield Term(1.0, moved, [(places, table.reshape((d,) * k))])


def inherited_sector(H: Any) -> int | None:
    """The number of ones that the Hilbert space of a builder prescribes, or None.

    Raises
    ------
    OptionError
        If its symmetry is another one.
    """
    if not isinstance(H, SparseOperatorBuilder):
        return None
    symmetry = H.hilbert_space.symmetry
    if symmetry not in (None, "U1"):
        raise OptionError(
            f"the Hilbert space of H has the symmetry {symmetry!r}, and only a number of ones can "
            "be kept fixed; build H without it, and name sector= a number of ones or None."
        )
    return H.hilbert_space.sector


def _refuse_sites(other, place):
    names = list(place)
    raise SitesError(
        f"H acts on {', '.join(map(repr, other[:3]))}{' ...' if len(other) > 3 else ''} "
        f"({len(other)} sites that the network does not have); its sites are {names[0]!r} to "
        f"{names[-1]!r}, {len(names)} in all: build H on those names."
    )
