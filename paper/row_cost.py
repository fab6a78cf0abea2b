"""The cost of an amplitude: linear in the sites for convolutions, quadratic for RBMs."""

import time

import numpy as np

import quimb_deepnets as qdn
from paper.common import Row, new_figure, save_figure

BATCH = 64
STYLES = {"ConvAC": "o-C0", "RAC": "s-C2", "RBM": "^-C3"}


def networks(sites):
    """The three networks, all sizes but the number of sites fixed; alpha = 1 for the RBM."""
    return {
        "ConvAC": qdn.ConvAC.rand(sites, depth=3, kernel=3, bond_dim=8, seed=0),
        "RAC": qdn.RAC.rand(sites, depth=2, bond_dim=8, seed=0),
        "RBM": qdn.RBM.rand(sites, alpha=1, seed=0),
    }


def plan_of(net):
    """The plan that is timed; no tables for a ConvAC, so that it is the same at every size."""
    return net.plan(BATCH, level=0) if isinstance(net, qdn.ConvAC) else net.plan(BATCH)


def measure(sizes, repeats):
    """Seconds per amplitude, ``[name][size] = list``, the networks taken in turns."""
    rng = np.random.default_rng(0)
    jobs = []
    for sites in sizes:
        configs = rng.integers(0, 2, (BATCH, sites))
        for name, net in networks(sites).items():
            options = {"plan": plan_of(net)} if name == "ConvAC" else {}
            net.log_amplitudes(configs, **options)
            jobs.append((name, sites, net, configs, options))
    seconds = {name: {sites: [] for sites in sizes} for name in STYLES}
    for _ in range(repeats):
        for name, sites, net, configs, options in jobs:
            start = time.perf_counter()
            net.log_amplitudes(configs, **options)
            seconds[name][sites].append((time.perf_counter() - start) / BATCH)
    return seconds


def slope(seconds, sizes, resamples=400):
    """Slope of log median time against log N, with its error from resampling the repeats."""
    rng = np.random.default_rng(1)
    times = np.array([seconds[n] for n in sizes])

    def fit(columns):
        return np.polyfit(np.log(sizes), np.log(np.median(columns, axis=1)), 1)[0]

    draws = [
        fit(times[:, rng.integers(0, times.shape[1], times.shape[1])]) for _ in range(resamples)
    ]
    return float(fit(times)), float(np.std(draws))


def exponents(sizes):
    """Exact exponents: log2 of the ratio of flops in matrix products as N doubles, all equal."""
    found = {}
    for name in STYLES:
        flops = [plan_of(networks(n)[name]).flops for n in sizes]
        ratios = {b / a for a, b in zip(flops, flops[1:])}
        found[name] = flops, sorted(float(np.log2(r)) for r in ratios)
    return found


def draw(out, seconds, sizes, slopes):
    """Time of an amplitude against the number of sites, medians and quartiles."""
    figure, ax = new_figure(figsize=(7, 4.5))
    for name, style in STYLES.items():
        low, mid, high = (
            np.percentile([seconds[name][n] for n in sizes], [25, 50, 75], axis=1) * 1e6
        )
        mean, error = slopes[name]
        label = f"{name}: $N^{{{mean:.2f} \\pm {error:.2f}}}$ for the larger half"
        ax.errorbar(sizes, mid, (mid - low, high - mid), fmt=style, ms=5, capsize=2, label=label)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="sites N", ylabel="microseconds per amplitude, one core")
    ax.set_title(f"Cost of an amplitude, batches of {BATCH}")
    ax.legend()
    return save_figure(figure, out, "cost.png")


def row(out, quick=False):
    """Count flops exactly, measure times in turns, and fit the larger half of the sizes."""
    sizes = [2**k for k in (range(6, 12) if quick else range(6, 13))]
    seconds = measure(sizes, 5 if quick else 25)
    large = sizes[len(sizes) // 2 :]
    slopes = {name: slope(seconds[name], large) for name in STYLES}
    exact = exponents(sizes)
    law = {"ConvAC": [1.0], "RAC": [1.0], "RBM": [2.0]}
    holds = all(exact[name][1] == law[name] for name in STYLES)
    gap = slopes["RBM"][0] - max(slopes["ConvAC"][0], slopes["RAC"][0])
    holds &= gap > 0.3 and slopes["RBM"][0] > 1.4 and slopes["ConvAC"][0] < 1.5
    text = ", ".join(f"{mean:.2f} +- {error:.2f} ({n})" for n, (mean, error) in slopes.items())
    last = {name: exact[name][0][-1] for name in STYLES}
    return Row(
        claim="Discussion: cost of an amplitude",
        says="The cost of computing an amplitude is linear in system size for convolutional "
        "networks, versus quadratic for RBMs.",
        computes=f"Measured time of an amplitude grows like N to the {text} for N={large[0]} to "
        f"{large[-1]} sites. At N={sizes[-1]} an amplitude takes {last['ConvAC'] / 1e6:.1f} "
        f"million flops in the matrix products of the ConvAC, {last['RAC'] / 1e6:.1f} million "
        f"in those of the RAC and {last['RBM'] / 1e6:.1f} million in those of the RBM.",
        certified="The flops of the plans double exactly with N for ConvAC and RAC and grow "
        "exactly fourfold for the RBM, at each doubling; times are medians of interleaved runs, "
        "errors by resampling them.",
        holds=bool(holds),
        numbers={
            "sizes": sizes,
            "flops": {name: exact[name][0] for name in STYLES},
            "median_seconds": {
                name: [float(np.median(seconds[name][n])) for n in sizes] for name in STYLES
            },
            "slopes": slopes,
        },
        pictures=[draw(out, seconds, sizes, slopes)],
    )
