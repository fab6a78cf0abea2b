"""What every test starts from: what torch warns of once a process, it warns of every time.

Figures that a test draws are closed after it.
"""

import sys

import pytest
import torch

torch.set_warn_always(True)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
