"""Theorem 3, Figs. 4 and 5: what pooling does to windows, and to certified Schmidt ranks."""

import itertools
import math

import numpy as np

import quimb_deepnets as qdn
from quimb_deepnets.geometry import ConvGeometry
from quimb_deepnets.theory import half_window_layer, pooled_entropy_order

from .common import Row, new_figure, save_figure

SIZE = 1100  # of the sub-matrices
LEAST_RATIO = 1 / 2  # of log2 of a rank to the order of the theorem
CONV, POOL = qdn.GCLayer(2, 2), qdn.GCLayer(2, 2, stride=2)
PAIRS = {  # the same convolutions with and without pooling: shape, layers, side of the block
    "chain of 16\nfirst 8 sites": (16, "cpcc", "cccc", 8),
    "chain of 16\nfirst 8 sites, pooled twice": (16, "cpcpc", "ccccc", 8),
    "4 × 4\nleft half": ((4, 4), "cpcc", "cccc", (2, 4)),
    "4 × 4\nleft half, pooled twice": ((4, 4), "cpcpc", "ccccc", (2, 4)),
    "8 × 4\nblock 3 × 3": ((8, 4), "cpcpc", "ccccc", (3, 3)),
    "8 × 8\nblock 3 × 3": ((8, 8), "cpcpc", "ccccc", (3, 3)),
}


def network(shape, letters):
    """Layers from letters: c a convolution, p a pooling layer of 2 per dimension."""
    layers = [{"c": CONV, "p": POOL}[letter] for letter in letters]
    return qdn.ConvAC.rand(shape, layers=layers, anchor="corner", seed=0)


# ------------------------------------------------------------------- Fig. 5


def projected(kernels, strides, l):
    """Total receptive field and total stride of layer l, by the definition under Fig. 5.

    The projections on the input of the window of a node, and of the step to the next node.
    """
    intervals = []
    for position in (0, 1):
        first = last = position
        for kernel, stride in zip(kernels[l - 1 :: -1], strides[l - 1 :: -1]):
            first, last = first * stride, last * stride + kernel - 1
        intervals.append((first, last))
    (first, last), (following, _) = intervals
    return last - first + 1, following - first


def wrong_windows(cases, seed=0):
    """In how many random networks the geometry differs from that recursion, or from its windows."""
    rng, wrong, layers = np.random.default_rng(seed), 0, 0
    for _ in range(cases):
        kernels = rng.integers(1, 6, rng.integers(1, 6)).tolist()
        strides = [int(rng.integers(1, k + 1)) for k in kernels]
        stack = tuple(qdn.GCLayer(k, 2, s) for k, s in zip(kernels, strides))
        length = projected(kernels, strides, len(kernels))[0]
        geometry = ConvGeometry((length,), stack, (True,) * len(stack), boundary="valid")
        for l in range(1, len(stack) + 1):
            field, step = projected(kernels, strides, l)
            layers += 1
            window = geometry.window(l, (0,))
            wrong += geometry.receptive_field(l) != (field,) or geometry.total_stride(l) != (step,)
            wrong += window[-1] - window[0] + 1 != field
    return wrong, layers


def growth(blocks):
    """Field and stride after each layer, K = 3: convolutions alone, or pooling in between."""
    table = {}
    for name, kernels, strides in (
        ("no pooling", [3] * (2 * blocks), [1] * (2 * blocks)),
        ("pooling", [3, 2] * blocks, [1, 2] * blocks),
    ):
        table[name] = [projected(kernels, strides, l) for l in range(1, 2 * blocks + 1)]
    return table


# ------------------------------------------------------------------- ranks


def sites_of(size):
    """The first sites of a chain, or a corner block."""
    return list(range(size)) if isinstance(size, int) else list(np.ndindex(*size))


def certified(shape, letters, size, seeds):
    """The best rank of some random weights, and the upper bound."""
    net = network(shape, letters)
    ranks = [qdn.schmidt_rank(net, sites_of(size), size=SIZE, seed=seed) for seed in seeds]
    layer = half_window_layer(net)
    return {
        "layers": letters,
        "rank": max(map(int, ranks)),
        "bound": ranks[0].upper_bound,
        "full_matrix": ranks[0].full_matrix,
        "half_window_stride": layer and layer[1],
    }


def compare(quick):
    """Each pair of networks."""
    rows = []
    for label, (shape, pooled, plain, size) in PAIRS.items():
        if quick and math.prod(np.atleast_1d(shape)) > 16:
            continue
        with_pool = certified(shape, pooled, size, range(1 if quick else 3))
        without = certified(shape, plain.replace("p", ""), size, range(1))
        alpha, ndim = (size, 1) if isinstance(size, int) else (min(size), 2)
        order = pooled_entropy_order(alpha, 2, ndim)
        row = {"label": label, "lattice": ndim == 2, "order": order, "pooled": with_pool}
        rows.append({**row, "plain": without})
    return rows


def equally_many_convolutions(quick):
    """Half of a chain: two and three convolutions, with pooling between them and without."""
    rows = []
    for kernel, blocks in itertools.product((2, 3), (2, 3)):
        conv = qdn.GCLayer(kernel, 2)
        row = {"kernel": kernel, "convolutions": blocks}
        for name, layers in (
            ("pooled", [conv, POOL] * (blocks - 1) + [conv]),
            ("plain", [conv] * blocks),
        ):
            net = qdn.ConvAC.rand(16 if quick else 32, layers=layers, seed=0)
            half = len(net.geometry.sites) // 2
            row[name] = int(qdn.schmidt_rank(net, half, size=512, seed=0))
        rows.append({**row, "order": pooled_entropy_order(half, kernel, 1)})
    return rows


# ------------------------------------------------------------------- picture


def draw(out, table, pairs):
    """Fig. 5 in numbers, and the ranks with and without pooling."""
    figure, (left, right) = new_figure(
        1, 2, figsize=(12, 5), gridspec_kw={"width_ratios": [1, 1.4]}
    )
    for (name, pairs_of_sizes), color in zip(table.items(), ("C0", "C1")):
        fields, strides = zip(*pairs_of_sizes)
        layers = range(1, len(fields) + 1)
        left.semilogy(layers, fields, "o-", color=color, base=2, label=f"{name}: receptive field")
        left.semilogy(layers, strides, "s:", color=color, base=2, label=f"{name}: stride")
    left.set(xlabel="layer", ylabel="sites, in total", title="Fig. 5 in numbers, $K$ = 3")
    left.legend(frameon=False, fontsize=9)
    grid = np.arange(len(pairs))
    for shift, key, color in ((-0.2, "plain", "C0"), (0.2, "pooled", "C1")):
        bits = [math.log2(p[key]["rank"]) for p in pairs]
        label = {"plain": "without pooling", "pooled": "with pooling"}[key]
        bars = right.bar(grid + shift, bits, 0.38, color=color, label=label)
        right.bar_label(bars, [str(p[key]["rank"]) for p in pairs], fontsize=9)
    right.set_xticks(grid, [p["label"].replace(", ", "\n") for p in pairs], fontsize=8)
    right.set(ylabel="log$_2$ Schmidt rank", title="Ranks of equally deep networks, $K$ = 2")
    right.margins(y=0.12)
    right.legend(frameon=False, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, out, "theorem_3.png")


def row(out, quick=False):
    """The row, and the picture."""
    wrong, layers = wrong_windows(20 if quick else 300)
    table, pairs, chains = growth(3), compare(quick), equally_many_convolutions(quick)
    ratio = min(math.log2(p["pooled"]["rank"]) / p["order"] for p in pairs)
    ratio = min(ratio, *(math.log2(c["pooled"]) / c["order"] for c in chains))
    lower = all(p["pooled"]["rank"] < p["plain"]["rank"] for p in pairs)
    proven = sum(p["pooled"]["bound"] < p["plain"]["rank"] for p in pairs)
    cases = "; ".join(
        f"{p['label'].replace(chr(10), ', ').replace('×', 'x')}, {p['pooled']['rank']} instead of "
        f"{p['plain']['rank']}"
        for p in pairs
    )
    many = chains[-1]
    (wide, stride), (narrow, _) = table["pooling"][-1], table["no pooling"][-1]
    return Row(
        claim="Theorem 3, Figs. 4 and 5",
        says="With pooling of 2 per dimension between convolutions the bound falls from "
        "min(a**d, L K a**(d-1)) to min(a**d, K a**(d-1)): a large total stride leaves few "
        "pairs of sites to join (Fig. 5).",
        computes=f"After {len(table['pooling'])} layers with K = 3, half of them pooling, a node "
        f"sees {wide} sites instead of {narrow}, but nodes stand {stride} sites apart. Ranks of "
        f"equally deep networks with K = 2 and bond dimension 2, with pooling and without: "
        f"{cases}. So pooling costs entanglement at equal depth. It need not at an equal number "
        f"of convolutions: {many['convolutions']} of K = {many['kernel']} on a chain give "
        f"{many['pooled']} with pooling between them and {many['plain']} without, for "
        "windows grow. The order of Theorem 3 is kept everywhere, log2 of the rank is at least "
        f"{ratio:.2f} of it.",
        certified=f"Receptive fields and strides of {layers} random layers agree with a recursion "
        f"from the definition and with the windows themselves ({wrong} differ). Ranks are lower "
        "bounds from minors modulo 2**31 - 1, the best of "
        f"{'one draw' if quick else '3 draws'} of the weights. In {proven} of {len(pairs)} pairs a "
        "minimum cut proves that no weights of the pooled network reach the rank without pooling.",
        holds=wrong == 0 and lower and proven > 0 and ratio >= LEAST_RATIO,
        numbers={
            "layers_checked": layers,
            "layers_wrong": wrong,
            "field_and_stride": table,
            "equal_depth": pairs,
            "equal_convolutions": chains,
            "least_ratio": ratio,
            "proven_lower": proven,
        },
        pictures=[draw(out, table, pairs)],
    )
