"""Sums over all configurations, or all of a sector.

::

    s0 s1 s2 ...    psi, all of them, once
    (H psi)_s = sum_m <s|H|s + mask_m> psi(s + mask_m)         in blocks of s

    E = <psi|H psi> / <psi|psi>          variance = |(H - E) psi|^2 / <psi|psi>
"""

import math
from typing import Any, NamedTuple

import numpy as np
from autoray import to_numpy

from ..errors import BudgetError, RangeError
from ..numerics.configs import batches
from ..numerics.weights import MAX_BYTES
from .operators import FlipMasks
from .sectors import MAX_SITES, codes_of, sector_configs, sector_size

BLOCK = 2**22  # bytes of the coefficients of a block of configurations


class FullState(NamedTuple):
    """All amplitudes of a sector, and what the operator makes of them.

    Attributes
    ----------
    configs : numpy.ndarray of int, shape (count, N)
    psi : numpy.ndarray, shape (count,)
        Normalised to sum ``|psi|^2`` = 1.
    image : numpy.ndarray, shape (count,)
        ``H psi``.
    """

    configs: np.ndarray
    psi: np.ndarray
    image: np.ndarray

    @property
    def mean(self) -> complex:
        """``<psi|H|psi>``."""
        return np.vdot(self.psi, self.image)

    @property
    def variance(self) -> float:
        """``|(H - E) psi|^2``."""
        return float(np.sum(abs(self.image - self.mean.real * self.psi) ** 2))

    @property
    def weights(self) -> np.ndarray:
        """Probabilities, ``(count,)``."""
        return abs(self.psi) ** 2

    @property
    def local_energies(self) -> np.ndarray:
        """``(H psi)(s) / psi(s)``, ``(count,)``; 0 where psi(s) is 0."""
        there = self.psi != 0
        return np.where(there, self.image / np.where(there, self.psi, 1), 0)


def full_bytes(net: Any, sector: int | None) -> int:
    """The bytes that `full_state` needs at its peak, not counting a block of coefficients."""
    return sector_size(net.nsites, net.phys_dim, sector) * (2 * net.nsites + 8 + 6 * 16)


def full_state(
    net: Any, H: FlipMasks, sector: int | None = None, max_bytes: float = MAX_BYTES
) -> FullState:
    """All amplitudes of a network in a sector, and the operator applied to them.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int, optional
        A number of ones, which H keeps.
    max_bytes : float, optional
        Refuse sums that need more.

    Returns
    -------
    FullState

    Raises
    ------
    BudgetError
        If there are too many configurations.
    RangeError
        If all amplitudes of the sector are zero.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.full import full_state
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> net = qdn.RBM.rand(4, seed=0)
    >>> H = FlipMasks({(0, 1): qu.ham_heis(2)}, net.sites)
    >>> full_state(net, H, sector=2).psi.shape
    (6,)
    """
    need, N = full_bytes(net, sector), net.nsites
    if need > max_bytes or net.phys_dim**N >= 2**MAX_SITES:
        count = sector_size(N, net.phys_dim, sector)
        raise BudgetError(
            f"a sum over {count} configurations needs {need:.3g} bytes, and {max_bytes:.3g} are "
            'allowed; use method="sample" or "exact", or a smaller sector.'
        )
    configs = sector_configs(N, net.phys_dim, sector)
    psi = _amplitudes(net, configs, sector)
    codes = None if sector is None else codes_of(configs, net.phys_dim)
    image = np.zeros(len(psi), np.result_type(psi, H.dtype))
    size = max(1, BLOCK // (16 * len(H.masks)))
    for part in batches(len(configs), size):
        _add_images(image, psi, H, configs[part], part, codes)
    return FullState(configs, psi, image)


def _amplitudes(net, configs, sector):
    """Normalised amplitudes as numpy numbers, the smallest of them rounded to zero."""
    if sector is None:
        psi = to_numpy(net._bare()._scaled_state(math.inf).even_out(vanishing=True)[0])
    else:
        shaped = configs.reshape(-1, *net.geometry.shape)
        phase, logabs = map(to_numpy, net._bare().log_amplitudes(shaped))
        top = logabs.max()
        psi = phase * np.exp(logabs - (top if np.isfinite(top) else 0.0))
    psi = psi.reshape(-1).astype(np.result_type(psi.dtype, np.float64))
    norm = np.linalg.norm(psi)
    if not norm:
        where = "" if sector is None else f" with {sector} ones"
        raise RangeError(
            f"all amplitudes of configurations{where} are zero, so the state vanishes; use other "
            "weights, or another sector."
        )
    return psi / norm


def _add_images(image, psi, H, configs, part, codes):
    """Add what H makes of the amplitudes of some configurations; scatters by mask.

    All configurations of one mask go to different places.
    """
    coefficients = H.coefficients(configs)
    for m, mask in enumerate(H.masks):
        rows = coefficients[:, m].nonzero()[0]
        if not rows.size:
            continue
        to = codes_of((configs[rows] + mask) % H.phys_dim, H.phys_dim)
        if codes is not None:
            to = np.searchsorted(codes, to)
        image[to] += coefficients[rows, m] * psi[part][rows]
