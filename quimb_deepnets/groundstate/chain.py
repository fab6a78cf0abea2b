"""Exact energies of chains: a matrix product operator between two matrix product states.

::

    A --- A --- A --- A      the state
    |     |     |     |
    W --- W --- W --- W      the operator; its bond says which products have begun and how each ends
    |     |     |     |
    A* -- A* -- A* -- A*
"""

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from autoray import to_numpy

from ..errors import BudgetError, RangeError
from ..numerics.weights import MAX_BYTES
from .operators import FlipMasks
from .products import factors_of, split_factors

MIN_WEIGHT = 1e-9  # of a sector: below, phases cancel to round-off
ENOUGH = 1e-3  # of a sector: above, they cost few digits


def operator_arrays(H: FlipMasks) -> list[np.ndarray]:
    """An operator on a chain as a matrix product operator.

    Parameters
    ----------
    H : FlipMasks

    Returns
    -------
    list[numpy.ndarray]
        One array ``(left, right, after, before)`` for each site.
    """
    d, N = H.phys_dim, H.nsites
    moves: list[dict[Any, np.ndarray]] = [{} for _ in range(N)]  # (from, to) -> matrix
    for term in H._terms:
        for factors in split_factors(factors_of(term, d), lambda places: False):
            _add_product(moves, factors, dict(term.shifts), d)
    bonds: list[list[Any]] = [["todo", "done"] for _ in range(N + 1)]
    for n in range(N):
        ends = {to for _, to in moves[n]} - {"done"}
        passing = [s for s in bonds[n][2:] if s[0][0] > n]
        bonds[n + 1] += list(dict.fromkeys([*passing, *sorted(ends, key=repr)]))
    arrays, eye = [], np.eye(d)
    for n in range(N):
        left, right = ({s: i for i, s in enumerate(b)} for b in bonds[n : n + 2])
        matrices = list(moves[n].values())
        W = np.zeros((len(left), len(right), d, d), np.result_type(float, *matrices))
        for state in left.keys() & right.keys():
            if state in ("todo", "done") or state[0][0] > n:
                W[left[state], right[state]] = eye
        for (here, there), matrix in moves[n].items():
            W[left[here], right[there]] += matrix
        arrays.append(W)
    return arrays


def _add_product(moves, factors, shifts, d):
    """Add a product of operators on single sites to the moves of the operator's bond."""
    digit, scale, matrices = np.arange(d), 1.0, {}
    vectors = {n: np.ones(d) for n in shifts}
    for places, table in factors:
        if places:
            vectors[places[0]] = table
        else:
            scale = scale * table[()]
    for n, vector in vectors.items():
        matrices[n] = np.zeros((d, d), vector.dtype)
        matrices[n][(digit + shifts.get(n, 0)) % d, digit] = vector
    places = sorted(matrices) or [0]
    matrices = matrices or {0: np.eye(d)}
    # how a product ends: its other sites and what is there
    ends = [tuple((n, matrices[n].tobytes()) for n in places[j:]) for j in range(len(places))]
    states = ["todo", *ends[1:], "done"]
    for j, n in enumerate(places):
        key = states[j], states[j + 1]
        if j:
            moves[n][key] = matrices[n]
        else:
            moves[n][key] = moves[n].get(key, 0) + scale * matrices[n]


def chain_moments(
    net: Any, H: FlipMasks, sector: int | None = None, max_bytes: float = MAX_BYTES
) -> tuple[float, float]:
    """The mean and the variance of an operator, from the exact matrix product state.

    Parameters
    ----------
    net : DeepNetwork
        A chain.
    H : FlipMasks
        Hermitian; keeps the sector.
    sector : int, optional
        A number of ones.
    max_bytes : float, optional

    Returns
    -------
    mean, variance : float

    Raises
    ------
    MethodError, BudgetError
        If no exact matrix product state exists, or it is too large.
    RangeError
        If (almost) none of the state is in the sector.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> from quimb_deepnets.groundstate.chain import chain_moments
    >>> from quimb_deepnets.groundstate.operators import FlipMasks
    >>> net = qdn.ConvAC.graph_state(30, distance=1, kernel=2, boundary="omit")
    >>> H = FlipMasks({(0, 1, 2): -qu.pauli("Z") & qu.pauli("X") & qu.pauli("Z")}, net.sites)
    >>> [round(x, 9) + 0.0 for x in chain_moments(net, H)]
    [-1.0, 0.0]
    """
    mps = net._bare().to_mps(normalize=True, max_bytes=max_bytes)
    states = _arrays(mps, net.nsites)
    operator = operator_arrays(H)
    need = 4 * 16 * max(
        a.shape[0] ** 2 * w.shape[0] ** 2 * H.phys_dim for a, w in zip(states, operator)
    )  # fmt: skip
    if need > max_bytes:
        raise BudgetError(
            f"the operator between two matrix product states needs {need:.3g} bytes, more than "
            f"max_bytes={max_bytes:.3g}."
        )
    shift = _average(states, [operator], sector, H.phys_dim)
    operator[0][0, 1] -= shift * np.eye(H.phys_dim)  # so that the variance does not cancel
    return shift, _average(states, [operator, operator], sector, H.phys_dim)


def _arrays(mps, N):
    """The site tensors ``(left, right, d)`` of a matrix product state as numpy arrays."""
    arrays = [to_numpy(mps[n].data) for n in range(N)]
    arrays[0] = arrays[0].reshape(1, -1, arrays[0].shape[-1])
    arrays[-1] = arrays[-1].reshape(arrays[-1].shape[0] if N > 1 else 1, 1, -1)
    return arrays


def _average(states, operators, sector, d):
    """The mean of a product of operators, in a sector by a sum over phases."""
    total = lambda operators: lambda turn: _sandwich(states, operators, turn ** np.arange(d))
    turns = phases(len(states), sector, sector_radius(total([]), len(states), sector))
    above, below = (
        sum((back * norm(turn)).real for turn, back in turns)
        for norm in (total(operators), total([]))
    )
    return above / below


def sector_radius(total: Callable[[complex], complex], nsites: int, sector: int | None) -> float:
    """A factor for each one with which a sector holds a good part of the state, often 1.

    It is the same for all configurations of the sector, so means in the sector do not see it; the
    phases that leave out the others then cancel little.

    Parameters
    ----------
    total : callable
        The sum ``sum_n weight(n) z**n`` for a factor z of each one.
    nsites : int
    sector : int or None
        For all configurations the factor is 1.

    Raises
    ------
    RangeError
        If there is none.
    """
    if sector is None:
        return 1.0

    def _share(radius):
        found = sum((back * total(turn)).real for turn, back in phases(nsites, sector, radius))
        return found * radius**sector / total(radius).real

    if _share(1.0) > ENOUGH:
        return 1.0
    most = 300 / nsites
    cost = lambda t: math.log(max(total(math.exp(t)).real, 1e-300)) - sector * t
    found = scipy.optimize.minimize_scalar(cost, bounds=(-most, most), method="bounded")
    radius = math.exp(found.x)
    check_weight(_share(radius), sector)
    return radius


def phases(
    nsites: int, sector: int | None, radius: float = 1.0, half: bool = True
) -> list[tuple[complex, complex]]:
    """A factor for each one, and how much it counts, of each part of the projection on a sector.

    The sum over k of ``exp(2 pi i k (n - sector) / (N + 1))`` is N + 1 or 0.

    Parameters
    ----------
    nsites : int
    sector : int or None
        Of all configurations there is one part, with the factor 1.
    radius : float, optional
        The size of the factors, see `sector_radius`.
    half : bool, optional
        Of conjugate factors give one, which counts twice: the real part of what is real in all.

    Examples
    --------
    >>> from quimb_deepnets.groundstate.chain import phases
    >>> [round(sum((back * turn**n).real for turn, back in phases(3, 1)), 9) for n in range(4)]
    [0.0, 1.0, 0.0, 0.0]
    """
    if sector is None:
        return [(1.0, 1.0)]
    count, found = nsites + 1, []
    for k in range(count // 2 + 1 if half else count):
        turn = cmath.exp(2j * math.pi * k / count)
        twice = 1 if not half or k in (0, count / 2) else 2
        found.append((radius * turn, twice * turn**-sector / count * radius**-sector))
    return found


def check_weight(weight: float, sector: int) -> None:
    """Refuse a sector that holds too little of a state.

    Raises
    ------
    RangeError
    """
    if not weight > MIN_WEIGHT:
        raise RangeError(
            f"the share of configurations with {sector} ones in the state is {weight:.1e}, below "
            f"{MIN_WEIGHT}, and phases cancel to round-off; use method='sample', or 'full' on "
            "few sites."
        )


def _sandwich(states, operators, turn):
    """``<psi| ... O turn |psi>`` by a sweep; ``turn`` is a phase for each digit."""
    shape = (1, *(len(W[0]) for W in operators), 1)
    env = np.zeros(shape)
    env.flat[0] = 1.0  # every operator still to do
    for n, A in enumerate(states):
        env = np.tensordot(A * turn, env, axes=(0, 0))  # (right, d, w..., l*)
        for W in operators:  # each takes its bond from axis 2, and puts the next before l*
            env = np.tensordot(env, W[n], axes=((1, 2), (3, 0)))  # (right, ..., l*, w, d)
            env = np.moveaxis(env, -1, 1).swapaxes(-1, -2)
        env = np.tensordot(env, A.conj(), axes=((1, -1), (2, 0)))  # (right, w..., right*)
    return complex(env[(0, *(1 for _ in operators), 0)])
