"""Expanded networks: every re-use of a vector written out as a branch of its own.

Shared base of `RecursiveTree` and `RecursiveMPS`. Leaves of one site meet in a delta, so that each
site has exactly one outer leg and quimb sees an ordinary vector::

         READOUT
            | _y
        .---+---.            LAYER2: one matrix per tap, joined by a hyper-index
      W2,0     W2,1
        |        |
      .-+-.    .-+-.         LAYER1: the middle node is used twice, so it stands here twice
    W1,0 W1,1 W1,0 W1,1
      |    \\  /     |
     _x0   _x1     _x2       hyper-indices of the leaves
      |     |       |
    DELTA DELTA   DELTA      I0, I1, I2
      |     |       |
      k0    k1      k2
"""

import functools
from typing import Any, Self

import numpy as np
from autoray import to as convert
from quimb import qarray
from quimb.tensor import Tensor

from ..declared import ExpandedMethods
from ..errors import (
    BudgetError,
    OptionError,
    RangeError,
    check_option,
    check_positive_int,
)
from ..geometry import expand, leaf_ind
from ..geometry.expansion import NODES
from ..hyper.dup import delta
from ..hyper.names import unique_names
from ..hyper.refusals import refuse_tied
from ..hyper.sites import check_site_ids, check_site_tags
from ..hyper.vector import HyperVector
from ..networks import DeepNetwork
from ..networks.params import writable
from ..numerics.configs import identity
from .amplitudes import StateAmplitudes
from .weights_from_tensors import (
    Source,
    architecture_of,
    collapsible_network,
    current_network,
    dense_node,
    fingerprint,
    read_params,
    tied_network,
)

MAX_TENSORS = 2**17
MAX_DENSE_SIZE = 2**26


@refuse_tied
class RecursiveNetwork(ExpandedMethods, StateAmplitudes):
    """Base class of the expanded tensor networks of deep networks.

    Attributes
    ----------
    geometry : ConvGeometry or RecurrentGeometry
        The integers that it was built from.
    nodes : {"hyper", "dense"}
        Whether a node is a hyper-index between matrices, or one tensor of order K + 1.
    """

    _EXTRA_PROPS = (*HyperVector._EXTRA_PROPS, "_geometry", "_nodes")
    _network_class: Any = None
    _geometry: Any
    _nodes: str

    def __init__(self, ts: Any = (), **options: Any) -> None:
        if isinstance(ts, DeepNetwork):
            raise OptionError(
                f"a {type(self).__name__} is not made of a {type(ts).__name__} but of its tensors; "
                "use network.to_tensor_network()."
            )
        super().__init__(ts, **options)

    @classmethod
    def from_network(
        cls,
        network: Any,
        nodes: str = "hyper",
        site_ind_id: str | None = None,
        site_tag_id: str | None = None,
        max_tensors: int = MAX_TENSORS,
    ) -> Self:
        """Write out the tensor network of a network.

        Parameters
        ----------
        network : ConvAC or RAC
            The network; the tensors hold its arrays, not copies of them.
        nodes : {"hyper", "dense"}, optional
            ``"hyper"``: a node is a hyper-index shared by the matrices of its taps.
            ``"dense"``: a node is one tensor ``a[i, j1..jK] = prod_k W[k][i, jk]`` of order K + 1,
            as drawn in Figs. 1 and 2 of arXiv:1803.09780.
        site_ind_id, site_tag_id : str, optional
            Names of the outer indices and of the site tags; by default ``"k{}"`` and ``"I{}"`` on
            a chain, ``"k{},{}"`` and ``"I{},{}"`` on a lattice, as quimb's own states have.
        max_tensors : int, optional
            Refuse networks that would need more tensors. Their number grows like
            ``kernel**depth``.

        Returns
        -------
        RecursiveTree or RecursiveMPS

        Raises
        ------
        BudgetError
            If there would be more than ``max_tensors`` tensors, or a too large dense one.
        OptionError
            If ``nodes`` or an identifier is not understood.
        """
        if not isinstance(network, cls._network_class):
            raise OptionError(
                f"a {cls.__name__} is built from a {cls._network_class.__name__}, not from a "
                f"{type(network).__name__}; network.to_tensor_network() finds the right class."
            )
        geometry = network.geometry
        check_option("nodes", nodes, NODES)
        _check_budget(geometry, nodes, check_positive_int("max_tensors", max_tensors, OptionError))
        holes = ",".join(["{}"] * geometry.ndim)
        psi = cls.new(
            sites=geometry.sites,
            site_ind_id=f"k{holes}" if site_ind_id is None else site_ind_id,
            site_tag_id=f"I{holes}" if site_tag_id is None else site_tag_id,
            geometry=geometry,
            nodes=nodes,
        )
        psi._check_ids()
        arrays, unique = _arrays(network, nodes), unique_names()
        for piece in expand(geometry, nodes):
            tags = (*piece.names, psi.site_tag(piece.site))
            tags = tags if piece.layer is None else (*tags, f"LAYER{piece.layer}")
            inds = tuple(map(unique, piece.inds))
            psi.add_tensor(Tensor(arrays[piece.factors], inds, tags), virtual=True)
        eye = identity(geometry.phys_dim, network._like)
        for site in psi.sites:
            legs = psi.site_ind(site), unique(leaf_ind(site))
            psi.add_tensor(delta(*legs, eye, (psi.site_tag(site),)), virtual=True)
        dense = {key: x for key, x in arrays.items() if len(key) > 1 or len(key[0]) > 1}
        constants = [
            ("identity", eye),
            *(("ones", arrays[(name,),]) for name in geometry.fixed_vectors),
        ]
        params = {name: arrays[(name,),] for name in network.params}
        psi._source = Source(fingerprint(psi), params, network, constants, dense)
        return psi

    @property
    def geometry(self):
        """The integers that the network was built from."""
        return self._geometry

    @property
    def cyclic(self):
        """Whether the sites are a ring, or a torus (``boundary="periodic"``)."""
        return getattr(self.geometry, "boundary", None) == "periodic"

    @property
    def nodes(self):
        """Whether nodes are hyper-indices (``"hyper"``) or tensors (``"dense"``)."""
        return self._nodes

    def _repr_info(self):
        info = super()._repr_info()
        info["depth"] = self.geometry.depth
        info["nodes"] = self.nodes
        return info

    def _check_ids(self):
        """Refuse identifiers that name no site, or collide with the tags of weights."""
        check_site_ids(self.site_ind_id, self.site_tag_id, self.sites)
        inner = {"DELTA", *self.geometry.param_shapes, *self.geometry.fixed_vectors}
        inner |= {f"LAYER{l}" for l in range(1, self.geometry.depth + 1)}
        check_site_tags(self, inner)

    # ------------------------------------------------------------ amplitudes

    def to_dense(self, *inds_seq, to_qarray=False, to_ket=None, **contract_opts):
        """The state as a dense array, ``(phys_dim**N, 1)`` or with grouped indices, see quimb.

        Without options the network evaluates it, where its memory and the range of the dtype
        allow; ``optimize=`` and other options of quimb's `contract` contract the expanded network.
        """
        network = None if inds_seq or contract_opts else current_network(self)
        try:
            state = network.to_dense() if network is not None else None
        except (BudgetError, RangeError):  # a contraction takes less memory, and may round to zero
            state = None
        if state is None:
            return super().to_dense(*inds_seq, to_qarray=to_qarray, to_ket=to_ket, **contract_opts)
        if to_ket is False:
            state = state.reshape(-1)
        return qarray(state) if to_qarray and isinstance(state, np.ndarray) else state

    to_qarray = functools.partialmethod(to_dense, to_qarray=True)

    def _held_network(self):
        return current_network(self)

    def _axes(self):
        return self.geometry.shape, self.geometry.phys_dim

    # ------------------------------------------------------------ back to weights

    @property
    def network(self):
        """The network with the weights that the tensors hold now.

        Raises
        ------
        StructureError
            For ``nodes="dense"``, if tensors were added, removed, fixed, gated or reconnected since
            the network was built, or if copies of one tied weight differ.
        """
        return tied_network(self)

    @property
    def shared_tags(self):
        """The tag of each tied weight, for ``TNOptimizer(tags=..., shared_tags=...)``.

        Raises
        ------
        StructureError
            As `network`.
        """
        return tuple(read_params(self)[0])


@functools.singledispatch
def to_tensor_network(
    network: Any,
    nodes: str = "hyper",
    site_ind_id: str | None = None,
    site_tag_id: str | None = None,
    max_tensors: int = MAX_TENSORS,
) -> RecursiveNetwork:
    """The expanded tensor network: `RecursiveTree` of a `ConvAC`, `RecursiveMPS` of a `RAC`.

    Parameters
    ----------
    nodes, site_ind_id, site_tag_id, max_tensors
        See `RecursiveNetwork.from_network`.

    Returns
    -------
    RecursiveTree or RecursiveMPS

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> qdn.ConvAC.rand(4, depth=2, kernel=2, bond_dim=3, seed=0).to_tensor_network()
    RecursiveTree(tensors=30, indices=19, sites=4, depth=2, nodes='hyper')
    """
    raise OptionError(
        f"{type(network).__name__} has no expanded tensor network; register one with "
        "quimb_deepnets.tensors.to_tensor_network.register."
    )


def _check_budget(geometry, nodes, max_tensors):
    """Refuse an expansion that is too large, in integers, before anything is built."""
    count = geometry.num_tensors(nodes)
    if count > max_tensors:
        raise BudgetError(
            f"the expanded network has {count} tensors, more than max_tensors={max_tensors}, "
            "because every re-use of a node copies its branch; collapse() has each branch once, "
            "collapse().draw() draws it, the network itself evaluates amplitudes "
            "(log_amplitudes), or raise max_tensors."
        )
    if nodes == "dense" and geometry.dense_size() > MAX_DENSE_SIZE:
        raise BudgetError(
            f"nodes='dense' needs a tensor of {geometry.dense_size()} elements, more than "
            f"{MAX_DENSE_SIZE}; use nodes='hyper', whose tensors are matrices."
        )


def _arrays(network, nodes):
    """The arrays of the pieces, by the names of their factors; equal pieces share one.

    Arrays of numpy are copies, which can be written without changing the network, as quimb's
    tensors are; those of torch and jax are the network's.
    """
    arrays = {name: writable(x) for name, x in network.params.items()}
    for name, size in network.geometry.fixed_vectors.items():
        arrays[name] = convert(np.ones(size), network._like)
    built = {((name,),): x for name, x in arrays.items()}
    for piece in expand(network.geometry, nodes):
        if piece.factors not in built:
            built[piece.factors] = dense_node(piece.factors, arrays)
    return built


@architecture_of.register
def _architecture_of_expanded(psi: RecursiveNetwork):
    return architecture_of(collapsible_network(psi).geometry)
