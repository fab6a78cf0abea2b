"""Convolutional circuits that add two products at a time as Boltzmann machines, exactly.

A node of the first layer is a product over its window, whatever the weights. Two of them added
are a hidden unit, and one alone is a bias of its sites::

    a prod_k u_k(s_k) + b prod_k v_k(s_k)  =  e**x + e**y  =  e**((x + y) / 2) 2 cosh((x - y) / 2)

    x = log a + sum_k log u_k(s_k)              visible biases, scale         hidden unit
"""

from typing import Any

import numpy as np
from autoray import astype, do, get_dtype_name

from ..errors import StructureError, check_info
from ..networks import RBM, ConvAC
from ..numerics.scaled import look

HALVES = np.array([[0.5, 0.5], [0.5, -0.5]])  # of log u(0), log u(1): log u(s) = mean + slope * s


def from_conv(net: ConvAC, info: dict[str, Any] | None = None) -> RBM:
    """A ConvAC of depth 2 that adds two products at a time as a Boltzmann machine, up to its scale.

    Parameters
    ----------
    net : ConvAC
        Of local dimension 2 and depth 2, with one channel in the last layer, each of whose taps
        reads one or two channels, and no weight 0 in the first layer.
    info : dict, optional
        If given, ``"log_scale"`` is the logarithm of what the amplitudes of the machine are to be
        multiplied by: a machine has no factor of its own.

    Returns
    -------
    RBM
        With a hidden unit for each tap of the last layer that reads two channels. Complex where a
        weight is complex or negative.

    Raises
    ------
    StructureError
        If the network has another form, or a logarithm of 0 would be needed.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb_deepnets as qdn
    >>> layers, info = [qdn.GCLayer(3, 2), qdn.GCLayer(1, 1)], {}
    >>> net = qdn.ConvAC.rand(6, layers=layers, dist="uniform", loc=2, seed=0)
    >>> rbm = qdn.RBM.from_conv(net, info=info)
    >>> rbm
    RBM(shape=6, hidden=6, num_params=48)
    >>> np.allclose(rbm.to_dense() * np.exp(info["log_scale"]), net.to_dense())
    True
    """
    info = check_info(info)
    _check_form(net)
    geometry, log = net.geometry, _logarithm([*net.weights, net.readout])
    fields, offsets = _nodes(geometry, _taps(net, 1), log)
    last, scale = _taps(net, 2), log(net.readout)[0]
    visible, biases, weights = fields[0, 0] * 0, [], []
    for k, tap in enumerate(geometry.tap_indices(2)):
        for n, node in enumerate(geometry.tap_inputs(2, tap)):
            row = last[n % len(last), k, 0]
            if node is None:
                scale = scale + (log(row.sum()) if geometry.boundary == "ones" else 0)
                continue
            read = np.flatnonzero(look(row)).tolist()
            _check_channels(read, n, tap)
            x, y = read[0], read[-1]
            a, b = (log(row[c]) + offsets[node, c] for c in (x, y))
            visible = visible + (fields[node, x] + fields[node, y]) / 2
            scale = scale + (a + b) / 2
            if x != y:
                biases.append((a - b) / 2)
                weights.append((fields[node, x] - fields[node, y]) / 2)
    if not weights:  # a product state: one unit that sees nothing, a factor of 2
        scale, biases, weights = scale - np.log(2.0), [visible[0] * 0], [visible * 0]
    info["log_scale"] = scale
    return RBM(net.shape, visible, *(do("stack", tuple(x)) for x in (biases, weights)))


def _check_form(net):
    if not isinstance(net, ConvAC):
        raise StructureError(f"from_conv takes a ConvAC, not a {type(net).__name__}.")
    sizes = net.phys_dim, net.depth, net.geometry.bond_dim(net.depth)
    if sizes != (2, 2, 1):
        raise StructureError(
            "local dimension, depth and channels of the last layer are {}, {} and {}, and a "
            "Boltzmann machine is a network of 2, 2 and 1.".format(*sizes)
        )


def _check_channels(read, n, tap):
    if not 1 <= len(read) <= 2:
        raise StructureError(
            f"tap {tap} of node {n} of the last layer reads {len(read)} channels, and a hidden "
            "unit is the sum of two; give one or two weights that are not 0."
        )


def _logarithm(arrays):
    """The logarithm, complex if any of the arrays has negative numbers; it refuses 0."""
    lift = 0j if any((look(x).real < 0).any() for x in arrays) else 0

    def _log(x):
        if not look(x).all():
            raise StructureError(
                "a weight, or the sum that stands for a neighbour outside, is 0 and has no "
                "logarithm; shift the weights by a small number."
            )
        return do("log", x + lift)

    return _log


def _taps(net, l):
    """The weights of a layer, ``(positions or 1, taps, out, in)``."""
    w = net.weights[l - 1]
    return w.reshape(-1, len(list(net.geometry.tap_indices(l))), *w.shape[-2:])


def _nodes(geometry, taps, log):
    """What the nodes of the first layer are: ``exp(offset + sum_i field_i s_i)``, s_i = +1, -1.

    Returns
    -------
    fields : array, shape (nodes, channels, sites)
    offsets : array, shape (nodes, channels)
    """
    reads = [geometry.tap_inputs(1, tap) for tap in geometry.tap_indices(1)]
    count, one = len(reads[0]), (taps[:1] * 0 + 1)
    places = np.zeros((count, len(reads), len(geometry.sites)))
    for k, row in enumerate(reads):
        for n, site in enumerate(row):
            if site is not None:
                places[n, k, site] = 1
    inside = do("asarray", places.sum(-1)[:, :, None, None] > 0, like=taps)
    logs = log(do("where", inside, taps, one))
    like = lambda x: astype(do("asarray", x, like=logs), get_dtype_name(logs))
    both = do("tensordot", logs, like(HALVES), ((-1,), (1,)))  # (nodes, taps, channels, 2)
    fields = do("einsum", "nkc,nks->ncs", both[..., 1], like(places))
    offsets = both[..., 0].sum(1)
    if geometry.boundary == "ones":
        outside = do("where", inside, one, taps.sum(-1)[..., None])
        offsets = offsets + log(outside)[..., 0].sum(1)
    return fields, offsets
