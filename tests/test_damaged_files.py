"""Damaged files, absurd headers: a network comes back, or an error that has a name."""

import dataclasses
import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest

import quimb_deepnets as qdn

NETS = {
    "conv": qdn.ConvAC.rand(4, depth=2, kernel=2, bond_dim=2, seed=0, shared=False),
    "rac": qdn.RAC.rand(4, depth=2, bond_dim=2, dtype="complex64", seed=0),
    "rbm": qdn.RBM.rand((2, 2), seed=0),
    "graph": qdn.ConvAC.graph_state(4, distance=2, kernel=2),
}
REFUSED = (qdn.OptionError, qdn.WeightError, qdn.GeometryError, qdn.BudgetError)


@pytest.fixture
def load(tmp_path):
    """Load a file of some bytes."""
    path = tmp_path / "net.npz"

    def run(data):
        path.write_bytes(data)
        return qdn.load(path)

    return run


def saved(net, folder):
    qdn.save(net, folder / "whole.npz")
    return (folder / "whole.npz").read_bytes()


def read_or_refused(load, data):
    try:
        return load(data)
    except REFUSED as error:
        assert str(error)
        return None


@pytest.mark.parametrize("name", NETS)
def test_flipped_and_cut_bytes(name, load, tmp_path):
    net, rng = NETS[name], np.random.default_rng(0)
    whole = saved(net, tmp_path)
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] ^= 1 << rng.integers(8)
        again = read_or_refused(load, bytes(data))
        if again is not None and rng.random() < 0.1:
            again.amplitudes(np.zeros((1, *again.geometry.shape), int))
    for end in rng.integers(0, len(whole), 40):
        assert read_or_refused(load, whole[:end]) is None
    assert read_or_refused(load, whole) is not None


def rebuilt(whole, change, compression=zipfile.ZIP_STORED):
    """The file with other members: ``change`` takes and returns a dict of bytes by name."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = change({n: archive.read(n) for n in archive.namelist()})
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def with_header(whole, change):
    """The file with another JSON text."""

    def members(found):
        header = json.loads(str(np.load(io.BytesIO(found["network.npy"]))))
        text = change(header)
        out = io.BytesIO()
        np.save(out, np.array(text if isinstance(text, str) else json.dumps(text)))
        return found | {"network.npy": out.getvalue()}

    return rebuilt(whole, members)


VALUES = [
    None,
    True,
    -1,
    0,
    1.5,
    10**9,
    10**30,
    "",
    "x",
    [],
    {},
    [[]],
    ["x"],
    [10**9],
    [1, "2"],
    1e400,
]


def mutations(tree, rng):
    """A JSON tree with one of its values replaced, or left out."""
    copy = json.loads(json.dumps(tree))
    places = []

    def walk(node):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, below in items:
            places.append((node, key))
            if isinstance(below, (dict, list)):
                walk(below)

    walk(copy)
    node, key = places[rng.integers(len(places))]
    if rng.random() < 0.1:
        del node[key]
    else:
        node[key] = VALUES[rng.integers(len(VALUES))]
    return copy


@pytest.mark.parametrize("name", NETS)
def test_headers_of_other_types_and_sizes(name, load, tmp_path):
    whole, rng = saved(NETS[name], tmp_path), np.random.default_rng(1)
    tracemalloc.start()
    for _ in range(40):
        data = with_header(whole, lambda header: mutations(header, rng))
        again = read_or_refused(load, data)
        if again is not None:
            again.amplitudes(np.zeros((1, *again.geometry.shape), int))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**27
    for text in ("", "[]", "3", "null", "{", '{"class": []}', "[" * 100_000, '{"class": "ConvAC"}'):
        with pytest.raises(qdn.OptionError, match="does not hold a network"):
            load(with_header(whole, lambda header, text=text: text))


def header_of(shape, dtype="'<f8'"):
    out = io.BytesIO()
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"
    out.write(np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little") + text.encode())
    return out.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_absurd_arrays_take_no_memory(compression, load, tmp_path):
    whole = saved(NETS["rac"], tmp_path)
    wide = qdn.RAC.rand(4, 1, 2, seed=0).geometry
    tracemalloc.start()
    for shape in ("(2, 2)", "(10000000000,)", "(-1, 2)", "(10**3,)", "(2**70, 2)", "('a',)", "3"):
        for member in ("READOUT.npy", "WH1.npy", "network.npy"):
            change = lambda found, m=member, s=shape: found | {m: header_of(s)}
            with pytest.raises(REFUSED):
                load(rebuilt(whole, change, compression))

    def large(found):  # all of it fits, but for the memory
        R = 40_000
        shapes = {"WH1": (R, R), "WI1": (R, 2), "H01": (R,), "READOUT": (R,)}
        arrays = {f"{name}.npy": header_of(shape) for name, shape in shapes.items()}
        text = json.dumps({"class": "RAC", "geometry": {**dataclasses.asdict(wide), "bond_dim": R}})
        out = io.BytesIO()
        np.save(out, np.array(text))
        return arrays | {"network.npy": out.getvalue()}

    with pytest.raises(qdn.BudgetError, match="12801280000 bytes"):
        load(rebuilt(whole, large, compression))
    bomb = io.BytesIO()
    np.save(bomb, np.zeros(2**22))
    for member in ("network.npy", "READOUT.npy", "more.npy"):
        with pytest.raises(REFUSED):
            load(rebuilt(whole, lambda found, m=member: found | {m: bomb.getvalue()}, compression))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**28


def test_what_is_no_archive(load, tmp_path):
    for data in (b"", b"PK", b"{}", np.random.default_rng(0).bytes(999)):
        with pytest.raises(qdn.OptionError, match="does not hold a network"):
            load(data)
    array = io.BytesIO()
    np.save(array, np.ones(3))
    with pytest.raises(qdn.OptionError, match="does not hold a network"):
        load(array.getvalue())
    for path in (None, 3, "", "\0", tmp_path):
        with pytest.raises(qdn.OptionError):
            qdn.load(path)


def test_compressed_files_are_read_too(load, tmp_path):
    whole = saved(NETS["conv"], tmp_path)
    again = load(rebuilt(whole, dict, zipfile.ZIP_DEFLATED))
    configs = np.indices((2,) * 4).reshape(4, -1).T
    assert (again.amplitudes(configs) == NETS["conv"].amplitudes(configs)).all()
