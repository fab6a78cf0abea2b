"""The numbers of a contraction problem: which array of a state stands for which tensor.

::

    Hypergraph.sources   ("ket", 3)        ("bra", 3)          what is left out of the problem:
                            |                  |               identities, exponents
    state.arrays[3] --------'---- conj --------'                      |
            |  fixed legs taken at their spins                   one factor
"""

import hashlib
from typing import NamedTuple

import numpy as np
from autoray import do, stop_gradient, to_numpy

from ..errors import ConfigError, MethodError
from ..hyper.identities import identity_factor
from ..numerics.configs import parse_config
from ..numerics.scaled import Scaled, binary
from ..numerics.traced import PURE, is_followed


class Numbers(NamedTuple):
    """``2**scale * factor`` times the contraction of ``arrays``, whose entries are up to 1."""

    arrays: list
    factor: complex
    scale: float

    def digest(self):
        """A text that no other numbers have."""
        digest = hashlib.sha256(repr((self.factor, self.scale)).encode())
        for x in self.arrays:
            x = np.ascontiguousarray(to_numpy(x))
            digest.update(f"{x.shape} {x.dtype}".encode() + x.tobytes())
        return digest.hexdigest()


def numbers_of(tn, ket, graph, spins=None):
    """The numbers of a problem on a quimb vector.

    Parameters
    ----------
    tn : TensorNetworkGenVector
    ket : Ket
        Its legs.
    graph : Hypergraph
        A problem on it, with ``sources``.
    spins : dict, optional
        The value of each outer index, where all are fixed.

    Returns
    -------
    Numbers

    Raises
    ------
    MethodError
        If gradients are asked for.
    RangeError
        If a tensor is not finite.
    """
    tensors = list(tn)
    held = [t.data for t in tensors]
    if any(map(is_followed, held)):
        raise MethodError(
            "contract_sliced does not keep gradients; use the methods of the state, such as "
            f"norm() or local_expectation_exact, or detach the weights; {PURE}."
        )
    fixed = dict(spins or {})
    fixed |= {inner: fixed[_outer(ket, i)] for i, inner in ket.deltas.items() if fixed}
    arrays, scale = [], 0.0
    for (side, i), inds in zip(graph.sources, graph.inputs):
        x = stop_gradient(held[i])
        if fixed:
            x = x[tuple(fixed.get(ix, slice(None)) for ix in ket.inputs[i])]
        x, shift = Scaled.of(x, "a tensor")
        x = do("conj", x) if side == "bra" else x
        arrays.append(do("reshape", x, tuple(graph.size_dict[ix] for ix in inds)))
        scale += shift
    factor, sides = 1.0, {side for side, _ in graph.sources}
    for side in sides:
        left_out = set(range(len(held))).difference(i for s, i in graph.sources if s == side)
        for i in left_out:
            one = identity_factor(tensors[i])
            one, shift = Scaled.of(np.asarray(1 if one is None else complex(one)), "a tensor")
            factor *= one.conj() if side == "bra" else one
            scale += shift
    return Numbers(arrays, factor, scale + len(sides) * binary(tn.exponent))


def _outer(ket, i):
    """The outer leg of a delta."""
    return next(ix for ix in ket.inputs[i] if ix != ket.deltas[i])


def read_spins(tn, ket, config):
    """The value of each outer index, from a configuration as users write it.

    Raises
    ------
    ConfigError
        If it is none of the sites.
    """
    sizes = [tn.ind_size(ix) for ix in ket.legs.values()]
    try:
        flat = config if isinstance(config, str) else np.asarray(config).reshape(-1)
    except ValueError as error:
        raise ConfigError(f"config={config!r} is ragged; give one value for each site.") from error
    spins = parse_config(flat, (len(sizes),), max(sizes)).tolist()
    for site, spin, size in zip(ket.legs, spins, sizes):
        if spin >= size:
            raise ConfigError(
                f"config has {spin} on site {site!r}, whose values are 0 to {size - 1}."
            )
    return dict(zip(ket.legs.values(), spins))
