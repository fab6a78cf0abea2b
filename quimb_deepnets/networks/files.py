"""Networks in files: the integers as JSON, the arrays beside them, in one ``.npz`` without pickle.

::

    net --save--> net.npz   "network": {"class": "ConvAC", "geometry": {...}}   --load--> net
                            "W1,0", "W1,1", ..., "READOUT": arrays
"""

import dataclasses
import json
import zipfile

import numpy as np
from autoray import stop_gradient, to_numpy

from ..atomic import replacing
from ..errors import DeepNetError, OptionError, WeightError
from ..geometry import ConvGeometry, GCLayer, RecurrentGeometry
from ..geometry.boltzmann import BoltzmannGeometry
from .base import DeepNetwork
from .conv import ConvAC
from .graph_state import GraphStateConvAC
from .rbm import RBM
from .recurrent import RAC

GEOMETRIES = {ConvAC: ConvGeometry, RAC: RecurrentGeometry, RBM: BoltzmannGeometry}


def save(net, path):
    """Write a network into a file; a file that is there is replaced once the new one is whole.

    Parameters
    ----------
    net : ConvAC, RAC or RBM
        With weights of any backend; an expanded state is saved as its ``network``.
    path : str or path

    Raises
    ------
    OptionError
        If it is no network of these classes, or the file cannot be written.

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
    elif kind in GEOMETRIES:
        header = {"class": kind.__name__, "geometry": dataclasses.asdict(net.geometry)}
    else:
        hint = "a network of your own" if isinstance(net, DeepNetwork) else "an expanded state"
        raise OptionError(
            f"a {kind.__name__} is not saved; give a ConvAC, RAC or RBM: for {hint} the .network, "
            "or the arrays of .params."
        )
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
        If there is no such file, or it holds no network.
    WeightError, GeometryError
        If the arrays or integers in it do not fit.

    Examples
    --------
    See `save`.

    >>> import quimb_deepnets as qdn
    >>> qdn.load("nowhere.npz")
    Traceback (most recent call last):
    quimb_deepnets.errors.OptionError: 'nowhere.npz' cannot be read: there is no such file.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["network"]))
            arrays = {name: file[name] for name in file.files if name != "network"}
            return _network(header, arrays)
    except DeepNetError:
        raise
    except FileNotFoundError as error:
        raise OptionError(f"{str(path)!r} cannot be read: there is no such file.") from error
    except (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"{str(path)!r} cannot be read: it holds no network that was saved here ({error}); "
            "save one with save(net, path)."
        ) from error


def _network(header, arrays):
    """The network of a header and its named arrays."""
    if header["class"] == GraphStateConvAC.__name__:
        tuples = (tuple(x) if isinstance(x, list) else x for x in header["arguments"])
        net = GraphStateConvAC(*tuples)
        if any(not np.array_equal(net.params[name], arrays[name]) for name in net.params):
            raise WeightError("the weights in the file are not those of its graph state.")
        return net
    kinds = {cls.__name__: (cls, geometry) for cls, geometry in GEOMETRIES.items()}
    cls, geometry = kinds[header["class"]]
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in header["geometry"].items()}
    if "layers" in fields:
        fields["layers"] = tuple(GCLayer(**layer) for layer in fields["layers"])
    return cls.from_params(geometry(**fields), arrays)
