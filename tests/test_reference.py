"""Networks and tensor networks against nested loops, over the grid of random architectures."""

import collections

import numpy as np
import pytest

import quimb_deepnets as qdn

from .architectures import CONV, IDS, NETWORKS, RACS, all_states
from .reference import conv_vector, rac_vector

TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def vectors():
    return {
        i: (rac_vector if isinstance(net, qdn.RAC) else conv_vector)(net)
        for i, net in enumerate(NETWORKS)
    }


def check_close(found, vector):
    found = np.asarray(found).reshape(-1)
    assert found.shape == vector.shape
    assert np.abs(found - vector).max() <= TOLERANCE * np.linalg.norm(vector)


def test_grid_covers_the_family():
    assert len(CONV) >= 80 and len(RACS) >= 20
    seen = collections.Counter()
    for net in CONV:
        seen[net.boundary] += 1
        seen[net.anchor] += 1
        seen["shared" if net.shared else "unshared"] += 1
        seen[f"phys_dim {net.phys_dim}"] += 1
        seen[net.dtype] += 1
        seen["lattice" if isinstance(net.shape, tuple) else "chain"] += 1
        seen["strided"] += any(np.max(s) > 1 for s in net.strides)
        seen["pooled"] += any(
            np.max(x.kernel) > 1 and np.all(np.equal(x.kernel, x.stride)) for x in net.layers
        )
        seen["odd"] += bool(np.any(np.array(net.shape) % 2))
        seen["rectangular"] += isinstance(net.shape, tuple) and net.shape[0] != net.shape[1]
        seen[f"depth {net.depth}"] += 1
        overlaps = any(np.max(x.kernel) > 1 and np.min(x.stride) == 1 for x in net.layers)
        seen["overlapping"] += overlaps
    expected = {
        *("ones", "omit", "periodic", "valid", "center", "corner", "shared", "unshared"),
        *("phys_dim 2", "phys_dim 3", "float64", "complex128", "lattice", "chain", "strided"),
        *("pooled", "odd", "rectangular", "depth 1", "depth 2", "depth 3", "overlapping"),
    }
    assert set(seen) == expected
    assert min(seen.values()) >= 8, seen


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_network(i, vectors):
    net = NETWORKS[i]
    check_close(net.amplitudes(all_states(net)), vectors[i])
    check_close(net.to_dense(), vectors[i])
    phase, logabs = net.log_amplitudes(all_states(net))
    check_close(phase * np.exp(logabs), vectors[i])


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_network_torch(i, vectors):
    net = NETWORKS[i].to("torch")
    assert net.backend == "torch" and net.dtype == NETWORKS[i].dtype
    check_close(net.amplitudes(all_states(net)), vectors[i])


@pytest.mark.parametrize("nodes", ["hyper", "dense"])
@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_tensor_network(i, nodes, vectors):
    net = NETWORKS[i]
    psi = net.to_tensor_network(nodes=nodes)
    assert psi.num_tensors == net.geometry.num_tensors(nodes)
    check_close(psi.to_dense(), vectors[i])  # through the network
    check_close(psi.to_dense(optimize="greedy"), vectors[i])  # by contraction
    states = all_states(net)[:: max(1, len(vectors[i]) // 5)]
    some = vectors[i][:: max(1, len(vectors[i]) // 5)]
    for optimize in (None, "greedy"):
        found = psi.amplitudes(states, optimize=optimize)
        assert np.abs(found - some).max() <= TOLERANCE * np.linalg.norm(vectors[i])


@pytest.mark.parametrize("i", range(0, len(NETWORKS), 5))
def test_tensor_network_torch(i, vectors):
    psi = NETWORKS[i].to_tensor_network().to("torch")
    check_close(psi.to_dense(optimize="greedy"), vectors[i])
    check_close(psi.network.to_dense(), vectors[i])
    phase, logabs = psi.log_amplitudes(all_states(NETWORKS[i])[:3], optimize="greedy")
    some = vectors[i][:3]
    found = np.asarray(phase) * np.exp(np.asarray(logabs))
    assert np.abs(found - some).max() <= TOLERANCE * np.linalg.norm(vectors[i])


@pytest.mark.parametrize("seed", range(5))
def test_each_amplitude_to_round_off(seed):
    """Positive weights, so nothing cancels: every single amplitude is exact, not just the norm."""
    net = qdn.ConvAC.rand(6, 3, 3, 4, dist="uniform", loc=1.5, seed=seed)
    exact = conv_vector(net)
    assert np.abs(net.amplitudes(all_states(net)) / exact - 1).max() < 1e-13
    logabs = net.log_amplitudes(all_states(net))[1]
    assert np.abs(logabs - np.log(exact)).max() < 1e-13 * np.abs(np.log(exact)).max()
