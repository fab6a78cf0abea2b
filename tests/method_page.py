"""The page of what quimb's methods and functions do on our networks, by subject.

Run as ``python -m tests.method_page`` to write ``docs/methods.md``::

    method_table, function_table  --subjects-->  right | refused, with what to use instead
"""

import pathlib

from . import function_table, method_table

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "methods.md"

SUBJECTS = {
    "Amplitudes and whole states": "amplitude amplitudes log_amplitudes isel to_dense to_qarray "
    "item convert_to_zero largest_element sample sample_configuration_cluster trace flip",
    "Norms, overlaps, sums": "norm norm_gloop_expand normalize normalize_simple overlap distance "
    "distance_normalized make_norm make_overlap add __add__ __radd__ __sub__ __iadd__ __isub__ "
    "__rsub__ multiply multiply_each negate __mul__ __rmul__ __imul__ __truediv__ __itruediv__ "
    "__neg__ H conj __matmul__ __rmatmul__ strip_exponent distribute_exponent exponent "
    "equalize_norms",
    "Density matrices and expectation values": "partial_trace partial_trace_cluster "
    "partial_trace_exact make_reduced_density_matrix compute_reduced_factor "
    "magnetization correlation local_expectation local_expectation_cluster local_expectation_exact "
    "local_expectation_gloop_expand local_expectation_simple local_expectation_sloop_expand "
    "compute_local_expectation compute_local_expectation_cluster compute_local_expectation_exact "
    "compute_local_expectation_gloop_expand compute_local_expectation_rehearse "
    "compute_local_expectation_simple compute_local_expectation_sloop_expand "
    "compute_local_expectation_tn",
    "Entanglement": "entropy entropies renyi_entropy schmidt_values schmidt_gap schmidt_rank "
    "mutinf_subsys logneg_subsys renyi2_estimate entanglement_plan",
    "Gates and operators": "gate gate_fit_local_ gate_inds gate_inds_with_tn gate_sandwich_inds "
    "gate_simple gate_with_op_lazy aslinearoperator insert_operator align",
    "Contraction": "contract contract_around contract_around_center contract_around_corner "
    "contract_between contract_compressed contract_cumulative contract_ind contract_tags "
    "contraction_cost contraction_info contraction_path contraction_tree contraction_width "
    "cut_iter get_equation get_inputs_output_size_dict get_symbol_map geometry_hash flatten "
    "__xor__ __ixor__ __rshift__ __irshift__",
    "Simplification": "full_simplify antidiag_gauge column_reduce diagonal_reduce rank_simplify "
    "split_simplify sum_reduce vector_reduce squeeze hyperinds_resolve fuse_multibonds "
    "loop_simplify pair_simplify compress_simplify reduce_inds_onto_bond",
    "Bonds: canonize, compress, gauge, cut": "balance_bonds bond bond_size "
    "canonize_around canonize_between compress_all compress_all_1d compress_all_simple "
    "compress_all_tree compress_between cut_between cut_bond drape_bond_between "
    "expand_bond_dimension new_bond fit gauge_all gauge_all_belief_propagation "
    "gauge_all_canonize gauge_all_random gauge_all_simple gauge_insert gauge_local "
    "gauge_simple_insert gauge_simple_remove gauge_simple_temp insert_gauge "
    "insert_compressor_between_regions replace_section_with_svd replace_with_identity "
    "replace_with_svd split split_tensor isometrize unitize",
    "Parts, joining, deleting": "select select_all select_any select_local select_neighbors "
    "select_path select_sites select_tensors partition partition_tensors get_cluster delete "
    "pop_tensor remove_all_tensors add_tensor add_tensor_network combine __and__ __iand__ __or__ "
    "__ior__ __rand__ __ror__ __setitem__ subgraphs copy __copy__ view_as view_like from_TN "
    "as_network new mangle_inner_ make_tids_consecutive reset_cached_properties check",
    "Names, tags and sizes": "add_tag drop_tags retag retag_all retag_sites reindex reindex_all "
    "reindex_sites tags site_tag site_tag_id site_tags site_tags_present site_ind site_ind_id "
    "site_inds site_inds_present sites nsites has_site L Lx Ly cyclic phys_dim shape all_inds "
    "inner_inds outer_inds outer_dims_inds outer_size ind_size ind_sizes inds_size max_bond "
    "num_indices num_tensors tensors tensors_sorted get_hyperinds get_multibonds "
    "filter_valid_site_tags maybe_convert_coo gen_site_coos gen_sites_present gen_tags_from_coos "
    "gen_inds_from_coos gen_bond_coos __getattr__",
    "Arrays, dtypes, parameters": "arrays apply_to_arrays astype to backend dtype dtype_name "
    "get_namespace get_params set_params iscomplex isblocksparse isfermionic rand randomize",
    "To other forms and back": "network from_network geometry nodes shared_tags collapse to_mps",
    "The graph of tensors": "graph graph_tree_span istree isconnected compute_centralities "
    "compute_contracted_inds compute_hierarchical_grouping compute_hierarchical_linkage "
    "compute_hierarchical_ordering compute_hierarchical_ssa_path compute_shortest_distances "
    "connected_bipartitions gen_all_paths_between_tids gen_gloops gen_gloops_sites "
    "gen_inds_connected gen_loops gen_patches gen_paths_loops gen_sloops get_local_gloops "
    "get_local_patch get_local_sloops get_loop_union get_path_between_sites "
    "get_path_between_tids get_site_neighbor_map get_tid_neighbor_map get_tree_span "
    "least_central_tid most_central_tid tids_are_connected",
    "Pictures": "draw draw_3d draw_3d_interactive draw_interactive draw_tree_span "
    "visualize_tensors",
}

FUNCTIONS = {
    "Circuits": ("Circuit",),
    "DMRG and time evolution": ("DMRG", "TEBD", "SimpleUpdate"),
    "Belief propagation": ("D1BP", "D2BP", "HD1BP", "HV1BP", "L1BP", "L2BP", "contract_", "sample_")
    + ("compress_", "converge_", "gauge_", "initialize_"),
    "Compression": ("tensor_network_1d_compress", "tensor_network_ag_compress", "enforce_"),
    "Everything else": ("",),
}

HEAD = [
    "# Every method of quimb on our tensor networks",
    "",
    "`RecursiveTree` and `RecursiveMPS` are quimb vectors. Each method and operator that they "
    "inherit is **right**, so that the state is what the dense vector gives, or raises a "
    "`MethodError` that says why and **what to use instead**. A method `foo_` does in place what "
    "`foo` does.",
    "",
    "Two things make some of quimb's methods unusable here:",
    "",
    "- **hyper-indices**: a node of the network is one index on many tensors. Methods that work on "
    "the bond between *two* tensors refuse while there are any; `hyperinds_resolve()` puts COPY "
    "tensors in their place, and then they run.",
    "- **one tensor per site**: most tensors are weights that belong to no site. Methods that take "
    "each site for one tensor always refuse.",
    "",
    "The tests call each right method on chains and lattices, real and complex, shared and "
    "unshared, and fail when quimb adds a method that is not listed. The page is written by "
    "`python -m tests.method_page`.",
]


def subjects(names):
    """The subject of each name, in order; every name has one."""
    found = {name: subject for subject, group in SUBJECTS.items() for name in group.split()}
    if set(names) != set(found):
        raise ValueError(f"subjects and methods differ in {sorted(set(names) ^ set(found))}")
    return {subject: group.split() for subject, group in SUBJECTS.items()}


def section(title, group, decided):
    """What is right, in a line; what is refused, by what to use instead."""
    right = [f"`{name}`" for name in group if decided[name][0] == "right"]
    lines = ["", f"## {title}", "", f"Right: {', '.join(right)}."] if right else ["", f"## {title}"]
    refused: dict[str, list[str]] = {}
    for name in group:
        verdict, why = decided[name]
        if verdict == "refuses hyper-indices":
            refused.setdefault("after `hyperinds_resolve()`", []).append(f"`{name}`")
        elif verdict == "refuses":
            refused.setdefault(why.rpartition("; use ")[2], []).append(f"`{name}`")
    if refused:
        lines += ["", "| refused | use instead |", "|---|---|"]
        lines += [f"| {', '.join(names)} | {instead} |" for instead, names in refused.items()]
    return lines


def functions():
    """The part of the page that is about functions."""
    rest = dict(function_table.remarks())
    lines = [
        "",
        "## Functions of quimb that take a network",
        "",
        "Called with our states, raw and normalized, beside a quimb MPS as a control. "
        "Functions that work on sites or on bonds between two tensors are right "
        'on networks without hyper-indices (`nodes="dense"` of trees and of a RAC of depth 1, or '
        "after `hyperinds_resolve()`), up to what they estimate on loops; where there are "
        "hyper-indices they raise our `MethodError` or `MissingError`, which name what to use, or "
        "an error of quimb's own, where quimb asks the network for nothing that could refuse.",
    ]
    for title, prefixes in FUNCTIONS.items():
        remarks: dict[str, list[str]] = {}
        for name in [name for name in rest if name.startswith(prefixes)]:
            remarks.setdefault(rest.pop(name), []).append(f"`{name}`")
        lines += ["", f"### {title}", "", "| function | remark |", "|---|---|"]
        lines += [f"| {', '.join(names)} | {remark} |" for remark, names in remarks.items()]
    lines += ["", "### Not for our states", "", "| functions | because each |", "|---|---|"]
    for why, names in function_table.NO_STATE.items():
        lines.append(f"| {', '.join(f'`{name}`' for name in names.split())} | {why} |")
    return lines


def page():
    """The generated page."""
    decided = method_table.decisions()
    lines = list(HEAD)
    for title, group in subjects(decided).items():
        lines += section(title, group, decided)
    return "\n".join(lines + functions()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf8")
    print(f"wrote {PAGE}")
