"""What is installed and what is missing: versions, devices, threads, cache and memory.

::

    requirements  --versions, imports-->  ok | missing | outside | broken, and pip lines
    machine                               CUDA devices, threads, numba's cache, memory

It needs the standard library alone: what is not there is reported, not imported.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import warnings
from typing import Any

from .. import __version__
from .words import PROG

NAME = "quimb-deepnets"
HIDDEN = {"docs", "test"}  # extras of those who change the package


def run(args: list[str]) -> int:
    """Print an `examination`; the exit code, 0 where nothing that is required is missing."""
    parser = argparse.ArgumentParser(
        prog=f"{PROG} doctor", description="Print what is installed, and what is missing."
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(args)
    found = examination()
    print(json.dumps(found, indent=2) if options.json else report(found))
    return 0 if found["ok"] else 1


def examination() -> dict[str, Any]:
    """Everything that `doctor` prints, as data.

    Returns
    -------
    dict
        ``"ok"`` says whether everything that is required is there, and nothing is of a version
        that the package does not allow; ``"advice"`` lists what to run, a line each.

    Examples
    --------
    >>> from quimb_deepnets.cli.doctor import examination
    >>> sorted(examination())[:4]
    ['advice', 'cpus', 'cuda', 'memory']
    """
    rows = [row for row in map(_parsed, _requirements()) if row["extra"] not in HIDDEN]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what an import finds missing
        rows = [row | _state(**row) for row in rows]
    return {
        "ok": bool(rows) and not any(map(_is_wrong, rows)),
        "quimb_deepnets": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": rows,
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": _threads(),
        "cuda": _cuda(),
        "numba_cache": _cache(),
        "memory": _memory(),
        "advice": _advice(rows),
    }


def report(found: dict[str, Any]) -> str:
    """An `examination` as text."""
    lines = [
        f"quimb_deepnets {found['quimb_deepnets']}, Python {found['python']}, {found['system']}",
        "",
        f"{'package':16}{'installed':16}{'allowed':12}{'extra':8}",
    ]
    for row in found["packages"]:
        cells = f"{row['package']:16}{row['installed'] or '-':16}{row['allowed']:12}"
        lines.append(f"{cells}{row['extra'] or '':8}{row['state']}")
    threads = ", ".join(f"{name} {count}" for name, count in found["threads"].items())
    without = "no folder can be written, loops compile anew"
    without = without if "numba" in found["threads"] else "numba cannot be imported"
    memory = {name: _in_words(count) for name, count in found["memory"].items()}
    lines += [
        "",
        f"threads: {threads}; {found['cpus']} CPUs",
        f"CUDA: {', '.join(found['cuda']) or 'no device'}",
        f"numba's cache: {found['numba_cache'] or without}",
        f"memory: {memory['available']} of {memory['total']} free",
        "",
        *(found["advice"] or ["nothing is missing"]),
    ]
    return "\n".join(lines)


def _requirements():
    """The requirements of the installed package, one line each; none if it is not installed."""
    try:
        return importlib.metadata.requires(NAME) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _parsed(text):
    """``"netket>=3.10; extra == 'bench'"`` as name, allowed versions and extra."""
    spec, _, marker = text.partition(";")
    ((name, allowed),) = re.findall(r"^\s*([\w.-]+)\s*(.*?)\s*$", spec)
    extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
    return {"package": name, "allowed": allowed, "extra": extra and extra[1]}


def _state(package, allowed, extra):
    """What is known about a requirement; one that is there is imported, if it is required."""
    try:
        installed = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return {"installed": None, "state": "missing", "error": None}
    error = None if extra else _error_of(package)
    state = "broken" if error else "ok" if allows(allowed, installed) else "outside"
    return {"installed": installed, "state": state, "error": error}


def _error_of(package):
    """What the import of a package says if it fails, None if it does not."""
    try:
        importlib.import_module(package)
    except Exception as error:  # whatever a broken package may raise
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def allows(allowed: str, version: str) -> bool:
    """Whether a version is in a range of ``>=``, ``<`` and ``==``; other relations do not count.

    Examples
    --------
    >>> from quimb_deepnets.cli.doctor import allows
    >>> allows(">=2.4.1", "2.13.0+cpu"), allows(">=1.15,<2", "2.0"), allows("==1.0", "1.0.0")
    (True, False, True)
    """
    numbers = lambda text: [*map(int, re.findall(r"\d+", re.findall(r"^\s*[\d.]*", text)[0]))]
    padded = lambda a, b: (a + [0] * (len(b) - len(a)), b + [0] * (len(a) - len(b)))
    compare = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "==": lambda a, b: a == b}
    for part in filter(None, map(str.strip, allowed.split(","))):
        ((relation, bound),) = re.findall(r"^([<>=!~]+)(.*)$", part)
        if relation in compare and not compare[relation](*padded(numbers(version), numbers(bound))):
            return False
    return True


def _is_wrong(row):
    """Whether a package is needed and missing, or there and broken or of no allowed version."""
    return row["state"] in ("outside", "broken") or (row["state"] == "missing" and not row["extra"])


def _advice(rows):
    """The pip lines that bring what is missing."""
    if not rows:
        return [
            f"the package is not installed, so its requirements are unknown: pip install {NAME}"
        ]
    lines = [_remedy(row) for row in rows if _is_wrong(row)]
    extras = dict.fromkeys(row["extra"] for row in rows if row["extra"])
    for extra in extras:
        mine = [r["package"] for r in rows if r["extra"] == extra and r["state"] == "missing"]
        if mine:
            what = ", ".join(mine)
            lines.append(f"optional, for {what}: pip install '{NAME}[{extra}]'")
    return lines


def _remedy(row):
    """What is wrong with a package, and the pip line against it."""
    anew = "--force-reinstall " if row["state"] == "broken" else ""
    why = f" ({row['error']})" if row["error"] else ""
    spec = row["package"] + row["allowed"]
    return f"{row['package']} is {row['state']}{why}: pip install {anew}'{spec}'"


def _there(name):
    """A module, None where it cannot be imported."""
    return None if _error_of(name) else importlib.import_module(name)


def _threads():
    """How many threads the libraries take, of those that are there."""
    numba, torch = _there("numba"), _there("torch")
    found = {"numba": numba.get_num_threads()} if numba else {}
    found |= {"torch": torch.get_num_threads()} if torch else {}
    return found | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")}


def _cuda():
    """Names and memory of the CUDA devices that torch sees."""
    torch = _there("torch")
    if not (torch and torch.cuda.is_available()):
        return []
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [f"{device.name} ({_in_words(device.total_memory)})" for device in found]


def _cache():
    """The folder of numba's cache, None if it has none that can be written."""
    try:
        return importlib.import_module("numba").njit(_cached, cache=True).stats.cache_path
    except Exception:  # no locator available, or no numba that works
        return None


def _cached(x):
    return x


def _memory():
    """Bytes of memory, all and what is free, None where psutil is not there to ask."""
    psutil = _there("psutil")
    return dict(zip(("total", "available"), psutil.virtual_memory()[:2] if psutil else (None,) * 2))


def _in_words(count):
    """Bytes in GiB; `numerics` has more units, and needs numpy."""
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"
