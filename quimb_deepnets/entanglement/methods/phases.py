"""Method "phases": blocks of a weighted graph state of any size and angles, in closed form.

Gates inside either side change no entropy, and a site of B sees a block only through the gates that
cross, so each is summed over by itself::

    a a a  A        rho(s, s') = prod over b of (1 + exp(i sum_a angle_ab (s_a - s'_a))) / 2
     \\|X            up to the phases of the gates inside A
      b b  B

Hartmann, Calsamiglia, Duer, Briegel, J. Phys. B 40, S1 (2007).
"""

import numpy as np

from ..registry import Method, add_method
from ..spectra import spectrum_of_density
from ..views import Cost, as_flops


def _crossing(view, places):
    """The sites of the block and of the rest that gates join, and the angles ``(a, b)``."""
    edges, angles = view.views["phases"].value
    inside = np.isin(edges, places)
    crossing = inside[:, 0] != inside[:, 1]
    pairs = np.where(inside[:, :1], edges, edges[:, ::-1])[crossing]
    mine, rows = np.unique(pairs[:, 0], return_inverse=True)
    theirs, columns = np.unique(pairs[:, 1], return_inverse=True)
    matrix = np.zeros((len(mine), len(theirs)))
    matrix[rows, columns] = angles[crossing]
    return mine, theirs, matrix


def cost(view, places, what="spectrum"):
    """A factor for each site outside and each entry of the density matrix, and its spectrum."""
    mine, theirs, _ = _crossing(view, places)
    if what == "spectrum":
        n, others = sorted((len(mine), len(theirs)))
    else:
        n, others = len(places), len(theirs)
    return Cost(64 * 4**n, as_flops(4**n * 8 * (others + 1) + 8 * 8**n))


def spectrum(view, places, progbar=False):
    """From the side that has the fewer sites with gates across."""
    _, _, matrix = _crossing(view, places)
    return spectrum_of_density(_summed(matrix if len(matrix) <= len(matrix.T) else matrix.T))


def density(view, places, progbar=False):
    """The density matrix of the places, in their order."""
    mine, _, matrix = _crossing(view, places)
    place = {site: i for i, site in enumerate(places)}
    angles = np.zeros((len(places), matrix.shape[1]))
    angles[[place[site] for site in mine]] = matrix
    within = np.zeros((len(places), len(places)))
    for (a, b), angle in zip(*view.views["phases"].value):
        if a in place and b in place:
            within[place[a], place[b]] = angle
    bits = _bits(len(places))
    phases = np.exp(1j * np.einsum("sa,ab,sb->s", bits, within, bits))
    return phases[:, None] * _summed(angles) * phases.conj()


def _bits(n):
    """All configurations of n bits, the last one fastest."""
    return np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1


def _summed(angles):
    """The sum over the sites of one side, as a matrix of configurations of the other."""
    turns = _bits(len(angles)) @ angles  # (2**a, b)
    rho = np.full((len(turns),) * 2, 1 / len(turns), complex)
    for turn in turns.T:
        rho *= (1 + np.exp(1j * (turn[:, None] - turn))) / 2
    return rho


add_method(Method("phases", "phases", cost, spectrum, density=density, squares=True))
