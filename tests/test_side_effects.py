"""Importing and using the package leaves the rest of the program as it was."""

import os
import subprocess
import sys

# what a program may notice: threads, random states, warning filters, defaults of other libraries
LOOK = """
import logging, os, random, signal, sys, threading, warnings
import matplotlib, numpy as np, torch
import quimb.tensor, cotengra, scipy

matplotlib.use("agg")

def snapshot():
    return {
        "threads": sorted(t.name for t in threading.enumerate()),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "path": list(sys.path),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook),
        "recursion limit": sys.getrecursionlimit(),
        "signals": [signal.getsignal(s) for s in signal.valid_signals()],
        "random": random.getstate(),
        "numpy random": repr(np.random.get_state()),
        "numpy errors": (np.geterr(), np.geterrcall()),
        "numpy print": np.get_printoptions(),
        "torch random": torch.get_rng_state().tolist(),
        "torch defaults": (
            torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
            torch.get_num_interop_threads(), torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(), torch.is_anomaly_enabled(),
            torch.is_autocast_enabled(), torch.empty(0).device,
        ),
        "warnings": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "logging": (
            logging.root.level, list(logging.root.handlers), logging.raiseExceptions,
            logging.root.manager.disable,
        ),
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "quimb": (quimb.tensor.get_contract_strategy(), quimb.tensor.get_tensor_linop_backend()),
    }

def compare(before, after, step):
    for name in before:
        assert before[name] == after[name], f"{step} changed {name}"

"""
IMPORT = """
before = snapshot()
import quimb_deepnets
compare(before, snapshot(), "import")
"""
USE = """
import quimb_deepnets as qdn

net = qdn.ConvAC.rand(8, 2, 3, 2, seed=0)
configs = np.random.default_rng(0).integers(2, size=(64, 8))
ring = qdn.ConvAC.rand(6, 2, 2, 2, boundary="periodic", seed=1)
trained = net.to("torch")
[x.requires_grad_() for x in trained.params.values()]
STEPS = {
    "rand": lambda: (qdn.ConvAC.rand(8, 2, 2, 2), qdn.RAC.rand(8, 2, 2), qdn.RBM.rand(4)),
    "amplitudes": lambda: (net.amplitudes(configs), net.log_amplitudes(configs, chunk=8)),
    "torch": lambda: trained.log_amplitudes(configs)[1].sum().backward(),
    "log_derivatives": lambda: net.log_derivatives(configs),
    "to_tensor_network": lambda: ring.to_tensor_network().norm(),
    "contraction": lambda: ring.to_tensor_network().amplitudes(configs[:4, :6], optimize="greedy"),
    "collapse": lambda: net.collapse().partial_trace_exact([3]),
    "to_mps": lambda: net.to_mps(),
    "cross": lambda: net.to_mps(method="cross", max_bond=8, seed=0),
    "entropy": lambda: (qdn.entropy(net, 4), qdn.entropies(net), qdn.schmidt_values(net, 3)),
    "renyi2_estimate": lambda: qdn.renyi2_estimate(net, 4, samples=200, seed=0),
    "sample": lambda: (net.sample(5, seed=0), qdn.RBM.rand(4, seed=0).sample(3, 1, "metropolis")),
    "Metropolis": lambda: qdn.Metropolis(net, 8, seed=0).sweep(3),
    "energy": lambda: qdn.energy(ring, {0: [[0, 1], [1, 0]]}, "sample", samples=200, seed=0),
    "GroundState": lambda: qdn.GroundState(
        ring, {0: [[0, 1], [1, 0]]}, samples=32, chains=32, seed=0
    ).run(steps=2, progbar=False),
    "exact": lambda: qdn.GroundState(ring, {0: [[0, 1], [1, 0]]}, method="exact").run(
        steps=2, progbar=False
    ),
    "fit": lambda: qdn.fit(net, qdn.RAC.rand(8, 1, 2, seed=0), "exact", steps=2),
    "schmidt_rank": lambda: qdn.schmidt_rank(net, 4),
    "path_report": lambda: qdn.path_report(ring, optimize="greedy"),
    "contract_sliced": lambda: qdn.contract_sliced(ring, target_size=2**8),
    "draw": lambda: ring.to_tensor_network().draw(show_tags=False, return_fig=True),
}
for name, step in STEPS.items():
    before = snapshot()
    step()
    compare(before, snapshot(), name)
"""


def test_nothing_else_changes():
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK + IMPORT + USE], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
