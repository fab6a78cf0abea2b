"""Weighted graph states: beside quimb's circuits, and entropies in closed form."""

import itertools
import math
import pickle

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.networks.graph_weights import count_moves, moves


def circuit(net, gates):
    """The dense state that quimb's circuit makes of plus states and controlled phases."""
    circ = qtn.Circuit(net.nsites)
    for site in range(net.nsites):
        circ.h(site)
    for a, b, angle in gates:
        circ.cphase(angle, a, b)
    return circ.to_dense().ravel()


def gates_of(sizes, distances, angles, boundary):
    """Every gate, by loops: from each site to each of its partners."""
    grid = list(itertools.product(*map(range, sizes)))
    for distance, angle in zip(distances, angles):
        for site in grid:
            end = tuple(x + d for x, d in zip(site, distance))
            if boundary == "periodic":
                end = tuple(x % n for x, n in zip(end, sizes))
            if end in grid:
                yield grid.index(site), grid.index(end), np.broadcast_to(angle, sizes)[site]


CASES = [
    (9, [2], 3, "periodic", 0.7),
    (9, [-4], 3, "periodic", 0.7),
    (9, [2, 3], 3, "periodic", [0.7, -1.1]),
    (9, [1, -3], 3, "periodic", [0.7, 2.0]),
    (9, [1, 2, 4], 4, "omit", 1.3),
    (8, [4], 3, "periodic", 0.7),  # half way around: every pair twice
    ((3, 4), [(0, 1), (1, 0)], 2, "omit", [0.4, 0.9]),
    ((3, 4), [(1, -1), (1, 1), (0, 1)], 2, "periodic", [0.4, 0.9, -2]),
    ((3, 3), [(1, -1)], (2, 3), "omit", 0.4),
]


@pytest.mark.parametrize("shape, distance, kernel, boundary, angle", CASES)
@pytest.mark.parametrize("by_site", [False, True])
def test_states_of_circuits(shape, distance, kernel, boundary, angle, by_site):
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if by_site:
        angle = np.random.default_rng(0).normal(size=(len(distance), *sizes))
    net = qdn.ConvAC.graph_state(shape, distance, kernel, boundary, angle=angle)
    psi = net.to_dense().ravel()
    np.testing.assert_allclose(abs(psi), 1, rtol=1e-12)
    vectors = [np.atleast_1d(d) for d in distance]
    angles = np.broadcast_to(angle, len(distance)) if not by_site else angle
    expected = circuit(net, gates_of(sizes, vectors, angles, boundary))
    np.testing.assert_allclose(psi / 2 ** (net.nsites / 2), expected, atol=1e-13)
    assert net.geometry.shared == (True,) * (net.depth - 1) + (not by_site,)
    again = pickle.loads(pickle.dumps(net))
    assert again == net and type(again) is type(net)
    for where in ([0], [0, 1, 2, 3], [1, 4, 6]):
        sites = [net.sites[i] for i in where]
        assert abs(net.entropy(sites, method="phases") - net.entropy(sites, method="dense")) < 1e-9
    sites = [net.sites[i] for i in (4, 0, 3)]
    rho = qdn.partial_trace_exact(net, sites)
    np.testing.assert_allclose(rho, qdn.partial_trace_exact(net, sites, method="dense"), atol=1e-12)


def test_files(tmp_path):
    angle = np.random.default_rng(0).normal(size=(2, 3, 3))
    for options in ({"angle": 0.3}, {"angle": (0.3, 0.4)}, {"angle": angle}):
        net = qdn.ConvAC.graph_state((3, 3), [(0, 1), (1, 0)], 2, **options)
        qdn.save(net, tmp_path / "net.npz")
        again = qdn.load(tmp_path / "net.npz")
        assert again == net and np.array_equal(again.angle, net.angle)
        assert again.distance == net.distance == ((0, 1), (1, 0))


def test_signs_are_graph_states():
    """At an angle of pi by a rank over GF(2), also with several distances."""
    net = qdn.ConvAC.graph_state((4, 4), [(0, 1), (1, 0)], kernel=2)
    assert net.dtype == "float64" and net.entropy(8, method="graph") == 8
    assert abs(net.entropy(8, method="dense") - 8) < 1e-9
    with pytest.raises(qdn.DeepNetError):
        qdn.ConvAC.graph_state(8, 2, 3, angle=1.0).entropy(4, method="graph")


def test_any_size():
    """A site of a large torus has four partners, each of which takes part of its coherence."""
    net = qdn.ConvAC.graph_state((100, 100), [(0, 1), (1, 0)], 2, angle=math.pi / 4)
    off = abs((1 + np.exp(1j * math.pi / 4)) / 2) ** 4 / 2
    p = np.array([0.5 + off, 0.5 - off])
    assert abs(net.entropy([(50, 50)]) + (p * np.log2(p)).sum()) < 1e-12
    assert net.entropy([(i, j) for i in range(3) for j in range(3)]) < 8


def test_layers_are_counted_before_they_are_made():
    rng = np.random.default_rng(0)
    for _ in range(200):
        kernel = tuple(rng.integers(2, 5, size=rng.integers(1, 3)).tolist())
        shifts = rng.integers(-9, 10, size=(rng.integers(1, 4), len(kernel))).tolist()
        made = list(moves([tuple(x) for x in shifts], kernel, "periodic"))
        assert count_moves(shifts, kernel) == len(made)
