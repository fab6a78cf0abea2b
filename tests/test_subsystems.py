"""Which sites: every way to write a subsystem, for every function that takes one."""

import math
import warnings

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.geometry.where import read_where

NET = qdn.ConvAC.rand(5, 2, 2, 3, dist="rademacher", dtype="complex128", seed=0)
LATTICE = qtn.PEPS.rand(2, 3, 2, seed=0)
PSI = NET.to_dense().reshape(-1)


SUBSETS = {  # functions that take an int as a number of first sites
    "entropy": lambda where: NET.entropy(where),
    "renyi_entropy": lambda where: NET.renyi_entropy(where, 0.5),
    "schmidt_values": lambda where: NET.schmidt_values(where)[0],
    "schmidt_gap": lambda where: NET.schmidt_gap(where),
    "schmidt_rank": lambda where: qdn.schmidt_rank(NET, where, seed=0),
    "entanglement_plan": lambda where: len(NET.entanglement_plan(where).places),
    "renyi2_estimate": lambda where: qdn.renyi2_estimate(NET, where, 256, chains=16, seed=0)[0],
}
SITES = {  # functions that take an int as a site, as quimb's do
    "partial_trace_exact": lambda where: NET.partial_trace_exact(where),
    "mutinf_subsys": lambda where: NET.mutinf_subsys(where, 4),
    "logneg_subsys": lambda where: NET.logneg_subsys(where, 4),
}
SAME = {  # what is written, and the sites that it means
    "list": ([0, 2], [0, 2]),
    "tuple": ((2, 0), [2, 0]),
    "from the end": ([-3, 0], [2, 0]),
    "range": (range(1, 3), [1, 2]),
    "array": (np.array([0, 2]), [0, 2]),
    "unsigned array": (np.array([0, 2], "uint8"), [0, 2]),
    "list of numpy ints": ([np.int64(0), np.uint8(2)], [0, 2]),
    "tensor": (torch.tensor([0, 2]), [0, 2]),
    "list of tensors": ([torch.tensor(2), 0], [2, 0]),
    "generator": ((i for i in (0, 2)), [0, 2]),
    "set": ({2, 0}, [0, 2]),
    "frozenset": (frozenset([3, 1]), [1, 3]),
    "dict keys": ({2: "a", 0: "b"}.keys(), [2, 0]),
}
BAD = {
    "empty": [],
    "twice": [0, 0],
    "twice, by sign": [0, -5],
    "negative": [-6],
    "out of range": [5],
    "float": 1.0,
    "list of floats": [0.0, 1.0],
    "array of floats": np.array([0.0, 2.0]),
    "bool": True,
    "list of bools": [True, False],
    "numpy bools": [np.True_, np.False_],
    "mask": np.array([True, False, True, False, False]),
    "string": "01",
    "bytes": b"\x00\x01",
    "dict": {0: 1},
    "None in a list": [None],
    "nested": [[0, 1]],
    "pair of lists": ([0], [1]),
    "matrix": np.array([[0, 1], [2, 3]]),
    "slice": slice(0, 2),
    "complex": [1j],
    "nan": math.nan,
    "object": object(),
    "empty array": np.array([], int),
    "empty set": set(),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_sites_in_other_words(kind):
    written, meant = SAME[kind]
    written = list(written) if kind == "generator" else written
    fresh = (lambda: iter(written)) if kind == "generator" else (lambda: written)
    with warnings.catch_warnings(action="ignore"):  # so few samples prove nothing
        for name, call in {**SUBSETS, **SITES}.items():
            assert np.array_equal(call(fresh()), call(meant)), name


@pytest.mark.parametrize("kind", BAD)
def test_what_names_no_sites_is_refused_everywhere(kind):
    for call in {**SUBSETS, **SITES}.values():
        with pytest.raises((qdn.SitesError, qdn.OptionError)):
            call(BAD[kind])


@pytest.mark.parametrize("number", [2, np.int64(2), np.array(2), torch.tensor(2), np.uint8(2)])
def test_numbers(number):
    """The first so many sites, or one site where quimb means a site."""
    with warnings.catch_warnings(action="ignore"):
        for name, call in SUBSETS.items():
            assert np.array_equal(call(number), call([0, 1])), name
    for name, call in SITES.items():
        assert np.array_equal(call(number), call([2])), name


def test_all_sites():
    """As a number and as a sequence: nothing is entangled with nothing."""
    with warnings.catch_warnings(action="ignore"):
        for name, call in SUBSETS.items():
            assert call(5) == call(range(5)) == call(np.arange(5)), name
    assert NET.entropy(5) == 0 and NET.schmidt_rank(5) == 1
    assert np.allclose(
        NET.partial_trace_exact(range(5)), np.outer(PSI, PSI.conj()) / (abs(PSI) ** 2).sum()
    )
    for bad in (0, 6, -1, np.int64(-1)):
        for call in SUBSETS.values():
            with pytest.raises(qdn.SitesError, match="means the first"):
                call(bad)


def test_cuts_leave_something_on_both_sides():
    for bad in ([5], [0], [-1], [True], {1, 2}, (c for c in [1]), np.array([1.0])):
        with pytest.raises((qdn.SitesError, qdn.OptionError)):
            NET.entropies(bad)
    for good in ([1, 3], (1, 3), range(1, 4, 2), np.array([1, 3]), [np.int8(1), torch.tensor(3)]):
        assert np.array_equal(NET.entropies(good), NET.entropies()[[0, 2]])


def test_sites_of_a_lattice():
    exact = LATTICE.to_dense().reshape((2,) * 6)
    exact = qu.entropy_subsys(exact.reshape(-1) / np.linalg.norm(exact), [2] * 6, [0, 4])
    pairs = [(0, 0), (1, 1)]
    for where in (pairs, tuple(pairs), np.array(pairs), list(map(list, pairs)), set(pairs)):
        assert abs(qdn.entropy(LATTICE, where) - exact) < 1e-12
    assert abs(qdn.entropy(LATTICE, [np.array([0, 0]), (np.int64(1), 1)]) - exact) < 1e-12
    for bad in (
        (0, 1),
        [0, 1],
        np.array([0, 1]),
        [(0, 0), (0, 0)],
        [(0, 3)],
        [(0, -1)],
        [(0, 0.0)],
    ):
        with pytest.raises(qdn.SitesError):
            qdn.entropy(LATTICE, bad)
    with pytest.raises(qdn.SitesError):
        qdn.entropy(LATTICE, [(False, False)])


def test_labels_of_any_kind():
    """A float is a label where the sites are floats, and a string is one site, never several."""
    assert read_where([0.5, 1.5], [1.5]) == (1,)
    assert read_where([0, 1], np.array([1, 0])) == (1, 0)
    with pytest.raises(qdn.SitesError, match="neither"):
        read_where([0, 1], [1.0])
    edges = [("a", "b"), ("b", "c"), ("c", "a")]
    state = qtn.TN_from_edges_rand(edges, 2, 2, seed=0)
    assert np.isclose(qdn.entropy(state, ["a", "b"]), qdn.entropy(state, ["c"]))
    with pytest.raises(qdn.SitesError, match="neither"):
        qdn.entropy(state, "ab")
