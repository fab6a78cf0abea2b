"""Derivatives of log psi through two layers, position by position, one configuration at a time.

::

    y[m, i]    = prod_k W1[k, s, i]        s the digit that tap k of position m reads
    z[m, k, c] = sum_i W2[k, c, i] y[m, i]
    psi        = sum_c w_c prod_m prod_k z[m, k, c]**times[k, m]

Where no factor is zero, the derivative by each is that of its logarithm.
"""

import math

import numpy as np

from .compiled import loop


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
    (M, K1), (K2, r2, r1), N, rows = reads.shape, second.shape, len(x), first.shape[1]
    head, tail = K1 * rows * r1, K1 * rows * r1 + K2 * r2 * r1
    y, z, back = np.empty((M, r1)), np.empty((M, K2, r2)), np.empty(r1)
    logs, signs, ones = np.empty(r2), np.empty(r2), np.empty((K2, r2))
    for k in range(K2):
        for c in range(r2):
            ones[k, c] = 0.0
            for i in range(r1):
                ones[k, c] += second[k, c, i]
            if fixed[k] and ones[k, c] == 0:
                return False
    for b in range(start, stop):
        row = out[b]
        row[:tail] = 0.0
        logs[:], signs[:] = 0.0, 1.0
        for m in range(M):
            y[m] = 1.0
            for k in range(K1):
                if reads[m, k] >= 0:
                    factor = first[k, x[reads[m, k], b] if reads[m, k] < N else rows - 1]
                    for i in range(r1):
                        y[m, i] *= factor[i]
            size = 0.0
            for i in range(r1):
                size = max(size, abs(y[m, i]))
            if size == 0:
                return False
            for i in range(r1):
                y[m, i] /= size
            for k in range(K2):
                if not times[k, m]:
                    continue
                for c in range(r2):
                    total = 0.0
                    for i in range(r1):
                        total += second[k, c, i] * y[m, i]
                    if total == 0:
                        return False
                    z[m, k, c] = total
                    logs[c] += times[k, m] * math.log(abs(total))
                    if total < 0 and times[k, m] % 2:
                        signs[c] = -signs[c]
        for k in range(K2):
            for c in range(r2):
                if fixed[k]:
                    logs[c] += fixed[k] * math.log(abs(ones[k, c]))
                    if ones[k, c] < 0 and fixed[k] % 2:
                        signs[c] = -signs[c]
        top, psi = logs.max(), 0.0
        for c in range(r2):
            signs[c] *= math.exp(logs[c] - top)
            psi += readout[c] * signs[c]
        if psi == 0:
            return False
        for c in range(r2):
            row[tail + c] = signs[c] / psi
        for m in range(M):
            back[:] = 0.0
            for k in range(K2):
                if not times[k, m]:
                    continue
                for c in range(r2):
                    share = readout[c] * row[tail + c] * times[k, m] / z[m, k, c]
                    place = head + (k * r2 + c) * r1
                    for i in range(r1):
                        row[place + i] += share * y[m, i]
                        back[i] += share * second[k, c, i]
            for i in range(r1):
                back[i] *= y[m, i]
            for k in range(K1):
                if reads[m, k] >= 0:
                    digit = x[reads[m, k], b] if reads[m, k] < N else rows - 1
                    place = (k * rows + digit) * r1
                    for i in range(r1):
                        row[place + i] += back[i]
        for k in range(K2):
            for c in range(r2):
                if fixed[k]:
                    share = readout[c] * row[tail + c] * fixed[k] / ones[k, c]
                    for i in range(r1):
                        row[head + (k * r2 + c) * r1 + i] += share
    return True
