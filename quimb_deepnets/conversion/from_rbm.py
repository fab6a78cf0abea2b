"""Boltzmann machines with translation symmetry as convolutional circuits, exactly.

Where all hidden units are translations of a few filters, each filter is two channels whose kernel
is the whole ring, and a second layer adds the two::

    2 cosh(b + sum_k W_k s_(n+k))  =  prod_k e**(W_k s_(n+k))  +  prod_k e**(-W_k s_(n+k))
                                      channel 0                   channel 1      (b with tap 0)
"""

import math

import numpy as np
from autoray import do

from ..errors import StructureError
from ..networks import RBM, ConvAC
from ..numerics.scaled import look


def from_rbm(rbm: RBM) -> ConvAC:
    """A Boltzmann machine with translation symmetry as a ConvAC of depth 2, exactly.

    Parameters
    ----------
    rbm : RBM
        Its hidden units must be all translations of some of them, around the ring or torus, and
        its visible bias one number.

    Returns
    -------
    ConvAC
        Periodic, with shared weights: a kernel as large as the ring and two channels for each
        filter, then one that adds the two.

    Raises
    ------
    StructureError
        If it has no such symmetry.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> filters = np.array([0.3, -0.2, 0.1, 0.0])
    >>> W = np.stack([np.roll(filters, n) for n in range(4)])
    >>> rbm = qdn.RBM(4, np.full(4, 0.2), np.full(4, 0.1), W)
    >>> np.allclose(qdn.ConvAC.from_rbm(rbm).to_dense(), rbm.to_dense())
    True
    """
    if not isinstance(rbm, RBM):
        raise StructureError(f"from_rbm takes an RBM, not a {type(rbm).__name__}.")
    shape = tuple(rbm.geometry.shape)
    filters = _filters(rbm, shape)
    bias = rbm.visible_bias[0]
    spins = do("asarray", np.array([1.0, -1.0]), like=rbm.weights)
    taps = []
    for k in range(math.prod(shape)):
        channels = []
        for h in filters:
            x = rbm.weights[h][k] * spins
            x = x + rbm.hidden_bias[h] if k == 0 else x
            visible = bias * spins if k == 0 and h == filters[0] else 0 * spins
            channels += [do("exp", visible + x), do("exp", visible - x)]
        taps.append(do("stack", tuple(channels)))
    first = do("stack", tuple(taps)).reshape(*shape, 2 * len(filters), 2)
    adds = np.kron(np.eye(len(filters)), np.ones((1, 2)))[:, None]  # (taps, 1, channels)
    adds = adds.reshape(len(filters), *(1,) * (len(shape) - 1), *adds.shape[1:])
    second = do("zeros_like", first.reshape(-1)[:1]) + do("asarray", adds, like=first)
    readout = do("ones_like", first.reshape(-1)[:1])
    return ConvAC(shape, [first, second], readout, boundary="periodic", anchor="corner")


def _filters(rbm, shape):
    """The hidden units of which all others are translations."""
    W, b, a = (look(x) for x in (rbm.weights, rbm.hidden_bias, rbm.visible_bias))
    if (a != a[0]).any():
        raise StructureError(
            "the visible bias differs from site to site, so the machine has no translation "
            "symmetry; evaluate it as it is, or collapse() it."
        )
    axes = tuple(range(len(shape)))
    left = list(range(len(W)))
    found = []
    while left:
        h = left[0]
        for step in np.ndindex(*shape):
            moved = np.roll(W[h].reshape(shape), step, axes).ravel()
            same = [j for j in left if b[j] == b[h] and (W[j] == moved).all()]
            if not same:
                raise StructureError(
                    f"the hidden unit {h} moved by {step} is not among the hidden units, so the "
                    "machine has no translation symmetry; give weights that are all translations "
                    "of a few filters."
                )
            left.remove(same[0])
        found.append(h)
    return found
