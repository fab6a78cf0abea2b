"""Networks in files: the integers as JSON, the arrays beside them, in one file without pickle.

::

    net --save--> net.npz   "network": {"class": "ConvAC", "geometry": {...}}   --load--> net
                            "W1,0", "W1,1", ..., "READOUT": arrays
    net.safetensors         the same header as metadata; arrays of torch come back as such
"""

import dataclasses
import io
import json
import math
import warnings
import zipfile
from typing import Any

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import BudgetError, DeepNetError, OptionError, WeightError, import_extra
from ..geometry import GCLayer
from ..numerics.atomic import as_path, replacing
from ..numerics.traced import check_there
from ..numerics.weights import MAX_BYTES
from .base import FAMILIES, DeepNetwork
from .graph_state import GraphStateConvAC

MAX_HEADER = 2**26  # bytes
VERSION = 1  # of the header; files without one are of version 1
TENSORS = ".safetensors"


def save(net, path):
    """Write a network into a file; an existing file is replaced once the new one is whole.

    Parameters
    ----------
    net : ConvAC, RAC or RBM
        With weights of any backend; an expanded state is saved as its ``network``.
    path : str or path or binary file object
        ``net.npz``, say; a name that ends in ``.safetensors`` makes a file of that kind, which
        needs the extra ``files``. What is written into a file object is an ``.npz``.

    Raises
    ------
    OptionError
        If it is not a network of these classes, or the file cannot be written.
    ExtraError
        If the package safetensors is needed and not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> import quimb_deepnets as qdn
    >>> net = qdn.RAC.rand(8, depth=2, bond_dim=3, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.npz")
    ...     qdn.save(net, path)
    ...     qdn.load(path)
    RAC(L=8, depth=2, bond_dim=3, phys_dim=2, num_params=42)
    """
    kind = GraphStateConvAC if isinstance(net, GraphStateConvAC) else type(net)
    if kind is GraphStateConvAC:
        header = {"class": kind.__name__, "arguments": net.__reduce__()[1]}
    elif kind in FAMILIES.values():
        header = {"class": kind.__name__, "geometry": dataclasses.asdict(net.geometry)}
    else:
        hint = "a network of your own" if isinstance(net, DeepNetwork) else "an expanded state"
        raise OptionError(
            f"a {kind.__name__} is not saved; give a ConvAC, RAC or RBM: for {hint} the .network, "
            "or the arrays of .params."
        )
    check_there(net.params.leaves.values(), "save")
    header |= {"version": VERSION, "backend": net.backend, "dtype": net.dtype}
    arrays = {name: to_numpy(stop_gradient(x)) for name, x in net.params.items()}
    if hasattr(path, "write"):
        _write_into(path, _zipped(header, arrays))
        return
    data = _tensors(header, arrays) if as_path(path).suffix == TENSORS else _zipped(header, arrays)
    with replacing(path, "wb") as file:
        file.write(data)


def _zipped(header, arrays):
    """An ``.npz`` as bytes."""
    file = io.BytesIO()
    np.savez(file, network=json.dumps(header), **arrays)
    return file.getbuffer()


def _tensors(header, arrays):
    """A file of safetensors as bytes; complex numbers are pairs, which that format has."""
    write = import_extra("a file of safetensors", "files", "safetensors.numpy").save
    pairs = {
        name: np.stack((x.real, x.imag), -1) if np.iscomplexobj(x) else np.ascontiguousarray(x)
        for name, x in arrays.items()
    }
    return write(pairs, {"network": json.dumps(header)})


def _write_into(file, data):
    """Write bytes into a file object."""
    try:
        file.write(data)
    except (TypeError, ValueError, OSError) as error:
        raise OptionError(
            f"{file!r} cannot be written: {error}; open it with mode 'wb', or give a path."
        ) from error


def load(path):
    """Read a network that `save` wrote, with weights of the dtype they had.

    Parameters
    ----------
    path : str or path or binary file object
        A name that ends in ``.safetensors`` is a file of that kind, which needs the extra
        ``files``; all else is an ``.npz``. A file object is read from where it stands.

    Returns
    -------
    ConvAC, RAC or RBM
        With weights of numpy; of safetensors, those that were of torch are of torch again.

    Raises
    ------
    OptionError
        If the file does not exist, does not hold a network, or is of a newer version.
    WeightError, GeometryError
        If the arrays or integers in it do not fit.
    BudgetError
        If they would need too much memory.
    ExtraError
        If the package safetensors is needed and not installed.

    Examples
    --------
    See `save`.

    >>> import quimb_deepnets as qdn
    >>> qdn.load("nowhere.npz")
    Traceback (most recent call last):
    quimb_deepnets.errors.OptionError: 'nowhere.npz' cannot be read: the file does not exist.
    """
    name = repr(path) if hasattr(path, "read") else repr(str(as_path(path)))
    try:
        if hasattr(path, "read"):
            return _from_zip(io.BytesIO(path.read()))
        if as_path(path).suffix == TENSORS:
            return _from_tensors(as_path(path).read_bytes())
        with open(as_path(path), "rb") as file:
            return _from_zip(file)
    except DeepNetError:
        raise
    except FileNotFoundError as error:
        raise OptionError(f"{name} cannot be read: the file does not exist.") from error
    except Exception as error:  # whatever zipfile, zlib, numpy and json raise on damaged files
        raise OptionError(
            f"{name} cannot be read: it does not hold a network that was saved here "
            f"({type(error).__name__}: {error}); save one with save(net, path)."
        ) from error


def _from_zip(file):
    """The network in an ``.npz``, a file that can seek."""
    with warnings.catch_warnings(), zipfile.ZipFile(file) as archive:
        warnings.simplefilter("ignore")  # of numpy, about headers
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        declared = {name: _declared(archive, name) for name in names if name != "network"}
        size = file.seek(0, io.SEEK_END)
        read = lambda name: _numbers(archive, name)
        return _network(_header(archive), _Arrays(declared, size, read))


def _from_tensors(data):
    """The network in the bytes of a file of safetensors."""
    found = import_extra("a file of safetensors", "files", "safetensors.numpy").load(data)
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8:start])["__metadata__"]["network"])
    if np.dtype(header["dtype"]).kind == "c":
        found = {name: (x[..., 0] + 1j * x[..., 1]) for name, x in found.items()}
    declared = {name: (x.shape, x.dtype) for name, x in found.items()}
    net = _network(header, _Arrays(declared, len(data), found.__getitem__))
    return net.to("torch") if header["backend"] == "torch" else net


class _Arrays:
    """The arrays of an archive: what they declare to be, and, once that fits, their numbers."""

    def __init__(self, declared, size, read):
        self.declared, self.size, self._read = declared, size, read

    def read(self, shapes):
        """The arrays by name, if they are of these shapes and fit the memory.

        Raises
        ------
        WeightError, BudgetError
        """
        declared = {name: shape for name, (shape, _) in self.declared.items()}
        if declared != shapes:
            name = next(n for n in (*shapes, *declared) if declared.get(n) != shapes.get(n))
            raise WeightError(
                f"the file has {name} of shape {declared.get(name)}, and its geometry asks for "
                f"{shapes.get(name)}; save the network anew with save(net, path)."
            )
        need = sum(math.prod(shape) * dtype.itemsize for shape, dtype in self.declared.values())
        if need > max(self.size, MAX_BYTES):
            raise BudgetError(
                f"the arrays of the file need {need} bytes, more than the {MAX_BYTES} allowed for "
                f"a file of {self.size} bytes; save the network anew with save(net, path)."
            )
        return {name: self._read(name) for name in shapes}


def _declared(archive, name):
    """Shape and dtype that the header of an array declares."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
    return shape, dtype


def _numbers(archive, name):
    """An array of an archive."""
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(archive):
    """The integers of a network, as JSON has them."""
    shape, dtype = _declared(archive, "network")
    if shape != () or dtype.kind != "U" or dtype.itemsize > MAX_HEADER:
        raise ValueError(f"its header is of shape {shape} and dtype {dtype}")
    return json.loads(str(_numbers(archive, "network")))


def _network(header, arrays):
    """The network of a header and its named arrays.

    Raises
    ------
    OptionError
        If the header is of a version that came later.
    """
    if (version := header.get("version", 1)) > VERSION:
        raise OptionError(
            f"the file is of version {version}, and this quimb_deepnets reads versions up to "
            f"{VERSION}; install a newer one with pip install -U quimb-deepnets."
        )
    if header["class"] == GraphStateConvAC.__name__:
        tuples = (tuple(x) if isinstance(x, list) else x for x in header["arguments"])
        net = GraphStateConvAC(*tuples)
        found = arrays.read({name: tuple(x.shape) for name, x in net.params.items()})
        if any(not np.array_equal(net.params[name], x) for name, x in found.items()):
            raise WeightError("the weights in the file are not those of its graph state.")
        return net
    cls: Any = {cls.__name__: cls for cls in FAMILIES.values()}[header["class"]]
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in header["geometry"].items()}
    if "layers" in fields:
        fields["layers"] = tuple(GCLayer(**layer) for layer in fields["layers"])
    geometry = cls._geometry_class(**fields)
    return cls.from_params(geometry, arrays.read(dict(geometry.param_shapes)))
