"""Searches of every tree of a network are refused where they would not end."""

import opt_einsum
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.hyper.exhaustive import count_pairs

PSI = qdn.ConvAC.rand(3, 1, 2, 2, seed=0).to_tensor_network()
CALLS = {  # all by one reader
    "path_report": lambda optimize: qdn.path_report(PSI, "norm", optimize=optimize),
    "contract_sliced": lambda optimize: qdn.contract_sliced(PSI, "norm", optimize=optimize),
    "norm": lambda optimize: PSI.norm(optimize=optimize),
}


@pytest.mark.parametrize("call", CALLS)
def test_dynamic_programming_of_a_norm_is_refused(call):
    with pytest.raises(qdn.BudgetError, match="tries every way to contract 22 tensors"):
        CALLS[call]("dp" if call == "norm" else opt_einsum.DynamicProgramming())


def test_what_ends_is_done():
    for optimize in ("dp", opt_einsum.DynamicProgramming()):
        assert PSI.amplitude("010", optimize=optimize) == pytest.approx(
            PSI.network.amplitude("010")
        )


def test_pairs_are_counted():
    chain = [(f"b{n}", f"b{n + 1}") for n in range(3)]
    sizes = {f"b{n}": 2 for n in range(4)}
    # sets of 1: 3, of 2: 2, of 3: 1; pairs of sizes (1, 1): 9, (1, 2): 6
    assert count_pairs(chain, ("b0", "b3"), sizes) == 15
    assert count_pairs(chain, ("b0", "b3"), sizes, outer=True) >= 15
