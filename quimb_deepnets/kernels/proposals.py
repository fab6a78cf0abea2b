"""What Metropolis chains propose, and the random numbers that they draw.

Whatever is proposed, the way back is as likely::

    flip       0 1 1 0 1  -->  0 0 1 0 1      one site
    exchange   0 1 1 0 1  -->  1 0 1 0 1      two sites of different digits
    many       0 1 1 0 1  -->  1 1 0 0 0      each site with a probability from 1 / N to 1
    shuffle    0 1 1 0 1  -->  1 1 0 0 1      some sites permute their digits
    all        0 1 1 0 1  -->  1 0 0 1 0      every site alike
    masks                                     one of given masks is added, or taken away

The generator is xoshiro256++ (Blackman and Vigna, arXiv:1805.01407).
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import inner_loop, lean_loop

FLIP, EXCHANGE, MANY, SHUFFLE, ALL, MASKS = range(6)
TRIES = 64  # to find a site of another digit
U12, U17, U19, U23, U32, U41, U45 = map(np.uint64, (12, 17, 19, 23, 32, 41, 45))


class ChainMoves(NamedTuple):
    """Which changes are proposed: kind i, the first whose ``below[i]`` is above a uniform number.

    Mask ``i`` adds ``added`` to the ``sites`` from ``starts[i]`` to ``starts[i + 1]``, all int32;
    where ``fixed``, the sum of the digits must not change.
    """

    below: np.ndarray
    starts: np.ndarray
    sites: np.ndarray
    added: np.ndarray
    fixed: bool


# ---------------------------------------------------------------- random numbers


@inner_loop
def next_word(words):
    """64 random bits, from the four words of a generator."""
    mixed = words[0] + words[3]
    out = ((mixed << U23) | (mixed >> U41)) + words[0]
    shifted = words[1] << U17
    words[2] ^= words[0]
    words[3] ^= words[1]
    words[1] ^= words[2]
    words[0] ^= words[3]
    words[2] ^= shifted
    words[3] = (words[3] << U45) | (words[3] >> U19)
    return out


@inner_loop
def uniform(words):
    """A random number between 0 and 1, neither of them."""
    return ((next_word(words) >> U12) + 0.5) * 2.0**-52


@inner_loop
def integer(words, count):
    """A random integer below ``count``."""
    return np.int64(((next_word(words) >> U32) * np.uint64(count)) >> U32)


# ---------------------------------------------------------------- proposals


@inner_loop
def propose(x, phys_dim, moves, words, places):
    """Draw a change of the digits ``x``; how many sites change, which and to what in ``places``."""
    N, count, kind = len(x), 0, 0
    if moves.below[0] < 1:
        u = uniform(words)
        while kind < MASKS and u >= moves.below[kind]:
            kind += 1
    if kind == FLIP:
        n, value = integer(words, N), 1
        if phys_dim > 2:
            value += integer(words, phys_dim - 1)
        value += x[np.uint64(n)]
        places[0, 0], places[1, 0] = n, value - phys_dim if value >= phys_dim else value
        count = 1
    elif kind == EXCHANGE:
        i = integer(words, N)
        for _ in range(TRIES):
            j = integer(words, N)
            if x[i] != x[j]:
                places[0, 0], places[0, 1], places[1, 0], places[1, 1] = i, j, x[j], x[i]
                count = 2
                break
    elif kind == MASKS:
        i = integer(words, len(moves.starts) - 1)
        back = phys_dim > 2 and uniform(words) < 0.5
        for e in range(moves.starts[i], moves.starts[i + 1]):
            n, added = moves.sites[e], moves.added[e]
            places[0, count] = n
            places[1, count] = (x[n] + (phys_dim - added if back else added)) % phys_dim
            count += 1
    else:
        count = _propose_many(x, phys_dim, kind, words, places)
    change = 0
    if moves.fixed:
        for k in range(count):
            change += places[1, k] - x[places[0, k]]
    return 0 if change != 0 else count


@lean_loop
def _propose_many(x, phys_dim, kind, words, places):
    """Change all sites alike, or some of them, or permute the digits of some of them."""
    N, count = len(x), 0
    rate = 1.0 if kind == ALL else math.exp(-math.log(N) * uniform(words))  # 1 / N to 1
    shift = 1 + integer(words, phys_dim - 1)
    for n in range(N):
        if kind == ALL or uniform(words) < rate:
            if kind == MANY:
                shift = 1 + integer(words, phys_dim - 1)
            places[0, count] = n
            places[1, count] = x[n] if kind == SHUFFLE else (x[n] + shift) % phys_dim
            count += 1
    if kind != SHUFFLE:
        return count
    for k in range(count - 1, 0, -1):
        other = integer(words, k + 1)
        places[1, k], places[1, other] = places[1, other], places[1, k]
    changed = 0
    for k in range(count):
        if places[1, k] != x[places[0, k]]:
            places[0, changed], places[1, changed] = places[0, k], places[1, k]
            changed += 1
    return changed
