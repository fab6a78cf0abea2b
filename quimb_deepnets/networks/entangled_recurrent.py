"""Random recurrent networks that are entangled: counts of digits below, a quantum walk on top.

Moduli of a product of layers are flat if every layer but the last only adds phases, and the last
one is unitary. The layers below count, and the last one walks, turned by the counts::

    last layer   h <- (V h) * below      V balanced and unitary: a walk of R states whose phases
                 |                       are the counts, so it spreads over all their powers
    layer 2      sums of counts          permutations: phases add up
                 |
    layer 1      counts of the digits    exp(i STEP (c - mean) m): channel c turns by the count m;
                 |                       channels move on by one place a site, so that sites
    sites        s_1  s_2  s_3  ...      R apart are counted apart

What the sites so far do to the rest is told by the counts and by the state of the walk. For two
layers of two channels that is one count, a binomial of t sites, and one bit at most, so half of N
sites have no more than ``log2(pi e N / 4) / 2 + 1`` bits, nor more than the ``log2(N / 2 + 1) + 1``
of the rank: flat moduli allow half a bit per doubling in the end, and a random network of this kind
has about one up to 128 sites. The count must turn the walk slowly for that: neighbouring
channels that differ by more than 0.7 a site wrap around and repeat, those that differ by less than
0.3 need more sites. R channels count ``R - 1`` classes of sites, and each layer in between adds
sums whose coefficients differ from site to site.

Real moduli are flat only if phases are signs: counts are parities then, a bit each, and one
bit of the walk, ``(depth - 1)(R - 1) + 1`` in all at any size.
"""

import functools
import math

import numpy as np

from .noisy_arrays import KEPT, NOISE, NoisyArrays, noise_of

STEP = 0.5  # radians between neighbouring channels, for each site that is counted
SINGLE_STEP = 2.0  # of one layer, which has no counts to keep apart
READOUT_ANGLE = math.pi / 8  # half way between the directions that a real walk takes


def entangled_recurrence(geometry, rng, loc, scale, dtype):
    """The arrays of an entangled recurrent network.

    Parameters
    ----------
    geometry : RecurrentGeometry
    rng : numpy.random.Generator
    loc : number
        Must be 0.
    scale : float
        Of the noise: 1 is what spreads log|psi|**2 by about 0.3 nats.
    dtype : str

    Returns
    -------
    dict[str, numpy.ndarray]
        By the names of the parameters, in their order: read-only, and finite.

    Raises
    ------
    OptionError
        If ``loc`` is not 0, or ``scale`` is negative, not a number or too large for the dtype.
    """
    scale = noise_of(loc, scale, dtype)
    small = geometry.depth * geometry.bond_dim**2 < KEPT
    plan = (_remembered if small else RecurrentEnsemble)(geometry, dtype.startswith("complex"))
    arrays = plan.draw(rng, scale, dtype)
    initial = np.ones_like(arrays[-1])
    initial.flags.writeable = False
    named = dict.fromkeys(geometry.param_shapes, initial)
    return named | dict(zip((name for name in named if not name.startswith("H0")), arrays))


class RecurrentEnsemble:
    """All that the entangled networks of an architecture have in common.

    Parameters
    ----------
    geometry : RecurrentGeometry
    is_complex : bool
    """

    def __init__(self, geometry, is_complex):
        self.R, self.is_complex, depth = geometry.bond_dim, is_complex, geometry.depth
        turns = _turns(geometry) if is_complex else _signs(geometry)
        eye, readout = np.eye(self.R), _real_readout(self.R)
        hidden = [np.roll(eye, 1, axis=0)] * (depth - 1) + [_rotations(self.R)]
        start = [x for pair in zip(hidden, [turns] + [eye] * (depth - 1)) for x in pair] + [readout]
        least = 1.0 if is_complex else math.sin(READOUT_ANGLE)  # of the moduli
        sizes = [least * size for size in _noise_sizes(geometry) for _ in range(2)]
        shapes = [x.shape for x in start]
        self.arrays = NoisyArrays(shapes, [*sizes, least * NOISE / 4], is_complex)
        self.flat = np.concatenate([np.ravel(x) for x in start]).astype(self.arrays.dtype)

    def draw(self, rng, scale, dtype):
        """A network: the arrays of each layer, and the read-out."""
        flat, R = self.flat.copy(), self.R
        if not self.is_complex:
            normal = rng.standard_normal(self.arrays.count)
            return self.arrays.with_noise(flat, normal, scale, dtype)
        *_, walk, _, readout = self.arrays.parts
        below = rng.standard_normal(2 * walk.start)
        flat[walk] = _fourier(R, rng).ravel()
        above = rng.standard_normal(2 * (readout.start - walk.start))
        vector = rng.standard_normal((2, R))
        flat[readout] = (vector[0] + 1j * vector[1]) / np.linalg.norm(vector)
        normal = np.concatenate([below, above, rng.standard_normal(2 * R)])
        return self.arrays.with_noise(flat, normal, scale, dtype)


_remembered = functools.lru_cache(32)(RecurrentEnsemble)


def _noise_sizes(geometry):
    """The noise of each layer: what enters it at a site reaches the end on many paths."""
    N, depth = geometry.L, geometry.depth
    for below in range(depth - 1, -1, -1):
        paths = math.fsum(math.comb(t + below, below) ** 2 for t in range(N))
        yield NOISE / 2 / math.sqrt(2 * depth * paths)


def _turns(geometry):
    """Phases ``(R, M)``: each channel turns at a pace of its own, by digits from -1 to 1."""
    step = STEP if geometry.depth > 1 else SINGLE_STEP
    paces = step * (np.arange(geometry.bond_dim) - (geometry.bond_dim - 1) / 2)
    return np.exp(1j * np.outer(paces, np.linspace(-1, 1, geometry.phys_dim)))


def _signs(geometry):
    """Signs ``(R, M)``: the first channel alone sees whether a digit is in the upper half."""
    signs = np.ones((geometry.bond_dim, geometry.phys_dim))
    signs[0, np.arange(geometry.phys_dim) * 2 >= geometry.phys_dim] = -1
    return signs


def _fourier(R, rng):
    """A Fourier transform between random phases: all entries have modulus ``R**-0.5``."""
    channels = np.arange(R)
    left, right = np.exp(2j * math.pi * rng.random((2, R)))
    transform = np.exp(2j * math.pi / R * np.outer(channels, channels)) / math.sqrt(R)
    return left[:, None] * transform * right


def _rotations(R):
    """Each pair of channels turned by an eighth of a circle; the last one of an odd number not."""
    matrix = np.eye(R)
    for c in range(0, R - 1, 2):
        matrix[c : c + 2, c : c + 2] = np.array([[1, 1], [-1, 1]]) / math.sqrt(2)
    return matrix


def _real_readout(R):
    return np.pad([math.cos(READOUT_ANGLE), math.sin(READOUT_ANGLE)], (0, R))[:R]
