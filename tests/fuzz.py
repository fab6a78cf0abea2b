"""Random architecture x random call x library x dtype, against nested loops, until time is up.

Run as ``make fuzz ARGS="--seconds 600 --seed 0"``, or ``python -m tests.fuzz``. At a failure the
input is made as small as it stays failing, and printed as a snippet that runs.
"""

import argparse
import collections
import contextlib
import sys
import time
import traceback
import warnings

import numpy as np

import quimb_deepnets as qdn

from .fuzz_calls import CALLS, Trial, Wrong
from .fuzz_specs import Spec, build, random_spec, simpler

PACKAGE = "quimb_deepnets"
NEVER_OUT_OF_RANGE = ("log_amplitudes", "plans", "copies")
MAX_SHRINKS, SHRINK_SECONDS = 400, 30.0


def fault_of(spec):
    """What is wrong for a spec: ``(kind, text)``, or None; ``("refused", text)`` is a named error.

    A `RangeError` is right where an amplitude leaves the range of the dtype, or is round-off that
    may; a method may be refused, and a budget exceeded.
    """
    trial = Trial(spec)
    if trial.plain is None or not trial.finite:
        return "unfit", "the words do not fit"
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            CALLS[spec.call](trial)
    except (qdn.MethodError, qdn.BudgetError, qdn.ExtraError) as error:
        return "refused", f"{type(error).__name__}: {error}"
    except qdn.RangeError as error:
        refused = trial.leaves_range and spec.call not in NEVER_OUT_OF_RANGE
        return "refused" if refused else "RangeError", f"RangeError: {error}"
    except Wrong as error:
        return "wrong", str(error)
    except Exception as error:
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if f"{PACKAGE}/" in f.filename
        ]
        place = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
        return type(error).__name__, f"{type(error).__name__}: {error}{place}"
    return None


def is_fault(found):
    """Whether an outcome is a failure."""
    return found is not None and found[0] not in ("refused", "unfit")


def shrink(spec, found):
    """The smallest failing input near a failing one: ``(spec, what is wrong)``."""
    end, tried = time.monotonic() + SHRINK_SECONDS, {spec}
    moved = True
    while moved:
        moved = False
        for smaller in simpler(spec):
            if smaller in tried or time.monotonic() > end or len(tried) > MAX_SHRINKS:
                continue
            tried.add(smaller)
            new = fault_of(smaller)
            if is_fault(new) and new[0] == found[0]:
                spec, found, moved = smaller, new, True
                break
    return spec, found


def snippet(spec, found):
    """A failing input as code that runs."""
    net = build(spec)
    lines = [f"# {spec.call}: {found[1]}", "import numpy as np", "from numpy import array"]
    lines += ["import quimb_deepnets as qdn"]
    with np.printoptions(threshold=10**6, floatmode="unique", precision=17):
        params = {name: x.tolist() for name, x in net.params.items()}
    if isinstance(net, qdn.ConvAC):
        shape = net.shape
        lines.append(
            f"like = qdn.ConvAC.rand({shape}, layers={list(net.layers)!r}, phys_dim={net.phys_dim},"
            f" boundary={net.boundary!r}, anchor={net.anchor!r}, shared={net.shared}, seed=0)"
        )
        lines[-1] = lines[-1].replace("GCLayer(", "qdn.GCLayer(")
    elif isinstance(net, qdn.RAC):
        bonds = list(spec.layers)
        lines.append(f"like = qdn.RAC.rand({net.L}, {len(bonds)}, {bonds}, {net.phys_dim}, seed=0)")
    else:
        lines.append(f"like = qdn.RBM.rand({net.shape}, seed=0)")
    lines.append(f"params = {{k: np.array(x, {spec.dtype!r}) for k, x in {params!r}.items()}}")
    if isinstance(net, qdn.RBM):
        lines[-2:] = [
            lines[-1],
            f"net = qdn.RBM({net.shape}, params['VISIBLE'], params['HIDDEN'], params['WEIGHTS'])",
        ]
    else:
        lines.append("net = type(like).from_params(like.geometry, params)")
    if spec.lib == "torch":
        lines.append("net = net.to('torch')")
    lines.append("# the call, as the fuzz makes it:")
    lines.append("from tests.fuzz import Spec, fault_of")
    lines.append(f"print(fault_of({spec!r}))")
    return "\n".join(lines)


def run(seconds, seed, calls=None, keep_going=False, out=None):
    """Try specs until time is up: the number tried, the failures, the refusals.

    Returns
    -------
    tuple[int, list[(Spec, (str, str))], collections.Counter]
    """
    out = sys.stdout if out is None else out
    rng, end = np.random.default_rng(seed), time.monotonic() + seconds
    calls, count, faults, refused = sorted(calls or CALLS), 0, {}, collections.Counter()
    while time.monotonic() < end:
        spec = random_spec(rng, calls)
        found = fault_of(spec)
        if found is not None and found[0] == "unfit":
            continue
        count += 1
        if found is not None and found[0] == "refused":
            refused[spec.call, found[1].split(":")[0]] += 1
        if not is_fault(found):
            continue
        small, what = shrink(spec, found)
        key = (small.call, what[0], what[1].split(":")[0].split("[")[0].split("(")[0])
        if key not in faults:
            faults[key] = (small, what)
            print(f"\nfailure {len(faults)}, after {count} inputs:", file=out)
            print(f"{snippet(small, what)}\n", file=out, flush=True)
        if not keep_going:
            break
    return count, list(faults.values()), refused


def main(args=None):
    """Run the fuzz; the exit status says whether something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", nargs="+", choices=sorted(CALLS), help="by default all")
    parser.add_argument("--keep-going", action="store_true", help="print failures of every kind")
    options = parser.parse_args(args)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    count, faults, refused = run(options.seconds, options.seed, options.calls, options.keep_going)
    for (call, error), times in sorted(refused.items()):
        print(f"{call}: {error} {times} times")
    print(f"seed {options.seed}: {count} inputs, {len(faults)} kinds of failure")
    return 1 if faults else 0


__all__ = ["Spec", "fault_of", "main", "run", "shrink", "snippet"]

if __name__ == "__main__":
    sys.exit(main())
