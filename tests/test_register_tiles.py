"""Matrix products in register tiles, and rescales by columns, against array calls."""

import os
import subprocess
import sys

import numpy as np
import pytest

from quimb_deepnets.kernels.compiled import loop
from quimb_deepnets.kernels.tiles import (
    OUTS,
    add_rows_tile,
    add_rows_tile_in_arrays,
    lanes,
    multiply_tile,
    multiply_tile_in_arrays,
    real_matrices,
    rescale_columns,
)


@loop
def one_tile(w, y, first, step, x, out, row, mode):
    multiply_tile(w, y, first, step, x, out, row, mode)


@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first, step, count", [(0, 1, 5), (1, 3, 4), (2, 1, 0)])
def test_tiles(mode, dtype, first, step, count):
    rng, size = np.random.default_rng(mode), lanes(np.dtype(dtype).itemsize)
    w, y = rng.normal(size=(count, OUTS)), rng.normal(size=(12, 3 * size))
    out = rng.normal(size=(OUTS + 3, 3 * size))
    w, y, out = (x.astype(dtype) for x in (w, y, out))
    exact = out.copy()
    multiply_tile_in_arrays(w, y, first, step, size, exact, 2, mode)
    assert count == 0 or (exact != out).any()
    one_tile(w, y, first, step, size, out, 2, mode)
    assert np.abs(out - exact).max() <= 20 * np.finfo(dtype).eps
    changed = np.zeros_like(out, bool)
    changed[2 : 2 + OUTS, size : 2 * size] = True
    assert (out == exact)[~changed].all()


@loop
def one_tile_of_rows(weights, y, rows, c, x, out, place, step, count):
    add_rows_tile(weights, y, rows, c, x, out, place, step, count)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("read", [[], [3], [0, 5, 5, 2, 1]])
def test_tiles_of_rows(dtype, read):
    """Nested loops; channels that fill up a tile are not written."""
    rng, size = np.random.default_rng(1), lanes(np.dtype(dtype).itemsize)
    weights, y = rng.normal(size=(6, 2 * OUTS)), rng.normal(size=(6, 2 * OUTS, 3 * size))
    weights, y, rows = weights.astype(dtype), y.astype(dtype), np.array(read, "int32")
    for count in range(1, OUTS + 1):
        out = rng.normal(size=(20, 3 * size)).astype(dtype)
        exact, arrays = out.copy(), out.copy()
        for i in range(count):
            for x in range(size, 2 * size):
                exact[2 + 5 * i, x] = sum(weights[n, OUTS + i] * y[n, OUTS + i, x] for n in read)
        one_tile_of_rows(weights, y, rows, OUTS, size, out, 2, 5, count)
        add_rows_tile_in_arrays(weights, y, rows, OUTS, size, arrays, 2, 5, count)
        assert np.abs(out - exact).max() <= 20 * np.finfo(dtype).eps
        assert np.abs(arrays - exact).max() <= 20 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_real_matrices(dtype):
    rng = np.random.default_rng(0)
    w, y = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in ((2, 3, 5), (6, 3)))
    if not dtype.startswith("complex"):
        w, y = w.real, y.real
    w, y = w.astype(dtype), y.astype(dtype)
    found = real_matrices(w)
    columns = found.transpose(0, 2, 1, 3).reshape(2, found.shape[2], -1)
    z = y.view(y.real.dtype) @ columns
    parts = 2 if dtype.startswith("complex") else 1
    eps = np.finfo(dtype).eps
    assert np.abs(z[..., : 5 * parts].copy().view(dtype) - y @ w).max() < 50 * eps
    assert (z[..., 5 * parts :] == 0).all()


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rescales_are_exact_and_say_what_is_too_small(parts, dtype):
    rng, size = np.random.default_rng(parts), lanes(np.dtype(dtype).itemsize)
    node = (rng.normal(size=(8, size)) * 2.0 ** rng.integers(-20, 20, size)).astype(dtype)
    old, exponent, sizes = node.copy(), np.arange(float(size)), np.empty((3, size))
    assert rescale_columns(node, 6, parts, sizes, 2.0**-60, exponent)
    shift = exponent - np.arange(size)
    assert (node[:6] * 2.0**shift == old[:6]).all() and (node[6:] == old[6:]).all()
    top = np.abs(node[:6]).max(0)
    assert (top >= 0.5).all() and (top < 1).all()
    for bad in (0.0, 2.0**-70):
        node[:6] = old[:6]
        node[2, 3] = node[3, 3] = bad
        assert not rescale_columns(node, 6, parts, sizes, 2.0**-60, exponent)


SMALL = """
import numpy as np, quimb_deepnets as qdn
from quimb_deepnets.evaluation.layerwise import Layers
from quimb_deepnets.evaluation.log_derivatives import TableDerivatives
from quimb_deepnets.evaluation.recurrence import Recursion
from quimb_deepnets.numerics.configs import digits
x = np.random.default_rng(0).integers(2, size=(9, 5))
for dtype in ("float64", "complex64"):
    conv = qdn.ConvAC.rand(5, 2, 3, 3, dtype=dtype, seed=0)
    rac, eps = qdn.RAC.rand(5, 2, 3, dtype=dtype, seed=0), np.finfo(dtype).eps
    for way in (Layers(conv, 0), Recursion(rac), TableDerivatives(conv)):
        assert way.blocks is not None
        d = digits(x, 2, conv._like)
        found, way.blocks = way(d), None
        exact = way(d)
        if isinstance(found, tuple):
            found, exact = found.plain(), exact.plain()
        assert np.abs(found - exact).max() < 100 * eps * np.abs(exact).max()
print("same")
"""


def test_all_of_it_without_a_compiler():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SMALL], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.strip() == "same", done.stderr
