"""When transfer matrices are taken for a network, planned in integers.

::

    chain, shared weights, numbers there?   no --> None: amplitudes, contraction, as before
             | yes
    nanoseconds and bytes of the sums  --below those of all amplitudes--> Transfer
"""

import functools
import math
from typing import Any, NamedTuple

from autoray import infer_backend

from ..errors import MethodError
from ..evaluation.careful_gradients import follows_far_apart
from ..evaluation.machine import machine_of
from ..networks import ConvAC
from ..numerics.traced import is_followed, is_there
from .transfer import Transfer, squares_cost, steps_cost
from .transfer_density import in_a_row, region_of
from .transfer_sites import RepeatedSites, repeated_sites

MAX_BYTES = 2**29  # of all matrices, where nobody says what may be held
CALLS = 60  # of arrays to make tables; about as many evaluate all amplitudes


class TransferCost(NamedTuple):
    """What a sum takes: bytes held at once, and nanoseconds."""

    bytes: int
    nanoseconds: float


def transfer_of_state(net: Any, other: Any = None, places: Any = ()) -> Transfer | None:
    """The transfer matrices of a network where they are what costs least, else None.

    Parameters
    ----------
    net : DeepNetwork
    other : DeepNetwork, optional
        What its overlap is taken with.
    places : sequence of int, optional
        Sites whose density matrix is asked for.

    Examples
    --------
    >>> from quimb_deepnets import RAC, ConvAC
    >>> from quimb_deepnets.exact.transfer_routes import transfer_of_state
    >>> [transfer_of_state(net) for net in (RAC.rand(40, 1, 2), ConvAC.rand(5, 1, 2, 2))]
    [None, None]
    >>> transfer_of_state(ConvAC.rand(40, 1, 2, 2, seed=0)).sites.length
    40
    """
    nets = [net] if other is None else [net, other]
    if not all(_is_plain_chain(x) for x in nets):
        return None
    if len({(x.geometry.shape, x.phys_dim, x.dtype, x.backend, str(_device(x))) for x in nets}) > 1:
        return None
    try:
        sites = repeated_sites(tuple(x.geometry for x in nets))
        cost = transfer_cost(sites, _pairs(nets), net._like, places)
        if any(map(follows_far_apart, nets)):
            return None
    except MethodError:
        return None
    if cost.bytes > MAX_BYTES or _all_amplitudes(nets) < cost.nanoseconds:
        return None
    return Transfer(*nets)


def _all_amplitudes(nets):
    """Nanoseconds to evaluate every amplitude."""
    machine, count = machine_of(nets[0]._like), nets[0].phys_dim ** nets[0].nsites
    if count > 2**40:
        return math.inf
    channels = sum(len(net.readout) for net in nets)
    return 4 * count * channels * machine.element + 6 * CALLS * machine.call


class PlannedTransfer:
    """The transfer matrices of a network in integers, made when they are needed.

    Attributes
    ----------
    sites : RepeatedSites
    channels, pairs : int
        Of the last layer.
    like : array
        One of the weights.
    followed : bool
        Whether gradients are.
    """

    def __init__(self, net: Any) -> None:
        self.net, self.like = net, net._like
        self.sites = repeated_sites((net.geometry,))
        self.channels, self.pairs = len(net.readout), _pairs([net])
        leaves = net.params.leaves.values()
        self.followed = any(map(is_followed, leaves))

    @functools.cached_property
    def made(self) -> Transfer:
        """The matrices."""
        return Transfer(self.net)

    def flops(self, nanoseconds: float) -> float:
        """Flops that take as long."""
        return nanoseconds / machine_of(self.like).flop


def planned_transfer(net: Any) -> PlannedTransfer | None:
    """The transfer matrices of a network in integers; None if it has none.

    Examples
    --------
    >>> from quimb_deepnets import ConvAC
    >>> from quimb_deepnets.exact.transfer_routes import planned_transfer
    >>> planned_transfer(ConvAC.rand(40, 1, 2, 2)).pairs
    3
    """
    try:
        return PlannedTransfer(net) if _is_plain_chain(net) else None
    except MethodError:
        return None


def _is_plain_chain(net):
    """Whether a network is a chain of shared weights whose numbers can be looked at."""
    return (
        isinstance(net, ConvAC)
        and net.geometry.ndim == 1
        and net.shared
        and infer_backend(net._like) in ("numpy", "torch")
        and all(map(is_there, net.params.leaves.values()))
    )


def _device(net):
    return getattr(net._like, "device", "cpu")


def _pairs(nets):
    r = len(nets[0].readout)
    return r * (r + 1) // 2 if len(nets) == 1 else r * len(nets[1].readout)


def transfer_cost(sites: RepeatedSites, pairs: int, like: Any, places: Any = ()) -> TransferCost:
    """What the norm takes, or the density matrix of some places.

    Parameters
    ----------
    sites : RepeatedSites
    pairs : int
        Of channels.
    like : array
        Of the weights.
    places : sequence of int, optional

    Raises
    ------
    MethodError
        If the windows of the places close around a ring.
    """
    machine, M, D = machine_of(like), sites.phys_dim, sites.states
    columns, batch, more = (D if sites.ring else 1), M ** (2 * len(places)), 0.0
    if places:
        row = in_a_row(sites, places)
        first, stop = region_of(sites, row)
        windows = min(stop - first, len(places) * sites.width)
        each = 3 * pairs * batch * columns * D * M * machine.element
        more = windows * (each + 6 * M * machine.call)
    blocks = sites.repeats
    rest = sites.length - blocks * len(sites.block)
    steps = steps_cost(sites, pairs, columns, blocks, like)
    squares = squares_cost(sites, pairs, columns, blocks, like)
    kept = 0 if steps <= squares else blocks.bit_length() * pairs * D**2
    floats = kept + 6 * pairs * columns * D * (batch if places else 1) + 4 * pairs * M * D
    alone = (rest + CALLS) * machine.call * 6
    return TransferCost(math.ceil(floats * like.itemsize), min(steps, squares) + more + alone)
