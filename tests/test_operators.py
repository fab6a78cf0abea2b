"""Flip masks against terms applied one by one to strings, and against quimb's matrices."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
from quimb.operator import (
    HilbertSpace,
    SparseOperatorBuilder,
    fermi_hubbard_spinless_from_edges,
    heisenberg_from_edges,
    rand_operator,
)

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.sectors import check_conserved

# what an operator does to one digit: digit -> (digit after, factor)
ACTIONS = {
    "x": {0: (1, 1), 1: (0, 1)},
    "y": {0: (1, 1j), 1: (0, -1j)},
    "z": {0: (0, 1), 1: (1, -1)},
    "sx": {0: (1, 0.5), 1: (0, 0.5)},
    "sy": {0: (1, 0.5j), 1: (0, -0.5j)},
    "sz": {0: (0, 0.5), 1: (1, -0.5)},
    "+": {0: (1, 1)},
    "-": {1: (0, 1)},
    "n": {1: (1, 1)},
    "sn": {0: (0, -0.5), 1: (1, 0.5)},
    "h": {0: (0, 1)},
}


def applied(H, sites, config):
    """Each term of a builder applied to a configuration: a dict from configurations to numbers."""
    place, out = {site: n for n, site in enumerate(sites)}, {}
    for coefficient, product in H.terms:
        digits, factor = list(config), coefficient
        for word, site in product:
            after, times = ACTIONS[word].get(digits[place[site]], (0, 0))
            digits[place[site]], factor = after, factor * times
        out[tuple(digits)] = out.get(tuple(digits), 0) + factor
    return {key: x for key, x in out.items() if abs(x) > 1e-13}


def check_applied(H, sites, configs):
    masks = FlipMasks(H, sites)
    for config in configs:
        found = dict(zip(map(tuple, (c := masks.connected(config))[0].tolist()), c[1]))
        wanted = applied(H, sites, config.tolist())
        assert set(wanted) == {key for key, x in found.items() if abs(x) > 1e-13}
        assert all(abs(found[key] - x) < 1e-12 for key, x in wanted.items())
    return masks


def as_matrix(masks):
    N, d = masks.nsites, masks.phys_dim
    configs = np.array(np.unravel_index(np.arange(d**N), (d,) * N)).T
    out, weights = np.zeros((d**N,) * 2, complex), d ** np.arange(N)[::-1]
    for column, mask in zip(masks.coefficients(configs).T, masks.masks):
        out[((configs + mask) % d) @ weights, np.arange(d**N)] += column
    return out


def half_filled(N, count, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(np.arange(N) % 2) for _ in range(count)])


@pytest.mark.parametrize("N", [7, 100, 256])
@pytest.mark.parametrize("ops", ["xyz", "xyz+-n"])
def test_random_operators_term_by_term(N, ops):
    for seed in range(3):
        H = rand_operator(N, 30, min(N, 12), kmin=0, seed=seed, ops=ops)
        masks = check_applied(H, range(N), half_filled(N, 20, seed))
        if N == 7:
            assert abs(as_matrix(masks) - H.build_dense()).max() < 1e-12


@pytest.mark.parametrize("L", [4, 10, 16])
def test_heisenberg_on_a_torus_term_by_term(L):
    sites = [(i, j) for i in range(L) for j in range(L)]
    edges = list(qtn.edges_2d_square(L, L, cyclic=True))
    H = heisenberg_from_edges(edges)
    configs = half_filled(L * L, 10)
    masks = check_applied(H, sites, configs)
    assert len(masks.masks) == 2 * L * L + 1
    for config in configs:
        place = {site: n for n, site in enumerate(sites)}
        unequal = sum(config[place[a]] != config[place[b]] for a, b in edges)
        diagonal = abs(len(edges) - 2 * unequal) > 0
        assert len(masks.connected(config)[1]) == unequal + diagonal


def test_109_connected_configurations_at_10_by_10():
    sites = [(i, j) for i in range(10) for j in range(10)]
    edges = list(qtn.edges_2d_square(10, 10, cyclic=True))
    masks, place = FlipMasks(heisenberg_from_edges(edges), sites), dict(zip(sites, range(100)))
    configs = half_filled(100, 400)
    unequal = sum((configs[:, place[a]] != configs[:, place[b]]).astype(int) for a, b in edges)
    config = configs[np.flatnonzero(unequal == 108)[0]]
    assert len(masks.connected(config)[1]) == 109


@pytest.mark.parametrize("L", [3, 8])
def test_fermion_strings(L):
    """Hopping on a lattice has strings of Z over a row of sites and more."""
    edges = list(qtn.edges_2d_square(L, L))
    sites = [(i, j) for i in range(L) for j in range(L)]
    H = fermi_hubbard_spinless_from_edges(edges, t=1.0, V=0.7, mu=0.3)
    for decompose in (False, True):
        H.pauli_decompose(decompose)
        masks = check_applied(H, sites, half_filled(L * L, 10))
        check_conserved(masks, L * L // 2)
        assert masks.is_hermitian
        if L == 3:
            assert abs(as_matrix(masks) - H.build_dense()).max() < 1e-12


def test_products_of_many_moves():
    """More sites move than one table holds; a global flip keeps half filling."""
    N = 40
    H = SparseOperatorBuilder(
        [(0.3, *(("x", n) for n in range(N))), (0.2, *(("y", n) for n in range(0, N, 2)))],
        HilbertSpace(range(N)),
    )
    masks = check_applied(H, range(N), half_filled(N, 10))
    assert masks.is_hermitian
    flip = SparseOperatorBuilder([(0.3, *(("x", n) for n in range(N)))])
    check_conserved(FlipMasks(flip, range(N)), N // 2)
    with pytest.raises(qdn.OptionError, match="leaves the sector of 19 ones"):
        check_conserved(FlipMasks(flip, range(N)), 19)


@pytest.mark.parametrize("d, wheres", [(2, [0, (2, 1), (0, 1, 3)]), (3, [(2, 0), (1,), (0, 1, 2)])])
def test_matrices_of_any_dimension(d, wheres):
    N, terms, exact = 4, {}, 0
    for n, where in enumerate(wheres):
        places = [where] if isinstance(where, int) else list(where)
        G = np.asarray(qu.rand_herm(d ** len(places), seed=n))
        terms[where] = G if n else G.reshape((d,) * (2 * len(places)))
        exact = exact + qu.pkron(G, (d,) * N, places)
    masks = FlipMasks(terms, range(N), d)
    assert abs(as_matrix(masks) - exact).max() < 1e-12
    assert masks.is_hermitian
    assert abs(masks.mean_diagonal - np.trace(exact) / d**N) < 1e-12


def test_local_hamiltonians():
    ham = qtn.ham_1d_heis(8, j=(1.0, 1.0, 0.7), bz=0.4, cyclic=True)
    assert abs(as_matrix(FlipMasks(ham, range(8))) - qu.ham_heis(
        8, j=(1.0, 1.0, 0.7), b=(0, 0, 0.4), cyclic=True, sparse=False
    )).max() < 1e-12  # fmt: skip
    ham = qtn.ham_2d_heis(2, 3)
    sites = [(i, j) for i in range(2) for j in range(3)]
    exact = heisenberg_from_edges(qtn.edges_2d_square(2, 3)).build_dense()
    assert abs(as_matrix(FlipMasks(ham, sites)) - exact).max() < 1e-12


@pytest.mark.parametrize("rule", ["marshall", [1, 2, 5], []])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_sign_rules(rule, d):
    N = 6 if d == 2 else 4
    rule = rule if rule == "marshall" else [n for n in rule if n < N]
    chosen = [n for n in range(N) if n % 2] if rule == "marshall" else rule
    terms = {(n, (n + 1) % N): np.asarray(qu.rand_herm(d * d, seed=n)) for n in range(N)}
    configs = np.array(np.unravel_index(np.arange(d**N), (d,) * N)).T
    signs = (-1.0) ** configs[:, chosen].sum(1)
    plain, signed = (as_matrix(FlipMasks(terms, range(N), d, x)) for x in (None, rule))
    assert abs(signs[:, None] * plain * signs - signed).max() < 1e-12


def test_marshall_signs_make_exchanges_negative():
    """On lattices, on graphs that are named otherwise, and of nearest neighbours if frustrated."""
    for edges in (
        qtn.edges_2d_square(4, 4, cyclic=True),
        [(0, 2), (2, 1), (1, 3), (3, 0)],
        [(0, 3), (3, 4), (4, 7)],
    ):
        edges = list(edges)
        sites = sorted({site for edge in edges for site in edge})
        masks = FlipMasks(heisenberg_from_edges(edges), sites, sign_rule="marshall")
        configs = half_filled(len(sites), 50)
        assert (masks.coefficients(configs)[:, 1:] <= 0).all()
    frustrated = SparseOperatorBuilder(
        [(1.0, ("+", a), ("-", b)) for a, b in ((0, 1), (1, 2), (0, 2))]
    )
    masks = FlipMasks(frustrated, range(3), sign_rule="marshall")
    row = {
        tuple(m.nonzero()[0]): c for m, c in zip(masks.masks, masks.coefficients([[0, 0, 1]])[0])
    }
    assert row[0, 2] == 1 and row[1, 2] == -1


def test_what_cannot_be_masks():
    H = heisenberg_from_edges(qtn.edges_1d_chain(4))
    cases = [
        (qtn.MPO_rand_herm(20, 5, seed=0), range(20), 2, "MatrixProductOperator whose bonds mix"),
        (qu.ham_heis(4), range(4), 2, "give a SparseOperatorBuilder"),
        (H, range(4), 3, "acts on sites of dimension 2"),
        ({}, range(4), 2, "no terms"),
        ({(0, 1): np.eye(2)}, range(4), 2, r"G has shape \(2, 2\)"),
    ]
    for operator, sites, d, message in cases:
        with pytest.raises(qdn.OptionError, match=message):
            FlipMasks(operator, sites, d)
    for operator in (H, {(0, 3): np.eye(4)}):
        with pytest.raises(qdn.SitesError, match="3"):
            FlipMasks(operator, range(3))
    with pytest.raises(qdn.OptionError, match="sign_rule='neel' is not known"):
        FlipMasks(H, range(4), sign_rule="neel")
    with pytest.raises(qdn.SitesError, match="sign_rule"):
        FlipMasks(H, range(4), sign_rule=[7])
    assert not FlipMasks(SparseOperatorBuilder([(1, ("+", 0))]), range(1)).is_hermitian
    assert not FlipMasks({0: 1j * qu.pauli("Z")}, range(1)).is_hermitian
    assert not FlipMasks({0: np.eye(3, k=1)}, range(1), 3).is_hermitian


@pytest.mark.parametrize("d, k", [(2, 1), (2, 3), (2, 6), (3, 3)])
@pytest.mark.parametrize("rest", [0, 1])
def test_one_entry_without_its_adjoint_is_found(d, k, rest):
    rng, n = np.random.default_rng(d + k), d**k
    for _ in range(20):
        A = rest * rng.normal(size=(n, n))
        G, (i, j) = (A + A.T).astype(complex), rng.integers(n, size=2)
        where = tuple(rng.permutation(12)[:k].tolist())
        assert FlipMasks({where: G}, range(12), d).is_hermitian
        G[i, j] += 1j if i == j else 1
        assert not FlipMasks({where: G}, range(12), d).is_hermitian


@pytest.mark.parametrize("large, small", [(1e11, 1), (1, 1e-11)])
def test_a_large_penalty_does_not_hide_what_is_not_hermitian(large, small):
    H = {0: large * qu.pauli("Z"), 1: small * np.array([[0, 1], [0, 0]])}
    assert not FlipMasks(H, range(2)).is_hermitian


def test_hermitian_as_the_matrix_is():
    """Sparse matrices on overlapping places, many of them with adjoints among other terms."""
    rng, seen = np.random.default_rng(0), set()
    for _ in range(150):
        H, M = {}, np.zeros((16, 16))
        for _ in range(rng.integers(1, 4)):
            where = tuple(rng.permutation(4)[: rng.integers(1, 4)].tolist())
            A = (rng.random((2 ** len(where),) * 2) < 0.2) * rng.integers(1, 3)
            spread = np.kron(A.T, np.eye(2 ** (4 - len(where)))).astype(int)
            rest = tuple(n for n in range(4) if n not in where)
            H[where] = H.get(where, 0) + A
            H[where + rest] = H.get(where + rest, 0) + spread * (rng.random() < 0.7)
        for where, G in H.items():
            M = M + on_all(G, where)
        masks = FlipMasks(H, range(4))
        assert masks.is_hermitian == bool((M == M.T).all())
        seen.add(masks.is_hermitian)
    assert seen == {True, False}


def on_all(G, where):
    """A matrix on some of four qubits as one on all of them."""
    k, rest = len(where), [n for n in range(4) if n not in where]
    whole = np.kron(G, np.eye(2 ** (4 - k))).reshape((2,) * 8)
    order = np.argsort([*where, *rest])
    return whole.transpose(*order, *(4 + order)).reshape(16, 16)


def test_round_off_of_a_compressed_operator_is_hermitian():
    H = qtn.MPO_ham_ising(6, bx=0.4)
    dense = H.to_dense()
    H.compress()
    masks = FlipMasks(H, range(6))
    assert masks.is_hermitian
    assert abs(as_matrix(masks) - dense).max() < 1e-13


def test_round_off_of_a_turned_matrix():
    """Heisenberg bonds are the same in every basis of the spins, up to round-off."""
    bond, U = np.array(qu.ham_heis(2)), qu.rand_uni(2, seed=0)
    turned = np.kron(U, U) @ bond @ np.kron(U, U).conj().T
    assert np.count_nonzero(turned) > np.count_nonzero(bond)
    masks = FlipMasks({(0, 2): turned}, range(3))
    check_conserved(masks, 1)
    assert masks.dtype == float
    assert abs(as_matrix(masks) - as_matrix(FlipMasks({(0, 2): bond}, range(3)))).max() < 1e-14


def test_small_numbers_are_kept():
    """Beside a penalty that has no part in the states between which they move."""
    small = 1e-20 * np.array([[0, 1j], [-1j, 0]])
    G = np.zeros((4, 4), complex)
    G[:2, :2], G[3, 3] = small, 1e10
    assert (as_matrix(FlipMasks({(0, 1): G}, range(2))) == G).all()


@pytest.mark.slow
def test_coupling_rate():
    """At least 5 times the configurations a second of quimb's own coupling, on 6 x 6."""
    import time

    edges = qtn.edges_2d_square(6, 6, cyclic=True)
    H, configs = heisenberg_from_edges(edges), half_filled(36, 512)
    masks = FlipMasks(H, H.hilbert_space.sites)
    rows, ratios = configs[:128].astype(np.uint8), []
    for _ in range(7):
        start = time.perf_counter()
        masks.coefficients(configs)
        middle = time.perf_counter()
        for row in rows:
            H.flatconfig_coupling(row)
        ratios.append((time.perf_counter() - middle) * 4 / (middle - start))
    assert np.median(ratios) > 5


class CountedSite:
    """A label of a site that counts how often it is compared or looked up."""

    count = 0

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        CountedSite.count += 1
        return hash(self.name)

    def __eq__(self, other):
        CountedSite.count += 1
        return isinstance(other, CountedSite) and self.name == other.name


def test_terms_are_read_in_a_time_that_grows_as_their_number():
    h, counts = qu.ham_heis(2), []
    for N in (50, 100, 200):
        sites = [CountedSite(n) for n in range(N)]
        H = {(sites[n], sites[(n + 1) % N]): h for n in range(N)}
        CountedSite.count = 0
        masks = FlipMasks(H, sites)
        counts.append(CountedSite.count)
        assert masks.masks.shape == (N + 1, N)
    assert counts[1] - counts[0] == (counts[2] - counts[1]) / 2 < 50 * 10
