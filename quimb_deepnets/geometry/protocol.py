"""What a geometry must have, so that a network can be made of it.

::

    shape (Lx, Ly), sites, phys_dim, depth      where the configurations live
    param_shapes  {"W1,0": (4, 2), ...}          what the weights are, in order
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Geometry(Protocol):
    """All the integers of a network: hashable, equal if the numbers are.

    A frozen dataclass is the simplest one. A family of networks may need more of its own: what
    expands into a tensor network has ``roots``, ``taps`` and ``fixed_vectors`` too, see `expand`.

    Examples
    --------
    >>> from quimb_deepnets.geometry import Geometry, RecurrentGeometry
    >>> isinstance(RecurrentGeometry(4, depth=1, bond_dim=2), Geometry)
    True
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of sites along each dimension."""
        ...

    @property
    def ndim(self) -> int:
        """Number of dimensions, 1 or 2."""
        ...

    @property
    def sites(self) -> tuple[Any, ...]:
        """The labels of the sites: ints on a chain, pairs on a lattice, rows first."""
        ...

    @property
    def phys_dim(self) -> int:
        """Local dimension of a site."""
        ...

    @property
    def depth(self) -> int:
        """Number of layers."""
        ...

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each independent parameter, in order."""
        ...
