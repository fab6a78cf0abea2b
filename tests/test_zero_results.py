"""Contractions whose result vanishes: the derivatives of zero have a scale; memory that is not."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn

SIGNS = {
    "W1,0": [[1.0, 1.0], [1.0, 1.0]],
    "W1,1": [[1.0, 1.0], [-1.0, 1.0]],
    "W1,2": [[-1.0, -1.0], [1.0, -1.0]],
    "READOUT": [1.0, -1.0],
}


@pytest.mark.parametrize("scale", [1.0, 2.0**40, 2.0**-40])
@pytest.mark.parametrize("form", ["to_tensor_network", "collapse"])
@pytest.mark.parametrize("shifted", [False, True])
def test_derivatives_of_amplitudes_that_vanish(form, scale, shifted):
    """All four amplitudes are zero; their derivatives are those of the network, by products."""
    like = qdn.ConvAC.rand(2, 1, 3, 2, boundary="periodic", seed=0)
    params = {k: torch.tensor(scale * np.array(x), requires_grad=True) for k, x in SIGNS.items()}
    net = like.from_params(like.geometry, params)
    psi = getattr(net, form)()
    found = psi.contract(output_inds=psi.site_inds, strip_exponent=shifted, preserve_tensor=True)
    mantissa, exponent = found if shifted else (found, 0.0)
    assert exponent == 0.0
    dense = mantissa.to_dense(*[[ix] for ix in psi.site_inds])
    w, r = list(params.values())[:3], params["READOUT"]
    for s, t in np.ndindex(2, 2):
        here = [w[1][:, s], w[2][:, t], w[0][:, t], w[1][:, t], w[2][:, s], w[0][:, s]]
        exact = (torch.stack(here).prod(0) * r).sum()
        assert dense[s, t] == exact == 0
        leaves = list(params.values())
        grads = (torch.autograd.grad(x, leaves, retain_graph=True) for x in (dense[s, t], exact))
        for a, b in zip(*grads):
            assert torch.allclose(a, b, rtol=1e-13, atol=0) and b.abs().max() > 0


@pytest.mark.parametrize("empty", [np.empty, torch.empty])
def test_memory_that_is_not_there(empty, monkeypatch):
    """What the array libraries say when they get no memory, from within a contraction."""
    psi = qdn.ConvAC.rand(4, 1, 2, 2, seed=0).to_tensor_network()
    monkeypatch.setattr(qdn.HyperTensorNetwork, "_prepared", lambda *args: empty(2**50))
    for call in (psi.norm, lambda: psi.contract(strip_exponent=True), lambda: psi @ psi):
        with pytest.raises(qdn.BudgetError, match=r"memory than there is.*optimize="):
            call()


WINDOWS = {
    "one site": (
        qdn.ConvAC.rand(1, layers=[qdn.GCLayer(2, 3), qdn.GCLayer(2, 2)], seed=0),
        {
            "W1,0": [[1, 1], [-1, 1], [1, 1]],
            "W1,1": [[-1, 1], [-1, -1], [-1, 1]],
            "W2,0": [[1, 1, 1], [-1, -1, -1]],
            "W2,1": [[1, -1, -1], [-1, 1, 1]],
            "READOUT": [-1, -1],
        },
    ),
    "four sites": (
        qdn.ConvAC.rand(4, layers=[qdn.GCLayer(2, 2), qdn.GCLayer(2, 1)], anchor="corner", seed=0),
        {
            "W1,0": [[-2, -2], [-1, 0]],
            "W1,1": [[0, -1], [2, 0]],
            "W2,0": [[-2, 1]],
            "W2,1": [[-1, 1]],
            "READOUT": [2],
        },
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("scale", [1.0, 2.0**20])
def test_derivatives_of_windows_that_vanish(name, scale):
    """Every entry of a window is zero; what it is multiplied by is known all the same."""
    like, params = WINDOWS[name]
    params = {k: torch.tensor(scale * np.array(x), requires_grad=True) for k, x in params.items()}
    net = like.from_params(like.geometry, params)
    leaves, count = list(params.values()), 2**net.nsites
    collapsed, dense = net.collapse().to_dense(optimize="greedy")[:, 0], net.to_dense()[:, 0]
    assert not dense.any() and not collapsed.any()
    weights = torch.tensor(np.random.default_rng(0).normal(size=count))
    found = torch.autograd.grad((collapsed * weights).sum(), leaves, retain_graph=True)
    exact = torch.autograd.grad((dense * weights).sum(), leaves)
    for a, b in zip(found, exact):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12 * float(b.abs().max()))
    assert any(x.abs().max() > 0 for x in exact)
