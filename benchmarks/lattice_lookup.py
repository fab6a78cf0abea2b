"""log_amplitudes of a 16 x 16 torus, depth 2, a look-up after folding, against plain passes."""

from common import against_plain, even_network, report

net = even_network((16, 16), 2, 3, 16)
report("log_amplitudes 16x16 depth 2 r=16", 120, 300, **against_plain(net, 1024))
