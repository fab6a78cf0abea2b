"""What every method that quimb gives our classes does here: right, or refused, and why.

`method_page` writes ``docs/methods.md`` from it.
"""

import copy

import numpy as np
import quimb as qu
import quimb.tensor as qtn

from quimb_deepnets.hyper.refusals import NEEDS_PAIRS, PAIRS, REFUSED, TIED

from .inner_names import inner


def ind(psi, i):
    return psi.site_ind(psi.sites[i])


def operator(psi, sites=1, seed=0):
    return qu.rand_matrix(psi.phys_dim() ** sites, seed=seed)


def act(psi, v, G, where):
    """Apply a dense operator to the axes of a dense tensor."""
    n, d = len(where), psi.phys_dim()
    G = np.asarray(G).reshape((d,) * (2 * n))
    out = np.tensordot(G, v, axes=(range(n, 2 * n), where))
    return np.moveaxis(out, range(n), where)


def rho(v, where):
    """The reduced density matrix of a dense tensor, not normalised."""
    m = np.moveaxis(v, where, range(len(where))).reshape(v.shape[0] ** len(where), -1)
    return m @ m.conj().T


def inplace(name, *args, **kwargs):
    """Call a method that changes the network, on a copy, and return the copy."""

    def call(psi):
        new = psi.copy()
        getattr(new, name)(*args, **kwargs)
        return new

    return call


def other(psi):
    """Another state on the same sites, with other inner structure."""
    if psi.geometry.ndim == 2:
        return qtn.PEPS.rand(*psi.geometry.shape, bond_dim=2, phys_dim=psi.phys_dim(), seed=5)
    return qtn.MPS_rand_state(psi.nsites, 2, phys_dim=psi.phys_dim(), seed=5)


def plain(psi):
    """The same tensors as an ordinary quimb vector."""
    ids = {"sites": psi.sites, "site_tag_id": psi.site_tag_id, "site_ind_id": psi.site_ind_id}
    return qtn.TensorNetworkGenVector.from_TN(psi, **ids)


def lone(psi):
    """The tid of the read-out, a tensor with a tag of its own."""
    (tid,) = psi._get_tids_from_tags("READOUT")
    return tid


def first_tag(psi):
    return psi.site_tag(psi.sites[0]), "DELTA"


def cut_and_join(psi):
    a, b = psi.partition("LAYER1")
    return a | b


def select_and_join(psi):
    return psi.select("LAYER1", "any") & psi.select("LAYER1", "!any")


# ---- methods after which the state is the same: a network (or tensor) with the same dense vector
SAME = {
    "collapse": lambda p: p.collapse(),
    "antidiag_gauge": lambda p: p.antidiag_gauge(),
    "apply_to_arrays": inplace("apply_to_arrays", lambda x: x * 1.0),
    "as_network": lambda p: p.as_network(),
    "astype": lambda p: p.astype("complex128"),
    "column_reduce": lambda p: p.column_reduce(),
    "conj": lambda p: p.conj().conj(),
    "contract": lambda p: p.contract(),
    "contract_between": lambda p: inplace("contract_between", "READOUT", first_tag(p))(p),
    "contract_cumulative": lambda p: p.contract_cumulative([["LAYER1"], ["READOUT"]]),
    "contract_ind": lambda p: inplace("contract_ind", inner(p, "_y"))(p),
    "contract_tags": lambda p: p.contract_tags(["LAYER1", "READOUT"]),
    "copy": lambda p: p.copy(virtual=True),
    "diagonal_reduce": lambda p: p.diagonal_reduce(),
    "distribute_exponent": lambda p: (lambda q: (q.distribute_exponent(), q)[1])(
        p.equalize_norms(1.0)
    ),
    "draw": lambda p: (p.draw(show_tags=False, return_fig=True), p)[1],
    "equalize_norms": lambda p: p.equalize_norms(),
    "expand_bond_dimension": lambda p: p.expand_bond_dimension(4),
    "flatten": lambda p: p.flatten(),
    "flip": lambda p: p.flip([ind(p, 1)]).flip([ind(p, 1)]),
    "full_simplify": lambda p: p.full_simplify(),
    "fuse_multibonds": lambda p: p.fuse_multibonds(),
    "hyperinds_resolve": lambda p: p.hyperinds_resolve(),
    "mangle_inner_": inplace("mangle_inner_"),
    "make_tids_consecutive": inplace("make_tids_consecutive", 100),
    "negate": lambda p: p.negate().negate(),
    "new_bond": lambda p: (lambda q: (q.new_bond("READOUT", first_tag(p)), q)[1])(p.copy()),
    "partition": cut_and_join,
    "rank_simplify": lambda p: p.rank_simplify(),
    "reindex": lambda p: p.reindex({inner(p, "_y"): "_z"}),
    "reset_cached_properties": inplace("reset_cached_properties"),
    "select": select_and_join,
    "split_simplify": lambda p: p.split_simplify(),
    "split_tensor": lambda p: inplace("split_tensor", first_tag(p), [ind(p, 0)])(p),
    "squeeze": lambda p: p.squeeze(),
    "strip_exponent": lambda p: (lambda q: (q.strip_exponent(lone(q)), q)[1])(p.copy()),
    "to": lambda p: p.to("torch").to("numpy"),
    "view_as": lambda p: p.view_as(qtn.TensorNetwork),
    "view_like": lambda p: p.view_like(p),
    "from_TN": lambda p: type(p).from_TN(p.view_as(qtn.TensorNetwork), like=p),
    "retag": lambda p: p.retag({"LAYER1": "L"}),
    "add_tag": inplace("add_tag", "X"),
    "drop_tags": inplace("drop_tags"),
    "set_params": lambda p: (lambda q: (q.set_params(p.get_params()), q)[1])(p.copy()),
    "add": lambda p: _rebuilt(p, lambda q, t: q.add(t)),
    "add_tensor": lambda p: _rebuilt(p, lambda q, t: q.add_tensor(t)),
    "add_tensor_network": lambda p: _rebuilt(p, lambda q, t: q.add_tensor_network(t.as_network())),
    "pop_tensor": lambda p: _popped(p, lambda q, tid: q.pop_tensor(tid)),
    "partition_tensors": lambda p: _readded(*p.partition_tensors("LAYER1")),
    "select_all": lambda p: p.select_all(["LAYER1"]) | p.select("LAYER1", "!all"),
    "select_any": lambda p: p.select_any(["LAYER1"]) | p.select("LAYER1", "!any"),
    "align": lambda p: p.align(p.copy())[0].reindex_sites(p.site_ind_id),
    "__copy__": copy.copy,
    "__and__": lambda p: p.select("LAYER1") & p.select("LAYER1", "!all"),
    "__or__": lambda p: p.select("LAYER1") | p.select("LAYER1", "!all"),
    "__iand__": lambda p: _i(p.select("LAYER1", virtual=False), "&=", p.select("LAYER1", "!all")),
    "__ior__": lambda p: _i(p.select("LAYER1", virtual=False), "|=", p.select("LAYER1", "!all")),
    "combine": lambda p: p.select("LAYER1").combine(p.select("LAYER1", "!all")),
    "__xor__": lambda p: p ^ all,
    "__ixor__": lambda p: _i(p.copy(), "^=", "LAYER1"),
    "__rshift__": lambda p: p >> [["LAYER1"], ["READOUT"]],
    "__irshift__": lambda p: _i(p.copy(), ">>=", [["LAYER1"], ["READOUT"]]),
    "__neg__": lambda p: -1 * (-p),
    "__setitem__": lambda p: _set(p.copy()),
}


def _i(a, op, b):
    """An in-place operator, as a user writes it."""
    scope = {"a": a, "b": b}
    exec(f"a {op} b", scope)
    return scope["a"]


def _set(p):
    p["READOUT"] = p["READOUT"].copy()
    return p


def _rebuilt(p, add):
    q = p.new(like=p)
    for t in p:
        add(q, t)
    return q


def _popped(p, pop):
    q = p.copy()
    q.add_tensor(pop(q, lone(q)))
    return q


def _readded(rest, tensors):
    for t in tensors:
        rest.add_tensor(t)
    return rest


# ---- methods with a value or another state: (call, expected from the dense tensor v)
VALUE = {
    "H": (lambda p: p.H, lambda v, p: v.conj()),
    "multiply": (lambda p: p.multiply(-3.0), lambda v, p: -3 * v),
    "multiply_each": (lambda p: p.multiply_each(1.5), lambda v, p: v * 1.5**p.num_tensors),
    "__mul__": (lambda p: p * 2.5, lambda v, p: 2.5 * v),
    "__rmul__": (lambda p: (2 + 1j) * p, lambda v, p: (2 + 1j) * v),
    "__imul__": (lambda p: _i(p.copy(), "*=", 3.0), lambda v, p: 3 * v),
    "__truediv__": (lambda p: p / 4, lambda v, p: v / 4),
    "__itruediv__": (lambda p: _i(p.copy(), "/=", 4.0), lambda v, p: v / 4),
    "__add__": (lambda p: p + other(p), lambda v, p: v + dense(other(p), v)),
    "__sub__": (lambda p: p - other(p), lambda v, p: v - dense(other(p), v)),
    "__radd__": (lambda p: plain(p) + p, lambda v, p: 2 * v),
    "__rsub__": (lambda p: plain(3 * p) - p, lambda v, p: 2 * v),
    "__iadd__": (lambda p: _i(p.copy(), "+=", p), lambda v, p: 2 * v),
    "__isub__": (lambda p: _i(p.copy(), "-=", 3 * p), lambda v, p: -2 * v),
    "__matmul__": (lambda p: p @ other(p), lambda v, p: (v * dense(other(p), v)).sum()),
    "__rmatmul__": (lambda p: other(p) @ p, lambda v, p: (v * dense(other(p), v)).sum()),
    "__rand__": (
        lambda p: (plain(other(p)) & p).contract(),
        lambda v, p: (v * dense(other(p), v)).sum(),
    ),
    "__ror__": (
        lambda p: (plain(other(p)) | p.copy()).contract(),
        lambda v, p: (v * dense(other(p), v)).sum(),
    ),
    "norm": (lambda p: p.norm(), lambda v, p: np.linalg.norm(v)),
    "normalize": (lambda p: p.normalize(), lambda v, p: v / np.linalg.norm(v)),
    "make_norm": (lambda p: p.make_norm().contract(), lambda v, p: np.linalg.norm(v) ** 2),
    "overlap": (lambda p: p.overlap(other(p)), lambda v, p: np.vdot(dense(other(p), v), v)),
    "make_overlap": (
        lambda p: p.make_overlap(other(p)).contract(),
        lambda v, p: np.vdot(dense(other(p), v), v),
    ),
    "distance": (
        lambda p: p.distance(other(p)),
        lambda v, p: np.linalg.norm(v - dense(other(p), v)),
    ),
    "distance_normalized": (
        lambda p: p.distance_normalized(2 * p),
        lambda v, p: 2 / 3,
    ),
    "to_dense": (lambda p: p.to_dense(), lambda v, p: v.reshape(-1, 1)),
    "to_qarray": (lambda p: p.to_qarray(), lambda v, p: v.reshape(-1, 1)),
    "isel": (lambda p: p.isel({ind(p, 0): 1}), lambda v, p: v[1]),
    "vector_reduce": (
        lambda p: p.vector_reduce(ind(p, 0), np.arange(1.0, p.phys_dim() + 1)),
        lambda v, p: np.tensordot(np.arange(1.0, len(v) + 1), v, 1),
    ),
    "sum_reduce": (lambda p: p.sum_reduce(ind(p, 1)), lambda v, p: v.sum(1)),
    "cut_iter": (
        lambda p: sum(x.to_dense() for x in p.isel({ind(p, 1): 0}).cut_iter(ind(p, 0))),
        lambda v, p: v[:, 0].sum(0).reshape(-1, 1),
    ),
    "gate": (
        lambda p: p.gate(operator(p, 2), (p.sites[0], p.sites[2]), contract=True),
        lambda v, p: act(p, v, operator(p, 2), (0, 2)),
    ),
    "gate_inds": (
        lambda p: p.gate_inds(operator(p, 2), [ind(p, 1), ind(p, 2)]),
        lambda v, p: act(p, v, operator(p, 2), (1, 2)),
    ),
    "gate_inds_with_tn": (
        lambda p: p.gate_inds_with_tn(
            [ind(p, 1)], qtn.Tensor(operator(p), ("a", "b")).as_network(), ["b"], ["a"]
        ),
        lambda v, p: act(p, v, operator(p), (1,)),
    ),
    "gate_sandwich_inds": (
        lambda p: p.gate_sandwich_inds(operator(p), [ind(p, 1)], [ind(p, 2)]),
        lambda v, p: act(p, act(p, v, operator(p), (1,)), operator(p).conj(), (2,)),
    ),
    "gate_with_op_lazy": (
        lambda p: p.gate_with_op_lazy(operator_network(p)),
        lambda v, p: (operator_network(p).to_dense() @ v.reshape(-1)).reshape(v.shape),
    ),
    "make_reduced_density_matrix": (
        lambda p: (
            p.make_reduced_density_matrix([p.sites[1]])
            .contract(output_inds=(ind(p, 1), f"b{p.sites[1]}"))
            .data
        ),
        lambda v, p: rho(v, (1,)),
    ),
    "partial_trace_exact": (
        lambda p: p.partial_trace_exact([p.sites[0], p.sites[2]]),
        lambda v, p: rho(v, (0, 2)) / np.vdot(v, v),
    ),
    "local_expectation_exact": (
        lambda p: p.local_expectation_exact(operator(p, 2), [p.sites[0], p.sites[1]]),
        lambda v, p: np.vdot(v, act(p, v, operator(p, 2), (0, 1))) / np.vdot(v, v),
    ),
    "compute_local_expectation_exact": (
        lambda p: p.compute_local_expectation_exact(
            {(p.sites[0], p.sites[1]): operator(p, 2), (p.sites[1], p.sites[2]): operator(p, 2, 1)}
        ),
        lambda v, p: (
            np.vdot(v, act(p, v, operator(p, 2), (0, 1)) + act(p, v, operator(p, 2, 1), (1, 2)))
            / np.vdot(v, v)
        ),
    ),
    "compute_reduced_factor": (
        lambda p: _square(p.compute_reduced_factor("right", p.site_inds[:2], p.site_inds[2:])),
        lambda v, p: _square(v.reshape(len(v) ** 2, -1)),
    ),
    "trace": (
        lambda p: p.trace([ind(p, 0)], [ind(p, 1)]),
        lambda v, p: np.trace(v, axis1=0, axis2=1),
    ),
    "reindex_sites": (lambda p: p.reindex_sites(holes(p, "b")), lambda v, p: v),
    "reindex_all": (lambda p: p.reindex_all(holes(p, "b")), lambda v, p: v),
    "retag_sites": (lambda p: p.retag_sites(holes(p, "T")), lambda v, p: v),
    "retag_all": (lambda p: p.retag_all(holes(p, "T")), lambda v, p: v),
    "phys_dim": (lambda p: p.phys_dim(), lambda v, p: len(v)),
    "outer_size": (lambda p: p.outer_size(), lambda v, p: v.size),
    "inds_size": (lambda p: p.inds_size(p.site_inds), lambda v, p: v.size),
    "largest_element": (
        lambda p: p.largest_element(),
        lambda v, p: np.prod([np.abs(t.data).max() for t in p]),
    ),
    "item": (
        lambda p: p.isel(dict.fromkeys(p.site_inds, 0)).contract_(all).item(),
        lambda v, p: v.flat[0],
    ),
    "convert_to_zero": (
        lambda p: (lambda q: (q.convert_to_zero(), q)[1])(p.copy()),
        lambda v, p: 0 * v,
    ),
    "reduce_inds_onto_bond": (
        lambda p: inplace("reduce_inds_onto_bond", ind(p, 0), ind(p, 1), tags=["NEW"])(p),
        lambda v, p: v,
    ),
}


def _square(m):
    m = np.asarray(m)
    return m.conj().T @ m


def holes(psi, letter):
    return letter + ",".join(["{}"] * psi.geometry.ndim)


def dense(state, v):
    return np.asarray(state.to_dense()).reshape(v.shape)


def operator_network(psi):
    """A random operator as a quimb MPO or PEPO on the same sites."""
    if psi.geometry.ndim == 2:
        return qtn.PEPO.rand(*psi.geometry.shape, bond_dim=2, phys_dim=psi.phys_dim(), seed=3)
    return qtn.MPO_rand(psi.nsites, 2, phys_dim=psi.phys_dim(), seed=3)


# ---- methods that read names, sizes and neighbours: as on a plain quimb vector of the same tensors
READS = (
    "all_inds arrays backend check compute_centralities compute_contracted_inds "
    "compute_hierarchical_grouping compute_hierarchical_linkage compute_hierarchical_ordering "
    "compute_hierarchical_ssa_path compute_shortest_distances connected_bipartitions "
    "contraction_cost contraction_info contraction_path contraction_tree contraction_width "
    "delete draw_3d draw_3d_interactive draw_interactive draw_tree_span dtype dtype_name exponent "
    "filter_valid_site_tags gen_all_paths_between_tids gen_gloops gen_inds_connected "
    "gen_inds_from_coos gen_loops gen_patches gen_paths_loops gen_site_coos gen_sites_present "
    "gen_sloops gen_tags_from_coos geometry_hash get_equation get_hyperinds "
    "get_inputs_output_size_dict "
    "get_local_patch get_loop_union get_multibonds get_namespace get_params "
    "get_path_between_tids get_symbol_map get_tid_neighbor_map get_tree_span graph "
    "graph_tree_span has_site ind_size ind_sizes inner_inds isblocksparse iscomplex isconnected "
    "isfermionic istree least_central_tid max_bond maybe_convert_coo most_central_tid new "
    "nsites num_indices num_tensors outer_dims_inds outer_inds remove_all_tensors select_local "
    "select_neighbors select_path select_sites select_tensors shape site_ind site_ind_id "
    "site_inds site_inds_present site_tag site_tag_id site_tags site_tags_present sites "
    "subgraphs tags tensors tensors_sorted tids_are_connected visualize_tensors "
    "gauge_simple_remove"
).split()

# ---- ours
OURS = (
    "L Lx Ly __getattr__ cyclic "
    "amplitude amplitudes from_network geometry log_amplitudes network nodes rand shared_tags "
    "to_mps schmidt_values entropy entropies renyi_entropy schmidt_gap mutinf_subsys "
    "logneg_subsys entanglement_plan schmidt_rank renyi2_estimate sample magnetization correlation"
).split()

# ---- refused always (see quimb_deepnets/hyper/refusals.py), or while there are hyper-indices
ALWAYS = {**REFUSED, **TIED}


def decisions():
    """Every decided method: name -> (verdict, why)."""
    out = {}
    for name in SAME:
        out[name] = ("right", "the state is the same afterwards")
    for name in VALUE:
        out[name] = ("right", "equal to the dense vector's")
    for name in READS:
        out[name] = ("right", "reads names, sizes or neighbours only")
    for name in OURS:
        out[name] = ("right", "our own")
    for name in NEEDS_PAIRS:
        out[name] = ("refuses hyper-indices", f"{PAIRS}; use `hyperinds_resolve()` first")
    for name, (why, instead) in ALWAYS.items():
        out[name] = ("refuses", f"{why}; use {instead}")
    return out
