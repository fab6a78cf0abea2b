"""The Schmidt rank of architectures: nested loops, known numbers, and the bound from integers."""

import copy
import pickle
import sys

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import rank as module
from quimb_deepnets.entanglement.rank import (
    PRIME,
    SchmidtRank,
    modular_matrix,
    random_params,
    sample_configs,
    schmidt_rank,
)
from quimb_deepnets.geometry import ConvGeometry, RecurrentGeometry
from quimb_deepnets.theory import rank_bound

from . import reference
from .architectures import CONV, NETWORKS

LAYER = qdn.GCLayer


def conv(shape, layers, phys_dim=2, boundary="ones", shared=True, anchor="center"):
    shape = shape if isinstance(shape, tuple) else (shape,)
    layers = tuple(LAYER(*layer) for layer in layers)
    return ConvGeometry(shape, layers, (shared,) * len(layers), phys_dim, boundary, anchor)


def rank_mod(matrix):
    """Rank modulo the prime by elimination, with numpy only."""
    matrix, rank = np.array(matrix, np.uint64), 0
    for j in range(matrix.shape[1]):
        pivots = np.flatnonzero(matrix[rank:, j])
        if not len(pivots):
            continue
        i = rank + pivots[0]
        matrix[[rank, i]] = matrix[[i, rank]]
        inverse = np.uint64(pow(int(matrix[rank, j]), -1, PRIME))
        pivot = matrix[rank] * inverse % np.uint64(PRIME)
        column = (np.uint64(PRIME) - matrix[rank + 1 :, j]) % np.uint64(PRIME)
        matrix[rank + 1 :] += column[:, None] * pivot % np.uint64(PRIME)
        matrix[rank + 1 :] %= np.uint64(PRIME)
        rank += 1
        if rank == len(matrix):
            break
    return rank


def certified(geometry, places, seed=0, size=4096):
    """The rank of a geometry modulo the prime, without python-flint."""
    rng = np.random.default_rng(seed)
    rest = len(geometry.sites) - len(places)
    params = random_params(geometry, rng)
    rows, columns = (sample_configs(geometry.phys_dim, n, size, rng) for n in (len(places), rest))
    return rank_mod(modular_matrix(geometry, params, places, rows, columns))


def block(geometry, a, b):
    """Places of the corner block of a x b."""
    return [i for i, (x, y) in enumerate(geometry.sites) if x < a and y < b]


# --------------------------------------------------------------- amplitudes


def nested_loops(geometry, params, config):
    """One amplitude in Python integers; config: dict site -> int."""
    arrays = {name: x.tolist() for name, x in params.items()}
    if isinstance(geometry, RecurrentGeometry):
        hidden, inputs, initial = (
            [arrays[f"{kind}{l}"] for l in range(1, geometry.depth + 1)]
            for kind in ("WH", "WI", "H0")
        )
        spins = [config[s] for s in geometry.sites]
        args = hidden, inputs, initial, arrays["READOUT"], geometry.phys_dim
        return reference.rac_amplitude(spins, *args) % PRIME

    def weight(l, position, tap):
        where = tap if geometry.shared[l - 1] else (*position, *tap)
        return arrays[f"W{l}," + ",".join(map(str, where))]

    kernels, strides = zip(*(layer.per_axis(geometry.ndim) for layer in geometry.layers))
    config = {s if isinstance(s, tuple) else (s,): v for s, v in config.items()}
    args = geometry.shape, kernels, strides, weight, arrays["READOUT"], geometry.phys_dim
    return reference.conv_amplitude(config, *args, geometry.boundary, geometry.anchor) % PRIME


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_amplitudes_are_those_of_nested_loops(number, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 40)  # several blocks of rows
    geometry, rng = NETWORKS[number].geometry, np.random.default_rng(number)
    count = len(geometry.sites)
    places = list(rng.permutation(count)[: rng.integers(0, count + 1)])
    rest = sorted(set(range(count)) - set(places))
    params = random_params(geometry, rng)
    rows, columns = (sample_configs(geometry.phys_dim, len(x), 6, rng) for x in (places, rest))
    matrix = modular_matrix(geometry, params, places, rows, columns)
    assert matrix.shape == (len(rows), len(columns))
    for i, j in zip(rng.integers(len(rows), size=8), rng.integers(len(columns), size=8)):
        digits = dict(zip([*places, *rest], [*rows[i].tolist(), *columns[j].tolist()]))
        config = {site: digits[n] for n, site in enumerate(geometry.sites)}
        assert int(matrix[i, j]) == nested_loops(geometry, params, config)


def test_sampled_configurations_differ():
    rng = np.random.default_rng(0)
    for phys_dim, width in [(2, 7), (3, 40)]:
        configs = sample_configs(phys_dim, width, 100, rng)
        assert configs.shape == (100, width) and len(np.unique(configs, axis=0)) == 100
    assert sample_configs(2, 2, 4, rng).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert sample_configs(2, 0, 4, rng).shape == (1, 0)


# --------------------------------------------------------------------- laws

CHAINS = [
    (16, 2, [(2, 3), (2, 2)]),
    (16, 2, [(3, 2), (3, 4)]),
    (14, 2, [(2, 2), (3, 3), (2, 3)]),
    (14, 2, [(2, 3), (2, 3), (2, 3), (4, 2)]),
    (8, 3, [(2, 3), (2, 4)]),
    (8, 3, [(3, 3), (2, 3)]),
]


@pytest.mark.parametrize("N, M, layers", CHAINS)
def test_first_sites_of_open_chains(N, M, layers):
    geometry = conv(N, layers, M)
    nu = sum(kernel - 1 for kernel, _ in layers[:-1])
    for a in (1, 3, N // 2):
        law = min(M**a, M ** (N - a), layers[-1][1] * M**nu)
        assert rank_bound(geometry, range(a)) == law == certified(geometry, range(a)), a


@pytest.mark.parametrize("N, M, layers", CHAINS)
def test_first_sites_of_rings(N, M, layers):
    geometry = conv(N, layers, M, "periodic", shared=False)
    nu = 2 * sum(kernel - 1 for kernel, _ in layers[:-1])
    for a in (2, N // 2):
        law = min(M**a, M ** (N - a), layers[-1][1] * M**nu)
        assert rank_bound(geometry, range(a)) == law == certified(geometry, range(a)), a


@pytest.mark.parametrize(
    "shape, layers, a, b, law",
    [
        ((4, 4), [(2, 2), (2, 2)], 2, 4, 2**5),
        ((4, 4), [(2, 2), (2, 2), (2, 2)], 2, 4, 2**8),
        ((4, 4), [(3, 2), (3, 2)], 2, 4, 2**8),
        ((4, 4), [(2, 3), (2, 3)], 3, 3, 96),
        ((4, 4), [(2, 3), (2, 3)], 2, 2, 16),
        ((5, 4), [(2, 2), (2, 4)], 3, 3, 4 * 2**5),
        ((5, 4), [(2, 2), (2, 2)], 2, 4, 2**5),
        ((6, 4), [(2, 2), (2, 2)], 3, 4, 2**5),
    ],
)
def test_blocks_of_lattices(shape, layers, a, b, law):
    geometry = conv(shape, layers)
    places = block(geometry, a, b)
    size = 4096 if len(geometry.sites) < 24 else 400
    assert rank_bound(geometry, places) == law == certified(geometry, places, size=size)


@pytest.mark.parametrize(
    "geometry, places, rank",
    [
        (conv(6, [(2, 2), (1, 4)], 3), range(3), 6),
        (conv(8, [(7, 2), (2, 2)], boundary="valid"), range(4), 4),
        (conv(8, [(3, 4)], boundary="periodic"), [0, 1], 3),
        (conv(8, [(2, 3), (2, 4)], boundary="periodic"), range(4), 14),
        (
            conv((4, 4), [(2, 2), (2, 2, 2), (2, 2), (2, 2)], boundary="ones", anchor="corner"),
            range(8),
            96,
        ),
    ],
)
def test_ranks_below_the_law_of_windows(geometry, places, rank):
    assert certified(geometry, list(places)) == rank <= rank_bound(geometry, places)


@pytest.mark.parametrize("M, R, N", [(2, 2, 9), (2, 3, 8), (3, 2, 6), (3, 3, 6), (5, 2, 4)])
def test_recurrent_laws(M, R, N):
    for depth in (1, 2):
        geometry = RecurrentGeometry(N, depth, R, M)
        for a in range(1, N):
            law = min(M**a, M ** (N - a), R)
            if depth == 2:
                comb = module.math.comb
                law = min(min(M, R) * M ** (a - 1), M ** (N - a), R * comb(R + a - 1, a))
                if N - a == 1:
                    law = min(law, comb(R + a, a + 1))
            last = range(N - a, N)
            bound = rank_bound(geometry, last)
            assert bound == law == certified(geometry, last), (depth, a)


def test_deep_recurrent_ranks():
    geometry = RecurrentGeometry(6, 3, 2, 3)
    for a, rank in [(1, 2), (2, 6), (3, 18)]:
        last = range(6 - a, 6)
        assert certified(geometry, last) == rank == rank_bound(geometry, last)
    geometry = RecurrentGeometry(10, 3, 2, 2)
    assert certified(geometry, range(5)) == 32 == rank_bound(geometry, range(5))


# -------------------------------------------------------------------- bound


def random_subset(rng, count):
    return sorted(rng.permutation(count)[: rng.integers(1, count + 1)].tolist())


@pytest.mark.parametrize("part", range(4))
def test_no_rank_exceeds_the_bound(part):
    for number, net in enumerate(NETWORKS):
        rng = np.random.default_rng([part, number])
        places = random_subset(rng, len(net.geometry.sites))
        found = certified(net.geometry, places, seed=rng, size=81)
        assert 1 <= found <= rank_bound(net.geometry, places), (net, places)


def test_the_bound_is_met_without_sharing():
    rng, count = np.random.default_rng(7), 0
    while count < 150:
        lattice = rng.random() < 0.4
        shape = (2, int(rng.integers(2, 6))) if lattice else int(rng.integers(3, 10))
        depth = rng.integers(1, 4)
        layers = [(int(rng.integers(2, 4)), int(rng.integers(2, 5))) for _ in range(depth)]
        boundary = str(rng.choice(["ones", "omit", "periodic"]))
        geometry = conv(shape, layers, 2, boundary, shared=False)
        places = random_subset(rng, len(geometry.sites))
        bound = rank_bound(geometry, places)
        assert certified(geometry, places, seed=rng) == bound, (geometry, places)
        count += 1


def test_a_narrow_layer_cuts_windows_instead_of_sites():
    """Sites cost 5 here, and the two channels of a window that is read twice 3."""
    geometry = conv(6, [(4, 2), (2, 50)], 5, boundary="omit", shared=False)
    wide = conv(6, [(4, 50), (2, 50)], 5, boundary="omit", shared=False)
    assert rank_bound(geometry, range(3)) <= rank_bound(wide, range(3)) == 125
    geometry = conv(12, [(2, 1), (2, 3)], 3)
    assert rank_bound(geometry, range(6)) == 1 == certified(geometry, range(4), size=81)
    flat = conv(16, [(5, 2), (1, 2)], 7)
    assert rank_bound(flat, range(8)) == 2 * 2**4  # four windows, two channels, one tap each


def test_the_bound_of_a_large_torus():
    geometry = conv((100, 100), [(5, 4)] * 8, boundary="periodic")
    assert rank_bound(geometry, block(geometry, 40, 40)) == 2**1600
    narrow = conv((100, 100), [(2, 3)] * 3, boundary="periodic")
    places = block(narrow, 10, 10)
    assert rank_bound(narrow, places) == 3 * 2 ** (10**2 - 6**2)


def test_half_of_a_large_lattice_with_deep_windows():
    """Wide windows are built from their children, so that the graph does not list their sites."""
    geometry = conv((100, 100), [(5, 2)] * 10, boundary="omit")
    assert rank_bound(geometry, 5000) == 2 * 2**3600  # 36 rows share a window with the other half


def test_trivial_subsets_have_rank_one():
    for net in NETWORKS[::7]:
        assert rank_bound(net.geometry, []) == 1
        assert rank_bound(net.geometry, range(len(net.geometry.sites))) == 1


# --------------------------------------------------------------- schmidt_rank


def test_the_type_of_a_rank():
    found = SchmidtRank(62, full_matrix=False, upper_bound=64)
    assert found == 62 and isinstance(found, int) and str(found) == "62"
    assert not found.exact and not found.full_matrix and found.upper_bound == 64
    assert repr(found) == "SchmidtRank(62, at least, upper_bound=64)"
    assert repr(SchmidtRank(64, True, 64)) == "SchmidtRank(64, exact)"
    for same in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert same == found and vars(same) == vars(found)


def test_schmidt_rank_of_networks_and_tensor_networks():
    pytest.importorskip("flint")
    for net in (
        qdn.ConvAC.rand(6, 2, 2, 2, seed=0),
        qdn.ConvAC.rand((2, 3), 2, 2, 3, seed=0),
        qdn.RAC.rand(6, 2, 2, seed=0),
    ):
        found = schmidt_rank(net, 3, seed=1, progbar=True)
        assert found.full_matrix and found.exact and found.upper_bound == int(found)
        assert found == certified(net.geometry, range(3))
        assert repr(schmidt_rank(net.to_tensor_network(), 3, seed=1)) == repr(found)
    sites = [(0, 0), (1, 2)]
    net = qdn.ConvAC.rand((2, 3), 2, 2, 3, seed=0)
    assert schmidt_rank(net, sites, seed=0) == certified(net.geometry, [0, 5])


def test_numeric_ranks_agree():
    pytest.importorskip("flint")
    for net in CONV[:30]:
        count = net.geometry.phys_dim ** (net.nsites // 2)
        if net.nsites < 2 or count > 16:
            continue
        matrix = net.to_dense().reshape(count, -1)
        numeric = np.linalg.matrix_rank(matrix / abs(matrix).max(), 1e-10)
        assert numeric <= schmidt_rank(net, net.nsites // 2, seed=0), net


def test_a_sub_matrix_gives_a_lower_bound():
    pytest.importorskip("flint")
    net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0)
    found = schmidt_rank(net, 8, size=64, seed=3)
    assert not found.full_matrix and found.upper_bound == 16 and found == 16 and found.exact
    few = schmidt_rank(net, 8, size=8, seed=3)
    assert few == 8 and not few.exact and not few.full_matrix
    assert few == schmidt_rank(net, 8, size=8, seed=3)


def test_seeds_reproduce():
    geometry = conv(20, [(2, 3), (2, 3)])
    draws = [sample_configs(2, 20, 50, np.random.default_rng(s)) for s in (5, 5, 6)]
    assert (draws[0] == draws[1]).all() and (draws[0] != draws[2]).any()
    first, second = (random_params(geometry, np.random.default_rng(5)) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def test_errors(monkeypatch):
    net = qdn.ConvAC.rand(20, 2, 2, 2, seed=0)
    with pytest.raises(qdn.MethodError, match="RBM is not defined by an architecture; give"):
        schmidt_rank(qdn.RBM.rand(4, seed=0), 2)
    with pytest.raises(qdn.MethodError, match=r"register"):
        rank_bound(qdn.RBM.rand(4, seed=0), [0])
    with pytest.raises(qdn.SitesError, match="use 1 to 20"):
        schmidt_rank(net, 21)
    for bad in ([0, 0], [20], [-1]):
        with pytest.raises(qdn.SitesError, match=r"use each of 0\.\.19 at most once"):
            rank_bound(net.geometry, bad)
    with pytest.raises(qdn.OptionError, match="size=0"):
        schmidt_rank(net, 10, size=0)
    with pytest.raises(qdn.BudgetError, match=r"1024 x 1024 needs 58720256 bytes.*size="):
        schmidt_rank(net, 10, max_bytes=10**6)
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(qdn.ExtraError, match=r"pip install 'quimb-deepnets\[exact\]'"):
        schmidt_rank(net, 2)


@pytest.mark.parametrize(
    "M, R, sizes, ranks", [(2, 3, (7, 8, 9), (105, 132, 162)), (3, 4, (6,), (332,))]
)
def test_recurrent_ranks_where_sites_have_fewer_states_than_channels(M, R, sizes, ranks):
    """Depth 2 with M < R: some polynomials of the state cannot occur, and the bound knows it."""
    pytest.importorskip("flint")
    for a, rank in zip(sizes, ranks):
        N = 2 * a if M == 2 else a + 6
        net = qdn.RAC.rand(N, depth=2, bond_dim=R, phys_dim=M, seed=0)
        found = qdn.schmidt_rank(net, range(N - a, N), size=512, seed=0)
        assert found.exact and found == rank
