"""Configurations packed into words of 64 bits, and the codes of windows read from these.

A digit takes as few bits as its dimension asks for, and the first one stands highest. Sites that
follow each other in a window are then one piece of a word, if all values of their bits are digits::

    digits of qubits     0 1 1 0 1 0 ...          words (W, B)    011010...   64 sites in each
    a window of a ring   [1 1 0 1]                                 [1101]     (word >> shift) & mask
    one around its end   1 0] ... [0 1            two pieces: code = piece * base + piece
"""

from typing import Any, NamedTuple

import numpy as np

from .compiled import in_threads, loop

BITS = 64
LEAST = 2**18  # numbers that are worth a thread


class FlatWindows(NamedTuple):
    """Windows of any widths one after the other, and where the table of each one starts.

    ``sites`` has shape ``(sum of widths,)``, int32, ``first`` ``(P + 1,)`` and ``starts``
    ``(P,)``, int64.
    """

    sites: np.ndarray
    first: np.ndarray
    starts: np.ndarray


class PackedWindows(NamedTuple):
    """The same windows in pieces of words.

    A piece ``(word, shift, mask, base)`` is ``(words[word] >> shift) & mask``, and takes ``base``
    values; ``pieces`` has shape ``(n, 4)``, uint64. Window ``p`` has those from ``first[p]`` to
    ``first[p + 1]``, and its table starts at ``starts[p]``, int64.
    """

    pieces: np.ndarray
    first: np.ndarray
    starts: np.ndarray


def digit_bits(phys_dim: int) -> int:
    """How many bits of a word a digit takes.

    Examples
    --------
    >>> from quimb_deepnets.kernels.words import digit_bits
    >>> [digit_bits(d) for d in (1, 2, 3, 4, 5)]
    [1, 1, 2, 2, 3]
    """
    return max(1, (phys_dim - 1).bit_length())


def packed_windows(windows: FlatWindows, phys_dim: int) -> PackedWindows:
    """The pieces of words that hold the sites of windows.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.words import FlatWindows, packed_windows
    >>> sites = np.array([1, 2, 3, 3, 0], "int32")
    >>> packed_windows(FlatWindows(sites, np.array([0, 3, 5]), np.zeros(2, int)), 2).pieces.tolist()
    [[0, 60, 7, 8], [0, 60, 1, 2], [0, 63, 1, 2]]
    """
    bits = digit_bits(phys_dim)
    each = BITS // bits
    sites, P = windows.sites.astype(np.int64), len(windows.starts)
    begins = np.ones(len(sites), bool)
    if phys_dim == 2**bits:
        begins[1:] = (np.diff(sites) != 1) | (sites[1:] % each == 0)
        begins[windows.first[:P][np.diff(windows.first) > 0]] = True
    first = np.flatnonzero(begins)
    counts = np.diff(np.append(first, len(sites)))
    last = sites[first] + counts - 1
    pieces = np.empty((len(first), 4), np.uint64)
    pieces[:, 0], pieces[:, 1] = last // each, bits * (each - 1 - last % each)
    pieces[:, 2], pieces[:, 3] = 2 ** (bits * counts) - 1, phys_dim**counts
    return PackedWindows(pieces, np.searchsorted(first, windows.first), windows.starts)


@loop
def pack_configs(x, bits, start, stop, out):
    """Pack ``x[start:stop]`` of ``(B, N)`` to columns of ``out`` ``(W, stop - start)``.

    Returns
    -------
    numpy.uint64
        The largest entry; negative ones count as larger than all others.
    """
    each, largest = BITS // bits, np.uint64(0)
    for b in range(start, stop):
        for w in range(len(out)):
            some, word = x[b, w * each : (w + 1) * each], np.uint64(0)
            for j in range(len(some)):
                digit = np.uint64(some[j])
                largest = max(largest, digit)
                word |= digit << np.uint64(bits * (each - 1 - j))
            out[w, b - start] = word
    return largest


@loop
def pack_digits(x, bits, start, stop, out):
    """Pack columns ``start`` to ``stop`` of digits ``(N, B)`` to those of ``out`` ``(W, B)``."""
    each = BITS // bits
    for w in range(len(out)):
        word = out[w, start:stop]
        for b in range(len(word)):
            word[b] = 0
        for n in range(w * each, min(len(x), (w + 1) * each)):
            digit, shift = x[n, start:stop], np.uint64(bits * (each - 1 - n % each))
            for b in range(len(word)):
                word[b] |= np.uint64(digit[b]) << shift


@loop
def window_codes(words, windows, p, out):
    """The rows of the table ``(windows, b)`` that words ``(W, b)`` select, from window p on."""
    pieces, first, starts = windows
    count = words.shape[1]
    for i in range(len(out)):
        code, start = out[i], np.uint32(starts[p + i])
        for b in range(count):
            code[b] = 0
        for j in range(first[p + i], first[p + i + 1]):
            word, shift, mask = words[pieces[j, 0]], pieces[j, 1], pieces[j, 2]
            base = np.uint32(pieces[j, 3])
            for b in range(count):
                code[b] = np.uint32(code[b] * base) + np.uint32((word[b] >> shift) & mask)
        for b in range(count):
            code[b] = np.uint32(code[b] + start)


def word_count(nsites: int, phys_dim: int) -> int:
    """How many words hold the digits of so many sites."""
    return -(-nsites // (BITS // digit_bits(phys_dim)))


def packed(x: Any, phys_dim: int) -> np.ndarray:
    """Digits ``(N, B)``, uint8, as words ``(W, B)``, uint64.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.kernels.words import packed
    >>> words = packed(np.array([[0, 1], [1, 1], [1, 0]], "uint8"), 2)
    >>> [f"{int(word):064b}"[:4] for word in words[0]]
    ['0110', '1100']
    """
    out = np.empty((word_count(len(x), phys_dim), x.shape[1]), np.uint64)
    bits = digit_bits(phys_dim)
    part = lambda start, stop: pack_digits(x, bits, start, stop, out)
    in_threads(part, x.shape[1], LEAST // max(1, len(x)))
    return out
