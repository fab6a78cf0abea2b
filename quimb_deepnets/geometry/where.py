"""Which sites: what a user writes for a subsystem, as places in the list of sites.

All of these are the first two sites of a chain::

    2        [0, 1]        range(2)        np.array([0, 1])        {0, 1}

and on a lattice, where a bare pair of ints could be one site or two::

    2        [(0, 0), (0, 1)]        [[0, 0], [0, 1]]
"""

import numbers

from ..errors import SitesError


def read_where(sites, where, name="where", whole=True):
    """The places of a subsystem, in the order given.

    Parameters
    ----------
    sites : sequence of hashable, or dict
        All sites of the state, in its order; a dict from each to its place, which is not made
        anew, where many subsystems are read.
    where : int or sequence of sites
        An int i is the first i sites, as in quimb's ``MPS.entropy(i)``. A set has no order of its
        own: its sites come in the order of the state. Of a chain, [-1] is the last site, as in
        quimb.
    name : str, optional
        What messages call it.
    whole : bool, optional
        Whether an int may be the number of all sites.

    Returns
    -------
    tuple[int, ...]

    Raises
    ------
    SitesError
        If a site does not exist or is named twice, the subsystem is empty, or a pair of ints on a
        lattice could be one site or two.

    Examples
    --------
    >>> from quimb_deepnets.geometry.where import read_where
    >>> read_where(range(4), 2), read_where([(0, 0), (0, 1)], [(0, 1)])
    ((0, 1), (1,))
    >>> read_where(range(4), [0, -1])
    (0, 3)
    """
    place = sites if isinstance(sites, dict) else {site: i for i, site in enumerate(sites)}
    where = as_plain(where)
    if isinstance(where, numbers.Integral) and not isinstance(where, bool):
        most = len(place) if whole else len(place) - 1
        if not 0 < int(where) <= most:
            raise SitesError(
                f"{name}={where} means the first {where} of {len(place)} sites; use 1 to {most}, "
                "or a sequence of sites."
            )
        return tuple(range(int(where)))
    if is_site(place, where):
        raise SitesError(
            f"{name}={where!r} could be one site or several; write [{where!r}] for the site."
        )
    try:
        if isinstance(where, (str, bytes, dict)):
            raise TypeError(f"a {type(where).__name__} is not a sequence of sites")
        chosen = [_as_label(site) for site in where]
        places = tuple(_place_of(place, site) for site in chosen)
    except (TypeError, KeyError) as error:
        raise SitesError(
            f"{name}={where!r} is neither a number of sites nor a sequence of sites out of "
            f"{list(place)[:3]} ... {list(place)[-1]}; name sites of the state."
            + (" A lone pair stands in brackets: [(0, 1)]." if isinstance(where, tuple) else "")
        ) from error
    if not places or len(set(places)) < len(places):
        raise SitesError(f"{name}={chosen!r} is empty or names a site twice; name each site once.")
    return tuple(sorted(places)) if isinstance(where, (set, frozenset)) else places


def as_plain(x):
    """Scalars and arrays of any library as Python's own numbers and lists."""
    return x.tolist() if hasattr(x, "tolist") else x


def is_site(sites, where):
    """Whether something that could also be a sequence, a pair or a string, is itself a site."""
    try:
        return isinstance(where, (tuple, str)) and where in sites
    except TypeError:  # it holds lists, which cannot be labels
        return False


def _as_label(site):
    """A site as a label: a pair may be written as a list, or as an array of two."""
    site = as_plain(site)
    return tuple(map(as_plain, site)) if isinstance(site, (list, tuple)) else site


def _place_of(place, site):
    """The place of a label; True and 1.0 equal 1 in Python, but are not sites."""
    parts = site if isinstance(site, tuple) else (site,)
    if any(isinstance(part, (bool, float)) for part in parts):
        labels = {label: label for label in place}
        if repr(labels[site]) != repr(site):
            raise TypeError(f"{site!r} is not a label of a site")
    if site not in place and -len(place) <= site < 0 and place == {n: n for n in place.values()}:
        return site + len(place)
    return place[site]
