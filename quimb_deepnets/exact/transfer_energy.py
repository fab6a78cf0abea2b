"""Energies of chains by transfer matrices: all terms of one kind in one batch.

A term adds to the digits of the bra, and multiplies by tables. Terms that a translation joins are
one; those of an open chain that see the same windows go through them side by side, and so does the
norm::

    ring      R = what the other sites do        trace R . (windows of the term)     times N
    chain     vectors from the left, the right   left . (windows of the term) . right, each position
"""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from autoray import do

from ..errors import MethodError
from ..evaluation.window_tables import child_codes
from ..numerics.scaled import Scaled
from ..numerics.torch_modes import full_precision
from .transfer import Transfer, rescaled
from .transfer_density import in_a_row
from .transfer_sites import repeated_sites

MAX_STATES = 2**12  # digits that later windows read, where a term asks for wider ones


class LocalTerm(NamedTuple):
    """What is added to the digits of the bra, and tables over those of the ket.

    ``shifts`` are pairs of place and shift, ``factors`` pairs of places and of the numbers of a
    table over them, flat. Places may be relative.
    """

    shifts: tuple[tuple[int, int], ...]
    factors: tuple[tuple[tuple[int, ...], tuple[Any, ...]], ...]

    @property
    def places(self):
        """All places that it acts on."""
        return {n for n, _ in self.shifts} | {n for places, _ in self.factors for n in places}

    def moved(self, by):
        """The same term on other places, by a function of the old ones."""
        factors = (_in_order(tuple(map(by, places)), x) for places, x in self.factors)
        return LocalTerm(
            tuple(sorted((by(n), shift) for n, shift in self.shifts)),
            tuple(sorted(factors, key=repr)),  # complex numbers have no order
        )

    def region(self, width):
        """The first window that the term changes, by its last site, and the first one behind."""
        firsts = [n for n, _ in self.shifts] + [
            max(places, default=0) for places, _ in self.factors
        ]
        stops = [n + width for n, _ in self.shifts]
        return min(firsts, default=0), max([*stops, *(n + 1 for n in firsts)], default=1)


def _in_order(places, numbers):
    """A factor with its places in ascending order."""
    if list(places) == sorted(places):
        return places, numbers
    table = np.array(numbers).reshape((round(len(numbers) ** (1 / len(places))),) * len(places))
    table = table.transpose(np.argsort(places))
    return tuple(sorted(places)), tuple(table.reshape(-1).tolist())


class PassedSite(NamedTuple):
    """A site that a batch of terms passes: its number, codes of the bra, factors; None if plain."""

    n: int
    codes: Any
    factors: Any


class TermBatch(NamedTuple):
    """Terms that go through the same windows, at one or several starts."""

    starts: tuple[int, ...]
    length: int
    sites: list[PassedSite]
    counts: np.ndarray


class TransferEnergy:
    """The mean of an operator, prepared once for all networks of a geometry.

    Parameters
    ----------
    geometry : ConvGeometry
        A chain or ring of shared weights.
    terms : sequence
        Pairs ``(shifts, factors)``, Hermitian in all: shifts are pairs of place and what is added
        to its digit, factors pairs of places and the numbers of a table over them.
    endless : bool, optional
        Of an infinite chain, in which each term stands just once; without gradients.

    Raises
    ------
    MethodError
        If the windows do not repeat along a chain, or the windows of a term close around a ring.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer_energy import TransferEnergy
    >>> net = ConvAC.graph_state(100, distance=1, kernel=2)
    >>> zxz = (((1, 1),), (((0, 2), (1.0, -1.0, -1.0, 1.0)),))  # Z X Z on sites 0, 1, 2
    >>> float(TransferEnergy(net.geometry, [zxz]).mean(net))
    1.0
    """

    def __init__(self, geometry: Any, terms: Any, endless: bool = False) -> None:
        M = geometry.phys_dim
        terms = [_local(term) for term in terms]
        sites = repeated_sites((geometry,), 1, endless)
        spans = [_span(sites, places) for term in terms for places, _ in term.factors]
        self.width = max([1, *spans])
        if self.width > sites.width and M ** (self.width - 1) > MAX_STATES:
            raise MethodError(
                f"a table of the operator spans {self.width} sites, more than transfer matrices "
                "hold; split it into products, or use net.collapse()."
            )
        self.sites = repeated_sites((geometry,), self.width, endless)
        self.geometry, self.endless = geometry, endless
        self.batches = list(self._batches(terms))

    # ------------------------------------------------------------ in integers

    def _batches(self, terms):
        """Terms by where they start, those at equal windows together."""
        sites, size = self.sites, len(self.sites.block)
        by_start: dict[int, Counter] = {}
        self.first_cell: Counter = Counter()
        for term in terms:
            row = in_a_row(sites, term.places or {0})
            start = row[0] % size if sites.ring else row[0]
            by = {n % sites.length: n - row[0] for n in row}
            term = term.moved(by.__getitem__)
            self._check_region(term)
            by_start.setdefault(start, Counter())[term] += 1
            self.first_cell[term.moved(lambda n, start=start: n + start)] += 1
        groups: dict[Any, list[int]] = {}
        for start, counter in by_start.items():
            for (first, stop), some in _by_region(counter, sites.width):
                first, stop = start + first, start + stop
                stop = stop if sites.ring else min(stop, sites.length)
                ends = tuple(map(sites.at, range(first, stop)))
                alone = start if sites.ring else None  # as its surroundings are
                key = first - start, ends, tuple(some.items()), alone
                groups.setdefault(key, []).append(first)
        for (first, ends, some, _), starts in groups.items():
            terms = [term.moved(lambda n, first=first: n - first) for term, _ in some]
            counts = np.array([count for _, count in some], float)
            yield TermBatch(tuple(starts), len(ends), passed_sites(terms, len(ends), sites), counts)

    def _check_region(self, term):
        first, stop = term.region(self.sites.width)
        if self.sites.ring and stop - first > self.sites.length:
            raise MethodError(
                f"the windows that a term on {sorted(term.places)} changes close around a ring of "
                f"{self.sites.length} sites; use net.collapse(), whose contractions see every "
                "window as it is."
            )

    # ------------------------------------------------------------ in numbers

    @full_precision
    def mean(self, net: Any) -> Any:
        """The mean, a real number where the weights live.

        Parameters
        ----------
        net : ConvAC
            Of this geometry.

        Raises
        ------
        RangeError
            If the state vanishes.
        """
        net = net._bare() if self.endless else net
        transfer, found = Transfer(net, width=self.width, endless=self.endless), 0.0
        ends = None if self.sites.ring else _Ends(transfer, self.batches)
        for batch in self.batches:
            values, norms = batch_values(transfer, batch, ends)
            share = transfer.number(2.0 ** (values.bits - norms.bits) * batch.counts)
            ratios = do("real", values.array) / do("real", norms.array)[..., None]
            found = found + do("sum", ratios * share)
        return found


class _Ends:
    """Vectors from both ends of an open chain, at the starts and stops of batches."""

    def __init__(self, transfer, batches):
        starts = sorted({n for batch in batches for n in batch.starts})
        stops = sorted({n + batch.length for batch in batches for n in batch.starts})
        self.left, self.right = {}, {}
        x, here = transfer.start(), 0
        for n in starts:
            x, here = rescaled(transfer.through(x, here, n)), n
            self.left[n] = x
        y, here = transfer.end(), transfer.sites.length
        for n in reversed(stops):
            y, here = rescaled(transfer.back(y, here, n), 1), n
            self.right[n] = y

    def at(self, batch):
        """States before and behind the windows of a batch, one for each start."""
        before = [self.left[n] for n in batch.starts]
        behind = [self.right[n + batch.length] for n in batch.starts]
        return _stacked(before), _stacked(behind)


def _stacked(parts):
    mantissas, exponents = zip(*parts)
    return Scaled(do("stack", mantissas, axis=0)[:, None], np.stack(exponents)[:, None])


def batch_values(transfer: Transfer, batch: TermBatch, ends: Any = None) -> tuple[Any, Any]:
    """What each term comes to, ``(starts, terms)``, or ``(terms,)`` without ``ends``; and the norm.

    Both from the same surroundings, so that errors of their scale drop out.
    """
    (start, *_), stop = batch.starts, batch.starts[0] + batch.length
    if ends is None:
        x, behind = transfer.around(start, stop)
        x = Scaled(x.mantissa[None], x.exponent)
    else:
        x, behind = ends.at(batch)
    norms = transfer.over_pairs(transfer.closed(transfer.through(x, start, stop), behind))
    norms.check_norm()
    x = walked(transfer, batch, x)
    values = transfer.over_pairs(transfer.closed(x, behind))
    return values, norms.map(lambda x: x[..., 0])


def walked(transfer: Transfer, batch: TermBatch, x: Scaled) -> Scaled:
    """States ``(..., 1, pairs, D, columns)`` through all windows of a batch of terms."""
    start = here = batch.starts[0]
    tables = _tables(transfer, batch)
    for count, (n, _, _) in enumerate(batch.sites, 1):
        x = transfer.through(x, here, start + n)
        x, here = transfer.step(x, tables[n]), start + n + 1
        if count % transfer.room == 0:
            x = rescaled(x)
    return transfer.through(x, here, start + batch.length)


def _tables(transfer, batch):
    """What each site of a batch multiplies, made together where the same windows end."""
    start, found, alike = batch.starts[0], {}, {}
    for site in batch.sites:
        key = transfer.sites.at(start + site.n), site.codes is None, site.factors is None
        alike.setdefault(key, []).append(site)
    for (_, moved_none, weighed_none), sites in alike.items():
        codes = None if moved_none else np.concatenate([site.codes for site in sites])
        factors = None if weighed_none else np.concatenate([site.factors for site in sites])
        table = transfer.table(start + sites[0].n, codes, factors)
        if moved_none and weighed_none:
            found.update((site.n, table) for site in sites)
            continue
        parts = table.mantissa.reshape(len(sites), -1, *table.mantissa.shape[1:])
        found.update((site.n, Scaled(x, table.exponent)) for site, x in zip(sites, parts))
    return found


def _local(term):
    """A term in the form that is compared and counted."""
    shifts, factors = term
    shifts = shifts.items() if hasattr(shifts, "items") else shifts
    made = []
    for places, numbers in factors:
        numbers = np.asarray(numbers).reshape(-1).tolist()
        made.append((tuple(places), tuple(numbers)))
    return LocalTerm(tuple((n, shift) for n, shift in shifts), tuple(made))


def _span(sites, places):
    """How many neighbouring sites hold some places."""
    row = in_a_row(sites, places or (0,))
    return row[-1] - row[0] + 1


def _by_region(counter, width):
    """Terms that change about as many windows, by the first of these and the first one behind."""
    found: dict[Any, Counter] = {}
    for term, count in counter.items():
        first, stop = term.region(width)
        found.setdefault((bool(term.shifts), (stop - first) // width), Counter())[term] = count
    for some in found.values():
        firsts, stops = zip(*(term.region(width) for term in some))
        yield (min(firsts), max(stops)), some


def passed_sites(terms, length, sites):
    """The sites from their start on at which terms do anything."""
    width, touched = sites.width, set()
    for term in terms:
        for place, _ in term.shifts:
            touched.update(range(place, min(place + width, length)))
        touched.update(max(places, default=0) for places, _ in term.factors)
    found = sorted(touched)
    return [_one_site(terms, n, sites, n == found[0]) for n in found]


def _one_site(terms, n, sites, first):
    """What each term does at a site: which digits the bra has there, and its factors."""
    M, width = sites.phys_dim, sites.width
    plain = np.arange(M**width)
    codes = np.tile(plain, (len(terms), 1))
    factors = np.ones((len(terms), M**width))
    for b, term in enumerate(terms):
        for place, shift in term.shifts:
            if 0 <= n - place < width:
                power = M ** (n - place)
                old = plain // power % M
                codes[b] += ((old + shift) % M - old) * power
        for places, numbers in term.factors:
            if max(places, default=0) == n:
                where = tuple(width - 1 - (n - place) for place in places)
                factors = factors.astype(np.result_type(factors, *numbers), copy=False)
                factors[b] *= np.array(numbers)[child_codes(width, where, M)]
    moved, weighed = (codes != plain).any(), (factors != 1).any()
    # the first holds a batch in any case
    return PassedSite(n, codes if moved else None, factors if weighed or first else None)
