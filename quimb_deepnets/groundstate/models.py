"""Models of the textbooks on chains and lattices, and the ground states of networks for them.

::

    tfi          -Z Z  - field X          Pauli matrices
    heisenberg    S . S                   neighbours          spins of one half
    j1j2          S . S + j2 S . S        neighbours; two sites apart, on lattices diagonals
"""

import itertools
from collections.abc import Sequence
from typing import Any

import quimb as qu
import quimb.tensor as qtn

from ..errors import check_option
from ..geometry import GCLayer
from ..geometry.layers import as_sizes
from ..networks import ConvAC
from .driver import GroundState

MODELS = ("tfi", "heisenberg", "j1j2")
LAYERS = ((4, 16), (2, 2))  # kernel and channels of each: windows of four sites, or 4 x 4
NEAR_UNIFORM: dict[str, Any] = {"dist": "uniform", "loc": 1.0, "scale": 0.05}


def model_terms(
    model: str, shape: Any, periodic: bool = True, field: float = 1.0, j2: float = 0.5
) -> dict[Any, Any]:
    """The terms of a model, a matrix for each site or pair of sites.

    Parameters
    ----------
    model : {"tfi", "heisenberg", "j1j2"}
    shape : int or (int, int)
        Number of sites of a chain, or the sides of a lattice.
    periodic : bool, optional
    field, j2 : float, optional
        Of the first and of the last model.

    Returns
    -------
    dict

    Raises
    ------
    OptionError
        If the model is not known.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.models import model_terms
    >>> list(model_terms("heisenberg", 4, periodic=False))
    [(0, 1), (1, 2), (2, 3)]
    >>> len(model_terms("j1j2", (4, 4)))
    64
    """
    check_option("model", model, MODELS)
    sizes = as_sizes("shape", shape)
    if len(sizes) == 1:
        near = list(qtn.edges_1d_chain(sizes[0], cyclic=periodic and sizes[0] > 2))
        sites: list[Any] = list(range(*sizes))
    else:
        edges = qtn.edges_2d_square(sizes[0], sizes[1], cyclic=periodic)
        near = [pair for pair in edges if len(pair) == 2]  # not around a side of one site
        sites = list(itertools.product(*map(range, sizes)))
    if model == "tfi":
        Z, X = qu.pauli("Z"), qu.pauli("X")
        terms = {tuple(sorted(pair)): -(Z & Z) for pair in near}
        return {**terms, **{(site,): -field * X for site in sites}}
    terms = {tuple(sorted(pair)): qu.ham_heis(2) for pair in near}
    for pair in _second_neighbours(sizes, periodic) if model == "j1j2" else ():
        terms[pair] = terms.get(pair, 0) + j2 * qu.ham_heis(2)
    return terms


def _second_neighbours(sizes, periodic):
    """Pairs of sites two apart on a chain, diagonal on a lattice, each once."""
    along = tuple(2 * (length > 1) for length in sizes)  # a lattice one site wide is a chain
    steps = [(1, 1), (1, -1)] if sum(along) == 4 else [along]
    pairs = set()
    for site in itertools.product(*map(range, sizes)):
        for step in steps:
            other = tuple(x + dx for x, dx in zip(site, step))
            if periodic:
                other = tuple(x % length for x, length in zip(other, sizes))
            if all(0 <= x < length for x, length in zip(other, sizes)) and other != site:
                pairs.add(tuple(sorted((site, other))))
    plain = lambda site: site if len(sizes) > 1 else site[0]
    return [(plain(a), plain(b)) for a, b in sorted(pairs)]


def model_ground_state(
    model: str,
    shape: Any,
    periodic: bool = True,
    layers: Sequence[tuple[Any, int]] = LAYERS,
    seed: int = 0,
    field: float = 1.0,
    j2: float = 0.5,
    **options: Any,
) -> GroundState:
    """A near-uniform `ConvAC` on its way to the ground state of a model.

    Parameters
    ----------
    model, shape, periodic
        See `model_terms`.
    layers : sequence of (kernel, channels), optional
    seed : int, optional
        Of the network and of the run.
    field, j2 : float, optional
        See `model_terms`.
    **options
        As `GroundState` takes them.

    Returns
    -------
    GroundState
        Of spins of one half in the sector of as many ones as zeros, by Marshall's signs where the
        neighbours form two sublattices.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.models import model_ground_state
    >>> gs = model_ground_state("tfi", 8, layers=[(3, 2), (1, 1)], method="full")
    >>> round(gs.run(steps=40, progbar=False).energy, 1)  # the exact energy is -10.2517
    -10.2
    """
    sizes = as_sizes("shape", shape)
    H = model_terms(model, shape, periodic, field, j2)
    if layers is LAYERS:
        fitting = lambda kernel: tuple(min(kernel, length) for length in sizes)
        layers = [(fitting(kernel), channels) for kernel, channels in LAYERS]
    stack = [GCLayer(kernel, channels) for kernel, channels in layers]
    boundary = "periodic" if periodic else "ones"
    net = ConvAC.rand(shape, layers=stack, boundary=boundary, seed=seed, **NEAR_UNIFORM)
    if model != "tfi":
        options["sector"] = net.nsites // 2
        if not (periodic and any(length % 2 and length > 1 for length in sizes)):
            ones = lambda site: sum(site) if isinstance(site, tuple) else site
            options["sign_rule"] = [site for site in net.sites if ones(site) % 2]
    return GroundState(net, H, seed=seed, **options)


def reached(gs: GroundState) -> dict[str, Any]:
    """What a run reached, in numbers and words that JSON has.

    Parameters
    ----------
    gs : GroundState
        After a run.
    """
    energy, net = gs.energy, gs.network
    return {
        "network": repr(net),
        "parameters": net.num_params,
        "energy": float(energy),
        "energy_per_site": energy / net.nsites,
        **{word: getattr(energy, word) for word in ("error", "variance", "vscore")},
        **{word: getattr(energy, word) for word in ("acceptance", "rhat", "samples")},
        "steps": len(gs.history),
        "seconds": float(gs.history["seconds"][-1]),
    }
