"""Sampling of amplitudes, and the second Renyi entropy that it estimates."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
import scipy.stats

import quimb_deepnets as qdn
from quimb_deepnets.sampling import renyi2 as montecarlo
from quimb_deepnets.sampling.diagnostics import autocorrelation_time, split_rhat
from quimb_deepnets.sampling.metropolis import Metropolis
from quimb_deepnets.sampling.moves import propose, read_moves
from quimb_deepnets.sampling.renyi2 import RenyiEstimate, renyi2_estimate


def table(vector, phys_dim=2):
    """The log_amplitudes of a dense vector."""
    vector = np.asarray(vector)
    sites = round(np.log(len(vector)) / np.log(phys_dim))
    weights = phys_dim ** np.arange(sites)[::-1]

    def log_amplitudes(configs):
        x = vector[configs @ weights]
        size = np.where(x == 0, 1, abs(x))
        return x / size, np.where(x == 0, -np.inf, np.log(size))

    return log_amplitudes, sites, weights


def exact(net, places):
    """The second Renyi entropy in bits, from the dense state."""
    M, N = net.phys_dim, net.nsites
    state = np.asarray(net.to_dense()).reshape((M,) * N)
    order = [*places, *(n for n in range(N) if n not in places)]
    s = np.linalg.svd(state.transpose(order).reshape(M ** len(places), -1), compute_uv=False)
    p = s**2 / (s**2).sum()
    return -np.log2((p**2).sum())


def signs(N, distance):
    """A ring of ``psi(s) = prod_n (-1)**(s_n s_(n + distance))``, as a ConvAC of kernel 2.

    Channels are the bits of two sites: tap 0 keeps the first bit, tap 1 the second, and each
    layer moves them apart by one.
    """
    bits = np.array(list(itertools.product(range(2), repeat=2)))
    keep = lambda k, inner: (bits[:, k, None] == inner).astype(float)
    first = np.stack([keep(0, np.arange(2)), keep(1, np.arange(2))])
    move = np.stack([keep(0, bits[:, 0]), keep(1, bits[:, 1])])
    last = np.stack([(-1.0) ** bits.prod(1), np.ones(4)])[:, None]
    weights = [first, *[move] * (distance - 1), last]
    return qdn.ConvAC(N, weights, np.ones(1), boundary="periodic", anchor="corner")


# ------------------------------------------------------------ the sampler


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("phys_dim, sites", [(2, 5), (3, 3)])
def test_draws_follow_the_state(phys_dim, sites, levels):
    """Chi-square of well separated draws against |psi|^2, whatever the temperatures."""
    rng = np.random.default_rng(1)
    vector = rng.normal(size=phys_dim**sites) + 1j * rng.normal(size=phys_dim**sites)
    vector[:3] = 0
    log_amplitudes, sites, weights = table(vector, phys_dim)
    opts = {"chains": 400, "seed": 0, "levels": levels, "shape": sites, "phys_dim": phys_dim}
    sampler = Metropolis(log_amplitudes, **opts)
    counts = np.zeros(len(vector))
    for _ in range(30):
        sampler.sweep(steps=30)
        counts += np.bincount(sampler.configs @ weights, minlength=len(vector))
    p = abs(vector) ** 2 / (abs(vector) ** 2).sum()
    assert not counts[:3].any()
    assert scipy.stats.chisquare(counts[3:], p[3:] * counts.sum()).pvalue > 1e-3
    phase, logabs = sampler.log_amplitudes
    assert np.abs(vector[sampler.configs @ weights] - phase * np.exp(logabs)).max() < 1e-12


@pytest.mark.parametrize("phys_dim, sites", [(2, 3), (3, 2)])
def test_detailed_balance(phys_dim, sites):
    """In equilibrium as many chains go from s to s' as come back, move by move."""
    vector = np.random.default_rng(2).normal(size=phys_dim**sites)
    log_amplitudes, sites, weights = table(vector, phys_dim)
    opts = {"chains": 20000, "seed": 3, "levels": 1, "shape": sites, "phys_dim": phys_dim}
    sampler = Metropolis(log_amplitudes, **opts)
    sampler.sweep(steps=40)
    flow = np.zeros((len(vector), len(vector)))
    for _ in range(20):
        before = sampler.configs @ weights
        sampler.sweep(steps=1)
        np.add.at(flow, (before, sampler.configs @ weights), 1)
    off = ~np.eye(len(vector), dtype=bool)
    assert (flow[off] > 0).all()
    assert (np.abs(flow - flow.T)[off] < 5 * np.sqrt((flow + flow.T)[off])).all()


def test_proposals_are_symmetric():
    """Every change is as likely as the change back, and depends on the change alone."""
    rng = np.random.default_rng(0)
    moves = read_moves(("flip", "many", "all"), (3,), 3, None)[0]
    weights = 3 ** np.arange(3)[::-1]
    ways = []
    for s in ([0, 0, 0], [2, 1, 0]):
        new = propose(np.tile(s, (40000, 1)), moves, 3, rng)
        ways.append(np.bincount((new - s) % 3 @ weights, minlength=27))
    back = [np.array(c) for c in itertools.product(range(3), repeat=3)]
    back = [(-c % 3) @ weights for c in back]
    assert ways[0][1:].all()
    for other in (ways[1], ways[0][back]):
        assert (np.abs(ways[0] - other) <= 5 * np.sqrt(ways[0] + other + 1)).all()


def test_start():
    """Where most amplitudes vanish a chain still begins where one does not."""
    rng = np.random.default_rng(0)
    vector = np.where(rng.random(2**12) < 1e-2, rng.normal(size=2**12), 0)
    log_amplitudes, sites, _ = table(vector)
    sampler = Metropolis(log_amplitudes, shape=sites, chains=16, seed=1)
    assert (
        np.isfinite(sampler.log_amplitudes[1]).all() and len(np.unique(sampler.configs, axis=0)) > 8
    )
    vector[:] = 0
    vector[5] = 1  # one amplitude out of 4096: found, or shared
    sampler = Metropolis(table(vector)[0], shape=sites, chains=4, seed=1)
    assert (sampler.configs @ 2 ** np.arange(12)[::-1] == 5).all()
    with pytest.raises(qdn.ConfigError, match="amplitude zero"):
        Metropolis(table(np.zeros(16))[0], shape=4, chains=4)
    ones = table(np.ones(16))[0]
    assert (Metropolis(ones, shape=4, chains=3, start=[0, 1, 0, 1]).configs == [0, 1, 0, 1]).all()
    for bad in ([0, 1], [0, 1, 2, 0], [0, -1, 0, 0], [0.5, 0, 0, 0]):
        with pytest.raises(qdn.ConfigError, match="start"):
            Metropolis(ones, shape=4, chains=3, start=bad)
    with pytest.raises(qdn.ConfigError, match="zero"):
        Metropolis(table(np.eye(16)[0])[0], shape=4, chains=3, start=[0, 1, 0, 1])


def test_one_value_per_site():
    flat = lambda configs: (np.ones(len(configs)), np.zeros(len(configs)))
    sampler = Metropolis(flat, shape=3, phys_dim=1, chains=4, seed=0)
    sampler.sweep()
    assert not sampler.configs.any() and sampler.acceptance == 0  # nothing was changed


def test_diagnostics():
    """Known autocorrelation of an AR(1) process, and chains that disagree."""
    rng, rho = np.random.default_rng(0), 0.8
    x = np.zeros((2000, 40))
    for t in range(1, len(x)):
        x[t] = rho * x[t - 1] + rng.normal(size=40)
    assert abs(autocorrelation_time(x) - (1 + rho) / (1 - rho)) < 0.7
    assert autocorrelation_time(np.ones((10, 4))) == 1.0
    assert 0.99 < split_rhat(x) < 1.02
    assert split_rhat(x + 5 * (np.arange(40) % 2)) > 1.3
    drift = x + np.linspace(0, 8, len(x))[:, None]  # each chain alike, but not at rest
    assert split_rhat(drift) > 1.3
    assert split_rhat(np.ones((10, 4))) == 1.0 and split_rhat(np.ones((10, 1)) * [0, 1]) == np.inf


# ------------------------------------------------------------ the estimator


def test_the_swap_estimator_is_exact_in_the_mean():
    """Summed over all pairs with their probabilities it is the purity."""
    net = qdn.ConvAC.rand(4, 2, 2, 2, dtype="complex128", seed=3)
    A = np.array([0, 2])
    configs = np.array(list(itertools.product(range(2), repeat=4)))
    pairs = np.array(list(itertools.product(range(16), repeat=2)))

    every = np.concatenate((configs[pairs[:, 0]], configs[pairs[:, 1]]))
    sampler = Metropolis(net.log_amplitudes, shape=4, chains=len(every), start=every)
    swap = montecarlo._SwapRecord(sampler, A, 16)._swap()
    p = np.exp(2 * sampler.log_amplitudes[1])
    p = p[: len(pairs)] * p[len(pairs) :]
    assert np.abs(swap).max() <= 1 + 1e-12
    assert abs(-np.log2((p * swap).sum() / p.sum()) - exact(net, [0, 2])) < 1e-12


STATES = [
    (qdn.RBM.rand(10, alpha=1, scale=0.4, seed=0), [0, 1, 2, 3, 4]),
    (qdn.RBM.rand(8, alpha=1, scale=0.4, dtype="complex128", seed=1), [1, 4, 6]),
    (signs(12, 1), [0, 1, 2, 3, 4, 5]),
    (qdn.ConvAC.rand(12, 2, 3, 4, dtype="complex128", seed=1), [2, 3, 7]),
]


@pytest.mark.parametrize("net, A", STATES, ids=range(len(STATES)))
def test_errors_are_honest(net, A):
    """Out of 10 seeds, at least 8 have the exact entropy within 2 errors, none far away."""
    truth = exact(net, A)
    runs = [renyi2_estimate(net, A, samples=2**12, seed=seed) for seed in range(10)]
    off = np.array([(mean - truth) / error for mean, error in runs])
    assert (abs(off) <= 2).sum() >= 8 and abs(off).max() < 4.5
    assert abs(off.mean()) < 1.3
    assert all(r.rhat < 1.05 and r.samples == 2**12 and 0 < r.acceptance <= 1 for r in runs)


def test_a_state_of_one_configuration_has_no_entropy():
    """Amplitudes over 20 orders of magnitude: nothing but one configuration is ever seen."""
    net = qdn.RBM(10, np.full(10, 3.0), np.zeros(1), np.zeros((1, 10)))
    with pytest.warns(qdn.SamplingWarning, match="stand still|no chain ever moved"):
        mean, error = renyi2_estimate(net, 5, samples=2**10, chains=32, seed=0)
    assert abs(mean) <= 2 * error and 0 < error < 0.05


def test_other_states():
    """Lattices in either naming, phys_dim 3, torch with gradients, expanded networks."""
    lattice = qdn.ConvAC.rand((3, 3), 2, 2, 3, seed=1)
    small = {"samples": 2**10, "chains": 16, "seed": 0}
    mean, error = renyi2_estimate(lattice, [(0, 0), (0, 1), (1, 0)], **small)
    assert abs(mean - exact(lattice, [0, 1, 3])) < 4 * error
    net = qdn.ConvAC.rand(5, 2, 2, 3, phys_dim=3, seed=2)
    mean, error = renyi2_estimate(net, [1, 3], **small)
    assert abs(mean - exact(net, [1, 3])) < 4 * error
    there = net.to("torch")
    for x in there.params.values():
        x.requires_grad_()
    assert np.allclose(renyi2_estimate(there, [1, 3], **small), (mean, error))
    psi = net.to_tensor_network()
    assert tuple(renyi2_estimate(psi, [1, 3], **small)) == (mean, error)
    rac = qdn.RAC.rand(4, 2, 2, seed=0)
    gated = rac.to_tensor_network().gate(np.diag([1.0, 1.0]), 0, contract=True)
    kept = rac.to_tensor_network()
    tiny = {"samples": 256, "chains": 16, "seed": 0}
    with warnings.catch_warnings(action="ignore"):  # so few draws prove nothing
        assert np.allclose(renyi2_estimate(gated, 2, **tiny), renyi2_estimate(kept, 2, **tiny))


def test_seeds():
    net = qdn.RBM.rand(6, seed=0)
    opts = {"samples": 1024, "chains": 16}
    a, b, c = (renyi2_estimate(net, 3, seed=seed, **opts) for seed in (1, 1, 2))
    assert tuple(a) == tuple(b) != tuple(c) and a.rhat == b.rhat
    assert tuple(renyi2_estimate(net, 3, seed=np.random.default_rng(1), **opts)) == tuple(a)
    mean, error = a
    assert (a.mean, a.error) == (mean, error) and "bits" in repr(a) and "rhat" in repr(a)
    again = pickle.loads(pickle.dumps(a))
    assert isinstance(again, RenyiEstimate) and vars(again) == vars(a) and again == a


def test_chains_that_do_not_mix_are_found():
    """A state that is non-zero at 0000 and at 0101 alone, behind walls of zeros."""
    N = 16
    modes = np.array([[0] * N, [0, 1] * (N // 2)])

    def log_amplitudes(configs):
        inside = (configs[:, None] == modes).all(-1).any(-1)
        return inside * 1.0, np.where(inside, 0.0, -np.inf)

    sampler = Metropolis(log_amplitudes, shape=N, chains=32, seed=0, start=modes[np.arange(32) % 2])
    seen = []
    for _ in range(10):
        sampler.sweep()
        seen.append(sampler.configs[:, 1].copy())
    assert split_rhat(seen) == np.inf == sampler.rhat and sampler.moved == 0


def test_a_warning_says_that_chains_do_not_mix():
    """Two wells with a wall between them: hidden units that want all spins alike."""
    N, J = 16, 40.0
    pair = np.array([1.0, -1.0] * (N // 2))
    net = qdn.RBM(N, np.zeros(N), np.zeros(2), J * np.stack((np.ones(N), pair)))
    with pytest.warns(RuntimeWarning, match="did not mix"):
        estimate = renyi2_estimate(net, 8, samples=256, chains=32, seed=0)
    assert estimate.rhat > 1.05


def test_noise_is_refused_or_warned_about():
    """Half of a ring of +1 and -1 has 2 D bits: 6 are rough, 10 are out of reach."""
    small = {"samples": 2**12, "seed": 2}
    with pytest.warns(RuntimeWarning, match="relative error"):
        renyi2_estimate(signs(14, 2), 7, samples=2**10, chains=16, seed=0)
    with pytest.raises(qdn.RangeError, match="samples"):
        renyi2_estimate(signs(20, 5), 10, **small)


def test_refusals():
    net = qdn.RBM.rand(6, seed=0)
    for bad in (
        {"samples": 0},
        {"samples": 2.5},
        {"chains": 31},
        {"chains": 4},
        {"chains": "many"},
        {"seed": "no"},
    ):
        with pytest.raises(qdn.OptionError):
            renyi2_estimate(net, 3, **bad)
    with pytest.raises(qdn.SitesError):
        renyi2_estimate(net, [0, 9])
    with pytest.raises(qdn.SitesError):
        renyi2_estimate(net, 7)
    with pytest.raises(qdn.MethodError, match="log_amplitudes"):
        renyi2_estimate(np.ones(4), 1)
    with pytest.raises(qdn.ConfigError, match="start"):
        renyi2_estimate(net, 3, start=[0, 1])


def test_progress(capsys):
    renyi2_estimate(qdn.RBM.rand(4, seed=0), 2, samples=256, chains=16, seed=0, progbar=True)
    assert "32/32" in capsys.readouterr().err
