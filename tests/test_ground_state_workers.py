"""Samples that workers draw: the same to the last digit, however many there are and die.

::

    one process      shard 0, shard 1, shard 2  --.
    threads          shard 0 | shard 1, shard 2  --+-->  the same energies, the same steps
    a worker dies    shard 0 | ...      shard 1 again --'
"""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.shards import SHARD, Request, sharded_samples

from .test_ground_state import RING, ring, ring_net, same
from .test_sliced import cluster_of
from .test_third_party import TwoMachines

BULLETS = "QUIMB_DEEPNETS_TEST_BULLETS"


class Mortal(TwoMachines):
    """Kills the process that evaluates it, once for each line of a file."""

    def _evaluate_by(self, plan):
        path = os.environ.get(BULLETS)
        if path and multiprocessing.parent_process() is not None and os.path.exists(path):
            os.remove(path)
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._evaluate_by(plan)


def sampled(net, executor=None, **options):
    """The energy of 96 chains or more: three shards."""
    options = {"sector": 3, "sign_rule": "marshall", "seed": 3} | options
    return qdn.energy(net, RING, "sample", samples=64 * 3 * SHARD, executor=executor, **options)


def test_batched_chains_in_shards():
    """Networks without tables have larger shards, as one batch serves all chains of one."""
    net = qdn.RBM.rand(6, scale=0.3, seed=0)
    options = {"sector": 3, "seed": 3}
    with ThreadPoolExecutor(2) as pool:
        found = [
            qdn.GroundState(net, RING, samples=300, chains=300, executor=executor, **options)
            for executor in (None, pool)
        ]
        one, two = (gs.run(steps=2, progbar=False) for gs in found)
    assert same(one, two)
    assert len({tuple(x) for x in one._state.configs.tolist()}) > 10


def steps(executor=None, **options):
    gs = ring(chains=3 * SHARD - 8, samples=200, executor=executor, **options)
    return gs.run(steps=3, progbar=False)


def test_threads_and_processes_draw_the_same():
    net, alone = ring_net(), steps()
    energy = sampled(net)
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        for pool in (threads, processes):
            found = steps(pool)
            assert same(found, alone) and found.energy == alone.energy
            found = sampled(net, pool)
            assert (found, found.error, found.rhat) == (energy, energy.error, energy.rhat)


def test_shards_are_independent_chains():
    """Every shard has a seed of its own, so that the error is that of all chains."""
    net = ring_net(scale=0.3)
    exact = qdn.energy(net, RING, "full", sector=3, sign_rule="marshall")
    found = [sampled(net, seed=seed) for seed in range(8)]
    away = np.array([(x - exact) / x.error for x in found])
    assert len(set(found)) == 8 and abs(away).max() < 4 and 0.3 < np.sqrt((away**2).mean()) < 2


@pytest.mark.slow
def test_dask_computes_the_shard_of_a_dead_worker_again(tmp_path, monkeypatch):
    bullets = tmp_path / "bullet"
    bullets.write_text("one")
    monkeypatch.setenv(BULLETS, str(bullets))
    net = Mortal.rand((6,), seed=1)
    with cluster_of(2, tmp_path / "dask") as client:
        found = sampled(net, client)
        assert not bullets.exists()
        assert found == sampled(net)


def test_a_pool_that_dies_is_named_and_its_checkpoint_kept(tmp_path):
    path = tmp_path / "run.npz"
    ring(chains=64).run(steps=2, progbar=False, checkpoint=path)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    gs = ring(chains=64, executor=pool)
    with pytest.raises(qdn.WorkerError, match=r"ThreadPoolExecutor.*checkpoint="):
        gs.run(steps=4, progbar=False, checkpoint=path)
    again = ring(chains=64).run(steps=4, progbar=False, checkpoint=path)
    assert same(again, ring(chains=64).run(steps=4, progbar=False))


def test_errors_of_shards_are_those_of_one_process():
    """Nothing but zeros where chains look, whoever looks."""
    net = qdn.ConvAC(20, [np.array([[[1.0, 0.0]]])], np.ones(1))  # zero but for 00...0
    H = {(0,): qu.pauli("Z")}
    with ThreadPoolExecutor(2) as pool:
        for executor in (None, pool):
            with pytest.raises(qdn.ConfigError, match="amplitude zero"):
                qdn.energy(net, H, "sample", executor=executor, seed=0)


@pytest.mark.parametrize("method", ["full", "exact"])
def test_executors_are_refused_where_nothing_is_sampled(method):
    with pytest.raises(qdn.OptionError, match="executor="):
        qdn.energy(ring_net(), RING, method, sector=3, executor=2)
    if method == "full":
        with pytest.raises(qdn.OptionError, match="executor="):
            ring(method=method, executor=2)
    with pytest.raises(qdn.OptionError, match="not an executor"):
        ring(executor="cluster")


def test_samples_plan_for_one_call(monkeypatch):
    """A step has parameters of its own: its tables are not spread over calls that never come."""
    net, planned = ring_net(), []
    ratios_by = type(net)._ratios_by
    monkeypatch.setattr(
        type(net),
        "_ratios_by",
        lambda self, masks, batch: planned.append(batch) or ratios_by(self, masks, batch),
    )
    H = FlipMasks(RING, net.sites)
    request = Request(net._bare(), (H,), None, 2 * SHARD, 3, 1, steps=net.nsites)
    sharded_samples(request, None, np.random.default_rng(0), None)
    assert planned == [6 * SHARD]
