"""The networks again, as slow as the formulas are written: nested loops, no vectorisation.

Nothing here imports the package. ``W[l][tap]`` are looked up through a function, so that shared
and unshared weights need no code of their own. A configuration may hold an array for each site:
then the loops run for many configurations at once.
"""

import itertools

import numpy as np


def matvec(matrix, vector):
    out = []
    for row in matrix:
        total = 0
        for w, v in zip(row, vector):
            total += w * v
        out.append(total)
    return out


def conv_amplitude(config, shape, kernels, strides, weight, readout, phys_dim, boundary, anchor):
    """psi(s) of a ConvAC.

    config: dict position (tuple) -> int, or an array of ints. kernels, strides: per layer, tuples
    per dimension.
    weight(l, position, tap): the matrix W[l][tap] as nested lists, l = 1..depth.
    """
    ndim = len(shape)
    values = {}
    for position in itertools.product(*(range(n) for n in shape)):
        values[position] = [1 * (m == config[position]) for m in range(phys_dim)]
    lengths = list(shape)
    width = phys_dim
    for l, (kernel, stride) in enumerate(zip(kernels, strides), 1):
        out_lengths, anchors = [], []
        for d in range(ndim):
            if boundary == "valid":
                out_lengths.append((lengths[d] - kernel[d]) // stride[d] + 1)
                anchors.append(0)
            else:
                out_lengths.append(lengths[d] // stride[d])
                anchors.append((kernel[d] - stride[d] + 1) // 2 if anchor == "center" else 0)
        new = {}
        for n in itertools.product(*(range(m) for m in out_lengths)):
            y = None
            for tap in itertools.product(*(range(k) for k in kernel)):
                q = [n[d] * stride[d] + tap[d] - anchors[d] for d in range(ndim)]
                if boundary == "periodic":
                    q = [q[d] % lengths[d] for d in range(ndim)]
                inside = all(0 <= q[d] < lengths[d] for d in range(ndim))
                if inside:
                    term = matvec(weight(l, n, tap), values[tuple(q)])
                elif boundary == "ones":
                    term = matvec(weight(l, n, tap), [1] * width)
                else:
                    continue
                y = term if y is None else [a * b for a, b in zip(y, term)]
            new[n] = y
            width_out = len(y)
        values, lengths, width = new, out_lengths, width_out
    psi = 0
    for c in range(width):
        term = readout[c]
        for n in values:
            term *= values[n][c]
        psi += term
    return psi


def rac_amplitude(config, hidden, inputs, initial, readout, phys_dim):
    """psi(s) of a RAC; config is a sequence of ints."""
    depth = len(hidden)
    states = [list(h) for h in initial]
    for s in config:
        below = [1 * (m == s) for m in range(phys_dim)]
        for l in range(depth):
            past = matvec(hidden[l], states[l])
            new = matvec(inputs[l], below)
            states[l] = [a * b for a, b in zip(past, new)]
            below = states[l]
    psi = 0
    for w, h in zip(readout, states[-1]):
        psi += w * h
    return psi


# ------------------------------------------------------------- architectures


def configurations(shape, phys_dim):
    """All configurations, the last site running fastest."""
    positions = list(itertools.product(*(range(n) for n in shape)))
    for spins in itertools.product(range(phys_dim), repeat=len(positions)):
        yield dict(zip(positions, spins))


def conv_vector(net):
    """All amplitudes of a ConvAC (read only through its constructor's arguments)."""
    shape = net.shape if isinstance(net.shape, tuple) else (net.shape,)
    ndim = len(shape)
    phys_dim = net.weights[0].shape[-1]
    weights = [np.asarray(w).tolist() for w in net.weights]
    unshared = [len(w.shape) == 2 * ndim + 2 for w in net.weights]

    def weight(l, position, tap):
        w = weights[l - 1]
        for i in (*position, *tap) if unshared[l - 1] else tap:
            w = w[i]
        return w

    kernels = [w.shape[-2 - ndim : -2] for w in net.weights]
    strides = [s if isinstance(s, tuple) else (s,) * ndim for s in net.strides]
    readout = np.asarray(net.readout).tolist()
    return np.array(
        [
            conv_amplitude(
                config, shape, kernels, strides, weight, readout, phys_dim, net.boundary, net.anchor
            )
            for config in configurations(shape, phys_dim)
        ]
    )


def rbm_amplitude(config, visible, hidden, weights):
    """psi(s) of an RBM; config is a sequence of bits, and bit 0 the spin +1."""
    spins = [1 - 2 * s for s in config]
    psi = np.exp(sum(a * s for a, s in zip(visible, spins)))
    for b, row in zip(hidden, weights):
        angle = b
        for w, s in zip(row, spins):
            angle = angle + w * s
        psi = psi * (np.exp(angle) + np.exp(-angle))
    return psi


def rac_vector(net):
    """All amplitudes of a RAC (read only through its constructor's arguments)."""
    arrays = [
        [np.asarray(w).tolist() for w in ws]
        for ws in (net.hidden_weights, net.input_weights, net.initial)
    ]
    phys_dim = net.input_weights[0].shape[-1]
    readout = np.asarray(net.readout).tolist()
    return np.array(
        [
            rac_amplitude(list(config.values()), *arrays, readout, phys_dim)
            for config in configurations((net.L,), phys_dim)
        ]
    )
