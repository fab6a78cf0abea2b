"""Corollary 1: how many parameters volume-law entanglement takes on a lattice of n x n sites."""

import numpy as np

import quimb_deepnets as qdn

from .common import Row, new_figure, save_figure

KERNEL = 5
TOLERANCE = 0.1  # of the slopes


def deep_state(n):
    """The graph state on an n x n torus whose sites are joined a quarter of the torus apart."""
    return qdn.ConvAC.graph_state((n, n), distance=(0, n // 4), kernel=KERNEL)


def half_block_bits(net):
    """The exact entropy of the block of n/2 x n/2, in bits."""
    half = net.shape[0] // 2
    return net.entropy(list(np.ndindex(half, half)), method="graph")


def machine(net):
    """An RBM of the same graph state: one hidden unit for each edge.

    With ``x, y = 1 or -1`` for digits 0, 1 and ``i pi / 4 (x + y - 1)`` in the cosh, the unit is
    ``sqrt(2) cos(pi / 4)`` times 1, 1, 1, -1: the sign of the edge.
    """
    count = net.shape[0] * net.shape[1]
    weights = np.zeros((len(net.edges), count), complex)
    weights[np.arange(len(net.edges))[:, None], net.edges] = 0.25j * np.pi
    bias = np.full(len(net.edges), -0.25j * np.pi)
    return qdn.RBM(net.shape, np.zeros(count, complex), bias, weights)


def machine_error(net, samples=None):
    """The largest difference of the RBM from the graph state, up to one constant.

    On all configurations, or on so many random ones.
    """
    rbm, count = machine(net), net.shape[0] * net.shape[1]
    if samples is None:
        configs = np.indices((2,) * count).reshape(count, -1).T
    else:
        configs = np.random.default_rng(0).integers(2, size=(samples, count))
    configs = configs.reshape(-1, *net.shape)
    phases, logabs = rbm.log_amplitudes(configs)
    constant = phases[0] * net.amplitudes(configs[:1])[0]
    size = np.exp(logabs - logabs[0])
    return float(abs(phases * size / constant - net.amplitudes(configs)).max())


def nonzero_parameters(net):
    """Weights and hidden biases of that RBM, counted without its array: two and one per edge."""
    return 3 * len(net.edges)


def slope(sizes, counts):
    """The exponent of the growth with n, by least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(counts), 1)[0])


def draw(out, sizes, counts, slopes):
    """Parameters against n, on logarithmic axes."""
    figure, axes = new_figure(figsize=(6.6, 5))
    styles = {"deep": ("o-", "C0"), "RBM": ("s-", "C1"), "dense": ("^--", "0.55")}
    labels = {
        "deep": "overlapping ConvAC, entropy certified",
        "RBM": "RBM of the same state",
        "dense": "fully connected, one layer (counted)",
    }
    for name, (style, color) in styles.items():
        label = f"{labels[name]}: $n^{{{slopes[name]:.2f}}}$"
        axes.loglog(sizes, counts[name], style, color=color, label=label, base=10)
    axes.set(xlabel="linear size $n$ of the lattice", ylabel="parameters")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.set_title("What volume-law entanglement costs on $n$ × $n$ sites")
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, out, "corollary_1.png")


def measure(quick):
    """Counts and checks."""
    sizes = [32, 48, 64, 96, 128] if quick else [64, 96, 128, 192, 256, 384, 512]
    nets = {n: deep_state(n) for n in sizes}
    counts = {
        "deep": [net.num_params for net in nets.values()],
        "RBM": [nonzero_parameters(net) for net in nets.values()],
        "dense": [n**4 for n in sizes],
    }
    small = qdn.ConvAC.graph_state((4, 3), distance=(1, 1), kernel=2)
    nonzero = sum(int(np.count_nonzero(x)) for x in machine(small).params.values())
    return {
        "sizes": sizes,
        "depths": [net.depth for net in nets.values()],
        "bits": [half_block_bits(net) for net in nets.values()],
        "counts": counts,
        "slopes": {name: slope(sizes, numbers) for name, numbers in counts.items()},
        "per_layer": KERNEL**2 * 4 * 4,
        "rbm_error": machine_error(small),
        "rbm_error_larger": machine_error(deep_state(8), samples=200),
        "rbm_nonzero": [nonzero_parameters(small), nonzero],
    }


def row(out, quick=False):
    """The row, and the picture."""
    m = measure(quick)
    sizes, counts, slopes = m["sizes"], m["counts"], m["slopes"]
    full = m["bits"] == [float((n // 2) ** 2) for n in sizes]
    agree = all(
        abs(slopes[name] - law) < TOLERANCE for name, law in (("deep", 1), ("RBM", 2), ("dense", 4))
    )
    exact = max(m["rbm_error"], m["rbm_error_larger"]) < 1e-9 and len({*m["rbm_nonzero"]}) == 1
    return Row(
        claim="Corollary 1",
        says="Volume-law entanglement of a 2D system of N sites takes O(sqrt N) parameters of an "
        "overlapping convolutional network, O(N) of an RBM and O(N**2) of a fully connected one.",
        computes=f"On n x n = N sites, from n = {sizes[0]} to {sizes[-1]}, the deep graph state "
        f"has {counts['deep'][0]} to {counts['deep'][-1]} parameters, {m['per_layer']} more for "
        f"every 16 sites of n, and grows like n**{slopes['deep']:.2f}. Its half-size block has "
        f"all of its {m['bits'][0]:.0f} to {m['bits'][-1]:.0f} bits. An RBM makes "
        "the same state with one hidden unit per edge (Gao and Duan, arXiv:1701.05039): "
        f"{counts['RBM'][0]} to {counts['RBM'][-1]} weights and biases that are not zero, "
        f"n**{slopes['RBM']:.2f}. A fully connected layer of N x N has n**{slopes['dense']:.0f}. "
        "To be fair to the RBM: a convolution shares its weights, and this state is so regular "
        "that an RBM which shares them too needs only three different values; the counts of the "
        "paper are those of networks that do not.",
        certified="Parameters are counted on the networks themselves, entropies are exact ranks "
        "over GF(2). The RBM agrees with the deep network, up to one constant, on all "
        "configurations of 4 x 3 sites and on 200 of 8 x 8, to "
        f"{max(m['rbm_error'], m['rbm_error_larger']):.0e}. The "
        "fully connected network is only counted. That no smaller RBM exists is not shown.",
        holds=full and agree and exact,
        numbers=m,
        pictures=[draw(out, sizes, counts, slopes)],
    )
