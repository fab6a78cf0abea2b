"""Checkpoints: runs that go on where they were cut, and files that are refused.

::

    run(10)                      one trajectory,
    run(4), run(6)               however it is cut,
    run(10) killed, run again    to the last digit
"""

import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.checkpoint import digest_of
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.targets import Target

from .test_ground_state import ring, ring_net, same


@pytest.mark.parametrize(
    "options", [{}, {"method": "full", "optimizer": "lbfgs"}, {"optimizer": "adam"}]
)
def test_runs_are_the_same_however_they_are_cut(options, tmp_path):
    whole = ring(**options).run(steps=10, progbar=False)
    cut = ring(**options).run(steps=4, progbar=False)
    cut.measure(rtol=0.1)
    cut.run(steps=6, progbar=False)
    assert same(whole, cut) and whole.energy == cut.energy
    path = tmp_path / "run.npz"
    ring(**options).run(steps=4, progbar=False, checkpoint=path)
    resumed = ring(**options).run(steps=10, progbar=False, checkpoint=path)
    assert same(whole, resumed) and whole.energy == resumed.energy and len(resumed.history) == 10
    if "method" not in options:
        assert not same(whole, ring(**options, seed=2).run(steps=10, progbar=False))


def test_a_killed_run_goes_on_to_the_last_digit(tmp_path):
    """``kill -9`` while steps are taken and files are written."""
    path = tmp_path / "run.npz"
    program = f"""
        import sys
        sys.path.insert(0, {str(pathlib.Path(__file__).parents[1])!r})
        from quimb_deepnets.groundstate import driver
        from tests.test_ground_state import ring
        driver.WRITE_EVERY = 0.0
        ring().run(steps=10**6, checkpoint={str(path)!r}, progbar=False)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.05)
            if path.exists() and read_steps(path) >= 5:
                break
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    taken = read_steps(path)
    assert taken >= 5
    resumed = ring().run(steps=taken + 3, checkpoint=path, progbar=False)
    assert same(resumed, ring().run(steps=taken + 3, progbar=False))


def read_steps(path):
    with np.load(path) as file:
        return len(file["history"])


def test_a_file_of_another_seed_or_problem_is_refused_and_kept(tmp_path):
    path = tmp_path / "run.npz"
    ring().run(steps=2, checkpoint=path, progbar=False)
    kept = path.read_bytes()
    for changed, name in (
        (ring(seed=7), "seed"),
        (ring(sign_rule=None), "H is"),
        (ring(samples=64), "samples"),
        (ring(ring_net(dtype="complex128")), "dtype"),
        (ring(qdn.RBM.rand(6, seed=0)), "network"),
        (ring(optimizer_opts={"shift": 0.1}), "optimizer"),
        (ring(method="full"), "method"),
    ):
        with pytest.raises(qdn.OptionError, match=name):
            changed.run(steps=4, checkpoint=path, progbar=False)
        assert path.read_bytes() == kept
    assert len(ring(seed=None).run(steps=3, checkpoint=path, progbar=False).history) == 3


def test_a_torn_file_is_refused_and_kept(tmp_path):
    path = tmp_path / "run.npz"
    ring().run(steps=2, checkpoint=path, progbar=False)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for torn in (b"", whole[:100], whole[: len(whole) // 2], whole[:-10], bytes(flipped), b"text"):
        path.write_bytes(torn)
        with pytest.raises(qdn.OptionError, match="torn"):
            ring().run(steps=4, checkpoint=path, progbar=False)
        assert path.read_bytes() == torn
    qdn.save(ring_net(), path)
    with pytest.raises(qdn.OptionError, match="torn, or not a checkpoint"):
        ring().run(steps=4, checkpoint=path, progbar=False)
    for nowhere in (tmp_path / "nowhere" / "run.npz", tmp_path / f"{'x' * 300}.npz"):
        with pytest.raises(qdn.OptionError, match="cannot be written"):
            ring().run(steps=4, checkpoint=nowhere, progbar=False)


@pytest.mark.parametrize(
    "name, change",
    [
        ("theta", lambda x: x[:3]),
        ("theta", lambda x: x + np.nan),
        ("theta", lambda x: x + 1j),
        ("before", lambda x: x.astype(str)),
        ("configs", lambda x: x[:3]),
        ("configs", lambda x: x + 0.5),
        ("history", lambda x: x[:1]),
        ("state", lambda x: np.array(str(x).replace("PCG64", "MT19937"))),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path, name, change):
    path = tmp_path / "run.npz"
    ring().run(steps=2, checkpoint=path, progbar=False)
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    np.savez(path, **arrays | {name: change(arrays[name])})
    gs = ring()
    with pytest.raises(qdn.OptionError, match="not a checkpoint"):
        gs.run(steps=4, checkpoint=path, progbar=False)
    assert len(gs.history) == 0
    np.savez(path, **arrays)
    assert len(gs.run(steps=4, checkpoint=path, progbar=False).history) == 4


@pytest.mark.parametrize("entry", [0, 77, 4095])
def test_a_checkpoint_knows_each_number_of_an_operator(entry):
    """One of 4096 numbers of a term differs: no few random configurations would meet it."""
    G = np.diag(np.random.default_rng(0).normal(size=2**12))
    other = G.copy()
    other[entry, entry] += 1e-9
    where = tuple(range(12))
    one, two = (digest_of(FlipMasks({where: x}, range(12))) for x in (G, other))
    assert one != two


def test_a_checkpoint_does_not_know_the_order_of_terms():
    H = {(i, i + 1): (i + 1) * qu.ham_heis(2) for i in range(5)}
    turned = dict(reversed(H.items()))
    assert digest_of(FlipMasks(H, range(6))) == digest_of(FlipMasks(turned, range(6)))


def test_a_checkpoint_tells_states_of_equal_numbers_apart():
    """The same weights with another boundary, the same tensors joined otherwise."""
    net = ring_net()
    other = qdn.ConvAC(6, list(net.weights), net.readout, boundary="ones")
    mps = qtn.MPS_rand_state(6, 3, seed=0)
    swapped = mps.reindex({"k1": "x", "k2": "k1"}).reindex({"x": "k2"})
    digests = [Target(state, net).digest for state in (net, other, mps, swapped)]
    assert len(set(digests)) == 4
    assert digests[2] == Target(mps.copy().mangle_inner_(), net).digest
