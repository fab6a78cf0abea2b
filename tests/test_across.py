"""The cut in tables of paths: what it says, against what the method plans and does."""

import math

import numpy as np
import pytest
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.entanglement.halves import factors, grams, halves_of
from quimb_deepnets.entanglement.methods import cut
from quimb_deepnets.entanglement.views import view_of
from quimb_deepnets.hyper.search import BestOf
from quimb_deepnets.paths.across import LegNetwork

from .architectures import CONV

CHAIN = qdn.ConvAC.rand(24, 2, 3, 3, seed=0)
LATTICE = qdn.ConvAC.rand((6, 6), 2, 2, 3, seed=0)
STATES = {
    "chain": (CHAIN, 12),
    "scattered": (CHAIN, [0, 3, 4, 17, 23]),
    "ring": (qdn.ConvAC.rand(20, 2, 2, 2, boundary="periodic", seed=0), 7),
    "lattice": (LATTICE, [(i, j) for i in range(6) for j in range(3)]),
    "corner": (LATTICE, [(0, 0), (0, 1), (1, 0), (1, 1)]),
    "tree": (qdn.ConvAC.rand(32, layers=[qdn.GCLayer(2, 3, 2)] * 5, seed=0), 13),
    "mps": (qtn.MPS_rand_state(14, 5, seed=0), 6),
    "peps": (qtn.PEPS.rand(4, 4, 2, seed=0), [(i, j) for i in range(4) for j in range(2)]),
}


def row_of(state, where, optimize="cut"):
    form = "collapsed" if isinstance(state, qdn.ConvAC) else "expanded"
    report = qdn.path_report(state, ("schmidt_values", where), form, optimize=optimize)
    return report.best


@pytest.mark.parametrize("name", STATES)
def test_the_row_is_what_the_method_plans(name):
    state, where = STATES[name]
    view = view_of(state)
    places = tuple(range(where)) if isinstance(where, int) else tuple(map(view.sites.index, where))
    cost, row = cut.cost(view, places), row_of(state, where)
    assert abs(10 ** row["log10_flops"] / cost.flops - 1) < 1e-9
    assert abs(2 ** row["log2_peak"] * 8 / cost.bytes - 1) < 1e-9
    assert row["log2_width"] <= row["log2_peak"] and row["tensors"] > 0


def counted_flops(monkeypatch, compute):
    """Multiplications of all einsums with a result, and of decompositions by their shapes."""
    found = 0

    def einsum(eq, *arrays, wrapped=factors.einsum):
        nonlocal found
        inputs, output = eq.split("->")
        sizes = {}
        for term, array in zip(inputs.split(","), arrays):
            sizes.update(zip(term, array.shape))
        found += math.prod(sizes.values()) if output else 0
        return wrapped(eq, *arrays)

    def qr(x, mode, wrapped=np.linalg.qr):
        nonlocal found
        batch, rows, columns = x.shape
        found += batch * (4 * rows * columns**2 + 2000)
        return wrapped(x, mode=mode)

    def spectrum(psi, *args, wrapped=factors.spectrum_of_matrix, **options):
        nonlocal found
        small, large = sorted(psi.shape)
        found += 20 * small**2 * large
        return wrapped(psi, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(factors, "einsum", einsum)
        patch.setattr(factors.np.linalg, "qr", qr)
        patch.setattr(factors, "spectrum_of_matrix", spectrum)
        values = compute()
    return found, values


@pytest.mark.parametrize("name", STATES)
def test_the_row_is_what_the_method_does(name, monkeypatch):
    state, where = STATES[name]
    compute = lambda: qdn.schmidt_values(state, where, method="cut")
    found, values = counted_flops(monkeypatch, compute)
    assert abs(values.sum() - 1) < 1e-9
    assert abs(found / 10 ** row_of(state, where)["log10_flops"] - 1) < 1e-9


@pytest.mark.parametrize("i", range(0, len(CONV), 9))
def test_trees_of_gram_matrices_need_no_numbers(i):
    net = CONV[i]
    if net.nsites < 2:
        return
    phi = net.collapse()
    tn = phi._prepared(phi.outer_inds())
    inds = tuple(map(phi.site_ind, phi.sites))
    for pair in halves_of(tn, inds[: len(inds) // 2], inds[len(inds) // 2 :]):
        for half in pair:
            network, output = grams.doubled(tn, half)
            real = network.contraction_tree(BestOf(math.inf), output_inds=output)
            assert grams.doubled_tree(tn, half).contraction_cost() == real.contraction_cost()


def test_finders_take_the_density_matrix_and_its_eigenvalues():
    net = qdn.ConvAC.rand(10, 2, 3, 2, seed=0)
    options = {"form": "collapsed", "optimize": "greedy"}
    values = qdn.path_report(net, ("schmidt_values", [4, 1, 2]), **options)
    rho = qdn.path_report(net, ("partial_trace", [1, 2, 4]), **options)
    flops = 10 ** rho.best["log10_flops"] + 4 * 8**3
    assert abs(10 ** values.best["log10_flops"] / flops - 1) < 1e-9
    more = qdn.path_report(net, ("schmidt_values", [0, 3, *range(5, 10)]), **options)
    assert more.best["log10_flops"] == values.best["log10_flops"]  # the smaller side is the same
    report = qdn.path_report(net, ("schmidt_values", 5), "collapsed")
    assert [row["optimize"] for row in report] == ["greedy", "sweep", "quick", "cut"]
    assert report.trees[-1] is None and report.trees[0] is not None
    assert "cut" in repr(report) and "cut" in report.to_markdown()


def test_rivals_and_cuts_of_any_size():
    net = qdn.ConvAC.rand((10, 10), 3, 3, 4, seed=0)
    states = {"ConvAC": net, **qdn.rivals(net, "entropy")}
    half = [(i, j) for i in range(10) for j in range(5)]
    report = qdn.path_report(states, ("schmidt_values", half), "collapsed", optimize="cut")
    assert len(report) == len(states)
    assert all(math.isfinite(row["log10_flops"]) for row in report)


def test_what_is_refused():
    net = qdn.ConvAC.rand(6, 2, 2, 2, seed=0)
    for task in ("norm", "amplitude", ("partial_trace", [0])):
        with pytest.raises(qdn.OptionError, match="optimize='cut' is the way to Schmidt values"):
            qdn.path_report(net, task, optimize="cut")
    graph = qdn.paths.hypergraph(net, ("schmidt_values", 2), form="collapsed")
    with pytest.raises(qdn.OptionError, match="'cut'"):
        qdn.path_report(graph, optimize="cut")
    with pytest.raises(qdn.OptionError, match="not sliced"):
        qdn.path_report(net, ("schmidt_values", 2), optimize="cut", target_size=8)
    with pytest.raises(qdn.OptionError, match="write"):
        qdn.path_report(net, "schmidt_values")
    for where in (0, 6, list(range(6)), [9], []):
        with pytest.raises(qdn.SitesError, match="where="):
            qdn.path_report(net, ("schmidt_values", where))
    with pytest.raises(qdn.OptionError, match="more than a contraction"):
        qdn.contract_sliced(net, ("schmidt_values", 2))
    assert len(list(LegNetwork(graph))) == graph.num_tensors
