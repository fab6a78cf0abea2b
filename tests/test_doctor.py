"""The doctor: versions, what is missing and how to get it, and its exit code."""

import importlib.metadata
import json

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
    monkeypatch.setattr(doctor.numba, "njit", no_cache)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "pip install quimb-deepnets" in out and "loops compile anew" in out


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
