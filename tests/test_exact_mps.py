"""Exact matrix product states of deep networks."""

import math

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

from .architectures import NETWORKS

CHAINS = [
    net
    for net in NETWORKS
    if net.geometry.ndim == 1 and (isinstance(net, qdn.ConvAC) or net.depth <= 2)
]


@pytest.mark.parametrize("i", range(len(CHAINS)), ids=[repr(net) for net in CHAINS])
def test_mps_is_the_state(i):
    net, info = CHAINS[i], {}
    vector = net.to_dense()
    norm = np.linalg.norm(vector)
    mps = net.to_mps(info=info)
    assert isinstance(mps, qtn.MatrixProductState) and net.nsites == mps.L
    assert np.abs(mps.to_dense() - vector).max() < 1e-12 * norm
    assert abs(mps.norm() / norm - 1) < 1e-12
    assert info["discarded_weight"] < 1e-24 and info["cur_orthog"] == (mps.L - 1, mps.L - 1)
    for n in range(mps.L - 1):
        A = mps[n].to_dense(
            *([[ix for ix in mps[n].inds if ix != mps.bond(n, n + 1)], [mps.bond(n, n + 1)]])
        )
        assert np.abs(A.conj().T @ A - np.eye(A.shape[1])).max() < 1e-12
    assert mps.exponent == 0.0 and abs(10 ** info["log10_norm"] / norm - 1) < 1e-12
    unit = mps.copy()
    unit.normalize()
    for cut, size in enumerate(mps.bond_sizes() if mps.L > 1 else (), 1):
        s = np.linalg.svd(vector.reshape(net.phys_dim**cut, -1), compute_uv=False)
        assert size <= min(info["transfer_sizes"][cut], len(s))
        assert abs(unit.entropy(cut) - qu.entropy(np.diag(s**2 / (s**2).sum()))) < 1e-9


def test_long_chains_have_the_bonds_of_the_law():
    """Open chain ``r M**(w-1)``, ring its square in w, RAC of depth 2 the symmetric power."""
    open_, info = qdn.ConvAC.rand(100, 3, 3, 4, seed=0), {}
    mps = open_.to_mps(cutoff=0.0, info=info)
    assert max(info["transfer_sizes"]) == 4 * 2**4 == mps.max_bond()
    ring = qdn.ConvAC.rand(12, 2, 3, 3, boundary="periodic", seed=0)
    ring.to_mps(info=info)
    assert max(info["transfer_sizes"]) == 3 * 2 ** (2 * 2)
    rac = qdn.RAC.rand(60, 2, 2, seed=0)
    mps = rac.to_mps(cutoff=0.0, info=info)
    law = [min(2**t, 2 * math.comb(60 - t + 1, 60 - t), 2 ** (60 - t)) for t in range(1, 60)]
    assert list(mps.bond_sizes()) == law


@pytest.mark.slow
def test_amplitudes_of_long_chains():
    """The exponent carries the scale: log psi far outside the range of floats."""
    for net in (
        qdn.ConvAC.rand(100, 3, 3, 4, seed=0),
        qdn.RAC.rand(100, 2, 2, seed=0),
        qdn.RAC.rand(100, 1, 5, seed=0),
    ):
        mps = net.to_mps(normalize="exponent")
        # a state of norm 1 shows its larger amplitudes to round-off of the norm
        x = mps.copy()
        x.exponent = 0.0
        config = np.zeros((1, 100), int)
        for n in range(100):  # a likely configuration, site by site
            config[0, n] = int(np.argmax([abs(_partial(x, config[0, :n], m)) for m in range(2)]))
        amplitude = x.amplitude(config[0].tolist())
        phase, logabs = net.log_amplitudes(config)
        assert np.sign(amplitude) == phase[0]
        found = np.log(abs(amplitude)) + mps.exponent * np.log(10)
        assert abs(found - logabs[0]) < 1e-8 * max(1, abs(logabs[0]) / 100)


def _partial(mps, head, m):
    """Norm of the state with its first sites fixed."""
    fixed = {mps.site_ind(n): int(s) for n, s in enumerate((*head, m))}
    return mps.isel(fixed).norm()


def test_truncation_is_reported():
    net, info = qdn.ConvAC.rand(12, 3, 3, 4, seed=1), {}
    vector = net.to_dense()[:, 0]
    mps = net.to_mps(max_bond=3, info=info)
    assert mps.max_bond() == 3
    lost = (
        1
        - abs(np.vdot(mps.to_dense()[:, 0], vector)) ** 2
        / np.vdot(vector, vector).real
        / mps.norm() ** 2
    )
    assert 0 < lost <= info["discarded_weight"] * (1 + 1e-9)
    assert net.to_mps(cutoff=0.3, info=info).max_bond() < net.to_mps().max_bond()


def test_other_faces():
    net = qdn.ConvAC.rand(6, 2, 2, 3, dtype="complex128", seed=0)
    psi = net.to_tensor_network(site_ind_id="b{}", site_tag_id="T{}")
    mps = psi.to_mps()
    assert mps.site_ind_id == "b{}" and mps.site_tag_id == "T{}"
    assert abs(psi.overlap(mps) / psi.norm() ** 2 - 1) < 1e-12
    there = net.to("torch").to_mps()
    assert isinstance(there[0].data, torch.Tensor)
    assert np.abs(there.to_dense().numpy() - net.to_dense()).max() < 1e-12 * psi.norm()


def test_refusals():
    with pytest.raises(qdn.MethodError, match="lattice"):
        qdn.ConvAC.rand((3, 3), 1, 2, 2, seed=0).to_mps()
    with pytest.raises(qdn.MethodError, match="bond of up to 8 between its halves"):
        qdn.RAC.rand(6, 3, 2, seed=0).to_mps()
    with pytest.raises(qdn.MethodError, match="no exact conversion"):
        qdn.RAC.rand(1, 3, 2, seed=0).to_mps()
    with pytest.raises(qdn.BudgetError, match="bytes"):
        qdn.ConvAC.rand(64, 6, 3, 8, boundary="periodic", seed=0).to_mps()
    with pytest.raises(qdn.BudgetError, match="bytes"):
        qdn.ConvAC.rand(400, 40, 3, 8, seed=0).to_mps()  # refused before any table is made
    with pytest.raises(qdn.BudgetError, match="bytes"):
        qdn.RAC.rand(200, 2, 8, seed=0).to_mps()
    net = qdn.ConvAC.rand(4, 1, 2, 2, seed=0)
    for bad in ({"max_bond": 0}, {"cutoff": 1.5}, {"cutoff": "no"}):
        with pytest.raises(qdn.OptionError):
            net.to_mps(**bad)


def test_progress(capsys):
    qdn.RAC.rand(5, 2, 2, seed=0).to_mps(progbar=True)
    assert "5/5" in capsys.readouterr().err
