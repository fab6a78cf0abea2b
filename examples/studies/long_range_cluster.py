"""A Hamiltonian whose ground state no MPS or PEPS of as many numbers can hold, and a ConvAC does.

``H = -sum_i X_i prod_{j ~ i} Z_j - h sum_i X_i`` on the 4 x 4 torus, where j is a knight's move
(1, 2) or (2, 1) away. At h = 0 it is a graph state, half of the torus has 8 of 8 bits, and the
weights are known; a field spoils both. ``python long_range_cluster.py 20 docs`` trains for 20
seconds at each field and writes numbers into docs; without arguments for a few steps at one.
"""

import json
import pathlib
import sys

import numpy as np
import quimb as qu
import quimb.operator
import quimb.tensor as qtn
import scipy.sparse.linalg
import torch

import quimb_deepnets as qdn

budget, fields, iterations = {"steps": 4}, (0.5,), 3
if len(sys.argv) > 1:
    budget, fields, iterations = {"seconds": float(sys.argv[1])}, (0, 0.25, 0.5, 0.75, 1, 1.5), 300
MOVES = (1, 2), (2, 1)
folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".")
L, N, BITS = 4, 16, np.array([[1, 1], [1, -1]])


def around(site):
    """The four partners of a site."""
    return [tuple((x + s * d) % L for x, d in zip(site, m)) for m in MOVES for s in (1, -1)]


def hamiltonian(h):
    H = qu.operator.SparseOperatorBuilder()
    for site in np.ndindex(L, L):
        H.add_term(-1.0, ("x", site), *(("z", j) for j in around(site)))
        H.add_term(-h, ("x", site))
    return H


def start(noise=0.01, seed=0):
    """The graph state, and what a field does to it: products of Z around one site and two."""
    one = np.zeros((L, L), int)
    one[tuple(zip(*around((0, 0))))] = 1
    two = [one ^ np.roll(one, shift, (0, 1)) for shift in ((1, 1), (0, 2), (2, 0))]
    W1, W2 = np.ones((L, L, 12, 2)), np.zeros((2, 2, 1, 12))
    for tap, bit in zip(((0, 0), *MOVES), np.indices((2, 2, 2)).reshape(3, 8)):
        W1[tap][:8] = BITS[bit]  # channels 0 to 7: signs of a site and its partners
    W1[:, :, 8:] = np.moveaxis(BITS[np.stack([one, *two])], 0, 2)
    W2[..., 0] = 1
    W2[0, 0, 0, :8] = [(-1) ** (a * (b ^ c)) for a, b, c in np.ndindex(2, 2, 2)]
    W2[0, 0, 0, :8] = np.kron(BITS, np.kron(BITS, BITS)) @ W2[0, 0, 0, :8] / 8
    W2[[0, 1, 1, 0], [1, 0, 1, 1], 0, [8, 9, 10, 11]] = 0.05 * bool(noise)
    rng = np.random.default_rng(seed)
    weights = [w + noise * rng.normal(size=w.shape) for w in (W1, W2)]
    return qdn.ConvAC((L, L), weights, np.ones(1), boundary="periodic", anchor="corner")


def rbm_start(noise=0.01, seed=0):
    """The graph state as an RBM: a complex hidden unit for each of the 32 pairs."""
    weights, places = np.zeros((2 * N, N), complex), np.arange(N).reshape(L, L)
    pairs = [(site, j) for site in np.ndindex(L, L) for j in around(site)[::2]]
    for row, pair in zip(weights, pairs):
        row[[places[site] for site in pair]] = -0.25j * np.pi  # cosh is (1, -1, -1), and
    given = np.zeros(N, complex), np.full(2 * N, 0.75j * np.pi), weights  # signs of sites cancel
    rng = np.random.default_rng(seed)
    return qdn.RBM((L, L), *(x + noise * rng.normal(size=x.shape) for x in given))


def lowest(net, h):
    """The energy that a network reaches."""
    gs = qdn.GroundState(net, hamiltonian(h), method="full", seed=0)
    return float(gs.run(**budget, progbar=False).energy)


def lowest_peps(h):
    """The energy that L-BFGS finds for a PEPS of bond 2, from all its amplitudes."""
    bits = 1 - 2 * np.indices((2,) * N).reshape(L, L, -1)
    signs = [h + np.prod([bits[j] for j in around(site)], axis=0) for site in np.ndindex(L, L)]
    signs = torch.tensor(np.stack(signs)).reshape(N, *(2,) * N)
    peps = qtn.PEPS.rand(L, L, 2, seed=0)
    peps /= peps.norm()
    peps.equalize_norms_(1.0)
    tree = peps.contraction_tree(output_inds=peps.site_inds)

    def energy(tn):
        x = tn.contract(output_inds=peps.site_inds, optimize=tree).data
        return -sum((x * s * x.flip(i)).sum() for i, s in enumerate(signs)) / (x**2).sum()

    optimizer = qtn.TNOptimizer(peps, energy, autodiff_backend="torch", progbar=False)
    optimizer.optimize(iterations)
    return min(optimizer.losses)


def lowest_mps(h):
    """The energy that DMRG finds at bond 4."""
    dmrg = qtn.DMRG2(hamiltonian(h).build_mpo(), bond_dims=[4], p0=qtn.MPS_rand_state(N, 4, seed=0))
    dmrg.solve(verbosity=0, max_sweeps=20)
    return float(np.real(dmrg.energy))


graph = qdn.ConvAC.graph_state((L, L), MOVES, kernel=3).to_dense().ravel()
for net in (start(0), rbm_start(0)):
    psi = net.to_dense().ravel()
    assert abs(abs(graph @ psi) / np.linalg.norm(graph) / np.linalg.norm(psi) - 1) < 1e-9

layers = [qdn.GCLayer(4, 12), qdn.GCLayer(2, 1)]
near = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05, "seed": 0}
uniform = qdn.ConvAC.rand((L, L), layers=layers, **near)
random_rbm = qdn.RBM.rand((L, L), alpha=2, dtype="complex128", scale=0.3, seed=0)
rows = []
for h in fields:
    matrix = hamiltonian(h).build_sparse_matrix()
    (E0, E1), vectors = scipy.sparse.linalg.eigsh(matrix, 2, which="SA")
    values = qdn.schmidt_values(vectors[:, 0], range(8), dims=[2] * N)
    # Rank r has at most the fidelity F of the r largest values, and F at least E0 + (1 - F) gap.
    bounds = E0 + (1 - np.cumsum(values)) * (E1 - E0)
    energies = {
        "exact": E0, "ConvAC": lowest(start(), h),
        "ConvAC from uniform weights": lowest(uniform, h),
        "RBM": lowest(rbm_start(), h), "RBM from random weights": lowest(random_rbm, h),
        "MPS": lowest_mps(h), "MPS, lower bound": bounds[4 - 1],
        "PEPS": lowest_peps(h), "PEPS, lower bound": bounds[2**4 - 1],
        "PEPS of bond 3, lower bound": bounds[3**4 - 1],
    }  # fmt: skip
    bits = qdn.entropy(vectors[:, 0], range(8), dims=[2] * N)
    rank = int(np.argmax(bounds < energies["ConvAC"] + 1e-9)) + 1  # that the ConvAC's energy takes
    rows.append(
        {"h": h, "bits": bits, "rank": rank} | {name: float(E) / N for name, E in energies.items()}
    )
    print("  ".join(f"{name} {x:.4f}" for name, x in rows[-1].items()), flush=True)
    if h < 1:
        assert rows[-1]["ConvAC"] < min(rows[-1]["MPS, lower bound"], rows[-1]["PEPS, lower bound"])

sizes = {
    "ConvAC": start().num_params,
    "RBM (complex)": rbm_start().num_params,
    "MPS, bond 4": sum(t.size for t in qtn.MPS_rand_state(N, 4)),
    "PEPS, bond 2": sum(t.size for t in qtn.PEPS.rand(L, L, 2)),
}
found = {"numbers": sizes, "budget of networks": budget, "energies per site": rows}
(folder / "long_range_cluster.json").write_text(json.dumps(found, indent=1) + "\n")
print(sizes)
