"""States of qubits in a sector of so many ones, by a sum over phases.

A factor ``z`` for each one multiplies what has n ones by ``z**n``. The sum over the N + 1 roots of
unity keeps one n, and all roots are one more index of the windows: one contraction, one path::

    1/(N+1) sum_q z_q**-n  <psi| prod_site (1, z_q) |psi>  =  weight of n ones

    ket   T(s0 s1; q)   T(s1 s2; q)   T(s2 s3; q)         q: a hyper-index of size N/2 + 1,
    bra   T(s0 s1)      T(s1 s2)      T(s2 s3)            conjugate roots give conjugate terms
"""

from typing import Any

import numpy as np
from autoray import do, stop_gradient
from cotengra import get_symbol

from ..errors import OptionError, RangeError, SitesError
from ..geometry import leaf_ind
from ..geometry.expansion import READOUT
from ..hyper.operands import in_common
from ..hyper.ranges import contract_scaled
from ..hyper.regions import of_trace_one, region_sums
from ..hyper.search import BestOf
from ..numerics.scaled import look
from ..numerics.torch_modes import full_precision
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import CollapsedVector, collapse, collapsed_tensors

ROUNDS = 16  # contractions to find the factor for which a sector is the largest
ENOUGH = 1e-3  # share of a sector with that factor
MIN_SHARE = 1e-9  # below, phases cancel to round-off
PHASES = "phases"  # the index of the roots of unity


class _Phased:
    """The windows of a network times phases, and as they are.

    Parameters
    ----------
    net : DeepNetwork
        Of qubits.
    """

    def __init__(self, net):
        tensors, _ = collapsed_tensors(net, MAX_BYTES)
        self.count = net.nsites + 1
        self.roots = np.exp(2j * np.pi * np.arange(self.count // 2 + 1) / self.count)
        one = in_common(np.ones((), complex), tensors[0].data)
        self.bras = [(t.inds, in_common(t.data, one) * one) for t in tensors]
        self.real = "complex" not in str(tensors[0].data.dtype)
        self.owners = [_owner(tensors, leaf_ind(site)) for site in net.sites]
        self.readout = next((i for i, t in enumerate(tensors) if READOUT in t.tags), 0)

    def kets(self, radius=1.0, weights=None):
        """Tensors of the ket: a factor ``radius * root`` for each one, weights of the roots."""
        kets = list(self.bras)
        factors = np.stack([np.ones_like(self.roots), radius * self.roots], 1)
        for i, ix in self.owners:
            kets[i] = _times(kets[i], (PHASES, ix), factors)
        if weights is not None:
            kets[self.readout] = _times(kets[self.readout], (PHASES,), weights)
        return kets

    def projection(self, sector):
        """The weights of the roots that leave only a sector, conjugate ones taken together."""
        twice = np.where(np.isin(np.arange(len(self.roots)), (0, self.count / 2)), 1, 2)
        return twice * self.roots**-sector / self.count

    def shares(self, radius=1.0):
        """The share of each number of ones in a state with that factor, ``(N + 1,)``.

        Raises
        ------
        RangeError
            If the state vanishes.
        """
        kets = self.kets(radius)
        bras = [(tuple(_starred(ix, self) for ix in legs), do("conj", x)) for legs, x in self.bras]
        both = [*kets, *bras]
        inds = [legs for legs, _ in both]
        sizes = {ix: d for legs, x in both for ix, d in zip(legs, x.shape)}
        symbols = {ix: get_symbol(k) for k, ix in enumerate(sizes)}
        tree = BestOf().search(
            [tuple(map(symbols.get, legs)) for legs in inds],
            (symbols[PHASES],),
            {symbols[ix]: d for ix, d in sizes.items()},
        )
        found = contract_scaled(tree, [x for _, x in both], inds)
        found.check_norm(found.data[0])
        total = found.data / do("real", found.data[0])
        modes = in_common(np.stack([self.projection(n) for n in range(self.count)]), total)
        return do("real", modes @ total)

    def radius(self, sector):
        """A factor for each one with which a sector is a good part of the state.

        Raises
        ------
        RangeError
            If there is none.
        """
        ones, radius = np.arange(self.count), 1.0
        for _ in range(ROUNDS):
            shares = np.maximum(look(stop_gradient(self.shares(radius))), 0)
            if shares[sector] > ENOUGH:
                return radius
            mean = shares @ ones
            step = (sector - mean) / max(shares @ (ones - mean) ** 2, 0.1)
            radius *= float(np.exp(np.clip(step, -6, 6)))
        if not shares[sector] > MIN_SHARE:
            raise RangeError(
                f"the share of configurations with {sector} ones is below {MIN_SHARE}, whatever "
                "each one is weighted with, so that phases cancel to round-off; use samples, or "
                "all configurations of a small system."
            )
        return radius


def _owner(tensors, ix):
    """The tensor that takes the phase of a site: where it comes first, so that all take one."""
    held = [i for i, t in enumerate(tensors) if ix in t.inds]
    place = lambda i: [jx for jx in tensors[i].inds if jx.startswith(ix[:2])].index(ix)
    return min(held, key=place), ix


def _times(tensor, inds, factors):
    """A tensor times an array over some of its indices, or over one more."""
    legs, x = tensor
    if PHASES not in legs:
        legs, x = (PHASES, *legs), x[None]
    shape = [factors.shape[inds.index(ix)] if ix in inds else 1 for ix in legs]
    return legs, x * in_common(factors.reshape(shape), x)


def _starred(ix, phased):
    return ix if ix in {leg for _, leg in phased.owners} else ix + "*"


def check_qubits(net: Any, sector: Any = 0) -> int:
    """A number of ones of a network of qubits.

    Raises
    ------
    OptionError
        If sites have more states, or no configuration has so many ones.
    """
    if net.phys_dim != 2:
        raise OptionError(
            f"a sector counts ones, and a site with phys_dim={net.phys_dim} has more states than "
            "0 and 1; use a network with phys_dim=2."
        )
    whole = isinstance(sector, (int, np.integer)) and not isinstance(sector, bool)
    if not whole or not 0 <= sector <= net.nsites:
        raise OptionError(
            f"sector={sector!r} must be a number of ones on {net.nsites} sites; use an int from 0 "
            f"to {net.nsites}."
        )
    return int(sector)


@full_precision
def sector_weights(network: Any) -> Any:
    """The probability of each number of ones, exactly, from one contraction.

    Returns
    -------
    array, shape (N + 1,)
        Their sum is 1. Each is known to round-off of the whole, about 1e-16.

    Raises
    ------
    OptionError
        If the sites are not qubits, or the family of the network has no collapsed form.
    BudgetError
        If the contraction is too large.
    RangeError
        If the state vanishes.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RBM.rand(4, scale=0, seed=0)  # all amplitudes are equal
    >>> net.sector_weights().round(12).tolist()
    [0.0625, 0.25, 0.375, 0.25, 0.0625]
    """
    check_qubits(network)
    return _Phased(network).shares()


@full_precision
def partial_traces_in_sector(network: Any, wheres: Any, sector: int) -> list[Any]:
    """The reduced density matrices of many regions of the state in a sector, exactly.

    They are those of the state without all configurations that have another number of ones, from
    environments that all regions share and with all phases at a time.

    Parameters
    ----------
    wheres : sequence
        One site or a sequence of sites each.
    sector : int
        The number of ones.

    Returns
    -------
    list[array]
        Of trace 1, shape ``(2**n, 2**n)`` for n sites.

    Raises
    ------
    SitesError
        If a site does not exist, or ``wheres`` is not a list of regions.
    OptionError
        If the sites are not qubits, or no configuration has so many ones.
    BudgetError
        If the environments are too large.
    RangeError
        If the state, or the sector, is zero.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand((4, 4), depth=2, kernel=2, bond_dim=2, seed=0)
    >>> bond, site = net.partial_traces_in_sector([[(0, 0), (0, 1)], [(0, 0)]], 8)
    >>> bond.shape, site.shape, float(abs(bond[0, 1:]).max())
    ((4, 4), (2, 2), 0.0)
    """
    net, sector = network, check_qubits(network, sector)
    if not hasattr(wheres, "__iter__") or isinstance(wheres, str):
        raise SitesError(f"wheres={wheres!r} is not a list of regions; give a list of them.")
    phi: CollapsedVector = collapse(net)
    regions = [tuple(map(leaf_ind, phi._kept_sites(where))) for where in wheres]
    if not regions:
        return []
    phased = _Phased(net)
    radius = phased.radius(sector)
    kets = phased.kets(radius, phased.projection(sector))
    places = {leaf_ind(s): s if isinstance(s, tuple) else (s,) for s in net.sites}
    sums = region_sums(kets, places, regions, MAX_BYTES, phased.bras)
    found = sums.run([x for _, x in kets], [x for _, x in phased.bras], normalized=False)
    return [_in_sector(rho, phased.real, sector) for rho in found]


def _in_sector(rho, real, sector):
    """The Hermitian part of a density matrix, without what changes the number of ones."""
    ones = np.array([bin(code).count("1") for code in range(rho.shape[0])])
    kept = in_common((ones[:, None] == ones).astype(float), do("real", rho))
    rho = (rho + do("conj", do("transpose", rho, (1, 0)))) / 2
    rho = of_trace_one((do("real", rho) if real else rho) * kept)
    if rho is None:
        raise RangeError(
            f"no configuration of {sector} ones has an amplitude; name another sector."
        )
    return rho
