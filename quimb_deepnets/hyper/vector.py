"""Hyper networks on the sites of a chain or a lattice, and those that are states.

One class serves both: sites are ints with ``"k{}"`` and ``"I{}"``, or pairs with ``"k{},{}"`` and
``"I{},{}"``, the names that quimb's own 1D and 2D states have::

    k0  k1  k2            k0,0  k0,1
    |   |   |              |     |
    I0  I1  I2            I0,0--I0,1
"""

import functools
from typing import Any

import numpy as np
from autoray import do
from quimb.tensor import TensorNetworkGen, TensorNetworkGenVector
from quimb.tensor.tensor_core import rand_uuid
from quimb.tensor.tn1d.core import TensorNetwork1D

from ..declared import MeasureMethods
from ..errors import MethodError, OptionError, RangeError, check_option
from ..numerics.configs import identity
from ..numerics.scaled import look
from .algebra import MAX_DENSE, add, distance
from .checks import check_same_outer
from .dup import delta, resolve_hyperinds
from .identities import identity_factor
from .network import HyperTensorNetwork
from .operands import expectation, is_negligible, read_terms, traced
from .refusals import refuse
from .sites import SiteNames, check_site_id, format_site, read_value

MPS_MODES = ("swap+split", "nonlocal", "auto-mps")
SPLITS = ("split-gate", "swap-split-gate", "auto-split-gate")


@refuse
class HyperTensorNetworkGen(SiteNames, HyperTensorNetwork, TensorNetworkGen):
    """A hyper network on named sites, of a chain (ints) or a lattice (pairs)."""

    _EXTRA_PROPS: Any = TensorNetworkGen._EXTRA_PROPS

    def combine(self, other, *, virtual=False, check_collisions=True):
        """Combine with another tensor network; one on the same sites keeps them, see quimb."""
        new = super().combine(other, virtual=virtual, check_collisions=check_collisions)
        if self._compatible_arbgeom(other):
            new.view_as_(HyperTensorNetworkGen, like=self)
        return new

    def site_tag(self, *site):
        """The tag of a site: ``"I3"`` on a chain, ``"I0,1"`` on a lattice, for (0, 1) or 0, 1."""
        return self._name(self.site_tag_id, *site)

    def maybe_convert_coo(self, x):
        """The tag of a site, the tags of a slice of a chain, and anything else as it is."""
        if isinstance(x, slice):
            return tuple(map(self.site_tag, TensorNetwork1D.slice2sites(self, x)))  # type: ignore[arg-type]
        return super().maybe_convert_coo(self._as_site(x))

    def retag_sites(self, new_id, where=None, inplace=False):
        """Change the site tags, but not ``site_tag_id``, of all or some sites."""
        check_site_id("new_id", new_id, self.sites)
        return self.retag(
            {self.site_tag(s): format_site(new_id, s) for s in self._chosen_sites(where)},
            inplace=inplace,
        )

    def select_sites(self, sites, virtual=True, with_exponent=False):
        """The tensors of one site or a sequence of sites, see quimb."""
        sites = self._chosen_sites(sites)
        return super().select_sites(sites, virtual=virtual, with_exponent=with_exponent)


@refuse
class HyperVector(MeasureMethods, HyperTensorNetworkGen, TensorNetworkGenVector):
    """A hyper network that is a state: one outer index for each site."""

    _EXTRA_PROPS: Any = TensorNetworkGenVector._EXTRA_PROPS

    def _repr_info(self):
        return super()._repr_info() | {"sites": self.nsites}

    def site_ind(self, *site):
        """The outer index of a site: ``"k3"`` on a chain, ``"k0,1"`` for (0, 1) or 0, 1."""
        return self._name(self.site_ind_id, *site)

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
        """Fix indices to values, see quimb: ``1``, ``"1"``, ``1.0``, ``True``, a slice or ``"r"``.

        Behind an identity delta all copies of a site are fixed at once: its hyper-index goes
        too, so that what is left is cheap to contract.

        Raises
        ------
        OptionError
            If the index does not exist, or the value is outside it.
        """
        for ix in selectors:
            if ix not in self.ind_map:
                raise OptionError(
                    f"{ix!r} is not an index to fix; the outer ones are {self.outer_inds()[:8]}."
                )
        selectors = {ix: read_value(ix, x, self.ind_size(ix)) for ix, x in selectors.items()}
        fixed = {ix: x for ix, x in selectors.items() if not isinstance(x, (slice, str))}
        behind = {self._behind_delta(ix): value for ix, value in fixed.items()}
        behind.pop(None, None)
        new = super().isel(behind, inplace=inplace)  # one axis at a time, as torch.vmap needs it
        return super(HyperVector, new).isel(selectors, inplace=True)

    def _behind_delta(self, ix):
        """The inner leg of the identity delta that carries an outer leg, or None."""
        carriers = tuple(self._inds_get(ix))
        t = carriers[0]
        if len(carriers) != 1 or "DELTA" not in t.tags or not isinstance(identity_factor(t), int):
            return None
        inner = next(inner for inner in t.inds if inner != ix)
        return None if inner in self.outer_inds() else inner  # open: other parts carry it too

    isel_ = functools.partialmethod(isel, inplace=True)

    def to_dense(self, *inds_seq, to_qarray=False, to_ket=None, **contract_opts):
        """The state as a dense array, ``(phys_dim**N, 1)`` or with grouped indices, see quimb.

        Raises
        ------
        OptionError
            If the index does not exist.
        RangeError
            If the result leaves the range of its dtype.
        """
        for ix in (ix for inds in inds_seq for ix in inds):
            if ix not in self.ind_map:
                raise OptionError(
                    f"{ix!r} is not an outer index; give groups of {self.outer_inds()[:8]}."
                )
        if not self.outer_inds():  # every site is fixed: one number, which quimb cannot shape
            number = self.contract(output_inds=(), preserve_tensor=True, **contract_opts).data
            return do("reshape", number, (1,) if to_ket is False else (1, 1))
        return super().to_dense(*inds_seq, to_qarray=to_qarray, to_ket=to_ket, **contract_opts)

    to_qarray = functools.partialmethod(to_dense, to_qarray=True)

    def partial_trace_exact(
        self, where, optimize=None, normalized=True, rehearse=False, get="matrix", **opts
    ):
        """The reduced density matrix of one site or a sequence of sites, exactly, see quimb.

        Raises
        ------
        SitesError
            If a site does not exist, or was fixed or contracted.
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

    def local_expectation_exact(
        self, G, where, optimize=None, normalized=True, rehearse=False, **opts
    ):
        """The expectation value of an operator on one site or a sequence of sites, see quimb.

        Raises
        ------
        SitesError
            If a site does not exist, or was fixed or contracted.
        OptionError
            If the operator is not an array of numbers, or has another size.
        RangeError
            If the state vanishes, or is what round-off leaves of terms that cancel.
        """
        where = self._kept_sites(where)
        G = self._read(G, tuple(map(self.site_ind, where)))
        opts |= {"normalized": normalized, "rehearse": rehearse, "get": "array"}
        found = self.partial_trace_exact(where, optimize=optimize, **opts)
        if rehearse:
            return found
        rho = found[0] if normalized == "return" else found
        if self._is_concrete() and is_negligible(G, rho):
            self._check_vanished(G, where, optimize)
        value = expectation(G, rho)
        return (value, found[1]) if normalized == "return" else value

    def _check_vanished(self, G, where, optimize):
        """Refuse an expectation value that is zero only because entries vanish beside others.

        Raises
        ------
        RangeError
        """

        def _of(change):
            changed = self.copy()
            changed.apply_to_arrays(change)
            rho = changed.partial_trace_exact(where, optimize=optimize, get="array")
            return change(G), rho

        sizes, there = lambda x: np.abs(look(x)), lambda x: (look(x) != 0).astype(np.float64)
        cancels = not is_negligible(*_of(sizes))  # terms of ordinary size
        if not cancels and expectation(*_of(there)) > 0:
            raise RangeError(
                "the expectation value is so much smaller than the norm that floats cannot hold "
                "what it is made of; use log_amplitudes, or a dtype of more bits."
            )

    def compute_local_expectation_exact(self, terms, optimize=None, **kwargs):
        """The expectation values of many terms, or their sum, see quimb.

        Parameters
        ----------
        terms : dict
            From one site or a sequence of sites to an operator; quimb's ``LocalHam`` is one too.

        Raises
        ------
        SitesError, OptionError
            As `local_expectation_exact`, or if ``terms`` is not such a dict.
        """
        return super().compute_local_expectation_exact(read_terms(terms), optimize, **kwargs)

    def make_reduced_density_matrix(self, where, *args, **kwargs):
        """The network of the density matrix of one site or a sequence of sites, see quimb.

        Raises
        ------
        SitesError
            If a site does not exist, or was fixed or contracted.
        """
        return super().make_reduced_density_matrix(self._kept_sites(where), *args, **kwargs)

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
        SitesError
            If a site does not exist, or was fixed or contracted.
        OptionError
            If the operator is not an array of numbers, or has another size.
        """
        if kwargs.get("which") not in (None, "site"):
            raise OptionError(f"which={kwargs['which']!r} is for operators; leave it out.")
        where = self._kept_sites(where)
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
        if not isinstance(contract, bool):
            if contract in MPS_MODES:
                raise MethodError(
                    f"contract={contract!r} gates matrix product states; use contract=True or "
                    "False here, or gate psi.to_mps() of a chain (CircuitMPS takes it as psi0)."
                )
            check_option("contract", contract, SPLITS)
            if len(where) > 2 and contract != "auto-split-gate":
                raise OptionError(
                    f"contract={contract!r} splits an operator on two sites, and where names "
                    f"{len(where)}; use contract=True or False."
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

    def normalize(self, inplace=False, balance_bonds=False, equalize_norms=False, **contract_opts):
        """Scale the state to norm 1, spread over all tensors; any scale is fine.

        Parameters
        ----------
        inplace : bool, optional
        balance_bonds, equalize_norms : bool, optional
            Afterwards also `balance_bonds` (of a network without hyper-indices), or give all
            tensors one norm.
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
        new = self if inplace else self.copy()
        if balance_bonds:
            new.balance_bonds_()
        if new._is_concrete():
            found = new.make_norm(layer_tags=None)._contracted((), scaled=True, **contract_opts)
            found.check_norm()
            mantissa, exponent = found.map(abs).decimal(0.5)
        else:
            mantissa, exponent = new.norm(strip_exponent=True, **contract_opts)
        if traced(mantissa):
            return new.multiply_(1 / new.norm(**contract_opts))
        new.exponent = new.exponent - exponent
        new.distribute_exponent()
        new.multiply_(1 / mantissa, spread_over="all")
        if abs(exponent) > 16:  # a power of ten that far has lost digits: once more, near one
            new.multiply_(1 / new.norm(**contract_opts), spread_over="all")
        if equalize_norms:
            new.equalize_norms_()
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
