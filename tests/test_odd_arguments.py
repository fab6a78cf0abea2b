"""Odd values of every ``where``, ``configs``, ``G``, ``optimize`` and ``seed``: right, or refused.

The functions are found by their signatures, so a new one without a row here fails::

    public names --signatures--> (function, argument) --> table of odd values --> a right value,
                                        |                                          or a named error
                                 a row, or the reason why none
"""

import functools
import inspect
import warnings

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

from .odd_values import (
    ANY,
    BAD,
    CONFIG,
    CONFIGS,
    CUTS,
    INFO,
    LATTICE_NAMING,
    LATTICE_SITES,
    LATTICE_SUBSET,
    MATRIX,
    NAMING,
    OPERATOR,
    OPTIMIZE,
    SEED,
    SITES,
    SUBSET,
    TWO,
)
from .reference import conv_vector, rac_vector

ARGUMENTS = {
    *("where", "sysa", "sysb", "site", "sites", "keep", "cuts", "task", "wheres"),
    *("config", "configs", "start", "G", "terms", "optimize", "seed", "info"),
}


@functools.cache
def owners():
    """One object of each public kind, on a chain of 5 and on a lattice of 2 x 3, by label."""
    net = qdn.ConvAC.rand(5, 2, 2, 2, seed=0)
    rac = qdn.RAC.rand(5, 2, 2, seed=0)
    rbm = qdn.RBM.rand(5, seed=0)
    lattice = qdn.ConvAC.rand((2, 3), 1, 2, 2, seed=0)
    return {
        "ConvAC": net,
        "RAC": rac,
        "RBM": rbm,
        "GraphState": qdn.ConvAC.graph_state(5, 1, 2),
        "tree": net.to_tensor_network(),
        "rmps": rac.to_tensor_network(),
        "collapsed": net.collapse(),
        "collapsed RAC": rac.collapse(),
        "RBM network": rbm.to_tensor_network(),
        "lattice": lattice,
        "lattice tree": lattice.to_tensor_network(),
        "lattice collapsed": lattice.collapse(),
    }


@functools.cache
def dense(label):
    """The state of an owner from nested loops, one axis for each site."""
    name = {"tree": "ConvAC", "collapsed": "ConvAC", "rmps": "RAC", "collapsed RAC": "RAC"}
    net = owners()["lattice" if "lattice" in label else name.get(label, label)]
    vector = rac_vector(net) if isinstance(net, qdn.RAC) else conv_vector(net)
    return vector.reshape((2,) * net.nsites)


# ---------------------------------------------------------------- what is right


def schmidt(v, places):
    m = np.moveaxis(v, places, range(len(places))).reshape(2 ** len(places), -1)
    p = np.linalg.svd(m, compute_uv=False) ** 2
    return p / p.sum()


def bits(v, places):
    p = schmidt(v, places)
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def gap(v, places):
    p = np.append(schmidt(v, places), 0.0)
    return p[0] - p[1]


def rho(v, places):
    m = np.moveaxis(v, places, range(len(places))).reshape(2 ** len(places), -1)
    return m @ m.conj().T / np.vdot(v, v)


def logneg(v, a, b):
    da, db = 2 ** len(a), 2 ** len(b)
    flipped = rho(v, (*a, *b)).reshape(da, db, da, db).transpose(2, 1, 0, 3).reshape(da * db, -1)
    return np.log2(np.abs(np.linalg.eigvalsh(flipped)).sum())


def mutinf(v, a, b):
    return bits(v, a) + bits(v, b) - bits(v, (*a, *b))


def operator(places):
    """The operator that the tests use on so many sites."""
    G = np.asarray(MATRIX, float)
    return G[:2, :2] if len(places) == 1 else np.kron(G, np.eye(2 ** (len(places) - 2)))


def act(v, G, places):
    n = len(places)
    out = np.tensordot(np.reshape(G, (2,) * (2 * n)), v, axes=(range(n, 2 * n), places))
    return np.moveaxis(out, range(n), places)


def expectation(v, G, places):
    return np.trace(np.asarray(G, float) @ rho(v, places))


def amplitudes_of(v, configs):
    return np.array([v[tuple(x)] for x in np.asarray(configs, int)], v.dtype)


# ---------------------------------------------------------------- how each is called


def sites_of(x):
    return x if isinstance(x, tuple) else (0, 1)


def flat(psi):
    return np.asarray(psi.to_dense()).reshape(-1)


def rdm(psi, where):
    """The legs of the answer, which tell the sites that were read, and its trace."""
    tn = psi.make_reduced_density_matrix(where, bra_ind_id="_b{}")
    kets = [ix for ix in tn.outer_inds() if not ix.startswith("_b")]
    bras = [ix for ix in tn.outer_inds() if ix.startswith("_b")]
    if not kets:
        return kets, tn.contract(output_inds=())
    return sorted(kets), np.trace(tn.contract(output_inds=(*kets, *bras)).to_dense(kets, bras))


def gated(psi, *args, **kwargs):
    return flat(psi.gate(*args, contract=True, **kwargs))


def drawn(state, cuts, **options):
    import matplotlib

    matplotlib.use("Agg", force=True)
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots()
    qdn.plot_entropy(state, cuts, bound=False, page=False, ax=ax, **options)
    values = ax.lines[0].get_ydata()
    plt.close(figure)
    return values


def rows_of(report):
    return [{k: v for k, v in row.items() if k not in ("seconds",)} for row in report.rows]


def names(psi):
    return sorted(psi.outer_inds()), sorted(psi.tags)


def chains_of(state, **opts):
    """Where Markov chains are after a sweep."""
    sampler = qdn.Metropolis(state, 3, **opts)
    sampler.sweep()
    return sampler.configs


def filled(info, call):
    """What a function puts into a dict, which keeps what it held."""
    before = dict(info) if isinstance(info, dict) else {}
    call(info)
    assert info is None or before.items() <= info.items()
    return tuple(sorted(set(info or ()) - set(before)))


# quimb draws by itself, from an int
QUIMB_SEED = {
    label: (make, ANY if label in ("generator", "bit generator", "seed sequence") else meaning)
    for label, (make, meaning) in SEED.items()
}
MC = {"samples": 256, "chains": 16}
AS_RBM = qdn.ConvAC.rand(
    5, layers=[qdn.GCLayer(3, 2), qdn.GCLayer(1, 1)], dist="uniform", loc=2, seed=0
)
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])

# (name, argument): (table, call(owner, value), right(dense, meaning) or None: as spelt plainly)
ROWS = {
    ("entropy", "where"): (SUBSET, lambda o, x: qdn.entropy(o, x), bits),
    ("schmidt_values", "where"): (
        SUBSET,
        lambda o, x: np.sort(np.append(qdn.schmidt_values(o, x), np.zeros(8)))[::-1][:8],
        lambda v, p: np.sort(np.append(schmidt(v, p), np.zeros(8)))[::-1][:8],
    ),
    ("schmidt_gap", "where"): (SUBSET, lambda o, x: qdn.schmidt_gap(o, x), gap),
    ("renyi_entropy", "where"): (
        SUBSET,
        lambda o, x: qdn.renyi_entropy(o, x),
        lambda v, p: -np.log2((schmidt(v, p) ** 2).sum()),
    ),
    ("entanglement_plan", "where"): (SUBSET, lambda o, x: str(qdn.entanglement_plan(o, x)), None),
    ("schmidt_rank", "where"): (SUBSET, lambda o, x: int(qdn.schmidt_rank(o, x, seed=0)), None),
    ("renyi2_estimate", "where"): (
        SUBSET,
        lambda o, x: [*qdn.renyi2_estimate(o, x, seed=0, **MC)],
        None,
    ),
    ("rivals", "where"): (
        {label: row for label, row in SUBSET.items() if label != "none"},  # None has a meaning
        lambda o, x: repr(qdn.rivals(o, "entropy", where=x)),
        None,
    ),
    ("mutinf_subsys", "sysa"): (
        SITES,
        lambda o, x: qdn.mutinf_subsys(o, x, [o.sites[3]]),
        lambda v, p: mutinf(v, p, (3,)),
    ),
    ("mutinf_subsys", "sysb"): (
        SITES,
        lambda o, x: qdn.mutinf_subsys(o, [o.sites[3]], x),
        lambda v, p: mutinf(v, (3,), p),
    ),
    ("logneg_subsys", "sysa"): (
        SITES,
        lambda o, x: qdn.logneg_subsys(o, x, [o.sites[3]]),
        lambda v, p: logneg(v, p, (3,)),
    ),
    ("logneg_subsys", "sysb"): (
        SITES,
        lambda o, x: qdn.logneg_subsys(o, [o.sites[3]], x),
        lambda v, p: logneg(v, (3,), p),
    ),
    ("partial_trace_exact", "where"): (SITES, lambda o, x: o.partial_trace_exact(x), rho),
    ("local_expectation_exact", "where"): (
        SITES,
        lambda o, x, p=(0, 1): o.local_expectation_exact(operator(p), x),
        lambda v, p: expectation(v, operator(p), p),
    ),
    ("gate", "where"): (
        SITES,
        lambda o, x, p=(0, 1): gated(o, operator(p), x),
        lambda v, p: act(v, operator(p), p).reshape(-1),
    ),
    ("gate_", "where"): (
        SITES,
        lambda o, x, p=(0, 1): flat(o.copy().gate_(operator(p), x, contract=True)),
        lambda v, p: act(v, operator(p), p).reshape(-1),
    ),
    ("make_reduced_density_matrix", "where"): (SITES, rdm, None),
    ("reindex_sites", "where"): (NAMING, lambda o, x: names(o.reindex_sites("b({})", x)), None),
    ("reindex_sites_", "where"): (
        NAMING,
        lambda o, x: names(o.copy().reindex_sites_("b({})", x)),
        None,
    ),
    ("retag_sites", "where"): (NAMING, lambda o, x: names(o.retag_sites("b({})", x)), None),
    ("select_sites", "sites"): (NAMING, lambda o, x: names(o.select_sites(x)), None),
    ("partial_traces_exact", "wheres"): (
        SITES,
        lambda o, x: o.partial_traces_exact([x])[0],
        rho,
    ),
    ("partial_traces_in_sector", "wheres"): (
        SITES,
        lambda o, x: o.partial_traces_in_sector([x], 2)[0],
        lambda v, p: rho(np.where(np.indices(v.shape).sum(0) == 2, v, 0), p),
    ),
    ("path_report", "task"): (
        SITES,
        lambda o, x: rows_of(qdn.path_report(o, ("partial_trace", x), optimize="greedy")),
        None,
    ),
    ("contract_sliced", "task"): (
        SITES,
        lambda o, x: qdn.contract_sliced(o, ("partial_trace", x), optimize="greedy"),
        rho,
    ),
    ("entropies", "cuts"): (
        CUTS,
        lambda o, x: qdn.entropies(o, x),
        lambda v, cuts: np.array([bits(v, range(cut)) for cut in cuts]),
    ),
    ("plot_entropy", "cuts"): (
        CUTS,
        drawn,
        lambda v, cuts: np.array([bits(v, range(cut)) for cut in cuts]),
    ),
    # configurations
    ("amplitude", "config"): (CONFIG, lambda o, x: o.amplitude(x), lambda v, s: v[tuple(s)]),
    ("contract_sliced", "config"): (
        CONFIG,
        lambda o, x: qdn.contract_sliced(o, "amplitude", config=x, optimize="greedy"),
        lambda v, s: v[tuple(s)],
    ),
    ("renyi2_estimate", "start"): (
        {label: row for label, row in CONFIG.items() if label != "none"},  # None has a meaning
        lambda o, x: [*qdn.renyi2_estimate(o, 2, seed=0, start=x, **MC)],
        None,
    ),
    ("sample", "start"): (
        {label: row for label, row in CONFIG.items() if label != "none"},
        lambda o, x: o.sample(3, seed=0, start=x),
        None,
    ),
    ("Metropolis", "start"): (
        {label: row for label, row in CONFIG.items() if label != "none"},
        lambda o, x: chains_of(o, seed=0, start=x),
        None,
    ),
    ("amplitudes", "configs"): (CONFIGS, lambda o, x: o.amplitudes(x), amplitudes_of),
    ("log_amplitudes", "configs"): (
        CONFIGS,
        lambda o, x: [*o.log_amplitudes(x)],
        lambda v, s: [
            np.sign(amplitudes_of(v, s)),
            np.log(np.abs(amplitudes_of(v, s))),
        ],
    ),
    ("log_derivatives", "configs"): (CONFIGS, lambda o, x: o.log_derivatives(x), None),
    ("flip_ratios", "configs"): (
        CONFIGS,
        lambda o, x: o.flip_ratios(x),
        lambda v, s: np.array(
            [
                [[v[(*t[:n], m, *t[n + 1 :])] / v[(*t,)] for m in range(2)] for n in range(len(t))]
                for t in map(list, np.asarray(s, int))
            ]
        ).reshape(len(s), 5, 2),
    ),
    # operators
    ("local_expectation_exact", "G"): (
        OPERATOR,
        lambda o, x: o.local_expectation_exact(x, o.sites[:2]),
        lambda v, G: expectation(v, G, (0, 1)),
    ),
    ("compute_local_expectation_exact", "terms"): (
        OPERATOR,
        lambda o, x: o.compute_local_expectation_exact({tuple(o.sites[:2]): x}),
        lambda v, G: expectation(v, G, (0, 1)),
    ),
    ("contract_sliced", "G"): (
        OPERATOR,
        lambda o, x: qdn.contract_sliced(
            o, ("local_expectation", list(o.sites[:2])), G=x, optimize="greedy"
        ),
        lambda v, G: expectation(v, G, (0, 1)),
    ),
    ("gate", "G"): (
        OPERATOR,
        lambda o, x: gated(o, x, o.sites[:2]),
        lambda v, G: act(v, G, (0, 1)).reshape(-1),
    ),
    ("gate_", "G"): (
        OPERATOR,
        lambda o, x: flat(o.copy().gate_(x, o.sites[:2])),
        lambda v, G: act(v, G, (0, 1)).reshape(-1),
    ),
    ("gate_inds", "G"): (
        OPERATOR,
        lambda o, x: flat(o.gate_inds(x, o.site_inds[:2])),
        lambda v, G: act(v, G, (0, 1)).reshape(-1),
    ),
    ("gate_inds_", "G"): (
        OPERATOR,
        lambda o, x: flat(o.copy().gate_inds_(x, o.site_inds[:2], contract=True)),
        lambda v, G: act(v, G, (0, 1)).reshape(-1),
    ),
    ("gate_sandwich_inds", "G"): (
        OPERATOR,
        lambda o, x: flat(o.gate_sandwich_inds(x, o.site_inds[:2], o.site_inds[2:4])),
        lambda v, G: act(act(v, G, (0, 1)), np.conj(G), (2, 3)).reshape(-1),
    ),
    ("gate_sandwich_inds_", "G"): (
        OPERATOR,
        lambda o, x: flat(o.copy().gate_sandwich_inds_(x, o.site_inds[:2], o.site_inds[2:4])),
        lambda v, G: act(act(v, G, (0, 1)), np.conj(G), (2, 3)).reshape(-1),
    ),
    # optimizers
    ("amplitude", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.amplitude("01101", optimize=x),
        lambda v, _: v[0, 1, 1, 0, 1],
    ),
    ("amplitudes", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.amplitudes(TWO, optimize=x),
        lambda v, _: amplitudes_of(v, TWO),
    ),
    ("log_amplitudes", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.log_amplitudes(TWO, optimize=x)[1],
        lambda v, _: np.log(np.abs(amplitudes_of(v, TWO))),
    ),
    ("partial_trace_exact", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.partial_trace_exact(o.sites[1:3], optimize=x),
        lambda v, _: rho(v, (1, 2)),
    ),
    ("partial_traces_exact", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.partial_traces_exact([o.sites[::4]], optimize=x)[0],
        lambda v, _: rho(v, (0, 4)),
    ),
    ("local_expectation_exact", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.local_expectation_exact(operator((0, 1)), o.sites[:2], optimize=x),
        lambda v, _: expectation(v, MATRIX, (0, 1)),
    ),
    ("compute_local_expectation_exact", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.compute_local_expectation_exact(
            {tuple(o.sites[::4]): operator((0, 1))}, optimize=x
        ),
        lambda v, _: expectation(v, MATRIX, (0, 4)),
    ),
    ("compute_reduced_factor", "optimize"): (
        OPTIMIZE,
        lambda o, x: (lambda r: np.asarray(r).conj().T @ r)(
            o.compute_reduced_factor("right", o.site_inds[:2], o.site_inds[2:], optimize=x)
        ),
        lambda v, _: (lambda m: m.conj().T @ m)(v.reshape(4, -1)),
    ),
    ("contraction_tree", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.contraction_tree(x).is_complete(),
        lambda v, _: True,
    ),
    ("contraction_path", "optimize"): (
        OPTIMIZE,
        lambda o, x: sum(len(step) - 1 for step in o.contraction_path(x)) == o.num_tensors - 1,
        lambda v, _: True,
    ),
    ("contraction_info", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.contraction_info(x).opt_cost > 0,
        lambda v, _: True,
    ),
    ("contraction_cost", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.contraction_cost(x) > 0,
        lambda v, _: True,
    ),
    ("contraction_width", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.contraction_width(x) >= 5,
        lambda v, _: True,
    ),
    ("path_report", "optimize"): (
        OPTIMIZE,
        lambda o, x: qdn.path_report(o, "dense", optimize=x).rows[0]["log2_width"] >= 5,
        lambda v, _: True,
    ),
    ("contract_sliced", "optimize"): (
        OPTIMIZE,
        lambda o, x: qdn.contract_sliced(o, "norm", optimize=x),
        lambda v, _: np.linalg.norm(v),
    ),
    # behind **options, where no signature shows them
    ("norm", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.norm(optimize=x),
        lambda v, _: np.linalg.norm(v),
    ),
    ("overlap", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.overlap(o, optimize=x),
        lambda v, _: np.vdot(v, v),
    ),
    ("distance", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.distance(o.collapse(), optimize=x),
        lambda v, _: 0.0,
    ),
    ("normalize", "optimize"): (
        OPTIMIZE,
        lambda o, x: flat(o.normalize(optimize=x)),
        lambda v, _: v.reshape(-1) / np.linalg.norm(v),
    ),
    ("to_dense", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.to_dense(optimize=x),
        lambda v, _: v.reshape(-1, 1),
    ),
    ("contract", "optimize"): (
        OPTIMIZE,
        lambda o, x: o.contract(optimize=x, output_inds=o.site_inds).data,
        lambda v, _: v,
    ),
    ("randomize", "seed"): (QUIMB_SEED, lambda o, x: flat(o.randomize(seed=x)), None),
    ("randomize_", "seed"): (QUIMB_SEED, lambda o, x: flat(o.copy().randomize_(seed=x)), None),
    # dicts that are filled
    ("sample", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: o.sample(3, seed=0, info=info)),
        lambda v, _: ("acceptance", "autocorrelation", "method", "rhat", "way"),
    ),
    ("to_mps", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: o.to_mps(info=info)),
        lambda v, _: ("cur_orthog", "discarded_weight", "log10_norm", "transfer_sizes"),
    ),
    ("from_conv", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: qdn.RBM.from_conv(AS_RBM, info=info)),
        None,
    ),
    ("contract_sliced", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: qdn.contract_sliced(o, "norm", info=info)),
        lambda v, _: ("chunks", "flops", "log2_width", "overhead", "slices"),
    ),
    ("gate_inds", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: o.gate_inds(FLIP, o.site_inds[:1], info=info)),
        lambda v, _: (),
    ),
    ("gate_inds_", "info"): (
        INFO,
        lambda o, x: filled(x, lambda info: o.copy().gate_inds_(FLIP, o.site_inds[:1], info=info)),
        lambda v, _: (),
    ),
    # seeds
    ("rand", "seed"): (SEED, lambda o, x: type(o).rand(*SIZES[type(o)], seed=x).to_dense(), None),
    ("schmidt_rank", "seed"): (SEED, lambda o, x: int(qdn.schmidt_rank(o, 2, seed=x)), None),
    ("sample", "seed"): (SEED, lambda o, x: o.sample(3, seed=x), None),
    ("Metropolis", "seed"): (SEED, lambda o, x: chains_of(o, seed=x), None),
    ("renyi2_estimate", "seed"): (
        SEED,
        lambda o, x: [*qdn.renyi2_estimate(o, 2, seed=x, **MC)],
        None,
    ),
    ("energy", "seed"): (
        SEED,
        lambda o, x: float(qdn.energy(o, {0: np.ones((2, 2))}, "sample", samples=2**11, seed=x)),
        None,
    ),
    ("GroundState", "seed"): (
        SEED,
        lambda o, x: float(
            qdn.GroundState(o, {0: np.ones((2, 2))}, samples=32, chains=32, seed=x).energy
        ),
        None,
    ),
    ("fit", "seed"): (SEED, lambda o, x: qdn.fit(o, o, steps=1, seed=x).fidelity, None),
    ("entropy", "seed"): (
        SEED,
        lambda o, x: qdn.entropy(o, 2, method="approx", tol=0.5, seed=x),
        None,
    ),
    ("renyi_entropy", "seed"): (
        SEED,
        lambda o, x: qdn.renyi_entropy(o, 2, method="approx", tol=0.5, seed=x),
        None,
    ),
    ("entropies", "seed"): (
        SEED,
        lambda o, x: qdn.entropies(o, [2], method="approx", tol=0.5, seed=x),
        None,
    ),
    ("plot_entropy", "seed"): (
        SEED,
        lambda o, x: drawn(o, [2], method="approx", tol=0.5, seed=x),
        None,
    ),
    ("mutinf_subsys", "seed"): (
        SEED,
        lambda o, x: qdn.mutinf_subsys(
            o, o.sites[:1], o.sites[3:4], method="approx", tol=0.5, seed=x
        ),
        None,
    ),
    ("to_mps", "seed"): (
        SEED,
        lambda o, x: np.asarray(o.to_mps(method="cross", seed=x).to_dense()),
        None,
    ),
}
BEHIND_OPTIONS = {
    *(("norm", "optimize"), ("overlap", "optimize"), ("normalize", "optimize")),
    *(("to_dense", "optimize"), ("contract", "optimize"), ("entropy", "seed"), ("to_mps", "seed")),
}
SIZES = {
    qdn.ConvAC: (4, 2, 2, 2),
    qdn.RAC: (4, 2, 2),
    qdn.RBM: (4,),
    qdn.GraphStateConvAC: (4, 2, 2, 2),
    qdn.RecursiveTree: (4, 2, 2, 2),
    qdn.RecursiveMPS: (4, 2, 2),
}
SEEDLESS = "schmidt_values schmidt_gap logneg_subsys partial_trace_exact"
EXEMPT = {
    **{
        (name, "seed"): "of the method that estimates, which has no such result and says so"
        for name in SEEDLESS.split()
    },
    ("add_tag", "where"): "tags of tensors, not sites",
    ("has_site", "site"): "a question that has an answer for anything",
    ("phys_dim", "site"): "quimb's, of a site that its tensors have",
    ("site_ind", "site"): "formats whatever it is given",
    ("site_tag", "site"): "formats whatever it is given",
}
ON_LATTICE = {
    id(SUBSET): LATTICE_SUBSET,
    id(SITES): LATTICE_SITES,
    id(NAMING): LATTICE_NAMING,
}

REFUSED = "refused"
# case: labels of values that are known to fail; one that is right fails the test too
KNOWN = {}


# ---------------------------------------------------------------- finding them


def functions():
    """Every public function and method with such an argument: ``{(name, argument): labels}``."""
    found, objects = {}, {"module": qdn, **owners()}
    for label, owner in objects.items():
        of_module = label == "module"
        for name in qdn.__all__ if of_module else dir(type(owner)):
            thing = getattr(owner if of_module else type(owner), name, None)
            if name.startswith("_") or not callable(thing) or hasattr(thing, "refused"):
                continue
            if inspect.isclass(thing) and issubclass(thing, Exception):
                continue
            try:
                arguments = set(inspect.signature(thing).parameters)
            except (TypeError, ValueError):
                continue
            for argument in arguments & ARGUMENTS:
                found.setdefault((name, argument), {})[label] = _function(thing)
    for name, argument in BEHIND_OPTIONS:
        for label, owner in owners().items():
            of_networks = name in ("entropy", "to_mps")
            if label == "ConvAC" if of_networks else label in ("tree", "collapsed"):
                found.setdefault((name, argument), {})[label] = _function(getattr(owner, name))
    return found


def _function(thing):
    """What a method is at its root, so that it is tried once and not for each class."""
    thing = getattr(thing, "__func__", thing)
    return getattr(getattr(thing, "_partialmethod", thing), "func", thing)


def cases():
    """One case for each function and argument, on a chain and, where it names sites, a lattice."""
    for (name, argument), labels in sorted(functions().items()):
        if (name, argument) not in ROWS:
            continue
        values = ROWS[name, argument][0]
        tried = set()
        for label in labels:
            owner = "ConvAC" if label == "module" else label
            if "lattice" in owner and id(values) not in ON_LATTICE:
                continue
            kind = type(owners()[owner]) if name == "rand" else None
            key = (labels[label], "lattice" in owner, kind)
            if key not in tried:
                tried.add(key)
                yield f"{owner}.{name}({argument})"


def test_every_function_has_a_row():
    missing = {
        key: sorted(labels)
        for key, labels in functions().items()
        if key not in ROWS and key not in EXEMPT
    }
    assert not missing, f"neither a row nor a reason for leaving it out: {missing}"


def test_every_row_has_a_function():
    assert set(ROWS) | set(EXEMPT) <= set(functions())


def test_refused_methods_say_so_whatever_they_are_given():
    for owner in owners().values():
        for name in dir(type(owner)):
            if hasattr(getattr(type(owner), name, None), "refused"):
                with pytest.raises(qdn.MethodError, match=name.rstrip("_")):
                    getattr(owner, name)(object(), where="nowhere", seed="none")


@pytest.mark.parametrize("name", SEEDLESS.split())
def test_seeds_where_nothing_is_drawn(name):
    """No method of these draws, and a seed is refused, whichever it is."""
    net, where = qdn.ConvAC.rand(6, 2, 2, 2, seed=0), ([0], [1, 2])
    where = where if name == "logneg_subsys" else where[1:]
    for seed in (0, 2**70, "none", -1, np.random.default_rng(0)):
        for options in ({}, {"method": "approx"}, {"method": "dense"}):
            with pytest.raises(qdn.DeepNetError, match=r"seed|approx"):
                getattr(qdn, name)(net, *where, seed=seed, **options)


# ---------------------------------------------------------------- trying them


def fault(call, right, make, meaning):
    """None if the outcome is right, `REFUSED` for a named error, else what it is."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = call(make(), meaning)
    except qdn.DeepNetError as error:
        return REFUSED if len(str(error)) > 20 else f"an error that says nothing: {error!r}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    if meaning is ANY:
        return None
    if meaning is BAD:
        return f"accepted, as {str(found)[:80]}"
    expected = right(meaning)
    try:
        if isinstance(expected, (str, tuple, dict)) or (
            isinstance(expected, list) and expected and isinstance(expected[0], dict)
        ):
            same = found == expected
        else:
            pairs = zip(_parts(found), _parts(expected), strict=True)
            same = all(np.shape(a) == np.shape(b) for a, b in pairs) and all(
                np.allclose(a, b, rtol=1e-9, atol=1e-11, equal_nan=True)
                for a, b in zip(_parts(found), _parts(expected))
            )
    except (TypeError, ValueError, RuntimeError) as error:
        return f"a result that cannot be compared: {error}"
    return None if same else f"{str(found)[:80]}, right is {str(expected)[:80]}"


def _parts(x):
    return [np.asarray(part) for part in x] if isinstance(x, list) else [np.asarray(x)]


def faults_of(case):
    """What is wrong for a case, by the label of the value."""
    owner, rest = case.split(".")
    name, argument = rest[:-1].split("(")
    values, call, right = ROWS[name, argument]
    state = owners()[owner]
    values = ON_LATTICE[id(values)] if "lattice" in owner else values
    takes_places = call.__code__.co_argcount == 3

    def tried(value, meaning):
        known = meaning is not BAD and meaning is not ANY
        return call(state, value, meaning) if takes_places and known else call(state, value)

    @functools.cache
    def spelt_plainly(key):
        meaning = meanings[key]
        plain = [state.sites[i] for i in meaning] if isinstance(meaning, tuple) else meaning
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tried(plain, meaning)

    meanings = {repr(meaning): meaning for _, meaning in values.values()}
    if right is None:
        expected = lambda meaning: spelt_plainly(repr(meaning))
    else:
        expected = lambda meaning: right(dense(owner), meaning)
    found = {label: fault(tried, expected, *row) for label, row in values.items()}
    plain = next(iter(values))
    assert found[plain] != REFUSED, f"{case}: the plain value {plain!r} is refused"
    return {label: text for label, text in found.items() if text and text != REFUSED}


# ---------------------------------------------------------------- objects made from networks

CHAIN = qdn.ConvAC.rand(6, 2, 2, 2, seed=0, boundary="periodic", loc=0.5)
ENDLESS, READY = qdn.InfiniteChain(CHAIN), CHAIN.evaluator()
FEW, SIX = np.ones((2, 2)), [0, 1, 1, 0, 1, 1]
WHOLE = {"one": 1, "numpy": np.int8(1), "array": np.array(1), "list": [1], "pair": np.array([1, 2])}
WHOLE |= {"float": 1.0, "half": 0.5, "nan": float("nan"), "word": "1", "negative": -1, "true": True}
WHOLE |= {
    "object": object(),
    "none": None,
    "function": abs,
    "complex": 1j,
    "dict": {},
    "big": 2**70,
}
TABLES = {"sites": SITES, "cuts": CUTS, "configs": CONFIGS}
SPELT = {f"{kind} {x}": row[0] for kind, table in TABLES.items() for x, row in table.items()}
SPELT |= {f"whole {label}": lambda x=x: x for label, x in WHOLE.items()}
SPELT |= {f"operator {label}": make for label, (make, _) in OPERATOR.items()}
SPELT |= {
    "mps": lambda: qtn.MPS_rand_state(5, 2, seed=0),
    "ring": lambda: qtn.MPS_rand_state(5, 2, cyclic=True, seed=0),
    "peps": lambda: qtn.PEPS.rand(2, 2, 2, seed=0),
    "tensors": lambda: [[qtn.rand_tensor((2, 2), "ab")]],
    "nan arrays": lambda: [np.full((2, 2, 2), np.nan)],
    "network": lambda: CHAIN,
    "state": CHAIN.collapse,
    "class": lambda: qdn.RBM,
    "module": lambda: torch.nn.Linear(4, 1),
    "tags": lambda: ["W1,0", "I1"],
    "identifier": lambda: "k{}",
    "wrong hole": lambda: "k{a},{0.x}",
}
GRID = qdn.ConvAC.rand((2, 3), 1, 2, 2, seed=0)
ZEROS = {"J": torch.zeros(4).double()}


def of_torch(function=lambda p, configs: configs.double()[:, :4] @ p["J"], shape=4, **options):
    """Of a network made from a function of torch."""
    return qdn.TorchNetwork(function, shape, **options)


OF_OBJECTS = {
    "TorchNetwork(module)": lambda x: of_torch(x, params=ZEROS).amplitude("0101"),
    "TorchNetwork(module alone)": lambda x: of_torch(x).amplitude("0101"),
    "TorchNetwork(shape)": lambda x: of_torch(shape=x, params=ZEROS).nsites,
    "TorchNetwork(phys_dim)": lambda x: of_torch(phys_dim=x, params=ZEROS).phys_dim,
    "TorchNetwork(params)": lambda x: of_torch(params=x).amplitude("0101"),
    "TorchNetwork(params, one)": lambda x: of_torch(params={"J": x}).amplitude("0101"),
    "TorchNetwork(result)": lambda x: of_torch(lambda p, s: x, params=ZEROS).amplitude("0101"),
    "ConvAC.from_tree(tensors)": lambda x: qdn.ConvAC.from_tree(x, [1.0, 1.0]),
    "ConvAC.from_tree(readout)": lambda x: qdn.ConvAC.from_tree([np.ones((1, 2, 2, 2))], x),
    "ConvAC.from_rbm(rbm)": lambda x: qdn.ConvAC.from_rbm(x),
    "RBM.from_conv(net)": lambda x: qdn.RBM.from_conv(x),
    "RAC.from_mps(mps)": lambda x: qdn.RAC.from_mps(x),
    "to_peps(site_ind_id)": lambda x: GRID.to_peps(x),
    "to_peps(site_tag_id)": lambda x: GRID.to_peps(site_tag_id=x),
    "to_peps(max_bytes)": lambda x: GRID.to_peps(max_bytes=x),
    "to_mps(site_ind_id)": lambda x: CHAIN.to_mps(site_ind_id=x),
    "to_mps(site_tag_id)": lambda x: CHAIN.to_mps(site_tag_id=x),
    "collapse(site_tag_id)": lambda x: CHAIN.collapse(site_tag_id=x),
    "to_tensor_network(site_ind_id)": lambda x: CHAIN.to_tensor_network(site_ind_id=x),
    "entropy(state, tags)": lambda x: qdn.entropy(CHAIN.collapse(), tags=x),
    "entropy(network, tags)": lambda x: qdn.entropy(CHAIN, tags=x),
    "entropy(mps, tags)": lambda x: qdn.entropy(qtn.MPS_rand_state(5, 2, seed=0), tags=x),
    "InfiniteChain.partial_trace_exact(where)": lambda x: ENDLESS.partial_trace_exact(x),
    "InfiniteChain.local_expectation_exact(G)": lambda x: ENDLESS.local_expectation_exact(x, 0),
    "InfiniteChain.correlations(A)": lambda x: ENDLESS.correlations(x, FEW, [1]),
    "InfiniteChain.correlations(distances)": lambda x: ENDLESS.correlations(FEW, FEW, x),
    "InfiniteChain.correlations(start)": lambda x: ENDLESS.correlations(FEW, FEW, [1], start=x),
    "evaluator.amplitudes(configs)": lambda x: READY.amplitudes(x),
    "evaluator.flip_ratios(configs)": lambda x: READY.flip_ratios(x),
    "evaluator.ratios(masks)": lambda x: READY.ratios([SIX], x),
    "sample(n)": lambda x: CHAIN.sample(x, seed=0),
    "sample(sector)": lambda x: CHAIN.sample(2, seed=0, sector=x),
    "Metropolis(sector)": lambda x: qdn.Metropolis(CHAIN, 8, sector=x, seed=0),
    "energy(sector)": lambda x: qdn.energy(CHAIN, {(0, 1): np.eye(4)}, sector=x),
    "energy(sign_rule)": lambda x: qdn.energy(CHAIN, {(0, 1): np.eye(4)}, sign_rule=x),
    "fit(sign_rule)": lambda x: qdn.fit(CHAIN, np.ones(64), steps=1, sign_rule=x),
    "fit(target)": lambda x: qdn.fit(CHAIN, x, steps=1),
    "resize(shape)": lambda x: CHAIN.resize(x),
}


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_odd_values_of_objects_made_from_networks(name):
    """A result or a named error, of every spelling that the tables know."""
    raw = {}
    for label, make in SPELT.items():
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                OF_OBJECTS[name](make())
        except qdn.DeepNetError as error:
            assert len(str(error)) > 20
        except Exception as error:
            raw[label] = f"{type(error).__name__}: {str(error)[:100]}"
    assert not raw


def test_identifiers_that_name_all_sites_alike():
    for call in (GRID.to_peps, CHAIN.to_mps, CHAIN.collapse, CHAIN.to_tensor_network):
        for name in ("site_ind_id", "site_tag_id"):
            with pytest.raises(qdn.OptionError, match=f"{name}='k'.*one name"):
                call(**{name: "k"})


def test_weights_in_the_order_of_bytes_of_another_machine():
    net = qdn.ConvAC(4, [np.ones((2, 2, 2), ">f8")], np.ones(2, ">f8"))
    assert net.readout.dtype.isnative and net.to("torch").amplitude("0110") == 4
    net = of_torch(params={"J": np.zeros(4, ">f8")})
    assert net.amplitude("0110") == 1


def test_sites_of_an_endless_chain_in_every_spelling():
    plain = ENDLESS.partial_trace_exact([0, 2])
    for where in (np.array([0, 2]), torch.tensor([6, 8]), (0, np.int8(2)), range(0, 4, 2)):
        assert np.allclose(ENDLESS.partial_trace_exact(where), plain, atol=1e-12)
    with pytest.raises(qdn.OptionError, match="MatrixProductOperator"):
        qdn.fit(CHAIN, qtn.MPO_identity(6))
    with pytest.raises(qdn.BudgetError, match="fewer"):
        CHAIN.sample(10**12)


@pytest.mark.parametrize("case", list(cases()))
def test_odd_values(case):
    if ".to_mps(" in case:
        pytest.importorskip("teneva")
    if ".plot_entropy(" in case:
        pytest.importorskip("matplotlib")
    faults, known = faults_of(case), KNOWN.get(case, set())
    new = {label: text for label, text in faults.items() if label not in known}
    assert not new, "\n".join(f"{case}: {label}: {text}" for label, text in new.items())
    cured = sorted(known - set(faults))
    assert not cured, f"{case}: {cured} are right now; take them out of KNOWN"
