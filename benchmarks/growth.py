"""log_amplitudes against the length of the ring: slope of log time on log N.

The batch is large enough that what a call costs at any length does not count.
"""

import numpy as np
from common import configs, medians, report

import quimb_deepnets as qdn

lengths = (512, 1024, 2048, 4096, 10_000)
nets = [qdn.ConvAC.rand(n, 4, 3, 8, boundary="periodic", seed=0) for n in lengths]
batches = [configs(net, 2048) for net in nets]
calls = [lambda net=net, x=x: net.log_amplitudes(x) for net, x in zip(nets, batches)]
times = medians(*calls)
slope = np.polyfit(np.log(lengths), np.log(times), 1)[0]
report("growth with N: slope", 1.05, 1.0, ratio=slope, seconds=times, lower_is_better=True)
