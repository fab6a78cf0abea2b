"""log_amplitudes of a ring on two cores, against the same on one."""

import os

os.environ["NUMBA_NUM_THREADS"] = "2"  # or numba counts the one core that all other rows take

import numba
import numpy as np
from common import CORES, configs, even_network, medians, report

if len(CORES) > 1:
    os.sched_setaffinity(0, CORES[:2])
net = even_network(64, 4, 3, 32)
x = configs(net, 2**15)
ev = net.evaluator(len(x))


def with_threads(count):
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    return ev.log_amplitudes(x)[1]


assert np.array_equal(with_threads(1), with_threads(2))
one, two = medians(lambda: with_threads(1), lambda: with_threads(2), repeats=15)
report("two threads against one", 1.7, 1.9, ratio=one / two, cores=len(CORES))
