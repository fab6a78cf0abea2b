"""The wheel as users get it: built, looked into, installed alone, and tried: ``make package``.

::

    sdist, wheel  --twine, contents-->  .venv-wheel, without extras  --smoke-->  each extra added
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile

ROOT = pathlib.Path(__file__).parents[1]
DIST, FRESH = ROOT / "dist", ROOT / ".venv-wheel"
PYTHON = FRESH / "bin" / "python"
MAX_WHEEL, MAX_SDIST = 2**20, 2**22  # bytes
# of each extra, what must be importable once it is installed
EXTRAS = {
    "plot": "matplotlib networkx",
    "exact": "flint",
    "cross": "teneva",
    "files": "safetensors",
    "scale": "distributed",
    "paths": "kahypar opt_einsum optuna",
    "bench": "netket",
    "docs": "sphinx furo myst_nb sphinx_design sphinx_copybutton nbclient ipykernel",
    "test": "pytest mpmath xdist mypy",
}
SMOKE = """
import io, numpy as np, quimb_deepnets as qdn
assert "site-packages" in qdn.__file__, qdn.__file__
net = qdn.ConvAC.rand(16, depth=2, kernel=3, bond_dim=4, seed=0)
configs = np.random.default_rng(0).integers(2, size=(100, 16))
phase, logabs = net.log_amplitudes(configs)
assert np.isfinite(logabs).all() and net.entropy(8) > 0
file = io.BytesIO()
qdn.save(net, file), file.seek(0)
assert qdn.load(file) == net
"""


def run(*command, code=0):
    """Run a command away from the checkout, print it, and stop where it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(
        list(map(str, command)), cwd=FRESH.parent / "dist", text=True, capture_output=True
    )
    if done.returncode != code:
        sys.exit(f"exit code {done.returncode} instead of {code}:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def build():
    """The paths of a wheel and an sdist, made anew."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def look(wheel, sdist):
    """Refuse what is missing, what is too much, and what is too large."""
    names = zipfile.ZipFile(wheel).namelist()
    ours = {f"quimb_deepnets/{name}" for name in ("py.typed", "examples/demo.py", "__main__.py")}
    assert ours <= set(names), ours - set(names)
    strange = [n for n in names if not re.match(r"quimb_deepnets(/|-[\d.]+\.dist-info/)", n)]
    assert not strange, strange
    assert not any("test" in n or n.endswith((".pyc", ".npz", ".png")) for n in names)
    with tarfile.open(sdist) as archive:
        inside = {pathlib.PurePath(n).parts[1] for n in archive.getnames() if "/" in n}
    wanted = {"quimb_deepnets", "tests", "docs", "pyproject.toml", "README.md", "LICENSE"}
    assert wanted <= inside, wanted - inside
    for path, limit in ((wheel, MAX_WHEEL), (sdist, MAX_SDIST)):
        print(f"{path.name}: {path.stat().st_size} bytes, at most {limit}")
        assert path.stat().st_size <= limit, path


def oldest():
    """A file of constraints: every requirement in the oldest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"].values()
    needed = dict.fromkeys((*project["dependencies"], *(x for extra in extras for x in extra)))
    pins = [line.replace(">=", "==") for line in needed if "[" not in line]
    path = DIST / "oldest.txt"
    path.write_text("\n".join(pins) + "\n", encoding="utf8")
    return path


def main():
    """Build and try."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--extras", nargs="*", default=[], choices=EXTRAS, help="to add and import")
    parser.add_argument("--oldest", action="store_true", help="the oldest versions, not the newest")
    parser.add_argument("--torch-index", help="where pip finds torch, such as one of CPU builds")
    options = parser.parse_args()
    wheel, sdist = build()
    look(wheel, sdist)
    pins = oldest() if options.oldest else ROOT / "constraints.txt"
    venv.create(FRESH, clear=True, with_pip=True)
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "-c", pins)
    where = ("--index-url", options.torch_index) if options.torch_index else ()
    run(*pip, "--no-deps", *where, "torch")
    run(*pip, wheel)
    run(PYTHON, "-W", "error::DeprecationWarning:quimb_deepnets", "-c", SMOKE)
    print(run(PYTHON, "-m", "quimb_deepnets", "doctor"))
    assert "quimb-deepnets[plot]" in run(PYTHON, "-m", "quimb_deepnets", "demo", code=1)
    for extra in options.extras:
        run(*pip, f"{wheel}[{extra}]")
        run(PYTHON, "-c", f"import {', '.join(EXTRAS[extra].split())}")
    print("the package is good")


if __name__ == "__main__":
    main()
