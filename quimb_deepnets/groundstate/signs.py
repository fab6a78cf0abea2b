"""Sign rules: the basis in which the amplitudes of a ground state may all be positive.

With ``U = (-1)**(sum of digits on A)`` the operator ``U H U`` has the same energies, and each move
takes a sign, -1 where it changes the sum on A by an odd number::

    o x o x     A = the sites x       S+_a S-_b between o and x:  -1
    x o x o                                     between x and x:  +1
"""

from typing import Any

import numpy as np

from ..errors import OptionError, SitesError
from ..geometry.where import read_where
from .reading import Term

MARSHALL = "marshall"


def sites_of_rule(sites: Any, sign_rule: Any) -> set[int]:
    """The places that a sign rule names.

    Raises
    ------
    SitesError
        If it is not a sequence of sites, or names others.
    """
    try:
        given = list(sign_rule)
    except TypeError as error:
        raise SitesError(
            f"sign_rule={sign_rule!r} is not a sequence of sites; give one, or {MARSHALL!r}."
        ) from error
    return set(read_where(sites, given, name="sign_rule")) if given else set()


def sign_of_terms(terms: list[Term], sites: Any, phys_dim: int, sign_rule: Any) -> list[Term]:
    """Terms in the basis of a sign rule.

    Parameters
    ----------
    terms : list[Term]
    sites : sequence of hashable
        Sites of the network, in its order.
    phys_dim : int
    sign_rule : None, "marshall" or sequence of sites
        The set A. For ``"marshall"`` one of two sublattices: sites whose coordinates have an odd
        sum, if each exchange is between the two, else one colour of the graph of exchanges if that
        has two, else the odd sites.

    Returns
    -------
    list[Term]

    Raises
    ------
    OptionError, SitesError
        If the rule is another word, or names other sites.

    Notes
    -----
    Marshall, Proc. R. Soc. A 232, 48 (1955).
    """
    if sign_rule is None:
        return terms
    if isinstance(sign_rule, str):
        if sign_rule != MARSHALL:
            raise OptionError(
                f"sign_rule={sign_rule!r} is not known; use {MARSHALL!r}, a sequence of sites, or "
                "None."
            )
        chosen = marshall_sublattice(terms, sites)
    else:
        chosen = sites_of_rule(sites, sign_rule)
    return [_signed(term, chosen, phys_dim) for term in terms]


def _signed(term, chosen, d):
    """A term times its sign, which may depend on the digits that it moves."""
    coefficient, factors, digit = term.coefficient, list(term.factors), np.arange(d)
    for n in chosen.intersection(term.shifts):
        change = (digit + term.shifts[n]) % d - digit
        if d == 2:  # it is always odd
            coefficient = -coefficient
            continue
        place = next(i for i, (places, _) in enumerate(factors) if n in places)
        places, table = factors[place]
        shape = [d if p == n else 1 for p in places]
        factors[place] = places, table * np.where(change % 2, -1, 1).reshape(shape)
    return Term(coefficient, term.shifts, factors)


def marshall_sublattice(terms: list[Term], sites: Any) -> set[int]:
    """The places of one of two sublattices, see `sign_of_terms`."""
    odd = {n for n, site in enumerate(sites) if int(np.sum(site)) % 2}
    edges = {tuple(term.shifts) for term in terms if len(term.shifts) == 2}
    if all((a in odd) != (b in odd) for a, b in edges):
        return odd
    colours = _two_colours(edges)
    return odd if colours is None else {n for n, colour in colours.items() if colour}


def _two_colours(edges):
    """A colour, 0 or 1, for each node, different at the ends of each edge; None if none exist."""
    neighbours: dict[int, set[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    colours: dict[int, int] = {}
    for start in sorted(neighbours):
        waiting = [] if start in colours else [start]
        colours.setdefault(start, 0)
        while waiting:
            here = waiting.pop()
            for there in neighbours[here]:
                if there not in colours:
                    colours[there] = 1 - colours[here]
                    waiting.append(there)
                elif colours[there] == colours[here]:
                    return None
    return colours
