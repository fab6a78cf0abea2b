"""CPU seconds of first calls in a new process with an empty cache: what compiling loops takes.

Each call comes after those before it, whose loops it shares; later processes read them from files.
"""

import json
import statistics

from common import in_new_process, report

CODE = """
import json, os, tempfile, time
with tempfile.TemporaryDirectory() as folder:
    os.environ["NUMBA_CACHE_DIR"] = folder
    import numpy as np
    import quimb.tensor
    import torch
    import quimb_deepnets as qdn
    net = qdn.ConvAC.rand(64, 4, 3, 8, boundary="periodic", seed=0)
    x = np.random.default_rng(0).integers(0, 2, (1024, 64))
    calls = {
        "log_amplitudes": lambda: net.log_amplitudes(x),
        "flip_ratios": lambda: net.flip_ratios(x),
        "log_derivatives": lambda: net.log_derivatives(x),
        "metropolis": lambda: qdn.Metropolis(net, chains=4, seed=0).sweep(2),
    }
    taken = {}
    for name, call in calls.items():
        begun = time.process_time()
        call()
        taken[name] = time.process_time() - begun
    print(json.dumps(taken))
"""

runs = [json.loads(in_new_process(CODE)) for _ in range(3)]
seconds = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
report(
    "CPU seconds of first calls, nothing compiled",
    5,
    5,
    ratio=sum(seconds.values()),
    **{f"{name}_s": x for name, x in seconds.items()},
    lower_is_better=True,
)
