"""Derivatives of log psi through two layers, position by position, one configuration at a time.

::

    y[m, i]    = prod_k W1[k, s, i]        s the digit that tap k of position m reads
    z[m, k, c] = sum_i W2[k, c, i] y[m, i]
    psi        = sum_c w_c prod_m prod_k z[m, k, c]**times[k, m]

Where no factor is zero, the derivative by each is that of its logarithm.
"""

import math

import numpy as np

from .compiled import inner_loop, loop


@inner_loop
def _nodes(x, b, reads, first, y):
    """The nodes ``y`` of configuration b, each scaled to 1, and whether none vanishes."""
    for m in range(len(reads)):
        y[m] = 1.0
        for k in range(reads.shape[1]):
            if reads[m, k] >= 0:
                factor = first[k, _row(x, b, reads[m, k], first)]
                for i in range(len(factor)):
                    y[m, i] *= factor[i]
        size = 0.0
        for i in range(y.shape[1]):
            size = max(size, abs(y[m, i]))
        if size == 0:
            return False
        for i in range(y.shape[1]):
            y[m, i] /= size
    return True


@inner_loop
def _row(x, b, site, first):
    """The row of the first layer that a tap reads: a digit, or the sum of all."""
    return np.int64(x[site, b]) if site < len(x) else first.shape[1] - 1


@inner_loop
def _multiply(total, times, c, logs, signs):
    """Multiply channel c by a factor, so many times."""
    logs[c] += times * math.log(abs(total))
    if total < 0 and times % 2:
        signs[c] = -signs[c]


@inner_loop
def _channels(second, times, fixed, ones, y, z, logs, signs):
    """The products of all channels as signs and logarithms, and whether none vanishes."""
    logs[:], signs[:] = 0.0, 1.0
    for k in range(len(second)):
        for c in range(len(logs)):
            if fixed[k]:
                _multiply(ones[k, c], fixed[k], c, logs, signs)
            for m in range(len(y)):
                if times[k, m]:
                    total = 0.0
                    for i in range(y.shape[1]):
                        total += second[k, c, i] * y[m, i]
                    if total == 0:
                        return False
                    z[m, k, c] = total
                    _multiply(total, times[k, m], c, logs, signs)
    return True


@inner_loop
def _shares(readout, logs, signs, by_readout):
    """What each channel is of psi, divided by its weight; whether psi does not vanish."""
    top, psi = -np.inf, 0.0
    for c in range(len(logs)):
        top = max(top, logs[c])
    for c in range(len(logs)):
        by_readout[c] = signs[c] * math.exp(logs[c] - top)
        psi += readout[c] * by_readout[c]
    for c in range(len(logs)):
        by_readout[c] /= psi if psi else 1.0
    return psi != 0


@inner_loop
def _back(x, b, reads, first, second, times, shares, y, z, m, back, row):
    """Add what node m gives to the derivatives of both layers."""
    r1, rows, r2 = y.shape[1], first.shape[1], len(shares)
    head = len(first) * rows * r1
    back[:] = 0.0
    for k in range(len(second)):
        if times[k, m]:
            for c in range(r2):
                share = shares[c] * times[k, m] / z[m, k, c]
                place = head + (k * r2 + c) * r1
                for i in range(r1):
                    row[place + i] += share * y[m, i]
                    back[i] += share * second[k, c, i]
    for k in range(reads.shape[1]):
        if reads[m, k] >= 0:
            place = (k * rows + _row(x, b, reads[m, k], first)) * r1
            for i in range(r1):
                row[place + i] += back[i] * y[m, i]


@loop
def two_layer_rows(x, reads, first, second, times, fixed, readout, start, stop, out):
    """Derivatives by the taps of both layers, for configurations ``start`` to ``stop``.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
    reads : array of int64, shape (M, K1)
        The site that each tap of a position reads, N for a vector of ones, -1 for nothing.
    first : array, shape (K1, d + 1, r1)
        ``W1[k, i, s]`` by digit, then their sum.
    second : array, shape (K2, r2, r1)
    times : array of int64, shape (K2, M)
        How often each tap of the second layer reads each position.
    fixed : array of int64, shape (K2,)
        How often it reads a vector of ones.
    readout : array, shape (r2,)
    out : array, shape (B, (K1 (d + 1) r1) + (K2 r2 r1) + r2)
        By logarithms of ``first``, by ``second``, by ``readout``.

    Returns
    -------
    bool
        Whether no factor was zero; else what was written is not to be used.
    """
    (M, K1), (K2, r2, r1), rows = reads.shape, second.shape, first.shape[1]
    head, tail = K1 * rows * r1, K1 * rows * r1 + K2 * r2 * r1
    y, z, back = np.empty((M, r1)), np.empty((M, K2, r2)), np.empty(r1)
    logs, signs, ones = np.empty(r2), np.empty(r2), second.sum(axis=2)
    for k in range(K2):
        if fixed[k] and (ones[k] == 0).any():
            return False
    for b in range(start, stop):
        row = out[b]
        row[:tail] = 0.0
        if not _nodes(x, b, reads, first, y):
            return False
        if not _channels(second, times, fixed, ones, y, z, logs, signs):
            return False
        if not _shares(readout, logs, signs, row[tail:]):
            return False
        shares = readout * row[tail : tail + r2]
        for m in range(M):
            _back(x, b, reads, first, second, times, shares, y, z, m, back, row)
        for k in range(K2):
            for c in range(r2):
                if fixed[k]:
                    place = head + (k * r2 + c) * r1
                    for i in range(r1):
                        row[place + i] += shares[c] * fixed[k] / ones[k, c]
    return True
