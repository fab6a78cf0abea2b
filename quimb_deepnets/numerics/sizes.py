"""Sizes in words, sizes that a state must have, and the precision of an array.

::

    1572864      ->  "1.5 MiB"
    2**2000      ->  "10**602"
    norm 0, nan  ->  RangeError
    float64      ->  2.2e-16
"""

import math

import numpy as np
from autoray import get_dtype_name

from ..errors import RangeError


def readable_bytes(count):
    """Bytes in the unit that suits, ``"1.5 MiB"``."""
    if count < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        count = count / 1024 if count < 1024**20 else math.inf
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1e} EiB" if math.isfinite(count) else "far more"


def readable_count(count):
    """A whole number in three digits, or as a power of ten where floats do not hold it.

    Examples
    --------
    >>> from quimb_deepnets.numerics.sizes import readable_count
    >>> readable_count(76400000), readable_count(2**2000)
    ('7.64e+07', '10**602')
    """
    return f"{count:.3g}" if count < 2**1000 else f"10**{math.log10(count):.0f}"


def check_norm(size):
    """Refuse a state, by the size of its norm, that is zero or not finite."""
    if not (size > 0 and math.isfinite(size)):
        raise RangeError(
            f"the state has norm {size}, so it cannot be normalised and has no expectation values "
            "and no entanglement; it must not vanish, and its entries must be finite."
        )


def epsilon(x):
    """The precision of the dtype of an array."""
    return float(np.finfo(get_dtype_name(x)).eps)
