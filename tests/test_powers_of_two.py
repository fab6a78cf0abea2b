"""Powers of two are taken out of arrays exactly, and said in powers of ten."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from quimb_deepnets.errors import RangeError
from quimb_deepnets.numerics import Scaled
from quimb_deepnets.numerics.scaled import binary, decimal, times_power

SIZES = [1.0, 3.0, 2.0**-1022, 2.0**-1074 * 5, 2.0**1023 * 1.5, 2.0**500]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factor", [1.0, -1.0, 1j])
@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_a_power_is_taken_out_exactly(size, factor, make):
    x = np.array([size, 0.0]) * factor
    mantissa, power = Scaled.of(make(x))
    mantissa = np.asarray(mantissa)
    assert 0.5 <= abs(mantissa).max() < 1 and mantissa[1] == 0
    part = (mantissa[0] / factor).real
    assert Fraction(float(part)) * Fraction(2) ** int(power) == Fraction(size)
    assert np.asarray(times_power(make(mantissa), power))[0] == x[0]


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision_stays(dtype):
    x = np.array([2.0**-140, 2.0**-120], dtype)
    mantissa, power = Scaled.of(x)
    assert mantissa.dtype == dtype and power == -119
    assert mantissa.tolist() == [2.0**-21, 0.5]


@pytest.mark.parametrize(
    "x", [np.zeros(3), np.ones((0, 2)), np.array([np.inf, 1]), np.array([np.nan])]
)
def test_nothing_is_taken_out_of_zeros_and_what_is_not_finite(x):
    mantissa, power = Scaled.of(x)
    assert power == 0 and mantissa is x
    if not np.isfinite(x).all():
        with pytest.raises(RangeError, match="a tensor holds inf or nan"):
            Scaled.of(x, "a tensor")


def test_gradients_flow_through_the_mantissa():
    x = torch.tensor([3.0, 12.0], dtype=torch.float64, requires_grad=True)
    mantissa, power = Scaled.of(x)
    mantissa.sum().backward()
    assert power == 4 and x.grad.tolist() == [2.0**-4] * 2


def test_bases():
    for power in (-3000.0, -1.0, 0.0, 7.0, 1e6):
        assert math.isclose(decimal(power), power * math.log10(2), rel_tol=1e-15)
        assert math.isclose(binary(decimal(power)), power, rel_tol=1e-15)
