"""Architectures that no memory holds are refused before it is taken, and in no time."""

import time
import tracemalloc

import pytest

import quimb_deepnets as qdn

TOO_LARGE = {
    "conv, depth": lambda: qdn.ConvAC.rand(8, 1000000, 3, 4),
    "conv, bond_dim": lambda: qdn.ConvAC.rand(8, 2, 3, 10**6),
    "conv, one bond_dim": lambda: qdn.ConvAC.rand(8, 1, 3, 10**9),
    "conv, kernel": lambda: qdn.ConvAC.rand(8, 1, 10**9, 4),
    "conv, lattice": lambda: qdn.ConvAC.rand((8, 8), 2, 3, 10**5),
    "conv, phys_dim": lambda: qdn.ConvAC.rand(8, 1, 3, 4, phys_dim=10**9),
    "conv, unshared": lambda: qdn.ConvAC.rand(10**4, 1, 3, 10**4, shared=False),
    "conv, windows": lambda: qdn.ConvAC.rand(10**6, 30, 3, 2),
    "conv, layers": lambda: qdn.ConvAC.rand(8, layers=[qdn.GCLayer(2, 10**6)] * 2),
    "tree": lambda: qdn.RecursiveTree.rand(8, 2, 3, 10**6),
    "rac, depth": lambda: qdn.RAC.rand(8, 1000000, 4),
    "rac, bond_dim": lambda: qdn.RAC.rand(8, 2, 10**6),
    "rac, phys_dim": lambda: qdn.RAC.rand(8, 1, 4, phys_dim=10**10),
    "recursive mps": lambda: qdn.RecursiveMPS.rand(8, 2, 10**6),
    "rbm, alpha": lambda: qdn.RBM.rand(100, alpha=10**8),
    "rbm, sites": lambda: qdn.RBM.rand(10**6),
    "graph state": lambda: qdn.ConvAC.graph_state(2**20, distance=2**19, kernel=2),
    "graph state, kernel": lambda: qdn.ConvAC.graph_state(8, distance=2, kernel=10**9),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_large(name):
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(qdn.BudgetError, match=r"use (a smaller|fewer)"):
        TOO_LARGE[name]()
    seconds, most = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 10 and most < 2**28


def test_what_fits_is_made():
    assert qdn.ConvAC.rand(200, 40, 3, 2, seed=0).depth == 40
    assert qdn.ConvAC.rand(8, 1, 3, 2000, seed=0).num_params == 3 * 2 * 2000 + 2000
    assert qdn.RAC.rand(8, 300, 2, seed=0).depth == 300
    assert qdn.ConvAC.rand(20000, 2, 3, 2, seed=0).nsites == 20000


def test_methods_are_registered_on_classes():
    for wrong in (("foo",), (3,), (), (qdn.ConvAC, "RAC"), (qdn.ConvAC.rand(4, 1, 2, 2, seed=0),)):
        with pytest.raises(qdn.OptionError, match="does not name a class"):
            qdn.register_method(*wrong)
    with pytest.raises(qdn.OptionError, match="does not name a class"):

        @qdn.register_method
        def bare(net):
            return net

    for name in ("", "two words", 3):
        with pytest.raises(qdn.OptionError, match="cannot name a method"):
            qdn.register_method(qdn.ConvAC, name=name)
    with pytest.raises(qdn.OptionError, match="cannot be called"):
        qdn.register_method(qdn.ConvAC)("foo")
    assert not hasattr(qdn.ConvAC, "foo") and not hasattr(qdn.ConvAC, "bare")
