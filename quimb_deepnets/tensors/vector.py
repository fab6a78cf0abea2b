"""Hyper networks on the sites of a chain or a lattice, and those that are states.

One class serves both: sites are ints with ``"k{}"`` and ``"I{}"``, or pairs with ``"k{},{}"`` and
``"I{},{}"``, the names that quimb's own 1D and 2D states have::

    k0  k1  k2            k0,0  k0,1
    |   |   |              |     |
    I0  I1  I2            I0,0--I0,1
"""

import functools
import sys
from string import Formatter

import numpy as np
from autoray import do, infer_backend, stop_gradient, to_numpy
from quimb.tensor import TensorNetworkGen, TensorNetworkGenVector
from quimb.tensor.tensor_core import rand_uuid
from quimb.tensor.tnag.core import create_lazy_edge_map

from ..errors import MethodError, OptionError, SitesError, check_option
from ..networks.configs import identity
from .algebra import MAX_DENSE, add, distance
from .dup import delta, resolve_hyperinds
from .hyper import HyperTensorNetwork, check_same_outer
from .refusals import refuse


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


def check_site_tags(psi, inner):
    """Refuse site tags that also mark other tensors."""
    if clash := sorted(set(inner).intersection(map(psi.site_tag, psi.sites))):
        raise OptionError(
            f"site_tag_id={psi.site_tag_id!r} gives a site the tag {clash[0]!r}, which marks "
            "weights; choose another, such as 'I{}'."
        )


@refuse
class HyperTensorNetworkGen(HyperTensorNetwork, TensorNetworkGen):
    """A hyper network on named sites, of a chain (ints) or a lattice (pairs)."""

    _EXTRA_PROPS = TensorNetworkGen._EXTRA_PROPS

    def combine(self, other, *, virtual=False, check_collisions=True):
        """Combine with another tensor network; one on the same sites keeps them, see quimb."""
        new = super().combine(other, virtual=virtual, check_collisions=check_collisions)
        if self._compatible_arbgeom(other):
            new.view_as_(HyperTensorNetworkGen, like=self)
        return new

    def site_tag(self, site):
        """The tag of ``site``: ``"I3"`` on a chain, ``"I0,1"`` on a lattice."""
        return format_site(self.site_tag_id, site)

    def retag_sites(self, new_id, where=None, inplace=False):
        """Change the site tags, but not ``site_tag_id``, of all or some sites."""
        check_site_id("new_id", new_id, self.sites)
        return self.retag(
            {self.site_tag(s): format_site(new_id, s) for s in self._chosen_sites(where)},
            inplace=inplace,
        )

    def _chosen_sites(self, where):
        """All sites for None, one site, or a sequence of them; as a tuple."""
        if where is None:
            return tuple(self.gen_sites_present())
        return (where,) if self.has_site(where) else tuple(where)


@refuse
class HyperVector(HyperTensorNetworkGen, TensorNetworkGenVector):
    """A hyper network that is a state: one outer index for each site."""

    _EXTRA_PROPS = TensorNetworkGenVector._EXTRA_PROPS

    def site_ind(self, site):
        """The outer index of ``site``: ``"k3"`` on a chain, ``"k0,1"`` on a lattice."""
        return format_site(self.site_ind_id, site)

    @property
    def site_inds_present(self):
        """The outer indices of those sites that are not fixed or contracted."""
        return tuple(ix for ix in map(self.site_ind, self.sites) if ix in self.ind_map)

    def reindex_sites(self, new_id, where=None, inplace=False):
        """Rename the outer indices, but not ``site_ind_id``, of all or some sites."""
        check_site_id("new_id", new_id, self.sites)
        names = {self.site_ind(s): format_site(new_id, s) for s in self._chosen_sites(where)}
        if taken := sorted((set(names.values()) & set(self.ind_map)) - set(names)):
            raise OptionError(
                f"new_id={new_id!r} gives a site the name {taken[0]!r}, which another index has, "
                "so the two would be joined; choose another, such as 'b{}'."
            )
        return self.reindex(names, inplace=inplace)

    reindex_sites_ = functools.partialmethod(reindex_sites, inplace=True)

    def isel(self, selectors, inplace=False):
        """Fix indices to values, see quimb.

        Behind an identity delta all copies of a site are fixed at once: its hyper-index goes
        too, so that what is left is cheap to contract.

        Raises
        ------
        OptionError
            If there is no such index, or the value is outside it.
        """
        for ix, value in selectors.items():
            if ix not in self.ind_map:
                raise OptionError(
                    f"there is no index {ix!r} to fix; the outer ones are {self.outer_inds()[:8]}."
                )
            if not (hasattr(value, "__index__") or isinstance(value, slice) or value == "r"):
                raise OptionError(
                    f"index {ix!r} cannot be fixed to {value!r}; give an int, a slice or 'r'."
                )
            size = self.ind_size(ix)
            if hasattr(value, "__index__") and not -size <= value < size:
                raise OptionError(
                    f"index {ix!r} has size {size}, so no value {value}; use 0 to {size - 1}."
                )
        fixed = {ix: value for ix, value in selectors.items() if hasattr(value, "__index__")}
        behind = {self._behind_delta(ix): value for ix, value in fixed.items()}
        behind.pop(None, None)
        return super().isel({**behind, **selectors}, inplace=inplace)

    def _behind_delta(self, ix):
        """The inner leg of the identity delta that carries an outer leg, or None."""
        carriers = tuple(self._inds_get(ix))
        t = carriers[0]
        if len(carriers) != 1 or "DELTA" not in t.tags or t.ndim != 2:
            return None
        if infer_backend(t.data) not in ("numpy", "torch") or t.shape[0] != t.shape[1]:
            return None
        identity = np.eye(t.shape[0])
        if not (to_numpy(stop_gradient(t.data)) == identity).all():
            return None
        inner = next(inner for inner in t.inds if inner != ix)
        return None if inner in self.outer_inds() else inner  # open: other parts carry it too

    isel_ = functools.partialmethod(isel, inplace=True)

    def to_dense(self, *inds_seq, to_qarray=False, to_ket=None, **contract_opts):
        """The state as a dense array, ``(phys_dim**N, 1)`` or with grouped indices, see quimb.

        Raises
        ------
        OptionError
            If there is no such index.
        RangeError
            If the result leaves the range of its dtype.
        """
        for ix in (ix for inds in inds_seq for ix in inds):
            if ix not in self.ind_map:
                raise OptionError(
                    f"there is no index {ix!r}; give groups of {self.outer_inds()[:8]}."
                )
        return super().to_dense(*inds_seq, to_qarray=to_qarray, to_ket=to_ket, **contract_opts)

    to_qarray = functools.partialmethod(to_dense, to_qarray=True)

    def partial_trace_exact(
        self, where, optimize=None, normalized=True, rehearse=False, get="matrix", **opts
    ):
        """The reduced density matrix of one site or a sequence of sites, exactly, see quimb.

        Raises
        ------
        SitesError
            If a site is not there (any more).
        RangeError
            If the state vanishes, or is what round-off leaves of terms that cancel.
        """
        where = self._kept_sites(where)
        if rehearse or not self._is_concrete():
            opts |= {"optimize": optimize, "rehearse": rehearse, "get": get}
            return super().partial_trace_exact(where, normalized=normalized, **opts)
        check_option("get", get, ("matrix", "array", "tensor"))
        bra_ind_id = "_bra{}" if self.site_ind_id != "_bra{}" else "_bra_{}"
        ket, bra = tuple(map(self.site_ind, where)), tuple(map(bra_ind_id.format, where))
        tn = self.make_reduced_density_matrix(where, bra_ind_id=bra_ind_id)
        opts |= {"optimize": optimize, "preserve_tensor": True, "scaled": normalized is True}
        found = tn._contracted((*ket, *bra), **opts)
        # of trace 1, no scale of psi is too large or too small
        rho = found.data if normalized is True else found.in_range()
        trace = do("trace", rho.to_dense(ket, bra))
        if normalized is True:
            found.check_norm(trace)
            rho.modify(apply=lambda x: x / trace)
        got = {"matrix": lambda: rho.to_dense(ket, bra), "array": lambda: rho.data}
        rho = got.get(get, lambda: rho)()
        return (rho, trace) if normalized == "return" else rho

    def local_expectation_exact(self, G, where, optimize=None, **kwargs):
        """The expectation value of an operator on one site or a sequence of sites, see quimb.

        Raises
        ------
        SitesError
            If a site is not there (any more).
        RangeError
            If the state vanishes, or is what round-off leaves of terms that cancel.
        """
        return super().local_expectation_exact(G, self._kept_sites(where), optimize, **kwargs)

    def _kept_sites(self, where):
        """One site or a sequence of sites as a tuple, all of them with an outer index."""
        try:
            where = self._chosen_sites(where)
        except TypeError as error:
            raise SitesError(f"where={where!r} is no site and no sequence of sites.") from error
        if not where or len(set(where)) < len(where):
            raise SitesError(f"where={where} is empty or names a site twice; name each site once.")
        for site in where:
            if not self.has_site(site) or self.site_ind(site) not in self.ind_map:
                raise SitesError(
                    f"where={where} names the site {site!r}, but the state has (or has left) "
                    f"{self.sites[:3]} ... {self.sites[-1]}; name sites with an outer index."
                )
        return where

    def hyperinds_resolve(self, mode="tree", inplace=False):
        """Write hyper-indices as COPY tensors: the same state as an ordinary quimb network.

        Afterwards quimb's canonize, compress, gauge and their like work.

        Parameters
        ----------
        mode : {"tree", "mps", "dense"}, optional
            COPY tensors of order 3 along a tree or a line, or, as quimb's default, one tensor of
            the order of the index. An index here may join hundreds of tensors, so ``"dense"`` is
            not the default.
        inplace : bool, optional

        Returns
        -------
        HyperVector

        Raises
        ------
        BudgetError
            If ``mode="dense"`` would need too large a tensor.
        """
        return resolve_hyperinds(self if inplace else self.copy(), mode)

    hyperinds_resolve_ = functools.partialmethod(hyperinds_resolve, inplace=True)

    def diagonal_reduce(self, output_inds=None, atol=1e-12, cache=None, inplace=False):
        """Replace diagonal tensors by hyper-indices, see quimb; each site keeps its own leg.

        Where an outer leg would become the hyper-index itself, a delta stays between the two.
        """
        before = self.outer_inds() if output_inds is None else tuple(output_inds)
        new = super().diagonal_reduce(before, atol=atol, cache=cache, inplace=inplace)
        site_of = {self.site_ind(site): site for site in self.sites}
        for ix in before:
            if len(new.ind_map[ix]) > 1 and ix not in new._cuts:
                inner, like = rand_uuid(), next(iter(new._inds_get(ix))).data
                dim = new.ind_size(ix)
                new.reindex_({ix: inner})
                tags = (new.site_tag(site_of[ix]),) if ix in site_of else ()
                new.add_tensor(delta(ix, inner, identity(dim, like), tags))
        return new

    diagonal_reduce_ = functools.partialmethod(diagonal_reduce, inplace=True)

    # ------------------------------------------------------------ gates

    def gate(self, G, where, contract=False, **kwargs):
        """Act with an operator on one or more sites, see quimb.

        ``contract`` may be False, True, or one of the ways that split the gate itself:
        ``"split-gate"``, ``"swap-split-gate"``, ``"auto-split-gate"``.

        Raises
        ------
        MethodError
            For ``"split"`` and ``"reduce-split"``, which need a bond between the two sites.
        """
        if contract in ("split", "reduce-split"):
            raise MethodError(
                f"contract={contract!r} splits a bond between the tensors of two sites, and here "
                "they share none; use contract=True, False or 'split-gate'."
            )
        if kwargs.pop("transposed", False):
            raise MethodError(
                "gate ignores transposed=True here, as on every quimb vector; give the transposed "
                "operator, G.T for a matrix."
            )
        return super().gate(G, where, contract=contract, **kwargs)

    gate_ = functools.partialmethod(gate, inplace=True)

    # ------------------------------------------------------------ algebra

    def __add__(self, other):
        return HyperVector.from_TN(add(self, other), like=self)

    def __sub__(self, other):
        return HyperVector.from_TN(add(self, other, sign=-1), like=self)

    __iadd__ = __add__
    __isub__ = __sub__

    def __radd__(self, other):
        """The sum with a state on the left whose type leaves it to this one."""
        return self + other

    def __rsub__(self, other):
        """The difference from a state on the left whose type leaves it to this one."""
        return -self + other

    @property
    def site_tags(self):
        """The site tags; quimb's sums of states ask for them, and need one tensor per site.

        Raises
        ------
        MethodError
            To ``mps + psi`` and its like, where quimb's own class comes first.
        """
        pairs_of_sites = sys._getframe(1).f_code is create_lazy_edge_map.__code__
        if pairs_of_sites and (self.num_tensors != self.nsites or self.get_hyperinds()):
            raise MethodError(
                "quimb adds states with one tensor per site only, and this one has others; put it "
                "first, psi + mps or (-psi) + mps, whose sum takes any state."
            )
        return super().site_tags

    def normalize(self, inplace=False, **contract_opts):
        """Scale the state to norm 1, spread over all tensors; any scale is fine.

        Parameters
        ----------
        inplace : bool, optional
        **contract_opts
            Given to the contraction of the norm.

        Returns
        -------
        HyperVector

        Raises
        ------
        RangeError
            If the state vanishes, or is what round-off leaves of terms that cancel.
        """
        if self._is_concrete():
            found = self.make_norm(layer_tags=None)._contracted((), scaled=True, **contract_opts)
            found.check_norm()
            mantissa, exponent = found.map(abs).decimal(0.5)
        else:
            mantissa, exponent = self.norm(strip_exponent=True, **contract_opts)
        new = self if inplace else self.copy()
        new.exponent = new.exponent - exponent
        new.distribute_exponent()
        new.multiply_(1 / mantissa, spread_over="all")
        if abs(exponent) > 16:  # a power of ten that far has lost digits: once more, near one
            new.multiply_(1 / new.norm(**contract_opts), spread_over="all")
        return new

    normalize_ = functools.partialmethod(normalize, inplace=True)

    def distance(self, other, method="auto", normalized=False, **kwargs):
        """The distance to another state on the same sites, see quimb.

        Up to 2**16 entries from the difference itself, so that the distance of a state to itself
        is zero to round-off; beyond from overlaps, to the root of the precision.

        Raises
        ------
        SitesError
            If the outer indices differ.
        RangeError
            If the result leaves the range of its dtype, or a norm to divide by vanishes.
        """
        check_same_outer(self, other)
        check_option("method", method, ("auto", "dense", "overlap"))
        other = other.as_network()
        other = other if isinstance(other, HyperTensorNetwork) else HyperTensorNetwork(other)
        given = kwargs.keys() & {"xAA", "xAB", "xBB", "output_inds"}
        words = (False, True, "squared", "infidelity", "infidelity_sqrt")
        if given or normalized not in words or not (self._is_concrete() and other._is_concrete()):
            return super().distance(other, method=method, normalized=normalized, **kwargs)
        small = self.inds_size(self.outer_inds()) <= MAX_DENSE
        dense = method == "dense" or (method == "auto" and small)
        return distance(self, other, normalized, dense, **kwargs)

    distance_normalized = functools.partialmethod(distance, normalized=True)
