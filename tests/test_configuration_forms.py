"""Configurations as integers, booleans and strings: all the same ones."""

import numpy as np
import pytest
import torch

import quimb_deepnets as qdn

NETS = {
    "chain": qdn.ConvAC.rand(4, 1, 2, 2, seed=0),
    "lattice": qdn.ConvAC.rand((2, 2), 1, 2, 2, seed=0),
    "qutrits": qdn.RAC.rand(4, 2, 2, phys_dim=3, seed=1),
}
ONE, TWO = [0, 1, 1, 0], [[0, 1, 1, 0], [1, 1, 0, 1]]


def in_shape(x, net):
    x = np.array(x)
    return x.reshape(*x.shape[:-1], *net.geometry.shape)


@pytest.mark.parametrize("name", NETS)
def test_one_configuration(name):
    net = NETS[name]
    expected = net.to_dense().reshape((net.phys_dim,) * 4)[tuple(ONE)]
    for config in (
        "0110",
        np.str_("0110"),
        list("0110"),
        in_shape(list("0110"), net),
        in_shape(ONE, net).astype(bool),
        [False, True, True, False],
        torch.tensor(ONE, dtype=torch.bool),
        torch.tensor(in_shape(ONE, net)),
    ):
        assert net.amplitude(config) == pytest.approx(expected, rel=1e-14)
    if name == "lattice":
        assert net.amplitude(["01", "10"]) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", NETS)
def test_batches(name):
    net = NETS[name]
    dense = net.to_dense().reshape((net.phys_dim,) * 4)
    expected = [dense[tuple(config)] for config in TWO]
    forms = [
        ["0110", "1101"],
        ("0110", "1101"),
        np.array(["0110", "1101"]),
        in_shape([list("0110"), list("1101")], net),
        in_shape(TWO, net).astype(bool),
        torch.tensor(in_shape(TWO, net), dtype=torch.bool),
        in_shape(TWO, net).astype(bool).tolist(),
    ]
    if name == "lattice":
        forms += [[["01", "10"], ["11", "01"]]]
    for configs in forms:
        assert net.amplitudes(configs) == pytest.approx(expected, rel=1e-14)
        phase, size = net.log_amplitudes(configs)
        assert phase * np.exp(size) == pytest.approx(expected)
        assert net.log_derivatives(configs).shape == (2, net.num_params)
        assert net.flip_ratios(configs).shape == (2, 4, net.phys_dim)
    psi = net.to_tensor_network()
    assert psi.amplitudes(["0110", "1101"], optimize="greedy") == pytest.approx(expected)


def test_a_single_site():
    net = qdn.ConvAC.rand(1, 1, 1, 2, seed=0)
    v = net.to_dense().reshape(-1)
    assert net.amplitudes(["0", "1"]) == pytest.approx(v)
    assert net.amplitude("1") == net.amplitude(["1"]) == pytest.approx(v[1])


@pytest.mark.parametrize(
    ("configs", "fragment"),
    [
        (["0110", "111"], "digits"),
        (["0110", "11a1"], "'11a1'"),
        (["0120"], "entry 2"),
        (["011", "110"], "shape"),
        ("0110", "amplitude"),
        (["٠١١٠"], "digits"),
        ([b"0110"], "bytes"),
        (["0110", [1, 1, 1, 1]], "ragged"),
        ([], "shape"),
        (np.array(["0110", 3], dtype=object), "object"),
    ],
)
def test_no_configurations(configs, fragment):
    with pytest.raises(qdn.ConfigError, match=fragment):
        NETS["chain"].amplitudes(configs)
