"""What importing the package and using it with numpy brings along."""

import pathlib
import subprocess
import sys

import pytest

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


@pytest.fixture(scope="module")
def imported():
    """The packages that are there after each of the calls, in one process."""
    lines = ["import sys\nimport numpy as np\nimport quimb_deepnets as qdn"]
    for name, calls in CALLS.items():
        lines += [calls, f"print({name!r}, *{{name.split('.')[0] for name in sys.modules}})"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}


@pytest.mark.parametrize("calls", CALLS)
def test_numpy_needs_no_torch(imported, calls):
    assert "quimb" in imported[calls]
    assert "torch" not in imported[calls]


def test_optional_packages_are_imported_when_used(imported):
    assert not {"flint", "teneva", "matplotlib", "distributed"} & imported["import"]
