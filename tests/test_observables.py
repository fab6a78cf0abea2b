"""Magnetization and correlation beside quimb's matrix product states and dense vectors."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn

OPTIONS = {"dist": "uniform", "loc": 1.0, "scale": 0.5, "seed": 0}
NETS = {
    "chain": qdn.ConvAC.rand(8, 2, 3, 3, dtype="complex128", **OPTIONS),
    "ring": qdn.ConvAC.rand(8, 2, 2, 3, boundary="periodic", **OPTIONS),
    "RAC": qdn.RAC.rand(6, 2, 2, phys_dim=3, **OPTIONS),
    "RBM": qdn.RBM.rand(6, scale=0.5, dtype="complex128", seed=0),
}
FORMS = {"network": lambda net: net, "collapsed": lambda net: net.collapse()}
CASES = pytest.mark.parametrize("name", NETS)


@CASES
@pytest.mark.parametrize("form", FORMS)
def test_beside_an_mps(name, form):
    state, d = FORMS[form](NETS[name]), NETS[name].phys_dim
    psi = qu.normalize(NETS[name].to_dense())
    mps = qtn.MatrixProductState.from_dense(psi, [d] * NETS[name].nsites)
    if name != "RBM":
        mps = NETS[name].to_mps(normalize=True)
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, d, d))
    for direction in "XYZ":
        for i in (0, 3):
            wanted = mps.magnetization(i, direction)
            if direction == "Y":  # of which quimb's routine takes the transpose
                wanted = -wanted
                spin = qu.ikron(qu.spin_operator("Y", S=(d - 1) / 2), [d] * mps.L, i)
                assert abs(qu.expec(spin, psi) - wanted) < 1e-10
            assert abs(state.magnetization(i, direction) - wanted) < 1e-10
    for i, j, other in ((1, 4, None), (4, 1, B), (2, 2, B)):
        wanted = mps.correlation(A, i, j, B=other)
        assert abs(state.correlation(A, i, j, B=other) - wanted) < 1e-10


def test_lattice_and_regions_beside_a_dense_vector():
    net = qdn.ConvAC.rand((2, 3), 2, 2, 2, **OPTIONS)
    psi = qu.normalize(net.to_dense())
    Z, X = qu.pauli("Z").real, qu.pauli("X").real
    mean = lambda ops, where: qu.expec(qu.ikron(ops, [2] * 6, where), psi)
    assert abs(net.magnetization((0, 1), "Z") - mean([Z], [1]) / 2) < 1e-12
    wanted = mean([Z, X, Z], [1, 2, 5]) - mean([Z, X], [1, 2]) * mean([Z], [5])
    found = net.correlation(Z & X, [(0, 1), (0, 2)], (1, 2), B=Z)
    assert abs(found - wanted) < 1e-12


def test_torch_follows():
    net = qdn.RAC.rand(5, 1, 2, seed=0).to("torch")
    readout = net.params["READOUT"].clone().requires_grad_()
    found = net.with_params({"READOUT": readout}).magnetization(2)
    found.backward()
    assert readout.grad.abs().max() > 0


def test_refusals():
    net, Z = NETS["ring"], qu.pauli("Z").real
    for state in (net, net.collapse()):
        with pytest.raises(qdn.OptionError, match="direction"):
            state.magnetization(0, "W")
        for i in (8, "0", [0, 1], None):
            with pytest.raises(qdn.SitesError):
                state.magnetization(i)
        with pytest.raises(qdn.SitesError, match="share"):
            state.correlation(Z & Z, [0, 1], [1, 2])
        with pytest.raises(qdn.OptionError):
            state.correlation(np.eye(3), 0, 1)
