"""Every block of python on the pages of docs/ runs and prints what it says; so do the notebooks."""

import json
import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGES = sorted(p for p in DOCS.glob("*.md") if "```python" in p.read_text(encoding="utf8"))
NOTEBOOKS = sorted((DOCS / "examples").glob("*.ipynb"))
LONG = ("ground_state", "ring_of_200", "sampling")  # half a minute and more
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.S)


def words(text):
    """The words of each line, without the seconds of a path report."""
    lines = [line.split() for line in text.strip().splitlines()]
    columns = [line for line in lines if "seconds" in line]
    back = len(columns[0]) - columns[0].index("seconds") if columns else 0
    return [
        line[: len(line) - back] + line[len(line) - back + 1 :] if back else line for line in lines
    ]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_page_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    for source, expected in BLOCK.findall(path.read_text(encoding="utf8")):
        printed = []
        names["print"] = lambda *values, printed=printed: printed.append(" ".join(map(str, values)))
        exec(source, names)
        if expected:
            assert words("\n".join(printed)) == words(expected)


def test_pages_are_there():
    assert len(PAGES) >= 10 and len(NOTEBOOKS) == 9


def test_scripts_are_listed():
    text = (DOCS / "scripts.md").read_text(encoding="utf8")
    found = {p.stem for p in (DOCS.parent / "examples").glob("*.py")} - {"demo"}
    found |= {p.stem for p in (DOCS.parent / "examples" / "studies").glob("*.py")}
    assert set(re.findall(r"^- \[(\w+)\]", text, re.M)) == found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_holds_its_outputs(path):
    """Each was executed, in order, without an error or a warning."""
    assert path.stat().st_size < 400_000
    cells = [c for c in json.loads(path.read_text("utf8"))["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for output in (output for cell in cells for output in cell["outputs"]):
        assert output["output_type"] != "error" and output.get("name") != "stderr"


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in LONG)) for p in NOTEBOOKS],
    ids=lambda p: p.stem,
)
def test_notebook_runs(path, monkeypatch, tmp_path):
    """The cells one after the other, without a kernel."""
    if path.stem == "netket":
        pytest.importorskip("netket")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    plt.close("all")
