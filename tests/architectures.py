"""Random architectures, small enough for nested loops: the grid that the whole suite shares."""

import itertools

import numpy as np

import quimb_deepnets as qdn

MAX_STATES = 1024
MAX_TENSORS = 700


def random_conv(seed):
    """A random ConvAC: dimension, shape, layers, boundary, anchor, sharing, phys_dim, dtype."""
    rng = np.random.default_rng(seed)
    while True:
        phys_dim = int(rng.choice([2, 2, 3]))
        if rng.random() < 0.6:
            shape = int(rng.integers(2, 9))
        else:
            shape = (int(rng.integers(1, 4)), int(rng.integers(2, 5)))
        pairs = isinstance(shape, tuple)
        layers = []
        for _ in range(rng.integers(1, 4)):
            kernel = rng.integers(1, 4, size=2)
            stride = [
                int(rng.choice([1, 1, k])) if k < 3 else int(rng.integers(1, 4)) for k in kernel
            ]
            kernel = [int(k) for k in kernel]
            bond_dim = int(rng.integers(1, 4))
            if pairs:
                layers.append(qdn.GCLayer(tuple(kernel), bond_dim, tuple(stride)))
            else:
                layers.append(qdn.GCLayer(kernel[0], bond_dim, stride[0]))
        try:
            net = qdn.ConvAC.rand(
                shape,
                layers=layers,
                phys_dim=phys_dim,
                boundary=str(rng.choice(["ones", "omit", "periodic", "valid"])),
                anchor=str(rng.choice(["center", "corner"])),
                shared=bool(rng.random() < 0.6),
                dtype=str(rng.choice(["float64", "complex128"])),
                seed=rng,
            )
        except qdn.GeometryError:
            continue
        states = phys_dim**net.nsites
        if states <= MAX_STATES and net.geometry.num_tensors() <= MAX_TENSORS:
            return net


def random_rac(seed):
    """A random RAC with random initial vectors."""
    rng = np.random.default_rng(seed)
    phys_dim = int(rng.choice([2, 3]))
    L = int(rng.integers(1, 7 if phys_dim == 2 else 5))
    net = qdn.RAC.rand(
        L,
        depth=int(rng.integers(1, 4)),
        bond_dim=int(rng.integers(1, 4)),
        phys_dim=phys_dim,
        dtype=str(rng.choice(["float64", "complex128"])),
        seed=rng,
    )
    initial = [h + 0.5 * rng.normal(size=h.shape) for h in net.initial]
    return qdn.RAC(L, net.hidden_weights, net.input_weights, initial, net.readout)


CONV = [random_conv(seed) for seed in range(90)]
RACS = [random_rac(seed) for seed in range(20)]
NETWORKS = CONV + RACS
IDS = [f"{i}-{net!r}" for i, net in enumerate(NETWORKS)]


def all_states(net):
    """Every configuration of a network as integers ``(M**N, *shape)``."""
    spins = list(itertools.product(range(net.phys_dim), repeat=net.nsites))
    shape = net.shape if isinstance(net, qdn.ConvAC) and isinstance(net.shape, tuple) else (-1,)
    return np.array(spins).reshape(len(spins), *shape)
