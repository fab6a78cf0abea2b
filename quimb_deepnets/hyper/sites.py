"""Names of sites, and values of their indices: what a user writes, checked.

::

    "k{}"      and  3       ->  "k3"              psi.isel({"k3": "1"})   ->  1
    "k{},{}"   and  (0, 1)  ->  "k0,1"            psi.isel({"k3": 1.0})   ->  1
"""

import math
import sys
from numbers import Integral
from string import Formatter
from typing import TYPE_CHECKING

from autoray import infer_backend
from quimb.tensor import Tensor
from quimb.tensor.belief_propagation.bp_common import create_lazy_community_edge_map
from quimb.tensor.tnag.core import create_lazy_edge_map

from ..errors import MethodError, MissingError, OptionError, SitesError

if TYPE_CHECKING:  # what the names are mixed into
    from quimb.tensor import TensorNetworkGenVector as Sited
else:
    Sited = object

# functions of quimb that ask for site tags: sums, and belief propagation between sites
SUMS, BELIEFS = create_lazy_edge_map.__code__, create_lazy_community_edge_map.__code__


def format_site(string, site):
    """Fill a site into an identifier: ``"k{}"`` and 3 give ``"k3"``, ``"k{},{}"`` takes a pair.

    A pair fills a single hole as a whole, as quimb's arbitrary geometries do: ``"k(0, 1)"``.
    """
    holes = sum(hole is not None for _, hole, *_ in Formatter().parse(string))
    if isinstance(site, tuple) and holes > 1:
        return string.format(*site)
    return string.format(site)


def check_site_id(name, string, sites):
    """Refuse an identifier that does not give each site a name of its own."""
    holes = "{},{}" if isinstance(sites[0], tuple) else "{}"
    if not isinstance(string, str):
        raise OptionError(f"{name}={string!r} is not a string; write one such as {'s' + holes!r}.")
    try:
        names = {format_site(string, site) for site in sites}
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise OptionError(
            f"{name}={string!r} does not format a site such as {sites[0]}; write {holes!r} where "
            f"the site goes, as in {'s' + holes!r}."
        ) from error
    if len(names) < len(sites):
        raise OptionError(
            f"{name}={string!r} gives several sites one name; write {holes!r} where the site "
            f"goes, as in {'s' + holes!r}."
        )
    return string


def check_site_ids(site_ind_id, site_tag_id, sites):
    """Refuse identifiers of outer indices and of tags that do not name each site."""
    check_site_id("site_ind_id", site_ind_id, sites)
    check_site_id("site_tag_id", site_tag_id, sites)


def check_site_tags(psi, inner):
    """Refuse site tags that also mark other tensors."""
    if clash := sorted(set(inner).intersection(map(psi.site_tag, psi.sites))):
        raise OptionError(
            f"site_tag_id={psi.site_tag_id!r} gives a site the tag {clash[0]!r}, which marks "
            "weights; choose another, such as 'I{}'."
        )


def read_value(ix, value, size):
    """The value that an index is fixed to: an int, a slice, ``"r"``, or a traced number.

    Parameters
    ----------
    ix : str
        The index.
    value : int, str, float, bool, slice, or array of no axes
        What a user writes; a negative one counts from the end.
    size : int
        The size of the index.

    Raises
    ------
    OptionError
        If it is not a whole number, or outside the index.
    """
    if isinstance(value, slice) or (isinstance(value, str) and value == "r"):
        return value
    try:
        number = int(value)
        whole = not getattr(value, "shape", ()) and (isinstance(value, str) or number == value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        if infer_backend(value) not in ("builtins", "numpy") and value.shape == ():
            return value  # a compiler traces it, or vmap stacks several
        whole = False
    if not whole:
        raise OptionError(
            f"index {ix!r} cannot be fixed to {value!r}; give an int, a slice or 'r'."
        )
    if not -size <= number < size:
        raise OptionError(
            f"index {ix!r} has size {size}, so {number} is not one of its values; use "
            f"0 to {size - 1}."
        )
    return number % size  # torch does not take negative ones


def _plain(x):
    """An array as Python's own numbers and lists, anything else as it is."""
    return x.tolist() if hasattr(x, "tolist") else x


class SiteNames(Sited):
    """Sites by name or by coordinates, for networks with ``sites``."""

    def _name(self, string, *site):
        """A site, given whole or by its coordinates, filled into an identifier."""
        try:
            return format_site(string, self._as_site(*site))
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise SitesError(self._misfit(*site)) from error

    def _misfit(self, *site):
        given = site[0] if len(site) == 1 else site
        return (
            f"the site {given!r} does not fit the sites {self.sites[:3]} ... {self.sites[-1]}; "
            "name one as they are named."
        )

    @property
    def _extent(self):
        """The sizes of a chain ``(L,)`` or a lattice ``(Lx, Ly)``, or None for sites of any name.

        None too where sites were left out, so that a place in the list is not a site.
        """
        pairs = [site if isinstance(site, tuple) else (site,) for site in self.sites]
        if {len(site) for site in pairs} not in ({1}, {2}) or not all(
            isinstance(i, Integral) for site in pairs for i in site
        ):
            return None
        sizes = tuple(1 + max(axis) for axis in zip(*pairs))
        return sizes if len(pairs) == math.prod(sizes) else None

    def _as_site(self, *site):
        """One site, given whole or by its coordinates; negative ones count from the end."""
        given = site[0] if len(site) == 1 else site
        try:
            if self.has_site(given):
                return given
        except TypeError:  # no site has such a name
            pass
        axes = given if isinstance(given, tuple) else (given,)
        sizes = self._extent if all(isinstance(i, Integral) for i in axes) else None
        if sizes and len(axes) == len(sizes):
            axes = tuple(i + n if -n <= i < 0 else i for i, n in zip(axes, sizes))
            given = axes if isinstance(self.sites[0], tuple) else axes[0]
        elif len(site) > 1:
            raise SitesError(self._misfit(*site))
        return given

    def _chosen_sites(self, where):
        """All sites for None, else one site or a sequence of them, as the network names them.

        Raises
        ------
        SitesError
            If it names something that is not a site.
        """
        if where is None:
            return tuple(self.gen_sites_present())
        own, given = {site: site for site in self.sites}, _plain(where)
        one = None if isinstance(given, list) else self._own_site(given, own)
        if one is not None:
            return (one,)
        has = f"the state has (or has left) {self.sites[:3]} ... {self.sites[-1]}"
        try:
            given = tuple(given)
        except TypeError as error:
            raise SitesError(
                f"where={where!r} is neither a site nor a sequence of sites; {has}."
            ) from error
        found = tuple(self._own_site(x, own) for x in given)
        if None in found:
            one = type(self.sites[0])  # a string or a pair of ints was meant for one site
            alone = isinstance(where, (str, one)) and not any(isinstance(x, one) for x in given)
            missing = where if alone else given[found.index(None)]
            raise SitesError(f"where={where!r} names the site {missing!r}, but {has}.")
        return found

    def _own_site(self, given, own):
        """A site as the network names it, or None where it has no such site."""
        site = _plain(given)
        site = tuple(map(_plain, site)) if isinstance(site, list) else site
        try:
            site = own[site] if site in own else own.get(self._as_site(site))
            return None if isinstance(site, bool) else site
        except TypeError:  # nothing that could be a name
            return None

    def _kept_sites(self, where):
        """One site or a sequence of sites as a tuple, all of them with an outer index."""
        where = self._chosen_sites(where)
        if not where or len(set(where)) < len(where):
            raise SitesError(f"where={where} is empty or names a site twice; name each site once.")
        for site in where:
            if self.site_ind(site) not in self.ind_map:
                raise SitesError(
                    f"where={where} names the site {site!r}, but the state has (or has left) "
                    f"{self.sites[:3]} ... {self.sites[-1]}; name sites with an outer index."
                )
        return where

    @property
    def site_tags(self):
        """The site tags; quimb's functions between sites ask for them, and need bonds there.

        Raises
        ------
        MethodError
            To ``mps + psi`` and its like, where quimb's own class comes first, and to belief
            propagation between sites where an index joins more than two tensors.
        """
        asking = sys._getframe(1).f_code
        hyper = asking in (SUMS, BELIEFS) and bool(self.get_hyperinds())
        if asking is SUMS and (hyper or self.num_tensors != self.nsites):
            raise MethodError(
                "quimb adds states with one tensor per site only, and this one has others; put it "
                "first, psi + mps or (-psi) + mps, whose sum takes any state."
            )
        if asking is BELIEFS and hyper:
            raise MethodError(
                "messages between sites run along bonds between two tensors, and here hyper-indices"
                " join more; use hyperinds_resolve() first, which writes COPY tensors."
            )
        return super().site_tags

    def __getitem__(self, tags):
        """The tensors with some tags, see quimb; for a site, the one with its outer leg."""
        tid = self._tid_of_site(tags)
        return super().__getitem__(tags) if tid is None else self.tensor_map[tid]

    def __setitem__(self, tags, tensor):
        """Replace the tensor with some tags, see quimb; for a site, the one with its outer leg."""
        tid = self._tid_of_site(tags)
        if tid is None or not isinstance(tensor, Tensor):
            super().__setitem__(tags, tensor)
        else:
            self.pop_tensor(tid)
            self.add_tensor(tensor, tid=tid, virtual=True)

    def _tid_of_site(self, key):
        """The tensor with the outer leg of a site, or None if ``key`` is not a site or has none."""
        site = self._as_site(key)
        try:
            known = hasattr(self, "site_ind") and self.has_site(site)
        except TypeError:  # a list of tags
            return None
        carriers = tuple(self.ind_map.get(self.site_ind(site), ())) if known else ()
        return carriers[0] if len(carriers) == 1 else None

    @property
    def L(self):
        """Number of sites of a chain."""
        (size,) = self._sizes("L", 1)
        return size

    @property
    def Lx(self):
        """Number of rows of a lattice."""
        return self._sizes("Lx", 2)[0]

    @property
    def Ly(self):
        """Number of columns of a lattice."""
        return self._sizes("Ly", 2)[1]

    def _sizes(self, name, ndim):
        sizes = self._extent
        if sizes is None or len(sizes) != ndim:
            what = "chain" if ndim == 1 else "lattice"
            raise MissingError(
                f"this state has no {name}: its sites {self.sites[:3]} ... {self.sites[-1]} are "
                f"not a {what}; use nsites, or read sites."
            )
        return sizes
