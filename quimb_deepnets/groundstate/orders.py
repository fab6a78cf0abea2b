"""Orders in which networks that differ in a few tensors are multiplied: two, and the cheaper one.

::

    halves    ((0 1) (2 3)) ((4 5) (6 7))      equal parts are made once, on rings log N of them
    ends      (((0 1) 2) A (5 (6 7)))          what stands left and right of A is made once for all

Tensors stand at sites of a chain or lattice; halves are cut across its longest side, and ends come
from both sides of its first axis.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from .recipes import Part, Recipe

STEP = 3 * 10**4  # multiplications that take as long as the call for one product


class Tensors(NamedTuple):
    """A network of tensors, of which some may be replaced.

    Attributes
    ----------
    keys : list
        By which the array of each is known.
    legs : list[tuple[str, ...]]
    shapes : list[tuple[int, ...]]
    at : list[tuple[int, ...] or None]
        Where each stands; None for those that belong nowhere.
    """

    keys: list[Any]
    legs: list[tuple[str, ...]]
    shapes: list[tuple[int, ...]]
    at: list[tuple[int, ...] | None]

    def part(self, recipe: Recipe, i: int, key: Any = None) -> Part:
        """A tensor, or the one that replaces it."""
        return recipe.leaf(self.keys[i] if key is None else key, self.shapes[i]), self.legs[i]


def cheapest(tensors: Tensors, changes: list[dict[int, Any]], max_numbers: float) -> Any:
    """The recipe of networks of scalars, and the number of each.

    Parameters
    ----------
    tensors : Tensors
        Without open legs.
    changes : list[dict[int, Any]]
        For each network which tensors are others: their keys.
    max_numbers : float
        That intermediates may hold, all together.

    Returns
    -------
    recipe : Recipe or None
        None if both orders hold more.
    numbers : list[int]
    """
    found = []
    for order in (by_halves, by_ends):
        recipe = Recipe()
        numbers = order(recipe, tensors, changes, max_numbers)
        if numbers is not None:
            found.append((recipe.work + STEP * len(recipe.joins), len(found), recipe, numbers))
    return min(found)[2:] if found else (None, [])


# ---------------------------------------------------------------- halves


def by_halves(recipe: Recipe, tensors: Tensors, changes: Any, max_numbers: float) -> Any:
    """Tensors multiplied in pairs, pairs in pairs, and so on; the number of each network.

    Only what holds a tensor that is replaced is made anew.
    """
    tree = _halved([i for i, at in enumerate(tensors.at) if at is not None], tensors.at)
    path: list[tuple[int, int]] = []
    number = _listed(tree, path, len(tensors.keys))
    for i in (i for i, at in enumerate(tensors.at) if at is None):
        path.append((number, i))
        number = len(tensors.keys) + len(path) - 1
    return _along(recipe, tensors, path, changes, max_numbers)


def _halved(members, at):
    """Nested pairs of tensors, cut where their places are halved along the longest side."""
    if len(members) == 1:
        return members[0]
    places = [sorted({at[i][axis] for i in members}) for axis in range(len(at[members[0]]))]
    axis = max(range(len(places)), key=lambda axis: len(places[axis]))
    if (count := len(places[axis])) > 1:
        middle = places[axis][count // 2]
        halves = (
            [i for i in members if at[i][axis] < middle],
            [i for i in members if at[i][axis] >= middle],
        )
    else:
        halves = members[: len(members) // 2], members[len(members) // 2 :]
    return tuple(_halved(half, at) for half in halves)


def _listed(tree, path, count):
    """Nested pairs as a path in single-assignment form; the number of the last product."""
    if isinstance(tree, int):
        return tree
    pair = tuple(_listed(half, path, count) for half in tree)
    path.append(pair)
    return count + len(path) - 1


def _along(recipe, tensors, path, changes, max_numbers):
    """All networks along one path."""
    count = len(tensors.keys)
    total = Counter(ix for legs in tensors.legs for ix in legs)
    inside = [Counter(legs) for legs in tensors.legs]
    parts = [tensors.part(recipe, i) for i in range(count)]
    parent, kept = {}, []
    for t, (i, j) in enumerate(path):
        parent[i] = parent[j] = count + t
        carried = inside[i] + inside[j]
        kept.append({ix for ix, n in carried.items() if n < total[ix]})
        inside.append(Counter({ix: carried[ix] for ix in kept[-1]}))
        parts.append(recipe.join(parts[i], parts[j], kept[-1]))
        if recipe.size > max_numbers:
            return None
    numbers = []
    for change in changes:
        here = {i: tensors.part(recipe, i, key) for i, key in change.items()}
        above: set[int] = set()
        for i in change:
            while i in parent and (i := parent[i]) not in above:
                above.add(i)
        for n in sorted(above):
            i, j = path[n - count]
            here[n] = recipe.join(here.get(i, parts[i]), here.get(j, parts[j]), kept[n - count])
        numbers.append(here.get(len(parts) - 1, parts[-1])[0])
        if recipe.size > max_numbers:
            return None
    return numbers


# ---------------------------------------------------------------- ends


def by_ends(recipe: Recipe, tensors: Tensors, changes: Any, max_numbers: float) -> Any:
    """Tensors multiplied from both ends of a line up to those that are replaced."""
    line = _Row(recipe, tensors)
    reach = [sorted(line.rank[i] for i in change) for change in changes]
    ends = [(r[0], r[-1] + 1) if r else (line.length, line.length) for r in reach]
    left: list[Any] = [None]
    while len(left) <= max(begin for begin, _ in ends):
        left.append(line.joined(left[-1], line.part(len(left) - 1), len(left) - 1))
        if recipe.size > max_numbers:
            return None
    right: dict[int, Any] = {line.length: None}
    for k in range(line.length - 1, min(end for _, end in ends) - 1, -1):
        one = line.part(k)
        before = _Where(line.first, lambda n, k=k: n < k)  # type: ignore[misc]
        right[k] = one if right[k + 1] is None else recipe.join(one, right[k + 1], before)
        if recipe.size > max_numbers:
            return None
    numbers = []
    for change, (begin, end) in zip(changes, ends):
        here = left[begin]
        for k in range(begin, end):
            here = line.joined(here, line.part(k, change.get(line.order[k])), k)
        rest = right[end]
        numbers.append((here if rest is None else recipe.join(here, rest, ()))[0])
        if recipe.size > max_numbers:
            return None
    return numbers


class _Row:
    """Tensors on a line, and from where to where each name is needed."""

    def __init__(self, recipe, tensors):
        self.recipe, self.tensors, self.length = recipe, tensors, len(tensors.keys)
        last_place = max(at for at in tensors.at if at is not None)
        where = lambda i: (tensors.at[i] or last_place, i)
        self.order = sorted(range(self.length), key=where)
        self.rank = {i: k for k, i in enumerate(self.order)}
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        for k, i in enumerate(self.order):
            for ix in tensors.legs[i]:
                self.first.setdefault(ix, k)
                self.last[ix] = k

    def part(self, k: int, key: Any = None) -> Part:
        """The tensor at a place of the line, or another one there."""
        return self.tensors.part(self.recipe, self.order[k], key)

    def joined(self, left: Any, one: Part, k: int) -> Part:
        """What stands left of a place, times the tensor there."""
        if left is None:
            return one
        return self.recipe.join(left, one, _Where(self.last, lambda n: n > k))


class _Where(NamedTuple):
    """Names whose number satisfies a condition, as a container."""

    numbers: dict[str, int]
    condition: Callable[[int], bool]

    def __contains__(self, name):
        return self.condition(self.numbers[name])
