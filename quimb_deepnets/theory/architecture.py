"""Which architecture a law is about: a network stands for its geometry.

::

    ConvAC, RAC --.geometry--> ConvGeometry, RecurrentGeometry --> laws
"""

from ..errors import MethodError
from ..geometry import ConvGeometry, RecurrentGeometry


def as_geometry(net):
    """The geometry of a network, which has named parameters; anything else as it is."""
    return net.geometry if hasattr(net, "params") else net


def geometry_of(net, kinds=(ConvGeometry, RecurrentGeometry)):
    """The geometry of a network, or the one that is given.

    Raises
    ------
    MethodError
        If the law does not cover it.
    """
    geometry = as_geometry(net)
    if not isinstance(geometry, kinds):
        words = "ConvAC or its ConvGeometry" if kinds is ConvGeometry else "ConvAC or RAC"
        raise MethodError(f"the law does not cover a {type(geometry).__name__}; give a {words}.")
    return geometry
