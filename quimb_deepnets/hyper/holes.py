"""Environments of many small holes in one network, planned in integers, each part made once.

A hole is the tensors that touch a region. What lies outside is contracted to few tensors, its
*components*, whose legs lead into the hole. Regions are halved and halved again, and the
components of half, quarter, ... are the largest parts of those of the smaller holes inside::

    all regions          halves                   quarters                   one region
                     . . . [holes]         . . . . . [holes]
     [ holes  ]      =======                =========                =========[rho]======
                     [holes] . . .          . . [holes] . . .

    component of a hole = contract(largest components inside it, what is still missing)

On a chain that is a sweep to each side. It costs a few norms for all regions together, where one
contraction for each costs one norm for each.
"""

import functools
import itertools
import math
from typing import NamedTuple

import cotengra as ctg

from .pairs import natural_order
from .search import greedy_tree

SIDES = {"ket": 0, "bra": 1}
CALL = 10**4  # multiplications that take as long as the call for one pair of tensors
SMALL = 2**13  # entries of a tensor times its conjugate, up to which it is made once
MAX_SIDE = 2**22  # entries of such a product for the last step
LAST = 30  # steps that lead to one region, roughly
WORTH = 4  # as many multiplications as calls, from which on a path is improved
FEW = 40  # tensors, up to which a path is improved


class Problem(NamedTuple):
    """A state times its conjugate, and regions of it; legs are small ints.

    Attributes
    ----------
    kets : tuple[tuple[int, ...], ...]
        The legs of each tensor of the state.
    bras : tuple[tuple[int, ...], ...]
        Those of its conjugate, the legs of the sites being the same.
    sizes : tuple[int, ...]
        By leg.
    places : tuple[(int, tuple[float, ...]), ...]
        The leg and the coordinates of each site.
    regions : tuple[tuple[int, ...], ...]
        The legs of the sites of each region.
    """

    kets: tuple
    bras: tuple
    sizes: tuple
    places: tuple
    regions: tuple


class HoleStep(NamedTuple):
    """One contraction of several tensors.

    Attributes
    ----------
    name : int
        A component by the bits of the tensors it holds, or ``-1 - region``.
    inputs : tuple
        Components by their bits, and ``("ket", i)``, ``("bra", i)``.
    pairs : tuple[(int, int, str), ...]
        Which two are contracted, in single-assignment form, and how.
    """

    name: int
    inputs: tuple
    pairs: tuple


class HolePlan(NamedTuple):
    """Steps in order, what they cost in multiplications and calls, and the most numbers held."""

    steps: tuple
    flops: float
    calls: int
    held: float

    @property
    def work(self):
        """Multiplications, calls counted as some."""
        return self.flops + CALL * self.calls


@functools.lru_cache(64)
def work_of_norm(problem):
    """What one contraction of everything takes, in multiplications, by a path found quickly."""
    tensors = [tuple(map(str, legs)) for legs in problem.kets + problem.bras]
    sizes = {str(leg): size for leg, size in enumerate(problem.sizes)}
    tree = ctg.array_contract_tree(tensors, (), sizes, optimize="greedy")
    return float(tree.contraction_cost()) + CALL * len(tensors)


@functools.lru_cache(64)
def plan_holes(problem):
    """How to get the density matrices of all regions.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    HolePlan

    Examples
    --------
    >>> from quimb_deepnets.hyper.holes import Problem, plan_holes
    >>> kets = tuple((n, n + 10, n + 11) for n in range(1, 9))  # a matrix product state
    >>> bras = tuple((n, n + 30, n + 31) for n in range(1, 9))
    >>> places = tuple((n, (n,)) for n in range(1, 9))
    >>> plan = plan_holes(Problem(kets, bras, (2,) * 40, places, ((1, 2), (4, 5), (8,))))
    >>> sorted(step.name for step in plan.steps if step.name < 0)
    [-3, -2, -1]
    """
    return _Planner(problem).plan()


@functools.lru_cache(64)
def leaf_work(problem):
    """Roughly what the last steps take, by which ways to group regions are compared."""
    planner, total = _Planner(problem), 0
    for r, hole in enumerate(planner.holes):
        step, flops, _ = planner._region(r)
        total += flops + CALL * len(step.pairs) + LAST * (CALL + planner._edge(hole))
    return total


class _Planner:
    """What is known of a problem while its plan is made."""

    def __init__(self, problem):
        self.problem, self.sizes = problem, problem.sizes
        self.legs = [tuple(dict.fromkeys(a + b)) for a, b in zip(problem.kets, problem.bras)]
        self.carriers = {}
        for i, legs in enumerate(self.legs):
            for leg in legs:
                self.carriers[leg] = self.carriers.get(leg, 0) | 1 << i
        self.everything = (1 << len(self.legs)) - 1
        where = dict(problem.places)
        self.holes = [self._hole(region) for region in problem.regions]
        self.sides = [max(x) - min(x) + 1 for x in zip(*where.values())]
        self.spans = [self._span([where[leg] for leg in r]) for r in problem.regions]
        self.centers = [tuple(a + b for a, b in span) for span in self.spans]
        self._found, self._cut, self._joint = {}, {}, {}
        self._layouts = {}  # the legs of components in the order in which they come out

    def _span(self, ats):
        """From where to where along each axis; behind the end, across the edge of a ring."""
        spans = []
        for side, xs in zip(self.sides, zip(*ats)):
            wraps = max(xs) - min(xs) > side / 2
            ahead = [x + side if wraps and x < side / 2 else x for x in xs]
            spans.append((min(ahead), max(ahead)))
        return tuple(spans)

    def _hole(self, region):
        return functools.reduce(int.__or__, (self.carriers[leg] for leg in region))

    def outside(self, hole):
        """The components of what is outside a hole: parts that share legs only with it."""
        if hole in self._found:
            return self._found[hole]
        found, rest = [], self.everything & ~hole
        while rest:
            part = frontier = rest & -rest
            while frontier:
                new = 0
                for i in _bits(frontier):
                    for leg in self.legs[i]:
                        if not self.carriers[leg] & hole:
                            new |= self.carriers[leg]
                frontier = new & ~part
                part |= new
            found.append(part)
            rest &= ~part
        self._found[hole] = tuple(found)
        return self._found[hole]

    def open_legs(self, part):
        """The legs by which a component hangs together with the rest."""
        if not part & part - 1:
            return self.legs[part.bit_length() - 1]
        legs = dict.fromkeys(leg for i in _bits(part) for leg in self.legs[i])
        return tuple(leg for leg in legs if self.carriers[leg] & ~part)

    def size(self, legs):
        """The number of entries over some legs."""
        return math.prod(self.sizes[leg] for leg in legs)

    # ------------------------------------------------------------ which components

    def _around(self, group):
        """The hole of a group: what touches it, or its bounding box if the edge is shorter."""
        if len(group) == 1:
            return self.holes[group[0]]
        if group not in self._joint:
            union = functools.reduce(int.__or__, (self.holes[r] for r in group))
            box = self._box(group)
            self._joint[group] = min((union, box), key=self._edge)
        return self._joint[group]

    def _box(self, group):
        spans = [
            (min(x[0] for x in xs), max(x[1] for x in xs))
            for xs in zip(*(self.spans[r] for r in group))
        ]
        inside = lambda x, span, side: any(span[0] <= y <= span[1] for y in (x, x + side))
        legs = (leg for leg, at in self.problem.places if all(map(inside, at, spans, self.sides)))
        return functools.reduce(int.__or__, (self.carriers[leg] for leg in legs))

    def _edge(self, hole):
        return sum(self.size(self.open_legs(part)) for part in self.outside(hole))

    def _making(self, part, near):
        """The largest parts inside a component, and roughly what is left to do."""
        inside = _cover(part, near)
        count = (part & ~functools.reduce(int.__or__, inside, 0)).bit_count() + len(inside)
        largest = max(self.size(self.open_legs(x)) for x in (part, *inside))
        return inside, count * (CALL + largest)

    def _halves(self, group):
        """What it costs to cut a group down to single regions, and the first cut, in two."""
        if group in self._cut:
            return self._cut[group]
        options, above = [], self.outside(self._around(group))
        for axis in range(len(self.sides)):
            at = {r: self.centers[r][axis] for r in group}
            values = sorted(at.values())
            middle = values[len(group) // 2]
            if middle == values[0]:
                middle = next((x for x in values if x > middle), None)
            if middle is not None:
                low = tuple(r for r in group if at[r] < middle)
                halves = low, tuple(r for r in group if at[r] >= middle)
                options.append((sum(self._cost(half, above) for half in halves), halves))
        self._cut[group] = min(options, default=(0, tuple((r,) for r in group)))
        return self._cut[group]

    def _cost(self, group, above):
        made = self.outside(self._around(group))
        own = sum(self._making(part, above)[1] for part in made if part & part - 1)
        return own + (self._halves(group)[0] if len(group) > 1 else 0)

    def sources(self):
        """From which components, all smaller, each component is made.

        Those of the group that it is half of, and of the groups beside it where that helps.
        """
        groups, above, found = [tuple(range(len(self.holes)))], [()], {}
        while True:
            parts = [self.outside(self._around(group)) for group in groups]
            for k, mine in enumerate(parts):
                beside = (parts[j] for j in (k - 1, k + 1) if 0 <= j < len(parts))
                ways = above[k], (*above[k], *itertools.chain.from_iterable(beside))
                for part in mine:
                    if part & part - 1 and part not in found:
                        made = (self._making(part, way) for way in ways)
                        found[part] = min(made, key=lambda way: way[1])[0]
            if all(len(group) == 1 for group in groups):
                return found
            split = [self._halves(group)[1] if len(group) > 1 else (group,) for group in groups]
            groups = [half for halves in split for half in halves]
            above = [made for made, halves in zip(parts, split) for _ in halves]

    # ------------------------------------------------------------ steps

    def plan(self):
        """See `plan_holes`."""
        sources = self.sources()
        smaller_first = sorted(sources.items(), key=lambda item: item[0].bit_count())
        steps = [self._component(part, inside) for part, inside in smaller_first]
        steps += [self._region(r) for r in range(len(self.holes))]
        steps.sort(key=lambda s: _rank(s[0]))
        needed = [x for step, *_ in steps for x in step.inputs if isinstance(x, int)]
        flops = sum(flops for _, flops, _ in steps)
        calls = sum(len(step.pairs) for step, *_ in steps)
        return HolePlan(tuple(s[0] for s in steps), flops, calls, self._held(steps, needed))

    def _held(self, steps, needed):
        left = {x: needed.count(x) for x in set(needed)}
        now = most = 0
        for step, _, largest in steps:
            most = max(most, now + 2 * largest)
            now += self.size(self.open_legs(step.name)) if step.name > 0 else 0
            for x in step.inputs:
                if isinstance(x, int):
                    left[x] -= 1
                    now -= 0 if left[x] else self.size(self.open_legs(x))
        return most

    def _component(self, part, inside):
        legs = {x: self._layout(x) for x in inside}
        for i in _bits(part & ~functools.reduce(int.__or__, inside, 0)):
            legs.update(self._unit(i))
        return self._step(part, legs, self.open_legs(part))

    def _region(self, r):
        region, hole = self.problem.regions[r], self.holes[r]
        legs = {}
        for part in self.outside(hole):
            if part & part - 1:
                legs[part] = self._layout(part)
            else:
                legs.update(self._unit(part.bit_length() - 1))
        moved = {leg: len(self.sizes) + k for k, leg in enumerate(region)}
        for i in _bits(hole):
            legs["ket", i] = self.problem.kets[i]
            legs["bra", i] = tuple(moved.get(leg, leg) for leg in self.problem.bras[i])
        return self._step(-1 - r, legs, (*region, *moved.values()))

    def _layout(self, part):
        """The legs of a component in the order in which it comes out; in any, if none is made."""
        return self._layouts.get(part) or self.open_legs(part)

    def _unit(self, i):
        """A tensor and its conjugate as inputs: multiplied once, if the product is small."""
        if self.size(self.legs[i]) <= SMALL:
            return {("both", i): self.legs[i]}
        return {("ket", i): self.problem.kets[i], ("bra", i): self.problem.bras[i]}

    def _step(self, name, legs, output):
        sizes = (*self.sizes, *(self.sizes[leg] for leg in output[: len(output) // 2]))
        names = {}
        for leg in (leg for inds in legs.values() for leg in inds):
            names.setdefault(leg, len(names))
        kinds = tuple(SIDES.get(x[0], -1) if isinstance(x, tuple) else -1 for x in legs)
        pairs, flops, largest, out = _small_path(
            tuple(tuple(map(names.get, inds)) for inds in legs.values()),
            tuple(map(names.get, output)),
            tuple(sizes[leg] for leg in names),
            kinds if name < 0 else (),
            name > 0,
        )
        if name > 0:
            leg_of = list(names)
            self._layouts[name] = tuple(leg_of[k] for k in out)
        return HoleStep(name, tuple(legs), pairs), flops, largest


def _rank(step):
    """Smaller components come first, a region as soon as its components are there."""
    parts = (step.name,) if step.name > 0 else (x for x in step.inputs if isinstance(x, int))
    return max((part.bit_count() for part in parts), default=0), step.name < 0


def _bits(part):
    """The numbers of the bits that are set."""
    while part:
        low = part & -part
        yield low.bit_length() - 1
        part ^= low


def _cover(part, near):
    """The largest disjoint components inside a component."""
    found, rest = [], part
    for x in sorted(near, key=lambda x: (-x.bit_count(), x)):
        if x != part and x & x - 1 and not x & ~rest:
            found.append(x)
            rest &= ~x
    return tuple(found)


# ---------------------------------------------------------------- paths of single steps


@functools.lru_cache(2**13)
def _small_path(inputs, output, sizes, kinds, free):
    """The pairs of one contraction, its multiplications, its largest intermediate, and its legs.

    The legs of the result come in any order if ``free``.

    With ``kinds`` (0 for tensors of the state, 1 for those of its conjugate) it may first multiply
    all of the state, and all of its conjugate: such products are the same for many regions.
    """
    if len(inputs) == 1:
        size = math.prod(sizes[leg] for leg in inputs[0])
        return ((0, 0, spelled(inputs[0], None, output)),), size, size, output
    symbols = list(map(ctg.get_symbol, range(len(sizes))))
    spell = lambda legs: tuple(symbols[leg] for leg in legs)
    size_dict = dict(zip(symbols, sizes))
    words = [spell(legs) for legs in inputs]
    best = greedy_tree(words, spell(output), size_dict)
    path = _by_sides(words, spell(output), size_dict, kinds) if kinds else None
    if path is not None:
        other = ctg.ContractionTree.from_path(words, spell(output), size_dict, ssa_path=path)
        best = min(best, other, key=ctg.ContractionTree.contraction_cost)
    if best.contraction_cost() > WORTH * CALL * len(words) and 3 < len(words) <= FEW:
        best = best.subtree_reconfigure(subtree_size=6)
    path = [tuple(pair) for pair in best.get_ssa_path()]
    pairs, out = _spelled_pairs(inputs, output, path, sizes, free)
    return pairs, float(best.contraction_cost()), 2 ** best.contraction_width(), out


def _by_sides(words, output, size_dict, kinds):
    """A path that multiplies the tensors of each side first; None if a product is too large."""
    path, left, held = [], [i for i, kind in enumerate(kinds) if kind == -1], list(words)

    def _contract(chosen, out):
        inds = [held[i] for i in chosen]
        tree = greedy_tree(inds, out, size_dict)
        numbers = list(chosen)
        for a, b in tree.get_ssa_path():
            path.append((numbers[a], numbers[b]))
            numbers.append(len(held))
            held.append(out)
        return numbers[-1]

    for side in set(kinds) - {-1}:
        chosen = [i for i, kind in enumerate(kinds) if kind == side]
        others = {ix for i, kind in enumerate(kinds) if kind != side for ix in words[i]}
        own = dict.fromkeys(ix for i in chosen for ix in words[i])
        out = tuple(ix for ix in own if ix in others or ix in output)
        if math.prod(size_dict[ix] for ix in out) > MAX_SIDE:
            return None
        left.append(_contract(chosen, out) if len(chosen) > 1 else chosen[0])
    if len(left) > 1:
        _contract(left, output)
    return path


def _spelled_pairs(inputs, output, path, sizes, free):
    """Each pair of a path with the einsum that contracts it, and the legs of the last one."""
    held, pairs = dict(enumerate(inputs)), []
    for k, (a, b) in enumerate(path):
        x, y = held.pop(a), held.pop(b)
        needed = set(output).union(*held.values())
        out = natural_order(x, y, needed, sizes) if held or free else tuple(output)
        held[len(inputs) + k] = out
        pairs.append((a, b, spelled(x, y, out)))
    return tuple(pairs), out


@functools.lru_cache(2**13)
def spelled(x, y, out):
    """The einsum of one or two tensors from their legs, ``y`` being None for one."""
    legs = dict.fromkeys((*x, *(y or ()), *out))
    names = {leg: ctg.get_symbol(k) for k, leg in enumerate(legs)}
    spell = lambda legs: "".join(map(names.__getitem__, legs))
    return f"{spell(x)},{spell(y)}->{spell(out)}" if y is not None else f"{spell(x)}->{spell(out)}"
