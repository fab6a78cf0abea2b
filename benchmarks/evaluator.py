"""log_amplitudes of 128 configurations: an evaluator against the plain call and the loop alone."""

import numpy as np
from common import configs, even_network, medians, report

from quimb_deepnets.kernels.compiled import as_rows
from quimb_deepnets.kernels.lookup import look_up_configs

net = even_network(64, 3, 3, 4)
x = configs(net, 128)
ev = net.evaluator(128)
ready = net._evaluate_by(net.plan(128))
table, vector = as_rows(ready.table.mantissa), as_rows(ready.vector.mantissa)
rest = ready.room, vector, float(ready.vector.exponent)
kernel = lambda: look_up_configs(x, ready.pieces, 2, table, *rest)
mantissa, exponent = kernel()
logabs = np.log(np.abs(mantissa)) + exponent * np.log(2)
assert np.abs(logabs - ev.log_amplitudes(x)[1]).max() < 1e-9 * np.abs(logabs).max()
mine, plain, alone = medians(
    lambda: ev.log_amplitudes(x), lambda: net.log_amplitudes(x), kernel, repeats=51
)
report("evaluator, batch 128", 4, 8, ratio=plain / mine, over_the_kernel=mine / alone, ours_s=mine)
