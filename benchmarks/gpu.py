"""What runs on CUDA, timed by events of the device: ``make bench-gpu`` writes ``GPU.md``.

Each row says which share of the device it takes: of the rate of its matrix products where a pass
multiplies, of the bandwidth of its memory where it looks rows up. Without a device it says so in
one line; ``--dry`` runs small sizes on the CPU, to see that everything runs, and writes nothing.
"""

import argparse
import datetime
import pathlib
import statistics
import time

import numpy as np
import torch

import quimb_deepnets as qdn

HERE = pathlib.Path(__file__).parent
DTYPES = ("float32", "float64")


def seconds(function, device, repeats=15):
    """Median seconds of a call, after two others: by events where the device has them."""
    times = []
    for turn in range(repeats + 2):
        if device == "cuda":
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            function()
            stop.record()
            torch.cuda.synchronize()
            taken = start.elapsed_time(stop) / 1e3
        else:
            begin = time.perf_counter()
            function()
            taken = time.perf_counter() - begin
        if turn > 1:
            times.append(taken)
    return statistics.median(times)


def gemm_rate(dtype, device, size):
    """Flops per second of a square matrix product."""
    a = torch.rand((size, size), dtype=getattr(torch, dtype), device=device)
    return 2 * size**3 / seconds(lambda: a @ a, device)


def bandwidth(device, size):
    """Bytes per second that a copy reads and writes."""
    x = torch.ones(size // 8, dtype=torch.float64, device=device)
    y = torch.empty_like(x)
    return 2 * size / seconds(lambda: y.copy_(x), device)


def cases(dtype, small):
    """Networks, how many configurations at once, and the level of their plan (None: the best)."""
    side, batch, bond = (4, 16, 4) if small else (16, 4096, 64)
    even = {"dist": "uniform", "loc": 1.0, "scale": 0.1, "dtype": dtype, "seed": 0}
    torus = qdn.ConvAC.rand((side, side), 2, 2, bond, boundary="periodic", **even)
    ring = qdn.ConvAC.rand(4 * side, 2, 3, bond, boundary="periodic", **even)
    return {
        f"torus {side} x {side}, layer by layer": (torus, batch, 0),
        f"torus {side} x {side}, look-up": (torus, batch, None),
        f"ring of {4 * side}, look-up": (ring, batch, None),
        f"RAC of {4 * side}": (qdn.RAC.rand(4 * side, 2, bond, **even), batch, None),
        f"RBM of {4 * side}": (qdn.RBM.rand(4 * side, alpha=4, dtype=dtype, seed=0), batch, None),
    }


def row(name, net, batch, level, speeds, device):
    """A row of the table: amplitudes, derivatives, and the shares of the device."""
    there = net.to("torch", device=device)
    shape = (batch, *net.geometry.shape)
    x = torch.as_tensor(np.random.default_rng(1).integers(0, 2, shape)).to(device)
    plan = there.plan(batch) if level is None else there.plan(batch, level=level)
    taken = seconds(lambda: there.log_amplitudes(x, plan=plan), device)
    exact = net.log_amplitudes(x[:8].cpu())[1]
    error = np.abs(there.log_amplitudes(x[:8], plan=plan)[1].cpu().numpy() - exact).max()
    few = x[: max(1, batch // 16)]
    rows = seconds(lambda: there.log_derivatives(few), device, repeats=5)
    width = len(net.params.get("READOUT", ()))
    reads = plan.lookups * width * net._like.itemsize
    return {
        "row": name,
        "dtype": net.dtype,
        "amplitudes/s": f"{batch / taken:.3g}",
        "share of GEMM": f"{batch * plan.flops / taken / speeds['gemm'][net.dtype]:.2f}",
        "share of bandwidth": f"{batch * reads / taken / speeds['bandwidth']:.2f}",
        "derivatives/s": f"{len(few) / rows:.3g}",
        "largest error of log": f"{error:.1e}",
    }


def table(device, small):
    """The text of the table."""
    size, memory = (256, 2**22) if small else (8192, 2**30)
    speeds = {
        "gemm": {dtype: gemm_rate(dtype, device, size) for dtype in DTYPES},
        "bandwidth": bandwidth(device, memory),
    }
    rows = [
        row(name, *case, speeds, device)
        for dtype in DTYPES
        for name, case in cases(dtype, small).items()
    ]
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU, small sizes"
    rates = ", ".join(f"{dtype} {rate / 1e12:.3g}" for dtype, rate in speeds["gemm"].items())
    lines = [
        "# Benchmarks on CUDA",
        "",
        f"{datetime.date.today()}, {name}, torch {torch.__version__}: matrix products of {rates} "
        f"Tflop/s, copies of {speeds['bandwidth'] / 1e9:.0f} GB/s. Medians of 15 by device events.",
        "",
        f"| {' | '.join(rows[0])} |",
        "|---" * len(rows[0]) + "|",
        *(f"| {' | '.join(found.values())} |" for found in rows),
    ]
    return "\n".join(lines) + "\n"


def main():
    """Write the table, or say why not."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--dry", action="store_true", help="small sizes on the CPU, nothing written"
    )
    dry = parser.parse_args().dry
    if not dry and not torch.cuda.is_available():
        print("no CUDA device: torch.cuda.is_available() is False, so nothing was measured")
        return
    text = table("cpu" if dry else "cuda", dry)
    print(text)
    if not dry:
        (HERE / "GPU.md").write_text(text, encoding="utf8")


if __name__ == "__main__":
    main()
