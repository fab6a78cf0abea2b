"""Pools by name: of our own, so that joblib's and cotengra's stay as they were."""

import concurrent.futures
import subprocess
import sys
import types

import pytest
from cotengra import parallel

import quimb_deepnets as qdn
from quimb_deepnets.jobs import Job, as_pool, in_order


def plus(data, k):
    return data + k


@pytest.fixture
def with_loky(monkeypatch):
    """cotengra as it is where joblib is installed: its one pool must not be asked for."""

    def refuse(*args, **kwargs):
        raise AssertionError("joblib's own pool was taken")

    monkeypatch.setattr(parallel, "_DEFAULT_BACKEND", "loky")
    monkeypatch.setattr(parallel, "get_loky_get_reusable_executor", lambda: refuse)


@pytest.mark.parametrize("executor", [1, "concurrent.futures", "auto", True])
def test_processes_are_our_own(with_loky, monkeypatch, executor):
    monkeypatch.setattr(parallel, "choose_default_num_workers", lambda: 1)
    before = parallel._AUTO_BACKEND, parallel._AUTO_BACKEND_PID
    pool = as_pool(executor)
    assert isinstance(pool, concurrent.futures.ProcessPoolExecutor) and as_pool(executor) is pool
    assert list(in_order(Job(plus, 1), range(3), executor)) == [1, 2, 3]
    assert before == (parallel._AUTO_BACKEND, parallel._AUTO_BACKEND_PID)
    pool.shutdown()
    assert list(in_order(Job(plus, 1), range(3), executor)) == [1, 2, 3]  # another one


def test_loky_is_a_pool_of_its_own(with_loky, monkeypatch):
    made = []

    class Executor(concurrent.futures.ThreadPoolExecutor):
        def __init__(self, workers):
            made.append(workers)
            super().__init__(workers)
            self._flags = types.SimpleNamespace(shutdown=False, broken=None)

    monkeypatch.setattr("quimb_deepnets.jobs.executors._POOLS", {})
    monkeypatch.setitem(sys.modules, "loky", types.SimpleNamespace(ProcessPoolExecutor=Executor))
    pool = as_pool("loky")
    assert as_pool("loky") is pool and len(made) == 1
    pool._flags.broken = RuntimeError()
    assert as_pool("loky") is not pool and len(made) == 2
    monkeypatch.setattr("quimb_deepnets.jobs.executors._POOLS", {})
    for module in ("loky", "joblib", "joblib.externals.loky"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(qdn.ExtraError, match="loky"):
        as_pool("loky")


def test_what_is_none(with_loky):
    for wrong in (0, -1, "cloud", 1.5, False, [], object()):
        with pytest.raises(qdn.OptionError, match="executor="):
            as_pool(wrong)


JOBLIB = """
import joblib, quimb_deepnets as qdn
if __name__ == "__main__":
    run = lambda: joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(-i) for i in range(3))
    net = qdn.ConvAC.rand(6, 1, 2, 2, seed=0)
    assert run() == [0, 1, 2]
    for executor in (2, "loky", "concurrent.futures"):
        norm = qdn.contract_sliced(net, "norm", executor=executor, target_size=8)
        assert abs(norm / net.collapse().norm() - 1) < 1e-12 and run() == [0, 1, 2]
    print("done")
"""


def test_joblib_goes_on(tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "script.py").write_text(JOBLIB)
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "done\n", done.stderr
