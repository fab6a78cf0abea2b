"""What every test starts from: what torch warns of once a process, it warns of every time."""

import torch

torch.set_warn_always(True)
