"""Density matrices of many regions of a state, from environments that they share.

::

    tensors ---integers---> Problem ---plan_holes---> HolePlan ---arrays---> rho of each region

    regions that lie close are taken together, where that is cheaper, and traced afterwards:

        o--o      o--o   o  o   o   o         rho of four sites, instead of four of two sites
        |  |  :               , |   |
        o--o      o  o   o--o   o   o
"""

import collections
import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from autoray import do, stop_gradient
from cotengra.contract import einsum

from ..errors import BudgetError
from ..numerics.scaled import Scaled, look, mutable
from .holes import HolePlan, Problem, leaf_work, plan_holes, spelled
from .pairs import permuted, prepared_pair
from .ranges import limits_of

NEAR = 2.0**24  # entries between its inverse and this are left as they are
MANY_SITES = 6  # of one group of regions that are taken together


class RegionSums(NamedTuple):
    """How to get the density matrices of some regions of a state.

    Attributes
    ----------
    regions : list[tuple[str, ...]]
        The outer legs of each region, or of one that translations of the state move it to.
    groups : list[tuple[str, ...]]
        Outer legs, such that each region is inside one group.
    homes : dict[tuple[str, ...], tuple[str, ...]]
        The group of each region.
    problem : Problem
        With a region for each group.
    plan : HolePlan
    """

    regions: list[tuple[str, ...]]
    groups: list[tuple[str, ...]]
    homes: dict[tuple[str, ...], tuple[str, ...]]
    problem: Problem
    plan: HolePlan

    @property
    def work(self) -> float:
        """What it takes, in multiplications; calls count as some."""
        return self.plan.work

    def run(self, kets: Any, bras: Any = None, normalized: bool = True) -> list[Any]:
        """The density matrices.

        Parameters
        ----------
        kets : sequence of array
            The numbers of the tensors of the state.
        bras : sequence of array, optional
            Those of the other state, before conjugation.
        normalized : bool, optional
            Whether to divide by the trace.

        Returns
        -------
        list[array or None]
            Shape ``(d**n, d**n)`` for n sites; None where it is to be normalised and has no trace.
            Those that are not have one scale in common where they come from one group only.
        """
        bras = kets if bras is None else bras
        found = _RegionRun(self.problem, kets, bras).density_matrices(self.plan)
        joint = dict(zip(self.groups, found))
        traced = {region: self._traced(region, joint) for region in self.homes}
        if normalized:
            traced = {region: of_trace_one(rho) for region, rho in traced.items()}
        return [traced[region] for region in self.regions]

    def _traced(self, region, joint):
        group = self.homes[region]
        count, rho = len(group), joint[group]
        kept = [group.index(ix) for ix in region]
        gone = [k for k in range(count) if k not in kept]
        size = math.prod(rho.shape[k] for k in kept)
        rho = permuted(rho, (*kept, *(count + k for k in kept), *gone, *(count + k for k in gone)))
        rest = math.prod(rho.shape[2 * len(kept) : 2 * len(kept) + len(gone)])
        rho = rho.reshape(size, size, rest, rest)
        return rho[:, :, 0, 0] if rest == 1 else rho.diagonal(0, -1, -2).sum(-1)


def of_trace_one(rho: Any) -> Any:
    """A density matrix divided by its trace; None if that vanishes."""
    trace, limits = rho.trace(), limits_of(rho)
    size = abs(complex(stop_gradient(trace)))
    return rho / trace if size > limits.tiny / limits.eps else None


def region_sums(
    tensors: Any,
    places: dict[str, tuple[float, ...]],
    regions: Any,
    max_bytes: float,
    others: Any = None,
) -> RegionSums:
    """The cheapest plan for the density matrices of some regions.

    Parameters
    ----------
    tensors : sequence of (tuple[str, ...], array)
        The legs and the numbers of each tensor of a state; only shapes are read.
    places : dict[str, tuple[float, ...]]
        The coordinates of the site of each outer leg. Good ones make a good plan; any are right.
    regions : sequence of sequence of str
        Outer legs.
    max_bytes : float
    others : sequence of (tuple[str, ...], array), optional
        Tensors of another state, as many; then it is ``tr |state><other|`` over the other sites.
        By default those of the state.

    Returns
    -------
    RegionSums

    Raises
    ------
    BudgetError
        If what is held at a time needs more memory.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.hyper.regions import region_sums
    >>> rng = np.random.default_rng(0)
    >>> tensors = [(legs, rng.random((2, 2, 2))) for legs in ("abc", "bcd")]
    >>> sums = region_sums(tensors, {ix: (n,) for n, ix in enumerate("abcd")}, ["ab", "d"], 2**20)
    >>> [rho.shape for rho in sums.run([x for _, x in tensors])]
    [(4, 4), (2, 2)]
    """
    kinds = _kinds([x for _, x in (*tensors, *(others or ()))])
    sides = (tensors,) * 2 if others is None else (tensors, others)
    shapes = tuple(tuple((tuple(legs), tuple(x.shape)) for legs, x in side) for side in sides)
    where, wanted = tuple(places.items()), tuple(map(tuple, regions))
    itemsize = max(x.itemsize for _, x in tensors)
    return _planned(shapes, tuple(kinds), where, wanted, itemsize, max_bytes)


@functools.lru_cache(64)
def _planned(sides, kinds, places, regions, itemsize, max_bytes):
    """The plan of `region_sums` from legs, shapes, and which tensors are alike."""
    (tensors, others), places = sides, dict(places)
    legs = [legs for legs, _ in tensors] + [("*", *legs) for legs, _ in others]
    regions = _representatives(list(zip(2 * kinds, legs)), places, list(regions))
    options = [_largest(regions)]
    if box := _box(regions, places):
        options.append(_in_boxes(options[0], places, box))
    problems = [_problem(tensors, others, places, groups) for groups in options]
    problem, groups = min(zip(problems, options), key=lambda pair: leaf_work(pair[0]))
    plan = plan_holes(problem)
    need = plan.held * itemsize
    if need > max_bytes:
        raise BudgetError(
            f"the environments of {len(regions)} regions need {need:.3g} bytes, more than the "
            f"{max_bytes} allowed; give fewer regions at a time."
        )
    home = lambda region: next(group for group in groups if set(region) <= set(group))
    homes = {region: home(region) for region in dict.fromkeys(regions)}
    return RegionSums(regions, groups, homes, problem, plan)


def _problem(tensors, others, places, regions):
    """The legs of a state and of its conjugate in integers."""
    names: dict[Any, int] = {}
    sizes = {}
    both = []
    for star, side in enumerate((tensors, others)):
        own = [tuple((ix, bool(star) and ix not in places) for ix in legs) for legs, _ in side]
        for legs, (_, shape) in zip(own, side):
            sizes.update(zip(legs, shape))
        both.append(tuple(tuple(names.setdefault(ix, len(names)) for ix in t) for t in own))
    number = lambda ix: names[ix, False]
    where = tuple((number(ix), tuple(at)) for ix, at in places.items())
    wanted = tuple(tuple(map(number, region)) for region in regions)
    return Problem(both[0], both[1], tuple(sizes[ix] for ix in names), where, wanted)


# ---------------------------------------------------------------- translations


def _representatives(tensors, places, regions):
    """For each region the least of those that translations of the state move it to.

    Tensors are pairs of what they are the same as, and their legs.
    """
    sides = [round(max(x) - min(x) + 1) for x in zip(*places.values())]
    own = collections.Counter(tensors)
    moves = []
    for axis, side in enumerate(sides):
        for step in (s for s in range(1, side) if side % s == 0):
            move = _moved(places, axis, step, side)
            moved = ((kind, tuple(move.get(ix, ix) for ix in legs)) for kind, legs in tensors)
            if collections.Counter(moved) == own:
                moves.append((move, side // step))
                break
    images = [regions]
    for move, count in moves:
        for rs in list(images):
            for _ in range(count - 1):
                rs = [tuple(map(move.__getitem__, r)) for r in rs]
                images.append(rs)
    return [min(same) for same in zip(*images)]


def _moved(places, axis, step, side):
    """Where a translation along a ring takes each site; empty if there is none."""
    sites = {at: ix for ix, at in places.items()}
    low = min(at[axis] for at in sites)
    ahead = lambda at: (at[axis] - low + step) % side + low
    try:
        return {ix: sites[*at[:axis], ahead(at), *at[axis + 1 :]] for ix, at in places.items()}
    except KeyError:
        return {}


# ---------------------------------------------------------------- regions taken together


def _largest(regions):
    """The regions that are not part of another one, each once."""
    holders: dict[str, list[set[str]]] = {}
    for region in (regions := list(dict.fromkeys(regions))):
        for ix in region:
            holders.setdefault(ix, []).append(set(region))
    return [r for r in regions if not any(set(r) < x for x in holders[r[0]])]


def _box(regions, places):
    """The sides of the smallest box that holds any of the regions, if that holds few sites."""
    sides = [max(x) - min(x) + 1 for x in zip(*places.values())]
    extents = [[max(x) - min(x) for x in zip(*map(places.get, r))] for r in regions]
    extents = [[min(x, side - x) for x, side in zip(xs, sides)] for xs in extents]
    small = [xs for xs in extents if max(xs) < MANY_SITES]
    box = [round(max(x)) + 1 for x in zip(*small)]
    several = any(len(r) < math.prod(box) for r in regions)
    return box if box and several and 1 < math.prod(box) <= MANY_SITES else None


def _in_boxes(regions, places, box):
    """Groups of regions that boxes hold, as few as a greedy choice finds, and the other regions.

    Boxes reach across an edge where a region does.
    """
    sides = [max(x) - min(x) + 1 for x in zip(*places.values())]
    spread = [[max(x) - min(x) for x in zip(*map(places.get, r))] for r in regions]
    around = [any(x[a] > side / 2 for x in spread) for a, side in enumerate(sides)]
    sites = {at: ix for ix, at in places.items()}
    boxes = []
    for origin in sorted(sites):
        ats = itertools.product(*(range(side) for side in box))
        moved = ([a + b for a, b in zip(origin, at)] for at in ats)
        wrapped = (
            tuple(x % side if ring else x for x, side, ring in zip(at, sides, around))
            for at in moved
        )
        boxes.append({sites[at] for at in wrapped if at in sites})
    held = [{k for k, region in enumerate(regions) if box.issuperset(region)} for box in boxes]
    left, groups = set(range(len(regions))), []
    while best := max(held, key=lambda inside: len(inside & left), default=set()) & left:
        groups.append(tuple(dict.fromkeys(ix for k in sorted(best) for ix in regions[k])))
        left -= best
    return groups + [regions[k] for k in sorted(left)]


# ---------------------------------------------------------------- arrays


class _RegionRun:
    """The steps of a plan with numbers; what is equal for several regions is made once."""

    def __init__(self, problem, kets, bras):
        self.problem = problem
        one = [Scaled.of(x).mantissa for x in kets]
        other = one if bras is kets else [Scaled.of(x).mantissa for x in bras]
        self.arrays = {"ket": one, "bra": [do("conj", x) for x in other]}
        self.kinds = {"ket": _kinds(kets)}
        self.kinds["bra"] = self.kinds["ket"] if bras is kets else _kinds(bras)
        self.made = {}

    def density_matrices(self, plan):
        """One array for each region of the problem, of any scale."""
        inputs = [x for step in plan.steps for x in step.inputs if isinstance(x, int)]
        left = {x: inputs.count(x) for x in set(inputs)}
        held, found = {}, {}
        for step in plan.steps:
            values = [
                (held[x], None) if isinstance(x, int) else self._leaf(*x) for x in step.inputs
            ]
            for x in step.inputs:
                if isinstance(x, int):
                    left[x] -= 1
                    if not left[x]:
                        del held[x]
            kept = held if step.name > 0 else found
            kept[step.name] = self._contracted(values, step.pairs)
        return [found[-1 - r] for r in range(len(found))]

    def _leaf(self, side, i):
        """A tensor, its conjugate, or their product, and what it is the same as."""
        if side != "both":
            return self.arrays[side][i], (side, self.kinds[side][i])
        legs = self.problem.kets[i], self.problem.bras[i]
        eq = spelled(*legs, tuple(dict.fromkeys((*legs[0], *legs[1]))))
        pair = [self._leaf(side, i) for side in ("ket", "bra")]
        return self._contracted(pair, ((0, 1, eq),), True)

    def _contracted(self, values, pairs, named=False):
        values, count = dict(enumerate(values)), len(values)
        for k, (a, b, eq) in enumerate(pairs):
            x, mine = values.pop(a)
            y, theirs = values.pop(b) if b != a else (None, ())
            key = None if mine is None or theirs is None else (mine, theirs, eq)
            if (z := self.made.get(key)) is None:
                z = einsum(eq, x) if y is None else prepared_pair(eq, x.shape, y.shape)(x, y)
                z = _near_one(z)
                if key is not None:
                    self.made[key] = z
            values[count + k] = z, key
        ((result, key),) = values.values()
        return (result, key) if named else result


def _near_one(x):
    """An array times a power of two, such that no product of a few leaves the range of floats."""
    if type(x) is np.ndarray and x.size / NEAR**2 < np.vdot(x, x).real < NEAR**2:
        return x  # its largest entry is between norm and norm / sqrt(size)
    size = float(abs(x if type(x) is np.ndarray else stop_gradient(x)).max())
    return x if 1 / NEAR < size < NEAR or not size else Scaled.of(x).mantissa


def _kinds(arrays):
    """For each array, the first that it is a power of two times.

    One that is differentiated equals only itself: its derivatives are its own.
    """
    found: list[int] = []
    seen: dict[Any, int] = {}
    for i, x in enumerate(arrays):
        key: Any = id(x)
        if mutable(x):
            numbers = look(Scaled.of(x).mantissa)
            key = numbers.shape, numbers.dtype.str, numbers.tobytes()
        found.append(seen.setdefault(key, i))
    return found
