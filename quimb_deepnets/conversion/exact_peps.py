"""The windows of a lattice as a PEPS of quimb, exactly.

A site holds the windows whose first site it is. What it needs to know of other sites comes through
its bonds, which copy the states of sites, to the left and upwards::

    (i, j)----s01----(i, j+1)         window at (i, j): s00 s01     s00 its own leg
      |                 |                               s10 s11     s01 from the right
    s10 s11          s11 s12                                        s10, s11 from below
      |                 |
    (i+1, j)--s11----(i+1, j+1)       the channel runs along the rows, and down the first column
"""

import math
from typing import Any

import quimb.tensor as qtn
from autoray import do

from ..errors import BudgetError, MethodError, OptionError, check_positive_int
from ..geometry import leaf_ind
from ..geometry.expansion import READOUT
from ..hyper.sites import check_site_ids
from ..numerics.configs import identity
from ..numerics.scaled import decimal
from ..numerics.torch_modes import full_precision
from ..numerics.weights import MAX_BYTES
from ..tensors.collapsed import scaled_windows


def peps_bonds(geometry: Any) -> dict[tuple[Any, Any], int]:
    """The bonds of the PEPS of a network on an open lattice, in integers.

    Parameters
    ----------
    geometry : ConvGeometry
        Of a lattice.

    Returns
    -------
    dict[(site, site), int]
        The size of each bond to the right and downwards.

    Raises
    ------
    MethodError
        If it is not a lattice, or has a periodic boundary.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.conversion.exact_peps import peps_bonds
    >>> net = qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=3, seed=0)
    >>> bonds = peps_bonds(net.geometry)
    >>> bonds[(1, 0), (1, 1)], bonds[(1, 1), (2, 1)], bonds[(1, 0), (2, 0)]
    (6, 4, 12)
    """
    return _PepsBonds(geometry).bonds()


class _PepsBonds:
    """Which site knows of which other sites, and by which bond."""

    def __init__(self, g):
        if g.ndim != 2:
            raise MethodError(
                f"a PEPS is a state of a lattice, and this network has the shape {g.shape}; use "
                "to_mps() of a chain."
            )
        if g.boundary == "periodic":
            raise MethodError(
                "boundary='periodic' closes the lattice, and PEPS with open boundaries have no "
                "bond across an edge; use boundary='ones', 'omit' or 'valid', or collapse()."
            )
        self.geometry, (self.rows, self.columns) = g, g.shape
        self.sites = {leaf_ind(site): site for site in g.sites}
        held = [[self.sites[ix] for ix in x.inds if ix in self.sites] for x in g.collapsed_pieces()]
        spans = [tuple(max(x) - min(x) + 1 for x in zip(*sites)) for sites in held if sites]
        self.height, self.width = map(max, zip(*spans))

    def block(self, i, j, rows, columns):
        """The sites of a block, as far as they exist."""
        return [
            (a, b)
            for a in range(i, min(i + rows, self.rows))
            for b in range(j, min(j + columns, self.columns))
        ]

    def known(self, i, j):
        """The sites that a site knows of, itself the first."""
        return self.block(i, j, self.height, self.width)

    def links(self, i, j):
        """For each neighbour of a site, what the bond to it copies, and whether the channel too."""
        h, w = self.height, self.width
        if j + 1 < self.columns:
            yield (i, j + 1), self.block(i, j + 1, 1, w - 1), True
        if j:
            yield (i, j - 1), self.block(i, j, 1, w - 1), True
        if i + 1 < self.rows:
            yield (i + 1, j), self.block(i + 1, j, h - 1, w), not j
        if i:
            yield (i - 1, j), self.block(i, j, h - 1, w), not j

    def bonds(self):
        """See `peps_bonds`."""
        r, d = self.geometry.collapsed_dim, self.geometry.phys_dim
        return {
            (site, other): d ** len(copied) * (r if channel else 1)
            for site in self.geometry.sites
            for other, copied, channel in self.links(*site)
            if site < other
        }

    def check_bytes(self, itemsize, max_bytes):
        """Refuse tensors that would need more than ``max_bytes``."""
        check_positive_int("max_bytes", max_bytes, OptionError)
        bonds, d = self.bonds(), self.geometry.phys_dim
        at = lambda site: math.prod(size for bond, size in bonds.items() if site in bond)
        need = itemsize * d * sum(map(at, self.geometry.sites))
        if need > max_bytes:
            raise BudgetError(
                f"the PEPS has bonds up to {max(bonds.values())} and needs {need} bytes, more than "
                f"max_bytes={max_bytes}; use fewer channels, layers or smaller kernels, or work "
                "with collapse()."
            )


@full_precision
def to_peps(
    network: Any,
    site_ind_id: str = "k{},{}",
    site_tag_id: str = "I{},{}",
    max_bytes: float = MAX_BYTES,
) -> Any:
    """The state of an open lattice as a `quimb.tensor.PEPS`, exactly.

    For windows of ``a x b`` sites and r channels, bonds along a row have the size
    ``r * M**(b - 1)``, those between rows ``M**((a - 1) * b)`` (in the first column r times that).

    Parameters
    ----------
    site_ind_id, site_tag_id : str, optional
        Names of the outer indices and of the site tags.
    max_bytes : int, optional
        Refuse tensors that would need more.

    Returns
    -------
    quimb.tensor.PEPS
        Its tensors hold the scale where that fits the dtype; beyond it is in the ``exponent``.

    Raises
    ------
    MethodError
        If the network is on a chain, or on a ring or torus.
    BudgetError
        If the tensors would be too large.
    OptionError
        If an identifier does not give each site a name of its own.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=2, seed=0)
    >>> peps = net.to_peps()
    >>> np.allclose(peps.to_dense(), net.to_dense())
    True
    """
    layout = _PepsBonds(network.geometry)
    check_site_ids(site_ind_id, site_tag_id, network.sites)
    layout.check_bytes(network._like.itemsize, max_bytes)
    tensors, exponent = scaled_windows(network, max_bytes)
    peps = qtn.PEPS.from_TN(
        qtn.TensorNetwork(_site_tensors(network, layout, tensors, site_ind_id, site_tag_id)),
        Lx=layout.rows, Ly=layout.columns, site_ind_id=site_ind_id, site_tag_id=site_tag_id,
        x_tag_id="X{}", y_tag_id="Y{}",
    )  # fmt: skip
    peps.exponent = decimal(exponent)
    return peps


def _site_tensors(network, layout, tensors, site_ind_id, site_tag_id):
    """The tensor of each site: its windows, and what its bonds copy."""
    hosted: dict[Any, list[Any]] = {site: [] for site in network.sites}
    for t in tensors:
        read = [layout.sites[ix] for ix in t.inds if ix in layout.sites]
        hosted[tuple(map(min, zip(*read))) if read else network.sites[0]].append(t)
    (channel,) = next(t.inds for t in tensors if READOUT in t.tags)
    eyes = {channel: identity(network.geometry.collapsed_dim, network._like)}
    eyes |= dict.fromkeys(layout.sites, identity(network.phys_dim, network._like))
    for site in network.sites:
        own = [leaf_ind(s) for s in layout.known(*site)]
        parts = [*hosted[site], *(_ones(eyes[ix], ix) for ix in (channel, *own))]
        legs = {site_ind_id.format(*site): own[:1]}
        for other, copied, channels in layout.links(*site):
            name = "_b" + "_".join(map(str, (*min(site, other), *max(site, other))))
            inds = [leaf_ind(s) for s in copied] + [channel] * channels
            legs[name] = [ix + name for ix in inds]
            parts += [qtn.Tensor(eyes[ix], (ix, ix + name)) for ix in inds]
        output = tuple(ix for inds in legs.values() for ix in inds)
        t = qtn.tensor_contract(*parts, output_inds=output, preserve_tensor=True)
        t.fuse_(legs)
        t.modify(tags=(site_tag_id.format(*site), f"X{site[0]}", f"Y{site[1]}"))
        yield t


def _ones(eye, ix):
    """What leaves an index as it is, and sums over it where nothing else reads it."""
    return qtn.Tensor(do("ones_like", eye[0]), (ix,))
