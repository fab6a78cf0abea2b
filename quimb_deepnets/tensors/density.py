"""Density matrices of many small regions of a collapsed state.

Those of a lattice come from environments that they share, see `quimb_deepnets.hyper.regions`.
Those of a chain come from one sweep to each side: at each cut the windows to the left and to the
right share a few sites. With those left open in ket and bra, two environments multiply to the
density matrix of the cut, and all regions inside it follow by tracing::

     left environment         cut          right environment
     (all windows before)   a ... b       (all windows from it on)
            |  c, c'         k  k            c, c'  |
            '----------------|--|------------------'     rho = sum_cc' left * right
                             b  b
"""

import itertools
from typing import NamedTuple

import numpy as np
from autoray import do, get_dtype_name, stop_gradient

from ..errors import BudgetError, SitesError
from ..hyper.holes import work_of_norm
from ..hyper.identities import absorb_identities, identity_factor
from ..hyper.regions import region_sums
from ..numerics.torch_modes import full_precision
from ..numerics.weights import MAX_BYTES

MANY = 2**16  # tensors times regions, beyond which planning takes longer than it saves
MAX_ENVIRONMENTS = 2**28  # bytes of all environments that are kept


class Window(NamedTuple):
    """Sites ``first..last`` of local dimension ``dim``, and ``(r, dim**count)`` numbers."""

    first: int
    last: int
    dim: int
    data: object

    @property
    def count(self):
        """Number of sites."""
        return self.last - self.first + 1


@full_precision
def partial_traces_exact(psi, wheres, optimize=None):
    """The reduced density matrices of many regions, exactly.

    On an open chain, regions that fit into the overlap of neighbouring windows (at least
    neighbouring sites) all come from one sweep in each direction, for about the price of the
    norm. Others, as on a lattice, share environments, all sites and bonds for a few norms, unless
    a contraction for each is cheaper by the number of multiplications. Regions that translations
    of a ring or torus join are contracted once, where its weights are not differentiated.

    Parameters
    ----------
    wheres : sequence
        One site or a sequence of sites each, as `partial_trace_exact` takes them.
    optimize : str or optimizer, optional
        For regions that are contracted one by one, as all are that no sweep gives if it is set.

    Returns
    -------
    list[array]
        Of trace 1, shape ``(d**n, d**n)`` for n sites.

    Raises
    ------
    SitesError
        If a site does not exist, or was fixed or contracted.
    RangeError
        If the state vanishes.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> phi = qdn.ConvAC.rand(40, depth=2, kernel=3, bond_dim=3, seed=0).collapse()
    >>> rhos = phi.partial_traces_exact([(n, n + 1) for n in range(39)])
    >>> len(rhos), rhos[0].shape
    (39, (4, 4))
    """
    if not hasattr(wheres, "__iter__"):
        raise SitesError(f"wheres={wheres!r} is not a list of regions; use partial_trace_exact.")
    regions = [psi._kept_sites(where) for where in wheres]
    near = [region for region in regions if _is_near(region)]
    rhos = _sweep(psi, near) if near else {}
    others = [r for r in dict.fromkeys(regions) if not any(set(r) <= set(cut) for cut in rhos)]
    shared = _from_environments(psi, others) if optimize is None and len(others) > 1 else {}
    found = []
    for region in regions:
        if (rho := shared.get(region)) is not None:
            found.append(rho)
            continue
        cut = next((cut for cut in rhos if set(region) <= set(cut)), None)
        rho = None
        if cut is not None:
            rho = _traced(rhos[cut], cut, region, psi.phys_dim(region[0]))
        found.append(psi.partial_trace_exact(region, optimize=optimize) if rho is None else rho)
    return found


def _from_environments(psi, regions):
    """The density matrices of regions by the environments that they share, where that is cheaper.

    Returns
    -------
    dict
        Empty if it is not, or if terms of sums or traced numbers are in the way.
    """
    sites = {psi.site_ind(site): site for site in psi.sites if psi.site_ind(site) in psi.ind_map}
    tn = absorb_identities(psi._squeezed(tuple(sites)), tuple(sites))
    tensors = [(t.inds, t.data) for t in tn]
    if (
        "SWITCH" in tn.tag_map
        or not psi._is_concrete()
        or set(psi.outer_inds()) != set(sites)
        or len({get_dtype_name(x) for _, x in tensors}) > 1
        or len(tensors) * len(regions) > MANY
    ):
        return {}
    places = {ix: site if isinstance(site, tuple) else (site,) for ix, site in sites.items()}
    try:
        sums = region_sums(
            tensors, places, [tuple(map(psi.site_ind, r)) for r in regions], MAX_BYTES
        )
    except BudgetError:
        return {}
    count = len(set(sums.regions))
    if sums.work > count * work_of_norm(sums.problem):
        return {}
    return dict(zip(regions, sums.run([x for _, x in tensors])))


def _is_near(region):
    return isinstance(region[0], int) and max(region) - min(region) < 4


def _sweep(psi, regions):
    """The density matrices of the cuts that hold some regions, by their sites; {} if none can."""
    chain = _read_chain(psi, 1 + max(max(r) - min(r) + 1 for r in regions))
    if chain is None:
        return {}
    windows, readout = chain
    cuts = [tuple(range(b.first, a.last + 1)) for a, b in itertools.pairwise(windows)]
    needed = set()
    for region in regions:
        holding = [j for j, cut in enumerate(cuts) if set(region) <= set(cut)]
        needed.update([j for j in holding if j in needed][:1] or holding[:1])
    size = len(readout) ** 2 * windows[0].dim ** (2 * max(map(len, cuts))) * readout.itemsize
    if not needed or len(needed) * size > MAX_ENVIRONMENTS:
        return {}
    flipped = [_flipped(window) for window in reversed(windows)]
    left = dict(_environments(windows, readout, max(needed), needed))
    back = {len(cuts) - 1 - j for j in needed}
    rhos = {}
    for j, env in _environments(flipped, do("ones_like", readout), max(back), back):
        j = len(cuts) - 1 - j
        both = left.pop(j) * _reversed_legs(env, len(cuts[j]), windows[0].dim)
        rhos[cuts[j]] = do("sum", do("sum", both, axis=0), axis=0)
    return rhos


def _read_chain(psi, span):
    """The windows of a collapsed open chain, wide enough for ``span``, and its read-out."""
    identities = {}
    for tid in psi.tag_map.get("IDENTITY", ()):
        if identity_factor(psi.tensor_map[tid]) is None:
            return None
        identities.update(dict.fromkeys(psi.tensor_map[tid].inds, tid))
    site_of = {}
    for site in psi.sites:
        if (tid := identities.get(psi.site_ind(site))) is None or not isinstance(site, int):
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
        inds = sorted((ix for ix in t.inds if ix in site_of), key=site_of.__getitem__)
        if set(t.inds) != {channel, *inds} or not inds:
            return None
        first, last = site_of[inds[0]], site_of[inds[-1]]
        if last - first + 1 != len(inds):
            return None
        dim = psi.phys_dim(psi.sites[0])
        windows.append(Window(first, last, dim, t.transpose(channel, *inds).data))
    windows = _widened(sorted(windows, key=lambda w: w[:2]), span, psi.nsites)
    lasts = [window.last for window in windows]
    if lasts != sorted(lasts) or windows[0].dim ** (2 * max(w.count for w in windows)) > 2**24:
        return None
    return windows, readouts[0].data


def _widened(windows, span, length):
    """Each window widened to ``span`` sites at least, with a blank one before and behind."""
    like, dim = windows[0].data, windows[0].dim
    blank, span = do("ones_like", like.reshape(-1)[: like.shape[0]]), min(span, length)
    ends = Window(0, -1, dim, blank), Window(length, length - 1, dim, blank)
    wide = []
    for first, last, _, data in (ends[0], *windows, ends[1]):
        grow = max(0, span - (last - first + 1))
        right = min(grow, length - 1 - last)
        left = min(grow - right, first)
        data = data.reshape(len(data), 1, -1, 1)
        one = do("ones_like", data.reshape(-1)[:1])
        before, behind = (do("concatenate", (one,) * dim**n, axis=0) for n in (left, right))
        data = before[:, None, None] * data * behind
        wide.append(Window(first - left, last + right, dim, data.reshape(len(data), -1)))
    return wide


def _environments(windows, readout, last, needed):
    """At the needed cuts, all windows before it with the sites before it traced.

    Yields
    ------
    (int, array)
        The number of the cut, up to ``last``, and an environment ``(r, r, k, b)``.
    """
    env = (readout[:, None] * do("conj", readout)[None])[:, :, None, None]
    opened = 0
    for j, (window, following) in enumerate(itertools.pairwise(windows[: last + 2])):
        env = _advanced(env, window, opened, following.first - window.first)
        env = env / (float(do("max", do("abs", stop_gradient(env)))) or 1.0)
        opened = window.last - following.first + 1
        if j in needed:
            yield j, env


def _advanced(env, window, opened, traced):
    """Multiply a window into ket and bra of an environment, and trace its first sites."""
    r, dim = len(window.data), window.dim
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


def _flipped(window):
    """The window of the chain read backwards."""
    count, r = window.count, len(window.data)
    data = window.data.reshape(r, *(window.dim,) * count)
    data = do("transpose", data, (0, *range(count, 0, -1))).reshape(r, -1)
    return Window(-window.last, -window.first, window.dim, data)


def _reversed_legs(env, count, dim):
    """An environment with the order of its open sites reversed."""
    r, size = env.shape[1:3]
    x = env.reshape(r, r, *(dim,) * (2 * count))
    order = (*range(count + 1, 1, -1), *range(2 * count + 1, count + 1, -1))
    return do("transpose", x, (0, 1, *order)).reshape(r, r, size, size)


def _traced(rho, cut, region, dim):
    """The density matrix of a region of a cut, of trace 1; None if too little of it is in range."""
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
    trace, limits = do("trace", x), np.finfo(get_dtype_name(x))
    return x / trace if abs(complex(stop_gradient(trace))) > limits.tiny / limits.eps**2 else None
