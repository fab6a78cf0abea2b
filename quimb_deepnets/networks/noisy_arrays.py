"""Arrays in one flat vector, so that noise on all of them is one draw.

The draws of an array are its real parts, then its imaginary ones, array after array::

    normal   re re re im im im | re im        as the generator gives them
    flat     c  c  c           | c            numbers of all arrays
"""

import itertools
import math
import numbers

import numpy as np

from ..errors import OptionError

NOISE = 0.3  # of log|psi|**2, in nats, by an estimate from above
KEPT = 2**16  # weights of an architecture whose plan is remembered: integers for each row


class NoisyArrays:
    """Where each array is, and how large its noise.

    Parameters
    ----------
    shapes : sequence of tuple[int]
    sizes : sequence of float
        Standard deviations.
    is_complex : bool

    Attributes
    ----------
    dtype : type
        Of the flat vector, float or complex.
    parts : list[slice]
        Of each array in it.
    count : int
        How many numbers with a normal distribution a draw takes.
    """

    def __init__(self, shapes, sizes, is_complex):
        self.shapes, self.sizes = shapes, sizes
        self.dtype = complex if is_complex else float
        ends = [0, *itertools.accumulate(map(math.prod, shapes))]
        self.parts = list(map(slice, ends, ends[1:]))
        self.count = ends[-1] * (2 if is_complex else 1)

    def with_noise(self, flat, normal, scale, dtype):
        """The arrays, read-only, from numbers and ``count`` normal draws; both are overwritten."""
        numbers, start = [flat.real, flat.imag] if self.dtype is complex else [flat], 0
        for part, size in zip(self.parts, self.sizes):
            for target in numbers:
                draws = normal[start : start + part.stop - part.start]
                draws *= scale * size / math.sqrt(len(numbers))
                target[part] += draws
                start += len(draws)
        flat = flat.astype(dtype, copy=False)
        flat.flags.writeable = False
        return [flat[part].reshape(shape) for part, shape in zip(self.parts, self.shapes)]


def noise_of(loc, scale, dtype):
    """The size of the noise; a mean that is not 0, and what is not a number >= 0, are refused."""
    if loc != 0:
        raise OptionError(f"loc={loc!r} does not go with dist='entangled'; leave it at 0.")
    largest = np.finfo(dtype).max / 2**10
    if not isinstance(scale, numbers.Real) or not 0 <= float(scale) < largest:
        raise OptionError(
            f"scale={scale!r} is not the size of a noise; give a number >= 0, below {largest:.2g} "
            f"for {dtype}."
        )
    return float(scale)
