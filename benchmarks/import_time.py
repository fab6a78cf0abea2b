"""Seconds to import the package in a new process, beside those of quimb's tensors alone."""

import subprocess
import sys

from common import medians, report


def importing(module):
    """Import a module in a process of its own."""
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


ours, rival, nothing = medians(
    *(lambda m=m: importing(m) for m in ("quimb_deepnets", "quimb.tensor", "sys"))
)
report(
    "import time, over quimb.tensor",
    1.3,
    1.1,
    ratio=(ours - nothing) / (rival - nothing),
    seconds=ours - nothing,
    quimb_seconds=rival - nothing,
    lower_is_better=True,
)
