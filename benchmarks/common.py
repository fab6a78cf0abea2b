"""What the benchmarks share: one thread, interleaved medians, rivals, and the machine's speed.

Times on shared machines mean little by themselves, so every row times its rivals in the same
run, turn by turn, and says how fast matrix products are there.
"""

import json
import os
import statistics
import subprocess
import sys
import time

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
if not ONE_THREAD.items() <= os.environ.items():  # must be known before numpy is loaded
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)

import numpy as np
import torch

torch.set_num_threads(1)
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
if CORES:  # one core for all, whatever threads a rival starts
    os.sched_setaffinity(0, CORES[:1])

import quimb_deepnets as qdn

REPEATS = 7
# what a user does first, one after the other, each in a process of its own; quimb to compare
FIRST = "import quimb_deepnets as qdn; net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0)"
STAGES = {
    "nothing": "",
    "package": "import quimb_deepnets",
    "network": FIRST,
    "amplitude": f"{FIRST}; net.amplitude('01' * 8)",
    "everything": "from quimb_deepnets import *",
    "quimb": "import quimb.tensor",
}


def in_new_process(code):
    """What a new process prints."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


def medians(*functions, repeats=REPEATS):
    """Median seconds of each function, all of them in turn, each right after a call of its own.

    What a call leaves in the caches is then what repeated calls find there, for all rivals alike.
    """
    times = [[] for _ in functions]
    for _ in range(repeats):
        for function, taken in zip(functions, times):
            function()
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def gemm_rate(size=1024):
    """Flops per second of a float64 matrix product in numpy."""
    a = np.random.default_rng(0).random((size, size))
    (seconds,) = medians(lambda: a @ a)
    return 2 * size**3 / seconds


def l2_bandwidth(size=2**15):
    """Bytes per second that a sum over float64 numbers reads from the second cache."""
    x, repeats = np.ones(size), 20
    (seconds,) = medians(lambda: [np.dot(x, x) for _ in range(repeats)])
    return repeats * x.nbytes / seconds


def gemm_share(net, x, flops, size=1024):
    """Flops per second of ``log_amplitudes``, over those of a matrix product, turn by turn."""
    a = np.random.default_rng(0).random((size, size))
    mine, gemm = medians(lambda: net.log_amplitudes(x), lambda: a @ a, repeats=15)
    return (flops / mine) / (2 * size**3 / gemm)


def configs(net, batch, seed=1):
    """Random configurations."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, net.phys_dim, (batch, *net.geometry.shape))


def plain_forward(weights, readout, x):
    """log |psi| as one writes it in torch: pad, unfold, einsum, product; periodic, stride 1.

    Each layer is rescaled, because plain products overflow at depth 5.
    """
    ndim = x.ndim - 1
    y = torch.eye(weights[0].shape[-1], dtype=readout.dtype)[x]
    log = torch.zeros(y.shape[:-1], dtype=readout.dtype)
    letters = "hw"[:ndim], "kl"[:ndim]
    for w in weights:
        u, e = y, log
        for d in range(ndim):
            kernel = w.shape[d]
            before, after = (kernel // 2, kernel - 1 - kernel // 2)
            pad = lambda z, d=d, b=before, a=after: torch.cat(
                (z.narrow(d + 1, z.shape[d + 1] - b, b), z, z.narrow(d + 1, 0, a)), d + 1
            )
            u, e = pad(u).unfold(d + 1, kernel, 1), pad(e).unfold(d + 1, kernel, 1)
        space, taps = letters
        z = torch.einsum(f"b{space}i{taps},{taps}oi->b{space}{taps}o", u, w)
        y = z.flatten(1 + ndim, 2 * ndim).prod(1 + ndim)
        size = y.detach().abs().amax(-1)
        y, log = y / size[..., None], e.flatten(1 + ndim).sum(-1) + size.log()
    y = y.flatten(1, ndim)
    logs, signs = y.abs().log().sum(1), y.sign().prod(1)
    top = logs.detach().amax(-1, keepdim=True)
    total = ((logs - top).exp() * signs * readout).sum(-1)
    return total.abs().log() + top[:, 0] + log.flatten(1).sum(1)


def bare_forward(weights, readout, x):
    """log |psi| without any rescale: the fastest that one writes in torch; periodic, stride 1."""
    y = torch.eye(weights[0].shape[-1], dtype=readout.dtype)[x]
    dims = tuple(range(1, x.ndim))
    for w in weights:
        shape, out = w.shape[:-2], None
        for tap in np.ndindex(*shape):
            shifts = [size // 2 - k for size, k in zip(shape, tap)]
            z = y.roll(shifts, dims) @ w[tap].T
            out = z if out is None else out * z
        y = out
    return (y.flatten(1, -2).prod(1) @ readout).abs().log()


PLAIN = {"bare": bare_forward, "rescaled": plain_forward}


def even_network(shape, depth, kernel, bond_dim):
    """A periodic ConvAC of layers that average, so that not even the bare pass overflows."""
    options = {"dist": "uniform", "loc": 1.0, "scale": 0.1, "boundary": "periodic", "seed": 0}
    net = qdn.ConvAC.rand(shape, depth, kernel, bond_dim, **options)
    weights = [w / (w.shape[-1] if l else 1) for l, w in enumerate(net.weights)]
    return qdn.ConvAC(shape, weights, net.readout, boundary="periodic")


def torch_weights(net, requires_grad=False):
    """The weights and the read-out of a network as torch tensors."""
    arrays = [torch.tensor(w, requires_grad=requires_grad) for w in (*net.weights, net.readout)]
    return arrays[:-1], arrays[-1]


def best_chunk(function, total, candidates=(8, 16, 32, 64, 128, 256)):
    """The chunk at which ``function(start, stop)`` is fastest, judged on a part of the batch."""
    rates = {}
    for chunk in candidates:
        if chunk <= total:
            (seconds,) = medians(lambda chunk=chunk: function(0, chunk), repeats=5)
            rates[chunk] = chunk / seconds
    return max(rates, key=rates.get)


def chunked(function, total, chunk):
    """Call ``function(start, stop)`` over all chunks."""
    for start in range(0, total, chunk):
        function(start, min(total, start + chunk))


def against_plain(net, batch):
    """Rates of our ``log_amplitudes`` and of plain passes, each at its best chunk, per second."""
    x = configs(net, batch)
    weights, readout = torch_weights(net)
    tx, ev = torch.as_tensor(x), net.evaluator(batch)
    ours = net.log_amplitudes(x[:8])[1]
    calls, parts, chunks = [lambda: net.log_amplitudes(x), lambda: ev.log_amplitudes(x)], [], {}
    for name, forward in PLAIN.items():
        rival = lambda a, b, f=forward: f(weights, readout, tx[a:b])
        assert np.abs(ours - rival(0, 8).numpy()).max() < 1e-9 * np.abs(ours).max()
        chunks[f"{name}_chunk"] = chunk = best_chunk(rival, batch)
        parts.append(min(batch, 8 * chunk))  # the rate of a rival does not depend on the batch
        calls.append(lambda f=rival, n=parts[-1], c=chunk: chunked(f, n, c))
    mine, prepared, *rivals = medians(*calls)
    rates = {f"{name}_per_s": n / t for name, n, t in zip(PLAIN, parts, rivals)}
    return {
        "ours_per_s": batch / mine,
        "evaluator_per_s": batch / prepared,
        **rates,
        **chunks,
        "ratio": (batch / mine) / max(rates.values()),
    }


def report(row, bar, aim, **found):
    """Print a row as JSON; the last line of every script."""
    speed = {"gemm_gflops": gemm_rate() / 1e9, "l2_gbytes": l2_bandwidth() / 1e9}
    found = {"row": row, "bar": bar, "aim": aim, **speed, **found}
    print(json.dumps(found, default=float))
    sys.stdout.flush()
