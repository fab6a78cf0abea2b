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
