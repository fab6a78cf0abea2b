"""Sectors of so many ones by phases: weights and density matrices, against dense vectors."""

import numpy as np
import pytest

import quimb_deepnets as qdn


def ones_of(count):
    return np.array([bin(code).count("1") for code in range(2**count)])


def dense_weights(x):
    count = int(np.log2(x.size))
    weights = np.bincount(ones_of(count), abs(x.ravel()) ** 2)
    return weights / weights.sum()


def dense_rho(x, places, sector):
    """The density matrix of some sites of the part of a state that has so many ones."""
    count = int(np.log2(x.size))
    y = np.where(ones_of(count) == sector, x.ravel(), 0).reshape((2,) * count)
    y = np.moveaxis(y, places, range(len(places))).reshape(2 ** len(places), -1)
    rho = y @ y.conj().T
    return rho / np.trace(rho)


NETS = [
    qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=2, boundary="periodic", seed=0),
    qdn.ConvAC.rand((2, 4), depth=2, kernel=2, bond_dim=3, dtype="complex128", seed=1),
    qdn.ConvAC.rand(7, depth=3, kernel=2, bond_dim=2, shared=False, seed=2),
    qdn.RAC.rand(7, depth=2, bond_dim=2, seed=0),
    qdn.RBM.rand((2, 3), seed=0),
]


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_weights_and_density_matrices(net):
    """All sectors, however small: the phases are taken where the sector is large."""
    x, count, eps = net.to_dense(), net.nsites, np.finfo(float).eps
    weights = net.sector_weights()
    assert weights.shape == (count + 1,)
    np.testing.assert_allclose(weights, dense_weights(x), atol=20 * eps)
    chosen = [(1, 0), (4,), (5, 2, 3)]
    for sector in (0, 1, count // 2, count):
        found = net.partial_traces_in_sector([[net.sites[n] for n in r] for r in chosen], sector)
        for rho, places in zip(found, chosen):
            np.testing.assert_allclose(rho, dense_rho(x, places, sector), atol=1e-11)
            assert rho.dtype == x.dtype


@pytest.mark.parametrize("sector", [3, 8])
def test_all_bonds_of_a_torus(sector):
    net = qdn.ConvAC.rand(
        (4, 4), depth=2, kernel=2, bond_dim=2, boundary="periodic", dist="uniform", loc=1.0, seed=0
    )
    bonds = [[site, ((site[0] + 1) % 4, site[1])] for site in net.sites]
    bonds += [[site, (site[0], (site[1] + 1) % 4)] for site in net.sites]
    x = net.to_dense()
    for bond, rho in zip(bonds, net.partial_traces_in_sector(bonds, sector)):
        places = [net.sites.index(site) for site in bond]
        np.testing.assert_allclose(rho, dense_rho(x, places, sector), atol=1e-12)


def heisenberg(torch):
    """A bond of the Heisenberg antiferromagnet, with Marshall's signs."""
    G = torch.diag(torch.tensor([0.25, -0.25, -0.25, 0.25], dtype=torch.float64))
    G[1, 2] = G[2, 1] = -0.5
    return G


def energy_of(net, bonds, sector):
    """Energy a site, of a lattice on which all bonds of a direction are equal."""
    G = heisenberg(pytest.importorskip("torch"))
    return sum((G * rho).sum() for rho in net.partial_traces_in_sector(bonds, sector))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", [4, (2, 2)])
def test_single_precision_of_torch(shape, dtype):
    net = qdn.ConvAC.rand(shape, 1, 2, 2, seed=0)
    single = net.to(f"torch-{dtype}")
    assert np.allclose(single.sector_weights(), net.sector_weights(), atol=1e-5)
    where = [[net.sites[0], net.sites[1]]]
    (found,), (expected,) = (x.partial_traces_in_sector(where, 2) for x in (single, net))
    assert np.allclose(found, expected, atol=1e-5)


def test_gradients():
    """Of an energy in a sector, by torch, against central differences."""
    torch = pytest.importorskip("torch")
    bonds = [[(0, 0), (0, 1)], [(0, 0), (1, 0)]]
    net = qdn.ConvAC.rand((2, 3), 2, 2, 2, boundary="periodic", loc=1.0, scale=0.3, seed=0)
    net = net.to("torch")
    x = net.vector.clone().requires_grad_()
    energy_of(net.with_vector(x), bonds, 3).backward()
    for k in (0, 5, 11):
        step = 1e-6 * torch.eye(len(x), dtype=x.dtype)[k]
        with torch.no_grad():
            up, down = (energy_of(net.with_vector(x + s * step), bonds, 3) for s in (1, -1))
        assert float(x.grad[k]) == pytest.approx(float(up - down) / 2e-6, rel=1e-6, abs=1e-9)


def test_what_is_refused():
    net = NETS[0]
    with pytest.raises(qdn.OptionError, match="sector=10 must be a number of ones on 9 sites"):
        net.partial_traces_in_sector([(0, 0)], 10)
    with pytest.raises(qdn.OptionError, match="sector=True must be"):
        net.partial_traces_in_sector([(0, 0)], True)
    with pytest.raises(qdn.OptionError, match="phys_dim=3 has more states"):
        qdn.RAC.rand(4, 1, 2, phys_dim=3, seed=0).sector_weights()
    with pytest.raises(qdn.SitesError, match="is not a list of regions"):
        net.partial_traces_in_sector(3, 4)
    with pytest.raises(qdn.SitesError):
        net.partial_traces_in_sector([[(5, 5)]], 4)
    assert net.partial_traces_in_sector([], 4) == []
    only = qdn.RAC(2, [np.eye(2)], [np.eye(2)], [np.ones(2)], np.ones(2))  # 00 and 11
    np.testing.assert_allclose(only.sector_weights(), [0.5, 0, 0.5], atol=1e-15)
    with pytest.raises(qdn.RangeError, match="1 ones is below"):
        only.partial_traces_in_sector([[0]], 1)
