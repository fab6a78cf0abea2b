"""What is installed and what is missing: versions, devices, threads, cache and memory.

::

    requirements of the package  --beside what is installed-->  ok | missing | outside  + pip line
    machine                      CUDA devices, threads, numba's cache, memory
"""

import importlib
import importlib.metadata
import os
import platform
import re
from typing import Any

import numba
import psutil

from .. import __version__
from ..numerics.sizes import readable_bytes

NAME = "quimb-deepnets"
HIDDEN = {"docs", "test"}  # extras of those who change the package


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
    rows = [_row(*_parsed(text)) for text in _requirements()]
    rows = [row for row in rows if row["extra"] not in HIDDEN]
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
        "memory": dict(zip(("total", "available"), psutil.virtual_memory()[:2])),
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
    memory = found["memory"]
    lines += [
        "",
        f"threads: {threads}; {found['cpus']} CPUs",
        f"CUDA: {', '.join(found['cuda']) or 'no device'}",
        f"numba's cache: {found['numba_cache'] or 'no folder can be written, loops compile anew'}",
        f"memory: {readable_bytes(memory['available'])} of {readable_bytes(memory['total'])} free",
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
    return name, allowed, extra and extra[1]


def _row(name, allowed, extra):
    """What is known about a requirement."""
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        installed = None
    state = "missing" if installed is None else "ok" if allows(allowed, installed) else "outside"
    return {
        "package": name,
        "installed": installed,
        "allowed": allowed,
        "extra": extra,
        "state": state,
    }


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
    """Whether a package is needed and missing, or there in a version that is not allowed."""
    return row["state"] == "outside" or (row["state"] == "missing" and not row["extra"])


def _advice(rows):
    """The pip lines that bring what is missing."""
    if not rows:
        return [
            f"the package is not installed, so its requirements are unknown: pip install {NAME}"
        ]
    lines = [
        f"{row['package']} is {row['state']}: pip install '{row['package']}{row['allowed']}'"
        for row in rows
        if _is_wrong(row)
    ]
    extras = dict.fromkeys(row["extra"] for row in rows if row["extra"])
    for extra in extras:
        mine = [r["package"] for r in rows if r["extra"] == extra and r["state"] == "missing"]
        if mine:
            what = ", ".join(mine)
            lines.append(f"optional, for {what}: pip install '{NAME}[{extra}]'")
    return lines


def _threads():
    """How many threads the libraries take."""
    torch = importlib.import_module("torch")  # which takes a second
    found = {"numba": numba.get_num_threads(), "torch": torch.get_num_threads()}
    return found | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")}


def _cuda():
    """Names and memory of the CUDA devices that torch sees."""
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return []
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [f"{device.name} ({readable_bytes(device.total_memory)})" for device in found]


def _cache():
    """The folder of numba's cache, None if it has none that can be written."""
    try:
        return numba.njit(_cached, cache=True).stats.cache_path
    except RuntimeError:  # no locator available
        return None


def _cached(x):
    return x
