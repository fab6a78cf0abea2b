"""What `to_mps` returns behaves as quimb's own MPS of the same vector, method by method."""

import math

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
from quimb.tensor.tensor_core import TNLinearOperator

import quimb_deepnets as qdn

NETS = {
    "conv": qdn.ConvAC.rand(8, 2, 2, 3, seed=0),
    "ring": qdn.ConvAC.rand(8, 2, 3, 3, boundary="periodic", loc=1.0, scale=0.5, seed=1),
    "rac": qdn.RAC.rand(8, 2, 2, dtype="complex128", dist="uniform", seed=3),
    "large": qdn.ConvAC.rand(8, 2, 2, 3, scale=30.0, seed=2),
    "small": qdn.RAC.rand(8, 1, 4, scale=1e-8, dtype="complex128", seed=4),
}
N = 8


def vector_of(net):
    return net.to_dense()[:, 0]


def unit_of(net):
    vector = vector_of(net)
    return vector / np.linalg.norm(vector)


def normalized(net):
    """The two ways to an MPS of norm 1."""
    later = net.to_mps()
    later.normalize()
    return [later, net.to_mps(normalize=True)]


def reduced(vector, keep):
    return np.asarray(qu.partial_trace(vector.reshape(-1, 1), [2] * N, keep))


def expectation(vector, where, *operators):
    total = vector.reshape((2,) * N)
    for site, operator in zip(where, operators):
        total = np.moveaxis(np.tensordot(operator, total, axes=(1, site)), 0, site)
    return np.vdot(vector, total.reshape(-1))


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]


def test_entropy_and_schmidt_values(net):
    for mps in normalized(net):
        assert mps.exponent == 0.0 and abs(mps.norm() - 1) < 1e-12
        for cut in range(1, N):
            s = np.linalg.svd(unit_of(net).reshape(2**cut, -1), compute_uv=False)
            found = np.sort(mps.schmidt_values(cut))[::-1]
            right = np.zeros(len(s))
            right[: len(found)] = found
            assert np.abs(right - s**2).max() < 1e-12
            entropy = -sum(p * math.log2(p) for p in s**2 if p > 0)
            assert abs(mps.entropy(cut) - entropy) < 1e-9
            gap = s[0] ** 2 - s[1] ** 2 if len(found) > 1 else s[0] ** 2
            assert abs(mps.schmidt_gap(cut) - gap) < 1e-12


@pytest.mark.parametrize("method", ["entropy", "schmidt_gap", "magnetization"])
def test_before_normalize_as_quimb_has_it(net, method):
    """Unnormalised states give unnormalised numbers, the same as those of quimb's own MPS."""
    mps = net.to_mps()
    own = qtn.MatrixProductState.from_dense(vector_of(net), dims=[2] * N)
    for i in range(1, N):
        right = getattr(own, method)(i)
        assert abs(getattr(mps, method)(i) - right) < 1e-9 * max(abs(right), mps.norm() ** 2)


def test_magnetization_and_correlation(net):
    vector = unit_of(net)
    z, x = qu.spin_operator("z"), qu.spin_operator("x")
    for mps in normalized(net):
        for site in (0, 3, N - 1):
            right = expectation(vector, (site,), z).real
            assert abs(mps.magnetization(site) - right) < 1e-12
        for i, j in ((0, 1), (2, 6), (7, 3)):
            right = expectation(vector, (i, j), z, x)
            right -= expectation(vector, (i,), z) * expectation(vector, (j,), x)
            assert abs(mps.correlation(z, i, j, B=x) - right) < 1e-12


def test_measure(net):
    tensor = unit_of(net).reshape((2,) * N)
    for mps in normalized(net):
        for site in (0, 4, N - 1):
            for outcome in (0, 1):
                part = np.moveaxis(tensor, site, 0)[outcome]
                chance = np.linalg.norm(part) ** 2
                if chance < 1e-12:
                    continue
                found, left = mps.measure(site, outcome=outcome, remove=True)
                assert found == outcome and abs(left.norm() - 1) < 1e-9
                overlap = np.vdot(left.to_dense()[:, 0], part.reshape(-1)) / math.sqrt(chance)
                assert abs(abs(overlap) - 1) < 1e-9
        counts = np.mean([mps.measure(3, seed=s)[0] for s in range(60)])
        chance = np.linalg.norm(np.moveaxis(tensor, 3, 0)[1]) ** 2
        assert abs(counts - chance) < 5 * math.sqrt(chance * (1 - chance) / 60) + 1e-9


def test_partial_trace(net):
    for mps in normalized(net):
        for keep in ((2, 3), (0, 5), (7,)):
            right = reduced(unit_of(net), keep)
            dense = mps.partial_trace_to_mpo(list(keep), rescale_sites=True).to_dense()
            assert np.abs(dense.T - right).max() < 1e-12  # quimb's MPO has the bra first
            found = mps.partial_trace_to_dense_canonical(keep)
            assert np.abs(found - right).max() < 1e-12
    for keep in ((2, 3), (0, 5)):  # it divides by the trace
        found = net.to_mps().partial_trace_to_dense_canonical(keep)
        assert np.abs(found - reduced(unit_of(net), keep)).max() < 1e-12


@pytest.mark.parametrize("centre", [0, 3, N - 1])
def test_canonize(net, centre):
    for mps in (net.to_mps(), *normalized(net)):
        info = {}
        moved = mps.canonize(centre, info=info, inplace=False)
        assert moved.calc_current_orthog_center() == (centre, centre)
        scale = mps.norm()
        assert np.abs(moved.to_dense() - mps.to_dense()).max() < 1e-12 * scale
        assert abs(np.linalg.norm(moved[centre].data) - scale) < 1e-12 * scale


def test_the_noted_centre_can_be_used(net):
    info = {}
    mps = net.to_mps(info=info)
    moved = mps.canonize(2, info=info, inplace=False)
    assert moved.calc_current_orthog_center() == (2, 2)
    mps = net.to_mps(normalize=True, info=info)
    s = np.linalg.svd(unit_of(net).reshape(2**3, -1), compute_uv=False)
    found = np.sort(mps.schmidt_values(3, info=info))[::-1]
    assert np.abs(found - s[: len(found)] ** 2).max() < 1e-12


@pytest.mark.parametrize("form", ["left", "right", 4, None])
def test_compress(net, form):
    for mps in (net.to_mps(), *normalized(net)):
        same, small = mps.copy(), mps.copy()
        same.compress(form, cutoff=0.0)
        assert np.abs(same.to_dense() - mps.to_dense()).max() < 1e-12 * mps.norm()
        small.compress(form, max_bond=2, cutoff=0.0)
        assert small.max_bond() <= 2
        vector = mps.to_dense()[:, 0] / mps.norm()
        lost = sum(
            (np.linalg.svd(vector.reshape(2**cut, -1), compute_uv=False)[2:] ** 2).sum()
            for cut in range(2, N - 1)
        )
        difference = np.linalg.norm(small.to_dense()[:, 0] / mps.norm() - vector) ** 2
        assert difference < lost * (1 + 1e-6) + 1e-12


def test_add_and_overlap(net):
    other = qtn.MPS_rand_state(N, 4, seed=1, dtype="complex128")
    w = other.to_dense()[:, 0]
    for mps in (net.to_mps(), *normalized(net)):
        v = mps.to_dense()[:, 0]
        tolerance = 1e-12 * (1 + np.linalg.norm(v))
        for found, right in (
            (mps + other, v + w),
            (other + mps, v + w),
            (mps - other, v - w),
            (mps + mps, 2 * v),
            (mps * 0.5j, 0.5j * v),
        ):
            assert np.abs(found.to_dense()[:, 0] - right).max() < tolerance
        assert abs(mps.overlap(other) - np.vdot(w, v)) < tolerance
        assert abs(mps.norm() - np.linalg.norm(v)) < tolerance
        assert abs(mps.distance(other) - np.linalg.norm(v - w)) < 1e-7 * (1 + mps.norm())


def test_circuits_and_operators():
    net = NETS["ring"]
    vector, gate = unit_of(net), qu.hadamard()
    for mps in normalized(net):
        circuit = qtn.Circuit(N, psi0=mps)
        circuit.h(0)
        after = np.tensordot(gate, vector.reshape(2, -1), axes=1)
        assert abs(circuit.psi.norm() - 1) < 1e-12
        chances = (np.abs(after) ** 2).reshape(4, -1).sum(1).reshape(2, 2)
        marginal = circuit.compute_marginal((0, 1), dtype="complex128")
        assert np.abs(np.asarray(marginal) - chances).max() < 1e-9
    mps = net.to_mps()
    H = qtn.MPO_ham_heis(N)
    dense = vector_of(net)
    right = np.vdot(dense, H.to_dense() @ dense) / np.vdot(dense, dense)
    assert abs(qtn.expec_TN_1D(mps.H, H, mps) / mps.norm() ** 2 - right) < 1e-12
    dmrg = qtn.DMRG2(H, bond_dims=8, p0=mps)
    dmrg.solve(verbosity=0, max_sweeps=2)
    assert abs(dmrg.state.norm() - 1) < 1e-9


STATES = [
    qdn.ConvAC.rand(6, 2, 2, 2, seed=1).collapse(),
    qdn.RAC.rand(6, 2, 2, seed=1).collapse(),
    qdn.RBM.rand(6, seed=3).to_tensor_network(),
    qdn.RBM.rand(6, scale=2.0, dtype="complex128", seed=3).to_tensor_network(),
]


@pytest.mark.parametrize("psi", STATES, ids=repr)
def test_hyper_networks_hold_their_scale_in_their_tensors(psi):
    assert psi.exponent == 0.0
    dense, inds = psi.to_dense()[:, 0], tuple(f"k{n}" for n in range(6))
    plain = qtn.tensor_contract(*psi, output_inds=inds).data.reshape(-1)
    assert np.abs(plain - dense).max() < 1e-12 * np.linalg.norm(dense)
    operator = TNLinearOperator(list(psi), inds[:3], inds[3:], ldims=(2,) * 3, rdims=(2,) * 3)
    x = np.random.default_rng(0).standard_normal(8)
    assert np.abs(operator @ x - dense.reshape(8, 8) @ x).max() < 1e-11 * np.linalg.norm(dense)
    fit = qtn.MPS_rand_state(6, 8, seed=5, dtype=psi.dtype).fit(
        psi, method="als", steps=40, enforce_pos=True
    )
    assert np.linalg.norm(fit.to_dense()[:, 0] - dense) < 1e-2 * np.linalg.norm(dense)


def test_scales_beyond_the_dtype_stay_in_the_exponent():
    net = qdn.ConvAC.rand(64, 4, 2, 8, seed=0)
    info = {}
    mps = net.to_mps(max_bond=8, info=info)
    assert abs(mps.exponent) > 200 and abs(mps.exponent - info["log10_norm"]) < 1e-9
    unit = net.to_mps(max_bond=8, normalize=True)
    assert unit.exponent == 0.0 and abs(unit.norm() - 1) < 1e-12
    assert abs(net.collapse().exponent) > 300
    kept = NETS["conv"].to_mps(normalize="exponent")
    assert abs(kept.exponent) > 1 and abs(np.linalg.norm(kept[N - 1].data) - 1) < 1e-12
    assert np.abs(kept.to_dense()[:, 0] - vector_of(NETS["conv"])).max() < 1e-12 * 10**kept.exponent


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision(dtype):
    for scale in (1.0, 1e3):
        net = qdn.RAC.rand(8, 2, 2, dtype=dtype, scale=scale, seed=0)
        for normalize in (False, True, "exponent"):
            mps = net.to_mps(normalize=normalize)
            assert all(t.dtype == dtype for t in mps) and np.isfinite(mps[N - 1].data).all()
        unit = net.to("numpy-complex128").to_mps(normalize=True)
        found = net.to_mps(normalize=True)
        assert abs(abs(found.overlap(unit)) - 1) < 1e-5


def test_unknown_values_of_normalize():
    for bad in (None, "no", 2, 0.5):
        with pytest.raises(qdn.OptionError, match="normalize"):
            NETS["conv"].to_mps(normalize=bad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales_at_the_edge_leave_quimb_the_right_norm(dtype):
    """What quimb squares is in the tensors only where the square keeps all its digits."""
    info, one = np.finfo(dtype), qdn.ConvAC.rand(5, 2, 2, 2, seed=1, dtype=dtype)
    held = []
    for exponent in (*range(info.minexp // 2 - 4, info.minexp // 2 + 40, 4), info.maxexp // 2 - 3):
        readout = one.readout * np.asarray(2.0**exponent, dtype)
        net = qdn.ConvAC(5, one.weights, readout)
        right = float(np.linalg.norm(one.to_dense().astype(float)))
        for psi in (net.to_mps(), net.collapse()):
            mantissa, digits = psi.norm(strip_exponent=True)
            log = math.log(mantissa) + digits * math.log(10)
            assert abs(log - math.log(right) - exponent * math.log(2)) < 1e3 * info.eps
            if not psi.exponent:
                held.append(exponent)
                squared = qtn.tensor_contract(*psi.make_norm(), output_inds=())
                found = math.sqrt(squared) / 2.0**exponent
                assert found == pytest.approx(right, rel=1e3 * float(info.eps))
    assert held and min(held) > info.minexp // 2
    bias = np.full(4, 0.98 * info.maxexp / 2 * math.log(2) / 4, dtype)  # 16 more bits by units
    psi = qdn.RBM(4, bias, np.zeros(16, dtype), np.zeros((16, 4), dtype)).to_tensor_network()
    assert np.isfinite(qtn.tensor_contract(*psi.make_norm(), output_inds=()))
