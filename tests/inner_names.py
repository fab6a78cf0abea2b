"""Inner indices by the name that they have in the plan; each network adds a mark of its own."""

from quimb_deepnets.hyper.names import plain_name


def inner(tn, name):
    """The index of ``tn`` that is called ``name`` in the plan, such as ``"_x0"`` or ``"_y"``."""
    (found,) = (ix for ix in tn.ind_map if plain_name(ix) == name)
    return found
