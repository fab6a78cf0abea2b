"""The recursive tree: a convolutional arithmetic circuit as a quimb tensor network.

Fig. 1(e) of arXiv:1803.09780, here for 3 sites, depth 2, kernel 2 and ``boundary="periodic"``;
each of the 3 nodes on top grows a tree of its own, and site n is read 2**2 times::

                   READOUT
                      | _y
          .-----------+-----------.
      (0) .-+-.    (1) .-+-.   (2) .-+-.
        W2,0 W2,1    W2,0 W2,1   W2,0 W2,1
         |     |      |     |     |     |
        .+.   .+.    .+.   .+.   .+.   .+.      each a pair W1,0 W1,1
        0 1   1 2    1 2   2 0   2 0   0 1      sites read
"""

from collections.abc import Sequence
from typing import Any, Self

from ..geometry import GCLayer
from ..networks import ConvAC
from .expanded import MAX_TENSORS, RecursiveNetwork, to_tensor_network


class RecursiveTree(RecursiveNetwork):
    """The tensor network of a `ConvAC`, every re-use of a node written out.

    Build it with `rand`, `from_network` or ``net.to_tensor_network()``. With kernels that do not
    overlap (``stride == kernel``) it is a tree tensor network.

    Tags: ``I{n}`` on every tensor that belongs to site n (a weight to the middle one of the sites
    that it reads), ``DELTA`` too on the delta of a site, which is ``psi[n]``;
    ``LAYER{l}`` and ``W{l},{tap}``
    (``W{l},{position},{tap}`` if unshared) on weights, ``ONES{l}`` on missing neighbours,
    ``READOUT``.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> psi = qdn.RecursiveTree.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
    >>> psi
    RecursiveTree(tensors=79, indices=35, sites=6, depth=2, nodes='hyper')
    >>> psi.network
    ConvAC(shape=6, layers=[3x2, 3x2], phys_dim=2, boundary='ones', num_params=26)
    """

    _network_class = ConvAC

    @classmethod
    def rand(
        cls,
        shape: int | Sequence[int],
        depth: int | None = None,
        kernel: int | tuple[int, ...] | None = None,
        bond_dim: int | None = None,
        layers: Sequence[GCLayer] | None = None,
        phys_dim: int = 2,
        boundary: str = "ones",
        anchor: str = "center",
        shared: bool = True,
        dist: str = "normal",
        loc: float = 0.0,
        scale: float = 1.0,
        dtype: str = "float64",
        seed: Any = None,
        *,
        nodes: str = "hyper",
        site_ind_id: str | None = None,
        site_tag_id: str | None = None,
        max_tensors: int = MAX_TENSORS,
    ) -> Self:
        """A tensor network with random weights.

        Parameters
        ----------
        shape, depth, kernel, bond_dim, layers, phys_dim, boundary, anchor
            See `ConvAC.rand`.
        shared, dist, loc, scale, dtype, seed
            See `ConvAC.rand`.
        nodes, site_ind_id, site_tag_id, max_tensors
            See `from_network`.

        Returns
        -------
        RecursiveTree

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> psi = qdn.RecursiveTree.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
        >>> psi.to_dense().shape
        (64, 1)
        """
        network = ConvAC.rand(
            shape,
            depth,
            kernel,
            bond_dim,
            layers,
            phys_dim,
            boundary,
            anchor,
            shared,
            dist,
            loc,
            scale,
            dtype,
            seed,
        )
        return cls.from_network(network, nodes, site_ind_id, site_tag_id, max_tensors)


to_tensor_network.register(ConvAC)(RecursiveTree.from_network)
