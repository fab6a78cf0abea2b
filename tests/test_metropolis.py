"""Markov chains, compiled and in batches, against the exact distribution; sectors, moves, seeds."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import torch

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.chains import chain_tables
from quimb_deepnets.kernels.compiled import loop
from quimb_deepnets.kernels.proposals import propose as propose_in_loops
from quimb_deepnets.kernels.proposals import uniform
from quimb_deepnets.sampling.moves import propose, read_moves

from .architectures import CONV, all_states

uniform_one = loop(lambda words: uniform(words))


@loop
def propose_one(x, phys_dim, moves, words, places):
    return propose_in_loops(x, phys_dim, moves, words, places)


RING = {"boundary": "periodic", "dist": "uniform", "loc": 1.0, "scale": 0.5}


def weights_of(net, sector=None):
    """The exact distribution, from amplitudes of all configurations."""
    x = all_states(net)
    logs = net.log_amplitudes(x)[1].astype(float)
    p = np.exp(2 * (logs - logs.max()))
    if sector is not None:
        p = p * (x.reshape(len(x), -1).sum(1) == sector)
    return p / p.sum()


def counts_of(digits, phys_dim):
    N = digits.shape[1]
    return np.bincount(digits @ phys_dim ** np.arange(N)[::-1], minlength=phys_dim**N)


def chance(counts, p):
    """Of a chi-square at least this large; rare configurations, sorted by weight, in bins."""
    assert not counts[p == 0].any()
    order = np.argsort(-p)[: np.count_nonzero(p)]
    total = counts.sum()
    bins = np.floor((p[order].cumsum() - p[order] / 2) * total / 8).astype(int)
    bins[p[order] * total > 8] = -1 - np.flatnonzero(p[order] * total > 8)
    bins = np.unique(bins, return_inverse=True)[1]
    seen, right = (np.bincount(bins, x[order]) for x in (counts, p * total))
    assert len(seen) > 1
    return scipy.stats.chisquare(seen, right * total / right.sum()).pvalue


def in_batches(net):
    """A state of which only batches of amplitudes are known."""
    return {"state": net.log_amplitudes, "shape": net.geometry.shape, "phys_dim": net.phys_dim}


def drawn(sampler, rounds, sweeps):
    """How often each configuration was seen, so many sweeps apart."""
    counts = 0
    for _ in range(rounds):
        sampler.sweep(sweeps)
        counts = counts + counts_of(sampler.digits, sampler.phys_dim)
    return counts


# ---------------------------------------------------------------- the distribution


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_many_calls_are_one_call(levels, dtype):
    """Products go on from call to call, and are made anew where one call would."""
    net = qdn.ConvAC.rand(40, 2, 3, 3, dtype=dtype, seed=0, **RING)
    one, many = (qdn.Metropolis(net, chains=8, levels=levels, seed=0) for _ in range(2))
    one.sweep(60)
    for _ in range(60):
        many.sweep()
    assert one.compiled and (one.configs == many.configs).all()
    assert (one.log_amplitudes[1] == many.log_amplitudes[1]).all()
    away = many.log_amplitudes[1] - net.log_amplitudes(many.configs)[1]
    assert abs(away).max() < (1e-11 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize("compiled", [True, False])
def test_twenty_seeds_draw_all_configurations_by_their_weight(compiled):
    net = qdn.ConvAC.rand(8, 2, 3, 2, seed=0, **RING)
    p, found = weights_of(net), []
    for seed in range(20):
        given = {"state": net} if compiled else in_batches(net)
        sampler = qdn.Metropolis(**given, chains=400, seed=seed, levels=1)
        assert sampler.compiled is compiled
        sampler.sweep(10)
        found.append(chance(drawn(sampler, 8, 4), p))
    assert min(found) > 1e-3 and scipy.stats.kstest(found, "uniform").pvalue > 1e-3


MOVES = [
    {"moves": ("flip",)},
    {"moves": ("flip", "exchange", "shuffle"), "levels": 3},
    {"moves": np.eye(6, dtype=int)},
    {"moves": ("flip", [[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 1, 1]])},
    {"sector": 2},
    {"sector": 3, "levels": 2},
    {"sector": 3, "moves": [np.roll([1, 1, 0, 0, 0, 0], n) for n in range(6)]},
]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("opts", MOVES, ids=str)
def test_any_moves_draw_the_same(opts, compiled):
    net = qdn.ConvAC.rand(6, 2, 3, 2, seed=1, **RING)
    given = {"state": net} if compiled else in_batches(net)
    sampler = qdn.Metropolis(**given, chains=200, seed=0, **opts)
    sampler.sweep(10)
    assert chance(drawn(sampler, 8, 4), weights_of(net, opts.get("sector"))) > 1e-3
    assert sampler.rhat < 1.1 and 0 < sampler.acceptance <= 1


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("moves", [None, ("flip", "exchange"), np.eye(4, dtype=int)], ids=str)
def test_three_values_per_site(moves, compiled):
    net = qdn.ConvAC.rand(4, 2, 2, 3, phys_dim=3, dtype="complex128", seed=0)
    given = {"state": net} if compiled else in_batches(net)
    sampler = qdn.Metropolis(**given, chains=200, seed=0, moves=moves)
    sampler.sweep(20)
    assert chance(drawn(sampler, 10, 8), weights_of(net)) > 1e-3


@pytest.mark.parametrize("net", [CONV[i] for i in range(0, len(CONV), 7)], ids=repr)
def test_compiled_chains_know_their_amplitudes(net):
    """After many sweeps what a chain keeps is what the network says, whatever the architecture."""
    p = weights_of(net)
    sampler = qdn.Metropolis(net, chains=60, seed=0, levels=3)
    assert sampler.compiled or net.phys_dim == 1
    sampler.sweep(20)
    phase, logabs = net.log_amplitudes(sampler.configs)
    mine = sampler.log_amplitudes
    assert np.abs(mine[1] - logabs).max() < 1e-10 and np.abs(mine[0] - phase).max() < 1e-10
    counts = drawn(sampler, 4, 10)
    assert not counts[p == 0].any() and (np.count_nonzero(p) < 16 or chance(counts, p) > 1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes_and_torch(dtype):
    net = qdn.ConvAC.rand((3, 4), 2, 2, 3, seed=2, dtype=dtype, **RING)
    for state in (net, net.to("torch")):
        sampler = qdn.Metropolis(state, chains=40, seed=0)
        assert sampler.compiled
        sampler.sweep(5)
        logabs = net.log_amplitudes(sampler.configs)[1]
        close = 1e-5 if dtype in ("float32", "complex64") else 1e-12
        assert np.abs(sampler.log_amplitudes[1] / logabs - 1).max() < close
    assert sampler.configs.shape == (40, 3, 4)
    trained = net.to("torch")
    for x in trained.params.values():
        x.requires_grad_()
    again = qdn.Metropolis(trained, chains=40, seed=0)
    again.sweep(5)
    assert again.compiled and (again.configs == sampler.configs).all()


@pytest.mark.parametrize("scale, levels, sector", [(0.4, 1, None), (0.8, 4, None), (0.5, 2, 3)])
def test_chains_of_boltzmann_machines(scale, levels, sector):
    """Compiled where weights are real: the distribution, and amplitudes after many steps."""
    net = qdn.RBM.rand(6, alpha=2, scale=scale, seed=1)
    p = weights_of(net)
    if sector is not None:
        ones = np.array([bin(code).count("1") for code in range(64)])
        p = p * (ones == sector) / p[ones == sector].sum()
    sampler = qdn.Metropolis(net, chains=400, seed=0, levels=levels, sector=sector)
    assert sampler.compiled
    sampler.sweep(30)
    assert chance(drawn(sampler, 10, 8), p) > 1e-3
    sampler.sweep(1, 1500)  # beyond the steps after which probabilities are made anew
    phase, logabs = net.log_amplitudes(sampler.configs)
    assert (sampler.log_amplitudes[0] == phase).all()
    assert abs(sampler.log_amplitudes[1] - logabs).max() < 1e-11


def test_which_boltzmann_machines_are_compiled():
    net = qdn.RBM.rand(5, alpha=2, scale=0.3, seed=0)
    for state in (net, net.to(dtype="float32"), net.to("torch")):
        sampler = qdn.Metropolis(state, chains=64, seed=0)
        sampler.sweep(5)
        assert sampler.compiled
        away = sampler.log_amplitudes[1] - net.log_amplitudes(sampler.configs)[1]
        assert abs(away).max() < (1e-5 if state.dtype == "float32" else 1e-12)
    large = net.with_vector(200 * net.vector)
    for state in (net.to(dtype="complex128"), large):
        assert not qdn.Metropolis(state, chains=4, seed=0).compiled
    sampler.renew(net.with_vector(net.vector / 2))
    assert sampler.compiled
    sampler.renew(large)
    assert not sampler.compiled and (sampler.sweep(2) is None)


# ---------------------------------------------------------------- zeros, and far beyond floats


def test_zeros_in_tables():
    """Two channels of half zeros: their products are counted, not divided by."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(6, 1, 2, 2)) * (rng.random((6, 1, 2, 2)) < 0.75)
    net = qdn.ConvAC(6, [W], np.ones(2))
    p = weights_of(net)
    assert 0 < (p == 0).sum() < 60
    assert chain_tables(net).rows.zeros
    sampler = qdn.Metropolis(net, chains=300, seed=0)
    sampler.sweep(20)
    assert sampler.compiled and chance(drawn(sampler, 10, 5), p) > 1e-3


def test_chains_leave_amplitudes_of_zero():
    """What `renew` puts on a zero moves freely until it is elsewhere."""
    W = np.ones((8, 1, 1, 2))
    flat = qdn.ConvAC(8, [W], np.ones(1))
    W = W.copy()
    W[:4, 0, 0, 0] = 0  # the first four sites must be one
    half = qdn.ConvAC(8, [W], np.ones(1))
    for given in (lambda net: net, lambda net: net.log_amplitudes):
        sampler = qdn.Metropolis(given(flat), chains=50, shape=8, seed=0, moves=("flip",))
        sampler.renew(given(half))
        assert not np.isfinite(sampler.log_amplitudes[1]).all()
        sampler.sweep(30)
        assert sampler.digits[:, :4].all() and np.isfinite(sampler.log_amplitudes[1]).all()


def test_products_far_beyond_floats():
    """Channels thousands of powers of two apart, one of which a zero switches off."""
    W = np.ones((40, 1, 2, 2))
    W[:, 0, 0] = [2.0**100, 2.0**101]
    W[0, 0, 0, 1] = 0  # where the first site is one the other channel is all there is
    net = qdn.ConvAC(40, [W], np.array([1.0, 3.0]))
    sampler = qdn.Metropolis(net, chains=20, seed=0, levels=1, start=np.eye(40, dtype=int)[0])
    assert sampler.compiled
    sampler.sweep(4)  # in one, a site may have no proposal
    logabs = net.log_amplitudes(sampler.configs)[1]
    assert np.abs(sampler.log_amplitudes[1] - logabs).max() < 1e-9
    assert not sampler.digits[:, 0].any() and sampler.digits.mean() > 0.6


# ---------------------------------------------------------------- seeds and threads


@pytest.mark.parametrize("opts", [{}, {"sector": 8, "levels": 1}], ids=str)
def test_threads_and_seeds(monkeypatch, opts):
    net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0, **RING)
    found = []
    for threads, seed, pieces in ((1, 3, 1), (2, 3, 1), (2, 3, 5), (1, 4, 1)):
        monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        sampler = qdn.Metropolis(net, chains=37, seed=seed, **opts)
        for _ in range(pieces):
            sampler.sweep(20 // pieces)
        found.append((sampler.digits, *sampler.log_amplitudes, sampler.acceptance, sampler.rhat))
    one, two, piecewise, other = found
    for a, b in zip(one, two):
        assert np.array_equal(a, b)
    assert np.array_equal(one[0], other[0]) is False
    assert piecewise[0].shape == one[0].shape  # levels trade in another order, no more


def test_batches_are_reproducible():
    net = qdn.RBM.rand(6, dtype="complex128", seed=0)
    one, two, other = (qdn.Metropolis(net, chains=9, seed=seed) for seed in (1, 1, 2))
    for sampler in (one, two, other):
        sampler.sweep(4)
    assert not one.compiled
    assert (one.configs == two.configs).all() and (one.configs != other.configs).any()


def test_random_numbers_are_uniform():
    words = np.random.default_rng(0).integers(2**64, size=4, dtype=np.uint64)
    u = np.array([uniform_one(words) for _ in range(20000)])
    assert u.min() >= 0 and u.max() < 1
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.03


KINDS = ["flip", "exchange", "many", "shuffle", "all", "masks"]


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_to_propose_draw_the_same(kind):
    """The compiled one, one at a time, and the one for batches; and back as often as there."""
    masks = [[1, 1, 0, 0], [0, 2, 0, 1]]
    moves = read_moves(masks if kind == "masks" else (kind,), (4,), 3, None)[0]
    rng, count = np.random.default_rng(0), 6000
    words = rng.integers(2**64, size=4, dtype=np.uint64)
    one = lambda x: _proposed(x, moves, words)
    many = lambda x: counts_of(propose(np.tile(x, (count, 1)), moves, 3, rng), 3)
    x = np.array([0, 2, 1, 1])
    ways = many(x), sum(_unit(one(x)) for _ in range(count))
    assert (np.abs(ways[0] - ways[1]) <= 5 * np.sqrt(sum(ways) + 1)).all()
    for code in np.flatnonzero(ways[0])[:3]:
        y = np.array([code // 27 % 3, code // 9 % 3, code // 3 % 3, code % 3])
        there, back = ways[0][code], many(y)[x @ [27, 9, 3, 1]]
        assert abs(there - back) <= 5 * np.sqrt(there + back + 1)


@pytest.mark.parametrize("sector", [None, 50])
def test_moves_of_many_sites_are_rare_on_many_sites(sector):
    """They cost as many windows as they touch; yet each kind is there."""
    moves, names = read_moves(None, (10, 10), 2, sector)
    x = np.zeros((20000, 100), int)
    x[:, ::2] = 1
    changed = (propose(x, moves, 2, np.random.default_rng(0)) != x).sum(1)
    assert changed.mean() < 8 and (changed <= 2).mean() > 0.8, names
    assert 20 < (changed == 100).sum() < 1000 and len(np.unique(changed)) > 20


def _proposed(x, moves, words):
    places = np.zeros((2, len(x)), np.int64)
    count = propose_one(x.astype(np.uint8), 3, moves, words, places)
    new = x.copy()
    new[places[0, :count]] = places[1, :count]
    return new


def _unit(x):
    return counts_of(x[None], 3)


# ---------------------------------------------------------------- what users bring


class Cat:
    """All zeros or all ones, or in between where ``walls`` is finite."""

    shape, phys_dim = (4, 3), 2

    def __init__(self, walls):
        self.walls = walls

    def log_amplitudes(self, configs):
        assert configs.shape[1:] == self.shape
        ones = torch.as_tensor(configs).reshape(len(configs), -1).sum(1)
        edge = torch.minimum(ones, 12 - ones).double()
        return torch.ones(len(configs)), torch.where(edge > 0, -self.walls * edge, 0.0 * edge)


def test_modes_that_flips_do_not_join():
    """All sites at once joins the modes of a cat state; single flips do not, and R-hat says so."""
    start = np.zeros((64, 4, 3), int)
    start[::2] = 1
    stuck = qdn.Metropolis(Cat(np.inf), 64, moves=("flip",), seed=0, start=start, levels=1)
    stuck.sweep(20)
    assert stuck.rhat == np.inf and stuck.acceptance == 0 and stuck.moved == 0
    free = qdn.Metropolis(Cat(np.inf), 64, seed=0, start=start, levels=1)
    free.sweep(100)
    assert free.rhat < 1.2 and free.moved == 1 and 0.3 < free.digits.mean() < 0.7
    assert "Cat of 12 sites" in repr(free) and "in batches" in repr(free)


def test_states_of_fixed_number_are_sampled_without_being_told():
    """Where flips lead to zeros alone, exchanges still move."""

    def log_amplitudes(configs):
        inside = configs.sum(1) == 3
        return inside * 1.0, np.where(inside, 0.0, -np.inf)

    sampler = qdn.Metropolis(log_amplitudes, 200, shape=6, seed=0)
    sampler.sweep(10)
    p = np.array([bin(i).count("1") == 3 for i in range(64)]) / 20
    assert chance(drawn(sampler, 10, 3), p) > 1e-3 and sampler.moved == 1


def answers(logabs, phase=None):
    """A function of a user with these logarithms."""
    return lambda configs: (np.ones(len(configs)) if phase is None else phase, logabs(configs))


def test_wrong_answers_of_a_function_are_named():
    zeros = lambda configs: np.zeros(len(configs))
    cases = [
        (lambda configs: None, "gives a NoneType"),
        (zeros, "gives a ndarray"),
        (lambda configs: (1.0, 0.0), "shapes"),
        (lambda configs: ([1.0] * len(configs), [0.0] * len(configs)), "shapes"),
        (answers(lambda configs: zeros(configs)[:, None]), r"\(512, 1\)\] .*shape \(512, 5\)"),
        (answers(zeros, np.ones(1)), r"shapes \[\(1,\), \(512,\)\]"),
        (answers(lambda configs: zeros(configs) + 0j), "dtype complex128"),
    ]
    for function, words in cases:
        with pytest.raises(qdn.MethodError, match=words):
            qdn.Metropolis(function, 8, shape=5, seed=0)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_none_are_not_taken_for_zero(wrong):
    """Also where only a configuration that chains reach later has one."""
    rare = answers(lambda configs: np.where(configs.all(1), wrong, 0.0 * configs.sum(1)))
    with pytest.raises(qdn.RangeError, match=rf"{wrong} for the configuration \[1, 1, 1, 1, 1\]"):
        qdn.Metropolis(rare, 8, shape=5, seed=0)
    sampler = qdn.Metropolis(rare, 8, shape=5, seed=0, start=np.zeros(5, int), levels=1)
    with pytest.raises(qdn.RangeError, match=r"\[1, 1, 1, 1, 1\]"):
        sampler.sweep(200)
    assert sampler.configs.shape == (8, 5) and not sampler.digits.all(1).any()


def test_a_function_may_write_into_its_argument():
    def spoils(configs):
        logabs = configs.sum(1) * np.log(2)
        configs[:] = 0
        return np.ones(len(configs)), logabs

    sampler = qdn.Metropolis(spoils, 200, shape=4, seed=0)
    sampler.sweep(10)
    ones = np.array([bin(i).count("1") for i in range(16)])
    assert chance(drawn(sampler, 10, 3), 4.0**ones / 5**4) > 1e-3


def test_renew_goes_on_from_where_the_chains_are():
    nets = [qdn.ConvAC.rand(8, 2, 3, 2, seed=seed, **RING) for seed in (0, 1)]
    for given in (lambda net: net, lambda net: net.log_amplitudes):
        sampler = qdn.Metropolis(given(nets[0]), 100, shape=8, seed=0)
        sampler.sweep(5)
        before = sampler.configs
        sampler.renew(given(nets[1]))
        assert (sampler.configs == before).all() and np.isnan(sampler.rhat)
        logabs = nets[1].log_amplitudes(before)[1]
        assert np.abs(sampler.log_amplitudes[1] - logabs).max() < 1e-12
        sampler.sweep(10)
        assert chance(drawn(sampler, 8, 4), weights_of(nets[1])) > 1e-3
    sampler.renew(nets[0])  # from batches to compiled chains
    assert sampler.compiled
    with pytest.raises(qdn.OptionError, match="not that of the state"):
        sampler.renew(qdn.RBM.rand(5, seed=0))


def test_expanded_and_changed_states():
    net = qdn.ConvAC.rand(5, 2, 2, 2, seed=0)
    assert qdn.Metropolis(net.to_tensor_network(), 4, seed=0).compiled
    assert qdn.Metropolis(net.collapse(), 4, seed=0).compiled
    gated = net.to_tensor_network().gate(np.array([[0.0, 1], [1, 0]]), 0, contract=True)
    sampler = qdn.Metropolis(gated, 4, seed=0)
    sampler.sweep(steps=2)
    assert not sampler.compiled and sampler.network is None


# ---------------------------------------------------------------- refusals


REFUSED = [
    ({"sector": 7}, "sector=7 is not a number of ones on 6 sites"),
    ({"sector": -1}, "sector=-1"),
    ({"sector": 2.5}, "sector=2.5"),
    ({"sector": True}, "sector=True"),
    ({"sector": 2, "moves": ("flip",)}, "'flip' leaves sector=2"),
    ({"sector": 2, "moves": ("all",)}, "'all' leaves sector=2"),
    ({"sector": 2, "moves": [[1, 0, 0, 0, 0, 0]]}, "odd number of sites"),
    ({"sector": 2, "start": [1, 0, 0, 0, 0, 0]}, "outside sector=2"),
    ({"moves": "fold"}, "'fold' is not known"),
    ({"moves": ()}, "is empty"),
    ({"moves": 3}, "does not name moves"),
    ({"moves": [[0, 0, 0, 0, 0, 0]]}, "changes no site"),
    ({"moves": [[1, 0, 0]]}, "shape"),
    ({"moves": [[1, 0], [1]]}, "configs"),
    ({"chains": 0}, "chains=0"),
    ({"levels": 0}, "levels=0"),
    ({"seed": -1}, "seed=-1"),
    ({"start": [0, 1]}, "start"),
    ({"start": np.zeros((3, 6), int)}, "start"),
    ({"start": [0, 0, 2, 0, 0, 0]}, "start"),
    ({"shape": 5}, "not that of the state"),
    ({"phys_dim": 3}, "not that of the state"),
]


@pytest.mark.parametrize("opts, message", REFUSED, ids=str)
def test_refusals(opts, message):
    net = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)
    with pytest.raises(qdn.DeepNetError, match=message):
        qdn.Metropolis(net, **({"chains": 4} | opts))


def test_states_that_cannot_be_sampled():
    with pytest.raises(qdn.MethodError, match="log_amplitudes"):
        qdn.Metropolis(np.ones(4))
    with pytest.raises(qdn.OptionError, match="shape="):
        qdn.Metropolis(lambda x: x)
    with pytest.raises(qdn.OptionError, match="phys_dim=3"):
        qdn.Metropolis(qdn.RBM.rand(4, seed=0).log_amplitudes, shape=4, phys_dim=3, sector=2)
    with pytest.raises(qdn.ConfigError, match="amplitude zero"):
        qdn.Metropolis(Cat(np.inf), 2, sector=6, seed=0)
    for n in (0, -1, 1.5):
        with pytest.raises(qdn.OptionError, match="n="):
            qdn.Metropolis(qdn.RBM.rand(4, seed=0), 2, seed=0).sweep(n)


def test_without_compilation():
    """The loops are plain Python, too."""
    code = (
        "import numpy as np, quimb_deepnets as qdn\n"
        "net = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)\n"
        "s = qdn.Metropolis(net, 6, seed=0, levels=2)\n"
        "s.sweep(3)\n"
        "assert s.compiled\n"
        "logs = net.log_amplitudes(s.configs)[1]\n"
        "assert np.abs(s.log_amplitudes[1] - logs).max() < 1e-12\n"
        "print(s.digits.tolist())\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
            env={**os.environ, "NUMBA_DISABLE_JIT": off},
            capture_output=True,
            text=True,
        )
        for off in ("0", "1")
    ]
    assert found[0].returncode == 0 == found[1].returncode, found[1].stderr
    assert found[0].stdout == found[1].stdout
