"""The Schmidt rank of an architecture: exact integers modulo a prime, no tolerance.

Random weights modulo p make one matrix ``psi[a, b]``, and its rank mod p bounds the rank for
generic real weights from below. Rows are configurations of A, columns of B. A node depends only on
the sites in its window, so its value is computed once for each *class* of rows and columns that
agree there, and classes are refined on the way up::

    rows     0 1 2 3 4 5 6 7                 classes of the sites  2 x 1  and  1 x 2
              \\ | | /  \\ | | /                               \\           /
    classes     0        1                   of their node         2 x 2
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import BudgetError, MethodError, OptionError, check_positive_int, import_extra
from ..geometry.expansion import READOUT, Node, Site
from ..geometry.where import read_where
from ..jobs.progress import progress
from ..numerics.shown import Shown
from ..numerics.weights import make_rng
from ..tensors.weights_from_tensors import architecture_of
from ..theory import rank_bound

PRIME = 2**31 - 1
ENTRY_BYTES = 56  # of the matrix: in numpy, as a Python int in a list, and in flint
BLOCK_ENTRIES = 2**19
BLOCK_NUMBERS = 2**25


class SchmidtRank(Shown, int):
    """A Schmidt rank: an int with a note on whether it is exact or a lower bound.

    The number is a lower bound on the rank for generic weights of the architecture: a minor that
    does not vanish modulo p vanishes on no open set of weights.

    Attributes
    ----------
    full_matrix : bool
        Whether all configurations were used, or a random sub-matrix.
    upper_bound : int
        `rank_bound` of the architecture.
    exact : bool
        Whether the number meets the upper bound, so that it is proven.

    Examples
    --------
    >>> from quimb_deepnets.entanglement.rank import SchmidtRank
    >>> SchmidtRank(62, full_matrix=False, upper_bound=64)
    SchmidtRank(62, at least, upper_bound=64)
    >>> SchmidtRank(64, full_matrix=False, upper_bound=64).exact
    True
    """

    full_matrix: bool
    upper_bound: int

    def __new__(cls, value, full_matrix, upper_bound):
        self = super().__new__(cls, value)
        self.full_matrix, self.upper_bound = bool(full_matrix), int(upper_bound)
        return self

    def __getnewargs__(self):
        return int(self), self.full_matrix, self.upper_bound

    @property
    def exact(self):
        """Whether the rank meets the upper bound."""
        return int(self) == self.upper_bound

    def __repr__(self):
        sure = "exact" if self.exact else f"at least, upper_bound={self.upper_bound}"
        return f"SchmidtRank({int(self)}, {sure})"

    def __str__(self):
        return str(int(self))


def schmidt_rank(
    net: Any,
    where: Any,
    size: int = 4096,
    seed: Any = None,
    progbar: bool = False,
    max_bytes: float = 2**32,
) -> SchmidtRank:
    """Schmidt rank between some sites and the rest, for generic weights of an architecture.

    Only the architecture of ``net`` matters, with its ties between weights; random ones are drawn
    modulo ``2**31 - 1``. The rank of the resulting matrix is a rigorous lower bound, and
    `rank_bound` an upper one.

    Parameters
    ----------
    net : ConvAC, RAC, RecursiveTree or RecursiveMPS
        The network whose architecture is meant.
    where : int or sequence of sites
        One side; an int i is the first i sites.
    size : int, optional
        The most rows and columns. A side with more configurations is sampled, without repeats.
    seed : int or numpy.random.Generator, optional
        Of the weights and the samples.
    progbar : bool, optional
        Whether to show progress while the matrix is made.
    max_bytes : int, optional
        Refuse to take more memory than this.

    Returns
    -------
    SchmidtRank

    Raises
    ------
    MethodError
        If ``net`` is of another type.
    StructureError
        If an expanded network was edited, so that no architecture describes it.
    SitesError
        If ``where`` does not name sites.
    OptionError
        If ``size`` or ``max_bytes`` is not a positive int, or ``seed`` is not a seed.
    BudgetError
        If the matrix would need more than ``max_bytes``.
    ExtraError
        If python-flint is not installed.

    Notes
    -----
    Theorems 1 and 2 of arXiv:1803.09780 bound the rank from below for almost all weights.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(12, depth=3, kernel=2, bond_dim=3, seed=0)
    >>> qdn.schmidt_rank(net, 6, seed=0)
    SchmidtRank(12, exact)
    """
    geometry = architecture_of(net)
    if geometry is None:
        raise MethodError(
            f"the generic rank of a {type(net).__name__} is not defined by an architecture; give a "
            "ConvAC, RAC, RecursiveTree or RecursiveMPS, or take the rank of one state numerically."
        )
    size = check_positive_int("size", size, OptionError)
    max_bytes = check_positive_int("max_bytes", max_bytes, OptionError)
    places = read_where(geometry.sites, where)
    rest = tuple(sorted(set(range(len(geometry.sites))) - set(places)))
    shape = tuple(min(size, geometry.phys_dim ** len(side)) for side in (places, rest))
    need = ENTRY_BYTES * math.prod(shape)
    if need > max_bytes:
        raise BudgetError(
            f"a matrix of {shape[0]} x {shape[1]} needs {need} bytes, more than "
            f"max_bytes={max_bytes}; use a smaller size=, or raise it."
        )
    nmod_mat, rng = _flint(), make_rng(seed)
    params = random_params(geometry, rng)
    rows, columns = (
        sample_configs(geometry.phys_dim, len(side), size, rng) for side in (places, rest)
    )
    matrix = modular_matrix(geometry, params, places, rows, columns, progbar)
    rank = nmod_mat(*shape, matrix.ravel().tolist(), PRIME).rank()
    full = shape == tuple(geometry.phys_dim ** len(side) for side in (places, rest))
    return SchmidtRank(rank, full, rank_bound(geometry, list(places)))


def _flint():
    """The matrices modulo a word of python-flint."""
    return import_extra("schmidt_rank", "exact", "flint").nmod_mat


def random_params(geometry, rng):
    """Non-zero residues for each independent parameter of a geometry."""
    return {
        name: rng.integers(1, PRIME, shape, dtype=np.uint64)
        for name, shape in geometry.param_shapes.items()
    }


def sample_configs(phys_dim, width, size, rng):
    """All configurations of ``width`` sites in order, or ``size`` different random ones.

    Returns
    -------
    array of int, shape (configurations, width)
    """
    if phys_dim**width <= size:
        return np.indices((phys_dim,) * width).reshape(width, phys_dim**width).T
    configs = np.empty((0, width), np.int64)
    while len(configs) < size:
        more = rng.integers(phys_dim, size=(size, width))
        configs = np.unique(np.concatenate([configs, more]), axis=0)
    return configs[np.sort(rng.choice(len(configs), size, replace=False))]


def modular_matrix(geometry, params, places, rows, columns, progbar=False):
    """The amplitudes modulo `PRIME` of all pairs of configurations of two sides.

    Parameters
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        Anything with ``sites``, ``roots``, ``taps`` and ``fixed_vectors``.
    params : dict[str, array of uint64]
        Residues, in the shapes of ``geometry.param_shapes``.
    places : sequence of int
        Which sites the columns of ``rows`` are; ``columns`` holds the others in order.
    rows, columns : array of int
        Configurations of the two sides, one per row.
    progbar : bool, optional
        Whether to show progress.

    Returns
    -------
    array of uint64, shape (len(rows), len(columns))
    """
    ones = {name: np.ones(n, np.uint64) for name, n in geometry.fixed_vectors.items()}
    values = Values(geometry, {**params, **ones})
    sites = geometry.sites
    inside = [sites[i] for i in places]
    right = Side([s for i, s in enumerate(sites) if i not in set(places)], columns)
    step = values.block(right)
    out = np.empty((len(rows), len(columns)), np.uint64)
    for begin in progress(range(0, len(rows), step), progbar):
        left = Side(inside, rows[begin : begin + step])
        out[begin : begin + step] = values(left, right)
    return out


class Classes(NamedTuple):
    """Which configurations a function tells apart: a class number for each of them."""

    ids: np.ndarray
    count: int  # type: ignore[assignment]


class Side:
    """The configurations of one side, and how windows classify them.

    Parameters
    ----------
    sites : sequence of hashable
        The sites of the side.
    configs : array of int, shape (configurations, sites)
    """

    def __init__(self, sites, configs):
        self.single = Classes(np.zeros(len(configs), np.int64), 1)
        self.digits, self._sites, self._joint = {}, {}, {}
        for site, digits in zip(sites, configs.T):
            self.digits[site], ids = np.unique(digits, return_inverse=True)
            self._sites[site] = Classes(ids, len(self.digits[site]))

    def of_site(self, site):
        """The classes of the values of a site, a single one if it is on the other side."""
        return self._sites.get(site, self.single)

    def join(self, x, y):
        """The common refinement of two, and for each of its classes those that it refines."""
        key = id(x.ids), id(y.ids)
        if key not in self._joint:
            pairs, ids = np.unique(x.ids * y.count + y.ids, return_inverse=True)
            # the arguments are kept, so that their ids stay valid
            self._joint[key] = Classes(ids, len(pairs)), *np.divmod(pairs, y.count), x, y
        return self._joint[key][:3]


class Factor(NamedTuple):
    """A vector for each class of rows and columns: ``(channels, rows.count, columns.count)``."""

    rows: Classes
    columns: Classes
    array: np.ndarray


def _apply(weight, array):
    """``weight @ array`` modulo `PRIME` over the first axis, in halves of 16 bits."""
    flat = array.reshape(len(array), -1)
    high = (weight >> np.uint64(16)) @ flat % np.uint64(PRIME) << np.uint64(16)
    low = (weight & np.uint64(0xFFFF)) @ flat
    return ((high + low) % np.uint64(PRIME)).reshape(len(weight), *array.shape[1:])


def _spread(array, rows, columns):
    """Select classes along the last two axes."""
    return array.take(rows, axis=1).take(columns, axis=2)


class Values:
    """The values of all nodes of a geometry on blocks of rows and columns.

    Parameters
    ----------
    geometry : ConvGeometry or RecurrentGeometry
    arrays : dict[str, array of uint64]
        The parameters and the fixed vectors.
    """

    def __init__(self, geometry, arrays):
        self.arrays, self.phys_dim = arrays, geometry.phys_dim
        self.nodes, self.top = {}, {}
        for root in geometry.roots:  # the last layer, folded onto what it reads
            for weight, child in geometry.taps(root):
                self.top.setdefault(child, []).append(weight)
        waiting = list(self.top)
        while waiting:
            node = waiting.pop()
            if isinstance(node, Node) and node not in self.nodes:
                self.nodes[node] = list(geometry.taps(node))
                waiting += (tap.child for tap in self.nodes[node])
        self.order = sorted(self.nodes)  # a node reads lower layers, or its own past

    def block(self, right):
        """How many rows to take at a time."""
        per_row = len(right.single.ids)
        columns, numbers = {}, per_row * len(self.arrays[READOUT])
        for node in self.order:
            classes = right.single
            for _, child in self.nodes[node]:
                below = columns[child] if isinstance(child, Node) else right.single
                below = right.of_site(child.site) if isinstance(child, Site) else below
                classes = right.join(classes, below)[0]
            columns[node] = classes
            numbers += classes.count * len(self.arrays[self.nodes[node][0].weight])
        return max(1, min(BLOCK_ENTRIES // per_row, BLOCK_NUMBERS // numbers))

    def __call__(self, left, right):
        """The amplitudes of a block."""
        known = {}
        for node in self.order:
            taps = (
                self._tap(weight, self._child(child, known, left, right))
                for weight, child in self.nodes[node]
            )
            known[node] = self._product(taps, left, right)
        factors = [self._fold(child, known, left, right) for child in self.top]
        sides = {(True, True): [], (True, False): [], (False, True): [], (False, False): []}
        for factor in factors:
            sides[factor.rows.count == 1, factor.columns.count == 1].append(factor)
        groups = [self._product(group, left, right) for group in sides.values() if group]
        total = self._product(sorted(groups, key=lambda f: f.array.size), left, right)
        psi = _apply(self.arrays[READOUT][None], total.array)
        return _spread(psi, total.rows.ids, total.columns.ids)[0]

    def _child(self, child, known, left, right):
        """The value of what a tap reads."""
        if isinstance(child, Node):
            return known[child]
        if not isinstance(child, Site):
            return Factor(left.single, right.single, self.arrays[child.name][:, None, None])
        side = left if child.site in left.digits else right
        one_hot = np.arange(self.phys_dim)[:, None] == side.digits[child.site]
        axis = 2 if side is left else 1
        array = np.expand_dims(one_hot.astype(np.uint64), axis)
        return Factor(left.of_site(child.site), right.of_site(child.site), array)

    def _tap(self, weight, value):
        """A weight matrix on a value."""
        return value._replace(array=_apply(self.arrays[weight], value.array))

    def _fold(self, child, known, left, right):
        """All taps of the last layer that read one child, multiplied at its size."""
        value = self._child(child, known, left, right)
        return self._product((self._tap(w, value) for w in self.top[child]), left, right)

    @staticmethod
    def _product(factors, left, right):
        """The elementwise product of factors, on the classes that refine all of theirs."""
        factors = iter(factors)
        x = next(factors)
        for y in factors:
            rows, x_rows, y_rows = left.join(x.rows, y.rows)
            columns, x_columns, y_columns = right.join(x.columns, y.columns)
            array = _spread(x.array, x_rows, x_columns)
            array *= _spread(y.array, y_rows, y_columns)
            array %= np.uint64(PRIME)
            x = Factor(rows, columns, array)
        return x
