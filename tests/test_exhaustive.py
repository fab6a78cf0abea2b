"""Searches of every tree of a network are refused where they would not end."""

import cotengra
import opt_einsum
import pytest

import quimb_deepnets as qdn
from quimb_deepnets.hyper.exhaustive import check_search, count_pairs

PSI = qdn.ConvAC.rand(4, 1, 2, 2, seed=0).to_tensor_network()
CALLS = {  # all by one reader
    "path_report": lambda optimize: qdn.path_report(PSI, "norm", optimize=optimize),
    "contract_sliced": lambda optimize: qdn.contract_sliced(PSI, "norm", optimize=optimize),
    "norm": lambda optimize: PSI.norm(optimize=optimize),
}


SEARCHES = [
    "dp",
    "optimal",
    "optimal-outer",
    "branch-all",
    "branch-2",
    cotengra.OptimalOptimizer(),
    cotengra.OptimalOptimizer(minimize="size"),
    opt_einsum.DynamicProgramming(),
    opt_einsum.BranchBound(nbranch=2),
    opt_einsum.paths.optimal,
    opt_einsum.paths.branch_all,
]


def named(x):
    """The same in every process."""
    return x if isinstance(x, str) else getattr(x, "__name__", type(x).__name__)


@pytest.mark.parametrize(
    ("call", "optimize"),
    [("norm", x) for x in SEARCHES]
    + [(call, x) for call in CALLS for x in ("optimal", opt_einsum.DynamicProgramming())][:4],
    ids=named,
)
def test_searches_of_every_tree_of_a_norm_are_refused(call, optimize):
    with pytest.raises(qdn.BudgetError, match="tries every way to contract 28 tensors"):
        CALLS[call](optimize)


@pytest.mark.parametrize("optimize", ["dp", "optimal", opt_einsum.DynamicProgramming()], ids=named)
def test_what_ends_is_done(optimize):
    right = PSI.network.amplitude("0101")
    assert PSI.amplitude("0101", optimize=optimize) == pytest.approx(right)


def test_small_searches_are_done():
    psi = qdn.ConvAC.rand(2, 1, 1, 2, seed=0).to_tensor_network()
    for optimize in (*SEARCHES, "branch-1"):
        assert psi.amplitude("01", optimize=optimize) == pytest.approx(psi.network.amplitude("01"))


def test_what_is_joined_without_a_search_is_not_counted():
    star, sizes = [("c", f"k{n}") for n in range(40)], {"c": 2, **{f"k{n}": 2 for n in range(40)}}
    check_search(star, (), sizes, "optimal")  # numbers, once "c" is left out
    with pytest.raises(qdn.BudgetError):
        check_search(star, (), sizes, opt_einsum.DynamicProgramming())


def test_pairs_are_counted():
    chain = [(f"b{n}", f"b{n + 1}") for n in range(3)]
    sizes = {f"b{n}": 2 for n in range(4)}
    # sets of 1: 3, of 2: 2, of 3: 1; pairs of sizes (1, 1): 9, (1, 2): 6
    assert count_pairs(chain, ("b0", "b3"), sizes) == 15
    assert count_pairs(chain, ("b0", "b3"), sizes, outer=True) >= 15
