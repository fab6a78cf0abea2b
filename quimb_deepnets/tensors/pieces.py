"""The tensors of a collapsed network from its pieces, and what they may take.

::

    pieces    (WINDOW, kind, legs)  (READOUT, None, legs)  ...
                 |                     |
    numbers   {(WINDOW, kind): array, exponent}            equal pieces hold one array
"""

import math

from autoray import do
from quimb.tensor import Tensor

from ..errors import BudgetError, OptionError, check_positive_int
from ..geometry.expansion import WINDOW
from ..hyper.memory import free_bytes
from ..numerics.sizes import readable_count

MAKING = 6  # times the bytes of window tensors that are held while they are made


def tensors_of(pieces, numbers, M):
    """Tensors of pieces from their numbers by tag and kind, ``(rows, channels)`` of a window.

    Each is a pair of an array and an exponent. Tensors of one kind hold one array.

    Returns
    -------
    tensors : list[Tensor]
    exponent : float
        Of the power of two before all of them.
    """
    tensors, exponents, made = [], [], {}
    for tag, kind, inds in pieces:
        data, exponent = numbers[tag, kind]
        if tag == WINDOW:
            if kind not in made:
                shape = -1, *(M,) * (len(inds) - 1)
                made[kind] = do("transpose", data, (1, 0)).reshape(shape)
            data = made[kind]
        tensors.append(Tensor(data, inds, (tag,)))
        exponents.append(exponent)
    return tensors, math.fsum(exponents)


def check_bytes(need, like, max_bytes, more=""):
    """Refuse window tensors that need more memory than is allowed, or to make than there is.

    ``like`` is one of the weights, which say where they are made; ``more`` says what other forms
    would take.
    """
    check_positive_int("max_bytes", max_bytes, OptionError)
    words = f"the window tensors need {readable_count(need)} bytes"
    if need > max_bytes:
        raise BudgetError(
            f"{words}, more than max_bytes={max_bytes}, because a "
            f"branch depends on many sites{more}; evaluate amplitudes without them "
            "(log_amplitudes), use fewer layers or smaller kernels, or raise max_bytes."
        )
    if MAKING * need > (have := free_bytes([like])):
        raise BudgetError(
            f"{words}, and making them {MAKING} times as many, more than the {have} that are free "
            f"here{more}; evaluate amplitudes without them (log_amplitudes), or use "
            "fewer layers or smaller kernels."
        )
