"""The steps of a RAC for a block of configurations that stays in the cache.

States have channels first. What comes in is a matrix product too, of one-hot vectors at the
bottom, and the product with the past is taken in registers::

    digits[t] --> one-hot (M, b) --WI[1]--> new[1] *= WH[1] @ old[1]        (rows, b)
                                  new[1] --WI[2]--> new[2] *= WH[2] @ old[2]
    after a few steps all states are rescaled, a power of two per column
"""

from .compiled import loop
from .tiles import (
    BYTES,
    MULTIPLY,
    MULTIPLY_PAIRS,
    OUTS,
    STORE,
    multiply_tile,
    rescale_columns,
)


@loop
def take_steps(
    digits, start, stop, first, inputs, hidden, powers, count, parts, every, small, work
):
    """All steps; whether no entry came close to underflow.

    Parameters
    ----------
    digits : array of int16, shape (L, B)
    start, stop : int
        Which configurations; the last fills up the block.
    first : array, shape (tiles, M parts, OUTS)
    inputs : array, shape (depth - 1, tiles, count, OUTS)
    hidden : array, shape (depth, tiles, count, OUTS)
    powers : array of float64, shape (depth,)
        The exponents of both matrices of a layer, added up.
    count, parts : int
        Rows of a state that are numbers or parts of numbers, and how many make up a number.
    every : int
        After how many steps to rescale.
    small : float
        How far below the largest of its state an entry may be.
    work : tuple of arrays
        One-hot vectors ``(M parts, b)``; states ``(2, depth, rows, b)``, those before the first
        step in ``[0]``, those after the last in ``[L % 2]``; their exponents ``(depth, b)``;
        and sizes ``(3, b)``.
    """
    onehot, states, exponent, sizes = work
    b, lanes, safe = onehot.shape[1], BYTES // onehot.itemsize, True
    mode = MULTIPLY_PAIRS if parts == 2 else MULTIPLY
    for t in range(len(digits)):
        onehot[:] = 0.0
        for x in range(b):
            onehot[digits[t, min(start + x, stop - 1)] * parts, x] = 1.0
        old, new = states[t % 2], states[(t + 1) % 2]
        for l in range(len(hidden)):
            matrix = inputs[l - 1] if l else first
            below = new[l - 1] if l else onehot
            for i in range(len(matrix)):
                for x in range(0, b, lanes):
                    multiply_tile(matrix[i], below, 0, 1, x, new[l], i * OUTS, STORE)
                    multiply_tile(hidden[l, i], old[l], 0, 1, x, new[l], i * OUTS, mode)
            for x in range(b):
                exponent[l, x] += powers[l] + (exponent[l - 1, x] if l else 0.0)
        if (t + 1) % every == 0 or t + 1 == len(digits):
            for l in range(len(hidden)):
                safe &= rescale_columns(new[l], count, parts, sizes, small, exponent[l])
            if not safe:
                return False
    return safe
