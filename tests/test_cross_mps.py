"""Matrix product states by cross interpolation."""

import sys

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.conversion.cross_mps import snake

NETS = [
    qdn.RAC.rand(10, 3, 2, loc=0.5, scale=0.3, seed=0),
    qdn.ConvAC.rand((3, 4), 2, 2, 3, seed=0),
    qdn.ConvAC.rand(5, 2, 2, 3, phys_dim=3, seed=1),
    qdn.RBM.rand((2, 4), seed=0),
]


def in_order(net, order):
    """The dense state with its sites in the order of the chain."""
    state = np.asarray(net.to_dense()).reshape((net.phys_dim,) * net.nsites)
    return state.transpose([net.sites.index(site) for site in order]).reshape(-1)


@pytest.mark.parametrize("net", NETS, ids=range(len(NETS)))
def test_the_mps_is_the_state(net):
    pytest.importorskip("teneva")
    info = {}
    mps = net.to_mps(method="cross", info=info, seed=0)
    assert isinstance(mps, qtn.MatrixProductState) and net.nsites == mps.L
    vector = in_order(net, info["order"])
    error = np.linalg.norm(mps.to_dense()[:, 0] - vector) / np.linalg.norm(vector)
    assert error < 1e-6 and error < 10 * info["error"] + 1e-12 and info["error"] < 1e-6
    assert 0 < info["evaluations"] <= 10**6


def test_truncation_is_measured():
    pytest.importorskip("teneva")
    info = {}
    with pytest.warns(RuntimeWarning, match="max_bond"):
        mps = NETS[1].to_mps(3, method="cross", info=info, seed=0)
    vector = in_order(NETS[1], info["order"])
    error = np.linalg.norm(mps.to_dense()[:, 0] - vector) / np.linalg.norm(vector)
    assert mps.max_bond() == 3 and error / 10 < info["error"] < 10 * error


def test_seeds_backends_and_expanded_networks(capsys):
    pytest.importorskip("teneva")
    net = NETS[2]
    a, b = (net.to_mps(method="cross", seed=1, progbar=True).to_dense() for _ in range(2))
    assert (a == b).all() and "sweeps" in capsys.readouterr().err
    there = net.to("torch").to_mps(method="cross", seed=1)
    assert isinstance(there[0].data, torch.Tensor)
    psi = net.to_tensor_network(site_ind_id="b{}")
    assert psi.to_mps(method="cross", seed=1).site_ind_id == "b{}"
    lattice = qdn.RecursiveTree.rand((2, 2), depth=1, kernel=2, bond_dim=2, seed=0)
    assert lattice.to_mps(method="cross", seed=0).outer_inds() == ("k0", "k1", "k2", "k3")


def test_scale_far_outside_the_range_of_floats():
    pytest.importorskip("teneva")
    net, info = qdn.RBM(40, np.full(40, 30.0), np.zeros(1), np.zeros((1, 40))), {}
    mps = net.to_mps(method="cross", info=info, seed=0)
    assert abs(mps.exponent * np.log(10) - np.log(2) - 1200) < 1e-6 * 1200


def test_snake():
    assert snake((3, 2)).tolist() == [0, 1, 3, 2, 4, 5]


def test_refusals(monkeypatch):
    for net in NETS[:2]:
        with pytest.raises(qdn.MethodError, match=r"method='cross'"):
            net.to_mps()
    with pytest.raises(qdn.OptionError, match="cross"):
        NETS[2].to_mps(seed=0)
    with pytest.raises(qdn.OptionError, match="method"):
        NETS[2].to_mps(method="magic")
    for bad in ({"max_bond": 0}, {"tol": 2}, {"cutoff": -1}, {"max_evals": 0}):
        with pytest.raises(qdn.OptionError):
            NETS[2].to_mps(method="cross", **bad)
    monkeypatch.setitem(sys.modules, "teneva", None)
    with pytest.raises(qdn.ExtraError, match="cross"):
        NETS[2].to_mps(method="cross")


def test_refusals_of_networks():
    pytest.importorskip("teneva")
    with pytest.raises(qdn.MethodError, match="complex"):
        qdn.ConvAC.rand(5, 1, 2, 2, dtype="complex128", seed=0).to_mps(method="cross")
    with pytest.raises(qdn.MethodError, match="2 sites"):
        qdn.ConvAC.rand(2, 1, 2, 2, seed=0).to_mps(method="cross")
