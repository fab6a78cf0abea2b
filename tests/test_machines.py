"""Costs of devices: plans are chosen by those of the device where the weights are."""

import types

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.machine import CPU, CUDA, LOOPS, machine_of
from quimb_deepnets.evaluation.plan import make_plan, recurrent_plan


@pytest.mark.parametrize(
    "device, machine", [("cpu", CPU), ("cuda:0", CUDA), ("CUDA", CUDA), ("mps", CPU)]
)
def test_machine_is_that_of_the_device(device, machine):
    assert machine_of(types.SimpleNamespace(device=device)) is machine
    assert machine_of(np.ones(1)) is LOOPS and machine_of([1.0]) is CPU
    assert machine_of(np.ones(1, "float16")) is CPU


def test_plans_say_whose_costs_they_took():
    nets = (
        qdn.ConvAC.rand(16, 2, 3, 4, seed=0),
        qdn.RAC.rand(16, depth=2, bond_dim=4, seed=0),
        qdn.RBM.rand(16, seed=0),
    )
    for net in nets:
        assert net.plan(100).machine is LOOPS
        assert "costs of a cpu with compiled loops" in repr(net.plan(100))
        assert net.to("torch").plan(100).machine is LOOPS


def test_plans_follow_the_costs():
    """Where calls are dear and memory is wide, a chunk is larger and its tables merge more."""
    conv = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", seed=0).geometry
    rac = qdn.RAC.rand(64, depth=2, bond_dim=32, seed=0).geometry
    batch = 2**20
    for plan in (
        lambda m: make_plan(conv, batch, machine=m),
        lambda m: recurrent_plan(rac, batch, machine=m),
    ):
        here, there = plan(CPU), plan(CUDA)
        assert here.chunk_bytes <= 16 * CPU.chunk < there.chunk_bytes <= 16 * CUDA.chunk
        assert there.machine is CUDA and there.cost < here.cost
