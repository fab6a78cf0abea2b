"""Which position of the layer below each tap reads.

::

    positions of layer l       0  1  2  3
    tap 0 reads, open edges    4  0  1  2     4 is one beyond the last: outside
"""

import functools

import numpy as np


@functools.lru_cache(1024)
def tap_index(geometry, l, tap):
    """For each position of layer ``l``, the position that ``tap`` reads; outside, one beyond."""
    beyond = int(np.prod(geometry.layer_shape(l - 1)))
    return np.array([beyond if q is None else q for q in geometry.tap_inputs(l, tap)])
