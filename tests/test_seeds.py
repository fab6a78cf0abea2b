"""Seeds: one reader, equal seeds give equal draws, and what is not a seed is refused."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.numerics.weights import make_rng


@pytest.mark.parametrize(
    "same",
    [3, np.int8(3), np.uint64(3), np.array(3), torch.tensor(3), np.random.SeedSequence(3)],
    ids=repr,
)
def test_equal_seeds_give_numpy_s_own_draws(same):
    assert (make_rng(same).random(4) == np.random.default_rng(3).random(4)).all()


@pytest.mark.parametrize("same", [[3, 5], (3, 5), np.array([3, 5]), torch.tensor([3, 5])], ids=repr)
def test_sequences_of_ints_are_seeds(same):
    assert (make_rng(same).random(4) == np.random.default_rng([3, 5]).random(4)).all()


@pytest.mark.parametrize("kind", ["Generator", "PCG64", "RandomState"])
def test_generators_go_on_where_they_stand(kind):
    make = {
        "Generator": lambda: np.random.default_rng(7),
        "PCG64": lambda: np.random.PCG64(7),
        "RandomState": lambda: np.random.RandomState(7),
    }[kind]
    given = make()
    first, second = make_rng(given).random(), make_rng(given).random()
    both = make_rng(make()).random(2)
    assert [first, second] == both.tolist() and first != second


def test_none_draws_fresh_entropy():
    assert make_rng(None).random() != make_rng(None).random()


WRONG = [
    *(-1, 1.0, np.float64(2), True, np.True_, torch.tensor(True), 1j, "5", "abc", b"5", [], [1.5]),
    *([True], [-1], [[1, 2], [3, 4]], {1}, {"a": 1}, np.array(2.0), np.array([]), float("nan")),
    *(torch.Generator(), torch.tensor(1.0), np.random, object(), lambda: 1, np.random.default_rng),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda x: repr(x).split(" at 0x")[0][:30])
def test_what_is_not_a_seed_is_refused(wrong):
    with pytest.raises(qdn.OptionError, match="is not a seed; give None"):
        make_rng(wrong)


@pytest.mark.parametrize(
    "cls, args", [(qdn.ConvAC, (4, 2, 2, 2)), (qdn.RAC, (4, 2, 2)), (qdn.RBM, (4,))]
)
def test_networks_read_seeds_so(cls, args):
    one, two = (cls.rand(*args, seed=seed).to_dense() for seed in (3, torch.tensor(3)))
    assert (one == two).all()
    with pytest.raises(qdn.OptionError, match="seed=True is not a seed"):
        cls.rand(*args, seed=True)


def test_the_demo_tells_a_bad_seed_before_it_makes_anything(tmp_path):
    from quimb_deepnets.cli import demo

    with pytest.raises(qdn.OptionError, match="seed=-1 is not a seed"):
        demo().main(["--seed", "-1", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
