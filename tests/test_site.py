"""The built pages: no warning, no dead link, every public name."""

import importlib
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

import quimb_deepnets as qdn

DOCS = pathlib.Path(__file__).parents[1] / "docs"
FOLDERS = "entanglement exact groundstate jobs networks paths sampling theory".split()


def links():
    """The module docs/check_links.py."""
    spec = importlib.util.spec_from_file_location("check_links", DOCS / "check_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public():
    """Classes and functions that the package and its folders offer, each once."""
    found = {getattr(qdn, name): name for name in qdn.__all__}
    for folder in FOLDERS:
        module = importlib.import_module(f"quimb_deepnets.{folder}")
        for name in module.__all__:
            if callable(thing := getattr(module, name)):
                found.setdefault(thing, f"{folder}.{name}")
    return found


def named(name):
    """What a name on the page stands for."""
    folder, _, last = name.rpartition(".")
    return getattr(importlib.import_module(f"quimb_deepnets.{folder}".rstrip(".")), last)


def test_every_public_name_is_on_the_page():
    listed = re.findall(r"^   ([\w.]+)$", (DOCS / "api.md").read_text(encoding="utf8"), re.M)
    shown = [named(name) for name in listed]
    assert len(shown) == len(set(shown))
    assert not {name for thing, name in public().items() if thing not in shown}


def test_dead_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="#here"><a href="#gone"><a href="b.html#x"><img src="c.png">'
        '<a href="https://arxiv.org/abs/1803.09780">'
    )
    (tmp_path / "b.html").write_text('<p id="x"><a href="a.html#here">')
    assert links().dead_links(tmp_path) == ["a.html: #gone", "a.html: c.png"]


@pytest.mark.slow
def test_site(tmp_path):
    """It builds without a warning, and no link within it is dead."""
    for package in ("sphinx", "furo", "myst_nb", "sphinx_design", "sphinx_copybutton"):
        pytest.importorskip(package)
    out = tmp_path / "html"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run([*command, str(DOCS), str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert links().dead_links(out) == []
