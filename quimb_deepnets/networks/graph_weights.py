"""The weights of graph states: layers that move bits to one node, and one that turns its phase.

::

    phase layer      exp(i angle a b)          a sum over the signs (-1)**(f a + g b)
                          |
    moving layers    a, b at one node          a from one tap, each b from another, K - 1 away
"""

import itertools

import numpy as np

from ..errors import GeometryError


def count_moves(shifts, kernel):
    """How many layers `moves` gives, without them; dimensions of kernel 1 do not move."""
    per_axis = zip(zip(*shifts), kernel)
    ways = [(max(0, *far), max(0, *(-x for x in far)), k - 1) for far, k in per_axis if k > 1]
    return max((sum(-(-far // step) for far in (up, down)) for up, down, step in ways), default=0)


def moves(shifts, kernel, boundary):
    """For each layer, the taps that site and partners are read from: ``1 + m`` tuples.

    Along each dimension partners first move up, then down, by at most a kernel less one in a layer;
    where they move down, the site and those that stay are read from a tap above them.
    """
    for d, k in enumerate(kernel):
        far = [shift for shift in shifts if shift[d]]
        if k == 1 and far:
            raise GeometryError(
                f"kernel={kernel} never moves along a dimension of kernel 1, but distance="
                f"{far[0]} does; use a kernel of at least 2 there."
            )
    if boundary == "omit" and len(shifts) > 1 and any(x < 0 for shift in shifts for x in shift):
        raise GeometryError(
            f"some of the distances {shifts} lead back, and with boundary='omit' sites near an "
            "edge would then miss partners; reverse them, which joins the same pairs, or use "
            "boundary='periodic'."
        )
    per_axis = [list(_taps_along([s[d] for s in shifts], k)) for d, k in enumerate(kernel)]
    still = (0,) * (len(shifts) + 1)
    for taps in itertools.zip_longest(*per_axis, fillvalue=still):
        yield list(zip(*taps))


def _taps_along(distances, kernel):
    """The taps of each layer along one dimension."""
    for sign in (1, -1):
        left = [max(0, sign * d) for d in distances]
        while any(left):
            steps = [min(kernel - 1, d) for d in left]
            left = [d - step for d, step in zip(left, steps)]
            yield (0, *steps) if sign > 0 else tuple(max(steps) - x for x in (0, *steps))


def moving_layer(kernel, taps, first):
    """Weights ``(*kernel, channels, in)`` that read each bit from a tap of its own.

    Channel ``(f, g, ...)``, in binary, is ``(-1)**(f a + g b + ...)``. The first layer makes the
    signs of bits from one-hot sites; the others select the channel of the bits that a tap gives.
    All other taps read 1. A bit that is missing counts as 0.
    """
    channels = 2 ** len(taps)
    bits = np.arange(channels)[:, None] >> np.arange(len(taps))[::-1] & 1  # (channels, bits)
    weights = np.zeros((*kernel, channels, 2 if first else channels))
    for tap in itertools.product(*map(range, kernel)):
        read = bits * [tap == x for x in taps]
        if first:
            weights[tap] = (-1.0) ** (read.sum(1)[:, None] * [0, 1])
        else:
            weights[(*tap, np.arange(channels), read @ (1 << np.arange(len(taps))[::-1]))] = 1
    return weights


def _phases(angles):
    """``exp(i angles)``, exact at multiples of a quarter turn."""
    phases = np.exp(1j * angles)
    for part in (phases.real, phases.imag):
        part[abs(part) < 1e-14] = 0
    return phases


def phase_layer(kernel, angles, start):
    """Weights ``([*positions,] *kernel, 1, channels)`` of the last layer: the phase at tap 0.

    The phase as a function of the bits is a sum of signs, by a Walsh transform.
    """
    count = len(angles) + 1
    bits = np.arange(2**count)[:, None] >> np.arange(count)[::-1] & 1
    axes = tuple(range(1, angles.ndim))
    turned = np.roll(angles, [-x for x in start], axis=axes) if axes else angles
    total = np.tensordot(bits[:, :1] * bits[:, 1:], turned, axes=(1, 0))  # (bits, *positions)
    signs = (-1.0) ** (bits @ bits.T) / 2**count
    rows = np.moveaxis(np.tensordot(signs, _phases(total), axes=(1, 0)), 0, -1)
    weights = np.zeros((*angles.shape[1:], *kernel, 1, 2**count), complex)
    weights[..., 0] = 1
    weights[(..., *(0,) * (len(kernel) + 1), slice(None))] = rows  # type: ignore[index]
    return weights
