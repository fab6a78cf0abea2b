"""Which layer a collapsed network is contracted up to, and its tensors.

The tables of the last layer, folded, make the fewest tensors. Where they are large, each lower
level is planned in integers, and the one whose norm takes the fewest multiplications is made::

    level     numbers in tables     tensors     multiplications of a norm
    depth     refused, or many      fewest      --.
    ...                                           +-- least of those that fit
    0         none                  most        --'
"""

import functools
import math
import numbers
from typing import Any, NamedTuple

import cotengra as ctg

from ..errors import BudgetError, OptionError
from ..evaluation.window_tables import branch_tables
from ..geometry import ConvGeometry, leaf_ind
from ..geometry.expansion import WINDOW
from ..geometry.levels import level_sizes
from ..hyper.search import sweep_path
from ..networks import ConvAC
from ..numerics.products import times_ones
from ..numerics.scaled import Scaled, scaled
from ..numerics.sizes import readable_count
from ..numerics.weights import MAX_BYTES
from .expanded import MAX_TENSORS
from .pieces import check_bytes, tensors_of

FEW_ROWS = 2**12  # of a window, up to which no other level is looked at
MANY = 2**11  # tensors of a level that is planned; a path through more takes long to find


class LevelCost(NamedTuple):
    """What a level takes, in integers and powers of two.

    Attributes
    ----------
    level : int
    numbers, tensors : int
        As in `LevelSizes`.
    flops : float
        Multiplications of the norm, and of making the tables; infinite where that is not planned.
    width : float
        log2 of the largest intermediate.
    """

    level: int
    numbers: int
    tensors: int
    flops: float
    width: float

    def fits(self, max_numbers):
        """Whether its tables do, and a contraction of its norm."""
        return self.numbers <= max_numbers and self.width <= math.log2(MAX_BYTES / 16)

    def __str__(self):
        numbers = readable_count(self.numbers)
        taken = f"level {self.level}: {numbers} numbers in tables, {self.tensors} tensors"
        if math.isinf(self.width):
            return taken
        return (
            f"{taken}, a norm of 10**{math.log10(self.flops):.1f} multiplications and width "
            f"2**{self.width:.0f}"
        )


@functools.lru_cache(64)
def level_costs(geometry: ConvGeometry, max_numbers: int) -> tuple[LevelCost, ...]:
    """What each level takes, from the folded last layer down; those too large are not planned.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.tensors.levels import level_costs
    >>> layers = [qdn.GCLayer(2, 3, stride=2)] * 6
    >>> tree = qdn.ConvAC.rand(64, layers=layers, seed=0).geometry
    >>> costs = level_costs(tree, 2**28)
    >>> [(x.level, x.numbers, x.tensors) for x in costs][:4]
    [(6, 25769803776, 67), (5, 12884901888, 69), (4, 196608, 75), (3, 768, 87)]
    >>> min(costs, key=lambda x: x.flops).level
    2
    """
    levels = {level: level_sizes(geometry, level) for level in range(geometry.depth, -1, -1)}
    small = [l for l, x in levels.items() if x.numbers <= max_numbers and x.tensors <= MANY]
    found = []
    for level, sizes in levels.items():
        flops = width = math.inf
        if level in small and min(small) < geometry.depth:
            tree = _norm_tree(geometry, level)
            made = sizes.numbers * sum(map(math.prod, map(geometry.kernel, range(1, level + 1))))
            flops, width = float(tree.contraction_cost() + made), tree.contraction_width()
        found.append(LevelCost(level, *sizes, flops, width))
    return tuple(found)


def piece_shape(geometry: ConvGeometry, level: int, piece: Any) -> tuple[int, ...]:
    """The shape of the tensor of a piece of a level."""
    if piece.tag == WINDOW:
        return (geometry.bond_dim(level), *[geometry.phys_dim] * (len(piece.inds) - 1))
    return geometry.param_shapes[piece.tag][: len(piece.inds)]


def _norm_tree(geometry, level):
    """A tree of the norm that is quick to find: greedy, or a sweep, whichever takes less."""
    leaves, sizes, ket = set(map(leaf_ind, geometry.sites)), {}, []
    for piece in geometry.collapsed_pieces(level):
        ket.append(piece.inds)
        sizes.update(zip(piece.inds, piece_shape(geometry, level, piece)))
    names = {ix: ix if ix in leaves else f"{ix}*" for ix in sizes}
    inputs = [*ket, *(tuple(map(names.get, inds)) for inds in ket)]
    sizes |= {names[ix]: size for ix, size in sizes.items()}
    swept = ctg.ContractionTree.from_path(inputs, (), sizes, ssa_path=sweep_path(inputs))
    greedy = ctg.array_contract_tree(inputs, (), sizes, optimize="greedy")
    return min(greedy, swept, key=lambda tree: tree.contraction_cost())


@functools.singledispatch
def cheapest_level(geometry: Any, max_numbers: float) -> int | None:
    """The level that a network of this geometry is collapsed to; None if it has one form only.

    Parameters
    ----------
    geometry : Geometry
    max_numbers : int
        How many numbers its tables may hold.

    Returns
    -------
    int
        ``geometry.depth`` where the folded windows are small, or nothing else fits either.
    """
    return None


@cheapest_level.register
def _cheapest_level_of_conv(geometry: ConvGeometry, max_numbers):
    if geometry.phys_dim ** geometry.collapsed_width() <= FEW_ROWS:
        return geometry.depth
    costs = level_costs(geometry, int(max_numbers))
    possible = [cost for cost in costs if cost.fits(max_numbers)]
    return min(possible, key=lambda cost: cost.flops).level if possible else geometry.depth


@functools.singledispatch
def level_tensors(network: Any, level: int, max_bytes: float) -> tuple[list, float]:
    """The tensors of a collapsed network of a level below ``depth``, without identities.

    Returns
    -------
    tensors : list[Tensor]
    exponent : float
        Of two, before all of them.

    Raises
    ------
    OptionError
        If the family has one collapsed form only.
    BudgetError
        If the tables, or the number of tensors, are too large.
    """
    raise OptionError(
        f"level={level!r} says up to which layer of a ConvAC branches are contracted, and the "
        f"collapsed form of a {type(network).__name__} is one only; leave it out."
    )


@level_tensors.register
def _level_tensors_of_conv(network: ConvAC, level, max_bytes):
    g = network.geometry
    sizes = level_sizes(g, level)
    check_bytes(sizes.numbers * network._like.itemsize, network._like, max_bytes)
    if sizes.tensors > MAX_TENSORS:
        raise BudgetError(
            f"level={level} writes out {sizes.tensors} tensors, more than {MAX_TENSORS}, because "
            "each use of a branch is a copy; use a higher level, or leave it out."
        )
    tables = branch_tables(network, level) if level else {}
    numbers = {(WINDOW, kind): table.even_out() for kind, table in tables.items()}
    pieces = list(g.collapsed_pieces(level))
    for tag, kind in {piece[:2] for piece in pieces}.difference(numbers):
        x = network.params[tag]
        matrix = scaled(x, axes=len(x.shape)) if kind is None else times_ones(scaled(x, axes=2))
        numbers[tag, kind] = Scaled(*matrix).even_out()
    return tensors_of(pieces, numbers, g.phys_dim)


def check_level(geometry: Any, level: Any) -> int:
    """Return a level, if the geometry has it.

    Raises
    ------
    OptionError
    """
    whole = isinstance(level, numbers.Integral) and not isinstance(level, bool)
    if not (whole and 0 <= level <= geometry.depth):
        raise OptionError(
            f"level={level!r} is not a layer of the network; use a whole number from 0 (every "
            f"branch written out) to {geometry.depth} (each contracted once)."
        )
    return int(level)


def refusal_of(geometry: Any, max_numbers: float) -> str:
    """What the levels of a network would take, in words for an error."""
    if not isinstance(geometry, ConvGeometry) or geometry.depth < 2:
        return ""
    told = [str(x) for x in level_costs(geometry, int(max_numbers))[1:]]
    return f" (written out above a lower layer: {'; '.join(told)})"
