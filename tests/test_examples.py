"""Every example runs, stays short, and ends in assertions; the demo writes what it promises."""

import json
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest

import quimb_deepnets as qdn
from quimb_deepnets import cli

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.py") if p.stem != "demo")
STUDIES, DOCS = sorted((ROOT / "examples" / "studies").glob("*.py")), ROOT / "docs"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, capsys, monkeypatch, tmp_path):
    source = path.read_text(encoding="utf8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    assert source.count("\n") < 80 and "assert " in source
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


def test_enough_examples():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_study(path, capsys, monkeypatch, tmp_path):
    """Without arguments each runs in seconds; what it writes with them is in docs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    source = path.read_text(encoding="utf8")
    assert source.count("\n") < 160 and "assert " in source
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
    assert all((DOCS / written.name).exists() for written in tmp_path.iterdir())
    found, kept = (json.loads((x / f"{path.stem}.json").read_text()) for x in (tmp_path, DOCS))
    assert found.keys() == kept.keys()


def test_demo(tmp_path, capsys):
    cli.demo().main(["--out", str(tmp_path), "--steps", "3"])
    printed = capsys.readouterr().out
    data = json.loads((tmp_path / "ground_state.json").read_text())
    assert {p.name for p in tmp_path.iterdir()} == {"ground_state.json", "ground_state.png"}
    assert (tmp_path / "ground_state.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    rows = {row["state"]: row for row in data["states"]}
    assert len(rows) == 6 and all(name in printed for name in rows)
    best = rows["exact"]["energy_per_site"]
    assert abs(best + 0.7017802) < 1e-6  # Dagotto and Moreo, Phys. Rev. B 39, 4744
    for row in rows.values():
        assert row["energy_per_site"] > best - 1e-9
        assert all(0 <= s <= a + 1e-9 for s, a in zip(row["entropy_bits"], range(1, 9)))
    # bounds that hold for any weights, by the bonds that are cut
    for bond in (4, 16):
        assert max(rows[f"MPS, bond {bond}"]["entropy_bits"]) <= np.log2(bond) + 1e-9
    for bond in (2, 3):
        assert rows[f"PEPS, bond {bond}"]["entropy_bits"][3] <= 4 * np.log2(bond) + 1e-9


def test_energies_of_the_demo_are_those_of_its_states():
    """Energies of two states anew, from all amplitudes and the matrix of H."""
    demo = cli.demo()
    H = demo.heisenberg().build_sparse_matrix()
    _, peps, *_ = peps_row = demo.projected_entangled_pairs(2, 2, seed=1)
    energy, vector, numbers, _ = demo.deep_network(2, seed=1)
    assert numbers == 418 and np.count_nonzero(vector) == 12870
    signs = (-1) ** np.indices((2,) * 16)[[i for i in range(16) if sum(divmod(i, 4)) % 2]].sum(0)
    for E, x in ((energy, vector * signs.ravel()), (peps_row[0], peps.to_dense().ravel())):
        assert abs(x @ H @ x / (x @ x) - E) < 1e-9


def test_ground_state_of_the_example_is_the_ground_state():
    """DMRG against exact diagonalisation of a Hamiltonian written out in Pauli matrices."""
    L = 8
    x, z, one = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.eye(2)
    h = np.zeros((2**L, 2**L))
    for i in range(L):
        factors = [one] * L
        factors[i] = x
        h -= _kron(factors)
        if i + 1 < L:
            factors = [one] * L
            factors[i] = factors[i + 1] = z
            h -= _kron(factors)
    exact = np.linalg.eigh(h)[1][:, 0]
    source = (ROOT / "examples" / "entropies_and_costs.py").read_text(encoding="utf8")
    names: dict = {}
    exec(source.split("def with_phases")[0], names)
    assert abs(exact @ names["ising_ground_state"](L).to_dense().ravel()) > 1 - 1e-8


def _kron(factors):
    out = np.eye(1)
    for f in factors:
        out = np.kron(out, f)
    return out


def test_demo_refuses_unknown_options():
    done = subprocess.run(
        [sys.executable, "-m", "quimb_deepnets", "demo", "--stepz", "3"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "--stepz" in done.stderr


def test_readme_example():
    """The first example of the README prints what the README says it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf8")
    source = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    expected = [line.split("# ->", 1)[1].strip() for line in source.splitlines() if "# ->" in line]
    printed = []
    exec(source, {"print": lambda *values: printed.append(" ".join(map(str, values)))})
    assert expected and printed == expected


def test_readme_runs(monkeypatch, tmp_path):
    """All python of the README, block after block."""
    text = (ROOT / "README.md").read_text(encoding="utf8")
    blocks, names = re.findall(r"```python\n(.*?)```", text, re.S), {}
    monkeypatch.chdir(tmp_path)
    for source in blocks:
        exec(source, names)
    assert len(blocks) >= 2


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    assert len(text.splitlines()) < 120
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_version():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert project["version"] == qdn.__version__


@pytest.mark.slow
def test_the_benchmark_of_gpus_runs():
    script = [sys.executable, ROOT / "benchmarks" / "gpu.py"]
    done = subprocess.run([*script, "--dry"], capture_output=True, text=True, check=True)
    assert done.stdout.count("| float64 |") == 5
