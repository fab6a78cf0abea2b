"""Correlations of two sites of a chain at any distance, each in log N.

::

    before | A . . . | . . . gap . . . | B . . . | behind        <A_i B_j>
           `- width -'   steps, powers `- width -'
"""

import itertools
from typing import Any

import numpy as np
from autoray import do, to_numpy

from .transfer import Transfer
from .transfer_density import in_a_row, region_of
from .transfer_energy import LocalTerm, TermBatch, batch_values, passed_sites


def correlation(transfer: Transfer, A: Any, B: Any, i: int, j: int) -> Any:
    """The mean of an operator on one site times another one on a second site.

    Parameters
    ----------
    transfer : Transfer
        Of one network.
    A, B : array, shape (M, M)
    i, j : int
        Places, which may be the same.

    Returns
    -------
    scalar
        Real where ``A B`` is Hermitian.

    Raises
    ------
    MethodError
        If the windows of both sites close around a ring.
    RangeError
        If the state vanishes.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer import Transfer
    >>> from quimb_deepnets.exact.transfer_correlations import correlation
    >>> net = ConvAC.rand(10**3, 1, 2, 2, loc=1.0, scale=0.1, seed=0)
    >>> Z = np.diag([1.0, -1.0])
    >>> float(correlation(Transfer(net), Z, Z, 500, 500))
    1.0
    """
    A, B = (np.asarray(to_numpy(x)) for x in (A, B))
    sites = transfer.sites
    row = in_a_row(sites, sorted({i, j}))
    place = {n % sites.length: n for n in row}
    i, j = place[i % sites.length], place[j % sites.length]
    first, stop = region_of(sites, row)
    product, adjoint = ([(i, A), (j, B)], [(j, B.conj().T), (i, A.conj().T)])
    parts = [list(_terms(factors, first, sites.phys_dim)) for factors in (product, adjoint)]
    terms = [term for part in parts for term in part]
    if not terms:
        return 0.0
    sites_passed = passed_sites(terms, stop - first, sites)
    values, norms = batch_values(
        transfer, TermBatch((first,), stop - first, sites_passed, np.ones(len(terms)))
    )
    # one half of the pairs of channels; the other half is that of the adjoint, conjugate
    both = do("sum", values.array[: len(parts[0])]), do("sum", values.array[len(parts[0]) :])
    mean = (both[0] + do("conj", both[1])) * 2.0 ** (values.bits - norms.bits)
    mean = mean / (2 * do("real", norms.array))
    hermitian = np.allclose(A, A.conj().T) and np.allclose(B, B.conj().T) and i != j
    return do("real", mean) if hermitian else mean


def _terms(factors, first, M):
    """A product of operators on single sites as terms on places from ``first`` on."""
    matrices: dict[int, Any] = {}
    for n, matrix in factors:
        matrices[n - first] = matrices[n - first] @ matrix if n - first in matrices else matrix
    digit, lists = np.arange(M), []
    for n, matrix in matrices.items():
        columns = ((shift, matrix[(digit + shift) % M, digit]) for shift in range(M))
        lists.append([(n, shift, x) for shift, x in columns if x.any()])
    for chosen in itertools.product(*lists):
        yield LocalTerm(
            tuple((n, shift) for n, shift, _ in chosen if shift),
            tuple(((n,), tuple(x.tolist())) for n, _, x in chosen),
        )
