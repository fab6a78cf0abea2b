"""The fuzz itself: it tells right from wrong, shrinks, and, marked slow, runs for a while."""

import io
import os

import numpy as np
import pytest

import quimb_deepnets as qdn

from . import fuzz
from .fuzz_calls import CALLS
from .fuzz_specs import Spec, build, derivative, random_spec, state_of
from .reference import conv_vector, rac_vector


def test_loops_for_many_configurations_are_the_loops_for_one():
    rng, families = np.random.default_rng(0), set()
    for _ in range(100):
        spec = random_spec(rng, ["to_dense"])
        net = build(spec)
        if net is None or spec.kind in ("tiny", "huge", "wide") or spec.family == "rbm":
            continue
        exact = (rac_vector if spec.family == "rac" else conv_vector)(net)
        v, sizes = state_of(net, spec)
        assert (np.abs(v - exact) <= 1e3 * spec.eps * sizes).all()
        families.add((spec.family, len(spec.shape), spec.boundary, spec.shared))
    assert len(families) > 10


def test_derivatives_of_the_loops():
    spec = Spec("conv", (3,), (((2,), 2, (1,)), ((2,), 2, (1,))), seed=3)
    net = build(spec)
    for name, x in net.params.items():
        for entry in range(x.size):
            moved = []
            for step in (1e-6, -1e-6):
                params = {key: np.array(value) for key, value in net.params.items()}
                params[name].reshape(-1)[entry] += step
                moved.append(conv_vector(qdn.ConvAC.from_params(net.geometry, params)))
            central = (moved[0] - moved[1]) / 2e-6
            found = derivative(net, spec, name, entry)
            assert np.abs(found - central).max() < 1e-8 * max(1, np.abs(central).max())


def test_a_planted_fault_is_found_and_made_small(monkeypatch):
    """Amplitudes are wrong where three bits are set, so three sites are the least."""
    right = qdn.ConvAC.amplitudes

    def wrong(self, configs, **options):
        many = np.asarray(configs).reshape(len(configs), -1).sum(1) >= 3
        return right(self, configs, **options) * np.where(many, 2, 1)

    monkeypatch.setattr(qdn.ConvAC, "amplitudes", wrong)
    layers = (((2,), 3, (1,)), ((3,), 2, (1,)))
    spec = Spec("conv", (6,), layers, kind="near ones", dtype="float32", seed=5)
    found = fuzz.fault_of(spec)
    assert found[0] == "wrong" and fuzz.is_fault(found)
    small, what = fuzz.shrink(spec, found)
    assert small.shape == (3,) and small.layers == (((1,), 1, (1,)),)
    assert small.dtype == "float64" and what[0] == "wrong"
    monkeypatch.undo()
    assert fuzz.fault_of(small) is None
    scope = {}
    text = fuzz.snippet(small, what)
    exec(text.replace("print(", "found = ("), scope)
    assert scope["found"] is None and (scope["net"].to_dense() == build(small).to_dense()).all()


@pytest.mark.slow
def test_the_fuzz_finds_nothing():
    """``FUZZ_SECONDS=600 python -m pytest -m slow tests/test_fuzz.py``, or ``make fuzz``."""
    out = io.StringIO()
    seconds, seed = (
        float(os.environ.get(f"FUZZ_{x}", y)) for x, y in (("SECONDS", 60), ("SEED", 0))
    )
    count, faults, _ = fuzz.run(seconds, int(seed), out=out)
    assert not faults, out.getvalue()
    assert count > len(CALLS)
