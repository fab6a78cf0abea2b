"""Every row of the reproduction of the paper, at a size of a few seconds."""

import importlib
import json
import pathlib

import pytest

from examples.paper import run


@pytest.mark.parametrize("name", run.NAMES)
def test_row_holds(name, tmp_path):
    row = importlib.import_module(f"examples.paper.{name}").row(tmp_path, quick=True)
    assert row.holds, row.numbers
    assert row.claim and row.says and row.computes and row.certified
    json.dumps(row.numbers)
    for picture in row.pictures:
        assert (tmp_path / picture).stat().st_size > 1000


def test_every_row_is_run():
    folder = pathlib.Path(run.__file__).parent
    assert sorted(run.NAMES) == sorted(path.stem for path in folder.glob("row_*.py"))
    assert sorted(run.NAMES) == sorted(path.stem for path in run.OUT.glob("row_*.md"))


def test_powers_are_not_bold():
    assert run.plain("min(a**d, b**2), `c**d`") == r"min(a\*\*d, b\*\*2), `c**d`"


def test_a_claim_that_fails_fails_the_run(tmp_path, monkeypatch, capsys):
    module = importlib.import_module("examples.paper." + run.NAMES[0])
    true = module.row

    def false(out, quick):
        row = true(out, quick)
        row.holds = False
        return row

    monkeypatch.setattr(module, "row", false)
    with pytest.raises(SystemExit, match="do not hold"):
        run.main([run.NAMES[0], "--quick", "--out", str(tmp_path)])
    assert "**fails**" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run.main(["nothing", "--out", str(tmp_path)])
