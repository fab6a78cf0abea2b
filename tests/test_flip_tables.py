"""Ratios of single changes from quotients, against the dense state and exact integers."""

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.evaluation.flip_tables import FlipTables, flip_plan, runs_of
from quimb_deepnets.evaluation.masks import Masks, flips_of, masks_of
from quimb_deepnets.evaluation.ratio_costs import best_runs
from quimb_deepnets.evaluation.ratios import FlipRatios, LoopRatios, by_value
from quimb_deepnets.geometry.branches import folded_branches
from quimb_deepnets.numerics.configs import digits

from .architectures import CONV, all_states
from .test_ratios import DTYPES, exact_ratios, integer_network, ring, some_states


def by_quotients(net, masks, sizes, group=(1, 1)):
    """The function of digits, or None where floats do not hold quotients."""
    ndim = net.geometry.ndim
    tables = FlipTables(net, masks, sizes[:ndim], group[:ndim])
    if not tables.held:
        return None
    return LoopRatios(net, masks, np.ones(masks.count, bool), tables.loop())


@pytest.mark.parametrize("i", range(len(CONV)))
def test_every_architecture(i):
    net = CONV[i]
    states, flips = some_states(net), flips_of(net.nsites, net.phys_dim)
    exact = exact_ratios(net, states, flips.digits(net.nsites, int).T)
    for sizes in ((1, 1), (2, 1), (1, 2), (9, 9)):
        way = by_quotients(net, flips, sizes, (2, 1))
        found = way(digits(states, net.phys_dim, net._like))
        assert np.abs(found - exact).max() < 1e-11 * np.abs(exact).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phys_dim", [2, 3, 4])
def test_some_changes_in_any_order(dtype, phys_dim):
    net = ring(dtype, phys_dim=phys_dim, boundary="ones")
    rng, states = np.random.default_rng(0), some_states(net)
    rows = flips_of(7, phys_dim).digits(7, int).T
    rows = rows[rng.permutation(len(rows))[:5]]
    exact = exact_ratios(net, states, rows)
    for sizes in ((1,), (2,), (3,)):
        found = by_quotients(net, masks_of(rows), sizes)(digits(states, phys_dim, net._like))
        assert found.dtype == dtype
        assert np.abs(found - exact).max() < DTYPES[dtype] * np.abs(exact).max()


def test_blocks_of_configurations_and_of_changes():
    """More configurations than a block holds, in parts, and more sites than are written at once."""
    net, rng = (
        ring(shape=37, bond_dim=2, dist="uniform", loc=1, scale=0.1),
        np.random.default_rng(0),
    )
    states, flips = rng.integers(2, size=(150, 37)), flips_of(37, 2)
    x = digits(states, 2, net._like)
    tables = FlipTables(net, flips, (2,), (3,))
    out, unsure = np.full((150, 37), np.nan), np.zeros(150, bool)
    for start, stop in ((0, 0), (0, 70), (70, 71), (71, 150)):
        tables.loop()(x, start, stop, out, unsure)
    logs = net.log_amplitudes(states)
    for n in range(37):
        phase, log = net.log_amplitudes(states ^ (np.arange(37) == n))
        assert out[:, n] == pytest.approx(phase / logs[0] * np.exp(log - logs[1]), rel=1e-11)
    assert not unsure.any()


@pytest.mark.parametrize("boundary", ["ones", "omit", "periodic"])
def test_zeros_are_left_to_others(boundary):
    net = integer_network(boundary, 0)
    assert by_quotients(net, flips_of(6, 2), (1,)) is None


def test_amplitudes_that_vanish_by_a_sum():
    """Two channels of equal products and opposite weights: nan, as a ratio to zero is."""
    w = np.array([[[1.0, 2.0], [1.0, 4.0]]])
    net = qdn.ConvAC(3, [w], np.array([1.0, -1.0]))
    way = by_quotients(net, flips_of(3, 2), (1,))
    with np.errstate(all="ignore"):
        found = way(digits(np.array([[0, 0, 0], [1, 0, 0]]), 2, net._like))
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([0, (4 - 16) / (2 - 4), (4 - 16) / (2 - 4)])


def test_small_ratios_are_done_by_whole_amplitudes():
    """After a flip a channel counts that was far below the other."""
    w = np.array([[[1.0, 2.0**-190], [2.0**-12, 2.0**-100]]])
    net = qdn.ConvAC(4, [w], np.array([1.0, 2.0**-700]))
    states = all_states(net)
    way, exact = (
        by_quotients(net, flips_of(4, 2), (1,)),
        exact_ratios(net, states, np.eye(4, dtype=int)),
    )
    if way is not None:
        assert way(digits(states, 2, net._like)) == pytest.approx(exact, rel=1e-12)
    assert net.flip_ratios(states)[:, np.arange(4), 1] == pytest.approx(
        np.where(states == 1, 1, exact), rel=1e-12
    )


def test_the_next_site_drops_digits_and_appends_new_ones():
    level = folded_branches(ring(shape=12, depth=3).geometry).levels[0]
    runs = runs_of(level, 5)
    assert len(runs.level.kinds) == 1 and runs.level.kinds[0].width == 9
    assert runs.kept == (0,) + (8,) * 11 and set(runs.places) == {4}
    assert runs.starts == tuple(range(13))
    assert runs_of(level, 3).starts == tuple(range(0, 26, 2))


def test_chosen_by_cost():
    chain = ring(shape=64, depth=4, bond_dim=8)
    assert type(chain._ratios_by(flips_of(64, 2), 4096)[0]) is LoopRatios
    machine = chain._machine
    few, many = (best_runs(chain.geometry, 64, batch, 8, machine) for batch in (1, 10**6))
    assert few.runs < many.runs == (7,) and few.cost < many.cost
    lattice = ring(shape=(10, 10), depth=3, bond_dim=8)
    assert best_runs(lattice.geometry, 100, 128, 8, machine).runs is None
    plan = flip_plan(chain.geometry, (7,))
    assert (plan.rows, plan.branches.num_positions) == (2**13, 64)
    assert flips_of(4, 3).single and not Masks(np.arange(1), *[np.arange(0)] * 2).single


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phys_dim", [2, 3])
def test_by_site_and_value(dtype, phys_dim):
    """More sites than are written at once, more configurations than a block."""
    net = ring(dtype, shape=11, phys_dim=phys_dim, boundary="ones")
    rng, flips = np.random.default_rng(0), flips_of(11, phys_dim)
    x = digits(rng.integers(phys_dim, size=(70, 11)), phys_dim, net._like)
    tables = FlipTables(net, flips, (2,), (1,))
    way = FlipRatios(net, flips, tables.loop())
    found = way.values(x)
    assert found.dtype == dtype and found.shape == (70, 11, phys_dim)
    assert np.array_equal(found, by_value(way(x), x, phys_dim))
    assert (found[np.arange(70)[:, None], np.arange(11), x.T] == 1).all()


def test_by_site_and_value_of_an_amplitude_that_vanishes():
    w, flips = np.array([[[1.0, 2.0], [1.0, 4.0]]]), flips_of(3, 2)
    net = qdn.ConvAC(3, [w], np.array([1.0, -1.0]))
    way = FlipRatios(net, flips, FlipTables(net, flips, (1,), (1,)).loop())
    states = np.array([[0, 0, 0], [1, 0, 0]])
    with np.errstate(all="ignore"):
        found = way.values(digits(states, 2, net._like))
    assert np.isnan(found[0]).all()
    # psi of 0, 1, 2 ones: 0, 2 - 4, 4 - 16
    assert np.array_equal(found[1], [[0, 1], [1, 6], [1, 6]])


def test_by_site_and_value_again_by_whole_amplitudes():
    net, states = ring(shape=5, phys_dim=3, boundary="ones"), np.eye(5, dtype=int)
    flips, x = flips_of(5, 3), digits(states, 3, net._like)
    loop = FlipTables(net, flips, (2,), (1,)).loop()

    def unsure_loop(x, start, stop, out, unsure):
        loop(x, start, stop, out, unsure)
        out[1::2], unsure[1::2] = np.nan, True

    found, exact = (FlipRatios(net, flips, each).values(x) for each in (unsure_loop, loop))
    assert np.abs(found - exact).max() < 1e-12 * np.abs(exact).max()
