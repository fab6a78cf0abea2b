"""quimb's operators, states and numbers with states of any library and dtype, beside vectors."""

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch
from scipy import sparse

import quimb_deepnets as qdn

NET = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=2, seed=0, loc=0.3)
FORMS = {
    "expanded": lambda net: net.to_tensor_network(),
    "collapsed": lambda net: net.collapse(),
    "sum": lambda net: net.collapse() + net.to_tensor_network(),
}
LIBRARIES = ["numpy", "numpy-float32", "torch", "torch-float32", "torch-complex64"]
Z, Y = qu.pauli("Z"), qu.pauli("Y")
ZZ = Z & Z
MPS = qtn.MPS_rand_state(4, 3, seed=1, dtype="complex128")


def tolerance(psi):
    return 2e-5 if psi.dtype in ("float32", "complex64") else 1e-10


@pytest.fixture(params=[(f, x) for f in FORMS for x in LIBRARIES], ids="-".join)
def psi(request):
    form, library = request.param
    return FORMS[form](NET.to(library))


@pytest.fixture
def v(psi):
    x = psi.to("numpy").to_dense()
    return np.asarray(x, "complex128").reshape(-1)


def full(G, where):
    """A local operator as a matrix on all four sites."""
    n = len(where)
    x = np.eye(16).reshape((2,) * 4 + (16,))
    x = np.tensordot(np.asarray(G).reshape((2,) * (2 * n)), x, (range(n, 2 * n), where))
    return np.moveaxis(x, range(n), where).reshape(16, 16)


def check_close(x, expected, psi):
    x = np.asarray(x.detach().resolve_conj() if hasattr(x, "detach") else x)
    assert x.reshape(-1) == pytest.approx(np.asarray(expected).reshape(-1), abs=tolerance(psi) * 10)


OPERATORS = {
    "quimb": ZZ,
    "real": ZZ.real,
    "integers": np.kron([[1, 0], [0, -1]], [[0, 1], [1, 0]]),
    "one axis per leg": np.asarray(Z & Y).reshape(2, 2, 2, 2),
    "single precision": np.asarray(Z & Y, "complex64"),
    "torch": torch.tensor(np.asarray(Y & Z)),
    "sparse": sparse.csr_matrix(np.asarray(Y & Z)),
    "sparse of torch": torch.tensor(np.asarray(ZZ.real)).to_sparse(),
    "lists": np.asarray(ZZ.real).tolist(),
    "read-only, reversed": np.asarray(qu.rand_herm(4, seed=3))[::-1, ::-1],
}


def dense(G):
    G = G.toarray() if hasattr(G, "toarray") else G
    G = G.to_dense() if hasattr(G, "is_sparse") and G.is_sparse else G
    return np.asarray(G).reshape(4, 4)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("library", ["numpy", "torch", "torch-float32"])
@pytest.mark.parametrize("form", ["expanded", "collapsed"])
def test_expectation_values_and_gates(form, library, name):
    psi, v = FORMS[form](NET.to(library)), np.asarray(NET.to_dense()).reshape(-1)
    G, where = OPERATORS[name], (1, 2)
    D = full(dense(G), where)
    expected = (v.conj() @ D @ v) / (v.conj() @ v)
    check_close(psi.local_expectation_exact(G, where), expected, psi)
    check_close(
        psi.compute_local_expectation_exact({where: G, 0: Z}, return_all=True)[where], expected, psi
    )
    value, norm = psi.local_expectation_exact(G, where, normalized="return")
    check_close(value / norm, expected, psi)
    for contract in (False, True, "split-gate"):
        gated = psi.gate(G, where, contract=contract)
        check_close(gated.to_dense(), D @ v, psi)
        assert len({t.data.dtype for t in gated}) == 1 or "numpy" in str(type(gated.arrays[0]))
    check_close(psi.gate_inds(G, ["k1", "k2"]).to_dense(), D @ v, psi)


def test_states_and_numbers(psi, v):
    w = MPS.to_dense().reshape(-1)
    check_close(psi.overlap(MPS), w.conj() @ v, psi)
    check_close(psi.H @ MPS, v.conj() @ w, psi)
    check_close((psi.H & MPS) ^ all, v.conj() @ w, psi)
    check_close((psi + MPS).to_dense(), v + w, psi)
    check_close(psi.distance(MPS), np.linalg.norm(v - w), psi)
    check_close(psi.overlap(NET.collapse()), np.asarray(NET.to_dense()).reshape(-1) @ v, psi)
    for x in (1j, 2 - 1j, np.complex128(1j), torch.tensor(2j), -3.0, np.float64(2.0)):
        check_close((x * psi).to_dense(), complex(x) * v, psi)
        check_close((psi / x).to_dense(), v / complex(x), psi)
    check_close((1j * psi).partial_trace_exact([0]), psi.partial_trace_exact([0]), psi)
    u = np.array([1j, 2.0])
    check_close(psi.vector_reduce("k0", u).to_dense(), u @ v.reshape(2, 8), psi)
    H = qtn.MPO_ham_heis(4)
    check_close(psi.gate_with_op_lazy(H).overlap(psi), v.conj() @ H.to_dense() @ v, psi)
    gate = qtn.TensorNetwork([qtn.Tensor(Y, ("a", "b"))])
    check_close(psi.gate_inds_with_tn(["k0"], gate, ["b"], ["a"]).to_dense(), full(Y, [0]) @ v, psi)
    check_close(
        psi.gate_sandwich_inds(Y, ["k0"], ["k3"]).to_dense(), full(Y & Y.conj(), [0, 3]) @ v, psi
    )
    terms = qtn.ham_1d_heis(4)
    expected = (v.conj() @ qu.ham_heis(4, sparse=False) @ v) / (v.conj() @ v)
    check_close(psi.compute_local_expectation_exact(terms), expected, psi)


@pytest.mark.parametrize("library", ["numpy", "torch-float32"])
@pytest.mark.parametrize("name", OPERATORS)
def test_contract_sliced(library, name):
    net = NET.to(library)
    v, D = np.asarray(NET.to_dense()).reshape(-1), full(dense(OPERATORS[name]), (1, 2))
    G = OPERATORS[name]
    found = qdn.contract_sliced(net, ("local_expectation", (1, 2)), G=G)
    check_close(found, (v @ D @ v) / (v @ v), net)


def test_the_dtype_never_falls():
    phi = NET.to("torch-float32").collapse()
    assert phi.local_expectation_exact(Z, 0).dtype == torch.complex128
    assert phi.local_expectation_exact(Z.real.astype("float32"), 0).dtype == torch.float32
    assert phi.gate(Z, 0).dtype == "complex128" and phi.gate(Z.real, 0).dtype == "float64"
    assert phi.overlap(MPS).dtype == torch.complex128
    assert (1j * phi).dtype == "complex64" and (2.0 * phi).dtype == "float32"
    assert phi.dtype == "float32" and MPS.dtype == "complex128"  # nothing in place
    task = ("local_expectation", 0)
    assert qdn.contract_sliced(phi, task, G=Z.real).dtype == torch.float64
    inplace = phi.copy()
    inplace.gate_(Z, 0, contract=True)
    assert inplace.dtype == "complex128" and {x.dtype for x in inplace.arrays} == {torch.complex128}


def test_copies_of_one_array_stay_one_array():
    psi = NET.to("torch").to_tensor_network()
    gated = psi.gate(Y, 0)
    for tag in psi.shared_tags:
        ts = [t for t in gated if tag in t.tags]
        assert all(t.data is ts[0].data for t in ts)


def test_derivatives_pass_through_conversions():
    x = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    G = torch.stack([torch.stack([x, x * 0]), torch.stack([x * 0, -x])])
    phi = NET.collapse()  # of numpy: it must become one of torch
    slope = float(phi.local_expectation_exact(Z.real, 1))
    for value in (phi.local_expectation_exact(G, 1), phi.gate(G, 1).overlap(phi) / phi.norm() ** 2):
        assert float(torch.autograd.grad(value, x, retain_graph=True)[0]) == pytest.approx(slope)
    trained = NET.to("torch").collapse()
    trained["READOUT"].modify(data=trained["READOUT"].data.clone().requires_grad_())
    (trained.gate(Y, 0).norm() + abs(trained.overlap(MPS))).backward()
    assert trained["READOUT"].data.grad.dtype == torch.float64


PSI, LATTICE = NET.to_tensor_network(), qdn.RecursiveTree.rand((2, 2), 1, 2, 2, seed=0)
ERRORS = {
    "G of two sites": (lambda p: p.gate(ZZ, 0), qdn.OptionError, "(4, 4)"),
    "G of phys_dim 3": (lambda p: p.gate(np.eye(3), 0), qdn.OptionError, "(3, 3)"),
    "G of no axes": (lambda p: p.gate(2.0, 0), qdn.OptionError, "()"),
    "G of words": (lambda p: p.gate("Z", 0), qdn.OptionError, "'Z'"),
    "G of nothing": (lambda p: p.local_expectation_exact(None, 0), qdn.OptionError, "None"),
    "G ragged": (lambda p: p.gate([[1, 0], [1]], 0), qdn.OptionError, "[1]"),
    "G an MPO": (lambda p: p.gate(qtn.MPO_identity(2), (0, 1)), qdn.OptionError, "lazy"),
    "G is too large": (lambda p: p.local_expectation_exact(ZZ, 0), qdn.OptionError, "(2, 2)"),
    "G of inds": (lambda p: p.gate_inds(ZZ, ["k0"]), qdn.OptionError, "(4, 4)"),
    "inner index": (
        lambda p: p.gate_inds(Z, [next(ix for ix in p.inner_inds() if p.ind_size(ix) == 2)]),
        qdn.OptionError,
        "inner",
    ),
    "no index": (lambda p: p.gate_inds(Z, ["q0"]), qdn.OptionError, "does not exist"),
    "an index twice": (lambda p: p.gate_inds(ZZ, ["k0", "k0"]), qdn.OptionError, "twice"),
    "no site": (lambda p: p.gate(Z, 7), qdn.SitesError, "7"),
    "no second site": (lambda p: p.gate(ZZ, (0, 7)), qdn.SitesError, "7"),
    "a site twice": (lambda p: p.gate(ZZ, (1, 1)), qdn.SitesError, "twice"),
    "fixed site": (lambda p: p.isel({"k1": 0}).gate(Z, 1), qdn.SitesError, "1"),
    "three sites": (
        lambda p: p.gate(np.eye(8), (0, 1, 2), contract="split-gate"),
        qdn.OptionError,
        "contract=True",
    ),
    "contract": (lambda p: p.gate(Z, 0, contract="foo"), qdn.OptionError, "'foo'"),
    "which": (lambda p: p.gate(Z, 0, which="upper"), qdn.OptionError, "'upper'"),
    "terms an MPO": (
        lambda p: p.compute_local_expectation_exact(qtn.MPO_ham_heis(4)),
        qdn.OptionError,
        "gate_with_op_lazy",
    ),
    "no terms": (lambda p: p.compute_local_expectation_exact({}), qdn.OptionError, "empty"),
    "terms of words": (lambda p: p.compute_local_expectation_exact("Z"), qdn.OptionError, "str"),
    "vector": (lambda p: p.vector_reduce("k0", [1, 2, 3]), qdn.OptionError, "(3,)"),
    "long double": (
        lambda p: p.to("torch").gate(np.eye(2, dtype="longdouble"), 0),
        qdn.OptionError,
        "complex128",
    ),
}


@pytest.mark.parametrize(
    "psi", [FORMS["expanded"](NET), FORMS["collapsed"](NET.to("torch"))], ids=["numpy", "torch"]
)
@pytest.mark.parametrize("case", ERRORS)
def test_bad_operands(case, psi):
    call, error, fragment = ERRORS[case]
    with pytest.raises(error) as caught:
        call(psi)
    assert type(caught.value) is error and fragment in str(caught.value)


def test_the_remedy_for_an_operator_network():
    v, H = NET.to_dense().reshape(-1), qtn.MPO_ham_heis(4)
    found = PSI.gate_with_op_lazy(H).overlap(PSI) / PSI.norm() ** 2
    assert found == pytest.approx((v @ H.to_dense() @ v) / (v @ v))
