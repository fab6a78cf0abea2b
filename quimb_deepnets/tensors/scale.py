"""Where the scale of a state is kept: in its tensors where it fits, else in its exponent.

Most methods of quimb look at tensors alone and leave ``exponent`` out, so a scale that floats can
hold belongs there::

    2**e * o--o--o--o        one factor on the last site (MPS),        where |e| fits
                             or a power of two on each tensor          else .exponent
"""

from ..errors import OptionError
from ..numerics.scaled import decimal, float_info

MODES = (False, True, "exponent")


def check_normalize(normalize):
    """Refuse a value of ``normalize=`` that is not one of `MODES`."""
    if not any(normalize is mode or (mode == "exponent" == normalize) for mode in MODES):
        raise OptionError(f"normalize={normalize!r} is not known; use False, True or 'exponent'.")


def place_scale(mps, exponent, normalize, info):
    """Give an MPS of norm 1 with its centre on the last site the norm ``2**exponent``.

    Parameters
    ----------
    mps : MatrixProductState
    exponent : float
    normalize : {False, True, "exponent"}
        See `to_mps`.
    info : dict
        Gets ``"log10_norm"``.
    """
    info["log10_norm"] = decimal(exponent)
    if normalize is True:
        return
    last = mps[mps.site_tag(mps.L - 1)]
    if normalize is False and fits(exponent, last.data):
        last.modify(apply=lambda x: x * 2.0**exponent)
    else:
        mps.exponent = decimal(exponent)


def fits(exponent, like, room=0.0):
    """Whether the square of ``2**exponent`` is well inside the range of a dtype, as norms want.

    Squares lose no digits: they stay above the smallest normal number divided by the precision.
    ``room`` are bits by which a norm may be larger, where ``2**exponent`` bounds entries alone.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.tensors.scale import fits
    >>> fits(400, np.ones(1)), fits(600, np.ones(1)), fits(-600, np.ones(1))
    (True, False, False)
    """
    info = float_info(like)
    return (info.minexp + info.nmant) // 2 < exponent < info.maxexp // 2 - 4 - room


def spread(exponent, count):
    """Integers, as equal as can be, that add up to an integer: one power of two for each tensor.

    Examples
    --------
    >>> from quimb_deepnets.tensors.scale import spread
    >>> spread(-7, 3)
    [-2, -2, -3]
    """
    each, more = divmod(int(exponent), count)
    return [each + (n < more) for n in range(count)]
