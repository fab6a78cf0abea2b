"""The exact law behind Theorem 1: a minimum cut against the ranks of random architectures."""

import math

import numpy as np

import quimb_deepnets as qdn
from quimb_deepnets.errors import DeepNetError
from quimb_deepnets.theory import rank_bound

from .common import Row, new_figure, save_figure

CHAINS, LATTICES = range(5, 15), [(2, 3), (3, 3), (2, 5), (3, 4), (3, 5), (4, 4)]
BOUNDARIES = "ones", "omit", "periodic", "valid"


def random_network(rng, generic):
    """An architecture of at most 16 sites; ``generic`` if the law should be met."""
    boundaries = BOUNDARIES[:3] if generic else BOUNDARIES
    while True:
        phys_dim = int(rng.choice([2, 2, 2, 3]))
        ndim = int(rng.integers(1, 3))
        shape = int(rng.choice(CHAINS)) if ndim == 1 else LATTICES[rng.integers(len(LATTICES))]
        if phys_dim == 3 and math.prod(np.atleast_1d(shape)) > 7:
            continue
        layers = []
        for _ in range(rng.choice([1, 2, 2, 3, 4] if ndim == 1 else [1, 2, 2, 3])):
            kernel = tuple(map(int, rng.choice([2, 2, 3] if generic else [1, 2, 2, 3], ndim)))
            stride = 1 if generic or rng.random() < 0.4 else int(rng.integers(1, min(kernel) + 1))
            bond_dim = int(rng.integers(phys_dim if generic else 1, 5))
            layers.append(qdn.GCLayer(kernel if ndim > 1 else kernel[0], bond_dim, stride))
        options = {
            "layers": layers,
            "phys_dim": phys_dim,
            "boundary": str(rng.choice(boundaries)),
            "anchor": str(rng.choice(["center", "corner"])),
            "shared": bool(not generic and rng.random() < 0.6),
        }
        try:
            return qdn.ConvAC.rand(shape, seed=0, **options)
        except DeepNetError:  # strides that do not divide, sites that no window reads
            continue


def random_subset(rng, net):
    """A quarter to three quarters of the sites, as places: the first ones, or anywhere."""
    count = len(net.geometry.sites)
    order = np.arange(count) if rng.random() < 0.5 else rng.permutation(count)
    return sorted(map(int, order[: rng.integers(max(1, count // 4), count - count // 4)]))


def measure(cases, seed=0):
    """Rank and bound of as many random cases, every second one of the class of the law."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(cases):
        net = random_network(rng, generic=number % 2 == 0)
        places = random_subset(rng, net)
        sites = [net.geometry.sites[i] for i in places]
        rank = qdn.schmidt_rank(net, sites, seed=number)
        smaller = min(len(places), len(net.geometry.sites) - len(places))
        bound = rank_bound(net.geometry, places)
        rows.append(
            {
                "generic": number % 2 == 0,
                "ndim": net.geometry.ndim,
                "boundary": net.boundary,
                "shared": bool(net.shared),
                "strides": any(max(layer.per_axis(2)[1]) > 1 for layer in net.layers),
                "full_matrix": rank.full_matrix,
                "rank": int(rank),
                "bound": bound,
                "binds": bound < net.phys_dim**smaller,
            }
        )
    return rows


def draw(out, rows):
    """Certified rank against the bound."""
    figure, axes = new_figure(figsize=(6, 5))
    top = 2 * max(r["bound"] for r in rows)
    axes.plot([1, top], [1, top], color="0.8", lw=6, zorder=0, label="rank = minimum cut")
    kinds = (
        (True, "o", "C0", "weights not shared, stride 1"),
        (False, "x", "C1", "weights shared, strides, narrow layers"),
    )
    for generic, marker, color, label in kinds:
        mine = [r for r in rows if r["generic"] == generic]
        axes.plot(
            [r["bound"] for r in mine], [r["rank"] for r in mine], marker, color=color, label=label
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set(xlabel="minimum cut of the network: an upper bound", ylabel="Schmidt rank")
    axes.set_title(f"{len(rows)} random architectures and blocks of sites")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, out, "exact_law.png")


def count(rows, **wanted):
    """How many rows have these values."""
    return sum(all(r[key] == value for key, value in wanted.items()) for r in rows)


def row(out, quick=False):
    """The row, and the picture."""
    rows = measure(40 if quick else 600)
    exceeded = sum(r["rank"] > r["bound"] for r in rows)
    met = sum(r["rank"] == r["bound"] for r in rows)
    generic = [r for r in rows if r["generic"]]
    others = [r for r in rows if not r["generic"]]
    generic_met = sum(r["rank"] == r["bound"] for r in generic)
    others_met = sum(r["rank"] == r["bound"] for r in others)
    binding = [r for r in generic if r["binds"]]
    binding_met = sum(r["rank"] == r["bound"] for r in binding)
    full = all(r["full_matrix"] for r in rows)
    numbers = {
        "cases": len(rows),
        "exceeded": exceeded,
        "met": met,
        "generic": len(generic),
        "generic_met": generic_met,
        "generic_binding": len(binding),
        "generic_binding_met": binding_met,
        "others": len(others),
        "others_met": others_met,
        "lattices": count(rows, ndim=2),
        "shared": count(rows, shared=True),
        "strided": count(rows, strides=True),
        "boundaries": {name: count(rows, boundary=name) for name in BOUNDARIES},
        "rows": rows,
    }
    return Row(
        claim="The exact law behind Theorem 1",
        says="The rank is at least exponential in the number of pairs of sites that windows join "
        "across the cut, up to constants (proof of Theorem 1, appendix B).",
        computes=f"A minimum cut in integers, `theory.rank_bound`, for {len(rows)} random "
        f"architectures and random subsets: {numbers['lattices']} on lattices, "
        f"{numbers['shared']} with shared weights, {numbers['strided']} with strides, all four "
        f"boundaries. The rank exceeds it {exceeded} times. It is met in {generic_met} of "
        f"{len(generic)} cases with weights of their own at each position, kernels of at least 2, "
        f"bond dimensions of at least M and stride 1 (in {len(binding)} of them it is "
        f"below the full dimension, and met {binding_met} times), and in {others_met} of the "
        f"{len(others)} others, where shared weights, narrow layers or strides may cost rank.",
        certified="That the cut is an upper bound is proven, for any weights and any subset (see "
        "`rank_bound`). That it is met is checked, not proven in general; in each case that meets "
        "it the rank is certified, by a minor modulo 2**31 - 1 that does not vanish. All matrices "
        f"are {'full' if full else 'full or large sub-matrices'}.",
        holds=exceeded == 0 and generic_met == len(generic) and len(binding) > 0,
        numbers=numbers,
        pictures=[draw(out, rows)],
    )
