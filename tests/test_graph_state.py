"""Graph states as ConvACs: amplitudes are signs, depth is minimal, entropies are GF(2) ranks."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import quimb_deepnets as qdn
from quimb_deepnets.entanglement.gf2 import gf2_rank, graph_entropy
from quimb_deepnets.networks import GraphStateConvAC


def signs(configs, distance, boundary="periodic"):
    """prod_n (-1)**(s_n s_{n+D}) from the formula, site by site."""
    shape = configs.shape[1:]
    out = np.ones(len(configs))
    for n in itertools.product(*map(range, shape)):
        m = [x + d for x, d in zip(n, distance)]
        if boundary == "omit" and not all(0 <= x < length for x, length in zip(m, shape)):
            continue
        m = tuple(x % length for x, length in zip(m, shape))
        out *= 1 - 2 * (configs[(slice(None), *n)] * configs[(slice(None), *m)])
    return out


def rolled_signs(configs, distance):
    """The same for big periodic lattices, with shifted arrays."""
    axes = tuple(range(1, configs.ndim))
    both = configs * np.roll(configs, [-d for d in distance], axis=axes)
    return 1 - 2 * (both.reshape(len(configs), -1).sum(1) % 2)


def every_config(shape):
    shape = shape if isinstance(shape, tuple) else (shape,)
    return np.array(list(itertools.product(range(2), repeat=int(np.prod(shape))))).reshape(
        -1, *shape
    )


def dense_entropy(state, places):
    """Entropy in bits from the singular values of the dense vector."""
    n = int(np.log2(state.size))
    rest = [i for i in range(n) if i not in places]
    block = state.reshape((2,) * n).transpose([*places, *rest]).reshape(2 ** len(places), -1)
    p = np.linalg.svd(block, compute_uv=False) ** 2
    p = p[p > 1e-12 * p.sum()] / p.sum()
    return -(p * np.log2(p)).sum()


CHAINS = [
    (n, d, k)
    for n in (2, 3, 4, 5, 8, 9)
    for d in (1, 2, 3, 4, 5, 7, -1, -3)
    for k in (2, 3, 4, 5)
    if d % n
]


@pytest.mark.parametrize("boundary", ["periodic", "omit"])
def test_chains_are_products_of_signs(boundary):
    for n, d, k in CHAINS:
        if boundary == "omit" and abs(d) >= n:
            continue
        net = qdn.ConvAC.graph_state(n, distance=d, kernel=k, boundary=boundary)
        configs = every_config(n)
        expected = signs(configs, (d,), boundary)
        assert np.array_equal(net.amplitudes(configs), expected), (n, d, k)
        short = min(d % n, -d % n) if boundary == "periodic" else abs(d)
        assert net.depth == 1 - (-short // (k - 1)), (n, d, k)


@pytest.mark.parametrize("boundary", ["periodic", "omit"])
@pytest.mark.parametrize(
    "shape, distance, kernel, moves",
    [
        ((3, 4), (0, 1), 2, 1),
        ((3, 4), (1, 1), 2, 1),
        ((3, 4), (1, -1), 2, 1),
        ((3, 4), (-1, 1), 3, 1),
        ((4, 3), (2, 1), 2, 2),
        ((4, 3), (-2, -1), 2, 2),
        ((2, 6), (1, 3), (2, 3), 2),
        ((2, 6), (0, 3), (1, 3), 2),
        ((2, 6), (-1, 3), (2, 4), 1),
        ((2, 5), (1, -2), (3, 2), 2),
        ((1, 6), (0, 2), 3, 1),
    ],
)
def test_lattices_are_products_of_signs(shape, distance, kernel, moves, boundary):
    net = qdn.ConvAC.graph_state(shape, distance=distance, kernel=kernel, boundary=boundary)
    configs = every_config(shape)
    assert np.array_equal(net.amplitudes(configs), signs(configs, distance, boundary))
    assert net.depth == moves + 1
    assert np.array_equal(net.to_dense().ravel(), signs(configs, distance, boundary))


@pytest.mark.parametrize(
    "shape, distance, kernel, depth, batch",
    [
        (100, 40, 5, 11, 20),
        (200, 90, 10, 11, 4),
        ((100, 100), (0, 25), 5, 8, 3),
        ((60, 45), (-17, 20), (5, 4), 8, 3),
        ((304, 304), (0, 76), 5, 20, 1),
    ],
)
def test_big_ones(shape, distance, kernel, depth, batch):
    net = qdn.ConvAC.graph_state(shape, distance=distance, kernel=kernel)
    assert net.depth == depth
    sizes = shape if isinstance(shape, tuple) else (shape,)
    configs = np.random.default_rng(0).integers(0, 2, (batch, *sizes))
    vector = distance if isinstance(distance, tuple) else (distance,)
    assert np.array_equal(net.amplitudes(configs), rolled_signs(configs, vector))
    if net.nsites < 11000:
        phase, log = net.log_amplitudes(configs)
        assert np.array_equal(phase, rolled_signs(configs, vector)) and not log.any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", np.complex128])
def test_dtypes(dtype):
    net = qdn.ConvAC.graph_state(7, distance=3, kernel=3, dtype=dtype)
    assert net.dtype == np.dtype(dtype).name
    configs = every_config(7)
    assert np.array_equal(net.amplitudes(configs), signs(configs, (3,)))


def test_no_shallower_network_reaches_the_distance():
    """The rank of a pair of far sites against the rest is 4; one layer less allows only 2."""
    net = qdn.ConvAC.graph_state(16, distance=4, kernel=3)
    windows = [set(net.geometry.window(net.depth - 1, (p,))) for p in range(16)]
    below = [set(net.geometry.window(net.depth - 2, (p,))) for p in range(16)]
    assert all(any({n, (n + 4) % 16} <= w for w in windows) for n in range(16))
    assert not any({0, 4} <= w for w in below)


# ------------------------------------------------------------------ the class


def test_what_it_is():
    net = qdn.ConvAC.graph_state((4, 6), distance=(1, -2), kernel=(2, 3))
    assert isinstance(net, GraphStateConvAC) and isinstance(net, qdn.ConvAC)
    assert net.distance == (1, -2) and net.kernel == (2, 3) and net.shape == (4, 6)
    assert repr(net) == (
        "GraphStateConvAC(shape=(4, 6), distance=(1, -2), kernel=(2, 3), "
        "boundary='periodic', depth=2)"
    )
    assert qdn.ConvAC.graph_state(9, np.int64(4), kernel=3).distance == 4
    assert qdn.ConvAC.graph_state(9, [4], kernel=3).distance == 4
    far = qdn.ConvAC.graph_state(9, 9 * 10**30 + 4, kernel=3)
    assert np.array_equal(far.edges, qdn.ConvAC.graph_state(9, 4, kernel=3).edges)


def test_the_arrays_cannot_be_written():
    net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
    copies = [net, copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    for other in [*copies, net.to(dtype="float32"), net.to("numpy-complex128")]:
        assert type(other) is GraphStateConvAC
        assert (other.distance, other.kernel, other.boundary) == (2, 3, "periodic")
        for array in [*other.weights, other.readout, *other.params.values(), other.edges]:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
    assert net.to("numpy-complex128").dtype == "complex128"


def test_other_weights_make_a_plain_network():
    net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
    plain = net.from_params(net.geometry, {k: 2 * x for k, x in net.params.items()})
    assert type(plain) is qdn.ConvAC
    assert type(GraphStateConvAC.rand(6, 2, 3, 4, seed=0)) is qdn.ConvAC


@pytest.mark.filterwarnings("error")
def test_torch_shares_no_memory():
    net = qdn.ConvAC.graph_state(6, distance=2, kernel=3)
    before, torch = net.to_dense(), net.to("torch")
    assert type(torch) is qdn.ConvAC and torch.backend == "torch"
    assert np.array_equal(torch.to_dense(), before)
    for array in [*torch.weights, torch.readout]:
        array[...] = 7
    assert np.array_equal(net.to_dense(), before)


def test_it_is_a_network_like_all_others():
    net = qdn.ConvAC.graph_state(6, distance=2, kernel=2)
    psi = net.to_tensor_network()
    assert np.array_equal(psi.to_dense(), net.to_dense())
    assert type(psi.network) is qdn.ConvAC
    assert np.array_equal(abs(net.flip_ratios([[0, 1, 0, 1, 1, 0]])), np.ones((1, 6, 2)))


@pytest.mark.parametrize(
    "shape, options, error, match",
    [
        (8, {"distance": 0, "kernel": 3}, qdn.GeometryError, "joins every site .* to itself"),
        (8, {"distance": 16, "kernel": 3}, qdn.GeometryError, "joins every site .* to itself"),
        ((4, 4), {"distance": (4, -8), "kernel": 3}, qdn.GeometryError, "to itself"),
        ((4, 4), {"distance": 1, "kernel": 3}, qdn.GeometryError, r"give a pair such as \(0, 1\)"),
        (8, {"distance": [(1, 2)], "kernel": 3}, qdn.GeometryError, "give an int"),
        (8, {"distance": [], "kernel": 3}, qdn.GeometryError, "0 partners"),
        (8, {"distance": [1, -2], "kernel": 3, "boundary": "omit"}, qdn.GeometryError, "reverse"),
        (8, {"distance": 1, "kernel": 3, "angle": "wide"}, qdn.OptionError, "angle='wide'"),
        (8, {"distance": 1, "kernel": 3, "angle": math.nan}, qdn.OptionError, "finite"),
        (8, {"distance": 1, "kernel": 3, "angle": [1.0, 2.0]}, qdn.OptionError, r"shape \(2,\)"),
        (
            8,
            {"distance": 1, "kernel": 3, "angle": 1, "dtype": "float64"},
            qdn.OptionError,
            "complex",
        ),
        (8, {"distance": 1.5, "kernel": 3}, qdn.GeometryError, "whole numbers"),
        (8, {"distance": "3", "kernel": 3}, qdn.GeometryError, "whole numbers"),
        (8, {"distance": None, "kernel": 3}, qdn.GeometryError, "whole numbers"),
        (8, {"distance": [1, [2, 3]], "kernel": 3}, qdn.GeometryError, "give an int"),
        (8, {"distance": 2, "kernel": 1}, qdn.GeometryError, "at least 2"),
        ((4, 4), {"distance": (1, 1), "kernel": (1, 3)}, qdn.GeometryError, "at least 2"),
        (8, {"distance": 2, "kernel": 0}, qdn.GeometryError, "kernel=0"),
        (8, {"distance": 2, "kernel": (2, 2)}, qdn.GeometryError, "kernel="),
        ((2, 2, 2), {"distance": (0, 0, 1), "kernel": 2}, qdn.GeometryError, "3 dimensions"),
        (8, {"distance": 8, "kernel": 3, "boundary": "omit"}, qdn.GeometryError, "outside"),
        (8, {"distance": 2, "kernel": 3, "boundary": "ones"}, qdn.OptionError, "use 'omit'"),
        (8, {"distance": 2, "kernel": 3, "boundary": "valid"}, qdn.OptionError, "use 'omit'"),
        (8, {"distance": 2, "kernel": 3, "boundary": "open"}, qdn.OptionError, "is not known"),
        (8, {"distance": 2, "kernel": 3, "dtype": "int8"}, qdn.OptionError, "dtype"),
    ],
)
def test_errors(shape, options, error, match):
    with pytest.raises(error, match=match):
        qdn.ConvAC.graph_state(shape, **options)


# ------------------------------------------------------------------ entropies


def entropy(net, places):
    return graph_entropy(net.edges, places, net.nsites)


@pytest.mark.parametrize(
    "shape, distance, kernel, boundary",
    [
        (10, 3, 2, "periodic"),
        (11, 4, 3, "periodic"),
        (9, -2, 3, "omit"),
        ((3, 4), (1, -1), 2, "periodic"),
        ((3, 4), (1, 2), 3, "omit"),
        ((2, 5), (1, 0), 2, "periodic"),
    ],
)
def test_entropy_is_that_of_the_dense_state(shape, distance, kernel, boundary):
    net = qdn.ConvAC.graph_state(shape, distance=distance, kernel=kernel, boundary=boundary)
    state, rng = net.to_dense(), np.random.default_rng(1)
    for _ in range(30):
        places = rng.permutation(net.nsites)[: rng.integers(1, net.nsites)].tolist()
        assert entropy(net, places) == pytest.approx(dense_entropy(state, places), abs=1e-9)


@pytest.mark.parametrize("n", [11, 12, 100])
def test_blocks_of_a_ring(n):
    for d in range(1, n // 4 + 1):
        net = qdn.ConvAC.graph_state(n, distance=d, kernel=3)
        for a in range(n + 1):
            assert entropy(net, range(a)) == min(a, n - a, 2 * d)


def test_beyond_a_quarter_of_the_ring():
    assert entropy(qdn.ConvAC.graph_state(100, distance=40, kernel=5), range(50)) == 40


@pytest.mark.parametrize("shape, distance", [(8, 4), (8, -4), ((4, 6), (2, 3)), ((4, 6), (0, 3))])
def test_half_way_around_signs_cancel(shape, distance):
    net = qdn.ConvAC.graph_state(shape, distance=distance, kernel=3)
    assert net.edges.shape == (0, 2)
    assert entropy(net, range(net.nsites // 2)) == 0
    configs = np.random.default_rng(0).integers(0, 2, (20, *np.atleast_1d(shape)))
    assert (net.amplitudes(configs) == 1).all()


def test_volume_law_of_blocks_on_a_torus():
    net = qdn.ConvAC.graph_state((100, 100), distance=(0, 25), kernel=5)
    for a in range(1, 51):
        block = (np.arange(a)[:, None] * 100 + np.arange(a)).ravel()
        assert entropy(net, block) == a * a
    net = qdn.ConvAC.graph_state((304, 304), distance=(0, 76), kernel=5)
    block = (np.arange(152)[:, None] * 304 + np.arange(152)).ravel()
    assert entropy(net, block) == 152**2


def test_edges():
    net = qdn.ConvAC.graph_state(5, distance=-3, kernel=3)
    assert net.edges.tolist() == [[0, 2], [0, 3], [1, 3], [1, 4], [2, 4]]
    net = qdn.ConvAC.graph_state((2, 3), distance=(1, -1), kernel=3, boundary="omit")
    assert net.edges.tolist() == [[1, 3], [2, 4]]


def rank_by_hand(matrix):
    """Schoolbook elimination modulo 2."""
    rows, rank = [[int(x) % 2 for x in row] for row in matrix], 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(len(rows)):
            if r != rank and rows[r][column]:
                rows[r] = [x ^ y for x, y in zip(rows[r], rows[rank])]
        rank += 1
    return rank


def test_rank_of_matrices():
    rng = np.random.default_rng(2)
    for _ in range(100):
        m, n = rng.integers(1, 25, 2)
        matrix = (rng.random((m, n)) < rng.random()).astype(rng.choice(["u1", "?", "i8", "f8"]))
        expected = rank_by_hand(matrix)
        assert gf2_rank(matrix) == gf2_rank(matrix.T) == expected
        assert gf2_rank(csr_matrix(matrix)) == gf2_rank(csr_matrix(matrix).T) == expected
    assert gf2_rank(np.zeros((0, 3), int)) == gf2_rank(np.zeros((3, 0), int)) == 0
    product = rng.integers(0, 2, (2500, 40)) @ rng.integers(0, 2, (40, 7500)) % 2
    assert gf2_rank(product) == 40
    assert gf2_rank(rng.integers(0, 2, (2500, 7500), dtype="u1")) == 2500


@pytest.mark.parametrize("degree", [1, 2, 3, 6])
def test_graphs_of_any_degree(degree):
    rng = np.random.default_rng(degree)
    for _ in range(40):
        n = int(rng.integers(2, 30))
        edges = rng.integers(0, n, (n * degree // 2, 2))
        places = rng.permutation(n)[: rng.integers(0, n + 1)]
        adjacency = np.zeros((n, n), int)
        np.add.at(adjacency, tuple(edges.T), 1)
        adjacency += adjacency.T
        rest = np.setdiff1d(np.arange(n), places)
        block = adjacency[np.ix_(places, rest)] % 2
        expected = rank_by_hand(block) if block.size else 0
        assert graph_entropy(edges, places, n) == graph_entropy(edges, rest, n) == expected


def test_alternate_sites_of_a_long_ring():
    n = 10**5
    ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], 1)
    assert graph_entropy(ring, range(0, n, 2), n) == n // 2 - 1
    assert graph_entropy(ring[:-1], range(0, n, 2), n) == n // 2


def test_errors_of_entropies():
    with pytest.raises(qdn.OptionError, match="entries 0 or 1"):
        gf2_rank([[0, 2]])
    with pytest.raises(qdn.OptionError, match="two axes"):
        gf2_rank([0, 1])
    with pytest.raises(qdn.SitesError, match="named twice"):
        graph_entropy([(0, 1)], [0, 0], 2)
    with pytest.raises(qdn.SitesError, match="named twice"):
        graph_entropy([(0, 1)], [2], 2)
    with pytest.raises(qdn.SitesError, match="give integers"):
        graph_entropy([(0, 1)], [0.5], 2)
    with pytest.raises(qdn.GeometryError, match="pairs of places"):
        graph_entropy([(0, 5)], [0], 2)
    with pytest.raises(qdn.GeometryError, match="pairs of places"):
        graph_entropy([0, 1], [0], 2)
