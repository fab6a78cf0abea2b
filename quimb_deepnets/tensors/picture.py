"""Pictures: positions and colours of the tensors of an expanded network, and new figures.

::

        READOUT            one colour for each layer, one row for each layer
       .---+---.
       o   o   o           LAYER2
      / \\ / \\ / \\          LAYER1
      [ ] [ ] [ ]          DELTA, squares
       k0  k1  k2
"""

from ..errors import import_extra
from ..geometry import layout
from ..hyper.names import plain_name


def layer_tags(psi):
    """The tags to colour by: layers from the sites upward, the read-out, the deltas."""
    layers = (f"LAYER{l}" for l in range(1, psi.geometry.depth + 1))
    return [tag for tag in (*layers, "READOUT", "DELTA") if tag in psi.tag_map]


def positions(psi):
    """Where tensors and drawn indices go, for as much of the network as is still there.

    Parameters
    ----------
    psi : RecursiveNetwork

    Returns
    -------
    dict
        From tids and index names to ``(x, y)``, as quimb's ``fix`` takes them.
    """
    plan = layout(psi.geometry, psi.nodes)
    height = max(1.5, 0.12 * max(x for x, _ in plan.indices.values()))
    names = {ix: plain_name(ix) for ix in psi.ind_map.keys() - set(map(psi.site_ind, psi.sites))}
    drawn = [ix for ix, name in names.items() if name in plan.indices and len(psi.ind_map[ix]) > 2]
    where = {ix: plan.indices[names[ix]] for ix in drawn}
    for site, (x, y) in plan.sites.items():
        if psi.site_ind(site) in psi.ind_map:
            where[psi.site_ind(site)] = (x, y - 0.4)
    site_of = {psi.site_ind(site): site for site in psi.sites}
    places = {legs: iter(xys) for legs, xys in plan.tensors.items()}
    for tid, t in psi.tensor_map.items():
        site = next((site_of[ix] for ix in t.inds if ix in site_of), None)
        legs = tuple(names.get(ix) for ix in t.inds)
        xy = plan.sites.get(site) or next(places.get(legs, iter(())), None)
        if xy is None:
            known = [plan.indices[ix] for ix in legs if ix in plan.indices]
            xy = [sum(c) / len(known) for c in zip(*known)] if known else (0.0, 0.0)
        where[tid] = xy
    return {key: (x, y * height) for key, (x, y) in where.items()}


def figure_size(points):
    """Width and height, in inches, of a figure that fits these points."""
    xs, ys = zip(*points)
    wide = min(max(0.3 * (max(xs) - min(xs)), 7.0), 16.0)
    return wide, min(max(ys) - min(ys), wide)


def new_axes(name):
    """The axes of a new figure, for the function of that name.

    Raises
    ------
    ExtraError
        If matplotlib is not installed.
    """
    pyplot = import_extra(name, "plot", "matplotlib.pyplot")
    return pyplot.subplots(figsize=(6, 4), layout="constrained")[1]
