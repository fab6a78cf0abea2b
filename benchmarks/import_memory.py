"""Memory that a process holds after importing the package, beside quimb's tensors alone."""

import subprocess
import sys

from common import report


def resident(module):
    """MiB that a new process holds after an import."""
    code = f"import psutil, {module}; print(psutil.Process().memory_info().rss)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout) / 2**20


ours, rival = map(resident, ("quimb_deepnets", "quimb.tensor"))
report(
    "memory after import, over quimb.tensor",
    1.3,
    1.1,
    ratio=ours / rival,
    mebibytes=ours,
    quimb_mebibytes=rival,
    lower_is_better=True,
)
