"""log_amplitudes of a ring, depth 4, K=3, 32 channels, against plain passes of torch."""

from common import against_plain, even_network, report
from rbm import against_rbm

net = even_network(64, 4, 3, 32)
found = against_plain(net, 4096)
found |= against_rbm(net, 4096, 5, 10)
report("log_amplitudes N=64 depth 4 r=32", 150, 300, **found)
