"""Weights by hand: a GHZ state, a cluster state, and the state that counts ones."""

import numpy as np

import quimb_deepnets as qdn

eye = np.eye(2)

# GHZ: two channels, each remembers that all sites so far agree with it
ghz = qdn.RAC(6, [eye], [eye], None, np.ones(2))
print("GHZ:", ghz.amplitudes([[0] * 6, [1] * 6, [0, 1, 0, 1, 0, 1]]))
assert ghz.to_dense().nonzero()[0].tolist() == [0, 63]

# 1D cluster state on a ring: psi(s) = prod (-1)**(s_n s_n+1). Layer 1 keeps the pair
# (s_n, s_n+1) in four channels, layer 2 turns it into a sign.
pair = np.zeros((2, 4, 2))
for a in (0, 1):
    for b in (0, 1):
        pair[0, 2 * a + b, a] = 1  # tap 0 reads s_n
        pair[1, 2 * a + b, b] = 1  # tap 1 reads s_n+1
sign = np.array([[[1.0, 1.0, 1.0, -1.0]]])
cluster = qdn.ConvAC(6, [pair, sign], np.ones(1), boundary="periodic", anchor="corner")
for s in ([0, 1, 1, 0, 0, 0], [1] * 6, [1, 1, 1, 0, 1, 1]):
    expected = np.prod([(-1) ** (s[n] * s[(n + 1) % 6]) for n in range(6)])
    print("cluster state", s, "->", cluster.amplitude(s))
    assert cluster.amplitude(s) == expected

# a depth-2 RAC whose amplitude is prod_t 2**(number of ones up to t): layer 1 counts ones as
# powers of two, layer 2 multiplies all the counts, so early sites are read again and again
one = np.ones((1, 1))
powers = qdn.RAC(6, [one, one], [np.array([[1.0, 2.0]]), one], None, np.ones(1))
for s in ([0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]):
    exponent = sum(sum(s[: t + 1]) for t in range(6))
    print("counting state", s, "->", powers.amplitude(s), "= 2 **", exponent)
    assert powers.amplitude(s) == 2.0**exponent
