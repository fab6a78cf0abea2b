"""Density matrices of many small regions of a collapsed chain, from one sweep to each side.

At each cut the windows to the left and to the right share a few sites. With those left open in
ket and bra, two environments multiply to the density matrix of the cut, and all regions inside
it follow by tracing::

     left environment         cut          right environment
     (all windows before)   a ... b       (all windows from it on)
            |  c, c'         k  k            c, c'  |
            '----------------|--|------------------'     rho = sum_cc' left * right
                             b  b
"""

import itertools
from typing import NamedTuple

from autoray import do, stop_gradient

MAX_ENVIRONMENT = 2**26  # bytes of one environment


class Window(NamedTuple):
    """Sites ``first..last``, and ``(r, M**(last - first + 1))`` numbers."""

    first: int
    last: int
    data: object


def partial_traces_exact(psi, wheres, optimize=None):
    """The reduced density matrices of many regions, exactly.

    On an open chain, regions that fit into the overlap of neighbouring windows (at least
    neighbouring sites) all come from one sweep in each direction, for about the price of the
    norm. Others are contracted one by one.

    Parameters
    ----------
    wheres : sequence
        One site or a sequence of sites each, as `partial_trace_exact` takes them.
    optimize : str or optimizer, optional
        For regions that are contracted one by one.

    Returns
    -------
    list[array]
        Of trace 1, shape ``(d**n, d**n)`` for n sites.

    Raises
    ------
    SitesError
        If a site is not there (any more).

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> phi = qdn.ConvAC.rand(40, depth=2, kernel=3, bond_dim=3, seed=0).collapse()
    >>> rhos = phi.partial_traces_exact([(n, n + 1) for n in range(39)])
    >>> len(rhos), rhos[0].shape
    (39, (4, 4))
    """
    regions = [psi._kept_sites(where) for where in wheres]
    cuts = _cuts(psi, max((max(r) - min(r) + 1 for r in regions if _is_near(r)), default=0))
    found = []
    for region in regions:
        inside = [cut for cut in cuts if set(region) <= set(cut)] if _is_near(region) else ()
        if inside:
            cut = min(inside, key=len)
            found.append(_traced(cuts[cut], cut, region, psi.phys_dim(region[0])))
        else:
            found.append(psi.partial_trace_exact(region, optimize=optimize))
    return found


def _is_near(region):
    return isinstance(region[0], int) and max(region) - min(region) < 4


def _cuts(psi, span):
    """The density matrix of each cut of a chain, by its sites; empty if there is no sweep."""
    chain = _read_chain(psi, span) if span else None
    if chain is None:
        return {}
    windows, readout = chain
    left = _environments(windows, readout)
    flipped = [_flipped(window) for window in reversed(windows)]
    right = _environments(flipped, do("ones_like", readout))[::-1]
    rhos = {}
    for (a, b), left_env, right_env in zip(itertools.pairwise(windows), left, right):
        sites = tuple(range(b.first, a.last + 1))
        back = _reversed_legs(right_env, len(sites))
        rhos[sites] = do("sum", do("sum", left_env * back, axis=0), axis=0)
    return rhos


def _read_chain(psi, span):
    """The windows of a collapsed open chain, wide enough for ``span``, and its read-out."""
    wires = {}
    for tid in psi.tag_map.get("WIRE", ()):
        wires.update(dict.fromkeys(psi.tensor_map[tid].inds, tid))
    site_of = {}
    for site in psi.sites:
        if (tid := wires.get(psi.site_ind(site))) is None or not isinstance(site, int):
            return None
        outer, inner = psi.site_ind(site), psi.tensor_map[tid].inds
        site_of[inner[1] if inner[0] == outer else inner[0]] = site
    tids = psi.tag_map.get("WINDOW", ())
    readouts = [psi.tensor_map[tid] for tid in psi.tag_map.get("READOUT", ())]
    if len(tids) + psi.nsites + 1 != psi.num_tensors or len(readouts) != 1:
        return None
    (channel,), windows = readouts[0].inds, []
    for tid in tids:
        t = psi.tensor_map[tid]
        inds = sorted((ix for ix in t.inds if ix in site_of), key=site_of.get)
        if set(t.inds) != {channel, *inds} or not inds:
            return None
        first, last = site_of[inds[0]], site_of[inds[-1]]
        if last - first + 1 != len(inds):
            return None
        windows.append(Window(first, last, t.transpose(channel, *inds).data))
    windows = _widened(sorted(windows, key=lambda w: w[:2]), span, psi.nsites)
    lasts = [window.last for window in windows]
    width = max(window.last - window.first + 1 for window in windows)
    dim, bond_dim = psi.phys_dim(psi.sites[0]), readouts[0].size
    size = bond_dim**2 * dim ** (2 * width) * readouts[0].data.itemsize
    if lasts != sorted(lasts) or size > MAX_ENVIRONMENT:
        return None
    return windows, readouts[0].data


def _widened(windows, span, length):
    """Each window widened to ``span`` sites at least, with a blank one before and behind."""
    like = windows[0].data
    dim, blank = like.shape[1], do("ones_like", like.reshape(-1)[: like.shape[0]])
    span = min(span, length)
    out = [Window(0, -1, blank), *windows, Window(length, length - 1, blank)]
    wide = []
    for first, last, data in out:
        grow = max(0, span - (last - first + 1))
        right = min(grow, length - 1 - last)
        left = min(grow - right, first)
        data = data.reshape(len(data), 1, -1, 1)
        ones = [do("ones_like", data.reshape(-1)[:1]).reshape(1)] * 2
        ones = [do("concatenate", (one,) * dim**n, axis=0) for one, n in zip(ones, (left, right))]
        data = ones[0][:, None, None] * data * ones[1]
        wide.append(Window(first - left, last + right, data.reshape(len(data), -1)))
    return wide


def _environments(windows, readout):
    """At each cut, all windows before it with the sites before it traced, ``(r, r, k, b)``."""
    env = (readout[:, None] * do("conj", readout)[None])[:, :, None, None]
    found, opened = [], 0
    for window, following in itertools.pairwise(windows):
        traced = following.first - window.first
        env = _advanced(env, window, opened, traced)
        env = env / float(do("max", do("abs", stop_gradient(env))))
        opened = window.last - following.first + 1
        found.append(env)
    return found


def _advanced(env, window, opened, traced):
    """Multiply a window into ket and bra of an environment, and trace its first sites."""
    r, dim = len(window.data), _dim_of(window)
    t, extra = dim ** min(opened, traced), dim ** max(0, traced - opened)
    o = dim**opened // t
    env = env.reshape(r, r, t, o, t, o).diagonal(0, 2, 4)  # (c, c', k, b, t)
    data = do("transpose", window.data.reshape(r, t, o, -1), (0, 2, 3, 1))
    bra = do("conj", data)
    ket = env[:, :, :, None] * data[:, None, :, :, None]  # (c, c', k, new, b, t)
    both = do("sum", ket[:, :, :, :, :, None] * bra[None, :, None, None], axis=-1)
    if extra > 1:  # sites that this window alone holds
        both = both.reshape(r, r, extra, -1, extra, both.shape[-1] // extra)
        return do("sum", both.diagonal(0, 2, 4), axis=-1)
    size = both.shape[2] * both.shape[3]
    return both.reshape(r, r, size, size)


def _dim_of(window):
    """Local dimension, from the size of a window."""
    return round(window.data.shape[1] ** (1 / (window.last - window.first + 1)))


def _flipped(window):
    """The window of the chain read backwards."""
    count, r = window.last - window.first + 1, len(window.data)
    data = window.data.reshape(r, *(_dim_of(window),) * count)
    data = do("transpose", data, (0, *range(count, 0, -1))).reshape(r, -1)
    return Window(-window.last, -window.first, data)


def _reversed_legs(env, count):
    """An environment with the order of its open sites reversed."""
    r, size = env.shape[1:3]
    dim = round(size ** (1 / count)) if count else 1
    x = env.reshape(r, r, *(dim,) * (2 * count))
    order = (*range(count + 1, 1, -1), *range(2 * count + 1, count + 1, -1))
    return do("transpose", x, (0, 1, *order)).reshape(r, r, size, size)


def _traced(rho, cut, region, dim):
    """The density matrix of a region of a cut, of trace 1."""
    count = len(cut)
    ket = list(range(count))
    bra = [count + i if site in region else i for i, site in enumerate(cut)]
    kept = [cut.index(site) for site in region]
    out = [*kept, *(count + i for i in kept)]
    x = rho.reshape(*(dim,) * (2 * count))
    names = "".join(map(chr, range(97, 97 + 2 * count)))
    spell = lambda inds: "".join(names[i] for i in inds)
    x = do("einsum", f"{spell(ket)}{spell(bra)}->{spell(out)}", x)
    x = x.reshape(dim ** len(region), -1)
    return x / do("trace", x)
