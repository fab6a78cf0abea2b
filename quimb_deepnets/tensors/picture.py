"""Pictures: where the tensors of expanded and of collapsed networks go, and their colours.

::

        READOUT            one row for each layer, on a lattice a plane
       .---+---.
       o   o   o           LAYER2                       h     h        HIDDEN, and their indices
      / \\ / \\ / \\          LAYER1, or WINDOW           /|\\   /|\\
     o   o   o   o                                    o o o o o o      WEIGHTS
      [ ] [ ] [ ]          DELTA, squares              [ ] [ ] [ ]     DELTA, beside it VISIBLE
       k0  k1  k2                                       k0  k1  k2
"""

import itertools
from collections import defaultdict

import numpy as np

from ..errors import import_extra
from ..geometry import layout, leaf_ind
from ..geometry.expansion import CHANNEL, READOUT, WINDOW
from ..geometry.layout import Layout, cells, middle_of, moved
from ..hyper.names import plain_name
from ..hyper.pictures import Picture, picture_of
from ..hyper.vector import HyperVector
from .expanded import RecursiveNetwork

COLUMN, ROW, LAYER = (2.0, 0.0), (-0.9, -0.4), (0.0, 2.0)  # steps on paper, of a lattice
COLLAPSED = "HIDDEN", READOUT, "WEIGHTS", WINDOW, "VISIBLE", "DELTA"


@picture_of.register
def _picture_of_expanded(psi: RecursiveNetwork):
    geometry = psi.geometry
    layers = (f"LAYER{l}" for l in range(geometry.depth, 0, -1))
    tags = READOUT, *layers, *geometry.fixed_vectors, "DELTA"
    places = positions(psi, layout(geometry, psi.nodes))
    return Picture(places, [tag for tag in tags if tag in psi.tag_map])


@picture_of.register
def _picture_of_collapsed(psi: HyperVector):
    if not psi.tag_map.keys() & {WINDOW, "HIDDEN"}:
        return None
    last = sorted(tag for tag in psi.tag_map if tag[:2] in ("H0", "WH"))
    tags = [tag for tag in (*last, *COLLAPSED) if tag in psi.tag_map]
    return Picture(positions(psi, layout_of_collapsed(psi)), tags)


def positions(psi, plan):
    """Where tensors and drawn indices go, for as much of the network as is still there.

    Parameters
    ----------
    psi : HyperVector
    plan : Layout
        With positions by legs, as the network had them when it was built.

    Returns
    -------
    dict
        From tids and index names to ``(x, y)``, as quimb's ``fix`` takes them.
    """
    site_of = {psi.site_ind(site): site for site in psi.sites if psi.site_ind(site) in psi.ind_map}
    names = {ix: plain_name(ix) for ix in psi.ind_map.keys() - site_of.keys()}
    where = {
        ix: plan.indices[name]
        for ix, name in names.items()
        if name in plan.indices and len(psi.ind_map[ix]) > 2
    }
    leg = -0.15 if isinstance(psi.sites[0], tuple) else -0.4
    where |= {ix: moved(plan.sites[site], up=leg) for ix, site in site_of.items()}
    taken = set()
    places = {legs: iter(found) for legs, found in plan.tensors.items()}
    for tid, t in psi.tensor_map.items():
        site = next((site_of[ix] for ix in t.inds if ix in site_of), None)
        legs = tuple(names.get(ix) for ix in t.inds)
        place = plan.sites.get(site) or next(places.get(legs, iter(())), None)
        if place is None:
            known = [plan.indices[ix] for ix in legs if ix in plan.indices]
            place = middle_of(known or [*plan.sites.values()])
        while place in taken:  # a tensor that was added later
            place = moved(place, columns=0.25)
        taken.add(place)
        where[tid] = place
    return on_paper(where)


def on_paper(where):
    """Positions in the plane: planes of a lattice are seen from the front and from above."""
    if len(next(iter(where.values()))) == 3:
        steps = np.array([ROW, COLUMN, LAYER])
        return {key: tuple(position @ steps) for key, position in where.items()}
    height = max(1.5, 0.1 * max(x for x, _ in where.values()))
    return {key: (x, y * height) for key, (x, y) in where.items()}


def layout_of_collapsed(psi):
    """Place the tensors of a state of windows, or of hidden units.

    Parameters
    ----------
    psi : HyperVector

    Returns
    -------
    Layout
    """
    ground = {s: (*(s if isinstance(s, tuple) else (s,)), -1.0) for s in psi.sites}
    indices = {leaf_ind(site): moved(xy, up=0.4) for site, xy in ground.items()}
    names = sorted(set(map(plain_name, psi.ind_map)))
    plan = Layout(defaultdict(list), indices, ground)
    hidden = [name for name in names if name.startswith("_h")]
    if hidden:
        _place_hidden_units(len(hidden), plan)
    elif CHANNEL in names:
        _place_windows(psi, plan)
    else:
        _place_steps(plan)
    return plan


def _place_windows(psi, plan):
    """Windows in order above the sites, and the channels that all of them share."""
    ground = [place[:-1] for place in plan.sites.values()]
    middle = middle_of(ground)
    windows = [tuple(map(plain_name, t.inds)) for t in psi.tensors if WINDOW in t.tags]
    if len(windows) != len(ground):
        ground, _ = cells(len(windows), middle, 1 + max(ground[-1]))
    for legs, place in zip(windows, ground):
        plan.tensors[legs].append((*place, 1.0))
    plan.indices[CHANNEL] = (*middle, 2.0)
    plan.tensors[CHANNEL,] = [(*middle, 2.5)]


def _place_steps(plan):
    """The chain of a recurrent network: each step above the newest site that it reads."""
    count = len(plan.sites)
    steps = [f"{CHANNEL}{t}" for t in range(count + 1)]
    for t, name in enumerate(steps):
        plan.indices[name] = (t - 1.0, 2.0)
        plan.tensors[name, *map(leaf_ind, range(t))] = [(t - 1.0, 1.0)]
        plan.tensors[name, leaf_ind(t - 1)] = [(t - 1.0, 1.0)]
    for t, legs in enumerate(itertools.pairwise(steps)):
        plan.tensors[legs[::-1]] = [(t - 0.5, 2.0)]
    plan.tensors[steps[0],], plan.tensors[steps[-1],] = [(-1.0, 2.0)], [(float(count), 2.0)]


def _place_hidden_units(count, plan):
    """Hidden units above the sites, and below each the weights that join it to all of them."""
    sites = list(plan.sites)
    units = defaultdict(list)
    for j in range(count):
        units[sites[j * len(sites) // count]].append(f"_h{j}")
    for site, names in units.items():
        centres, size = cells(len(names), plan.sites[site][:-1], 0.9)
        for name, centre in zip(names, centres):
            plan.indices[name] = (*centre, 2.0)
            plan.tensors[name,] = [(*centre, 2.4)]
            for other, place in zip(sites, cells(len(sites), centre, size)[0]):
                plan.tensors[name, leaf_ind(other)] = [(*place, 1.2)]
    for site, place in plan.sites.items():
        plan.tensors[leaf_ind(site),] = [moved(place, columns=0.2)]


def new_axes(name):
    """The axes of a new figure, for the function of that name.

    Raises
    ------
    ExtraError
        If matplotlib is not installed.
    """
    pyplot = import_extra(name, "plot", "matplotlib.pyplot")
    return pyplot.subplots(figsize=(6, 4), layout="constrained")[1]
