"""How large a Schmidt rank can be: a proven bound for any subset of sites, from integers alone.

The expanded network is cut between A and B, and the cheapest cut bounds the rank. A window that
lies across can be freed of A or of B by fixing the sites it has there, or be cut itself::

    source --M--> sites of A --> windows --cut--> windows --> sites of B --M--> sink
                                    |   monomials   |
                                    +--> narrower --+          rank <= r_depth * cheapest cut
                                         windows, once the wide one is cut

With nothing but sites cut that is ``r_depth * M**nu``, nu a minimum vertex cover of the sites that
share a window, which by Koenig's theorem is a maximum matching.
"""

import functools
import math
import numbers

import numpy as np
from scipy.sparse import csr_array, eye_array, kron

from ..errors import MethodError, SitesError
from ..geometry import ConvGeometry, RecurrentGeometry
from ..geometry.where import is_site, read_where
from .architecture import as_geometry
from .cuts import cheapest_cut


def rank_bound(geometry, where):
    """Upper bound on the Schmidt rank between some sites and the rest, for any weights.

    Per read-out channel, the last layer folds onto the nodes of layer ``depth - 1`` (see
    `folded_level`), so that only their *windows* lie across the cut. Three facts bound the rank.

    - Once the value of a site is fixed, it links nothing. That costs a factor ``phys_dim``;
      or ``r_1**d``, if only the channels are fixed in which the ``d`` copies of the site are read.
    - A product of linear forms, ``d`` of them, in the ``r`` channels of a node is a sum of
      ``binomial(d + r - 1, d)`` monomials, and a monomial is a product over the taps of the node:
      one product of ``d`` linear forms for each child. So a window is cut at that price, ``d`` the
      number of copies of its branch, provided that the windows of its children are freed or cut.
    - The read-out sums ``r_depth`` such terms.

    The cheapest choice is a minimum cut. For a recurrent network the state after t steps takes the
    place of the node, the last ``N - t`` steps being a polynomial in it, of degree
    ``binomial(N - t + k - 1, k)`` in the layer that stands k below the last; a subset costs the
    product over the cuts at which it begins and ends. At depth 2 with ``M < R`` some of those
    polynomials cannot occur: where ``W_H[2] h[2]`` has one channel alone, the next step multiplies
    by one of M linear forms in ``h[1]``, and on the ``R - M`` dimensions where all of these vanish
    so does the polynomial, ``R * binomial(R - M + n - 1, n)`` conditions at degree n.

    Parameters
    ----------
    geometry : ConvAC, RAC, ConvGeometry or RecurrentGeometry
        Add types of your own with ``rank_bound.register``, of a function of a geometry and of the
        places of one side in its ``sites``.
    where : int or sequence of sites
        One side, as `entropy` takes it: an int i is the first i sites. Ints are places in
        ``geometry.sites``, on a lattice too, as ``[0, 1]``; a sequence may be empty here.

    Returns
    -------
    int

    Raises
    ------
    SitesError
        If a site does not exist or is given twice, or a pair of ints could be one site or two.
    MethodError
        If this type of geometry has no rule.

    Notes
    -----
    Theorems 1 and 2 of arXiv:1803.09780 bound the same rank from below, up to constants.

    Examples
    --------
    The first 8 of 16 sites: windows of 3 sites cross the cut, two sites cover them.

    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=2, kernel=3, bond_dim=4, seed=0)
    >>> qdn.theory.rank_bound(net, 8)
    16
    >>> qdn.theory.rank_bound(qdn.RAC.rand(16, depth=2, bond_dim=2, seed=0), range(8))
    18
    """
    geometry = as_geometry(geometry)
    rule = _bound.dispatch(type(geometry))
    return rule(geometry, () if rule is _no_bound else _places(geometry.sites, where))


def _places(sites, where):
    """The places of one side as `read_where` reads them; here none and all are allowed too."""
    where = where.tolist() if hasattr(where, "tolist") else where
    if isinstance(where, numbers.Integral):
        return read_where(sites, where)
    listed = list(where) if hasattr(where, "__iter__") and not isinstance(where, str) else where
    whole = lambda x: isinstance(x, numbers.Integral) and not isinstance(x, bool)
    if not isinstance(listed, list) or is_site(sites, where) or not all(map(whole, listed)):
        return read_where(sites, where if isinstance(where, tuple) else listed)
    if len(set(listed)) < len(listed) or not set(listed) <= set(range(len(sites))):
        raise SitesError(
            f"where={listed} names a site twice or one that is not there; use each of "
            f"0..{len(sites) - 1} at most once."
        )
    return tuple(map(int, listed))


def _no_bound(geometry, places):
    raise MethodError(
        f"{type(geometry).__name__} has no bound on its rank; give a ConvAC or RAC, its .geometry, "
        "the .network of an expanded state, or add a rule with rank_bound.register."
    )


_bound = functools.singledispatch(_no_bound)
rank_bound.register = register = _bound.register  # type: ignore[attr-defined]


@register
def _conv_bound(geometry: ConvGeometry, places):
    inside = _members(geometry, places)
    copies = _copies(geometry, 0)
    price = functools.cache(lambda d: _least_power(geometry.phys_dim, geometry.bond_dim(1), d))
    prices = [price(d) for d in copies]
    sides = (math.prod(c for c, a in zip(prices, inside) if a == side) for side in (True, False))
    return min(*sides, geometry.bond_dim(geometry.depth) * _cheapest_cut(geometry, inside, prices))


@register
def _recurrent_bound(geometry: RecurrentGeometry, places):
    inside, L = _members(geometry, places), geometry.L
    prices = [
        min(geometry.phys_dim, _monomials(geometry.bond_dim, d))
        for d in geometry.duplication.values()
    ]

    def _at_cut(t):
        degrees = (math.comb(L - t + k - 1, k) for k in range(geometry.depth))
        state = math.prod(_monomials(geometry.bond_dim, d) for d in degrees)
        if geometry.depth == 2 and geometry.phys_dim < geometry.bond_dim:
            unseen = geometry.bond_dim - geometry.phys_dim
            state -= geometry.bond_dim * _monomials(unseen, L - t)
        return min(math.prod(prices[:t]), math.prod(prices[t:]), state)

    sides = (math.prod(c for c, a in zip(prices, inside) if a == side) for side in (True, False))
    cuts = math.prod(_at_cut(t) for t in range(1, L) if inside[t - 1] != inside[t])
    return min(*sides, cuts)


def _members(geometry, places):
    """For each site whether it is one of ``places``."""
    inside = np.zeros(len(geometry.sites), bool)
    inside[list(places)] = True
    return inside


def _monomials(channels, degree):
    """Number of monomials of a degree in ``channels`` variables."""
    return math.comb(channels + degree - 1, degree)


def _least_power(limit, base, exponent):
    """``min(limit, base**exponent)`` without the large power."""
    return min(limit, base ** min(exponent, limit.bit_length()))


def _copies(geometry, l):
    """For each position of layer ``l`` how many copies of its branch there are, as ints."""
    grid = [1]
    for axis in geometry.axes:
        grid = [a * b for a in grid for b in axis.copies[l]]
    return grid


def _windows(axis, l):
    """Positions of layer ``l`` along an axis against sites, 1 where the window holds the site."""
    windows = np.zeros((axis.lengths[l], axis.lengths[0]))
    for p, sites in enumerate(axis.windows[l]):
        windows[p, list(sites)] = 1
    return windows


def _sums(windows, grid):
    """What each window of a layer holds in all, ``windows`` being one matrix an axis."""
    for d, matrix in enumerate(windows):
        grid = np.moveaxis(np.tensordot(matrix, grid, (1, d)), 0, d)
    return grid.ravel()


def _crossing(geometry, inside, bits):
    """The windows that lie across, level by level from the widest, as far as they matter.

    Yields the level, the places of the windows in it, the price of cutting each, and whether that
    can pay: not if fixing its sites on one side is as cheap. A level below one at which no cut
    pays is free of crossings already.
    """
    grids = [x.reshape(geometry.shape) for x in (inside, ~inside, bits * inside, bits * ~inside)]
    for l in range(geometry.depth - 1, 0, -1):
        windows, copies = [_windows(axis, l) for axis in geometry.axes], _copies(geometry, l)
        of_a, of_b, *sides = (_sums(windows, grid) for grid in grids)
        rows = np.flatnonzero((of_a > 0) & (of_b > 0) & (np.array(copies, object) > 0))
        price = functools.cache(functools.partial(_monomials, geometry.bond_dim(l)))
        prices = [price(copies[i]) for i in rows]
        pays = np.array(list(map(math.log2, prices))) < np.minimum(*sides)[rows]
        yield l, rows, prices, pays
        if not pays.any():
            return


def _reads(geometry, l):
    """Nodes of layer ``l`` against those below, one axis after the other, 1 where one reads."""
    above, below = geometry.layer_shape(l), geometry.layer_shape(l - 1)
    for d, axis in enumerate(geometry.axes):
        matrix = np.zeros((above[d], below[d]), bool)
        for p, taps in enumerate(axis.reads[l - 1]):
            matrix[p, [q for q in taps if q is not None]] = True
        rest = eye_array(math.prod(above[:d])), eye_array(math.prod(below[d + 1 :]))
        yield kron(kron(rest[0], csr_array(matrix)), rest[1], "csr")


def _climb(geometry, members, size):
    """Nodes of a graph, one a window, that every member in the window leads to through its taps.

    Parameters
    ----------
    geometry : ConvGeometry
    members : array of bool
        Which sites are members; site i is node i.
    size : int
        Number of nodes so far.

    Returns
    -------
    levels : list[array of int]
        The nodes of each layer below the last.
    edges : (array of int, array of int)
        Below and above.
    size : int
    """
    levels, lower, upper = [np.arange(len(members))], [], []
    for l in range(1, geometry.depth):
        nodes = levels[-1]
        for reads in _reads(geometry, l):
            above = np.arange(size, size + reads.shape[0])
            rows, cols = reads.nonzero()
            held = members[cols]
            lower.append(nodes[cols[held]])
            upper.append(above[rows[held]])
            nodes, members, size = above, reads @ members > 0, size + len(above)
        levels.append(nodes)
    return levels, (np.concatenate(lower), np.concatenate(upper)), size


def _cheapest_cut(geometry, inside, site_prices):
    """The product of the prices along a minimum cut of sites and windows, as an int."""
    bits = np.array(list(map(math.log2, site_prices)))
    crossing = list(_crossing(geometry, inside, bits))
    if not any(len(rows) for _, rows, _, _ in crossing):
        return 1
    count = len(inside)
    source, sink, sites = count, count + 1, np.arange(count)
    enter, up, size = _climb(geometry, inside, count + 2)
    leave, down, _ = _climb(geometry, ~inside, size)
    prices, tails, heads = list(site_prices), [up[0], down[1]], [up[1], down[0]]
    starts, ends = [np.where(inside, source, sites)], [np.where(inside, sites, sink)]
    for l, rows, cuts, pays in crossing:
        gates = enter[l][rows], leave[l][rows]
        prices += [cut for cut, paid in zip(cuts, pays) if paid]
        for ways, free, gate in zip((starts, ends), (tails, heads), gates):
            ways.append(gate[pays])
            free.append(gate[~pays])
    begin, end, tail, head = map(np.concatenate, (starts, ends, tails, heads))
    return cheapest_cut(prices, begin, end, tail, head, source, sink)
