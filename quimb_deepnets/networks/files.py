"""Networks in files: the integers as JSON, the arrays beside them, in one ``.npz`` without pickle.

::

    net --save--> net.npz   "network": {"class": "ConvAC", "geometry": {...}}   --load--> net
                            "W1,0", "W1,1", ..., "READOUT": arrays
"""

import dataclasses
import json
import math
import warnings
import zipfile
from typing import Any

import numpy as np
from autoray import stop_gradient, to_numpy

from ..errors import BudgetError, DeepNetError, OptionError, WeightError
from ..geometry import GCLayer
from ..numerics.atomic import as_path, replacing
from ..numerics.traced import check_there
from ..numerics.weights import MAX_BYTES
from .base import FAMILIES, DeepNetwork
from .graph_state import GraphStateConvAC

MAX_HEADER = 2**26  # bytes


def save(net, path):
    """Write a network into a file; an existing file is replaced once the new one is whole.

    Parameters
    ----------
    net : ConvAC, RAC or RBM
        With weights of any backend; an expanded state is saved as its ``network``.
    path : str or path

    Raises
    ------
    OptionError
        If it is not a network of these classes, or the file cannot be written.

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
    arrays = {name: to_numpy(stop_gradient(x)) for name, x in net.params.items()}
    with replacing(path, "wb") as file:
        np.savez(file, network=json.dumps(header), **arrays)


def load(path):
    """Read a network that `save` wrote, with numpy weights of the dtype they had.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    ConvAC, RAC or RBM

    Raises
    ------
    OptionError
        If the file does not exist, or does not hold a network.
    WeightError, GeometryError
        If the arrays or integers in it do not fit.
    BudgetError
        If they would need too much memory.

    Examples
    --------
    See `save`.

    >>> import quimb_deepnets as qdn
    >>> qdn.load("nowhere.npz")
    Traceback (most recent call last):
    quimb_deepnets.errors.OptionError: 'nowhere.npz' cannot be read: the file does not exist.
    """
    path = as_path(path)
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")  # of numpy, about headers
            return _network(_header(archive), _Arrays(archive, path.stat().st_size))
    except DeepNetError:
        raise
    except FileNotFoundError as error:
        raise OptionError(f"{str(path)!r} cannot be read: the file does not exist.") from error
    except Exception as error:  # whatever zipfile, zlib, numpy and json raise on damaged files
        raise OptionError(
            f"{str(path)!r} cannot be read: it does not hold a network that was saved here "
            f"({type(error).__name__}: {error}); save one with save(net, path)."
        ) from error


class _Arrays:
    """The arrays of an archive: what they declare to be, and, once that fits, their numbers."""

    def __init__(self, archive, size):
        self.archive, self.size = archive, size
        files = [name.removesuffix(".npy") for name in archive.namelist()]
        self.declared = {name: _declared(archive, name) for name in files if name != "network"}

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
        return {name: _numbers(self.archive, name) for name in shapes}


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
    """The network of a header and its named arrays."""
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
