"""Compiled look-ups against nested loops and the array version; their gradients; digits."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.lookup import Lookup
from quimb_deepnets.kernels.digits import turned
from quimb_deepnets.kernels.lookup import look_up
from quimb_deepnets.kernels.lookup_gradient import add_rows
from quimb_deepnets.kernels.words import FlatWindows, packed, packed_windows
from quimb_deepnets.numerics.scaled import Scaled

DTYPES = ("float32", "float64", "complex64", "complex128")
SHAPES = [
    (7, 2, "ones"), (7, 2, "periodic"), (6, 3, "omit"), (5, 4, "periodic"), (4, 5, "ones"),
    ((3, 4), 2, "periodic"), ((3, 3), 3, "ones"),
]  # fmt: skip


def a_network(shape, phys_dim, boundary, dtype="float64", depth=2, seed=0):
    return qdn.ConvAC.rand(
        shape, depth, 2, 3, phys_dim=phys_dim, boundary=boundary, dtype=dtype, seed=seed
    )


def batch_for(net, count, seed=0):
    shape = count, *net.geometry.shape
    return np.random.default_rng(seed).integers(net.phys_dim, size=shape)


def tabulated(net):
    """The look-up of all layers, and its digits."""
    found = net._evaluate_by(net.plan(100, level=net.depth))
    assert isinstance(found, Lookup) and found.room
    return found


def digits_of(net, x):
    return np.ascontiguousarray(x.reshape(len(x), -1).T, dtype="uint8")


def tolerance(dtype):
    return 1e-5 if dtype in ("float32", "complex64") else 1e-12


def nested(table, windows, phys_dim, x):
    """Products of rows, one number at a time."""
    out = np.ones((x.shape[1], table.shape[1]), table.dtype)
    for b in range(x.shape[1]):
        for p, start in enumerate(windows.starts):
            code = 0
            for n in windows.sites[windows.first[p] : windows.first[p + 1]]:
                code = code * phys_dim + int(x[n, b])
            for c in range(table.shape[1]):
                out[b, c] *= table[start + code, c]
    return out


def random_windows(rng, N, phys_dim, P=9):
    widths = rng.integers(0, 4, size=P)
    sites = np.concatenate([rng.permutation(N)[:w] for w in widths]).astype(np.int32)
    starts = np.cumsum([0, *phys_dim**widths])
    first = np.cumsum([0, *widths]).astype(np.int64)
    return FlatWindows(sites, first, starts[:-1].astype(np.int64)), int(starts[-1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phys_dim", [2, 3, 4, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_products_of_rows(monkeypatch, dtype, phys_dim, threads):
    monkeypatch.setattr("quimb_deepnets.kernels.compiled._threads", lambda: threads)
    monkeypatch.setattr("quimb_deepnets.kernels.lookup.LEAST", 1)
    rng = np.random.default_rng(phys_dim)
    windows, rows = random_windows(rng, 6, phys_dim)
    pieces = packed_windows(windows, phys_dim)
    table = rng.normal(size=(rows, 5)) + 1j * rng.normal(size=(rows, 5))
    table = (table if dtype.startswith("c") else table.real).astype(dtype)
    for count in (0, 1, 3, 64, 131):
        x = rng.integers(phys_dim, size=(6, count)).astype("uint8")
        words, exact = packed(x, phys_dim), nested(table, windows, phys_dim, x)
        size = abs(exact).max(initial=1)
        vector = np.arange(1, 6).astype(dtype)
        for room in (100, 4, 1):
            mantissa, exponent = look_up(words, pieces, table, room)
            assert mantissa.dtype == dtype
            found = mantissa * 2.0**exponent
            assert abs(found - exact).max(initial=0) <= tolerance(dtype) * size
        mantissa, exponent = look_up(words, pieces, table, 100, vector, 3.0)
        found = mantissa * 2.0**exponent
        assert abs(found - 8 * exact @ vector).max(initial=0) <= 10 * tolerance(dtype) * size


@pytest.mark.parametrize("above", [0.0, np.zeros(5)], ids=["plain", "apart"])
def test_more_windows_than_are_held_at_a_time(above):
    rng = np.random.default_rng(0)
    windows, rows = random_windows(rng, 6, 2, P=70)
    table, vector = rng.uniform(0.5, 2, size=(rows, 5)), rng.normal(size=5)
    x = rng.integers(2, size=(6, 131)).astype("uint8")
    exact = nested(table, windows, 2, x) @ vector
    pieces, words = packed_windows(windows, 2), packed(x, 2)
    mantissa, exponent = look_up(words, pieces, table, 100, vector, above)
    size = nested(table, windows, 2, x) @ abs(vector)
    assert (abs(mantissa * 2.0**exponent - exact) <= 100 * np.finfo(float).eps * size).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_channels_that_are_apart(dtype):
    """Powers of two of each channel, from the read-out or from rescales, and exact zeros."""
    rng = np.random.default_rng(0)
    windows, rows = random_windows(rng, 6, 2)
    table = rng.normal(size=(rows, 4)) * np.exp(1j * rng.normal(size=(rows, 4)))
    table = (table if dtype.startswith("c") else table.real).astype(dtype)
    table[rng.random(size=table.shape) < 0.1] = 0
    widest = np.diff(windows.first).argmax()
    table[windows.starts[widest]] = 0  # its first code, all channels
    x, vector = rng.integers(2, size=(6, 131)).astype("uint8"), np.arange(1, 5).astype(dtype)
    above = np.array([-3000.0, -2000.0, -2010.0, -5000.0])
    terms = nested(table, windows, 2, x).astype(complex) * vector
    exact = terms[:, 1] + terms[:, 2] * 2.0**-10
    first = np.where(exact == 0, terms[:, 0], 0)
    exact = np.where(exact == 0, first, exact)
    power = np.where(first != 0, 3000, 2000)
    words, pieces = packed(x, 2), packed_windows(windows, 2)
    last = (terms[:, :3] == 0).all(axis=1)  # is the only one, or none is left
    for room in (100, 4, 1):
        mantissa, exponent = look_up(words, pieces, table, room, vector, above)
        assert mantissa.dtype == dtype and mantissa.shape == exponent.shape == (131,)
        found = mantissa[~last] * np.exp2((exponent + power)[~last])
        assert abs(found - exact[~last]).max() <= tolerance(dtype) * abs(exact).max()
        found = mantissa[last] * np.exp2(exponent[last] + np.where(terms[last, 3] != 0, 5000, 0))
        assert abs(found - terms[last, 3]).max() <= tolerance(dtype) * abs(exact).max()
    assert (first != 0).any() and (terms == 0).all(axis=1).any()


def test_rescales_hold_products_beyond_floats():
    windows = FlatWindows(
        np.zeros(400, np.int32), np.arange(401, dtype=np.int64), np.zeros(400, np.int64)
    )
    table = np.array([[2.0**60, 2.0**-60], [-(2.0**-50), 0.0]])
    words = packed(np.array([[0, 1]], "uint8"), 2)
    mantissa, exponent = look_up(words, packed_windows(windows, 2), table, 16)
    assert (mantissa[0] * 2.0 ** (exponent[0] - [24000, -24000]) == 1).all()
    assert mantissa[1, 0] * 2.0 ** (exponent[1, 0] + 20000) == 1
    assert mantissa[1, 1] == 0


@pytest.mark.parametrize(("shape", "phys_dim", "boundary"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_networks_by_loops_and_by_arrays(shape, phys_dim, boundary, dtype, library):
    net = a_network(shape, phys_dim, boundary, dtype)
    net = net if library == "numpy" else net.to("torch")
    ready, x = tabulated(net), batch_for(net, 70)
    x = digits_of(net, x)
    x = x if library == "numpy" else torch.from_numpy(x)
    loops, arrays = ready(x), ready._by_arrays(x)
    ratio = np.asarray(loops.mantissa / arrays.mantissa)
    ratio = ratio * 2.0 ** np.asarray(loops.exponent - arrays.exponent)
    assert abs(ratio - 1).max() < 100 * tolerance(dtype)
    assert type(loops.mantissa) is type(arrays.mantissa)
    assert loops.mantissa.dtype == arrays.mantissa.dtype


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_threads(monkeypatch, threads):
    monkeypatch.setattr("quimb_deepnets.kernels.compiled._threads", lambda: threads)
    monkeypatch.setattr("quimb_deepnets.kernels.lookup.LEAST", 1)
    net = a_network(9, 2, "periodic")
    x = batch_for(net, 300)
    one = np.concatenate([net.log_amplitudes(x[i : i + 1])[1] for i in range(300)])
    np.testing.assert_allclose(net.log_amplitudes(x)[1], one, rtol=1e-12)


@pytest.mark.parametrize(
    "kind", ["strided", "fortran", "read-only", "int8", "bool", "torch", "list"]
)
def test_configurations_of_any_kind(kind):
    net = a_network((3, 4), 2, "ones")
    x = batch_for(net, 30)
    given = {
        "strided": np.repeat(x, 2, axis=0)[::2],
        "fortran": np.asfortranarray(x),
        "read-only": np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
        "int8": x.astype("int8"),
        "bool": x.astype(bool),
        "torch": torch.from_numpy(x),
        "list": x.tolist(),
    }[kind]
    assert (net.log_amplitudes(given)[1] == net.log_amplitudes(x)[1]).all()


@pytest.mark.parametrize("entry", [2, -1, 254, 256, 258, 2**40, -(2**40), -256])
@pytest.mark.parametrize("place", [0, 70, 299])
def test_entries_that_no_site_takes(entry, place):
    net = a_network(5, 2, "periodic")
    x = batch_for(net, 300)
    x[place, 3] = entry
    assert turned(x, 2) is None
    with pytest.raises(qdn.ConfigError, match=f"entry {entry},"):
        net.log_amplitudes(x)
    with pytest.raises(qdn.ConfigError, match=f"entry {entry},"):
        net.evaluator().flip_ratios(x)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8"])
def test_digits_are_turned(dtype):
    x = np.random.default_rng(0).integers(5, size=(131, 3, 4)).astype(dtype)
    found = turned(x, 5)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, x.reshape(131, 12).T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phys_dim", [2, 3])
def test_gradients_of_products(dtype, phys_dim):
    """The gradient of each entry, by exchanging it: products are linear in one factor at a time."""
    rng = np.random.default_rng(3)
    windows, rows = random_windows(rng, 5, phys_dim, P=6)
    table = rng.normal(size=(rows, 3)) + 1j * rng.normal(size=(rows, 3))
    table = (table if dtype.startswith("c") else table.real).astype(dtype)
    table[1, 0] = 0
    x = rng.integers(phys_dim, size=(5, 70)).astype("uint8")
    given = rng.normal(size=(70, 3)).astype(dtype)
    words, pieces = packed(x, phys_dim), packed_windows(windows, phys_dim)
    found = add_rows(words, pieces, table, given)
    t = torch.from_numpy(table).requires_grad_()
    codes = []
    for p, start in enumerate(windows.starts):
        code = np.zeros(70, int)
        for n in windows.sites[windows.first[p] : windows.first[p + 1]]:
            code = code * phys_dim + x[n]
        codes.append(torch.from_numpy(start + code))
    out = torch.stack([t[code] for code in codes]).prod(0)
    (out * torch.from_numpy(given)).sum().real.backward()
    exact = t.grad.conj().resolve_conj().numpy()
    assert abs(found - exact).max() < 10 * tolerance(dtype) * abs(exact).max()


@pytest.mark.parametrize(("shape", "phys_dim", "boundary"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_autograd_through_loops(shape, phys_dim, boundary, dtype):
    net = a_network(shape, phys_dim, boundary, dtype)
    x = batch_for(net, 40)
    exact = net.log_derivatives(x).sum(0)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in net.params.items()}
    twin = qdn.ConvAC.from_params(net.geometry, leaves)
    plan = twin.plan(40, level=net.depth)
    logabs = twin.log_amplitudes(x, plan=plan)[1]
    logabs.sum().backward()
    found = torch.cat([v.grad.conj().reshape(-1) for v in leaves.values()]).numpy()
    assert abs(found - exact).max() < 1e-10 * abs(exact).max()


def test_second_derivatives():
    net = a_network(5, 2, "periodic", depth=1)
    x = batch_for(net, 20)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in net.params.items()}
    values = list(leaves.values())

    def loss():
        twin = qdn.ConvAC.from_params(net.geometry, leaves)
        return twin.log_amplitudes(x, plan=twin.plan(20, level=1))[1].sum()

    first = torch.autograd.grad(loss(), values, create_graph=True)
    direction = [torch.ones_like(v) for v in values]
    second = torch.autograd.grad(sum((g * d).sum() for g, d in zip(first, direction)), values)
    step, ends = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for v in values:
                v += sign * step
        ends.append(torch.autograd.grad(loss(), values))
        with torch.no_grad():
            for v in values:
                v -= sign * step
    for found, up, down in zip(second, *ends):
        assert (found - (up - down) / (2 * step)).abs().max() < 1e-5 * (1 + found.abs().max())


def test_loops_without_a_compiler():
    code = (
        "import numpy as np, quimb_deepnets as qdn\n"
        "net = qdn.ConvAC.rand(5, 2, 2, 3, boundary='periodic', seed=0)\n"
        "x = np.random.default_rng(0).integers(2, size=(9, 5))\n"
        "print(repr(net.log_amplitudes(x)[1].tolist()))\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    net = qdn.ConvAC.rand(5, 2, 2, 3, boundary="periodic", seed=0)
    x = np.random.default_rng(0).integers(2, size=(9, 5))
    found = np.array(eval(done.stdout.strip().splitlines()[-1]))
    np.testing.assert_allclose(found, net.log_amplitudes(x)[1], rtol=1e-12)


def test_scaled_results_are_scaled():
    net = a_network(6, 2, "ones")
    assert isinstance(tabulated(net)(digits_of(net, batch_for(net, 3))), Scaled)
