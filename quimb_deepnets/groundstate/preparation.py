"""What is looked at before the first step: the size of H's terms, and whether the start is wise.

::

    H                   largest move, spread of the diagonal   -->  unit of energies in a step
    H, "marshall"       one of two sublattices                 -->  the basis, of observables too
    net, H              real weights, complex coefficients     -->  refused
    net, random s       spread of log |psi(s)|^2               -->  a warning, if samples see few s
"""

import itertools
import warnings
from typing import Any

import numpy as np
from autoray import to_numpy
from quimb.operator import SparseOperatorBuilder
from quimb.tensor import LocalHam1D, LocalHam2D

from ..errors import OptionError, SamplingWarning
from ..networks.torch_network import TorchNetwork, is_module
from .operators import FlipMasks
from .reading import read_hamiltonian
from .signs import MARSHALL, marshall_sublattice

SOME = 64  # configurations that are looked at
MAX_SPREAD = 20.0  # nats


def energy_scale(H: FlipMasks) -> float:
    """The size of the local terms of an operator: rates of learning are in its inverse.

    Parameters
    ----------
    H : FlipMasks

    Returns
    -------
    float
        Twice the largest coefficient of a move, or what the diagonal spreads per site where that
        is more: 1 for bonds ``S.S``, 2 for a transverse field ``X``.

    Examples
    --------
    >>> import quimb as qu
    >>> from quimb_deepnets.groundstate.preparation import energy_scale
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> energy_scale(FlipMasks({(0, 1): qu.ham_heis(2)}, range(2)))
    1.0
    """
    some = np.random.default_rng(0).integers(H.phys_dim, size=(SOME, H.nsites))
    coefficients = H.coefficients(some)
    moves = abs(coefficients[:, 1:]).max(initial=0.0)
    spread = coefficients[:, 0].real.std() / np.sqrt(H.nsites)
    return 2 * float(max(moves, spread)) or 1.0


def sign_sites(H: Any, net: Any, sign_rule: Any) -> Any:
    """A sign rule as sites, so that other operators are read in the basis of H.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.preparation import sign_sites
    >>> net = qdn.RBM.rand(4, seed=0)
    >>> sign_sites({(i, i + 1): qu.ham_heis(2) for i in range(3)}, net, "marshall")
    [1, 3]
    """
    if isinstance(sign_rule, str) and sign_rule == MARSHALL:
        terms = list(read_hamiltonian(H, net.sites, net.phys_dim))
        return [net.sites[n] for n in sorted(marshall_sublattice(terms, net.sites))]
    many = hasattr(sign_rule, "__iter__") and not isinstance(sign_rule, str)
    return list(sign_rule) if many else sign_rule  # an iterator can be read only once


def as_network(state: Any, H: Any) -> Any:
    """A module of torch as a network on the sites of H; anything else as it is.

    Parameters
    ----------
    state : DeepNetwork, torch.nn.Module or anything
    H : operator

    Raises
    ------
    OptionError
        If H does not say on which sites a module lives.
    """
    if not is_module(state):
        return state
    name = type(state).__name__
    shape: Any = None
    if isinstance(H, LocalHam1D):
        shape = H.L
    elif isinstance(H, LocalHam2D):
        shape = H.Lx, H.Ly
    elif isinstance(H, SparseOperatorBuilder):
        shape = _shape_of(set(H.hilbert_space.sites))
    if shape is None:
        raise OptionError(
            f"H does not say on which sites the module {name} lives; say so by "
            f"qdn.TorchNetwork({name.lower()}, shape)."
        )
    return TorchNetwork(state, shape)


def _shape_of(sites):
    """The number of sites of a chain, or the sides of a lattice, that these are all sites of."""
    if sites == set(range(len(sites))):
        return len(sites)
    if all(isinstance(site, tuple) and len(site) == 2 for site in sites):
        shape = tuple(1 + max(site[axis] for site in sites) for axis in range(2))
        if sites == set(itertools.product(*map(range, shape))):
            return shape
    return None


def check_real(net: Any, H: FlipMasks) -> None:
    """Refuse real weights for an operator whose ground state is complex.

    Raises
    ------
    OptionError
    """
    if H.dtype.kind == "c" and not net._is_complex:
        raise OptionError(
            f"H has complex coefficients, and weights of dtype {net.dtype} hold real states alone; "
            'use net.to(dtype="complex128"), or a basis in which H is real.'
        )


def check_spread(net: Any, sector: int | None, phys_dim: int) -> None:
    """Warn of a start whose amplitudes differ too much.

    Warns
    -----
    SamplingWarning
    """
    rng, N = np.random.default_rng(0), net.nsites
    if sector is None:
        some = rng.integers(phys_dim, size=(SOME, N))
    else:
        some = (rng.random((SOME, N)).argsort(1) < sector).astype(int)
    logabs = to_numpy(net.log_amplitudes(some.reshape(SOME, *net.geometry.shape))[1])
    logabs = logabs[np.isfinite(logabs)]
    spread = 2 * float(logabs.std()) if len(logabs) else 0.0
    if spread > MAX_SPREAD:
        warnings.warn(
            f"log |psi|^2 spreads by {spread:.0f} nats over random configurations, so samples see "
            "few of them; begin near uniform weights, such as "
            'rand(..., dist="uniform", loc=1, scale=0.05).',
            SamplingWarning,
            stacklevel=4,
        )


def positive(name: str, value: Any) -> float:
    """A positive number, or a named error.

    Raises
    ------
    OptionError
    """
    try:
        if not isinstance(value, (bool, str)) and float(value) > 0:
            return float(value)
    except (TypeError, ValueError):
        pass
    raise OptionError(f"{name}={value!r} must be a positive number.")
