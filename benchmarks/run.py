"""Run every benchmark in a process of its own, and write the table: `make bench`."""

import datetime
import json
import pathlib
import platform
import subprocess
import sys

from tqdm import tqdm

HERE = pathlib.Path(__file__).parent
ROWS = (
    "chain_32 chain_8 lattice_lookup gradient log_derivatives lattice_gemm rac_gemm dense_20 "
    "dense_12 amplitude norm transfer growth flips pairs metropolis evaluator threads "
    "entropies rac_cuts cuts lattice_density rank_bound paths import_time import_memory "
    "compile_time"
).split()


def number(x):
    if isinstance(x, float):
        return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"
    return str(x)


def verdict(row):
    """Whether the bar holds, and that of a second rival where there is one."""
    good = row["ratio"] <= row["bar"] if row.get("lower_is_better") else row["ratio"] >= row["bar"]
    if row.get("ratio_rbm", 0) < row.get("bar_rbm", 0):
        return "holds, RBM **missed**" if good else "**missed**"
    return "holds" if good else "**missed**"


def table(rows):
    lines = ["| row | found | bar | aim | | GEMM Gflop/s | more |", "|---|---|---|---|---|---|---|"]
    known = {"row", "ratio", "bar", "aim", "gemm_gflops", "lower_is_better"}
    for row in rows:
        more = ", ".join(f"{k} {number(v)}" for k, v in row.items() if k not in known)
        cells = (row["row"], number(row["ratio"]), row["bar"], row["aim"], verdict(row))
        lines.append(f"| {' | '.join(map(str, cells))} | {row['gemm_gflops']:.0f} | {more} |")
    return "\n".join(lines)


def cpu_name():
    """What the processor calls itself, where Linux tells."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def main(names):
    rows = []
    for name in tqdm(names or ROWS):
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py")], capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
    print(table(rows))
    if not names:
        about = (
            f"{datetime.date.today()}, {cpu_name()}, Python {platform.python_version()}. One "
            "thread, float64, medians of 7, each call right after one of the same that is not timed"
        )
        text = f"# Benchmarks\n\n{about}.\n\n"
        (HERE / "RESULTS.md").write_text(f"{text}{table(rows)}\n", encoding="utf8")
        (HERE / "results.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main(sys.argv[1:])
