"""Methods of quimb that would be wrong on these networks, and what to use instead.

Two reasons cover almost all of them:

- *pairs*: the method works on the bond between two tensors, and here an index may join many. It
  runs as soon as no hyper-indices are left, so call ``hyperinds_resolve()`` first.
- *one per site*: the method takes the network for one tensor per site, and here most tensors
  are weights that belong to no site.
"""

import functools

from ..errors import MethodError

PAIRS = "it works on bonds between two tensors, and here hyper-indices join more"
PER_SITE = "it takes each site for one tensor, and here most tensors are weights of no site"

NEEDS_PAIRS = (
    "aslinearoperator balance_bonds bond bond_size canonize_around canonize_between compress_all "
    "compress_all_1d "
    "compress_all_simple compress_all_tree compress_between contract_around "
    "contract_around_center contract_around_corner contract_compressed cut_between cut_bond "
    "drape_bond_between fit gauge_all gauge_all_belief_propagation gauge_all_canonize "
    "gauge_all_random gauge_all_simple gauge_insert gauge_local gauge_simple_insert "
    "gauge_simple_temp insert_compressor_between_regions insert_gauge insert_operator "
    "replace_section_with_svd replace_with_identity replace_with_svd"
).split()

EXACT = "local_expectation_exact, or compute_local_expectation_exact for many terms"
REFUSED = {
    **dict.fromkeys(
        (
            "local_expectation_cluster local_expectation_simple "
            "local_expectation_gloop_expand local_expectation_sloop_expand "
            "compute_local_expectation_cluster compute_local_expectation_simple "
            "compute_local_expectation_gloop_expand compute_local_expectation_sloop_expand"
        ).split(),
        (PER_SITE, EXACT),
    ),
    **dict.fromkeys(
        (
            "local_expectation compute_local_expectation compute_local_expectation_rehearse "
            "compute_local_expectation_tn"
        ).split(),
        (f"its compressed contraction needs one tensor per site ({PER_SITE})", EXACT),
    ),
    "partial_trace": (f"its compressed contraction {PER_SITE[3:]}", "partial_trace_exact"),
    "partial_trace_cluster": (PER_SITE, "partial_trace_exact"),
    "norm_gloop_expand": (PER_SITE, "norm"),
    "normalize_simple": (PER_SITE, "psi / psi.norm()"),
    "get_cluster": (PER_SITE, "select, select_local or make_reduced_density_matrix"),
    "sample_configuration_cluster": (PER_SITE, "amplitudes, with a sampler of your own"),
    "gate_simple": (PER_SITE, "gate(G, where, contract=True)"),
    "get_site_neighbor_map": (PER_SITE, "get_tid_neighbor_map"),
    "get_path_between_sites": (PER_SITE, "get_path_between_tids"),
    "gen_bond_coos": (PER_SITE, "ind_map, which lists the tensors of each index"),
    "gen_gloops_sites": (PER_SITE, "gen_gloops"),
    "get_local_gloops": (PER_SITE, "gen_gloops"),
    "get_local_sloops": (PER_SITE, "gen_sloops"),
    **dict.fromkeys(
        "pair_simplify loop_simplify compress_simplify".split(),
        ("it loses track of tensors that share several indices", "full_simplify()"),
    ),
    "gate_fit_local_": (PER_SITE, "gate(G, where, contract=True)"),
    "split": ("it belongs to single tensors", "split_tensor, or contract first"),
}
TIED = {
    "randomize": (
        "it would draw each copy of a tied weight by itself",
        "rand with another seed",
    ),
    "isometrize": ("its tensors are not isometries", "normalize"),
    "unitize": ("its tensors are not isometries", "normalize"),
}


def refuse(cls, table=REFUSED):
    """Class decorator: put the methods of the tables behind an error that explains."""
    for name in (*NEEDS_PAIRS, *table):
        for method in (name, name + "_"):
            inherited = getattr(cls, method, None)
            if inherited is not None and not hasattr(inherited, "refused"):
                setattr(cls, method, _guard(inherited, method, table.get(name)))
    return cls


def refuse_tied(cls):
    """Class decorator: the same for methods that would break the ties between weights."""
    return refuse(cls, TIED)


def _guard(inherited, name, verdict):
    """A method that raises: always, or, without a verdict, where there are hyper-indices."""
    why, instead = verdict or (PAIRS, "hyperinds_resolve() first, which writes COPY tensors")

    @functools.wraps(inherited)
    def _method(self, *args, **kwargs):
        if verdict or self.get_hyperinds():
            raise MethodError(f"{name} cannot work on this network: {why}; use {instead}.")
        return inherited(self, *args, **kwargs)

    _method.refused = why, instead  # type: ignore[attr-defined]
    return _method
