"""Modules of torch as networks: amplitudes, derivatives, samples, ground states."""

import copy
import pickle

import numpy as np
import pytest
import quimb as qu
import quimb.operator
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn
from quimb_deepnets.groundstate.operators import FlipMasks
from quimb_deepnets.groundstate.points import FullEnergy

from .test_ground_state import RING, RING_ENERGY, same
from .test_metropolis import chance, weights_of

CONFIGS = np.random.default_rng(0).integers(2, size=(5, 6))


class Perceptron(torch.nn.Module):
    """One hidden layer; two outputs are the real and the imaginary part of log psi."""

    def __init__(self, sites=6, hidden=4, outputs=1, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(1)
        self.first = torch.nn.Linear(sites, hidden, dtype=dtype)
        self.last = torch.nn.Linear(hidden, outputs, dtype=dtype)
        self.dropped = torch.nn.Dropout(0.5)  # nothing in evaluation mode

    def forward(self, configs):
        spins = 1 - 2 * configs.to(self.first.weight.dtype)
        y = self.dropped(self.last(torch.tanh(self.first(spins))))
        return y[:, 0] if y.shape[1] == 1 else torch.complex(y[:, 0], y[:, 1])


class InPlace(Perceptron):
    """What `torch.func.vmap` cannot do: to decide by a number."""

    def forward(self, configs):
        logs = super().forward(configs)
        return logs if float(logs.detach().sum()) < 1e9 else -logs


KINDS = {
    "real": lambda: Perceptron(),
    "two parts": lambda: Perceptron(outputs=2),
    "complex": lambda: Perceptron(dtype=torch.complex128),
    "one by one": lambda: InPlace(),
}


def by_hand(module, vector, configs):
    """log psi of a module with these parameters, by its own forward pass."""
    module = copy.deepcopy(module).eval()
    torch.nn.utils.vector_to_parameters(vector, module.parameters())
    with torch.no_grad():
        return module(torch.as_tensor(configs)).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_amplitudes_and_derivatives(kind):
    module = KINDS[kind]()
    net = qdn.TorchNetwork(module, 6)
    vector = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
    logs = by_hand(module, vector, CONFIGS)
    for some in (net, net.to("numpy"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        phase, logabs = (np.asarray(x.detach() if hasattr(x, "detach") else x)
                         for x in some.log_amplitudes(CONFIGS))  # fmt: skip
        assert phase == pytest.approx(np.exp(1j * np.imag(logs)))
        assert logabs == pytest.approx(logs.real)
        found = np.asarray(some.log_derivatives(CONFIGS))
        for k in range(0, len(vector), 3):
            step = 1e-5 * (torch.arange(len(vector)) == k).double()
            ends = [by_hand(module, vector + sign * step, CONFIGS) for sign in (1, -1)]
            assert found[:, k] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)
    ratios = np.asarray(net.evaluator().ratios(CONFIGS, np.eye(6, dtype=int)).detach())
    flipped = by_hand(module, vector, (CONFIGS[:, None] ^ np.eye(6, dtype=int)).reshape(-1, 6))
    assert ratios == pytest.approx(np.exp(flipped.reshape(5, 6) - logs[:, None]))
    again = by_hand(net.module, vector, CONFIGS)
    assert again == pytest.approx(logs) and net.module is not module


def test_gradients_reach_the_parameters_of_the_module():
    module = Perceptron()
    net = qdn.TorchNetwork(module, 6)
    net.log_amplitudes(CONFIGS)[1].sum().backward()
    assert float(module.first.weight.grad.abs().sum()) > 0


def test_functions_of_parameters_and_zeros():
    """A Jastrow state of a fixed number of ones."""

    def jastrow(params, configs):
        s = 1 - 2 * configs.double()
        logs = torch.einsum("bi,ij,bj->b", s, params["J"], s)
        return torch.where(configs.sum(1) == 3, logs, -torch.inf)

    J = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 6)) / 4)
    net = qdn.TorchNetwork(jastrow, (2, 3), params={"J": J})
    assert net.sites[1] == (0, 1) and "jastrow, shape=(2, 3)" in repr(net)
    psi = np.asarray(net.to_dense()).ravel()
    bits = (np.arange(64)[:, None] >> np.arange(6)[::-1]) & 1
    s = 1.0 - 2 * bits
    exact = np.exp(np.einsum("bi,ij,bj->b", s, J.numpy(), s)) * (bits.sum(1) == 3)
    assert psi == pytest.approx(exact)
    rows = np.asarray(net.log_derivatives(bits.reshape(-1, 2, 3)))
    there = bits.sum(1) == 3
    assert np.isnan(rows[~there]).all()
    assert rows[there] == pytest.approx(np.einsum("bi,bj->bij", s, s).reshape(64, 36)[there])
    with pytest.raises(qdn.MethodError, match="not a module"):
        net.module


@pytest.mark.parametrize("method", ["exact", "metropolis"])
def test_samples(method):
    net = qdn.TorchNetwork(Perceptron(outputs=2), 6)
    x = net.sample(2000, seed=0, method=method)
    counts = np.bincount(x @ 2 ** np.arange(6)[::-1], minlength=64)
    assert chance(counts, weights_of(net.to("numpy"))) > 1e-3
    chains = qdn.Metropolis(Perceptron(outputs=2), 16, shape=6, seed=0)
    chains.sweep(2)
    assert chains.network.num_params == net.num_params


@pytest.mark.parametrize("kind", ["real", "two parts", "complex"])
def test_ground_states(kind):
    H = qu.operator.heisenberg_from_edges(qtn.edges_1d_chain(6, cyclic=True))
    options = {"sector": 3, "sign_rule": "marshall", "samples": 128, "chains": 32, "seed": 0}
    module = KINDS[kind]()
    gs = qdn.GroundState(module, H, **options)
    begun = gs.measure()["energy"]
    gs.run(steps=25, progbar=False)
    full = qdn.energy(gs.network, H, "full", sector=3, sign_rule="marshall")
    assert RING_ENERGY - 1e-9 <= full < begun - 0.1 and abs(gs.energy - full) < 4 * gs.error
    with torch.no_grad():
        logs = gs.network.module.eval()(torch.as_tensor(CONFIGS))
        assert torch.exp(logs).numpy() == pytest.approx(np.asarray(gs.network.amplitudes(CONFIGS)))
    if kind == "real":
        sampled = qdn.energy(gs.network.module, H, "sample", sign_rule="marshall", sector=3, seed=0)
        assert abs(sampled - full) < 4 * sampled.error


def test_complex_log_amplitudes_find_complex_ground_states():
    """Real parameters, a complex operator: only a module with two outputs is taken."""
    X, Y = qu.pauli("X"), qu.pauli("Y")
    H = {(i, (i + 1) % 4): (X & Y) - (Y & X) for i in range(4)} | {(0,): 0.3 * X}
    with pytest.raises(qdn.OptionError, match="complex"):
        qdn.GroundState(qdn.TorchNetwork(Perceptron(4), 4), H)
    net = qdn.TorchNetwork(Perceptron(4, 8, 2), 4)
    gs = qdn.GroundState(net, H, method="full")
    begun = gs.energy
    assert gs.run(steps=40, progbar=False).energy < begun - 1


class Single(Perceptron):
    """Whose code names its precision."""

    def __init__(self, outputs=1):
        super().__init__(outputs=outputs, dtype=torch.float32)

    def forward(self, configs):
        return super().forward(configs.float())


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_module_of_single_precision_stays_there(outputs):
    """Its gradients are those of its double, to single precision."""
    net = qdn.TorchNetwork(Single(outputs), 6)
    twin = qdn.TorchNetwork(Perceptron(outputs=outputs), 6)
    twin = twin.with_vector(net.vector.double())
    H = FlipMasks(RING, net.sites, sign_rule="marshall")
    points = [FullEnergy(x, H, 3)(x.vector.detach().double().numpy()) for x in (net, twin)]
    assert points[0].energy == pytest.approx(points[1].energy, rel=1e-5)
    assert abs(points[0].gradient - points[1].gradient).max() < 1e-5
    begun = points[1].energy
    gs = qdn.GroundState(net, RING, sector=3, sign_rule="marshall", method="full")
    assert gs.run(steps=30, progbar=False).energy < begun - 0.5
    assert gs.network.dtype == "float32"
    assert qdn.fit(net, np.ones(64), steps=30).fidelity > 0.99


def test_checkpoints(tmp_path):
    make = lambda: qdn.GroundState(
        qdn.TorchNetwork(Perceptron(), 6), RING, sector=3, samples=64, chains=32, seed=0
    )
    path = tmp_path / "run.npz"
    make().run(steps=2, progbar=False, checkpoint=path)
    assert same(
        make().run(steps=4, progbar=False, checkpoint=path), make().run(steps=4, progbar=False)
    )


class Wrong(Perceptron):
    def forward(self, configs):
        return super().forward(configs)[:, None]


class NotFinite(Perceptron):
    def forward(self, configs):
        return super().forward(configs) + torch.nan


def test_what_is_refused():
    with pytest.raises(qdn.OptionError, match="no parameters"):
        qdn.TorchNetwork(torch.nn.Tanh(), 4)
    with pytest.raises(qdn.OptionError, match="params="):
        qdn.TorchNetwork(Perceptron(), 6, params={"a": torch.ones(1)})
    with pytest.raises(qdn.OptionError, match="cannot be called"):
        qdn.TorchNetwork(3, 6, params={"a": torch.ones(1)})
    with pytest.raises(qdn.MethodError, match=r"shape \(2, 4\)"):
        qdn.TorchNetwork(Perceptron(), 4).amplitudes([[0] * 4] * 2)
    with pytest.raises(qdn.MethodError, match="one log-amplitude for each"):
        qdn.TorchNetwork(Wrong(), 6).amplitudes(CONFIGS)
    with pytest.raises(qdn.RangeError, match="nan or infinite"):
        qdn.TorchNetwork(NotFinite(), 6).amplitudes(CONFIGS)
    with pytest.raises(qdn.GeometryError, match="shape"):
        qdn.TorchNetwork(Perceptron(), 0)
    with pytest.raises(qdn.OptionError, match="TorchNetwork"):
        qdn.GroundState(Perceptron(), RING)  # (0, 1): a pair of sites, or one of a lattice
    with pytest.raises(qdn.OptionError, match="shape="):
        qdn.Metropolis(Perceptron())
    with pytest.raises(qdn.OptionError, match="TorchNetwork"):
        qdn.save(qdn.TorchNetwork(Perceptron(), 6), "never.npz")
