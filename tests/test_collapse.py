"""Collapsed states: equal to the expanded ones, and far cheaper."""

import itertools

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.hyper.search import BestOf

from .architectures import IDS, NETWORKS


def reduced(vector, phys_dim, sites, where):
    """The density matrix of some sites of a dense state, of trace 1."""
    axes = [sites.index(site) for site in where]
    x = vector.reshape((phys_dim,) * len(sites))
    x = np.moveaxis(x, axes, range(len(axes))).reshape(phys_dim ** len(axes), -1)
    return x @ x.conj().T / np.vdot(x, x).real


@pytest.mark.parametrize("i", range(len(NETWORKS)), ids=IDS)
def test_collapsed_equals_expanded(i):
    net = NETWORKS[i]
    vector, sites, rng = net.to_dense(), list(net.sites), np.random.default_rng(i)
    norm = np.linalg.norm(vector)
    psi = net.to_tensor_network(nodes=("hyper", "dense")[i % 2])
    phi = psi.collapse()
    assert isinstance(phi, qtn.TensorNetworkGenVector) and phi.sites == psi.sites
    assert phi.site_ind_id == psi.site_ind_id and phi.site_tag_id == psi.site_tag_id
    assert np.abs(phi.to_dense() - vector).max() < 1e-12 * norm
    assert abs(phi.norm() - norm) < 1e-12 * norm
    assert abs(phi.H @ phi - norm**2) < 1e-12 * norm**2
    assert abs(phi.overlap(psi) - norm**2) < 1e-12 * norm**2
    regions = [(site,) for site in sites] + list(itertools.pairwise(sites))
    regions += [tuple(sites[j] for j in rng.permutation(len(sites))[:2])]
    for where, rho in zip(regions, phi.partial_traces_exact(regions)):
        assert np.abs(rho - reduced(vector, net.phys_dim, sites, where)).max() < 1e-10
    where = regions[-1]
    rho = reduced(vector, net.phys_dim, sites, where)
    assert np.abs(phi.partial_trace_exact(where) - rho).max() < 1e-10
    G = rng.normal(size=rho.shape)
    assert abs(phi.local_expectation_exact(G, where) - np.trace(G @ rho)) < 1e-9


@pytest.mark.parametrize("i", [0, 9, 60, 100])
def test_energies_of_many_terms(i):
    """One of these makes cotengra's "auto-hq" search for minutes: no default may ask for it."""
    net = NETWORKS[i]
    phi, sites = net.collapse(), list(net.sites)
    rng, M = np.random.default_rng(0), net.phys_dim
    terms = {pair: rng.normal(size=(M**2, M**2)) for pair in itertools.pairwise(sites)}
    terms[sites[0]] = rng.normal(size=(M, M))
    exact = {}
    for where, G in terms.items():
        region = (where,) if where == sites[0] else where
        exact[where] = np.trace(G @ reduced(net.to_dense(), M, sites, region))
    found = phi.compute_local_expectation_exact(terms, return_all=True)
    assert all(abs(found[where] - exact[where]) < 1e-10 for where in terms)
    assert abs(phi.compute_local_expectation_exact(terms) - sum(exact.values())) < 1e-9
    double = phi + phi
    assert abs(np.trace(double.partial_trace_exact([sites[0]])) - 1) < 1e-12
    few = dict(list(terms.items())[:2])
    total = phi.compute_local_expectation_exact(few, progbar=False, optimize="greedy")
    assert abs(total - sum(exact[where] for where in few)) < 1e-9


def test_partly_fixed_then_dense():
    net = qdn.ConvAC.rand(8, 2, 3, 3, boundary="periodic", seed=0)
    vector = net.to_dense().reshape((2,) * 8)
    for state in (net.collapse(), net.to_tensor_network()):
        fixed = state.isel({"k2": 1, "k5": 0})
        rest = fixed.to_dense([f"k{n}" for n in (0, 1, 3, 4, 6, 7)]).reshape((2,) * 6)
        assert np.abs(rest - vector[:, :, 1, :, :, 0]).max() < 1e-12 * np.abs(vector).max()


def transfer_norm(net, operators=None):
    """<psi| prod_n O_n |psi> of an open chain with one layer table, by its definition.

    Independent of the library: windows of the folded network are not used. The state is the sum
    over channels of a product over nodes of the last layer, so it is swept with all sites of a
    node's window open, ket and bra apart.
    """
    K, D, N = net.weights[0].shape[0], net.depth, net.nsites
    w = D * (K - 1) + 1
    half = D * (K // 2)

    def node(config, n):
        """y[D][n] from the sites n - half ... of a list with None outside."""

        def value(l, m):
            if not 0 <= m < N:
                return None
            if l == 0:
                return np.eye(2)[config[m]]
            out = 1.0
            for k in range(K):
                below = value(l - 1, m + k - K // 2)
                matrix = net.weights[l - 1][k]
                out = out * (matrix @ (np.ones(matrix.shape[1]) if below is None else below))
            return out

        return value(D, n)

    envs = {}
    for n in range(N):
        first, last = max(0, n - half), min(N - 1, n - half + w - 1)
        table = {}
        for spins in itertools.product(range(2), repeat=last - first + 1):
            config = dict(zip(range(first, last + 1), spins))
            table[spins] = node(config, n)
        if n == 0:
            envs = {spins: np.outer(net.readout * y, net.readout * y) for spins, y in table.items()}
            previous = first, last
            continue
        new, (a, b) = {}, previous
        for spins, env in envs.items():
            kept = spins[first - a :]
            for extra in itertools.product(range(2), repeat=last - b):
                key = (*kept, *extra)
                new[key] = new.get(key, 0) + env * np.outer(table[key], table[key])
        envs, previous = new, (first, last)
    return sum(env.sum() for env in envs.values())


def test_long_chain_against_a_transfer_computation():
    net = qdn.ConvAC.rand(64, 2, 3, 2, dist="uniform", loc=1.0, scale=0.3, seed=0)
    exact = transfer_norm(net)
    phi = net.collapse()
    mantissa, exponent = phi.norm(squared=True, strip_exponent=True)
    assert abs(np.log10(mantissa) + exponent - np.log10(exact)) < 1e-12 * abs(np.log10(exact))


@pytest.mark.parametrize("boundary", ["ones", "periodic", "omit", "valid"])
def test_sweeps_agree_with_contractions_on_64_sites(boundary):
    net = qdn.ConvAC.rand(64, 3, 3, 3, boundary=boundary, seed=1)
    phi = net.collapse()
    regions = [(0,), (63,), (31, 32), (40, 39), (10, 12), (3, 60)]
    found = phi.partial_traces_exact(regions)
    for where, rho in zip(regions, found):
        assert abs(np.trace(rho) - 1) < 1e-12 and np.abs(rho - rho.conj().T).max() < 1e-12
        assert np.abs(rho - phi.partial_trace_exact(where, optimize="greedy")).max() < 1e-10


def test_scale_far_outside_the_floats():
    """log psi near 3600: norms need strip_exponent, density matrices do not."""
    net = qdn.ConvAC.rand(64, 4, 2, 8, seed=0)
    phi = net.collapse()
    assert abs(phi.exponent) > 300
    with pytest.raises(qdn.RangeError, match="strip_exponent"):
        phi.norm(squared=True)
    mantissa, exponent = phi.norm(strip_exponent=True)
    assert abs(phi.norm() / (mantissa * 10**exponent) - 1) < 1e-10
    assert abs(np.trace(phi.partial_trace_exact([5, 6])) - 1) < 1e-12
    config = "01" * 32
    fixed = phi.isel({f"k{n}": int(s) for n, s in enumerate(config)})
    mantissa, exponent = fixed.contract(strip_exponent=True)
    logabs = net.log_amplitudes([[int(s) for s in config]])[1][0]
    assert abs(np.log(abs(mantissa)) + exponent * np.log(10) - logabs) < 1e-9 * abs(logabs)


def test_paths_are_the_best_of_several():
    phi = qdn.ConvAC.rand(64, 3, 3, 4, seed=0).collapse()
    norm = phi.make_norm()
    assert norm.contraction_cost() <= 10**4.9
    assert norm.contraction_cost() <= norm.contraction_cost(optimize="greedy")
    ring = qdn.ConvAC.rand(64, 3, 3, 4, boundary="periodic", seed=0).collapse().make_norm()
    assert ring.contraction_cost() <= 10**6
    wide = qdn.ConvAC.rand((20, 20), 2, 3, 2, seed=0).collapse()
    with pytest.raises(qdn.BudgetError, match="bytes"):
        wide.norm()
    tree = norm.contraction_tree(optimize=BestOf())
    assert norm.contract(optimize=tree, strip_exponent=True)[1] == pytest.approx(
        phi.norm(squared=True, strip_exponent=True)[1]
    )


def test_collapse_knows_its_limits():
    with pytest.raises(qdn.BudgetError, match="window tensors need"):
        qdn.ConvAC.rand((6, 6), 4, 3, 2, seed=0).collapse()
    with pytest.raises(qdn.BudgetError, match="max_bytes"):
        qdn.RAC.rand(40, 2, 2, seed=0).collapse()
    assert qdn.RAC.rand(40, 1, 2, seed=0).collapse().num_tensors == 40 * 2 + 40 + 2
    psi = qdn.RecursiveTree.rand(4, 1, 2, 2, seed=0)
    with pytest.raises(qdn.StructureError, match="was changed"):
        psi.gate(qu.pauli("X"), 1, contract=True).collapse()
    net = qdn.ConvAC.rand(4, 1, 2, 2, seed=0)
    named = net.collapse(site_ind_id="_x{}")  # inner indices have names of their own
    assert np.abs(named.to_dense() - net.to_dense()).max() < 1e-12 * named.norm()


def test_identities_are_left_out_but_stay_right():
    """Gates, fixed sites and joined legs on a collapsed state: as on the dense one."""
    net = qdn.ConvAC.rand(6, 2, 2, 3, boundary="periodic", dtype="complex128", seed=0)
    phi, vector = net.collapse(), net.to_dense()
    ket = qtn.Dense1D(vector[:, 0].copy())
    G = qu.rand_matrix(4, seed=0)
    for contract in (False, True):
        mine = phi.gate(G, (2, 3), contract=contract).to_dense()
        theirs = ket.gate(G, (2, 3), contract=True).to_dense()
        assert np.abs(mine - theirs).max() < 1e-11 * np.abs(theirs).max()
    norm = phi.make_norm()
    for scaled in (3.0 * phi, phi.normalize(), phi.multiply_each(0.5), phi.astype("complex64")):
        again = scaled.make_norm()
        assert again.contraction_cost(optimize="greedy") == norm.contraction_cost(optimize="greedy")
        exact = np.linalg.norm(scaled.to_dense())
        assert abs(scaled.norm() - exact) < 1e-6 * exact
    both = phi + phi
    assert np.abs(both.to_dense() - 2 * vector).max() < 1e-12 * np.abs(vector).max()
    assert phi.distance(net.to_tensor_network()) < 1e-10 * np.linalg.norm(vector)
    resolved = phi.hyperinds_resolve()
    assert np.abs(resolved.to_dense() - vector).max() < 1e-12 * np.abs(vector).max()


def test_torch_and_gradients():
    net = qdn.ConvAC.rand(8, 2, 3, 2, seed=0)
    params = {k: torch.tensor(x, requires_grad=True) for k, x in net.params.items()}
    state = qdn.ConvAC.from_params(net.geometry, params)
    for phi in (state.collapse(), state.to_tensor_network().collapse()):
        value = phi.norm(squared=True)
        dense = (state.to_dense() ** 2).sum()
        assert abs(value - dense).item() < 1e-12 * dense.item()
        a, b = (torch.autograd.grad(v, list(params.values())) for v in (value, dense))
        for x, y in zip(a, b):
            assert (x - y).abs().max() < 1e-10 * y.abs().max()
        rhos = phi.partial_traces_exact([(0,), (3, 4)])
        assert isinstance(rhos[1], torch.Tensor) and rhos[1].shape == (4, 4)


@pytest.mark.parametrize(
    "net", [qdn.ConvAC.rand((3, 3), 2, 2, 2, seed=0), qdn.RAC.rand(6, 2, 2, seed=0)]
)
def test_collapsed_states_take_part_in_quimb(net):
    phi, vector = net.collapse(), net.to_dense()
    normalized = phi.normalize()
    assert abs(normalized.norm() - 1) < 1e-12
    assert np.abs(phi.H.to_dense() - vector.conj()).max() < 1e-12 * np.abs(vector).max()
    assert "CollapsedVector" in repr(phi)
    moved = phi.reindex_sites("b{},{}" if net.geometry.ndim == 2 else "b{}")
    assert np.abs(moved.to_dense(moved.outer_inds()).reshape(-1)).sum() > 0
