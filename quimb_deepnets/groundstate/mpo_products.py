"""Matrix product operators as sums of products of matrices on single sites.

::

    W --- W --- W --- W      a path along the bonds is a product       1   -  x - x   -   1
    |     |     |     |      operators that are built from terms       todo  ->  done
                             have few of them
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import OptionError, SitesError

MAX_PATHS = 2**16


def mpo_products(H: Any, sites: Any, phys_dim: int) -> Iterator[dict[int, np.ndarray]]:
    """The products whose sum is a matrix product operator.

    Parameters
    ----------
    H : quimb.tensor.MatrixProductOperator
    sites : sequence of hashable
        Of the network.
    phys_dim : int

    Yields
    ------
    dict[int, numpy.ndarray]
        Matrices ``(after, before)`` by place; identities are left out, except of the first site.

    Raises
    ------
    SitesError
        If it is on other sites.
    OptionError
        If its bonds mix too many products, or its local dimension is another one.

    Examples
    --------
    >>> import quimb.tensor as qtn
    >>> from quimb_deepnets.groundstate.mpo_products import mpo_products
    >>> len(list(mpo_products(qtn.MPO_ham_heis(4), range(4), 2)))
    9
    """
    arrays = _arrays(H, sites, phys_dim)
    there = [abs(W).max((2, 3)) != 0 for W in arrays]
    ends = np.eye(len(there[0]), dtype=float)  # how many paths lead from each bond to each end
    behind = [ends]
    for pattern in reversed(there):
        behind.append(pattern @ behind[-1])
    behind.reverse()
    if (count := np.trace(behind[0])) > MAX_PATHS:
        raise OptionError(
            f"H is a MatrixProductOperator whose bonds mix {count:.2g} products, more than the "
            f"{MAX_PATHS} that are listed; give its terms, as a SparseOperatorBuilder, a "
            "LocalHam1D or a dict from sites to matrices."
        )
    for start in range(len(ends)):
        yield from _paths(arrays, there, behind, start)


def _arrays(H, sites, d):
    """Site tensors ``(left, right, after, before)``, at open ends with bonds of size 1."""
    if set(H.sites) != set(sites) or list(H.sites) != sorted(sites):
        raise SitesError(
            f"H is a MatrixProductOperator on {len(H.sites)} sites, and the network has "
            f"{len(sites)}; give a network on the chain of sites that H is on."
        )
    N, arrays = len(sites), []
    bonds = [
        H.bond(n, (n + 1) % N) if N > 1 and (H.cyclic or n + 1 < N) else None for n in range(N)
    ]
    for n, site in enumerate(H.sites):
        tensor, own = H[site], (H.upper_ind(site), H.lower_ind(site))
        if tuple(map(H.ind_size, own)) != (d, d):
            raise OptionError(
                f"H acts on local dimension {H.ind_size(own[0])}, and the network has "
                f"phys_dim={d}; give an operator of the same dimension."
            )
        legs = [ix for ix in (bonds[n - 1], bonds[n]) if ix is not None]
        x = to_numpy(stop_gradient(tensor.transpose(*legs, *own).data))
        shape = [1 if ix is None else H.ind_size(ix) for ix in (bonds[n - 1], bonds[n])]
        arrays.append(x.reshape(*shape, d, d))
    return arrays


def _paths(arrays, there, behind, start):
    """The products of all paths from a bond around to the same bond."""
    stack: list[Any] = [(0, start, ())]
    while stack:
        n, bond, chosen = stack.pop()
        if n == len(arrays):
            yield _product(chosen)
            continue
        for after in np.flatnonzero(there[n][bond] * (behind[n + 1][:, start] != 0)):
            stack.append((n + 1, int(after), (*chosen, arrays[n][bond, after])))


def _product(chosen):
    """Matrices by place, scaled identities multiplied into the first of them."""
    eye, scale, found = np.eye(len(chosen[0])), 1.0, {}
    for n, matrix in enumerate(chosen):
        if np.array_equal(matrix, matrix[0, 0] * eye):
            scale = scale * matrix[0, 0]
        else:
            found[n] = matrix
    first = min(found, default=0)
    return found | {first: scale * found.get(first, eye)}
