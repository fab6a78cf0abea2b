"""Heisenberg lattices from many seeds, and the first of them on a larger lattice; resumable.

::

    python benchmarks/ground_seeds.py                       20 seeds of 6 x 6, 110 s each
    python benchmarks/ground_seeds.py --seeds 1 --seconds 30 --larger 0
    python benchmarks/ground_seeds.py --seeds 1 --larger 300    then the weights on 10 x 10
    python benchmarks/ground_seeds.py --kernel 4 --folder wider     a folder for each kernel

One core, and seconds of this process on it, so that a busy machine gives the same figures. Results
are kept in a JSON file after each run, and a second call takes only what is missing; ``--larger``
goes on with the weights of the first seed for so many seconds.
"""

import os

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import quimb as qu  # noqa: E402
import quimb.operator  # noqa: E402
import quimb.tensor as qtn  # noqa: E402

import quimb_deepnets as qdn  # noqa: E402
from quimb_deepnets.numerics.atomic import replacing  # noqa: E402

SMALL, LARGE = 6, 10  # sides
STEPS = 0.95  # of the seconds; the samples after the last step have the rest
GOOD, WORST, UNTRAINED, TRAINED = -0.6765, -0.672, -0.6655, -0.668  # bars, E/N


def heisenberg(L):
    """The Hamiltonian of a torus."""
    return qu.operator.heisenberg_from_edges(qtn.edges_2d_square(L, L, cyclic=True))


def driver(net, L, seed):
    """A run from a network."""
    return qdn.GroundState(net, heisenberg(L), sector=L * L // 2, sign_rule="marshall", seed=seed)


def start(seed, kernel=3):
    """Weights near uniform."""
    layers = [qdn.GCLayer(kernel, 16), qdn.GCLayer(2, 2)]
    options = {"boundary": "periodic", "dist": "uniform", "loc": 1, "scale": 0.05}
    return qdn.ConvAC.rand((SMALL, SMALL), layers=layers, seed=seed, **options)


class Budget:
    """A callback that ends a run once this process has computed for so many seconds."""

    def __init__(self, seconds):
        self.seconds, self.begun = seconds, None

    def __call__(self, gs):
        now = time.process_time()
        if self.begun is None:  # loops are compiled by now; the first step counts as on the clock
            self.begun = now - gs.history["seconds"][0]
        return now - self.begun >= self.seconds


def trained(net, L, seed, seconds):
    """A run of so many seconds, and what it took in all."""
    gs, budget = driver(net, L, seed), Budget(STEPS * seconds)
    gs.run(steps=10**6, callback=budget, progbar=False)
    taken = {"seconds": round(time.process_time() - budget.begun, 1)}
    when = {"date": time.strftime("%Y-%m-%d"), "machine": f"{platform.machine()}, one core"}
    return gs, record(gs, L) | taken | when


def record(gs, L):
    """What was reached, per site."""
    found, N = gs.energy, L * L
    said = {"energy": found / N, "error": found.error / N, "variance": found.variance / N}
    lowest = float(gs.history["energy"].min()) / N if len(gs.history) else None
    more = {"rhat": found.rhat, "steps": len(gs.history), "lowest_step": lowest}
    return said | {"acceptance": found.acceptance} | more


def one_seed(seed, seconds, folder, kernel):
    """A run of the small lattice; its weights are kept."""
    gs, found = trained(start(seed, kernel), SMALL, seed, seconds)
    qdn.save(gs.network, folder / f"seed_{seed}.qdn")
    return found


def larger(seed, seconds, folder, _):
    """The weights of a seed on the larger lattice, as they are and after more steps."""
    net = qdn.load(folder / f"seed_{seed}.qdn").resize((LARGE, LARGE))
    untrained = record(driver(net, LARGE, seed), LARGE)
    return {"untrained": untrained, "trained": trained(net, LARGE, seed, seconds)[1]}


def summary(found):
    """Lines that say which bars are met."""
    seeds = [x for key, x in found.items() if key.startswith("seed")]
    energies = sorted(x["energy"] for x in seeds)
    middle = energies[len(energies) // 2]
    yield f"{len(energies)} seeds of {SMALL} x {SMALL}: {energies[0]:.5f} to {energies[-1]:.5f}"
    yield f"  median {middle:.5f} (bar {GOOD}), worst {energies[-1]:.5f} (bar {WORST})"
    for key, x in found.items():
        if key.startswith("larger"):
            one, two = x["untrained"], x["trained"]
            yield f"{key} on {LARGE} x {LARGE}: untrained {one['energy']:.5f} (bar {UNTRAINED})"
            yield f"  after {two['seconds']:.0f} s {two['energy']:.5f} (bar {TRAINED})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=110.0)
    parser.add_argument("--kernel", type=int, default=3, help="of the first layer")
    parser.add_argument("--larger", type=float, default=300.0, help="seconds there; 0 for none")
    parser.add_argument("--folder", type=Path, default=Path("ground_seeds"))
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    path = options.folder / "results.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    tasks = {f"seed_{n}": (one_seed, n, options.seconds) for n in range(options.seeds)}
    if options.larger:
        tasks["larger_0"] = larger, 0, options.larger
    for key, (run, seed, seconds) in tasks.items():
        if key not in found:
            print(f"{key}, {seconds:.0f} s", flush=True)
            found[key] = run(seed, seconds, options.folder, options.kernel)
            with replacing(path) as file:
                json.dump(found, file, indent=1)
            print(json.dumps(found[key]), flush=True)
    print("\n".join(summary(found)))


if __name__ == "__main__":
    main()
