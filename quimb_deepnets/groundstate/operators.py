"""Operators as flip masks: what is added to the digits, and a coefficient for each configuration.

::

    H = sum_m  |s + mask_m> c_m(s) <s|         c_m(s) = sum of products of tables over local codes

    masks                     coefficients of s = 0 1 1 0
    0 0 0 0   the diagonal       -0.25
    1 1 0 0                       0.5      0110 -> 1010
    0 1 1 0                       0        nothing to exchange
    0 0 1 1                       0.5      0110 -> 0101

Compiled in integers first: each distinct set of places is coded once for a batch, each distinct
table looked up once, and what belongs to one mask is added up.
"""

import functools
from typing import Any

import numpy as np

from ..errors import OptionError
from ..numerics.configs import batches, check_configs
from ..numerics.shown import Shown
from .pieces import collect_terms, unpaired_terms
from .reading import read_hamiltonian
from .signs import sign_of_terms

CACHE = 2**20  # bytes of the numbers of one pass
CHECKS = 4  # configurations by which each number is compared with its adjoint
ROUND_OFF = 1e-12  # of sums of terms, beside the largest number of an operator


class FlipMasks(Shown):
    """An operator on the sites of a network, by what it adds to configurations.

    Parameters
    ----------
    H : SparseOperatorBuilder, LocalHam1D, LocalHam2D, LocalHamGen, MatrixProductOperator or dict
        See `read_hamiltonian`.
    sites : sequence of hashable
        Sites of the network, in its order.
    phys_dim : int, optional
        Local dimension.
    sign_rule : None, "marshall" or sequence of sites, optional
        Write the operator in the basis ``(-1)**(sum of digits on these sites) |s>``, see
        `sign_of_terms`.

    Attributes
    ----------
    masks : numpy.ndarray of int, shape (m, N)
        What is added to the digits, modulo the local dimension. The first is the diagonal.
    dtype : numpy.dtype
        Of the coefficients.

    Raises
    ------
    SitesError, OptionError
        If the operator is on other sites or of another kind, or the rule is not known.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb.tensor as qtn
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> edges = qtn.edges_2d_square(10, 10, cyclic=True)
    >>> sites = [(i, j) for i in range(10) for j in range(10)]
    >>> H = FlipMasks(qu.operator.heisenberg_from_edges(edges), sites)
    >>> H
    FlipMasks(100 sites, 201 masks, float64)
    >>> H.coefficients([[0, 1] * 50]).shape
    (1, 201)
    """

    def __init__(self, H: Any, sites: Any, phys_dim: int = 2, sign_rule: Any = None) -> None:
        self.sites, self.phys_dim = tuple(sites), phys_dim
        terms = list(read_hamiltonian(H, self.sites, phys_dim))
        terms = sign_of_terms(terms, self.sites, phys_dim, sign_rule)
        self._plan(collect_terms(terms, phys_dim))

    @property
    def nsites(self) -> int:
        """Number of sites."""
        return len(self.sites)

    def __repr__(self) -> str:
        return f"FlipMasks({self.nsites} sites, {len(self.masks)} masks, {self.dtype})"

    def _plan(self, terms):
        """Arrays of integers and tables from collected terms, ``(shifts, factors)`` each."""
        N, d = self.nsites, self.phys_dim
        shifts = sorted({term.shifts for term in terms} | {()}, key=lambda x: (len(x), x))
        rank = {key: m for m, key in enumerate(shifts)}
        self.masks = np.zeros((len(shifts), N), np.min_scalar_type(-d))
        for m, key in enumerate(shifts):
            for n, shift in key:
                self.masks[m, n] = shift
        self.masks.flags.writeable = False
        terms = sorted(terms, key=lambda term: (rank[term.shifts], len(term.factors)))
        self._terms = terms
        self._mask_of_term = np.array([rank[term.shifts] for term in terms], int)
        pieces = sorted({f for term in terms for f in term.factors}, key=lambda f: len(f.places))
        place = {piece: i for i, piece in enumerate(pieces)}
        self.dtype = np.result_type(float, *(piece.table.dtype for piece in pieces))
        self._groups = []
        for k in sorted({len(piece.places) for piece in pieces}):
            group = [piece for piece in pieces if len(piece.places) == k]
            supports = sorted({piece.places for piece in group})
            index = {support: i for i, support in enumerate(supports)}
            tables = np.concatenate([piece.table for piece in group]).astype(self.dtype)
            start = d**k * np.arange(len(group))[:, None]
            which = np.array([index[piece.places] for piece in group])
            self._groups.append(
                (np.array(supports, int).reshape(len(supports), k), which, start, tables)
            )
        most = max((len(term.factors) for term in terms), default=1)
        self._levels = []  # the first, second, ... factor of the terms that have one
        for j in range(most):
            rows = [i for i, term in enumerate(terms) if len(term.factors) > j]
            self._levels.append((np.array(rows, int), [place[terms[i].factors[j]] for i in rows]))

    # ------------------------------------------------------------ configurations

    def coefficients(self, configs: Any) -> np.ndarray:
        """The coefficients ``c_m(s) = <s + mask_m| H |s>`` of a batch of configurations.

        Parameters
        ----------
        configs : array_like of int, shape (B, N)
            Sites flat.

        Returns
        -------
        numpy.ndarray, shape (B, m)

        Raises
        ------
        ConfigError
            If these are not configurations of the sites.
        """
        configs = np.asarray(check_configs(configs, (self.nsites,), self.phys_dim))
        out = np.zeros((len(configs), len(self.masks)), self.dtype)
        if not self._terms:
            return out
        starts = np.flatnonzero(np.diff(self._mask_of_term, prepend=-1))
        size = max(1, CACHE // (len(self._terms) * self.dtype.itemsize))
        for part in batches(len(configs), size):
            values = self._values(np.ascontiguousarray(configs[part].T, dtype=np.intp))
            sums = np.add.reduceat(values, starts, axis=0)
            out[part, self._mask_of_term[starts]] = sums.T
        return out

    def _values(self, x):
        """The value of each term, ``(terms, B)``, for digits ``(N, B)``."""
        parts = []
        for supports, which, start, tables in self._groups:
            codes = np.zeros((len(supports), x.shape[1]), np.intp)
            for column in supports.T:
                codes *= self.phys_dim
                codes += x[column]
            parts.append(tables.take(codes[which] + start, mode="clip"))
        looked_up = np.concatenate(parts) if len(parts) > 1 else parts[0]
        values = looked_up[self._levels[0][1]]
        for rows, places in self._levels[1:]:
            values[rows] *= looked_up[places]
        return values

    def connected(self, config: Any) -> tuple[np.ndarray, np.ndarray]:
        """The configurations that one configuration is mapped to, and with what coefficients.

        Parameters
        ----------
        config : array_like of int, shape (N,)

        Returns
        -------
        configs : numpy.ndarray of int, shape (K, N)
        coefficients : numpy.ndarray, shape (K,)
            ``<configs_k| H |config>``, none of them zero.

        Examples
        --------
        >>> import quimb as qu
        >>> from quimb_deepnets.groundstate.operators import FlipMasks
        >>> FlipMasks({(0, 1): qu.pauli("X") & qu.pauli("Z")}, range(2)).connected([0, 1])
        (array([[1, 1]]), array([-1.]))
        """
        config = np.asarray(config)
        coefficients = self.coefficients(config[None])[0]
        there = coefficients.nonzero()[0]
        return (config + self.masks[there]) % self.phys_dim, coefficients[there]

    # ------------------------------------------------------------ what kind of operator

    @functools.cached_property
    def mean_diagonal(self) -> complex:
        """The trace of the operator divided by the number of configurations."""
        diagonal = [term for term in self._terms if not term.shifts]
        return sum(np.prod([f.table.mean() for f in term.factors]) for term in diagonal)

    @functools.cached_property
    def is_hermitian(self) -> bool:
        """Whether it equals its adjoint.

        Terms that have their adjoints among the others are settled. The rest may still add up to a
        Hermitian operator: it is compared with its adjoint at each of its numbers.
        """
        heads = [abs(term.factors[0].table).max() for term in self._terms]
        limit = ROUND_OFF * max(heads, default=0.0)
        unpaired = unpaired_terms(self._terms, self.phys_dim)
        return all(
            self._is_hermitian_at(configs[part], limit)
            for configs in self._reaching_configs(unpaired, limit)
            for part in batches(len(configs), 256)
        )

    def _is_hermitian_at(self, configs, limit):
        """Whether the coefficients of configurations are those of the adjoint."""
        here = self.coefficients(configs)
        for m, mask in enumerate(self.masks):
            rows = here[:, m].nonzero()[0]
            if not len(rows):
                continue
            back = self.coefficients((configs[rows] + mask) % self.phys_dim)
            way = self._opposite[m]
            back = back[:, way] if way >= 0 else np.zeros(len(rows))
            if not np.allclose(back, here[rows, m].conj(), rtol=1e-9, atol=limit):
                return False
        return True

    @functools.cached_property
    def _opposite(self):
        """The number of the mask that undoes each, or -1."""
        rank = {mask.tobytes(): m for m, mask in enumerate(self.masks)}
        back = ((-self.masks) % self.phys_dim).astype(self.masks.dtype)
        return [rank.get(mask.tobytes(), -1) for mask in back]

    def _reaching_configs(self, terms, limit):
        """For each term, configurations that reach its numbers above a limit, else random."""
        rng = np.random.default_rng(0)
        for head, *tail in (term.factors for term in terms):
            entries = np.flatnonzero(abs(head.table) > limit)
            codes = np.repeat(entries, CHECKS)
            configs = rng.integers(self.phys_dim, size=(len(codes), self.nsites))
            for piece in tail:
                self._write(configs, piece, rng.choice(piece.table.nonzero()[0], size=len(codes)))
            self._write(configs, head, codes)
            yield configs

    def _write(self, configs, piece, codes):
        """Put the digits of codes on the places of a piece."""
        for n in reversed(piece.places):
            codes, configs[:, n] = np.divmod(codes, self.phys_dim)

    def check_hermitian(self) -> None:
        """Refuse an operator whose energy is not a real number.

        Raises
        ------
        OptionError
            If it is not Hermitian.
        """
        if not self.is_hermitian:
            raise OptionError(
                "H is not Hermitian, so its energy is not a real number; add the adjoint of each "
                "term."
            )
