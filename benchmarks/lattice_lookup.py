"""log_amplitudes of a 16 x 16 torus, depth 2, a look-up after folding, against plain passes.

A batch of 4096, as in the rows of chains; beside it one of 1024, of which making the tables takes
a larger share.
"""

from common import against_plain, even_network, report

net = even_network((16, 16), 2, 3, 16)
found, small = against_plain(net, 4096), against_plain(net, 1024)
report("log_amplitudes 16x16 depth 2 r=16", 120, 300, **found, ratio_at_1024=small["ratio"])
