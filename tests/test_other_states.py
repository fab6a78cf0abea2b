"""To and from other states, exactly: PEPS, matrix product states, trees, Boltzmann machines."""

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.conversion import peps_bonds

LATTICES = [
    qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=2, seed=0),
    qdn.ConvAC.rand((3, 4), 2, 2, 2, boundary="omit", dtype="complex128", seed=0),
    qdn.ConvAC.rand((4, 4), depth=2, kernel=2, bond_dim=2, boundary="valid", seed=0),
    qdn.ConvAC.rand((2, 3), 2, 2, 2, phys_dim=3, shared=False, anchor="corner", seed=0),
    qdn.ConvAC.rand((3, 3), depth=2, kernel=(1, 3), bond_dim=2, seed=0),
    qdn.ConvAC.rand((2, 3), depth=1, kernel=2, bond_dim=3, seed=0),
    qdn.ConvAC.rand((4, 4), layers=[qdn.GCLayer(2, 2, 2), qdn.GCLayer(2, 2, 2)], seed=0),
]


@pytest.mark.parametrize("net", LATTICES, ids=repr)
def test_windows_of_a_lattice_as_a_peps(net):
    peps, x = net.to_peps(), net.to_dense()
    assert isinstance(peps, qtn.PEPS)
    np.testing.assert_allclose(peps.to_dense(), x, rtol=1e-10, atol=1e-13 * abs(x).max())
    bonds = peps_bonds(net.geometry)
    for (site, other), size in bonds.items():
        assert peps.bond_size(site, other) == size
    assert len(bonds) == 2 * peps.Lx * peps.Ly - peps.Lx - peps.Ly


def test_what_quimb_does_with_the_peps():
    """Boundary contraction, local expectation values, gates."""
    net = qdn.ConvAC.rand((4, 4), 2, 2, 2, dist="uniform", loc=1.0, scale=0.3, seed=0)
    peps = net.to_peps()
    norm = peps.make_norm().contract_boundary(max_bond=64)
    assert norm**0.5 == pytest.approx(net.norm(), rel=1e-8)
    Z = np.diag([1.0, -1.0])
    found = peps.compute_local_expectation({(1, 1): Z}, max_bond=64, normalized=True)
    assert found == pytest.approx(net.local_expectation_exact(Z, [(1, 1)]), rel=1e-8)


def test_what_has_no_peps():
    net = LATTICES[0]
    with pytest.raises(qdn.BudgetError, match="bonds up to 8 and needs"):
        net.to_peps(max_bytes=100)
    with pytest.raises(qdn.MethodError, match="PEPS is a state of a lattice"):
        qdn.ConvAC.rand(4, 2, 2, 2).to_peps()
    with pytest.raises(qdn.MethodError, match="boundary='periodic'"):
        qdn.ConvAC.rand((3, 3), 2, 2, 2, boundary="periodic").to_peps()


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("phys_dim", [2, 3])
def test_any_matrix_product_state_as_a_rac(phys_dim, dtype):
    mps = qtn.MPS_rand_state(5, 3, phys_dim=phys_dim, dtype=dtype, seed=0)
    mps.exponent = 1.5
    net = qdn.RAC.from_mps(mps)
    np.testing.assert_allclose(net.to_dense(), mps.to_dense(), atol=1e-12)
    back = net.to_mps()
    np.testing.assert_allclose(back.to_dense(), mps.to_dense(), atol=1e-11)
    assert max(back.bond_sizes()) <= 3


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_a_uniform_matrix_product_state_is_small(dtype):
    rng, D, d, L = np.random.default_rng(0), 3, 2, 7
    A = rng.normal(size=(D, D, d)).astype(dtype)  # left, right, physical
    before, behind = rng.normal(size=(2, D))
    cores = [np.tensordot(before, A, 1), *[A] * (L - 2), np.tensordot(A, behind, ([1], [0]))]
    mps = qtn.MatrixProductState(cores, shape="lrp")
    net = qdn.RAC.from_mps(mps)
    assert net.bond_dim == D * d
    np.testing.assert_allclose(net.to_dense(), mps.to_dense(), atol=1e-11)


def test_which_states_are_no_rac():
    with pytest.raises(qdn.StructureError, match="open ends"):
        qdn.RAC.from_mps(qtn.MPS_rand_state(5, 3, cyclic=True, seed=0))
    with pytest.raises(qdn.StructureError, match="not a PEPS"):
        qdn.RAC.from_mps(qtn.PEPS.rand(2, 2, 2, seed=0))
    with pytest.raises(qdn.BudgetError, match="a hidden size of 27 needs"):
        qdn.RAC.from_mps(qtn.MPS_rand_state(5, 3, seed=0), max_bytes=1000)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_a_tree_as_a_convolutional_circuit(dtype):
    """Three layers, of two, three and two children."""
    rng = np.random.default_rng(0)
    phase = 1j if dtype == "complex128" else 1.0
    draw = lambda *shape: rng.normal(size=shape) + phase * rng.normal(size=shape)
    lower, middle, top = draw(6, 3, 2, 2), draw(2, 2, 3, 3, 3), draw(1, 2, 2, 2)
    readout = draw(2)
    net = qdn.ConvAC.from_tree([lower, middle, top], readout)
    assert [layer.kernel for layer in net.layers] == [2, 3, 2]
    assert [layer.stride for layer in net.layers] == [2, 3, 2]
    legs = "abcdefghijkl"
    parts = [f"{out}{legs[2 * n : 2 * n + 2]}" for n, out in enumerate("ABCDEF")]
    spell = ",".join(["z", "zYZ", "YABC", "ZDEF", *parts]) + "->" + legs
    exact = np.einsum(spell, readout, top[0], *middle, *lower, optimize=True)
    np.testing.assert_allclose(net.to_dense().ravel(), exact.ravel(), atol=1e-11)
    with pytest.raises(qdn.WeightError, match="does not fit on 6 tensors with 3 values"):
        qdn.ConvAC.from_tree([lower, top], readout)
    with pytest.raises(qdn.WeightError, match="the top of the tree"):
        qdn.ConvAC.from_tree([lower, middle], readout)


def symmetric_rbm(shape, filters, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    size, axes = int(np.prod(shape)), tuple(range(len(shape)))
    kernels = 0.4 * rng.normal(size=(filters, *shape)).astype(dtype)
    if dtype == "complex128":
        kernels = kernels * np.exp(0.3j)
    rows = [np.roll(k, step, axes).ravel() for k in kernels for step in np.ndindex(*shape)]
    bias = np.repeat(0.3 * rng.normal(size=filters), size).astype(dtype)
    order = rng.permutation(len(rows))
    visible = np.full(size, 0.2, dtype)
    return qdn.RBM(shape, visible, bias[order], np.array(rows)[order])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape, filters", [((6,), 1), ((5,), 3), ((2, 3), 2)])
def test_a_symmetric_boltzmann_machine_as_a_convolutional_circuit(shape, filters, dtype):
    rbm = symmetric_rbm(shape, filters, dtype)
    net = qdn.ConvAC.from_rbm(rbm)
    assert net.depth == 2 and net.geometry.boundary == "periodic"
    np.testing.assert_allclose(net.to_dense() / rbm.to_dense(), 1, atol=5e-14)


def test_machines_without_symmetry():
    with pytest.raises(qdn.StructureError, match="is not among the hidden units"):
        qdn.ConvAC.from_rbm(
            qdn.RBM.rand(4, seed=0, scale=1.0).with_params({"VISIBLE": np.zeros(4)})
        )
    with pytest.raises(qdn.StructureError, match="visible bias differs"):
        qdn.ConvAC.from_rbm(qdn.RBM.rand(4, seed=0))
    with pytest.raises(qdn.StructureError, match="takes an RBM"):
        qdn.ConvAC.from_rbm(LATTICES[0])


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
@pytest.mark.parametrize("shape, kernels", [(6, (3, 2)), ((3, 3), (2, (2, 1)))])
def test_sums_of_two_products_as_a_boltzmann_machine(shape, kernels, boundary, dtype, backend):
    layers = [qdn.GCLayer(kernels[0], 2), qdn.GCLayer(kernels[1], 1)]
    for shared, scale in [(True, 0.5), (False, 1.5)]:  # positive weights, and others
        options = {"dist": "uniform", "loc": 1, "scale": scale, "dtype": dtype, "seed": 3}
        net = qdn.ConvAC.rand(shape, layers=layers, boundary=boundary, shared=shared, **options)
        info = {}
        rbm = qdn.RBM.from_conv(net.to(backend), info=info)
        assert rbm.dtype == (dtype if scale < 1 else "complex128")
        scaled = np.asarray(rbm.to_dense()) * np.exp(np.asarray(info["log_scale"]))
        np.testing.assert_allclose(scaled / net.to_dense(), 1, atol=1e-13)


@pytest.mark.parametrize("shape, filters", [((6,), 1), ((5,), 3), ((2, 3), 2)])
def test_boltzmann_machines_there_and_back(shape, filters):
    rbm, info = symmetric_rbm(shape, filters), {}
    back = qdn.RBM.from_conv(qdn.ConvAC.from_rbm(rbm), info=info)
    assert back.geometry.hidden == rbm.geometry.hidden and abs(info["log_scale"]) < 1e-14
    np.testing.assert_allclose(back.to_dense() / rbm.to_dense(), 1, atol=5e-14)


def test_product_states_and_gradients_as_boltzmann_machines():
    net = qdn.ConvAC.rand(4, 2, 2, 1, dist="uniform", loc=1, scale=0.5, seed=0).to("torch")
    leaves = [x.requires_grad_() for x in net.params.values()]
    info = {}
    rbm = qdn.RBM.from_conv(net, info=info)
    configs = [[0, 1, 1, 0], [1, 1, 0, 1]]
    ours = rbm.log_amplitudes(configs)[1].sum() + 2 * info["log_scale"]
    exact = net.log_amplitudes(configs)[1].sum()
    for found, right in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(exact, leaves)):
        np.testing.assert_allclose(found, right, atol=1e-12)


def test_circuits_that_are_not_sums_of_two():
    rand = lambda layers, **kws: qdn.ConvAC.rand(6, layers=layers, seed=0, **kws)
    pair, one = qdn.GCLayer(2, 2), qdn.GCLayer(2, 1)
    for net, message in (
        (rand([pair, pair]), "are 2, 2 and 2"),
        (rand([one]), "are 2, 1 and 1"),
        (rand([pair, one], phys_dim=3), "are 3, 2 and 1"),
        (
            rand([pair, one], boundary="omit").with_params({"W2,0": np.zeros((1, 2))}),
            "reads 0 channels",
        ),
        (rand([qdn.GCLayer(2, 3), one]), "reads 3 channels"),
        (rand([pair, one]).with_params({"W1,0": np.eye(2)}), "has no logarithm"),
        (qdn.RAC.rand(4, 2, 2, seed=0), "takes a ConvAC"),
    ):
        with pytest.raises(qdn.StructureError, match=message):
            qdn.RBM.from_conv(net)
