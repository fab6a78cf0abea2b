"""Exact energies and their gradients, prepared: what `GroundState` steps on.

::

    long ring of shared weights, few local terms     log N squarings of transfer matrices, by torch
    all else, penalties, sectors                     windows contracted with equal parts made once
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MethodError
from ..exact.transfer_energy import TransferEnergy
from ..exact.transfer_routes import planned_transfer, transfer_cost
from ..numerics.weights import MAX_BYTES
from .operators import FlipMasks
from .points import Point, TorchCopy
from .window_energy import WindowEnergy

LONG = 200  # sites from which squarings are faster: 1.2 times there, 1.5 at 1000, 8 at 10,000
MAX_TERMS, MAX_LENGTH = 16, 32  # that differ, and windows that one of them changes
KEPT = 16  # arrays of the size of all matrices that torch keeps for a gradient


def exact_energy(net: Any, H: FlipMasks, sector: int | None, others: Sequence[Any] = ()) -> Any:
    """The energy and the gradient of networks of one geometry without noise, prepared.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int or None
        A number of ones, which H keeps.
    others : sequence of (Target, float), optional
        States, and what their overlap costs.

    Returns
    -------
    callable
        From parameters ``(P,)`` to a `Point`.

    Raises
    ------
    BudgetError, OptionError
        If contractions are too dear, or the family of the network has no collapsed form.
    RangeError
        If one of the other states vanishes.
    ExtraError
        If torch is not installed.
    """
    if sector is None and not others and net.nsites >= LONG:
        try:
            return RingEnergy(net, H)
        except MethodError:
            pass
    return WindowEnergy(net, H, others, sector)


class RingEnergy:
    """The energy of rings of shared weights by powers of their transfer matrix.

    Parameters
    ----------
    net : ConvAC
    H : FlipMasks
        Few terms that differ, of few neighbouring sites each.

    Raises
    ------
    MethodError
        If the network or the operator is another one.
    ExtraError
        If torch is not installed.
    """

    def __init__(self, net: Any, H: FlipMasks) -> None:
        planned = planned_transfer(net)
        if planned is None or not planned.sites.ring:
            raise MethodError("transfer matrices are those of rings of shared weights.")
        _check_cost(planned.sites, planned)  # tables of all codes of a window are to follow
        self._prepared = TransferEnergy(net.geometry, H._terms)
        batches = self._prepared.batches
        terms = sum(len(batch.counts) for batch in batches)
        if terms > MAX_TERMS or max((batch.length for batch in batches), default=0) > MAX_LENGTH:
            raise MethodError("terms differ too much, or reach too far, for transfer matrices.")
        _check_cost(self._prepared.sites, planned)
        self._torch = TorchCopy(net, "method='exact'")

    def __call__(self, theta: np.ndarray) -> Point:
        """Energy and gradient at parameters.

        Raises
        ------
        RangeError
            If the state vanishes.
        """
        net, x = self._torch.at(theta)
        mean = self._prepared.mean(net)
        energy = float(mean.detach())
        gradient = self._torch.gradient(x, [mean], [np.ones(())])
        return Point(energy, 0.0, gradient, math.nan, np.array([energy]), np.ones(1))


def _check_cost(sites, planned):
    """Refuse transfer matrices that are too large.

    Raises
    ------
    MethodError
    """
    cost = transfer_cost(sites, planned.pairs, planned.like)
    if KEPT * cost.bytes > MAX_BYTES:
        raise MethodError(f"transfer matrices of {cost.bytes:.3g} bytes are too large.")
