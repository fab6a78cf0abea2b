"""What importing the package and using it with numpy brings along."""

import pathlib
import pickle
import subprocess
import sys

import pytest

import quimb_deepnets as qdn

ROOT = pathlib.Path(__file__).parents[1]
CALLS = {
    "import": "",
    "amplitudes": """
for net in (
    qdn.ConvAC.rand(6, 2, 2, 3, seed=0),
    qdn.ConvAC.rand((2, 3), 1, 2, 3, seed=0),
    qdn.RAC.rand(6, 2, 2, seed=0),
    qdn.RBM.rand(6, seed=0),
):
    configs = np.zeros((3, *net.geometry.shape), int)
    net.amplitudes(configs), net.log_amplitudes(configs), net.flip_ratios(configs)
    net.log_derivatives(configs), net.to_dense()
""",
    "chains": "qdn.Metropolis(net, 4, seed=0).sweep()",
    "entropies": """
net = qdn.ConvAC.rand(6, 2, 2, 3, seed=0)
net.entropy(3), net.entropies(), net.schmidt_rank(3), net.partial_trace_exact([1, 2])
net.renyi2_estimate(3, samples=100, seed=0)
""",
    "collapse": """
net = qdn.ConvAC.rand(6, 2, 2, 3, seed=0)
net.collapse().norm(), net.to_tensor_network().norm(), net.to_tensor_network().collapse()
qdn.path_report(net), qdn.contract_sliced(net, "norm")
""",
    "to_mps": """
for net in (qdn.ConvAC.rand(6, 2, 2, 3, seed=0), qdn.RAC.rand(6, 2, 2, seed=0)):
    net.to_mps().entropy(3)
""",
}


def output(code):
    """What a fresh process prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def imported():
    """The packages that are there after each of the calls, in one process."""
    lines = ["import sys\nimport numpy as np\nimport quimb_deepnets as qdn"]
    for name, calls in CALLS.items():
        lines += [calls, f"print({name!r}, *{{name.split('.')[0] for name in sys.modules}})"]
    printed = output("\n".join(lines)).splitlines()
    return {line.split()[0]: set(line.split()[1:]) for line in printed}


@pytest.mark.parametrize("calls", CALLS)
def test_numpy_needs_no_torch(imported, calls):
    assert "numpy" in imported[calls]
    assert "torch" not in imported[calls]


def test_rows_are_imported_when_used(imported):
    """Nothing by the package itself; networks and chains need no quimb, tensor networks do."""
    assert not {"numba", "quimb"} & imported["import"]
    assert "quimb" not in imported["amplitudes"] | imported["chains"]
    assert "quimb" in imported["entropies"]


def test_optional_packages_are_imported_when_used(imported):
    assert not {"flint", "teneva", "matplotlib", "distributed"} & imported["import"]


def test_names_load_by_any_way_of_import():
    code = """
import quimb_deepnets as qdn
print("entropy" in dir(qdn), hasattr(qdn, "foo"), qdn.theory.page_entropy.__name__)
from quimb_deepnets import *
from quimb_deepnets import hyper
print(ConvAC.__name__, hyper.dup is dup)
"""
    assert output(code).split() == "True False page_entropy ConvAC True".split()


def test_a_network_has_its_methods_wherever_it_comes_from():
    """Where the package is not imported by hand, as in workers, and for several threads at once."""
    net = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=2, seed=0)
    code = f"""
import concurrent.futures as futures, pickle
net = pickle.loads({pickle.dumps(net)!r})
print("entropy" in dir(net))
with futures.ThreadPoolExecutor(4) as pool:
    print(*set(pool.map(lambda where: net.entropy([where, 1]), [0] * 4)))
"""
    there, entropy = output(code).split()
    assert there == "True" and float(entropy) == pytest.approx(net.entropy([0, 1]))
