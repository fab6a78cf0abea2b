"""Every method on planted spectra, down to the smallest Schmidt values that a dtype knows.

A vector ``sum_i sigma_i u_i v_i`` has the spectrum that it is made with, across any sites.
"""

import math

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import METHODS, Spectrum, spectra, view_of
from quimb_deepnets.entanglement.methods import mps

ALPHAS = (0, 0.3, 0.5, 1, 2, 3, math.inf)
SIGMAS = {
    "random": lambda k: np.random.default_rng(k).random(k) + 0.01,
    "product": lambda k: np.eye(k)[0],
    "two equal": lambda k: np.r_[1.0, 1.0, np.zeros(k - 2)],
    "flat": np.ones,
    "low rank": lambda k: np.r_[3.0, 1.0, 0.5, np.zeros(k - 3)],
    "wide": lambda k: 10.0 ** -np.linspace(0, 10, k),
    "one large": lambda k: np.r_[1.0, np.full(k - 1, 1e-9)],
}
CASES = [((2,) * 7, (1, 2, 5)), ((2, 3, 2, 2, 3), (4, 0)), ((2,) * 8, (6, 3, 2, 0))]


def planted(sigma, dims, places, seed=0, dtype="complex128"):
    """A vector with singular values sigma between the places and the rest."""
    rest = [i for i in range(len(dims)) if i not in places]
    sizes = [math.prod(dims[i] for i in side) for side in (places, rest)]
    rng = np.random.default_rng(seed)
    sides = [rng.normal(size=(n, len(sigma), 2)) @ [1, 1j] for n in sizes]
    u, v = (np.linalg.qr(x if "complex" in dtype else x.real)[0] for x in sides)
    x = ((u * sigma) @ v.T).reshape([dims[i] for i in (*places, *rest)])
    return x.transpose(np.argsort([*places, *rest])).reshape(-1).astype(dtype)


def chain(x, dims):
    """The same vector as an MPS of full bonds."""
    arrays, left, rest = [], 1, x.reshape(1, -1)
    for d in dims[:-1]:
        u, s, v = np.linalg.svd(rest.reshape(left * d, -1), full_matrices=False)
        arrays.append(u.reshape(left, d, -1))
        left, rest = len(s), s[:, None] * v
    arrays = [arrays[0][0], *arrays[1:], rest.reshape(left, dims[-1])]
    return qtn.MatrixProductState(arrays, shape="lpr")


def renyi(sigma, alpha):
    p = sigma[sigma > 0] ** 2
    p = p / p.sum()
    if alpha in (1, math.inf):
        return -np.log2(p.max()) if alpha == math.inf else -(p * np.log2(p)).sum()
    return np.log2((p**alpha).sum()) / (1 - alpha)


@pytest.mark.parametrize("name", SIGMAS)
@pytest.mark.parametrize("dims, places", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("scale", [1, 1e-150, 1e150])
def test_every_method_is_right_or_refuses(name, dims, places, scale):
    sigma = SIGMAS[name](math.prod(dims[i] for i in places[: len(places)]))
    sigma = np.sort(sigma)[::-1][: math.prod(dims) // len(sigma)]
    x = planted(sigma, dims, places)
    refused = set()
    for state, opts in ((x * scale, {"dims": dims}), (chain(x, dims) * scale, {})):
        views = view_of(state, **opts).views
        for method in METHODS.values():
            if method.view not in views or not method.exact:
                continue
            for alpha in ALPHAS:
                try:
                    found = qdn.renyi_entropy(state, places, alpha, method=method.name, **opts)
                except qdn.MethodError as error:
                    assert method.squares and alpha < 1 and "lost in a density" in str(error)
                    refused.add(name)
                    continue
                # an error of 1e-16 in the smallest sigma moves its power by that of 1e-16 / sigma
                unsure = 1e-9 if alpha >= 0.5 or sigma.min() > 1e-8 or 0 in sigma else 1e-5
                assert abs(found - renyi(sigma, alpha)) < unsure, (method.name, alpha)
                assert found >= 0
            if alpha == math.inf and not method.squares:
                values = qdn.schmidt_values(state, places, method=method.name, **opts)
                exact = np.zeros(len(values))
                exact[: len(sigma)] = (sigma**2 / (sigma**2).sum())[: len(values)]
                assert np.allclose(values, exact, rtol=1e-4, atol=1e-28)
    assert not refused or name not in ("random", "flat")


@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64"])
def test_other_dtypes(dtype):
    sigma = np.array([1.0, 0.5, 0.25, 0.125])
    x = planted(sigma, (2,) * 6, (1, 4), dtype=dtype)
    close = 1e-5 if dtype.endswith(("32", "64")) and dtype != "float64" else 1e-12
    for alpha in ALPHAS:
        for vector in (x, torch.tensor(x)):
            found = qdn.renyi_entropy(vector, [1, 4], alpha, dims=[2] * 6)
            assert abs(float(found) - renyi(sigma, alpha)) < close


@pytest.mark.parametrize("large", [spectra.MAX_SVD, 4])
def test_large_matrices_keep_their_tail(monkeypatch, large):
    """Beyond a size entropies come from a Gram matrix, and the tail from singular values."""
    for module in (spectra, mps):
        monkeypatch.setattr(module, "MAX_SVD", large)
    sigma = 10.0 ** -np.linspace(0, 11, 16)
    x = planted(sigma, (2,) * 9, (0, 2, 4, 8))
    for state, opts in ((x, {"dims": [2] * 9}), (chain(x, (2,) * 9), {})):
        for method in ("dense", "mps")[: 1 if opts else 2]:
            ask = {"method": method, **opts}
            assert qdn.renyi_entropy(state, [0, 2, 4, 8], 0, **ask) == 4
            values = qdn.schmidt_values(state, [0, 2, 4, 8], **ask)
            assert np.allclose(values, sigma**2 / (sigma**2).sum(), rtol=1e-3, atol=0)
            entropy = qdn.entropy(state, [0, 2, 4, 8], **ask)
            assert abs(entropy - renyi(sigma, 1)) < 1e-12
            half = qdn.logneg_subsys(state, [0, 2, 4, 8], [1, 3, 5, 6, 7], **ask)
            assert abs(half - renyi(sigma, 0.5)) < 1e-12


def test_runs_inside_a_chain_keep_their_tail():
    """Eight sites between narrow bonds: their leg is found without squares."""
    sigma = np.array([1.0, 1e-3, 1e-9, 1e-12])
    pair = planted(sigma, (4, 4), (0,), seed=3).reshape(4, 4).real
    site = np.linalg.qr(np.random.default_rng(4).normal(size=(8, 4)))[0].reshape(4, 2, 4)
    arrays = [np.eye(4).reshape(4, 2, 2).transpose(2, 1, 0)]  # (2, 2, 4)
    arrays = [np.eye(2), arrays[0], *([site] * 8), (pair @ np.eye(4)).reshape(4, 2, 2), np.eye(2)]
    state = qtn.MatrixProductState(arrays, shape="lpr")
    where = range(2, 10)
    x = np.asarray(state.to_dense()).reshape(4, 2**8, 4).transpose(1, 0, 2).reshape(2**8, 16)
    exact = np.linalg.svd(x, compute_uv=False)
    exact = exact[exact > 1e-14 * exact[0]]
    for alpha in (0, 0.3, 0.5, 1):
        found = qdn.renyi_entropy(state, where, alpha, method="mps")
        assert abs(found - renyi(exact, alpha)) < 1e-6, alpha


def test_the_negativity_by_squares_is_refused():
    x = planted(np.array([1.0, 1e-9, 1e-10, 0]), (2,) * 6, (0, 5))
    state = chain(x, (2,) * 6)
    exact = renyi(np.array([1.0, 1e-9, 1e-10]), 0.5)
    assert abs(qdn.logneg_subsys(state, [0, 5], [1, 2, 3, 4]) - exact) < 1e-15
    with pytest.raises(qdn.MethodError, match="method='dense', 'mps' or 'to_mps'"):
        qdn.logneg_subsys(state, [0, 5], [1, 2, 3, 4], method="reduced")


# ---------------------------------------------------------------- never below zero


def test_nothing_is_negative():
    """Products have entropies and informations of exactly zero or of round-off above it."""
    for seed in range(4):
        net = qdn.ConvAC.rand(6, 1, 1, 1, seed=seed, dtype="complex128")  # no window, no bond
        for a, b in ((0, 5), ([0, 1], [3]), ([2, 4], [0, 1, 3, 5])):
            assert 0 <= net.mutinf_subsys(a, b) < 1e-12
            assert 0 <= net.logneg_subsys(a, b) < 1e-6
        assert (net.entropies() >= 0).all() and net.entropy([1, 3]) >= 0
        assert all(math.copysign(1, net.renyi_entropy(2, alpha)) == 1 for alpha in ALPHAS)
    graph = qdn.ConvAC.graph_state(6, 1, 3)
    assert graph.mutinf_subsys(0, 5) == 0


def test_more_than_round_off_below_zero_is_refused():
    with pytest.raises(qdn.RangeError, match="below zero"):
        spectra.not_negative(-0.1, 1e-8)
    with pytest.raises(qdn.RangeError, match="below zero"):
        spectra.not_negative(math.nan, 1e-8)
    assert spectra.not_negative(np.float64(-1e-9), 1e-8) == 0
    assert Spectrum(np.array([1.0])).entropy() == 0


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("kind", ["float16", "longdouble", "clongdouble", "object"])
def test_dtypes_without_a_decomposition_are_refused(kind):
    state = qtn.MPS_rand_state(4, 2, seed=0)
    vector = np.asarray(state.to_dense()).reshape(-1).astype(kind)
    state.apply_to_arrays(lambda x: x.astype(kind))
    for measure in (qdn.entropy, qdn.schmidt_values, qdn.partial_trace_exact, qdn.schmidt_gap):
        with pytest.raises(qdn.OptionError, match="dtype"):
            measure(state, 2)
        with pytest.raises(qdn.OptionError, match="dtype"):
            measure(vector, 2, dims=[2] * 4)


@pytest.mark.parametrize("method", ["mps", "dense", "reduced"])
def test_gradients_of_quimbs_states(method):
    """Of every measure, against central differences."""
    state, arrays = qtn.MPS_rand_state(5, 3, seed=0), []
    state.apply_to_arrays(
        lambda x: arrays.append(torch.tensor(x, requires_grad=True)) or arrays[-1]
    )
    for measure in (
        lambda: qdn.entropy(state, [1, 2, 4], method=method),
        lambda: qdn.renyi_entropy(state, [1, 2], 0.5, method=method),
        lambda: qdn.mutinf_subsys(state, 0, 3, method=method),
        lambda: qdn.entropies(state, method=method).sum(),
        lambda: qdn.schmidt_gap(state, 3, method=method),
    ):
        (slope,) = torch.autograd.grad(measure(), arrays[2])
        moved = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                arrays[2].view(-1)[0] += step
                moved.append(float(measure()))
                arrays[2].view(-1)[0] -= step
        assert abs(slope.reshape(-1)[0] - (moved[0] - moved[1]) / 2e-6) < 1e-7
