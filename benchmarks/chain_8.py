"""log_amplitudes of a ring, depth 4, K=3, 8 channels, against plain passes of torch."""

from common import against_plain, even_network, report
from rbm import against_rbm

net = even_network(64, 4, 3, 8)
found = against_plain(net, 4096)
found |= against_rbm(net, 4096, 8, 15)
report("log_amplitudes N=64 depth 4 r=8", 50, 120, **found)
