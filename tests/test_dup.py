"""DUP in its four modes against numpy's diagonals, on any quimb network."""

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn

MODES = ["hyper", "copy", "tree", "mps"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", ["numpy", "torch-complex64", "torch"])
def test_order_9_tensor_of_fig_3(mode, backend):
    """An order-9 tensor with legs (1, 1, 2, 2, 2, 3, 3, 4, 4)."""
    t = qtn.rand_tensor((2,) * 9, "abcdefghi", seed=0).to(backend)
    groups = {"k0": ["a", "b"], "k1": ["c", "d", "e"], "k2": ["f", "g"], "k3": ["h", "i"]}
    tn = qdn.dup(t, groups, mode=mode)
    found = tn.contract(output_inds=tuple(groups)).data
    exact = np.einsum("aabbbccdd->abcd", np.asarray(t.data))
    assert np.abs(np.asarray(found) - exact).max() == 0
    assert type(found) is type(t.data) and found.dtype == t.data.dtype
    assert t.inds == tuple("abcdefghi"), "the argument is not changed"
    expected = {"hyper": 1 + 4, "copy": 1 + 4, "tree": 1 + 1 + 2 + 1 + 1, "mps": 1 + 1 + 4 + 1 + 1}
    assert tn.num_tensors == expected[mode]


@pytest.mark.parametrize("mode", MODES)
def test_any_network_modes_agree_as_states(mode):
    """Legs of different tensors, of the same tensor, a hyper leg, a leg alone; phys_dim 3."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)]
    peps = qtn.TN_from_edges_rand(edges, D=2, phys_dim=3, seed=1, dtype="complex128")
    dense = peps.contract(output_inds=("k0", "k1", "k2", "k3")).data
    tn = qdn.dup(peps, {"q0": ["k0", "k2"], "q1": ["k3"]}, mode=mode)
    found = tn.contract(output_inds=("q0", "q1", "k1")).data
    exact = np.einsum("abac->acb", dense)
    assert np.abs(found - exact).max() < 1e-13 * np.abs(exact).max()
    assert abs(tn.norm() - np.linalg.norm(exact)) < 1e-12 * np.linalg.norm(exact)
    assert abs(tn.H @ tn - np.linalg.norm(exact) ** 2) < 1e-12 * np.linalg.norm(exact) ** 2


@pytest.mark.parametrize("mode", MODES)
def test_renaming_is_simultaneous(mode):
    """New legs may take the names of the legs that are joined, even crosswise."""
    t = qtn.rand_tensor((2,) * 4, "abcd", seed=2)
    tn = qdn.dup(t, {"a": ["b", "c"], "b": ["a", "d"]}, mode=mode)
    exact = np.einsum("yxxy->xy", t.data)
    assert np.abs(tn.contract(output_inds=("a", "b")).data - exact).max() == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_leg_that_several_tensors_already_share(mode):
    """A hyper outer leg is repaired: afterwards it is outer exactly once, and norms are right."""
    vectors = [qtn.rand_tensor((3,), "k", seed=s) for s in range(3)]
    tn = qdn.dup(qtn.TensorNetwork(vectors), {"k": "k"}, mode=mode)
    exact = np.prod([v.data for v in vectors], axis=0)
    assert tn.outer_inds() == ("k",)
    assert np.abs(tn.contract().data - exact).max() < 1e-15
    assert abs(tn.norm() - np.linalg.norm(exact)) < 1e-14


def test_exponent_and_tags_survive():
    t = qtn.rand_tensor((2, 2), "ab", tags="T", seed=3).as_network()
    t.exponent = 2.0
    tn = qdn.dup(t, {"k": ["a", "b"]})
    assert np.abs(tn.contract().data - 100 * np.diag(next(iter(t)).data)).max() < 1e-13
    assert set(tn.tags) == {"T", "DELTA"}
