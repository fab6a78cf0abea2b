"""The doctor: versions, what is missing and how to get it, and its exit code."""

import importlib.metadata
import json
import subprocess
import sys

import numba
import numpy as np
import pytest
import torch

import quimb_deepnets as qdn
from quimb_deepnets.cli import doctor, main


def test_table_and_json(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"quimb_deepnets {qdn.__version__}" in out and f"numpy           {np.__version__}" in out
    assert ("no device" in out) != torch.cuda.is_available()
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["memory"]["total"] > found["memory"]["available"] > 0
    assert found["threads"]["torch"] == torch.get_num_threads() and found["cpus"] >= 1
    extras = {row["extra"] for row in found["packages"]}
    assert {None, "plot", "exact", "cross", "scale"} <= extras and "test" not in extras


@pytest.mark.parametrize(
    ("requirement", "state", "code", "advice"),
    [
        ("no-such-package>=2", "missing", 1, "no-such-package is missing: pip install 'no-such-p"),
        ("no-such-package>=2; extra == 'plot'", "missing", 0, "pip install 'quimb-deepnets[plot]'"),
        ("numpy>=99", "outside", 1, "numpy is outside: pip install 'numpy>=99'"),
        ("numpy<1,>=0.5; extra == 'plot'", "outside", 1, "pip install 'numpy<1,>=0.5'"),
        ("numpy>=1", "ok", 0, "nothing is missing"),
        ("numpy", "ok", 0, "nothing is missing"),
    ],
)
def test_states(monkeypatch, capsys, requirement, state, code, advice):
    monkeypatch.setattr(doctor, "_requirements", lambda: [requirement])
    assert main(["doctor"]) == code
    out = capsys.readouterr().out
    assert advice in out
    (row,) = doctor.examination()["packages"]
    assert row["state"] == state


def test_without_metadata_or_cache(monkeypatch, capsys):
    def gone(name):
        raise importlib.metadata.PackageNotFoundError(name)

    def no_cache(*args, **kwargs):
        raise RuntimeError("no locator available")

    monkeypatch.setattr(importlib.metadata, "requires", gone)
    monkeypatch.setattr(numba, "njit", no_cache)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "pip install quimb-deepnets" in out and "loops compile anew" in out


# in a process of its own: packages that cannot be imported, the command, and what it imported
HIDDEN = """
import importlib.metadata, sys
blocked, gone = {blocked!r}, {gone!r}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{{name}} was hidden")

def version(name, known=importlib.metadata.version):
    if name in gone:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)

sys.meta_path.insert(0, Blocker())
importlib.metadata.version = version
from quimb_deepnets.__main__ import main
code = main({command!r})
print(*sorted(set(blocked) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
CORE = "autoray cotengra cotengrust numba numpy psutil quimb scipy torch tqdm".split()


def hidden(command, blocked, gone=()):
    """What a command prints and returns where packages are broken, or not installed."""
    code = HIDDEN.format(blocked=list(blocked), gone=list(gone), command=command)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["numpy", "quimb", "numba", "psutil", "torch", None])
def test_where_a_package_cannot_be_imported(name):
    blocked = [name] if name else CORE
    done = hidden(["doctor", "--json"], blocked)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and not done.stderr.strip() and not found["ok"]
    rows = {row["package"]: row for row in found["packages"]}
    for package in blocked:
        assert rows[package]["state"] == "broken" and "was hidden" in rows[package]["error"]
        (line,) = [line for line in found["advice"] if line.startswith(f"{package} is broken")]
        assert "was hidden" in line and f"pip install --force-reinstall '{package}>=" in line
    assert rows["tqdm"]["state"] == ("ok" if name else "broken")  # which needs none of them
    assert (found["memory"]["total"] is None) == ("psutil" in blocked)
    assert ("torch" in found["threads"]) == (rows["torch"]["state"] == "ok")


def test_where_packages_are_not_installed():
    done = hidden(["doctor"], CORE, CORE)
    assert done.returncode == 1 and not done.stderr.strip()
    assert all(f"{name} is missing: pip install '{name}>=" in done.stdout for name in CORE)
    assert "numba cannot be imported" in done.stdout and "unknown" in done.stdout


def test_other_commands_name_the_doctor():
    done = hidden(["describe", "rac", "4"], ["quimb"])
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert "quimb was hidden" in line and "python -m quimb_deepnets doctor" in line


@pytest.mark.parametrize(
    ("allowed", "version", "there"),
    [
        (">=2.4.1", "2.4", False),
        (">=2.4", "2.4.0", True),
        (">=2.4", "2.13.0+cpu", True),
        (">=1.15,<2", "2.0", False),
        ("==0.17.6", "0.17.6", True),
        (">=2024.1", "2025.11.0", True),
        ("", "1", True),
        ("!=1.3,>1", "1.2", True),
        ("~=1.4", "1.5", True),
    ],
)
def test_ranges(allowed, version, there):
    assert doctor.allows(allowed, version) is there
