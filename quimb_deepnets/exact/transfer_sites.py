"""Which windows end at each site of a chain with shared weights, and where that repeats.

All in integers, and from a chain that is just long enough to have both edges and an inside: what
is inside repeats, however long the chain is::

    sites      0   1   2 | 3 | 4 ... n | n+1  n+2
    windows    a   b   c | d | d ... d |  e    f         the window(s) whose last site this is
               `- head -' block, again  `-- tail -'      a ring has neither head nor tail
"""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

from ..errors import MethodError
from ..geometry import ConvGeometry
from ..geometry.branches import folded_level

ENDLESS = 2**40  # blocks of a ring in which all but the largest eigenvalue have died out
Closing = tuple[tuple[int, tuple[int, ...]], ...]


class RepeatedSites(NamedTuple):
    """A chain of any length as sites of few different kinds.

    Attributes
    ----------
    length : int
        Number of sites.
    width : int
        The last ``width`` sites are all that a window which ends at a site reads.
    ring : bool
        Whether the last site is followed by the first.
    shorts : tuple[ConvGeometry]
        For each network a chain whose kinds of windows are meant.
    head, block, tail : tuple
        For each site, and in it for each network, its windows that end there: pairs of a kind and
        of the places of its sites among the last ``width`` ones.
    repeats : int
        How often the block stands between head and tail.
    """

    length: int
    width: int
    ring: bool
    shorts: tuple[ConvGeometry, ...]
    head: tuple[Any, ...]
    block: tuple[Any, ...]
    tail: tuple[Any, ...]
    repeats: int

    @property
    def phys_dim(self):
        """Local dimension of a site."""
        return self.shorts[0].phys_dim

    @property
    def states(self):
        """Configurations of the sites that later windows still read."""
        return self.phys_dim ** (self.width - 1)

    @property
    def inside(self):
        """The first site of the first block and the first one behind the last."""
        return len(self.head), self.length - len(self.tail)

    def at(self, n):
        """What ends at site ``n``; of a ring any integer will do."""
        first, behind = self.inside
        if self.ring or first <= n < behind:
            return self.block[(n - first) % len(self.block)]
        return self.head[n] if n < first else self.tail[n - behind]


@functools.lru_cache(64)
def repeated_sites(
    geometries: tuple[ConvGeometry, ...], width: int = 1, endless: bool = False
) -> RepeatedSites:
    """The sites of chains with shared weights, one geometry or several on the same sites.

    Parameters
    ----------
    geometries : tuple[ConvGeometry]
    width : int, optional
        Look at so many sites at least.
    endless : bool, optional
        A ring of `ENDLESS` blocks of what is inside the chains, whatever their edges are.

    Returns
    -------
    RepeatedSites

    Raises
    ------
    MethodError
        If a network is not a chain, has weights by position, or windows that close around a ring
        in several ways.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer_sites import repeated_sites
    >>> found = repeated_sites((ConvAC.rand(1000, 2, 3, 2, seed=0).geometry,))
    >>> found.width, len(found.head), len(found.block), len(found.tail), found.repeats
    (3, 2, 1, 1, 997)
    """
    for geometry in geometries:
        _check(geometry)
    if endless:
        return _endless(geometries, width)
    length = geometries[0].shape[0]
    period = math.lcm(*(geometry.total_stride(geometry.depth)[0] for geometry in geometries))
    reach = max(geometry.receptive_field(geometry.depth)[0] for geometry in geometries)
    least = 2 * reach + 3 * period
    short = length if length <= least + period else least + (length - least) % period
    shorts = tuple(dataclasses.replace(geometry, shape=(short,)) for geometry in geometries)
    windows = [_windows(geometry) for geometry in shorts]
    width = max(width, *(len(sites) for of_one in windows for _, sites in of_one))
    ring = {geometry.boundary == "periodic" for geometry in geometries} == {True}
    ends = list(zip(*(_closing(w, short, width, g) for w, g in zip(windows, shorts))))
    if any(geometry.boundary == "periodic" for geometry in geometries):
        if not ring or width > length or ends != [ends[n % period] for n in range(short)]:
            raise MethodError(
                f"windows of {width} sites close around a ring of {length} in more ways than one, "
                "or only one of two chains is a ring; use net.collapse(), whose contractions see "
                "every window as it is."
            )
        head, block, tail = (), tuple(ends[:period]), ()
    else:
        head, block, tail = _parts(ends, period)
    repeats = (length - len(head) - len(tail)) // len(block)
    return RepeatedSites(length, width, ring, shorts, head, block, tail, repeats)


def _endless(geometries, width):
    """The ring of what is inside some chains, long enough to be as good as infinite."""
    period = math.lcm(*(geometry.total_stride(geometry.depth)[0] for geometry in geometries))
    reach = max(geometry.receptive_field(geometry.depth)[0] for geometry in geometries)
    shape = (period * (2 + 2 * reach // period),)
    rings = (dataclasses.replace(g, shape=shape, boundary="periodic") for g in geometries)
    found = repeated_sites(tuple(rings), width)
    return found._replace(length=period * ENDLESS, repeats=ENDLESS)


def _check(geometry):
    """Refuse what does not repeat along one dimension."""
    if not isinstance(geometry, ConvGeometry) or geometry.ndim != 1:
        raise MethodError(
            "transfer matrices are those of the windows of a chain; this state is a lattice, or "
            "has no windows: use net.collapse() or net.to_mps()."
        )
    if not all(geometry.shared):
        raise MethodError(
            "transfer matrices repeat along a chain, and here each position has weights of its "
            "own; use net.collapse(), or shared=True."
        )


def _windows(geometry):
    """The kind and the sites of each window of the folded last layer."""
    (axis,) = geometry.axes
    level = folded_level(axis, geometry.shared, geometry.boundary)
    return list(zip(level.kind_of, level.windows))


def _closing(windows, length, width, geometry):
    """For each site the windows that end there, as pairs of a kind and its places."""
    found: list[list[Any]] = [[] for _ in range(length)]
    for kind, sites in windows:
        last = sites[-1] if sites else 0
        places = tuple(width - 1 - (last - site) % length for site in sites)
        if places != tuple(range(width - len(sites), width)):
            raise MethodError(
                f"a window of {geometry} reads sites {sites}, which are not neighbours in a row; "
                "use net.collapse()."
            )
        found[last].append((kind, places))
    return [tuple(sorted(closing)) for closing in found]


def _parts(ends, period):
    """Head, one block and tail of an open chain."""
    count = len(ends)
    same = [ends[n] == ends[n + period] for n in range(count - period)]
    middle = len(same) // 2
    if not same or not same[middle]:  # too short to repeat
        return tuple(ends[:-1]), tuple(ends[-1:]), ()
    first = middle
    while first and same[first - 1]:
        first -= 1
    behind = middle
    while behind < len(same) and same[behind]:
        behind += 1
    stop = first + (behind + period - first) // period * period
    return tuple(ends[:first]), tuple(ends[first : first + period]), tuple(ends[stop:])
