"""A family of networks made outside the package: everything public works, or refuses by name."""

import dataclasses
import pathlib
import re

import autoray
import numpy as np
import pytest
import quimb as qu

import quimb_deepnets as qdn
from quimb_deepnets.cli import main
from quimb_deepnets.geometry.boltzmann import BoltzmannGeometry
from quimb_deepnets.networks import FAMILIES, DeepNetwork
from quimb_deepnets.numerics import Scaled

PACKAGE = pathlib.Path(qdn.__file__).parent


class TwoMachines(DeepNetwork):
    """Two machines multiplied: ``exp(a.s) prod_j 2cosh(z_j) (1 + z_j**2)``, z = b + W s."""

    _geometry_class = BoltzmannGeometry

    @classmethod
    def rand(cls, shape, hidden=3, dtype="float64", seed=None):
        geometry, rng = BoltzmannGeometry(shape, hidden), np.random.default_rng(seed)
        params = {k: rng.normal(size=x) / 2 for k, x in geometry.param_shapes.items()}
        return cls.from_params(geometry, {k: x.astype(dtype) for k, x in params.items()})

    def __repr__(self):
        return f"TwoMachines(shape={self.geometry.shape})"

    def _evaluate_by(self, plan):
        a, b, W = self.params.values()

        def evaluate(x):
            s = 1 - 2 * autoray.astype(x, self.dtype)
            z = b[:, None] + W @ s
            y = autoray.do("exp", z) + autoray.do("exp", -z)
            y = autoray.do("prod", y * (1 + z * z), axis=0) * autoray.do("exp", a @ s)
            return Scaled(y, autoray.do("zeros_like", autoray.do("real", y)))

        return evaluate


NET = TwoMachines.rand((6,), seed=1)
LATTICE = TwoMachines.rand((2, 3), seed=2)
CONFIGS = np.random.default_rng(0).integers(2, size=(5, 6))


def by_hand(net, config):
    """The amplitude of one configuration, one factor after another."""
    a, b, W = (np.asarray(x) for x in net.params.values())
    s = [1 - 2 * int(x) for x in np.ravel(list(config))]
    out = np.exp(sum(x * y for x, y in zip(a, s)))
    for j in range(len(b)):
        z = b[j] + sum(W[j, n] * s[n] for n in range(len(s)))
        out *= (np.exp(z) + np.exp(-z)) * (1 + z * z)
    return out


def dense(net):
    count = net.nsites
    return np.array([by_hand(net, list(f"{n:0{count}b}")) for n in range(2**count)])


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_amplitudes_ratios_and_derivatives(dtype, backend):
    net = TwoMachines.rand((6,), dtype=dtype, seed=1)
    if dtype == "complex128":
        net = net.with_vector(net.vector * np.exp(0.3j))
    exact, tol = net, 1e-3 if dtype == "float32" else 1e-9
    net, get = net.to(backend), lambda x: np.asarray(x)
    psi = [by_hand(exact, c) for c in CONFIGS]
    assert get(net.amplitudes(CONFIGS)) == pytest.approx(np.array(psi), rel=tol)
    assert get(net.amplitude("010111")) == pytest.approx(by_hand(exact, "010111"), rel=tol)
    phase, log = net.log_amplitudes(CONFIGS, chunk=2)
    assert get(phase) * np.exp(get(log)) == pytest.approx(np.array(psi), rel=tol)
    assert get(net.to_dense())[:, 0] == pytest.approx(dense(exact), rel=tol)
    ratios = get(net.flip_ratios(CONFIGS))
    for b, config in enumerate(CONFIGS):
        for n in range(6):
            for m in range(2):
                flipped = [*config[:n], m, *config[n + 1 :]]
                assert ratios[b, n, m] == pytest.approx(by_hand(exact, flipped) / psi[b], rel=tol)
    if dtype == "float32":
        return
    found, x, h = get(net.log_derivatives(CONFIGS)), np.asarray(exact.vector), 1e-6
    for k in range(0, len(x), 5):
        step = h * (np.arange(len(x)) == k)
        up, down = (exact.with_vector(x + sign * step) for sign in (1, -1))
        logs = [np.log(by_hand(up, c) / by_hand(down, c)) / (2 * h) for c in CONFIGS]
        assert found[:, k] == pytest.approx(np.array(logs), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("net", [NET, LATTICE], ids=["chain", "lattice"])
def test_entanglement(net):
    sites, psi = net.sites[:3], dense(net) / np.linalg.norm(dense(net))
    p = np.linalg.svd(psi.reshape(8, 8), compute_uv=False) ** 2
    assert net.schmidt_values(sites) == pytest.approx(p, abs=1e-12)
    assert net.entropy(3) == pytest.approx(-(p * np.log2(p)).sum())
    assert net.renyi_entropy(3) == pytest.approx(-np.log2((p**2).sum()))
    assert net.schmidt_gap(3) == pytest.approx(p[0] - p[1])
    for method in ("dense", "gram"):
        assert qdn.entropy(net, sites, method=method) == pytest.approx(net.entropy(3))
    rho = psi.reshape(8, 8) @ psi.reshape(8, 8).T
    assert net.partial_trace_exact(sites) == pytest.approx(rho)
    assert net.mutinf_subsys(sites[:1], sites[1:]) >= 0
    assert net.logneg_subsys(sites[:1], sites[1:]) >= 0
    assert net.entanglement_plan(3).chosen in ("dense", "gram")
    mean, error = net.renyi2_estimate(3, samples=2**11, seed=0)
    assert abs(mean - net.renyi_entropy(3)) < 5 * error + 1e-9
    if net is NET:
        assert net.entropies()[2] == pytest.approx(net.entropy(3))
    with pytest.raises(qdn.MethodError, match="TwoMachines"):
        qdn.schmidt_rank(net, 3)


@pytest.mark.parametrize("net", [NET, LATTICE], ids=["chain", "lattice"])
def test_everyday_work(net):
    psi, Z = dense(net), np.diag([1.0, -1.0])
    other = TwoMachines.rand(net.geometry.shape, seed=5)
    machine = qdn.RBM.rand(net.geometry.shape, seed=0)
    assert net.norm() == pytest.approx(np.linalg.norm(psi))
    assert net.overlap(other) == pytest.approx(psi @ dense(other))
    assert net.overlap(psi) == pytest.approx(psi @ psi)
    assert net.overlap(machine) == pytest.approx(psi @ machine.to_dense()[:, 0])
    assert machine.overlap(net) == pytest.approx(psi @ machine.to_dense()[:, 0])
    assert net.distance(other) == pytest.approx(np.linalg.norm(psi - dense(other)))
    signs = np.array([1 - 2 * (n >> 4 & 1) for n in range(64)])
    expected = (signs * psi**2).sum() / (psi**2).sum()
    assert net.local_expectation_exact(Z, net.sites[1]) == pytest.approx(expected)
    assert net.copy() == net != other and hash(net.copy()) == hash(net)
    assert "TwoMachines" in net._repr_html_()
    assert (net.L if net is NET else (net.Lx, net.Ly)) == (6 if net is NET else (2, 3))
    empty = np.zeros((0, *net.geometry.shape), int)
    assert net.evaluator().ratios(empty, empty).shape == (0, 0)
    assert net.evaluator().log_derivatives(empty).shape == (0, net.num_params)


def test_cross_interpolation():
    pytest.importorskip("teneva")
    mps = NET.to_mps(method="cross", seed=0)
    assert mps.to_dense()[:, 0] == pytest.approx(dense(NET), rel=1e-5)


REFUSED = {
    "save": (lambda: qdn.save(NET, "never.npz"), qdn.OptionError, "TwoMachines"),
    "to_mps": (NET.to_mps, qdn.MethodError, "transfer|carry"),
    "collapse": (NET.collapse, qdn.OptionError, "window_tensors.register"),
    "expand": (NET.to_tensor_network, qdn.OptionError, "to_tensor_network.register"),
    "draw": (NET.draw, qdn.OptionError, "to_tensor_network.register"),
    "paths": (lambda: qdn.path_report(NET, "norm"), qdn.OptionError, "to_tensor_network.register"),
    "slices": (lambda: qdn.contract_sliced(NET, "norm"), qdn.OptionError, "TwoMachines"),
    "graph": (lambda: qdn.entropy(NET, 3, method="graph"), qdn.MethodError, "dense"),
    "reduced": (lambda: qdn.entropy(NET, 3, method="reduced"), qdn.DeepNetError, "TwoMachines"),
    "rivals": (lambda: qdn.rivals(NET), qdn.DeepNetError, "TwoMachines"),
    "large": (TwoMachines.rand((40,), seed=0).norm, qdn.OptionError, "window_tensors.register"),
    "plan": (lambda: NET.amplitudes(CONFIGS, plan=LATTICE.plan(3)), qdn.OptionError, "plan="),
    "rank bound": (
        lambda: qdn.theory.rank_bound(NET, 3),
        qdn.DeepNetError,
        "TwoMachines|Boltzmann",
    ),
    "params": (lambda: NET.with_params({"foo": 1}), qdn.WeightError, "foo"),
    "gate": (lambda: NET.gate(qu.pauli("X"), 0), AttributeError, "gate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_do_is_refused_by_name(name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()


@dataclasses.dataclass(frozen=True)
class Rows:
    """The integers of a product state: a vector for each site."""

    shape: tuple
    phys_dim: int = 3
    depth = ndim = 1

    @property
    def sites(self):
        return tuple(range(self.shape[0]))

    @property
    def param_shapes(self):
        return {"ROWS": (self.shape[0], self.phys_dim)}


class ProductState(DeepNetwork):
    """A family with a geometry of its own, of qutrits."""

    _geometry_class = Rows

    def _evaluate_by(self, plan):
        rows = self.params["ROWS"]

        def evaluate(x):
            picked = [rows[n][autoray.astype(x[n], "int64")] for n in range(len(x))]
            y = autoray.do("prod", autoray.do("stack", picked), axis=0)
            return Scaled(y, autoray.do("zeros_like", y))

        return evaluate


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_geometry_of_its_own(backend):
    rows = np.arange(1.0, 13).reshape(4, 3)
    rows[2, 1] = 0.0
    net = ProductState.from_params(Rows((4,)), {"ROWS": rows}).to(backend)
    configs = np.array([[0, 1, 2, 0], [2, 2, 1, 1], [1, 0, 0, 2]])
    psi = np.einsum("a,b,c,d->abcd", *rows)
    at = [psi[tuple(c)] for c in configs]
    assert np.asarray(net.amplitudes(configs)) == pytest.approx(np.array(at))
    with np.errstate(all="ignore"):
        own = rows[range(4), configs]
        expected = rows[None] / own[:, :, None]
        expected[1] = np.nan
    assert np.asarray(net.flip_ratios(configs)) == pytest.approx(expected, nan_ok=True)
    grads = np.eye(3)[configs] / np.where(own == 0, np.nan, own)[:, :, None]
    grads[1] = np.nan
    grads = grads.reshape(3, 12)
    assert np.asarray(net.log_derivatives(configs)) == pytest.approx(grads, nan_ok=True)
    assert float(net.norm()) == pytest.approx(np.linalg.norm(psi))
    assert abs(float(net.entropy(2))) < 1e-12 and net.schmidt_values([0, 2]).shape[0] <= 9
    assert net == net.copy() and net.L == 4


class LosesTheGraph(TwoMachines):
    """As before, through numpy: torch cannot follow."""

    def _evaluate_by(self, plan):
        evaluate = super().to("numpy") if self.backend == "torch" else self
        return lambda x: Scaled(
            *(
                autoray.do("asarray", part, like=x)
                for part in TwoMachines._evaluate_by(evaluate, plan)(autoray.to_numpy(x))
            )
        )


def test_amplitudes_that_torch_cannot_follow_have_no_derivatives():
    net = LosesTheGraph.from_params(NET.geometry, NET.params)
    with pytest.raises(qdn.MethodError, match="_derivatives_by"):
        net.log_derivatives(CONFIGS)


def test_every_hook_that_a_message_names_is_there():
    """``X.register`` in the text of a module: ``X`` is in ``__all__`` of its folder."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf8")
        folder = path.parent.relative_to(PACKAGE).parts
        for strings in re.findall(r'"[^"\n]*"|``[^`\n]*``', text):
            for hook in re.findall(r"(\w+)\.register\b", strings):
                found.add((hook, *folder))
    assert len(found) >= 5
    for hook, folder, *_ in found:
        module = __import__(f"quimb_deepnets.{folder}", fromlist=[hook])
        assert hook in module.__all__ and callable(getattr(module, hook).register), (folder, hook)


def test_a_family_with_a_word_is_saved_and_known_to_the_command_line(tmp_path, capsys):
    try:

        class Doubled(TwoMachines, family="doubled"):
            @classmethod
            def rand(cls, shape, seed=None):
                return super().rand((shape,), seed=seed)

        with pytest.raises(qdn.OptionError, match="'doubled' is Doubled already"):

            class Again(TwoMachines, family="doubled"):
                pass

        net = Doubled.rand(5, seed=3)
        qdn.save(net, tmp_path / "net.npz")
        assert qdn.load(tmp_path / "net.npz") == net
        assert main(["entropy", "doubled", "5", "--seed", "7", "--where", "2"]) == 0
        bits = qdn.entropy(Doubled.rand(5, seed=7), 2)
        assert capsys.readouterr().out == f"{bits:.6f} bits\n"
    finally:
        FAMILIES.pop("doubled")
