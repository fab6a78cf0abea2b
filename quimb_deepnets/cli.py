"""The command line: studies in scripts, ``python -m quimb_deepnets paths conv 64 --depth 3 ...``.

::

    describe   what a network is, in integers            NETWORK   conv SHAPE, rac L, rbm SHAPE
    paths      what contracting it costs                           or a file of qdn.save;
    entropy    its entanglement, in bits                           for paths also a problem in JSON
    demo       the tour of the README

Exit codes: 0 done, 1 refused with one line on stderr, 2 wrong usage, 130 interrupted.
"""

import argparse
import json
import math
import os
import sys
import warnings

from . import __version__, demo
from .entanglement import entanglement_plan, entropies, entropy
from .errors import DeepNetError, OptionError
from .networks import RAC, RBM, ConvAC, load
from .networks.base import MAX_BYTES
from .paths import Hypergraph, path_report, rivals
from .paths.kets import FORMS
from .tensors.dup import MODES

FAMILIES = ("conv", "rac", "rbm")


def main(args=None):
    """Run a command.

    Parameters
    ----------
    args : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from quimb_deepnets.cli import main
    >>> main(["describe", "rac", "16", "--depth", "2", "--bond-dim", "4"])  # doctest: +ELLIPSIS
    RAC(L=16, depth=2, bond_dim=4, phys_dim=2, num_params=68)
    ...
    0
    """
    args = list(sys.argv[1:] if args is None else args)
    parser = _parser()
    if args[:1] == ["demo"]:  # it reads its own options
        return _quietly(lambda: demo.main(args[1:]), parser)
    options = parser.parse_args(args)
    return _quietly(lambda: options.run(options), parser)


def _quietly(run, parser):
    """Run, and turn errors that name value, law and remedy into one line."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Couldn't import")
            run()
            sys.stdout.flush()
    except DeepNetError as error:
        text = " ".join(str(error).split())
        print(f"{parser.prog}: error: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # what reads the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


# ---------------------------------------------------------------- the words


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m quimb_deepnets",
        description="Deep neural networks as tensor networks.",
        epilog="NETWORK: 'conv SHAPE', 'rac L' or 'rbm SHAPE' with random weights, SHAPE as 64 or "
        "6x6; or a file that qdn.save wrote.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _network_command(commands, "describe", _describe, "what a network is, in integers")
    paths = _network_command(commands, "paths", _paths, "what contracting it costs")
    _path_options(paths)
    bits = _network_command(commands, "entropy", _entropy, "its entanglement entropy, in bits")
    bits.add_argument("--where", type=_where, help="3: the first 3 sites; 0,3,5 or 0:1,2:3: sites")
    bits.add_argument("--method", default="auto")
    bits.add_argument("--plan", action="store_true", help="what each method would cost")
    bits.add_argument("--max-bytes", type=float, default=MAX_BYTES)
    commands.add_parser("demo", help="deep networks beside MPS and MERA", add_help=False)
    return parser


def _network_command(commands, name, run, text):
    """A command about a network."""
    command = commands.add_parser(name, help=text, description=f"Print {text}.")
    command.set_defaults(run=run)
    command.add_argument("network", nargs="+", metavar="NETWORK", help="conv SHAPE, or a file")
    add = command.add_argument_group("random networks").add_argument
    add("--depth", type=int, default=2)
    add("--kernel", type=_shape, default=3)
    add("--bond-dim", type=int, default=4)
    add("--phys-dim", type=int, default=2)
    add("--boundary", default="ones")
    add("--alpha", type=int, default=1, help="hidden units per site of an rbm")
    add("--dtype", default="float64")
    add("--seed", type=int, default=0)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return command


def _path_options(command):
    add = command.add_argument
    add("--task", default="amplitude", help="amplitude, dense, norm, partial_trace, ...")
    add("--where", type=_where, help="the sites of partial_trace and local_expectation")
    add("--form", choices=FORMS, default="expanded")
    add("--mode", choices=MODES, default="hyper")
    add("--nodes", choices=("hyper", "dense"))
    add("--optimize", nargs="+", help="presets of cotengra, or branches, sweep, quick")
    add("--shared", action="store_true", help="count also equal steps once")
    add("--target-size", type=int, help="slice to intermediates of so many elements")
    add("--rivals", choices=("params", "entropy"), help="beside MPS, MERA, ... as large")
    add("--executor", type=_executor, help="a number of processes, dask, ray, threads, ...")


def _one_or_more(numbers):
    """A single number as an int, several as a tuple."""
    found = tuple(map(int, numbers))
    return found[0] if len(found) == 1 else found


def _shape(text):
    """64, or 6x6 as a pair."""
    try:
        return _one_or_more(text.split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 64 or 6x6") from error


def _where(text):
    """3 as an int; "0,3,5" as sites, "0:1,2:3" as sites of a lattice."""
    try:
        if text.isdigit():
            return int(text)
        return [_one_or_more(site.split(":")) for site in text.split(",") if site]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no sites; write 3, or 0,3,5, or 0:1,2:3 on a lattice"
        ) from error


def _executor(text):
    return int(text) if text.isdigit() else text


# ---------------------------------------------------------------- the commands


def _network(options):
    """The network that a user names."""
    family, *shape = options.network
    if family not in FAMILIES:
        if shape:
            raise OptionError(
                f"NETWORK={' '.join(options.network)!r} is neither a file nor one of "
                f"{', '.join(FAMILIES)} with a shape; write 'conv 64'."
            )
        return load(family)
    try:
        (shape,) = map(_shape, shape)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise OptionError(
            f"{family} {' '.join(shape)!r} has no shape such as 64 or 6x6."
        ) from error
    rand = {"dtype": options.dtype, "seed": options.seed}
    if family == "rbm":
        return RBM.rand(shape, alpha=options.alpha, **rand)
    rand |= {"depth": options.depth, "bond_dim": options.bond_dim, "phys_dim": options.phys_dim}
    if family == "rac":
        return RAC.rand(shape, **rand)
    return ConvAC.rand(shape, kernel=options.kernel, boundary=options.boundary, **rand)


def _show(options, data, text):
    """Print a table, or JSON, in which what no float counts is null."""
    print(json.dumps(_finite(data), indent=2, allow_nan=False) if options.json else text)


def _finite(data):
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return list(map(_finite, data))
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _describe(options):
    """Print sizes, copies and how amplitudes are evaluated."""
    net = _network(options)
    data = {
        "network": repr(net),
        "sites": net.nsites,
        "phys_dim": net.phys_dim,
        "depth": net.depth,
        "num_params": net.num_params,
        "dtype": net.dtype,
    }
    if not isinstance(net, RBM):
        copies = net.geometry.duplication.values()
        data |= {
            "expanded_tensors": net.geometry.num_tensors(),
            "copies_of_a_site": [min(copies), max(copies)],
        }
    plan = repr(net.plan(1024))
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in data.items()]
    _show(options, data | {"plan": plan}, "\n".join([data["network"], *lines[1:], plan]))


def _paths(options):
    """Print a path report."""
    optimize = options.optimize and tuple(options.optimize)
    search = {
        "optimize": optimize,
        "shared": options.shared,
        "target_size": options.target_size,
        "executor": options.executor,
        "progbar": sys.stderr.isatty(),
    }
    if len(options.network) == 1 and options.network[0].endswith(".json"):
        report = path_report(Hypergraph.load(options.network[0]), **search)
    else:
        net = _network(options)
        task = options.task if options.where is None else (options.task, options.where)
        state = net if options.rivals is None else {"this": net, **rivals(net, options.rivals)}
        report = path_report(state, task, options.form, options.mode, options.nodes, **search)
    _show(options, report.to_dict(), report)


def _entropy(options):
    """Print one entropy, all cuts of a chain, or a plan."""
    net = _network(options)
    limits = {"max_bytes": options.max_bytes}
    if options.plan:
        plan = entanglement_plan(net, options.where or net.nsites // 2, **limits)
        _show(options, {"rows": plan.rows, "chosen": plan.chosen}, plan)
        return
    limits |= {"method": options.method, "progbar": sys.stderr.isatty()}
    if options.where is None:
        bits = [float(x) for x in entropies(net, **limits)]
        text = "\n".join(f"{n:5} {x:.6f}" for n, x in enumerate(bits, 1))
        _show(options, {"cuts": list(range(1, len(bits) + 1)), "entropy_bits": bits}, text)
    else:
        bits = float(entropy(net, options.where, **limits))
        _show(options, {"where": options.where, "entropy_bits": bits}, f"{bits:.6f}")
