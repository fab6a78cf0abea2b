"""`rank_bound` of networks and geometries, for whatever `entropy` takes as a subsystem."""

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.theory import rank_bound

CHAIN = qdn.ConvAC.rand(8, depth=2, kernel=3, bond_dim=4, seed=0)
RING = qdn.RAC.rand(8, depth=2, bond_dim=2, seed=0)
LATTICE = qdn.ConvAC.rand((3, 3), depth=2, kernel=2, bond_dim=3, seed=0)


@pytest.mark.parametrize("net", [CHAIN, RING], ids=repr)
@pytest.mark.parametrize(
    "where",
    [3, np.int64(3), range(3), (0, 1, 2), [2, 0, 1], np.arange(3), {0, 1, 2}],
)
def test_the_first_sites_of_a_chain(net, where):
    bound = rank_bound(net, where)
    assert bound == rank_bound(net.geometry, iter([0, 1, 2]))
    values = np.linalg.svd(net.to_dense().reshape(8, -1), compute_uv=False)
    assert (values > 1e-12 * values[0]).sum() <= bound <= 8


@pytest.mark.parametrize(
    "where", [4, [(0, 0), (0, 1), (0, 2), (1, 0)], [[0, 0], [0, 1], [0, 2], [1, 0]], range(4)]
)
def test_the_first_sites_of_a_lattice(where):
    assert rank_bound(LATTICE, where) == rank_bound(LATTICE.geometry, [0, 1, 2, 3])
    bits = float(LATTICE.entropy(where if not isinstance(where, range) else 4))
    assert bits <= np.log2(rank_bound(LATTICE, where)) + 1e-9


def test_a_site_is_told_from_two():
    assert rank_bound(LATTICE, [(0, 1)]) == rank_bound(LATTICE, [1]) == 2
    with pytest.raises(qdn.SitesError, match=r"one site or several; write \[\(0, 1\)\]"):
        rank_bound(LATTICE, (0, 1))
    assert rank_bound(LATTICE, [0, 1]) == rank_bound(LATTICE, [(0, 0), (0, 1)])
    assert rank_bound(LATTICE, []) == rank_bound(LATTICE, range(9)) == 1


@pytest.mark.parametrize(
    "where", [0, -1, 10, True, [True], 1.5, [0.5], "01", None, [(7, 7)], [0, "a"]]
)
def test_what_names_no_part(where):
    for net in (CHAIN, LATTICE, CHAIN.geometry):
        with pytest.raises(qdn.SitesError):
            rank_bound(net, where)


def test_a_rule_of_ones_own():
    class Geometry:
        sites = ("left", "right")

    @rank_bound.register
    def rule(geometry: Geometry, places):
        return 10 + sum(places)

    assert rank_bound(Geometry(), ["right"]) == 11 and rank_bound(Geometry(), 1) == 10
    for other in (qdn.RBM.rand(4, seed=0), CHAIN.to_tensor_network(), 3):
        with pytest.raises(qdn.MethodError, match="no bound on its rank"):
            rank_bound(other, [0])


def test_other_laws_take_networks_too():
    for net in (CHAIN, RING, LATTICE):
        for task in ("amplitude", "dense", "norm"):
            for form in ("expanded", "collapsed"):
                bits = [qdn.theory.treewidth_bits(x, task, form) for x in (net, net.geometry)]
                assert bits[0] == bits[1]
    assert qdn.theory.treewidth_bits(CHAIN) == 3 + 2 * 2
    assert qdn.theory.half_window_layer(CHAIN) == qdn.theory.half_window_layer(CHAIN.geometry)
    for law in (qdn.theory.treewidth_bits, qdn.theory.half_window_layer):
        for other in (qdn.RBM.rand(4, seed=0), 3, "conv"):
            with pytest.raises(qdn.MethodError, match="give a ConvAC"):
                law(other)
    with pytest.raises(qdn.MethodError, match="give a ConvAC"):
        qdn.theory.half_window_layer(RING)
