"""Exact conversions to quimb's matrix product states, with bonds no larger than the state needs.

Both families are functions of a small *carry* from left to right. What a part of the chain to the
right does with the carry is a matrix; a QR per site keeps it small, and a sweep of SVDs back puts
the state into canonical form::

    carry (l) --site n--> carry (l')        G[n] (l, k):   psi = carry . G[n] . (right part)
                 |
                s_n                         G[n] = step(s_n) G[n+1],  G[n]^T = Q R,  Q is the site

- `ConvAC`: the channel, and the sites that later windows still hold: ``r * M**(w - 1)`` inside an
  open chain, ``r * M**(2 (w - 1))`` on a ring (w: width of a folded window).
- `RAC`, depth 1: the state, R.
- `RAC`, depth 2: psi is linear in ``h[2]`` and homogeneous of degree N - t in ``h[1]``, so the
  carry is ``Sym^(N-t)(R^R) x R^R``, of dimension ``R * binomial(R + N - t - 1, N - t)``.
"""

import functools
import itertools
import math

import numpy as np
from autoray import astype, do, get_dtype_name, stop_gradient, to_numpy
from quimb.tensor import MatrixProductState
from tqdm import tqdm

from ..errors import BudgetError, MethodError, OptionError, check_option, check_positive_int
from ..networks import RAC, ConvAC, DeepNetwork, register_method
from ..networks.base import MAX_BYTES
from ..networks.configs import identity
from ..networks.lookup import windows_of
from ..networks.scaled import array_like, scaled
from ..networks.tables import child_codes, folded_tables
from .collapsed import even_out
from .cross_mps import cross_mps
from .readback import collapsible_network
from .recursive import RecursiveNetwork


def to_mps(
    network,
    max_bond=None,
    cutoff=1e-14,
    info=None,
    site_ind_id="k{}",
    site_tag_id="I{}",
    progbar=False,
    max_bytes=MAX_BYTES,
    method="exact",
    **cross_opts,
):
    """The same state as a quimb `MatrixProductState`, exact unless it is truncated.

    Parameters
    ----------
    max_bond : int, optional
        Keep at most so many singular values at each cut.
    cutoff : float, optional
        Drop singular values below this, relative to the largest of their cut. The default drops
        round-off alone.
    info : dict, optional
        Gets ``"discarded_weight"``, the sum over cuts of the squared singular values dropped,
        relative to the squared norm, ``"carry"``, the sizes that were predicted, and
        ``"cur_orthog"``, where the centre is, as quimb's own methods note it.
    site_ind_id, site_tag_id : str, optional
        Names of the outer indices and of the site tags.
    progbar : bool, optional
        Show a progress bar over the sites.
    max_bytes : int, optional
        Refuse carries whose matrices would need more; only for ``"exact"``.
    method : {"exact", "cross"}, optional
        ``"cross"`` interpolates through amplitudes, for lattices and deep networks too; its error
        is measured into ``info["error"]``, see `cross_mps`.
    **cross_opts
        ``tol``, ``max_evals`` and ``seed`` of `cross_mps`, for ``"cross"`` alone.

    Returns
    -------
    MatrixProductState
        Left-canonical, its orthogonality centre on the last site, with tensors of norm 1 and the
        norm of the state in its ``exponent``.

    Raises
    ------
    BudgetError
        If the predicted matrices are too large.
    MethodError
        For lattices, and for RACs of depth 3 or more: no small exact form is known.
    OptionError
        If an option is not understood.

    Notes
    -----
    Depth 1 of a `RAC` is Eq. (3) of arXiv:1803.09780; the ranks of depth 2 are those of its
    Theorem 2.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> mps = qdn.RAC.rand(40, depth=2, bond_dim=2, seed=0).to_mps()
    >>> mps.L, mps.max_bond() <= 2 * 40
    (40, True)
    >>> bool(mps.entropy(20) > 0)
    True
    """
    if check_option("method", method, ("exact", "cross")) == "cross":
        ids = {"site_ind_id": site_ind_id, "site_tag_id": site_tag_id, "progbar": progbar}
        return cross_mps(network, max_bond, cutoff, info, **ids, **cross_opts)
    if cross_opts:
        raise OptionError(
            f"{', '.join(cross_opts)} is no option of method='exact'; leave it out, or use "
            "method='cross'."
        )
    if max_bond is not None:
        check_positive_int("max_bond", max_bond, OptionError)
    if not (isinstance(cutoff, (int, float)) and 0 <= cutoff < 1):
        raise OptionError(f"cutoff={cutoff!r} is no relative size; use a float from 0 to below 1.")
    carry = carry_of(network)
    need = predicted_bytes(carry.bounds(), network.phys_dim)
    if need > max_bytes:
        raise BudgetError(
            f"the exact MPS has a carry of up to {max(carry.bounds())}; its tensors and matrices "
            f"need {need} bytes, more than max_bytes={max_bytes}; use fewer layers or channels, or "
            "raise it."
        )
    info = {} if info is None else info
    info["carry"] = carry.bounds()
    sites, last, exponent = _right_sweep(carry, network, progbar)
    arrays, more, discarded = _left_sweep(sites, last, max_bond, cutoff)
    info.update(discarded_weight=discarded, cur_orthog=(network.nsites - 1,) * 2)
    mps = MatrixProductState(arrays, shape="lrp", site_ind_id=site_ind_id, site_tag_id=site_tag_id)
    mps.exponent = (exponent + more) * math.log10(2)
    return mps


register_method(DeepNetwork)(to_mps)


@register_method(RecursiveNetwork, name="to_mps")
def _expanded_to_mps(psi, max_bond=None, cutoff=1e-14, info=None, **opts):
    if psi.geometry.ndim == 1:  # a chain made of a lattice is named by place
        opts = {"site_ind_id": psi.site_ind_id, "site_tag_id": psi.site_tag_id} | opts
    return to_mps(collapsible_network(psi), max_bond, cutoff, info, **opts)


_expanded_to_mps.__doc__ = to_mps.__doc__


def predicted_bytes(bounds, M):
    """Bytes of all site tensors behind the right sweep, and of three of the largest matrices."""
    behind = (M ** min(len(bounds) - 1 - n, 64) for n in range(len(bounds)))
    kept = list(map(min, bounds, behind))
    return (
        16
        * M
        * (
            sum(a * b for a, b in itertools.pairwise(kept))
            + 3 * max(a * b for a, b in zip(bounds, kept[1:]))
        )
    )


def _right_sweep(carry, network, progbar):
    """Sites ``(k, M, k')``, the last one first, what is left of the carry, and the scale."""
    G, exponent, sites = *unit(carry.end()), []
    for n in tqdm(reversed(range(network.nsites)), total=network.nsites, disable=not progbar):
        step = carry.step(n, G)  # (l, M, k)
        l, M, k = step.shape
        q, r = do("linalg.qr", do("transpose", step, (1, 2, 0)).reshape(M * k, l))
        sites.append(do("transpose", q.reshape(M, k, -1), (2, 0, 1)))  # (k_new, M, k)
        G, more = unit(do("transpose", r, (1, 0)))
        exponent += more
    return sites, carry.start() @ G, exponent + carry.total()


def unit(x):
    """An array with its largest entry of size 1/2 to 1, and the power of two taken out."""
    size = float(do("max", do("abs", stop_gradient(x))))
    shift = math.frexp(size)[1] if size else 0
    return x * 2.0**-shift, float(shift)


def _left_sweep(sites, first, max_bond, cutoff):
    """SVDs from the left: arrays ``(l, r, p)``, the exponent of the norm, discarded weight.

    Takes the sites off their list, so that each is held once.
    """
    arrays, rest, discarded, scale = [], first.reshape(1, -1), 0.0, 0.0
    while sites:
        n, site = len(arrays), sites.pop()
        k, M, right = site.shape
        x = (rest @ site.reshape(k, M * right)).reshape(-1, right)
        if not sites:
            norm = float(do("linalg.norm", stop_gradient(x))) or 1.0
            arrays.append((x / norm).reshape(*([-1] if n else []), M))
            return arrays, scale + math.log2(norm), discarded
        u, s, vh = do("linalg.svd", x)
        kept = _kept(to_numpy(stop_gradient(s)), max_bond, cutoff)
        total = float(do("sum", stop_gradient(s) ** 2))
        discarded += float(do("sum", stop_gradient(s[kept:]) ** 2)) / total if total else 0.0
        u, rest = u[:, :kept], s[:kept, None] * vh[:kept]
        rest, shift = unit(rest)
        scale += shift
        u = u.reshape(-1, M, kept)
        arrays.append(u[0].T if n == 0 else do("transpose", u, (0, 2, 1)))


def _kept(s, max_bond, cutoff):
    """How many singular values stay."""
    kept = max(1, int((s > cutoff * s[0]).sum())) if len(s) else 1
    return kept if max_bond is None else min(kept, max_bond)


@functools.singledispatch
def carry_of(network):
    """The carry of a network: an object with ``bounds, end, step, start, total``."""
    raise MethodError(
        f"{type(network).__name__} has no exact matrix product form; register one with "
        "carry_of.register."
    )


@carry_of.register
def _(network: ConvAC):
    if network.geometry.ndim != 1:
        raise MethodError(
            "a lattice has no exact matrix product form of small bond: a cut crosses a whole row "
            f"of windows, and the bond can be {_largest_bond(network)}; use method='cross' for an "
            "approximate one, collapse() for expectation values, or to_dense on small ones."
        )
    return WindowCarry(network)


@carry_of.register
def _(network: RAC):
    if network.depth > 2:
        raise MethodError(
            f"a RAC of depth {network.depth} has generically full rank, a bond of "
            f"{_largest_bond(network)}, so no small exact matrix product form; use method='cross' "
            "for an approximate one, or depth 1 or 2."
        )
    return StateCarry(network) if network.depth == 1 else SymmetricCarry(network)


def _largest_bond(network):
    """How large the bond in the middle can be, in words."""
    return f"{network.phys_dim}**{network.nsites // 2}"


class WindowCarry:
    """The channel and the sites that later windows of a chain still hold.

    A window multiplies as soon as its last site is there.
    """

    def __init__(self, net):
        self.net, g = net, net.geometry
        self.windows = [
            (sites, kind)
            for group in windows_of(g, g.depth, (1,))
            for sites, kind in zip(group.sites.tolist(), group.kinds.tolist())
        ]
        held = [set() for _ in range(net.nsites + 1)]  # before site n
        for sites, _ in self.windows:
            for site in sites:
                for n in range(site + 1, max(sites) + 1):
                    held[n].add(site)
        self.held = [tuple(sorted(h)) for h in held]
        self.readout, self.e_readout = even_out(scaled(net.readout))

    @functools.cached_property
    def tables(self):
        """The window tensors and their powers of two, made only when the plan fits."""
        return [even_out(table) for table in folded_tables(self.net).values()]

    @functools.cached_property
    def closing(self):
        """For each site, the windows whose last site it is."""
        found = [[] for _ in range(self.net.nsites)]
        for sites, kind in self.windows:
            found[max(sites, default=0)].append((sites, self.tables[kind][0]))
        return found

    def bounds(self):
        """The size of the carry before each site and behind the last one."""
        return [len(self.readout) * self.net.phys_dim ** len(h) for h in self.held]

    def end(self):
        """Behind the last site: the read-out."""
        return self.readout[:, None]

    def step(self, n, G):
        """What the sites from ``n`` on do, ``(l, M, k)``, from what those behind it do."""
        M, r = self.net.phys_dim, len(self.readout)
        sites = (*self.held[n], n)
        place = {site: i for i, site in enumerate(sites)}
        codes = lambda some: array_like(
            child_codes(len(sites), tuple(place[s] for s in some), M), self.readout
        )
        G = do("transpose", G.reshape(r, -1, G.shape[-1]), (1, 0, 2))
        out = G[codes(self.held[n + 1])]  # (codes, r, k)
        for window, data in self.closing[n]:
            out = out * data[codes(window)][:, :, None]
        return do("transpose", out, (1, 0, 2)).reshape(len(out) // M * r, M, -1)

    def start(self):
        """The carry before the first site."""
        return do("ones_like", self.readout)[None]

    def total(self):
        """The power of two that all steps leave out."""
        return math.fsum([self.e_readout, *(self.tables[kind][1] for _, kind in self.windows)])


class StateCarry:
    """The state of a RAC of depth 1."""

    def __init__(self, net):
        self.net = net
        self.hidden, e = even_out(scaled(net.hidden_weights[-1], axes=2))
        self.inputs, f = even_out(scaled(net.input_weights[-1], axes=2))
        self.initial, g = even_out(scaled(net.initial[-1]))
        self.readout, h = even_out(scaled(net.readout))
        self.scale = net.L * (e + f) + g + h

    def bounds(self):
        """The size of the carry before each site and behind the last one."""
        return [self.net.bond_dim] * (self.net.L + 1)

    def end(self):
        """Behind the last site: the read-out."""
        return self.readout[:, None]

    def step(self, n, G):
        """``G'[j, s, k] = sum_i WH[i, j] WI[i, s] G[i, k]``."""
        x = self.inputs[:, :, None] * G[:, None]
        out = do("transpose", self.hidden, (1, 0)) @ x.reshape(len(x), -1)
        return out.reshape(-1, *x.shape[1:])

    def start(self):
        """The carry before the first site."""
        return self.initial[None]

    def total(self):
        """The power of two that all steps leave out."""
        return self.scale


class SymmetricCarry(StateCarry):
    """``Sym^n(R^R) x R^R``: monomials of degree n in ``h[1]``, each times ``h[2]``.

    Monomials are normalised, ``m_g(x) = sqrt(n! / prod_a g_a!) x**g``, so that the vector of all
    ``m_g(x)`` has norm ``|x|**n`` and orthogonal maps stay orthogonal.
    """

    def __init__(self, net):
        super().__init__(net)
        hidden, self.e_hidden = even_out(scaled(net.hidden_weights[0], axes=2))
        spectral = float(do("linalg.norm", stop_gradient(hidden), 2)) or 1.0
        self.e_hidden += math.log2(spectral)
        self.first = hidden / spectral
        self.coming, self.e_coming = even_out(scaled(net.input_weights[0], axes=2))
        start, self.e_start = even_out(scaled(net.initial[0]))
        size = float(do("linalg.norm", stop_gradient(start)))
        self.e_start += math.log2(size)
        self.begin = start / size
        self.power = 0, identity(1, net._like)  # n, and Sym^n of the hidden weights
        N = net.L
        self.scale += N * self.e_start + (self.e_hidden + self.e_coming) * N * (N + 1) / 2

    def bounds(self):
        """The size of the carry before each site and behind the last one."""
        R, N = self.net.bond_dim, self.net.L
        return [R * math.comb(R + N - t - 1, N - t) for t in range(N + 1)]

    def step(self, t, G):
        """Multiply by the linear forms ``WI[2]``, by the input, and change ``h[1]``, ``h[2]``."""
        R, degree, k = self.net.bond_dim, self.net.L - t, G.shape[-1]
        G = G.reshape(-1, R, k)  # monomials of degree - 1, h[2], k
        raised = 0
        for a in range(R):
            rows, weights = _raising(R, degree, a, G)
            part = G[rows] * weights[:, None, None]
            raised = raised + part * self.inputs[:, a][None, :, None]
        _, exponents = monomials(R, degree)
        powers = array_like(exponents, G)
        dtype = get_dtype_name(G)
        inputs = [astype(do("prod", u[None] ** powers, axis=1), dtype) for u in self.coming.T]
        x = do("stack", tuple(raised * u[:, None, None] for u in inputs), axis=2)  # (g, R, M, k)
        sym = self._symmetric(degree)
        x = (do("transpose", sym, (1, 0)) @ x.reshape(len(x), -1)).reshape(x.shape)
        x = do("transpose", x, (0, 2, 3, 1)) @ self.hidden  # h[2] last
        return do("transpose", x, (0, 3, 1, 2)).reshape(-1, x.shape[1], k)

    def _symmetric(self, degree):
        """``Sym^degree`` of the hidden weights, from the one before: degrees may only grow."""
        n, below = self.power
        while n < degree:
            n, R = n + 1, self.net.bond_dim
            total = 0
            for a in range(R):
                rows, left = _raising(R, n, a, below)
                for b in range(R):
                    columns, right = _raising(R, n, b, below)
                    part = below[rows][:, columns] * left[:, None] * right[None]
                    total = total + self.first[a, b] * part
            below = total
        self.power = n, below
        return below

    def start(self):
        """The monomials of the initial ``h[1]``, times the initial ``h[2]``."""
        degree, R = self.net.L, self.net.bond_dim
        value = do("ones_like", self.begin[:1])
        for n in range(1, degree + 1):
            parts = []
            for a in range(R):
                rows, weights = _raising(R, n, a, value)
                parts.append(value[rows] * weights * self.begin[a])
            value = functools.reduce(lambda x, y: x + y, parts)
        return (value[:, None] * self.initial[None]).reshape(1, -1)


@functools.lru_cache(4096)
def monomials(count, degree):
    """All exponents of ``count`` variables that add up to ``degree``: index by tuple, and array."""
    if count == 1:
        found = [(degree,)]
    else:
        found = [
            (first, *rest)
            for first in range(degree + 1)
            for rest in monomials(count - 1, degree - first)[0]
        ]
    return {g: i for i, g in enumerate(found)}, np.array(found)


def _raising(count, degree, a, like):
    """`_raising_table` where ``like`` is, the weights in its real dtype."""
    rows, weights = _raising_table(count, degree, a)
    real = get_dtype_name(do("real", like))
    return array_like(rows, like), array_like(weights.astype(real), like)


def _raising_table(count, degree, a):
    """How ``m_g x_a`` adds to degree ``degree``: for each monomial its source and a weight.

    ``x_a m_(g - e_a) = sqrt(g_a / degree) m_g``; where ``g_a = 0`` the weight is zero.
    """
    index, exponents = monomials(count, degree)
    below, _ = monomials(count, degree - 1)
    lower = (tuple(g[i] - (i == a) for i in range(count)) for g in index)
    rows = np.array([below.get(g, 0) for g in lower])
    return rows, np.sqrt(exponents[:, a] / degree)
