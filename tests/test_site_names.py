"""Sites and their values as quimb's users write them, beside quimb's own MPS and PEPS."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(4, 2, 2, 2, seed=0, loc=0.3)
CHAINS = {
    "expanded": NET.to_tensor_network(),
    "collapsed": NET.collapse(),
    "torch": NET.to("torch").collapse(),
    "RBM": qdn.RBM.rand(4, seed=0).to_tensor_network(),
}
LATTICE = qdn.RecursiveTree.rand((2, 3), 1, 2, 2, seed=0)
MPS, PEPS = qtn.MPS_rand_state(4, 2, seed=0), qtn.PEPS.rand(2, 3, 2, seed=0)
VALUES = ["0", "1", 1, 1.0, True, False, np.int64(1), np.array(1), np.True_, -1, np.float32(0)]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("name", CHAINS)
def test_values_that_quimb_takes(name, value):
    for psi in (CHAINS[name], MPS):
        dense = np.asarray(psi.to_dense()).reshape((2,) * 4)
        found = psi.isel({"k1": value})
        assert found.outer_inds() == ("k0", "k2", "k3")
        assert np.asarray(found.to_dense(["k0", "k2", "k3"])).reshape(2, 2, 2) == pytest.approx(
            dense[:, int(value)]
        )


def test_a_value_of_torch():
    psi = CHAINS["torch"]
    found, same = (psi.isel({"k0": x}).norm() for x in (torch.tensor(1), 1))
    assert found == same


@pytest.mark.parametrize("value", [None, 1.5, "x", "", "2", 2, -3, 1j, np.nan, np.inf, [1], "1.0"])
def test_values_that_are_none(value):
    for psi in CHAINS.values():
        with pytest.raises(qdn.OptionError, match="'k1'"):
            psi.isel({"k1": value})


@pytest.mark.parametrize("name", ["expanded", "collapsed"])
def test_a_circuit_that_starts_here(name):
    psi = CHAINS[name]
    v = psi.to_dense().reshape(-1)
    circuit = qtn.Circuit(4, psi0=psi)
    assert circuit.amplitude("0110") == pytest.approx(v[6])
    circuit.h(0)
    circuit.cnot(0, 1)
    gates = qu.pkron(qu.CNOT(), [2] * 4, (0, 1)) @ qu.pkron(qu.hadamard(), [2] * 4, (0,))
    assert circuit.amplitude("1010") == pytest.approx((gates @ v)[10])


CHAIN_CALLS = [
    lambda x: x.site_tag(-1),
    lambda x: x.site_ind(-2),
    lambda x: x.site_ind(2),
    lambda x: x.site_tag(np.int64(3)),
    lambda x: x.L,
    lambda x: x.nsites,
    lambda x: x.cyclic,
    lambda x: sorted(x[-1].inds)[-1] == "k3",
    lambda x: "I3" in x.select(-1).tags and "k3" in x.select(-1).outer_inds(),
    lambda x: sorted(t for t in x[1:3].tags if t[0] == "I" and t != "IDENTITY"),
    lambda x: sorted(t for t in x[-3:].tags if t[0] == "I" and t != "IDENTITY"),
]
LATTICE_CALLS = [
    lambda x: x.site_tag(1, 1),
    lambda x: x.site_tag((1, 2)),
    lambda x: x.site_ind(0, 1),
    lambda x: x.site_ind(-1, -1),
    lambda x: x.site_ind((0, -1)),
    lambda x: (x.Lx, x.Ly),
    lambda x: "I1,0" in x[-1, 0].tags,
    lambda x: "k0,1" in x.select((0, 1)).outer_inds(),
]


@pytest.mark.parametrize("call", range(len(CHAIN_CALLS)))
@pytest.mark.parametrize("name", ["expanded", "collapsed"])
def test_chains_name_sites_as_an_mps(name, call):
    assert CHAIN_CALLS[call](CHAINS[name]) == CHAIN_CALLS[call](MPS)


@pytest.mark.parametrize("call", range(len(LATTICE_CALLS)))
def test_lattices_name_sites_as_a_peps(call):
    assert LATTICE_CALLS[call](LATTICE) == LATTICE_CALLS[call](PEPS)


def test_rings_and_tori_are_cyclic():
    for shape in (5, (2, 3)):
        net = qdn.ConvAC.rand(shape, 1, 2, 2, boundary="periodic", seed=0)
        assert net.to_tensor_network().cyclic and net.collapse().cyclic
        assert net.collapse().copy().gate(qu.pauli("X"), net.sites[0]).cyclic
    assert not qdn.RAC.rand(4, 2, 2, seed=0).collapse().cyclic


def test_negative_sites_everywhere():
    psi, Z = CHAINS["expanded"], qu.pauli("Z").real
    assert psi.local_expectation_exact(Z, -1) == pytest.approx(psi.local_expectation_exact(Z, 3))
    rho = psi.partial_trace_exact([0, -2])
    assert rho == pytest.approx(psi.partial_trace_exact([0, 2]))
    gated = psi.gate(Z, (-4,), contract=True)
    assert gated.to_dense() == pytest.approx(psi.gate(Z, 0).to_dense())


def test_names_of_no_site():
    chain = CHAINS["expanded"]
    for call in (
        lambda: chain.site_ind(1, 1),
        lambda: chain.site_tag(0, 0),
        lambda: LATTICE.site_ind(3),
        lambda: LATTICE.site_tag(0, 0, 0),
        lambda: chain.gate(qu.pauli("Z"), -5),
        lambda: chain.local_expectation_exact(qu.pauli("Z"), 1.5),
        lambda: LATTICE.gate(qu.pauli("Z"), (0, 3)),
    ):
        with pytest.raises(qdn.SitesError):
            call()
    for psi, name in ((LATTICE, "L"), (chain, "Lx"), (chain, "Ly")):
        assert not hasattr(psi, name)
        with pytest.raises(qdn.MissingError, match="use nsites"):
            getattr(psi, name)


def test_normalize_balances_and_equalizes():
    psi = CHAINS["expanded"]
    with pytest.raises(qdn.MethodError, match="hyperinds_resolve"):
        psi.normalize(balance_bonds=True)
    v = psi.to_dense()
    plain = psi.hyperinds_resolve()
    plain.normalize_(balance_bonds=True, equalize_norms=True)
    sizes = [float(np.linalg.norm(t.data)) for t in plain]
    assert plain.to_dense() == pytest.approx(v / np.linalg.norm(v))
    assert max(sizes) == pytest.approx(min(sizes))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (complex, "complex128"),
        (float, "float64"),
        (np.complex64, "complex64"),
        (np.dtype("float32"), "float32"),
        ("complex", "complex128"),
    ],
    ids=str,
)
def test_dtypes_as_numpy_reads_them(given, name):
    for cls, args in ((qdn.ConvAC, (3, 1, 2, 2)), (qdn.RAC, (3, 1, 2)), (qdn.RBM, (3,))):
        assert cls.rand(*args, dtype=given, seed=0).dtype == name


@pytest.mark.parametrize("given", [int, bool, None, object, "float16", np.longdouble, 3, "foo"])
def test_dtypes_of_no_weights(given):
    with pytest.raises(qdn.OptionError, match="dtype="):
        qdn.ConvAC.rand(3, 1, 2, 2, dtype=given)
