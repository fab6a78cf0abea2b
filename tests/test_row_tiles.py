"""Products of rows that change, in registers, against array calls."""

import numpy as np
import pytest

from quimb_deepnets.kernels.compiled import loop
from quimb_deepnets.kernels.row_tiles import (
    aligned_ones,
    change_rows,
    change_rows_in_arrays,
    filled,
)


@loop
def change(factors, rows, holders, by, acc, weight, out):
    return change_rows(factors, rows, holders, by, acc, weight, out)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("windows", [0, 1, 2, 3, 11])
@pytest.mark.parametrize("r", [1, 4, 5, 8, 17])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_products_and_sums(dtype, r, windows, in_place):
    rng = np.random.default_rng(0)
    f = filled(r, dtype)
    draw = lambda *shape: (rng.normal(size=(*shape, 2)) @ [1, 1j]).astype(dtype)
    if dtype == "float64":
        draw = lambda *shape: rng.normal(size=shape)
    factors, acc, weight = draw(2, 40, f), draw(f), draw(f)
    weight[r:] = 0
    rows = rng.integers(10, 30, size=12).astype(np.int32)
    holders = np.stack((rng.permutation(12)[:windows], rng.integers(-5, 5, windows)), 1)
    given = factors, rows, holders.astype(np.int32), -2
    out = acc.copy() if in_place else np.empty_like(acc)
    right, sums = np.empty_like(acc), []
    sums.append(change_rows_in_arrays(*given, acc, weight, right))
    sums.append(change(*given, out if in_place else acc, weight, out))
    np.testing.assert_allclose(out, right, rtol=1e-13)
    assert abs(sums[0] - sums[1]) <= 1e-13 * abs(weight * right).sum()


def test_tiles_begin_with_a_line_of_the_cache():
    for dtype in ("float64", "complex128"):
        for shape in ((3,), (2, 5, filled(3, dtype))):
            x = aligned_ones(shape, dtype)
            assert x.shape == shape and x.ctypes.data % 64 == 0 and (x == 1).all()
