"""What every function of quimb that takes a network does with our states: right, or refused.

A call gets a state ``p`` and its dense vector ``v`` and returns pairs ``(found, exact)``. A
function that estimates, as belief propagation does on loops, is exact where there are none.
"""

import inspect

import numpy as np
import quimb as qu
import quimb.tensor as qtn
import quimb.tensor.belief_propagation as bp
from quimb.tensor.tensor_core import TNLinearOperator
from quimb.tensor.tnag.compress import tensor_network_ag_compress

Z, H2 = qu.pauli("Z"), qu.rand_herm(4, seed=2)


def holes(p):
    return ",".join(["{}"] * len(np.atleast_1d(p.sites[0])))


def other(p, bond=2):
    """A quimb state on the same sites."""
    if isinstance(p.sites[0], tuple):
        return qtn.PEPS.rand(p.sites[-1][0] + 1, p.sites[-1][1] + 1, bond, seed=3)
    return qtn.MPS_rand_state(len(p.sites), bond, seed=3)


def operator(p):
    if isinstance(p.sites[0], tuple):
        return qtn.PEPO.rand(p.sites[-1][0] + 1, p.sites[-1][1] + 1, 2, seed=1)
    return qtn.MPO_rand(len(p.sites), 2, seed=1)


def dense(tn, p=None):
    inds = None if p is None else tuple(map(p.site_ind, p.sites))
    if isinstance(tn, qtn.Tensor):
        return np.asarray(tn.transpose(*inds).data).reshape(-1)
    return np.asarray(tn.to_dense() if inds is None else tn.to_dense(inds)).reshape(-1)


def rho(v, site):
    n = int(np.log2(len(v)))
    m = np.moveaxis(v.reshape((2,) * n), site, 0).reshape(2, -1)
    return m @ m.conj().T / np.vdot(v, v)


def fixed(p):
    """The amplitude of 0...0 as a network without outer legs."""
    return p.isel({p.site_ind(site): 0 for site in p.sites})


def ran(cls, p):
    found = cls(p)
    found.run()
    return found


def gated(p, v):
    """A circuit that starts from p, and the vector that it ends in."""
    n = len(p.sites)
    circuit = qtn.Circuit(n, psi0=p)
    circuit.h(0)
    circuit.cnot(0, 2)
    w = qu.pkron(qu.controlled("not"), [2] * n, (0, 2)) @ (qu.ikron(qu.hadamard(), [2] * n, 0) @ v)
    return circuit, np.asarray(w).reshape(-1)


def sampled(name, p, v, weight):
    """The chance that a sampler reports for the configuration that it drew."""
    config, _, chance = getattr(bp, name)(p, seed=1)
    return chance, weight[tuple(int(config[p.site_ind(site)]) for site in p.sites)]


def d2bp_weights(v):
    return (np.abs(v) ** 2 / np.vdot(v, v).real).reshape((2,) * int(np.log2(len(v))))


def dmrg(cls, p, **opts):
    n = len(p.sites)
    found = cls(qtn.MPO_ham_heis(n), bond_dims=16, p0=p, **opts)
    found.solve(max_sweeps=8)
    return found.energy, qu.groundenergy(qu.ham_heis(n, sparse=False))


def tebd(p, v):
    n = len(p.sites)
    found = qtn.TEBD(p, qtn.ham_1d_heis(n), progbar=False)
    found.update_to(0.01, dt=0.01, order=4)
    w = qu.expm(-0.01j * qu.ham_heis(n, sparse=False)) @ v
    return dense(found.pt), np.asarray(w).reshape(-1)


def linear_operator(cls, p, v, *args):
    inds = [p.site_ind(site) for site in p.sites]
    a = cls(p, inds[:2], inds[2:], *args)
    return np.asarray(a.to_dense()), v.reshape(4, -1)


def fitted(method, p, v):
    n = len(p.sites)
    bond = np.linalg.matrix_rank(v.reshape(2 ** (n // 2), -1))
    start = qtn.MPS_rand_state(n, bond, seed=5)
    start.compress()  # no bond larger than it can be, so that the fit is well conditioned
    return dense(start.fit(p, method=method, steps=60), p), v


def optimized(p, v):
    loss = lambda tn: (tn.H & tn).contract(output_inds=())
    found = qtn.TNOptimizer(p.copy(), loss, autodiff_backend="torch", progbar=False)
    return found.vectorized_value_and_grad(found.vectorizer.vector)[0], np.vdot(v, v).real


def compressed(function, method, p, v):
    found = function(
        p, max_bond=2 ** (len(p.sites) // 2), cutoff=0.0, method=method, optimize="greedy"
    )
    return dense(found, p), v


# ---- name -> call(p, v) -> (found, exact)
BP = {
    "contract_d1bp": lambda p, v: (bp.contract_d1bp(fixed(p)), v[0]),
    "contract_hd1bp": lambda p, v: (bp.contract_hd1bp(fixed(p)), v[0]),
    "contract_hv1bp": lambda p, v: (bp.contract_hv1bp(fixed(p)), v[0]),
    "contract_l1bp": lambda p, v: (bp.contract_l1bp(fixed(p)), v[0]),
    "contract_d2bp": lambda p, v: (bp.contract_d2bp(p), np.vdot(v, v)),
    "contract_l2bp": lambda p, v: (bp.contract_l2bp(p), np.vdot(v, v)),
    "D1BP": lambda p, v: (ran(bp.D1BP, fixed(p)).contract(), v[0]),
    "HD1BP": lambda p, v: (ran(bp.HD1BP, fixed(p)).contract(), v[0]),
    "HV1BP": lambda p, v: (ran(bp.HV1BP, fixed(p)).contract(), v[0]),
    "L1BP": lambda p, v: (ran(bp.L1BP, fixed(p)).contract(), v[0]),
    "D2BP": lambda p, v: (ran(bp.D2BP, p).partial_trace([p.sites[1]]), rho(v, 1)),
    "D2BP.compute_marginal": lambda p, v: (
        ran(bp.D2BP, p).compute_marginal(p.site_ind(p.sites[1])),
        rho(v, 1).diagonal(),
    ),
    "L2BP": lambda p, v: (ran(bp.L2BP, p).partial_trace(p.sites[1]), rho(v, 1)),
    "converge_d2bp": lambda p, v: (
        bp.converge_d2bp(p).partial_trace([p.sites[1]]),
        rho(v, 1),
    ),
    "compress_d2bp": lambda p, v: (dense(bp.compress_d2bp(p, 64, cutoff=0.0), p), v),
    "compress_l2bp": lambda p, v: (dense(bp.compress_l2bp(p, 64, cutoff=0.0), p), v),
    "gauge_d2bp": lambda p, v: (dense(bp.gauge_d2bp(p), p), v),
    "sample_d2bp": lambda p, v: sampled("sample_d2bp", p, v, d2bp_weights(v)),
    "sample_hd1bp": lambda p, v: sampled(
        "sample_hd1bp", p, v, (v / v.sum()).reshape((2,) * len(p.sites))
    ),
    "sample_hv1bp": lambda p, v: sampled(
        "sample_hv1bp", p, v, (v / v.sum()).reshape((2,) * len(p.sites))
    ),
    "initialize_hyper_messages": lambda p, v: (
        len(bp.initialize_hyper_messages(fixed(p))),
        2 * sum(t.ndim for t in fixed(p)),
    ),
}
COMPRESS = {
    f"tensor_network_1d_compress, {method}": lambda p, v, method=method: compressed(
        qtn.tensor_network_1d_compress, method, p, v
    )
    for method in ("direct", "dm", "fit", "zipup", "src", "srcmps", "projector")
} | {
    f"tensor_network_ag_compress, {method}": lambda p, v, method=method: compressed(
        tensor_network_ag_compress, method, p, v
    )
    for method in ("projector", "local-early", "local-late", "superorthogonal", "l2bp")
}
STATES = {
    "Circuit": lambda p, v: (dense(gated(p, v)[0].psi), gated(p, v)[1]),
    "Circuit.amplitude": lambda p, v: (
        gated(p, v)[0].amplitude("0" * len(p.sites)),
        gated(p, v)[1][0],
    ),
    "Circuit.local_expectation": lambda p, v: (
        gated(p, v)[0].local_expectation(Z, 1),
        np.trace(Z @ rho(gated(p, v)[1], 1)) * np.vdot(v, v),
    ),
    "Circuit.partial_trace": lambda p, v: (
        gated(p, v)[0].partial_trace((1,)),
        rho(gated(p, v)[1], 1) * np.vdot(v, v),
    ),
    "CircuitMPS": lambda p, v: (lambda c: (c.h(0), (dense(c.psi), _h0(v)))[1])(
        qtn.CircuitMPS(len(p.sites), psi0=p)
    ),
    "CircuitPermMPS": lambda p, v: (lambda c: (c.h(0), (dense(c.psi), _h0(v)))[1])(
        qtn.CircuitPermMPS(len(p.sites), psi0=p)
    ),
    "CircuitDense": lambda p, v: (lambda c: (c.h(0), (dense(c.psi), _h0(v)))[1])(
        qtn.CircuitDense(len(p.sites), psi0=p)
    ),
    "TEBD": tebd,
    "DMRG": lambda p, v: dmrg(qtn.DMRG, p, bsz=2),
    "DMRG1": lambda p, v: dmrg(qtn.DMRG1, p),
    "DMRG2": lambda p, v: dmrg(qtn.DMRG2, p),
    "TNLinearOperator": lambda p, v: linear_operator(TNLinearOperator, p, v),
    "TNOptimizer": optimized,
    "tensor_contract": lambda p, v: (dense(qtn.tensor_contract(*p), p), v),
    "tensor_contract, output_inds": lambda p, v: (
        dense(qtn.tensor_contract(*p, output_inds=list(map(p.site_ind, p.sites))), p),
        v,
    ),
    "expec_TN_1D": lambda p, v: (qtn.expec_TN_1D(p.H, p), np.vdot(v, v)),
    "align_TN_1D": lambda p, v: (qtn.expec_TN_1D(*qtn.align_TN_1D(p.H, p)), np.vdot(v, v)),
    "tensor_network_align": lambda p, v: (
        (lambda a, b: (a & b).contract(all, output_inds=()))(*qtn.tensor_network_align(p.H, p)),
        np.vdot(v, v),
    ),
    "MatrixProductOperator.apply": lambda p, v: (
        dense(operator(p).apply(p)),
        operator(p).to_dense() @ v,
    ),
    "MatrixProductOperator.apply, compress": lambda p, v: (
        dense(operator(p).apply(p, compress=True, max_bond=64, cutoff=0.0)),
        operator(p).to_dense() @ v,
    ),
    "tensor_network_apply_op_vec": lambda p, v: (
        dense(qtn.tensor_network_apply_op_vec(operator(p), p)),
        operator(p).to_dense() @ v,
    ),
    "tensor_network_ag_sum": lambda p, v: (
        dense(qtn.tensor_network_ag_sum(other(p), p)),
        dense(other(p)) + v,
    ),
    "tensor_network_sum": lambda p, v: (dense(qtn.tensor_network_sum(p, p), p), 2 * v),
    "tensor_network_distance": lambda p, v: (
        qtn.tensor_network_distance(other(p), p, method="overlap"),
        np.linalg.norm(dense(other(p)) - v),
    ),
    "tensor_network_fit_als": lambda p, v: fitted("als", p, v),
    "tensor_network_fit_tree": lambda p, v: fitted("tree", p, v),
    "tensor_network_ag_gate": lambda p, v: (
        dense(qtn.tensor_network_ag_gate(p, H2, p.sites[:2], contract=True), p),
        (H2 @ v.reshape(4, -1)).reshape(-1),
    ),
    "tensor_network_gate_inds": lambda p, v: (
        dense(
            qtn.tensor_network_gate_inds(p, H2, list(map(p.site_ind, p.sites[:2])), contract=True),
            p,
        ),
        (H2 @ v.reshape(4, -1)).reshape(-1),
    ),
    "gate_TN_1D": lambda p, v: (
        dense(qtn.gate_TN_1D(p, H2, p.sites[:2], contract=True), p),
        (H2 @ v.reshape(4, -1)).reshape(-1),
    ),
    "SimpleUpdateGen": lambda p, v: (
        (lambda su: (su.evolve(1, 1e-12), dense(su.get_state(), p))[1])(
            qtn.SimpleUpdateGen(
                p,
                qtn.LocalHamGen({p.sites[:2]: qu.ham_heis(2)}),
                D=64,
                progbar=False,
                compute_energy_every=None,
            )
        ),
        v / np.linalg.norm(v),  # it normalizes
    ),
    "enforce_1d_like": lambda p, v: (dense(qtn.enforce_1d_like(p), p), v),
    "TensorNetwork": lambda p, v: (
        qtn.TensorNetwork([p.H, p]).contract(output_inds=()),
        np.vdot(v, v),
    ),
    "bonds": lambda p, v: (sorted(qtn.bonds(p, other(p))), sorted(map(p.site_ind, p.sites))),
    "bonds_size": lambda p, v: (qtn.bonds_size(p, other(p)), len(v)),
    "group_inds": lambda p, v: (
        sorted(qtn.group_inds(p, other(p))[1]),
        sorted(map(p.site_ind, p.sites)),
    ),
    "pack": lambda p, v: (dense(qtn.unpack(*qtn.pack(p)), p), v),
}
TABLE = {**BP, **COMPRESS, **STATES}


def _h0(v):
    return np.asarray(qu.ikron(qu.hadamard(), [2] * int(np.log2(len(v))), 0) @ v).reshape(-1)


# ---- what quimb itself says where our networks have no hook: (error, fragment) -> rows
QUIMB_SAYS = {
    (ValueError, "TN has a hyper index"): "tensor_network_1d_compress enforce_1d_like",
    (ValueError, "appears more than twice"): "TNLinearOperator tensor_contract",
    (ValueError, "too many values to unpack"): "tensor_network_1d_compress "
    "tensor_network_ag_compress",
    (ValueError, "Probabilities are not non-negative"): "sample_hd1bp sample_hv1bp",
    (ValueError, "must have the same shape"): "HV1BP contract_hv1bp sample_hv1bp",
    (ValueError, "mismatched sizes"): "HV1BP contract_hv1bp sample_hv1bp",
    (ValueError, "shape-mismatch for sum"): "tensor_network_ag_compress",
    (KeyError, "_"): "D1BP contract_d1bp",  # the name of an index
    (TypeError, "unexpected keyword argument 'bra'"): "DMRG1",
}
# ---- belief propagation with one tensor per node takes loops as they are, and only estimates there
ESTIMATES = "HD1BP HV1BP contract_hd1bp contract_hv1bp sample_hd1bp sample_hv1bp".split()
# ---- wrong for quimb's own MPS as well: the chance that it reports has not converged
WRONG_IN_QUIMB = ["sample_d2bp"]

# ---- names with a parameter of a network that are decided by another row, or take no state of ours
SAME_AS = {
    "CircuitBase": "Circuit",
    "CircuitMPSLazy": "CircuitMPS",
    "CircuitPEPSSimpleUpdate": "SimpleUpdateGen",
    "DMRGX": "DMRG",
    "TEBDGen": "SimpleUpdateGen",
    "tensor_network_1d_compress": "tensor_network_1d_compress, dm",
}
NO_STATE = {
    "takes single tensors": "connect new_bond tensor_balance_bond tensor_canonize_bond "
    "tensor_compress_bond tensor_direct_product tensor_fuse_squeeze tensor_gauge_simple_bond",
    "takes an operator": "MPO_identity_like MPO_zeros_like superop_TN_1D "
    "tensor_network_apply_op_op tensor_network_gate_sandwich_inds",
    "takes a PEPS or a lattice without legs": "FullUpdate SimpleUpdate TEBD2D convert_to_2d "
    "convert_to_3d SimpleUpdateInfinite2D",
    "takes one tensor per site, and says so": "MovingEnvironment TNLinearOperator1D "
    "tensor_network_ag_gate_simple",
    "needs autograd or jax": "tensor_network_fit_autodiff",
    "draws its own numbers": "TN_matching",
    "is a class that views a network, as the table of methods has it": "TensorNetwork1D "
    "TensorNetwork2D TensorNetwork3D TensorNetworkGen TensorNetworkGenOperator "
    "TensorNetworkGenVector",
}
# rows that are about chains
CHAINS = [
    *(name for name in TABLE if name.startswith(("Circuit", "DMRG", "TEBD"))),
    *("tensor_network_fit_als", "tensor_network_fit_tree"),
]
NETWORK_PARAMETERS = {
    *("tn", "tns", "ts", "tna", "tnb", "tnA", "tnB", "tn_target", "tn_super", "tn_op", "psi0"),
    *("p0", "psi", "self", "A", "B", "x", "t1", "t2", "T1", "T2", "ta", "tb", "mpo", "mps", "obj"),
}


def functions():
    """The public names of quimb that take a network, as their signatures say."""
    found = set()
    for module in (qtn, bp):
        for name in getattr(module, "__all__", dir(module)):
            thing = getattr(module, name)
            if name.startswith("_") or not callable(thing):
                continue
            try:
                parameters = inspect.signature(thing).parameters
            except (TypeError, ValueError):
                continue
            if NETWORK_PARAMETERS.intersection(parameters):
                found.add(name)
    return found


def remarks():
    """What is to be said of each function that takes our states."""
    for name in sorted(TABLE):
        function, _, way = name.partition(", ")
        errors: dict[str, list[str]] = {}
        for (kind, fragment), rows in QUIMB_SAYS.items():
            if function.split(".")[0] in rows.split():
                errors.setdefault(kind.__name__, []).append(f'"{fragment}"')
        own = [f"`{kind}` ({', '.join(texts)})" for kind, texts in errors.items()]
        says = ["right or refused"]
        if own:
            says.append(f"with hyper-indices or other sizes quimb's own {' or '.join(own)}")
        if name in ESTIMATES:
            says.append("an estimate where there are loops")
        if name in WRONG_IN_QUIMB:
            says.append("the chance that it reports is off for quimb's own MPS, too")
        yield f"{function}(..., {way})" if way else function, "; ".join(says)
    for name, row in sorted(SAME_AS.items()):
        if not row.startswith(f"{name}, "):
            yield name, f"as `{row}`"
