"""What the paper proves about entanglement, as functions of the sizes of a network.

The theorems of arXiv:1803.09780 are orders of growth: how the largest entropy scales with the
linear size of a block, up to a constant. For a chain (d = 1) or a lattice (d = 2)::

    order of the entropy     overlapping layers, stride 1      with 2 x .. x 2 pooling
      alpha < L K            alpha**d (volume law)             K alpha**(d - 1)
      alpha > L K            L K alpha**(d - 1)  (area law)    K alpha**(d - 1)
"""

import math

from ..errors import GeometryError, check_positive_int
from ..geometry import ConvGeometry
from .architecture import geometry_of


def conv_entropy_order(alpha, depth, kernel, ndim):
    """Order of the largest entropy of an overlapping ConvAC: ``min(alpha**d, L K alpha**(d-1))``.

    Theorem 1 of arXiv:1803.09780, for stride 1 and a block of linear size ``alpha`` that is at
    most half of the system. The theorem is a lower bound up to a constant.

    Parameters
    ----------
    alpha : int
        Linear size of the block.
    depth : int
        Number of layers, L.
    kernel : int
        Linear size of the kernel, K.
    ndim : {1, 2}
        Number of dimensions, d.

    Returns
    -------
    int

    Raises
    ------
    GeometryError
        If a size is not a positive int, or there are more than two dimensions.

    Examples
    --------
    >>> from quimb_deepnets.theory.bounds import conv_entropy_order
    >>> conv_entropy_order(50, depth=20, kernel=5, ndim=2)  # the paper's example: volume law
    2500
    >>> conv_entropy_order(50, depth=2, kernel=5, ndim=2)
    500
    """
    depth = check_positive_int("depth", depth)
    return _volume_or_area(alpha, depth * check_positive_int("kernel", kernel), ndim)


def pooled_entropy_order(alpha, kernel, ndim):
    """Order of the largest entropy of a ConvAC that pools: ``min(alpha**d, K alpha**(d-1))``.

    Theorem 3 of arXiv:1803.09780, appendix B, for pooling of 2 per dimension after each
    convolution: depth no longer helps.

    Parameters
    ----------
    alpha, kernel, ndim
        See `conv_entropy_order`.

    Returns
    -------
    int

    Raises
    ------
    GeometryError
        See `conv_entropy_order`.

    Examples
    --------
    >>> from quimb_deepnets.theory.bounds import pooled_entropy_order
    >>> pooled_entropy_order(50, kernel=5, ndim=2)
    250
    """
    return _volume_or_area(alpha, check_positive_int("kernel", kernel), ndim)


def _volume_or_area(alpha, width, ndim):
    """``min(alpha**ndim, width * alpha**(ndim - 1))``."""
    alpha, ndim = check_positive_int("alpha", alpha), check_positive_int("ndim", ndim)
    if ndim > 2:
        raise GeometryError(f"ndim={ndim} is more than the theorem covers; use 1 or 2.")
    return min(alpha, width) * alpha ** (ndim - 1)


def volume_law_depth(alpha, kernel):
    """How many layers support a volume law for blocks of linear size ``alpha``.

    The smallest L with ``alpha < L K``, as the paper reads Theorem 1 of arXiv:1803.09780. With
    ``alpha`` of the order of the square root of N, and parameters in proportion to ``L K**2``,
    this is Corollary 1: a volume law on a lattice of N sites takes ``O(sqrt(N))`` parameters.

    Parameters
    ----------
    alpha, kernel : int
        See `conv_entropy_order`.

    Returns
    -------
    int

    Raises
    ------
    GeometryError
        If a size is not a positive int.

    Examples
    --------
    >>> from quimb_deepnets.theory.bounds import volume_law_depth
    >>> volume_law_depth(99, kernel=5)
    20
    """
    return check_positive_int("alpha", alpha) // check_positive_int("kernel", kernel) + 1


def recurrent_rank_bound(size, bond_dim, phys_dim=2):
    """A Schmidt rank that some RAC of depth 2 or more reaches: ``binomial(min(R, M) + a - 1, a)``.

    Proof of Theorem 2 of arXiv:1803.09780, appendix C, between the last a sites and all others,
    a at most N / 2. Its logarithm grows like ``log a``.

    Parameters
    ----------
    size : int
        Number of sites of the subsystem, a.
    bond_dim : int
        Dimension of the hidden state, R.
    phys_dim : int, optional
        Local dimension, M.

    Returns
    -------
    int
        The entropy of this rank is at most ``log2`` of it.

    Raises
    ------
    GeometryError
        If a size is not a positive int.

    Examples
    --------
    >>> from quimb_deepnets.theory.bounds import recurrent_rank_bound
    >>> [recurrent_rank_bound(a, bond_dim=2) for a in (1, 2, 8)]
    [2, 3, 9]
    """
    size = check_positive_int("size", size)
    least = min(check_positive_int("bond_dim", bond_dim), check_positive_int("phys_dim", phys_dim))
    return math.comb(least + size - 1, size)


def half_window_layer(net):
    """The first layer whose total receptive field spans half of the system, l0.

    From the proof of Theorem 1 of arXiv:1803.09780 (appendix B, Fig. 5): the rank across the
    middle is exponential in the number of pairs of sites that the windows of this layer join,
    and that number falls with its total stride.

    Parameters
    ----------
    net : ConvAC or ConvGeometry
        Gives the total receptive fields and total strides of its layers.

    Returns
    -------
    (int, tuple[int, ...]) or None
        The layer, counted from 1, and its total stride per dimension; None if there is none.

    Raises
    ------
    MethodError
        If it is another network.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.theory.bounds import half_window_layer
    >>> half_window_layer(qdn.ConvAC.rand((8, 8), depth=4, kernel=3, bond_dim=2, seed=0))
    (2, (1, 1))
    """
    geometry = geometry_of(net, ConvGeometry)
    for l in range(1, geometry.depth + 1):
        fields = geometry.receptive_field(l)
        if all(2 * w >= length for w, length in zip(fields, geometry.shape)):
            return l, geometry.total_stride(l)
    return None
