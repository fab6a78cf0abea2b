"""How loops are compiled, which arrays have loops, and threads."""

import multiprocessing
import threading
from typing import NamedTuple

import numpy as np
import pytest
import torch

from quimb_deepnets.kernels.compiled import as_rows, has_loops, in_threads, loop


@loop
def double(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]


@loop
def quadruple(x, out):
    double(x, out)
    double(out.copy(), out)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_loops_call_each_other_in_any_dtype(dtype):
    x = np.arange(5).astype(dtype)
    out = np.empty_like(x)
    quadruple(x, out)
    assert out.dtype == x.dtype
    assert (out == 4 * x).all()


def test_what_older_versions_of_any_loop_left_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    hits = []
    for stamp in ("new", "new", "newer", "newer"):
        monkeypatch.setattr("quimb_deepnets.kernels.compiled.SOURCES", (("rows.py", stamp, 1),))
        again = loop(double.py_func)
        again(np.ones(2), np.empty(2))
        hits.append(sum(again.stats.cache_hits.values()))
    assert hits == [0, 1, 0, 1]


class Pair(NamedTuple):
    """A tuple that a newer version has no more."""

    x: np.ndarray
    y: np.ndarray


def first(both):
    return both[0][0]


def test_tuples_of_older_versions_may_be_gone(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("quimb_deepnets.kernels.compiled.SOURCES", "old")
    assert loop(first)(Pair(np.ones(2), np.ones(2))) == 1
    monkeypatch.setattr("quimb_deepnets.kernels.compiled.SOURCES", "new")
    monkeypatch.delitem(globals(), "Pair")
    assert loop(first)((2 * np.ones(2), np.ones(2))) == 2


def test_nan_and_inf_keep_their_meaning():
    x = np.array([np.nan, np.inf, -np.inf, 0.0])
    out = np.empty_like(x)
    double(x, out)
    np.testing.assert_array_equal(out, x)


def test_which_arrays_have_loops():
    x = torch.ones(3, dtype=torch.float64)
    assert has_loops(np.ones(3), x, x.requires_grad_())
    for other in (
        np.ones(3, "float16"),
        np.ones(3, int),
        np.ones(3, ">f8"),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(3, device="meta"),
        torch.ones(3).to_sparse(),
    ):
        assert not has_loops(np.ones(3), other)
    seen = []
    torch.func.grad(lambda x: seen.append(has_loops(x)) or x.sum())(torch.ones(3))
    torch.func.vmap(lambda x: seen.append(has_loops(x)) or x.sum())(torch.ones(3, 3))
    assert seen == [False, False]


def test_rows_share_memory_where_they_can():
    x = np.arange(6.0).reshape(2, 3)
    assert as_rows(x) is x
    t = torch.arange(6.0, requires_grad=True)
    assert np.shares_memory(as_rows(t), t.detach().numpy())
    c = torch.tensor([1 + 2j, 3 - 4j])
    np.testing.assert_array_equal(as_rows(c.conj()), [1 - 2j, 3 + 4j])
    np.testing.assert_array_equal(as_rows(c.conj().imag), [-2, 4])
    assert as_rows(x.T).flags.c_contiguous


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
def test_threads_share_all_of_the_work(monkeypatch, threads, count):
    monkeypatch.setattr("numba.get_num_threads", lambda: threads)
    out, names = np.zeros(count), set()

    def _add(start, stop):
        names.add(threading.current_thread().name)
        out[start:stop] += 1

    in_threads(_add, count, least=3)
    assert (out == 1).all()
    assert len(names) <= threads


def test_without_a_thread_that_is_left_the_work_is_done(monkeypatch):
    def _none(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("numba.get_num_threads", lambda: 3)
    monkeypatch.setattr("_thread.start_new_thread", _none)
    out = np.zeros(50)
    in_threads(lambda start, stop: out[start:stop].fill(1), 50)
    assert (out == 1).all()


def test_an_error_in_any_thread_is_raised(monkeypatch):
    monkeypatch.setattr("numba.get_num_threads", lambda: 2)
    for bad in (0, 5):
        with pytest.raises(ZeroDivisionError):
            in_threads(lambda start, stop, bad=bad: 1 // (start - bad), 10)


def _in_a_child(queue):
    out = np.zeros(10)
    in_threads(lambda start, stop: out[start:stop].fill(1), 10)
    queue.put(out.sum())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_threads_work_in_forked_children(monkeypatch):
    monkeypatch.setattr("numba.get_num_threads", lambda: 2)
    in_threads(lambda start, stop: None, 10)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == 10
    child.join()
