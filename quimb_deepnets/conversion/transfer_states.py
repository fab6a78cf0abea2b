"""The transfer states of exact matrix product states: what crosses each bond, for each family.

::

    state (l) --site n--> state (l')        psi = state . (right part),  both of them small
                 |
                s_n

- `WindowTransfer`, of a `ConvAC`: the channel, and the sites that later windows still need:
  ``r * M**(w - 1)`` inside an open chain, ``r * M**(2 (w - 1))`` on a ring (w: width of a window).
- `StateTransfer`, of a `RAC` of depth 1: the state, R.
- `SymmetricTransfer`, of a `RAC` of depth 2: psi is linear in ``h[2]`` and homogeneous of degree
  N - t in ``h[1]``, so it is ``Sym^(N-t)(R^R) x R^R``, ``R * binomial(R + N - t - 1, N - t)``; at
  the first few sites, where they are fewer, the configurations so far.
"""

import functools
import math
from typing import Any

import numpy as np
from autoray import do, get_dtype_name, stop_gradient, to_numpy

from ..errors import MethodError
from ..evaluation.window_tables import child_codes, folded_tables
from ..evaluation.windows import windows_of
from ..networks import RAC, ConvAC
from ..numerics.scaled import array_like, scaled
from ..numerics.sizes import epsilon
from ..theory import rank_bound
from .balance import frames


@functools.singledispatch
def transfer_of(network):
    """The transfer states of a network, an object with what a conversion needs.

    That is ``bounds, own_bytes, end, step, start, total``, and ``full_rank``: whether QR has a
    gradient on the way.
    """
    raise MethodError(
        f"{type(network).__name__} has no exact matrix product form; register one with "
        "quimb_deepnets.conversion.transfer_of.register."
    )


def has_transfer(network):
    """Whether the family of a network has registered its transfer states."""
    return transfer_of.dispatch(type(network)) is not transfer_of.dispatch(object)


@transfer_of.register
def _transfer_of_conv(network: ConvAC):
    if network.geometry.ndim != 1:
        raise MethodError(
            "a lattice has no exact matrix product form of small bond: a cut crosses a whole row "
            f"of windows, and the bond can be {_largest_bond(network)}; use method='cross' for an "
            "approximate one, collapse() for expectation values, or to_dense on small ones."
        )
    return WindowTransfer(network)


@transfer_of.register
def _transfer_of_rac(network: RAC):
    if network.depth > 2:
        rank = rank_bound(network.geometry, max(1, network.nsites // 2))
        raise MethodError(
            f"a RAC of depth {network.depth} has a bond of up to {rank} between its halves, and no "
            "exact conversion; use method='cross' for an approximate one, or depth 1 or 2."
        )
    return StateTransfer(network) if network.depth == 1 else SymmetricTransfer(network)


def _largest_bond(network):
    """How large the bond in the middle can be, in words."""
    return f"{network.phys_dim}**{network.nsites // 2}"


class WindowTransfer:
    """The channel and the sites that later windows of a chain still need.

    A window is multiplied in once its last site has been reached.
    """

    full_rank = True

    def __init__(self, net):
        self.net, g = net, net.geometry
        self.windows = [
            (sites, kind)
            for group in windows_of(g, g.depth, (1,))
            for sites, kind in zip(group.sites.tolist(), group.kinds.tolist())
        ]
        open_sites = [set() for _ in range(net.nsites + 1)]  # before site n
        for sites, _ in self.windows:
            for site in sites:
                for n in range(site + 1, max(sites) + 1):
                    open_sites[n].add(site)
        self.open_sites = [tuple(sorted(h)) for h in open_sites]
        self.readout, self.e_readout = scaled(net.readout).even_out()

    @functools.cached_property
    def tables(self):
        """The window tensors and their powers of two, made only when the plan fits."""
        return [table.even_out() for table in folded_tables(self.net).values()]

    @functools.cached_property
    def closing(self):
        """For each site, the windows whose last site it is."""
        found = [[] for _ in range(self.net.nsites)]
        for sites, kind in self.windows:
            found[max(sites, default=0)].append((sites, self.tables[kind][0]))
        return found

    def bounds(self):
        """The size of the transfer state before each site and after the last one."""
        return [len(self.readout) * self.net.phys_dim ** len(h) for h in self.open_sites]

    def own_bytes(self):
        """Bytes held besides the sites: few enough to count as none."""
        return 0

    def end(self):
        """After the last site: the read-out."""
        return self.readout[:, None]

    def step(self, n, G):
        """What the sites from ``n`` on do, ``(l, M, k)``, from what those after it do."""
        M, r = self.net.phys_dim, len(self.readout)
        sites = (*self.open_sites[n], n)
        place = {site: i for i, site in enumerate(sites)}
        codes = lambda some: array_like(
            child_codes(len(sites), tuple(place[s] for s in some), M), self.readout
        )
        G = do("transpose", G.reshape(r, -1, G.shape[-1]), (1, 0, 2))
        out = G[codes(self.open_sites[n + 1])]  # (codes, r, k)
        for window, data in self.closing[n]:
            out = out * data[codes(window)][:, :, None]
        return do("transpose", out, (1, 0, 2)).reshape(len(out) // M * r, M, -1)

    def start(self):
        """The transfer state before the first site."""
        return do("ones_like", self.readout)[None]

    def total(self):
        """The power of two that all steps leave out."""
        return math.fsum([self.e_readout, *(self.tables[kind][1] for _, kind in self.windows)])


class StateTransfer:
    """The state of a RAC of depth 1."""

    full_rank = True

    def __init__(self, net):
        self.net = net
        self.hidden, e = scaled(net.hidden_weights[-1], axes=2).even_out()
        self.inputs, f = scaled(net.input_weights[-1], axes=2).even_out()
        self.initial, g = scaled(net.initial[-1]).even_out()
        self.readout, h = scaled(net.readout).even_out()
        self.scale = net.L * (e + f) + g + h

    def bounds(self):
        """The size of the transfer state before each site and after the last one."""
        return [self.net.bond_dim] * (self.net.L + 1)

    def own_bytes(self):
        """Bytes held besides the sites: few enough to count as none."""
        return 0

    def end(self):
        """After the last site: the read-out."""
        return self.readout[:, None]

    def step(self, n, G):
        """``G'[j, s, k] = sum_i WH[i, j] WI[i, s] G[i, k]``."""
        x = self.inputs[:, :, None] * G[:, None]
        out = do("transpose", self.hidden, (1, 0)) @ x.reshape(len(x), -1)
        return out.reshape(-1, *x.shape[1:])

    def start(self):
        """The transfer state before the first site."""
        return self.initial[None]

    def total(self):
        """The power of two that all steps leave out."""
        return self.scale


class SymmetricTransfer(StateTransfer):
    """``Sym^n(R^R) x R^R``: monomials of degree n in ``h[1]``, each times ``h[2]``.

    Monomials are normalised, ``m_g(x) = sqrt(n! / prod_a g_a!) x**g``, so that the vector of all
    ``m_g(x)`` has norm ``|x|**n`` and orthogonal maps stay orthogonal. Before each site ``h[1]``
    has coordinates of its own, see `balance`: a direction that is stretched, but that no ``h[1]``
    takes, would drown the others by powers of degree n.
    """

    full_rank = False  # of the matrices on the way: QR of symmetric powers has no gradient

    @functools.cached_property
    def degrees(self):
        """The number of monomials before each site and after the last one."""
        R, N = self.net.bond_dim, self.net.L
        return [math.comb(R + N - t - 1, N - t) for t in range(N + 1)]

    @functools.cached_property
    def turn(self):
        """Up to this site the configurations, at most as many as the monomials, are kept."""
        return max(t for t, count in enumerate(self.degrees) if self.net.phys_dim**t <= count)

    def bounds(self):
        """The size of the transfer state before each site and after the last one."""
        R, M = self.net.bond_dim, self.net.phys_dim
        return [M**t if t < self.turn else R * count for t, count in enumerate(self.degrees)]

    def own_bytes(self):
        """Bytes of the symmetric powers, and of four steps to the largest of them."""
        squares = [count**2 for count in self.degrees[self.turn :]]
        step = max(square * (t + 1) for t, square in enumerate(squares))
        return 16 * self.net.phys_dim * (sum(squares) + 4 * step)

    @functools.cached_property
    def first(self):
        """``h[1]`` in balanced coordinates, of size 1.

        The start ``(R,)``, what each site does ``(N, M, R, R)``, the linear forms in ``h[2]`` after
        it ``(N, R, R)``, and the power of two that is left out in all.
        """
        N = self.net.L
        hidden, e_hidden = scaled(self.net.hidden_weights[0], axes=2).even_out()
        coming, e_coming = scaled(self.net.input_weights[0], axes=2).even_out()
        start, e_start = scaled(self.net.initial[0]).even_out()
        maps = do("transpose", coming, (1, 0))[:, :, None] * hidden
        there, back = frames(_wide(start), _wide(maps), N, epsilon(start) ** 0.75)
        sizes = np.linalg.norm(there[1:, None] @ _wide(maps) @ back[:-1, None], 2, axis=(2, 3))
        sizes = np.where(sizes.max(1) > 0, sizes.max(1), 1.0)
        size = float(np.linalg.norm(there[0] @ _wide(start))) or 1.0
        exponent = N * (e_start + math.log2(size))
        exponent += math.fsum((e_hidden + e_coming + np.log2(sizes)) * np.arange(N, 0, -1))
        scaling = _like(there[1:] / sizes[:, None, None], start)
        there, back = _like(there[0] / size, start), _like(back, start)
        maps = scaling[:, None] @ maps @ back[:-1, None]
        return there @ start, maps, self.inputs @ back[1:], exponent

    @functools.cached_property
    def powers(self):
        """``Sym^(N-t)`` of what each site does, ``(M, D, D)`` for each t from the turn on."""
        R, maps, found = self.net.bond_dim, self.first[1][self.turn :], []
        below, count = do("ones_like", maps[..., :1, :1]), len(maps)
        for n in range(1, count + 1):
            maps, below = maps[: count - n + 1], below[: count - n + 1]
            total: Any = 0
            raising = [_raising(R, n, a, below) for a in range(R)]
            for a, (rows, left) in enumerate(raising):
                part = below[:, :, rows] * left[:, None]
                for b, (columns, right) in enumerate(raising):
                    entry = maps[:, :, a, b][:, :, None, None]
                    total = total + entry * (part[..., columns] * right)
            below = total
            found.append(below[-1])
        return found[::-1]

    def step(self, t, G):
        """Multiply by the linear forms ``WI[2]``, and change ``h[1]``, ``h[2]``."""
        R, degree, k = self.net.bond_dim, self.net.L - t, G.shape[-1]
        if t < self.turn:
            G = self.reached @ G if t == self.turn - 1 else G
            return G.reshape(-1, self.net.phys_dim, k)
        G = G.reshape(-1, R, k)  # monomials of degree - 1, h[2], k
        forms = self.first[2][t]
        raised: Any = 0
        for a in range(R):
            rows, weights = _raising(R, degree, a, G)
            part = G[rows] * weights[:, None, None]
            raised = raised + part * forms[:, a][None, :, None]
        power = do("transpose", self.powers[t - self.turn], (0, 2, 1))  # (M, g, g)
        x = (power @ raised.reshape(len(raised), -1)).reshape(len(power), *raised.shape)
        x = do("transpose", x, (1, 0, 3, 2)) @ self.hidden  # (g, M, k, R), h[2] last
        return do("transpose", x, (0, 3, 1, 2)).reshape(-1, x.shape[1], k)

    @functools.cached_property
    def reached(self):
        """Monomials of ``h[1]`` times ``h[2]`` before the turn, for each configuration up to it."""
        (begin, maps, forms, _), R = self.first, self.net.bond_dim
        h1, h2 = begin[None], self.initial[None]
        for t in range(self.turn):
            h1 = do("transpose", maps[t] @ do("transpose", h1, (1, 0)), (2, 0, 1)).reshape(-1, R)
            past = do("transpose", self.hidden @ do("transpose", h2, (1, 0)), (1, 0))
            past = do("stack", (past,) * self.net.phys_dim, axis=1).reshape(-1, R)
            h2 = past * do("transpose", forms[t] @ do("transpose", h1, (1, 0)), (1, 0))
        value = do("ones_like", h1[:, :1])
        for n in range(1, self.net.L - self.turn + 1):
            raising = (_raising(R, n, a, value) for a in range(R))
            parts = (value[:, g] * w * h1[:, a, None] for a, (g, w) in enumerate(raising))
            value = functools.reduce(lambda x, y: x + y, parts)
        return (value[:, :, None] * h2[:, None]).reshape(len(h1), -1)

    def start(self):
        """The transfer state before the first site."""
        return do("ones_like", self.reached[:1, :1]) if self.turn else self.reached

    def total(self):
        """The power of two that all steps leave out."""
        return self.scale + self.first[3]


def _wide(x):
    """An array as one of numpy in double precision."""
    x = to_numpy(stop_gradient(x))
    return x.astype(np.result_type(x, np.float64))


def _like(x, like):
    """A numpy array in the library, on the device and of the dtype of ``like``."""
    return array_like(x.astype(get_dtype_name(like)), like)


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
