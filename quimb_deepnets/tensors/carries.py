"""What an exact matrix product state carries from site to site, for each family of networks.

::

    carry (l) --site n--> carry (l')        psi = carry . (right part),  both of them small
                 |
                s_n

- `WindowCarry`, of a `ConvAC`: the channel, and the sites that later windows still hold:
  ``r * M**(w - 1)`` inside an open chain, ``r * M**(2 (w - 1))`` on a ring (w: width of a window).
- `StateCarry`, of a `RAC` of depth 1: the state, R.
- `SymmetricCarry`, of a `RAC` of depth 2: psi is linear in ``h[2]`` and homogeneous of degree
  N - t in ``h[1]``, so it is ``Sym^(N-t)(R^R) x R^R``, ``R * binomial(R + N - t - 1, N - t)``.
"""

import functools
import math

import numpy as np
from autoray import astype, do, get_dtype_name, stop_gradient

from ..errors import MethodError
from ..networks import RAC, ConvAC
from ..networks.configs import identity
from ..networks.lookup import windows_of
from ..networks.scaled import array_like, scaled
from ..networks.tables import child_codes, folded_tables
from .collapsed import even_out


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
