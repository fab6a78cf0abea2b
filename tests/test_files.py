"""Networks in files: what comes back is what was saved, and no file is lost."""

import io
import json
import os
import sys

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


def test_file_objects(tmp_path):
    net, file = qdn.RAC.rand(5, depth=2, bond_dim=2, seed=0), io.BytesIO()
    qdn.save(net, file)
    file.seek(0)
    assert qdn.load(file) == net
    with open(tmp_path / "net.npz", "wb") as out:
        qdn.save(net, out)
    assert qdn.load(tmp_path / "net.npz") == net
    with open(tmp_path / "net.npz", "rb") as reads:
        for bad in (io.StringIO(), reads):
            with pytest.raises(qdn.OptionError, match="mode 'wb'"):
                qdn.save(net, bad)
    for bad in (io.BytesIO(b"a network"), io.StringIO("text")):
        with pytest.raises(qdn.OptionError, match="cannot be read"):
            qdn.load(bad)


def test_newer_files(tmp_path):
    path = tmp_path / "net.npz"
    qdn.save(qdn.RBM.rand(3, seed=0), path)
    with np.load(path) as file:
        content = dict(file)
    header = json.loads(str(content["network"]))
    old = {k: header[k] for k in ("class", "geometry")}  # as before there were versions
    for changed in (header, old):
        np.savez(path, **content | {"network": json.dumps(changed)})
        assert qdn.load(path) == qdn.RBM.rand(3, seed=0)
    np.savez(path, **content | {"network": json.dumps(header | {"version": 2})})
    with pytest.raises(qdn.OptionError, match=r"version 2.*up to 1.*pip install -U"):
        qdn.load(path)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_safetensors(dtype, backend, tmp_path):
    pytest.importorskip("safetensors")
    net = qdn.ConvAC.rand((2, 3), 2, 2, 2, dtype=dtype, seed=0).to(backend)
    path = tmp_path / "net.safetensors"
    qdn.save(net, path)
    assert qdn.load(str(path)) == net
    data = path.read_bytes()
    for damaged in (data[:-1], b"text", data.replace(b"ConvAC", b"Convac")):
        path.write_bytes(damaged)
        with pytest.raises(qdn.DeepNetError, match="cannot be read"):
            qdn.load(path)


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = tmp_path / "net.safetensors"
    with pytest.raises(qdn.ExtraError, match=r"quimb-deepnets\[files\]"):
        qdn.save(qdn.RBM.rand(3, seed=0), path)
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(qdn.ExtraError, match=r"quimb-deepnets\[files\]"):
        qdn.load(path)
