"""Draws of ``net.sample``: independent ones and those of chains, against the exact weights."""

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.sampling import draws
from quimb_deepnets.sampling.prefixes import Prefixes

from .architectures import CONV
from .test_metropolis import RING, chance, counts_of, weights_of

EXACT = [
    qdn.ConvAC.rand(10, 2, 3, 3, seed=0, **RING),
    qdn.ConvAC.rand(10, 3, 3, 2, seed=1, **RING),
    qdn.ConvAC.rand(10, 3, 2, 3, boundary="ones", dtype="complex128", seed=0),
    qdn.ConvAC.rand((3, 3), 2, 2, 2, boundary="omit", seed=0),
    qdn.RAC.rand(10, 1, 3, seed=0),
    qdn.RAC.rand(8, 2, 2, dtype="complex128", seed=0),
]


@pytest.fixture
def no_dense(monkeypatch):
    """Small states are drawn as large ones are."""
    monkeypatch.setattr(draws, "FEW", 0)


@pytest.mark.parametrize("net", EXACT, ids=repr)
@pytest.mark.usefixtures("no_dense")
def test_independent_draws_follow_the_weights(net):
    info, n = {}, 6000
    x = net.sample(n, seed=0, method="exact", info=info)
    assert x.shape == (n, *net.geometry.shape) and x.dtype.kind == "i"
    assert info["way"] == ("mps" if isinstance(net, qdn.RAC) else "windows")
    assert chance(counts_of(x.reshape(n, -1), 2), weights_of(net)) > 1e-3
    pairs = counts_of(x.reshape(n, -1)[1::2] ^ x.reshape(n, -1)[::2], 2)  # draws after draws
    p = weights_of(net)
    N, codes = net.nsites, np.arange(len(p))
    both = np.array([(p * p[codes ^ d]).sum() for d in range(2**N)])
    assert chance(pairs, both) > 1e-4


@pytest.mark.parametrize("net", EXACT[:4], ids=repr)
@pytest.mark.parametrize("few", [0, 2**16])
def test_independent_draws_in_a_sector(monkeypatch, net, few):
    monkeypatch.setattr(draws, "FEW", few)
    x = net.sample(5000, seed=1, sector=4, method="exact").reshape(5000, -1)
    assert (x.sum(1) == 4).all()
    assert chance(counts_of(x, 2), weights_of(net, 4)) > 1e-3


@pytest.mark.parametrize("net", [CONV[i] for i in range(3, len(CONV), 8)], ids=repr)
def test_windows_of_any_architecture(net):
    digits = Prefixes(net, None, 2**28).draw(4000, np.random.default_rng(0))
    p, counts = weights_of(net), counts_of(digits, net.phys_dim)
    few = np.count_nonzero(p) < 16
    assert not counts[p == 0].any()
    assert np.abs(counts / 4000 - p).max() < 0.05 if few else chance(counts, p) > 1e-4


def test_numbers_far_beyond_floats():
    """Deep and random, with channels far apart: draws have the weights of the network."""
    net = qdn.ConvAC.rand(40, 3, 3, 4, boundary="periodic", seed=0)
    x = net.sample(4000, seed=0)
    logs = 2 * net.log_amplitudes(x)[1]
    # how often two configurations were drawn tells how much more likely one is
    _, index, counts = np.unique(x, axis=0, return_index=True, return_counts=True)
    often = np.argsort(-counts)[:3]
    assert counts[often].min() > 200
    ratio = np.exp(logs[index[often]] - logs[index[often[0]]])
    assert (np.abs(counts[often] - ratio * counts[often[0]]) < 6 * np.sqrt(counts[often[0]])).all()


def test_a_sector_by_rejection(no_dense):
    net = qdn.RAC.rand(8, 1, 2, dist="uniform", loc=1, scale=0.3, seed=0)
    info = {}
    x = net.sample(3000, seed=0, sector=4, info=info)
    assert info["way"] == "mps" and 0 < info["acceptance"] < 1
    assert (x.sum(1) == 4).all() and chance(counts_of(x, 2), weights_of(net, 4)) > 1e-3


@pytest.mark.parametrize("opts", [{}, {"sector": 4}], ids=str)
@pytest.mark.parametrize(
    "net", [EXACT[0], qdn.RBM.rand(8, scale=0.4, seed=0)], ids=["ConvAC", "RBM"]
)
def test_chains_follow_the_weights(net, opts):
    info = {}
    x = net.sample(3000, seed=0, method="metropolis", info=info, **opts)
    assert chance(counts_of(x, 2), weights_of(net, opts.get("sector"))) > 1e-3
    assert info["method"] == "metropolis" and 0 < info["acceptance"] <= 1
    assert info["rhat"] < 1.05 and info["autocorrelation"] >= 1 and info["thinning"] >= 1


def test_seeds_and_kinds_of_states():
    net = EXACT[0]
    for method in ("exact", "metropolis"):
        a, b, c = (net.sample(20, seed=seed, method=method) for seed in (1, 1, 2))
        assert (a == b).all() and (a != c).any()
        for same in (net.to_tensor_network(), net.collapse(), net.to("torch")):
            assert (same.sample(20, seed=1, method=method) == a).all()
    gated = qdn.RAC.rand(4, 2, 2, seed=0).to_tensor_network()
    gated = gated.gate(np.array([[0.0, 1], [1, 0]]), 0, contract=True)
    v = np.abs(np.asarray(gated.to_dense()).reshape(-1)) ** 2
    x = gated.sample(2000, seed=0)
    assert np.abs(counts_of(x, 2) / 2000 - v / v.sum()).max() < 0.05


def test_where_chains_begin():
    net = EXACT[0]
    info = {}
    net.sample(4, seed=0, start=[0, 1] * 5, sector=5, info=info)
    assert info["method"] == "metropolis"
    with pytest.raises(qdn.OptionError, match="start="):
        net.sample(4, method="exact", start=[0, 1] * 5)


def test_quimb_s_own_sample_is_as_it_was():
    mps = qtn.MPS_rand_state(4, 2, seed=0)
    assert len(list(mps.sample(3, seed=0))) == 3
    assert not hasattr(qtn.PEPS, "sample")


def test_a_warning_where_modes_are_out_of_reach(no_dense):
    mode = np.array([0, 1] * 8)
    W, other = np.zeros((16, 1, 2, 2)), mode.copy()
    other[:6] ^= 1
    for n in range(16):
        W[n, 0, 0, mode[n]] = W[n, 0, 1, other[n]] = 1
    net = qdn.ConvAC(16, [W], np.ones(2))
    with pytest.warns(qdn.SamplingWarning, match="no chain ever moved"):
        net.sample(10, seed=0, start=mode)
    share = (net.sample(1000, seed=0) == mode).all(1).mean()  # windows see both
    assert abs(share - 0.5) < 0.06


def test_refusals(no_dense):
    net = EXACT[0]
    for n in (0, -1, 2.5, "3"):
        with pytest.raises(qdn.OptionError, match="n="):
            net.sample(n)
    with pytest.raises(qdn.OptionError, match="'gibbs' is not known"):
        net.sample(2, method="gibbs")
    with pytest.raises(qdn.OptionError, match="sector=11"):
        net.sample(2, sector=11)
    with pytest.raises(qdn.DeepNetError, match="no exact way to draw"):
        qdn.RBM.rand((5, 5), seed=0).sample(2, method="exact")
    with pytest.raises(qdn.BudgetError, match="exact draws need"):
        Prefixes(qdn.ConvAC.rand((6, 6), 2, 2, 2, seed=0, **RING), None, 2**20)
    none = qdn.ConvAC(4, [np.array([[[1.0, 0.0]]])], np.ones(1))  # 0000 alone
    assert not none.sample(5, seed=0).any()
    with pytest.raises(qdn.RangeError, match="sector=2 is zero"):
        none.sample(5, sector=2, method="exact")


def test_progress(capsys):
    qdn.ConvAC.rand(20, 2, 3, 2, seed=0).sample(2, seed=0, progbar=True)
    assert "20/20" in capsys.readouterr().err
