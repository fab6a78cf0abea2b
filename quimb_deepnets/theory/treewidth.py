"""Treewidth of contraction problems: a lower bound on the largest step of every path.

The steps of a path are the bags of a tree decomposition of the graph of its indices, two of which
are joined when a tensor has both (Markov and Shi, arXiv:quant-ph/0511069). So the largest step of
any path takes at least ``2**treewidth_bits`` multiplications, indices weighed by log2 of their
size. Where windows are runs of a chain the graph is known::

    norm of a collapsed chain     x0--x1--x2--x3--...      an interval graph: its bags are windows
                                   \\   |   |   /
                                  c     c'                 and two channels on all of them
"""

import math

from ..errors import check_option
from ..geometry import ConvGeometry
from ..geometry.expansion import READOUT, Node, Site
from .architecture import geometry_of

FORMS = ("expanded", "collapsed")
TASKS = ("amplitude", "dense", "norm")


def treewidth_bits(geometry, task="norm", form="collapsed"):
    """Bits of the largest step that every contraction path has, where they are known.

    Parameters
    ----------
    geometry : ConvAC, RAC, ConvGeometry or RecurrentGeometry
    task : {"amplitude", "dense", "norm"}, optional
    form : {"expanded", "collapsed"}, optional
        See `path_report`.

    Returns
    -------
    float or None
        The weighted treewidth: log2 of the multiplications of that step; its tensors have at
        least two thirds as many bits. It is known for amplitudes of expanded networks (nodes as
        hyper-indices), for amplitudes and dense states of collapsed ones, and for norms of
        collapsed chains of convolutions, open or (with stride 1) periodic.

    Raises
    ------
    MethodError
        If it is another network.

    Examples
    --------
    Windows of 5 sites, two channels of dimension 4.

    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.rand(64, depth=3, kernel=3, bond_dim=4, seed=0)
    >>> qdn.theory.treewidth_bits(net)
    9.0
    """
    geometry = geometry_of(geometry)
    check_option("task", task, TASKS)
    if check_option("form", form, FORMS) == "expanded":
        return _widest_matrix(geometry) if task == "amplitude" else None
    if not isinstance(geometry, ConvGeometry):
        return None
    channel = math.log2(geometry.param_shapes[READOUT][0])
    sites = len(geometry.sites) * math.log2(geometry.phys_dim)
    if task == "amplitude":
        return channel
    if task == "dense":  # all sites are joined as outputs, and the channel to each
        return sites + channel
    width = _path_of_windows(geometry)
    if width is None:
        return None
    return min(width * math.log2(geometry.phys_dim) + 2 * channel, sites + channel)


def _widest_matrix(geometry):
    """The amplitude is a tree of matrices: log2 of the largest one with both legs inside."""
    widest = math.log2(geometry.param_shapes[READOUT][0])
    queue, seen = list(geometry.roots), set(geometry.roots)
    while queue:
        for weight, child in geometry.taps(queue.pop()):
            rows, columns = geometry.param_shapes[weight]
            inner = 1 if isinstance(child, Site) else columns
            widest = max(widest, math.log2(rows * inner))
            if isinstance(child, Node) and child not in seen:
                seen.add(child)
                queue.append(child)
    return widest


def _path_of_windows(geometry):
    """Sites of the largest bag that the windows of a chain need, or None where it is not known."""
    if geometry.ndim > 1:
        return None
    axis, last = geometry.axes[0], geometry.depth - 1
    windows = [w for w, count in zip(axis.windows[last], axis.copies[last]) if count]
    if all(w[-1] - w[0] + 1 == len(w) for w in windows):
        return max(map(len, windows))
    steps = (geometry.stride(l) for l in range(1, geometry.depth + 1))
    if geometry.boundary == "periodic" and all(step == (1,) for step in steps):
        # a power of a cycle: as many sites once more stay open where the ring was cut
        return min(2 * max(map(len, windows)) - 1, axis.lengths[0])
    return None
