"""Networks in files: what comes back is what was saved, and no file is lost."""

import json
import os

import numpy as np
import pytest

import quimb_deepnets as qdn

from .architectures import IDS, NETWORKS


@pytest.mark.parametrize("net", NETWORKS[::5], ids=IDS[::5])
def test_round_trip(net, tmp_path):
    path = tmp_path / "net.npz"
    qdn.save(net, path)
    back = qdn.load(str(path))
    assert type(back) is type(net) and back.geometry == net.geometry and repr(back) == repr(net)
    assert list(back.params) == list(net.params)
    for name, x in net.params.items():
        assert np.array_equal(back.params[name], x) and back.params[name].dtype == x.dtype
    assert os.listdir(tmp_path) == ["net.npz"]


@pytest.mark.parametrize(
    "net",
    [
        qdn.RBM.rand((2, 3), seed=0, dtype="complex64"),
        qdn.ConvAC.graph_state((6, 6), (1, 2), 3, boundary="omit"),
        qdn.ConvAC.graph_state(8, 3, 2),
        qdn.RAC.rand(5, depth=2, bond_dim=2, seed=0).to("torch"),
    ],
    ids=repr,
)
def test_other_networks(net, tmp_path):
    qdn.save(net, tmp_path / "net.npz")
    back = qdn.load(tmp_path / "net.npz")
    assert type(back) is type(net) and back.dtype == net.dtype and back.backend == "numpy"
    config = np.ones((1, *net.geometry.shape), int)
    assert np.allclose(back.log_amplitudes(config)[1], net.log_amplitudes(config)[1])


@pytest.mark.parametrize("damage", ["text", "half", "no network", "class", "shape", "weights"])
def test_bad_files(damage, tmp_path):
    path, net = tmp_path / "net.npz", qdn.ConvAC.graph_state(8, 3, 2)
    qdn.save(net, path)
    with np.load(path) as file:
        content = dict(file)
    if damage == "text":
        path.write_text("a network")
    elif damage == "half":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "no network":
        np.savez(path, a=1)
    elif damage == "class":
        np.savez(path, network=json.dumps({"class": "Perceptron"}))
    elif damage == "shape":
        plain = qdn.ConvAC.from_params(net.geometry, net.params)
        qdn.save(plain, path)
        with np.load(path) as file:
            content = dict(file)
        np.savez(path, **content | {"READOUT": np.ones(7)})
    else:
        np.savez(path, **content | {"READOUT": 2 * content["READOUT"]})
    before = path.read_bytes()
    with pytest.raises(qdn.DeepNetError):
        qdn.load(path)
    assert path.read_bytes() == before


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "net.npz"
    path.write_text("precious")
    with pytest.raises(qdn.OptionError, match=r"\.network"):
        qdn.save(qdn.RecursiveMPS.rand(4, depth=1, bond_dim=2, seed=0), path)
    assert path.read_text() == "precious"
    with pytest.raises(qdn.OptionError, match="cannot be written"):
        qdn.save(qdn.RBM.rand(4, seed=0), tmp_path / "nowhere" / "net.npz")
    with pytest.raises(qdn.OptionError, match="does not exist"):
        qdn.load(tmp_path / "nowhere.npz")
