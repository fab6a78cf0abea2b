"""Rivals of a deep network: standard states as large, or as entangled, from integers alone.

::

    net --num_params, or rank across a cut-->  MPS     o-o-o-o-o      the smallest bond dimension
                                               tree    /\\ over /\\    with as many parameters,
                                               MERA    layers         or as high a minimum cut
                                               PEPS    #-#-#
                                               RBM     every unit on every site

They are quimb's networks without arrays: a `path_report` takes them, at any bond dimension.
"""

import math
from dataclasses import dataclass

from ..errors import OptionError, check_option
from ..geometry import leaf_ind
from ..geometry.boltzmann import BoltzmannGeometry
from ..geometry.where import read_where
from ..theory import cut_rank, rank_bound
from .handmade import coordinates
from .kets import Ket, check_count, ket_of

LARGEST = 2**40


@dataclass(frozen=True, repr=False)
class Rival:
    """A state of a standard kind without its numbers.

    Attributes
    ----------
    kind : str
    bond_dim : int
        Of an RBM its number of hidden units.
    ket : Ket
        Its legs.
    """

    kind: str
    bond_dim: int
    ket: Ket

    @property
    def num_params(self):
        """Number of parameters."""
        if self.kind == "RBM":  # its tensors are made of fewer
            return sum(map(math.prod, _boltzmann(self).param_shapes.values()))
        sizes = self.ket.size_dict
        return sum(math.prod(sizes[ix] for ix in inds) for inds in self.ket.inputs)

    def __repr__(self):
        name = "hidden" if self.kind == "RBM" else "bond_dim"
        return f"Rival({self.kind}, {name}={self.bond_dim}, num_params={self.num_params})"


def _boltzmann(rival):
    return BoltzmannGeometry((len(rival.ket.legs),), rival.bond_dim)


@ket_of.register
def _ket_of_rival(rival: Rival, form):
    check_count(len(rival.ket.inputs), form)
    return rival.ket


def rivals(net, equal="params", where=None):
    """States of standard kinds that are as large, or as entangled, as a network.

    Parameters
    ----------
    net : ConvAC or RAC
        Or its geometry.
    equal : {"params", "entropy"}, optional
        The smallest bond dimension (number of hidden units) with at least as many parameters; or
        with at least as high a bound on the Schmidt rank between ``where`` and the rest: the
        minimum cut of the rival (`theory.cut_rank`) against `theory.rank_bound` of the network.
        A kind that cannot have as many parameters is as large as it can be.
    where : int or sequence of sites, optional
        For ``"entropy"``; by default between halves, of a lattice along each axis.

    Returns
    -------
    dict[str, Rival]
        ``"MPS"`` (along the rows of a lattice), ``"tree"`` (binary), ``"MERA"`` (chains of 2**n
        sites), ``"PEPS"`` (lattices), ``"RBM"`` (phys_dim 2).

    Raises
    ------
    OptionError
        If it is not a deep network.
    SitesError
        If ``where`` does not name a proper subset of the sites.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(16, depth=2, kernel=3, bond_dim=4, seed=0)
    >>> qdn.rivals(net, "entropy")["MPS"]
    Rival(MPS, bond_dim=16, num_params=4776)
    >>> table = qdn.path_report({"ConvAC": net, **qdn.rivals(net)}, "norm", form="collapsed")
    >>> [row["state"] for row in table.rows if row["optimize"] == "greedy"]
    ['ConvAC', 'MPS', 'tree', 'MERA', 'RBM']
    """
    geometry = getattr(net, "geometry", net)
    if not hasattr(geometry, "taps"):
        raise OptionError(f"a {type(net).__name__} is not a deep network; give a ConvAC or RAC.")
    check_option("equal", equal, ("params", "entropy"))
    sites, M = geometry.sites, geometry.phys_dim
    if equal == "params":
        target = sum(map(math.prod, geometry.param_shapes.values()))
        enough = lambda rival: rival.num_params >= target
    else:
        parts = halves(sites) if where is None else [read_where(sites, where, whole=False)]
        targets = [(places, rank_bound(geometry, list(places))) for places in parts]
        enough = lambda rival: all(rank_across(rival.ket, p) >= rank for p, rank in targets)
    makers = {kind: make for kind, (fits, make) in KINDS.items() if fits(geometry)}
    found = {}
    for kind, make in makers.items():
        grow = lambda size, kind=kind, make=make: Rival(kind, size, _ket(make, sites, M, size))
        found[kind] = _smallest(grow, enough)
    return found


def halves(sites):
    """The places of the first half of the sites, of a lattice along each axis; none of one site."""
    places = coordinates(sites)
    if places is None or len(places[0]) == 1:
        return [tuple(range(len(sites) // 2))] if len(sites) > 1 else []
    found = []
    for axis in range(len(places[0])):
        middle = (max(place[axis] for place in places) + 1) // 2
        if half := tuple(i for i, place in enumerate(places) if place[axis] < middle):
            found.append(half)
    return found


def rank_across(ket, places):
    """The minimum cut of a `Ket` between some places and the rest."""
    legs = list(ket.legs.values())
    inside = {legs[i] for i in places}
    outside = [leg for leg in legs if leg not in inside]
    return cut_rank(ket.inputs, ket.size_dict, sorted(inside), outside)


def _smallest(grow, enough):
    """The smallest that is enough, or the smallest of those that no longer grow."""
    low, high = 0, 1
    while not enough(grow(high)) and high < LARGEST:
        low, high = high, 2 * high
        if grow(low).num_params == (most := grow(high).num_params):
            return _smallest(grow, lambda rival, most=most: rival.num_params >= most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(grow(middle)) else (middle, high)
    return grow(high)


def _ket(make, sites, M, size):
    """The legs of a kind of state; ``make`` yields tensors as ``{index: size}``."""
    legs = {s: "k" + ",".join(map(str, s if isinstance(s, tuple) else (s,))) for s in sites}
    tensors = list(make(dict(legs), M, size))
    sizes = {ix: d for tensor in tensors for ix, d in tensor.items()}
    inputs = [tuple(tensor) for tensor in tensors]
    return Ket(inputs, sizes, legs, {}, frozenset(), list(range(len(inputs))))


# ---------------------------------------------------------------- kinds


def _mps(legs, M, size):
    """o-o-o: bonds no larger than either side of the chain needs."""
    bond = lambda n: min(size, M ** min(n, len(legs) - n, 64))
    for n, leg in enumerate(legs.values()):
        left = {f"b{n}": bond(n)} if n else {}
        right = {f"b{n + 1}": bond(n + 1)} if n < len(legs) - 1 else {}
        yield {**left, **right, leg: M}


def _tree(legs, M, size):
    """A binary tree of isometries over the sites, the top one without a leg upward."""
    ends = [({leg: M}, 1) for leg in legs.values()]
    total = len(ends)
    while len(ends) > 1:
        above = []
        for n in range(0, len(ends) - 1, 2):
            (left, a), (right, b) = ends[n], ends[n + 1]
            if a + b == total:
                yield {**left, **right}
                return
            count = min(a + b, total - a - b, 64)
            up = {f"t{len(above)},{a + b},{total}_{n},{len(ends)}": min(size, M**count)}
            yield {**left, **right, **up}
            above.append((up, a + b))
        ends = above + ends[len(ends) - len(ends) % 2 :]
    yield ends[0][0]  # a single site


def _mera(legs, M, size):
    """Unitaries and isometries in turn, as quimb's MERA: periodic, joined at the top."""
    below, dim, layer = list(legs.values()), M, 0
    while len(below) > 1:
        L, upper = len(below), min(dim**2, size) if dim > 1 else 1
        middle = [f"m{layer},{j}" for j in range(L)]
        for j in range(0, L, 2):
            yield dict.fromkeys((below[j], below[j + 1], middle[j], middle[j + 1]), dim)
            joined = {middle[j + 1]: dim, middle[(j + 2) % L]: dim}
            yield joined if L == 2 else {**joined, f"u{layer},{j // 2}": upper}
        below, dim, layer = [f"u{layer},{j}" for j in range(L // 2)], upper, layer + 1


def _peps(legs, M, size):
    """A bond for each pair of neighbours on the lattice."""
    for (i, j), leg in legs.items():
        ends = ((i - 1, j, i, j), (i, j, i + 1, j), (i, j - 1, i, j), (i, j, i, j + 1))
        there = [e for e in ends if e[:2] in legs and e[2:] in legs]
        yield {**{"b{},{};{},{}".format(*e): size for e in there}, leg: M}


def _rbm(legs, M, size):
    """A hyper-index for each hidden unit and each site, and a matrix for each pair."""
    leg_of = dict(zip(map(leaf_ind, range(len(legs))), legs.values()))
    for piece in BoltzmannGeometry((len(legs),), size).collapsed_pieces():
        yield {leg_of.get(ix, ix): 2 for ix in piece.inds}


def _of_two(geometry):
    return geometry.phys_dim == 2


def _of_powers(geometry):
    count = len(geometry.sites)
    return geometry.shape == (count,) and count > 1 and count & (count - 1) == 0


KINDS = {
    "MPS": (lambda geometry: True, _mps),
    "tree": (lambda geometry: True, _tree),
    "MERA": (_of_powers, _mera),
    "PEPS": (lambda geometry: len(geometry.shape) == 2, _peps),
    "RBM": (_of_two, _rbm),
}
