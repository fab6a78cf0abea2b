"""The commands of the command line, but for those that parse their own options.

::

    options, checked  -->  a network or a model  -->  a table, or JSON
"""

import argparse
import inspect
import json
import math
import re
import sys
from typing import Any

from .. import __version__
from ..entanglement import entanglement_plan, entropies, entropy
from ..errors import OptionError
from ..geometry.expansion import NODES
from ..geometry.layers import BOUNDARIES
from ..groundstate.models import LAYERS, MODELS, model_ground_state, reached
from ..hyper.dup import MODES
from ..networks import FAMILIES, load
from ..numerics.atomic import replacing
from ..numerics.weights import DISTS, DTYPES
from ..paths import Hypergraph, path_report, rivals
from ..paths.handmade import HANDMADE
from ..paths.kets import FORMS, MAX_TENSORS
from ..paths.tasks import LOCAL, TASKS
from .tour import demo
from .words import DEFAULTS, PROG

EXECUTORS = ("concurrent.futures", "threads", "loky", "dask", "ray")
# options that say which problem is made of a network
PROBLEM = {
    "task": "amplitude",
    "where": None,
    "form": "expanded",
    "mode": "hyper",
    "nodes": None,
    "max_tensors": MAX_TENSORS,
}
NETWORK = "'conv SHAPE', 'rac L' or 'rbm SHAPE' with SHAPE as 64 or 6x6, or a file of qdn.save"


def run(args: list[str]) -> int | None:
    """Run a command: the exit code, None for 0."""
    if args[:1] == ["demo"]:
        return demo().main(args[1:])
    options = _parser().parse_args(_joined_sites(args))
    return options.run(options)


def _parser():
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Deep neural networks as tensor networks.",
        epilog=f"NETWORK: {NETWORK}.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _network_command(commands, "describe", _describe, "what a network is, in integers")
    paths = _network_command(commands, "paths", _paths, "what contracting it costs")
    _path_options(paths)
    bits = _network_command(commands, "entropy", _entropy, "its entanglement entropy, in bits")
    bits.add_argument(
        "--where", type=_where, help="3: the first 3 sites; 0,3,5 or 0 3 5 or 0:1,2:3: sites"
    )
    bits.add_argument("--method", help="one of those that --plan lists (auto)")
    bits.add_argument("--plan", action="store_true", help="what each method would cost")
    bits.add_argument("--max-bytes", type=float, help="what it may hold (4 GiB)")
    bits.add_argument("--max-flops", type=float, help="what it may take (1e15)")
    _ground_command(commands)
    for name, text in (
        ("demo", "a ground state on a lattice, beside MPS and PEPS"),
        ("doctor", "what is installed, and what is missing"),
    ):  # which parse their own options
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _network_command(commands, name, run, text):
    """A command about a network."""
    command = commands.add_parser(name, help=text, description=f"Print {text}.")
    command.set_defaults(run=run)
    more = ", or a problem in JSON" if name == "paths" else ""
    command.add_argument("network", nargs="+", metavar="NETWORK", help=NETWORK + more)
    add = command.add_argument_group("random networks").add_argument
    add("--depth", type=int, help="layers (2)")
    add("--kernel", type=_shape, help="of a conv: 3, or 2x3 on a lattice (3)")
    add("--bond-dim", type=int, help="channels (4)")
    add("--phys-dim", type=int, help="states of a site (2)")
    add("--boundary", help=f"of a conv: {', '.join(BOUNDARIES)} (ones)")
    add("--alpha", type=int, help="hidden units per site of an rbm (1)")
    usual = "entangled, normal for an rbm" if name == "entropy" else "normal"
    add("--dist", help=f"of the weights: {', '.join(DISTS)}, entangled ({usual})")
    add("--dtype", help=f"{', '.join(DTYPES)} (float64)")
    add("--seed", type=int, help="(0)")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return command


def _path_options(command):
    add = command.add_argument
    add("--task", help=f"{', '.join(TASKS)} (amplitude)")
    add("--where", type=_where, help="of the last two: 3, or 0,3,5, or 0:1,2:3 on a lattice")
    add("--form", choices=FORMS, help="(expanded)")
    add("--mode", choices=MODES, help="how the leaves of a site are joined (hyper)")
    add("--nodes", choices=NODES, help="(hyper)")
    add("--optimize", nargs="+", help=f"presets of cotengra, or {', '.join(HANDMADE)}")
    add("--shared", action="store_true", help="count also equal steps once")
    add("--target-size", type=int, help="slice to intermediates of so many elements")
    add("--max-tensors", type=int, help=f"refuse larger networks ({MAX_TENSORS})")
    add("--rivals", choices=("params", "entropy"), help="beside MPS, MERA, ... as large")
    add("--executor", help=f"a number of processes, or {', '.join(EXECUTORS)}")


def _ground_command(commands):
    """The command about a model."""
    text = "the ground state of a model, by samples of a network"
    command = commands.add_parser("ground", help=text, description=f"Print {text}.")
    command.set_defaults(run=_ground)
    add = command.add_argument
    add("model", choices=MODELS, help="tfi: Pauli matrices; the others: spins of one half")
    add("shape", type=_shape, metavar="SHAPE", help="64 for a chain, 6x6 for a lattice")
    add("--boundary", choices=("periodic", "open"), default="periodic", help="(periodic)")
    add("--field", type=float, help="of tfi (1)")
    add("--j2", type=float, help="of j1j2 (0.5)")
    add("--layers", type=_layer, nargs="+", help="kernel and channels of each (4,16 2,2)")
    add("--seconds", type=float, help="how long; 60 where --steps is not given either")
    add("--steps", type=int, help="how many")
    add("--samples", type=int, help="of a step (1024)")
    add("--seed", type=int, default=0, help="(0)")
    add("--checkpoint", help="a file to go on from, and to write")
    add("--executor", help=f"a number of processes, or {', '.join(EXECUTORS)}")
    add("--json", metavar="FILE", help="write what was reached there too, - for stdout alone")


def _layer(text):
    """3,16 or 2x3,16 as a kernel and a number of channels."""
    kernel, comma, channels = text.partition(",")
    if not comma or not channels.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a layer; write 3,16 or 2x3,16")
    return _shape(kernel), int(channels)


def _one_or_more(numbers):
    """A single number as an int, several as a tuple."""
    found = tuple(map(int, numbers))
    return found[0] if len(found) == 1 else found


def _shape(text):
    """64, or 6x6 as a pair."""
    try:
        return _one_or_more(text.split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64 or 6x6") from error


def _joined_sites(args):
    """Sites that stand apart, ``--where 0 3 5``, as one word, ``--where 0,3,5``."""
    joined: list[str] = []
    follows = False  # whether all words since --where are sites
    for word in args:
        sites = re.fullmatch(r"(--where=)?[\d:,]+", word)
        if follows and sites and joined[-1] != "--where":
            joined[-1] += "," + word
        else:
            joined.append(word)
        follows = word == "--where" or bool(sites and (follows or sites[1]))
    return joined


def _where(text):
    """3 as an int; "0,3,5" as sites, "0:1,2:3" as sites of a lattice."""
    try:
        if text.isdigit():
            return int(text)
        return [_one_or_more(site.split(":")) for site in text.split(",") if site]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} does not name sites; write 3, or 0,3,5, or 0:1,2:3 on a lattice"
        ) from error


def _executor(text):
    """4 as a number of processes, or the name of an executor."""
    if text is None or text in EXECUTORS:
        return text
    if text.isdigit() and int(text):
        return int(text)
    raise OptionError(
        f"--executor {text!r} is not known; write a number of processes or one of "
        f"{', '.join(EXECUTORS)}."
    )


# ---------------------------------------------------------------- the commands


def _network(options):
    """The network that a user names."""
    family, *shape = options.network
    rand: Any = getattr(FAMILIES.get(family), "rand", None)
    words = DEFAULTS.keys() & inspect.signature(rand).parameters if rand else ()
    _refuse_given(options, set(DEFAULTS).difference(words), f"{family} has no such option")
    if not words:
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
            f"{family} {' '.join(shape)!r} has no shape; write one network, as "
            f"'{family} 64' for a chain or '{family} 4x4' for a lattice."
        ) from error
    usual = dict(DEFAULTS)
    if options.command == "entropy" and family != "rbm":  # which has no entangled weights
        usual["dist"] = "entangled"
    given = {word: getattr(options, word) for word in words}
    return rand(shape, **{word: usual[word] if x is None else x for word, x in given.items()})


def _refuse_given(options, words, why):
    """Refuse options that would be ignored."""
    for word in sorted(words):
        if (value := getattr(options, word, None)) is not None:
            raise OptionError(f"--{word.replace('_', '-')} {value}: {why}; leave it out.")


def _show(options, data, text):
    """Print a table, or JSON, where numbers beyond the range of floats are null."""
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
    if hasattr(net.geometry, "duplication"):
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
        "executor": _executor(options.executor),
        "progbar": sys.stderr.isatty(),
    }
    if len(options.network) == 1 and options.network[0].endswith(".json"):
        ignored = {*DEFAULTS, *PROBLEM, "rivals"}
        _refuse_given(options, ignored, "the file is a problem already")
        report = path_report(Hypergraph.load(options.network[0]), **search)
    else:
        net = _network(options)
        given = {word: getattr(options, word) for word in PROBLEM}
        request = {word: PROBLEM[word] if x is None else x for word, x in given.items()}
        where = request.pop("where")
        if request["task"] in TASKS and (where is not None) != (request["task"] in LOCAL):
            raise OptionError(
                f"--task {request['task']} is about {'some' if where is None else 'all'} sites; "
                f"{'add' if where is None else 'leave out'} --where."
            )
        request["task"] = request["task"] if where is None else (request["task"], where)
        name = type(net).__name__
        state = net if options.rivals is None else {name: net, **rivals(net, options.rivals)}
        report = path_report(state, **request, **search)
    _show(options, report.to_dict(), report)


def _entropy(options):
    """Print one entropy, all cuts of a chain, or a plan."""
    net = _network(options)
    limits = {"max_bytes": options.max_bytes, "max_flops": options.max_flops}
    limits = {word: x for word, x in limits.items() if x is not None}
    if options.plan:
        _refuse_given(options, {"method"}, "a plan is about all methods")
        where = net.nsites // 2 if options.where is None else options.where
        plan = entanglement_plan(net, where, **limits)
        _show(options, {"rows": plan.rows, "chosen": plan.chosen}, plan)
        return
    limits |= {"method": options.method or "auto", "progbar": sys.stderr.isatty()}
    if options.where is None and net.nsites < 2:
        raise OptionError(
            "a single site has no cut to measure entanglement across; give two sites or more."
        )
    if options.where is None:
        bits = [float(x) for x in entropies(net, **limits)]
        text = "\n".join(f"{n:5} {x:.6f} bits" for n, x in enumerate(bits, 1))
        _show(options, {"cuts": list(range(1, len(bits) + 1)), "entropy_bits": bits}, text)
    else:
        whole = float(entropy(net, options.where, **limits))
        _show(options, {"where": options.where, "entropy_bits": whole}, f"{whole:.6f} bits")


def _ground(options):
    """Take steps towards the ground state of a model, print and write what was reached."""
    for word, model in (("field", "tfi"), ("j2", "j1j2")):
        if options.model != model:
            _refuse_given(options, {word}, f"{options.model} has no such term")
    gs = model_ground_state(
        options.model,
        options.shape,
        options.boundary == "periodic",
        options.layers or LAYERS,
        options.seed,
        1.0 if options.field is None else options.field,
        0.5 if options.j2 is None else options.j2,
        samples=2**10 if options.samples is None else options.samples,
        executor=_executor(options.executor),
    )
    seconds = 60.0 if options.seconds is None and options.steps is None else options.seconds
    gs.run(options.steps, seconds, options.checkpoint, progbar=sys.stderr.isatty())
    if options.json != "-":
        print(gs)
    if options.json is None:
        return
    asked = {word: getattr(options, word) for word in ("model", "shape", "boundary", "seed")}
    text = json.dumps(_finite(asked | reached(gs)), indent=2, allow_nan=False)
    if options.json == "-":
        print(text)
    else:
        with replacing(options.json, "w") as file:
            file.write(text + "\n")
