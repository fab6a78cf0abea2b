"""Pictures of networks: the packages that draw are looked for before the work.

::

    psi.draw(), psi.draw_3d()       matplotlib, networkx
    psi.draw_interactive()          plotly
"""

import functools

from quimb.tensor import TensorNetwork

from ..errors import import_extra


class DrawnNetwork(TensorNetwork):
    """A `TensorNetwork` whose methods that draw look for the packages that they need first."""

    def draw(self, *args, **kwargs):
        """Draw the network, see quimb.

        Raises
        ------
        ExtraError
            If a package that draws is not installed.
        """
        import_extra("draw", "plot", "matplotlib.pyplot", "networkx")
        if kwargs.get("backend") == "plotly":
            import_extra("draw(backend='plotly')", None, "plotly")
        return super().draw(*args, **kwargs)

    graph = draw
    draw_3d = functools.partialmethod(draw, dim=3, backend="matplotlib3d")
    draw_interactive = functools.partialmethod(draw, backend="plotly")
    draw_3d_interactive = functools.partialmethod(draw, dim=3, backend="plotly")
