"""The recursive MPS: a recurrent arithmetic circuit as a quimb tensor network.

Fig. 2(e) of arXiv:1803.09780, here for 3 sites and depth 2. Layer 2 is a matrix product state whose
physical legs are the states of layer 1, and each of them is an MPS of its own; site t is read
once for every later step::

    LAYER2   H02 --WH2-- . --WH2-- . --WH2-- . -- READOUT
                         |         |         |
                        WI2       WI2       WI2
                         |         |         |
    LAYER1              h1        h2        h3        copies of layer 1, e.g. h2:
                         |       / |       /|\\
    sites                0      0  1      0 1 2       H01--WH1--.--WH1--.-- h2
                                                               WI1     WI1
                                                                0       1
"""

from typing import Any, Self

from ..networks import RAC
from .expanded import MAX_TENSORS, RecursiveNetwork, to_tensor_network


class RecursiveMPS(RecursiveNetwork):
    """The tensor network of a `RAC`, every re-use of a state written out.

    Build it with `rand`, `from_network` or ``net.to_tensor_network()``. At depth 1 it is a matrix
    product state.

    Tags: ``I{n}`` on every tensor that belongs to site n (a weight to the middle one of the sites
    that it reads), ``DELTA`` too on the delta of a site, which is ``psi[n]``;
    ``LAYER{l}`` with ``WH{l}``, ``WI{l}``
    or ``H0{l}`` on weights and initial states, ``READOUT``.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> psi = qdn.RecursiveMPS.rand(4, depth=2, bond_dim=3, seed=0)
    >>> psi
    RecursiveMPS(tensors=38, indices=27, sites=4, depth=2, nodes='hyper')
    >>> psi.network
    RAC(L=4, depth=2, bond_dim=3, phys_dim=2, num_params=42)
    """

    _network_class = RAC

    @classmethod
    def rand(
        cls,
        L: int,
        depth: int,
        bond_dim: int,
        phys_dim: int = 2,
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
        L, depth, bond_dim, phys_dim, dist, loc, scale, dtype, seed
            See `RAC.rand`.
        nodes, site_ind_id, site_tag_id, max_tensors
            See `from_network`.

        Returns
        -------
        RecursiveMPS

        Examples
        --------
        >>> import quimb_deepnets as qdn
        >>> psi = qdn.RecursiveMPS.rand(6, depth=2, bond_dim=2, seed=0)
        >>> psi.to_dense().shape
        (64, 1)
        """
        network = RAC.rand(L, depth, bond_dim, phys_dim, dist, loc, scale, dtype, seed)
        return cls.from_network(network, nodes, site_ind_id, site_tag_id, max_tensors)


to_tensor_network.register(RAC)(RecursiveMPS.from_network)
