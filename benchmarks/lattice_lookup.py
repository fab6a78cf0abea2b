"""log_amplitudes of a 16 x 16 torus, depth 2, a look-up after folding."""

from common import against_plain, report

import quimb_deepnets as qdn

net = qdn.ConvAC.rand((16, 16), 2, 3, 16, boundary="periodic", seed=0)
report("log_amplitudes 16x16 depth 2 r=16", 15, 60, **against_plain(net, 1024))
