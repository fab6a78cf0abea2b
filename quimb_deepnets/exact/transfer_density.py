"""Reduced density matrices of a few sites of a chain, from transfer matrices.

The windows that hold a site of the region see one digit in the ket and another in the bra. All
pairs of digits are taken through these windows together, as a batch; what lies between or outside
is passed by steps or by powers::

    before   . . . | t  . . . | . . . . . | u  . . . | . . .    behind
                   | t' . . . |   gap     | u' . . . |
                   `- width --'           `- width --'          rho[t u, t' u']
"""

from typing import Any

import numpy as np
from autoray import do

from ..errors import MethodError
from ..hyper.ranges import Contracted
from ..numerics.scaled import Scaled, array_like
from .transfer import Transfer, rescaled, rows


def density(transfer: Transfer, places: Any) -> Contracted:
    """The density matrix of some sites of a chain, of any trace.

    Parameters
    ----------
    transfer : Transfer
        Of one network.
    places : sequence of int
        Different sites; the digits of the first are the most significant ones.

    Returns
    -------
    Contracted
        ``(M**n, M**n)``.

    Raises
    ------
    MethodError
        If the windows of the region close around a ring.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer import Transfer
    >>> from quimb_deepnets.exact.transfer_density import density
    >>> rho = density(Transfer(ConvAC.graph_state(10**4, distance=1, kernel=2)), [17, 5000]).array
    >>> (rho / rho.trace()).round(12).tolist()[0]
    [0.25, 0.0, 0.0, 0.0]
    """
    M, k = transfer.sites.phys_dim, len(places)
    order = in_a_row(transfer.sites, places)
    x, behind = _opened(transfer, order)
    found = transfer.over_pairs(transfer.closed(x, behind))
    order = [n % transfer.sites.length for n in order]
    axes = [order.index(n) for n in places]  # digits of ket and bra of the sites in turn
    axes = [2 * a for a in axes] + [2 * a + 1 for a in axes]
    half = do("transpose", found.array.reshape((M,) * (2 * k)), axes).reshape(M**k, M**k)
    return found._replace(data=half + do("conj", do("transpose", half, (1, 0))))


def in_a_row(sites, places):
    """Places in ascending order; of a ring from behind the widest gap on, beyond the last site."""
    order, N = sorted(places), sites.length
    if not sites.ring or len(order) < 2:
        return order
    gaps = [b - a for a, b in zip(order, [*order[1:], order[0] + N])]
    cut = (int(np.argmax(gaps)) + 1) % len(order)
    return [*order[cut:], *(n + N for n in order[:cut])]


def region_of(sites, places):
    """The first of sorted places and the first site behind all windows that hold one of them.

    Raises
    ------
    MethodError
    """
    first, stop = places[0], places[-1] + sites.width
    if not sites.ring:
        return first, min(stop, sites.length)
    if stop - first > sites.length:
        raise MethodError(
            f"the windows of sites {places} close around a ring of {sites.length} sites; use "
            "net.collapse(), whose contractions see every window as it is."
        )
    return first, stop


def _opened(transfer, places):
    """States with the digits of places open in ket and bra, and what stands behind them."""
    sites, M = transfer.sites, transfer.sites.phys_dim
    first, stop = region_of(sites, places)
    x, behind = transfer.around(first, stop)
    x, digits, here = Scaled(x.mantissa[None], x.exponent), np.zeros((1, 0, 2), int), first
    for number, place in enumerate(places):
        x = transfer.through(x, here, place)
        x, digits = _with_digits(x, digits, M)
        after = places[number + 1] if number + 1 < len(places) else stop
        here = min(place + sites.width, after)
        for n in range(place, here):
            codes, factors = _batch(sites, digits, places[: number + 1], n)
            x = transfer.step(x, transfer.table(n, codes, factors))
        x = rescaled(x)
    return transfer.through(x, here, stop), behind


def _with_digits(x, digits, M):
    """Each of a batch once for every pair of digits of one more site."""
    more = np.indices((M, M)).reshape(2, -1).T
    digits = np.concatenate(
        (
            np.repeat(digits, M * M, axis=0),
            np.tile(more, (len(digits), 1))[:, None],
        ),
        axis=1,
    )
    index = np.repeat(np.arange(len(x.mantissa)), M * M)
    exponent = x.exponent[index] if x.exponent.ndim == 2 else x.exponent
    return Scaled(rows(x.mantissa, array_like(index, x.mantissa)), exponent), digits


def _batch(sites, digits, opened, n):
    """The codes of the bra when the window that ends at ``n`` is read, and the ket's projector."""
    M, width = sites.phys_dim, sites.width
    codes = np.broadcast_to(np.arange(M**width), (len(digits), M**width))
    factors = None
    for k, place in enumerate(opened):
        if n - place < width:
            power = M ** (n - place)
            old = codes // power % M
            codes = codes + (digits[:, k, 1:] - old) * power
        if place == n:
            factors = (np.arange(M**width) % M == digits[:, k, :1]).astype(float)
    return codes, factors
