"""The infinite chain: what shared weights say of a ring without end.

::

    ... o -- o -- o -- o -- o ...        T^(2**40 blocks): of all eigenvalues one is left
              \\   |   /
               region                    energies by site, density matrices, correlations
"""

from typing import Any

import numpy as np
from autoray import do

from ..errors import MethodError, OptionError, SitesError
from ..geometry.where import as_plain
from ..hyper.operands import expectation, read_operator
from ..networks import ConvAC
from ..numerics.scaled import look, modulus
from ..numerics.shown import Shown
from ..numerics.torch_modes import full_precision
from .transfer import Transfer
from .transfer_correlations import correlation
from .transfer_density import density
from .transfer_sites import ENDLESS

TIE = 1e-10  # of the bits by block of two channels that are equally large


def _integers(name, values):
    """Sites of an endless chain, or distances: one int, or any sequence of them.

    Raises
    ------
    SitesError
        If they are anything else.
    """
    found = as_plain(values)
    try:
        found = [as_plain(n) for n in ([found] if np.ndim(found) == 0 else found)]
    except (TypeError, ValueError):
        found = [None]
    if isinstance(values, (str, bytes)) or any(type(n) is not int for n in found):
        raise SitesError(f"{name}={values!r} is not a sequence of sites; give ints.")
    return found


class InfiniteChain(Shown):
    """The state of an infinite chain with the weights of a network.

    Parameters
    ----------
    net : ConvAC
        On a chain, with shared weights; its length and its edges do not matter.

    Raises
    ------
    MethodError
        If the network is not a chain of shared weights, or two channels are equally large in the
        limit, so that it depends on how it is taken.

    Notes
    -----
    No gradient flows: that of the scale of 2**40 sites would drown it in round-off. Train a long
    ring, whose energy by site is the same to many digits.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(100, 2, 3, 2, boundary="periodic", loc=1.0, scale=0.2, seed=0)
    >>> chain = qdn.InfiniteChain(net)
    >>> chain
    InfiniteChain(ConvAC(shape=100, layers=[3x2, 3x2], phys_dim=2, boundary='periodic', \
num_params=26))
    >>> X = qu.pauli("X").real
    >>> energy = chain.energy(-X & X)
    >>> bool(abs(energy - net.local_expectation_exact(-X & X, (3, 4))) < 1e-9)
    True
    """

    def __init__(self, net: Any) -> None:
        if not isinstance(net, ConvAC):
            raise MethodError(
                f"a {type(net).__name__} has no weights that repeat along a chain; give a ConvAC "
                "on a chain with shared weights."
            )
        self.network = net
        self._transfer = Transfer(net._bare(), endless=True)
        self._check_one_channel()

    def __repr__(self) -> str:
        return f"InfiniteChain({self.network!r})"

    @property
    def cell(self) -> int:
        """After how many sites it repeats: the product of all strides."""
        return len(self._transfer.sites.block)

    def _check_one_channel(self):
        """Refuse channels that are equally large in the limit."""
        i, j = self._transfer.pairs
        sizes = self._bits_by_block()[i == j]
        there = look(self._transfer.weights.mantissa)[i == j] != 0
        sizes = np.where(there, sizes, -np.inf)
        if (sizes > sizes.max() - TIE).sum() > 1:
            raise MethodError(
                "two channels of the network are equally large in an infinite chain, so that the "
                "limit depends on how it is taken; use a finite length, as in net.resize(10**4), "
                "or weights without that symmetry."
            )

    def _bits_by_block(self):
        """The logarithm of the largest eigenvalue of each pair of channels, by block."""
        last = self._transfer.square(ENDLESS.bit_length() - 1)
        traces = modulus(look(do("einsum", "...aa->...", last.mantissa)))
        with np.errstate(divide="ignore"):
            return (np.log2(traces) + last.exponent) / ENDLESS

    def log2_norm_per_site(self) -> float:
        """By how many powers of two the norm grows with each site."""
        i, j = self._transfer.pairs
        return float(self._bits_by_block()[i == j].max()) / 2 / self.cell

    @full_precision
    def partial_trace_exact(self, where: Any) -> Any:
        """The density matrix of some sites, ``(M**n, M**n)``, of trace 1.

        Parameters
        ----------
        where : int or sequence of int
            Sites; only their distances matter, and their places within a cell.

        Raises
        ------
        SitesError
            If these are not different ints.
        """
        found = density(self._transfer, self._places(where))
        trace = do("trace", found.array)
        found.check_norm(trace)
        return found.array / trace

    def _places(self, where):
        places = _integers("where", where)
        if not places or len(set(places)) < len(places):
            raise SitesError(f"where={where!r} is empty or names a site twice; give each once.")
        move = min(places) // self.cell * self.cell
        return [n - move for n in places]

    def local_expectation_exact(self, G: Any, where: Any) -> Any:
        """The mean of an operator on some sites.

        Parameters
        ----------
        G : array, shape (M**n, M**n)
        where : int or sequence of int
        """
        places = self._places(where)
        G = read_operator(G, (self.network.phys_dim,) * len(places), self.network._like)
        return expectation(G, self.partial_trace_exact(places))

    def energy(self, H: Any) -> Any:
        """The energy by site of an operator that repeats.

        Parameters
        ----------
        H : array or dict
            A Hermitian matrix on neighbouring sites, which stands at each site; or the terms of one
            cell by their sites, as in ``{(0, 1): G, 0: F}``.

        Returns
        -------
        scalar
            Real.

        Raises
        ------
        OptionError
            If the matrix does not fit a number of sites.
        """
        terms = H if isinstance(H, dict) else self._repeated(H)
        total: Any = sum(self.local_expectation_exact(G, where) for where, G in terms.items())
        return do("real", total) / self.cell

    def _repeated(self, H):
        size, count = (getattr(H, "shape", None) or np.shape(H))[0], 1
        while self.network.phys_dim**count < size:
            count += 1
        if self.network.phys_dim**count != size:
            raise OptionError(
                f"H has {size} rows, not a power of phys_dim={self.network.phys_dim}; give a "
                "matrix on neighbouring sites, or a dict of sites to matrices."
            )
        return {tuple(range(n, n + count)): H for n in range(self.cell)}

    @full_precision
    def correlations(self, A: Any, B: Any, distances: Any, start: int = 0) -> Any:
        """Means of A on one site times B on others.

        Parameters
        ----------
        A, B : array, shape (M, M)
        distances : sequence of int
            From the site of A to that of B, each in log of the distance.
        start : int, optional
            The site of A.

        Returns
        -------
        array, shape (len(distances),)

        Examples
        --------
        >>> import quimb as qu
        >>> import quimb_deepnets as qdn
        >>> net = qdn.ConvAC.rand(9, 2, 3, 2, loc=1.0, scale=0.3, seed=0)
        >>> chain, Z = qdn.InfiniteChain(net), qu.pauli("Z").real
        >>> far = chain.correlations(Z, Z, [1, 10**6])[1]
        >>> bool(abs(far - chain.local_expectation_exact(Z, 0) ** 2) < 1e-12)
        True
        """
        A, B = (read_operator(x, (self.network.phys_dim,), self.network._like) for x in (A, B))
        starts, distances = _integers("start", start), _integers("distances", distances)
        if len(starts) != 1 or not distances:
            raise SitesError("start is one site, and distances are at least one; give ints.")
        found, start = [], starts[0]
        for distance in distances:
            i, j = self._places([start, start + distance]) if distance else (start % self.cell,) * 2
            found.append(correlation(self._transfer, A, B, i, j))
        return do("stack", tuple(do("asarray", x, like=self.network._like) for x in found))
