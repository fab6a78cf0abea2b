"""Eq. (1), Fig. 1(b, c): a convolution that does not overlap is quimb's tree network."""

import itertools
import math

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn
from examples.paper.common import TAGS, Row, new_figure, save_figure


def integer_network(sites, layers, phys_dim, shared, seed):
    """A ConvAC with entries -2..2, so that every sum of products is exact."""
    net = qdn.ConvAC.rand(sites, layers=layers, phys_dim=phys_dim, shared=shared, seed=seed)
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-2, 3, w.shape).astype(float) for w in net.weights]
    readout = rng.integers(1, 3, net.readout.shape).astype(float)
    return qdn.ConvAC(sites, weights, readout, strides=net.strides)


def matrix(net, l, n, k):
    """``W[k]`` of layer l at node n."""
    w = net.weights[l - 1]
    return w[k] if w.ndim == 3 else w[n, k]


def output(net, config):
    """The network of Fig. 1(a) on one-hot vectors, by nested loops."""
    values = [[float(m == s) for m in range(net.phys_dim)] for s in config]
    for l, layer in enumerate(net.layers, 1):
        above = []
        for n in range(len(values) // layer.kernel):
            y = [1.0] * layer.bond_dim
            for k in range(layer.kernel):
                w, x = matrix(net, l, n, k), values[n * layer.kernel + k]
                for i in range(layer.bond_dim):
                    y[i] *= sum(w[i, j] * x[j] for j in range(len(x)))
            above.append(y)
        values = above
    (top,) = values
    return sum(w * y for w, y in zip(net.readout, top))


def plain_tree(net, sites):
    """Fig. 1(b) in plain quimb: order-(K + 1) tensors, by the formula of Fig. 1's caption."""
    nodes, legs = [], [f"k{n}" for n in range(sites)]
    for l, layer in enumerate(net.layers, 1):
        above = []
        for n in range(len(legs) // layer.kernel):
            below = legs[n * layer.kernel : (n + 1) * layer.kernel]
            w = [matrix(net, l, n, k) for k in range(layer.kernel)]
            a = np.empty((layer.bond_dim, *(x.shape[1] for x in w)))
            for i, *js in itertools.product(*map(range, a.shape)):
                a[(i, *js)] = math.prod(x[i, j] for x, j in zip(w, js))
            above.append("top" if l == net.depth else f"y{l},{n}")
            nodes.append(qtn.Tensor(a, (above[-1], *below), tags=f"LAYER{l}"))
        legs = above
    return nodes, qtn.Tensor(net.readout, legs, tags="READOUT")


def equal_tensors(psi, nodes, readout):
    """Walk down both trees from the top, leg by leg; how many tensors are equal, 0 if not all."""
    ours = {t.inds[1 if "DELTA" in t.tags else 0]: t for t in psi if "READOUT" not in t.tags}
    theirs = {t.inds[0]: t for t in nodes}
    if not np.array_equal(psi["READOUT"].data, readout.data):
        return 0
    pairs, equal = [(psi["READOUT"].inds[0], "top")], 1
    while pairs:
        a, b = pairs.pop()
        t = ours.pop(a)
        if b not in theirs:  # a leg of a site: an identity between it and the leaf
            if t.inds[0] != b or not np.array_equal(t.data, np.eye(psi.phys_dim())):
                return 0
            continue
        if not np.array_equal(t.data, theirs[b].data):
            return 0
        pairs += zip(t.inds[1:], theirs[b].inds[1:])
        equal += 1
    return 0 if ours else equal


def check(name, layers, phys_dim, shared, seed):
    """One network: equal tensors, equal amplitudes, entropies below the law of a tree."""
    sites = math.prod(layer.kernel for layer in layers)
    net = integer_network(sites, layers, phys_dim, shared, seed)
    nodes, readout = plain_tree(net, sites)
    psi = net.to_tensor_network(nodes="dense")
    tree = qtn.TensorNetwork([*nodes, readout])
    outer = [f"k{n}" for n in range(sites)]
    vector = tree.contract(output_inds=outer).data.reshape(-1)
    configs = list(itertools.product(range(phys_dim), repeat=sites))
    loops = np.array([output(net, config) for config in configs])
    ours = (net.to_dense(), psi.to_dense(), net.amplitudes(configs))
    return {
        "network": name,
        "tensors": len(nodes) + 1,
        "equal_tensors": equal_tensors(psi, nodes, readout),
        "amplitudes": len(loops),
        "nonzero": int(np.count_nonzero(loops)),
        "quimb_equals_loops": bool(np.array_equal(vector, loops)),
        "ours_largest_difference": max(float(abs(x.reshape(-1) - loops).max()) for x in ours),
        "largest_amplitude": float(abs(loops).max()),
        "one_tree": tree.num_tensors - 1 == len(tree.inner_inds()),
    }, psi


def draw(out, psi):
    """Fig. 1(b), from the tensors."""
    figure, ax = new_figure(figsize=(8, 4.2))
    figure.suptitle(TAGS, fontsize=10)
    psi.draw(ax=ax, title="A ConvAC whose windows do not overlap is a tree, Fig. 1(b)")
    return save_figure(figure, out, "tree.png")


def row(out, quick=False):
    """Compare tensor by tensor and amplitude by amplitude, on integers."""
    two, three = qdn.GCLayer(2, 3, 2), qdn.GCLayer(3, 3, 3)
    cases = [
        ("8 sites, kernel 2, three layers", [two, qdn.GCLayer(2, 4, 2), two], 2, True, 3),
        ("8 sites, kernel 2, weights of its own at each node", [two] * 3, 2, False, 1),
        ("6 sites, kernels 3 and 2", [three, two], 2 if quick else 3, True, 2),
    ]
    if not quick:
        cases.append(("9 sites, kernel 3", [three, three], 2, False, 4))
    results, networks = zip(*(check(*case) for case in cases))
    holds = all(
        r["equal_tensors"] == r["tensors"]
        and r["quimb_equals_loops"]
        and r["one_tree"]
        and r["nonzero"]
        and r["ours_largest_difference"] <= 1e-12 * r["largest_amplitude"]
        for r in results
    )
    difference = max(r["ours_largest_difference"] / r["largest_amplitude"] for r in results)
    return Row(
        claim="Eq. (1), Fig. 1(b, c)",
        says="The output of a non-overlapping convolutional circuit (K = S) on one-hot inputs is "
        "an entry of a tree tensor network with tensors a_{i,j1..jK} = prod_k W^(k)_{i,jk}.",
        computes=f"{sum(r['equal_tensors'] for r in results)} of "
        f"{sum(r['tensors'] for r in results)} tensors of {len(results)} networks are equal, entry "
        "by entry, to a tree built from the formula in plain quimb, and so are all "
        f"{sum(r['amplitudes'] for r in results)} amplitudes to the output of the network.",
        certified="Weights are integers, so quimb's contraction and the network written as nested "
        "loops agree exactly; our own amplitudes, computed with mantissas and powers of two, "
        + (f"differ by {difference:.0e} of the largest." if difference else "agree exactly too."),
        holds=bool(holds),
        numbers={"networks": results},
        pictures=[draw(out, networks[0])],
    )
