"""Configurations packed into words, codes of windows, and products of rows, by nested loops."""

import numpy as np
import pytest

from quimb_deepnets.kernels.compiled import loop
from quimb_deepnets.kernels.row_products import row_product, row_product_in_arrays
from quimb_deepnets.kernels.words import (
    FlatWindows,
    digit_bits,
    pack_configs,
    packed,
    packed_windows,
    window_codes,
    word_count,
)


def unpacked(words, nsites, phys_dim):
    """The digits of words, as Python's integers."""
    bits = digit_bits(phys_dim)
    each = 64 // bits
    digit = lambda n, b: int(words[n // each, b]) >> bits * (each - 1 - n % each)
    B = words.shape[1]
    return np.array([[digit(n, b) % 2**bits for b in range(B)] for n in range(nsites)])


@pytest.mark.parametrize("phys_dim", [2, 3, 4, 5, 9, 128])
@pytest.mark.parametrize("nsites", [1, 20, 63, 64, 65, 200])
def test_words_hold_all_digits(phys_dim, nsites):
    rng = np.random.default_rng(phys_dim)
    for dtype in ("int64", "int32", "int8", "uint8"):
        x = rng.integers(phys_dim, size=(70, nsites)).astype(dtype)
        words = np.empty((word_count(nsites, phys_dim), 50), np.uint64)
        largest = pack_configs(x, digit_bits(phys_dim), 10, 60, words)
        assert largest == x[10:60].max()
        assert np.array_equal(unpacked(words, nsites, phys_dim), x[10:60].T)
        digits = np.ascontiguousarray(x.T).astype("uint8")
        assert np.array_equal(packed(digits, phys_dim)[:, 10:60], words)


@pytest.mark.parametrize("entry", [-1, 2, 127, -128, 2**40, -(2**63)])
def test_the_largest_entry_is_seen(entry):
    x = np.zeros((5, 70), "int64" if abs(entry) > 128 else "int8")
    x[3, 69] = entry
    words = np.empty((2, 5), np.uint64)
    assert pack_configs(x, 1, 0, 5, words) == entry % 2**64
    assert pack_configs(x, 1, 0, 3, words) == 0


@pytest.mark.parametrize("phys_dim", [2, 3, 4, 5, 8])
def test_codes_of_windows(phys_dim):
    """Runs, jumps, steps back, sites that occur twice, and windows without sites."""
    rng = np.random.default_rng(phys_dim)
    lists = [[0, 1, 2], [63, 64, 65], [199, 0, 1], [7], [], [5, 4, 3], [20, 21, 31, 32], [9, 9], []]
    lists += [rng.permutation(200)[:4].tolist() for _ in range(5)]
    first = np.cumsum([0, *map(len, lists)])
    starts = np.arange(len(lists)) * 1000
    flat = FlatWindows(np.concatenate(lists).astype("int32"), first, starts)
    x = rng.integers(phys_dim, size=(200, 64)).astype("uint8")
    pieces, codes = packed_windows(flat, phys_dim), np.empty((9, 64), np.uint32)
    window_codes(packed(x, phys_dim), pieces, 3, codes)
    for p in range(9):
        for b in range(64):
            code = 0
            for n in lists[3 + p]:
                code = code * phys_dim + int(x[n, b])
            assert codes[p, b] == starts[3 + p] + code
    together = len(pieces.pieces) < first[-1]
    assert together == (phys_dim in (2, 4, 8))


@loop
def _product(table, codes, b, before, weight, out):
    return row_product(table, codes, b, before, weight, out)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("r", [1, 2, 3, 4, 7, 8, 13, 31, 32, 33, 64, 127])
def test_products_in_registers(dtype, r):
    """Nested loops; sums may be taken in any order."""
    rng = np.random.default_rng(r)
    new = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
    real = np.dtype(dtype).kind == "f"
    table, before, weight = (
        (x.real if real else x).astype(dtype) for x in (new(20, r), new(r), new(r))
    )
    eps = np.finfo(dtype).eps
    for count in (0, 1, 2, 5):
        codes = rng.integers(20, size=(count, 64)).astype("uint32")
        exact = before.astype(complex)
        for i in range(count):
            for c in range(r):
                exact[c] *= table[codes[i, 63], c]
        for function in (_product, row_product_in_arrays):
            out = np.full(r, np.nan, dtype)
            total = function(table, codes, 63, before, weight, out)
            assert (abs(out - exact) <= 20 * eps * abs(exact)).all()
            assert abs(total - (weight * exact).sum()) <= 20 * eps * abs(weight * exact).sum()
        out = np.empty(r, dtype)
        _product(table, codes, 63, before, weight, out)
        again = before.copy()
        _product(table, codes, 63, again, weight, again)
        assert np.array_equal(again, out)


def test_zeros_nan_and_inf_stay_in_their_channels():
    table = np.array([[0.0, np.nan, np.inf, 2.0, -np.inf], [3.0, 1.0, 1.0, 0.5, 0.0]])
    out = np.empty(5)
    total = _product(table, np.array([[0], [1]], "uint32"), 0, np.ones(5), np.ones(5), out)
    assert np.isnan(total) and out[0] == 0 and np.isnan(out[1]) and out[2] == np.inf
    assert out[3] == 1 and np.isnan(out[4])
