"""Collapsed states of lower levels: equal to dense vectors, planned in integers."""

import math

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.geometry.levels import level_sizes
from quimb_deepnets.tensors.levels import FEW_ROWS, cheapest_level, level_costs

from .architectures import CONV
from .test_collapse import reduced

POOL = [qdn.GCLayer(3, 3), qdn.GCLayer(2, 3, 2)]  # a convolution, and pooling


def tree(n, depth, kernel=2, r=3, **options):
    layers = [qdn.GCLayer(kernel, r, stride=kernel)] * depth
    return qdn.ConvAC.rand(n, layers=layers, dist="uniform", loc=1.0, **options)


@pytest.mark.parametrize("i", range(0, len(CONV), 2))
def test_every_level_is_the_same_state(i):
    """All boundaries, anchors, strides, dtypes, shared or not, chains and lattices."""
    net = CONV[i]
    vector, norm = net.to_dense(), np.linalg.norm(net.to_dense())
    for level in range(net.depth + 1):
        phi, sizes = net.collapse(level=level), level_sizes(net.geometry, level)
        assert phi.num_tensors == sizes.tensors
        windows = {id(t.data): t.size for t in phi if "WINDOW" in t.tags}
        held = sum(windows.values())  # each kind once, or twice where a power of two is shared
        assert (sizes.numbers <= held <= 2 * sizes.numbers) if level else not held
        assert np.abs(phi.to_dense() - vector).max() < 1e-12 * norm
        assert abs(phi.norm() - norm) < 1e-12 * norm
        assert phi.network is net
        assert {t.data.dtype for t in phi} <= {vector.dtype, np.dtype(float)}


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic", "valid"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("phys_dim, dtype", [(2, "complex128"), (3, "float64")])
def test_measures_of_every_level(boundary, shared, phys_dim, dtype):
    n = 10 if phys_dim == 2 else 6
    options = {"boundary": boundary, "shared": shared, "phys_dim": phys_dim, "dtype": dtype}
    net = qdn.ConvAC.rand(n, layers=POOL + [qdn.GCLayer(2, 2)], seed=3, loc=0.5, **options)
    vector, sites = net.to_dense(), list(net.sites)
    regions = [(3, 4), (5, 2, 0)]
    entropies = [net.entropy(list(where), method="dense") for where in regions]
    for level in range(net.depth):
        phi = net.collapse(level=level)
        for where, rho in zip(regions, phi.partial_traces_exact(regions)):
            assert np.abs(rho - reduced(vector, phys_dim, sites, where)).max() < 1e-10
        edited = phi.gate(np.eye(phys_dim)[::-1], 1)  # holds no network any more
        flipped = vector.reshape(phys_dim, phys_dim, -1)[:, ::-1].reshape(-1, 1)
        assert np.abs(edited.to_dense() - flipped).max() < 1e-12 * np.abs(vector).max()
        found = [phi.gate(np.eye(phys_dim), 1).entropy(list(where)) for where in regions]
        assert np.abs(np.array(found) - entropies).max() < 1e-7
        with pytest.raises(qdn.StructureError, match="was changed"):
            _ = edited.network


def tree_value(net, operators):
    """<psi| prod_n O_n |psi> of a tree, branch by branch: channels in ket and bra, sites summed."""

    def branch(l, n):
        if l == 0:
            return operators.get(n, np.eye(net.phys_dim))
        weights = net.weights[l - 1]
        below = (branch(l - 1, len(weights) * n + k) for k in range(len(weights)))
        return math.prod(w @ x @ w.conj().T for w, x in zip(weights, below))

    (roots,) = net.geometry.layer_shape(net.depth)
    top = math.prod(branch(net.depth, n) for n in range(roots))
    return net.readout.conj() @ top @ net.readout


def test_trees_of_any_depth_are_affordable():
    """A tree tensor network of 64 sites, by the recursion of its own density matrices."""
    net = tree(64, 6, seed=0)
    assert net.phys_dim ** net.geometry.collapsed_width() == 2**32
    phi = net.collapse()
    assert max(t.size for t in phi) < FEW_ROWS
    Z = np.diag([1.0, -1.0])
    exact = tree_value(net, {})
    log = math.log(exact)
    for state in (net, phi):
        mantissa, exponent = state.norm(squared=True, strip_exponent=True)
        assert abs(math.log(mantissa) + exponent * math.log(10) - log) < 1e-12 * abs(log)
    rho = net.partial_trace_exact([3, 40])
    ZZ = np.kron(Z, Z)
    value = tree_value(net, {3: Z, 40: Z}) / exact
    assert abs(net.local_expectation_exact(ZZ, (3, 40)) - value) < 1e-12
    assert abs(np.trace(rho @ ZZ) - net.local_expectation_exact(ZZ, (3, 40))) < 1e-12
    assert abs(rho.trace() - 1) < 1e-12


def test_many_regions_of_a_wide_tree():
    """Of three layers of four branches each, on 128 sites."""
    net = tree(128, 3, kernel=4, seed=0)
    regions = [(n, n + 1) for n in range(63)]
    Z = np.diag([1.0, -1.0])
    norm = tree_value(net, {})
    for (a, b), rho in zip(regions, net.collapse().partial_traces_exact(regions)):
        value = tree_value(net, {a: Z, b: Z}) / norm
        assert abs(np.trace(rho @ np.kron(Z, Z)) - value) < 1e-10


def test_energies_and_sectors_of_trees():
    """Exact energies, their gradients and sectors of 32 sites, whose last windows have 16."""
    net = tree(32, 5, seed=0)
    assert net.phys_dim ** net.geometry.collapsed_width() > FEW_ROWS
    Z, X = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    terms = {(n, n + 1): np.kron(Z, Z) + 0.3 * np.kron(X, np.eye(2)) for n in range(31)}
    norm = tree_value(net, {})
    exact = sum(tree_value(net, {n: Z, n + 1: Z}) + 0.3 * tree_value(net, {n: X}) for n, _ in terms)
    assert abs(qdn.energy(net, terms, method="exact") - exact / norm) < 1e-10
    weights = net.sector_weights()
    ones = sum(tree_value(net, {n: (np.eye(2) - Z) / 2}) for n in range(32)) / norm
    assert abs(weights.sum() - 1) < 1e-12 and abs(weights @ np.arange(33) - ones) < 1e-10
    run = qdn.GroundState(net, terms, method="exact", seed=0)
    run.run(steps=6)
    found = run.network.collapse().compute_local_expectation_exact(terms)
    assert abs(run.energy - found) < 1e-9 and run.energy < -25


def test_energies_where_transfer_matrices_would_fill_the_machine():
    """Windows of 32 sites, open and around a ring, have 2**32 codes."""
    Z = np.diag([1.0, -1.0])
    net = tree(64, 6, seed=0)
    terms = {(n, n + 1): np.kron(Z, Z) for n in range(63)}
    exact = sum(tree_value(net, {n: Z, n + 1: Z}) for n in range(63)) / tree_value(net, {})
    found = qdn.energy(net, terms, method="exact")
    assert abs(found - exact) < 1e-9
    ring = tree(64, 6, boundary="periodic", seed=0)  # the same state
    run = qdn.GroundState(ring, terms | {(63, 0): np.kron(Z, Z)}, method="exact", seed=0)
    last = tree_value(net, {63: Z, 0: Z}) / tree_value(net, {})
    assert abs(run.energy - exact - last) < 1e-9


def test_mixed_layers_agree_with_the_windows():
    """Where both fit: the level that is taken, and the folded windows, to the last digits."""
    layers = [qdn.GCLayer(3, 2, stride=2)] * 4
    for boundary in ("ones", "periodic"):
        net = qdn.ConvAC.rand(32, layers=layers, boundary=boundary, dist="uniform", loc=1.0, seed=1)
        phi, folded = net.collapse(), net.collapse(level=4)
        costs = {cost.level: cost for cost in level_costs(net.geometry, 2**29)}
        level = cheapest_level(net.geometry, 2**29)
        assert level < 4 and costs[level].flops < costs[4].flops
        (a, e), (b, f) = (x.norm(strip_exponent=True) for x in (phi, folded))
        assert abs(a * 10.0 ** (e - f) / b - 1) < 1e-12
        regions = [(0,), (7, 8), (3, 20)]
        for x, y in zip(*(s.partial_traces_exact(regions) for s in (phi, folded))):
            assert np.abs(x - y).max() < 1e-12


def test_path_studies_see_what_is_contracted():
    net = tree(64, 6, seed=0)
    report = qdn.path_report(net, "norm", "collapsed", optimize="quick")
    assert report.best["log10_flops"] < 5 and report.best["tensors"] == 2 * (111 - 64)
    norm = qdn.contract_sliced(net, "norm", optimize=report.trees[0], strip_exponent=True)
    mantissa, exponent = net.norm(strip_exponent=True)
    assert abs(norm[0] / mantissa * 10.0 ** (norm[1] - exponent) - 1) < 1e-12


def test_small_windows_are_taken_as_before():
    for net in CONV:
        assert cheapest_level(net.geometry, 2**29) == net.depth
    assert cheapest_level(qdn.RAC.rand(30, 3, 2, seed=0).geometry, 2**29) is None


def test_levels_are_refused_with_numbers():
    wide = qdn.ConvAC.rand((6, 6), 4, 3, 2, seed=0)
    with pytest.raises(qdn.BudgetError, match=r"level 2: 7.64e\+07 numbers in tables, 4601 ten"):
        wide.collapse()
    with pytest.raises(qdn.BudgetError, match="tensors, more than"):
        wide.collapse(level=0)
    net = tree(64, 6, seed=0)
    with pytest.raises(qdn.BudgetError, match="window tensors need"):
        net.collapse(level=6)
    for level in (-1, 7, 1.5, "2", True):
        with pytest.raises(qdn.OptionError, match=r"level=.*from 0 .* to 6"):
            net.collapse(level=level)
    assert net.collapse(level=np.int64(0)).num_tensors == net.collapse(level=0).num_tensors
    with pytest.raises(qdn.OptionError, match="one only"):
        qdn.RAC.rand(6, 2, 2, seed=0).collapse(level=1)
    with pytest.raises(qdn.OptionError, match="max_bytes"):
        net.collapse(max_bytes="much")


def test_gradients_of_a_level():
    net = tree(8, 3, boundary="ones", seed=2)
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    state = qdn.ConvAC.from_params(net.geometry, params)
    dense = torch.autograd.grad((state.to_dense() ** 2).sum(), list(params.values()))
    for level in range(3):
        value = state.collapse(level=level).norm(squared=True)
        for x, y in zip(torch.autograd.grad(value, list(params.values())), dense):
            assert (x - y).abs().max() < 1e-10 * y.abs().max()


def test_scale_beyond_the_floats():
    """Weights of 1e-40: the norm is far below what floats hold, at every level."""
    net = tree(32, 5, seed=0)
    small = net.with_params({k: x * 1e-40 for k, x in net.params.items()})
    factors = net.geometry.num_tensors() - net.nsites
    mantissa, exponent = small.collapse(level=2).norm(strip_exponent=True)
    plain, power = net.collapse(level=2).norm(strip_exponent=True)
    assert abs(np.log10(mantissa / plain) + exponent - power + 40 * factors) < 1e-9
    with pytest.raises(qdn.RangeError, match="strip_exponent"):
        small.collapse().norm()
