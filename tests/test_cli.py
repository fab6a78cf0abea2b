"""The command line: tables, JSON, exit codes, one line for what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
import quimb as qu
import quimb.operator
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.cli import main
from quimb_deepnets.groundstate.models import model_ground_state, model_terms

from .test_examples import ROOT


def run(capsys, *args):
    """Exit code, what was printed, what was complained of."""
    try:
        code = main(list(map(str, args)))
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def read(capsys, *args):
    """The JSON of a command that works."""
    code, out, err = run(capsys, *args, "--json")
    assert code == 0, err
    return json.loads(out)


def test_describe(capsys):
    net = qdn.ConvAC.rand((4, 6), 3, 2, 5, boundary="periodic", dtype="complex64", seed=0)
    args = "describe conv 4x6 --depth 3 --kernel 2 --bond-dim 5 --boundary periodic".split()
    args += ["--dtype", "complex64"]
    data = read(capsys, *args)
    assert data["network"] == repr(net) and data["num_params"] == net.num_params
    assert data["expanded_tensors"] == net.geometry.num_tensors()
    assert data["copies_of_a_site"] == [64, 64] and data["plan"] == repr(net.plan(1024))
    code, out, _ = run(capsys, *args)
    assert code == 0 and out.startswith(repr(net)) and "num params" in out
    assert read(capsys, "describe", "rbm", 6, "--alpha", 3)["num_params"] == 6 + 18 + 108
    assert read(capsys, "describe", "rac", 6, "--phys-dim", 3)["phys_dim"] == 3


def test_kernels_of_a_lattice(capsys):
    net = qdn.ConvAC.rand((4, 6), 2, (1, 3), 4, seed=0)
    assert read(capsys, "describe", "conv", "4x6", "--kernel", "1x3")["network"] == repr(net)


def test_paths(capsys):
    net = qdn.ConvAC.rand(16, 2, 3, 4, seed=0)
    args = "paths conv 16 --task norm --form collapsed --optimize greedy sweep --shared".split()
    data = read(capsys, *args)
    expected = qdn.path_report(net, "norm", "collapsed", optimize=("greedy", "sweep"), shared=True)
    drop = lambda rows: [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    assert drop(data["rows"]) == drop(expected.rows) and data["task"] == "norm"
    code, out, _ = run(capsys, *args)
    assert code == 0 and out.startswith("PathReport(") and "* sweep" in out
    rows = read(capsys, *"paths conv 16 --task partial_trace --where 3,9".split())["rows"]
    assert rows[0]["tensors"] == qdn.path_report(net, ("partial_trace", [3, 9])).best["tensors"]
    rows = read(capsys, *"paths conv 2x3 --task local_expectation --where 0:1,1:1".split())["rows"]
    assert rows[0]["tensors"] > 10
    rows = read(capsys, *"paths conv 8 --rivals entropy --target-size 4 --task norm".split())[
        "rows"
    ]
    assert {"ConvAC", "MPS", "MERA", "RBM"} < {row["state"] for row in rows}
    assert all(row["log2_width"] <= 2 for row in rows)
    rows = read(capsys, *"paths conv 8 --executor threads".split())["rows"]
    assert [row["optimize"] for row in rows] == ["greedy", "branches"]
    rows = read(capsys, *"paths rac 5 --nodes dense --mode tree".split())["rows"]
    assert rows[0]["log10_flops"] > 0


def test_paths_of_a_problem_in_a_file(capsys):
    file = ROOT / "examples" / "networks" / "ring24_depth2_K5_norm.json"
    rows = read(capsys, "paths", file, "--optimize", "quick")["rows"]
    record = json.loads(file.with_suffix(".path.json").read_text())
    assert rows[0]["tensors"] == 50 and rows[0]["log10_flops"] >= record["log10_flops"] - 1e-9


def test_entropy(capsys, tmp_path):
    net = qdn.RAC.rand(8, 2, 3, dtype="complex128", seed=5)
    qdn.save(net, tmp_path / "net.npz")
    file = str(tmp_path / "net.npz")
    data = read(capsys, "entropy", file)
    np.testing.assert_allclose(data["entropy_bits"], net.entropies(), atol=1e-12)
    assert data["cuts"] == list(range(1, 8))
    for where, sites in (("3", 3), ("1,4", [1, 4]), ("5,", [5]), ("1 4 5", [1, 4, 5])):
        found = read(capsys, "entropy", "--where", *where.split(), file)["entropy_bits"]
        assert found == pytest.approx(float(net.entropy(sites)), abs=1e-12)
    code, out, _ = run(capsys, "entropy", file, "--where", "3")
    assert code == 0 and out == f"{float(net.entropy(3)):.6f} bits\n"
    code, out, _ = run(capsys, "entropy", file)
    assert len(out.splitlines()) == 7
    plan = read(capsys, "entropy", file, "--plan")
    assert plan["chosen"] in {row["method"] for row in plan["rows"]}
    huge = read(capsys, *"entropy rbm 2000 --plan".split())
    assert any(row["flops"] is None for row in huge["rows"]) and huge["chosen"] is None
    line = "entropy conv 64 --depth 3 --dist rademacher --dtype complex128 --where 32"
    net = qdn.ConvAC.rand(64, 3, 3, 4, dist="rademacher", dtype="complex128", seed=0)
    bits = read(capsys, *line.split())["entropy_bits"]
    assert bits == pytest.approx(float(net.entropy(32)), abs=1e-9) and bits > 1


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("describe nowhere.npz", "does not exist"),
        ("describe conv", "shape"),
        ("describe conv 4x", "shape"),
        ("describe conv 4 5", "shape"),
        ("describe tree 4", "'tree 4'"),
        ("describe conv 0", "0"),
        ("describe conv 8 --boundary zeros", "zeros"),
        ("describe conv 8 --dtype int8", "int8"),
        ("paths README.md", "cannot be read"),
        ("paths pyproject.json", "cannot be read"),
        ("paths conv 8 --optimize nothing", "--optimize nothing"),
        ("paths conv 8 --task dance", "--task dance"),
        ("paths conv 8 --task norm --where 2", "about all sites"),
        ("paths conv 8 --task partial_trace", "about some sites"),
        ("paths conv 8 conv 9", "write one network"),
        ("paths conv 99999999999999", "sites, more than"),
        ("paths rac 8 --kernel 5", "--kernel 5: rac has no such option"),
        ("describe rbm 8 --depth 2", "--depth 2"),
        ("paths examples/networks/ring24_depth2_K5_norm.json --task norm", "--task norm"),
        ("paths examples/networks/ring24_depth2_K5_norm.json --rivals params", "--rivals"),
        ("paths examples/networks/ring24_depth2_K5_norm.path.json", "no 'inputs'"),
        ("entropy conv 1", "no cut"),
        ("entropy conv 6 --plan --where 0", "--where 0"),
        ("entropy conv 6 --plan --method magic", "--method magic"),
        ("paths conv 8 --task partial_trace --where 9,10", "9"),
        ("paths conv 8 --executor cloud", "'cloud'"),
        ("paths conv 8 --target-size 0", "--target-size 0"),
        ("paths conv 99 --depth 12", "raise --max-tensors"),
        ("entropy conv 8 --where 9", "--where 9"),
        ("entropy conv 8 --method magic", "--method magic"),
        ("entropy conv 40x40 --where 800", "--max-bytes"),
        ("entropy conv 8 --where 3 --max-bytes 1", "--max-bytes 1"),
        ("ground tfi 6 --j2 0.3", "--j2 0.3: tfi has no such term"),
        ("ground tfi 6 --steps 1 --executor cloud", "'cloud'"),
        ("ground tfi 6 --seconds -1", "--seconds -1"),
        ("ground tfi 6 --steps 1 --samples 0", "--samples 0"),
    ],
)
def test_refusals_are_one_line(capsys, monkeypatch, line, word):
    monkeypatch.chdir(ROOT)
    code, out, err = run(capsys, *line.split())
    assert code == 1 and not out
    assert err.count("\n") == 1 and err.startswith("python -m quimb_deepnets: error: ")
    assert word in err


@pytest.mark.parametrize(
    "line",
    [
        "",
        "dance",
        "paths",
        "paths conv 8 --depth two",
        "paths conv 8 --where a,b",
        "paths conv 8 --kernel 2xx",
        "paths conv 8 --form folded",
        "entropy conv 8 --optimize greedy",
        "ground hubbard 8",
        "ground tfi 8 --layers 3x16",
    ],
)
def test_wrong_usage(capsys, line):
    code, out, err = run(capsys, *line.split())
    assert code == 2 and not out
    assert "usage:" in err and "Traceback" not in err


def test_help_and_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0 and out.strip() == qdn.__version__
    for args in (["--help"], ["paths", "--help"], ["demo", "--help"]):
        code, out, _ = run(capsys, *args)
        assert code == 0 and "usage: python -m quimb_deepnets" in out


def test_interrupts(capsys, monkeypatch):
    from quimb_deepnets.cli import commands

    def interrupted(*args, **opts):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "path_report", interrupted)
    code, out, err = run(capsys, "paths", "conv", 8)
    assert code == 130 and not out and err.endswith("interrupted\n")


def test_as_a_process_and_into_a_closed_pipe():
    command = [sys.executable, "-m", "quimb_deepnets"]
    done = subprocess.run([*command, "describe", "nowhere.npz"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    line = " ".join([*command, "entropy", "rac", "200", "--depth", "1"]) + " | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.stdout.split()[0] == "1" and "Traceback" not in done.stderr


def test_ground(capsys, tmp_path):
    file, kept = tmp_path / "out.json", tmp_path / "run.npz"
    args = "ground heisenberg 6 --layers 3,4 2,2 --samples 64 --seed 1 --steps".split()
    code, out, err = run(capsys, *args, 4, "--json", file, "--checkpoint", kept)
    assert code == 0, err
    data = json.loads(file.read_text())
    assert data["shape"] == 6 and data["model"] == "heisenberg" and data["steps"] == 4
    assert data["energy"] == pytest.approx(6 * data["energy_per_site"]) and data["error"] > 0
    assert out.startswith("GroundState of ConvAC(") and f"{data['parameters']}" in out
    code, out, _ = run(capsys, *args, 6, "--json", "-", "--checkpoint", kept)
    more = json.loads(out)
    assert code == 0 and more["steps"] == 6 and more["seconds"] > 0
    whole = read_ground(capsys, *args, 6)
    assert {**whole, "seconds": 0} == {**more, "seconds": 0}


def read_ground(capsys, *args):
    code, out, err = run(capsys, *args, "--json", "-")
    assert code == 0, err
    return json.loads(out)


def test_models_of_ground():
    """Energies of all configurations, against matrices of quimb."""
    exact = {
        ("tfi", 6): qu.groundenergy(4 * qu.ham_ising(6, jz=-1, bx=0.5, cyclic=True)),
        ("heisenberg", (2, 3)): None,
        ("j1j2", 6): qu.groundenergy(qu.ham_j1j2(6, j1=1, j2=0.5, cyclic=True)),
    }
    for (model, shape), value in exact.items():
        terms = model_terms(model, shape, periodic=model != "heisenberg", field=1.0)
        sites = sorted({site for pair in terms for site in pair})
        place = {site: n for n, site in enumerate(sites)}
        dense = sum(
            qu.pkron(G, [2] * 6, [place[site] for site in pair]) for pair, G in terms.items()
        )
        if value is None:  # a ladder of three rungs
            builder = qu.operator.heisenberg_from_edges(qtn.edges_2d_square(2, 3))
            value = qu.groundenergy(builder.build_dense())
        assert qu.groundenergy(dense) == pytest.approx(value)
    assert len(model_terms("j1j2", (4, 4))) == 64
    for wide in ((1, 6), (6, 1)):  # a chain, whatever it is called
        assert len(model_terms("j1j2", wide)) == len(model_terms("j1j2", 6)) == 12
        chain = model_ground_state("heisenberg", wide, method="full").run(100, progbar=False)
        assert chain.energy == pytest.approx(qu.groundenergy(qu.ham_heis(6, cyclic=True)), abs=1e-3)
    gs = model_ground_state("j1j2", (2, 2), periodic=False, layers=[(2, 2)], method="full")
    begun = gs.energy
    assert begun == pytest.approx(-17 / 12, abs=0.01)  # nearly uniform
    assert gs.run(steps=5, progbar=False).energy < begun
