"""The streamed Gram matrix: its file, and what happens to a run that is killed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import view_of
from quimb_deepnets.entanglement.methods import gram

NET = qdn.ConvAC.rand(12, 3, 3, 4, seed=0, dist="rademacher", dtype="complex128")


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(gram, "BLOCK", 2**8)


def test_chunks_do_not_matter(small_chunks):
    exact = qdn.partial_trace_exact(NET, [3, 7, 1], method="dense")
    assert np.allclose(qdn.partial_trace_exact(NET, [3, 7, 1], method="gram"), exact, atol=1e-12)


def test_scales_of_chunks_do_not_matter(small_chunks):
    """Amplitudes that grow by hundreds of orders of magnitude from chunk to chunk."""
    steep = qdn.RBM.rand(10, seed=0)
    steep = qdn.RBM(10, steep.visible_bias - 40 * np.eye(10)[0], steep.hidden_bias, steep.weights)
    for where in ([8, 9], [0, 1]):
        exact = qdn.schmidt_values(steep, where, method="dense")
        assert np.allclose(qdn.schmidt_values(steep, where, method="gram"), exact, atol=1e-12)


def test_a_file_answers_a_second_time(small_chunks, tmp_path, monkeypatch):
    file = tmp_path / "gram.npz"
    first = qdn.entropy(NET, [0, 5], method="gram", checkpoint=file)
    monkeypatch.setattr(gram, "gram_chunk", lambda *args: pytest.fail("a chunk was repeated"))
    assert qdn.entropy(NET, [0, 5], method="gram", checkpoint=str(file)) == first
    assert os.listdir(tmp_path) == ["gram.npz"]


def test_a_run_that_stops_goes_on(small_chunks, tmp_path, monkeypatch):
    file, add, done = tmp_path / "gram.npz", gram.gram_chunk, []

    def some(data, k):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(k)
        return add(data, k)

    plain = qdn.partial_trace_exact(NET, [0, 5], method="gram")
    monkeypatch.setattr(gram, "gram_chunk", some)
    with pytest.raises(KeyboardInterrupt):
        qdn.partial_trace_exact(NET, [0, 5], method="gram", checkpoint=file)
    first = list(done)
    done.clear()
    monkeypatch.setattr(gram, "gram_chunk", lambda data, k: (done.append(k), add(data, k))[1])
    rho = qdn.partial_trace_exact(NET, [0, 5], method="gram", checkpoint=file)
    assert np.array_equal(rho, plain)
    assert first + done == list(range(2**4))


SCRIPT = """
import sys, time
import quimb_deepnets as qdn
from quimb_deepnets.entanglement import gram

gram.BLOCK, add = 2**9, gram.gram_chunk

def slow(data, k):
    print(k, flush=True)
    time.sleep(float(sys.argv[2]))
    return add(data, k)

gram.gram_chunk = slow
net = qdn.ConvAC.rand(14, 3, 3, 4, seed=0)
values = qdn.schmidt_values(net, [2, 9, 11], method="gram", checkpoint=sys.argv[1])
print("values", [x.hex() for x in values.tolist()])
"""


def _start(file, pause):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    args = [sys.executable, "-c", SCRIPT, str(file), str(pause)]
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True, env=env)


@pytest.mark.slow
def test_sigkill_loses_nothing_but_the_chunk_at_work(tmp_path):
    killed = _start(tmp_path / "a.npz", 0.05)
    started = [int(killed.stdout.readline()) for _ in range(9)]
    time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    rest, _ = killed.communicate()
    started += [int(line) for line in rest.split()]
    assert killed.returncode == -signal.SIGKILL
    again = _start(tmp_path / "a.npz", 0).communicate()[0].splitlines()
    whole = _start(tmp_path / "b.npz", 0).communicate()[0].splitlines()
    assert again[-1] == whole[-1] and again[-1].startswith("values")  # to the last bit
    resumed = list(map(int, again[:-1]))
    assert started[: len(started) - 1] + resumed == list(map(int, whole[:-1])) or (
        started + resumed == list(map(int, whole[:-1]))  # it was killed between two chunks
    )


@pytest.mark.parametrize("damage", ["other state", "other sites", "garbage", "half"])
def test_wrong_files_are_refused_and_kept(small_chunks, tmp_path, damage):
    file, net, where = tmp_path / "gram.npz", NET, [0, 5]
    qdn.entropy(NET, [0, 5], method="gram", checkpoint=file)
    if damage == "other state":
        net = qdn.ConvAC(12, [1.5 * w for w in NET.weights], NET.readout)
    elif damage == "other sites":
        where = [0, 6]
    elif damage == "garbage":
        file.write_text("no checkpoint")
    else:
        file.write_bytes(file.read_bytes()[:300])
    before = file.read_bytes()
    with pytest.raises(qdn.OptionError, match="choose another path"):
        qdn.entropy(net, where, method="gram", checkpoint=file)
    assert file.read_bytes() == before


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(qdn.OptionError, match="cannot be written"):
        qdn.entropy(NET, 1, method="gram", checkpoint=tmp_path / "nowhere" / "gram.npz")


def test_the_state_is_never_held():
    net = qdn.RBM.rand(24, seed=0)
    plan = {row["method"]: row for row in qdn.entanglement_plan(net, [3, 4]).rows}
    assert plan["gram"]["bytes"] < plan["dense"]["bytes"] * 2
    assert view_of(net).smaller((3, 4)) == (3, 4)
