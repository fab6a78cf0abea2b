"""Beside NetKet: the same machine, Hamiltonian and samples, on one core.

::

    python benchmarks/netket_ground.py            needs  pip install netket   (a few minutes)

Energies and gradients of both are compared on the very same configurations; then steps of
stochastic reconfiguration are timed in turn, and batches of log-amplitudes.
"""

import os

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import time  # noqa: E402

import jax  # noqa: E402
import netket as nk  # noqa: E402
import numpy as np  # noqa: E402
import quimb as qu  # noqa: E402
import quimb.operator  # noqa: E402
import quimb.tensor as qtn  # noqa: E402

import quimb_deepnets as qdn  # noqa: E402
from quimb_deepnets.groundstate.local import local_energies  # noqa: E402
from quimb_deepnets.groundstate.operators import FlipMasks  # noqa: E402

L, SAMPLES, CHAINS, ROUNDS, STEPS = 6, 1024, 256, 3, 5


def rbm_of(variables, shape):
    """The machine of this package with the weights of NetKet's."""
    params = jax.tree_util.tree_map(np.asarray, variables["params"])
    dense = params["Dense"]
    return qdn.RBM(shape, params["visible_bias"], dense["bias"], dense["kernel"].T)


def digits_of(samples, N):
    """Spins +1, -1 as digits 0, 1."""
    return ((1 - np.asarray(samples).reshape(-1, N)) / 2).round().astype(int)


def problem(alpha):
    """A state of NetKet and its operator; the operator of this package, in units of S.S."""
    graph = nk.graph.Square(L)
    hilbert = nk.hilbert.Spin(0.5, L * L, total_sz=0)
    sampler = nk.sampler.MetropolisExchange(
        hilbert, graph=graph, n_chains=CHAINS, sweep_size=L * L // 2
    )
    machine = nk.models.RBM(alpha=alpha, param_dtype=float)
    state = nk.vqs.MCState(sampler, machine, n_samples=SAMPLES, n_discard_per_chain=0, seed=0)
    edges = qtn.edges_2d_square(L, L, cyclic=True)
    ours = qu.operator.heisenberg_from_edges(edges)
    return state, nk.operator.Heisenberg(hilbert, graph, sign_rule=True), ours


def compare(state, H, ours):
    """Largest differences of energy and gradient on the same configurations, relative."""
    energy, gradient = state.expect_and_grad(H)
    net, N = rbm_of(state.variables, (L, L)), L * L
    configs = digits_of(state.samples, N)
    masks = FlipMasks(ours, net.sites, 2, "marshall")
    evaluator = net.evaluator(len(configs))
    local = 4 * local_energies(evaluator, masks, configs)  # Pauli products
    O = evaluator.log_derivatives(configs.reshape(-1, L, L))
    force = 2 * (O - O.mean(0)).T @ (local - local.mean()) / len(local)
    params = jax.tree_util.tree_map(np.asarray, gradient)
    theirs = np.concatenate(
        [params["visible_bias"], params["Dense"]["bias"], params["Dense"]["kernel"].T.ravel()]
    )
    mean = float(np.real(energy.mean))
    return abs(local.mean() - mean) / abs(mean), abs(force - theirs).max() / abs(theirs).max()


def seconds(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def time_steps(state, H, ours):
    """Seconds of a step of both, medians of turns."""
    net = rbm_of(state.variables, (L, L))
    run = qdn.GroundState(
        net, ours, sector=L * L // 2, sign_rule="marshall", samples=SAMPLES, chains=CHAINS, seed=0
    )
    driver = nk.driver.VMC_SR(H, nk.optimizer.Sgd(0.01), diag_shift=1e-3, variational_state=state)
    advance = lambda: [setattr(run, "_state", run._path.advance(run._state)) for _ in range(STEPS)]
    theirs = lambda: driver.run(STEPS, show_progress=False, out=None)
    advance(), theirs()  # compiled
    turns = np.array([(seconds(advance), seconds(theirs)) for _ in range(ROUNDS)]) / STEPS
    return np.median(turns, axis=0)


def time_amplitudes(alpha=4, N=64, batch=1024):
    """Seconds of a batch of log-amplitudes of both, and how far they differ."""
    machine = nk.models.RBM(alpha=alpha, param_dtype=float)
    spins = 1.0 - 2 * np.random.default_rng(0).integers(2, size=(batch, N))
    variables = machine.init(jax.random.PRNGKey(0), spins)
    evaluator, configs = rbm_of(variables, N).evaluator(batch), digits_of(spins, N)
    compiled = jax.jit(machine.apply)
    ours = lambda: evaluator.log_amplitudes(configs)
    theirs = lambda: compiled(variables, spins).block_until_ready()
    # 2 cosh here, cosh there
    away = ours()[1] - alpha * N * np.log(2) - np.asarray(theirs())
    turns = np.array([(seconds(ours), seconds(theirs)) for _ in range(15)])
    return np.median(turns, axis=0), abs(away).max()


if __name__ == "__main__":
    state, H, ours = problem(alpha=1)
    energy, gradient = compare(state, H, ours)
    print(f"same configurations: energy {energy:.1e}, gradient {gradient:.1e} (relative)")
    assert energy < 1e-12 and gradient < 1e-10
    own, other = time_steps(state, H, ours)
    print(f"a step: {own:.3f} s here, {other:.3f} s there; {other / own:.1f} times as fast")
    (own, other), away = time_amplitudes()
    assert away < 1e-9
    print(f"log-amplitudes: {1024 / own:.3g} and {1024 / other:.3g} a second, {other / own:.2f}")
