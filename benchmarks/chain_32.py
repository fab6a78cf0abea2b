"""log_amplitudes of a ring, depth 4, K=3, 32 channels, against the plain forward pass."""

from common import against_plain, report
from rbm import against_rbm

import quimb_deepnets as qdn

net = qdn.ConvAC.rand(64, 4, 3, 32, boundary="periodic", seed=0)
found = against_plain(net, 4096)
report("log_amplitudes N=64 depth 4 r=32", 25, 60, **found, **against_rbm(net, 4096))
