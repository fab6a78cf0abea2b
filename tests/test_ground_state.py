"""Ground states of small systems: energies, options, refusals, and what is shown."""

import numpy as np
import pytest
import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets import GroundState
from quimb_deepnets.groundstate import trajectory
from quimb_deepnets.groundstate.trajectory import Trajectory

from .test_third_party import TwoMachines

UNIFORM = {"dist": "uniform", "loc": 1, "scale": 0.05, "seed": 0}
RING = {(i, (i + 1) % 6): qu.ham_heis(2) for i in range(6)}
RING_ENERGY = qu.groundenergy(qu.ham_heis(6, cyclic=True))


def ring_net(**options):
    layers = [qdn.GCLayer(3, 4), qdn.GCLayer(2, 2)]
    return qdn.ConvAC.rand(6, layers=layers, boundary="periodic", **(UNIFORM | options))


def ring(net=None, **options):
    """The Heisenberg ring of six spins, few samples."""
    options = {
        "sector": 3,
        "sign_rule": "marshall",
        "samples": 128,
        "chains": 32,
        "seed": 1,
    } | options
    return GroundState(ring_net() if net is None else net, RING, **options)


def same(one, two):
    names = [name for name in one.history.dtype.names if name != "seconds"]
    return np.array_equal(one._state.theta, two._state.theta) and all(
        np.array_equal(one.history[n], two.history[n], equal_nan=True) for n in names
    )


def ising(n, h):
    """The transverse field Ising ring: terms, and the energy of quimb's own matrix."""
    X, Z = qu.pauli("X"), qu.pauli("Z")
    terms = {(i, (i + 1) % n): -(Z & Z) for i in range(n)} | {(i,): -h * X for i in range(n)}
    dense = sum(
        qu.ikron([-Z, Z], [2] * n, (i, (i + 1) % n)) + qu.ikron(-h * X, [2] * n, i)
        for i in range(n)
    )
    return terms, qu.groundenergy(dense)


# ---------------------------------------------------------------- energies


def test_samples_find_the_ground_state_of_the_ising_ring():
    H, exact = ising(8, 1.0)
    gs = GroundState(
        qdn.RBM.rand(8, alpha=1, scale=0.05, seed=0), H, samples=256, chains=64, seed=0
    )
    gs.run(steps=80, progbar=False)
    assert abs(gs.energy - exact) < 2e-3 * abs(exact)
    full = GroundState(gs.network, H, method="full").measure()["energy"]
    assert exact <= full + 1e-9 and abs(gs.energy - full) < 4 * gs.error
    assert gs.variance == pytest.approx(full.variance, rel=0.5)
    assert gs.vscore == pytest.approx(8 * gs.variance / gs.energy**2)  # of trace zero


@pytest.mark.parametrize("optimizer, steps", [("auto", 30), ("sr", 70), ("adam", 80), ("sgd", 80)])
def test_all_configurations_find_the_ground_state_of_the_ring(optimizer, steps):
    options = {"adam": {"learning_rate": 0.02}, "sgd": {"learning_rate": 0.3}}.get(optimizer)
    gs = ring(method="full", optimizer=optimizer, optimizer_opts=options)
    begun = gs.energy
    gs.run(steps=steps, progbar=False)
    assert begun - RING_ENERGY > 0.1 and gs.error == 0
    assert (
        RING_ENERGY - 1e-9 <= gs.energy < RING_ENERGY + 3e-2 * (optimizer in ("adam", "sgd")) + 2e-3
    )
    # quasi-Newton steps end where nothing is left to gain
    assert len(gs.history) == steps or (optimizer == "auto" and gs.variance < 1e-12)
    assert gs.history["energy"][-1] < begun


def test_exact_steps_never_raise_the_energy():
    """Small natural-gradient steps follow imaginary time."""
    gs = ring(method="full", optimizer="sr", optimizer_opts={"learning_rate": 0.02, "momentum": 0})
    energies = gs.run(steps=30, progbar=False).history["energy"]
    assert (np.diff(energies) < 1e-9).all()


@pytest.mark.parametrize(
    "net",
    [
        ring_net(dtype="complex128"),
        ring_net(dtype="float32"),
        ring_net(shared=False),
        qdn.RAC.rand(6, depth=2, bond_dim=3, **UNIFORM),
        qdn.RBM.rand(6, alpha=2, scale=0.05, seed=0),
        qdn.RBM.rand(6, dtype="complex128", scale=0.05, seed=0),
        ring_net().to("torch"),
    ],
    ids=["complex", "single", "unshared", "RAC", "RBM", "complex RBM", "torch"],
)
@pytest.mark.parametrize("method", ["sample", "full"])
def test_any_network_goes_down(net, method):
    gs = ring(net, method=method)
    begun = gs.measure()["energy"]
    gs.run(steps=20, progbar=False)
    assert gs.energy < begun - 0.05
    assert gs.energy > RING_ENERGY - 4 * gs.error - 1e-5
    assert (gs.network.dtype, gs.network.backend) == (net.dtype, net.backend)
    assert type(gs.network) is type(net)


@pytest.mark.parametrize("method, steps", [("full", 30), ("sample", 20)])
def test_a_family_of_ones_own_goes_down(method, steps):
    net = TwoMachines.rand((6,), hidden=6, seed=1)
    gs = ring(net.with_vector(net.vector / 10), method=method)
    begun = gs.measure()["energy"]
    gs.run(steps=steps, progbar=False)
    assert RING_ENERGY - 4 * gs.error - 1e-9 <= gs.energy < begun - 0.5


def test_parameters_that_outnumber_samples():
    net = qdn.RBM.rand(6, alpha=8, scale=0.05, seed=0)
    gs = ring(net, samples=32)
    assert net.num_params > 4 * 32
    begun = gs.measure()["energy"]
    assert gs.run(steps=40, progbar=False).energy < begun - 0.2


def test_complex_operators_and_networks():
    """A current along the ring: real weights are refused, complex ones find it."""
    X, Y = qu.pauli("X"), qu.pauli("Y")
    n = 5
    terms = {(i, (i + 1) % n): (X & Y) - (Y & X) for i in range(n)} | {
        (i,): 0.5 * X for i in range(n)
    }
    with pytest.raises(qdn.OptionError, match="complex128"):
        GroundState(qdn.RBM.rand(n, seed=0), terms)
    dense = sum(
        qu.ikron([X, Y], [2] * n, (i, (i + 1) % n))
        - qu.ikron([Y, X], [2] * n, (i, (i + 1) % n))
        + qu.ikron(0.5 * X, [2] * n, i)
        for i in range(n)
    )
    exact = qu.groundenergy(dense)
    net = qdn.RBM.rand(n, alpha=3, dtype="complex128", scale=0.3, seed=0)
    gs = GroundState(net, terms, method="full", optimizer="lbfgs").run(steps=150, progbar=False)
    assert exact - 1e-9 <= gs.energy < exact + 0.02 * abs(exact)


@pytest.mark.parametrize("given", [iter, np.array, set, lambda sites: (n for n in sites)])
def test_a_sign_rule_of_any_form_holds_for_all_operators(given, tmp_path):
    """An iterator is empty once H has been read, and observables come after it."""
    bond, path = {"bond": {(0, 1): qu.ham_heis(2)}}, tmp_path / "run.npz"
    sites = [1, 3, 5]
    rule, own = given(sites), list(sites)
    plain, found = ring(sign_rule=own), ring(sign_rule=rule)
    own.append(0)
    assert found.measure(bond)["bond"] == plain.measure(bond)["bond"] < 0
    others = {"method": "full", "orthogonal_to": [np.arange(64.0)]}
    pushed = [ring(**others, sign_rule=x)._path.others[0][0].signs for x in (sites, given(sites))]
    assert pushed[0] == pushed[1] == {1, 3, 5}
    plain.run(steps=1, checkpoint=path, progbar=False)
    assert len(ring(sign_rule=given(sites)).run(2, checkpoint=path, progbar=False).history) == 2


def test_what_measure_and_run_refuse():
    gs = ring()
    for operators in ([{0: qu.pauli("Z")}], {"energy": {0: qu.pauli("Z")}}):
        with pytest.raises(qdn.OptionError, match="name 'energy' is that of H"):
            gs.measure(operators)
    with pytest.raises(qdn.OptionError, match="callback=3"):
        gs.run(steps=2, callback=3, progbar=False)
    assert len(gs.history) == 0


# ---------------------------------------------------------------- ends of a run


def test_interrupts_end_cleanly(tmp_path, monkeypatch):
    """In the middle of a step: what counts is the state after the last whole one."""
    path, gs, taken = tmp_path / "run.npz", ring(), []
    estimate = trajectory.sampled_estimate

    def interrupted(*args):
        taken.append(1)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return estimate(*args)

    with monkeypatch.context() as patch:
        patch.setattr(trajectory, "sampled_estimate", interrupted)
        gs.run(steps=50, checkpoint=path, progbar=False)
    assert len(gs.history) == 3 and np.isfinite(gs.energy)
    assert same(gs.run(steps=2, progbar=False), ring().run(steps=5, progbar=False))
    assert same(ring().run(steps=5, checkpoint=path, progbar=False), gs)


def test_callbacks_and_seconds_and_patience():
    seen = []
    gs = ring().run(steps=20, progbar=False, callback=lambda gs: seen.append(len(gs.history)))
    assert seen == list(range(1, 21))
    gs = ring().run(progbar=False, callback=lambda gs: len(gs.history) == 3)
    again = ring().run(progbar=False, callback=lambda gs: gs.history["step"][-1] == 2)  # of numpy
    assert len(again.history) == 3
    assert len(gs.history) == 3
    gs = ring().run(seconds=0.5, progbar=False)
    assert 0 < gs.history["seconds"][-1] < 5 and len(gs.history) < 300
    gs = ring(method="full", optimizer="sr").run(steps=500, patience=20, progbar=False)
    assert 40 <= len(gs.history) < 500
    assert gs.energy < RING_ENERGY + 1e-3


def test_steps_out_of_range_are_taken_back_by_half(monkeypatch):
    gs, estimate, calls = ring().run(steps=2, progbar=False), Trajectory.estimate, []

    def failing(self, state, theta, rng):
        calls.append(theta)
        if len(calls) < 3:
            raise qdn.RangeError("too far")
        return estimate(self, state, theta, rng)

    before, theta = gs._state.before, gs._state.theta
    monkeypatch.setattr(Trajectory, "estimate", failing)
    gs.run(steps=1, progbar=False)
    assert len(gs.history) == 3
    assert calls[1] == pytest.approx((before + theta) / 2)
    assert calls[2] == pytest.approx(before + (theta - before) / 4)
    calls.clear()
    monkeypatch.setattr(trajectory, "MAX_FAILURES", 1)
    with pytest.raises(qdn.RangeError, match="max_length"):
        gs.run(steps=1, progbar=False)


# ---------------------------------------------------------------- measurements and pictures


def test_measurements_of_operators():
    gs = ring().run(steps=30, progbar=False)
    zz = {(0, 1): qu.spin_operator("Z") & qu.spin_operator("Z")}
    half = {(0, 2): qu.ham_heis(2)}
    found = gs.measure({"zz": zz, "second": half}, rtol=0.02)
    exact = ring(gs.network, method="full").measure({"zz": zz, "second": half})
    assert list(found) == ["energy", "zz", "second"]
    for name, value in found.items():
        assert 0 < value.error <= 0.02 * abs(value)
        assert abs(value - exact[name]) < 4 * value.error
        assert value.variance == pytest.approx(exact[name].variance, rel=0.2)
    psi = gs.network.to_dense().ravel()
    bits = (np.arange(64)[:, None] >> np.arange(6)[::-1]) & 1
    psi = psi * (bits.sum(1) == 3) * (-1.0) ** bits[:, ::2].sum(1)
    for name, term in (("zz", zz[0, 1]), ("second", half[0, 2])):
        where = (0, 1) if name == "zz" else (0, 2)
        dense = qu.pkron(term, [2] * 6, where)
        mean = (psi @ dense @ psi / (psi @ psi)).real
        assert float(np.squeeze(mean)) == pytest.approx(exact[name], rel=1e-9)
    assert gs.measure(max_samples=600)["energy"].samples == 512


def test_errors_are_honest():
    """Of 40 measurements of one state, most lie within their error, all within four."""
    net = ring().run(steps=5, progbar=False).network
    exact = ring(net, method="full").energy
    away = []
    for seed in range(40):
        found = ring(net, seed=seed, chains=64).measure(max_samples=2048)["energy"]
        away.append(abs(found - exact) / found.error)
    assert 0.5 <= np.mean(np.array(away) < 1) <= 0.85 and max(away) < 4


def test_what_is_printed():
    gs = ring()
    assert repr(gs).endswith("0 steps; not measured yet")
    gs.run(steps=2, progbar=False)
    for word in ("E/N", "variance/N", "V-score", "acceptance", "R-hat", "parameters", "seconds"):
        assert word in repr(gs)
    assert "2 steps" in repr(gs) and "<pre>" in gs._repr_html_()
    full = repr(ring(method="full").run(steps=1, progbar=False))
    assert "R-hat" not in full


def test_progress_bars_say_the_energy(capsys):
    ring().run(steps=3, progbar=True)
    said = capsys.readouterr().err
    assert "3/3" in said and "E/N -" in said and "acceptance" in said


def test_pictures():
    import matplotlib

    matplotlib.use("agg")
    gs = ring()
    with pytest.raises(qdn.OptionError, match="call run"):
        gs.plot()
    gs.run(steps=6, progbar=False)
    figure, axes = gs.plot(hlines={"exact": RING_ENERGY / 6}, zoom=3)
    whole, zoom, variance = axes
    assert whole.get_ylabel() == "energy per site" and variance.get_yscale() == "log"
    assert "exact" in [text.get_text() for text in whole.texts]
    mean = whole.lines[1].get_ydata()
    assert mean == pytest.approx(gs.history["energy"] / 6)
    assert zoom.lines[0].get_ydata() == pytest.approx(mean[-3:])
    matplotlib.pyplot.close(figure)


def test_history_is_read_only():
    gs = ring().run(steps=2, progbar=False)
    assert {"energy", "error", "variance", "acceptance", "rhat", "length", "seconds"} <= set(
        gs.history.dtype.names
    )
    with pytest.raises(ValueError, match="read-only"):
        gs.history["energy"][0] = 0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"sector": 7}, qdn.OptionError, "from 0 to 6"),
        ({"method": "exactly"}, qdn.OptionError, "'sample', 'full'"),
        ({"optimizer": "newton"}, qdn.OptionError, "'lbfgs'"),
        ({"optimizer": "lbfgs"}, qdn.OptionError, "noise"),
        ({"optimizer_opts": {"speed": 1}}, qdn.OptionError, "learning_rate"),
        ({"optimizer_opts": {"shift": "big"}}, qdn.OptionError, "'big'"),
        ({"samples": 0}, qdn.OptionError, "samples=0"),
        ({"chains": 0}, qdn.OptionError, "chains=0"),
        ({"seed": -1}, qdn.OptionError, "seed=-1"),
        ({"sign_rule": "fermi"}, qdn.OptionError, "fermi"),
    ],
)
def test_options_that_are_refused(options, error, said):
    with pytest.raises(error, match=said):
        ring(**options)


def test_operators_and_states_that_are_refused():
    net, X = ring_net(), qu.pauli("X")
    with pytest.raises(qdn.SitesError):
        GroundState(net, {(0, 9): qu.ham_heis(2)})
    with pytest.raises(qdn.OptionError, match="leaves the sector"):
        GroundState(net, {(0,): X}, sector=3)
    with pytest.raises(qdn.OptionError, match="Hermitian"):
        GroundState(net, {(0,): np.array([[0, 1], [0, 0]])})
    with pytest.raises(qdn.OptionError, match="network"):
        GroundState(net.to_tensor_network(), RING)
    with pytest.raises(qdn.OptionError, match="leaves the sector"):
        ring().measure({"x": {(0,): X}})
    for wrong in ({"steps": 0}, {"seconds": 0}, {"seconds": "long"}, {"patience": -1}):
        with pytest.raises(qdn.OptionError):
            ring().run(**wrong, progbar=False)


def test_a_start_of_wild_amplitudes_is_warned_of():
    net = qdn.ConvAC.rand(20, depth=3, kernel=3, bond_dim=4, boundary="periodic", seed=0)
    H = {(i, (i + 1) % 20): qu.ham_heis(2) for i in range(20)}
    with pytest.warns(qdn.SamplingWarning, match="near uniform"):
        GroundState(net, H, sector=10)


def test_quimbs_operators_are_taken():
    edges = qtn.edges_2d_square(2, 3)
    H = qu.operator.heisenberg_from_edges(edges)
    net = qdn.RBM.rand((2, 3), alpha=2, scale=0.05, seed=0)
    gs = GroundState(net, H, sector=3, sign_rule="marshall", method="full").run(
        steps=60, progbar=False
    )
    sites = [(i, j) for i in range(2) for j in range(3)]
    dense = qu.operator.heisenberg_from_edges(edges, order=sites).build_dense()
    exact = np.linalg.eigvalsh(dense)[0]
    assert exact - 1e-9 <= gs.energy < exact + 0.01
