"""One object for everyday work: what networks, collapsed states and reports do by themselves."""

import copy
import html.parser
import pickle

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.conversion import state_of
from quimb_deepnets.networks import DeepNetwork
from quimb_deepnets.sampling.states import read_state

NETS = {
    "chain": lambda d="float64": qdn.ConvAC.rand(5, 2, 3, 3, dtype=d, seed=1),
    "ring": lambda d="float64": qdn.ConvAC.rand(5, 2, 2, 3, boundary="periodic", dtype=d, seed=2),
    "qutrits": lambda d="float64": qdn.ConvAC.rand(4, 2, 2, 2, phys_dim=3, dtype=d, seed=3),
    "lattice": lambda d="float64": qdn.ConvAC.rand((2, 3), 2, 2, 2, dtype=d, seed=4),
    "recurrent": lambda d="float64": qdn.RAC.rand(5, 2, 3, dtype=d, seed=5),
    "boltzmann": lambda d="float64": qdn.RBM.rand((2, 3), 2, scale=0.6, dtype=d, seed=6),
    "graph": lambda d="float64": qdn.ConvAC.graph_state(6, 2, 3, dtype=d),
}
FAMILIES = pytest.mark.parametrize("name", NETS)


def vector(x):
    return np.asarray(x).reshape(-1)


@FAMILIES
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("collapsed", [False, True])
def test_norm_overlap_distance_and_expectation(name, dtype, backend, collapsed, monkeypatch):
    if collapsed:  # as for states of many sites
        monkeypatch.setattr("quimb_deepnets.conversion.everyday.FEW", 0)
    net = NETS[name](dtype).to(backend)
    other = net.with_vector(net.vector * 0.9 + 0.05)
    v, w = vector(net.to_dense()), vector(other.to_dense())
    if dtype == "complex128":
        other = other.with_vector(other.vector * np.exp(0.2j))
        w = vector(other.to_dense())
    assert float(net.norm()) == pytest.approx(np.linalg.norm(v))
    assert float(net.norm(squared=True)) == pytest.approx(np.linalg.norm(v) ** 2)
    mantissa, exponent = net.norm(strip_exponent=True)
    assert float(mantissa) * 10 ** float(exponent) == pytest.approx(np.linalg.norm(v))
    # whichever quimb conjugates: the same as its own vectors
    dense = lambda x: state_of(x.to("numpy")).contract(output_inds=state_of(x).outer_inds())
    expected = (dense(net).H @ dense(other), dense(other).H @ dense(net))
    found = complex(net.overlap(other))
    assert found == pytest.approx(complex(state_of(net).overlap(state_of(other))))
    assert min(abs(found - e) for e in expected) < 1e-9 * np.linalg.norm(v) * np.linalg.norm(w)
    assert float(net.distance(other)) == pytest.approx(np.linalg.norm(v - w))
    assert float(net.distance(net)) < 1e-7 * np.linalg.norm(v)
    relative = np.linalg.norm(v - w) / (np.linalg.norm(v) + np.linalg.norm(w)) * 2
    assert float(net.distance(other, normalized=True)) == pytest.approx(relative)
    M, N, where = net.phys_dim, net.nsites, net.sites[1:3]
    G = np.random.default_rng(0).normal(size=(M * M, M * M))
    psi = np.moveaxis(v.reshape((M,) * N), (1, 2), (0, 1)).reshape(M * M, -1)
    rho = psi @ psi.conj().T / np.linalg.norm(v) ** 2
    assert complex(net.local_expectation_exact(G, where)) == pytest.approx(np.trace(G @ rho))
    assert vector(net.partial_trace_exact(where)) == pytest.approx(rho.reshape(-1), abs=1e-12)
    one = G[:M, :M]
    value = complex(net.local_expectation_exact(one, net.sites[1]))
    assert value == pytest.approx(np.trace(np.kron(one, np.eye(M)) @ rho))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_other_may_be_any_state(dtype):
    net = NETS["chain"](dtype)
    v = vector(net.to_dense())
    mps = qtn.MPS_rand_state(5, 3, dtype=dtype, seed=0)
    renamed = mps.reindex_sites("b{}")
    renamed.site_ind_id = "b{}"
    expected = net.collapse().overlap(mps)
    assert abs(expected) > 0
    dense = mps.to_dense()
    for other in (mps, renamed, dense, dense.reshape(-1), torch.tensor(dense), list(vector(dense))):
        assert complex(net.overlap(other)) == pytest.approx(expected)
        assert float(net.distance(other)) == pytest.approx(np.linalg.norm(v - vector(dense)))
    for same in (net, net.collapse(), net.to_tensor_network(), net.to_mps(), net.to("torch")):
        assert complex(net.overlap(same)) == pytest.approx(np.linalg.norm(v) ** 2)
    lattice = NETS["lattice"](dtype)
    peps = qtn.PEPS.rand(2, 3, 2, dtype=dtype, seed=0)
    assert lattice.overlap(peps) == pytest.approx(lattice.collapse().overlap(peps))
    for other in (peps, mps.partial_trace_to_mpo([0, 1]), "01101", None, np.ones(7), lattice):
        with pytest.raises(qdn.SitesError):
            net.overlap(other)
        with pytest.raises(qdn.SitesError):
            net.distance(other)
    with pytest.raises((qdn.SitesError, AttributeError), match="collapse"):
        mps.overlap(net)


def test_scales_beyond_floats():
    net = qdn.ConvAC.rand(64, 3, 3, 4, scale=3, seed=0)
    with pytest.raises(qdn.RangeError):
        net.norm()
    mantissa, exponent = net.norm(strip_exponent=True)
    assert exponent > 400 and 0 < mantissa <= 10
    assert net.distance(net.copy(), normalized=True) < 1e-7
    assert net.local_expectation_exact(np.eye(2), 3) == pytest.approx(1)
    small = net.with_params({"READOUT": net.readout * 2.0**-40})
    other = small.norm(strip_exponent=True)
    bits = np.log2(mantissa / other[0]) + (exponent - other[1]) * np.log2(10)
    assert bits == pytest.approx(40, abs=1e-6)


def test_chains_that_collapse_to_nothing_small_go_through_an_mps():
    long = qdn.RAC.rand(40, 2, 2, seed=0)
    exponent = float(long.to_mps(normalize="exponent").exponent)
    mantissa, found = long.norm(strip_exponent=True)
    assert np.log10(float(mantissa)) + float(found) == pytest.approx(exponent, abs=1e-9)
    with pytest.raises(qdn.BudgetError, match="log_amplitudes"):
        qdn.RAC.rand(60, 3, 2, seed=0).norm()
    with pytest.raises(qdn.OptionError, match="output_inds"):
        long.norm(output_inds=())


@FAMILIES
def test_derivatives_flow_through(name):
    net = NETS[name]().to("torch")
    for x in net.params.leaves.values():
        x.requires_grad_()
    (net.norm() + net.overlap(NETS[name]()) + net.local_expectation_exact(
        np.diag(np.arange(float(net.phys_dim))), net.sites[0])).backward()  # fmt: skip
    assert all(x.grad is not None for x in net.params.leaves.values())


@FAMILIES
def test_equal_by_value(name):
    net = NETS[name]()
    clones = [net.copy(), copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    for clone in (*clones, net.to("numpy")):
        assert clone == net and hash(clone) == hash(net) and len({clone, net}) == 1
    moved = net.with_vector(np.append(net.vector[:-1], net.vector[-1] + 1e-9))
    others = [moved, net.to(dtype="float32"), net.to("torch"), "net", None]
    others += [make() for other, make in NETS.items() if other != name]
    for other in others:
        assert net != other and other != net
    zero = net.with_vector(np.append(0.0, net.vector[1:]))
    minus = net.with_vector(np.append(-0.0, net.vector[1:]))
    assert zero == minus and hash(zero) == hash(minus)
    assert net.params == net.copy().params != moved.params and net.params != {}


@FAMILIES
def test_copies_of_torch_are_trained_apart_and_compare_as_they_are_now(name):
    net = NETS[name]().to("torch")
    twin = net.copy()
    assert net == twin and net.to("numpy") == twin.to("numpy")
    leaf = next(iter(twin.params.leaves.values()))
    leaf.mul_(2)
    assert net != twin
    leaf.div_(2)
    assert net == twin
    with pytest.raises(TypeError, match="trained in place"):
        hash(net)


@FAMILIES
def test_sizes(name):
    net = NETS[name]()
    chain = net.geometry.ndim == 1
    assert (net.L if chain else (net.Lx, net.Ly)) == (net.nsites if chain else (2, 3))
    for word in ("Lx", "Ly") if chain else ("L",):
        with pytest.raises(qdn.MissingError, match=f"no {word}; use"):
            getattr(net, word)
        assert not hasattr(net, word)


@pytest.mark.parametrize("name", ["chain", "lattice", "recurrent", "boltzmann"])
def test_pictures(name):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    fig = NETS[name]().draw(return_fig=True)
    assert fig.axes
    pyplot.close("all")
    with pytest.raises(qdn.BudgetError, match="max_tensors=20"):
        NETS[name]().draw(max_tensors=20)


# ---------------------------------------------------------------- collapsed states


@FAMILIES
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_amplitudes_of_collapsed_states(name, backend):
    net = NETS[name]().to(backend)
    phi, rng = net.collapse(), np.random.default_rng(0)
    assert type(phi) is qdn.CollapsedVector and phi.network is net and phi.copy().network is net
    configs = rng.integers(net.phys_dim, size=(6, *net.geometry.shape))
    double = phi * 2  # no network any more: contracted
    for state, factor in ((phi, 1), (phi.copy(), 1), (double, 2)):
        expected = factor * vector(net.amplitudes(configs))
        assert vector(state.amplitudes(configs)) == pytest.approx(expected)
        assert complex(state.amplitude(configs[0])) == pytest.approx(expected[0])
        phase, log = map(vector, state.log_amplitudes(configs))
        assert phase * np.exp(log) == pytest.approx(expected)
        assert state.amplitudes(configs[:0]).shape == (0,)
        with pytest.raises(qdn.ConfigError):
            state.amplitudes(configs + 5)
    with pytest.raises(qdn.StructureError, match="changed after it was collapsed"):
        _ = double.network
    with pytest.raises(qdn.OptionError, match="plan="):
        double.amplitudes(configs, plan=net.plan(3))
    gated = phi.gate(np.fliplr(np.eye(net.phys_dim)), phi.sites[0])
    flipped = configs.reshape(6, -1).copy()
    flipped[:, 0] = net.phys_dim - 1 - flipped[:, 0]
    expected = vector(net.amplitudes(flipped.reshape(configs.shape)))
    assert vector(gated.amplitudes(configs)) == pytest.approx(expected)
    fixed = phi.isel({phi.site_ind(phi.sites[0]): 1})
    with pytest.raises(qdn.SitesError, match="fixed"):
        fixed.amplitudes(configs)


def test_collapsed_states_lead_to_an_mps_and_to_estimates():
    net = NETS["chain"]()
    phi = net.collapse(site_ind_id="b{}")
    mps = phi.to_mps()
    assert mps.site_ind_id == "b{}"
    assert vector(mps.to_dense()) == pytest.approx(vector(net.to_dense()))
    assert phi.renyi2_estimate(2, samples=2**10, seed=0) == net.renyi2_estimate(
        2, samples=2**10, seed=0
    )
    for call in (lambda x: x.to_mps(), lambda x: x.network):
        with pytest.raises(qdn.StructureError, match="keep the network"):
            call(phi * 2)
    with pytest.raises(qdn.MethodError, match="lattice"):
        NETS["lattice"]().collapse().to_mps()
    trained = NETS["chain"]().to("torch")
    state = trained.collapse()
    trained.params["READOUT"].mul_(2)
    with pytest.raises(qdn.StructureError):
        _ = state.network
    assert float(state.amplitude("01101")) == pytest.approx(float(net.amplitude("01101")))


def test_a_changed_state_is_sampled_by_contraction():
    phi = NETS["lattice"]().collapse()
    double = phi * 2
    found = read_state(double)
    assert found.network is None and (found.shape, found.phys_dim) == ((2, 3), 2)
    assert found.function == double.log_amplitudes
    assert isinstance(read_state(phi).network, DeepNetwork)


# ---------------------------------------------------------------- notebooks


class Balanced(html.parser.HTMLParser):
    """Every tag that opens is closed, and the text between them is kept."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(thing):
    parser = Balanced()
    parser.feed(thing._repr_html_())
    parser.close()
    assert not parser.open
    return parser.text


def test_everything_that_is_a_table_shows_one():
    net = NETS["chain"]()
    report = qdn.path_report({"<b>&": net}, "norm", form="collapsed", optimize="greedy")
    plan = net.entanglement_plan(2)
    text = read(report)
    assert "<b>&" in text and "<b>" not in report._repr_html_() and "greedy" in text
    assert all(column in text for column in report.columns)
    assert all(row["method"] in read(plan) for row in plan.rows)
    assert f"<th>{plan.chosen}</th>" in plan._repr_html_()
    for thing in (net, net.plan(5), net.renyi2_estimate(2, samples=2**10, seed=0)):
        assert read(thing) == repr(thing)
    assert read(qdn.entanglement.SchmidtRank(3, True, 3)) == "SchmidtRank(3, exact)"


def test_every_family_shows_itself():
    for make in NETS.values():
        assert read(make()) == repr(make()) and isinstance(make(), DeepNetwork)
    G = qu.pauli("Z")
    assert abs(NETS["graph"]().local_expectation_exact(G, 0)) < 1e-12


def test_the_distance_of_a_graph_state_is_a_number_and_a_method():
    for shape, distance in ((6, 2), ((3, 4), (0, 2))):
        net = qdn.ConvAC.graph_state(shape, distance=distance, kernel=3)
        assert net.distance == distance and isinstance(net.distance, type(distance))
        assert pickle.loads(pickle.dumps(net.distance)) == distance
        plain = net.from_params(net.geometry, net.params)
        assert net.distance(plain) == pytest.approx(0, abs=1e-12) and plain.distance(net) == 0
