"""Trees of any tensors as convolutional circuits, exactly.

A node of a circuit is a product over its children. With a channel for each choice of one index of
every child, the product is all that a tensor of the tree can read; the tensor itself goes into the
taps of the layer above::

         T                    y_(j1 j2) = a_j1 b_j2        (r**2 channels, taps select j1 and j2)
       j1/ \\j2               y'_i      = sum T_(i, j1 j2) y_(j1 j2)
       a    b
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from autoray import do

from ..errors import WeightError
from ..networks import ConvAC
from ..numerics.configs import identity
from ..numerics.weights import as_array, check_arrays, check_sequence


def from_tree(tensors: Sequence[Any], readout: Any) -> ConvAC:
    """A tree tensor network on a chain as a ConvAC with stride = kernel, exactly.

    Parameters
    ----------
    tensors : sequence of array
        From the sites to the top, one array for each layer: shape ``(positions, out, in, ..., in)``
        with one ``in`` for each of K children, those of the first layer being the states of sites.
        Each layer has 1/K as many positions as the one below, the last one position.
    readout : array, shape (out,)
        What the top is contracted with.

    Returns
    -------
    ConvAC
        With ``in**K`` channels in each layer, and weights of its own at each position.

    Raises
    ------
    WeightError
        If the shapes do not make a tree.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> rng = np.random.default_rng(0)
    >>> lower, top = rng.random((2, 3, 2, 2)), rng.random((1, 2, 3, 3))
    >>> net = qdn.ConvAC.from_tree([lower, top], np.ones(2))
    >>> exact = np.einsum("oij,iab,jcd->abcd", top[0], lower[0], lower[1])
    >>> np.allclose(net.to_dense().ravel(), exact.ravel())
    True
    """
    layers = [as_array(x) for x in check_sequence("tensors", tensors)]
    readout = as_array(readout)
    named = {f"tensors[{l}]": x for l, x in enumerate(layers)} | {"readout": readout}
    check_arrays(named, {name: x.shape for name, x in named.items()})
    _check_tree(layers, readout)
    weights: list[Any] = []
    below: Any = None  # the tensors of the layer below, (positions, out, channels)
    for x in layers:
        positions, children, size = len(x), len(x.shape) - 2, x.shape[2]
        choices = np.indices((size,) * children).reshape(children, -1)
        rows = []
        for n in range(positions):
            for k, chosen in enumerate(choices):
                child = below[n * children + k] if below is not None else identity(size, x)
                rows.append(child[chosen.tolist()])
        taps = do("stack", tuple(rows), like=readout)
        weights.append(taps.reshape(positions, children, *taps.shape[1:]))
        below = x.reshape(positions, x.shape[1], -1)
    top = do("tensordot", readout, below[0], 1)
    length = len(layers[0]) * (len(layers[0].shape) - 2)
    return ConvAC(length, weights, top, strides=[len(x.shape) - 2 for x in layers])


def _check_tree(layers, readout):
    """Refuse arrays that do not make a tree."""
    below = None
    for l, x in enumerate(layers, 1):
        ins = set(x.shape[2:])
        good = len(x.shape) > 3 and len(ins) == 1
        if below is not None and good:
            count, out = below
            good = ins == {out} and len(x) * (len(x.shape) - 2) == count
        if not good:
            raise WeightError(
                f"tensors[{l - 1}] of shape {tuple(x.shape)} does not fit on "
                f"{'the sites' if below is None else f'{below[0]} tensors with {below[1]} values'}"
                "; give (positions, out, in, ..., in), with an `in` for each child."
            )
        below = len(x), x.shape[1]
    if below is None or below != (1, *readout.shape):
        raise WeightError(
            f"the top of the tree has {below} (positions, values) and the read-out the shape "
            f"{tuple(readout.shape)}; give one tensor at the top and as many entries as its values."
        )
