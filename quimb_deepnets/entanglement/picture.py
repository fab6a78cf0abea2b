"""Entropy against block size, several states in one picture.

::

    bits |            . Page: a random state
         |         .
         |      .  ________  bound of the architecture
         |   .  --           a state
         +-------------------- sites in the block
"""

import math
from collections.abc import Sequence
from typing import Any

from ..errors import MethodError, OptionError
from ..networks import DeepNetwork
from ..numerics.weights import MAX_BYTES
from ..tensors import RecursiveNetwork
from ..tensors.picture import new_axes
from ..tensors.weights_from_tensors import current_network
from ..theory import page_entropy, rank_bound
from .arguments import looked_at
from .measures import entropies
from .registry import MAX_FLOPS


def plot_entropy(
    states: Any,
    cuts: Sequence[int] | None = None,
    *,
    bound: bool = True,
    page: bool = True,
    ax: Any = None,
    progbar: bool = False,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """Draw the entropy of the first a sites against a, for several states.

    Parameters
    ----------
    states : state, or sequence of states, or dict of them by label
        Anything that `entropies` takes.
    cuts : sequence of int, optional
        By default all.
    bound : bool, optional
        Draw, dashed, what the architecture of a network allows: the logarithm of `rank_bound`.
    page : bool, optional
        Draw the Page curve, the average entropy of random states of as many sites.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.
    progbar : bool, optional
        Show a progress bar for each state.
    dims, method, max_bytes, max_flops, executor, tol, seed
        See `entropies`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ExtraError
        If matplotlib is not installed.
    OptionError
        If no state is given.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> nets = {f"depth {d}": qdn.ConvAC.rand(10, d, 3, 4, seed=0) for d in (1, 2)}
    >>> ax = qdn.plot_entropy(nets)
    >>> ax.get_ylabel()
    'entropy [bits]'
    """
    if not (cuts is None or hasattr(cuts, "__iter__")):
        raise OptionError(f"cuts={cuts!r} is not a sequence of ints; write [1, 2] for two cuts.")
    named, cuts = _named(states), None if cuts is None else list(cuts)
    ax = new_axes("plot_entropy") if ax is None else ax
    curves = {}
    budget = {"method": method, "max_bytes": max_bytes, "max_flops": max_flops}
    options = {**budget, "dims": dims, "executor": executor, "tol": tol, "seed": seed}
    for label, state in named.items():
        view = looked_at(state, dims)
        curves[view.dims] = view
        sizes: list = list(range(1, len(view.sites)) if cuts is None else cuts)
        values = [float(s) for s in entropies(state, sizes, progbar=progbar, **options)]
        (line,) = ax.plot(sizes, values, "o-", markersize=4, label=label)
        network = current_network(state) if isinstance(state, RecursiveNetwork) else state
        if bound and isinstance(network, DeepNetwork) and network.nsites == len(view.sites):
            _draw_bound(ax, network, sizes, line.get_color())
    for dims in curves if page else ():
        sizes = list(range(1, len(dims)) if cuts is None else cuts)
        values = [page_entropy(math.prod(dims[:a]), math.prod(dims[a:])) for a in sizes]
        ax.plot(sizes, values, ":", color="gray", label=f"Page, {len(dims)} sites")
    ax.set_xlabel("sites in the block")
    ax.set_ylabel("entropy [bits]")
    ax.legend()
    return ax


def _named(states):
    """States by label."""
    if not isinstance(states, (dict, list, tuple)):
        states = {type(states).__name__: states}
    if not isinstance(states, dict):
        states = {f"{i}: {type(state).__name__}": state for i, state in enumerate(states)}
    if not states:
        raise OptionError("no state to draw; give one, several, or a dict by label.")
    return states


def _draw_bound(ax, network, sizes, color):
    """The bound of the architecture, where one is known."""
    try:
        bounds = [math.log2(rank_bound(network, range(a))) for a in sizes]
    except MethodError:
        return
    ax.plot(sizes, bounds, "--", color=color, linewidth=1)
