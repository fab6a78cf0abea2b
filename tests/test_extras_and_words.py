"""Packages and places to write are looked for before the work; the CLI speaks its own words."""

import sys

import pytest

import quimb_deepnets as qdn
from quimb_deepnets import cli
from quimb_deepnets.cli import words as cli_words
from quimb_deepnets.conversion import cross_mps
from quimb_deepnets.errors import import_extra
from quimb_deepnets.numerics.atomic import writable
from quimb_deepnets.paths import study

NET = qdn.ConvAC.rand(4, 1, 2, 2, seed=0)


def never(*args, **kwargs):
    raise AssertionError("the work has begun")


DRAWINGS = {
    "draw": lambda: NET.to_tensor_network().draw(),
    "graph": lambda: NET.to_tensor_network().graph(),
    "draw_3d": lambda: NET.collapse().draw_3d(),
    "draw, collapsed": lambda: NET.collapse().draw(),
    "draw, norm": lambda: NET.collapse().make_norm().draw(),
    "plot_entropy": lambda: qdn.plot_entropy(NET),
    "PathReport.plot": lambda: qdn.path_report(NET, optimize="greedy").plot(),
    "demo": lambda: cli.demo().main([]),
    "demo, plot": lambda: cli.demo().plot([], "nowhere.png"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_matplotlib(monkeypatch, name):
    for module in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(cli.demo(), "table_rows", never)
    monkeypatch.setattr("quimb_deepnets.entanglement.picture.entropies", never)
    message = r"needs matplotlib, which is not installed.*pip install 'quimb-deepnets\[plot\]'"
    with pytest.raises(qdn.ExtraError, match=message):
        DRAWINGS[name]()


def test_without_the_others(monkeypatch):
    words = r"needs {}, which is not installed; install it with pip install '?{}"
    for module in ("networkx", "flint", "teneva", "plotly"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(qdn.ExtraError, match=words.format("networkx", r"quimb-deepnets\[plot\]'")):
        NET.to_tensor_network().draw()
    with pytest.raises(qdn.ExtraError, match=words.format("python-flint", "quimb-deepnets")):
        qdn.schmidt_rank(NET, 2)
    monkeypatch.setattr(cross_mps, "ScaledAmplitudes", never)
    with pytest.raises(qdn.ExtraError, match=words.format("teneva", "quimb-deepnets")):
        NET.to_mps(method="cross")
    monkeypatch.setitem(sys.modules, "networkx", sys)
    with pytest.raises(qdn.ExtraError, match=words.format("plotly", "plotly")):
        NET.to_tensor_network().draw_interactive()
    assert import_extra("this", "plot", "math", "sys") == (__import__("math"), sys)


def test_executors_are_looked_for_before_the_search(monkeypatch):
    monkeypatch.setattr(study, "_searched", never)
    monkeypatch.setitem(sys.modules, "ray", None)
    for executor, error in (("ray", qdn.ExtraError), ("cloud", qdn.OptionError)):
        with pytest.raises(error, match=executor):
            qdn.path_report(NET, executor=executor)
        with pytest.raises(error, match=executor):
            qdn.contract_sliced(NET, executor=executor, optimize=never)


@pytest.mark.parametrize("place", ["file", "file/below", "full/ground_state.png"])
def test_a_demo_that_could_not_be_written(monkeypatch, capsys, tmp_path, place):
    monkeypatch.setattr(cli.demo(), "table_rows", never)
    (tmp_path / "file").write_text("here")
    (tmp_path / "full" / "ground_state.png").mkdir(parents=True)
    out = tmp_path / place
    out = out.parent if place.startswith("full") else out
    assert cli.main(["demo", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "cannot be written" in error and str(out) in error
    assert (tmp_path / "file").read_text() == "here"


@pytest.mark.parametrize("line", ["demo --steps 0", "demo --seed -1"])
def test_options_of_the_demo(monkeypatch, capsys, tmp_path, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.demo(), "table_rows", never)
    assert cli.main(line.split()) == 1
    error = capsys.readouterr().err
    assert line.removeprefix("demo ") in error and error.count("\n") == 1


def test_writable_leaves_nothing_behind(tmp_path):
    writable(tmp_path / "new" / "a.txt")
    assert list((tmp_path / "new").iterdir()) == []
    for path in ("", "\0", 3, tmp_path):
        with pytest.raises(qdn.OptionError):
            writable(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "paths conv 99 --depth 12",
            "use --form collapsed or fewer layers, or raise --max-tensors",
        ),
        ("paths conv 8 --max-tensors 3", "more than --max-tensors 3"),
        ("entropy conv 40 --where 20 --max-bytes 9", "beyond --max-bytes 9.0 or --max-flops 1e+15"),
        ("entropy conv 40 --where 20 --max-flops 9", "--max-flops 9e+00. Use --method approx"),
        ("paths conv 8 --form collapsed --mode copy", "--mode copy says"),
        ("paths conv 8 --task norm --optimize branches", "for --task amplitude, --form expanded"),
        ("paths conv 8 --task dance", "--task partial_trace with --where"),
        ("paths conv 8 --task norm --where 2", "--task norm is about all sites; leave out --where"),
        ("paths conv 8 --task dense --target-size 2", "more than --target-size 2; raise it"),
        ("paths conv 8 --executor 0", "write a number of processes or one of"),
        ("paths rbm 8 --form collapsed", "error: --form collapsed rewrites"),
        ("entropy conv 6x6 --where 0,1", "Write 3, or 0,3,5, or 0:1,2:3 on a lattice"),
        ("entropy conv 2x3x4", "SHAPE (2, 3, 4) has 3 dimensions; write 64 for a chain, 6x6"),
        ("entropy conv 8 --seed -1", "--seed -1 is not a seed; give a whole number"),
        ("entropy conv 9 --boundary valid --kernel 11", "no window fits with --boundary valid"),
    ],
)
def test_remedies_in_words_of_the_command_line(capsys, line, words):
    assert cli.main(line.split()) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    python = [f"{word}=" for word in cli_words.OPTIONS] + ["max_", "target_size", "bond_dim"]
    assert not any(word in error.replace("error:", "") for word in python if word != "L=")
