"""Memory of contractions: asked for before it is taken, whichever way the path is found."""

import math
import subprocess
import sys
import types

import cotengra as ctg
import numpy as np
import psutil
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.hyper.free_memory import _left_in_groups
from quimb_deepnets.hyper.memory import within_memory

DIM = 60


def crossed(n=4):
    """Tensors with a bond between any two: of four, the first step makes DIM**4 numbers."""
    rng = np.random.default_rng(0)
    legs = [[f"b{min(i, j)},{max(i, j)}" for j in range(n) if j != i] for i in range(n)]
    arrays = [rng.standard_normal((DIM,) * (n - 1)) for _ in range(n)]
    tensors = [qtn.Tensor(x, ix, tags="ALL") for x, ix in zip(arrays, legs)]
    return qdn.HyperTensorNetwork(tensors)


@pytest.fixture
def free(monkeypatch):
    """Set how many bytes are free."""

    def _set(size):
        found = types.SimpleNamespace(available=size)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: found)

    return _set


def path_of(tn):
    return ctg.array_contract_path([t.inds for t in tn], (), shapes=[t.shape for t in tn])


@pytest.mark.parametrize("optimize", [None, "greedy", "auto-hq", "tree", "path", "optimizer"])
@pytest.mark.parametrize("how", ["contract", "scaled", "tags"])
def test_what_a_contraction_holds_is_asked_for_first(free, optimize, how):
    tn = crossed()
    free(8 * DIM**4)  # the tensors and more, but not that array beside them
    made = {
        "tree": lambda: tn.contraction_tree("greedy"),
        "path": lambda: path_of(tn),
        "optimizer": lambda: ctg.GreedyOptimizer(),
    }
    optimize = made[optimize]() if optimize in made else optimize
    call = {
        "contract": lambda: tn.contract(optimize=optimize),
        "scaled": lambda: tn.contract(optimize=optimize, strip_exponent=True),
        "tags": lambda: tn.contract("ALL", optimize=optimize),
    }[how]
    with pytest.raises(qdn.BudgetError, match=r"holds up to .* bytes at once.*contract_sliced"):
        call()


def test_where_there_is_room_the_value_is_right():
    tn = crossed(3)
    a, b, c = (t.data for t in tn)  # legs (01, 02), (01, 12), (02, 12)
    expected = np.einsum("xy,xz,yz->", a, b, c)
    assert tn.contract() == pytest.approx(expected, rel=1e-12)
    assert tn.contract("ALL") == pytest.approx(expected, rel=1e-12)


def test_expanded_states_with_copy_tensors_are_refused_before_they_fill_the_machine(free):
    """All copies of a site as one tensor: paths by "greedy" would hold tens of gigabytes."""
    layers = [qdn.GCLayer((1, 2), 2), qdn.GCLayer((2, 1), 2), qdn.GCLayer((1, 3), 2)]
    options = {"layers": layers, "boundary": "periodic", "shared": False}
    psi = qdn.ConvAC.rand((2, 2), seed=0, **options).to_tensor_network()
    found = psi.hyperinds_resolve("dense")
    free(2**34)
    with pytest.raises(qdn.BudgetError, match=r"holds up to 2\.\d+e\+10 bytes at once"):
        found.to_dense(optimize="greedy")


@pytest.mark.parametrize(
    "net", [qdn.ConvAC.rand(12, 2, 8, 2, seed=0), qdn.RAC.rand(12, 2, 2, seed=0)]
)
def test_windows_are_not_made_where_they_do_not_fit(free, net):
    """``max_bytes`` is what windows may hold; making them takes a few times as much."""
    free(2**10)
    with pytest.raises(qdn.BudgetError, match=r"making them 6 times as many, more than the 1024"):
        net.collapse()


def test_devices_say_themselves_what_does_not_fit(free):
    """The memory of this machine does not bound what lies elsewhere."""
    tn = crossed()
    free(2**20)
    tensors = [qtn.Tensor(torch.empty(t.shape, device="meta"), t.inds) for t in tn]
    assert len(within_memory(tensors, (), "greedy")) == 3  # a path, and no refusal
    with pytest.raises(qdn.BudgetError, match="holds up to"):
        within_memory([qtn.Tensor(torch.empty(t.shape), t.inds) for t in tn], (), "greedy")


def test_sizes_beyond_floats_are_refused_in_words():
    """Products of 1200 vectors before the first of them is joined: 2**1200 numbers."""
    inds = [(f"a{i}",) for i in range(1200)]
    tensors = [qtn.Tensor(np.ones(2), ix) for ix in 2 * inds]
    path = [(0, 1)] + [(0, 2398 - i) for i in range(1198)]
    path += [(0, 1200 - i) for i in range(1200)]
    with pytest.raises(qdn.BudgetError, match=r"holds up to 10\*\*36\d bytes at once"):
        within_memory(tensors, (), path)
    with pytest.raises(qdn.BudgetError, match=r"has 10\*\*361 entries"):
        within_memory(tensors[:1200], [ix for (ix,) in inds], "greedy")


def test_windows_of_more_sites_than_floats_count_are_refused_in_words():
    """Windows of 39 x 39 sites: tables of 2**1521 rows, and as many at the next level."""
    net = qdn.ConvAC.rand((40, 40), 20, 3, 2, boundary="periodic", seed=0)
    with pytest.raises(qdn.BudgetError, match=r"need 10\*\*459 bytes.*level 19: 10\*\*458 numb"):
        net.collapse()


def group(folder, limit, held, cache=0, names=("memory.max", "memory.current", "inactive_file")):
    """The files of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    most, now, name = names
    (folder / most).write_text(f"{limit}\n")
    (folder / now).write_text(f"{held}\n")
    (folder / "memory.stat").write_text(f"anon 7\n{name} {cache}\nslab 3\n")


V1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


@pytest.mark.parametrize(
    "lines, made, left",
    [
        ("0::/", {"": ("max", 50)}, math.inf),
        ("0::/", {"": (100, 50)}, 50),  # a container, whose group looks like the top
        ("0::/a/b", {"a": (100, 90, 15), "a/b": ("max", 20)}, 25),  # caches of files give way
        ("0::/a/b", {"a": (100, 40), "a/b": (50, 45)}, 5),
        ("0::/a", {"a": (100, 130)}, 0),
        ("0::/not/there", {"": (100, 60)}, 40),
        ("4:memory:/a\n3:cpuset:/\n0::/", {"memory/a": (100, 70), "cpuset": (1, 1)}, 30),
        ("2:cpu,memory:/x/y", {"memory/x": (100, 10), "memory/x/y": (2**63 - 4096, 5)}, 90),
        ("garbled", {"": (100, 60)}, math.inf),
        ("0::/", {"": ("many", 60)}, math.inf),
        ("0::/", {}, math.inf),
    ],
)
def test_what_a_container_leaves(tmp_path, lines, made, left):
    (tmp_path / "own").write_text(f"{lines}\n")
    for name, numbers in made.items():
        old = {"names": V1} if name.startswith("memory") else {}
        group(tmp_path / "top" / name, *numbers, **old)
    assert _left_in_groups(tmp_path / "top", tmp_path / "own") == left


def test_without_control_groups(tmp_path):
    assert _left_in_groups(tmp_path, tmp_path / "own") == math.inf


def test_a_limit_of_the_process_counts():
    """A shell that allows 3 GiB of address space more than are taken leaves no more than that."""
    pytest.importorskip("resource")
    code = (
        "import resource, psutil\n"
        "from quimb_deepnets.hyper.free_memory import free_memory\n"
        "taken = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (taken + 2**20 * 64,) * 2)\n"
        "print(free_memory() <= 2**20 * 64)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
