"""Eqs. (2) and (4), Figs. 1(e), 2(e) and 3: recursive networks, and DUP, by hand."""

import itertools
import string

import numpy as np
import quimb.tensor as qtn

import quimb_deepnets as qdn
from examples.paper.common import TAGS, Row, new_figure, save_figure

FIG3 = (1, 1, 2, 2, 2, 3, 3, 4, 4)


def figures():
    """The networks of Figs. 1(e) and 2(e), with entries -2..2, so that sums are exact."""
    rng = np.random.default_rng(0)

    def integers(net):
        params = {k: rng.integers(-2, 3, x.shape).astype(float) for k, x in net.params.items()}
        params |= {k: 1 + abs(x) for k, x in params.items() if x.ndim == 1}
        return type(net).from_params(net.geometry, params)

    sizes = {"depth": 2, "kernel": 2, "bond_dim": 2}
    valid = {**sizes, "depth": 3, "boundary": "valid"}
    return {
        "4 sites, kernel 2, two padded layers": integers(qdn.ConvAC.rand(4, **sizes, seed=0)),
        "4 sites, kernel 2, three layers without padding": integers(
            qdn.ConvAC.rand(4, **valid, seed=0)
        ),
        "3 sites, two recurrent layers": integers(qdn.RAC.rand(3, depth=2, bond_dim=2, seed=0)),
    }


def output(net, config):
    """The network on one-hot inputs, layer by layer, each vector computed once and used again."""
    x = np.eye(net.phys_dim)[list(config)]
    if isinstance(net, qdn.RAC):
        hidden = list(net.initial)
        for below in x:
            for l, (wh, wi) in enumerate(zip(net.hidden_weights, net.input_weights)):
                hidden[l] = below = (wh @ hidden[l]) * (wi @ below)
        return net.readout @ below
    for w in net.weights:
        if net.boundary == "ones":  # one neighbour is missing on the left of the first node
            x = np.concatenate([np.ones((1, x.shape[1])), x])
        x = np.array([(w[0] @ a) * (w[1] @ b) for a, b in itertools.pairwise(x)])
    return net.readout @ x.prod(0)


def undo_deltas(psi):
    """The tensor A before DUP: the network with a leg of its own for each copy of a site."""
    legs, tensors = {psi.site_ind(site): [] for site in psi.sites}, []
    outer = {t.inds[1]: t.inds[0] for t in psi if "DELTA" in t.tags}
    for t in psi:
        if "DELTA" not in t.tags:
            names = {}
            for leaf in outer.keys() & set(t.inds):
                copies = legs[outer[leaf]]
                copies.append(f"{outer[leaf]}copy{len(copies)}")
                names[leaf] = copies[-1]
            tensors.append(t.reindex(names))
    return qtn.TensorNetwork(tensors), legs


def diagonal(array, groups):
    """DUP by numpy: legs of one group take one letter."""
    letters = string.ascii_letters
    return np.einsum(
        f"{''.join(letters[g] for g in groups)}->{letters[: max(groups) + 1]}",
        array,
    )


def check(name, net):
    """One network: A, DUP(A) in two ways, and the output on every configuration."""
    psi = net.to_tensor_network(nodes="dense")
    expanded, legs = undo_deltas(psi)
    order = [leg for copies in legs.values() for leg in copies]
    a = expanded.contract(output_inds=order).data
    vector = np.array(
        [output(net, s) for s in itertools.product(range(net.phys_dim), repeat=len(legs))]
    )
    by_numpy = diagonal(a, [i for i, copies in enumerate(legs.values()) for _ in copies])
    by_quimb = qdn.dup(expanded, legs).contract(output_inds=list(legs)).data
    return {
        "network": name,
        "order": a.ndim,
        "copies": [len(copies) for copies in legs.values()],
        "copies_of_geometry": list(net.geometry.duplication.values()),
        "tensors": [psi.num_tensors, net.geometry.num_tensors("dense")],
        "nonzero": int(np.count_nonzero(vector)),
        "dup_equals_output": bool(
            np.array_equal(by_numpy.reshape(-1), vector)
            and np.array_equal(by_quimb.reshape(-1), vector)
        ),
        "ours_equals_output": bool(np.allclose(psi.to_dense().reshape(-1), vector, atol=1e-9)),
    }


def order_nine():
    """Fig. 3 on an order-9 tensor: all modes of dup against the diagonal; the difference."""
    a = qtn.rand_tensor((2,) * 9, list("abcdefghi"), tags="A", seed=0)
    groups = {f"s{g}": [leg for leg, h in zip(a.inds, FIG3) if h == g] for g in (1, 2, 3, 4)}
    expected = diagonal(a.data, [g - 1 for g in FIG3])
    made = {mode: qdn.dup(a, groups, mode=mode) for mode in ("hyper", "copy", "tree", "mps")}
    differences = (
        abs(tn.contract(output_inds=list(groups)).data - expected).max() for tn in made.values()
    )
    return made["copy"], groups, float(max(differences))


def count_tensors(quick):
    """Built networks against the integers of their geometry: how many agree, of how many."""
    nets = [
        qdn.ConvAC.rand(n, depth=d, kernel=k, bond_dim=2, boundary=b, seed=0)
        for n, d, k, b in itertools.product((6, 9), (1, 2, 3), (2, 3), ("ones", "omit", "periodic"))
    ]
    nets += [qdn.RAC.rand(n, depth=d, bond_dim=2, seed=0) for n in (3, 8) for d in (1, 2, 3, 4)]
    good = [
        net.to_tensor_network(nodes=nodes).num_tensors == net.geometry.num_tensors(nodes)
        for net in (nets[::3] if quick else nets)
        for nodes in ("hyper", "dense")
    ]
    return sum(good), len(good)


def draw(out, nets, duplicated, groups):
    """Figs. 1(e), 2(e) and 3."""
    figure, axes = new_figure(2, 2, figsize=(11, 9))
    figure.suptitle(TAGS)
    labels = "Fig. 1(e)", "Fig. 1(e)", "Fig. 2(e)"
    for ax, label, (name, net) in zip(axes.flat, labels, nets.items()):
        net.to_tensor_network(nodes="dense").draw(ax=ax, title=f"{label}: {name}")
    (tid,) = duplicated.tag_map["A"]
    fix = {tid: (1.5, 2.0)}
    for n, (leg, delta) in enumerate(zip(groups, duplicated.tag_map["DELTA"])):
        fix[delta], fix[leg] = (n, 1.0), (n, 0.3)
    options = {"legend": False, "show_tags": False, "multi_edge_spread": 0.04}
    options["node_shape"] = {"DELTA": "s"}
    title = "Fig. 3: nine legs of a tensor, joined in groups (DUP)"
    duplicated.draw(["A", "DELTA"], ax=axes[1, 1], fix=fix, title=title, **options)
    return save_figure(figure, out, "recursive.png")


def row(out, quick=False):
    """Build A, take its diagonal, and compare with the network that uses its vectors again."""
    nets = figures()
    results = [check(name, net) for name, net in nets.items()]
    duplicated, groups, difference = order_nine()
    good, built = count_tensors(quick)
    holds = all(
        r["dup_equals_output"]
        and r["ours_equals_output"]
        and r["nonzero"]
        and r["copies"] == r["copies_of_geometry"]
        and r["tensors"][0] == r["tensors"][1]
        and r["order"] == sum(r["copies"])
        for r in results
    )
    holds &= difference < 1e-14 and good == built and duplicated.num_tensors == 1 + len(groups)
    orders = "; ".join(
        f"{r['network']}: a tensor of order {r['order']} with its sites duplicated "
        f"{', '.join(map(str, r['copies']))} times"
        for r in results
    )
    return Row(
        claim="Eqs. (2) and (4), Figs. 1(e), 2(e), 3",
        says="Overlapping convolutions and deep recurrent circuits are recursive tensor networks: "
        "re-used vectors are generated again from duplicated inputs, and DUP, a delta on the "
        "duplicated legs, makes the state.",
        computes=f"{orders}. Their diagonals are the outputs of the networks on all "
        f"{sum(2 ** len(r['copies']) for r in results)} configurations. "
        f"DUP of an order-9 tensor with legs {', '.join(map(str, FIG3))} "
        + (f"differs by {difference:.0e} from" if difference else "equals")
        + " numpy's diagonal.",
        certified="Exact equality on integer weights, between numpy's diagonal of A, dup in quimb "
        "and a network that computes each vector once; the number of tensors is that of the "
        f"geometry, in integers, in {good} of {built} networks built.",
        holds=bool(holds),
        numbers={"networks": results, "dup_difference": difference, "counts": [good, built]},
        pictures=[draw(out, nets, duplicated, groups)],
    )
