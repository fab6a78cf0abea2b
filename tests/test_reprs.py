"""What objects say of themselves: what tells them apart, in one line or a table."""

import numpy as np
import quimb as qu
import torch

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)
Z = qu.pauli("Z").real


def test_networks_say_what_their_weights_are():
    """Networks that are not equal are not printed alike; the usual arrays need no words."""
    for net in (
        NET,
        qdn.RAC.rand(6, 2, 2, seed=0),
        qdn.RBM.rand(6, seed=0),
        qdn.ConvAC.graph_state(6, 1, 2),
    ):
        usual = repr(net.to("float64"))
        assert "dtype" not in usual and "backend" not in usual and str(net) == repr(net)
        forms = [net.to(word) for word in ("float32", "complex128", "torch", "torch-complex64")]
        assert len({usual, *map(repr, forms)}) == 5
        assert "dtype='complex64', backend='torch'" in repr(forms[-1])


def test_states_say_how_many_sites_they_have():
    for psi in (NET.collapse(), NET.to_tensor_network(), qdn.RBM.rand(6, seed=0).collapse()):
        for state in (psi, psi + psi):
            assert f"tensors={state.num_tensors}, " in repr(state) and "sites=6" in repr(state)
            assert f"sites={state.nsites}" in str(state).splitlines()[-1]


def test_numbers_say_how_sure_they_are():
    rank = qdn.schmidt_rank(NET, 3)
    assert repr(rank).startswith(f"SchmidtRank({int(rank)}, ") and str(rank) == str(int(rank))
    energy = qdn.energy(NET, {0: Z}, "full")
    assert repr(energy).startswith(f"Energy({float(energy):.10g}") and "'full'" in repr(energy)
    drawn = qdn.energy(NET, {0: Z}, "sample", samples=64, seed=0)
    assert " +- " in repr(drawn) and "samples=" in repr(drawn)


def test_what_does_work_says_on_what():
    assert repr(NET.evaluator()) == "Evaluator(ConvAC of 6 sites)"
    assert repr(NET.evaluator(32)) == "Evaluator(ConvAC of 6 sites, batch=32)"
    assert "ConvAC of 6 sites" in repr(qdn.Metropolis(NET, chains=8, seed=0))
    assert repr(NET) in repr(qdn.GroundState(NET, {0: Z}, method="full"))
    assert "4 amplitudes" in repr(NET.plan(4)) and "6 sites" in repr(qdn.entanglement_plan(NET, 3))
    wave = qdn.TorchNetwork(torch.nn.Linear(6, 1), 6)
    assert repr(wave) == "TorchNetwork(Linear, shape=6, num_params=7)"
    fit = qdn.fit(NET, np.ones(64), steps=1)
    assert repr(fit).startswith(f"Fit(fidelity={fit.fidelity:.10g}") and "steps=1" in repr(fit)
