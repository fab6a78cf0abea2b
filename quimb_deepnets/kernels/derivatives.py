"""Derivatives of log psi through tables of windows, for a block of configurations.

Most rows of a layer's table read few rows below, again and again. So adjoints are added up where
they are read, per tap and channel, before any matrix acts; both the derivatives by the weights and
the adjoints of the rows below are then products with what is added up. Configurations come last::

    counts (n, b), share of each channel (r, b)
        |  top of all layers: rows of the folded layer
        v
    adjoint (n, rows, b) --cofactors, index--> summed (K, r, n_below + 1, b)
                                                  |            |
                               columns (K, r, r_in, b)    adjoint of the layer below

Complex numbers are pairs of rows; a last row below stands for a vector of ones.
"""

import math
from typing import NamedTuple

import numpy as np

from .compiled import inner_loop, loop
from .rows import size_of
from .tiles import ADD, BYTES, OUTS, STORE, add_rows_tile, multiply_tile
from .words import FlatWindows


class Readers(NamedTuple):
    """Which rows read each row below by each tap: ``rows[starts[k, q]:starts[k, q + 1]]``.

    ``starts`` has shape ``(K, n_below + 2)``, the last row below is one of ones; both are int32.
    """

    starts: np.ndarray
    rows: np.ndarray


class TopRows(NamedTuple):
    """Which rows of the folded table configurations select, and the read-out, over ``scale``."""

    windows: FlatWindows
    phys_dim: int
    readout: np.ndarray
    scale: float


class Fold(NamedTuple):
    """The folded layer.

    ``by_weight`` ``(tiles, n, OUTS)`` are the derivatives of the log of each row by the weights;
    ``by_row`` ``(n, tiles, r parts, OUTS)`` those by what it reads, empty if that are the sites;
    ``reads`` ``(n,)``, int32, the row that each row reads, or n_below.
    """

    by_weight: np.ndarray
    by_row: np.ndarray
    reads: np.ndarray


class BackLayer(NamedTuple):
    """A layer below the folded one.

    ``cofactors`` ``(K, n, r parts)`` are the products of the other factors, channels filled up to
    whole tiles; ``rows`` ``(tiles, (n_below + 1) parts, OUTS)`` is the table below, and a row of
    ones; ``down`` ``(parts, tiles, K r, OUTS)`` are the weights, first what a real part is
    multiplied with.
    """

    readers: Readers
    cofactors: np.ndarray
    rows: np.ndarray
    down: np.ndarray


class Places(NamedTuple):
    """Where the derivatives by the matrices of a layer are written.

    Those by matrix ``k`` start in column ``offsets[k]``, int64, or -1 if no position uses it, and
    are multiplied with ``factors[k]``, float64. A row has ``width`` numbers, or parts.
    """

    offsets: np.ndarray
    factors: np.ndarray
    width: int


@loop
def start_back(x, top, products, powers, parts, start, stop, counts, share, out):
    """How often configurations select each row, and the derivatives by their channels.

    Parameters
    ----------
    x : array of uint8, shape (N, B)
        Digits.
    top : TopRows
    products : array, shape (B, r)
        Of the rows of each channel; overwritten.
    powers : array of float64, shape (B, r)
        Their powers of two.
    parts : int
    start, stop : int
        Which configurations; zeros fill up the block.
    counts : array, shape (n, b)
    share : array, shape (r parts, b)
        The derivative of log psi by the log of each channel's product; nan where psi is zero.
    out : array, shape (B, num_params parts)
        The last columns become the derivatives by the read-out.
    """
    sites, first, starts = top.windows
    base, codes, b = np.uint32(top.phys_dim), np.empty(stop - start, np.uint32), counts.shape[1]
    counts[:] = 0.0
    for p in range(len(starts)):
        codes[:] = 0
        for j in range(first[p], first[p + 1]):
            digit = x[np.uint64(sites[j])]
            for i in range(len(codes)):
                codes[i] = np.uint32(codes[i] * base) + np.uint32(digit[np.uint64(start + i)])
        row = np.uint64(starts[p])
        for i in range(len(codes)):
            counts[row + np.uint64(codes[i]), np.uint64(i)] += 1.0
    place = out.shape[1] - len(share)
    for i in range(b):
        for c in range(len(share)):
            share[c, i] = 0.0
    for i in range(len(codes)):
        values, target = products[start + i], out[start + i]
        _divide_by_sum(values, powers[start + i], top.readout)
        for c in range(len(values)):
            ratio, part = values[c] * top.scale, values[c] * top.readout[c]
            target[place + c * parts], share[c * parts, i] = ratio.real, part.real
            if parts == 2:
                target[place + c * parts + 1], share[c * parts + 1, i] = ratio.imag, part.imag


@inner_loop
def _divide_by_sum(values, powers, weights):
    """Divide ``values * 2**powers`` by their weighted sum; nan where that is zero."""
    highest, total = -math.inf, values[0] * 0
    for c in range(len(values)):
        if values[c] != 0:
            highest = max(highest, powers[c] + math.frexp(size_of(values[c]))[1])
    for c in range(len(values)):
        if values[c] != 0:
            values[c] *= math.ldexp(1.0, int(max(powers[c] - highest, -2000.0)))
            total += weights[c] * values[c]
    inverse = math.nan if total == 0 else 1 / total
    for c in range(len(values)):
        values[c] *= inverse


@loop
def fold_back(counts, share, fold, parts, places, start, stop, column, scratch, below, out):
    """Write derivatives by the weights of the folded layer; adjoints of the rows that it reads.

    Parameters
    ----------
    counts : array, shape (n, b)
    share : array, shape (r parts, b)
        The derivative of log psi by the log of each channel's product.
    fold : Fold
    parts : int
    places : Places
    start, stop : int
    column : array, shape (K r, rows_below, b)
    scratch : array, shape (rows_below, b)
    below : array, shape (n_below, rows_below, b)
    out : array, shape (B, num_params parts)
    """
    by_weight, by_row, reads = fold
    b, lanes, flat = counts.shape[1], BYTES // counts.itemsize, column.reshape(-1, counts.shape[1])
    for t in range(len(by_weight)):
        for x in range(0, b, lanes):
            multiply_tile(by_weight[t], counts, 0, 1, x, flat, t * OUTS, STORE)
    for row in range(len(column)):
        re = share[row * parts % len(share)]
        im = share[row * parts % len(share) + parts - 1]
        for j in range(0, column.shape[1], parts):
            for x in range(b):
                first, second = column[row, j, x], column[row, j + parts - 1, x]
                column[row, j, x] = first * re[x] - (second * im[x] if parts == 2 else 0.0)
                if parts == 2:
                    column[row, j + 1, x] = first * im[x] + second * re[x]
    _write_columns(column, places, start, stop, out)
    below[:] = 0.0
    for i in range(len(by_row)):
        if reads[i] >= len(below):
            continue
        for t in range(by_row.shape[1]):
            for x in range(0, b, lanes):
                multiply_tile(by_row[i, t], share, 0, 1, x, scratch, t * OUTS, STORE)
        node = below[reads[i]]
        for c in range(len(node)):
            for x in range(b):
                node[c, x] += counts[i, x] * scratch[c, x]


@loop
def layer_back(adjoint, layer, parts, places, start, stop, summed, column, below, out):
    """Write derivatives by the weights of a layer; adjoints of the rows that it reads.

    Parameters
    ----------
    adjoint : array, shape (n, rows, b)
        Derivatives of log psi by the rows of this layer.
    layer : BackLayer
    parts : int
    places : Places
    start, stop : int
    summed : array, shape (K r (n_below + 1) parts, b)
        Overwritten.
    column : array, shape (K r, rows_below, b)
    below : array, shape (n_below, rows_below, b)
        Empty if the rows below are sites.
    out : array, shape (B, num_params parts)
    """
    readers, cofactors, rows, down = layer
    b, lanes, each = adjoint.shape[2], BYTES // adjoint.itemsize, rows.shape[1]
    count = len(column) // len(cofactors)
    for row in range(len(column)):
        k, c, place = row // count, row % count * parts, row * each
        first = readers.starts[k]
        if parts == 2:
            some = summed[place : place + each]
            _add_up_pairs(adjoint, readers.rows, first, cofactors[k], c, some)
        elif c % OUTS == 0:
            _add_up(adjoint, readers.rows, first, cofactors[k], c, count, summed, place, each)
        for t in range(len(rows)):
            for x in range(0, b, lanes):
                multiply_tile(rows[t], summed, place, 1, x, column[row], t * OUTS, STORE)
    for q in range(len(below)):
        for part in range(parts):
            mode, first = (ADD if part else STORE), q * parts + part
            for t in range(down.shape[1]):
                for x in range(0, b, lanes):
                    multiply_tile(down[part, t], summed, first, each, x, below[q], t * OUTS, mode)
    _write_columns(column, places, start, stop, out)


@inner_loop
def _add_up(adjoint, rows, first, cofactors, c, count, out, place, step):
    """Add adjoints, times cofactors, up where a tap reads, for some channels from ``c`` on.

    What is read from row ``q`` below goes to row ``place + q`` of ``out``, of the next channel
    ``step`` rows after it.
    """
    b, lanes = adjoint.shape[2], BYTES // adjoint.itemsize
    for q in range(len(first) - 1):
        some = rows[first[q] : first[q + 1]]
        for x in range(0, b, lanes):
            add_rows_tile(cofactors, adjoint, some, c, x, out, place + q, step, count - c)


@inner_loop
def _add_up_pairs(adjoint, rows, first, cofactors, c, out):
    """The same for the pair of parts of one channel, to rows ``(2 n_below, b)``."""
    out[:] = 0.0
    for q in range(len(first) - 1):
        total, other = out[2 * q], out[2 * q + 1]
        for e in range(first[q], first[q + 1]):
            i = rows[e]
            re, im = cofactors[i, c], cofactors[i, c + 1]
            values, more = adjoint[i, c], adjoint[i, c + 1]
            for x in range(len(total)):
                total[x] += re * values[x] - im * more[x]
                other[x] += re * more[x] + im * values[x]


@inner_loop
def _write_columns(column, places, start, stop, out):
    """Write derivatives by the matrices of a layer, ``(K r, rows, b)``, where they belong."""
    offsets, factors, width = places
    r = len(column) // len(offsets)
    for row in range(len(column)):
        offset, factor, values = offsets[row // r], factors[row // r], column[row]
        if offset < 0:
            continue
        place = np.uint64(offset + row % r * width)
        for x in range(stop - start):
            target = out[start + x]
            for j in range(width):
                target[place + np.uint64(j)] = values[j, x] * factor


@loop
def add_up_rows(codes, share, by_row, start, stop, out):
    """Add up the derivatives of the rows that each configuration reads.

    Parameters
    ----------
    codes : array of int64, shape (P, B)
    share : array, shape (B, r)
        The derivative of log psi by the log of each channel's product.
    by_row : array, shape (n, r, p)
        Derivatives of the log of each row.
    start, stop : int
        Which configurations.
    out : array, shape (B, p or more)
        The first p columns are written.
    """
    _, r, count = by_row.shape
    for x in range(start, stop):
        total = out[x, :count]
        total[:] = 0.0
        for c in range(r):
            factor, p, left = share[x, c], 0, len(codes)
            while left >= 4:  # rows are read from a cache, totals not as often
                i, j, k, l = codes[p, x], codes[p + 1, x], codes[p + 2, x], codes[p + 3, x]
                v0, v1, v2, v3 = by_row[i, c], by_row[j, c], by_row[k, c], by_row[l, c]
                for y in range(count):
                    total[y] += factor * ((v0[y] + v1[y]) + (v2[y] + v3[y]))
                p, left = p + 4, left - 4
            while left:
                row = by_row[codes[p, x], c]
                for y in range(count):
                    total[y] += factor * row[y]
                p, left = p + 1, left - 1
