"""States as path finders see them: which tensor has which legs, and no arrays.

::

    ConvAC, RAC, their geometry --.-- expanded: the pieces of `expand`, and the DUP of each site
    RecursiveTree, RecursiveMPS --'-- collapsed: one tensor for each window, `collapsed_pieces`
    RBM, any quimb vector ----------- expanded: the tensors as they stand

`ket_of` is a `functools.singledispatch`: register a type of state of your own and every task
serves it.
"""

import functools
import math
from typing import NamedTuple

from quimb.tensor import TensorNetworkGenVector

from ..errors import (
    BudgetError,
    OptionError,
    SitesError,
    StructureError,
    WeightError,
    check_option,
    check_positive_int,
)
from ..geometry import expand, leaf_ind
from ..geometry.expansion import NODES
from ..hyper.dup import MODES
from ..hyper.identities import identity_factor
from ..networks import DeepNetwork
from ..numerics.weights import MAX_BYTES
from ..tensors import RecursiveNetwork, to_tensor_network
from ..tensors.levels import cheapest_level, piece_shape
from ..tensors.weights_from_tensors import collapsible_network

FORMS = ("expanded", "collapsed")
MAX_TENSORS = 2**20
MAX_LOG2_SIZE = 1000  # path finders count in floats
DELTA = "DELTA"


class Form(NamedTuple):
    """How a state is to be written, see `path_report`; ``nodes`` None is the state's own way."""

    form: str = "expanded"
    mode: str = "hyper"
    nodes: str | None = None
    max_tensors: int = MAX_TENSORS

    def check(self):
        """Return it, or refuse unknown words and options that a collapsed state does not have.

        Raises
        ------
        OptionError
        """
        check_option("form", self.form, FORMS)
        check_option("mode", self.mode, MODES)
        if self.nodes is not None:
            check_option("nodes", self.nodes, NODES)
        check_positive_int("max_tensors", self.max_tensors, OptionError)
        if self.form == "collapsed" and self.mode != "hyper":
            raise OptionError(
                f"mode={self.mode!r} says how to duplicate the leaves of branches, and a collapsed "
                "state has none; use form='expanded', or leave mode out."
            )
        if self.form == "collapsed" and self.nodes == "dense":
            raise OptionError(
                "nodes='dense' makes a tensor of each node, and a collapsed state has windows "
                "instead; use form='expanded', or leave nodes out."
            )
        return self


class Ket(NamedTuple):
    """A state without its numbers.

    ``inputs`` are the legs of each tensor, ``size_dict`` the size of each index, ``legs`` the
    outer index of each site. ``deltas`` says which tensors are identities between the leg of a
    site and the inner index given: fixing the one fixes the other. ``identities`` are those of them
    that contractions leave out. Tensors with one of ``labels`` hold the same numbers.
    """

    inputs: list
    size_dict: dict
    legs: dict
    deltas: dict
    identities: frozenset
    labels: list


@functools.singledispatch
def ket_of(state, form):
    """The legs of a state.

    Parameters
    ----------
    state : object
    form : Form

    Returns
    -------
    Ket

    Raises
    ------
    OptionError
        If the type is not known, or has no such form.
    BudgetError
        If there would be more than ``form.max_tensors`` tensors, or one of more than 2**1000
        elements.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.paths.kets import Form, ket_of
    >>> net = qdn.ConvAC.rand(4, depth=1, kernel=2, bond_dim=3, boundary="periodic", seed=0)
    >>> ket_of(net, Form()).inputs[:3]
    [('_y',), ('_y', '_x3'), ('_y', '_x0')]
    """
    if hasattr(state, "collapsed_pieces"):
        return geometry_ket(state, form)
    raise OptionError(
        f"a {type(state).__name__} is not a known kind of state; give a ConvAC, RAC or RBM, or a "
        "quimb vector such as an MPS or PEPS, or register the type with "
        "quimb_deepnets.paths.ket_of.register."
    )


@ket_of.register
def _ket_of_network(network: DeepNetwork, form):
    # a family of a user may borrow a geometry: its tensors are known only where it registers them
    own = to_tensor_network.dispatch(type(network)) is not to_tensor_network.dispatch(object)
    if own and hasattr(network.geometry, "collapsed_pieces"):
        return geometry_ket(network.geometry, form)
    return vector_ket(to_tensor_network(network), form)


@ket_of.register
def _ket_of_expanded(psi: RecursiveNetwork, form):
    try:
        geometry = collapsible_network(psi).geometry
    except (StructureError, WeightError):  # gated, fixed, simplified: the tensors as they stand
        return vector_ket(psi, form, psi.nodes)
    return ket_of(geometry, form._replace(nodes=form.nodes or psi.nodes))


@ket_of.register
def _ket_of_vector(tn: TensorNetworkGenVector, form):
    return vector_ket(tn, form)


def check_count(count, form):
    """Refuse more tensors than allowed."""
    if count > form.max_tensors:
        raise BudgetError(
            f"the network has {count} tensors, more than max_tensors={form.max_tensors}; raise it."
        )


def _check_as_it_stands(state, form, nodes=None):
    """Refuse to write out anew what has one form only."""
    own = {"form": ("expanded",), "mode": ("hyper",), "nodes": (None, nodes)}
    if unsuited := [f"{word}={x!r}" for word in own if (x := getattr(form, word)) not in own[word]]:
        raise OptionError(
            f"{', '.join(unsuited)} rewrites the branches of a network, and this "
            f"{type(state).__name__} is taken as it stands; leave it out, or give the ConvAC or "
            "RAC (an expanded state that was not changed since it was built)."
        )


def geometry_ket(geometry, form):
    """The legs of a network from its integers alone; without ``taps`` it has one form only."""
    if not hasattr(geometry, "taps"):
        _check_as_it_stands(geometry, form)
        return collapsed_ket(geometry, form)
    return (expanded_ket if form.form == "expanded" else collapsed_ket)(geometry, form)


def vector_ket(tn, form, nodes=None):
    """The legs of a quimb vector, as they stand.

    Raises
    ------
    OptionError
        If it is asked for in another form than it has.
    SitesError
        If an outer index belongs to no site.
    """
    _check_as_it_stands(tn, form, nodes)
    check_count(tn.num_tensors, form)
    if twice := [t for t in tn if len(set(t.inds)) < t.ndim]:
        raise StructureError(
            f"a tensor has an index twice, {twice[0].inds}, a trace; contract it first "
            "(collapse_repeated)."
        )
    legs = {site: tn.site_ind(site) for site in tn.sites}
    legs = {site: ix for site, ix in legs.items() if ix in tn.ind_map}
    outer = {ix for ix, tids in tn.ind_map.items() if len(tids) == 1}
    if loose := sorted(outer.difference(legs.values())):
        raise SitesError(
            f"the outer index {loose[0]!r} does not belong to a site, so no task says whether to "
            "sum it; fix or contract it, or give it the name of a site."
        )
    place = {tid: i for i, tid in enumerate(tn.tensor_map)}
    deltas = {}
    if hasattr(tn, "_behind_delta"):
        for ix in legs.values():
            if (inner := tn._behind_delta(ix)) is not None:
                deltas[place[next(iter(tn.ind_map[ix]))]] = inner
    identities = frozenset(
        place[tid]
        for tid in tn.tag_map.get("IDENTITY", ())
        if identity_factor(tn.tensor_map[tid]) is not None
    )
    sizes = {ix: tn.ind_size(ix) for ix in tn.ind_map}
    labels = [id(t.data) for t in tn]
    return Ket([t.inds for t in tn], sizes, legs, deltas, identities, labels)


# ------------------------------------------------------------ expanded


def expanded_ket(geometry, form):
    """Every branch written out, the leaves of each site joined as ``form.mode`` says."""
    nodes = form.nodes or "hyper"
    count = geometry.num_tensors(nodes)
    if count > form.max_tensors:
        raise BudgetError(
            f"the expanded network has {count} tensors, more than max_tensors={form.max_tensors}, "
            "because every re-use of a node copies its branch; use form='collapsed' or fewer "
            "layers, or raise max_tensors."
        )
    if nodes == "dense":
        _check_size(geometry.dense_size().bit_length() - 1, "use nodes='hyper'")
    if form.mode == "copy":
        legs = max(geometry.duplication.values()) + 1
        _check_size(legs * math.log2(geometry.phys_dim), "use mode='hyper', 'tree' or 'mps'")
    shapes = geometry.param_shapes
    inputs, sizes, labels = [], {}, []
    for piece in expand(geometry, nodes):
        inputs.append(piece.inds)
        labels.append(piece.factors)
        for k, names in enumerate(piece.factors):
            shape: tuple[int, ...] = shapes.get(names[0]) or (geometry.fixed_vectors[names[0]],)
            sizes[piece.inds[0]] = shape[0]
            if len(shape) == 2:
                sizes[piece.inds[k + 1]] = shape[1]
    legs = {site: "k" + leaf_ind(site)[2:] for site in geometry.sites}
    sizes.update(dict.fromkeys(legs.values(), geometry.phys_dim))
    if form.mode == "hyper":
        deltas = {len(inputs) + n: leaf_ind(site) for n, site in enumerate(legs)}
        inputs += [(leg, leaf_ind(site)) for site, leg in legs.items()]
        labels += [DELTA] * len(legs)
        return Ket(inputs, sizes, legs, deltas, frozenset(), labels)
    inputs, copies = _cut_leaves(inputs, {leaf_ind(site): leg for site, leg in legs.items()})
    split = {"copy": lambda inds: [inds], "tree": _copy_tree, "mps": _copy_mps}[form.mode]
    for inds in copies.values():
        inputs += split(tuple(inds))
    for inds in inputs:
        sizes.update((ix, geometry.phys_dim) for ix in inds if ix not in sizes)
    labels += [(DELTA, len(inds)) for inds in inputs[len(labels) :]]
    return Ket(inputs, sizes, legs, {}, frozenset(), labels)


def _check_size(bits, remedy):
    """Refuse tensors whose size leaves the range of floats, before anything is written out."""
    if bits > MAX_LOG2_SIZE:
        raise BudgetError(
            f"a tensor would have 2**{bits:.0f} elements, more than 2**{MAX_LOG2_SIZE}, beyond "
            f"what path finders count in; {remedy}, or fewer layers or sites."
        )


def _cut_leaves(inputs, legs):
    """Give each copy of a leaf an index of its own; and the legs of the COPY tensor of each."""
    copies = {leaf: [leg] for leaf, leg in legs.items()}
    cut = []
    for inds in inputs:
        new = []
        for ix in inds:
            if ix in copies:
                copies[ix].append(f"{ix}_{len(copies[ix])}")
                ix = copies[ix][-1]
            new.append(ix)
        cut.append(tuple(new))
    return cut, copies


def _copy_tree(inds):
    """COPY of many legs as a tree of COPY tensors of order 3, paired as quimb pairs them."""
    queue, tensors, first = list(inds), [], 0
    while len(queue) - first > 3:
        a, b = queue[first : first + 2]
        new = f"{inds[0]}_t{len(tensors)}"
        tensors.append((a, b, new))
        queue.append(new)
        first += 2
    return [*tensors, tuple(queue[first:])]


def _copy_mps(inds):
    """COPY of many legs as a line of small COPY tensors, as quimb's."""
    if len(inds) <= 3:
        return [inds]
    bonds = [f"{inds[0]}_b{i}" for i in range(len(inds) - 1)]
    inner = zip(bonds, bonds[1:], inds[1:-1])
    return [(inds[0], bonds[0]), *inner, (bonds[-1], inds[-1])]


# ------------------------------------------------------------ collapsed


def collapsed_ket(geometry, form):
    """Each branch contracted over its window, up to the layer that `collapse` would choose."""
    level = cheapest_level(geometry, MAX_BYTES // 16)
    if level is None or level == geometry.depth:
        width = geometry.collapsed_width()
        _check_size(width * math.log2(geometry.phys_dim), "use form='expanded'")
        pieces = geometry.collapsed_pieces()
        shape = lambda piece: (geometry.collapsed_dim,) * len(piece.inds)
    else:
        pieces = geometry.collapsed_pieces(level)
        shape = functools.partial(piece_shape, geometry, level)
    inputs, sizes = [], {}
    labels: list = []
    for piece in pieces:
        inputs.append(piece.inds)
        labels.append((piece.tag, piece.kind))
        sizes.update(zip(piece.inds, shape(piece)))
    legs = {site: "k" + leaf_ind(site)[2:] for site in geometry.sites}
    start = len(inputs)
    deltas = {start + n: leaf_ind(site) for n, site in enumerate(legs)}
    check_count(start + len(legs), form)
    for site, leg in legs.items():
        inputs.append((leg, leaf_ind(site)))
        sizes.update({leg: geometry.phys_dim, leaf_ind(site): geometry.phys_dim})
    labels += [DELTA] * len(legs)
    return Ket(inputs, sizes, legs, deltas, frozenset(deltas), labels)
