"""The same weights on another chain or lattice: what shared weights are good for.

::

    trained on 6 x 6     W[1], W[2], read-out     read every window of 10 x 10 too
"""

import math
from typing import Any

from ..errors import GeometryError
from ..geometry.layers import as_sizes
from .conv import ConvAC


def resize(net: ConvAC, shape: int | tuple[int, ...]) -> ConvAC:
    """The network with the same weights on another number of sites.

    Parameters
    ----------
    shape : int or (int, int)
        Number of sites of a chain, or of a lattice.

    Returns
    -------
    ConvAC
        Of numpy weights it has copies; torch weights are the same arrays, so that both are
        trained together.

    Raises
    ------
    GeometryError
        If weights belong to positions, which other shapes do not have, or if the layers do not
        fit the shape. An infinite chain is a class of its own, `InfiniteChain`.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand((4, 4), depth=2, kernel=2, bond_dim=3, boundary="periodic", seed=0)
    >>> net.resize((10, 10))
    ConvAC(shape=(10, 10), layers=[2x3, 2x3], phys_dim=2, boundary='periodic', num_params=63)
    """
    if not net.shared:
        raise GeometryError(
            f"resize({shape!r}) keeps the weights, and here each position has its own; use "
            "shared=True, or give weights for the new positions to ConvAC."
        )
    if isinstance(shape, float) and shape == math.inf:
        raise GeometryError(
            "a network has a number of sites; for an infinite chain with its weights use "
            "qdn.InfiniteChain(net)."
        )
    if len(as_sizes("shape", shape)) != net.geometry.ndim:
        raise GeometryError(
            f"shape={shape!r} is not of {net.geometry.ndim} dimension(s), as the kernels of this "
            f"network are, which has shape {net.shape}."
        )
    rest: dict[str, Any] = {"boundary": net.boundary, "anchor": net.anchor}
    return ConvAC(shape, net.weights, net.readout, net.strides, **rest)
