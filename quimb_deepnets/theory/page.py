"""The entropy of a random state: what entanglement of a network is measured against.

Page's average over all pure states of two parts, against the largest entropy that there is::

    bits
      |        largest: min(a, N - a)
      |       /\\
      |      /..\\
      |     /.  .\\      Page: 0.72 bits below it at equal halves of many qubits
      |    /.    .\\
      +--------------- a of N qubits
"""

import math

from ..errors import OptionError, check_positive_int

SUMMED = 4096  # the number of terms that are added one by one


def page_entropy(dim_a, dim_b):
    """The mean entanglement entropy, in bits, of a random pure state of two parts.

    With m the smaller and n the larger dimension,
    ``sum_{k=n+1}^{mn} 1/k - (m - 1) / (2n)`` nats (Page, arXiv:gr-qc/9305007, Eq. (11)), and
    close to ``log m - m / (2n)``. Precise to rounding for dimensions of any size.

    Parameters
    ----------
    dim_a, dim_b : int
        Dimensions of the two parts, such as ``2**a`` and ``2**(N - a)``; huge ones are fine.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        If a dimension is not a positive int.

    Examples
    --------
    >>> from quimb_deepnets.theory.page import page_entropy
    >>> round(page_entropy(2, 2), 6), round(page_entropy(2**5000, 2**5000), 6)
    (0.480898, 4999.278652)
    """
    m, n = sorted(
        check_positive_int(name, dim, OptionError)
        for name, dim in (("dim_a", dim_a), ("dim_b", dim_b))
    )
    if m * n <= SUMMED:
        nats = math.fsum(1 / k for k in range(n + 1, m * n + 1)) - (m - 1) / (2 * n)
        return nats / math.log(2)
    rest = _harmonic_rest(m * n) - _harmonic_rest(n) - (m - 1) / (2 * n)
    return math.log2(m) + rest / math.log(2)


def _harmonic_rest(n):
    """``1 + 1/2 + ... + 1/n`` less ``log n`` and Euler's constant, for n of 64 and more."""
    x = 1 / n
    return x / 2 - x**2 / 12 + x**4 / 120 - x**6 / 252
