"""Which sites: what a user writes for a subsystem, as places in the list of sites.

All of these are the first two sites of a chain::

    2        [0, 1]        range(2)        np.array([0, 1])

and on a lattice, where a bare pair of ints could be one site or two::

    2        [(0, 0), (0, 1)]
"""

import numbers

from ..errors import SitesError


def read_where(sites, where, name="where"):
    """The places of a subsystem, in the order given.

    Parameters
    ----------
    sites : sequence of hashable
        All sites of the state, in its order.
    where : int or sequence of sites
        An int i is the first i sites, as in quimb's ``MPS.entropy(i)``.
    name : str, optional
        What messages call it.

    Returns
    -------
    tuple[int, ...]

    Raises
    ------
    SitesError
        If a site is not there or named twice, the subsystem is empty, a cut leaves nothing on
        one side, or a pair of ints on a lattice could be one site or two.

    Examples
    --------
    >>> from quimb_deepnets.geometry.where import read_where
    >>> read_where(range(4), 2), read_where([(0, 0), (0, 1)], [(0, 1)])
    ((0, 1), (1,))
    """
    place = {site: i for i, site in enumerate(sites)}
    where = where.tolist() if hasattr(where, "tolist") else where
    if isinstance(where, numbers.Integral) and not isinstance(where, bool):
        count = int(where)
        if not 0 < count < len(place):
            raise SitesError(
                f"{name}={count} means the first {count} of {len(place)} sites; use 1 to "
                f"{len(place) - 1}, or a sequence of sites."
            )
        return tuple(range(count))
    if is_site(place, where):
        raise SitesError(
            f"{name}={where!r} could be one site or several; write [{where!r}] for the site."
        )
    try:
        chosen = [tuple(site) if isinstance(site, list) else site for site in where]
        if any(isinstance(site, bool) for site in chosen):
            raise TypeError("a bool is no site")
        places = tuple(place[site] for site in chosen)
    except (TypeError, KeyError) as error:
        raise SitesError(
            f"{name}={where!r} is no number of sites and no sequence of sites out of "
            f"{list(place)[:3]} ... {list(place)[-1]}; name sites of the state."
            + (" A lone pair stands in brackets: [(0, 1)]." if isinstance(where, tuple) else "")
        ) from error
    if not places or len(set(places)) < len(places):
        raise SitesError(f"{name}={where!r} is empty or names a site twice; name each site once.")
    return places


def is_site(sites, where):
    """Whether something that could also be a sequence, a pair or a string, is itself a site."""
    return isinstance(where, (tuple, str)) and any(site == where for site in sites)
