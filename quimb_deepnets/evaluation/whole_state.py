"""The whole state at once: window tensors multiplied in halves, not one configuration at a time.

Neighbouring windows are merged in pairs. Only the last product is as large as the state, and it
sums over the channels, so it is one batched matrix product::

    F0 F1 F2 F3 F4 F5 F6 F7        each (r, M**width)
     \\ /   \\ /   \\ /   \\ /
      o     o     o     o          (r, sites of both), still small
       \\   /       \\   /
        left        right          psi[a, s, b] = sum_c w_c left[c, a, s] right[c, s, b]
           \\       /                              s: the sites in both
              psi
"""

from typing import NamedTuple

import numpy as np
from autoray import do

from ..numerics.products import joined_rows
from ..numerics.scaled import Scaled, array_like, take
from ..numerics.torch_modes import full_precision
from .lookup import Lookup
from .plan import cached_plan
from .recurrence import Recursion
from .windows import windows_of

BLOCK = 2**22  # bytes of one state of a RAC, for all prefixes that are extended together


class WindowProduct(NamedTuple):
    """A product of window tensors: its sites, in order, and ``(r, M**len(sites))`` numbers."""

    sites: tuple[int, ...]
    data: object


@full_precision
def window_dense(net, max_bytes):
    """All amplitudes of a ConvAC from its window tensors.

    Returns
    -------
    Scaled or None
        Shapes ``(M**N,)`` and ``()``; None where that would need too much memory, or an
        exponent for every entry.
    """
    g = net.geometry
    if cached_plan(g, 1, net._like.itemsize, g.depth, None, net._machine) is None:
        return None
    windows = windows_of(g, g.depth, (1,) * g.ndim)
    if _peak_bytes(windows, net) > max_bytes:
        return None
    rows = Lookup(net, (1,) * g.ndim)
    if rows.vector is None:
        return None
    products = {}
    for group in windows:
        for p, kind, sites in zip(group.positions, group.kinds, group.sites):
            start = rows.offsets[kind]
            table = rows.table.mantissa[start : start + g.phys_dim ** len(sites)]
            products[p] = WindowProduct(tuple(sites.tolist()), do("transpose", table, (1, 0)))
    *first, last = halve([products[p] for p in sorted(products)], g.phys_dim)
    last = WindowProduct(last.sites, last.data * rows.vector.mantissa[:, None])
    data = (
        _close(first[0], last, g.phys_dim)
        if first
        else WindowProduct(last.sites, do("sum", last.data, axis=0))
    )
    return Scaled(_in_order(data, g.phys_dim), rows.vector.exponent)


def _peak_bytes(windows, net):
    """Bytes of the two halves, in integers."""
    g = net.geometry
    sites = {p: set(w) for group in windows for p, w in zip(group.positions, group.sites.tolist())}
    order = sorted(sites)
    half = len(order) // 2
    sizes = (len(set().union(*(sites[p] for p in part))) for part in (order[:half], order[half:]))
    bond_dim = g.bond_dim(g.depth)
    return 2 * sum(g.phys_dim**size for size in sizes) * bond_dim * net._like.itemsize


def halve(products, phys_dim):
    """Merge products pairwise until only two are left, or one."""
    if len(products) <= 2:
        return products
    half = len(products) // 2
    return [_merged(part, phys_dim) for part in (products[:half], products[half:])]


def _merged(products, phys_dim):
    """The product of neighbouring products, channel by channel."""
    if len(products) == 1:
        return products[0]
    half = len(products) // 2
    a, b, sites = _aligned(
        _merged(products[:half], phys_dim), _merged(products[half:], phys_dim), phys_dim
    )
    product = a[:, :, :, None] * b[:, None]
    return WindowProduct(sites, product.reshape(len(product), -1))


def _close(left, right, phys_dim):
    """The product of the last two products, summed over the channels."""
    a, b, sites = _aligned(left, right, phys_dim)
    psi = do("transpose", a, (2, 1, 0)) @ do("transpose", b, (1, 0, 2))  # (s, a, b)
    shared = [site for site in left.sites if site in right.sites]
    only = [site for site in left.sites if site not in shared]
    return WindowProduct((*shared, *only, *sites[len(left.sites) :]), psi.reshape(-1))


def _aligned(left, right, phys_dim):
    """Two products as ``(r, own of left, shared)`` and ``(r, shared, own of right)``."""
    shared = [site for site in left.sites if site in right.sites]
    own_a = [site for site in left.sites if site not in shared]
    own_b = [site for site in right.sites if site not in shared]
    a = _permuted(left, (*own_a, *shared), phys_dim)
    b = _permuted(right, (*shared, *own_b), phys_dim)
    count = phys_dim ** len(shared)
    channels = len(a)
    return (
        a.reshape(channels, -1, count),
        b.reshape(channels, count, -1),
        (*own_a, *shared, *own_b),
    )


def _permuted(piece, sites, phys_dim):
    """The numbers of a piece with its sites in another order, channels first."""
    if piece.sites == sites:
        return piece.data
    channels = len(piece.data)
    order, shape = _merge_axes([piece.sites.index(site) for site in sites], phys_dim)
    x = do("transpose", piece.data.reshape(channels, *shape), (0, *(i + 1 for i in order)))
    return x.reshape(channels, -1)


def _in_order(piece, phys_dim):
    """All amplitudes, the first site running slowest."""
    order = sorted(range(len(piece.sites)), key=piece.sites.__getitem__)
    order, shape = _merge_axes(order, phys_dim)
    return do("transpose", piece.data.reshape(shape), tuple(order)).reshape(-1)


def _merge_axes(order, phys_dim):
    """A permutation of many small axes as one of the runs that stay together."""
    runs = []
    for axis in order:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    ranked = sorted(runs)
    return [ranked.index(run) for run in runs], tuple(phys_dim ** len(run) for run in ranked)


def recursive_dense(net):
    """All amplitudes of a RAC: each prefix of sites once, extended by every next site.

    Returns
    -------
    Scaled
        Shapes ``(M**N,)`` and ``(M**N,)``.
    """
    recursion, M = Recursion(net), net.phys_dim
    limit = max(1, BLOCK // (net._like.itemsize * net.bond_dim * net.depth))

    def extend(states, count, t):
        """All continuations of ``count`` prefixes of ``t`` sites, the last site fastest."""
        if t == net.L:
            return recursion.read(states)
        if count > limit:
            halves = (slice(None, count // 2), slice(count // 2, None))
            parts = [
                extend([Scaled(*(x[rows] for x in h)) for h in states], size, t)
                for rows, size in zip(halves, (count // 2, count - count // 2))
            ]
            return joined_rows(parts)
        index = np.repeat(np.arange(count), M)
        digit = np.tile(np.arange(M, dtype="int16"), count)
        states = [take(h, array_like(index, h.mantissa)) for h in states]
        digit = array_like(digit, net._like)
        return extend(recursion.advance(states, digit[None]), count * M, t + 1)

    return extend(recursion.start(), 1, 0)
