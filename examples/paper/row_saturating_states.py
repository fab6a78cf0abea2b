"""Theorem 1, reached: deep networks whose entanglement is a full volume law, exactly."""

import numpy as np

import quimb_deepnets as qdn
from quimb_deepnets.entanglement.gf2 import graph_entropy

from .common import Row, new_figure, save_figure

KERNEL = 5
PAPER_DEPTH, PAPER_SIZE = 20, 100  # the example that follows Theorem 1


def graph_state(n, depth):
    """The graph state on an n x n torus that joins sites as far apart as is useful."""
    distance = min(n // 4, (depth - 1) * (KERNEL - 1))
    net = qdn.ConvAC.graph_state((n, n), distance=(0, distance), kernel=KERNEL)
    if net.depth != depth:
        raise ValueError(f"{net} does not have {depth} layers")
    return net


def full_depth(n):
    """The number of layers at which sites a quarter of the torus apart are joined."""
    return 1 + -(-(n // 4) // (KERNEL - 1))


def signs(configs, distance):
    """prod_n (-1)**(s_n s_m), from shifted arrays."""
    joined = configs * np.roll(configs, -distance, axis=2)
    return 1 - 2 * (joined.sum((1, 2)) % 2)


def wrong_amplitudes(net, distance, samples):
    """How many amplitudes of random configurations are not exactly that sign."""
    configs = np.random.default_rng(0).integers(2, size=(samples, *net.shape))
    return int((net.amplitudes(configs) != signs(configs, distance)).sum())


def block_entropies(net, sides):
    """Exact entropies of square blocks, in bits."""
    return [
        net.entropy([(i, j) for i in range(a) for j in range(a)], method="graph") for a in sides
    ]


def deepened(net, depth):
    """The same state with idle layers below the last one, which hand on what they read."""
    idle = np.zeros((KERNEL, KERNEL, 4, 4))
    idle[..., 0] = 1
    idle[0, 0] = np.eye(4)
    *moving, sign = net.weights
    weights = [*moving, *[idle] * (depth - net.depth), sign]
    return qdn.ConvAC(net.shape, weights, net.readout, boundary="periodic", anchor="corner")


def small_torus_error():
    """The largest difference of our rank over GF(2) from the singular values of all amplitudes."""
    net, error = qdn.ConvAC.graph_state((4, 4), distance=(0, 1), kernel=2), 0.0
    plain = qdn.ConvAC.from_params(net.geometry, {k: x.copy() for k, x in net.params.items()})
    for height, width in [(1, 1), (1, 3), (2, 2), (2, 3), (3, 3), (2, 4)]:
        block = [(i, j) for i in range(height) for j in range(width)]
        exact = graph_entropy(net.edges, [4 * i + j for i, j in block], 16)
        error = max(error, abs(exact - plain.entropy(block, method="dense")))
    return float(error)


def draw_big(axes, big, color):
    """The larger torus."""
    size, bits = big["size"], big["bits"]
    grid = np.arange(size // 2 + 1)
    axes.plot(grid, grid**2, color="0.75", lw=7, solid_capstyle="round", zorder=0)
    axes.plot(
        big["sides"],
        bits,
        "o",
        ms=4.5,
        color=color,
        label=f"{big['depth']} layers: all {bits[-1]:.0f} bits",
    )
    axes.plot([], [], color="0.75", lw=7, label="$a^2$")
    axes.set_title(f"{size} × {size} torus")
    axes.legend(frameon=False, loc="upper left")


def draw(out, curves, n, big):
    """Entropy against the side of the block, one line per depth, and the larger torus."""
    figure, (left, right) = new_figure(
        1, 2, figsize=(11, 5), gridspec_kw={"width_ratios": [1.6, 1]}
    )
    import matplotlib

    colors = matplotlib.colormaps["viridis"](np.linspace(0.8, 0.0, len(curves)))
    half = n // 2
    sides = np.arange(half + 1)
    left.plot(sides, sides**2, color="0.75", lw=7, solid_capstyle="round", zorder=0)
    for (depth, bits), color in zip(curves.items(), colors):
        full = bits[-1] == half**2
        left.plot(sides, [0, *bits], color=color, lw=2.8 if full else 2)
        turn = max(a for a in sides if [0, *bits][a] == a * a)
        if not full:
            left.plot(turn, turn**2, "o", color=color, ms=5.5, zorder=3)
        text = f"{depth} layers: all {bits[-1]:.0f} bits" if full else f"{depth} layers"
        weight = "bold" if full else "normal"
        left.annotate(
            text, (half, bits[-1]), (7, 5 if full else 0), textcoords="offset points", color=color,
            va="center", weight=weight, annotation_clip=False,
        )  # fmt: skip
    left.annotate("$a^2$: every bit\nthat a block can hold", (0.66 * half, (0.66 * half) ** 2),
                  (-14, 18), textcoords="offset points", ha="right", color="0.35")  # fmt: skip
    left.set_ylabel("entanglement entropy [bits]")
    left.set_xlim(0, 1.24 * half)
    left.set_xticks(np.linspace(0, half, 6).round())
    left.set_title(f"{n} × {n} torus")
    draw_big(right, big, colors[-1])
    for axes in (left, right):
        axes.set_xlabel("side $a$ of the block")
        axes.set_ylim(bottom=0)
        axes.margins(y=0.06)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"Deep networks with a volume law, exact to the last bit: kernel {KERNEL} × {KERNEL}, "
        "block of $a$ × $a$ sites",
        fontsize=13,
    )
    return save_figure(figure, out, "saturating_states.png")


def measure(quick):
    """All numbers of the row."""
    n, big_size = (24, 40) if quick else (PAPER_SIZE, 4 * (PAPER_DEPTH - 1) * (KERNEL - 1))
    depths = range(2, full_depth(n) + 1)
    nets = {depth: graph_state(n, depth) for depth in depths}
    sides = range(1, n // 2 + 1)
    curves = {depth: block_entropies(net, sides) for depth, net in nets.items()}
    laws = {
        depth: [float(min(a * a, 2 * net.distance[1] * a)) for a in sides]
        for depth, net in nets.items()
    }
    samples = 8 if quick else 32
    wrong = {d: wrong_amplitudes(net, net.distance[1], samples) for d, net in nets.items()}
    last = nets[depths[-1]]
    paper = deepened(last, PAPER_DEPTH)
    big = graph_state(big_size, full_depth(big_size))
    big_sides = sorted({*range(8, big_size // 2, 8), big_size // 2})
    return {
        "size": n,
        "shift": last.distance[1],
        "curves": curves,
        "curves_follow_law": curves == laws,
        "num_params": last.num_params,
        "samples": samples,
        "wrong_amplitudes": sum(wrong.values()),
        "paper_depth": paper.depth,
        "paper_wrong_amplitudes": wrong_amplitudes(paper, last.distance[1], samples),
        "big": {
            "size": big_size,
            "depth": big.depth,
            "shift": big.distance[1],
            "sides": big_sides,
            "bits": block_entropies(big, big_sides),
            "wrong_amplitudes": wrong_amplitudes(big, big.distance[1], 4),
            "num_params": big.num_params,
        },
        "small_torus_error": small_torus_error(),
    }


def row(out, quick=False):
    """The row, and the picture."""
    m = measure(quick)
    big, n, half = m["big"], m["size"], m["size"] // 2
    depth = max(m["curves"])
    full = m["curves"][depth] == [float(a * a) for a in range(1, half + 1)]
    big_full = big["bits"] == [float(a * a) for a in big["sides"]]
    wrong = m["wrong_amplitudes"] + m["paper_wrong_amplitudes"] + big["wrong_amplitudes"]
    volume = f"every a x a block up to {half} x {half}" if full else "not every block"
    return Row(
        claim="Theorem 1, reached",
        says=f"With kernel K = {KERNEL} and L = {PAPER_DEPTH} layers, volume-law entanglement of "
        f"any 2D system up to {PAPER_SIZE} x {PAPER_SIZE} is supported, since its linear size is "
        "below L K.",
        computes=f"A network in closed form, `ConvAC.graph_state`, whose amplitudes are the signs "
        f"of a graph state, `prod (-1)**(s_n s_m)`. On a {n} x {n} torus {depth} layers and "
        f"{m['num_params']} parameters are enough: {volume} has exactly a**2 bits, "
        f"{m['curves'][depth][-1]:.0f} at the half. That is less depth than the paper's "
        f"L = {PAPER_DEPTH}, because both faces of a block count: L layers join sites "
        f"D = (L - 1)(K - 1) apart, and a block has min(a**2, 2 D a) bits, while the theorem gives "
        f"the order L K a. {big['depth']} layers reach a full volume law on "
        f"{big['size']} x {big['size']}: {big['bits'][-1]:.0f} bits in a block of "
        f"{big['sides'][-1]} x {big['sides'][-1]}. A PEPS needs bonds around the {half} x {half} "
        f"block of dimension {2 ** (m['curves'][depth][-1] / (4 * half)):.0f} at least.",
        certified=f"Entropies are integers, ranks over GF(2). {m['samples']} amplitudes of random "
        f"configurations at each depth, as many of the same state on {n} x {n} with the paper's "
        f"{m['paper_depth']} layers, and 4 on {big['size']} x {big['size']}: {wrong} differ from "
        "the sign of the graph. On a 4 x 4 torus the ranks agree with singular values of all "
        f"amplitudes within {max(m['small_torus_error'], 1e-12):.0e} bits.",
        holds=full
        and big_full
        and m["curves_follow_law"]
        and not wrong
        and m["small_torus_error"] < 1e-9,
        numbers=m,
        pictures=[draw(out, m["curves"], n, big)],
    )
