"""Sliced and shared contractions against dense vectors; executors, and workers that are killed."""

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import cotengra as ctg
import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.jobs import Job, Sum, add_up, as_pool, in_order
from quimb_deepnets.paths import contract_shared, hypergraph, shared_plan, sharing, slices
from quimb_deepnets.paths.arrays import numbers_of
from quimb_deepnets.paths.kets import Form, ket_of

from .architectures import CONV, RACS

SOME = [net for net in CONV + RACS if 2 <= net.nsites <= 12]
RING = qdn.ConvAC.rand(12, 3, 3, 4, boundary="periodic", seed=0)

STATES = {
    "conv": qdn.ConvAC.rand(8, 2, 3, 3, seed=0, dtype="complex128"),
    "lattice": qdn.ConvAC.rand((2, 4), 2, 2, 3, seed=1),
    "rac": qdn.RAC.rand(6, 2, 3, seed=2, dtype="complex128"),
    "rbm": qdn.RBM.rand(7, 2, seed=3, dtype="complex128"),
    "tree": qdn.RecursiveTree.rand(6, 2, 2, 2, seed=4, dtype="complex128"),
    "dense nodes": qdn.RecursiveTree.rand(6, 2, 2, 2, seed=4, nodes="dense"),
    "edited": qdn.RecursiveTree.rand(6, 2, 2, 3, seed=5).gate(
        qu.rand_uni(4), (1, 4), contract=True
    ),
    "collapsed": qdn.ConvAC.rand(7, 2, 3, 3, seed=6, dtype="complex128").collapse() * 3.5,
    "identities scaled": qdn.ConvAC.rand(7, 2, 3, 3, seed=6, dtype="complex128").collapse(),
    "mps": qtn.MPS_rand_state(7, 4, seed=7, dtype="complex128"),
    "mera": qtn.MERA.rand(8, dtype="complex128"),
    "peps": qtn.PEPS.rand(2, 3, 2, seed=8, dtype="complex128"),
    "one site": qtn.MPS_rand_state(1, 1, seed=9),
}
for _tid in STATES["identities scaled"].tag_map["IDENTITY"]:
    STATES["identities scaled"].tensor_map[_tid].modify(apply=lambda x: x * (0.5 + 0.25j))
STATES["identities scaled"].exponent += 2
FAINT = qdn.ConvAC.rand(300, 1, 2, 2, seed=0, dist="uniform", loc=1.0).collapse()
for _tid in FAINT.tag_map["IDENTITY"]:
    FAINT.tensor_map[_tid].modify(apply=lambda x: x * 1e-10)


def vector(state):
    return np.asarray(state.to_dense()).reshape(-1)


def sites_of(state):
    return list(state.sites)


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("target_size", [None, 2**5])
@pytest.mark.parametrize("shared", [False, True])
def test_every_task(name, target_size, shared):
    state = STATES[name]
    psi, sites = vector(state), sites_of(state)
    opts = {"target_size": target_size, "shared": shared}
    n = len(sites)
    config = [1, 0, 1, 1, 0, 1, 0, 1][:n]
    found = qdn.contract_sliced(state, "amplitude", config=config, **opts)
    assert abs(found - psi[int("".join(map(str, config)), 2)]) < 1e-12 * np.abs(psi).max()
    norm = qdn.contract_sliced(state, "norm", **opts)
    assert abs(norm - np.linalg.norm(psi)) < 1e-12 * norm
    np.testing.assert_allclose(
        qdn.contract_sliced(state, "dense", shared=shared), psi[:, None], atol=1e-12 * norm
    )
    if n < 3:
        return
    where = [sites[2], sites[0]]
    x = (psi / np.linalg.norm(psi)).reshape((2,) * n)
    x = np.moveaxis(x, (2, 0), (0, 1)).reshape(4, -1)
    rho = x @ x.conj().T
    found = qdn.contract_sliced(state, ("partial_trace", where), **opts)
    np.testing.assert_allclose(found, rho, atol=1e-12)
    G = qu.rand_matrix(4)
    found = qdn.contract_sliced(state, ("local_expectation", where), G=G, **opts)
    assert abs(found - np.trace(G @ rho)) < 1e-11


@pytest.mark.parametrize("net", SOME[::5], ids=repr)
@pytest.mark.parametrize("form", ["expanded", "collapsed"])
@pytest.mark.parametrize("optimize", ["greedy", "quick"])
def test_forms_and_optimizers(net, form, optimize):
    psi = vector(net)
    norm = qdn.contract_sliced(net, form=form, optimize=optimize, shared=True)
    assert abs(norm - np.linalg.norm(psi)) < 1e-12 * norm


@pytest.mark.parametrize("net", SOME, ids=repr)
def test_shared_amplitudes_at_the_reported_cost(net, monkeypatch):
    """Every product that is really done is counted, and there are as many as reported."""
    counted, multiply = [0], sharing._multiplied

    def counting(step, held):
        counted[0] += math.prod(step.sizes)
        return multiply(step, held)

    monkeypatch.setattr(sharing, "_multiplied", counting)
    config, info = [n % net.phys_dim for n in range(net.nsites)], {}
    value = qdn.contract_sliced(
        net,
        "amplitude",
        config=config,
        form="expanded",
        optimize="branches",
        shared=True,
        info=info,
    )
    exact = net.amplitude(np.array(config).reshape(net.geometry.shape))
    assert abs(value - exact) <= 1e-11 * abs(exact)
    row = qdn.path_report(net, optimize="branches", shared=True).best
    assert counted[0] == info["flops"]
    assert math.log10(max(1, counted[0])) == pytest.approx(row["shared_log10_flops"])


def test_depth_that_leaves_the_range_of_floats():
    net = qdn.ConvAC.rand(8, 6, 2, 3, scale=20.0, boundary="periodic", seed=0)
    config = "01101001"
    phase, log = net.log_amplitudes([list(map(int, config))])
    opts = {"config": config, "form": "expanded", "optimize": "branches"}
    for shared in (False, True):
        opts["shared"] = shared
        mantissa, exponent = qdn.contract_sliced(net, "amplitude", strip_exponent=True, **opts)
        assert np.sign(mantissa) == phase[0]
        assert abs(math.log(abs(mantissa)) + exponent * math.log(10) - log[0]) < 1e-9
        with pytest.raises(qdn.RangeError, match="strip_exponent=True"):
            qdn.contract_sliced(net, "amplitude", **opts)
    assert abs(exponent) > 308


def test_zero_is_zero():
    net = qdn.ConvAC.graph_state(6, 1, 2)
    zero = net.collapse()
    next(iter(zero.select_tensors("READOUT"))).modify(apply=lambda x: 0 * x)
    assert qdn.contract_sliced(zero, "norm") == 0
    assert qdn.contract_sliced(zero, "norm", shared=True, strip_exponent=True) == (0, 0)
    with pytest.raises(qdn.RangeError, match="norm 0"):
        qdn.contract_sliced(zero, ("partial_trace", [0]))


def test_torch_stays_torch():
    torch = pytest.importorskip("torch")
    net = qdn.ConvAC.rand(6, 2, 3, 3, seed=0)
    for like in ("torch", "torch-complex64", "torch-float32"):
        found = qdn.contract_sliced(net.to(like), ("partial_trace", [1, 2]), target_size=2**6)
        assert isinstance(found, torch.Tensor) and found.dtype == net.to(like)._like.dtype
        exact = net.partial_trace_exact([1, 2])
        assert np.allclose(found.numpy(), exact, atol=1e-12 if like == "torch" else 1e-5)
    params = {k: v.requires_grad_() for k, v in net.to("torch").params.items()}
    with pytest.raises(qdn.MethodError, match="gradients"):
        qdn.contract_sliced(qdn.ConvAC.from_params(net.geometry, params))


def test_slices_are_small_and_counted():
    info = {}
    norm = qdn.contract_sliced(RING, "norm", target_size=2**8, info=info)
    assert abs(norm / np.linalg.norm(vector(RING)) - 1) < 1e-12
    assert info["log2_width"] <= 8 and info["slices"] >= 8
    row = qdn.path_report(RING, "norm", "collapsed", optimize="quick", target_size=2**8).best
    assert row["log2_width"] <= 8 and row["slices"] > 1
    whole = qdn.path_report(RING, "norm", "collapsed", optimize="quick").best
    assert whole["slices"] == 1 and whole["log10_flops"] < row["log10_flops"]


def test_chunks_are_many_and_short():
    """At least 32 in what takes longer than a blink, none much longer than half a second."""
    for size, N in ((2**8, 12), (2**4, 12), (2**7, 16)):
        net = qdn.ConvAC.rand(N, 3, 3, 4, boundary="periodic", seed=0)
        graph = hypergraph(net, "norm", "collapsed")
        tree = graph.search("quick", size)
        length = slices._chunk_length(tree)
        chunks = -(-int(tree.multiplicity) // length)
        seconds = tree.contraction_cost() / 1e9 + tree.multiplicity * tree.N * 3e-5
        assert chunks >= min(32, tree.multiplicity) or seconds < 0.2
        assert length == 1 or length * seconds / tree.multiplicity < 1
    info = {}
    qdn.contract_sliced(RING, "norm", target_size=2**9, info=info)
    assert info["chunks"] == 1 and info["overhead"] > 1


def test_the_edges_of_the_range_of_floats():
    big, small = qtn.MPS_computational_state("00"), qtn.MPS_computational_state("00")
    big[0].modify(apply=lambda x: x * 1e308)
    assert np.array_equal(qdn.contract_sliced(big, "dense").ravel(), [1e308, 0, 0, 0])
    power = qtn.MPS_computational_state("0000")
    power.exponent = 1023 * math.log10(2)
    assert qdn.contract_sliced(power, "norm") == pytest.approx(2.0**1023, rel=1e-12)
    for factor, dtype in ((1e-310, "float64"), (1e-42, "float32"), (1e-30, "float32")):
        tiny = small.copy()
        tiny.apply_to_arrays(lambda x, d=dtype: x.real.astype(d))
        tiny[0].modify(apply=lambda x, f=factor, d=dtype: (x * f).astype(d))
        size = math.log10(float(np.abs(tiny[0].data).max()))
        for shared in (False, True):
            mantissa, exponent = qdn.contract_sliced(
                tiny, "norm", shared=shared, strip_exponent=True
            )
            assert mantissa.dtype == dtype
            assert math.log10(mantissa) + exponent == pytest.approx(size, rel=1e-6)
            rho = qdn.contract_sliced(tiny, ("partial_trace", [1]), shared=shared)
            np.testing.assert_allclose(rho, [[1, 0], [0, 0]])
    bare = qdn.ConvAC.rand(300, 1, 2, 2, seed=0, dist="uniform", loc=1.0).collapse()
    a, b = (
        qdn.contract_sliced(x, "norm", optimize="sweep", strip_exponent=True) for x in (bare, FAINT)
    )
    assert math.log10(b[0] / a[0]) + b[1] - a[1] == pytest.approx(-3000)
    for value in (math.nan, math.inf):
        wrong = small.copy()
        wrong[1].modify(apply=lambda x, v=value: np.full_like(x, v))
        for shared in (False, True):
            with pytest.raises(qdn.RangeError, match="inf or nan"):
                qdn.contract_sliced(wrong, "norm", shared=shared)


# ---------------------------------------------------------------- executors


def square(data, k):
    return data * k * k


def fail(data, k):
    raise qdn.OptionError(f"number {k} is refused")


def die(path, k):
    """Kill the process that gets number 3, as often as the file has lines."""
    if k == 3:
        with open(path) as file:
            left = file.read().splitlines()
        if left:
            with open(path, "w") as file:
                file.write("\n".join(left[1:]))
            os.kill(os.getpid(), signal.SIGKILL)
    return Sum(np.array([float(k)]))


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextlib.contextmanager
def cluster_of(count, folder, timeout=30):
    """A dask cluster of worker processes, with nannies that start killed ones again."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(folder),
        ) as cluster,
        distributed.Client(cluster, timeout=timeout) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two worker processes."""
    with cluster_of(2, tmp_path_factory.mktemp("dask")) as client:
        yield client


def test_results_come_in_order(processes, client):
    with ThreadPoolExecutor(2) as threads:
        for executor in (None, threads, processes, client):
            assert list(in_order(Job(square, 2), range(9), executor)) == [
                2 * k * k for k in range(9)
            ]


def test_errors_of_the_work_are_not_tried_again(processes, client):
    for executor in (None, processes, client):
        with pytest.raises(qdn.OptionError, match="number 0 is refused"):
            list(in_order(Job(fail, None), range(3), executor))


def test_what_is_no_executor():
    for wrong in ("cluster", 3.5, object(), ThreadPoolExecutor):
        with pytest.raises(qdn.OptionError, match="not an executor"):
            as_pool(wrong)
    with pytest.raises(qdn.OptionError, match="executor=0"):
        as_pool(0)
    assert as_pool(None) is None and hasattr(as_pool("threads"), "submit")


class TwoWords(Exception):
    """An error that pickle cannot make anew."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def fail_oddly(data, k):
    if data == "exit":
        raise SystemExit(3)
    raise TwoWords("no", "way")


def test_errors_that_do_not_travel(processes):
    with pytest.raises(RuntimeError, match="TwoWords: no way"):
        list(in_order(Job(fail_oddly, None), range(2), processes))
    with pytest.raises(RuntimeError, match="SystemExit"):
        list(in_order(Job(fail_oddly, "exit"), range(2), processes))
    with pytest.raises(qdn.OptionError, match=r"pickl.*threads|pickl.*loky"):
        list(in_order(Job(lambda data, k: k, None), range(2), processes))
    search = ctg.HyperOptimizer(max_repeats=2, parallel=False)
    with pytest.raises(qdn.OptionError, match="optimize='hyper'"):
        qdn.path_report(RING, optimize=[search, "greedy"], executor=processes)
    assert list(in_order(Job(square, 1), range(3), processes)) == [0, 1, 4]  # it still works


def test_futures_that_cannot_be_cancelled():
    class Future:
        def __init__(self, value):
            self.result = lambda: value

    class Pool:
        _max_workers = 2

        def submit(self, function, *args):
            return Future(function(*args))

    assert list(in_order(Job(square, 1), range(5), Pool())) == [0, 1, 4, 9, 16]
    with pytest.raises(qdn.OptionError, match="number 0"):
        list(in_order(Job(fail, None), range(5), Pool()))
    running = in_order(Job(square, 1), range(5), Pool())
    assert next(running) == 0
    running.close()


def test_a_closed_executor_is_told(client):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(qdn.WorkerError, match=r"ThreadPoolExecutor.*checkpoint"):
        qdn.contract_sliced(RING, "norm", pool, 2**8)


def test_a_pool_that_breaks_leaves_its_checkpoint(tmp_path, monkeypatch):
    """A process pool is lost with its first worker; a new one goes on where the file is."""
    file, bullets = tmp_path / "sum.npz", tmp_path / "bullets"
    bullets.write_text("one")
    job, opts = Job(die, bullets), {"checkpoint": file, "key": "test"}
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as pool,
        pytest.raises(qdn.WorkerError, match=r"BrokenProcessPool.*[123] of 8 chunks were done"),
    ):
        add_up(job, 8, np.zeros(1), executor=pool, **opts)
    with np.load(file) as data:
        assert 0 < int(data["done"]) <= 3
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = add_up(job, 8, np.zeros(1), executor=pool, **opts)
    assert found == Sum(np.array([28.0]), 0, 8)


@pytest.mark.slow
def test_dask_computes_again_what_a_killed_worker_had(client, tmp_path):
    bullets = tmp_path / "bullets"
    bullets.write_text("one\ntwo")
    found = add_up(Job(die, bullets), 8, np.zeros(1), executor=client)
    assert found == Sum(np.array([28.0]), 0, 8) and bullets.read_text() == ""


@pytest.mark.slow
def test_dask_gives_up_on_what_always_kills(tmp_path):
    bullets = tmp_path / "bullets"
    bullets.write_text("\n".join("x" * 200))
    with (
        cluster_of(1, tmp_path) as client,
        pytest.raises(qdn.WorkerError, match=r"chunk 3 was lost 4 times.*[0-3] of 8 chunks"),
    ):
        add_up(Job(die, bullets), 8, np.zeros(1), executor=client)


@pytest.mark.slow
def test_dask_without_workers_is_told(tmp_path):
    with cluster_of(1, tmp_path, timeout=2) as client:
        running = in_order(Job(square, 1), range(9), client)
        assert next(running) == 0
        for nanny in client.cluster.workers.values():
            client.sync(nanny.close)
        with pytest.raises(qdn.WorkerError, match="No valid workers"):
            list(running)


# ---------------------------------------------------------------- a worker dies in the middle


class Killer(threading.Thread):
    """Kills one worker of a dask cluster as soon as a checkpoint says that something is done."""

    def __init__(self, client, file):
        super().__init__(daemon=True)
        client.wait_for_workers(2, timeout=60)  # those that other tests killed start again
        self.pids = list(client.run(os.getpid).values())
        self.file, self.done_at_death = file, None

    def run(self):
        for _ in range(6000):
            if self.file.exists():
                with np.load(self.file) as data:
                    self.done_at_death = int(data["done"])
                os.kill(self.pids[0], signal.SIGKILL)
                return
            time.sleep(0.01)


def test_sliced_norm_on_dask_survives_a_killed_worker(client, tmp_path, monkeypatch):
    monkeypatch.setattr(slices, "CHUNK_SECONDS", 1e-3)
    net = qdn.ConvAC.rand(16, 3, 3, 4, boundary="periodic", seed=0, dtype="complex128")
    alone = qdn.contract_sliced(net, "norm", target_size=2**7, optimize="sweep")
    killer, info = Killer(client, tmp_path / "norm.npz"), {}
    killer.start()
    found = qdn.contract_sliced(
        net,
        "norm",
        client,
        2**7,
        optimize="sweep",
        checkpoint=tmp_path / "norm.npz",
        info=info,
    )
    killer.join()
    assert info["chunks"] >= 8 and 0 < killer.done_at_death < info["chunks"]
    assert abs(found / alone - 1) < 1e-14
    assert abs(found / np.linalg.norm(vector(net)) - 1) < 1e-12


def test_streamed_density_matrix_on_dask_survives_a_killed_worker(client, tmp_path, monkeypatch):
    from quimb_deepnets.entanglement.methods import gram

    monkeypatch.setattr(gram, "BLOCK", 2**11)
    net = qdn.RBM.rand(16, 2, seed=0, dtype="complex128")
    alone = qdn.partial_trace_exact(net, [3, 8], method="gram")
    killer = Killer(client, tmp_path / "rho.npz")
    killer.start()
    found = qdn.partial_trace_exact(
        net, [3, 8], method="gram", executor=client, checkpoint=tmp_path / "rho.npz"
    )
    killer.join()
    assert 0 < killer.done_at_death < 2**5
    np.testing.assert_allclose(found, alone, atol=1e-15)
    np.testing.assert_allclose(found, net.partial_trace_exact([3, 8], method="dense"), atol=1e-13)


def test_the_same_to_the_last_bit_on_every_executor(processes, monkeypatch):
    monkeypatch.setattr(slices, "CHUNK_SECONDS", 1e-3)
    alone = qdn.contract_sliced(RING, "norm", None, 2**8)
    with ThreadPoolExecutor(2) as threads:
        for executor in (threads, processes):
            assert qdn.contract_sliced(RING, "norm", executor, 2**8) == alone


def test_searches_on_an_executor(processes):
    here = qdn.path_report(RING, "norm", "collapsed", shared=True)
    there = qdn.path_report(RING, "norm", "collapsed", shared=True, executor=processes)
    drop = lambda rows: [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    assert drop(here.rows) == drop(there.rows)


# ---------------------------------------------------------------- checkpoints and errors


def test_a_checkpoint_goes_on_with_its_own_path(tmp_path, monkeypatch):
    """Another search would slice otherwise; what is done would be lost."""
    monkeypatch.setattr(slices, "CHUNK_SECONDS", 1e-3)
    file, done, work = tmp_path / "a.npz", [], slices.slice_chunk

    def some(data, k):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(k)
        return work(data, k)

    exact = qdn.contract_sliced(RING, "norm", target_size=2**8, optimize="sweep")
    monkeypatch.setattr(slices, "slice_chunk", some)
    with pytest.raises(KeyboardInterrupt):
        qdn.contract_sliced(RING, "norm", None, 2**8, optimize="sweep", checkpoint=file)
    monkeypatch.setattr(slices, "slice_chunk", lambda d, k: (done.append(k), work(d, k))[1])
    found = qdn.contract_sliced(RING, "norm", None, 2**8, optimize="greedy", checkpoint=str(file))
    assert found == exact and done == list(range(len(done))) and len(done) > 3
    before = file.read_bytes()
    again = qdn.contract_sliced(RING, "norm", None, 2**8, checkpoint=file)
    assert again == exact
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    other = qdn.ConvAC.rand(12, 3, 3, 4, boundary="periodic", seed=1)
    for net, size, what in ((other, 2**8, "numbers"), (RING, 2**9, "target_size")):
        with pytest.raises(qdn.OptionError, match=rf"another state or task \(.*{what}"):
            qdn.contract_sliced(net, "norm", None, size, checkpoint=file)
    assert qdn.contract_sliced(RING, "norm", None, 2**8, checkpoint=file) == exact
    assert file.read_bytes() == before


def test_a_checkpoint_goes_on_with_its_own_chunks(tmp_path, monkeypatch):
    """Chunks of another length would be other slices."""
    file, work, done = tmp_path / "a.npz", slices.slice_chunk, []

    def some(data, k):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(k)
        return work(data, k)

    monkeypatch.setattr(slices, "CHUNK_SECONDS", 1e-3)
    exact = qdn.contract_sliced(RING, "norm", target_size=2**8)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(slices, "slice_chunk", some)
        qdn.contract_sliced(RING, "norm", target_size=2**8, checkpoint=file)
    monkeypatch.setattr(slices, "CHUNK_SECONDS", 10)
    size = np.int64(2**8)
    assert qdn.contract_sliced(RING, "norm", target_size=size, checkpoint=file) == exact
    with np.load(file) as data:
        found = dict(data)
    np.savez(file, **(found | {"done": 10**6}))
    with pytest.raises(qdn.OptionError, match="another state or task"):
        qdn.contract_sliced(RING, "norm", target_size=2**8, checkpoint=file)


@pytest.mark.parametrize("content", [b"garbage", b""])
def test_files_that_are_no_checkpoint_stay(tmp_path, content):
    file = tmp_path / "a.npz"
    file.write_bytes(content)
    with pytest.raises(qdn.OptionError, match="cannot be read"):
        qdn.contract_sliced(RING, "norm", target_size=2**8, checkpoint=file)
    assert file.read_bytes() == content
    with pytest.raises(qdn.OptionError, match="cannot be written"):
        qdn.contract_sliced(RING, "norm", checkpoint=tmp_path / "nowhere" / "a.npz")
    with pytest.raises(qdn.OptionError, match="not a path of a file"):
        qdn.contract_sliced(RING, "norm", checkpoint=3.5)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"task": "energy"}, qdn.OptionError, "'energy'"),
        ({"task": "amplitude"}, qdn.OptionError, "needs config="),
        ({"task": "norm", "config": "01"}, qdn.OptionError, "config= belongs"),
        ({"task": "amplitude", "config": "01"}, qdn.ConfigError, "12"),
        ({"task": "amplitude", "config": "2" * 12}, qdn.ConfigError, "2"),
        ({"task": ("local_expectation", [0])}, qdn.OptionError, "needs G="),
        ({"task": "local_expectation"}, qdn.OptionError, "about some sites"),
        ({"task": ("local_expectation", [0]), "G": np.eye(4)}, qdn.OptionError, r"\(2, 2\)"),
        ({"task": "norm", "G": np.eye(2)}, qdn.OptionError, "G= belongs"),
        ({"task": ("partial_trace", [12])}, qdn.SitesError, "12"),
        (
            {"task": ("local_expectation", [0]), "G": "z"},
            qdn.OptionError,
            "not an array of numbers",
        ),
        (
            {"task": ("local_expectation", [0]), "G": [[1], [1, 2]]},
            qdn.OptionError,
            "not an array of numbers",
        ),
        ({"task": ("local_expectation", [0]), "G": np.ones((1, 4))}, qdn.OptionError, r"\(1, 4\)"),
        ({"task": ("local_expectation", [0]), "G": np.nan * np.eye(2)}, qdn.RangeError, "G holds"),
        ({"info": []}, qdn.OptionError, "info="),
        ({"checkpoint": ""}, qdn.OptionError, "not a path of a file"),
        ({"checkpoint": "a\0"}, qdn.OptionError, "not a path of a file"),
        ({"form": "folded"}, qdn.OptionError, "folded"),
        ({"optimize": "nothing"}, qdn.OptionError, "nothing"),
        ({"target_size": 0}, qdn.OptionError, "target_size=0"),
        ({"target_size": 2.5}, qdn.OptionError, "target_size=2.5"),
        ({"task": "dense", "target_size": 2**8}, qdn.BudgetError, "output has 4096"),
        ({"max_bytes": 1000}, qdn.BudgetError, "target_size="),
        ({"max_bytes": 0}, qdn.OptionError, "max_bytes"),
        ({"executor": "cluster"}, qdn.OptionError, "not an executor"),
    ],
    ids=str,
)
def test_errors(options, error, match):
    with pytest.raises(error, match=match):
        qdn.contract_sliced(RING, **options)


def test_states_that_are_none():
    with pytest.raises(qdn.OptionError, match="ndarray"):
        qdn.contract_sliced(np.ones(4))
    with pytest.raises(qdn.OptionError, match="as it stands"):
        qdn.contract_sliced(STATES["mps"], form="collapsed")


def test_peak_of_a_shared_contraction():
    """Numbers that are held, counted while contracting, are as planned."""
    net = qdn.ConvAC.rand(6, 2, 3, 3, boundary="periodic", seed=0)
    psi = net.to_tensor_network()
    graph = hypergraph(net, "norm")
    plan = shared_plan(graph, graph.search("greedy"))
    numbers = numbers_of(psi, ket_of(psi, Form()), graph)
    sizes = [
        sum(np.asarray(x).size for x, _ in held.values())
        for held in sharing.held_values(plan, numbers.arrays)
    ]
    x, scale = contract_shared(plan, numbers.arrays)
    assert abs(float(x) * 2.0 ** (scale + numbers.scale) / psi.norm(squared=True) - 1) < 1e-12
    assert max(sizes) == plan.peak
