"""All single flips, against one batch of all flipped configurations, on a grid of networks."""

import itertools
import statistics
from functools import partial

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

BATCH = 128
found, one_shot = {}, {}
for shape, bond_dim, depth in itertools.product((20, 64, 256, (10, 10)), (2, 4, 8, 32), (2, 3, 4)):
    options = {"boundary": "periodic", "loc": 1.0, "scale": 0.1, "seed": 0}
    net = qdn.ConvAC.rand(shape, depth, 3, bond_dim, **options)
    x, N = configs(net, BATCH), net.nsites
    flipped = (x[:, None] ^ np.eye(N, dtype=int).reshape(N, *net.geometry.shape)).reshape(
        -1, *net.geometry.shape
    )
    mine, batch = net.evaluator(BATCH), net.evaluator(BATCH * N)
    logs, log = (np.array(net.log_amplitudes(y)[1]) for y in (flipped[:N], x[:1]))
    flat = x[0].reshape(-1)
    ratios = mine.flip_ratios(x[:1])[0, np.arange(N), 1 - flat]
    assert np.abs(np.log(np.abs(ratios)) - (logs - log)).max() < 1e-8
    tabulated = net.plan(BATCH * N).group is not None
    times = medians(
        partial(mine.flip_ratios, x),
        partial(batch.log_amplitudes, flipped),
        partial(net.flip_ratios, x),
        partial(net.log_amplitudes, flipped),
        repeats=7 if tabulated else 1,
    )
    row = f"{shape} r={bond_dim} depth={depth}"
    found[row], one_shot[row] = times[1] / times[0], times[3] / times[2]
worst = min(found, key=found.get)
report(
    "flip_ratios, grid, median",
    8,
    20,
    ratio=statistics.median(found.values()),
    least=found[worst],
    least_at=worst,
    median_not_prepared=statistics.median(one_shot.values()),
    least_not_prepared=min(one_shot.values()),
)
