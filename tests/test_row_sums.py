"""Sums over channels of products of rows in registers, against array calls."""

import numpy as np
import pytest

from quimb_deepnets.kernels.compiled import loop
from quimb_deepnets.kernels.row_sums import TOGETHER, filled, sum_rows, sum_rows_in_arrays


@loop
def one_sum(weights, b, table, first, start, codes, count, out):
    sum_rows(weights, b, table, first, start, codes, count, out)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("channels", [1, 3, 8, 13])
def test_sums(channels, dtype, count):
    rng, width = np.random.default_rng(channels), filled(channels, np.dtype(dtype).itemsize)
    unit = 1 + 1j if dtype == "complex128" else 1
    weights, table = (unit * rng.normal(size=(n, width)) for n in (3 * TOGETHER, 40))
    table = table * np.exp(rng.normal(size=table.shape) * (unit - 1))  # any phases
    first = rng.integers(20, size=9).astype("int32")
    codes = rng.integers(20, size=(6, 3 * TOGETHER)).astype("uint32")
    exact, found = np.full(3 * TOGETHER, np.nan, dtype), np.full(3 * TOGETHER, np.nan, dtype)
    sum_rows_in_arrays(weights, TOGETHER, table, first, 2, codes, count, exact)
    one_sum(weights, TOGETHER, table, first, 2, codes, count, found)
    some = slice(TOGETHER, 2 * TOGETHER)
    for b in range(TOGETHER, 2 * TOGETHER):
        rows = [table[first[2 + k] + codes[k, b]] for k in range(count)]
        assert abs(exact[b] - (weights[b] * np.prod(rows, axis=0)).sum()) < 1e-11
    assert np.abs(found[some] - exact[some]).max() < 1e-11
    assert np.isnan(np.delete(found, some)).all() and np.isnan(np.delete(exact, some)).all()
