"""Every block of python on the pages of docs/ runs and prints what it says; so do the notebooks."""

import ast
import contextlib
import importlib.util
import io
import json
import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGES = sorted(p for p in DOCS.glob("*.md") if "```python" in p.read_text(encoding="utf8"))
NOTEBOOKS = sorted((DOCS / "examples").glob("*.ipynb"))
LONG = ("ground_state", "ring_of_200", "sampling")  # half a minute and more
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.S)


def outputs():
    """The module docs/outputs.py, which compares what is printed with what is kept."""
    spec = importlib.util.spec_from_file_location("outputs", DOCS / "outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OUTPUTS = outputs()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_page_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    for source, expected in BLOCK.findall(path.read_text(encoding="utf8")):
        printed = []
        names["print"] = lambda *values, printed=printed: printed.append(" ".join(map(str, values)))
        exec(source, names)
        if expected:
            wrong = OUTPUTS.difference("\n".join(printed), expected, tolerances=(0.0, 0.0))
            assert wrong is None


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
    """The cells one after the other, without a kernel, say and show what is kept beside them."""
    if path.stem == "netket":
        pytest.importorskip("netket")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    shown = []
    show = lambda: shown.extend(plt.get_fignums()) or plt.close("all")
    monkeypatch.setattr(plt, "show", show)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for n, cell in enumerate(json.loads(path.read_text(encoding="utf8"))["cells"]):
        if cell["cell_type"] == "code":
            found = executed("".join(cell["source"]), names)
            varies = "varies" in cell["metadata"].get("tags", ())
            wrong = OUTPUTS.difference(found, OUTPUTS.printed(cell), varies)
            assert wrong is None, f"cell {n}: {wrong}"
            plt.show()  # what is open at the end of a cell
            assert len(shown) == OUTPUTS.pictures(cell), f"cell {n}"
            shown.clear()


def test_what_libraries_log_is_no_output():
    log = {"output_type": "stream", "name": "stderr", "text": ["[a slow compilation]\n"]}
    text = {"output_type": "stream", "name": "stdout", "text": ["norm 1.5\n"]}
    tip = {"output_type": "display_data", "data": {"text/plain": "a tip of the day"}}
    assert OUTPUTS.printed({"outputs": [tip, log, text]}) == "norm 1.5"


def executed(source, names):
    """What a cell prints, and the value of its last line, as a notebook shows them."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(tree, "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    return out.getvalue() + (repr(value) if value is not None else "")


@pytest.mark.parametrize(
    ("found", "kept", "same"),
    [
        ("norm 1.00000000001", "norm 1.0", True),
        ("norm 1.00001", "norm 1.0", False),
        ("norm 3", "norm 3", True),
        ("1000000001 tensors", "1000000000 tensors", False),
        ("norm 1e-15", "norm -7.1e-16", True),
        ("[1 2]", "[1 2 3]", False),
        ("[0.1  0.20]", "[0.1 0.2]", True),
        ("energy", "norm", False),
        ("a 1.5", "a 1.5 b", False),
        ("", "1", False),
        ("(0.3+1e-17j)", "(0.3-0j)", True),
        ("nan", "1.0", False),
        (
            "  optimize seconds slices\n* quick 0.3 1",
            "  optimize seconds slices\n* quick 0.5 1",
            True,
        ),
        (
            "  optimize seconds slices\n* quick 0.3 1",
            "  optimize seconds slices\n* quick 0.3 2",
            False,
        ),
    ],
)
def test_comparison_of_outputs(found, kept, same):
    assert (OUTPUTS.difference(found, kept) is None) == same
    assert OUTPUTS.difference("E 1.5 (3 steps)", "E 1.25 (4 steps)", varies=True) is None
    assert OUTPUTS.difference("E 1.5", "F 1.5", varies=True) == "E instead of F"
