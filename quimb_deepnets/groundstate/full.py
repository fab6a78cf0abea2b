"""Sums over all configurations, or all of a sector.

::

    s0 s1 s2 ...    psi, all of them, once
    (H psi)_s = sum_m <s|H|s + mask_m> psi(s + mask_m)         in blocks of s

    E = <psi|H psi> / <psi|psi>          variance = |(H - E) psi|^2 / <psi|psi>
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from autoray import do, stop_gradient, to_numpy

from ..errors import BudgetError, RangeError
from ..numerics.configs import batches
from ..numerics.weights import MAX_BYTES
from .operators import FlipMasks
from .sectors import MAX_SITES, codes_of, sector_configs, sector_size

BLOCK = 2**22  # bytes of the coefficients of a block of configurations
MATRIX = 2**29  # bytes of a matrix that is kept


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
    return FullOperator(net, H, sector, max_bytes).state_of(net)


class FullOperator:
    """An operator on all configurations of a sector, kept between networks of one geometry.

    Parameters
    ----------
    net : DeepNetwork
    H : FlipMasks
    sector : int, optional
        A number of ones, which H keeps.
    max_bytes : float, optional
        Refuse sums that need more.
    keep : bool, optional
        Keep a matrix for many states, where it is not too large.

    Attributes
    ----------
    configs : numpy.ndarray of int, shape (count, N)

    Raises
    ------
    BudgetError
        If there are too many configurations.
    """

    def __init__(
        self,
        net: Any,
        H: FlipMasks,
        sector: int | None = None,
        max_bytes: float = MAX_BYTES,
        keep: bool = False,
    ) -> None:
        need, N = full_bytes(net, sector), net.nsites
        if need > max_bytes or net.phys_dim**N >= 2**MAX_SITES:
            count = sector_size(N, net.phys_dim, sector)
            raise BudgetError(
                f"a sum over {count} configurations needs {need:.3g} bytes, and {max_bytes:.3g} "
                'are allowed; use method="sample" or "exact", or a smaller sector.'
            )
        self.H, self.sector = H, sector
        self.configs = sector_configs(N, net.phys_dim, sector)
        self._codes = None if sector is None else codes_of(self.configs, net.phys_dim)
        small = 24 * len(self.configs) * len(H.masks) <= MATRIX
        self._matrix = self._as_matrix() if keep and small else None

    def state_of(self, net: Any) -> FullState:
        """All amplitudes of a network, normalised, and the operator applied to them.

        Raises
        ------
        RangeError
            If all amplitudes of the sector are zero.
        """
        return self.of_amplitudes(to_numpy(self.amplitudes(net._bare())))

    def of_amplitudes(self, psi: np.ndarray) -> FullState:
        """The state of amplitudes of any norm."""
        psi = psi.astype(np.result_type(psi.dtype, np.float64), copy=False)
        norm = np.linalg.norm(psi)
        if not norm:
            where = "" if self.sector is None else f" with {self.sector} ones"
            raise RangeError(
                f"all amplitudes of configurations{where} are zero, so the state vanishes; use "
                "other weights, or another sector."
            )
        return FullState(self.configs, psi / norm, self.applied(psi / norm))

    def amplitudes(self, net: Any) -> Any:
        """All amplitudes of a network in units of one of the largest, ``(count,)``.

        The smallest of them are rounded to zero. Weights of torch may be differentiated.
        """
        if self.sector is None:
            return net._scaled_state(math.inf).even_out(vanishing=True)[0].reshape(-1)
        shaped = self.configs.reshape(-1, *net.geometry.shape)
        phase, logabs = net.log_amplitudes(shaped)
        top = float(stop_gradient(logabs).max())
        return phase * do("exp", logabs - (top if math.isfinite(top) else 0.0))

    def applied(self, psi: np.ndarray) -> np.ndarray:
        """``H psi``."""
        if self._matrix is not None:
            return self._matrix @ psi
        image = np.zeros(len(psi), np.result_type(psi, self.H.dtype))
        for to, rows, coefficients in self._moves():
            image[to] += coefficients * psi[rows]
        return image

    def _as_matrix(self):
        size = len(self.configs)
        to, rows, coefficients = map(np.concatenate, zip(*self._moves()))
        return scipy.sparse.csr_array((coefficients, (to, rows)), shape=(size, size))

    def _moves(self):
        """For blocks of configurations and each mask where they go, and with what coefficients.

        All configurations of one mask go to different places.
        """
        d, size = self.H.phys_dim, max(1, BLOCK // (16 * len(self.H.masks)))
        for part in batches(len(self.configs), size):
            coefficients = self.H.coefficients(self.configs[part])
            for m, mask in enumerate(self.H.masks):
                rows = coefficients[:, m].nonzero()[0]
                to = codes_of((self.configs[part][rows] + mask) % d, d)
                if self._codes is not None:
                    to = np.searchsorted(self._codes, to)
                yield to, part.start + rows, coefficients[rows, m]
